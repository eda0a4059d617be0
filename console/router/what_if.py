"""What if: other thresholds or rules over past requests, from their stored assessments and without any call."""

from __future__ import annotations

from typing import Any

import pandas as pd
import streamlit as st

from console.session import get_services
from console.tables import show_table
from console.widgets import LANE_WORDS, empty_state, money, receipt_link, show_error
from console.words import plain
from lancelot.config import RouterConfig
from lancelot.errors import LancelotError
from lancelot.routing.tryout import TriedOut, try_out

__all__ = ["what_if_view"]

SIZES = [1_000, 10_000, 50_000]
EXAMPLES = 10


def what_if_view() -> None:
    """The form, and what would have become of the past."""
    st.caption(
        "Change thresholds or rules and see how many past requests would have gone another way, and what that would "
        "have cost or saved. Nothing is called and nothing is put in force."
    )
    by_rules = st.toggle("Edit all of router.yaml instead of the thresholds", key="whatif_yaml")
    with st.form("whatif", border=True):
        router = get_services().config.current.router
        edited = _yaml_field() if by_rules else _threshold_fields(router)
        most = st.segmented_control(
            "Past requests to look at, newest first", SIZES, default=SIZES[1], required=True,
            format_func=lambda size: f"{size:,}", key="whatif_most",
        )  # fmt: skip
        asked = st.form_submit_button("See what would have changed", type="primary", icon=":material/compare_arrows:")
    if asked:
        st.session_state.pop("whatif_told", None)
        try:
            with st.spinner("Taking past decisions again…"):
                st.session_state["whatif_told"] = _tried(edited, most or SIZES[1])
        except LancelotError as error:
            show_error(error)
    if isinstance(told := st.session_state.get("whatif_told"), TriedOut):
        _show(told)


def _threshold_fields(router: RouterConfig) -> dict[str, Any]:
    """The thresholds that a stored assessment can be tried against."""
    limits = router.thresholds
    left, middle, right = st.columns(3)
    return {
        "deep_score": left.slider(
            "Deep from this need on", 0.0, 1.0, limits.deep_score, 0.01,
            help=f"In force: {limits.deep_score:g}. Lower sends more to the deep lane.", key="whatif_deep",
        ),
        "local": middle.slider(
            "Local below this need", 0.0, 1.0, limits.local, 0.01,
            help=f"In force: {limits.local:g}. Higher leaves more to the local model, where it may answer at all.",
            key="whatif_local",
        ),
        "cascade": right.slider(
            "Deep after a failed answer from", 0.0, 1.0, limits.cascade, 0.01,
            help=f"In force: {limits.cascade:g}. Counts where failure signals came with the request.",
            key="whatif_cascade",
        ),
        "unknown_lane": left.selectbox(
            "What nothing is known of goes", ["fast", "deep"], ["fast", "deep"].index(limits.unknown_lane),
            key="whatif_unknown",
        ),
    }  # fmt: skip


def _yaml_field() -> str:
    return st.text_area(
        "router.yaml, as it would be",
        get_services().config.text("router.yaml"),
        height=420,
        key="whatif_text",
        help="Checked as strictly as the file itself; it is not saved. Settings is where a change is put in force.",
    )


def _tried(edited: dict[str, Any] | str, most: int) -> TriedOut:
    services = get_services()
    given: dict[str, Any] = {"text": edited} if isinstance(edited, str) else {"thresholds": edited}
    lanes = services.status()["lanes"]
    return try_out(services.receipts, services.config.current, lanes, most=most, **given)


def _show(told: TriedOut) -> None:
    found = told.result
    if not found.looked_at:
        empty_state("Nothing to try it on yet", "Past requests are needed; each leaves its assessment in a receipt.")
        return
    if not told.changes:
        st.info("Nothing differs from what is in force. Move a threshold, or edit a rule.", icon=":material/tune:")
        return
    st.markdown(f"**Changed:** {plain('; '.join(told.changes))}")
    moved = sum(found.moved.values())
    requests, share, cost = st.columns(3)
    since = f"since {told.since:%Y-%m-%d %H:%M} UTC" if told.since else ""
    requests.metric("Would have moved", f"{moved:,}", help=f"Of {found.looked_at:,} requests {since}")
    share.metric("Share", f"{moved / found.looked_at:.1%}")
    change = found.cost_change
    word = "Would have cost more" if change > 0 else "Would have saved"
    cost.metric(word, money(abs(change)), help=f"{money(found.cost_usd)} became {money(found.cost_then_usd)}")
    if found.estimated:
        st.caption(
            f"{found.estimated:,} of them are estimates: their lane's model has no price, so what a token has cost "
            "in that lane stands in."
        )
    if found.unpriced:
        st.caption(f"{found.unpriced:,} of them are not in the sum: nobody knows what they cost or would cost.")
    for name in found.untried:
        st.warning(
            f"{plain(name)}: cannot be tried on the past, because receipts keep no text.", icon=":material/info:"
        )
    if not moved:
        st.success("Every one of them would have gone the same way.", icon=":material/check_circle:")
        return
    table = pd.DataFrame(
        {
            "From": [_lane(before) for (before, _), _count in found.moved.most_common()],
            "To": [_lane(after) for (_, after), _count in found.moved.most_common()],
            "Requests": [count for _, count in found.moved.most_common()],
        }
    )
    show_table(table, {"Requests": "count"}, key="whatif_moved")
    with st.expander(f"Examples ({min(EXAMPLES, len(found.examples))})"):
        for receipt_id, before, after in found.examples[:EXAMPLES]:
            receipt_link(receipt_id, f"{_lane(before)} to {_lane(after)}: receipt {receipt_id[:8]}…")


def _lane(name: str) -> str:
    return LANE_WORDS.get(name, {"parked": "Waits for a person", "refused": "Refused"}.get(name, name))
