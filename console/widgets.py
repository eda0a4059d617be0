"""Small drawing helpers: errors with title and hint, empty states, sections that fail alone, figures with units."""

from __future__ import annotations

import functools
import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from decimal import Decimal
from typing import ParamSpec

import streamlit as st

from console.session import linked
from lancelot.errors import LancelotError
from local_models.errors import ModelError

__all__ = [
    "LABEL_COLOURS",
    "LABEL_WORDS",
    "LANE_WORDS",
    "ago",
    "empty_state",
    "live",
    "money",
    "page_guard",
    "receipt_link",
    "redactions_in_words",
    "section",
    "show_diff",
    "show_error",
    "stale_note",
    "tokens",
]

log = logging.getLogger(__name__)
P = ParamSpec("P")

# one tint a type, told apart by colour-blind eyes too (Okabe and Ito's palette, with lighter and darker kin)
LABEL_COLOURS = {
    "PERSON": "#0072b2",
    "USERNAME": "#56b4e9",
    "EMAIL": "#009e73",
    "PHONE": "#66c2a4",
    "ADDRESS": "#e69f00",
    "LOCATION": "#f0c05a",
    "ORG": "#999933",
    "ID": "#cc79a7",
    "CARD": "#aa4499",
    "IBAN": "#882255",
    "IP": "#6a6f7b",
    "URL": "#4d8fac",
    "DATE": "#b8860b",
    "DATE_OF_BIRTH": "#d55e00",
    "SECRET": "#c0392b",
}
LANE_WORDS = {"local": "Local", "fast": "Fast", "deep": "Deep"}
LABEL_WORDS = {
    "PERSON": ("name", "names"),
    "EMAIL": ("e-mail address", "e-mail addresses"),
    "PHONE": ("phone number", "phone numbers"),
    "ADDRESS": ("street address", "street addresses"),
    "LOCATION": ("place", "places"),
    "ORG": ("organisation", "organisations"),
    "ID": ("identifier", "identifiers"),
    "CARD": ("card number", "card numbers"),
    "IBAN": ("bank account", "bank accounts"),
    "IP": ("network address", "network addresses"),
    "URL": ("link", "links"),
    "DATE": ("date", "dates"),
    "DATE_OF_BIRTH": ("date of birth", "dates of birth"),
    "USERNAME": ("user name", "user names"),
    "SECRET": ("secret", "secrets"),
}


def show_error(error: LancelotError | ModelError) -> None:
    """The same three fields as everywhere: title, hint, code."""
    st.error(f"**{error.title}** {error.hint}\n\n`{error.code}`", icon=":material/error:")


@contextmanager
def page_guard() -> Iterator[None]:
    """The boundary of a page: known errors in words, unknown ones without a stack trace."""
    try:
        yield
    except (LancelotError, ModelError) as error:
        show_error(error)
    except Exception as error:
        if type(error).__module__.startswith("streamlit"):
            raise
        log.exception("a page failed: %s", type(error).__name__)
        show_error(LancelotError())


@contextmanager
def section(title: str | None = None) -> Iterator[None]:
    """One part of a page: when its source is down it says so in its place, and the rest of the page stands."""
    if title:
        st.subheader(title)
    with page_guard():
        yield


def live(every_s: float) -> Callable[[Callable[P, None]], Callable[P, None]]:
    """A part that draws itself anew every few seconds, in place and without flicker.

    Streamlit shows what escapes from a fragment in a box of its own, out of reach of the page's guard, so each of them
    has a guard inside.
    """

    def guarded(draw: Callable[P, None]) -> Callable[P, None]:
        @functools.wraps(draw)
        def inside(*args: P.args, **kwargs: P.kwargs) -> None:
            with page_guard():
                draw(*args, **kwargs)

        return st.fragment(inside, run_every=every_s)

    return guarded


def empty_state(title: str, what_next: str, icon: str = ":material/inbox:") -> None:
    """A calm box that says that there is nothing yet and what to do next."""
    with st.container(border=True):
        st.markdown(f"#### {icon} {title}")
        st.markdown(what_next)


def money(amount: Decimal | str | None) -> str:
    """US dollars, to the cent or to four significant digits; "unknown" for None. Tables and files keep every digit."""
    if amount is None:
        return "unknown"
    value = Decimal(amount)
    if value == 0:
        return "$0"
    if value >= 1:
        return f"${value:,.2f}"
    digits = 3 - value.adjusted()  # four significant ones
    return f"${round(value, digits).normalize():f}"


def tokens(count: int | None) -> str:
    """A token count with separators; "not said" for None."""
    return "not said" if count is None else f"{count:,}"


def redactions_in_words(counts: dict[str, int]) -> str:
    """“2 items were redacted: 1 e-mail address, 1 phone number”, or that nothing had to be."""
    total = sum(counts.values())
    if not total:
        return "Nothing had to be redacted."
    parts = []
    for label, count in sorted(counts.items()):
        one, many = LABEL_WORDS.get(label, (label.lower(), label.lower()))
        parts.append(f"{count} {one if count == 1 else many}")
    return f"{total} {'item was' if total == 1 else 'items were'} redacted: {', '.join(parts)}."


def ago(moment: datetime | None, now: datetime | None = None) -> str:
    """“3 min”, “2 h”, “5 d”: how far away a moment is, whichever way; "never" for None."""
    if moment is None:
        return "never"
    seconds = abs(((now or datetime.now(UTC)) - moment).total_seconds())
    for unit, length in (("d", 86_400), ("h", 3_600), ("min", 60)):
        if seconds >= length:
            return f"{seconds / length:.0f} {unit}"
    return f"{seconds:.0f} s"


def stale_note(as_of: datetime, why: str) -> None:
    """Says that what is shown is old: since when, and why nothing newer came."""
    st.warning(
        f"These figures are from {as_of:%H:%M:%S} UTC, {ago(as_of)} ago. {why}", icon=":material/history_toggle_off:"
    )


def show_diff(lines: str, nothing: str = "Nothing would change.") -> None:
    """A change as lines with + and -, coloured; or that there is none."""
    if lines.strip():
        st.code(lines, language="diff", wrap_lines=True)
    else:
        st.caption(nothing)


def receipt_link(receipt_id: str, label: str | None = None) -> None:
    """A deep link to one receipt."""
    st.page_link(
        "war_room/receipts.py",
        label=label or f"Receipt {receipt_id}",
        icon=":material/receipt_long:",
        query_params=linked(id=receipt_id),
    )
