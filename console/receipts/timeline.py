"""One request from its first moment to its last receipt, as a story a person can follow."""

from __future__ import annotations

from typing import Any

import streamlit as st

from console.receipts.table import KINDS, as_table
from console.session import get_services, linked
from console.tables import show_table
from console.widgets import money, receipt_link, redactions_in_words, tokens
from console.words import plain
from lancelot.store.receipts import Receipt

__all__ = ["timeline"]

MARKS = {
    "ok": ":material/check_circle:",
    "error": ":material/error:",
    "cancelled": ":material/cancel:",
    "parked": ":material/front_hand:",
    "blocked": ":material/block:",
}
STATUS_WORDS = {
    "ok": "answered",
    "error": "failed",
    "cancelled": "cancelled by the caller",
    "parked": "waits for a person",
    "blocked": "refused",
}


def timeline(receipt: Receipt) -> None:
    """The chain of a receipt, oldest first, each step with its reasons; the given receipt is marked."""
    chain = get_services().receipts.chain(receipt.request_id) or [receipt]
    _asked(chain[0])
    for place, one in enumerate(chain):
        with st.container(border=True):
            _step(one, chain[place - 1] if place else None, one.id == receipt.id and len(chain) > 1)
    attempts = [one for one in chain if one.kind in ("attempt", "utility")]
    if len(attempts) > 1:
        costs = [one.cost_usd for one in attempts]
        known = [cost for cost in costs if cost is not None]
        unknown = f", {len(costs) - len(known)} of unknown cost" if len(known) < len(costs) else ""
        st.markdown(f"**All {len(attempts)} attempts together:** {money(sum(known)) if known else 'unknown'}{unknown}.")
        with st.expander("The attempts as a table"):
            show_table(as_table(attempts), KINDS, key="chain_table", missing="unknown")


def _asked(first: Receipt) -> None:
    """What came in, as far as it is kept: by whom, what kind, how risky, how hard; never its text."""
    kept = first.assessment
    who = f"key {first.key_id}" if first.key_id else "the operator"
    facts = [f"{first.at:%Y-%m-%d %H:%M:%S} UTC", f"asked by {plain(who)}"]
    if first.task:
        sure = kept.get("task_confidence")
        facts.append(f"kind {plain(first.task)}" + (f" ({sure:.0%} sure)" if isinstance(sure, float) and sure else ""))
    facts.append(f"risk {first.risk}")
    if first.complexity is not None:
        facts.append(f"complexity {first.complexity:.2f} of 1")
    facts.append(
        "need for the deep lane " + ("unknown" if first.deep_score is None else f"{first.deep_score:.2f} of 1")
    )
    st.caption(" · ".join(facts))
    if first.kind in ("attempt", "request", "utility"):
        st.markdown(f":material/visibility_off: {redactions_in_words(first.redactions)}")


def _step(one: Receipt, before: Receipt | None, chosen: bool) -> None:
    mark = MARKS.get(one.status, "")
    later = "" if before is None else f" · {_gap((one.at - before.at).total_seconds())} later"
    here = " :material/my_location:" if chosen else ""
    st.markdown(f"{mark} **{_title(one)}**{here}")
    st.caption(f"{one.at:%H:%M:%S} UTC{later} · {_figures(one)}")
    reasons = one.reasons if before is None else [r for r in one.reasons if r not in before.reasons]
    if reasons:
        st.markdown("\n".join(f"- {plain(reason)}" for reason in reasons))
    if one.error_code:
        st.markdown(f"- ended with `{one.error_code}`")
    if one.sent_sha256:
        size = f"{one.sent_bytes:,} bytes" if one.sent_bytes is not None else "Its bytes"
        st.caption(f"{size} left the process ({one.egress}); SHA-256 {one.sent_sha256[:16]}…")
    elif one.kind == "attempt" and one.lane == "local":
        st.caption("Nothing left this machine.")
    _links(one)


def _title(one: Receipt) -> str:
    if one.kind in ("attempt", "utility"):
        lane = one.lane or "no"
        return f"Attempt {one.attempt}: the {lane} lane {STATUS_WORDS[one.status]} ({plain(one.model or 'no model')})"
    if one.kind == "approval":
        decision, by = one.data.get("decision"), one.data.get("by") or "nobody"
        said = {"once": "Allowed once", "always": "Allowed always", "deny": "Denied", "rule": "Allowed"}
        return f"{said.get(str(decision), 'Changed')} by {plain(by)}"
    if one.kind == "request":
        return f"Before any call: {STATUS_WORDS[one.status]}"
    return plain(one.data.get("event") or one.kind)


def _figures(one: Receipt) -> str:
    if one.kind not in ("attempt", "utility"):
        return one.kind
    parts = [f"{tokens(one.tokens_in)} tokens in, {tokens(one.tokens_out)} out", f"cost {money(one.cost_usd)}"]
    took: dict[str, Any] = {
        "redacting": one.latency.redaction_ms,
        "deciding": one.latency.decision_ms,
        "first token": one.latency.first_token_ms,
        "in all": one.latency.total_ms,
    }
    parts += [f"{name} {value:,.1f} ms" for name, value in took.items() if value is not None]
    return " · ".join(parts)


def _gap(seconds: float) -> str:
    return f"{seconds * 1000:,.0f} ms" if seconds < 1 else f"{seconds:,.1f} s"


def _links(one: Receipt) -> None:
    approval = one.data.get("approval_id")
    if approval:
        st.page_link(
            "war_room/approvals.py",
            label="The approval",
            icon=":material/approval_delegation:",
            query_params=linked(id=str(approval)),
        )
    receipt_link(one.id)
