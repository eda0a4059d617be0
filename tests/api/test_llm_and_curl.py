"""Simon Willison's `llm` and plain `curl` against the gateway, as a person at a terminal uses them."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.api.conftest import Gateway
from tests.fakes import FakeCall, FakeProvider, tool_answer

ASKED = "Mail the invoice to billing@example.com please"
SAID = "Understood: billing@example.com."
TOOL = "def send_mail(to: str) -> str:\n    'Sends a mail'\n    return 'sent to ' + to\n"


def answers(call: FakeCall) -> Any:
    chat = call.chat
    if chat.messages[-1].role == "tool":
        return f"The tool said: {chat.messages[-1].content}"
    if chat.tools:
        return tool_answer("send_mail", {"to": "<EMAIL_1>"})
    if chat.response_format:
        return json.dumps({"name": "<EMAIL_1>"})
    return "Understood: <EMAIL_1>."


@pytest.fixture
def provider() -> FakeProvider:
    return FakeProvider(answers)


@pytest.fixture
def llm(gateway: Gateway, tmp_path: Path) -> Any:
    """Runs `llm` with a folder of its own that knows the gateway; gives what it printed."""
    home = tmp_path / "llm"
    home.mkdir()
    model = {"model_id": "lancelot-fast", "model_name": "lancelot-fast", "api_base": f"{gateway.url}/v1"}
    model |= {"api_key_name": "lancelot", "supports_tools": True, "supports_schema": True}
    (home / "extra-openai-models.yaml").write_text(json.dumps([model]))
    (home / "keys.json").write_text(json.dumps({"lancelot": gateway.token}))
    command = Path(sys.executable).with_name("llm")
    if not command.exists():
        pytest.skip("llm is not installed")

    def run(*arguments: str) -> str:
        ran = subprocess.run(
            [str(command), "-m", "lancelot-fast", *arguments],
            env=os.environ | {"LLM_USER_PATH": str(home), "PYTHONWARNINGS": "ignore"},
            capture_output=True,
            text=True,
            stdin=subprocess.DEVNULL,
            timeout=100,
            check=False,
        )
        assert ran.returncode == 0, ran.stderr
        return ran.stdout.strip()

    return run


def sent(gateway: Gateway) -> bytes:
    return b"".join(call.sent for call in gateway.provider.calls)


def test_llm_streams(llm: Any, gateway: Gateway) -> None:
    assert llm(ASKED) == SAID
    assert gateway.provider.calls[0].streamed
    assert b"billing@" not in sent(gateway)


def test_llm_whole_with_a_system_prompt_and_options(llm: Any, gateway: Gateway) -> None:
    assert llm("--no-stream", "-s", "Be brief.", "-o", "temperature", "0.3", "-o", "max_tokens", "20", ASKED) == SAID
    chat = gateway.provider.calls[0].chat
    assert (chat.messages[0].content, chat.temperature, chat.output_limit) == ("Be brief.", 0.3, 20)


def test_llm_calls_a_tool_with_the_original(llm: Any, gateway: Gateway) -> None:
    assert llm("--functions", TOOL, ASKED) == "The tool said: sent to billing@example.com"
    assert b"billing@" not in sent(gateway)


def test_llm_asks_for_a_schema(llm: Any) -> None:
    assert json.loads(llm("--schema", "name, address str", "--no-stream", ASKED)) == {"name": "billing@example.com"}


def test_llm_goes_on_with_a_conversation(llm: Any, gateway: Gateway) -> None:
    llm(ASKED)
    assert llm("-c", "And a copy to me@example.org") == SAID
    shown = [message.content for message in gateway.provider.calls[1].chat.messages]
    assert shown == ["Mail the invoice to <EMAIL_1> please", "Understood: <EMAIL_1>.", "And a copy to <EMAIL_2>"]


@pytest.fixture
def curl(gateway: Gateway) -> Any:
    """Runs curl with the operator's token; gives (status, body)."""
    command = shutil.which("curl")
    if command is None:
        pytest.skip("curl is not installed")

    def run(path: str, *arguments: str, body: Any = None) -> tuple[int, str]:
        posted = [] if body is None else ["-H", "Content-Type: application/json", "-d", json.dumps(body)]
        ran = subprocess.run(
            [command, "-sS", "-N", "-w", "\n%{http_code}", "-H", f"Authorization: Bearer {gateway.token}",
             *posted, *arguments, f"{gateway.url}{path}"],
            capture_output=True,
            text=True,
            timeout=60,
            check=True,
        )  # fmt: skip
        text, _, status = ran.stdout.rpartition("\n")
        return int(status), text

    return run


BODY = {"model": "lancelot-fast", "messages": [{"role": "user", "content": ASKED}]}


def test_curl_whole(curl: Any) -> None:
    status, text = curl("/v1/chat/completions", body=BODY)
    assert status == 200
    assert json.loads(text)["choices"][0]["message"]["content"] == SAID


def test_curl_streamed(curl: Any) -> None:
    status, text = curl("/v1/chat/completions", body=BODY | {"stream": True})
    assert status == 200
    events = [line.removeprefix("data: ") for line in text.split("\n\n") if line]
    assert events[-1] == "[DONE]"
    pieces = [json.loads(event)["choices"][0]["delta"].get("content") or "" for event in events[:-1]]
    assert "".join(pieces) == SAID


def test_curl_models_and_headers(curl: Any) -> None:
    status, text = curl("/v1/models", "-i")
    assert status == 200
    assert "content-type: application/json" in text.lower()


def test_curl_without_a_content_type_and_with_expect_100(curl: Any) -> None:
    """A body over 1 MB makes curl ask first; -d without a header sends a form's content type."""
    long = BODY | {"messages": [{"role": "user", "content": ASKED + " word" * 300}]}
    status, text = curl("/v1/chat/completions", "-H", "Expect: 100-continue", "-d", json.dumps(long))
    assert status == 200, text


@pytest.mark.parametrize("task", ["redact"])
def test_curl_utility(curl: Any, task: str) -> None:
    status, text = curl(f"/v1/utility/{task}", body={"text": ASKED})
    assert status == 200, text
    assert json.loads(text)["text"] == "Mail the invoice to <EMAIL_1> please"


def test_curl_sees_errors_in_openai_form(curl: Any) -> None:
    status, text = curl("/v1/chat/completions", body={"messages": []})
    assert status == 400
    assert set(json.loads(text)["error"]) >= {"message", "type", "param", "code"}
