"""Moments that people give: dates that a calendar in any time zone can still count with."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated

from pydantic import AfterValidator

__all__ = ["Moment", "within_reason"]

FIRST, LAST = 1970, 9998


def within_reason(moment: datetime) -> datetime:
    """The same moment, if no arithmetic with time zones and hours can leave the calendar.

    Raises:
        ValueError: its year is not in 1970 to 9998.
    """
    if not FIRST <= moment.year <= LAST:
        raise ValueError(f"must lie in the years {FIRST} to {LAST}")
    return moment


Moment = Annotated[datetime, AfterValidator(within_reason)]
"""A field or parameter of the HTTP surface; without a time zone it is UTC."""
