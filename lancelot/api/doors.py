"""The doors: which requests come in at all, before any route sees them, and which headers every answer carries.

Host must be one of ours, so that a name an attacker points at this machine (DNS rebinding) is of no use. A browser's
Origin must be our own, so that no other page can act here (CSRF), on websockets too. With `LANCELOT_LOGIN=proxy`
whatever is no API route needs the reverse proxy's word. Plain ASGI: it costs microseconds.
"""

from __future__ import annotations

import hmac
from urllib.parse import urlsplit

from starlette.datastructures import MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from lancelot import settings
from lancelot.api.errors import error_response
from lancelot.errors import Forbidden, LancelotError, NotAllowed
from lancelot.exposure import LOCAL_HOSTS, Exposure, exposure

__all__ = ["PROXY_SECRET_HEADER", "PROXY_USER_HEADERS", "Doors", "is_api"]

API = ("/v1", "/system", "/onboarding", "/recovery", "/router", "/usage", "/approvals", "/metrics")
SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})
PROXY_SECRET_HEADER = "x-lancelot-proxy-secret"  # noqa: S105 a header's name
PROXY_USER_HEADERS = ("x-forwarded-email", "x-forwarded-user")

# Streamlit draws with inline styles and evaluates chart specifications; everything it loads comes from here
PAGE_POLICY = (
    "default-src 'self'; script-src 'self' 'unsafe-inline' 'unsafe-eval' 'wasm-unsafe-eval'; "
    "style-src 'self' 'unsafe-inline'; img-src 'self' data: blob:; font-src 'self' data:; media-src 'self' blob:; "
    "worker-src 'self' blob:; connect-src 'self'; object-src 'none'; base-uri 'self'; form-action 'self'; "
    "frame-ancestors 'none'"
)
API_POLICY = "default-src 'none'; frame-ancestors 'none'"
HEADERS = {
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=(), payment=(), usb=()",
}


def is_api(path: str) -> bool:
    """Whether a path belongs to the control plane or the gateway: these ask for a token themselves."""
    return any(path == prefix or path.startswith(prefix + "/") for prefix in API)


class Doors:
    """The first to see a request. `app.state.exposure` says who may come; the environment where it is not set."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app
        self._default: Exposure | None = None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] not in ("http", "websocket"):
            await self._app(scope, receive, send)
            return
        path: str = scope["path"]
        problem = refusal(scope, self._exposure(scope))
        if scope["type"] == "websocket":
            if problem is not None:
                await send({"type": "websocket.close", "code": 1008})
                return
            await self._app(scope, receive, send)
            return
        policy = API_POLICY if is_api(path) else PAGE_POLICY

        async def guarded(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in HEADERS.items():
                    headers[name] = value
                headers.setdefault("Content-Security-Policy", policy)
                if is_api(path):
                    headers.setdefault("Cache-Control", "no-store")
            await send(message)

        if problem is not None:
            await error_response(path, problem)(scope, receive, guarded)
            return
        await self._app(scope, receive, guarded)

    def _exposure(self, scope: Scope) -> Exposure:
        said: Exposure | None = getattr(scope["app"].state, "exposure", None)
        if said is None:
            said = self._default = self._default or exposure(settings.host())
        return said


def refusal(scope: Scope, who: Exposure) -> LancelotError | None:
    """Why a request may not come in; None when it may."""
    headers = dict(scope["headers"])
    host = headers.get(b"host", b"").decode("latin-1").lower()
    if _name(host) not in who.allowed_hosts:
        return Forbidden(
            "This server is not known by that name.",
            code="host_not_allowed",
            hint="Call it by localhost or 127.0.0.1, or add the name to LANCELOT_ALLOWED_HOSTS.",
        )
    if _from_elsewhere(scope, headers, host, who):
        return Forbidden(
            "This request comes from another web page.",
            code="origin_not_allowed",
            hint="Pages of other origins may not use this server; call it from a program, or open its own pages.",
        )
    if who.proxy_secret is not None and not is_api(scope["path"]) and not _vouched_for(headers, who):
        return NotAllowed(
            "The login in front of the console did not vouch for this request.",
            code="login_needed",
            hint="Open the console through its reverse proxy.",
        )
    return None


def _name(host: str) -> str | None:
    """The name in a Host header, without port; None when it is no host."""
    if not host or any(sign in host for sign in "/@?#\\ "):
        return None
    try:
        parts = urlsplit(f"//{host}")
        _ = parts.port  # must be a number
    except ValueError:
        return None
    return parts.hostname


def _from_elsewhere(scope: Scope, headers: dict[bytes, bytes], host: str, who: Exposure) -> bool:
    """Whether a browser sent this on behalf of a page that is not ours."""
    origin = headers.get(b"origin")
    if origin is None:
        site = headers.get(b"sec-fetch-site", b"none")
        acts = scope["type"] == "websocket" or scope["method"] not in SAFE_METHODS
        return acts and site not in (b"same-origin", b"none")
    try:
        parts = urlsplit(origin.decode("latin-1").lower())
    except ValueError:
        return True
    if parts.scheme not in ("http", "https") or not parts.netloc:
        return True  # `null` and files are nobody's page
    if parts.netloc == host:
        return False
    # a reverse proxy may call us by another name than the browser did; then the origin is one of the configured names
    return ":" in parts.netloc or parts.hostname not in who.allowed_hosts - LOCAL_HOSTS


def _vouched_for(headers: dict[bytes, bytes], who: Exposure) -> bool:
    assert who.proxy_secret is not None
    given = headers.get(PROXY_SECRET_HEADER.encode(), b"")
    known = hmac.compare_digest(given, who.proxy_secret.get_secret_value().encode())
    users = [headers.get(name.encode(), b"").decode("latin-1").strip().lower() for name in PROXY_USER_HEADERS]
    named = [user for user in users if user]
    return known and bool(named) and (not who.operators or any(user in who.operators for user in named))
