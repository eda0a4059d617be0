"""`python -m lancelot`, the same as `lancelot`."""

from __future__ import annotations

from lancelot.cli import main

__all__: list[str] = []

main()
