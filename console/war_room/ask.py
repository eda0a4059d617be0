"""Ask: send a message and see what was redacted, which brain answered, why, what it cost, and the receipt."""

from __future__ import annotations

import streamlit as st

from console.session import get_services, recall, remember
from console.widgets import empty_state, money, page_guard, redactions_in_words, show_error, tokens
from lancelot.chat import ChatRequest, Message
from lancelot.errors import LancelotError
from lancelot.routing.router import RoutedResponse
from lancelot.services import Services

LANES = {
    "lancelot": "Cheapest that can do it",
    "lancelot-local": "Local model only",
    "lancelot-fast": "Flagship, fast",
    "lancelot-deep": "Flagship, deep",
}
LANE_WORDS = {"local": "Local", "fast": "Fast", "deep": "Deep"}


def ask_form() -> None:
    with st.form("ask", border=False):
        text = st.text_area("Message", key="ask_text", height=120, placeholder="What would you like to know?")
        left, right = st.columns([3, 1], vertical_alignment="bottom")
        model = left.selectbox("Brain", list(LANES), format_func=LANES.__getitem__)
        sent = right.form_submit_button("Send", type="primary", width="stretch", icon=":material/send:")
    if not sent:
        return
    if not text.strip():
        st.warning("Write a message first.")
        return
    services = get_services()
    request = ChatRequest(model=model, messages=[Message(role="user", content=text)])
    with st.spinner("Redacting, deciding, answering…"):
        try:
            remember("ask_answer", services.call(routed(services, request)))
        except LancelotError as error:
            remember("ask_answer", None)
            show_error(error)


async def routed(services: Services, request: ChatRequest) -> RoutedResponse:
    return await (await services.router_soon()).handle(request)


def answer(found: RoutedResponse) -> None:
    with st.container(border=True):
        st.markdown(found.answer.message.get("content") or "_The answer is empty._")
    if found.warning:
        st.warning(found.warning)
    st.markdown(f":material/visibility_off: {redactions_in_words(found.redactions)}")
    lane, spent, cost, took = st.columns(4)
    lane.metric("Lane", LANE_WORDS.get(str(found.lane), str(found.lane)), help=f"{found.provider}: {found.model}")
    spent.metric("Tokens in + out", f"{tokens(found.usage.input)} + {tokens(found.usage.output)}")
    cost.metric("Cost", money(found.cost_usd))
    took.metric("Time", f"{(found.latency.total_ms or 0) / 1000:.2f} s")
    with st.expander("Why this brain", expanded=True):
        for reason in found.reasons:
            st.markdown(f"- {reason}")
    st.page_link(
        "war_room/receipts.py",
        label=f"Receipt {found.receipt_id}",
        icon=":material/receipt_long:",
        query_params={"id": found.receipt_id},
    )


def what_is_missing(missing: list[str]) -> str:
    """One calm sentence: the next thing, and how many more there are."""
    more = f", and {len(missing) - 1} more step{'s' if len(missing) > 2 else ''}" if len(missing) > 1 else ""
    return f"What comes next: {missing[0]}{more}."


with page_guard():
    st.title("Ask")
    st.caption(
        "Personal data and secrets are replaced before anything leaves this machine, and put back in the answer."
    )
    missing = get_services().missing()
    if missing:
        empty_state("Not ready yet", what_is_missing(missing), ":material/flag:")
        st.page_link("onboarding/page.py", label="Finish the set-up", icon=":material/flag:")
    else:
        ask_form()
        if found := recall("ask_answer", RoutedResponse):
            answer(found)
