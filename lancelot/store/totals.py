"""What has been spent, in memory: asked before every request, so it must cost microseconds.

Seeded once from the hourly sums, then told of every receipt as it is written.
"""

from __future__ import annotations

import threading
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import NamedTuple

from lancelot.store.receipts import Receipt

__all__ = ["KEEP_DAYS", "HourlyUse", "Spent", "Totals", "is_counted", "is_unpriced"]

KEEP_DAYS = 62  # two months: daily and monthly budgets never look further back
WINDOWS = 32  # remembered windows a key and lane


class Spent(NamedTuple):
    """Use since some moment.

    Attributes:
        usd: the known cost; None when there is use and none of it has a known price. It is never a lower bound in
            disguise: where `unpriced_tokens` is not 0, more was spent than this.
        tokens: in and out together, priced or not.
        unpriced_tokens: the part of `tokens` whose price nobody knows.
    """

    usd: Decimal | None
    tokens: int
    unpriced_tokens: int


class HourlyUse(NamedTuple):
    """A row to seed with: all use of one key and lane in the hour that begins at `hour`."""

    hour: datetime
    key_id: str | None
    lane: str | None
    usd: Decimal
    priced_calls: int
    unpriced_calls: int
    tokens: int
    unpriced_tokens: int


class _Sum:
    __slots__ = ("priced", "tokens", "unpriced", "unpriced_tokens", "usd")

    def __init__(self) -> None:
        self.usd = Decimal(0)
        self.priced = self.unpriced = self.tokens = self.unpriced_tokens = 0

    def add(self, usd: Decimal, priced: int, unpriced: int, tokens: int, unpriced_tokens: int) -> None:
        self.usd += usd
        self.priced += priced
        self.unpriced += unpriced
        self.tokens += tokens
        self.unpriced_tokens += unpriced_tokens

    def take(self, other: _Sum) -> None:
        self.add(other.usd, other.priced, other.unpriced, other.tokens, other.unpriced_tokens)

    def spent(self) -> Spent:
        unknown = self.unpriced and not self.priced
        return Spent(None if unknown else self.usd, self.tokens, self.unpriced_tokens)


def is_counted(receipt: Receipt) -> bool:
    """Whether a brain worked for this receipt."""
    return receipt.kind in ("attempt", "utility")


def is_unpriced(receipt: Receipt) -> bool:
    """Whether it spent something whose price nobody knows."""
    if receipt.cost_usd is not None:
        return False
    return receipt.status in ("ok", "cancelled") or receipt.tokens_in is not None or receipt.tokens_out is not None


class Totals:
    """Running sums by hour, key and lane. Thread-safe."""

    def __init__(self, seed: Iterable[HourlyUse] = ()) -> None:
        self._lock = threading.Lock()
        self._newest = datetime(1970, 1, 1, tzinfo=UTC)
        self._hours: dict[tuple[datetime, str | None, str | None], _Sum] = {}
        # (key or any, lane or any) -> since -> sum; "any" is None, as in `spent`
        self._windows: dict[tuple[str | None, str | None], dict[datetime, _Sum]] = {}
        for row in seed:
            self._hour(row.hour, row.key_id, row.lane).add(
                row.usd, row.priced_calls, row.unpriced_calls, row.tokens, row.unpriced_tokens
            )

    def add(self, receipt: Receipt) -> None:
        """Count one written receipt."""
        if not is_counted(receipt):
            return
        tokens = (receipt.tokens_in or 0) + (receipt.tokens_out or 0)
        unpriced = is_unpriced(receipt)
        usd = receipt.cost_usd or Decimal(0)
        values = (usd, int(receipt.cost_usd is not None), int(unpriced), tokens, tokens if unpriced else 0)
        key, lane, at = receipt.key_id, receipt.lane, receipt.at
        with self._lock:
            self._hour(hour_of(at), key, lane).add(*values)
            for window in {(None, None), (key, None), (None, lane), (key, lane)}:
                for since, sum_ in self._windows.get(window, {}).items():
                    if at >= since:
                        sum_.add(*values)

    def spent(self, since: datetime, key: str | None = None, lane: str | None = None) -> Spent:
        """Use since the full hour in which `since` lies; None for key or lane is all of them."""
        start = hour_of(since)
        with self._lock:
            windows = self._windows.setdefault((key, lane), {})
            found = windows.get(start)
            if found is None:
                found = windows[start] = self._gather(start, key, lane)
                while len(windows) > WINDOWS:
                    windows.pop(next(iter(windows)))
            return found.spent()

    def _hour(self, hour: datetime, key: str | None, lane: str | None) -> _Sum:
        if hour > self._newest:
            self._newest = hour
            old = hour - timedelta(days=KEEP_DAYS)
            for place in [place for place in self._hours if place[0] < old]:
                del self._hours[place]
        return self._hours.setdefault((hour, key, lane), _Sum())

    def _gather(self, start: datetime, key: str | None, lane: str | None) -> _Sum:
        total = _Sum()
        for (hour, found_key, found_lane), sum_ in self._hours.items():
            if hour >= start and key in (None, found_key) and lane in (None, found_lane):
                total.take(sum_)
        return total


def hour_of(moment: datetime) -> datetime:
    """The full hour (UTC) in which a moment lies; a naive one is UTC."""
    utc = moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)
    return utc - timedelta(minutes=utc.minute, seconds=utc.second, microseconds=utc.microsecond)
