"""A JSON schema cut to what Claude's structured output takes: closed objects, no bounds; those are told in words."""

from __future__ import annotations

from typing import Any, Final

__all__ = ["closed_schema"]

KEPT: Final = {"type", "enum", "const", "description", "title", "$ref", "required"}
FORMATS: Final = {
    "date-time", "time", "date", "duration", "email", "hostname", "uri", "ipv4", "ipv6", "uuid",
}  # fmt: skip
MAPS: Final = {"properties", "$defs", "definitions"}
VARIANTS: Final = {"anyOf": "anyOf", "oneOf": "anyOf", "allOf": "allOf"}


def closed_schema(schema: dict[str, Any]) -> dict[str, Any]:
    """The schema without what is refused; a bound that had to go stands in the description, for the model to read."""
    closed: dict[str, Any] = {}
    words: list[str] = []
    for name, value in schema.items():
        if name in KEPT:
            closed[name] = value
        elif name in MAPS and isinstance(value, dict):
            closed[name] = {key: _closed(inner) for key, inner in value.items()}
        elif name in VARIANTS and isinstance(value, list):
            closed[VARIANTS[name]] = [_closed(inner) for inner in value]
        elif name == "items" and isinstance(value, dict):
            closed[name] = closed_schema(value)
        elif (name == "format" and value in FORMATS) or (name == "minItems" and value in (0, 1)):
            closed[name] = value
        elif name != "additionalProperties" and not name.startswith("$"):
            words.append(f"{name}: {value}")
    if closed.get("type") == "object" or "properties" in closed:
        closed["additionalProperties"] = False
    if words:
        told = "{" + ", ".join(words) + "}"
        said = closed.get("description")
        closed["description"] = f"{said}\n\n{told}" if said else told
    return closed


def _closed(schema: Any) -> Any:
    return closed_schema(schema) if isinstance(schema, dict) else schema
