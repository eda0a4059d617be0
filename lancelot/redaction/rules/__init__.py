"""One file a kind of thing; `lancelot.redaction.detectors.find` is the door."""

__all__: list[str] = []
