"""flagship show, change, undo: the one provider for hard questions; another one, or another key."""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Annotated, Any

import typer

from lancelot.cli.connect import connect
from lancelot.cli.onboarding import Provider
from lancelot.cli.output import NEEDS_PERSON, Out, command
from lancelot.cli.recovery import when
from lancelot.errors import BadInput

__all__ = ["register"]


def show(out: Out) -> int:
    """The flagship in use, where its key is, and the changes before."""
    with connect() as server:
        found = server.get("/system/flagship")
    chosen, key = found["flagship"], found["credentials"] or {}
    lines = ["No flagship yet: the set-up asks for it."]
    if chosen is not None:
        lines = [f"flagship  {chosen['title']}" + (f" at {chosen['base_url']}" if chosen["base_url"] else "")]
        lines.append(
            f"key       {key.get('mask') or ''} {key.get('source') or ''} {key.get('env_name') or ''}".rstrip()
        )
    lines += [f"before    {one['id']}  {when(one['at'])}  {one['why']}" for one in found["past"]]
    out.result(found, lines)
    return 0


def change(
    out: Out,
    provider: Annotated[Provider, typer.Option(help="The one flagship provider.")],
    base_url: Annotated[str | None, typer.Option(help="Self-hosted only: any OpenAI-compatible address.")] = None,
    key_env: Annotated[str | None, typer.Option(help="Environment variable that holds the key from now on.")] = None,
    key_stdin: Annotated[
        bool, typer.Option("--key-stdin", help="Read the key from standard input, and store it.")
    ] = False,
    stored: Annotated[bool, typer.Option("--stored", help="Use the key stored for this provider earlier.")] = False,
    yes: Annotated[bool, typer.Option("--yes", help="Put it in force.")] = False,
) -> int:
    """Another provider, address or key: tried out first, then shown as a difference; with --yes it is put in force."""
    wanted: dict[str, Any] = {"provider": provider, "base_url": base_url, "env_name": key_env, "use_stored": stored}
    if key_stdin:
        typed = sys.stdin.readline().strip()
        if not typed:
            raise BadInput("There is no key on standard input.", code="key_missing", hint="One line, the key alone.")
        wanted["key"] = typed
    with connect() as server:
        proposal = server.post("/system/flagship/propose", wanted)
        if not yes:
            out.result(proposal, [*proposal["found"], *(proposal["diff"].splitlines() or ["Nothing would change."])])
            out.note("It would do; nothing was changed. Run it again with --yes to put it in force.")
            return NEEDS_PERSON
        told = server.post("/system/flagship/save", {"id": proposal["id"]})
    out.result(proposal | told, [*proposal["diff"].splitlines(), str(told["text"])])
    return 0


def back(
    out: Out, id: Annotated[str | None, typer.Argument(help="Which change; the newest when none is named.")] = None
) -> int:
    """Bring back the flagship and the key that a change replaced."""
    with connect() as server:
        told = server.post("/system/flagship/undo", {"id": id})
    out.result(told, str(told["text"]))
    return 0


def register(app: typer.Typer) -> None:
    """The group flagship."""
    group = typer.Typer(help="The one provider for hard questions: another one, or another key.", no_args_is_help=True)
    functions: dict[str, Callable[..., int]] = {"show": show, "change": change, "undo": back}
    for name, function in functions.items():
        command(group, name)(function)
    app.add_typer(group, name="flagship")
