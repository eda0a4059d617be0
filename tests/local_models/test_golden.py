"""The golden set is large, varied, well formed, and free of what the training generators write."""

from __future__ import annotations

import itertools
import re
from collections import Counter

import pytest

from local_models.exam_items import TASKS, ExamItem, golden_items

DEFAULT = {"question", "command", "information", "greeting", "feedback", "unclear"}
SPAN_LABELS = {"PERSON", "EMAIL", "PHONE", "ADDRESS", "ORG", "ID", "CARD"}
SPAN_LABELS |= {"IBAN", "IP", "URL", "DATE_OF_BIRTH", "USERNAME", "SECRET"}


def of(task: str) -> list[ExamItem]:
    return [item for item in golden_items() if item.task == task]


def words(text: str) -> list[str]:
    return re.findall(r"\w+", text.lower())


def grams(text: str, length: int) -> set[tuple[str, ...]]:
    found = words(text)
    return {tuple(found[at : at + length]) for at in range(len(found) - length + 1)}


@pytest.mark.parametrize("task", TASKS)
def test_there_are_at_least_a_hundred_items_and_none_twice(task: str) -> None:
    items = of(task)
    assert len(items) >= 100
    assert max(Counter(repr(item.body) for item in items).values()) == 1


@pytest.mark.parametrize("task", TASKS)
def test_items_are_varied_and_not_filled_templates(task: str) -> None:
    """Two items of a template would share most of their four-word sequences."""
    texts = [item.text + " " + str(item.body.get("conversation", "")) for item in of(task)]
    known = [grams(text, 4) for text in texts]
    for one, other in itertools.combinations(known, 2):
        if len(one) >= 6 and len(other) >= 6:
            assert len(one & other) / min(len(one), len(other)) < 0.5


def test_classify_has_all_default_labels_and_many_custom_ones() -> None:
    items = of("classify")
    default = Counter(item.expected for item in items if "labels" not in item.body)
    assert set(default) == DEFAULT
    assert min(default.values()) >= 15
    custom = [item for item in items if "labels" in item.body]
    assert len(custom) >= 50
    assert len({repr(item.body["labels"]) for item in custom}) >= 7


def test_extract_has_every_type_and_absent_fields() -> None:
    items = of("extract")
    types = Counter(kind for item in items for kind in item.body["schema"].values())
    assert set(types) == {"string", "number", "boolean", "date"}
    assert min(types.values()) >= 30
    assert sum(value is None for item in items for value in item.expected.values()) >= 10
    assert all(set(item.expected) == set(item.body["schema"]) for item in items)


def test_redact_has_every_label_and_texts_without_any() -> None:
    items = of("redact")
    labels = Counter(span.label for item in items for span in item.expected[0])
    assert set(labels) == SPAN_LABELS
    assert min(labels.values()) >= 4
    assert sum(not item.expected[0] for item in items) >= 20
    for item in items:
        for span in item.expected[0]:
            assert item.text[span.start : span.end].strip() == item.text[span.start : span.end]


def test_summaries_name_key_points_that_are_in_the_text() -> None:
    for item in of("summarize"):
        mentions, _references, most = item.expected
        assert mentions
        assert all(mention.lower() in item.text.lower() for mention in mentions)
        assert len(words(item.text)) > most / 2


def test_rewrites_need_the_conversation_but_for_some_that_stand_alone() -> None:
    items = of("rewrite")
    alone = [item for item in items if "conversation" not in item.body]
    assert 5 <= len(alone) <= 15
    for item in alone:
        assert item.expected == (item.text,)
    for item in items:
        if item not in alone:
            assert all(words(reference) != words(item.text) for reference in item.expected)


def test_dates_are_valid_or_verbatim() -> None:
    for item in of("extract"):
        for name, kind in item.body["schema"].items():
            value = item.expected[name]
            if kind == "date" and value is not None:
                assert re.fullmatch(r"\d{4}-(0[1-9]|1[0-2])-(0[1-9]|[12]\d|3[01])", value) or value in item.text
