"""The state of a conversation: did an earlier answer not do?"""

from __future__ import annotations

from lancelot.routing.features import Features, words_of
from lancelot.routing.phrases import Phrase

__all__ = ["follow_up"]

_THING = r"(?:answer|fix|code|explanation|response|solution|advice|reply)"
_BAD = r"(?:wrong|incorrect|not (?:right|correct|working|true)|bad|useless|false|broken)"
_WRONG = Phrase(
    rf"\b(?:(?:that|this|it|your (?:\w+ ){{0,2}}{_THING}|the previous (?:\w+ )?{_THING}|that {_THING})"
    rf"(?:\s+(?:is|was|are|were|['’]s))?\s+(?:(?:still|completely|totally|just|also)\s+)?{_BAD}"
    r"|(?:still|again)\s+(?:wrong|incorrect|broken|failing|fails|crashes|throws|raises|not working|doesn['’]?t)"
    r"|you (?:got|have|had|did) (?:this|that|it) wrong|you(?: are|['’]re) wrong|not what i (?:asked|meant|wanted)"
    r"|try again|did(?: not|n['’]t) (?:solve|fix|help|work)|wrong again|previous \w+ (?:is|was) wrong)"
)
_ANGRY = Phrase(
    r"\b(?:useless|ridiculous|terrible|stupid|wtf|garbage|idiot|fed up|waste of time|seriously\?"
    r"|for the (?:second|third|last) time)\b"
)
_OTHER = (
    "不对",
    "错了",
    "还是不",
    "没有解决",
    "falsch",
    "immer noch nicht",
    "c'est faux",
    "toujours pas",
    "está mal",
    "incorrecto",
    "sigue sin",
    "違います",
)


def follow_up(features: Features) -> str | None:
    """ "angry", "wrong" or "repeated" when the newest message says that an earlier answer failed; None otherwise.

    "repeated": it asks (almost) the same as an earlier message of the same conversation.
    """
    lowered = features.text[:2000].lower()
    if _WRONG.search(lowered) or (not lowered.isascii() and any(word in lowered for word in _OTHER)):
        return "angry" if _ANGRY.search(lowered) or lowered.count("!") >= 3 else "wrong"
    if features.earlier:
        if _ANGRY.search(lowered):
            return "angry"
        if any(_alike(lowered, features.words, before) for before in features.earlier[-4:]):
            return "repeated"
    return None


def _alike(lowered: str, words: tuple[str, ...], before: str) -> bool:
    before = before[:2000].lower()
    if lowered.strip() == before.strip():
        return True
    now, then = set(words), set(words_of(before))
    return len(now) >= 4 and len(now & then) / max(len(now | then), 1) >= 0.8
