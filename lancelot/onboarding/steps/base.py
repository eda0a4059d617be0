"""What a step is: it looks, it may work for a while, and it returns a result. Only the flow moves the state."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar, Protocol

from pydantic import BaseModel, ConfigDict

from lancelot.credentials import Credentials
from lancelot.errors import LancelotError
from lancelot.onboarding.checks import Check
from lancelot.onboarding.clocks import Moment
from lancelot.onboarding.proofs import Proofs
from lancelot.onboarding.seams import Deps, Progress
from lancelot.onboarding.snapshot import OnboardingSnapshot
from lancelot.onboarding.states import State

__all__ = ["Context", "Cool", "Done", "Form", "Result", "Stay", "Step", "Work"]


@dataclass(frozen=True, slots=True)
class Done:
    """The step is finished; the changes go into the same write as the move."""

    changes: Mapping[str, Any] = field(default_factory=dict)
    note: str = ""


@dataclass(frozen=True, slots=True)
class Work:
    """Accepted; the step's long work begins (or goes on)."""

    changes: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Stay:
    """The step is not finished: the person reads the error and may try again."""

    error: LancelotError
    changes: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Cool:
    """Too many wrong codes: a wait begins."""

    error: LancelotError
    changes: Mapping[str, Any] = field(default_factory=dict)


Result = Done | Work | Stay | Cool


class Form(BaseModel):
    """What a step's submit takes. Unknown fields are refused by name."""

    model_config = ConfigDict(extra="forbid", hide_input_in_errors=True)

    def replaces(self, context: Context) -> bool:
        """Whether this answer stops the work that a former one began, to begin it differently."""
        return False


@dataclass(frozen=True, slots=True)
class Context:
    """What a step may look at. `stop()` is true when its work is no longer wanted; `send_code()` issues a fresh code,
    puts its limits on disk and sends it (raises LancelotError)."""

    deps: Deps
    snapshot: OnboardingSnapshot
    credentials: Credentials
    proofs: Proofs
    now: Moment
    report: Callable[[Progress], None]
    stop: Callable[[], bool]
    send_code: Callable[[], None]
    checks: Callable[[], Sequence[Check]]


class Step(Protocol):
    """One state's step.

    Attributes:
        automatic: its work begins when the state is entered by a finished step, without a person.
    """

    state: ClassVar[State]
    title: ClassVar[str]
    automatic: ClassVar[bool]
    form: ClassVar[type[Form]]

    def accept(self, form: Any, context: Context) -> Result:
        """Quick: checks what the person submitted. Called under the flow's lock."""
        ...

    def work(self, context: Context) -> Result:
        """Long: runs on a thread of its own, without the lock; returns Done, Stay or Cool."""
        ...
