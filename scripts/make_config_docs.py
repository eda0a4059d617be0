"""Write docs/configuration.md from the configuration classes; a test checks that the page is current.

python scripts/make_config_docs.py          writes the page
python scripts/make_config_docs.py --check  exits 1 when it is not current
"""

from __future__ import annotations

import ast
import inspect
import sys
import textwrap
from decimal import Decimal
from enum import Enum
from functools import cache
from itertools import pairwise
from pathlib import Path
from types import UnionType
from typing import Annotated, Any, Literal, Union, get_args, get_origin

from pydantic import BaseModel
from pydantic.fields import FieldInfo
from pydantic_core import PydanticUndefined

from lancelot.config import FILES

PAGE = Path(__file__).resolve().parent.parent / "docs" / "configuration.md"
INTRO = """# Configuration

<!-- Written by scripts/make_config_docs.py from the classes in lancelot/config*.py. Edit those, then run it again. -->

Three files in `config/` (or in the folder `LANCELOT_CONFIG_DIR` names): `models.yaml` says which providers and
models there are, `router.yaml` is the policy, `prices.yaml` the price list.

- **Strict.** An unknown key, a wrong type, a key given twice, a pattern that does not compile: each is refused with
  file, line and key. Only `true` and `false` are truth values; numbers are never read from text.
- **Reloaded without a restart.** A good edit comes into force. A bad one changes nothing: what was in force stays so,
  and it is said why the edit was refused.
- **Undone.** What is saved from the console is checked first and keeps the five newest older copies
  (`router.yaml.1` …).
- **Exact.** Money is decimal from the file to the database.
"""


def main() -> int:
    page = render()
    if "--check" in sys.argv[1:]:
        if PAGE.exists() and PAGE.read_text("utf-8") == page:
            return 0
        print("docs/configuration.md is not current; run python scripts/make_config_docs.py", file=sys.stderr)
        return 1
    PAGE.write_text(page, "utf-8")
    return 0


def render() -> str:
    """The whole page."""
    sections = [INTRO]
    for name, model in FILES.items():
        sections.append(f"## {name}\n\n{_first(model)}\n\n{_table(model)}")
        for nested in _nested(model, []):
            sections.append(f"### {_title(nested)}\n\n{_first(nested)}\n\n{_table(nested)}")
    return "\n\n".join(section.rstrip() for section in sections) + "\n"


def _nested(model: type[BaseModel], seen: list[type[BaseModel]]) -> list[type[BaseModel]]:
    """The classes a class is made of, in the order they are met."""
    for field in model.model_fields.values():
        for inner in _classes(field.annotation):
            if inner not in seen:
                seen.append(inner)
                _nested(inner, seen)
    return seen


def _classes(annotation: Any) -> list[type[BaseModel]]:
    if inspect.isclass(annotation) and issubclass(annotation, BaseModel):
        return [annotation]
    return [found for inner in get_args(annotation) for found in _classes(inner)]


def _table(model: type[BaseModel]) -> str:
    lines = ["| key | takes | default | meaning |", "|---|---|---|---|"]
    for name, field in model.model_fields.items():
        cells = [f"`{name}`", _takes(field), _default(field), meanings(model).get(name, "").replace("\n", " ")]
        lines.append("| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |")
    return "\n".join(lines)


@cache
def meanings(model: type[BaseModel]) -> dict[str, str]:
    """What the texts under a class's fields say (read from the source here, so that starting up need not)."""
    found: dict[str, str] = {}
    for owner in reversed(model.__mro__):
        if not (isinstance(owner, type) and issubclass(owner, BaseModel)) or owner is BaseModel:
            continue
        [body] = ast.parse(textwrap.dedent(inspect.getsource(owner))).body
        assert isinstance(body, ast.ClassDef)
        for field, text in pairwise(body.body):
            named = isinstance(field, ast.AnnAssign) and isinstance(field.target, ast.Name)
            said = isinstance(text, ast.Expr) and isinstance(text.value, ast.Constant)
            if named and said and isinstance(text.value.value, str):
                found[field.target.id] = inspect.cleandoc(text.value.value)
    return found


def _takes(field: FieldInfo) -> str:
    return _type(field.annotation) + _bounds(field)


def _type(annotation: Any) -> str:
    origin, args = get_origin(annotation), get_args(annotation)
    if origin is Annotated:
        return _type(args[0])
    if origin is Literal:
        return ", ".join(f"`{value}`" for value in args)
    if origin in (Union, UnionType):
        return " or ".join(_type(arg) for arg in args if arg is not type(None))
    if origin is list:
        return f"list of {_type(args[0])}"
    if origin is dict:
        return f"mapping of {_type(args[0])} to {_type(args[1])}"
    if inspect.isclass(annotation) and issubclass(annotation, BaseModel):
        return f"[{_title(annotation)}](#{_title(annotation).lower()})"
    plain = {str: "text", int: "whole number", float: "number", Decimal: "amount", bool: "`true`, `false`"}
    return plain.get(annotation, getattr(annotation, "__name__", str(annotation)))


def _bounds(field: FieldInfo) -> str:
    signs = {"ge": "≥", "gt": ">", "le": "≤", "lt": "<"}
    said = [
        f"{sign} {getattr(rule, name)}"
        for rule in field.metadata
        for name, sign in signs.items()
        if getattr(rule, name, None) is not None
    ]
    return f" ({', '.join(said)})" if said else ""


def _default(field: FieldInfo) -> str:
    if field.is_required():
        return "required"
    value = field.get_default(call_default_factory=True, validated_data={})
    if value is None or value is PydanticUndefined:
        return "none"
    if isinstance(value, BaseModel):
        return "see there"
    if isinstance(value, dict) and any(isinstance(inner, BaseModel) for inner in value.values()):
        return ", ".join(f"`{key}`" for key in value)
    if isinstance(value, list | dict):
        return ", ".join(f"`{entry}`" for entry in value) if value else "empty"
    if isinstance(value, bool):
        return f"`{str(value).lower()}`"
    return f"`{value.value if isinstance(value, Enum) else value}`" if value != "" else "empty"


def _title(model: type[BaseModel]) -> str:
    return model.__name__.removesuffix("Config")


def _first(model: type[BaseModel]) -> str:
    return inspect.getdoc(model) or ""


if __name__ == "__main__":
    raise SystemExit(main())
