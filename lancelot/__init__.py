"""Lancelot: local redaction first, the cheapest brain that can do it next, a receipt for everything.

from lancelot import LocalModelClient, ModelRouter, Redactor, analysis
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from lancelot import analysis
    from lancelot.brain.client import LocalModelClient
    from lancelot.redaction.redactor import Redactor
    from lancelot.routing.router import ModelRouter

__all__ = ["LocalModelClient", "ModelRouter", "Redactor", "analysis"]

# name -> (module, attribute); loaded on first use, so that importing one small module stays quick
_HOMES: dict[str, tuple[str, str | None]] = {
    "LocalModelClient": ("lancelot.brain.client", "LocalModelClient"),
    "ModelRouter": ("lancelot.routing.router", "ModelRouter"),
    "Redactor": ("lancelot.redaction.redactor", "Redactor"),
    "analysis": ("lancelot.analysis", None),
}


def __getattr__(name: str) -> Any:
    try:
        module, attribute = _HOMES[name]
    except KeyError:
        raise AttributeError(f"module 'lancelot' has no attribute {name!r}") from None
    loaded = import_module(module)
    return loaded if attribute is None else getattr(loaded, attribute)


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
