"""The states of the local service, and which may follow which."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from enum import StrEnum
from typing import Any

__all__ = ["TRANSITIONS", "BrainState", "BrainStatus"]


class BrainState(StrEnum):
    """absent: no weights. failed: it keeps failing; we go on trying, slowly, and say why."""

    ABSENT = "absent"
    STOPPED = "stopped"
    STARTING = "starting"
    READY = "ready"
    RESTARTING = "restarting"
    FAILED = "failed"


S = BrainState
TRANSITIONS: dict[BrainState, frozenset[BrainState]] = {
    S.STOPPED: frozenset({S.ABSENT, S.STARTING}),
    S.ABSENT: frozenset({S.STOPPED, S.STARTING}),
    S.STARTING: frozenset({S.READY, S.RESTARTING, S.FAILED, S.STOPPED}),
    S.READY: frozenset({S.RESTARTING, S.STOPPED}),
    S.RESTARTING: frozenset({S.STARTING, S.ABSENT, S.STOPPED, S.FAILED}),
    S.FAILED: frozenset({S.STARTING, S.ABSENT, S.STOPPED}),
}


@dataclass(frozen=True, slots=True)
class BrainStatus:
    """The local service as a person sees it. since: Unix seconds of the last change; rss_mb: MiB in memory.

    restarts counts the times it had to be started again because it died or hung, since this process began.
    """

    state: BrainState
    since: float
    base_url: str | None = None
    pid: int | None = None
    restarts: int = 0
    last_error: str | None = None
    model_id: str | None = None
    weight_format: str | None = None
    rss_mb: float | None = None

    def to_dict(self) -> dict[str, Any]:
        """JSON-safe, state as its word."""
        return asdict(self) | {"state": self.state.value}
