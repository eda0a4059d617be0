"""One thing that waits: who asks for what, with which arguments, why it was stopped; and the decision."""

from __future__ import annotations

from datetime import timedelta
from typing import Any, Literal

import orjson
import streamlit as st

from console.approvals.scope_form import look_back, scope_fields
from console.approvals.words import RISK_COLOURS, STATE_WORDS, times_words
from console.session import get_services
from console.widgets import receipt_link, show_error
from console.words import plain
from lancelot.approvals import Approval, State
from lancelot.approvals.rules import default_scope
from lancelot.errors import BadInput, LancelotError

__all__ = ["after", "card", "changed_calls", "told"]

RULE_DAYS, RULE_USES = 7, 100
GRANTING = "approval_grant"


def card(approval: Approval) -> None:
    """What waits, with its buttons."""
    told(approval)
    texts = [_arguments(approval, place) for place in range(len(approval.ask.tools))]
    note = st.text_input(
        "Note",
        key=f"note_{approval.id}",
        max_chars=2000,
        placeholder="Why; whoever asked and the receipt get to see it",
    )
    scope = default_scope(approval.ask)
    with st.container(horizontal=True):
        if st.button("Allow once", key=f"once_{approval.id}", type="primary", icon=":material/check:"):
            _decide(approval, "once", note, texts)
        if st.button(
            "Allow always…",
            key=f"always_{approval.id}",
            icon=":material/done_all:",
            disabled=scope.is_empty(),
            help="Nothing in it, neither a tool nor a rule, tells its like." if scope.is_empty() else None,
        ):
            st.session_state[GRANTING] = approval.id
        if st.button("Deny", key=f"deny_{approval.id}", icon=":material/block:"):
            _decide(approval, "deny", note, [])
    if st.session_state.get(GRANTING) == approval.id:
        with st.container(border=True):
            _grant(approval, note)


def told(approval: Approval) -> None:
    """Who asks for what and why it was stopped, without anything to press."""
    ask = approval.ask
    st.markdown(f"#### {plain(ask.what)}")
    with st.container(horizontal=True):
        known = ask.risk in RISK_COLOURS
        st.badge(f"{ask.risk} risk" if known else "risk unknown", color=RISK_COLOURS.get(ask.risk, "gray"))  # type: ignore[arg-type]
        if approval.state is not State.PENDING:
            st.badge(STATE_WORDS[approval.state], color="blue")
    st.caption(f"{plain(ask.who)} · {times_words(approval)}")
    why = [*([f"the rule {ask.rule} stopped it"] if ask.rule else []), *ask.reasons]
    if why:
        word = "waits" if approval.state is State.PENDING else "waited"
        st.markdown(f"**Why it {word}**\n\n" + "\n".join(f"- {plain(reason)}" for reason in why))
    if ask.tools and not any(tool.arguments for tool in ask.tools):
        names = ", ".join(dict.fromkeys(tool.name for tool in ask.tools))
        st.markdown(f"**Tools it may call:** {plain(names)}")


def _arguments(approval: Approval, place: int) -> str | None:
    """The field with one call's arguments; None where there are none to change."""
    tool = approval.ask.tools[place]
    if not tool.arguments:
        return None
    text = orjson.dumps(tool.arguments, option=orjson.OPT_INDENT_2).decode()
    return st.text_area(
        f"Arguments of {tool.name}",
        text,
        key=f"args_{approval.id}_{place}",
        height=min(30 + 24 * (text.count("\n") + 1), 320),
        help="Personal data is masked here and put back when the call is made. What you change holds for Allow once.",
    )


def changed_calls(approval: Approval, texts: list[str | None]) -> list[dict[str, Any]] | None:
    """The calls with the arguments as they stand in the fields; None when nothing was changed.

    Raises:
        BadInput: the arguments are no JSON object any more.
    """
    calls: list[dict[str, Any]] = []
    for tool, text in zip(approval.ask.tools, texts, strict=True):
        arguments: Any = tool.arguments
        if text is not None:
            try:
                arguments = orjson.loads(text)
            except orjson.JSONDecodeError as problem:
                where = f"line {problem.lineno}, column {problem.colno}"
                raise BadInput(f"The arguments of {tool.name} are not valid JSON.", hint=f"Look at {where}.") from None
        if not isinstance(arguments, dict):
            raise BadInput(f"The arguments of {tool.name} must be a JSON object.", hint='Like {"name": "value"}.')
        calls.append({"name": tool.name, "arguments": arguments})
    same = all(call["arguments"] == tool.arguments for call, tool in zip(calls, approval.ask.tools, strict=True))
    return None if same else calls


def _grant(approval: Approval, note: str) -> None:
    """Before an *always*: what the rule says in words, how long it holds, and what it would have done to the past."""
    st.markdown("**A standing rule lets requests like this one through, until it ends.**")
    scope = scope_fields(default_scope(approval.ask), f"grant_{approval.id}")
    days, uses = st.columns(2)
    for_days = days.number_input("Holds for, days", 1, 365, RULE_DAYS, key=f"days_{approval.id}")
    for_uses = uses.number_input("Times it may be used", 1, 100_000, RULE_USES, key=f"uses_{approval.id}")
    if scope.is_empty() or not scope.covers(approval.ask):
        st.warning("The rule must say what it covers, and cover this very request.")
    else:
        st.info(f"{plain(scope.words())} For {for_days} days, {for_uses:,} times at most.", icon=":material/rule:")
        look_back(scope, f"grant_{approval.id}")
    with st.container(horizontal=True):
        if st.button("Make the rule and allow", key=f"grant_{approval.id}", type="primary", icon=":material/done_all:"):
            _decide(
                approval, "always", note, [], scope=scope,
                rule_ttl=timedelta(days=for_days), rule_uses=int(for_uses),
            )  # fmt: skip
        if st.button("Not now", key=f"ungrant_{approval.id}"):
            del st.session_state[GRANTING]
            st.rerun()


def _decide(
    approval: Approval, decision: Literal["once", "always", "deny"], note: str, texts: list[str | None], **rule: Any
) -> None:
    try:
        edited = changed_calls(approval, texts) if decision == "once" else None
        get_services().approvals.decide(approval.id, decision, note=note, edited=edited, **rule)
    except LancelotError as error:
        show_error(error)
        return
    st.session_state.pop(GRANTING, None)
    words = {"once": "Allowed once", "always": "Allowed, and a rule made", "deny": "Denied"}[decision]
    st.toast(f"{words}. The decision is a receipt.", icon=":material/receipt_long:")
    st.rerun()


def after(approval: Approval) -> None:
    """What became of it: who decided when, with which note and edit, and the receipts."""
    lines = [f"- {approval.created_at:%Y-%m-%d %H:%M:%S} UTC: asked by {plain(approval.ask.who)}"]
    if approval.decided_at is not None:
        word = "denied" if approval.state is State.DENIED else "allowed"
        lines.append(f"- {approval.decided_at:%Y-%m-%d %H:%M:%S} UTC: {word} by {plain(approval.decided_by or '-')}")
    if approval.note:
        lines.append(f"- Note: {plain(approval.note)}")
    lines.append(f"- Now: {STATE_WORDS[approval.state]}")
    st.markdown("**What became of it**\n\n" + "\n".join(lines))
    for tool in approval.ask.tools:
        if tool.arguments:
            st.markdown(f"**{plain(tool.name)}**, as asked")
            st.json(tool.arguments)
    for tool in approval.edited or ():
        st.markdown(f"**{plain(tool.name)}**, as changed by the operator")
        st.json(tool.arguments)
    for receipt in get_services().receipts.chain(approval.ask.request_id):
        receipt_link(receipt.id, f"{receipt.at:%Y-%m-%d %H:%M:%S} · {receipt.kind} · {receipt.status}")
