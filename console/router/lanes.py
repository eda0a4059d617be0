"""The lanes, live: which model, whether it may be called, and if not why and until when."""

from __future__ import annotations

from typing import Any

import streamlit as st

from console.session import get_services
from console.widgets import LANE_WORDS, live, page_guard
from console.words import plain

__all__ = ["lanes"]

LOOK_EVERY_S = 3.0
ERROR_WORDS = {
    "provider_timeout": "it did not answer in time",
    "provider_unreachable": "it could not be reached",
    "provider_overloaded": "it said that it is overloaded",
    "provider_rate_limited": "it said that there were too many requests",
    "provider_auth": "it refused the key",
    "provider_malformed": "its answers could not be read",
    "local_model_unavailable": "the local model is not there",
}


@live(LOOK_EVERY_S)
def lanes() -> None:
    """One box a lane."""
    with page_guard():
        found = get_services().status()["lanes"]
        for column, (name, lane) in zip(st.columns(len(found)), found.items(), strict=True):
            with column, st.container(border=True):
                _lane(name, lane)


def _lane(name: str, lane: dict[str, Any]) -> None:
    breaker = lane["breaker"]
    reason = ERROR_WORDS.get(breaker["reason"], breaker["reason"])
    failures = f"{breaker['failures']} failure{'' if breaker['failures'] == 1 else 's'}"
    if breaker["state"] == "open":
        mark, words = ":material/pause_circle:", f"rests {breaker['ends_in_s']:.0f} s more after {failures}: {reason}"
    elif breaker["state"] == "half_open":
        mark, words = ":material/change_circle:", f"the next request tries it again; it rested because {reason}"
    elif not lane["available"]:
        mark, words = ":material/cancel:", lane["why"]
    else:
        mark = ":material/check_circle:"
        words = f"ready; {failures} of late" if breaker["failures"] else "ready"
    st.markdown(f"**{LANE_WORDS.get(name, name)}** {mark}")
    st.caption(f"{plain(lane['provider'])} · {plain(lane['model'] or 'no model')}  \n{plain(words)}")
