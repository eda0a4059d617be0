"""Originals stay in memory, come back in the calls, and after a restart only with the caller's own repeat."""

from __future__ import annotations

from pathlib import Path

import pytest

from lancelot.approvals import Approval, ApprovalQueue, Ask, Scope, State
from lancelot.approvals.masking import masked
from lancelot.approvals.nouns import ToolCall
from lancelot.errors import ApprovalNeeded, BadInput, Conflict
from lancelot.redaction.redactor import Redactor
from lancelot.redaction.vault import Vault
from lancelot.routing.context import RequestContext
from lancelot.store.receipts import Receipt
from tests.routing.fakes import chat, world

REDACTOR = Redactor()
MAIL = ToolCall(name="send_mail", arguments={"to": "anna.berg@example.com", "cc": ["bob@example.com"], "times": 2})
TOOLS = [{"type": "function", "function": {"name": "transfer_funds", "parameters": {"type": "object"}}}]
PARK = [{"name": "wires", "reason": "moves money", "tools": ["transfer_*"]}]


class Receipts:
    def __init__(self) -> None:
        self.written: list[Receipt] = []

    def write(self, receipt: Receipt) -> None:
        self.written.append(receipt)


def opened(folder: Path, receipts: Receipts | None = None) -> ApprovalQueue:
    """The queue as after a start of the process."""
    return ApprovalQueue(folder, receipts or Receipts(), redactor=REDACTOR)


def asked(queue: ApprovalQueue, key: str = "k") -> Approval:
    hidden = masked(REDACTOR, ["Mail anna.berg@example.com"], [MAIL])
    ask = Ask(what=hidden.texts[0], tools=hidden.tools, idempotency_key=key, fingerprint=queue.digest(b"the same"))
    return queue.ask(ask, vault=hidden.vault)


def kept(folder: Path) -> str:
    return "".join(path.read_text("utf-8", "replace") for path in folder.glob("approvals.*"))


def test_one_placeholder_is_one_original_in_sentence_and_arguments(tmp_path: Path) -> None:
    waiting = asked(opened(tmp_path))
    assert waiting.ask.what == "Mail <EMAIL_1>"
    assert waiting.ask.tools[0].arguments == {"to": "<EMAIL_1>", "cc": ["<EMAIL_2>"], "times": 2}
    assert "example.com" not in kept(tmp_path)


def test_what_is_allowed_is_called_with_its_originals(tmp_path: Path) -> None:
    queue = opened(tmp_path)
    waiting = asked(queue)
    queue.decide(waiting.id, "once")
    queue.start(waiting.id)
    assert queue.calls(waiting.id) == [MAIL.model_dump()]
    queue.finish(waiting.id)
    assert "anna" not in str(queue.calls(waiting.id))  # done: forgotten


def test_an_edit_keeps_placeholders_and_hides_what_the_operator_types(tmp_path: Path) -> None:
    receipts = Receipts()
    queue = opened(tmp_path, receipts)
    waiting = asked(queue)
    edited = {"to": "<EMAIL_2>", "cc": ["carla@example.org"], "times": 1}
    queue.decide(waiting.id, "once", edited=[{"name": "send_mail", "arguments": edited}], note="tell dora@example.org")
    assert "example" not in kept(tmp_path) + str(receipts.written)
    queue.start(waiting.id)
    assert queue.calls(waiting.id)[0]["arguments"] == edited | {"to": "bob@example.com"}


def test_after_a_restart_the_same_request_brings_the_originals_back(tmp_path: Path) -> None:
    first = asked(opened(tmp_path))
    queue = opened(tmp_path)
    assert queue.get(first.id).state is State.PENDING
    edited = [{"name": "send_mail", "arguments": {"to": "<EMAIL_1>", "cc": [], "times": 1}}]
    with pytest.raises(Conflict) as caught:
        queue.decide(first.id, "once", edited=edited)
    assert caught.value.code == "originals_gone"
    assert asked(queue).id == first.id
    queue.decide(first.id, "once", edited=edited)
    queue.start(first.id)
    assert queue.calls(first.id)[0]["arguments"]["to"] == "anna.berg@example.com"


def test_an_edit_whose_originals_are_gone_is_not_started(tmp_path: Path) -> None:
    queue = opened(tmp_path)
    waiting = asked(queue)
    edited = [{"name": "send_mail", "arguments": {"to": "carla@example.org", "cc": [], "times": 1}}]
    queue.decide(waiting.id, "once", edited=edited)
    after = opened(tmp_path)
    with pytest.raises(Conflict) as caught:
        after.start(waiting.id)
    assert caught.value.code == "originals_gone"
    assert after.get(waiting.id).state is State.ALLOWED


def test_a_vault_is_never_replaced(tmp_path: Path) -> None:
    queue = opened(tmp_path)
    waiting = asked(queue)
    assert queue.ask(waiting.ask, vault=Vault()).id == waiting.id
    assert queue.calls(waiting.id) == [MAIL.model_dump()]


@pytest.mark.anyio
async def test_another_recipient_under_the_same_key_is_another_request(tmp_path: Path) -> None:
    """Both become <EMAIL_1>; what was allowed for one must not be done to the other."""
    queue = opened(tmp_path)
    here = world("done", park=PARK, approvals=queue)
    context = RequestContext(key_id="k1", idempotency_key="x")
    with pytest.raises(ApprovalNeeded) as caught:
        await here.router.handle(chat("Pay anna.berg@example.com 40 dollars", tools=TOOLS), context=context)
    queue.decide(caught.value.extra["approval_id"], "once")
    with pytest.raises(Conflict):
        await here.router.handle(chat("Pay eve@example.net 40 dollars", tools=TOOLS), context=context)
    assert not here.provider.calls


@pytest.mark.anyio
async def test_after_a_restart_a_parked_request_goes_on_once(tmp_path: Path) -> None:
    body, context = chat("Pay anna.berg@example.com 40 dollars", tools=TOOLS), RequestContext(idempotency_key="x")
    with pytest.raises(ApprovalNeeded) as caught:
        await world("x", park=PARK, approvals=opened(tmp_path)).router.handle(body, context=context)
    opened(tmp_path).decide(caught.value.extra["approval_id"], "once")
    here = world("done", park=PARK, approvals=opened(tmp_path))
    assert (await here.router.handle(body, context=context)).answer.message["content"] == "done"
    with pytest.raises(ApprovalNeeded) as again:
        await here.router.handle(body, context=context)
    assert again.value.code == "approval_used"


def test_a_look_back_counts_what_was_asked_here_too(tmp_path: Path) -> None:
    queue = opened(tmp_path)
    waiting = asked(queue)
    past = [Receipt(request_id="r", assessment={"tool_names": ["send_mail"], "task": "x", "risk": "low"})]
    found = queue.look_back(Scope(tools=("send_*",)), [*past, *past])
    assert (found.looked_at, found.matched) == (2, 2)
    assert {match.request_id for match in found.newest} == {"r", waiting.ask.request_id}
    with pytest.raises(BadInput):
        queue.decide(waiting.id, "always", scope=Scope())
