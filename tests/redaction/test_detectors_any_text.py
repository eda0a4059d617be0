"""Whatever the text: no detector fails, spans lie inside it, and the same text gives the same spans."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from lancelot.redaction import detectors, secrets
from lancelot.redaction.labels import LABELS, resolve
from lancelot.redaction.names import Tagger

PIECES = st.sampled_from(
    [
        "password=", "key: ", "a@b.io", "@", "://", "12 ", "Elm Street ", "May ", "5", "\n", '"',
        "-----BEGIN PRIVATE KEY-----",
        "account ", "İ", "ß", "\ud800", "１２", "x" * 40, "eyJ", "+1", "(", ")", "0x", "DE89 ", "::", "lat: 1.2345",
        "kind: Secret",
    ]
)  # fmt: skip
TEXTS = st.one_of(st.text(max_size=200), st.lists(PIECES, max_size=20).map("".join))
TAGGER = Tagger()


@given(TEXTS)
@settings(max_examples=150, deadline=None)
def test_any_text(text: str) -> None:
    spans = detectors.find(text) + secrets.find(text) + TAGGER.find(text)
    assert all(0 <= span.start < span.end <= len(text) and span.label in LABELS and span.rule for span in spans)
    settled = resolve(text, spans)
    again = resolve(text, detectors.find(text) + secrets.find(text) + TAGGER.find(text))
    assert settled == again
