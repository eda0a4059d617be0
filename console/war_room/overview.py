"""Overview: is everything well, what does it cost today, what happened last. Before READY it leads to the set-up."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pandas as pd
import streamlit as st

from console.charts import bars
from console.demo_switch import offer_demo
from console.events import in_words
from console.session import demo_shown, get_services, latest, linked, moment_now
from console.tables import show_table
from console.widgets import ago, empty_state, live, money, page_guard, section, stale_note, tokens
from lancelot.approvals import State
from lancelot.health import Part, free_bytes, parts

LOOK_EVERY_S = 3.0
RECENT = 8
WAITING_SHOWN = 3
SETUP, MODEL, SETTINGS, ROUTER = (
    "onboarding/page.py",
    "war_room/local_model.py",
    "settings/page.py",
    "war_room/router.py",
)
# name -> words, the page that mends it
PARTS: dict[str, tuple[str, str]] = {
    "set_up": ("Set-up", SETUP),
    "journal": ("Journal", SETUP),
    "database": ("Database", SETUP),
    "local_model": ("Local model", MODEL),
    "flagship_fast": ("Flagship, fast", ROUTER),
    "flagship_deep": ("Flagship, deep", ROUTER),
    "comms": ("Message channel", SETUP),
    "disk": ("Disk", SETUP),
    "configuration": ("Configuration", SETTINGS),
}


@live(LOOK_EVERY_S)
def readiness() -> None:
    """Every part with a mark and a word; what is degraded is named, with the way to mend it."""
    with section():
        services = get_services()
        found, as_of, problem = latest("parts", lambda: parts(services.status(), free_bytes(services.data_dir)))
        shown = {name: found[name] for name in PARTS if name in found}
        bad = {name: part for name, part in shown.items() if not part.well}
        badge = [":green-badge[:material/check: Console]", *(mark(name, part) for name, part in shown.items())]
        st.markdown(" ".join(badge))
        if problem is not None:
            stale_note(as_of, f"{problem.title} {problem.hint}")
        for name, part in bad.items():
            words, page = PARTS[name]
            left, right = st.columns([5, 1], vertical_alignment="center")
            left.warning(f"**{words}**: {part.why}", icon=":material/warning:")
            right.page_link(page, label=f"Fix {words.lower()}", icon=":material/build:")
        well = "Every part is well" if not bad else f"{len(bad)} of {len(shown) + 1} parts need attention"
        st.caption(f"{well} · looked at {as_of:%H:%M:%S} UTC")
        with st.expander("All parts in words"):
            everything = {"Console": Part(True, "answers")} | {PARTS[name][0]: part for name, part in shown.items()}
            table = {
                "Part": list(everything),
                "State": ["well" if part.well else "degraded" for part in everything.values()],
                "In words": [part.why for part in everything.values()],
            }
            show_table(pd.DataFrame(table), key="parts")


def mark(name: str, part: Part) -> str:
    """A badge with a sign, so that nobody needs its colour."""
    words = PARTS[name][0]
    return f":green-badge[:material/check: {words}]" if part.well else f":orange-badge[:material/warning: {words}]"


@live(LOOK_EVERY_S)
def today() -> None:
    """Money, tokens, requests by lane and savings since midnight UTC, against the budgets of the day and month."""
    with section():
        found, as_of, problem = latest("today", figures)
        if problem is not None:
            stale_note(as_of, f"{problem.title} {problem.hint}")
        totals, limits = found["summary"]["totals"], found["limits"]
        day = limits.get("daily", {})
        requests, spent, used, saved = st.columns([3, 3, 3, 4])
        requests.metric("Requests today", f"{totals['requests']:,}", help="Since midnight, UTC")
        spent.metric(
            "Spent today",
            money(totals["cost_usd"]),
            delta=of_limit(day.get("limit_usd"), money),
            delta_color="off",
            delta_arrow="off",
            help="Known prices only; unknown is never counted as zero",
        )
        used.metric(
            "Tokens today",
            tokens(totals["tokens"]),
            delta=of_limit(day.get("limit_tokens"), tokens),
            delta_color="off",
            delta_arrow="off",
            help="The budget counts paid lanes; the figure counts the local model too",
        )
        saved.metric(
            "Saved today", savings_words(found["saved"]), help="Against sending everything to the deep lane; a range"
        )
        for limit in limits.values():
            words = (
                f"Budget, {limit['period']}: {limit['share']:.0%} used, renews in {ago(renewal(limit), moment_now())}"
            )
            st.progress(min(1.0, limit["share"]), text=words)
        if not limits:
            st.page_link(SETTINGS, label="No budget is set: set one under Settings", icon=":material/savings:")
        if found["banner"]:
            st.warning(found["banner"], icon=":material/savings:")
        if totals["unpriced_calls"]:
            many = totals["unpriced_calls"]
            have = "call has" if many == 1 else "calls have"
            st.caption(f"{many:,} {have} no known price: not in the sum, but counted against token budgets.")
        by_lane(found["summary"]["groups"])


def figures() -> dict[str, Any]:
    services = get_services()
    start = moment_now().replace(hour=0, minute=0, second=0, microsecond=0)
    limits = {row["period"]: row for row in services.budgets.status() if row["scope"] == "total"}
    return {
        "summary": services.usage.summary(start, None, "lane"),
        "saved": services.usage.savings(start, None, "deep").get("saved_usd"),
        "limits": limits,
        "banner": services.budget_banner(),
    }


def of_limit(limit: Any, words: Any) -> str | None:
    return None if limit is None else f"of {words(limit)} a day"


def savings_words(saved: Any) -> str:
    """“$1.20 to $1.60”, or that nothing can be said yet."""
    if not saved:
        return "–"
    low, high = (short(Decimal(amount)) for amount in saved)
    return low if low == high else f"{low} to {high}"


def short(amount: Decimal) -> str:
    """Dollars to two significant digits below a dollar: a range is an estimate, its digits say nothing."""
    if abs(amount) >= 1 or amount == 0:
        return f"${amount:,.2f}"
    return f"${round(amount, 1 - amount.adjusted()):f}"


def renewal(limit: dict[str, Any]) -> datetime:
    return datetime.fromisoformat(limit["renews"])


def by_lane(groups: list[dict[str, Any]]) -> None:
    if not groups:
        return
    table = pd.DataFrame(
        {
            "Lane": [row["group"] or "–" for row in groups],
            "Requests": [row["requests"] for row in groups],
            "Tokens": [row["tokens"] for row in groups],
            "Cost": [row["cost_usd"] for row in groups],
        }
    )
    left, right = st.columns([3, 2])
    left.altair_chart(bars(table, "Lane", "Requests", "Requests today, by lane"), width="stretch", key="by_lane_chart")
    with right:
        show_table(table, {"Requests": "count", "Tokens": "count", "Cost": "usd"}, key="by_lane", missing="unknown")


@live(LOOK_EVERY_S)
def waiting() -> None:
    """What waits for a person, the oldest first."""
    with section("Waiting for you"):
        found = sorted(get_services().approvals.list(State.PENDING), key=lambda one: one.created_at)
        if not found:
            st.caption("Nothing waits for a decision.")
            return
        for one in found[:WAITING_SHOWN]:
            st.text(f"{one.ask.who}: {one.ask.what}\n{one.ask.risk} risk, asked {ago(one.created_at)} ago")
        st.page_link(
            "war_room/approvals.py",
            label=f"Decide ({len(found)} waiting)" if len(found) > 1 else "Decide",
            icon=":material/approval_delegation:",
            query_params=linked(),
        )


@live(LOOK_EVERY_S)
def recent() -> None:
    """The newest requests, and what happened to the system itself."""
    with section("Newest requests"):
        found, as_of, problem = latest(
            "recent", lambda: get_services().receipts.page({"kind": "attempt"}, None, RECENT)[0]
        )
        if problem is not None:
            stale_note(as_of, f"{problem.title} {problem.hint}")
        if found:
            table = pd.DataFrame(
                {
                    "Time": [receipt.at for receipt in found],
                    "Receipt": [receipt.id for receipt in found],
                    "Lane": [receipt.lane for receipt in found],
                    "Task": [receipt.task for receipt in found],
                    "Status": [receipt.status for receipt in found],
                    "Tokens": [(receipt.tokens_in or 0) + (receipt.tokens_out or 0) for receipt in found],
                    "Cost": [receipt.cost_usd for receipt in found],
                    "Took": [receipt.latency.total_ms for receipt in found],
                }
            )
            kinds: Any = {"Time": "time", "Receipt": "receipt", "Tokens": "count", "Cost": "usd", "Took": "ms"}
            show_table(table, kinds, key="recent", missing="unknown")
        else:
            empty_state("No requests yet", "Send a message under *Ask*, or point any OpenAI client at this address.")
    with section("Events"):
        events, _ = get_services().receipts.page({"kind": "event"}, None, RECENT)
        if not events:
            st.caption("Nothing has happened to the system itself.")
        for event in events:
            when = ago(event.at) + " ago" if not demo_shown() else f"{event.at.astimezone(UTC):%Y-%m-%d %H:%M} UTC"
            st.markdown(f":material/info: {in_words(event.data)} · :gray[{when}]")


with page_guard():
    if not get_services().is_ready() and not demo_shown():
        st.switch_page(SETUP)
    st.title("Overview")
    readiness()
    today()
    waiting()
    recent()
    if not demo_shown():
        offer_demo()
