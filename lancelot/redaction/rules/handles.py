"""User names: @handles, `user=…` in logs and code, home folders, `name@host` of ssh, "my username is …"."""

from __future__ import annotations

import re
from collections.abc import Iterator

from lancelot.redaction.labels import Span
from lancelot.redaction.rules.scan import Scan
from lancelot.redaction.rules.words import words

__all__ = ["handles"]

_HANDLE = re.compile(
    r"(?<![\w@./:+=-])@(?=[\w.]*[^\W\d])\w[\w.]{1,38}(?:-[\w-]{1,24})?(?<![.-])"
    r"(?![\w@]|\.\w|/\w| : |\s{0,3}(?:\|\|)?=(?!=))"
)
# What follows an @ in code, style sheets and e-mail lists without naming a person.
_NOT_A_PERSON = words(
    "param params return returns throws property override staticmethod classmethod media import charset keyframes",
    "everyone here channel all supports fontface layer todo deprecated see type typedef example author since app",
    "router pytest dataclass component injectable input output viewchild test before after beforeeach aftereach",
    "requestmapping autowired bean service entity table id column getmapping postmapping nullable notnull data gmail",
    "yahoo hotmail outlook apply include mixin extend use if else for while end interface protocol implementation",
    "synthesize selector abstractmethod property.setter functools.wraps wraps lru_cache cached_property fixture",
    "contextmanager",
)
_NAMED = re.compile(
    r"(?<![\w-])(?:user[ _-]?(?:name|id)?|user_login|log-?in(?:[ _]?name)?|uid|screen[ _]?name|nick(?:name|s)?|"
    r"handle|account[ _]name|owner|assignee|actor|sam_?account_?name|logged in as|log in as|login as|"
    r"signed in as|as user|"
    r"(?:slack|discord|twitter|instagram|github|telegram|skype|chat|gamer ?tag|ign|psn|xbox|steam|twitch|"
    r"snapchat|tiktok|reddit|mastodon|bluesky|wechat|battle\.?net|roblox|minecraft)(?:[ _]?(?:id|"
    r"name|handle|user(?:name)?))?)"
    r"[\"']?(?:\s{0,2}(?:=>|[:=]|\bis\b|\bwas\b)\s{0,2}|"
    r"\s)[\"'`]?(?P<name>@?[A-Za-z][\w.-]{1,38}[A-Za-z0-9_](?:#\d{4})?)(?![\w@]|\.\w|\()",
    re.IGNORECASE,
)
# Where people have names, and about which people write sentences.
_PLATFORM = re.compile(r"(?:steam|twitch|snapchat|tiktok|reddit|mastodon|bluesky|wechat|battle|roblox|minecraft)", re.I)
_AMBIENT = re.compile(
    r"(?<![\w/.])(?:/home/|/Users/|[A-Za-z]:\\{1,2}Users\\{1,2}|/var/mail/|"
    r"~)(?P<home>[A-Za-z][\w.-]{1,31})(?=[/\\\s\"':]|$)|"
    r"\b(?:ssh|scp|sftp|rsync|mosh)\s(?:-\w+\s\S+\s)*(?P<ssh>[A-Za-z][\w.-]{1,31})@(?=[\w\[])|"
    r"\b(?:TODO|FIXME|XXX|HACK)\((?P<todo>[A-Za-z][\w.-]{1,31})\)|"
    r"\b(?:curl|wget|mysql|psql|ftp|smbclient|docker login|az login)\b[^\n|]{0,80}?\s(?:-u|-U|"
    r"--user(?:name)?[ =])\s?(?P<flag>[A-Za-z][\w.-]{1,31})(?=\s|$)|"
    r"(?:\d\]|\d) <(?P<chat>[A-Za-z][\w-]{2,30})>(?=\s\w)|"
    r"\b(?P<on>[A-Za-z][A-Za-z0-9]*[\d_][\w.]{1,30})\son\s(?:GitHub|GitLab|Twitter|Instagram|Discord|"
    r"Slack|Telegram|TikTok|Reddit|chat)\b"
)
_CUES = words(
    "user username userid login log uid screen nick nickname nicks handle account owner assignee actor sam logged",
    "signed as slack discord twitter instagram github telegram skype chat gamer gamertag ign psn xbox steam twitch",
    "snapchat tiktok reddit mastodon bluesky wechat battle battlenet roblox minecraft",
)
_HINTS = (
    "/home/",
    "/Users/",
    "Users\\",
    "~",
    "ssh ",
    "scp ",
    "sftp",
    "rsync",
    "GitHub",
    "GitLab",
    "TikTok",
    "mosh",
    "TODO(",
    "FIXME(",
    "XXX(",
    "HACK(",
    " -u",
    " -U",
    "--user",
    "] <",
)
_PLACES = words(
    "github gitlab twitter instagram discord slack telegram tiktok reddit chat",
)
_PUBLIC_HOMES = words(
    "shared public default user users me root ubuntu app node git",
)
_HTML = words(
    "div span html body head table tbody thead script style link meta img input form button label select option",
    "textarea nav header footer section article main aside strong code pre blockquote string int bool float object",
    "name email path file url your user username password token key value title type list dict text number",
)
_WORDS = words(
    "the a an is was are be has have had not no and or but with for from to of in on at as by this that these those",
    "who input output data type types name names id ids info profile profiles account accounts agent agents interface",
    "experience friendly story stories stories base group groups role roles service services session sessions guide",
    "manual request requests requested message messages error errors query queries password passwords email emails",
    "story feedback needs must can cannot may should will would could does did do said says asked wants want page",
    "pages button form screen required failed success successful attempt attempts logged manager management model",
    "models table tables control center defined generated specific provided settings preferences research testing",
    "behavior none null true false string str int text value field fields admin root default guest self anonymous",
    "everyone anyone someone it your my their his her our him them me you he she they we i if when then there here",
    "where what which how why over under again also just only please thanks via new old first last next other another",
    "all any each every some more most name: username user login log-in nickname handle",
)


_KEYWORDS = words("await async new self this function lambda return req request ctx context session event props state")
_COLUMNS = words("id user username name email owner login uid key value get data account_id user_id")


def _nameable(name: str, sure: bool) -> bool:
    low = name.lstrip("@").lower()
    owner, dot, last = low.rpartition(".")
    if low in _WORDS or low in _HTML or low in _KEYWORDS or owner in _KEYWORDS or (dot and last in _COLUMNS):
        return False
    # Without a sign between cue and name, a plain word is more likely the rest of the sentence.
    return sure or any(c.isdigit() or c in "_." for c in name[1:])


def handles(scan: Scan) -> Iterator[Span]:
    """User names; rule username.handle, username.cue or username.path."""
    text = scan.text
    for match in scan.at_sign(_HANDLE, "@"):
        if match.group()[1:].lower() not in _NOT_A_PERSON:
            yield Span(match.start(), match.end(), "USERNAME", "username.handle")
    for match in scan.matches(_NAMED, _CUES, 1, 90):
        start, end = match.span("name")
        between = text[match.start() : start]
        sure = any(sign in between for sign in ":=") or between.rstrip(" \"'`").lower().endswith(
            ("username is", "login is", "handle is", "name is", " as", "nickname is", "username", "screen name")
        )
        if _nameable(match.group("name"), sure and not _PLATFORM.match(text, match.start())):
            yield Span(start, end, "USERNAME", "username.cue")
    if not any(hint in text for hint in _HINTS) and not scan.has(_PLACES):
        return
    for match in _AMBIENT.finditer(text):
        group = match.lastgroup or "home"
        low = match.group(group).lower()
        if low not in _PUBLIC_HOMES and low not in _HTML:
            yield Span(*match.span(group), "USERNAME", "username.path")
