"""The local model as one process has it: the service in a child process or elsewhere, its client, its upkeep, its tier.

With `LANCELOT_LOCAL_LLM_URL` somebody else runs the service (a container); then it is asked and never started here.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

from lancelot.brain.client import LocalModelClient
from lancelot.brain.supervisor import Supervisor
from lancelot.brain.tuner import Tuner
from lancelot.errors import NotReady
from lancelot.onboarding.seams import Progress
from lancelot.onboarding.tiers import TierSwitch
from lancelot.redaction.labels import Span
from lancelot.store.database import Database
from lancelot.upkeep import Teller, Upkeep, Work
from local_models.lockfile import load_lock
from local_models.tier import chosen_model

__all__ = ["LocalModel"]


class LocalModel:
    """One process's local model.

    Args:
        data_dir: where models and the service's files are.
        database: keeps the exams' results.
        masked: what a service beyond this machine is shown of a text, unless the operator trusts it.

    Attributes:
        client: asks the service. supervisor: runs it. upkeep: tunes and examines it.
        external: whether somebody else runs the service.
        tiers: changes which model runs; set once the set-up is there.
    """

    tiers: TierSwitch

    def __init__(self, data_dir: Path, database: Database, masked: Callable[[str], str]) -> None:
        models, lock = data_dir / "models", load_lock()
        self.supervisor = Supervisor(data_dir=data_dir)
        self.upkeep = Upkeep(self.supervisor, database, Tuner(models), lambda: chosen_model(lock, models).id)
        self._elsewhere = os.environ.get("LANCELOT_LOCAL_LLM_URL") or None
        self._problem: str | None = None  # of a service that somebody else runs
        trusted = os.environ.get("LANCELOT_LOCAL_LLM_TRUSTED", "").lower() in ("1", "true", "yes", "on")
        self.client = LocalModelClient(self._elsewhere or self._own_url, trusted=trusted or None, redact=masked)

    @property
    def external(self) -> bool:
        return self._elsewhere is not None

    @property
    def asleep(self) -> bool:
        """Whether it is ours to start and does not answer yet."""
        return not self.external and self.supervisor.base_url is None

    def missing(self) -> str | None:
        """Why it cannot be asked now, in words; None when it can."""
        if self.external:
            return f"the local model does not answer at {self._elsewhere}" if self._problem else None
        return f"the local model is {self.supervisor.status().state}" if self.asleep else None

    def status(self) -> dict[str, Any]:
        """Its service: state, address, process, restarts, weight format."""
        if not self.external:
            return self.supervisor.status().to_dict()
        if self._problem:
            return {"state": "unreachable", "base_url": self._elsewhere, "last_error": self._problem}
        return {"state": "external", "base_url": self._elsewhere}

    async def look(self) -> None:
        """Find out whether a service that somebody else runs answers."""
        if self.external:
            found = await self.client.health()
            self._problem = None if found["status"] == "ready" else f"it is {found['status']}"

    def start(self, *, again: bool = False) -> None:
        """Start its service, or start it again; returns at once."""
        if again:
            self.supervisor.restart()
        else:
            self.supervisor.start()

    def chat_url(self) -> str:
        """The address of its OpenAI-compatible side; it may come back on another port, so ask each time.

        Raises:
            NotReady: it is not running.
        """
        base = self._elsewhere or self._own_url()
        if base is None:
            raise NotReady("The local model is not running.", code="local_model_unavailable")
        return base if base.rstrip("/").endswith("/v1") else f"{base.rstrip('/')}/v1"

    def spans(self, text: str) -> list[Span]:
        """What it takes for private in a text, for the thorough mode."""
        found = self.client.redact_spans_sync(text)
        return [Span(span["start"], span["end"], span["label"], "model") for span in found]

    def window(self) -> tuple[str, int] | None:
        """(name, context in tokens) of the model that runs; None while that is not known."""
        name, context = self.client.model_id, self.client.context
        return (name, context) if name is not None and context is not None else None

    def change_tier(self, model_id: str, *, consent: bool = False, fetch: bool = True) -> dict[str, Any]:
        """Install another model, or take one that is installed; waits for the end.

        Raises:
            Conflict: upkeep runs, or the model is not installed. LancelotError: what went wrong; nothing changed then.
        """
        return self.upkeep.carry_out("install", self._tier_work(model_id, consent, fetch))

    def begin_tier(self, model_id: str, *, consent: bool = False, fetch: bool = True) -> None:
        """The same in the background; `upkeep.job` follows it."""
        self.upkeep.begin_work("install", self._tier_work(model_id, consent, fetch))

    def _tier_work(self, model_id: str, consent: bool, fetch: bool) -> Work:
        def work(tell: Teller, stop: Callable[[], bool]) -> dict[str, Any]:
            def report(progress: Progress) -> None:
                tell(progress.done or 0, progress.total, progress.detail)

            if fetch:
                return self.tiers.install(model_id, report, consent=consent, stop=stop)
            return self.tiers.use(model_id, report)

        return work

    def _own_url(self) -> str | None:
        return self.supervisor.base_url
