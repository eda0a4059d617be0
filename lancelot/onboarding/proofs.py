"""Proofs: what was verified, signed with a key that never leaves this installation.

A snapshot is a file that anybody may edit. It is believed only as far as its proofs go, and a proof names exactly what
was verified: this provider with this key, this model with this checksum, this channel.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import secrets
from pathlib import Path

from lancelot.errors import StoreError
from lancelot.files import Disk, read_or_none, write_atomic

__all__ = ["Proofs"]

KEY_BYTES = 32


class Proofs:
    """Signs and checks claims with the per-install key in `folder`/install.key (made on first use, mode 0600).

    A lost key voids all proofs: everything is verified again, nothing else is lost.
    """

    def __init__(self, folder: Path, *, disk: Disk | None = None) -> None:
        self._path = folder / "install.key"
        self._disk = disk or Disk()
        self._key: bytes | None = None

    def key(self) -> bytes:
        """The per-install key, 32 bytes.

        Raises:
            StoreError: it can be neither read nor made.
        """
        if self._key is None:
            self._key = self._read_or_make()
        return self._key

    def _read_or_make(self) -> bytes:
        try:
            stored = read_or_none(self._path)
        except OSError as problem:
            raise StoreError(
                f"{self._path.name} cannot be read: {problem.strerror or problem}.",
                hint="Give the user that runs Lancelot the right to read it.",
            ) from problem
        if stored is not None and len(stored) == KEY_BYTES:
            return stored
        fresh = secrets.token_bytes(KEY_BYTES)
        write_atomic(self._path, fresh, disk=self._disk)
        return fresh

    def sign(self, kind: str, *facts: str | None) -> str:
        """The proof that `kind` was verified for exactly these facts (hex, 64 characters)."""
        return self._mac("proof", kind, *facts)

    def holds(self, proof: str, kind: str, *facts: str | None) -> bool:
        """Whether the proof was signed here for exactly these facts; compared in constant time."""
        return bool(proof) and hmac.compare_digest(proof, self.sign(kind, *facts))

    def fingerprint(self, secret: str) -> str:
        """A keyed hash of a secret: tells whether it changed, gives nothing away (hex, 64 characters)."""
        return self._mac("fingerprint", secret)

    def _mac(self, *parts: str | None) -> str:
        return hmac.new(self.key(), json.dumps(parts).encode(), hashlib.sha256).hexdigest()
