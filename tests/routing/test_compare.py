"""The second opinion: read off, compared, escalated; never asked where it cannot count."""

from __future__ import annotations

import pytest

from lancelot.errors import LocalModelError
from lancelot.routing.compare import final_answer
from lancelot.routing.lanes import Lane
from tests.fakes import FakeProvider
from tests.routing.fakes import FakeBrain, chat, world

SUM = "A level 5 problem: find the remainder when 3^{17} is divided by 7, and the sum of the digits of $12^{12}$."


@pytest.mark.parametrize(
    ("text", "answer"),
    [
        ("Thus the result is \\boxed{42}.", "42"),
        ("Long reasoning here. The answer is (C).", "C"),
        ("B.", "B"),
        ("42.0", "42"),
        ("Paris", "paris"),
        ("He had 5 apples and then bought 1,200 more, so that all together there were 1,205", "1205"),
        ("I think that this is a matter of taste and that nobody can really tell what is best here", None),
    ],
)
def test_what_can_be_read_off(text: str, answer: str | None) -> None:
    assert final_answer(text) == answer


@pytest.mark.anyio
async def test_disagreement_escalates_and_agreement_does_not() -> None:
    brain = FakeBrain(reply="\\boxed{5}")
    differs = world("\\boxed{4}", "\\boxed{5}", brain=brain, compare_local=True, thresholds={"deep_score": 1.0})
    answered = await differs.router.handle(chat(SUM))
    assert answered.lane is Lane.DEEP
    first = differs.receipts.attempts[0]
    assert first.data["signal"] == "disagreement"
    assert first.data["compared"] == "differs"
    agrees = world("\\boxed{5}", "no", brain=brain, compare_local=True, thresholds={"deep_score": 1.0})
    assert (await agrees.router.handle(chat(SUM))).lane is Lane.FAST
    utility = [receipt for receipt in agrees.receipts.written if receipt.kind == "utility"]
    assert utility[0].data["task"] == "compare"


@pytest.mark.anyio
async def test_a_failing_local_model_changes_nothing() -> None:
    here = world("\\boxed{4}", brain=FakeBrain(problem=LocalModelError()), compare_local=True, classify=False)
    answered = await here.router.handle(chat(SUM, model="lancelot"))
    assert answered.attempts == 1


@pytest.mark.anyio
async def test_off_by_default() -> None:
    here = world(provider=FakeProvider("\\boxed{4}"))
    await here.router.handle(chat(SUM))
    assert here.brain.chats == []
