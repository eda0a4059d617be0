"""Errors of every provider in our tree: told apart, with the wait they ask for, and without a word of theirs."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import orjson
import pytest
from pydantic import SecretStr

from lancelot.config import load_config
from lancelot.errors import ProviderError, ProviderMalformed
from lancelot.providers.base import Deadline, Provider
from lancelot.providers.failures import reset_seconds
from lancelot.providers.profiles import build_provider, profile
from lancelot.providers.wire import Retry
from lancelot.settings import project_dir
from tests.providers.error_answers import ERRORS, SECRET
from tests.recording import RecordingServer, Scripted, json_answer, redacted

ROWS = [(name, *row) for name, rows in ERRORS.items() for row in rows]
NAMES = ["openai", "anthropic", "gemini", "selfhosted"]
STREAM = {"content-type": "text/event-stream"}


def provider_of(name: str, url: str) -> Provider:
    chosen = profile(load_config(project_dir() / "config"), name)
    return build_provider(chosen, SecretStr("key-0123456789"), base_url=url, retry=Retry(times=0))


async def call(provider: Provider, how: str) -> None:
    deadline = Deadline.after(5)
    if how == "complete":
        await provider.complete(redacted(), model="m", deadline=deadline)
    elif how == "stream":
        async for _ in provider.stream(redacted(), model="m", deadline=deadline):
            pass
    else:
        await provider.list_models(deadline=deadline)


async def failure(name: str, server: RecordingServer, how: str) -> ProviderError:
    """What a call raises; how is complete, stream or list."""
    provider = provider_of(name, server.url)
    with pytest.raises(ProviderError) as caught:
        await call(provider, how)
    await provider.aclose()
    return caught.value


@pytest.mark.anyio
@pytest.mark.parametrize("how", ["complete", "stream", "list"])
@pytest.mark.parametrize(("name", "status", "body", "headers", "kind", "code"), ROWS)
async def test_documented_errors(
    server: RecordingServer,
    name: str,
    status: int,
    body: Any,
    headers: dict[str, str],
    kind: str,
    code: str,
    how: str,
) -> None:
    server.answers(json_answer(body, status, **headers))
    problem = await failure(name, server, how)
    assert (type(problem).__name__, problem.code) == (kind, code)
    assert problem.extra["upstream_status"] == status
    if code == "provider_rate_limited":
        assert problem.retry_after == 7
    shown = repr(problem.to_dict()) + str(problem)
    assert SECRET not in shown
    assert "key-0123456789" not in shown


@pytest.mark.anyio
@pytest.mark.parametrize(("name", "status", "body", "headers", "kind", "code"), ROWS)
async def test_an_error_inside_a_200_answer_is_still_an_error(
    server: RecordingServer, name: str, status: int, body: Any, headers: dict[str, str], kind: str, code: str
) -> None:
    server.answers(json_answer(body))
    for how in ("complete", "stream", "list"):
        problem = await failure(name, server, how)
        assert isinstance(problem, ProviderError)
        assert problem.code != "internal"


@pytest.mark.anyio
async def test_errors_in_the_middle_of_a_stream(server: RecordingServer) -> None:
    events: dict[str, tuple[dict[str, Any], str]] = {
        "openai": ({"type": "error", "code": "rate_limit_exceeded", "message": SECRET}, "provider_rate_limited"),
        "anthropic": (
            {"type": "error", "error": {"type": "overloaded_error", "message": SECRET}},
            "provider_overloaded",
        ),
        "gemini": ({"error": {"code": 503, "status": "UNAVAILABLE", "message": SECRET}}, "provider_overloaded"),
        "selfhosted": ({"error": {"code": "context_length_exceeded", "message": SECRET}}, "context_too_long"),
    }
    for name, (event, code) in events.items():
        server.answers(Scripted(b"data: " + orjson.dumps(event) + b"\n\n", 200, STREAM))
        problem = await failure(name, server, "stream")
        assert problem.code == code
        assert SECRET not in str(problem)
    failed = {"type": "response.failed", "response": {"status": "failed", "error": {"code": "invalid_prompt"}}}
    server.answers(Scripted(b"data: " + orjson.dumps(failed) + b"\n\n", 200, STREAM))
    assert (await failure("openai", server, "stream")).code == "content_filtered"


@pytest.mark.anyio
@pytest.mark.parametrize("how", ["complete", "stream", "list"])
@pytest.mark.parametrize("name", NAMES)
async def test_what_is_no_answer_at_all(server: RecordingServer, name: str, how: str) -> None:
    html = b"<html><body>Sign in to the hotel network</body></html>"
    for body, content_type in ((html, "text/html"), (b"", "application/json"), (b"[]", "application/json"),
                               (b"null", "application/json"), (b'{"choices":[', "application/json")):  # fmt: skip
        server.answers(Scripted(body, 200, {"content-type": content_type}))
        assert isinstance(await failure(name, server, how), ProviderMalformed), body
    server.answers(Scripted(html, 502, {"content-type": "text/html"}))
    assert (await failure(name, server, how)).code == "provider_overloaded"
    server.answers(Scripted(html, 403, {"content-type": "text/html"}))
    assert (await failure(name, server, how)).code == "provider_forbidden"


@pytest.mark.anyio
@pytest.mark.parametrize("name", NAMES)
async def test_a_body_cut_short(server: RecordingServer, name: str) -> None:
    server.answers(Scripted(b'{"id": "x", "choices": []}', 200, {"content-type": "application/json"}, cut=9))
    problem = await failure(name, server, "complete")
    assert (problem.code, problem.extra["truncated"]) == ("provider_malformed", True)


@pytest.mark.anyio
async def test_gemini_says_why_nothing_came(server: RecordingServer) -> None:
    server.answers(json_answer({"promptFeedback": {"blockReason": "PROHIBITED_CONTENT"}}))
    assert (await failure("gemini", server, "complete")).code == "content_filtered"
    broken = {"candidates": [{"content": {}, "finishReason": "MALFORMED_FUNCTION_CALL"}]}
    server.answers(json_answer(broken))
    assert (await failure("gemini", server, "complete")).code == "provider_malformed"


NOW = datetime(2026, 11, 23, 12, 0, 0, tzinfo=UTC)


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({}, None),
        ({"retry-after": "20"}, 20.0),
        ({"retry-after-ms": "1500", "retry-after": "20"}, 1.5),
        ({"retry-after": "Mon, 23 Nov 2026 12:00:30 GMT"}, 30.0),
        ({"retry-after": "Mon, 23 Nov 2026 11:00:00 GMT"}, 0.0),
        ({"retry-after": "-5"}, 0.0),
        ({"retry-after": "1e99"}, 86_400.0),
        ({"retry-after": "nan"}, None),
        ({"retry-after": "soon"}, None),
        ({"x-ratelimit-remaining-requests": "0", "x-ratelimit-reset-requests": "6m0s"}, 360.0),
        ({"x-ratelimit-remaining-tokens": "0", "x-ratelimit-reset-tokens": "20ms"}, 0.02),
        ({"x-ratelimit-remaining-tokens": "900", "x-ratelimit-reset-tokens": "1h"}, None),
        (
            {
                "anthropic-ratelimit-tokens-remaining": "0",
                "anthropic-ratelimit-tokens-reset": "2026-11-23T12:01:00Z",
                "anthropic-ratelimit-requests-remaining": "40",
                "anthropic-ratelimit-requests-reset": "2026-11-23T13:00:00Z",
            },
            60.0,
        ),
    ],
)
def test_when_a_retry_makes_sense(headers: dict[str, str], seconds: float | None) -> None:
    assert reset_seconds(headers, now=NOW) == seconds
