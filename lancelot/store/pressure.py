"""Token pressure: how full contexts get, how much input comes from caches, and who uses most."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import TYPE_CHECKING, Any

from lancelot.store.usage import figures

if TYPE_CHECKING:
    from lancelot.store.usage import UsageQueries

__all__ = ["pressure"]

TOP = 10


def pressure(
    usage: UsageQueries,
    windows: Mapping[str, int],
    since: datetime | None = None,
    until: datetime | None = None,
) -> dict[str, Any]:
    """What weighs on the token budget.

    Args:
        windows: the largest input of each known model, in tokens.

    Returns:
        {"context": [{"model", "calls", "p50_tokens", "p95_tokens", "most_tokens", "window", "p95_share",
        "most_share"}], fullest first (shares of the window, None where the window is unknown; medians and 95th
        percentiles within 19 %, the most exact); "cache": [{"task", "lane", "tokens_in", "tokens_cached", "hit_rate",
        "tokens_cache_write", "reasoning_share"}], largest input first; "top": [{"key", "task", "model", "tokens",
        "share", "cost_usd", "unpriced_tokens"}], largest first; "tokens", "hit_rate" of everything}.
    """
    context = [
        _context(model, found, windows.get(model or ""))
        for model, found in usage.spreads("tokens_in", "model", since, until).items()
    ]
    cache = [
        {"task": names[0], "lane": names[1], **_cache(figures(sums))}
        for names, sums in usage.grouped(since, until, ["task", "lane"])
    ]
    users = [(names, figures(sums)) for names, sums in usage.grouped(since, until, ["key", "task", "model"])]
    everything = sum(row["tokens"] for _, row in users)
    users.sort(key=lambda user: -user[1]["tokens"])
    return {
        "tokens": everything,
        "hit_rate": _share(sum(row["tokens_cached"] for row in cache), sum(row["tokens_in"] for row in cache)),
        "context": sorted(context, key=lambda row: (-(row["p95_share"] or 0), -row["calls"])),
        "cache": sorted((row for row in cache if row["tokens_in"]), key=lambda row: -row["tokens_in"]),
        "top": [
            {
                "key": names[0],
                "task": names[1],
                "model": names[2],
                "calls": row["calls"],
                "tokens": row["tokens"],
                "share": _share(row["tokens"], everything),
                "cost_usd": row["cost_usd"],
                "unpriced_tokens": row["unpriced_tokens"],
            }
            for names, row in users[:TOP]
        ],
    }


def _context(model: str | None, found: Any, window: int | None) -> dict[str, Any]:
    return {
        "model": model,
        "calls": found.calls,
        "p50_tokens": round(found.p50),
        "p95_tokens": round(found.p95),
        "most_tokens": found.most,
        "window": window,
        "p95_share": _share(found.p95, window),
        "most_share": _share(found.most, window),
    }


def _cache(row: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "tokens_in": row["tokens_in"],
        "tokens_cached": row["tokens_cached"],
        "hit_rate": _share(row["tokens_cached"], row["tokens_in"]),
        "tokens_cache_write": row["tokens_cache_write"],
        "reasoning_share": _share(row["tokens_reasoning"], row["tokens_out"]),
    }


def _share(part: float, whole: float | None) -> float | None:
    return round(part / whole, 4) if whole else None
