"""Finds again, anywhere in a request, what was found once: whole tokens, other case, other encodings.

A detector may see a name in a sentence and miss it in a JSON value; once it is masked somewhere it must not leave
anywhere.
"""

from __future__ import annotations

import html
import json
import re
from collections.abc import Callable, Iterable
from typing import Final, NamedTuple
from urllib.parse import quote

from lancelot.redaction.labels import Span

__all__ = ["Repeats"]

_WORDS: Final = re.compile(r"[^\W_]+")
_NO_SPACES: Final = re.compile(r"[\u0e00-\u0eff\u2e80-\u9fff\uac00-\ud7ff\uf900-\ufaff]")
# Names that are also everyday words: found again only as they were written, or in capitals.
_EVERYDAY_WORDS: Final = """
    amber angel april art august autumn baker bill bishop blue bob booker brook brown buck bush carter case
    chance chase cherry chip christian clay cliff coffee cook cooper crystal dale dawn dean dick don drew duke
    earl eve faith fisher forest frank gene ginger glen gold grace grant gray green guy hall harmony harry
    heather hill holly hope hunter iris ivan ivy jack jade jasmine jay jean jewel joy june justice king lance
    lane lee lily long love major march mark marsh mason max may mercy merit miles mill miner money moon nick
    noble olive page park parker pat patience pearl penny pepper pierce pip pond porter price prince queen
    rain randy ray red reed rice rich river rob robin rock rod rose rowan ruby rush sage sally sandy scott
    shepherd short sky smart smith snow stone storm stuart sue summer sunny swift taylor terry thorn tiger
    tony turner van victor viola violet walker wall ward waters wells west white will windy winter wolf wood
    woods worth wright young
"""
_EVERYDAY: Final = frozenset(_EVERYDAY_WORDS.split())
# Words that name fields, in keys and tool names; hiding them would only hide the structure.
_STRUCTURE_WORDS: Final = """
    account address age amount answer body card city code command content count country currency customer data
    date day description email end error event field file filter format from function group header host id
    image index input item items key kind label language lat limit line link list location lon map max message
    min mode model month name note number object offset options order org output page password path person
    phone place port price product query reason record region result role score search secret size start state
    status street string subject tags target task text time title to token tool topic type unit units url user
    username value version week year zip
"""
_STRUCTURE: Final = frozenset(_STRUCTURE_WORDS.split())


# How an original may be spelled inside other text, by the sign that such a spelling cannot do without.
_SIGNS: Final[dict[str, Callable[[str], str]]] = {
    "%": lambda original: quote(original, safe=""),
    "&": html.escape,
    "\\u": lambda original: json.dumps(original)[1:-1],
    "\\": lambda original: json.dumps(original, ensure_ascii=False)[1:-1],
}
_FEW: Final = 32


class _Known(NamedTuple):
    spelling: str
    label: str
    exact: str  # "" where upper and lower case are the same


class Repeats:
    """Originals to look for. Holds them as long as the request is being redacted, no longer.

    texts: where they will be looked for; encodings of which no sign occurs there are left out.
    """

    def __init__(self, texts: Iterable[str]) -> None:
        encoded = {sign for text in texts for sign in _SIGNS if sign in text}
        self._encodings = [encoding for sign, encoding in _SIGNS.items() if sign in encoded]
        self._by_word: dict[str, list[_Known]] = {}
        self._loose: list[_Known] = []
        self._seen: set[tuple[str, str]] = set()

    def add(self, original: str, label: str) -> None:
        """Look for this original from now on, also JSON-, HTML- and URL-encoded."""
        if (original, label) in self._seen or not any(c.isalnum() for c in original):
            return
        self._seen.add((original, label))
        self._add(original, label)
        if self._encodings and not (original.isalnum() and original.isascii()):
            for spelling in {encoding(original) for encoding in self._encodings} - {original}:
                self._add(spelling, label)

    def _add(self, spelling: str, label: str) -> None:
        folded = _lower(spelling)
        words = _words(folded)
        known = _Known(folded, label, spelling if _only_as_written(spelling, label) else "")
        if not words or _NO_SPACES.search(spelling):
            if spelling.strip():
                self._loose.append(known)
        else:
            # The longest word is the rarest: few originals share it, few texts hold it.
            self._by_word.setdefault(max(reversed(words), key=len), []).append(known)

    def __bool__(self) -> bool:
        return bool(self._seen)

    def find(self, text: str, *, structural: bool = False) -> list[Span]:
        """Where known originals stand, rule "repeat"; not overlapping, the longest first.

        structural: the text is a key or a name, whose everyday field words are left alone.
        """
        folded = _lower(text)
        candidates = list(self._loose)
        if len(self._by_word) <= _FEW:
            words = [word for word in self._by_word if word in folded]
        else:
            words = list(self._by_word.keys() & set(_words(folded)))
        for word in words:
            candidates += self._by_word[word]
        if not candidates:
            return []
        found: list[Span] = []
        taken = bytearray(len(text))
        for known in sorted(candidates, key=lambda known: -len(known.spelling)):
            if structural and known.spelling in _STRUCTURE:
                continue
            at = folded.find(known.spelling)
            while at >= 0:
                end = at + len(known.spelling)
                if _whole(folded, at, end) and _spelled(text[at:end], known) and not any(taken[at:end]):
                    taken[at:end] = b"\1" * (end - at)
                    found.append(Span(at, end, known.label, "repeat"))
                at = folded.find(known.spelling, at + 1)
        return found


def _lower(text: str) -> str:
    """Lower case of the same length."""
    folded = text.lower()
    return folded if len(folded) == len(text) else "".join(low if len(low := c.lower()) == 1 else c for c in text)


def _words(folded: str) -> list[str]:
    return _WORDS.findall(folded if folded.isascii() else "".join(c if _in_word(c) else " " for c in folded))


def _only_as_written(spelling: str, label: str) -> bool:
    if not spelling.isalpha():
        return False
    return label not in ("PERSON", "USERNAME", "SECRET", "ID") or spelling.lower() in _EVERYDAY or len(spelling) < 3


def _spelled(found: str, known: _Known) -> bool:
    return not known.exact or found in (known.exact, known.exact.upper())


def _whole(text: str, start: int, end: int) -> bool:
    """Whether neither end cuts a run of letters and digits in two."""
    if _NO_SPACES.match(text, start):
        return True
    before = start > 0 and _in_word(text[start]) and _in_word(text[start - 1])
    after = end < len(text) and _in_word(text[end - 1]) and _in_word(text[end])
    return not before and not after


def _in_word(c: str) -> bool:
    """Letters and decimal digits; a footnote's ² ends a word."""
    return c.isalpha() or c.isdecimal()
