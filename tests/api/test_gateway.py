"""The gateway over real HTTP: OpenAI's forms, the way to the receipt, and bad input."""

from __future__ import annotations

import json

import pytest

from tests.api.conftest import Gateway
from tests.fakes import FakeProvider

TEXT = "Mail the invoice to billing@example.com please"


def test_a_plain_answer_has_openai_form_and_leads_to_its_receipt(gateway: Gateway) -> None:
    response = gateway.chat(TEXT)
    assert response.status_code == 200, response.text
    body = response.json()
    assert body["object"] == "chat.completion"
    assert body["choices"][0]["message"]["content"] == "Understood: billing@example.com."
    assert response.headers["x-lancelot-lane"] == "fast"
    assert response.headers["x-lancelot-redactions"] == "EMAIL=1"
    found = gateway.call("GET", f"/router/receipts/{response.headers['x-lancelot-receipt']}").json()
    assert found["receipt"]["redactions"] == {"EMAIL": 1}
    assert found["receipt"]["tokens_in"] == 10
    assert len(found["receipt"]["sent_sha256"]) == 64
    assert "billing@example.com" not in json.dumps(found)


def test_the_flagship_never_sees_the_original(gateway: Gateway) -> None:
    gateway.chat(TEXT)
    assert b"billing@example.com" not in gateway.provider.calls[0].sent
    assert b"EMAIL_1" in gateway.provider.calls[0].sent  # the same search finds what did leave


def test_a_stream_has_openai_form(gateway: Gateway) -> None:
    response = gateway.chat(TEXT, stream=True, stream_options={"include_usage": True})
    lines = [line[6:] for line in response.text.splitlines() if line.startswith("data: ")]
    assert lines[-1] == "[DONE]"
    chunks = [json.loads(line) for line in lines[:-1]]
    assert chunks[0]["choices"][0]["delta"]["role"] == "assistant"
    said = "".join(c["choices"][0]["delta"].get("content") or "" for c in chunks if c["choices"])
    assert said == "Understood: billing@example.com."
    assert [c["choices"][0]["finish_reason"] for c in chunks if c["choices"]][-1] == "stop"
    assert chunks[-1]["usage"]["total_tokens"] == 15
    assert gateway.call("GET", f"/router/receipts/{response.headers['x-lancelot-receipt']}").status_code == 200


def test_models_lists_the_names_a_client_may_use(gateway: Gateway) -> None:
    ids = [model["id"] for model in gateway.call("GET", "/v1/models").json()["data"]]
    assert ids == ["lancelot", "lancelot-local", "lancelot-fast", "lancelot-deep"]


def test_a_key_is_bound_to_its_lanes(gateway: Gateway) -> None:
    _, secret = gateway.services.keys.add("agent", lanes=["local"])
    assert [m["id"] for m in gateway.call("GET", "/v1/models", token=secret).json()["data"]] == [
        "lancelot",
        "lancelot-local",
    ]
    body = {"model": "lancelot-fast", "messages": [{"role": "user", "content": "hello"}]}
    refused = gateway.call("POST", "/v1/chat/completions", token=secret, json=body)
    assert refused.status_code == 403
    assert gateway.call("GET", "/router/receipts", token=secret).status_code == 403
    assert not gateway.provider.calls


@pytest.mark.parametrize(
    ("sent", "status", "code"),
    [
        (b"{", 400, "bad_json"),
        (b"", 400, "bad_json"),
        (b'{"messages": "\xff\xfe"}', 400, "bad_json"),
        (b"[]", 400, "bad_input"),
        (b"{}", 400, "bad_input"),
        (b'{"messages": []}', 400, "bad_input"),
        (b'{"messages": [{"role": "user"}]}', 400, "bad_input"),
        (b'{"messages": [{"role": "wizard", "content": "x"}]}', 400, "bad_input"),
        (b'{"messages": [{"role": "user", "content": "x"}], "n": 3}', 400, "unsupported_parameter"),
        (b'{"messages": [{"role": "user", "content": "x"}], "surprise": 1}', 400, "unsupported_parameter"),
        (b'{"messages": [{"role": "user", "content": "x"}], "temperature": 9}', 400, "bad_input"),
        (
            b'{"messages": [{"role": "user", "content": "x"}], "stream_options": {"include_usage": true}}',
            400,
            "bad_input",
        ),
        (
            b'{"messages": [{"role": "user", "content": "x"}], "stream": true, "stream_options": {"else": true}}',
            400,
            "unsupported_parameter",
        ),
        (b'{"model": "gpt-9", "messages": [{"role": "user", "content": "x"}]}', 404, "model_not_found"),
    ],
)
def test_bad_bodies_get_openai_errors(gateway: Gateway, sent: bytes, status: int, code: str) -> None:
    headers = {"Content-Type": "application/json"}
    response = gateway.call("POST", "/v1/chat/completions", content=sent, headers=headers)
    assert response.status_code == status
    error = response.json()["error"]
    assert error["code"] == code
    assert error["title"]
    assert error["hint"]
    assert "Traceback" not in response.text
    assert not gateway.provider.calls


def test_a_body_of_ten_megabytes_is_refused_at_the_door(gateway: Gateway) -> None:
    big = b'{"messages": [{"role": "user", "content": "' + b"x" * 10_500_000 + b'"}]}'
    response = gateway.call("POST", "/v1/chat/completions", content=big)
    assert response.status_code == 413
    assert response.json()["error"]["code"] == "too_large"


@pytest.mark.parametrize("token", [None, "wrong", "lt_", "lk_" + "x" * 40])
@pytest.mark.parametrize("path", ["/v1/models", "/router/receipts", "/usage/summary"])
def test_a_token_is_required(gateway: Gateway, token: str | None, path: str) -> None:
    response = gateway.call("GET", path, token=token)
    assert response.status_code == 401
    assert response.headers["www-authenticate"] == "Bearer"


@pytest.mark.parametrize("path", ["/v1/nothing", "/system/nothing", "/router/nothing", "/usage/nothing"])
def test_unknown_paths_say_so(gateway: Gateway, path: str) -> None:
    response = gateway.call("GET", path)
    assert response.status_code == 404
    body = response.json()
    assert body.get("error", body)["code"] == "not_found"


def test_not_ready_is_503_with_what_is_missing(gateway: Gateway) -> None:
    gateway.services.waiting_for = ["set-up: local model (LOCAL_UTILITY_SETUP)"]
    response = gateway.chat("hello")
    assert response.status_code == 503
    assert response.json()["error"]["code"] == "not_ready"
    assert response.json()["error"]["missing"] == gateway.services.waiting_for
    assert gateway.call("GET", "/system/ready").status_code == 503
    assert gateway.call("GET", "/system/health").status_code == 200


def test_status_without_a_token_names_only_the_state(gateway: Gateway) -> None:
    assert gateway.call("GET", "/system/status", token=None).json() == {"up": True, "onboarding": {"state": "READY"}}
    assert "lanes" in gateway.call("GET", "/system/status").json()


def test_metrics_count_requests_without_text(gateway: Gateway) -> None:
    gateway.chat(TEXT)
    text = gateway.call("GET", "/metrics").text
    assert 'lancelot_requests_total{lane="fast",status="ok"} 1.0' in text
    assert "billing" not in text


class TestFailingFlagship:
    @pytest.fixture
    def provider(self) -> FakeProvider:
        from lancelot.errors import ProviderRateLimited

        return FakeProvider(ProviderRateLimited(retry_after=7))

    def test_a_rate_limit_says_when_to_come_back(self, gateway: Gateway) -> None:
        response = gateway.chat("hello")
        assert response.status_code == 429
        assert response.headers["retry-after"] == "7"
        receipts = gateway.call("GET", "/router/receipts").json()["receipts"]
        assert receipts[0]["status"] == "error"
        assert receipts[0]["error_code"] == "provider_rate_limited"


class TestASlowFlagship:
    @pytest.fixture
    def provider(self) -> FakeProvider:
        return FakeProvider("late", delay_s=20.0)

    @pytest.mark.parametrize("given", ["0", "0.05"])
    def test_the_deadline_of_the_header_holds(self, gateway: Gateway, given: str) -> None:
        body = {"model": "lancelot-fast", "messages": [{"role": "user", "content": "hello"}]}
        response = gateway.call("POST", "/v1/chat/completions", json=body, headers={"x-lancelot-deadline": given})
        assert response.status_code == 504, response.text
        assert response.json()["error"]["code"] == "provider_timeout"


@pytest.mark.parametrize("given", ["-1", "601", "soon", "nan"])
def test_a_deadline_is_a_number_of_seconds(gateway: Gateway, given: str) -> None:
    body = {"model": "lancelot-fast", "messages": [{"role": "user", "content": "hello"}]}
    response = gateway.call("POST", "/v1/chat/completions", json=body, headers={"x-lancelot-deadline": given})
    assert response.status_code == 400
    assert not gateway.provider.calls
