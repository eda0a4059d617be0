"""The only thing that may leave: a request that redaction itself made, and a check that it is still what was made."""

from __future__ import annotations

import dataclasses
import hashlib
import hmac
import os
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, Final, NoReturn, final

from lancelot.chat import Answer, ChatRequest
from lancelot.errors import RedactionFailed
from lancelot.redaction.stream import StreamRestorer
from lancelot.redaction.vault import Vault

__all__ = ["RedactedRequest", "require_redacted", "seal"]

_FREE: Final = frozenset(
    {"stream", "stream_options", "max_tokens", "max_completion_tokens", "temperature", "top_p", "seed"}
)


class _Maker:
    """The right to make a RedactedRequest, and the key of its seal; a new one in every process."""

    __slots__ = ("_key",)

    def __init__(self) -> None:
        self._key = os.urandom(32)

    def mark(self, chat: ChatRequest) -> bytes:
        # the fields by themselves: a pydantic object's own repr takes five times as long
        fields = {**chat.__dict__, "messages": [message.__dict__ for message in chat.messages]}
        content = repr(fields).encode("utf-8", "surrogatepass")
        return hashlib.blake2b(content, key=self._key, digest_size=16).digest()


_MAKER: Final = _Maker()


@final
class RedactedRequest:
    """A chat request with placeholders in every field. Frozen; made by `Redactor.redact_request` alone.

    Attributes:
        chat: what may leave.
        vault: placeholders and originals, in memory only.
        counts: {label: different originals hidden}.
        policy: the name of the policy.
        spans_total: places hidden, repetitions included.
    """

    __slots__ = ("_mark", "chat", "counts", "policy", "spans_total", "vault")

    chat: ChatRequest
    vault: Vault
    counts: Mapping[str, int]
    policy: str
    spans_total: int
    _mark: bytes

    def __init__(self, *_: Any, **__: Any) -> None:
        raise TypeError("only a Redactor makes a RedactedRequest")

    def __setattr__(self, name: str, value: Any) -> NoReturn:
        raise AttributeError("a RedactedRequest is frozen")

    def __delattr__(self, name: str) -> NoReturn:
        raise AttributeError("a RedactedRequest is frozen")

    def __copy__(self) -> RedactedRequest:
        return self

    def __deepcopy__(self, memo: dict[int, Any]) -> RedactedRequest:
        return self

    def __reduce__(self) -> NoReturn:
        raise TypeError("a RedactedRequest holds originals and is never pickled")

    def __repr__(self) -> str:
        return f"<RedactedRequest {self.policy} {dict(self.counts)}>"

    def with_options(self, **options: Any) -> RedactedRequest:
        """The same request with other numbers and switches (stream, max_tokens, temperature, …); texts cannot change.

        Raises:
            TypeError: an option that is, or could carry, text.
        """
        require_redacted(self)
        wrong = sorted(set(options) - _FREE)
        if wrong or any(isinstance(value, str) for value in options.values()):
            raise TypeError(
                f"only {', '.join(sorted(_FREE))} can change after redaction, not {', '.join(wrong) or 'text'}"
            )
        chat = ChatRequest.model_validate(self.chat.model_dump() | options)
        return seal(chat, self.vault, self.counts, self.policy, self.spans_total)

    def restore_answer(self, answer: Answer) -> Answer:
        """The answer with originals in its content, reasoning, refusal, annotations and tool calls."""
        return dataclasses.replace(answer, message=_restored(answer.message, self.vault, self._json_content))

    def restorer(self) -> StreamRestorer:
        """For one streamed answer: feed(chunk) and flush() give the chunks to show."""
        return StreamRestorer(self.vault, json_content=self._json_content)

    @property
    def _json_content(self) -> bool:
        return (self.chat.response_format or {}).get("type") in ("json_object", "json_schema")


def seal(chat: ChatRequest, vault: Vault, counts: Mapping[str, int], policy: str, spans_total: int) -> RedactedRequest:
    """For the Redactor: a request that may leave."""
    made = object.__new__(RedactedRequest)
    values = {
        "chat": chat,
        "vault": vault,
        "counts": MappingProxyType(dict(counts)),
        "policy": policy,
        "spans_total": spans_total,
        "_mark": _MAKER.mark(chat),
    }
    for name, value in values.items():
        object.__setattr__(made, name, value)
    return made


def require_redacted(request: object) -> RedactedRequest:
    """The request itself, when a Redactor made it and nothing in it was changed since.

    Raises:
        RedactionFailed: it was not, or it was; nothing may be sent. Code `not_redacted`.
    """
    if type(request) is RedactedRequest:
        mark = getattr(request, "_mark", None)
        if isinstance(mark, bytes) and hmac.compare_digest(mark, _MAKER.mark(request.chat)):
            return request
    raise RedactionFailed(
        "A request that did not come from redaction was about to leave; it was stopped.",
        hint="This is a defect of Lancelot; please report it. Nothing has been sent.",
        code="not_redacted",
    )


def _restored(message: dict[str, Any], vault: Vault, json_content: bool) -> dict[str, Any]:
    if len(vault) == 0:
        return message
    shown = {key: _restored_value(value, vault, json_content and key == "content") for key, value in message.items()}
    calls = message.get("tool_calls")
    if isinstance(calls, list):
        shown["tool_calls"] = [_restored_call(call, vault) if isinstance(call, dict) else call for call in calls]
    return shown


def _restored_call(call: dict[str, Any], vault: Vault) -> dict[str, Any]:
    shown: dict[str, Any] = _restored_value(
        {key: value for key, value in call.items() if key != "function"}, vault, False
    )
    function = call.get("function")
    if isinstance(function, dict):
        shown["function"] = {key: _restored_value(value, vault, key == "arguments") for key, value in function.items()}
    return {key: shown[key] for key in call if key in shown}


def _restored_value(value: Any, vault: Vault, in_json: bool) -> Any:
    if isinstance(value, str):
        return vault.restore(value, in_json=in_json)
    if isinstance(value, list):
        return [_restored_value(item, vault, in_json) for item in value]
    if isinstance(value, dict):
        return {key: _restored_value(item, vault, in_json) for key, item in value.items()}
    return value
