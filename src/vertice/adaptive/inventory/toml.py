"""TOML read with every type checked, so that a malformed file ends in one clear error and never in a KeyError."""

import re
import tomllib
from collections.abc import Iterator, Mapping
from pathlib import Path

from vertice.kernel.errors import InputError
from vertice.kernel.files import read_text
from vertice.kernel.text import printable

__all__ = ["Table", "header_lines", "read_toml"]

_POSITION = re.compile(r"\s*\(at (?:line (\d+), column \d+|end of document)\)")
_KINDS = {bool: "a boolean", int: "an integer", float: "a float", str: "a string", list: "an array", dict: "a table"}


class Table:
    """One TOML table. Every getter raises InputError naming the file and the key when the type is not the one asked."""

    __slots__ = ("_data", "name", "where")

    def __init__(self, data: Mapping[str, object], where: str, name: str = "") -> None:
        self._data = data
        self.where = where
        self.name = name

    def __contains__(self, key: str) -> bool:
        return key in self._data

    def __iter__(self) -> Iterator[str]:
        return iter(self._data)

    def raw(self, key: str) -> object:
        """Return the unchecked value, None when there is none."""
        return self._data.get(key)

    def text(self, key: str) -> str:
        """Return a string that must be there."""
        if key not in self._data:
            raise self.wrong(key, "is missing")
        return self.text_or(key, "")

    def text_or(self, key: str, default: str) -> str:
        """Return a string, `default` when the key is missing."""
        value = self._data.get(key, default)
        if not isinstance(value, str):
            raise self.wrong(key, f"should be a string, not {_kind(value)}")
        return value

    def flag(self, key: str) -> bool:
        """Return a boolean, False when the key is missing."""
        value = self._data.get(key, False)
        if not isinstance(value, bool):
            raise self.wrong(key, f"should be a boolean, not {_kind(value)}")
        return value

    def texts(self, key: str) -> tuple[str, ...]:
        """Return an array of strings, empty when the key is missing."""
        value = self._array(key)
        found = tuple(item for item in value if isinstance(item, str))
        if len(found) != len(value):
            raise self.wrong(key, "should be an array of strings")
        return found

    def table(self, key: str) -> "Table":
        """Return a table, an empty one when the key is missing."""
        value = self._data.get(key, {})
        if not isinstance(value, dict):
            raise self.wrong(key, f"should be a table, not {_kind(value)}")
        return Table(value, self.where, self._dotted(key))

    def tables(self, key: str) -> tuple["Table", ...]:
        """Return an array of tables, empty when the key is missing."""
        name = self._dotted(key)
        found = []
        for item in self._array(key):
            if not isinstance(item, dict):
                raise self.wrong(key, f"should be an array of tables, but holds {_kind(item)}")
            found.append(Table(item, self.where, name))
        return tuple(found)

    def wrong(self, key: str, problem: str) -> InputError:
        """Return the error for `key` of this table."""
        return InputError(
            f"`{printable(self._dotted(key), limit=200)}` {problem}",
            where=self.where,
            todo="Mend the file, or write it again with the tool that made it.",
        )

    def _array(self, key: str) -> list[object]:
        value = self._data.get(key, [])
        if not isinstance(value, list):
            raise self.wrong(key, f"should be an array, not {_kind(value)}")
        return value

    def _dotted(self, key: str) -> str:
        return f"{self.name}.{key}" if self.name else key


def read_toml(path: Path) -> tuple[Table, str]:
    """Return the file's table and its text; raise InputError with the line when it is not TOML."""
    text = read_text(path)
    try:
        return Table(tomllib.loads(text), str(path)), text
    except RecursionError as error:
        raise InputError("is nested too deeply to read", where=str(path), todo="Is this the right file?") from error
    except ValueError as error:  # TOMLDecodeError is one; so is int() refusing a number of many thousand digits
        raise _not_toml(path, text, str(error)) from error


def header_lines(text: str, header: str) -> tuple[int, ...]:
    """Return, for every `[[header]]` in the file's order, the line of the `name =` below it, or its own line."""
    opening, lines = f"[[{header}]]", text.split("\n")
    found = []
    for number, line in enumerate(lines):
        if line.startswith(opening):
            below = number + 1 < len(lines) and lines[number + 1].startswith("name")
            found.append(number + (2 if below else 1))
    return tuple(found)


def _not_toml(path: Path, text: str, message: str) -> InputError:
    position = _POSITION.search(message)
    line = int(position[1]) if position and position[1] else text.count("\n") + 1
    problem = printable(_POSITION.sub("", message), limit=200)
    return InputError(
        f"is not valid TOML: {problem[:1].lower()}{problem[1:]}",
        where=f"{path}:{line}",
        todo="Was it cut short? Mend it, or write it again with the tool that made it.",
    )


def _kind(value: object) -> str:
    return _KINDS.get(type(value), "a date or time")
