"""Provider keys and channel addresses: kept in one file only the owner may read, masked wherever they are shown."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Literal, NamedTuple

from pydantic import BaseModel, ConfigDict, Field, SecretStr, ValidationError

from lancelot.errors import BadInput, StoreError
from lancelot.files import Disk, keep_copies, read_or_none, write_atomic

__all__ = ["Credentials", "KeptKey", "clean_key", "mask"]

COPIES = 1
LONGEST_KEY = 4096
_SHOWN_TAIL = 4


class _Entry(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)

    key: str | None = None
    env: str | None = None
    next: _Entry | None = None  # what may take its place: see `offer`

    @property
    def alone(self) -> _Entry:
        return self.model_copy(update={"next": None})


class KeptKey(NamedTuple):
    """One key of a provider: where it comes from, the environment variable it is taken from, the key itself."""

    source: Literal["stored", "environment", "none"]
    env_name: str | None
    key: SecretStr | None


class _File(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)

    version: Literal[1] = 1
    providers: dict[str, _Entry] = Field(default_factory=dict)
    comms_url: str | None = None


def mask(secret: str | SecretStr | None) -> str:
    """What may be shown of a secret: dots and its last four characters, or dots alone when it is short."""
    if secret is None:
        return ""
    plain = secret.get_secret_value() if isinstance(secret, SecretStr) else secret
    return "••••" + (plain[-_SHOWN_TAIL:] if len(plain) >= 16 else "")


def clean_key(typed: str) -> str:
    """The key a person typed or pasted, without the blanks around it.

    Raises:
        BadInput: it is empty, too long, or holds characters no key has; code `key_malformed`.
    """
    key = typed.strip()
    if not key:
        raise BadInput("No key was given.", hint="Paste the key from the provider's console.", code="key_malformed")
    if len(key) > LONGEST_KEY or not re.fullmatch(r"[\x21-\x7e]+", key):
        raise BadInput(
            "This does not look like a key: it holds blanks, line breaks or characters no key has.",
            hint="Paste the key alone, on one line.",
            code="key_malformed",
        )
    return key


class Credentials:
    """The keys of one data folder, in credentials.json (mode 0600) with one older copy.

    Args:
        data_dir: the data folder.
        disk: the file operations; tests hand in their own.
        environment: where keys named by variable are looked up.
    """

    def __init__(
        self, data_dir: Path, *, disk: Disk | None = None, environment: Mapping[str, str] | None = None
    ) -> None:
        self.path = data_dir / "credentials.json"
        self._disk = disk or Disk()
        self._environment = os.environ if environment is None else environment

    @staticmethod
    def readable(content: bytes) -> None:
        """Raise ValueError when a file's content is damaged."""
        if _parsed(content) is None:
            raise ValueError("damaged")

    def get(self, provider: str) -> SecretStr | None:
        """The provider's key, from the file or from the environment variable the file names; None without one."""
        return self._kept(self._entry(provider)).key

    def source(self, provider: str) -> str | None:
        """Where the key comes from: "stored", "environment", or None when there is no entry."""
        found = self._kept(self._entry(provider)).source
        return None if found == "none" else found

    def env_name(self, provider: str) -> str | None:
        """The environment variable the provider's key is taken from, or None."""
        return self._entry(provider).env

    def put(self, provider: str, key: str | SecretStr) -> None:
        """Store a key durably.

        Raises:
            BadInput: it cannot be a key.
            StoreError, DiskFull: it was not stored; the old one stays.
        """
        plain = key.get_secret_value() if isinstance(key, SecretStr) else key
        self._set(provider, _Entry(key=clean_key(plain)))

    def put_env(self, provider: str, name: str) -> None:
        """Take the provider's key from the environment variable from now on.

        Raises:
            BadInput: the variable's name is malformed, or it is not set in this process.
        """
        if not re.fullmatch(r"[A-Za-z_][A-Za-z0-9_]{0,127}", name):
            raise BadInput("This is not the name of an environment variable.", code="env_name_malformed")
        if not self._environment.get(name, "").strip():
            raise BadInput(
                f"The environment variable {name} is not set where Lancelot runs.",
                hint=f"Start Lancelot with {name} set, or enter the key instead.",
                code="env_not_set",
            )
        clean_key(self._environment[name])
        self._set(provider, _Entry(env=name))

    def in_environment(self, name: str) -> bool:
        """Whether the variable is set in this process."""
        return bool(self._environment.get(name, "").strip())

    def forget(self, provider: str) -> None:
        """Remove the provider's entry, from the older copy too."""
        stored = self._load()
        if provider in stored.providers:
            rest = {name: entry for name, entry in stored.providers.items() if name != provider}
            self._save(stored.model_copy(update={"providers": rest}))
            self._drop_copy()

    # -- one key in place of another, so that a kill at any moment leaves the one that is spoken of

    def draft(self, content: bytes | None = None) -> Credentials:
        """The same keys, or those of an older file, in memory: what is put there reaches no disk.

        Raises:
            StoreError: the older file is damaged.
        """
        found = self._load() if content is None else _parsed(content)
        if found is None:
            raise StoreError("The kept copy of the keys is damaged.", code="copy_damaged")
        return _Draft(self, found)

    def offer(self, provider: str, drafted: Credentials) -> None:
        """Write the key of a draft beside the present one; `settle` says which of the two stays.

        Raises:
            StoreError, DiskFull: it was not written; the old one stays.
        """
        present, fresh = self._entry(provider).alone, drafted._entry(provider).alone
        if fresh != present:
            self._set(provider, present.model_copy(update={"next": fresh}))

    def candidates(self, provider: str) -> tuple[KeptKey, ...]:
        """The provider's key, and after it the one that is offered in its place, if any."""
        entry = self._entry(provider)
        return tuple(self._kept(found) for found in (entry, entry.next) if found is not None)

    def unsettled(self) -> list[str]:
        """The providers with a key that was offered and not settled."""
        return [name for name, entry in self._load().providers.items() if entry.next is not None]

    def settle(self, provider: str, *, newer: bool) -> None:
        """End an offer: the newer key stays alone, or the older one."""
        entry = self._entry(provider)
        if entry.next is None:
            return
        stored, stays = self._load(), entry.next if newer else entry.alone
        rest = {name: found for name, found in stored.providers.items() if name != provider}
        kept = {provider: stays} if stays != _Entry() else {}
        self._save(stored.model_copy(update={"providers": rest | kept}))

    def mask(self, provider: str) -> str:
        """What may be shown of the provider's key; empty when there is none."""
        return mask(self.get(provider))

    def comms_url(self) -> SecretStr | None:
        """The address of the message channel; it may hold a password or token."""
        found = self._load().comms_url
        return SecretStr(found) if found else None

    def put_comms_url(self, url: str | SecretStr | None) -> None:
        """Store, or with None forget, the address of the message channel."""
        plain = url.get_secret_value() if isinstance(url, SecretStr) else url
        self._save(self._load().model_copy(update={"comms_url": plain}))

    def problem(self) -> str | None:
        """What is wrong with the file in plain words: wider permissions than 0600, damaged content. None when fine."""
        try:
            mode = self.path.stat().st_mode & 0o777
        except FileNotFoundError:
            return None
        except OSError as trouble:
            return f"credentials.json cannot be looked at: {trouble.strerror or trouble}."
        if mode & 0o077:
            return f"credentials.json may be read by others (mode {mode:04o}, should be 0600)."
        return None if self._parse(self.path) is not None else "credentials.json is damaged."

    def make_private(self) -> None:
        """Set the file's mode to 0600."""
        self.path.chmod(0o600)

    def restore_copy(self) -> bool:
        """Put the older copy in place of a damaged file; False when there is no good copy."""
        older = self._parse(self._copy())
        if older is None:
            return False
        self._write(older)
        return True

    def _entry(self, provider: str) -> _Entry:
        return self._load().providers.get(provider) or _Entry()

    def _kept(self, entry: _Entry) -> KeptKey:
        found = self._environment.get(entry.env, "").strip() if entry.env else entry.key
        source: Literal["stored", "environment", "none"] = (
            "environment" if entry.env else "stored" if entry.key is not None else "none"
        )
        return KeptKey(source, entry.env, SecretStr(found) if found else None)

    def _drop_copy(self) -> None:
        self._disk.unlink(self._copy())

    def _copy(self) -> Path:
        return self.path.with_name(f"{self.path.name}.1")

    def _set(self, provider: str, entry: _Entry) -> None:
        stored = self._load()
        self._save(stored.model_copy(update={"providers": {**stored.providers, provider: entry}}))

    def _save(self, content: _File) -> None:
        keep_copies(self.path, COPIES, disk=self._disk)
        self._write(content)

    def _write(self, content: _File) -> None:
        write_atomic(self.path, json.dumps(content.model_dump(exclude_none=True), indent=1).encode(), disk=self._disk)

    def _load(self) -> _File:
        """What is stored; a damaged file gives way to its older copy, and to nothing when that is damaged too."""
        return self._parse(self.path) or self._parse(self._copy()) or _File()

    def _parse(self, path: Path) -> _File | None:
        try:
            content = read_or_none(path)
        except OSError as problem:
            raise StoreError(
                f"{path.name} cannot be read: {problem.strerror or 'input/output error'}.",
                hint="Give the user that runs Lancelot the right to read it.",
            ) from problem
        return None if content is None else _parsed(content)


class _Draft(Credentials):
    """Keys in memory; a draft is thrown away or offered to the file it was made from."""

    def __init__(self, of: Credentials, content: _File) -> None:
        super().__init__(of.path.parent, environment=of._environment)
        self._content = content

    def _load(self) -> _File:
        return self._content

    def _save(self, content: _File) -> None:
        self._content = content

    def _drop_copy(self) -> None:
        return


def _parsed(content: bytes) -> _File | None:
    try:
        return _File.model_validate_json(content)
    except ValidationError:
        return None
