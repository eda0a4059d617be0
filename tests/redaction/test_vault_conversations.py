"""Conversations: the same placeholders from turn to turn, for one owner, for a limited time and number."""

from __future__ import annotations

import pytest

from lancelot.chat import ChatRequest
from lancelot.redaction.vault import ConversationVaults
from tests.redaction.samples import redactor


class Clock:
    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


def chat(text: str) -> ChatRequest:
    return ChatRequest.model_validate({"messages": [{"role": "user", "content": text}]})


def test_a_conversation_keeps_its_placeholders() -> None:
    made = redactor()
    first = made.redact_request(chat("a@example.com"), conversation="c")
    second = made.redact_request(chat("b@example.com, then a@example.com"), conversation="c")
    assert first.chat.text() == "<EMAIL_1>"
    assert second.chat.text() == "<EMAIL_2>, then <EMAIL_1>"
    assert first.vault is second.vault


def test_owners_never_share_a_conversation() -> None:
    made = redactor()
    made.redact_request(chat("a@example.com"), conversation="c", owner="one")
    other = made.redact_request(chat("b@example.com"), conversation="c", owner="two")
    assert other.chat.text() == "<EMAIL_1>"
    assert other.vault.restore("<EMAIL_1>") == "b@example.com"


def test_requests_without_a_conversation_share_nothing() -> None:
    made = redactor()
    assert made.redact_request(chat("a@example.com")).vault is not made.redact_request(chat("a@example.com")).vault


def test_what_an_earlier_turn_hid_is_found_again_where_no_detector_sees_it() -> None:
    made = redactor(names=("Tanisha",))
    made.redact_request(chat("I am Tanisha"), conversation="c")
    later = made.redact_request(chat("see /home/tanisha/notes, TANISHA_2.txt"), conversation="c")
    assert "tanisha" not in later.chat.text().lower()
    assert later.vault.restore(later.chat.text()) == "see /home/tanisha/notes, TANISHA_2.txt"


def test_a_text_that_names_a_placeholder_in_use_survives() -> None:
    made = redactor()
    made.redact_request(chat("a@example.com"), conversation="c")
    text = "what does <EMAIL_1> mean, or EMAIL_1, or <email 1>?"
    turn = made.redact_request(chat(text), conversation="c")
    assert turn.vault.restore(turn.chat.text()) == text
    assert "a@example.com" not in turn.vault.restore(turn.chat.text())
    assert dict(turn.counts) == {}


@pytest.mark.parametrize(
    "text", ["%3CPERSON_1%3EPERSON_1", "a@example.comPERSON_1", "PERSON_14111111111111111", "<EMAIL_1>EMAIL_1"]
)
def test_a_placeholder_bared_by_its_masked_neighbour_survives(text: str) -> None:
    made = redactor()
    made.redact_request(chat("Alice Youngblood, b@example.com"), conversation="c")
    turn = made.redact_request(chat(text), conversation="c")
    assert turn.vault.restore(turn.chat.text()) == text


def test_a_conversation_is_forgotten_after_its_time() -> None:
    clock = Clock()
    vaults = ConversationVaults(ttl_s=60, clock=clock)
    first = vaults.get(None, "c")
    clock.now = 59
    assert vaults.get(None, "c") is first
    clock.now = 118
    assert vaults.get(None, "c") is first, "each use counts anew"
    clock.now = 179
    assert len(vaults) == 0
    assert vaults.get(None, "c") is not first


def test_the_conversation_unused_for_longest_goes_first() -> None:
    vaults = ConversationVaults(most=2)
    first, second = vaults.get(None, "1"), vaults.get(None, "2")
    assert vaults.get(None, "1") is first
    vaults.get(None, "3")
    assert len(vaults) == 2
    assert vaults.get(None, "1") is first
    assert vaults.get(None, "2") is not second


def test_a_conversation_that_holds_too_much_begins_anew() -> None:
    vaults = ConversationVaults(entries=3)
    vault = vaults.get(None, "c")
    for number in range(3):
        vault.add(f"p{number}@example.com", "EMAIL")
    assert vaults.get(None, "c") is not vault


def test_forgetting_on_demand() -> None:
    made = redactor()
    first = made.redact_request(chat("a@example.com"), conversation="c", owner="k")
    made.forget("c", owner="k")
    assert made.redact_request(chat("a@example.com"), conversation="c", owner="k").vault is not first.vault
