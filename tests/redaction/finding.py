"""What the tests of the detectors share."""

from __future__ import annotations

from collections.abc import Callable

from lancelot.redaction import detectors, secrets
from lancelot.redaction.labels import Span, resolve

__all__ = ["found", "labelled"]


def found(text: str, find: Callable[[str], list[Span]] = detectors.find) -> list[tuple[str, str]]:
    """(label, original) of every settled span, in order of place."""
    return [(span.label, text[span.start : span.end]) for span in resolve(text, find(text))]


def labelled(text: str, label: str) -> list[str]:
    """The originals of one label that all rules together find."""
    spans = resolve(text, detectors.find(text) + secrets.find(text))
    return [text[span.start : span.end] for span in spans if span.label == label]
