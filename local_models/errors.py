"""What can go wrong with the local model, told in the words a person sees.

    ModelError
    ├── BadLock            the lock file is not valid, or a pin in it cannot be trusted
    ├── NotInstallable     a candidate: bytes, revision or hash are not pinned
    ├── ConsentNeeded      nothing is downloaded before somebody agreed to the licence
    ├── FetchFailed        every source failed; each reason is kept
    │   └── NoSpace        the disk is too small, found out before the download
    ├── NotInstalled       the weights are not there
    ├── BadWeights         a file is there, but it is not the pinned one
    ├── EngineFailed       loading or inference failed
    │   └── Busy           the queue is full (retry_after, seconds)
    ├── BadTask            the caller's request is wrong (unknown label set, schema, empty text)
    └── ExamFailed         an exam file cannot be read, or the model under exam does not answer

Nothing here knows of the console: the same three fields (code, title, hint) are shown by whoever runs the model.
"""

from __future__ import annotations

from typing import Any

__all__ = [
    "BadLock",
    "BadTask",
    "BadWeights",
    "Busy",
    "ConsentNeeded",
    "EngineFailed",
    "ExamFailed",
    "FetchFailed",
    "ModelError",
    "NoSpace",
    "NotInstallable",
    "NotInstalled",
]


class ModelError(Exception):
    """A failure of the local model.

    Args:
        title: one plain sentence, what happened; defaults to the class's own.
        hint: one plain sentence, what to do next; defaults to the class's own.
        code: a stable snake_case identifier; defaults to the class's own.
        retry_after: seconds after which trying again makes sense.
        extra: further JSON-safe fields (the failed sources, a line number).
    """

    code: str = "local_model_error"
    title: str = "The local model failed."
    hint: str = "See the log of the local model."
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


class BadLock(ModelError):
    code = "bad_lock"
    title = "The model lock file is not valid."
    hint = "Restore local_models/models.lock.yaml; it is part of the product and never edited by hand on a server."


class NotInstallable(ModelError):
    code, status = "not_installable", 409
    title = "This model is only a candidate and cannot be installed."
    hint = "Choose a pinned model; `lancelot model list` shows them."


class ConsentNeeded(ModelError):
    code, status = "consent_needed", 403
    title = "The licence of the model has not been accepted."
    hint = "Read the licence and agree to it; on the command line, pass --yes."


class FetchFailed(ModelError):
    code, status = "fetch_failed", 502
    title = "The model could not be downloaded from any source."
    hint = "Check the network, the proxy or the package index, then try again; what has arrived is kept."


class NoSpace(FetchFailed):
    code, status = "disk_full", 507
    title = "There is not enough free space for the model."
    hint = "Free some space in the folder of the weights and try again."


class NotInstalled(ModelError):
    code, status = "not_installed", 503
    title = "The local model is not installed."
    hint = "Run `lancelot model install`, or finish the set-up in the console."


class BadWeights(ModelError):
    code, status = "bad_weights", 503
    title = "The model's file is not the pinned one."
    hint = "Install it again; the damaged file is replaced."


class EngineFailed(ModelError):
    code, status = "engine_failed", 503
    title = "The local model could not answer."
    hint = "It is restarted by its supervisor; see its log."


class Busy(EngineFailed):
    code, status = "busy", 429
    title = "The local model has more work than it can take."
    hint = "Wait a moment and try again."


class BadTask(ModelError):
    code, status = "bad_task", 400
    title = "The local model cannot carry out this request."
    hint = "Correct the named field and send it again."


class ExamFailed(ModelError):
    code, status = "exam_failed", 422
    title = "The exam cannot be held."
    hint = "Check the items and that the local model runs."
