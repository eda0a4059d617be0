"""Ask: send a message and see what was redacted, which brain answered, why, what it cost, and the receipt."""

from __future__ import annotations

import uuid
from typing import NamedTuple

import streamlit as st

from console.session import get_services, recall, remember
from console.widgets import (
    LANE_WORDS,
    empty_state,
    money,
    page_guard,
    receipt_link,
    redactions_in_words,
    show_error,
    tokens,
)
from console.words import plain, without_pictures
from lancelot.chat import ChatRequest, Message
from lancelot.errors import ApprovalNeeded, LancelotError
from lancelot.routing.context import RequestContext
from lancelot.routing.router import RoutedResponse
from lancelot.services import Services

BRAINS = {
    "lancelot": "Cheapest that can do it",
    "lancelot-local": "Local model only",
    "lancelot-fast": "Flagship, fast",
    "lancelot-deep": "Flagship, deep",
}


class Waiting(NamedTuple):
    """A message that waits for a person; the text stays in this browser session's memory."""

    text: str
    model: str
    key: str
    approval_id: str


def ask_form() -> None:
    with st.form("ask", border=False):
        text = st.text_area("Message", key="ask_text", height=120, placeholder="What would you like to know?")
        left, right = st.columns([3, 1], vertical_alignment="bottom")
        model = left.selectbox("Brain", list(BRAINS), format_func=BRAINS.__getitem__)
        sent = right.form_submit_button("Send", type="primary", width="stretch", icon=":material/send:")
    if not sent:
        return
    if not text.strip():
        st.warning("Write a message first.")
        return
    send(text, model, str(uuid.uuid4()))


def send(text: str, model: str, key: str) -> None:
    """Ask, and remember the answer, or that it waits for a person; a failure is told and forgotten."""
    services = get_services()
    request = ChatRequest(model=model, messages=[Message(role="user", content=text)])
    remember("ask_answer", None)
    remember("ask_waits", None)
    with st.spinner("Redacting, deciding, answering…"):
        try:
            remember("ask_answer", services.call(routed(services, request, key)))
        except ApprovalNeeded as parked:
            if parked.code == "approval_needed" and "approval_id" in parked.extra:
                remember("ask_waits", Waiting(text, model, key, str(parked.extra["approval_id"])))
            else:
                show_error(parked)
        except LancelotError as error:
            show_error(error)


async def routed(services: Services, request: ChatRequest, key: str) -> RoutedResponse:
    return await (await services.router_soon()).handle(request, context=RequestContext(idempotency_key=key))


def waits(found: Waiting) -> None:
    """A rule has stopped the message: where it is decided, and the way on afterwards."""
    with st.container(border=True):
        st.markdown("#### :material/front_hand: A person has to allow this first")
        st.markdown("Nothing has been sent. Once it is allowed, go on here.")
        with st.container(horizontal=True):
            st.page_link(
                "war_room/approvals.py",
                label="Decide it",
                icon=":material/approval_delegation:",
                query_params={"id": found.approval_id},
            )
            if st.button("Go on", icon=":material/play_arrow:", key="ask_go_on"):
                send(found.text, found.model, found.key)
                st.rerun()


def answer(found: RoutedResponse) -> None:
    with st.container(border=True):
        st.markdown(without_pictures(str(found.answer.message.get("content") or "")) or "_The answer is empty._")
    if found.warning:
        st.warning(found.warning)
    st.markdown(f":material/visibility_off: {redactions_in_words(found.redactions)}")
    lane, spent, cost, took = st.columns(4)
    lane.metric("Lane", LANE_WORDS.get(str(found.lane), str(found.lane)), help=f"{found.provider}: {found.model}")
    spent.metric("Tokens in + out", f"{tokens(found.usage.input)} + {tokens(found.usage.output)}")
    cost.metric("Cost", money(found.cost_usd))
    took.metric("Time", f"{(found.latency.total_ms or 0) / 1000:.2f} s")
    with st.expander("Why this brain", expanded=True):
        st.markdown("\n".join(f"- {plain(reason)}" for reason in found.reasons))
    receipt_link(found.receipt_id)


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
        if parked := recall("ask_waits", tuple):  # a page's own classes are new ones in every run
            waits(Waiting(*parked))
        if found := recall("ask_answer", RoutedResponse):
            answer(found)
