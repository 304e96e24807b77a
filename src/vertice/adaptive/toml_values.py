"""Reading the values of vertice.toml: each is the type it must be, or is refused with its path."""

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum
from typing import Any, TypeAlias, TypeVar

from vertice.kernel.errors import InputError
from vertice.kernel.text import printable

__all__ = [
    "Keys",
    "Parse",
    "Reader",
    "as_duration",
    "as_flag",
    "as_seconds",
    "as_share",
    "as_size",
    "as_text",
    "as_texts",
    "as_whole",
    "as_word",
    "as_words",
    "kind_of",
]

_E = TypeVar("_E", bound=StrEnum)
_T = TypeVar("_T")

Parse: TypeAlias = Callable[[Any], _T]
Keys: TypeAlias = Mapping[str, tuple[str, Parse[Any]]]
"""Key in the file -> field and the function that reads its value."""

_UNITS = {"B": 1, "KB": 1000, "MB": 1000**2, "GB": 1000**3, "KIB": 1024, "MIB": 1024**2, "GIB": 1024**3}
_DURATION = re.compile(r"([0-9]{1,6}) ?([mhdw])")
_MINUTES = {"m": 1, "h": 60, "d": 24 * 60, "w": 7 * 24 * 60}
_LONGEST = timedelta(days=3650)


@dataclass(frozen=True, slots=True)
class Reader:
    """Reads tables of the file that `where` names; raises InputError with the path of what is wrong."""

    where: str

    def known(self, table: Mapping[str, Any], keys: Iterable[str], path: str) -> None:
        """Refuse a key of `table` that is not among `keys`."""
        for key in table:
            if key not in keys:
                raise self.wrong(f"{path}{key}", f"unknown key{_suggestion(key, keys)}")

    def wrong(self, path: str, what: str) -> InputError:
        """Return the error that says what is wrong at `path`."""
        return InputError(
            f"{printable(path, limit=200)}: {what}", where=self.where, todo="docs/vertice.example.toml shows every key."
        )

    def table(self, data: Mapping[str, Any], key: str, path: str = "") -> Mapping[str, Any]:
        """Return the table at `key`, an empty one when there is none."""
        found = data.get(key, {})
        if not isinstance(found, dict):
            raise self.wrong(f"{path}{key}", f"must be a table, not {kind_of(found)}")
        return found

    def group(self, data: Mapping[str, Any], key: str, keys: Keys, path: str = "") -> dict[str, Any]:
        """Return the values of the table at `key`."""
        return self.values(self.table(data, key, path), keys, f"{path}{key}")

    def values(self, table: Mapping[str, Any], keys: Keys, path: str) -> dict[str, Any]:
        """Return field -> value for what stands in `table`."""
        self.known(table, keys, f"{path}.")
        return {keys[key][0]: self.value(value, keys[key][1], f"{path}.{key}") for key, value in table.items()}

    def value(self, value: Any, parse: Parse[_T], path: str) -> _T:
        """Return what `parse` makes of `value`."""
        try:
            return parse(value)
        except InputError as error:
            raise self.wrong(path, error.what) from error


def as_text(value: Any) -> str:
    """Return the string without the spaces around it."""
    if not isinstance(value, str):
        raise InputError(f"must be a string, not {kind_of(value)}")
    return value.strip()


def as_texts(value: Any) -> tuple[str, ...]:
    """Return a list of strings, none of them empty."""
    if not isinstance(value, list) or not all(isinstance(part, str) and part for part in value):
        raise InputError(f"must be a list of strings, not {kind_of(value)}")
    return tuple(value)


def as_word(words: Iterable[_E]) -> Parse[_E]:
    """Return what reads one of `words`."""
    known = {str(word): word for word in words}

    def parse(value: Any) -> _E:
        text = as_text(value)
        if text not in known:
            raise InputError(f"must be one of {', '.join(known)}{_suggestion(text, known)}")
        return known[text]

    return parse


def as_words(words: Iterable[_E]) -> Parse[tuple[_E, ...]]:
    """Return what reads a list of `words`; they come in the order of `words`, each once."""
    order = tuple(words)
    parse_one = as_word(order)

    def parse(value: Any) -> tuple[_E, ...]:
        given = {parse_one(text) for text in as_texts(value)}
        return tuple(word for word in order if word in given)

    return parse


def as_flag(value: Any) -> bool:
    """Return true or false."""
    if not isinstance(value, bool):
        raise InputError(f"must be true or false, not {kind_of(value)}")
    return value


def as_whole(least: int) -> Parse[int]:
    """Return what reads a whole number that is at least `least`."""

    def parse(value: Any) -> int:
        if isinstance(value, bool) or not isinstance(value, int):
            raise InputError(f"must be a whole number, not {kind_of(value)}")
        if value < least:
            raise InputError(f"must be at least {least}")
        return value

    return parse


def as_share(value: Any) -> float:
    """Return a number from 0 to 1."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise InputError(f"must be a number, not {kind_of(value)}")
    if not 0 <= value <= 1:
        raise InputError("must be between 0 and 1")
    return float(value)


def as_seconds(value: Any) -> float:
    """Return seconds, at most a day."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise InputError(f"must be a number of seconds, not {kind_of(value)}")
    if not 0 < value <= 86_400:
        raise InputError("must be more than 0 and at most 86400 (one day)")
    return float(value)


def as_duration(value: Any) -> timedelta | None:
    """Return a time such as "90m", "24h", "3d" or "2w", at most ten years; None for "never"."""
    text = as_text(value)
    if text == "never":
        return None
    found = _DURATION.fullmatch(text)
    length = timedelta(minutes=int(found[1]) * _MINUTES[found[2]]) if found else timedelta()
    if not timedelta() < length <= _LONGEST:
        raise InputError('must be a time such as "90m", "24h", "3d" or "2w", at most ten years, or "never"')
    return length


def as_size(value: Any) -> int:
    """Return bytes of a size such as "512 MiB"."""
    text = as_text(value)
    digits = text.rstrip("BKMGibkmg ")
    unit = text[len(digits) :].strip().upper()
    if not digits.isascii() or not digits.isdigit() or unit not in _UNITS or int(digits[:18]) == 0:
        raise InputError('must be a size such as "512 MiB" or "1 GiB"')
    return int(digits[:18]) * _UNITS[unit]


def kind_of(value: Any) -> str:
    """Return what TOML calls the type of `value`."""
    match value:
        case bool():
            return "true or false"
        case str():
            return "a string"
        case int() | float():
            return "a number"
        case list():
            return "a list"
        case dict():
            return "a table"
    return "a date or time"


def _suggestion(key: str, keys: Iterable[str]) -> str:
    from difflib import get_close_matches

    close = get_close_matches(key.lower().replace("_", "-"), keys, n=1)
    return f'; did you mean "{close[0]}"?' if close else ""
