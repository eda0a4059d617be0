"""receipts: what happened, why, and what it cost."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Annotated, Any

import typer

from lancelot.cli.connect import connect
from lancelot.cli.output import Out, command
from lancelot.errors import BadInput
from lancelot.moments import within_reason

__all__ = ["register", "since_time"]

Since = Annotated[str | None, typer.Option("--since", help="An ISO time, or an age such as 15m, 24h, 7d.")]
UNITS = {"m": "minutes", "h": "hours", "d": "days"}


def since_time(given: str | None) -> str | None:
    """An ISO time from an ISO time or an age (15m, 24h, 7d).

    Raises:
        BadInput: neither.
    """
    if given is None:
        return None
    try:
        if given[-1:] in UNITS and given[:-1].isdecimal():
            return within_reason(datetime.now(UTC) - timedelta(**{UNITS[given[-1]]: int(given[:-1])})).isoformat()
        moment = within_reason(datetime.fromisoformat(given))
        return (moment if moment.tzinfo else moment.astimezone()).isoformat()
    except (ValueError, OverflowError):  # no time, or one nobody can count with
        raise BadInput(f"{given} is not a time.", hint="Use an ISO time, or an age such as 15m, 24h, 7d.") from None


def list_receipts(
    out: Out,
    since: Since = None,
    lane: Annotated[str | None, typer.Option(help="local, fast or deep.")] = None,
    limit: Annotated[int, typer.Option(min=1, max=100_000, help="How many at most.")] = 50,
) -> int:
    """Receipts, newest first."""
    with connect() as server:
        found = list(_pages(server, limit, since=since_time(since), lane=lane))
    out.result({"receipts": found}, [_line(receipt) for receipt in found] or ["No receipts yet."])
    return 0


def _pages(server: Any, limit: int, **filters: Any) -> Iterator[dict[str, Any]]:
    cursor: str | None = None
    while limit > 0:
        page = server.get("/router/receipts", limit=min(limit, 500), cursor=cursor, **filters)
        yield from page["receipts"]
        limit -= len(page["receipts"])
        cursor = page["next_cursor"]
        if cursor is None:
            return


def _line(receipt: dict[str, Any]) -> str:
    cost = "unknown" if receipt["cost_usd"] is None else f"${receipt['cost_usd']}"
    tokens = f"{receipt['tokens_in'] or 0}+{receipt['tokens_out'] or 0}"
    return (
        f"{receipt['id']}  {receipt['at'][:19]}  {receipt['lane'] or '-':<5}  {receipt['task'] or '-':<10}  "
        f"{receipt['status']:<9}  {tokens:>11} tokens  {cost}"
    )


def show(out: Out, receipt_id: Annotated[str, typer.Argument(metavar="ID")]) -> int:
    """One receipt in full, with the chain of attempts and what left this machine."""
    with connect() as server:
        found = server.get(f"/router/receipts/{receipt_id}")
    receipt = found["receipt"]
    removed = ", ".join(f"{count} {label}" for label, count in sorted(receipt["redactions"].items())) or "nothing"
    lines = [
        _line(receipt),
        f"model      {receipt['provider'] or '-'} / {receipt['model'] or '-'}",
        f"redacted   {removed} (policy {receipt['policy'] or '-'})",
        f"sent       {receipt['egress'] or 'none'}; SHA-256 of the bytes that left: {receipt['sent_sha256'] or '-'}",
        "reasons    " + "\n           ".join(receipt["reasons"] or ["-"]),
        f"attempts   {len(found['chain'])}",
    ]
    out.result(receipt | {"chain": found["chain"]}, lines)
    return 0


def verify(
    out: Out, full: Annotated[bool, typer.Option("--full", help="From the beginning, not the last checkpoint.")] = False
) -> int:
    """Check the hash chain over all receipts; exit 1 when something is broken, missing or cut off."""
    with connect() as server:
        report = server.post("/router/verify", {"full": full})
    words = f"{report['checked']} receipts checked: the chain holds." if report["ok"] else report["problem"]
    out.result(report, words)
    return 0 if report["ok"] else 1


def export(out: Out, file: Annotated[Path, typer.Argument(metavar="FILE.parquet", dir_okay=False)]) -> int:
    """Write all receipts to one Parquet file."""
    with connect() as server:
        done = server.post("/router/export", {"path": str(file.expanduser().resolve())})
    out.result(done, f"{done['receipts']} receipts written to {done['path']}.")
    return 0


def prune(
    out: Out,
    older_than: Annotated[str, typer.Option(help="An ISO time, or an age such as 90d.")],
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
) -> int:
    """Remove receipts by age; the rest stays verifiable through a signed tombstone."""
    moment = since_time(older_than)
    if not yes and not typer.confirm(f"Remove all receipts before {moment}?", err=True):
        return 1
    with connect() as server:
        done = server.post("/router/prune", {"before": moment})
    out.result(done, f"{done['removed']} receipts removed.")
    return 0


def register(app: typer.Typer) -> None:
    group = typer.Typer(help="The receipts: every attempt, why and what it cost.", no_args_is_help=True)
    command(group, "list")(list_receipts)
    for function in (show, verify, export, prune):
        command(group)(function)
    app.add_typer(group, name="receipts")
