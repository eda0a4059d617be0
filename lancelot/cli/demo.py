"""demo seed, demo status, demo remove: a demonstration in a database of its own."""

from __future__ import annotations

import time
from typing import Annotated, Any

import typer

from lancelot import settings
from lancelot.cli.connect import Connection, connect, running_server
from lancelot.cli.output import Out, command
from lancelot.config import ConfigStore
from lancelot.demo import DemoData
from lancelot.demo.data import MOST
from lancelot.errors import LancelotError

__all__ = ["register"]

LOOK_EVERY_S = 0.5


def demo_seed(
    out: Out,
    receipts: Annotated[int, typer.Option(min=1, max=MOST, help="How many receipts.")] = 10_000,
    seed: Annotated[int, typer.Option(help="The same number gives the same receipts.")] = 7,
) -> int:
    """Make a demonstration anew: synthetic receipts in a database of their own (demo/ in the data folder)."""
    if running_server() is not None:
        with connect() as server:
            folder = _made_by_server(server, receipts, seed, out)
    else:
        data = _here()
        data.make(receipts, seed_number=seed, told=lambda done, total: out.note(_words(done, total)))
        folder = str(data.folder)
    out.result(
        {"receipts": receipts, "data_dir": folder},
        f"{receipts:,} synthetic receipts are in {folder}. Nothing there is mixed with real ones. "
        "The console shows them with the switch in its sidebar.",
    )
    return 0


def demo_status(out: Out) -> int:
    """Whether there is a demonstration, and whether one is being made."""
    if running_server() is not None:
        with connect() as server:
            found = server.get("/system/demo")
    else:
        found = _here().status()
    words = "There is a demonstration" if found["exists"] else "There is no demonstration"
    making = found["making"]
    out.result(found, f"{words}." + (f" {_words(making['done'], making['total'])}" if making else ""))
    return 0


def demo_remove(out: Out) -> int:
    """Delete the demonstration. Real receipts are in another folder and never touched."""
    if running_server() is not None:
        with connect() as server:
            removed = server.call("DELETE", "/system/demo").json()["removed"]
    else:
        removed = _here().remove()
    out.result({"removed": removed}, "It is deleted." if removed else "There was none.")
    return 0


def _here() -> DemoData:
    return DemoData(settings.data_dir(), ConfigStore(settings.config_dir()))


def _made_by_server(server: Connection, receipts: int, seed: int, out: Out) -> str:
    """The server makes it, because it may have the old one open; this only watches."""
    found: dict[str, Any] = server.post("/system/demo", {"receipts": receipts, "seed": seed})
    while found["making"]:
        out.note(_words(found["making"]["done"], found["making"]["total"]))
        time.sleep(LOOK_EVERY_S)
        found = server.get("/system/demo")
    if found["problem"]:
        problem = found["problem"]
        raise LancelotError(problem["title"], hint=problem["hint"], code=problem["code"])
    return str(found["data_dir"])


def _words(done: int, total: int) -> str:
    return f"  {done:,} of {total:,} receipts"


def register(app: typer.Typer) -> None:
    """The group demo."""
    group = typer.Typer(help="Synthetic receipts to look around with.", no_args_is_help=True)
    for name, function in (("seed", demo_seed), ("status", demo_status), ("remove", demo_remove)):
        command(group, name)(function)
    app.add_typer(group, name="demo")
