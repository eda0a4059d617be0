"""Figures of redaction beside its detectors: what a request, a conversation, a JSON document and a stream cost.

Processor time, so that other work on the machine does not count.   python -m tests.bench.redactor
"""

from __future__ import annotations

import json
import statistics
import time
from collections.abc import Callable, Iterable

from lancelot.chat import ChatRequest, Chunk
from lancelot.redaction import detectors, secrets
from lancelot.redaction.finding import Finder
from lancelot.redaction.labels import Span
from lancelot.redaction.names import Tagger
from lancelot.redaction.redactor import Redactor, require_redacted
from lancelot.redaction.stream import StreamRestorer
from lancelot.redaction.vault import Vault

FILLER = "The quarterly numbers look fine and the team wants to move on with the plan as discussed in the meeting. "


def prompt(number: int) -> str:
    """About 1 KB of everyday text with an e-mail address and a phone number, different for each number."""
    call = f"+1 415 555 {number % 10000:04d}"
    return f"Request {number}: please mail the invoice to billing{number}@example.com and call {call}. {FILLER * 8}"


def chat(*texts: str) -> ChatRequest:
    return ChatRequest.model_validate({"messages": [{"role": "user", "content": text} for text in texts]})


def document(rows: int) -> str:
    """A tool result of JSON rows, an address in each."""
    return json.dumps(
        [{"id": n, "name": f"item {n}", "email": f"u{n}@example.com", "note": "nothing"} for n in range(rows)]
    )


def median_us(work: Callable[[int], object], times: Iterable[int]) -> float:
    """Median microseconds of processor time of one call."""
    taken = []
    for number in times:
        began = time.process_time_ns()
        work(number)
        taken.append(time.process_time_ns() - began)
    return statistics.median(taken) / 1000


def known_places(text: str) -> list[Span]:
    """What the detectors find in `prompt`, for nothing."""
    at, call = text.index("billing"), text.index("+1 415")
    return [Span(at, text.index(" ", at), "EMAIL", "email"), Span(call, call + 15, "PHONE", "phone")]


class NoNames:
    def find(self, text: str) -> list[Span]:
        return []


def figures() -> dict[str, float]:
    """Microseconds a call, by name."""
    tagger = Tagger()
    tagger.load()
    real = Redactor(tagger=tagger)
    bare = Redactor(finder=Finder(NoNames(), rules=(known_places,)))  # type: ignore[arg-type]
    prompts = [prompt(number) for number in range(1200)]
    requests = [chat(text) for text in prompts]
    for text in prompts[:20]:
        real.redact(text)
    made = bare.redact_request(requests[0])
    vault = Vault()
    vault.add("billing@example.com", "EMAIL")
    stream = StreamRestorer(vault)
    word, cut = Chunk(delta={"content": "Ordinary words "}), Chunk(delta={"content": "<EMAIL_1> and <EM"})
    history = [text for number in range(8) for text in (prompts[-1 - number], "Thank you, noted.")]
    return {
        "detectors, 1 KB": median_us(lambda n: (detectors.find(prompts[n]), secrets.find(prompts[n])), range(300)),
        "tagger, 1 KB": median_us(lambda n: tagger.find(prompts[n]), range(300, 400)),
        "request without detectors, 1 KB": median_us(lambda n: bare.redact_request(requests[n]), range(400)),
        "request, rules": median_us(lambda n: real.redact_request(requests[n], mode="rules"), range(400, 700)),
        "request, fast": median_us(lambda n: real.redact_request(requests[n]), range(700, 800)),
        "request without detectors, 20 KB": median_us(
            lambda n: bare.redact_request(chat(*prompts[n : n + 20])), range(0, 400, 20)
        ),
        "next turn of 17 messages, fast": median_us(
            lambda n: real.redact_request(chat(*history, prompts[n])), range(900, 1000)
        ),
        "tool result, 500 rows, rules": median_us(
            lambda n: real.redact_request(tool_result(document(500 + n)), mode="rules"), range(3)
        ),
        "check that it is redacted": median_us(lambda _: require_redacted(made), range(400)),
        "chunk of a stream": median_us(lambda _: stream.feed(word), range(4000)),
        "chunk with a placeholder": median_us(lambda _: stream.feed(cut), range(4000)),
    }


def tool_result(content: str) -> ChatRequest:
    return ChatRequest.model_validate({"messages": [{"role": "tool", "tool_call_id": "c", "content": content}]})


def main() -> None:
    for name, microseconds in figures().items():
        print(f"{name:<36} {microseconds / 1000:9.3f} ms")


if __name__ == "__main__":
    main()
