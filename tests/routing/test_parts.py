"""Breaker, judge, conversation, features, recorder's small promises."""

from __future__ import annotations

from dataclasses import dataclass

import pytest

from lancelot.chat import parse_chat
from lancelot.routing.brains import Patience, classify
from lancelot.routing.breaker import Breaker
from lancelot.routing.conversation import follow_up
from lancelot.routing.explain import explain_prompt
from lancelot.routing.features import Features
from lancelot.routing.judge import judge
from lancelot.routing.outcomes import MemoryOutcomes, priors_of
from lancelot.routing.policy import BreakerLimits, RoutingPolicy
from lancelot.routing.rules import forms
from lancelot.routing.score import score
from tests.fakes import text_answer, tool_answer
from tests.routing.fakes import FakeBrain, chat


@dataclass
class Clock:
    now: float = 0.0

    def __call__(self) -> float:
        return self.now


def test_a_breaker_opens_tries_again_and_doubles() -> None:
    clock = Clock()
    breaker = Breaker(BreakerLimits(failures=2, window_s=10, cooldown_s=5, max_cooldown_s=12), clock=clock)
    breaker.failed("a")
    clock.now = 11
    breaker.failed("a")
    assert breaker.allow()
    breaker.failed("provider_timeout")
    state = breaker.state()
    assert (state.state, state.reason, state.ends_in_s) == ("open", "provider_timeout", 5)
    assert not breaker.allow()
    clock.now = 16.5
    assert breaker.state().state == "half_open"
    assert breaker.allow()
    assert not breaker.allow()
    breaker.failed("again")
    assert breaker.state().ends_in_s == 10
    clock.now = 27
    assert breaker.allow()
    breaker.gave_up()
    assert breaker.allow()
    breaker.succeeded()
    assert breaker.state().state == "closed"


def test_a_breaker_keeps_what_the_other_side_asked_for() -> None:
    breaker = Breaker(BreakerLimits(failures=1, cooldown_s=5), clock=Clock())
    breaker.failed("provider_rate_limited", retry_after=40)
    assert breaker.state().ends_in_s == 40


@pytest.mark.parametrize(
    ("text", "signal"),
    [
        ("", "empty"),
        ("  \n", "empty"),
        ("I'm sorry, but I can't help with that.", "refusal"),
        ("I cannot assist with this request.", "refusal"),
        ("As an AI language model, I am unable to do this.", "refusal"),
        ("I'm sorry to hear that. Here is what you can do: rest.", None),
        ("I can't stress enough how good tea is.", "refusal"),
        ("Paris.", None),
    ],
)
def test_signals_of_texts(text: str, signal: str | None) -> None:
    assert judge(text_answer(text), parse_chat(chat())).signal == signal


def test_a_limit_the_caller_set_is_no_truncation() -> None:
    cut = text_answer("Once upon", finish_reason="length")
    assert judge(cut, parse_chat(chat())).signal == "truncated"
    assert judge(cut, parse_chat(chat(max_tokens=2))).signal is None


def test_tool_calls_are_checked_against_what_was_offered() -> None:
    schema = {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]}
    tools = [{"type": "function", "function": {"name": "get_weather", "parameters": schema}}]
    request = parse_chat(chat(tools=tools))
    assert judge(tool_answer("get_weather", {"city": "Bonn"}), request).ok
    assert judge(tool_answer("get_weather", {}), request).signal == "schema_invalid"
    assert judge(tool_answer("delete_all", {}), request).signal == "schema_invalid"


def test_json_objects() -> None:
    request = parse_chat(chat(response_format={"type": "json_object"}))
    assert judge(text_answer('{"a": 1}'), request).ok
    assert judge(text_answer("[1]"), request).signal == "schema_invalid"
    assert judge(text_answer("sure: {}"), request).signal == "schema_invalid"


@pytest.mark.parametrize(
    ("text", "state"),
    [
        ("That is still wrong.", "wrong"),
        ("Your previous code was wrong. It still throws.", "wrong"),
        ("This is wrong!!! Fix it!!!", "angry"),
        ("The fix did not solve it, this is useless", "angry"),
        ("还是不对，再试一次", "wrong"),
        ("What is wrong with Hamlet?", None),
        ("Correct the spelling: teh", None),
    ],
)
def test_follow_ups(text: str, state: str | None) -> None:
    assert follow_up(Features.of_text(text)) == state


def test_asking_the_same_again_is_noticed() -> None:
    messages = [
        {"role": "user", "content": "Why do the tides of the sea change?"},
        {"role": "assistant", "content": "Wind."},
        {"role": "user", "content": "Why do the tides of the sea change?"},
    ]
    assert follow_up(Features.of(parse_chat({"messages": messages}))) == "repeated"
    messages[2]["content"] = "And how tall can they get?"
    assert follow_up(Features.of(parse_chat({"messages": messages}))) is None


def test_features_hold_no_text() -> None:
    kept = Features.of_text("Mail billing@example.com about 12 invoices").to_dict()
    assert all(isinstance(value, bool | int | float) for value in kept.values())


def test_word_forms() -> None:
    assert forms("deploy~") >= {"deploy", "deploys", "deployed", "deploying"}
    assert forms("liability vulnerability~") >= {"liability", "vulnerabilities"}


def test_a_new_task_type_is_unknown_until_it_has_history() -> None:
    ledger = MemoryOutcomes()
    for _ in range(19):
        ledger.record("maths.word", "fast", sufficed=False)
    assert priors_of(ledger.counts()) == {}
    ledger.record("maths.word", "fast", sufficed=False)
    share, outcomes = priors_of(ledger.counts())["maths.word"]
    assert share > 0.9
    assert outcomes == 20


def test_history_moves_the_score() -> None:
    text = "Natalia sold 48 clips in April and half as many in May. How many clips did she sell altogether?"
    features = Features.of_text(text)
    before = score(features, config=RoutingPolicy())
    assert before.task == "maths.word"
    after = score(features, priors={"maths.word": (0.99, 200)}, config=RoutingPolicy())
    assert after.deep > before.deep
    assert any("history of maths.word" in reason for reason in after.reasons)


def test_gibberish_is_unknown() -> None:
    told = explain_prompt("zxqv nplm wqrt")
    assert not told["known"]
    assert told["deep_score"] == 0.5
    assert told["lane"] == "fast"


def test_signals_make_a_cascade_score() -> None:
    text = "Natalia sold 48 clips in April and half as many in May. How many clips did she sell altogether?"
    good = explain_prompt(text, {"sig_weak_parsed": 1.0, "sig_agree_local": 1.0})
    bad = explain_prompt(text, {"sig_weak_parsed": 0.0, "sig_agree_local": 0.0})
    assert bad["deep_score"] > good["deep_score"]
    assert bad["lane"] == "deep"
    assert good["lane"] == "fast"
    strange = explain_prompt(text, {"sig_weak_parsed": "x", "sig_weak_outlen": float("inf"), "sig_other": None})
    assert 0 <= strange["deep_score"] <= 1


@pytest.mark.parametrize("prompt", ["", " ", "\n", "?" * 10_000, "ß" * 5000, "\ud800", "₃²", "9" * 5000])
def test_strange_prompts_are_explained(prompt: str) -> None:
    told = explain_prompt(prompt)
    assert told["lane"] in ("local", "fast", "deep")
    assert 0 <= told["deep_score"] <= 1


@pytest.mark.anyio
async def test_a_slow_classifier_is_left_alone_for_a_while() -> None:
    clock = Clock()
    patience, slow = Patience(tries=2, rest_s=10, clock=clock), FakeBrain(delay_s=5)
    for _ in range(2):
        assert "20 ms" in (await classify(slow, "x", 20, patience))["skipped"]
    assert "too slow" in (await classify(slow, "x", 20, patience))["skipped"]
    assert len(slow.classified) == 2
    clock.now = 11
    assert (await classify(FakeBrain(), "x", 2000, patience))["label"] == "chat"


@pytest.mark.parametrize(
    ("text", "task"),
    [
        ("Write to anna@example.com that the meeting on Friday moves to 3 pm.", "writing.free"),
        ("Write one sentence thanking Anna for her help.", "writing.free"),
        ("Write a short poem about autumn.", "writing.free"),
        ("Write a letter to my landlord about the heating.", "writing.free"),
        ("Write a Python function that reverses a list.", "code.write"),
        ("Write a function to find the largest number in a list.", "code.write"),
    ],
)
def test_only_what_speaks_of_programs_is_a_request_for_one(text: str, task: str) -> None:
    assert score(Features.of(parse_chat(chat(text)))).task == task
