"""The signature under checkpoints and tombstones: an Ed25519 key of this data folder, made on first use."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import orjson
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from lancelot.files import read_or_none, write_atomic

__all__ = ["Signer"]


class Signer:
    """Signs and checks small JSON objects with the key in `data/journal.key` (private to this account)."""

    def __init__(self, data_dir: Path) -> None:
        self._path = data_dir / "journal.key"

    def sign(self, fields: Mapping[str, Any]) -> dict[str, Any]:
        """The same fields with `key` (public, hex) and `signature` (hex) over all of them.

        Raises:
            StoreError: the key cannot be made.
        """
        key = self._key()
        body = {**fields, "key": _public(key)}
        return {**body, "signature": key.sign(_canonical(body)).hex()}

    def holds(self, signed: Mapping[str, Any]) -> bool:
        """Whether these fields were signed by this folder's key and not changed since."""
        content = read_or_none(self._path)
        if content is None or len(content) != 32:
            return False
        key = Ed25519PrivateKey.from_private_bytes(content)
        body = {name: value for name, value in signed.items() if name != "signature"}
        try:
            key.public_key().verify(bytes.fromhex(str(signed.get("signature", ""))), _canonical(body))
        except (InvalidSignature, ValueError):
            return False
        return body.get("key") == _public(key)

    def _key(self) -> Ed25519PrivateKey:
        content = read_or_none(self._path)
        if content is None or len(content) != 32:
            content = os.urandom(32)
            write_atomic(self._path, content)
        return Ed25519PrivateKey.from_private_bytes(content)


def _public(key: Ed25519PrivateKey) -> str:
    return key.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw).hex()


def _canonical(body: Mapping[str, Any]) -> bytes:
    return orjson.dumps(dict(body), option=orjson.OPT_SORT_KEYS)
