"""What differs between two versions of a file, fit to be shown: secrets masked, damaged content never quoted."""

from __future__ import annotations

import difflib
import hashlib
import hmac
import json
import secrets
from typing import Any

__all__ = ["file_diff", "text_diff"]

CONTEXT_LINES = 2
SECRET_KEYS = frozenset({"key", "comms_url", "proof", "ready_proof", "fingerprint", "salt", "sealed", "channel"})


def text_diff(before: str, after: str) -> str:
    """Lines taken away (-) and added (+) with two lines around them; empty when nothing differs."""
    lines = difflib.unified_diff(before.splitlines(), after.splitlines(), lineterm="", n=CONTEXT_LINES)
    return "\n".join(line for line in lines if not line.startswith(("---", "+++")))


def file_diff(
    name: str,
    before: bytes | None,
    after: bytes | None,
    mode_before: int | None = None,
    mode_after: int | None = None,
) -> str:
    """The difference of a JSON or YAML file by its two contents, under its name; empty when there is none.

    Values of secrets are masked by a mark that tells only whether they differ. What is neither is told by its size.
    None stands for a file that is not there; modes are permission bits.
    """
    mark = secrets.token_bytes(16)
    shown = _as_text if name.endswith((".yaml", ".yml")) else lambda content: _as_json(content, mark)
    lines = text_diff(shown(before), shown(after)).splitlines()
    if before is not None and after is not None and mode_before != mode_after and mode_before and mode_after:
        lines = [f"-mode {mode_before:04o}", f"+mode {mode_after:04o}", *lines]
    return "\n".join([f"@ {name}", *lines]) if lines else ""


def _as_text(content: bytes | None) -> str:
    return "(no file)" if content is None else content.decode("utf-8", "replace")


def _as_json(content: bytes | None, mark: bytes) -> str:
    if content is None:
        return "(no file)"
    try:
        data = json.loads(content)
    except (ValueError, RecursionError):
        return f"(cannot be read: {len(content):,} bytes)"
    return json.dumps(_masked(data, mark), indent=1, ensure_ascii=False)


def _masked(data: Any, mark: bytes) -> Any:
    if isinstance(data, dict):
        return {
            name: _secret(value, mark) if name in SECRET_KEYS else _masked(value, mark) for name, value in data.items()
        }
    if isinstance(data, list):
        return [_masked(item, mark) for item in data]
    return data


def _secret(value: Any, mark: bytes) -> Any:
    """Dots and a mark good for this one comparison, so that a changed secret is seen to have changed."""
    if value in (None, "", [], {}):
        return value
    digest = hmac.new(mark, json.dumps(value, sort_keys=True).encode(), hashlib.sha256).hexdigest()
    return f"•••• {digest[:4]}"
