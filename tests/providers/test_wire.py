"""The one door: what may pass, what is hashed, how long it is waited, what is never followed or trusted."""

from __future__ import annotations

import asyncio
import gzip
import hashlib
import ssl
import threading
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from pydantic import SecretStr

from lancelot.chat import ChatRequest
from lancelot.errors import LancelotError, ProviderError
from lancelot.providers.base import Deadline
from lancelot.providers.doors import ClientDoor, LineDoor, new_door
from lancelot.providers.selfhosted import SelfHosted
from lancelot.providers.wire import Retry
from tests.recording import RecordingServer, Scripted, json_answer, redacted, sse_answer

OK = json_answer(
    {
        "id": "c",
        "model": "m",
        "choices": [{"message": {"role": "assistant", "content": "ok"}, "finish_reason": "stop"}],
        "usage": {"prompt_tokens": 1, "completion_tokens": 1},
    }
)
STREAM = sse_answer(
    {"model": "m", "choices": [{"delta": {"role": "assistant", "content": "o"}}]},
    {"choices": [{"delta": {"content": "k"}, "finish_reason": "stop"}]},
    done=True,
)
BUSY = json_answer({"error": {"message": "busy"}}, 503)


class Waits:
    """In place of asyncio.sleep: notes how long would have been slept."""

    def __init__(self) -> None:
        self.seconds: list[float] = []

    async def __call__(self, seconds: float) -> None:
        self.seconds.append(seconds)


def provider(server: RecordingServer, **options: Any) -> SelfHosted:
    options.setdefault("retry", Retry(sleep=Waits(), chance=lambda: 1.0))
    return SelfHosted(base_url=server.url, key=SecretStr("key-0123456789"), **options)


async def ask(provider: SelfHosted, request: Any = None, *, seconds: float = 10.0) -> Any:
    try:
        return await provider.complete(request or redacted(), model="m", deadline=Deadline.after(seconds))
    finally:
        await provider.aclose()


async def drain(provider: SelfHosted, into: list[Any], *, seconds: float = 20.0) -> None:
    async for chunk in provider.stream(redacted(), model="m", deadline=Deadline.after(seconds)):
        into.append(chunk)


async def failure(provider: SelfHosted, *, seconds: float = 10.0) -> ProviderError:
    with pytest.raises(ProviderError) as caught:
        await ask(provider, seconds=seconds)
    return caught.value


@pytest.mark.anyio
async def test_only_a_redacted_request_passes(server: RecordingServer) -> None:
    plain = ChatRequest.model_validate({"messages": [{"role": "user", "content": "hello"}]})
    for impostor in (plain, object(), None):
        asked = provider(server)
        with pytest.raises((LancelotError, TypeError)):
            await asked.complete(impostor, model="m", deadline=Deadline.after(5))  # type: ignore[arg-type]
        with pytest.raises((LancelotError, TypeError)):
            await anext(asked.stream(impostor, model="m", deadline=Deadline.after(5)))  # type: ignore[arg-type]
        await asked.aclose()
    assert server.requests == []


@pytest.mark.anyio
async def test_the_guard_stands_inside_httpx_for_a_client_of_ones_own_too(server: RecordingServer) -> None:
    async with httpx.AsyncClient() as client:
        await ask(provider(server, client=client)) if server.answers(OK) is None else None
        with pytest.raises((LancelotError, TypeError)):
            await client.post(f"{server.url}/v1/chat/completions", json={"messages": []})
    assert len(server.requests) == 1


@pytest.mark.anyio
async def test_the_hash_is_of_the_bytes_that_left(server: RecordingServer) -> None:
    server.answers(OK)
    answer = await ask(provider(server), redacted(messages=[{"role": "user", "content": "Mail jo@example.com ü 東京"}]))
    sent = server.requests[-1].body
    assert answer.sent_sha256 == hashlib.sha256(sent).hexdigest()
    assert b"jo@example.com" not in sent
    assert b"EMAIL_1" in sent
    server.answers(STREAM)
    asked = provider(server)
    chunks = [chunk async for chunk in asked.stream(redacted(), model="m", deadline=Deadline.after(5))]
    await asked.aclose()
    assert {chunk.sent_sha256 for chunk in chunks} == {hashlib.sha256(server.requests[-1].body).hexdigest()}


@pytest.mark.anyio
async def test_retries_until_it_works(server: RecordingServer) -> None:
    waits = Waits()
    server.answers(BUSY, Scripted(drop=True), OK)
    answer = await ask(provider(server, retry=Retry(sleep=waits, chance=lambda: 1.0)))
    assert answer.message["content"] == "ok"
    assert waits.seconds == [0.5, 1.0]
    assert len({recorded.body for recorded in server.requests}) == 1


@pytest.mark.anyio
async def test_jitter_stays_between_half_and_the_whole() -> None:
    least, most = Retry(chance=lambda: 0.0), Retry(chance=lambda: 1.0)
    assert [least.wait_s(n, None) for n in (1, 2, 9)] == [0.25, 0.5, 4.0]
    assert [most.wait_s(n, None) for n in (1, 2, 9)] == [0.5, 1.0, 8.0]
    assert most.wait_s(1, 7.0) == pytest.approx(7.05)


@pytest.mark.anyio
async def test_retry_after_is_kept(server: RecordingServer) -> None:
    waits = Waits()
    server.answers(json_answer({"error": {"message": "slow down"}}, 429, retry_after="3"), OK)
    await ask(provider(server, retry=Retry(sleep=waits, chance=lambda: 0.0)))
    assert waits.seconds == [pytest.approx(3.025)]


@pytest.mark.anyio
@pytest.mark.parametrize(("after", "seconds"), [("60", 600.0), ("5", 4.0)])
async def test_a_wait_past_patience_or_deadline_is_not_waited(
    server: RecordingServer, after: str, seconds: float
) -> None:
    waits = Waits()
    server.answers(json_answer({"error": {"message": "slow down"}}, 429, retry_after=after))
    problem = await failure(provider(server, retry=Retry(sleep=waits)), seconds=seconds)
    assert (problem.code, problem.retry_after) == ("provider_rate_limited", float(after))
    assert waits.seconds == []
    assert len(server.requests) == 1


@pytest.mark.anyio
@pytest.mark.parametrize("status", [400, 401, 403, 404, 413, 422])
async def test_what_cannot_get_better_is_not_repeated(server: RecordingServer, status: int) -> None:
    server.answers(json_answer({"error": {"message": "no"}}, status))
    await failure(provider(server))
    assert len(server.requests) == 1


@pytest.mark.anyio
async def test_the_providers_own_word_on_retries_counts(server: RecordingServer) -> None:
    server.answers(json_answer({"error": {"message": "no"}}, 503, x_should_retry="false"))
    await failure(provider(server))
    assert len(server.requests) == 1
    server.answers(json_answer({"error": {"message": "no"}}, 400, x_should_retry="true"), OK)
    await ask(provider(server))
    assert len(server.requests) == 3


@pytest.mark.anyio
async def test_three_calls_at_most(server: RecordingServer) -> None:
    server.answers(BUSY)
    problem = await failure(provider(server))
    assert problem.code == "provider_overloaded"
    assert len(server.requests) == 3


@pytest.mark.anyio
@pytest.mark.parametrize("stall", [Scripted(stall=True), Scripted(b"{}", 200, {"content-length": "9"})])
async def test_one_deadline_for_everything(server: RecordingServer, stall: Scripted) -> None:
    server.answers(stall)
    began = asyncio.get_running_loop().time()
    problem = await failure(provider(server, retry=Retry()), seconds=0.3)
    assert problem.code == "provider_timeout"
    assert asyncio.get_running_loop().time() - began < 10  # far from the stall's own 30 s


@pytest.mark.anyio
async def test_a_deadline_inside_a_stream(server: RecordingServer) -> None:
    half = STREAM.body.split(b"\n\n")[0] + b"\n\n"
    server.answers(Scripted(half, 200, {"content-type": "text/event-stream", "content-length": "9999"}))
    asked = provider(server)
    got: list[Any] = []
    with pytest.raises(ProviderError) as caught:
        await drain(asked, got, seconds=0.3)
    await asked.aclose()
    assert (caught.value.code, len(got)) == ("provider_timeout", 1)


@pytest.mark.anyio
async def test_a_deadline_already_over_sends_nothing(server: RecordingServer) -> None:
    assert (await failure(provider(server), seconds=0.0)).code == "provider_timeout"
    assert server.requests == []


@pytest.mark.anyio
async def test_closing_the_stream_closes_the_connection(server: RecordingServer) -> None:
    gone = threading.Event()
    first = STREAM.body.split(b"\n\n")[0] + b"\n\n"
    server.answers(Scripted(first, 200, {"content-type": "text/event-stream", "content-length": "9999"}))
    server.on_hang_up = gone.set
    asked = provider(server)
    stream = asked.stream(redacted(), model="m", deadline=Deadline.after(10))
    await anext(stream)
    await stream.aclose()  # type: ignore[attr-defined]
    assert await asyncio.to_thread(gone.wait, 10)
    await asked.aclose()


@pytest.mark.anyio
async def test_connections_are_pooled(server: RecordingServer) -> None:
    server.answers(OK)
    asked = provider(server)
    for _ in range(10):
        await asked.complete(redacted(), model="m", deadline=Deadline.after(5))
    await asked.aclose()
    assert (len(server.requests), server.connections) == (10, 1)


@pytest.mark.anyio
async def test_a_redirect_is_not_followed_with_the_key(server: RecordingServer) -> None:
    thief = RecordingServer()
    try:
        for status in (301, 302, 303, 307, 308):
            server.answers(Scripted(b"", status, {"location": f"{thief.url}/v1/chat/completions"}))
            for call in ("complete", "list"):
                asked = provider(server)
                deadline = Deadline.after(5)
                made = asked.list_models(deadline=deadline)
                if call == "complete":
                    made.close()
                    made = asked.complete(redacted(), model="m", deadline=deadline)  # type: ignore[assignment]
                with pytest.raises(ProviderError) as caught:
                    await made
                await asked.aclose()
                assert caught.value.code == "provider_redirect"
        following = httpx.AsyncClient(follow_redirects=True)  # not even with a client that would
        server.answers(Scripted(b"", 307, {"location": f"{thief.url}/x"}))
        await failure(provider(server, client=following))
        await following.aclose()
        assert thief.requests == []
    finally:
        thief.close()


def self_signed(folder: Path) -> ssl.SSLContext:
    """A server context with a certificate nobody vouches for."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "localhost")])
    now = datetime.now(UTC)
    made = x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(key.public_key())
    made = made.serial_number(1).not_valid_before(now - timedelta(days=1)).not_valid_after(now + timedelta(days=1))
    made = made.add_extension(x509.SubjectAlternativeName([x509.DNSName("localhost")]), critical=False)
    made = made.add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
    plain = serialization.NoEncryption()
    form = serialization.PrivateFormat.PKCS8
    (folder / "key.pem").write_bytes(key.private_bytes(serialization.Encoding.PEM, form, plain))
    certificate = made.sign(key, hashes.SHA256())
    (folder / "cert.pem").write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(folder / "cert.pem", folder / "key.pem")
    return context


@pytest.mark.anyio
async def test_an_unknown_certificate_is_refused(tmp_path: Path) -> None:
    server = RecordingServer(tls=self_signed(tmp_path))
    try:
        asked = SelfHosted(base_url=f"https://localhost:{server.port}", retry=Retry(times=0))
        problem = await failure(asked)
        assert problem.code == "provider_tls"
        assert server.requests == []
    finally:
        server.close()


@pytest.mark.anyio
async def test_a_certificate_the_operator_vouches_for_is_accepted_for_its_name_only(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    server = RecordingServer(tls=self_signed(tmp_path))
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "cert.pem"))
    try:
        server.answers(OK)
        for _ in range(2):
            answer = await ask(SelfHosted(base_url=f"https://localhost:{server.port}"))
            assert answer.sent_sha256 == hashlib.sha256(server.requests[-1].body).hexdigest()
        elsewhere = SelfHosted(base_url=f"https://127.0.0.1:{server.port}", retry=Retry(times=0))
        assert (await failure(elsewhere)).code == "provider_tls"
    finally:
        server.close()


@pytest.mark.anyio
async def test_proxies_of_the_environment_are_used(server: RecordingServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTP_PROXY", server.url)
    monkeypatch.delenv("NO_PROXY", raising=False)
    monkeypatch.delenv("no_proxy", raising=False)
    server.answers(OK)
    asked = SelfHosted(base_url="http://models.example.test/v1")
    assert (await ask(asked)).message["content"] == "ok"
    assert server.requests[-1].path == "http://models.example.test/v1/chat/completions"
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    direct = RecordingServer()
    try:
        direct.answers(OK)
        await ask(SelfHosted(base_url=direct.url))
        assert len(direct.requests) == 1
    finally:
        direct.close()


@pytest.mark.anyio
async def test_nobody_there(server: RecordingServer) -> None:
    port = server.port
    server.close()
    problem = await failure(SelfHosted(base_url=f"http://127.0.0.1:{port}", retry=Retry(times=0)))
    assert problem.code == "provider_unreachable"
    lost = SelfHosted(base_url="http://no-such-host.invalid", retry=Retry(times=0))
    assert (await failure(lost)).code == "provider_unreachable"


@pytest.mark.anyio
@pytest.mark.parametrize("address", ["ftp://x", "http://", "http://a:b@c", "http://x/?q=1", "http://x:99999", "x"])
async def test_an_address_that_does_not_do(address: str) -> None:
    problem = await failure(SelfHosted(base_url=lambda: address, retry=Retry(times=0)))
    assert problem.code == "provider_bad_address"


@pytest.mark.anyio
async def test_our_own_service_may_move_or_be_away(server: RecordingServer) -> None:
    place: list[str | None] = [None]
    asked = SelfHosted(base_url=lambda: place[0], retry=Retry(times=0))
    with pytest.raises(ProviderError) as caught:
        await asked.complete(redacted(), model="m", deadline=Deadline.after(5))
    assert caught.value.code == "provider_unreachable"
    other = RecordingServer()
    for here in (server, other):
        here.answers(OK)
        place[0] = here.url
        await asked.complete(redacted(), model="m", deadline=Deadline.after(5))
        assert len(here.requests) == 1
    await asked.aclose()
    other.close()


def test_a_key_with_a_line_break_is_refused() -> None:
    for key in ("abc\r\nx: y", "schlüssel", "a\x00b"):
        with pytest.raises(ProviderError) as caught:
            SelfHosted(base_url="http://127.0.0.1:1", key=SecretStr(key))
        assert caught.value.code == "provider_auth"
        assert key not in str(caught.value)


@pytest.mark.anyio
async def test_an_endless_answer_is_cut(server: RecordingServer) -> None:
    event = b"data: " + b"x" * 9_000_000
    server.answers(Scripted(event, 200, {"content-type": "text/event-stream"}))
    asked = provider(server)
    with pytest.raises(ProviderError) as caught:
        await drain(asked, [])
    await asked.aclose()
    assert caught.value.code == "provider_malformed"


def test_which_door_is_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("HTTP_PROXY", "http_proxy", "HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy"):
        monkeypatch.delenv(name, raising=False)
    assert isinstance(new_door(), LineDoor)
    monkeypatch.setenv("HTTPS_PROXY", "http://127.0.0.1:9")
    assert isinstance(new_door(), ClientDoor)


@pytest.mark.anyio
@pytest.mark.parametrize("guard", [None, object(), "a request"])
async def test_both_doors_are_shut_for_what_redaction_did_not_make(server: RecordingServer, guard: object) -> None:
    url, timeouts = httpx.URL(f"{server.url}/v1/chat/completions"), dict.fromkeys(("connect", "read", "pool"), 5.0)
    async with httpx.AsyncClient() as client:
        for door in (LineDoor(), ClientDoor(client)):
            with pytest.raises(LancelotError) as caught:
                await door.send("POST", url, {}, b'{"messages":[]}', guard, timeouts)
            assert caught.value.code == "not_redacted"
            await door.aclose()
    assert server.requests == []


@pytest.mark.anyio
async def test_a_packed_answer_is_unpacked(server: RecordingServer) -> None:
    packed = gzip.compress(OK.body)
    server.answers(Scripted(packed, 200, {"content-type": "application/json", "content-encoding": "gzip"}))
    assert (await ask(provider(server))).message["content"] == "ok"
    server.answers(Scripted(packed[:20], 200, {"content-type": "application/json", "content-encoding": "gzip"}))
    assert (await failure(provider(server))).code == "provider_malformed"
