"""`pyproject.toml`: the strings of its requirements replaced where they stand, everything else left alone."""

import re
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from packaging.utils import canonicalize_name
from packaging.version import Version

from vertice.adaptive.inventory.model import Lock
from vertice.adaptive.inventory.poetry_constraint import specifier
from vertice.adaptive.remedy.bounds import allows, raised
from vertice.adaptive.remedy.documents.model import Move, Written
from vertice.adaptive.remedy.model import Edit
from vertice.adaptive.remedy.releases import Releases
from vertice.adaptive.remedy.requirements import entries
from vertice.adaptive.remedy.resolver import Asked, Runner

__all__ = ["PYPROJECT", "PyprojectDocument", "edit_pyproject", "excluding"]

PYPROJECT = "pyproject.toml"

_Path = tuple[str | int, ...]


@dataclass(frozen=True, slots=True)
class PyprojectDocument:
    """A pyproject.toml without a lock: ranges that are resolved anew at every installation."""

    files: Mapping[str, str]
    roots: tuple[Asked, ...]
    constraints: tuple[Asked, ...] = ()
    overrides: tuple[str, ...] = ()
    overridable: bool = False
    override_last: bool = True
    universal: bool = False

    def excluding(self, move: Move) -> int:
        """Count requirements that exclude a version of the move."""
        return len(excluding(self.files[PYPROJECT], move, raising=frozenset()))

    def write(self, move: Move, index: Releases, uv: Runner) -> Written:  # noqa: ARG002 - the protocol's signature
        """Raise the bounds; a package that is asked for by others only cannot be pinned here."""
        old = self.files[PYPROJECT]
        asked = {one.name for one in self.roots}
        unlisted = sorted(name for name in move.targets if name not in asked)
        if unlisted and not move.bare:
            return Written(problem=f"{PYPROJECT} does not name {', '.join(unlisted)}; lock the project (`uv lock`)")
        return Written((Edit(PYPROJECT, old, edit_pyproject(old, move, raising=move.targets)),), self.excluding(move))

    def check(self, files: Mapping[str, str], lock: Lock, uv: Runner) -> str:  # noqa: ARG002 - the protocol's signature
        """Nothing to do: reading it again resolves it with uv."""
        return ""


def excluding(text: str, move: Move, *, raising: frozenset[str]) -> dict[_Path, str]:
    """Return where a requirement must change, and to what: it excludes the move, or its name is in `raising`."""
    found = {}
    for path, name, value, poetry in _requirements(tomllib.loads(text)):
        if name in move.changes:
            new = _raised(name, value, move, poetry=poetry, always=name in raising)
            if new != value:
                found[path] = new
    return found


def edit_pyproject(text: str, move: Move, *, raising: frozenset[str] = frozenset()) -> str:
    """Return the text with those requirements replaced.

    Each is found as a quoted string and replaced where parsing shows that just this value changed.
    """
    for path, new in excluding(text, move, raising=raising).items():
        data = tomllib.loads(text)
        old = _get(data, path)
        _put(data, path, new)
        for match in re.finditer(f"([\"'])({re.escape(_toml(old))})(\\1)", text):
            tried = text[: match.start(2)] + _toml(new) + text[match.end(2) :]
            if _parsed(tried) == data:
                text = tried
                break
    return text


def _toml(value: str) -> str:
    """Return the value as it stands in a basic string; requirements need no other escape than this."""
    return value.replace("\\", "\\\\").replace('"', '\\"')


def _parsed(text: str) -> dict[str, Any] | None:
    try:
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError:
        return None


def _raised(name: str, value: str, move: Move, *, poetry: bool, always: bool) -> str:
    after = Version(move.changes[name][1])
    if not poetry:
        found = entries(value)
        fits = len(found) != 1 or allows(found[0], after)
        avoided = "".join(f",!={version}" for version in move.avoided.get(name, ()))
        new = raised(value, after) if not fits or always else value
        at = entries(new)[0].clauses[-1].span.end if avoided and len(found) == 1 and entries(new)[0].clauses else 0
        return new[:at] + avoided + new[at:] if at else new
    known = specifier(value)
    fits = known is None or not known or allows(entries(f"x{known}")[0], after)
    if fits and not always:
        return value
    if value.startswith(("^", "~")) and not value.startswith("~="):
        return f"{value[0]}{after}"
    if re.fullmatch(r"=?=?\s*\d[^,\s*]*", value):
        return re.sub(r"\d.*", str(after), value, count=1)
    return raised(f"x{value}", after)[1:] if known == value.replace(" ", "") else f"^{after}"


def _requirements(data: Mapping[str, Any]) -> Iterator[tuple[_Path, str, str, bool]]:
    """Yield (path, PEP 503 name, text, is in Poetry's notation) of every requirement."""
    lists: list[_Path] = [("project", "dependencies")]
    lists += [("project", "optional-dependencies", extra) for extra in _keys(data, "project", "optional-dependencies")]
    lists += [("dependency-groups", group) for group in _keys(data, "dependency-groups")]
    lists += [("tool", "uv", key) for key in ("dev-dependencies", "constraint-dependencies")]
    for path in lists:
        values = _get(data, path)
        for index, value in enumerate(values if isinstance(values, list) else ()):
            found = entries(value) if isinstance(value, str) else ()
            if len(found) == 1:
                yield (*path, index), found[0].name, value, False
    tables: list[_Path] = [("tool", "poetry", "dependencies"), ("tool", "poetry", "dev-dependencies")]
    tables += [("tool", "poetry", "group", group, "dependencies") for group in _keys(data, "tool", "poetry", "group")]
    for path in tables:
        for name in _keys(data, *path):
            yield from _of_poetry(data, (*path, name), name)


def _of_poetry(data: Mapping[str, Any], path: _Path, name: str) -> Iterator[tuple[_Path, str, str, bool]]:
    value = _get(data, path)
    if isinstance(value, dict):
        path, value = (*path, "version"), value.get("version")
    if isinstance(value, str) and name.lower() != "python":
        yield path, canonicalize_name(name), value, True


def _keys(data: Mapping[str, Any], *path: str | int) -> tuple[str, ...]:
    found = _get(data, path)
    return tuple(found) if isinstance(found, dict) else ()


def _get(data: Any, path: _Path) -> Any:
    for part in path:
        known = part in data if isinstance(data, dict) else isinstance(data, list)
        if not known:
            return None
        data = data[part]
    return data


def _put(data: Any, path: _Path, value: str) -> None:
    for part in path[:-1]:
        data = data[part]
    data[path[-1]] = value
