"""Marking and holding the exam: what counts as right, what is reported, what is never kept."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from local_models.errors import Busy, EngineFailed, ExamFailed
from local_models.exam import ExamDone, ExamStarted, ItemDone, TaskDone, hold_exam, main, run_exam
from local_models.exam_items import TASKS, ExamItem, Span, golden_items, load_items, parse_items, subset
from local_models.exam_scores import mark, score_task, token_f1
from tests.local_models.fetch_server import Exchange, serving


def item(task: str, body: Any, expected: Any) -> ExamItem:
    return parse_items([json.dumps({"task": task, "input": body, "expected": expected})])[0]


def perfect(route: str, body: dict[str, Any]) -> dict[str, Any]:
    """Somebody who knows the golden set by heart."""
    task = route.rsplit("/", 1)[1]
    known = next(one for one in golden_items() if one.task == task and one.body == body)
    return ANSWERS[task](known)


def _spans(known: ExamItem) -> dict[str, Any]:
    return {"spans": [{"start": span.start, "end": span.end, "label": span.label} for span in known.expected[0]]}


ANSWERS: dict[str, Any] = {
    "classify": lambda known: {"label": known.expected},
    "extract": lambda known: {"data": known.expected},
    "redact": _spans,
    "summarize": lambda known: {"summary": known.text.split(". ")[0] + "."},
    "rewrite": lambda known: {"query": known.expected[0]},
}


def test_whoever_knows_everything_passes_every_bar() -> None:
    result = hold_exam(subset(golden_items(), 20), perfect)
    assert result["passed"]
    assert result["items"] == 100
    assert [task["task"] for task in result["tasks"]] == list(TASKS)
    assert [task["score"] for task in result["tasks"]] == [1.0] * 5
    assert all(task["missed"] == [] and task["items"] == 20 for task in result["tasks"])
    json.dumps(result)


def test_whoever_answers_nothing_passes_none() -> None:
    result = hold_exam(golden_items(), lambda _route, _body: {})
    assert not any(task["passed"] for task in result["tasks"])
    assert all(task["score"] == 0 for task in result["tasks"] if task["task"] != "redact")


def test_copying_the_query_does_not_pass_rewrite() -> None:
    items = [one for one in golden_items() if one.task == "rewrite"]
    result = hold_exam(items, lambda _route, body: {"query": body["text"]})["tasks"][0]
    assert result["measures"]["above_copying"] == 0
    assert not result["passed"]


def test_hiding_everything_has_recall_but_no_precision() -> None:
    items = [one for one in golden_items() if one.task == "redact"]
    everything = hold_exam(items, lambda _r, body: {"spans": [{"start": 0, "end": len(body["text"]), "label": "ID"}]})
    measures = everything["tasks"][0]["measures"]
    assert measures["recall"] == 1.0
    assert measures["precision"] < 0.5
    assert not everything["tasks"][0]["passed"]


def test_events_come_in_order_and_tell_the_progress() -> None:
    items = subset(golden_items(), 2)
    events = list(run_exam(items, perfect))
    assert events[0] == ExamStarted(10, TASKS)
    assert [event.done for event in events if isinstance(event, ItemDone)] == list(range(1, 11))
    assert len([event for event in events if isinstance(event, TaskDone)]) == 5
    assert isinstance(events[-1], ExamDone)


def test_the_subset_is_always_the_same_and_spread_out() -> None:
    items = golden_items()
    chosen = subset(items, 20)
    assert chosen == subset(items, 20)
    assert {task: sum(one.task == task for one in chosen) for task in TASKS} == dict.fromkeys(TASKS, 20)
    labels = [one.expected for one in chosen if one.task == "classify"]
    assert len(set(labels)) >= 10
    assert len(subset(items, 10_000)) == len(items)


@pytest.mark.parametrize(
    ("got", "expected", "right"),
    [
        (12, 12.0, 1), (12.0, 12, 1), ("12", 12, 0), (True, 1, 0), (1, True, 0), (None, None, 1), ("", None, 0),
        ("Northwind  Traders.", "northwind traders", 1), ("Northwind", "Northwind Traders", 0), (False, False, 1),
        ([1], 1, 0), (None, "x", 0),
    ],
)  # fmt: skip
def test_fields_are_compared_by_value(got: Any, expected: Any, right: int) -> None:
    one = item("extract", {"text": "t", "schema": {"a": "string"}}, {"a": expected})
    assert mark(one, {"data": {"a": got}}).counts["right"] == right


def test_a_missing_field_is_wrong_even_where_null_is_expected() -> None:
    one = item("extract", {"text": "t", "schema": {"a": "string", "b": "string"}}, {"a": None, "b": "x"})
    marked = mark(one, {"data": {"b": "x"}})
    assert (marked.counts["right"], marked.right) == (1, False)
    assert score_task("extract", [marked]).measures["fields"] == 0.5


def test_spans_are_marked_by_what_they_cover() -> None:
    text = "Call Anna Berg at 555 0100 in Oslo"
    spans = [{"text": "Anna Berg", "label": "PERSON"}, {"text": "555 0100", "label": "PHONE"}]
    one = item("redact", text, {"spans": spans, "ignore": ["Oslo"]})
    assert one.expected == ((Span(5, 14, "PERSON"), Span(18, 26, "PHONE")), (Span(30, 34, ""),))

    def counts(*spans: tuple[int, int, str]) -> dict[str, float]:
        return mark(one, {"spans": [{"start": s, "end": e, "label": label} for s, e, label in spans]}).counts

    whole = counts((5, 14, "PERSON"), (18, 26, "PHONE"))
    assert (whole["hit"], whole["good"], whole["found"], whole["exact"], whole["labelled"]) == (2, 2, 2, 2, 2)
    half = counts((5, 9, "PERSON"), (18, 26, "ID"))
    assert (half["hit"], half["good"], half["labelled"]) == (1, 2, 1)
    assert counts((30, 34, "LOCATION"))["found"] == 0
    assert counts((0, 4, "PERSON"))["good"] == 0
    joined = counts((5, 9, "PERSON"), (9, 14, "PERSON"))
    assert joined["hit"] == 1


def test_a_clean_text_counts_when_it_is_left_alone() -> None:
    one = item("redact", "Nothing here", {"spans": []})
    clean = score_task("redact", [mark(one, {"spans": []})]).measures
    assert (clean["clean_left_alone"], clean["recall"], clean["precision"]) == (1.0, 1.0, 1.0)
    dirty = score_task("redact", [mark(one, {"spans": [{"start": 0, "end": 7, "label": "ID"}]})]).measures
    assert (dirty["clean_left_alone"], dirty["precision"]) == (0.0, 0.0)


@pytest.mark.parametrize(
    ("summary", "faithful"),
    [
        ("The Oslo backup failed at 02:14.", True),
        ("The Oslo backup failed at 02:15.", False),
        ("The backup in Bergen failed.", False),
        ("Elephants danced merrily under purple moons while singing.", False),
        ("The backup failed 2 times.", False),
        ("", False),
    ],
)
def test_a_summary_may_not_invent(summary: str, faithful: bool) -> None:
    one = item("summarize", "In Oslo the nightly backup failed at 02:14, and it will be repeated at night.",
               {"mentions": ["backup", "02:14"], "max_words": 12})  # fmt: skip
    assert mark(one, {"summary": summary}).counts["faithful"] == faithful


def test_a_summary_may_not_be_longer_than_its_bound() -> None:
    one = item("summarize", "The backup failed. " * 20, {"mentions": ["backup"], "max_words": 5})
    assert mark(one, {"summary": "The backup failed."}).right
    assert not mark(one, {"summary": "The backup failed. " * 3}).right


def test_rewrites_are_compared_with_the_best_reference() -> None:
    one = item("rewrite", {"text": "And in winter?"}, ["When does the pool open in winter?", "pool hours winter"])
    assert mark(one, {"query": "pool hours winter"}).counts["exact"]
    assert mark(one, {"query": "pool hours winter"}).counts["f1"] == 1.0
    assert token_f1("a b", "c d") == 0.0


def test_other_forms_of_expected_are_read() -> None:
    assert item("classify", {"text": "x"}, {"label": "question"}).expected == "question"
    assert item("extract", {"text": "x", "schema": {"a": "number"}}, {"data": {"a": 1}}).expected == {"a": 1}
    assert item("extract", {"text": "x", "schema": {"data": "number"}}, {"data": 1}).expected == {"data": 1}
    assert item("summarize", "long text", "A reference.").expected == ((), ("A reference.",), 60)
    assert item("rewrite", {"query": "and?"}, {"query": "and what?"}).expected == ("and what?",)
    assert item("rewrite", {"query": "and?"}, "and what?").text == "and?"
    assert item("redact", "Anna", [{"text": "Anna", "label": "PERSON"}]).expected[0] == (Span(0, 4, "PERSON"),)


@pytest.mark.parametrize(
    "line",
    [
        "{", "[]", "{}", '{"task": "sing", "input": "x", "expected": "y"}',
        '{"task": "classify", "input": {"text": ""}, "expected": "y"}',
        '{"task": "classify", "input": {"text": "x"}}',
        '{"task": "classify", "input": {"text": "x", "labels": ["a"]}, "expected": "b"}',
        '{"task": "classify", "input": {"text": "x"}, "expected": 5}',
        '{"task": "extract", "input": {"text": "x"}, "expected": {"a": 1}}',
        '{"task": "extract", "input": {"text": "x", "schema": {"b": "string"}}, "expected": {"a": 1}}',
        '{"task": "redact", "input": {"text": "x"}, "expected": [{"start": 0, "end": 9, "label": "ID"}]}',
        '{"task": "redact", "input": {"text": "x"}, "expected": [{"text": "y", "label": "ID"}]}',
        '{"task": "rewrite", "input": {"text": "x"}, "expected": []}',
    ],
)  # fmt: skip
def test_a_line_that_is_no_item_is_named(tmp_path: Path, line: str) -> None:
    path = tmp_path / "items.jsonl"
    path.write_text('{"task": "classify", "input": {"text": "x"}, "expected": "question"}\n\n' + line + "\n")
    with pytest.raises(ExamFailed, match=r"items\.jsonl, line 3"):
        load_items(path)


def test_files_without_items_are_refused(tmp_path: Path) -> None:
    (tmp_path / "empty.jsonl").write_text("\n")
    (tmp_path / "binary.jsonl").write_bytes(b"\xff\xfe\x00")
    for name in ("empty", "binary", "missing"):
        with pytest.raises(ExamFailed):
            load_items(tmp_path / f"{name}.jsonl")


def test_a_busy_model_is_asked_again_and_a_broken_one_given_up() -> None:
    items = [one for one in golden_items() if one.task == "classify"][:20]
    asked: list[str] = []
    waits: list[float] = []

    def busy_first(route: str, body: dict[str, Any]) -> dict[str, Any]:
        asked.append(body["text"])
        if len(asked) == 1:
            raise Busy(retry_after=2)
        return {"label": "question"}

    events = list(run_exam(items, busy_first, sleep=waits.append))
    assert waits == [2]
    assert isinstance(events[-1], ExamDone)
    assert events[-1].result["tasks"][0]["failed"] == 0

    def broken(_route: str, _body: dict[str, Any]) -> dict[str, Any]:
        raise EngineFailed

    with pytest.raises(ExamFailed, match="does not answer"):
        hold_exam(items, broken)
    assert hold_exam(items[:3], broken)["tasks"][0]["failed"] == 3


def test_latency_and_tokens_are_told() -> None:
    ticks = iter(range(1000))
    items = [one for one in golden_items() if one.task == "classify"][:4]
    usage = {"prompt_tokens": 30, "cached_tokens": 20, "completion_tokens": 2}
    events = list(run_exam(items, lambda _r, _b: {"label": "x", "usage": usage}, clock=lambda: float(next(ticks))))
    assert isinstance(events[-1], ExamDone)
    task = events[-1].result["tasks"][0]
    assert (task["p50_ms"], task["p95_ms"], task["tokens_per_s"]) == (1000.0, 1000.0, 12.0)


def test_results_carry_no_text() -> None:
    items = parse_items(['{"task": "classify", "input": {"text": "confidential"}, "expected": "private"}'])
    result = hold_exam(items, lambda _r, _b: {"label": "secret"})
    assert not any(word in json.dumps(result) for word in ("confidential", "private", "secret"))
    assert result["tasks"][0]["missed"] == [1]


def test_the_command_reads_other_peoples_items(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    body = json.dumps({"label": "b", "confidence": 1.0}).encode()

    def answer(exchange: Exchange) -> None:
        exchange.head(200, Content_Length=len(body))
        exchange.body(body)

    items = tmp_path / "items.jsonl"
    items.write_text('{"task": "classify", "input": {"text": "x", "labels": ["a", "b"]}, "expected": "b"}\n')
    with serving(answer) as server:
        url = server.url.rsplit("/", 1)[0]
        assert main(["--url", url, "--items", str(items), "--json"]) == 0
        assert json.loads(capsys.readouterr().out)["tasks"][0]["score"] == 1.0
        items.write_text('{"task": "classify", "input": {"text": "x", "labels": ["a", "b"]}, "expected": "a"}\n')
        assert main(["--url", url, "--items", str(items)]) == 1
        assert "LOW classify" in capsys.readouterr().out
    assert main(["--url", url, "--items", str(tmp_path / "none")]) == 1
    assert "exam_failed" in capsys.readouterr().err
