"""Fakes for onboarding's declared seams: clock, provider, model, sender. Files are real."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from pydantic import SecretStr

from lancelot.comms import Channel, CommsFailed, Terminal
from lancelot.credentials import Credentials
from lancelot.errors import BadInput, LancelotError
from lancelot.files import Disk, write_atomic
from lancelot.onboarding.flow import OnboardingFlow
from lancelot.onboarding.progress import InlineRunner
from lancelot.onboarding.seams import Deps, ModelCard, Preflight, Progress, ProviderSheet, Runner
from lancelot.onboarding.snapshot import ConsentClaim, Flagship
from local_models.tier import Tier

WEIGHTS = b"GGUF" + bytes(range(256)) * 64
GOOD_KEY = "sk-test-" + "k" * 32


class FakeClock:
    """A clock a test sets; `pass_time` moves both clocks, `set_wall` only the wall, `reboot` starts a new boot."""

    def __init__(self, wall: float = 1_800_000_000.0) -> None:
        self._wall, self._boot, self._boots = wall, 1000.0, 1

    def wall(self) -> float:
        return self._wall

    def boot(self) -> float:
        return self._boot

    def boot_id(self) -> str:
        return f"boot-{self._boots}"

    def pass_time(self, seconds: float) -> None:
        self._wall += seconds
        self._boot += seconds

    def set_wall(self, wall: float) -> None:
        self._wall = wall

    def reboot(self, off_s: float = 5.0) -> None:
        self._boots += 1
        self._boot = 1.0
        self._wall += off_s


class FakeDoor:
    """Four providers; `accepts` are the good keys, `fails` the error of the next calls."""

    def __init__(self) -> None:
        self.accepts = {GOOD_KEY}
        self.fails: LancelotError | None = None
        self.calls: list[tuple[str, str | None]] = []
        self.models = ["fast-1", "deep-1"]

    def sheets(self) -> Sequence[ProviderSheet]:
        named = [("openai", "OpenAI"), ("anthropic", "Anthropic"), ("gemini", "Google Gemini")]
        return [ProviderSheet(n, t, "fast-1", "deep-1", f"{n.upper()}_API_KEY", True) for n, t in named] + [
            ProviderSheet("selfhosted", "Self-hosted", "auto", "auto", "LANCELOT_SELFHOSTED_KEY", False)
        ]

    def list_models(self, flagship: Flagship, key: SecretStr | None) -> list[str]:
        from lancelot.errors import ProviderAuth

        plain = key.get_secret_value() if key else None
        self.calls.append((flagship.provider, plain))
        if self.fails is not None:
            raise self.fails
        if flagship.provider != "selfhosted" and plain not in self.accepts:
            raise ProviderAuth()
        return list(self.models)


class FakeModel:
    """Weights in a real file, fetched in pieces; can fail, be killed half-way (resumes), and be corrupted by a test."""

    def __init__(self, data_dir: Path, disk: Disk | None = None) -> None:
        self.path = data_dir / "models" / "fake.gguf"
        self.partial = self.path.with_suffix(".partial")
        self.disk = disk or Disk()
        self.fails: LancelotError | None = None
        self.service_fails: LancelotError | None = None
        self.running = False
        self.fetched = 0
        self.starts = 0

    def card(self) -> ModelCard:
        return ModelCard(
            id="fake-1m",
            publisher="Nobody",
            file="fake.gguf",
            bytes=len(WEIGHTS),
            sha256=hashlib.sha256(WEIGHTS).hexdigest(),
            licence="Apache-2.0",
            licence_url="https://www.apache.org/licenses/LICENSE-2.0",
            sources=("file fake.gguf",),
            min_memory_mb=1,
            context=128,
        )

    @property
    def choice_file(self) -> Path:
        return self.path.with_name("chosen.json")

    def tiers(self) -> list[Tier]:
        card = self.card()
        made = Tier(
            id=card.id,
            title="Fake",
            publisher=card.publisher,
            licence=card.licence,
            licence_url=card.licence_url,
            bytes=card.bytes,
            sha256=card.sha256,
            min_memory_mb=card.min_memory_mb,
            context=card.context,
            recommended="tests",
            state="installed" if self.path.exists() else "available",
            missing=(),
            chosen=True,
            suggested=True,
            fits=True,
        )
        return [made, replace(made, id="fake-9b", state="candidate", missing=("bytes",), chosen=False, suggested=False)]

    def choose(self, model_id: str | None) -> None:
        if model_id is None:
            self.choice_file.unlink(missing_ok=True)
        elif model_id != self.card().id:
            raise BadInput(f"No model {model_id} in the lock file.", code="unknown_model")

    def preflight(self) -> Sequence[Preflight]:
        return [Preflight("disk", "Disk", "enough")]

    def verified(self, *, thorough: bool = False) -> bool:
        return self.path.is_file() and self.path.read_bytes() == WEIGHTS

    def install(self, consent: ConsentClaim, report: Callable[[Progress], None], stop: Callable[[], bool]) -> None:
        self.path.parent.mkdir(parents=True, exist_ok=True)
        have = self.partial.read_bytes() if self.partial.exists() else b""
        if have != WEIGHTS[: len(have)]:
            have = b""
        while len(have) < len(WEIGHTS):
            if self.fails is not None and len(have) >= len(WEIGHTS) // 2:
                raise self.fails
            if stop():
                return
            piece = WEIGHTS[len(have) : len(have) + 4096]
            with self.partial.open("ab" if have else "wb") as file:
                file.write(piece)
            self.fetched += len(piece)
            have += piece
            report(Progress("download", "fetching", len(have), len(WEIGHTS), 1e6, 0.0))
        write_atomic(self.path, have, disk=self.disk)
        self.partial.unlink()

    def start(self) -> None:
        if self.service_fails is not None:
            raise self.service_fails
        self.starts += not self.running
        self.running = True

    def restart(self) -> None:
        self.running = False
        self.start()

    def smoke(self) -> str:
        if not self.running:
            raise LancelotError("The service does not answer.")
        return "3 of 3 answers as expected"

    def set_aside(self) -> Path | None:
        if not self.path.exists() or self.verified():
            return None
        aside = self.path.with_suffix(".bad")
        self.path.rename(aside)
        return aside


class FakeSender:
    """An outbox instead of a network."""

    def __init__(self) -> None:
        self.sent: list[tuple[str, str]] = []
        self.fails = False

    def send(self, channel: Channel, title: str, body: str) -> None:
        if self.fails:
            raise CommsFailed()
        self.sent.append((channel.url.get_secret_value(), body))


class World:
    """One machine: a data folder, a clock, a provider, a model; processes (flows) come and go on it."""

    def __init__(
        self,
        data_dir: Path,
        *,
        disk: Disk | None = None,
        table: object = None,
        runner: Runner | None = None,
        model: Callable[[World], Any] | None = None,
    ) -> None:
        self.data_dir = data_dir
        self.clock, self.door, self.sender = FakeClock(), FakeDoor(), FakeSender()
        self.disk = disk or Disk()
        self.model: Any = model(self) if model else FakeModel(data_dir, self.disk)
        self.environment: dict[str, str] = {}
        self.lines: list[str] = []
        self.table, self.runner = table, runner
        self.flow = self.boot()

    def boot(self) -> OnboardingFlow:
        """A fresh process on the same folder."""
        self.model.running = False
        self.flow = OnboardingFlow(
            Deps(
                data_dir=self.data_dir,
                providers=self.door,
                model=self.model,
                extra_checks={"database": lambda: "fine", "journal": lambda: "fine"},
                canary=lambda flagship: "nothing got out",
                clock=self.clock,
                disk=self.disk,
                sender=self.sender,
                terminal=Terminal(self.lines.append),
                credentials=Credentials(self.data_dir, disk=self.disk, environment=self.environment),
                runner=self.runner or InlineRunner(),
                table=self.table,
            )
        )
        self.flow.open()
        return self.flow

    @property
    def credentials_path(self) -> Path:
        return self.data_dir / "credentials.json"

    def last_code(self) -> str:
        """The newest code that was shown or sent anywhere."""
        text = self.lines[-1] if self.lines else self.sender.sent[-1][1]
        found = re.search(r"\b(\d{6})\b", text)
        assert found
        return found[1]

    def go_to(self, state: str, provider: str = "selfhosted") -> None:
        """Answer the questions until the state is reached."""
        answers = {
            "WELCOME": {},
            "FLAGSHIP_SELECTION": {"provider": provider},
            "CREDENTIALS_CAPTURE": {} if provider == "selfhosted" else {"key": GOOD_KEY},
            "CREDENTIALS_VERIFY": {},
            "LOCAL_UTILITY_SETUP": {"consent": True},
            "COMMS_SELECTION": {"channel": "local"},
            "COMMS_CONFIGURE": {},
            "COMMS_VERIFY": None,
            "FINAL_CHECKS": {},
        }
        for _ in range(20):
            here = str(self.flow.state)
            if here == state:
                return
            answer = answers[here]
            self.flow.submit(here, {"code": self.last_code()} if answer is None else answer)
        raise AssertionError(f"{state} was not reached; the set-up is at {self.flow.state}")
