"""repair …: look for faults, read plan and difference, apply, take it back; and older set-ups to go back to."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Annotated, Any

import typer

from lancelot.cli.connect import connect
from lancelot.cli.output import NEEDS_PERSON, Out, command

__all__ = ["register", "when"]


def look(out: Out) -> int:
    """Run every check; a plan with its difference for each that fails. Changes nothing; exit 1 when one fails."""
    with connect() as server:
        found = server.post("/recovery/look")
    out.result(found, [line for one in found["found"] for line in _check_lines(one)])
    return 0 if found["ok"] else 1


def _check_lines(one: dict[str, Any]) -> list[str]:
    lines = [f"{'ok  ' if one['ok'] else 'FAIL'}  {one['name']}  {one['title']}: {one['detail']}"]
    plan = one["plan"]
    if plan is None:
        return lines
    steps = plan["plan"] or [f"Only you can do this: {one['fix'] or 'see the finding.'}"]
    lines += [f"      {number}. {step}" for number, step in enumerate(steps, 1)]
    return lines + [f"      {line}" for line in plan["diff"].splitlines()]


def apply(
    out: Out, check: Annotated[str, typer.Argument(help="The check's name, as `lancelot repair look` says it.")]
) -> int:
    """Carry the plan for one check out and check again; exit 1 when it still fails. Copies are kept for `undo`."""
    with connect() as server:
        if server.here:  # no server that would know what was found before
            server.post("/recovery/look")
        done = server.post("/recovery/apply", {"check": check})
    outcome = done["done"]
    undo_hint = f" `lancelot repair undo {outcome['undo']}` takes it back." if outcome["undo"] else ""
    out.result(done, f"{'Repaired' if outcome['fixed'] else 'Not repaired'}: {outcome['detail']}{undo_hint}")
    return 0 if outcome["fixed"] else 1


def history(out: Out) -> int:
    """What was repaired, reset, restored and changed, newest first, with the ids for `undo`."""
    with connect() as server:
        found = server.get("/recovery")["history"]
    lines = [f"{one['id']}  {when(one['at'])}  {_standing(one)}  {one['why']}" for one in found] or [
        "Nothing has been repaired, reset or restored yet."
    ]
    out.result({"history": found}, lines)
    return 0


def undo(out: Out, id: Annotated[str, typer.Argument(help="As `lancelot repair history` says it.")]) -> int:
    """Take a repair, reset, restore or change of the flagship back."""
    with connect() as server:
        told = server.post("/recovery/undo", {"id": id})
    out.result(told, str(told["text"]))
    return 0


def snapshots(out: Out) -> int:
    """The older copies of the set-up record that can be restored, newest first."""
    with connect() as server:
        found = server.get("/recovery")["snapshots"]
    lines = [f"{one['revision']:>6}  {when(one['at'])}  {one['state']}" for one in found]
    out.result(
        {"snapshots": found}, lines or ["No older copy yet: every change of the set-up keeps one, five at most."]
    )
    return 0


def restore(
    out: Out,
    revision: Annotated[int, typer.Argument(help="As `lancelot repair snapshots` says it.")],
    yes: Annotated[bool, typer.Option("--yes", help="Really do it.")] = False,
) -> int:
    """Bring an older set-up back, as far as the facts on this machine allow; it can be undone."""
    if not yes:
        out.note("Requests are refused while the set-up is not READY. Run it again with --yes; `undo` takes it back.")
        return NEEDS_PERSON
    with connect() as server:
        told = server.post("/recovery/restore", {"revision": revision})
    out.result(told, str(told["text"]))
    return 0


def when(at: float | None) -> str:
    """Unix seconds as a person reads them, UTC."""
    return f"{datetime.fromtimestamp(at, UTC):%Y-%m-%d %H:%M:%S}Z" if at else "time unknown"


def _standing(one: dict[str, Any]) -> str:
    if one["undone_at"]:
        return "undone"
    return {True: "repaired", False: "still failing", None: "done"}[one["fixed"]]


def register(app: typer.Typer) -> None:
    """The group repair."""
    group = typer.Typer(help="Repair one step at a time, and go back.", no_args_is_help=True)
    functions: tuple[Callable[..., int], ...] = (look, apply, history, undo, snapshots, restore)
    for function in functions:
        command(group)(function)
    app.add_typer(group, name="repair")
