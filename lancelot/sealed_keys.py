"""Keys in a backup: encrypted with a passphrase, because a backup travels."""

from __future__ import annotations

import base64
import os

from cryptography.fernet import Fernet, InvalidToken
from cryptography.hazmat.primitives.kdf.scrypt import Scrypt
from pydantic import SecretStr

from lancelot.errors import BadInput

__all__ = ["SHORTEST", "seal", "unseal"]

MAGIC = b"lancelot-sealed-1\n"
SALT = 16  # bytes
SHORTEST = 12  # characters of a passphrase


def seal(content: bytes, passphrase: SecretStr) -> bytes:
    """The content encrypted and authenticated (Fernet: AES-128-CBC and HMAC-SHA-256), key by scrypt.

    Raises:
        BadInput: the passphrase is too short.
    """
    if len(passphrase.get_secret_value()) < SHORTEST:
        raise BadInput(f"The passphrase needs at least {SHORTEST} characters.", code="passphrase_too_short")
    salt = os.urandom(SALT)
    return MAGIC + salt + Fernet(_key(passphrase, salt)).encrypt(content)


def unseal(sealed: bytes, passphrase: SecretStr) -> bytes:
    """What was sealed.

    Raises:
        BadInput: another passphrase, or damaged.
    """
    salt, body = sealed[len(MAGIC) : len(MAGIC) + SALT], sealed[len(MAGIC) + SALT :]
    try:
        if not sealed.startswith(MAGIC):
            raise InvalidToken
        return Fernet(_key(passphrase, salt)).decrypt(body)
    except InvalidToken:
        raise BadInput(
            "The passphrase does not open the keys of this backup.",
            code="wrong_passphrase",
            hint="Try again, or restore without keys (--without-keys) and enter them anew.",
        ) from None


def _key(passphrase: SecretStr, salt: bytes) -> bytes:
    derived = Scrypt(salt=salt, length=32, n=2**15, r=8, p=1).derive(passphrase.get_secret_value().encode())
    return base64.urlsafe_b64encode(derived)
