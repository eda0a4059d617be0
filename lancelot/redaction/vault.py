"""Originals and their placeholders, in memory only: never written, never logged, never pickled.

One vault serves one request, or one conversation for a limited time (`ConversationVaults`).
"""

from __future__ import annotations

import html
import json
import re
import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Iterator
from typing import Final, NamedTuple, NoReturn
from urllib.parse import quote

from lancelot.redaction.placeholders import grammar, name_form, read, text_form

__all__ = ["ConversationVaults", "Entry", "Vault"]


# A placeholder that a model put into an address or into HTML was escaped for it; so is its original.
_ESCAPES: Final[dict[str, Callable[[str], str]]] = {
    "%": lambda original: quote(original, safe=""),
    "&": lambda original: html.escape(original, quote=False),
}


class Entry(NamedTuple):
    """One original and its number. number is 0 where the action was `hash` and nothing can be restored.

    numeric: the original stood in JSON as a number, so it comes back without quotes.
    """

    original: str
    label: str
    number: int
    numeric: bool = False

    def __repr__(self) -> str:
        return f"Entry({self.label}_{self.number})"

    @property
    def text(self) -> str:
        """The placeholder in text, `<EMAIL_1>`."""
        return text_form(self.label, self.number)

    @property
    def name(self) -> str:
        """The placeholder where the alphabet is restricted, `redacted_EMAIL_1`."""
        return name_form(self.label, self.number)


class Vault:
    """Placeholder <-> original. Thread-safe. Shows no original in its repr and refuses to be pickled."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._by_original: dict[tuple[str, str, bool], Entry] = {}
        self._by_number: dict[tuple[str, int], Entry] = {}
        self._next: dict[str, int] = {}
        self._reserved: set[tuple[str, int]] = set()

    def __repr__(self) -> str:
        return f"<Vault of {len(self._by_number)}>"

    def __len__(self) -> int:
        return len(self._by_number)

    @property
    def size(self) -> int:
        """Originals and reserved numbers held."""
        return len(self._by_original) + len(self._reserved)

    def __iter__(self) -> Iterator[Entry]:
        with self._lock:
            return iter(list(self._by_original.values()))

    def __reduce__(self) -> NoReturn:
        raise TypeError("a vault holds originals and is never pickled or copied")

    def reserve(self, label: str, number: int) -> bool:
        """Keep a number free because a text already speaks of it; False when it is given away already."""
        with self._lock:
            if (label, number) in self._by_number:
                return False
            self._reserved.add((label, number))
            return True

    def add(self, original: str, label: str, *, numeric: bool = False) -> Entry:
        """The entry of an original, a new one with the label's next free number when it is not known yet."""
        key = (label, original, numeric)
        entry = self._by_original.get(key)
        if entry is not None and entry.number:
            return entry
        with self._lock:
            entry = self._by_original.get(key)
            if entry is not None and entry.number:
                return entry
            number = self._next.get(label, 1)
            while (label, number) in self._reserved:
                number += 1
            self._next[label] = number + 1
            entry = Entry(original, label, number, numeric)
            self._by_original[key] = self._by_number[label, number] = entry
            return entry

    def remember(self, original: str, label: str) -> None:
        """Keep an original that must not leave but cannot be restored either (action hash)."""
        with self._lock:
            self._by_original.setdefault((label, original, False), Entry(original, label, 0))

    def labels(self) -> frozenset[str]:
        """The labels that placeholders exist for."""
        with self._lock:
            return frozenset(label for label, _ in self._by_number)

    def get(self, label: str, number: int) -> Entry | None:
        """The entry behind a placeholder."""
        return self._by_number.get((label, number))

    def restore(self, text: str, *, in_json: bool = False) -> str:
        """The text with every known placeholder replaced by its original; others are left as they are.

        in_json: the text is JSON, so originals are written as JSON strings want them.
        """
        if not self._by_number or not text:
            return text
        return grammar(self.labels(), in_json=in_json).whole.sub(lambda m: self.replacement(m, in_json), text)

    def replacement(self, match: re.Match[str], in_json: bool) -> str:
        """What stands where a placeholder was found: its original, or the found text when there is none."""
        found = match.group()
        entry = self._by_number.get(read(match))
        if entry is None:
            return found
        quoted = in_json and found[0] == '"'
        if quoted and entry.numeric:
            return entry.original
        original = _ESCAPES[found[0]](entry.original) if found[0] in _ESCAPES else entry.original
        if not in_json:
            return original
        inner = json.dumps(original, ensure_ascii=False)[1:-1]
        return f'"{inner}"' if quoted else inner


class ConversationVaults:
    """The vaults of conversations, by (owner, conversation id), for a limited time and number. Thread-safe.

    Args:
        ttl_s: seconds after its last use that a conversation is forgotten.
        most: conversations kept; the one unused for longest goes first.
        entries: originals (and numbers kept free) one conversation may hold; beyond that it begins anew, as clients
            resend what still matters.
        clock: seconds, monotonic.
    """

    def __init__(
        self,
        ttl_s: float = 3600,
        most: int = 1000,
        entries: int = 20_000,
        *,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._ttl, self._most, self._entries, self._clock = ttl_s, most, entries, clock
        self._lock = threading.Lock()
        self._vaults: OrderedDict[tuple[str | None, str], tuple[float, Vault]] = OrderedDict()

    def __len__(self) -> int:
        with self._lock:
            self._forget_old(self._clock())
            return len(self._vaults)

    def get(self, owner: str | None, conversation: str) -> Vault:
        """The vault of a conversation, an empty one when it is new or its time is over."""
        now, key = self._clock(), (owner, conversation)
        with self._lock:
            self._forget_old(now)
            _, vault = self._vaults.pop(key, (now, None))
            if vault is None or vault.size >= self._entries:
                vault = Vault()
            self._vaults[key] = (now, vault)
            while len(self._vaults) > self._most:
                self._vaults.popitem(last=False)
            return vault

    def forget(self, owner: str | None, conversation: str) -> None:
        """Drop a conversation's originals now."""
        with self._lock:
            self._vaults.pop((owner, conversation), None)

    def _forget_old(self, now: float) -> None:
        while self._vaults:
            key, (used, _) = next(iter(self._vaults.items()))
            if now - used <= self._ttl:
                return
            del self._vaults[key]
