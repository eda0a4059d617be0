"""model: the local utility model, from its pins to its exam."""

from __future__ import annotations

import threading
import time
from pathlib import Path
from typing import Annotated, Any

import orjson
import typer

from lancelot.cli.connect import Connection, connect, running_server
from lancelot.cli.output import NEEDS_PERSON, Out, command
from lancelot.errors import BadInput, LancelotError
from lancelot.settings import data_dir
from local_models.consent import Consent
from local_models.fetch_events import FetchEvent, Progress, to_dict
from local_models.fetch_model import ensure_model, verify_model
from local_models.hardware import look_at_machine, suggest
from local_models.lockfile import PinnedModel, load_lock
from local_models.tier import chosen_model, tiers

__all__ = ["register"]

LOOK_EVERY_S = 0.5
COUNT_EVERY_S = 5.0
ModelId = Annotated[str | None, typer.Argument(metavar="MODEL", help="An id of `lancelot model list`.")]


def list_models(out: Out) -> int:
    """Every pinned model with size, memory, licence and use; the chosen and the suggested one are marked."""
    folder = data_dir() / "models"
    lock = load_lock()
    rows, suggestion = tiers(lock, folder), suggest(lock, look_at_machine(folder))
    lines = []
    for row in rows:
        mark = "*" if row.chosen else " "
        memory = f"{row.min_memory_mb} MB memory"
        lines.append(f"{mark} {row.id:<30} {_size(row.bytes):>9}  {memory:>14}  {row.licence}")
        lines += [f"    {row.recommended}", f"    {row.standing}"]
    lines.append(f"Suggested for this machine: {suggestion.model_id}. {suggestion.reason}")
    lines.append("* is the chosen one. `lancelot model install MODEL` installs another and takes it.")
    out.result({"models": [row.to_dict() for row in rows], "suggestion": suggestion.to_dict()}, lines)
    return 0


def _size(count: int | None) -> str:
    return "?" if count is None else f"{count / 1e6:.1f} MB"


def _pin(model: str | None) -> PinnedModel:
    lock = load_lock()
    return chosen_model(lock, data_dir() / "models") if model is None else lock.model(model)


def install(
    out: Out,
    model: ModelId = None,
    yes: Annotated[bool, typer.Option("--yes", help="Agree to the licence and the download.")] = False,
) -> int:
    """Install a pinned model and take it: asks for consent, resumes, checks size and SHA-256. The chosen one if none is
    named; another one is tried before it takes over."""
    pin = _pin(model)
    pin.require_installable()
    if not yes:
        out.note(f"{pin.id} by {pin.publisher}: {_size(pin.bytes)}, licence {pin.licence} ({pin.licence_url}).")
        if not typer.confirm("Download and install it?", err=True):
            return NEEDS_PERSON
    for event in ensure_model(pin, data_dir() / "models", consent=Consent.given(pin)):
        if out.as_json:
            out.line(to_dict(event))
        else:
            out.note(_words(event))
    if pin.id != _pin(None).id:
        out.note(f"{pin.id} is installed; trying it.")
        return use(out, pin.id)
    if running_server() is not None:
        with connect() as server:
            server.post("/system/model", {"action": "start"})
    out.note(f"{pin.id} is installed.")
    return 0


def followed(server: Connection, out: Out, wish: dict[str, Any]) -> dict[str, Any]:
    """Have something long done in the background, with what it tells on standard error; its result.

    Raises:
        LancelotError: it failed; code, title and hint are the job's.
    """
    job = server.post("/system/model", wish | {"background": True})["job"]
    pause, said, counted = threading.Event(), 0, 0.0
    while True:
        for line in job["lines"][said:]:
            out.note(f"  {line}")
        said = len(job["lines"])
        if job["total"] and time.monotonic() - counted > COUNT_EVERY_S:
            out.note(f"  {job['detail']}  {job['done'] / job['total']:.0%}")
            counted = time.monotonic()
        if not job["running"]:
            break
        pause.wait(LOOK_EVERY_S)
        job = server.get("/system/model")["job"]
    if job["error"]:
        raise LancelotError(job["error"]["title"], hint=job["error"]["hint"], code=job["error"]["code"])
    return dict(job["result"])


def use(out: Out, model: Annotated[str, typer.Argument(metavar="MODEL", help="An installed model.")]) -> int:
    """Run another installed model from now on. It is tried first; the old one runs on when it does not work."""
    with connect() as server:
        found = followed(server, out, {"action": "use", "model": model})
    out.result(found, f"{found['model']} is in use: {found['smoke']}.")
    return 0


def _words(event: FetchEvent) -> str:
    if isinstance(event, Progress):
        share = f"{event.done / event.total:6.1%} of {_size(event.total)}" if event.total else _size(event.done)
        left = f", {event.eta:.0f} s left" if event.eta is not None else ""
        return f"  {share} at {event.rate / 1e6:.1f} MB/s{left}"
    facts = to_dict(event)
    name = str(facts.pop("event")).replace("_", " ")
    return f"{name}: " + ", ".join(f"{key} {value}" for key, value in facts.items() if value is not None)


def verify(out: Out, model: ModelId = None) -> int:
    """Check the installed weights against the pinned size and SHA-256; exit 1 when they differ."""
    pin = _pin(model)
    good = verify_model(pin, data_dir() / "models")
    out.result(
        {"model": pin.id, "verified": good, "sha256": pin.sha256},
        f"{pin.id}: " + ("size and SHA-256 are the pinned ones." if good else "missing, or not the pinned file."),
    )
    return 0 if good else 1


def status(out: Out) -> int:
    """The local service: state, address, restarts, weight format."""
    with connect() as server:
        found = server.get("/system/status")["local_model"]
    out.result(found, [f"{name:<14} {value}" for name, value in found.items()])
    return 0


def tune(
    out: Out,
    show: Annotated[bool, typer.Option("--show", help="Show the last result; measure nothing.")] = False,
) -> int:
    """Measure weight formats of the installed model on this processor and keep the fastest that is as good."""
    with connect() as server:
        found = server.get("/system/model/tuning") if show else followed(server, out, {"action": "tune"})
    lines = [
        f"{row['format']:<8} prefill {row['prefill_tps']:>8.0f} tok/s  decode {row['decode_tps']:>7.0f} tok/s  "
        f"{row['verdict']}"
        for row in found.get("formats", [])
    ]
    out.result(found, lines or ["Not tuned yet. `lancelot model tune` measures."])
    return 0


def exam(
    out: Out,
    items: Annotated[
        Path | None, typer.Option(help="Any JSONL of {task, input, expected}; the golden set by default.", exists=True)
    ] = None,
) -> int:
    """Examine the local model on a golden set: scores a task, latency, tokens a second."""
    body: dict[str, Any] = {"action": "exam"}
    if items is not None:
        try:
            body["items"] = [orjson.loads(line) for line in items.read_bytes().splitlines() if line.strip()]
        except orjson.JSONDecodeError:
            raise BadInput(f"{items.name} is not JSONL.") from None
    with connect() as server:
        found = followed(server, out, body)
    lines = [f"{row['task']:<10} {row['score']:.3f}  ({row['items']} items)" for row in found["tasks"]]
    out.result(found, lines)
    return 0


def register(app: typer.Typer) -> None:
    group = typer.Typer(help="The local utility model.", no_args_is_help=True)
    command(group, "list")(list_models)
    for function in (install, use, verify, status, tune, exam):
        command(group)(function)
    app.add_typer(group, name="model")
