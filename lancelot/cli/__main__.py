"""`python -m lancelot.cli`."""

from __future__ import annotations

from lancelot.cli import main

__all__: list[str] = []

main()
