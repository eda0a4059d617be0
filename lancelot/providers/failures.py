"""Foreign failures turned into our error tree. No words of a provider are repeated: they may quote prompt or key."""

from __future__ import annotations

import re
import ssl
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any

import httpx

from lancelot.errors import (
    ContentFiltered,
    ContextTooLong,
    ProviderAuth,
    ProviderError,
    ProviderMalformed,
    ProviderOverloaded,
    ProviderRateLimited,
    ProviderTimeout,
    ProviderUnreachable,
)

__all__ = ["Failure", "http_failure", "may_retry", "network_failure", "reset_seconds", "truncated"]

TOO_LONG = re.compile(
    r"context.{0,20}(?:length|window|size|limit)|prompt is too long|input is too long|too many (?:input )?tokens"
    r"|maximum (?:number of tokens|context|prompt)|input token count|exceeds? the (?:available|model'?s?) ",
    re.IGNORECASE,
)
FILTER_CODES = {
    "content_filter", "content_policy_violation", "cyber_policy_violation", "bio_policy", "invalid_prompt",
    "misalignment_policy_violation", "image_content_policy_violation", "safety",
}  # fmt: skip
QUOTA_CODES = {"insufficient_quota", "billing_error", "billing_hard_limit_reached", "billing_not_active"}
OVERLOAD_CODES = {"overloaded_error", "server_is_overloaded", "slow_down", "overloaded", "unavailable"}
AUTH_CODES = {"authentication_error", "invalid_api_key", "api_key_invalid", "unauthenticated"}
RATE_CODES = {"rate_limit_error", "rate_limit_exceeded", "resource_exhausted"}
SAFE = re.compile(r"[A-Za-z0-9_.:-]{1,64}")
MAX_WAIT = 86_400.0
UNITS = {"d": 86_400.0, "h": 3_600.0, "m": 60.0, "s": 1.0, "ms": 0.001}
SPAN = re.compile(r"(\d+(?:\.\d+)?)(ms|[dhms])")


@dataclass(frozen=True, slots=True)
class Failure:
    """A refusal as it came over the wire.

    Attributes:
        status: HTTP status; 200 when the error stood inside a body or a stream.
        kind: the provider's own machine-readable code or type, or None.
        message: the provider's own words; looked at, never shown.
        wait_s: seconds the body itself told us to wait, or None.
    """

    status: int
    headers: Mapping[str, str]
    kind: str | None = None
    message: str = ""
    wait_s: float | None = None


def http_failure(failure: Failure) -> ProviderError:
    """The error a person sees, with upstream_status, upstream_code and upstream_request_id where they are safe."""
    facts = _facts(failure)
    wait = failure.wait_s if failure.wait_s is not None else reset_seconds(failure.headers)
    kind = (failure.kind or "").lower()
    status = failure.status
    if kind in QUOTA_CODES or status == 402 or "credit balance is too low" in failure.message.lower():
        return ProviderRateLimited(
            "The provider's account has no credit or quota left.",
            hint="Add credit in the provider's console, or choose another provider.",
            code="provider_quota",
            **facts,
        )
    if kind in FILTER_CODES:
        return ContentFiltered(**facts)
    if kind in ("context_length_exceeded", "exceed_context_size_error", "string_above_max_length"):
        return ContextTooLong(**facts)
    if kind in OVERLOAD_CODES or status in (502, 503, 529):
        return ProviderOverloaded(retry_after=wait, **facts)
    if status == 401 or kind in AUTH_CODES:
        return ProviderAuth(**facts)
    if status == 403 or kind in ("permission_error", "permission_denied"):
        return ProviderAuth(
            "The provider knows the key but does not allow this with it.",
            hint="Check what the key may do, and whether the account and the region may use this model.",
            code="provider_forbidden",
            **facts,
        )
    if status == 429 or kind in RATE_CODES:
        return ProviderRateLimited(retry_after=wait, **facts)
    if status in (408, 504) or kind in ("timeout_error", "deadline_exceeded"):
        return ProviderTimeout(retry_after=wait, **facts)
    if status == 413 or (status in (200, 400, 422) and TOO_LONG.search(failure.message)):
        return ContextTooLong(**facts)
    if status == 404 or kind in ("model_not_found", "not_found_error", "not_found"):
        return ProviderError(
            "The provider does not know this model or address.",
            hint="Check the lane's model in models.yaml and the base URL.",
            code="provider_not_found",
            **facts,
        )
    if 300 <= status < 400:
        return ProviderUnreachable(
            "The base URL answers with a redirect, which is not followed because a key is sent along.",
            hint="Enter the address it leads to.",
            code="provider_redirect",
            **facts,
        )
    if 400 <= status < 500:
        return ProviderError(
            "The provider refused the request as it was sent.",
            hint="The receipt holds its code; another lane may take it.",
            code="provider_refused",
            **facts,
        )
    return ProviderError(retry_after=wait, **facts)


def _facts(failure: Failure) -> dict[str, Any]:
    facts: dict[str, Any] = {"upstream_status": failure.status}
    if failure.kind and SAFE.fullmatch(failure.kind):
        facts["upstream_code"] = failure.kind
    request_id = failure.headers.get("x-request-id") or failure.headers.get("request-id")
    if request_id and SAFE.fullmatch(request_id):
        facts["upstream_request_id"] = request_id
    return facts


def network_failure(problem: BaseException, *, answered: bool = False) -> ProviderError:
    """The error for a broken or missing connection; answered: after the answer had begun."""
    if isinstance(problem, TimeoutError | httpx.TimeoutException):
        return ProviderTimeout()
    if answered:
        return truncated()
    if isinstance(problem, httpx.ProxyError):
        return ProviderUnreachable(
            "The proxy does not let us through to the provider.",
            hint="Check HTTPS_PROXY and NO_PROXY.",
            code="provider_proxy",
        )
    if isinstance(problem, httpx.ConnectError):
        return _not_connected(problem)
    if isinstance(problem, httpx.UnsupportedProtocol | httpx.InvalidURL):
        return ProviderUnreachable("The base URL is not an address that can be called.", code="provider_bad_address")
    if isinstance(problem, httpx.DecodingError):
        return ProviderMalformed()
    return ProviderUnreachable("The connection to the provider broke before it answered.", code="provider_broke_off")


def _not_connected(problem: httpx.ConnectError) -> ProviderError:
    chain: BaseException | None = problem
    while chain is not None:
        if isinstance(chain, ssl.SSLError):
            return ProviderUnreachable(
                "A secure connection to the provider could not be made.",
                hint="Check the address, the clock, and SSL_CERT_FILE behind a company proxy.",
                code="provider_tls",
            )
        chain = chain.__cause__ or chain.__context__
    return ProviderUnreachable()


def truncated() -> ProviderMalformed:
    """The answer began and did not come to its end."""
    return ProviderMalformed(
        "The provider's answer broke off before its end.", hint="Try again; the receipt says how far it came.",
        truncated=True,
    )  # fmt: skip


def may_retry(problem: ProviderError, headers: Mapping[str, str]) -> bool:
    """Whether the same call may succeed when made again; the provider's own word (x-should-retry) goes first."""
    said = headers.get("x-should-retry")
    if said in ("true", "false"):
        return said == "true"
    if problem.code == "provider_broke_off":
        return True
    status = problem.extra.get("upstream_status")
    if status is None:
        return problem.code == ProviderUnreachable.code
    return problem.code != "provider_quota" and (status in (408, 409, 429) or status >= 500)


def reset_seconds(headers: Mapping[str, str], *, now: datetime | None = None) -> float | None:
    """Seconds until a retry makes sense, from Retry-After or the reset headers; None when nothing is said."""
    now = now or datetime.now(UTC)
    milliseconds = _number(headers.get("retry-after-ms"))
    if milliseconds is not None:
        return _bounded(milliseconds / 1000)
    after = headers.get("retry-after")
    if after:
        seconds = _number(after)
        return _bounded(seconds) if seconds is not None else _until(after, now)
    # only a limit that is used up says when it matters; the longest of those decides
    waits: list[float] = []
    for name, value in headers.items():
        name = name.lower()
        if not (name.startswith(("x-ratelimit-", "anthropic-ratelimit-")) and "reset" in name):
            continue
        if _number(headers.get(name.replace("reset", "remaining"))) not in (0.0, None):
            continue
        wait = _span(value)
        waits.append(wait if wait is not None else (_until(value, now) or 0.0))
    return _bounded(max(waits)) if waits else None


def _number(text: str | None) -> float | None:
    try:
        return float(text) if text else None
    except ValueError:
        return None


def _span(text: str) -> float | None:
    """`6m0s`, `20ms`, `1h2m` or plain seconds."""
    found = SPAN.findall(text)
    if found and "".join(number + unit for number, unit in found) == text:
        return sum(float(number) * UNITS[unit] for number, unit in found)
    return _number(text)


def _until(text: str, now: datetime) -> float | None:
    """Seconds until an HTTP or ISO date."""
    try:
        moment = datetime.fromisoformat(text) if text[:4].isdigit() else parsedate_to_datetime(text)
    except ValueError:
        return None
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=UTC)
    return _bounded((moment - now).total_seconds())


def _bounded(seconds: float) -> float | None:
    return None if seconds != seconds else min(max(seconds, 0.0), MAX_WAIT)
