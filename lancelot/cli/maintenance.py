"""doctor, backup, restore: keep it well, and bring it back."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from lancelot import settings
from lancelot.backup import backup as write_backup
from lancelot.backup import restore as read_backup
from lancelot.cli.connect import connect, running_server
from lancelot.cli.output import Out, command
from lancelot.errors import Conflict

__all__ = ["register"]


def doctor(out: Out, fix: Annotated[bool, typer.Option("--fix", help="Let REPAIR mend what it can.")] = False) -> int:
    """Check everything; exit 1 when something is wrong. --fix repairs, and checks again."""
    with connect() as server:
        found = server.post("/system/doctor", {"fix": fix})
    lines = [
        f"{'ok  ' if row['ok'] else 'FAIL'}  {row['title']}: {row['detail']}"
        + ("" if row["ok"] or not row["fix"] else f"  -> {row['fix']}")
        for row in found["checks"]
    ]
    out.result(found, [*([found["text"]] if found.get("text") else []), *lines])
    return 0 if found["ok"] else 1


def backup(
    out: Out,
    file: Annotated[Path, typer.Argument(metavar="FILE", dir_okay=False, help="The archive to write.")],
    keys: Annotated[bool, typer.Option("--keys", help="Include keys and tokens (keep the file private).")] = False,
) -> int:
    """Copy receipts, set-up and configuration into one file. Keys only when asked; weights never."""
    target = file.expanduser().resolve()
    if running_server() is not None:
        with connect() as server:
            done = server.post("/system/backup", {"path": str(target), "keys": keys})
    else:
        done = write_backup(settings.data_dir(), target, secrets=keys)
    out.result(done, f"{done['receipts']} receipts and {done['files']} files are in {done['path']}.")
    return 0


def restore(
    out: Out,
    file: Annotated[Path, typer.Argument(metavar="FILE", exists=True, dir_okay=False)],
    replace: Annotated[bool, typer.Option("--replace", help="Move an existing data folder aside first.")] = False,
) -> int:
    """Bring a backup back into an empty data folder. The console must be stopped."""
    if running_server() is not None:
        raise Conflict("The console is running on this data folder.", hint="Stop it first.", code="data_folder_in_use")
    done = read_backup(file.expanduser().resolve(), settings.data_dir(), replace=replace)
    out.result(done, f"{done['receipts']} receipts and {done['files']} files are back in {done['data_dir']}.")
    return 0


def register(app: typer.Typer) -> None:
    """doctor, backup, restore."""
    for function in (doctor, backup, restore):
        command(app)(function)
