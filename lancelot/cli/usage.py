"""usage: where tokens and money went, how fast they go, and what they would cost under other prices."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Annotated, Any, Literal

import typer

from lancelot.cli.connect import Connection, connect
from lancelot.cli.output import Out, command
from lancelot.cli.receipts import since_time
from lancelot.errors import BadInput
from lancelot.files import write_atomic

__all__ = ["register"]

View = Literal["groups", "savings", "pace", "pressure", "repriced"]
Moment = "An ISO time, or an age such as 15m, 24h, 7d."


def usage(
    out: Out,
    by: Annotated[str, typer.Option(help="lane, model, task, day or key.")] = "lane",
    since: Annotated[str | None, typer.Option(help=f"From here on. {Moment}")] = None,
    until: Annotated[str | None, typer.Option(help=f"Up to here. {Moment}")] = None,
    show: Annotated[View, typer.Option(help="What to show.")] = "groups",
    baseline: Annotated[Literal["deep", "fast"], typer.Option(help="What savings are held against.")] = "deep",
    prices: Annotated[
        Path | None, typer.Option(exists=True, dir_okay=False, help="Another prices.yaml, with --show repriced.")
    ] = None,
    output: Annotated[
        Path | None, typer.Option(dir_okay=False, help="Write the groups to this .csv or .parquet file.")
    ] = None,
) -> int:
    """Tokens, cost and requests, grouped; or savings, pace and forecast, token pressure, another price list."""
    span = {"since": since_time(since), "until": since_time(until)}
    with connect() as server:
        if output is not None:
            done = _write(server, output, span | {"by": by})
            out.result(done, f"{done['bytes']:,} bytes written to {done['path']}.")
            return 0
        found, words = VIEWS[show](server, span, by, baseline, prices)
        out.result(found, list(words))
    return 0


def _write(server: Connection, output: Path, query: dict[str, Any]) -> dict[str, Any]:
    form = output.suffix.lower().removeprefix(".")
    if form not in ("csv", "parquet"):
        raise BadInput("Only .csv and .parquet can be written.", param="output", hint="End the name in .csv.")
    content = server.call("GET", "/usage/export", **query, format=form).content
    path = output.expanduser().resolve()
    write_atomic(path, content)
    return {"path": str(path), "bytes": len(content)}


def _usd(amount: str | None) -> str:
    return "unknown" if amount is None else f"${amount}"


def _range(pair: list[str] | None) -> str:
    return "not known yet" if pair is None else f"${pair[0]} to ${pair[-1]}"


def _groups(server: Connection, span: dict[str, Any], by: str, *_: Any) -> tuple[Any, Iterator[str]]:
    found = server.get("/usage/summary", by=by, **span)
    return found, _lines(found)


def _lines(found: dict[str, Any]) -> Iterator[str]:
    for row in [*found["groups"], found["totals"] | {"group": "all together"}]:
        unknown = f", {row['unpriced_tokens']:,} tokens without a price" if row["unpriced_tokens"] else ""
        cost = "cost unknown" if row["cost_usd"] is None else f"${row['cost_usd']}"
        yield (
            f"{row['group'] or '-':<24} {row['requests']:>8} requests {row['tokens_in']:>12} in "
            f"{row['tokens_out']:>12} out  {cost}{unknown}"
        )
    if not found["groups"]:
        yield "No usage yet."


def _savings(server: Connection, span: dict[str, Any], _by: str, baseline: str, *_: Any) -> tuple[Any, Iterator[str]]:
    found = server.get("/usage/savings", baseline=baseline, **span)

    def words() -> Iterator[str]:
        yield f"paid                 ${found['paid_usd']}"
        yield f"all {baseline} would cost  {_range(found['would_cost_usd'])}"
        yield f"saved                {_range(found['saved_usd'])}"
        yield from (f"- {line}" for line in found["assumptions"])

    return found, words()


def _pace(server: Connection, *_: Any) -> tuple[Any, Iterator[str]]:
    found = server.get("/usage/pace")

    def words() -> Iterator[str]:
        month = found["month"]
        yield f"this month  {_usd(month['cost_usd'])}, {month['tokens']:,} tokens after {month['elapsed']:.0%} of it"
        if month["forecast_usd"] is None:
            yield "forecast    not before three whole days of use"
        else:
            low, expected, high = month["forecast_usd"]
            yield f"forecast    ${expected} by its end (nine in ten: ${low} to ${high}), from {month['days']} days"
        for row in found["budgets"]:
            yield f"{row['scope']} {row['period']} {row['what']}: {row['used']} of {row['limit']}, {row['words']}"

    return found, words()


def _pressure(server: Connection, span: dict[str, Any], *_: Any) -> tuple[Any, Iterator[str]]:
    found = server.get("/usage/pressure", **span)

    def words() -> Iterator[str]:
        rate = found["hit_rate"]
        yield f"{found['tokens']:,} tokens; " + ("no input yet" if rate is None else f"{rate:.1%} of input from caches")
        for row in found["context"]:
            full = "window unknown" if row["window"] is None else f"{row['p95_share']:.1%} of {row['window']:,}"
            yield f"{row['model'] or '-':<24} 95 % of inputs under {row['p95_tokens']:,} tokens ({full})"
        for row in found["top"]:
            who = f"{row['key'] or 'operator'} / {row['task'] or '-'} / {row['model'] or '-'}"
            yield f"{who:<48} {row['tokens']:>12} tokens  {_usd(row['cost_usd'])}"

    return found, words()


def _repriced(
    server: Connection, span: dict[str, Any], by: str, _baseline: str, prices: Path | None
) -> tuple[Any, Iterator[str]]:
    text = None if prices is None else prices.read_text(encoding="utf-8", errors="replace")
    found = server.post("/usage/repriced", {"by": by, "prices": text} | span)

    def words() -> Iterator[str]:
        yield f"Under price list {found['version']}; the recorded costs stay as they are."
        for row in [*found["groups"], found["totals"] | {"group": "all together"}]:
            unknown = f", {row['unpriced_tokens']:,} tokens without a price" if row["unpriced_tokens"] else ""
            yield (
                f"{row['group'] or '-':<24} recorded {_usd(row['recorded_usd'])}, "
                f"would be {_usd(row['repriced_usd'])}{unknown}"
            )

    return found, words()


VIEWS: dict[str, Callable[..., tuple[Any, Iterator[str]]]] = {
    "groups": _groups,
    "savings": _savings,
    "pace": _pace,
    "pressure": _pressure,
    "repriced": _repriced,
}


def register(app: typer.Typer) -> None:
    command(app)(usage)
