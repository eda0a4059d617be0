"""Names where no blank shows a word."""

from __future__ import annotations

import pytest

from .finding import labelled


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("我叫王小明,电话 13800138000", "王小明"),
        ("姓名:李雪,住在上海。", "李雪"),
        ("请联系陈建国先生。", "陈建国"),
        ("田中太郎さんに連絡してください", "田中太郎"),
        ("担当:佐藤 花子です", "佐藤 花子"),
        ("제 이름은 김민수입니다.", "김민수"),
        ("박지영 씨에게 전화해 주세요.", "박지영"),
    ],
)
def test_introduced_or_addressed(text: str, name: str) -> None:
    assert labelled(text, "PERSON") == [name]


@pytest.mark.parametrize(
    "text", ["患者さんに説明する", "今天天气很好,我们去公园。", "会議は三時からです。", "회의는 세 시에 시작합니다."]
)
def test_nobody_is_named(text: str) -> None:
    assert labelled(text, "PERSON") == []
