"""Runs the detectors over one text, keeps where the findings lie (never what they are), and fails closed.

The same system prompt, history and tools come with every turn of a conversation. So the places found in a text are
remembered under a keyed digest of it: neither text nor original can be read back from that.
"""

from __future__ import annotations

import hashlib
import logging
import os
import threading
import traceback
from collections import OrderedDict
from collections.abc import Callable
from typing import Literal

from lancelot.errors import BadInput, LancelotError, RedactionFailed
from lancelot.redaction import detectors, secrets
from lancelot.redaction.labels import Span, resolve
from lancelot.redaction.names import Tagger
from lancelot.redaction.rules.scan import Scan

log = logging.getLogger(__name__)

__all__ = ["MODES", "Finder", "Mode"]

Mode = Literal["rules", "fast", "thorough"]
MODES: tuple[Mode, ...] = ("rules", "fast", "thorough")
_REMEMBERED = 4096


def _by_rules(text: str) -> list[Span]:
    """Both families of rules, over one reading of the text."""
    scan = Scan(text)
    return [*detectors.find(text, scan), *secrets.find(text, scan)]


class Finder:
    """All detectors behind one call. Thread-safe.

    Args:
        tagger: finds names and what else no pattern can tell; the shipped one when None, loaded at first use.
        span_finder: the local model's spans for the thorough mode.
        rules: the deterministic detectors.
    """

    def __init__(
        self,
        tagger: Tagger | None = None,
        span_finder: Callable[[str], list[Span]] | None = None,
        *,
        rules: tuple[Callable[[str], list[Span]], ...] = (_by_rules,),
    ) -> None:
        self._rules = rules
        self._tagger = tagger or Tagger()
        self._span_finder = span_finder
        self._key = os.urandom(32)
        self._lock = threading.Lock()
        self._places: OrderedDict[bytes, tuple[Span, ...]] = OrderedDict()

    def find(self, text: str, mode: str) -> tuple[Span, ...]:
        """Spans in order of place, none overlapping another.

        Raises:
            BadInput: an unknown mode.
            RedactionFailed: a detector failed, or the thorough mode has no local model; nothing may leave.
        """
        if mode not in MODES:
            raise BadInput(f"There is no redaction mode `{mode}`.", hint=f"Choose one of {', '.join(MODES)}.")
        if not text:
            return ()
        digest = hashlib.blake2b(
            text.encode("utf-8", "surrogatepass"), key=self._key, person=mode.encode(), digest_size=16
        ).digest()
        with self._lock:
            known = self._places.get(digest)
            if known is not None:
                self._places.move_to_end(digest)
                return known
        spans = tuple(self._run(text, mode))
        with self._lock:
            self._places[digest] = spans
            if len(self._places) > _REMEMBERED:
                self._places.popitem(last=False)
        return spans

    def _run(self, text: str, mode: str) -> list[Span]:
        try:
            found = [span for rule in self._rules for span in rule(text)]
            if mode != "rules":
                found += self._tagger.find(text)
            if mode == "thorough":
                if self._span_finder is None:
                    raise RedactionFailed(
                        "The thorough mode needs the local model, and there is none.",
                        hint="Install it with `lancelot model install`, or use the fast mode; nothing has left.",
                    )
                found += self._span_finder(text)
            return resolve(text, found) if found else []
        except LancelotError as problem:
            raise problem if isinstance(problem, RedactionFailed) else RedactionFailed(hint=problem.hint) from None
        except Exception as problem:  # noqa: BLE001 - the boundary: whatever a detector does, nothing leaves
            # The cause stays unchained: its message may quote the text. Where it happened does not.
            frames = traceback.extract_tb(problem.__traceback__)
            log.error("a detector failed: %s at %s:%s", type(problem).__name__, frames[-1].name, frames[-1].lineno)
            raise RedactionFailed(
                f"A detector failed ({type(problem).__name__}), so nothing has left this machine."
            ) from None
