"""doctor, backup, restore: keep it well, and bring it back."""

from __future__ import annotations

import os
import sys
from functools import partial
from pathlib import Path
from typing import Annotated, Any

import typer
from pydantic import SecretStr

from lancelot import settings
from lancelot.backup import backup as write_backup
from lancelot.backup import restore as read_backup
from lancelot.cli.connect import connect, running_server
from lancelot.cli.output import Out, command
from lancelot.doctor import mended
from lancelot.errors import BadInput, Conflict, LancelotError
from lancelot.filecheck import PREFIX, with_configuration
from lancelot.onboarding.snapshot import CheckOutcome
from lancelot.repair import Repairer

__all__ = ["register"]

PASSPHRASE = "LANCELOT_BACKUP_PASSPHRASE"  # noqa: S105 a variable's name


def doctor(out: Out, fix: Annotated[bool, typer.Option("--fix", help="Let REPAIR mend what it can.")] = False) -> int:
    """Check everything; exit 1 when something is wrong. --fix repairs, and checks again."""
    folders = settings.data_dir(), settings.config_dir()
    served = running_server() is not None  # it has its own view of the files, but for the token we need to ask it
    faults = [one for one in with_configuration(*folders) if not served or one.outcome.name == f"{PREFIX}token"]
    repairs = [mended(Repairer(folders[0]), fault, partial(_file_again, folders)) for fault in faults if fix]
    try:
        with connect() as server:
            found = server.post("/system/doctor", {"fix": fix})
    except LancelotError as problem:
        found = _cannot_start(problem, [one.outcome for one in with_configuration(*folders)])
    found["repairs"] = [one.to_dict() for one in repairs] + found.get("repairs", [])
    lines = [
        f"{'ok  ' if row['ok'] else 'FAIL'}  {row['title']}: {row['detail']}"
        + ("" if row["ok"] or not row["fix"] else f"  -> {row['fix']}")
        for row in found["checks"]
    ]
    told = [
        f"{'mended' if one['fixed'] else 'not mended'}  {one['finding']} {one['detail']}" for one in found["repairs"]
    ]
    out.result(found, [*([found["text"]] if found.get("text") else []), *told, *lines])
    return 0 if found["ok"] else 1


def _file_again(folders: tuple[Path, Path], name: str) -> CheckOutcome:
    found = next((one.outcome for one in with_configuration(*folders) if one.outcome.name == name), None)
    return found or CheckOutcome(name=name, title=name, ok=True, detail="It is set aside, and kept.", took_ms=0.0)


def _cannot_start(problem: LancelotError, files: list[CheckOutcome]) -> dict[str, Any]:
    """What can be said when nothing opens: the files that are damaged, and what stood in the way."""
    way = CheckOutcome(
        name="services", title="Lancelot starts", ok=False, detail=problem.title, took_ms=0.0, fix=problem.hint
    )
    return {"ok": False, "checks": [one.model_dump(mode="json") for one in (*files, way)]}


def ask_passphrase(*, twice: bool = False) -> SecretStr:
    """The passphrase from the environment, else asked for in the terminal; never an argument, which others can see.

    Raises:
        BadInput: there is neither.
    """
    if given := os.environ.get(PASSPHRASE):
        return SecretStr(given)
    if not sys.stdin.isatty():
        raise BadInput("A passphrase is needed for keys.", code="passphrase_needed", hint=f"Set {PASSPHRASE}.")
    return SecretStr(typer.prompt("Passphrase", hide_input=True, confirmation_prompt=twice, err=True))


def backup(
    out: Out,
    file: Annotated[Path, typer.Argument(metavar="FILE", dir_okay=False, help="The archive to write.")],
    keys: Annotated[bool, typer.Option("--keys", help="Include keys and token, encrypted with a passphrase.")] = False,
) -> int:
    """Copy receipts, set-up and configuration into one file. Keys only when asked and encrypted; weights never."""
    target = file.expanduser().resolve()
    passphrase = ask_passphrase(twice=True) if keys else None
    if running_server() is not None:
        with connect() as server:
            done = server.post(
                "/system/backup", {"path": str(target), "passphrase": passphrase and passphrase.get_secret_value()}
            )
    else:
        done = write_backup(settings.data_dir(), target, passphrase=passphrase, config_dir=settings.config_dir())
    out.result(done, f"{done['receipts']} receipts and {done['files']} files are in {done['path']}.")
    return 0


def restore(
    out: Out,
    file: Annotated[Path, typer.Argument(metavar="FILE", exists=True, dir_okay=False)],
    replace: Annotated[bool, typer.Option("--replace", help="Move an existing data folder aside first.")] = False,
    without_keys: Annotated[bool, typer.Option("--without-keys", help="Leave encrypted keys where they are.")] = False,
) -> int:
    """Bring a backup back into an empty data folder. The console must be stopped."""
    if running_server() is not None:
        raise Conflict("The console is running on this data folder.", hint="Stop it first.", code="data_folder_in_use")
    source, folder = file.expanduser().resolve(), settings.data_dir()
    passphrase = os.environ.get(PASSPHRASE)
    given = SecretStr(passphrase) if passphrase else None
    try:
        done = read_backup(source, folder, replace=replace, passphrase=given, without_keys=without_keys)
    except BadInput as problem:
        if problem.code != "passphrase_needed" or not sys.stdin.isatty():
            raise
        done = read_backup(source, folder, replace=replace, passphrase=ask_passphrase())
    out.result(done, f"{done['receipts']} receipts and {done['files']} files are back in {done['data_dir']}.")
    return 0


def register(app: typer.Typer) -> None:
    """doctor, backup, restore."""
    for function in (doctor, backup, restore):
        command(app)(function)
