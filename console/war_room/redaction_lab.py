"""Redaction lab: paste a text, see what would be hidden and by which rule, and exactly what would leave."""

from __future__ import annotations

import html

import pandas as pd
import streamlit as st

from console.session import get_services, recall, remember
from console.widgets import LABEL_COLOURS, LABEL_WORDS, empty_state, page_guard, redactions_in_words
from lancelot.errors import LancelotError
from lancelot.redaction.labels import LABELS, Span
from lancelot.redaction.misses import Misses
from lancelot.redaction.redactor import Redacted

MODES = {"fast": "Fast: rules and the name tagger", "thorough": "Thorough: the local model reads it too"}
SAMPLE = (
    "Hello Dr. Maria Lopez,\n\nplease send the contract to m.lopez@example.org or call +1 415 555 0132. The refund "
    "goes to DE89 3702 0501 0000 5432 10. Our build server is at 10.20.30.40 and its key is ghp_" + "a1B2" * 9 + ".\n"
)


def coloured(text: str, spans: list[Span]) -> str:
    """The text as HTML with every span marked in its type's colour; the title of a mark names the rule."""
    pieces, at = [], 0
    for span in sorted(spans):
        tint = LABEL_COLOURS.get(span.label, "#888888")
        pieces.append(html.escape(text[at : span.start]))
        pieces.append(
            f'<mark style="background:{tint}33;color:inherit;border-bottom:2px solid {tint};padding:0 2px" '
            f'title="{html.escape(span.label)} · {html.escape(span.rule)}">{html.escape(text[span.start : span.end])}'
            f'<sub style="font-size:.65em;opacity:.8"> {html.escape(span.label)}</sub></mark>'
        )
        at = span.end
    pieces.append(html.escape(text[at:]))
    body = "".join(pieces).replace("\n", "<br>")
    return f'<div style="line-height:1.9;overflow-wrap:anywhere">{body}</div>'


def counts_of(spans: list[Span]) -> dict[str, int]:
    counts: dict[str, int] = {}
    for span in spans:
        counts[span.label] = counts.get(span.label, 0) + 1
    return counts


def ask() -> None:
    services = get_services()
    policies = sorted(services.config.current.router.redaction.policies)
    with st.form("lab", border=False):
        text = st.text_area("Text", key="lab_text", height=180, placeholder="Paste a text. It stays on this machine.")
        left, middle, right = st.columns([2, 3, 1], vertical_alignment="bottom")
        policy = left.selectbox("Policy", policies, index=policies.index("default") if "default" in policies else 0)
        mode = middle.selectbox("Mode", list(MODES), format_func=MODES.__getitem__)
        sent = right.form_submit_button("Show", type="primary", width="stretch")
    if not sent:
        return
    if not text.strip():
        remember("lab_result", None)
        st.warning("Paste a text first.")
        return
    if mode == "thorough" and services.missing():
        raise LancelotError(
            "The thorough mode needs the local model.",
            code="not_ready",
            hint="Finish the set-up, or use the fast mode.",
        )
    with st.spinner("Looking…"):
        remember("lab_result", (text, services.redactor.redact(text, policy=policy, mode=mode)))


def show(text: str, found: Redacted) -> None:
    st.markdown(f":material/visibility_off: {redactions_in_words(counts_of(found.spans))}")
    left, right = st.columns(2)
    with left, st.container(border=True):
        st.markdown("**What was found**")
        st.html(coloured(text, found.spans))
    with right, st.container(border=True):
        st.markdown("**Exactly what would leave**")
        st.code(found.text, language=None, wrap_lines=True)
    if found.spans:
        st.dataframe(
            pd.DataFrame(
                {
                    "Type": [span.label for span in found.spans],
                    "Text": [text[span.start : span.end] for span in found.spans],
                    "Found by": [span.rule for span in found.spans],
                    "From": [span.start for span in found.spans],
                    "To": [span.end for span in found.spans],
                }
            ),
            hide_index=True,
            width="stretch",
        )


def report(text: str) -> None:
    misses = Misses(get_services().data_dir)
    with st.expander("Something was missed"), st.form("miss", border=False, clear_on_submit=True):
        st.caption(
            "A report keeps this text in a private file on this machine (only you can read it; no backup, export or "
            "receipt includes it), so that the rules can be improved."
        )
        missed = st.text_input("The part that was missed, as it stands in the text")
        label = st.selectbox("What it is", LABELS, format_func=lambda name: LABEL_WORDS[name][0])
        agreed = st.checkbox("Yes, keep this text in the private file")
        if st.form_submit_button("Report"):
            misses.report(text, missed, label, agreed=agreed)
            st.success("Kept. Thank you.")
    kept = misses.count()
    if kept and st.button(f"Delete the {kept} kept report{'s' if kept > 1 else ''}"):
        misses.forget()
        st.rerun()


with page_guard():
    st.title("Redaction lab")
    st.caption("Try what is replaced before anything leaves this machine. Nothing you paste here is stored or sent.")
    ask()
    result = recall("lab_result", tuple)
    if result is None:
        empty_state("Nothing pasted yet", "Paste a text above, or try this one:", ":material/science:")
        st.code(SAMPLE, language=None, wrap_lines=True)
    else:
        show(*result)
        report(result[0])
