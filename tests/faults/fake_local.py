"""A local model's service that knows the smoke test's answers at once: for drills about everything else."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from local_models.smoke_test import CLASSIFY, EXTRACT, SUMMARY
from tests.loopback import Quiet, listening

__all__ = ["FakeLocal", "fake_local"]

LABELS = dict(CLASSIFY)


class FakeLocal:
    """Its address, and whether it hangs."""

    def __init__(self) -> None:
        self.url = ""
        self.hanging = False
        self.let_go = threading.Event()


def answer(path: str, body: dict[str, Any]) -> dict[str, Any]:
    """What the route says to a body."""
    text = str(body.get("text", ""))
    if path.endswith("/classify"):
        labels = [one["label"] if isinstance(one, dict) else one for one in body.get("labels") or ["question"]]
        label = LABELS.get(text, labels[0])
        return {"label": label, "confidence": 0.9, "scores": {label: 0.9}}
    if path.endswith("/extract"):
        return {"data": EXTRACT[2] if text == EXTRACT[0] else dict.fromkeys(body.get("schema", {}))}
    if path.endswith("/redact"):
        found = [(text.find(part), part) for part in ("Anna Berg", "anna.berg@example.com")]
        return {"spans": [{"start": at, "end": at + len(part), "label": "PERSON"} for at, part in found if at >= 0]}
    if path.endswith("/summarize"):
        return {"summary": "The nightly backup of the mail server failed." if text == SUMMARY else text[:40]}
    if path.endswith("/rewrite"):
        return {"query": "When does the new library open?"}
    message = {"role": "assistant", "content": "Tokyo is cold in January, all 7 days of the week."}
    choice = {"index": 0, "finish_reason": "stop", "message": message}
    usage = {"prompt_tokens": 9, "completion_tokens": 7, "total_tokens": 16}
    return {"id": "x", "object": "chat.completion", "created": 1, "model": "fake", "choices": [choice], "usage": usage}


class Handler(Quiet):
    protocol_version = "HTTP/1.1"
    state: FakeLocal

    def do_GET(self) -> None:
        if self.state.hanging:
            self.state.let_go.wait(60)
        if self.path == "/health":
            self.say_json(
                {"service": "lancelot-local-model", "status": "ready", "model": "fake", "queue": 0, "active": 0}
            )
        else:
            self.say_json({"object": "list", "data": [{"id": "fake", "object": "model"}]})

    def do_POST(self) -> None:
        body = json.loads(self.body())
        if self.state.hanging:
            self.state.let_go.wait(60)
        self.say_json(answer(self.path, body))


@contextmanager
def fake_local() -> Iterator[FakeLocal]:
    """The service, as long as the block lasts."""
    state = FakeLocal()
    with listening(Handler, state) as state.url:
        try:
            yield state
        finally:
            state.let_go.set()
