"""The configuration, strict and typed: models.yaml, router.yaml and prices.yaml; reloadable, never worse than before.

config = load_config(settings.config_dir())
store = ConfigStore(settings.config_dir()); store.current.router.deadline_s; store.reload(); store.problem
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from pydantic import BaseModel

from lancelot.config_models import (
    AUTO,
    ModelEntry,
    ModelsConfig,
    ProviderEntry,
    ProviderName,
    checked_base_url,
    key_may_travel,
)
from lancelot.config_prices import ModelPrice, PricesConfig, PriceTier
from lancelot.config_router import (
    AllowEntry,
    BreakerConfig,
    Budget,
    BudgetsConfig,
    EscalationConfig,
    GatewayConfig,
    KeepLocalRule,
    LaneRule,
    ParkRule,
    PowerConfig,
    PressureConfig,
    RedactionConfig,
    RedactionPolicy,
    RiskRule,
    RouterConfig,
    ThresholdsConfig,
)
from lancelot.config_yaml import parse_yaml, read_yaml
from lancelot.errors import BadConfig, LancelotError, NotFound
from lancelot.files import Disk, keep_copies, write_atomic

__all__ = [
    "AUTO",
    "FILES",
    "AllowEntry",
    "BreakerConfig",
    "Budget",
    "BudgetsConfig",
    "Config",
    "ConfigStore",
    "EscalationConfig",
    "GatewayConfig",
    "KeepLocalRule",
    "LaneRule",
    "ModelEntry",
    "ModelPrice",
    "ModelsConfig",
    "ParkRule",
    "PowerConfig",
    "PressureConfig",
    "PriceTier",
    "PricesConfig",
    "ProviderEntry",
    "ProviderName",
    "RedactionConfig",
    "RedactionPolicy",
    "RiskRule",
    "RouterConfig",
    "ThresholdsConfig",
    "checked_base_url",
    "key_may_travel",
    "load_config",
]

FILES: Final[dict[str, type[BaseModel]]] = {
    "models.yaml": ModelsConfig,
    "router.yaml": RouterConfig,
    "prices.yaml": PricesConfig,
}
KEPT_COPIES = 5


@dataclass(frozen=True, slots=True)
class Config:
    """The three files together; immutable, so a reader keeps one consistent picture."""

    models: ModelsConfig
    router: RouterConfig
    prices: PricesConfig


def load_config(folder: Path) -> Config:
    """The configuration of a folder.

    Raises:
        BadConfig: a file is missing or wrong; names file, line and key.
    """
    return Config(
        models=read_yaml(folder / "models.yaml", ModelsConfig),
        router=read_yaml(folder / "router.yaml", RouterConfig),
        prices=read_yaml(folder / "prices.yaml", PricesConfig),
    )


class ConfigStore:
    """The configuration in force. Thread-safe; a bad edit keeps the old one and says why.

    Attributes:
        current: the configuration in force.
        problem: why the newest edit is not in force, or None.

    Raises:
        BadConfig: at the start there is no good configuration to keep.
    """

    def __init__(self, folder: Path, *, disk: Disk | None = None) -> None:
        self.folder = folder
        self.problem: BadConfig | None = None
        self._disk = disk
        self._lock = threading.Lock()
        self._seen = self._stamp()
        self._listeners: list[Callable[[Config], None]] = []
        self.current = load_config(folder)

    def on_change(self, listener: Callable[[Config], None]) -> None:
        """Call listener with each new configuration that comes into force."""
        self._listeners.append(listener)

    def reload(self) -> Config:
        """Read the files again; the configuration in force afterwards."""
        with self._lock:
            self._seen = self._stamp()
            try:
                fresh = load_config(self.folder)
            except BadConfig as problem:
                self.problem = problem
                return self.current
            self.problem = None
            changed = fresh != self.current
            self.current = fresh
        if changed:
            for listener in self._listeners:
                listener(fresh)
        return fresh

    def reload_if_changed(self) -> Config:
        """The same, but only when a file's time or size has changed; cheap enough for every few seconds."""
        return self.reload() if self._stamp() != self._seen else self.current

    def text(self, name: str) -> str:
        """A file as it stands on disk.

        Raises:
            NotFound: there is no such configuration file.
        """
        return (self._path(name)).read_text("utf-8")

    def check(self, name: str, text: str) -> None:
        """Raise BadConfig when text would not do as the file called name; changes nothing."""
        parse_yaml(text.encode(), FILES[self._path(name).name], name)

    def save(self, name: str, text: str) -> Config:
        """Check, keep the newest older copies (name.1 … name.5), replace the file atomically and put it in force.

        Raises:
            BadConfig: it would not do; the file is untouched.
            StoreError: it could not be written; the file is untouched.
        """
        self.check(name, text)
        path = self._path(name)
        keep_copies(path, KEPT_COPIES, disk=self._disk)
        write_atomic(path, text.encode(), mode=0o644, disk=self._disk)
        return self.reload()

    def undo(self, name: str) -> Config:
        """Put the newest older copy of a file back in force (undo of an undo brings the edit back).

        Raises:
            NotFound: there is no older copy.
        """
        return self.save(name, self.copy_text(name, 1))

    def copies(self, name: str) -> list[tuple[int, float]]:
        """(number, Unix seconds) of the older copies of a file, newest first."""
        paths = [(number, self._path(name).with_name(f"{name}.{number}")) for number in range(1, KEPT_COPIES + 1)]
        return [(number, path.stat().st_mtime) for number, path in paths if path.exists()]

    def copy_text(self, name: str, number: int) -> str:
        """An older copy of a file.

        Raises:
            NotFound: there is none under this number.
        """
        older = self._path(name).with_name(f"{name}.{number}")
        if not 1 <= number <= KEPT_COPIES or not older.exists():
            raise NotFound(f"There is no older copy {number} of {name}.", hint="Nothing has been changed.")
        return older.read_text("utf-8")

    def status(self) -> dict[str, object]:
        """{"folder", "price_version", "problem": {"code", "title", "hint", …} | None} for pages and routes."""
        problem: LancelotError | None = self.problem
        return {
            "folder": str(self.folder),
            "price_version": self.current.prices.version,
            "problem": problem.to_dict() if problem else None,
        }

    def _path(self, name: str) -> Path:
        if name not in FILES:
            raise NotFound(f"There is no configuration file {name!r}.", hint=f"It is one of {', '.join(FILES)}.")
        return self.folder / name

    def _stamp(self) -> tuple[tuple[int, int], ...]:
        stamps = []
        for name in FILES:
            try:
                stat = (self.folder / name).stat()
            except OSError:
                stamps.append((0, -1))
                continue
            stamps.append((stat.st_mtime_ns, stat.st_size))
        return tuple(stamps)
