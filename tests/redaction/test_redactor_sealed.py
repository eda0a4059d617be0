"""Only a Redactor makes what may leave; nobody else can make, alter, copy or unpickle it."""

from __future__ import annotations

import copy
import dataclasses
import pickle
import subprocess
import sys
from pathlib import Path

import pytest

from lancelot.chat import Answer, ChatRequest, Usage
from lancelot.errors import RedactionFailed
from lancelot.redaction.redactor import RedactedRequest, require_redacted
from tests.redaction.samples import redactor


def chat(text: str = "Mail billing@example.com") -> ChatRequest:
    return ChatRequest.model_validate({"messages": [{"role": "user", "content": text}]})


def made(text: str = "Mail billing@example.com") -> RedactedRequest:
    return redactor().redact_request(chat(text))


def test_what_a_redactor_made_passes() -> None:
    request = made()
    assert require_redacted(request) is request
    assert request.chat.text() == "Mail <EMAIL_1>"
    assert dict(request.counts) == {"EMAIL": 1}
    assert (request.policy, request.spans_total) == ("default", 1)


@pytest.mark.parametrize("other", [chat(), None, {"chat": chat()}, "text", object()])
def test_nothing_else_passes(other: object) -> None:
    with pytest.raises(RedactionFailed) as refused:
        require_redacted(other)
    assert refused.value.code == "not_redacted"


def test_it_cannot_be_constructed() -> None:
    with pytest.raises(TypeError):
        RedactedRequest(chat=chat(), vault=made().vault, counts={}, policy="default", spans_total=0)
    empty = object.__new__(RedactedRequest)
    with pytest.raises(RedactionFailed):
        require_redacted(empty)


def test_one_filled_by_hand_does_not_pass() -> None:
    real = made()
    forged = object.__new__(RedactedRequest)
    for name in RedactedRequest.__slots__:
        object.__setattr__(forged, name, getattr(real, name))
    object.__setattr__(forged, "chat", chat())
    with pytest.raises(RedactionFailed):
        require_redacted(forged)


def test_it_is_frozen() -> None:
    request = made()
    with pytest.raises(AttributeError):
        request.chat = chat()
    with pytest.raises(AttributeError):
        del request.chat
    with pytest.raises(TypeError):
        request.counts["EMAIL"] = 0  # type: ignore[index]
    with pytest.raises(TypeError):
        dataclasses.replace(request, chat=chat())  # type: ignore[type-var]


def test_a_chat_changed_after_redaction_does_not_pass() -> None:
    request = made()
    request.chat.messages[0].content = "Mail billing@example.com"
    with pytest.raises(RedactionFailed):
        require_redacted(request)


def test_changing_the_given_request_changes_nothing_redacted() -> None:
    given = ChatRequest.model_validate(
        {
            "messages": [{"role": "user", "content": [{"type": "text", "text": "hello"}]}],
            "tools": [],
            "metadata": {"a": "b"},
        }
    )
    request = redactor().redact_request(given)
    given.messages[0].content = "billing@example.com"
    given.metadata = {"a": "billing@example.com"}
    assert require_redacted(request).chat.text() == "hello"


def test_a_copy_is_the_same_object_and_no_pickle_is_made() -> None:
    request = made()
    assert copy.copy(request) is request
    assert copy.deepcopy(request) is request
    with pytest.raises(TypeError):
        pickle.dumps(request)


def test_a_subclass_does_not_pass() -> None:
    forged = type("Forged", (RedactedRequest,), {})  # type: ignore[misc]
    with pytest.raises(RedactionFailed):
        require_redacted(object.__new__(forged))


def test_its_repr_shows_no_text() -> None:
    assert "example" not in repr(made())
    assert "hello" not in repr(made("hello"))


def test_switches_and_numbers_may_change_texts_may_not() -> None:
    request = made().with_options(stream=True, max_tokens=5)
    assert require_redacted(request).chat.stream
    assert request.chat.max_tokens == 5
    assert request.chat.text() == "Mail <EMAIL_1>"
    with pytest.raises(TypeError):
        request.with_options(user="billing@example.com")
    with pytest.raises(TypeError):
        request.with_options(seed="billing@example.com")


def test_an_answer_is_restored_in_every_field() -> None:
    request = redactor().redact_request(chat("Alice Youngblood, billing@example.com"))
    call = {"id": "c", "type": "function", "function": {"name": "send", "arguments": '{"to": "<EMAIL_1>"}'}}
    answer = Answer(
        message={
            "role": "assistant",
            "content": "Dear <person_1>",
            "reasoning_content": "<EMAIL_1>?",
            "refusal": "not < PERSON_1 >",
            "annotations": [{"note": "<EMAIL_1>"}],
            "tool_calls": [call],
        },
        finish_reason="tool_calls",
        usage=Usage(1, 2),
        model="m",
    )
    shown = request.restore_answer(answer)
    assert shown.message == {
        "role": "assistant",
        "content": "Dear Alice Youngblood",
        "reasoning_content": "billing@example.com?",
        "refusal": "not Alice Youngblood",
        "annotations": [{"note": "billing@example.com"}],
        "tool_calls": [call | {"function": {"name": "send", "arguments": '{"to": "billing@example.com"}'}}],
    }
    assert answer.message["content"] == "Dear <person_1>", "the given answer is not changed"
    assert (shown.usage, shown.model) == (answer.usage, "m")


@pytest.mark.timeout(300)
def test_mypy_refuses_a_provider_call_with_anything_else(tmp_path: Path) -> None:
    source = tmp_path / "caller.py"
    source.write_text(
        "from lancelot.chat import ChatRequest\n"
        "from lancelot.providers.base import Deadline, Provider\n"
        "from lancelot.redaction.redactor import RedactedRequest\n"
        "async def good(p: Provider, r: RedactedRequest) -> None:\n"
        '    await p.complete(r, model="m", deadline=Deadline.after(1))\n'
        "async def bad(p: Provider, r: ChatRequest) -> None:\n"
        '    await p.complete(r, model="m", deadline=Deadline.after(1))\n'
    )
    root = Path(__file__).resolve().parents[2]
    ran = subprocess.run(
        [sys.executable, "-m", "mypy", "--follow-imports=silent", "--cache-dir", str(tmp_path / "cache"), str(source)],
        cwd=root,
        capture_output=True,
        text=True,
        check=False,
    )
    errors = [line for line in ran.stdout.splitlines() if ": error:" in line]
    assert len(errors) == 1, ran.stdout + ran.stderr
    assert ":7:" in errors[0]
    assert "RedactedRequest" in errors[0]
