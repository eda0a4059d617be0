"""What a small model writes is checked against what it was given, and replaced by something safe where it strays."""

from __future__ import annotations

import re
from collections.abc import Sequence

from local_models.layout import Turn

__all__ = ["extractive_summary", "guard_rewrite", "guard_summary", "stray_facts", "stray_words"]

WORD = re.compile(r"[\w'’]+")
NUMBER = re.compile(r"\w*\d(?:[\w,.:/-]*\w)?")
MOST_WORDS = 50  # of a summary
MIDDLING, RETOLD_SHARE = 40, 0.7  # a text of so many words told in more than this share of them is not summarised
SHORT_TEXT = 80  # characters: its summary may be the text itself
KNOWN_SHARE = 0.75  # of a summary's words that its text must have
SENTENCE = re.compile(r"(?<=[.!?])\s+|\n+")
# words a rewrite may add: they carry no facts
FREE_WORDS = frozenset(
    re.findall(
        r"\w+",
        """a an the of in on at to for from by with about as is are was were be been do does did can could will would
        should what which who whom whose when where why how much many and or not no than that this these those it its
        he she they his her their there has have had if i you we my your our s explain describe tell me between""",
    )
)


def _stems(text: str) -> set[str]:
    found: set[str] = set()
    for word in WORD.findall(text.lower()):
        word = word.removesuffix("'s").removesuffix("’s")
        found.add(word)
        for ending in ("ies", "es", "s", "ing", "ed", "d"):
            if word.endswith(ending) and len(word) - len(ending) >= 3:
                found.add(word.removesuffix(ending))
    return found


def stray_words(candidate: str, sources: Sequence[str]) -> list[str]:
    """Words of candidate that carry meaning and occur in no source (plural and -ing forms count as the same)."""
    known = set[str]().union(*(_stems(source) for source in sources))
    words = [word.removesuffix("'s").removesuffix("’s") for word in WORD.findall(candidate.lower())]
    return [word for word in words if word not in FREE_WORDS and not (_stems(word) & known)]


def guard_rewrite(candidate: str, query: str, conversation: Sequence[Turn]) -> tuple[str, bool]:
    """The rewrite, or the query itself when it says something nobody said or stutters. (query, fell back)"""
    candidate = candidate.strip().splitlines()[0].strip() if candidate.strip() else ""
    words = WORD.findall(candidate.lower())
    stutters = any(words[at] == words[at + 1] == words[at + 2] for at in range(len(words) - 2))
    if not words or stutters or stray_words(candidate, [query, *(turn.content for turn in conversation)]):
        return query.strip(), True
    return candidate, False


def stray_facts(summary: str, text: str) -> list[str]:
    """Numbers and names (capitalised words inside a sentence) of summary that do not occur in text."""
    facts = NUMBER.findall(summary)
    for sentence in SENTENCE.split(summary):
        inner = (re.sub(r"^\W+|\W+$|['’]s$", "", word) for word in sentence.split()[1:])
        facts += [word for word in inner if word[:1].isupper()]
    return [fact for fact in facts if not _says(text, fact)]


def _says(text: str, fact: str) -> bool:
    """Whether text has fact as a word of its own: 5 is not in 15."""
    return re.search(rf"(?<![^\W_]){re.escape(fact)}(?![^\W_])", text, re.IGNORECASE) is not None


def _too_long(summary: str, text: str) -> bool:
    words, whole = len(summary.split()), len(text.split())
    sentences = [sentence.strip().lower() for sentence in SENTENCE.split(summary) if sentence.strip()]
    retold = whole >= MIDDLING and words > RETOLD_SHARE * whole
    no_shorter = len(summary) >= len(text) > SHORT_TEXT
    return words > MOST_WORDS or retold or no_shorter or len(set(sentences)) < len(sentences)


def _known_share(summary: str, text: str) -> float:
    """The share of the summary's words that the text has too."""
    words = WORD.findall(summary.lower())
    known = set(WORD.findall(text.lower()))
    return sum(word in known for word in words) / len(words) if words else 0.0


def guard_summary(summary: str, text: str, *, most: int = 400) -> tuple[str, bool]:
    """The summary, or sentences of the text when it states a number or name the text does not, speaks mostly in words
    the text does not have, repeats itself, or is no shorter than a text can be told. (summary, redone)"""
    summary = " ".join(summary.split())
    strays = stray_facts(summary, text) or _known_share(summary, text) < KNOWN_SHARE
    if not summary or strays or _too_long(summary, text):
        return extractive_summary(text, most=most), True
    return summary, False


def extractive_summary(text: str, *, sentences: int = 2, most: int = 400) -> str:
    """The sentences of text that share most words with the rest of it, in their order, at most `most` characters."""
    parts = [part.strip() for part in SENTENCE.split(text) if len(part.split()) >= 3] or [text.strip()]
    counts: dict[str, int] = {}
    for part in parts:
        for word in _content(part):
            counts[word] = counts.get(word, 0) + 1
    scored = []
    for place, part in enumerate(parts):
        words = _content(part)
        weight = sum(counts[word] for word in words) / (len(words) + 4) if words else 0.0
        scored.append((weight + (0.5 if place == 0 else 0.0), place))
    chosen: list[int] = []
    size = 0
    for _, place in sorted(scored, key=lambda pair: (-pair[0], pair[1])):
        if len(chosen) < sentences and (not chosen or size + len(parts[place]) <= most):
            chosen.append(place)
            size += len(parts[place]) + 1
    summary = " ".join(parts[place] for place in sorted(chosen))
    return summary if len(summary) <= most else summary[:most].rsplit(" ", 1)[0] + " ..."


def _content(text: str) -> set[str]:
    return {word for word in WORD.findall(text.lower()) if word not in FREE_WORDS and len(word) > 2}
