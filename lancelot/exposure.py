"""Who may reach the server: this machine alone, unless a login or a private network is configured.

LANCELOT_LOGIN               `oidc` (the console's pages ask for st.login) or `proxy` (a reverse proxy vouches)
LANCELOT_OPERATORS           who may use the pages, e-mail addresses separated by commas; oidc needs it
LANCELOT_PROXY_SECRET_FILE   file with the secret that the proxy sends as X-Lancelot-Proxy-Secret
LANCELOT_PRIVATE_NETWORK     1: only a private network reaches this process (a container published to loopback)
LANCELOT_ALLOWED_HOSTS       further names the server is called by, separated by commas
"""

from __future__ import annotations

import ipaddress
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, get_args

from pydantic import SecretStr

from lancelot.errors import BadConfig, Forbidden

__all__ = ["LOCAL_HOSTS", "Exposure", "exposure", "host_in_url", "is_loopback"]

Login = Literal["none", "oidc", "proxy"]
LOCAL_HOSTS = frozenset({"localhost", "127.0.0.1", "::1"})
SHORTEST_SECRET = 24  # characters


@dataclass(frozen=True, slots=True)
class Exposure:
    """How the server may be reached.

    Attributes:
        host: the bind address.
        login: what stands before the pages.
        private_network: the environment says that only a private network reaches the bind address.
        allowed_hosts: names in the Host header that are ours, lower case, without port.
        operators: e-mail addresses or names that a login may bring, lower case; empty is anybody the proxy vouches for.
        proxy_secret: what the reverse proxy must send with each request.
    """

    host: str = "127.0.0.1"
    login: Login = "none"
    private_network: bool = False
    allowed_hosts: frozenset[str] = LOCAL_HOSTS
    operators: frozenset[str] = frozenset()
    proxy_secret: SecretStr | None = None

    @property
    def beyond_loopback(self) -> bool:
        """Whether other machines reach the bind address."""
        return not is_loopback(self.host) and not self.private_network

    def check(self) -> None:
        """Refuse an address beyond this machine when nobody would be asked to log in.

        Raises:
            Forbidden: nothing protects the pages.
        """
        if self.beyond_loopback and self.login == "none":
            raise Forbidden(
                f"Listening on {self.host} would let other machines use the console without a login.",
                code="login_needed",
                hint="Stay on 127.0.0.1, or configure a login (LANCELOT_LOGIN); docs/security.md shows how.",
            )


def exposure(host: str, environ: Mapping[str, str] | None = None) -> Exposure:
    """What the environment says about a server on this bind address.

    Raises:
        BadConfig: a login that cannot work: no operators, no secret, an unknown kind.
    """
    said = os.environ if environ is None else environ
    login = said.get("LANCELOT_LOGIN", "").strip().lower() or "none"
    if login not in get_args(Login):
        raise BadConfig(f"LANCELOT_LOGIN is {login!r}.", hint="It takes oidc or proxy.")
    operators = frozenset(_words(said.get("LANCELOT_OPERATORS", "")))
    if login == "oidc" and not operators:
        raise BadConfig(
            "LANCELOT_LOGIN=oidc needs LANCELOT_OPERATORS.",
            hint="Name the e-mail addresses that may use the console; otherwise every account of the provider could.",
        )
    hosts = LOCAL_HOSTS | frozenset(_words(said.get("LANCELOT_ALLOWED_HOSTS", "")))
    if host and not _is_unspecified(host):
        hosts |= {host.lower()}
    return Exposure(
        host=host,
        login=login,  # type: ignore[arg-type]  # one of get_args(Login)
        private_network=said.get("LANCELOT_PRIVATE_NETWORK", "").lower() in ("1", "true", "yes", "on"),
        allowed_hosts=hosts,
        operators=operators,
        proxy_secret=_secret(said.get("LANCELOT_PROXY_SECRET_FILE")) if login == "proxy" else None,
    )


def is_loopback(host: str) -> bool:
    """Whether only this machine reaches the address; an empty one is every interface."""
    if host.lower() == "localhost":
        return True
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return False


def host_in_url(host: str) -> str:
    """The bind address as this machine calls it: every interface is reached by loopback, IPv6 stands in brackets."""
    if not host or _is_unspecified(host):
        return "[::1]" if ":" in host else "127.0.0.1"
    return f"[{host.strip('[]')}]" if ":" in host else host


def _is_unspecified(host: str) -> bool:
    try:
        return ipaddress.ip_address(host.strip("[]")).is_unspecified
    except ValueError:
        return False


def _words(text: str) -> list[str]:
    return [word.strip().lower() for word in text.split(",") if word.strip()]


def _secret(path: str | None) -> SecretStr:
    """The proxy's secret; it comes from a file, because arguments and environments are seen by other programs."""
    hint = f"Write at least {SHORTEST_SECRET} random characters into a file only you can read, and name it there."
    if not path:
        raise BadConfig("LANCELOT_LOGIN=proxy needs LANCELOT_PROXY_SECRET_FILE.", hint=hint)
    try:
        secret = Path(path).expanduser().read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError):
        raise BadConfig("The file of LANCELOT_PROXY_SECRET_FILE cannot be read.", hint=hint) from None
    if len(secret) < SHORTEST_SECRET:
        raise BadConfig("The proxy's secret is too short.", hint=hint)
    return SecretStr(secret)
