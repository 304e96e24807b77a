"""What workflow steps take and give, as JSON in the workflow database: no pickle, and only types of our own."""

import json
from dataclasses import is_dataclass
from enum import Enum
from importlib import import_module
from typing import Any

from dbos import Serializer

from vertice.kernel.codec import from_json, to_json
from vertice.kernel.errors import UnfinishedError, VerticeError

__all__ = ["JsonSerializer"]

_TAG = "$"


class JsonSerializer(Serializer):
    """Plain values as they are; tuples, sets, enums, dataclasses and errors under a tag that names their type."""

    def name(self) -> str:
        """Say which format a stored value has."""
        return "vertice-json-1"

    def serialize(self, data: Any) -> str:
        """Return `data` as one line of JSON. Raises TypeError for a type that is not ours."""
        return json.dumps(_encode(data), separators=(",", ":"))

    def deserialize(self, serialized_data: str) -> Any:
        """Return what `serialize` was given."""
        return _decode(json.loads(serialized_data))


def _encode(value: Any) -> Any:
    match value:
        case Enum():
            return {_TAG: "enum", "type": _name(type(value)), "value": value.value}
        case None | bool() | int() | float() | str():
            return value
        case list():
            return [_encode(item) for item in value]
        case tuple():
            return {_TAG: "tuple", "value": [_encode(item) for item in value]}
        case frozenset() | set():
            return {_TAG: "set", "value": sorted((_encode(item) for item in value), key=json.dumps)}
        case dict():
            return {_TAG: "dict", "value": [[_encode(key), _encode(item)] for key, item in value.items()]}
        case VerticeError():
            return {_TAG: "error", "value": value.to_dict()}
        case BaseException():
            return {_TAG: "error", "value": UnfinishedError(f"{type(value).__name__}: {value}").to_dict()}
        case _ if is_dataclass(value):
            return {_TAG: "model", "type": _name(type(value)), "value": to_json(value)}
    raise TypeError(f"{type(value).__name__} cannot be stored by a workflow")


def _decode(value: Any) -> Any:
    if isinstance(value, list):
        return [_decode(item) for item in value]
    if not isinstance(value, dict):
        return value
    inner = value["value"]
    match value[_TAG]:
        case "enum":
            return _type(value["type"])(inner)
        case "tuple":
            return tuple(_decode(item) for item in inner)
        case "set":
            return frozenset(_decode(item) for item in inner)
        case "dict":
            return {_decode(key): _decode(item) for key, item in inner}
        case "error":
            return VerticeError.from_dict(inner)
        case "model":
            return from_json(_type(value["type"]), inner)
    raise TypeError(f"unknown tag {value[_TAG]!r}")


def _name(kind: type) -> str:
    if not kind.__module__.startswith("vertice."):
        raise TypeError(f"{kind.__module__}.{kind.__qualname__} cannot be stored by a workflow")
    return f"{kind.__module__}:{kind.__qualname__}"


def _type(name: str) -> Any:
    module, _, qualified = name.partition(":")
    found = getattr(import_module(module), qualified, None) if module.startswith("vertice.") else None
    if (
        not isinstance(found, type)
        or found.__module__ != module
        or not (is_dataclass(found) or issubclass(found, Enum))
    ):
        raise TypeError(f"{name} is no type of ours")
    return found
