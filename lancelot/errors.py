"""Every error a person can see, drawn as one tree.

    LancelotError
    ├── BadInput                     400  the request itself is wrong
    │   ├── BadConfig                500  a configuration file is wrong (file, line, key)
    │   ├── UnsupportedParameter     400  a field we do not carry out
    │   └── TooLarge                 413
    ├── NotAllowed                   401  no or wrong token
    │   └── Forbidden                403  a known caller that may not do this
    │       └── ApprovalNeeded       403  a person must decide first
    ├── NotFound                     404
    ├── Conflict                     409  the state has moved on, or somebody else holds it
    ├── TooMany                      429  rate limit, full queue, cooldown
    │   └── BudgetSpent              429
    ├── ClientGone                   499  nobody waits for the answer any more
    ├── NotReady                     503  what is missing is said
    ├── StoreError                   503  journal or database cannot be written or read
    │   └── DiskFull                 503
    ├── RedactionFailed              500  nothing has left the machine
    ├── LocalModelError              503  the local utility brain
    └── ProviderError                502  the flagship
        ├── ProviderAuth             502
        ├── ProviderRateLimited      429
        ├── ContextTooLong           400
        ├── ContentFiltered          422
        ├── ProviderOverloaded       503
        ├── ProviderTimeout          504
        ├── ProviderUnreachable      502
        └── ProviderMalformed        502

Pages, routes and the command line show the same three fields: code, title, hint. A title or hint never carries a
secret, a raw prompt or a stack trace.
"""

from __future__ import annotations

from typing import Any

__all__ = [
    "ApprovalNeeded",
    "BadConfig",
    "BadInput",
    "BudgetSpent",
    "ClientGone",
    "Conflict",
    "ContentFiltered",
    "ContextTooLong",
    "DiskFull",
    "Forbidden",
    "LancelotError",
    "LocalModelError",
    "NotAllowed",
    "NotFound",
    "NotReady",
    "ProviderAuth",
    "ProviderError",
    "ProviderMalformed",
    "ProviderOverloaded",
    "ProviderRateLimited",
    "ProviderTimeout",
    "ProviderUnreachable",
    "RedactionFailed",
    "StoreError",
    "TooLarge",
    "TooMany",
    "UnsupportedParameter",
]


class LancelotError(Exception):
    """A failure a person can read and act on.

    Args:
        title: one plain sentence, what happened; defaults to the class's own.
        hint: one plain sentence, what to do next; defaults to the class's own.
        code: a stable snake_case identifier; defaults to the class's own.
        retry_after: seconds after which trying again makes sense.
        extra: further JSON-safe fields (an approval id, a line number).
    """

    code: str = "internal"
    title: str = "Something went wrong inside Lancelot."
    hint: str = "Try again; if it stays, run `lancelot doctor`."
    status: int = 500

    def __init__(
        self,
        title: str | None = None,
        *,
        hint: str | None = None,
        code: str | None = None,
        retry_after: float | None = None,
        **extra: Any,
    ) -> None:
        self.title = title or type(self).title
        self.hint = hint or type(self).hint
        self.code = code or type(self).code
        self.retry_after = retry_after
        self.extra = extra
        super().__init__(str(self))

    def __str__(self) -> str:
        return f"{self.code}: {self.title} ({self.hint})"

    def to_dict(self) -> dict[str, Any]:
        """{"code", "title", "hint"} plus retry_after (seconds) and extra fields where they are set."""
        shown: dict[str, Any] = {"code": self.code, "title": self.title, "hint": self.hint}
        if self.retry_after is not None:
            shown["retry_after"] = self.retry_after
        return shown | self.extra


class BadInput(LancelotError):
    code, status = "bad_input", 400
    title = "The request could not be understood."
    hint = "Correct the named field and send it again."


class BadConfig(BadInput):
    code, status = "bad_config", 500
    title = "A configuration file is not valid."
    hint = "Correct the named key; the last good configuration stays in force."


class UnsupportedParameter(BadInput):
    code = "unsupported_parameter"
    title = "This parameter is not supported."
    hint = "Leave it out; nothing has been sent."


class TooLarge(BadInput):
    code, status = "too_large", 413
    title = "The request body is too large."
    hint = "Send less text at once."


class NotAllowed(LancelotError):
    code, status = "not_allowed", 401
    title = "A valid token is required."
    hint = "Send `Authorization: Bearer …`; `lancelot token` prints the operator's."


class Forbidden(NotAllowed):
    code, status = "forbidden", 403
    title = "This caller may not do that."
    hint = "Ask the operator for a key that allows it."


class ApprovalNeeded(Forbidden):
    code = "approval_needed"
    title = "A person has to approve this request first."
    hint = "Decide it under Approvals, then send it again with the same idempotency key."


class NotFound(LancelotError):
    code, status = "not_found", 404
    title = "There is nothing here."
    hint = "Check the address or the id."


class Conflict(LancelotError):
    code, status = "conflict", 409
    title = "The state has moved on."
    hint = "Look at the current state and try again."


class TooMany(LancelotError):
    code, status = "too_many", 429
    title = "Too many requests at once."
    hint = "Wait a moment and try again."


class BudgetSpent(TooMany):
    code = "budget_spent"
    title = "The budget is spent."
    hint = "Raise the budget under Settings, or wait until it renews; the local lane stays open."


class ClientGone(LancelotError):
    code, status = "client_disconnected", 499
    title = "The client hung up before the answer was ready."
    hint = "Nobody is waiting any more; the receipt says `cancelled`."


class NotReady(LancelotError):
    code, status = "not_ready", 503
    title = "Lancelot is not ready yet."
    hint = "Finish the set-up first."


class StoreError(LancelotError):
    code, status = "store_unavailable", 503
    title = "Receipts cannot be stored."
    hint = "Run `lancelot doctor`; nothing is sent out while receipts cannot be kept."


class DiskFull(StoreError):
    code = "disk_full"
    title = "The disk is full."
    hint = "Free some space; nothing is sent out while receipts cannot be kept."


class RedactionFailed(LancelotError):
    code = "redaction_failed"
    title = "Redaction could not run, so nothing has left this machine."
    hint = "Run `lancelot doctor`; the request is safe to send again."


class LocalModelError(LancelotError):
    code, status = "local_model_unavailable", 503
    title = "The local utility model does not answer."
    hint = "It is being restarted; see Local model, or run `lancelot model status`."


class ProviderError(LancelotError):
    code, status = "provider_error", 502
    title = "The provider answered with an error."
    hint = "Try again; the receipt says what happened."


class ProviderAuth(ProviderError):
    code = "provider_auth"
    title = "The provider refused the key."
    hint = "Check the key under Settings; nothing else was changed."


class ProviderRateLimited(ProviderError):
    code, status = "provider_rate_limited", 429
    title = "The provider's rate limit is reached."
    hint = "Wait until it resets."


class ContextTooLong(ProviderError):
    code, status = "context_too_long", 400
    title = "The conversation is longer than the model can take."
    hint = "Send less text, or use a lane with a larger context."


class ContentFiltered(ProviderError):
    code, status = "content_filtered", 422
    title = "The provider's content filter stopped the answer."
    hint = "Rephrase the request."


class ProviderOverloaded(ProviderError):
    code, status = "provider_overloaded", 503
    title = "The provider is overloaded."
    hint = "Try again shortly."


class ProviderTimeout(ProviderError):
    code, status = "provider_timeout", 504
    title = "The provider did not answer in time."
    hint = "Try again, or raise the deadline."


class ProviderUnreachable(ProviderError):
    code = "provider_unreachable"
    title = "The provider cannot be reached."
    hint = "Check the network and the base URL."


class ProviderMalformed(ProviderError):
    code = "provider_malformed"
    title = "The provider's answer could not be read."
    hint = "Try again; if it stays, the provider's format may have changed."
