"""What others wrote cannot come to life on a page."""

from __future__ import annotations

import pytest

from console.words import plain, without_pictures


@pytest.mark.parametrize(
    "text", ["![x](https://e.example/?q=1)", "[a](javascript:x)", ":red[x]", "<EMAIL_1>", "$x$", "#a"]
)
def test_every_mark_is_escaped(text: str) -> None:
    shown = plain(text)
    marks = [place for place, sign in enumerate(shown) if sign in "![]()<>:$#/=?." and shown[place - 1] != "\\"]
    assert not marks
    assert shown.replace("\\", "") == text


def test_an_answer_keeps_its_form_but_no_picture() -> None:
    assert without_pictures("**a** ![x](https://e.example) [b](c)") == r"**a** !\[x](https://e.example) [b](c)"
    assert without_pictures("![x][ref]\n\n[ref]: https://e.example") == "!\\[x][ref]\n\n[ref]: https://e.example"
