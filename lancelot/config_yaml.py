"""YAML read strictly: duplicate keys refused, money exact, and every complaint with its file, line and key."""

from __future__ import annotations

import re
from collections.abc import Sequence
from decimal import Decimal
from pathlib import Path
from typing import Annotated, Any, TypeVar

import yaml
from pydantic import BaseModel, BeforeValidator, ConfigDict, ValidationError

from lancelot.errors import BadConfig

__all__ = ["Money", "Real", "Strict", "load_plain", "parse_yaml", "read_yaml"]

Model = TypeVar("Model", bound=BaseModel)
MAX_BYTES = 2_000_000  # a configuration larger than this is a mistake (or an attack on the parser)

# keys that older files may hold, and what has become of them
RETIRED = {"thresholds.injection": "never had an effect and is gone (rules find injections): take the line out"}


class Strict(BaseModel):
    """The base of every configuration class: unknown keys and wrong types fail, nothing is changed afterwards."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True, defer_build=True)


def _exact(value: Any) -> Any:
    """Whole and decimal numbers as Decimal; anything else is left for pydantic to refuse."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return value
    return Decimal(str(value))


def _real(value: Any) -> Any:
    """Decimals (as our loader reads them) and whole numbers as float."""
    if isinstance(value, bool) or not isinstance(value, int | Decimal):
        return value
    return float(value)


Money = Annotated[Decimal, BeforeValidator(_exact)]
Real = Annotated[float, BeforeValidator(_real)]


# libyaml's parser is several times faster; every wheel of PyYAML brings it, a build from source may not
_Base = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


class _Loader(_Base):  # type: ignore[misc,valid-type]
    """Safe YAML whose decimal numbers keep every digit and whose mappings may not repeat a key."""


def _decimal(loader: yaml.SafeLoader, node: yaml.ScalarNode) -> Any:
    text = str(node.value).replace("_", "")
    try:
        number = Decimal(text)
    except ArithmeticError:
        return loader.construct_yaml_float(node)  # .inf, .nan: refused later, by type or range
    return number


def _mapping(loader: yaml.SafeLoader, node: yaml.MappingNode) -> dict[Any, Any]:
    seen: set[Any] = set()
    for key_node, _ in node.value:
        key = loader.construct_object(key_node, deep=True)
        if not isinstance(key, str | int):
            raise yaml.constructor.ConstructorError(None, None, "a key must be plain text", key_node.start_mark)
        if key in seen:
            raise yaml.constructor.ConstructorError(None, None, f"`{key}` is given twice", key_node.start_mark)
        seen.add(key)
    return loader.construct_mapping(node, deep=True)


# YAML 1.1 reads on, off, yes and no as truth values, even as keys; here only true and false are
_Loader.yaml_implicit_resolvers = {
    sign: [pair for pair in pairs if pair[0] != "tag:yaml.org,2002:bool"]
    for sign, pairs in yaml.SafeLoader.yaml_implicit_resolvers.items()
}
_Loader.add_implicit_resolver("tag:yaml.org,2002:bool", re.compile(r"^(?:true|false)$"), list("tf"))
_Loader.add_constructor("tag:yaml.org,2002:float", _decimal)
_Loader.add_constructor("tag:yaml.org,2002:map", _mapping)


def read_yaml(path: Path, model: type[Model]) -> Model:
    """The typed content of a YAML file.

    Raises:
        BadConfig: the file is missing, unreadable, no YAML, or does not fit; names file, line and key.
    """
    try:
        content = path.read_bytes()
    except OSError as problem:
        raise BadConfig(
            f"{path.name} cannot be read: {problem.strerror or 'input/output error'}.",
            hint="Restore the file from the project, or from a backup.",
            file=path.name,
        ) from None
    return parse_yaml(content, model, path.name)


def parse_yaml(content: bytes, model: type[Model], name: str) -> Model:
    """The same for the bytes of a file called name (the Settings page checks an edit before it is saved)."""
    if len(content) > MAX_BYTES:
        raise BadConfig(f"{name} is larger than {MAX_BYTES // 1_000_000} MB.", file=name)
    try:
        text = content.decode("utf-8-sig")
        loader = _Loader(text)
        try:
            root = loader.get_single_node()
            data = None if root is None else loader.construct_document(root)
        finally:
            loader.dispose()
    except UnicodeDecodeError:
        raise BadConfig(f"{name} is not UTF-8 text.", file=name) from None
    except RecursionError:
        raise BadConfig(f"{name} is nested too deeply.", file=name) from None
    except yaml.MarkedYAMLError as problem:
        mark = problem.problem_mark or problem.context_mark
        line = mark.line + 1 if mark else 1
        raise BadConfig(f"{name}, line {line}: {problem.problem or 'not YAML'}.", file=name, line=line) from None
    except (yaml.YAMLError, ValueError) as problem:
        first = str(problem).splitlines()[0][:120]
        raise BadConfig(f"{name} is not valid YAML: {first}.", file=name) from None
    try:
        return model.model_validate({} if data is None else data)
    except ValidationError as problem:
        raise _named(problem, root, name) from None


def load_plain(text: str) -> dict[str, Any]:
    """The mapping a YAML text holds, read with our rules but no types; {} for an empty one.

    Raises:
        BadConfig: no YAML, or no mapping at the top.
    """
    try:
        data = yaml.load(text, Loader=_Loader)  # noqa: S506 - a safe loader with stricter rules
    except (yaml.YAMLError, ValueError, RecursionError) as problem:
        raise BadConfig(f"This is not valid YAML: {str(problem).splitlines()[0][:120]}.") from None
    if data is not None and not isinstance(data, dict):
        raise BadConfig("This is not a list of keys and values.")
    return data or {}


def _named(problem: ValidationError, root: yaml.Node | None, name: str) -> BadConfig:
    """The first complaint as BadConfig; the others are only counted."""
    errors = problem.errors(include_input=False, include_url=False)
    first = errors[0]
    where = [step for step in first["loc"] if not (isinstance(step, str) and step.startswith("[key]"))]
    key = ".".join(str(step) for step in where) or "(top level)"
    line = _line(root, first["loc"])
    says = first["msg"].removeprefix("Value error, ")
    if first["type"] == "extra_forbidden":
        says = RETIRED.get(key, "is not a known key")
    says = says[:1].lower() + says[1:]
    more = f" ({len(errors) - 1} more)" if len(errors) > 1 else ""
    return BadConfig(f"{name}, line {line}: `{key}`: {says}{more}.", file=name, line=line, key=key)


def _line(node: yaml.Node | None, loc: Sequence[str | int]) -> int:
    """The line (from 1) of the deepest node on the way to loc; for a missing key that of its parent."""
    line = node.start_mark.line + 1 if node is not None else 1
    for step in loc:
        if isinstance(node, yaml.MappingNode):
            pair = next((pair for pair in node.value if pair[0].value == str(step)), None)
            if pair is None:
                return line
            line, node = pair[0].start_mark.line + 1, pair[1]
        elif isinstance(node, yaml.SequenceNode) and isinstance(step, int) and step < len(node.value):
            node = node.value[step]
            line = node.start_mark.line + 1
        else:
            return line
    return line
