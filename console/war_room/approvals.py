"""Approvals: what waits for a person, decided once, always or not at all; and the standing rules."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import orjson
import streamlit as st

from console.session import get_services
from console.widgets import empty_state, page_guard, show_error
from lancelot.approvals import Approval, Scope, StandingRule, State
from lancelot.errors import BadInput, LancelotError

LOOK_EVERY_S = 2.0
LOOK_BACK = 500
STATE_WORDS = {
    State.PENDING: ":material/hourglass_top: waits",
    State.ALLOWED: ":material/check: allowed",
    State.STARTED: ":material/play_arrow: under way",
    State.DONE: ":material/done_all: done",
    State.DENIED: ":material/block: denied",
    State.EXPIRED: ":material/timer_off: expired",
}
RISK_WORDS = {"high": ":red[high risk]", "medium": ":orange[medium risk]", "low": "low risk", "unknown": "risk unknown"}


def age(moment: datetime) -> str:
    """“3 min”, “2 h”, “5 d”: how long ago, or how long until."""
    seconds = abs((datetime.now(UTC) - moment).total_seconds())
    for unit, length in (("d", 86_400), ("h", 3_600), ("min", 60)):
        if seconds >= length:
            return f"{seconds / length:.0f} {unit}"
    return f"{seconds:.0f} s"


@st.fragment(run_every=LOOK_EVERY_S)
def watch(known: list[str]) -> None:
    """Draws the page again when something new waits, so that a form in use is never swept away without cause."""
    if [one.id for one in get_services().approvals.list(State.PENDING)] != known:
        st.rerun()


def queue() -> None:
    waiting = get_services().approvals.list(State.PENDING)
    watch([one.id for one in waiting])
    if not waiting:
        empty_state(
            "Nothing waits",
            "Requests that a rule stops, and agents that ask first, appear here.",
            ":material/task_alt:",
        )
    for approval in waiting:
        with st.container(border=True):
            card(approval)


def card(approval: Approval) -> None:
    ask = approval.ask
    st.markdown(f"#### {ask.what}")
    st.caption(
        f"{ask.who} · {RISK_WORDS.get(ask.risk, ask.risk)} · asked {age(approval.created_at)} ago · "
        f"expires in {age(approval.expires_at)}; nothing is approved by waiting"
    )
    for reason in ask.reasons:
        st.markdown(f"- {reason}")
    edited = {}
    for place, tool in enumerate(ask.tools):
        text = orjson.dumps(tool.arguments, option=orjson.OPT_INDENT_2).decode()
        edited[tool.name] = st.text_area(
            f"Arguments of {tool.name} (personal data masked)", text, key=f"args_{approval.id}_{place}"
        )
    note = st.text_input("Note", key=f"note_{approval.id}", placeholder="Why, for whoever reads the receipt")
    scope = default_scope(approval)
    once, always, deny = st.columns(3)
    if once.button("Allow once", key=f"once_{approval.id}", type="primary", width="stretch"):
        decide(approval, "once", note, edited)
    if always.button("Allow always…", key=f"always_{approval.id}", width="stretch", disabled=scope.is_empty()):
        st.session_state["grant"] = approval.id
    if deny.button("Deny", key=f"deny_{approval.id}", width="stretch"):
        decide(approval, "deny", note, {})
    if st.session_state.get("grant") == approval.id:
        grant(approval, scope, note)


def default_scope(approval: Approval) -> Scope:
    """The narrowest rule that covers this ask."""
    ask = approval.ask
    return Scope(key_id=ask.key_id, rule=ask.rule, tools=tuple(tool.name for tool in ask.tools))


def grant(approval: Approval, scope: Scope, note: str) -> None:
    """Before an *always*: what the rule says in words, and which past requests it would have matched."""
    services = get_services()
    st.markdown(f"**{scope.words()}**")
    past, _ = services.receipts.page({}, None, LOOK_BACK)
    matched = services.approvals.look_back(scope, past)
    st.caption(
        f"Look-back: of the newest {len(past)} receipts it would have matched {len(matched)}."
        + (f" The newest: {matched[0].at:%Y-%m-%d %H:%M}, task {matched[0].task}." if matched else "")
    )
    days, uses = st.columns(2)
    for_days = days.number_input("Days it holds", 1, 365, 30, key=f"days_{approval.id}")
    for_uses = uses.number_input("Uses at most", 1, 100_000, 100, key=f"uses_{approval.id}")
    if st.button("Make the rule and allow", key=f"grant_{approval.id}", type="primary"):
        try:
            services.approvals.decide(
                approval.id,
                "always",
                note=note,
                scope=scope,
                rule_ttl=timedelta(days=for_days),
                rule_uses=int(for_uses),
            )
        except LancelotError as error:
            show_error(error)
        else:
            del st.session_state["grant"]
            st.rerun()


def decide(approval: Approval, decision: str, note: str, edited: dict[str, str]) -> None:
    try:
        changed = changed_calls(approval, edited) if decision == "once" else None
        get_services().approvals.decide(approval.id, decision, note=note, edited=changed)  # type: ignore[arg-type]
    except LancelotError as error:
        show_error(error)
    else:
        st.rerun()


def changed_calls(approval: Approval, edited: dict[str, str]) -> list[dict[str, object]] | None:
    """The calls with the arguments as they stand in the form; None when nothing was changed.

    Raises:
        BadInput: the arguments are no JSON object any more.
    """
    calls: list[dict[str, object]] = []
    for tool in approval.ask.tools:
        try:
            arguments = orjson.loads(edited[tool.name])
        except orjson.JSONDecodeError:
            arguments = None
        if not isinstance(arguments, dict):
            raise BadInput(f"The arguments of {tool.name} are no JSON object.", hint="Mend them, or reload the page.")
        calls.append({"name": tool.name, "arguments": arguments})
    same = all(call["arguments"] == tool.arguments for call, tool in zip(calls, approval.ask.tools, strict=True))
    return None if same else calls


def decided() -> None:
    found = [one for one in get_services().approvals.list() if one.state is not State.PENDING][:50]
    if not found:
        empty_state("Nothing decided yet", "Every decision stays here and leaves a receipt.")
        return
    st.dataframe(
        [
            {
                "Asked": one.created_at,
                "Who": one.ask.who,
                "What": one.ask.what,
                "State": STATE_WORDS[one.state].split(": ", 1)[1],
                "By": one.decided_by or "-",
                "Note": one.note or "-",
            }
            for one in found
        ],
        hide_index=True,
        width="stretch",
        column_config={"Asked": st.column_config.DatetimeColumn(format="YYYY-MM-DD HH:mm:ss")},
    )


def rules() -> None:
    found = get_services().approvals.rules()
    if not found:
        empty_state(
            "No standing rules", "*Allow always* on a waiting request makes one; it expires and has a cap on its uses."
        )
    for rule in found:
        with st.container(border=True):
            left, right = st.columns([5, 1], vertical_alignment="center")
            left.markdown(f"**{rule.scope.words()}**")
            left.caption(rule_words(rule))
            if rule.alive(datetime.now(UTC)) and right.button("Revoke", key=f"revoke_{rule.id}", width="stretch"):
                get_services().approvals.revoke(rule.id)
                st.rerun()


def rule_words(rule: StandingRule) -> str:
    if rule.revoked_at is not None:
        return f"revoked {age(rule.revoked_at)} ago · used {rule.uses} times"
    if not rule.alive(datetime.now(UTC)):
        return f"ended · used {rule.uses} of {rule.max_uses} times"
    return f"used {rule.uses} of {rule.max_uses} times · expires in {age(rule.expires_at)}" + (
        f" · {rule.note}" if rule.note else ""
    )


with page_guard():
    st.title("Approvals")
    waiting_tab, decided_tab, rules_tab = st.tabs(["Waiting", "Decided", "Standing rules"])
    with waiting_tab:
        queue()
    with decided_tab:
        decided()
    with rules_tab:
        rules()
