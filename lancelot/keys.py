"""Who may call: the operator's token and the named application keys, hashed at rest."""

from __future__ import annotations

import hashlib
import hmac
import re
import secrets
import threading
from collections.abc import Sequence
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from lancelot.config import Budget
from lancelot.errors import BadConfig, BadInput, NotFound, TooMany
from lancelot.exposure import is_loopback
from lancelot.files import read_or_none, write_atomic
from lancelot.guesses import GuessLimit

__all__ = ["AppKey", "Caller", "Keys"]

LANES = ("local", "fast", "deep")
OURS, TOKEN = re.compile(r"lt_[A-Za-z0-9_-]{43}"), re.compile(r"[\x21-\x7e]{16,512}")
DOCTOR = "`lancelot doctor --fix` sets it aside and keeps it; a backup brings it back."


class AppKey(BaseModel):
    """One application's key: what it is called, what it may use, what it may spend. The secret is never kept."""

    model_config = ConfigDict(extra="forbid")

    id: str
    name: str
    sha256: str
    created: datetime
    lanes: list[str] = Field(default_factory=lambda: list(LANES))
    daily_usd: Decimal | None = None
    daily_tokens: int | None = None
    monthly_usd: Decimal | None = None
    monthly_tokens: int | None = None
    revoked: datetime | None = None

    def shown(self) -> dict[str, object]:
        """The key as lists and pages show it: everything but the hash."""
        return self.model_dump(mode="json", exclude={"sha256"})


class Caller(BaseModel):
    """Whoever presented a valid token. `key` is None for the operator."""

    key: AppKey | None = None

    @property
    def key_id(self) -> str | None:
        return self.key.id if self.key else None

    @property
    def lanes(self) -> Sequence[str]:
        return self.key.lanes if self.key else LANES


class _KeyFile(BaseModel):
    model_config = ConfigDict(extra="forbid")
    version: int = 1
    keys: list[AppKey] = Field(default_factory=list)


class Keys:
    """The operator's token (file `token`, mode 0600) and application keys (file `keys.json`, mode 0600)."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._guard = threading.Lock()
        self._stamp: tuple[int, int] | None = None
        self._known: list[AppKey] = []
        self._operator: str | None = None
        self._guesses = GuessLimit()
        self._used: set[str] = set()  # digests of tokens that have been right

    @staticmethod
    def readable_token(content: bytes) -> str:
        """The token in a file's content; empty in an empty file.

        Raises:
            BadConfig: it cannot be one, or is cut off.
        """
        found = content.strip().decode("ascii", "replace")
        if found and not (OURS if found.startswith("lt_") else TOKEN).fullmatch(found):
            raise BadConfig("The operator's token (file token) is damaged.", hint=DOCTOR)
        return found

    @staticmethod
    def readable(content: bytes) -> list[AppKey]:
        """The keys in a file's content.

        Raises:
            BadConfig: it is damaged.
        """
        try:
            return _KeyFile.model_validate_json(content).keys
        except ValidationError as problem:
            raise BadConfig("keys.json cannot be read: it is damaged or cut off.", hint=DOCTOR) from problem

    @staticmethod
    def _content(path: Path) -> bytes | None:
        try:
            return read_or_none(path)
        except OSError as problem:
            raise BadConfig(f"{path.name} cannot be read: {problem.strerror or problem}.", hint=DOCTOR) from problem

    def token(self) -> str:
        """The operator's bearer token; made on first use.

        Raises:
            BadConfig: the file is damaged. StoreError: it cannot be made.
        """
        with self._guard:
            if self._operator is None:
                path = self._folder / "token"
                kept = self._content(path)
                if kept and kept.strip():
                    self._operator = self.readable_token(kept)
                else:
                    self._operator = f"lt_{secrets.token_urlsafe(32)}"
                    write_atomic(path, f"{self._operator}\n".encode())
            return self._operator

    def write_anew(self) -> None:
        """Put the token that is in use back on disk, over a file that was damaged meanwhile."""
        if self._operator is not None:
            write_atomic(self._folder / "token", f"{self._operator}\n".encode())

    def rotate_token(self) -> str:
        """A new operator token; the old one stops working at once."""
        fresh = f"lt_{secrets.token_urlsafe(32)}"
        with self._guard:
            write_atomic(self._folder / "token", f"{fresh}\n".encode())
            self._operator = fresh
        return fresh

    def check(self, presented: str, address: str | None = None) -> Caller | None:
        """Whom a bearer token belongs to, or None. Compared in constant time.

        Args:
            address: who presents it. After 20 wrong tokens in a minute an address's tokens are not looked at any more,
                except those that were right before and, on this machine, the operator's: nobody can lock others out.

        Raises:
            TooMany: the address has guessed too often; `retry_after` says how long that lasts.
        """
        given = presented.encode("utf-8", "replace")
        digest = hashlib.sha256(given).hexdigest()
        operator = hmac.compare_digest(given, self.token().encode())
        wait_s = self._guesses.wait_s(address) if address else 0.0
        known = digest in self._used or (operator and is_loopback(address or ""))
        if wait_s and not known:
            raise TooMany("Too many wrong tokens from this address.", code="too_many_guesses", retry_after=wait_s)
        found: AppKey | None = None
        for key in () if operator else self._load():  # a damaged file of keys keeps the operator not out
            if hmac.compare_digest(key.sha256, digest) and key.revoked is None:
                found = key
        if operator or found:
            self._used.add(digest)
            return Caller(key=found)
        if address:
            self._guesses.wrong(address)
        return None

    def all(self) -> list[AppKey]:
        """All keys, revoked ones included, oldest first."""
        return [*self._load()]

    def budget_of(self, key_id: str) -> Budget | None:
        """The budget a named key was made with; None when it has none."""
        key = next((key for key in self._load() if key.id == key_id), None)
        if key is None or not any((key.daily_usd, key.daily_tokens, key.monthly_usd, key.monthly_tokens)):
            return None
        return Budget(
            daily_usd=key.daily_usd,
            daily_tokens=key.daily_tokens,
            monthly_usd=key.monthly_usd,
            monthly_tokens=key.monthly_tokens,
        )

    def add(
        self,
        name: str,
        *,
        lanes: Sequence[str] = LANES,
        daily_usd: Decimal | None = None,
        daily_tokens: int | None = None,
        monthly_usd: Decimal | None = None,
        monthly_tokens: int | None = None,
    ) -> tuple[AppKey, str]:
        """A new key and its secret, which is shown this once.

        Raises:
            BadInput: the name is empty or taken, or a lane is unknown.
        """
        name = name.strip()
        if not name or len(name) > 80:
            raise BadInput("A key needs a name of 1 to 80 characters.")
        unknown = [lane for lane in lanes if lane not in LANES]
        if unknown or not lanes:
            raise BadInput(f"Lanes are {', '.join(LANES)}; got {', '.join(unknown) or 'none'}.")
        if any(key.name == name and key.revoked is None for key in self._load()):
            raise BadInput(f"There is a key called {name} already.", hint="Choose another name, or revoke the old one.")
        secret = f"lk_{secrets.token_urlsafe(32)}"
        key = AppKey(
            id=f"key_{secrets.token_hex(6)}",
            name=name,
            sha256=hashlib.sha256(secret.encode()).hexdigest(),
            created=datetime.now(UTC),
            lanes=[lane for lane in LANES if lane in lanes],
            daily_usd=daily_usd,
            daily_tokens=daily_tokens,
            monthly_usd=monthly_usd,
            monthly_tokens=monthly_tokens,
        )
        with self._guard:
            self._save([*self._read(), key])
        return key, secret

    def revoke(self, id_or_name: str) -> AppKey:
        """Make a key useless at once; it stays listed.

        Raises:
            NotFound: no such key.
        """
        with self._guard:
            keys = self._read()
            for place, key in enumerate(keys):
                if id_or_name in (key.id, key.name) and key.revoked is None:
                    keys[place] = key.model_copy(update={"revoked": datetime.now(UTC)})
                    self._save(keys)
                    return keys[place]
        raise NotFound(f"There is no active key {id_or_name}.", hint="`lancelot keys list` shows them.")

    @property
    def _path(self) -> Path:
        return self._folder / "keys.json"

    def _load(self) -> list[AppKey]:
        """The keys, read again only when the file has changed (another process may add one)."""
        try:
            stat = self._path.stat()
        except FileNotFoundError:
            return []
        stamp = (stat.st_mtime_ns, stat.st_ino)
        with self._guard:
            if stamp != self._stamp:
                self._known, self._stamp = self._read(), stamp
            return self._known

    def _read(self) -> list[AppKey]:
        content = self._content(self._path)
        return [] if content is None else self.readable(content)

    def _save(self, keys: list[AppKey]) -> None:
        write_atomic(self._path, _KeyFile(keys=keys).model_dump_json(indent=1).encode())
        self._stamp = None
