"""What holds for the schemas of every document that clients are generated from."""

from collections.abc import Iterator
from typing import Any

__all__ = ["open_words", "undescribed"]

_WORDS = frozenset(
    {
        *(
            "action",
            "decision",
            "grade",
            "kind",
            "level",
            "reachability",
            "role",
            "scopes",
            "severity",
            "side",
            "stage",
        ),
        *("state", "status", "strategy", "trigger", "verdict", "by_decision", "by_severity", "by_status"),
    }
)
"""Members that say one of a few words, wherever they stand."""
_GROWS = {("AuditEntry", "action")}
"""But there will be more of these, and a reader has to live with it."""


def open_words(document: dict[str, Any]) -> set[tuple[str, str]]:
    """Return (schema, member) of what takes any text, but says one of a few words."""
    return {
        (name, member)
        for name, member, schema in _members(document)
        if member in _WORDS and (name, member) not in _GROWS and any(_is_open(part) for part in _parts(schema))
    }


def undescribed(document: dict[str, Any]) -> set[tuple[str, str]]:
    """Return (schema, member) of the numbers and ids that do not say what they count, measure or name."""
    return {
        (name, member)
        for name, member, schema in _members(document)
        if not any("description" in part for part in _parts(schema))
        and any(part.get("type") in {"integer", "number"} or part.get("format") == "uuid" for part in _parts(schema))
        and "const" not in schema
    }


def _members(document: dict[str, Any]) -> Iterator[tuple[str, str, dict[str, Any]]]:
    for name, schema in document["components"]["schemas"].items():
        for member, described in schema.get("properties", {}).items():
            yield name, member, described


def _parts(schema: dict[str, Any]) -> list[dict[str, Any]]:
    """Return the schema, and those that a value may have instead, or in it."""
    inner = [*schema.get("anyOf", ()), schema.get("items"), schema.get("propertyNames")]
    return [schema, *(deeper for part in inner if part for deeper in _parts(part))]


def _is_open(schema: dict[str, Any]) -> bool:
    if schema.get("type") == "object":
        return "propertyNames" not in schema
    return schema.get("type") == "string" and schema.keys().isdisjoint({"enum", "const", "format"})
