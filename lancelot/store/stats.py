"""How decisions fell: counts by lane, task, risk, status and reason, and how often a second attempt was needed."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from lancelot.store.database import Database
from lancelot.store.rollup import COUNTED

__all__ = ["decision_stats"]

TOP_REASONS = 20


def decision_stats(database: Database, since: datetime | None = None, until: datetime | None = None) -> dict[str, Any]:
    """Counts over attempts.

    Returns:
        {"since", "until", "requests", "attempts", "escalated" (requests with more than one attempt), "failed" (attempts
        with status error), "parked", "blocked", "redacted" (attempts with something redacted), "by_lane", "by_task",
        "by_risk", "by_status", "by_model" ({name: attempts}), "reasons" ([{"reason", "attempts"}], most frequent
        first), "latency_ms": {lane: {"p50", "p95"}}}
    """
    where, parameters = [COUNTED], []
    for sign, moment in ((">=", since), ("<", until)):
        if moment is not None:
            utc = moment if moment.tzinfo is None else moment.astimezone(UTC).replace(tzinfo=None)
            where.append(f"time {sign} ?")
            parameters.append(utc)
    source = f"FROM receipts WHERE {' AND '.join(where)}"
    totals = database.rows(
        "SELECT count(*) FILTER (WHERE attempt = 1) AS requests, count(*) AS attempts, "
        "count(*) FILTER (WHERE attempt = 2) AS escalated, "
        "count(*) FILTER (WHERE status = 'error') AS failed, count(*) FILTER (WHERE status = 'parked') AS parked, "
        "count(*) FILTER (WHERE status = 'blocked') AS blocked, "
        f"count(redactions) AS redacted {source}",
        parameters,
    )[0]
    counts = {
        f"by_{name}": {
            str(value) if value is not None else "none": count
            for value, count in database.query(
                f"SELECT {name}, count(*) {source} GROUP BY 1 ORDER BY 2 DESC, 1 LIMIT 100",
                parameters,
            )
        }
        for name in ("lane", "task", "risk", "status", "model")
    }
    reasons = database.query(
        "SELECT reason, count(*) FROM (SELECT unnest(CAST(reasons AS VARCHAR[])) AS reason "  # noqa: S608
        f"{source} AND reasons IS NOT NULL) GROUP BY 1 ORDER BY 2 DESC, 1 LIMIT {TOP_REASONS}",
        parameters,
    )
    latency = database.query(
        "SELECT lane, approx_quantile(total_us, 0.5) / 1000, approx_quantile(total_us, 0.95) / 1000 "
        f"{source} AND total_us IS NOT NULL GROUP BY 1",
        parameters,
    )
    return {
        "since": since.isoformat() if since else None,
        "until": until.isoformat() if until else None,
        **totals,
        **counts,
        "reasons": [{"reason": reason, "attempts": count} for reason, count in reasons],
        "latency_ms": {lane or "none": {"p50": p50, "p95": p95} for lane, p50, p95 in latency},
    }
