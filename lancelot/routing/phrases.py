"""A pattern that is tried only where it can match: the text must hold one of the strings no match can do without.

Python's engine tries a pattern with alternatives at every letter, about 20 µs a kilobyte each, and the rules have a
hundred of them. Looking for a few fixed strings first takes a microsecond and changes no result.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from importlib import import_module
from typing import Any, NamedTuple

__all__ = ["Phrase", "alternatives", "literals"]

JOINED = 16  # strings a run of parts may become; a longer one is cut in two
MOST = 64  # literals of one pattern; beyond that they are not worth the look
_SIGN = re.compile(r"\\.|\[\^?\]?(?:\\.|[^\]\\])*\]|[(|)]", re.S)  # an escape, a set, or what groups and divides
_WHOLE = re.compile(r"\(\?[a-zA-Z]+\)|\\[1-9]|\(\?P=|\(\?\(")  # flags of a whole pattern, references
LONG = 4  # characters from which a longer literal is no rarer


class Phrase:
    """A compiled pattern; `search` tells what the pattern's own would, but is quick where nothing can be found.

    Each of its alternatives is tried alone, and only where one of its own strings is; one that is tied to the
    beginning is tried there.
    """

    __slots__ = ("_ways", "pattern")

    def __init__(self, pattern: str) -> None:
        self.pattern = re.compile(pattern)
        self._ways = tuple(map(_way, alternatives(pattern)))

    def search(self, text: str) -> re.Match[str] | None:
        """A match in a text, or None where there is none."""
        for needs, find in self._ways:
            for need in needs:
                if need in text:
                    found = find(text)
                    if found is not None:
                        return found
                    break
        return None


def _way(pattern: str) -> tuple[tuple[str, ...], Callable[[str], re.Match[str] | None]]:
    """The strings without which a pattern cannot match ("" where none are known), and how it is looked for."""
    compiled = re.compile(pattern)
    tied = pattern.startswith("^") and not compiled.flags & re.MULTILINE
    return literals(pattern) or ("",), compiled.match if tied else compiled.search


def alternatives(pattern: str) -> list[str]:
    """The outermost alternatives of a pattern; one with flags of its own, or references, stays whole."""
    if _WHOLE.search(pattern):
        return [pattern]
    found, depth, start = [], 0, 0
    for part in _SIGN.finditer(pattern):
        sign = part.group()
        depth += (sign == "(") - (sign == ")")
        if sign == "|" and depth == 0:
            found.append(pattern[start : part.start()])
            start = part.end()
    return [*found, pattern[start:]]


def literals(pattern: str) -> tuple[str, ...]:
    """Strings of which every match of a pattern (without flags) holds one; empty where none are known."""
    try:
        parsed = import_module("re._parser").parse(pattern)
    except (ImportError, AttributeError):  # another Python: every pattern is simply tried
        return ()
    best = _best(_sequence(parsed)) if not parsed.state.flags & re.IGNORECASE else None
    return tuple(sorted(best, key=len)) if best else ()


class _Found(NamedTuple):
    """What is known of a part of a pattern: all it can match (None: too much), and sets of which each match has one."""

    exact: frozenset[str] | None
    needs: tuple[frozenset[str], ...] = ()


_EMPTY = frozenset({""})
_UNKNOWN = _Found(None)


def _sequence(parts: Iterable[Any]) -> _Found:
    run, needs, whole = _EMPTY, [], True
    for part in parts:
        found = _part(part)
        joined = None
        if found.exact is not None and len(run) * len(found.exact) <= JOINED:
            joined = frozenset(before + after for before in run for after in found.exact)
        if joined is not None:
            run = joined
            continue
        whole = False
        needs += [run, *found.needs]
        run = found.exact if found.exact is not None else _EMPTY
    return _Found(run) if whole else _Found(None, tuple(need for need in (*needs, run) if "" not in need))


def _part(part: Any) -> _Found:
    kind, value = part[0].name, part[1]
    if kind == "LITERAL":
        return _Found(frozenset({chr(value)}))
    if kind in ("AT", "ASSERT", "ASSERT_NOT"):  # take no characters
        return _Found(_EMPTY)
    if kind == "IN":
        plain = all(one[0].name == "LITERAL" for one in value)
        return _Found(frozenset(chr(one[1]) for one in value)) if plain else _UNKNOWN
    if kind == "SUBPATTERN":
        return _UNKNOWN if value[1] & re.IGNORECASE else _sequence(value[3])
    if kind == "BRANCH":
        return _either([_sequence(branch) for branch in value[1]])
    if kind in ("MAX_REPEAT", "MIN_REPEAT", "POSSESSIVE_REPEAT"):
        least, most, inner = value
        found = _sequence(inner)
        if (least, int(most)) == (0, 1) and found.exact is not None:
            return _Found(found.exact | _EMPTY)
        best = _best(found) if least else None
        return found if (least, int(most)) == (1, 1) else _Found(None, (best,) if best else ())
    return _UNKNOWN


def _either(branches: list[_Found]) -> _Found:
    exact: set[str] = set()
    needs: set[str] = set()
    known = needed = True
    for branch in branches:
        known = known and branch.exact is not None
        exact |= branch.exact or set()
        best = _best(branch)
        needed = needed and best is not None
        needs |= best or set()
    if known and len(exact) <= JOINED:
        return _Found(frozenset(exact))
    return _Found(None, (frozenset(needs),) if needed and len(needs) <= MOST else ())


def _best(found: _Found) -> frozenset[str] | None:
    """The set that is likeliest to be missing: of long strings, and few."""
    sets = [found.exact] if found.exact is not None else list(found.needs)
    kept = [_shortest(one) for one in sets if one and "" not in one]
    return max(kept, key=lambda one: (min(LONG, *map(len, one)), -len(one)), default=None)


def _shortest(strings: frozenset[str]) -> frozenset[str]:
    """Without those that hold another one."""
    return frozenset(one for one in strings if not any(other in one for other in strings if other != one))
