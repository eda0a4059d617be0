"""onboard, onboarding …, code: the whole set-up without a browser."""

from __future__ import annotations

import threading
from typing import Annotated, Any, Literal

import typer

from lancelot.cli.connect import Connection, connect
from lancelot.cli.output import NEEDS_PERSON, Out, command
from lancelot.errors import BadInput, LancelotError
from lancelot.settings import data_dir
from local_models.lockfile import load_lock
from local_models.tier import chosen_model

__all__ = ["register"]

LOOK_EVERY_S = 0.25
Provider = Literal["openai", "anthropic", "gemini", "selfhosted"]


class Wizard:
    """Answers each state's question from the options, and waits while long work goes on."""

    def __init__(self, server: Connection, out: Out, given: dict[str, Any]) -> None:
        self.server, self.out, self.given = server, out, given
        self._said = ""
        self._tried: dict[str, int] = {}

    def run(self) -> int:
        """0 at READY, 3 while a code is awaited.

        Raises:
            LancelotError: a step failed; what to do is in it.
        """
        pause = threading.Event()
        while True:
            found = self.server.get("/onboarding")
            state = found["state"]
            self._tell(found)
            if state == "READY":
                return 0
            if found["working"] or state == "COOLDOWN":
                pause.wait(LOOK_EVERY_S)
                continue
            if state == "COMMS_VERIFY" and not self._code(found):
                self.out.note("A code was sent. Run the same command with --code once you have it.")
                return NEEDS_PERSON
            self._refuse_endless(found)
            self.server.post("/onboarding/submit", {"state": state, "values": self._values(found)})

    def _refuse_endless(self, found: dict[str, Any]) -> None:
        """A step that failed is tried once more by running the command again, not by a loop."""
        state, problem = found["state"], found.get("problem")
        tried = self._tried.get(state, 0)
        if problem and tried:
            raise LancelotError(problem["title"], hint=problem["hint"], code=problem["code"])
        if tried > 1:
            raise LancelotError(f"The set-up does not get past {state}.", code="onboarding_stuck")
        self._tried[state] = tried + 1

    def _values(self, found: dict[str, Any]) -> dict[str, Any]:
        given, state = self.given, found["state"]
        if state == "FLAGSHIP_SELECTION":
            return {"provider": given["provider"]} | ({"base_url": given["base_url"]} if given["base_url"] else {})
        if state == "CREDENTIALS_CAPTURE":
            return self._key(found)
        if state == "LOCAL_UTILITY_SETUP":
            return {"consent": True} | ({"model_id": given["model"]} if given["model"] else {})
        if state == "COMMS_SELECTION":
            return {"channel": "local" if given["comms"] == "local" else "remote"}
        if state == "COMMS_CONFIGURE":
            return {} if given["comms"] == "local" else {"url": given["comms"]}
        if state == "COMMS_VERIFY":
            return {"code": self._code(found)}
        return {}

    def _key(self, found: dict[str, Any]) -> dict[str, Any]:
        if self.given["key_env"]:
            return {"env_name": self.given["key_env"]}
        if self.given["provider"] == "selfhosted":
            return {}
        flagship = found.get("flagship") or {}
        if flagship.get("key_env"):
            return {"env_name": flagship["key_env"]}
        raise BadInput("A key is needed.", hint="Name the environment variable that holds it with --key-env.")

    def _code(self, found: dict[str, Any]) -> str | None:
        if self.given["code"]:
            return str(self.given["code"])
        if self.given["comms"] == "local":
            return str(self.server.post("/onboarding/code")["code"])
        return None

    def _tell(self, found: dict[str, Any]) -> None:
        progress = found.get("progress") or {}
        words = f"{found['state']}"
        if progress.get("step"):
            words += f"  {progress['step']} {progress.get('detail') or ''}".rstrip()
        if progress.get("total"):
            words += f"  {progress['done'] / progress['total']:.0%}"
        if words != self._said:
            self.out.note(words)
            self._said = words


def onboard(
    out: Out,
    provider: Annotated[Provider, typer.Option(help="The one flagship provider.")],
    base_url: Annotated[str | None, typer.Option(help="Self-hosted only: any OpenAI-compatible address.")] = None,
    key_env: Annotated[str | None, typer.Option(help="Environment variable that holds the key.")] = None,
    comms: Annotated[
        str, typer.Option(help="local, or a channel's address (mailto://, ntfy://, https://…).")
    ] = "local",
    code: Annotated[str | None, typer.Option(help="The code a remote channel delivered.")] = None,
    model: Annotated[
        str | None, typer.Option(help="Local model, an id of `lancelot model list`; else the chosen or default one.")
    ] = None,
    yes: Annotated[bool, typer.Option("--yes", help="Agree to the local model's licence and download.")] = False,
) -> int:
    """Provision this machine to READY without a browser, with progress. Resumes; exit 3 while a code is awaited."""
    lock = load_lock()
    pin = lock.model(model) if model else chosen_model(lock, data_dir() / "models")
    size, _ = pin.require_installable()
    asked = f"Install the local utility model {pin.id} (a download of {size / 1e6:.0f} MB, {pin.licence})?"
    if not yes and not typer.confirm(asked, err=True):
        return NEEDS_PERSON
    given = {"provider": provider, "base_url": base_url, "key_env": key_env, "comms": comms, "code": code}
    given["model"] = model
    with connect() as server:
        result = Wizard(server, out, given).run()
        found = server.get("/onboarding")
    out.result({"state": found["state"]}, f"{found['state']}")
    return result


COMMANDS = {
    "status": "STATUS",
    "back": "BACK",
    "repair": "REPAIR",
    "restart-step": "RESTART STEP",
    "resend-code": "RESEND CODE",
    "undo": "UNDO",
}
HELP = {
    "status": "Where the set-up stands and what can be done.",
    "back": "Go back one step; nothing that was verified is lost.",
    "repair": "Find what is wrong, mend what can be mended, check again.",
    "restart-step": "Start the current step afresh.",
    "undo": "Take back the newest repair or reset.",
    "resend-code": "Send a fresh code (60 seconds apart, 3 times a code).",
}


def _send(out: Out, name: str, confirm: bool = False) -> int:
    with connect() as server:
        found = server.post("/onboarding/command", {"command": name, "confirm": confirm})
    out.result(found, str(found["text"]))
    return 0 if found["done"] or name == "STATUS" else 1


def reset(out: Out, yes: Annotated[bool, typer.Option("--yes", help="Really start over.")] = False) -> int:
    """Start over. A restorable copy is kept; receipts and verified weights stay."""
    if not yes:
        out.note("This starts the set-up over. Run it again with --yes to confirm; a restorable copy is kept.")
        return NEEDS_PERSON
    return _send(out, "RESET ONBOARDING", confirm=True)


def code(out: Out) -> int:
    """The code of the local channel; when the issuing process is gone a fresh one, counted as a resend."""
    with connect() as server:
        found = server.post("/onboarding/code")
    out.result(found, str(found["code"]))
    return 0


def register(app: typer.Typer) -> None:
    command(app)(onboard)
    group = typer.Typer(help="The recovery commands of the set-up.", no_args_is_help=True)
    for name, sent in COMMANDS.items():

        def run(out: Out, *, _sent: str = sent) -> int:
            return _send(out, _sent)

        run.__doc__ = HELP[name]
        command(group, name)(_only_out(run))
    command(group)(reset)
    app.add_typer(group, name="onboarding")
    command(app)(code)


def _only_out(function: Any) -> Any:
    """The same function without its default-bound parameter, so that it does not become an option."""

    def bare(out: Out) -> int:
        return int(function(out))

    bare.__doc__ = function.__doc__
    return bare
