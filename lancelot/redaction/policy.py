"""What a policy says about one finding. The policy itself is plain data in router.yaml (`config.RedactionPolicy`)."""

from __future__ import annotations

import re
from typing import Final

from lancelot.config_router import RedactionConfig, RedactionPolicy
from lancelot.errors import BadInput
from lancelot.redaction.labels import Span

__all__ = ["PUBLIC_URL_RULE", "Rulings", "builtin_policies"]

PUBLIC_URL_RULE: Final = "url.public"


def builtin_policies() -> dict[str, RedactionPolicy]:
    """`default` (what identifies somebody or opens something) and `strict` (everything found)."""
    return dict(RedactionConfig().policies)


class Rulings:
    """One policy, ready to be asked. Immutable."""

    def __init__(self, name: str, policy: RedactionPolicy) -> None:
        self.name = name
        self.files = policy.files
        self._policy = policy
        self._allowed = {entry.value.casefold() for entry in policy.allow if entry.value is not None}
        self._patterns = [re.compile(entry.pattern) for entry in policy.allow if entry.pattern is not None]

    def action(self, label: str, rule: str = "") -> str:
        """mask, hash, keep or block for a finding of this label and rule."""
        action: str = self._policy.action(label)
        # An address anybody may open identifies nobody; the default policy lets it through.
        return self._policy.public_urls if rule == PUBLIC_URL_RULE and action == "mask" else action

    def allowed(self, original: str) -> bool:
        """Whether the allow-list lets this very text through."""
        if self._allowed and original.casefold() in self._allowed:
            return True
        return any(pattern.fullmatch(original) for pattern in self._patterns)

    def masked(self, text: str, spans: list[Span]) -> list[Span]:
        """The spans that must not leave as they are.

        Raises:
            BadInput: a found type is one the policy blocks; code `blocked_by_policy`.
        """
        kept: list[Span] = []
        for span in spans:
            action = self.action(span.label, span.rule)
            if action == "keep" or self.allowed(text[span.start : span.end]):
                continue
            if action == "block":
                raise BadInput(
                    f"The policy `{self.name}` does not let {span.label} leave in any form.",
                    hint="Take it out of the request, or change the policy in router.yaml; nothing has been sent.",
                    code="blocked_by_policy",
                )
            kept.append(span)
        return kept
