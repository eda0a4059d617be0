"""What people and programs read of a receipt's stored columns: milliseconds, lists and maps instead of JSON."""

from __future__ import annotations

from lancelot.store.rows import FIELDS

__all__ = ["DECISIONS", "READABLE", "readable"]

SPECIAL = {
    "reasons": "CAST(CAST(reasons AS JSON) AS VARCHAR[]) AS reasons",
    "redactions": "CAST(CAST(redactions AS JSON) AS MAP(VARCHAR, BIGINT)) AS redactions",
    "assessment": "CAST(assessment AS JSON) AS assessment",
    "data": "CAST(data AS JSON) AS data",
}


def readable() -> str:
    """The SELECT list that turns stored columns into readable ones."""
    columns = ["n"]
    for field in FIELDS:
        if field.name.endswith("_us"):
            columns.append(f"{field.name} / 1000.0 AS {field.name.removesuffix('_us')}_ms")
        else:
            columns.append(SPECIAL.get(field.name, field.name))
    return ", ".join(columns)


READABLE = readable()
DECISIONS = (
    "SELECT id, request_id, time, host, key_id, task, lane, model, attempt, risk, complexity, deep_score, "
    "CAST(CAST(reasons AS JSON) AS VARCHAR[]) AS reasons, CAST(assessment AS JSON) AS assessment, status, error_code, "
    "decision_us / 1000.0 AS decision_ms, cost_usd FROM {source} WHERE kind = 'attempt'"
)
