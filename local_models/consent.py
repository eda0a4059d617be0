"""Consent: who agreed to which licence, when, and where the file then came from. Kept beside the weights."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

from local_models.errors import ConsentNeeded
from local_models.files import write_atomic
from local_models.lockfile import PinnedModel

__all__ = ["Consent", "read_consent", "record_consent"]


@dataclass(frozen=True)
class Consent:
    """An operator's yes.

    `at` is a UTC time; `licence` the SPDX name that was shown; `source` where the file comes from ("any": the pinned
    sources in their order, replaced by the one that delivered once it is known); `model_id` the pin.
    """

    at: datetime
    licence: str
    source: str
    model_id: str

    @classmethod
    def given(cls, pin: PinnedModel, *, source: str = "any") -> Consent:
        """Consent to this pin's licence, now."""
        return cls(at=datetime.now(UTC), licence=pin.licence, source=source, model_id=pin.id)

    def require_for(self, pin: PinnedModel) -> None:
        """Check that this consent is for this model and the licence it has today.

        Raises:
            ConsentNeeded: it was given for something else.
        """
        if (self.model_id, self.licence) != (pin.id, pin.licence):
            raise ConsentNeeded(f"The consent is for {self.model_id} under {self.licence}, not for {pin.id}.")


def record_consent(consent: Consent, folder: Path, *, delivered_by: str | None = None) -> Consent:
    """Write consent.json into the model's folder (atomically); the stored consent names the source that delivered."""
    kept = replace(consent, source=delivered_by or consent.source)
    content = asdict(kept) | {"at": kept.at.isoformat()}
    write_atomic(folder / "consent.json", json.dumps(content, indent=1).encode(), mode=0o644)
    return kept


def read_consent(folder: Path) -> Consent | None:
    """The consent stored in a model's folder, or None when there is none or it cannot be read."""
    try:
        content = json.loads((folder / "consent.json").read_text(encoding="utf-8"))
        return Consent(**(content | {"at": datetime.fromisoformat(content["at"])}))
    except (OSError, ValueError, TypeError, KeyError):
        return None
