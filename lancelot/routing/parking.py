"""Requests that wait for a person: asked once, allowed by a person or a person's rule, and then let on exactly once."""

from __future__ import annotations

import asyncio
from dataclasses import replace

from lancelot.approvals import ApprovalQueue, Ask, State
from lancelot.approvals.nouns import ToolCall
from lancelot.errors import ApprovalNeeded, Forbidden
from lancelot.providers.base import Deadline
from lancelot.routing.journey import Journey
from lancelot.routing.policy import Park
from lancelot.routing.recorder import Recorder, common
from lancelot.store.receipts import Receipt

__all__ = ["Parking", "ask_of"]

SHOWN = 2_000  # characters of a parked request a person is shown, redacted
_SEND_AGAIN = "Decide it under Approvals, then send it again with the same idempotency key."
_USED_UP = "Its receipts say what became of it; to do it again, send it under a new idempotency key."
_NOT_YET = {
    State.PENDING: ("approval_needed", "A person has to approve this request first", _SEND_AGAIN),
    State.EXPIRED: ("approval_expired", "Nobody decided in time, so it was not approved", "Send it again to ask anew."),
    State.STARTED: ("approval_used", "This request was allowed and has been let on already", _USED_UP),
    State.DONE: ("approval_used", "This request was allowed and has been carried out already", _USED_UP),
}


class Parking:
    """Parks requests for one router; without a queue they are refused."""

    def __init__(self, approvals: ApprovalQueue | None, recorder: Recorder) -> None:
        self._approvals = approvals
        self._recorder = recorder

    async def park(self, journey: Journey) -> None:
        """Let a parked request go on only when a person, or a rule a person made, has allowed it.

        Raises:
            ApprovalNeeded: nobody has decided yet; `approval_id` says which. Forbidden: denied.
        """
        parked = journey.decision.parked
        assert parked is not None
        if self._approvals is None:
            await self._parked_receipt(journey, parked, None)
            hint = "A rule asks for a person, and approvals are not set up."
            raise ApprovalNeeded(hint=hint, request_id=journey.request_id)
        content = journey.chat.model_dump_json(exclude={"stream", "stream_options"}, exclude_none=True)
        fingerprint = await asyncio.to_thread(self._approvals.digest, content.encode("utf-8", "surrogatepass"))
        approval = await asyncio.to_thread(self._approvals.ask, ask_of(journey, parked, fingerprint))
        if approval.state is State.PENDING:
            await self._parked_receipt(journey, parked, approval.id)
            approval = await self._approvals.wait(approval.id, journey.context.wait_s)
            if approval.state is State.ALLOWED:  # the person's time is not the brain's
                journey.deadline = Deadline.after(journey.policy.deadline_s)
        if approval.state is State.DENIED:
            note = f" ({approval.note})" if approval.note else ""
            raise Forbidden(
                f"A person has denied this request{note}.",
                code="approval_denied",
                hint="Change the request, or ask the operator.",
                approval_id=approval.id,
                request_id=journey.request_id,
            )
        if approval.state is not State.ALLOWED:
            code, title, hint = _NOT_YET[approval.state]
            raise ApprovalNeeded(
                f"{title}: {parked.reason}.",
                code=code,
                hint=hint,
                approval_id=approval.id,
                state=approval.state.value,
                request_id=journey.request_id,
            )
        await asyncio.to_thread(self._approvals.start, approval.id)
        journey.approval_id = approval.id
        allowed = f"allowed by {approval.decided_by} (approval {approval.id})"
        journey.decision = replace(journey.decision, parked=None, reasons=(*journey.decision.reasons, allowed))

    async def _parked_receipt(self, journey: Journey, parked: Park, approval_id: str | None) -> None:
        await self._recorder.write(
            journey,
            Receipt(
                kind="request",
                status="parked",
                error_code="approval_needed",
                reasons=list(journey.decision.reasons),
                data={"park": parked.name, "reason": parked.reason, "approval_id": approval_id},
                **common(journey),
            ),
        )


def ask_of(journey: Journey, parked: Park, fingerprint: str) -> Ask:
    """What a person is asked about a parked request: redacted text, names of tools, risk and reasons.

    Args:
        fingerprint: a keyed digest of the request as it came; placeholders alone would not tell two recipients apart.
    """
    redacted, assessment, context = journey.redacted.chat, journey.assessment, journey.context
    return Ask(
        who="the operator" if context.key_id is None else f"key {context.key_id}",
        what=redacted.last_user_text()[:SHOWN] or "(no text)",
        tools=tuple(ToolCall(name=name or "unnamed") for name in assessment.tools),
        risk=assessment.risk,
        reasons=journey.decision.reasons,
        task=assessment.task,
        lane=None if journey.decision.lane is None else journey.decision.lane.value,
        key_id=context.key_id,
        rule=parked.name,
        idempotency_key=context.idempotency_key,
        fingerprint=fingerprint,
        request_id=context.request_id,
        features=assessment.to_dict(),
    )
