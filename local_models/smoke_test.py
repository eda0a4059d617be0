"""Does the local model really work? Known answers on every task, through the service's own routes.

Not a pytest file: `run_smoke(url)` is called by the installer, and `python -m local_models.smoke_test --url URL` by
people. It takes about a second, and a model that answers garbage (wrong weights, broken kernels) does not pass.
"""

from __future__ import annotations

import argparse
import json
import re
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import httpx

from local_models.errors import Busy, EngineFailed, ModelError

__all__ = ["Ask", "HttpAsk", "SmokeCheck", "SmokeReport", "run_smoke"]

Ask = Callable[[str, dict[str, Any]], dict[str, Any]]
"""(route, body) -> answer; raises ModelError."""

CLASSIFY = (
    ("What time does the support desk open on Monday?", "question"),
    ("Please restart the billing server now.", "command"),
    ("Good morning, everyone!", "greeting"),
    ("Thanks a lot, that solved it.", "feedback"),
    ("The invoice was paid on Tuesday by bank transfer.", "information"),
)
# several, since a model this small gets any single one wrong on some processor
CHAT = (
    ("What is the capital of Japan?", {"tokyo"}),
    ("Name the first month of the year.", {"january"}),
    ("How many days are in a week?", {"7", "seven"}),
)
CHAT_RIGHT = 2
CLASSIFY_RIGHT = 4  # of 5: one mistake is allowed, chance alone passes once in some 300 tries
EXTRACT = (
    "Invoice 4711 from Northwind Traders. The total is 120.50 EUR and it was paid.",
    {"vendor": "string", "total": "number"},
    {"vendor": "Northwind Traders", "total": 120.5},
)
REDACT = ("Anna Berg (anna.berg@example.com) asked for a new card.", ("Anna Berg", "anna.berg@example.com"))
SUMMARY = (
    "The nightly backup of the mail server failed at 02:14 because the disk was full. The team deleted old logs and "
    "ran the backup again at 09:30, and it finished without errors."
)
REWRITE = {
    "text": "When does it open?",
    "conversation": [
        {"role": "user", "content": "Where is the new library in Leeds?"},
        {"role": "assistant", "content": "The new library is in Mill Street."},
    ],
}


@dataclass(frozen=True)
class SmokeCheck:
    """One task's result; `detail` says what was expected and what came; `ms` is the time of the calls together."""

    task: str
    ok: bool
    detail: str
    ms: float


@dataclass(frozen=True)
class SmokeReport:
    """All checks; `ok` only if every one passed."""

    checks: tuple[SmokeCheck, ...]

    @property
    def ok(self) -> bool:
        return all(check.ok for check in self.checks)

    def to_dict(self) -> dict[str, Any]:
        """{"ok", "checks": [{"task", "ok", "detail", "ms"}]}."""
        checks = [
            {"task": check.task, "ok": check.ok, "detail": check.detail, "ms": round(check.ms, 1)}
            for check in self.checks
        ]
        return {"ok": self.ok, "checks": checks}


class HttpAsk:
    """Ask a running service over HTTP, on one connection; use it as a context manager."""

    def __init__(self, base_url: str, *, timeout_s: float = 60.0) -> None:
        self._client = httpx.Client(base_url=base_url.rstrip("/"), timeout=timeout_s)

    def __enter__(self) -> HttpAsk:
        return self

    def __exit__(self, *_: object) -> None:
        self._client.close()

    def __call__(self, route: str, body: dict[str, Any]) -> dict[str, Any]:
        """The route's answer.

        Raises:
            Busy: the service asks to come back later.
            EngineFailed: no answer, an error, or no JSON object.
        """
        try:
            answer = self._client.post(route, json=body)
            if answer.status_code == 429:
                told = answer.headers.get("Retry-After", "")
                raise Busy(retry_after=float(told) if told.isdigit() else None)
            answer.raise_for_status()
            content = answer.json()
        except httpx.HTTPStatusError as problem:
            raise EngineFailed(f"{route} answered {problem.response.status_code}.") from problem
        except (httpx.HTTPError, ValueError) as problem:
            raise EngineFailed(f"{route} failed ({type(problem).__name__}).") from problem
        if not isinstance(content, dict):
            raise EngineFailed(f"{route} did not answer with an object.")
        return content


def run_smoke(target: str | Ask) -> SmokeReport:
    """Run every check against a base URL or an `Ask`; never raises for a bad answer, it is reported."""
    if isinstance(target, str):
        with HttpAsk(target) as ask:
            return run_smoke(ask)
    tasks = {"classify": _classify, "extract": _extract, "redact": _redact}
    tasks |= {"summarize": _summarize, "rewrite": _rewrite, "chat": _chat}
    return SmokeReport(tuple(_timed(name, check, target) for name, check in tasks.items()))


def _timed(name: str, check: Callable[[Ask], tuple[bool, str]], ask: Ask) -> SmokeCheck:
    start = time.perf_counter()
    try:
        ok, detail = check(ask)
    except ModelError as problem:
        ok, detail = False, problem.title
    except (KeyError, TypeError, AttributeError, ValueError, IndexError) as problem:
        ok, detail = False, f"the answer has another shape than agreed ({type(problem).__name__})"
    return SmokeCheck(name, ok, detail, (time.perf_counter() - start) * 1000)


def _classify(ask: Ask) -> tuple[bool, str]:
    got = [str(ask("/v1/utility/classify", {"text": text})["label"]) for text, _ in CLASSIFY]
    right = sum(label == expected for label, (_, expected) in zip(got, CLASSIFY, strict=True))
    return right >= CLASSIFY_RIGHT, f"{right} of {len(CLASSIFY)} labels right ({', '.join(got)})"


def _extract(ask: Ask) -> tuple[bool, str]:
    text, schema, expected = EXTRACT
    data = ask("/v1/utility/extract", {"text": text, "schema": schema})["data"]
    return data == expected, f"expected {json.dumps(expected)}, got {json.dumps(data)[:200]}"


def _redact(ask: Ask) -> tuple[bool, str]:
    text, expected = REDACT
    spans = ask("/v1/utility/redact", {"text": text})["spans"]
    found = {text[span["start"] : span["end"]] for span in spans}
    missing = [part for part in expected if not any(part in one or one in part for one in found if len(one) > 3)]
    too_much = sum(len(one) for one in found) > len(text) * 0.8
    return not missing and not too_much, f"{len(found)} spans, missing {len(missing)}"


def _summarize(ask: Ask) -> tuple[bool, str]:
    summary = str(ask("/v1/utility/summarize", {"text": SUMMARY})["summary"]).strip()
    words = _words(summary)
    known = sum(word in _words(SUMMARY) for word in words)
    ok = 4 <= len(words) <= 60 and known >= 0.6 * len(words) and "backup" in words
    return ok, f"{len(words)} words, {known} of them from the text"


def _rewrite(ask: Ask) -> tuple[bool, str]:
    query = str(ask("/v1/utility/rewrite", REWRITE)["query"]).strip()
    words = _words(query)
    return 3 <= len(words) <= 40 and "library" in words, query[:120]


def _chat(ask: Ask) -> tuple[bool, str]:
    answers = []
    for question, _ in CHAT:
        messages = [{"role": "user", "content": question}]
        body = {"model": "local", "messages": messages, "max_tokens": 16, "temperature": 0}
        answers.append(str(ask("/v1/chat/completions", body)["choices"][0]["message"]["content"]).strip())
    right = sum(any(word in _words(text) for word in words) for text, (_, words) in zip(answers, CHAT, strict=True))
    told = " / ".join(answer[:60] for answer in answers)
    return right >= CHAT_RIGHT and "\ufffd" not in told, f"{right} of {len(CHAT)} answers right: {told}"


def _words(text: str) -> list[str]:
    return re.findall(r"[a-z0-9]+", text.lower())


def main(arguments: Sequence[str] | None = None) -> int:
    """Command line: 0 when every check passes, else 1."""
    parser = argparse.ArgumentParser(prog="python -m local_models.smoke_test", description="Known-answer smoke test.")
    parser.add_argument("--url", required=True, help="base URL of the service, for example http://127.0.0.1:8090")
    parser.add_argument("--json", action="store_true", help="one JSON document")
    options = parser.parse_args(arguments)
    report = run_smoke(options.url)
    if options.json:
        print(json.dumps(report.to_dict()))
    else:
        for check in report.checks:
            print(f"{'ok  ' if check.ok else 'FAIL'} {check.task:10} {check.ms:7.1f} ms  {check.detail}")
    return 0 if report.ok else 1


if __name__ == "__main__":
    sys.exit(main())
