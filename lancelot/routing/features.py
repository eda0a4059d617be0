"""Deterministic features of one request: counted once, cheap (about 0.1 ms a kilobyte), free of any text.

All that rules and scorer look at comes from here; what a receipt keeps is `Features.to_dict()`: numbers and flags.
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass, field
from typing import Any

from lancelot.chat import ChatRequest, message_texts

__all__ = ["Features", "words_of"]

_WORD = re.compile(r"[a-z][a-z'’-]*[a-z]|[a-z]|\d+(?:[.,]\d+)*")
_CODE = re.compile(
    r"```|\bdef \w+\(|\bclass \w+|\bfunction\b *\w*\(|#include|\bimport \w+|=> *\{|\);|\bSELECT\b.+\bFROM\b|[{;]\s*$",
    re.M,
)
_MATH = re.compile(r"\\(?:frac|sqrt|sum|int|le|ge|cdot|text|begin)|\$[^$\n]+\$|[=<>≤≥^∑√∫]|\d\s*[-+*/]\s*\d")
_ITEM = re.compile(r"^\s*(?:[-*•]|\d+[.)])\s", re.M)
_CHOICE = re.compile(r"^\s*\(?[A-J][.):]\s", re.M)


def words_of(lowered: str) -> list[str]:
    """Lower-cased words and numbers in order; letters beyond a-z are left to the callers' own substring tests."""
    return _WORD.findall(lowered)


# little words of English, and of other languages written with its letters
_ENGLISH = frozenset(
    words_of("the a an of to is are and this that my for in it what how do does with your me you be can")
)
_ELSEWHERE = frozenset(
    words_of(
        "der die das den dem des ein eine und nicht ist ich mein bitte mit von wie kann darf auf nur diese dieses "
        "le les un une est mon ma ce cette pas je vous du et que qui quels dans sur peut puis "
        "el los las una mi es por para con del esta este puede como sin lo al "
        "il gli di della non per mio che sono questo questa posso da e o os um uma meu minha com "
        "het een niet van mijn op dit jest nie moje czy na bir bu ve ne"
    )
)
_ACCENTED = re.compile("[\u00c0-\u024f\u0370-\u1fff\u2e80-\uffff]")  # letters of other languages, not typographic signs
_CODE_SIGNS = frozenset("`(#=;{}*")  # without one of these there is no code to count
_MATH_SIGNS = frozenset("\\$=<>≤≥^∑√∫+*/-")
_CONSTRAINT = frozenset(
    ("must", "should", "only", "never", "without", "unless", "except", "exactly", "least", "most", "not", "cannot")
)


@dataclass(frozen=True, slots=True)
class Features:
    """What one request looks like.

    Attributes:
        text: the newest user message (raw; stays in memory, never stored).
        full: all text that did not come from an assistant (raw; never stored).
        words: the newest user message's words in order, lower case.
        vocabulary: the set of words of `full`.
        chars: code points of the newest user message.
        turns: user messages so far.
        context_tokens: a cautious estimate of the whole request's tokens.
        code, maths, items, choices, numbers, questions, constraints: counts in the newest user message.
        latin: share of its letters that are ASCII (0..1); the English rules cannot read the rest.
        tools, images, structured: what the request asks of a model.
    """

    text: str
    full: str
    words: tuple[str, ...]
    vocabulary: frozenset[str]
    chars: int
    turns: int
    context_tokens: int
    code: int = 0
    maths: int = 0
    items: int = 0
    choices: int = 0
    numbers: int = 0
    questions: int = 0
    constraints: int = 0
    latin: float = 1.0
    tools: tuple[str, ...] = ()
    images: int = 0
    structured: bool = False
    earlier: tuple[str, ...] = field(default=())  # earlier user messages, oldest first

    @property
    def foreign(self) -> bool:
        """Whether the text may be in another language than English: the rules' other languages are looked at.

        They cost milliseconds, so one short word that English shares (die, com) in an English text does not count.
        """
        english, others = len(self.vocabulary & _ENGLISH), len(self.vocabulary & _ELSEWHERE)
        if english == 0 or others > 1 or (others == 1 and english < 3):
            return True
        return not self.full.isascii() and any(sign > "\x7f" and sign.isalpha() for sign in self.full)

    @classmethod
    def of_text(cls, text: str) -> Features:
        """Features of one bare prompt."""
        return _count(text, text, (), 1, _size(text), (), 0, False)

    @classmethod
    def of(cls, chat: ChatRequest) -> Features:
        """Features of a whole request."""
        users, others, images, total = [], [], 0, 0
        for message in chat.messages:
            said = message_texts(message)
            total += sum(map(_size, said)) + 16
            if isinstance(message.content, list):
                images += sum(part.get("type") in ("image_url", "input_image", "file") for part in message.content)
            if message.role == "user":
                users.append("\n".join(said))
            elif message.role != "assistant":
                others.extend(said)
        text = users[-1] if users else chat.last_user_text()
        full = text if len(users) <= 1 and not others else "\n".join((*others, *users))
        tools = tuple(str(tool.get("function", tool).get("name", "")) for tool in chat.tools or ())
        if chat.tools:
            total += sum(len(str(tool)) for tool in chat.tools)
        structured = (chat.response_format or {}).get("type") in ("json_schema", "json_object")
        return _count(text, full, tuple(users[:-1]), max(1, len(users)), total, tools, images, structured)

    def to_dict(self) -> dict[str, Any]:
        """Numbers and flags only, as receipts keep them and what-if reads them."""
        return {
            "chars": self.chars,
            "words": len(self.words),
            "turns": self.turns,
            "context_tokens": self.context_tokens,
            "code": self.code,
            "maths": self.maths,
            "items": self.items,
            "choices": self.choices,
            "numbers": self.numbers,
            "questions": self.questions,
            "constraints": self.constraints,
            "latin": round(self.latin, 2),
            "tools": len(self.tools),
            "images": self.images,
            "structured": self.structured,
        }


def _count(
    text: str,
    full: str,
    earlier: tuple[str, ...],
    turns: int,
    total: int,
    tools: tuple[str, ...],
    images: int,
    structured: bool,
) -> Features:
    lowered, several = text.lower(), "\n" in text
    words = words_of(lowered)
    vocabulary = frozenset(words) if full is text else frozenset(words_of(full.lower()))
    return Features(
        text=text,
        full=full,
        words=tuple(words),
        vocabulary=vocabulary,
        chars=len(text),
        turns=turns,
        context_tokens=math.ceil(total / 3.2),
        code=len(_CODE.findall(text)) if not _CODE_SIGNS.isdisjoint(text) else 0,
        maths=len(_MATH.findall(text)) if not _MATH_SIGNS.isdisjoint(text) else 0,
        items=len(_ITEM.findall(text)) if several else 0,
        choices=len(_CHOICE.findall(text)) if several else 0,
        numbers=len([word for word in words if word[0].isdigit()]),
        questions=text.count("?") + text.count("？"),
        constraints=len([word for word in words if word in _CONSTRAINT]),
        latin=_latin(text),
        tools=tools,
        images=images,
        structured=structured,
        earlier=earlier,
    )


def _size(text: str) -> int:
    """Bytes of a text: what is not Latin takes about a token a character, and three bytes."""
    return len(text) if text.isascii() else len(text.encode("utf-8", "surrogatepass"))


def _latin(text: str) -> float:
    if text.isascii():
        return 1.0
    letters = [character for character in text if character.isalpha()]
    return sum(character < "ɐ" for character in letters) / len(letters) if letters else 1.0
