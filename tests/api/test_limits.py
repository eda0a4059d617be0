"""What bounds a caller: the body's size, a named key's budget, and hanging up."""

from __future__ import annotations

import json
import logging
import socket
import threading
from urllib.parse import urlsplit

import pytest

from tests.api.conftest import Gateway
from tests.fakes import FakeProvider

BODY = {"model": "lancelot-fast", "messages": [{"role": "user", "content": "Describe the tides."}]}


def test_the_body_limit_is_the_configured_one(gateway: Gateway) -> None:
    limit = gateway.services.config.current.router.gateway.max_body_bytes
    big = json.dumps(BODY | {"messages": [{"role": "user", "content": "x" * limit}]}).encode()
    assert gateway.call("POST", "/v1/chat/completions", content=big).status_code == 413


def test_a_named_keys_own_budget_is_kept(gateway: Gateway) -> None:
    _, secret = gateway.services.keys.add("small", daily_tokens=1)
    _, other = gateway.services.keys.add("large")
    refused = gateway.call("POST", "/v1/chat/completions", json=BODY, token=secret)
    assert refused.status_code == 429, refused.text
    assert refused.json()["error"]["code"] == "budget_spent"
    assert gateway.call("POST", "/v1/chat/completions", json=BODY, token=other).status_code == 200


class TestHangingUp:
    @pytest.fixture
    def provider(self) -> FakeProvider:
        return FakeProvider("late", delay_s=3.0)

    def test_it_cancels_the_call_and_leaves_a_receipt_and_no_stack_trace(
        self, gateway: Gateway, caplog: pytest.LogCaptureFixture
    ) -> None:
        caplog.set_level(logging.ERROR)
        body = json.dumps(BODY).encode()
        head = (
            f"POST /v1/chat/completions HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {gateway.token}\r\n"
            f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
        )
        address = urlsplit(gateway.url)
        with socket.create_connection((address.hostname, address.port)) as client:
            client.sendall(head.encode() + body)
            wait_until(lambda: bool(gateway.provider.calls))
        wait_until(lambda: bool(statuses(gateway)))
        assert statuses(gateway) == ["cancelled"]
        assert not [record for record in caplog.records if record.name.startswith("uvicorn")]


def statuses(gateway: Gateway) -> list[str]:
    found = gateway.call("GET", "/router/receipts", params={"kind": "attempt"}).json()["receipts"]
    return [receipt["status"] for receipt in found]


def wait_until(seen: object, patience_s: float = 15.0) -> None:
    pause = threading.Event()
    for _ in range(int(patience_s / 0.05)):
        if seen():  # type: ignore[operator]
            return
        pause.wait(0.05)
    raise AssertionError("it did not happen in time")
