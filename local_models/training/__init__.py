"""How the adapter is made: examples, training, export. Optional dependencies; see README.md beside this file."""

__all__: list[str] = []
