"""An OpenID Connect provider on loopback that logs in whoever the test says, at once."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from urllib.parse import parse_qs, urlencode, urlsplit

from joserfc import jwt
from joserfc.jwk import RSAKey

from tests.loopback import Quiet, listening

__all__ = ["Identity", "identity"]


class Identity:
    """Who logs in next, and where the provider is."""

    def __init__(self) -> None:
        self.email, self.url = "anna@example.com", ""
        self.nonces: dict[str, str | None] = {}
        self.key = RSAKey.generate_key(2048, parameters={"kid": "k1", "use": "sig", "alg": "RS256"})

    def token(self, code: str) -> dict[str, object]:
        now = int(time.time())
        claims = {"iss": self.url, "sub": self.email, "aud": "lancelot", "iat": now, "exp": now + 600}
        claims |= {"email": self.email, "email_verified": True, "nonce": self.nonces.get(code)}
        signed = jwt.encode({"alg": "RS256", "kid": "k1"}, claims, self.key)
        return {"access_token": "a", "token_type": "Bearer", "expires_in": 600, "id_token": signed}


class Handler(Quiet):
    state: Identity

    def do_GET(self) -> None:
        parts, state = urlsplit(self.path), self.state
        asked = {name: values[0] for name, values in parse_qs(parts.query).items()}
        if parts.path == "/.well-known/openid-configuration":
            places = {"authorization_endpoint": "authorize", "token_endpoint": "token", "jwks_uri": "jwks"}
            about = {name: f"{state.url}/{path}" for name, path in places.items()} | {"issuer": state.url}
            self.say_json(about | {"response_types_supported": ["code"], "subject_types_supported": ["public"],
                                "id_token_signing_alg_values_supported": ["RS256"]})  # fmt: skip
        elif parts.path == "/jwks":
            self.say_json({"keys": [state.key.as_dict(private=False)]})
        else:
            code = f"code-{len(state.nonces)}"
            state.nonces[code] = asked.get("nonce")
            self.send_response(302)
            back = urlencode({"code": code, "state": asked["state"]})
            self.send_header("Location", f"{asked['redirect_uri']}?{back}")
            self.send_header("Content-Length", "0")
            self.end_headers()

    def do_POST(self) -> None:
        given = parse_qs(self.rfile.read(int(self.headers["content-length"])).decode())
        self.say_json(self.state.token(given["code"][0]))


@contextmanager
def identity() -> Iterator[Identity]:
    """The provider, as long as the block lasts."""
    state = Identity()
    with listening(Handler, state) as state.url:
        yield state
