"""Redaction, the first step of every request: what goes in holds originals, what comes out holds placeholders.

    redacted = Redactor().redact("Mail billing@example.com")       # .text "Mail <EMAIL_1>", .restore(answer)
    request = Redactor().redact_request(chat)                      # every field; the only thing providers accept

A `RedactedRequest` can be made by a Redactor alone, is frozen, carries a seal over its content, and `require_redacted`
refuses anything else. If any detector fails nothing is made, so nothing leaves.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass

from lancelot.chat import ChatRequest
from lancelot.config_router import RedactionPolicy
from lancelot.errors import BadInput, LancelotError, RedactionFailed
from lancelot.redaction.fields import Kind, walk
from lancelot.redaction.finding import Finder
from lancelot.redaction.labels import Span
from lancelot.redaction.masking import Masking, Slot
from lancelot.redaction.names import Tagger
from lancelot.redaction.policy import Rulings, builtin_policies
from lancelot.redaction.sealed import RedactedRequest, require_redacted, seal
from lancelot.redaction.vault import ConversationVaults, Vault

__all__ = ["Redacted", "RedactedRequest", "Redactor", "require_redacted"]


@dataclass(frozen=True, slots=True, repr=False)
class Redacted:
    """One redacted text.

    Attributes:
        text: what may leave.
        spans: what was hidden, as places in the original text (code points, end exclusive).
        vault: placeholders and originals.
    """

    text: str
    spans: list[Span]
    vault: Vault

    def __repr__(self) -> str:
        return f"Redacted({self.text!r})"

    def restore(self, text: str | None = None) -> str:
        """A text (this one, by default) with its placeholders replaced by the originals."""
        return self.vault.restore(self.text if text is None else text)


@contextmanager
def _nothing_leaves() -> Iterator[None]:
    """Whatever goes wrong inside becomes an error in words that quotes nothing."""
    try:
        yield
    except LancelotError:
        raise
    except Exception as problem:  # noqa: BLE001 - the boundary: an unforeseen shape of a request must not leave either
        raise RedactionFailed(
            f"Redaction failed ({type(problem).__name__}), so nothing has left this machine."
        ) from None


class Redactor:
    """Redacts texts and requests. Thread-safe; keeps no original but in the vaults of running conversations.

    Args:
        policies: by name; the built-in `default` and `strict` when None.
        tagger: finds names; the shipped one when None (loaded at first use).
        span_finder: the local model's spans, for the thorough mode.
        conversations: where the vaults of conversations are kept.
        finder: all detectors at once, in place of tagger and span_finder.
        hash_key: the key of the action `hash`; a random one (of this process) when None.
    """

    def __init__(
        self,
        policies: Mapping[str, RedactionPolicy] | None = None,
        *,
        tagger: Tagger | None = None,
        span_finder: Callable[[str], list[Span]] | None = None,
        conversations: ConversationVaults | None = None,
        finder: Finder | None = None,
        hash_key: bytes | None = None,
    ) -> None:
        self._finder = finder or Finder(tagger, span_finder)
        self._conversations = conversations or ConversationVaults()
        self._hash_key = hash_key or os.urandom(32)
        self._rulings: dict[str, Rulings] = {}
        self.set_policies(builtin_policies() if policies is None else policies)

    def set_policies(self, policies: Mapping[str, RedactionPolicy]) -> None:
        """Use these policies from the next request on."""
        self._rulings = {name: Rulings(name, policy) for name, policy in policies.items()}

    def forget(self, conversation: str, *, owner: str | None = None) -> None:
        """Drop a conversation's originals now."""
        self._conversations.forget(owner, conversation)

    def redact(self, text: str, policy: str = "default", mode: str = "fast") -> Redacted:
        """One text, with a vault of its own.

        Raises:
            BadInput: an unknown policy or mode, or a type the policy blocks.
            RedactionFailed: a detector failed.
        """
        masking = Masking(self._finder, self._ruling(policy), mode, Vault(), self._hash_key)
        with _nothing_leaves():
            slot = masking.look("text", text, "")
            masking.settle()
            return Redacted(masking.fill(slot), masking.shown_spans(slot), masking.vault)

    def redact_request(
        self,
        request: ChatRequest,
        *,
        policy: str = "default",
        mode: str = "fast",
        conversation: str | None = None,
        owner: str | None = None,
        vault: Vault | None = None,
    ) -> RedactedRequest:
        """The request with placeholders in every field.

        conversation: the client's conversation id; placeholders then stay the same from turn to turn.
        owner: whose conversation it is (the application key's id); two owners never share one.
        vault: the placeholders to go on with, in the conversation's place.

        Raises:
            BadInput: an unknown policy or mode, a type or a part the policy blocks.
            RedactionFailed: a detector failed; nothing may leave.
        """
        rulings = self._ruling(policy)
        if vault is None:
            vault = Vault() if conversation is None else self._conversations.get(owner, conversation)
        masking = Masking(self._finder, rulings, mode, vault, self._hash_key)
        slots: list[Slot] = []

        def look(kind: Kind, value: str, context: str) -> str:
            slots.append(masking.look(kind, value, context))
            return value

        with _nothing_leaves():
            chat = walk(request, look, files=rulings.files)
            masking.settle()
            if masking.found:
                # The same walk meets the same strings in the same order.
                pending = iter(slots)
                chat = walk(request, lambda kind, value, context: masking.fill(next(pending)), files=rulings.files)
            return seal(chat, vault, masking.counts, policy, masking.total)

    def _ruling(self, policy: str) -> Rulings:
        rulings = self._rulings.get(policy)
        if rulings is None:
            raise BadInput(
                f"There is no redaction policy `{policy}`.", hint=f"Choose one of {', '.join(sorted(self._rulings))}."
            )
        return rulings
