"""Keys that carry their maker's mark: prefixes and shapes from the makers' public documentation."""

from __future__ import annotations

import re
from collections.abc import Iterator

from lancelot.redaction.labels import Span
from lancelot.redaction.rules.randomness import counts_up, entropy, is_even, is_example, is_random, is_random_case
from lancelot.redaction.rules.scan import LONG, Scan

__all__ = ["COLOUR", "issued_keys"]

# A key hides in a run of such characters; prose has hardly any, so only these runs are looked at closely.
_RUN = re.compile(rf"[\w.+/=~:|!$%@-]{{{LONG},}}")

_W = r"[\w-]"
_A = r"[A-Za-z0-9]"
_H = r"[0-9a-f]"
_B = r"[A-Za-z0-9+/]"
_UUID = rf"{_H}{{8}}-{_H}{{4}}-{_H}{{4}}-{_H}{{4}}-{_H}{{12}}"

_SHAPES: tuple[str, ...] = (
    # clouds
    r"(?:AKIA|ASIA|ABIA|ACCA|AROA|AIDA|AGPA|AIPA|ANPA|ANVA|ASCA|APKA|A3T[A-Z0-9])[A-Z0-9]{16}",
    r"\d{10,14}-[a-z0-9]{32}\.apps\.googleusercontent\.com",
    rf"ABSK{_B}{{60,}}={{0,2}}",
    rf"bedrock-api-key-{_B}{{20,}}={{0,2}}",
    rf"AIza{_W}{{35}}",
    rf"GOCSPX-{_W}{{24,}}",
    r"ya29\.[\w.-]{20,}",
    rf"1//0{_W}{{24,}}",
    rf"AAAA{_W}{{7}}:{_W}{{100,}}",
    r"[A-Za-z0-9_~.]{3}\dQ~[A-Za-z0-9_~.-]{31,34}",
    rf"{_B}{{86}}==",
    rf"{_A}{{52}}JQQJ99{_A}{{26}}",
    rf"{_B}{{33,40}}\+(?:AMC|ABa|ASt|ACR|AIoT|ARm){_B}{{5,12}}={{0,2}}",
    rf"do[opr]_v1_{_H}{{64}}",
    rf"v1\.0-{_H}{{24}}-{_H}{{100,}}",
    rf"LTAI{_A}{{12,28}}",
    rf"AKID{_A}{{28,40}}",
    r"t1\.[A-Z0-9a-z_-]+=?\.[A-Z0-9a-z_-]{86}=?",
    rf"AQVN{_W}{{35,38}}",
    r"YC[A-Za-z0-9_-]{38}",
    rf"HRKU-{_A}{{2}}{_W}{{30,}}",
    rf"HRKU-{_UUID}",
    r"sha256~[\w-]{43}",
    # code hosting, packages, continuous integration
    rf"gh[pousr]_{_A}{{36,255}}",
    r"github_pat_\w{50,}",
    r"gl(?:pat|ptt|dt|rt|cbt|ft|soat|imt|agent|oas|ffct|wt)-[\w.-]{20,}",
    rf"GR1348941{_W}{{20}}",
    rf"npm_{_A}{{36}}",
    rf"pypi-AgE{_W}{{40,}}",
    rf"rubygems_{_H}{{48}}",
    r"oy2[a-z0-9]{43}",
    r"CLOJARS_[a-z0-9]{60}",
    rf"dckr_[po]at_{_W}{{24,}}",
    rf"AKCp{_A}{{69}}|cmVmdGtu{_A}{{56}}",
    rf"sq[apu]_{_H}{{40}}",
    rf"CCI(?:PAT|PRJ)_{_A}{{22}}_{_H}{{40}}",
    rf"bkua_{_H}{{40}}",
    rf"sgp_(?:(?:{_H}{{16}}|local)_)?{_H}{{40}}",
    rf"AT[AC]TT3(?:[\w=-]|\\=|%3[Dd]){{60,}}|ATTA{_A}{{60,}}|ATBB{_A}{{32}}",
    rf"(?:Nz|Mz|OD|OT|MT|Mj|ND|NT|Nj|MD){_A}{{42}}",
    # chat and mail
    r"xox[abeoprs]-[\w-]{10,}|xoxe\.xox[bp]-[\w-]{20,}|xapp-\d-[\w-]{20,}",
    r"\d{8,10}:AA[\w-]{32,33}",
    rf"[MNO]{_W}{{23,25}}\.{_W}{{6}}\.{_W}{{27,38}}",
    rf"SG\.{_W}{{16,24}}\.{_W}{{38,48}}",
    rf"{_H}{{32}}-us\d{{1,2}}",
    rf"(?:pub)?key-{_H}{{32}}|{_H}{{32}}-{_H}{{8}}-{_H}{{8}}",
    rf"x(?:keysib|smtpsib)-{_H}{{64}}-{_A}{{16}}",
    rf"(?:SK|AC)(?:{_H}{{32}}|[0-9A-F]{{32}})",
    rf"EAA[A-Za-z0-9]{{60,}}|IG(?:QV|AA){_W}{{60,}}",
    r"A{20,22}[\w%]{40,}",
    # models
    rf"sk-(?:ant-|proj-|svcacct-|admin-|or-v1-|lf-|service-)?{_W}{{20,}}",
    rf"pplx-{_A}{{40,}}|gsk_{_A}{{40,}}|xai-{_A}{{60,}}|hf_{_A}{{30,}}|api_org_{_A}{{30,}}|r8_{_A}{{36,}}",
    rf"tvly-(?:dev-|prod-)?{_A}{{20,}}|tgp_v1_{_W}{{40,}}|LLM\|\d+\|{_W}{{20,}}|LLA-{_A}{{40,}}|csk-{_A}{{40,}}",
    rf"lsv2_(?:pt|sk)_{_H}{{32}}_{_H}{{10}}|jina_{_A}{{50,}}|fw_{_A}{{20,}}|nvapi-{_W}{{60,}}",
    # payments and shops
    rf"(?:sk|pk|rk)_(?:live|test|prod)_{_A}{{10,}}|whsec_[\w+/=]{{24,}}|rzp_(?:live|test)_{_A}{{14}}",
    rf"sq0[a-z]{{3}}-{_W}{{22,43}}|EAAA[\w=-]{{60}}",
    rf"access_token\$(?:production|sandbox)\$[0-9a-z]{{16}}\${_H}{{32}}|A21AA{_W}{{60,}}",
    r"shp(?:at|ca|pa|ss|ua|rt)_[0-9a-fA-F]{32}",
    rf"access-(?:sandbox|development|production)-{_UUID}",
    rf"EZ[AT]K{_A}{{54}}|FLW(?:SECK|PUBK)_TEST-[a-h0-9]{{12,32}}(?:-X)?|shippo_(?:live|test)_{_H}{{40}}",
    rf"duffel_(?:live|test)_{_W}{{43}}|(?:live|test)_(?:pub_)?{_A}{{30,45}}",
    # operations
    r"[A-Za-z0-9]{14}\.atlasv1\.[\w=-]{60,}",
    rf"hv[sbr]\.{_W}{{20,}}|s\.(?=[A-Z0-9]*[a-z])(?=[a-z0-9]*[A-Z])(?=[A-Za-z]*\d){_A}{{24}}",
    r"dp\.(?:pt|st|ct|sa|scim|audit)\.[\w.-]{38,}",
    r"ops_eyJ[\w+/=-]{100,}|A3-[A-Z0-9]{6}-(?:[A-Z0-9]{5,11}-){1,2}[A-Z0-9-]{11,}",
    r"AGE-SECRET-KEY-1[QPZRY9X8GF2TVDW0S3JN54KHCE6MUA7L]{58}",
    r"S[UONACX][A-Z2-7]{56}",
    r"sntry[usi]_[\w+/=-]{40,}",
    rf"glc_[A-Za-z0-9+/=]{{32,}}|glsa_{_A}{{32}}_[0-9A-Fa-f]{{8}}",
    r"NR(?:AK|AA|JS|II|RA|SP|BR|MA)-[\w-]{19,60}|[0-9a-z]{36}NRAL",
    r"dt0[a-z]\d\d\.[A-Za-z0-9]{24}\.[A-Za-z0-9]{64}",
    rf"(?:pat|sat)\.{_W}{{22}}\.{_A}{{24}}\.{_A}{{20}}|_gitlab_session={_A}{{32}}|p8e-{_A}{{32}}",
    rf"(?:sc|ext|scauth|authress)_{_A}{{5,30}}\.{_A}{{4,6}}\.acc[_-]{_W}{{10,32}}\.[\w+/=-]{{30,120}}",
    rf"ph[cxsra]_{_A}{{32,}}",
    rf"(?:sdk|mob|api)-{_UUID}",
    rf"pul-{_H}{{40}}|pnu_{_A}{{36}}|dapi{_H}{{32}}(?:-\d)?|dose{_H}{{32}}|tskey-[a-z]+-{_W}{{16,}}",
    rf"pscale_(?:tkn|pw|oauth)_[\w=.-]{{20,}}|mdb_sa_(?:id|sk)_[\w-]{{20,}}|napi_{_A}{{40,}}|"
    rf"dnkey-[A-Z0-9=_-]{{20,}}-[\w=-]{{20,}}",
    rf"sb[p]_(?:v0_)?{_H}{{40}}|sb_(?:secret|publishable)_{_W}{{22}}_{_W}{{8}}",
    rf"fo1_[\w-]{{43}}|fm[12][ar]?_[\w+/=-]{{40,}}|nf[pcoub]_{_A}{{36}}|vc[pkiar]_{_A}{{24,60}}|rnd_{_A}{{28,}}",
    # desks and tools
    rf"pat[A-Za-z0-9]{{14}}\.{_H}{{64}}|ntn_[0-9A-Za-z]{{40,}}|secret_{_A}{{43}}|lin_(?:api|oauth)_{_A}{{32,}}",
    rf"fig[dour]_{_W}{{36,}}|PMA[KT]-{_A}{{24}}-?{_A}{{24,34}}|PMAT-[A-Z0-9]{{26}}|rdme_[a-z0-9]{{70}}|tfp_[\w.=-]{{50,}}|CFPAT-{_W}{{43}}",
    rf"pat-(?:na|eu)\d-{_UUID}|xkeysib-{_W}{{60,}}|re_{_A}{{8}}_{_A}{{24}}|rapi_{_A}{{30,}}",
    r"00D[A-Za-z0-9]{12}![\w.]{60,}",
    rf"sl\.(?:u\.)?{_W}{{40,}}",
    rf"API-(?![0-9A-F]+\b)[A-Z0-9]{{25,32}}|RGAPI-{_UUID}|fio-u-[\w=-]{{64}}|BBFF-{_A}{{30}}|tk-us-{_W}{{48}}|"
    rf"ico-{_A}{{32}}|endr\+{_A}{{16}}",
    rf"s-s4t2(?:ud|af)-{_H}{{64}}|sm_[aps]at_{_A}{{16}}|cosmo_{_H}{{32}}|4b1d{_A}{{38}}|b_{_A}{{43}}=|"
    rf"patz?-?{_A}{{40,}}",
    rf"SWMTKN-1-[a-z0-9]{{30,}}-[a-z0-9]{{20,}}|SWMKEY-1-[\w+/]{{40,}}|akab-[a-z0-9]{{16}}-[a-z0-9]{{16}}|"
    rf"llx-{_W}{{40,}}",
    rf"gh[su]_\d*_?eyJ[\w.-]{{40,}}|wx{_H}{{16}}|(?:pk|sk)\.[a-z0-9]{{60}}\.[a-z0-9]{{22}}",
    rf"(?:pk|sk)\.eyJ[\w-]{{40,}}\.{_W}{{20,}}",
    rf"\d{{15,16}}(?:\||%7C){_W}{{27,40}}",
)
_ISSUED = re.compile(r"(?<![A-Za-z0-9_])(?:" + "|".join(_SHAPES) + r")(?![A-Za-z0-9])")
# What a key is not followed by: the rest of a file's or a host's name, or the signs with which somebody shortened it.
_NOT_A_KEY = re.compile(
    r"\.(?:png|jpe?g|gif|svg|webp|ico|css|m?js|map|html?|pdf|zip|gz|woff2?|ttf|mp[34])(?![A-Za-z0-9])|"
    r"\.(?:[a-z0-9-]{2,30}\.)+(?:com|net|org|io|dev|cloud)(?![A-Za-z0-9])|\.\.\.|[*#]{3}|…"
)
# What package managers write in front of a fingerprint.
_LOCKED = re.compile(r"(?:sha\d{1,3}|md5)[-:=]$", re.IGNORECASE)
# Unknown makers follow the same custom: a short word or two, then a long random tail.
_CUSTOM = re.compile(
    r"(?<![\w/.-])(?:[a-z]{2,10}[_-]){1,3}(?:v?\d{1,2}[_-])?([A-Za-z0-9]{20,}(?:[_-][A-Za-z0-9]{6,})?)={0,2}(?![\w/.-])"
)


# Beyond this length a run in a row may be chance or padding.
_NEVER_BY_CHANCE = 120
COLOUR = re.compile(r"\d{1,3}m")
# In the middle of encoded data a maker's mark is chance.
_INSIDE_DATA = re.compile(r"[A-Za-z0-9+/]{24,}[+/]$")


def _believable(key: str) -> bool:
    if key.startswith("xox"):
        return not is_example(key) and sum(c.isdigit() for c in key) > 8
    if key.startswith(("hf_", "s.")):
        tail = key[3:] if key[2] == "_" else key[2:]
        return not is_example(key) and (is_random(tail, 2.6) or (is_random_case(tail) and "_" not in tail))
    tail = key[6:] if len(key) > 24 else key
    if len(key) < _NEVER_BY_CHANCE and counts_up(key):
        return False
    return entropy(tail) > 2.4 and not is_example(key)


def issued_keys(scan: Scan) -> Iterator[Span]:
    """Keys of known shape (secret.prefix), and long random tails behind a short lower-case prefix (secret.custom)."""
    for run in scan.in_pieces(_RUN, LONG):
        start, word = run.start(), run.group()
        colour = COLOUR.match(word) if start and scan.text[start - 1] in "[;" else None
        if colour:  # a terminal's colours end in a letter that is no part of the key
            start, word = start + colour.end(), word[colour.end() :]
        for match in _ISSUED.finditer(word):
            before = word[: match.start()]
            if (
                _LOCKED.search(before)
                or _INSIDE_DATA.search(before)
                or _NOT_A_KEY.match(scan.text, start + match.end())
            ):
                continue
            if _believable(match.group()):
                yield Span(start + match.start(), start + match.end(), "SECRET", "secret.prefix")
        for match in _CUSTOM.finditer(word):
            tail = match.group(1)
            if is_even(tail) and is_random(tail, 3.4) and not is_example(match.group()) and not counts_up(tail):
                yield Span(start + match.start(), start + match.end(), "SECRET", "secret.custom")
