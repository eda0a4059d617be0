"""The `lancelot` command line: thin commands over the services, one file a noun."""

from __future__ import annotations

import os
from importlib.metadata import version
from typing import Annotated

import typer

from lancelot.cli import asking, demo, flagship, keys, maintenance, model, onboarding, receipts, recovery, system, usage

__all__ = ["app", "main"]

app = typer.Typer(
    name="lancelot",
    help="Sets up, runs, pays for and repairs a whole LLM system. Exit codes: 0 done, 1 refused or failed, 2 wrong "
    "usage, 3 a person must act.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)


def _tell_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"lancelot {version('lancelot')}")
        raise typer.Exit


@app.callback()
def lancelot(
    shown: Annotated[
        bool, typer.Option("--version", callback=_tell_version, is_eager=True, help="Show the version and leave.")
    ] = False,
) -> None:
    """Nothing of its own: options before a command."""


for part in (system, onboarding, asking, model, receipts, usage, keys, recovery, flagship, maintenance, demo):
    part.register(app)


def main() -> None:
    """The console script. Whatever it writes is for its owner alone."""
    os.umask(0o077)
    app()
