"""What may be stored of an ask: text and arguments with placeholders. The originals stay in this process's memory.

One vault serves one approval, so `<EMAIL_1>` is the same address in the sentence, in every argument and in an edit.
After a restart the vaults are gone; the same request, sent again, gives the same placeholders.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Sequence
from typing import Any, NamedTuple

import orjson

from lancelot.approvals.nouns import ToolCall
from lancelot.chat import ChatRequest, Message
from lancelot.redaction.placeholders import written_like_one
from lancelot.redaction.redactor import Redactor
from lancelot.redaction.vault import Vault

__all__ = ["Masked", "Originals", "lost", "masked", "restored"]

MOST = 2_000  # approvals whose originals are held at once


class Masked(NamedTuple):
    """Texts and calls with placeholders, and where the originals are."""

    texts: tuple[str, ...]
    tools: tuple[ToolCall, ...]
    vault: Vault


class Originals:
    """The vaults of approvals by id, in memory only. Thread-safe; the oldest go first."""

    def __init__(self, most: int = MOST) -> None:
        self._most = most
        self._lock = threading.Lock()
        self._vaults: OrderedDict[str, Vault] = OrderedDict()

    def get(self, approval_id: str) -> Vault | None:
        """The vault of an approval; None when it was never here, or not since the restart."""
        with self._lock:
            return self._vaults.get(approval_id)

    def keep(self, approval_id: str, vault: Vault) -> Vault:
        """Keep a vault unless there is one already (an edit may have added to it); returns the one in force."""
        with self._lock:
            kept = self._vaults.setdefault(approval_id, vault)
            while len(self._vaults) > self._most:
                self._vaults.popitem(last=False)
            return kept

    def forget(self, approval_id: str) -> None:
        """Drop an approval's originals."""
        with self._lock:
            self._vaults.pop(approval_id, None)


def masked(
    redactor: Redactor, texts: Sequence[str], tools: Sequence[ToolCall], *, vault: Vault | None = None
) -> Masked:
    """Texts and arguments as they may be kept; names of tools stay as they are.

    Args:
        vault: the approval's, when there is one already; otherwise a new one.

    Raises:
        BadInput: the redaction policy blocks what is in them. RedactionFailed: a detector failed; nothing is kept.
    """
    messages = [Message(role="user", content=text) for text in texts]
    if tools:
        messages.append(Message(role="assistant", tool_calls=[_call(place, one) for place, one in enumerate(tools)]))
    if not messages:
        return Masked((), (), vault or Vault())
    found = redactor.redact_request(ChatRequest(messages=messages), vault=vault)
    hidden = found.chat.messages
    calls = (hidden[-1].tool_calls or []) if tools else []
    return Masked(
        tuple(str(one.content) for one in hidden[: len(texts)]),
        tuple(
            ToolCall(name=tool.name, arguments=_object(call["function"]["arguments"]))
            for tool, call in zip(tools, calls, strict=True)
        ),
        found.vault,
    )


def restored(tools: Sequence[ToolCall], vault: Vault | None) -> list[dict[str, Any]]:
    """The calls with originals where they are known: [{"name", "arguments"}]."""
    calls = [tool.model_dump() for tool in tools]
    if vault is None:
        return calls
    for call in calls:
        text = orjson.dumps(call["arguments"]).decode()
        call["arguments"] = _object(vault.restore(text, in_json=True))
    return calls


def lost(tools: Sequence[ToolCall], vault: Vault | None) -> bool:
    """Whether the calls speak of originals that this process does not know (any more)."""
    text = orjson.dumps([tool.arguments for tool in tools]).decode()
    return any(
        vault is None or vault.get(label, number) is None for _start, _end, label, number in written_like_one(text)
    )


def _call(place: int, tool: ToolCall) -> dict[str, Any]:
    arguments = orjson.dumps(tool.arguments).decode()
    return {"id": f"call_{place}", "type": "function", "function": {"name": "tool", "arguments": arguments}}


def _object(text: str) -> dict[str, Any]:
    """The arguments again; one text when what came out is no JSON object any more."""
    try:
        found = orjson.loads(text)
    except orjson.JSONDecodeError:
        found = None
    return found if isinstance(found, dict) else {"redacted": text}
