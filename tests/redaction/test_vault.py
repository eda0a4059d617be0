"""Placeholders and originals: consistent, tolerant of what models do to them, and in memory only."""

from __future__ import annotations

import copy
import json
import pickle
from concurrent.futures import ThreadPoolExecutor

import pytest

from lancelot.redaction.vault import Entry, Vault


def test_the_same_original_always_has_the_same_placeholder() -> None:
    vault = Vault()
    first = vault.add("a@example.com", "EMAIL")
    assert vault.add("a@example.com", "EMAIL") is first
    assert first.text == "<EMAIL_1>"
    assert first.name == "redacted_EMAIL_1"
    assert vault.add("b@example.com", "EMAIL").text == "<EMAIL_2>"
    assert vault.add("a@example.com", "USERNAME").text == "<USERNAME_1>"
    assert len(vault) == 3
    assert vault.labels() == {"EMAIL", "USERNAME"}


@pytest.mark.parametrize(
    "spelling",
    [
        "<EMAIL_1>", "<email_1>", "<Email_1>", "< EMAIL_1 >", "<EMAIL 1>", "<EMAIL-1>", "<EMAIL1>", "<EMAIL\\_1>",
        "&lt;EMAIL_1&gt;", "\\u003cEMAIL_1\\u003e", "EMAIL_1", "redacted_EMAIL_1", "REDACTED_email_1",
    ],
)  # fmt: skip
def test_a_placeholder_a_model_has_altered_is_still_restored(spelling: str) -> None:
    vault = Vault()
    vault.add("a@example.com", "EMAIL")
    assert vault.restore(f"Write to {spelling}, please.") == "Write to a@example.com, please."


@pytest.mark.parametrize("spelling", ["<DATE_OF_BIRTH_1>", "<date of birth 1>", "<Date-Of-Birth-1>"])
def test_a_label_of_several_words_is_restored(spelling: str) -> None:
    vault = Vault()
    vault.add("1990-02-03", "DATE_OF_BIRTH")
    assert vault.restore(spelling) == "1990-02-03"


@pytest.mark.parametrize(
    "text",
    [
        "<EMAIL_2>",
        "<EMAIL_12>",
        "email_1 = 3",
        "MY_EMAIL_1",
        "EMAIL_1x",
        "EMAIL_10",
        "<EMAILS_1>",
        "<EMAIL_01>",
        "<PHONE_1>",
    ],
)
def test_what_is_no_placeholder_of_this_vault_stays(text: str) -> None:
    vault = Vault()
    vault.add("a@example.com", "EMAIL")
    assert vault.restore(text) == text


def test_restoring_inside_json_keeps_it_valid() -> None:
    vault = Vault()
    vault.add('Ann "Q" \\ Lee\n', "PERSON")
    vault.add("4111111111111111", "CARD", numeric=True)
    text = json.dumps({"to": "<PERSON_1>", "<PERSON_1>": "for <PERSON_1>", "card": "<CARD_1>", "note": "no <CARD_1>"})
    assert json.loads(vault.restore(text, in_json=True)) == {
        "to": 'Ann "Q" \\ Lee\n',
        'Ann "Q" \\ Lee\n': 'for Ann "Q" \\ Lee\n',
        "card": 4111111111111111,
        "note": "no 4111111111111111",
    }


def test_an_escaped_placeholder_gives_an_escaped_original() -> None:
    vault = Vault()
    vault.add("Ann & Lee <a@example.com>", "PERSON")
    assert vault.restore("<b>&lt;PERSON_1&gt;</b>") == "<b>Ann &amp; Lee &lt;a@example.com&gt;</b>"
    assert vault.restore("mailto:?to=%3CPERSON_1%3E&x=%3cperson_1%3e") == (
        "mailto:?to=Ann%20%26%20Lee%20%3Ca%40example.com%3E&x=Ann%20%26%20Lee%20%3Ca%40example.com%3E"
    )


def test_an_original_that_holds_a_placeholder_is_restored_once_only() -> None:
    vault = Vault()
    vault.add("<EMAIL_2>", "EMAIL")
    vault.add("b@example.com", "EMAIL")
    assert vault.restore("<EMAIL_1> <EMAIL_2>") == "<EMAIL_2> b@example.com"


def test_a_reserved_number_is_never_given_away() -> None:
    vault = Vault()
    assert vault.reserve("EMAIL", 1)
    assert vault.add("a@example.com", "EMAIL").text == "<EMAIL_2>"
    assert not vault.reserve("EMAIL", 2)
    assert vault.restore("<EMAIL_1>") == "<EMAIL_1>"


def test_what_was_hashed_is_remembered_but_never_restored() -> None:
    vault = Vault()
    vault.remember("a@example.com", "EMAIL")
    assert vault.restore("<EMAIL_0> <EMAIL_1>") == "<EMAIL_0> <EMAIL_1>"
    assert [entry.original for entry in vault] == ["a@example.com"]
    assert vault.add("a@example.com", "EMAIL").text == "<EMAIL_1>"


def test_a_vault_shows_nothing_and_cannot_be_written_or_copied() -> None:
    vault = Vault()
    entry = vault.add("a@example.com", "EMAIL")
    assert "example" not in f"{vault!r} {vault} {entry!r} {entry} {[entry]}"
    for way in (pickle.dumps, copy.copy, copy.deepcopy):
        with pytest.raises(TypeError):
            way(vault)
    assert isinstance(entry, Entry)


def test_threads_agree_on_every_placeholder() -> None:
    vault = Vault()
    with ThreadPoolExecutor(8) as pool:
        given = list(pool.map(lambda i: vault.add(f"p{i % 50}@example.com", "EMAIL").text, range(2000)))
    assert len(set(given)) == 50
    assert all(given[i] == given[i % 50] for i in range(2000))
