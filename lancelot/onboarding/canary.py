"""The redaction canary: random secrets in every field of a request go out the real way to a receiver on this machine.

Nothing leaves the machine and nothing is paid. The check passes only if none of the secrets is among the bytes the
receiver got, and if a control, the same request posted by plain httpx, shows that the receiver would have seen them.
"""

from __future__ import annotations

import asyncio
import json
import random
import secrets
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import httpx

from lancelot.chat import parse_chat
from lancelot.errors import BadInput, LancelotError, ProviderError, UnsupportedParameter
from lancelot.providers.base import Deadline, Provider
from lancelot.redaction.redactor import RedactedRequest, Redactor

__all__ = ["Planted", "Receiver", "plant", "receiver", "run_canary"]

DEADLINE_S = 20.0
DROPPABLE = 6
ANSWER = json.dumps(
    {
        "id": "canary",
        "object": "chat.completion",
        "created": 0,
        "model": "canary",
        "choices": [{"index": 0, "message": {"role": "assistant", "content": "ok"}, "finish_reason": "stop"}],
        "usage": {"prompt_tokens": 1, "completion_tokens": 1, "total_tokens": 2},
    }
).encode()


@dataclass(frozen=True, slots=True)
class Planted:
    """A request with a secret in every field; `secrets` by field name."""

    body: dict[str, Any]
    secrets: dict[str, str]


class Receiver:
    """A server on loopback that answers politely and keeps every byte it gets."""

    def __init__(self, port: int) -> None:
        self.url = f"http://127.0.0.1:{port}"
        self.got: list[bytes] = []

    def take(self) -> bytes:
        """All bytes since the last take."""
        taken = b"".join(self.got)
        self.got.clear()
        return taken


@contextmanager
def receiver() -> Iterator[Receiver]:
    """A receiver that lives as long as the block."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length", "0")))
            kept.got.append(f"{self.requestline}\r\n{self.headers}".encode() + body)
            self.send_response(200)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(ANSWER)))
            self.send_header("Connection", "close")
            self.end_headers()
            self.wfile.write(ANSWER)

        do_GET = do_POST

        def log_message(self, format: str, *args: Any) -> None:
            return

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    kept = Receiver(server.server_port)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
    thread.start()
    try:
        yield kept
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def _card(chance: random.Random) -> str:
    digits = [4, *(chance.randrange(10) for _ in range(14))]
    total = sum(
        digit if index % 2 else (digit * 2 - 9 if digit > 4 else digit * 2) for index, digit in enumerate(digits)
    )
    return "".join(map(str, [*digits, -total % 10]))


def _iban(chance: random.Random) -> str:
    account = "".join(str(chance.randrange(10)) for _ in range(18))
    check = 98 - int(account + "131400") % 97  # DE00 as digits
    return f"DE{check:02d}{account}"


def plant() -> Planted:
    """A request whose every field holds a fresh random secret: mail addresses, keys, a card, an IBAN."""
    chance = random.SystemRandom()

    def mail() -> str:
        return f"{secrets.token_hex(5)}.{secrets.token_hex(4)}@{secrets.token_hex(4)}.example.org"

    planted = {
        name: mail() for name in ("system", "user", "assistant", "tool_call", "tool_result", "file_name", "metadata")
    }
    planted |= {
        "user_key": f"sk-proj-{secrets.token_urlsafe(36).replace('-', 'A').replace('_', 'b')}",
        "user_card": _card(chance),
        "user_iban": _iban(chance),
        "tool_result_key": f"ghp_{secrets.token_hex(18)}",
    }
    arguments = {"to": planted["tool_call"], "filename": f"report for {planted['file_name']}.pdf"}
    call = {"id": "call_1", "type": "function", "function": {"name": "send_mail", "arguments": json.dumps(arguments)}}
    body = {
        "model": "canary",
        "messages": [
            {"role": "system", "content": f"You answer for {planted['system']}."},
            {
                "role": "user",
                "content": f"Write to {planted['user']}. My key is {planted['user_key']}, my card "
                f"{planted['user_card']}, my account {planted['user_iban']}.",
            },
            {"role": "assistant", "content": f"Writing to {planted['assistant']}.", "tool_calls": [call]},
            {
                "role": "tool",
                "tool_call_id": "call_1",
                "content": f"Sent; copy to {planted['tool_result']}, token {planted['tool_result_key']}.",
            },
            {"role": "user", "content": "Go on."},
        ],
        "metadata": {"contact": planted["metadata"]},
        "max_tokens": 16,
    }
    return Planted(body, planted)


def with_file(planted: Planted) -> dict[str, Any]:
    """The same request with a file part whose name holds a secret."""
    name = f"letter to {planted.secrets['file_name']}.txt"
    part = {"type": "file", "file": {"filename": name, "file_data": "data:text/plain;base64,SGVsbG8="}}
    return planted.body | {"messages": [{"role": "user", "content": [{"type": "text", "text": "Read this."}, part]}]}


def run_canary(redactor: Redactor, build: Callable[[str], Provider], *, policy: str = "default") -> str:
    """What was planted and not found, in words.

    Args:
        redactor: the one that requests go through.
        build: the chosen provider's client, for the receiver's address and with a made-up key.

    Raises:
        LancelotError: a secret got out, nothing was sent at all, or the control saw too little.
    """
    planted = plant()
    with receiver() as kept:
        httpx.post(f"{kept.url}/control", json=with_file(planted), timeout=DEADLINE_S)
        httpx.post(f"{kept.url}/control", json=planted.body, timeout=DEADLINE_S)
        unseen = _absent(kept.take(), planted.secrets)
        if unseen:
            raise LancelotError(
                "The control of the redaction check did not see what it should, so the check proves nothing.",
                hint="Run the checks again; if it stays, run `lancelot doctor`.",
                code="canary_control_failed",
            )
        with ThreadPoolExecutor(1) as pool:  # a loop of its own, wherever this is called from
            pool.submit(asyncio.run, _send(redactor, build, kept.url, planted, policy)).result()
        sent = kept.take()
    if not sent:
        raise LancelotError(
            "The redaction check could not send its request.", hint="Run the checks again.", code="canary_not_sent"
        )
    leaked = sorted(set(planted.secrets) - set(_absent(sent, planted.secrets)))
    if leaked:
        raise LancelotError(
            f"Planted secrets got out unredacted in: {', '.join(leaked)}.",
            hint="Send nothing yet: check the redaction policy in config/router.yaml, then run the checks again.",
            code="canary_leaked",
        )
    return f"{len(planted.secrets)} planted secrets, none among {len(sent)} bytes sent; the control saw all of them."


def _absent(raw: bytes, planted: dict[str, str]) -> list[str]:
    text = raw.decode("utf-8", "replace").lower()
    return [name for name, secret in planted.items() if secret.lower() not in text]


async def _send(redactor: Redactor, build: Callable[[str], Provider], url: str, planted: Planted, policy: str) -> None:
    provider = build(url)
    try:
        for body in (planted.body, with_file(planted)):
            await _send_one(redactor, provider, body, policy)
    finally:
        await provider.aclose()


async def _send_one(redactor: Redactor, provider: Provider, body: dict[str, Any], policy: str) -> None:
    """Whole and streamed; a field this provider does not take is left out, a blocked file part is not sent at all."""
    for _ in range(DROPPABLE):
        try:
            request = redactor.redact_request(parse_chat(body), policy=policy)
            await _call(provider, request)
        except UnsupportedParameter as refused:
            named = str(refused.extra.get("param") or "")
            if named not in body or named == "messages":
                return
            body = {name: value for name, value in body.items() if name != named}
        except BadInput:
            return  # the policy lets no file out: nothing was sent
        else:
            return


async def _call(provider: Provider, request: RedactedRequest) -> None:
    deadline = Deadline.after(DEADLINE_S)
    with suppress(ProviderError):  # the receiver speaks one provider's language only; what counts is what it got
        await provider.complete(request, model="canary", deadline=deadline)
    with suppress(ProviderError):
        async for _ in provider.stream(request, model="canary", deadline=deadline):
            pass
