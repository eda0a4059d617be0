"""Policies, actions, the allow-list, modes, and failing closed."""

from __future__ import annotations

import re
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from lancelot.chat import ChatRequest
from lancelot.config import AllowEntry, RedactionPolicy
from lancelot.errors import BadInput, LancelotError, LocalModelError, RedactionFailed
from lancelot.redaction.finding import Finder
from lancelot.redaction.labels import LABELS, Span
from lancelot.redaction.redactor import Redactor
from tests.redaction.samples import Names, redactor

TEXT = "Alice Youngblood of Contoso, Oslo, on 3 May 2024: billing@example.com"


class Everything:
    """In place of the tagger: one finding of each kept type."""

    KNOWN = (("Alice Youngblood", "PERSON"), ("Contoso", "ORG"), ("Oslo", "LOCATION"), ("3 May 2024", "DATE"))

    def find(self, text: str) -> list[Span]:
        return [
            Span(m.start(), m.end(), label, "tagger")
            for value, label in self.KNOWN
            for m in re.finditer(re.escape(value), text)
        ]


def with_policy(**fields: Any) -> Redactor:
    return Redactor({"own": RedactionPolicy(**fields)}, finder=Finder(Everything()))  # type: ignore[arg-type]


def chat(text: str) -> ChatRequest:
    return ChatRequest.model_validate({"messages": [{"role": "user", "content": text}]})


def test_default_hides_what_identifies_and_keeps_what_gives_sense() -> None:
    made = Redactor(finder=Finder(Everything()))  # type: ignore[arg-type]
    assert made.redact(TEXT).text == "<PERSON_1> of Contoso, Oslo, on 3 May 2024: <EMAIL_1>"


def test_strict_hides_everything_found() -> None:
    made = Redactor(finder=Finder(Everything()))  # type: ignore[arg-type]
    assert made.redact(TEXT, policy="strict").text == "<PERSON_1> of <ORG_1>, <LOCATION_1>, on <DATE_1>: <EMAIL_1>"


def test_default_keeps_public_addresses_and_hides_private_ones() -> None:
    text = "https://docs.python.org/3/library and https://bob:s3cretpw@host.example/x"
    shown = redactor().redact(text).text
    assert shown.startswith("https://docs.python.org/3/library and ")
    assert "s3cretpw" not in shown
    assert "python" not in redactor().redact(text, policy="strict").text


@pytest.mark.parametrize("label", LABELS)
def test_every_type_obeys_its_action(label: str) -> None:
    made = Redactor(
        {
            "keep": RedactionPolicy(default_action="mask", actions={label: "keep"}),
            "mask": RedactionPolicy(default_action="keep", actions={label: "mask"}),
            "hash": RedactionPolicy(default_action="keep", actions={label: "hash"}),
            "block": RedactionPolicy(default_action="keep", actions={label: "block"}),
        },
        finder=Finder(Names(["Quux"], label), rules=()),  # type: ignore[arg-type]
    )
    assert made.redact("a Quux b", policy="keep").text == "a Quux b"
    assert made.redact("a Quux b", policy="mask").text == f"a <{label}_1> b"
    assert re.fullmatch(rf"a <{label}:x[0-9a-f]{{12}}> b", made.redact("a Quux b", policy="hash").text)
    with pytest.raises(BadInput) as refused:
        made.redact("a Quux b", policy="block")
    assert refused.value.code == "blocked_by_policy"
    assert label in refused.value.title
    assert "Quux" not in str(refused.value)


def test_a_hash_is_the_same_each_time_and_not_restored() -> None:
    made = with_policy(actions={"EMAIL": "hash"}, default_action="mask")
    first, second = made.redact("billing@example.com", policy="own"), made.redact("x billing@example.com", policy="own")
    assert second.text == f"x {first.text}"
    assert first.restore() == first.text
    other = with_policy(actions={"EMAIL": "hash"}).redact("billing@example.com", policy="own")
    assert other.text != first.text, "another process, another key"
    fixed = [Redactor({"own": RedactionPolicy(default_action="hash")}, hash_key=b"k" * 32) for _ in range(2)]
    assert len({made.redact("billing@example.com", "own", "rules").text for made in fixed}) == 1


def test_what_was_hashed_is_hidden_where_no_detector_sees_it_too() -> None:
    made = Redactor({"own": RedactionPolicy(default_action="hash")}, finder=Finder(Names(["Tanisha"])))  # type: ignore[arg-type]
    redacted = made.redact_request(chat("Tanisha; /home/tanisha_x"), policy="own")
    assert "tanisha" not in redacted.chat.text().lower()


def test_the_allow_list_lets_through_with_a_reason() -> None:
    made = with_policy(
        allow=[
            AllowEntry(value="BILLING@example.com", reason="our own public address"),
            AllowEntry(pattern=r"\S+@public\.example", reason="a public list"),
        ]
    )
    text = "billing@example.com list@public.example other@example.com"
    assert made.redact(text, policy="own").text == "billing@example.com list@public.example <EMAIL_1>"


def test_a_blocked_type_stops_a_whole_request() -> None:
    made = with_policy(actions={"CARD": "block"})
    with pytest.raises(BadInput):
        made.redact_request(chat("4111 1111 1111 1111"), policy="own")


def test_an_unknown_policy_or_mode_is_named() -> None:
    with pytest.raises(BadInput, match="nosuch") as refused:
        redactor().redact("x", policy="nosuch")
    assert "default, strict" in refused.value.hint
    with pytest.raises(BadInput, match="quick"):
        redactor().redact("x", mode="quick")


def test_policies_can_change_while_running() -> None:
    made = redactor()
    made.set_policies({"default": RedactionPolicy(default_action="keep")})
    assert made.redact("billing@example.com").text == "billing@example.com"


def test_rules_mode_asks_no_tagger_and_thorough_asks_the_local_model_too() -> None:
    asked: list[str] = []

    def local_model(text: str) -> list[Span]:
        asked.append(text)
        return [Span(m.start(), m.end(), "PERSON", "model") for m in re.finditer("xanthe", text)]

    made = Redactor(finder=Finder(Names(["Priya"]), local_model))  # type: ignore[arg-type]
    text = "Priya, xanthe, billing@example.com"
    assert made.redact(text, mode="rules").text == "Priya, xanthe, <EMAIL_1>"
    assert made.redact(text, mode="fast").text == "<PERSON_1>, xanthe, <EMAIL_1>"
    assert asked == []
    assert made.redact(text, mode="thorough").text == "<PERSON_1>, <PERSON_2>, <EMAIL_1>"
    assert asked == [text]


def test_thorough_without_a_local_model_fails_in_words() -> None:
    with pytest.raises(RedactionFailed) as refused:
        redactor().redact("x", mode="thorough")
    assert "local model" in refused.value.title


class Broken(RuntimeError):
    """A detector's failure that quotes the text it failed on."""


@pytest.mark.parametrize(
    "failure", [Broken("4111 1111 1111 1111"), MemoryError(), RecursionError(), KeyError("x"), LocalModelError()]
)
@pytest.mark.parametrize("where", ["rule", "tagger", "model"])
def test_when_a_detector_fails_nothing_leaves(failure: Exception, where: str) -> None:
    def broken(_: str) -> list[Span]:
        raise failure

    class BrokenTagger:
        find = staticmethod(broken)

    parts: dict[str, Any] = {
        "rule": lambda: Finder(Names(), rules=(broken,)),  # type: ignore[arg-type]
        "tagger": lambda: Finder(BrokenTagger()),  # type: ignore[arg-type]
        "model": lambda: Finder(Names(), broken),  # type: ignore[arg-type]
    }
    made = Redactor(finder=parts[where]())
    with pytest.raises(RedactionFailed) as refused:
        made.redact_request(chat("card 4111 1111 1111 1111"), mode="thorough")
    told: BaseException | None = refused.value
    assert "4111" not in str(told)
    assert told is not None
    assert told.__cause__ is None
    assert told.__suppress_context__
    assert isinstance(told, LancelotError)


def test_a_detector_that_answers_nonsense_fails_closed() -> None:
    made = Redactor(finder=Finder(Names(), rules=(lambda _: [None],)))  # type: ignore[arg-type,list-item,return-value]
    with pytest.raises(RedactionFailed):
        made.redact("x")


def test_the_places_found_are_remembered_without_the_text() -> None:
    asked: list[str] = []

    def rule(text: str) -> list[Span]:
        asked.append(text)
        return [Span(0, 4, "SECRET", "secret.prefix")]

    finder = Finder(Names(["\0"]), rules=(rule,))  # type: ignore[arg-type]
    made = Redactor(finder=finder)
    assert made.redact("zyx9 rest").text == made.redact("zyx9 rest").text == "<SECRET_1> rest"
    assert asked == ["zyx9 rest"]
    assert "zyx9" not in repr(finder.__dict__)


def test_one_redactor_serves_many_threads() -> None:
    made = redactor()

    def one(number: int) -> bool:
        text = f"Alice Youngblood {number}, p{number}@example.com, again p{number}@example.com"
        redacted = made.redact_request(chat(text), conversation=f"c{number % 7}")
        return "@" not in redacted.chat.text() and redacted.vault.restore(redacted.chat.text()) == text

    with ThreadPoolExecutor(8) as pool:
        assert all(pool.map(one, range(300)))


def test_the_shipped_detectors_work_together() -> None:
    made = Redactor()
    text = "My name is Maria Gonzalez, mail maria.gonzalez@example.com or call +1 415 555 0132."
    redacted = made.redact(text)
    assert redacted.text == "My name is <PERSON_1>, mail <EMAIL_1> or call <PHONE_1>."
    assert redacted.restore() == text
    assert [(text[span.start : span.end], span.label) for span in redacted.spans] == [
        ("Maria Gonzalez", "PERSON"),
        ("maria.gonzalez@example.com", "EMAIL"),
        ("+1 415 555 0132", "PHONE"),
    ]
