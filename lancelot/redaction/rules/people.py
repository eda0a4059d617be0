"""Names of passengers as tickets write them; names in Chinese, Japanese and Korean, where no blank shows a word."""

from __future__ import annotations

import re
from collections.abc import Iterator

from lancelot.redaction.labels import Span
from lancelot.redaction.rules.scan import Scan

__all__ = ["people"]

_PASSENGER = re.compile(r"(?<![\w/])([A-Z]{2,20}/[A-Z]{2,20}(?: [A-Z]{2,20})?) ?(?:MR|MRS|MS|MSTR|MISS|DR)\b")
_HAN = "\u4e00-\u9fff"
_EAST_ASIAN = re.compile(r"[\u4e00-\u9fff\uac00-\ud7a3]")
_INTRODUCED = re.compile(
    rf"(?:我叫|我是|名叫|姓名[::是]|联系人[::]|收件人[::]|患者[::]|客户[::])\s?([{_HAN}·]{{2,4}})(?=[\s,。、;.,!?)()]|$|先生|女士|小姐)|"
    rf"(?:私は|氏名[::]|名前は|お名前[::]|担当[::])\s?([{_HAN}]{{1,3}}[ \u3000]?[{_HAN}\u3040-\u30ff]{{1,4}}?)"
    r"(?=です|と申|と言|さん|様|[\s、。]|$)|"
    r"(?:이름은|이름[:]|성명[:]|저는|담당자[:])\s?([\uac00-\ud7a3]{2,4}?)(?=입니다|이고|이며|씨|님|[\s,.]|$)"
)
# The hundred commonest Chinese surnames.
_SURNAMES = (
    "王李张刘陈杨赵黄周吴徐孙胡朱高林何郭马罗梁宋郑谢韩唐冯于董萧程曹袁邓许傅沈曾彭吕苏卢蒋蔡贾丁魏薛叶阎余潘杜戴夏钟汪田"
    "任姜范方石姚谭廖邹熊金陆郝孔白崔康毛邱秦江史顾侯邵孟龙万段雷钱汤尹黎易常武乔贺赖龚文"
)
_ADDRESSED = re.compile(
    rf"([{_SURNAMES}][{_HAN}]{{0,2}})(?=先生|女士|小姐)|"
    rf"([{_HAN}]{{2,5}}|[{_HAN}]{{1,3}}[ \u3000][{_HAN}]{{1,3}})(?=さん|様|氏)|"
    r"(?<![\uac00-\ud7a3])([\uac00-\ud7a3]{3})(?= ?씨)"
)
# Who is addressed so without a name.
_NOT_NAMED = frozenset(
    {
        "患者",
        "学生",
        "店員",
        "社長",
        "部長",
        "課長",
        "会員",
        "同僚",
        "友人",
        "利用者",
        "担当者",
        "运营",
        "老师",
        "各位",
        "诸位",
        "尊敬的",
    }
)


def people(scan: Scan) -> Iterator[Span]:
    """Names of people; label PERSON, rules person.cue and person.ticket."""
    if "/" in scan.text:
        for match in _PASSENGER.finditer(scan.text):
            yield Span(*match.span(1), "PERSON", "person.ticket")
    if scan.text.isascii() or not _EAST_ASIAN.search(scan.text):
        return
    for pattern in (_INTRODUCED, _ADDRESSED):
        for match in pattern.finditer(scan.text):
            group = match.lastindex or 0
            if match.group(group) not in _NOT_NAMED:
                yield Span(*match.span(group), "PERSON", "person.cue")
