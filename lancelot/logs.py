"""Logs: one line an event, for a person or as JSON, with the id that leads from a request to its receipt.

    LANCELOT_LOG          `human` (default) or `json`: the form on standard error
    LANCELOT_LOG_LEVEL    debug, info, warning (default) or error: what standard error shows

The file data/logs/lancelot.log is always JSON from level info on, at most 5 MB with four older ones, mode 0600. A
failure is logged by its kind and place; its words are not, because they may quote a request.
"""

from __future__ import annotations

import logging
import logging.handlers
import os
import sys
import traceback
from contextvars import ContextVar
from datetime import UTC, datetime
from pathlib import Path
from typing import IO, Any

import orjson

__all__ = ["LOG_FILE", "configure_logs", "request_id"]

request_id: ContextVar[str | None] = ContextVar("request_id", default=None)

LOG_FILE = "logs/lancelot.log"
LARGEST = 5_000_000  # bytes
OLDER = 4
OURS = ("lancelot", "console", "local_models")
FRAMES = 6  # of a failure, the innermost ones
LEVELS = {"debug": logging.DEBUG, "info": logging.INFO, "warning": logging.WARNING, "error": logging.ERROR}


def facts(record: logging.LogRecord) -> dict[str, Any]:
    """A record as an object: at, level, where, what, and what else was handed in as `extra={"facts": {…}}`."""
    line: dict[str, Any] = {
        "at": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
        "level": record.levelname.lower(),
        "where": record.name,
        "what": record.getMessage(),
    }
    if (about := request_id.get()) is not None:
        line["request_id"] = about
    line |= getattr(record, "facts", {})
    if record.exc_info and record.exc_info[0] is not None:
        line["failure"] = record.exc_info[0].__name__
        stack = traceback.extract_tb(record.exc_info[2])[-FRAMES:]
        line["at_code"] = [f"{Path(frame.filename).name}:{frame.lineno} {frame.name}" for frame in stack]
    return line


class Json(logging.Formatter):
    """One JSON object a line."""

    def format(self, record: logging.LogRecord) -> str:
        return orjson.dumps(facts(record), default=str).decode()


class Human(logging.Formatter):
    """One line a person reads; the request's id at its end."""

    def format(self, record: logging.LogRecord) -> str:
        line = facts(record)
        words = f"{line.pop('at')[11:23]} {line.pop('level'):7} {line.pop('what')}"
        where = line.pop("where")
        rest = " ".join(f"{name}={value}" for name, value in line.items())
        return f"{words}  [{where}]{' ' + rest if rest else ''}".replace("\n", " ")


class PrivateFile(logging.handlers.RotatingFileHandler):
    """A rotating file only its owner can read. A full disk loses lines, never the request that wrote them."""

    def _open(self) -> IO[Any]:  # type: ignore[override]
        descriptor = os.open(self.baseFilename, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        return os.fdopen(descriptor, "a", encoding="utf-8")

    def shouldRollover(self, record: logging.LogRecord) -> bool:
        """Whether the file is full; asked without formatting the record a second time."""
        return self.stream is not None and self.stream.tell() >= self.maxBytes

    def handleError(self, record: logging.LogRecord) -> None:
        return


def configure_logs(data_dir: Path) -> None:
    """Send our loggers to the log file and to standard error. For servers; repeated calls replace the handlers."""
    level = LEVELS.get(os.environ.get("LANCELOT_LOG_LEVEL", "").lower(), logging.WARNING)
    shown: logging.Handler = logging.StreamHandler(sys.stderr)
    shown.setFormatter(Json() if os.environ.get("LANCELOT_LOG", "").lower() == "json" else Human())
    shown.setLevel(level)
    handlers = [shown]
    try:
        path = data_dir / LOG_FILE
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        kept = PrivateFile(path, maxBytes=LARGEST, backupCount=OLDER, encoding="utf-8")
        kept.setFormatter(Json())
        kept.setLevel(min(level, logging.INFO))
        handlers.append(kept)
    except OSError:  # the store will say that the folder cannot be written
        shown.setLevel(min(level, logging.WARNING))
    for name in OURS:
        logger = logging.getLogger(name)
        for old in logger.handlers[:]:
            logger.removeHandler(old)
            old.close()
        for handler in handlers:
            logger.addHandler(handler)
        logger.setLevel(min(level, logging.INFO))
        logger.propagate = False
