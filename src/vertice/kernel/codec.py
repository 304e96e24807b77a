"""Frozen dataclasses as JSON and back: arguments and results of workflow steps, columns, evidence.

Enums become their values, tuples lists, paths strings. `from_json(type(x), to_json(x)) == x` for every model of ours.
"""

from collections.abc import Hashable
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Final, TypeVar

from vertice.kernel.errors import InputError
from vertice.kernel.text import printable

if TYPE_CHECKING:
    from pydantic import ConfigDict, TypeAdapter

__all__ = ["DESCRIBED", "canonical", "from_json", "to_json", "to_plain"]

DESCRIBED: "Final[ConfigDict]" = {"use_attribute_docstrings": True}
"""`__pydantic_config__` of a dataclass that is shown: its schema says what stands under each of its fields."""

_T = TypeVar("_T")


def to_json(value: object) -> str:
    """Return `value` as one line of JSON, its fields in the order of the class."""
    from pydantic_core import to_json as dump

    return dump(value, inf_nan_mode="strings").decode()


def from_json(kind: type[_T], text: str) -> _T:
    """Return the `kind` (a dataclass, or a generic such as `tuple[Apv, ...]`) that the JSON `text` holds.

    Raises InputError that names the first field that does not fit.
    """
    from pydantic import ValidationError

    try:
        form: Any = kind
        adapter: TypeAdapter[_T] = _adapter(form)
        return adapter.validate_json(text)
    except ValidationError as error:
        first = error.errors(include_input=False, include_url=False)[0]
        field = ".".join(str(part) for part in first["loc"])
        raise InputError(
            f"is not a {getattr(kind, '__name__', kind)}: {printable(first['msg'])}",
            where=printable(field, limit=200),
            todo="It was written by another version of Vértice, or changed by hand.",
        ) from error


def to_plain(value: object) -> Any:
    """Return `value` as what `json.loads` gives: dicts, lists, strings, numbers, booleans and None."""
    from pydantic_core import to_jsonable_python

    return to_jsonable_python(value, inf_nan_mode="strings")


def canonical(value: object) -> bytes:
    """Return the one byte string that stands for `value`: sorted keys, no spaces, UTF-8. What digests are taken of."""
    import json

    return json.dumps(
        to_plain(value), sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False
    ).encode()


@lru_cache(maxsize=256)
def _adapter(kind: Hashable) -> "TypeAdapter[Any]":
    from pydantic import TypeAdapter

    form: Any = kind
    return TypeAdapter(form)
