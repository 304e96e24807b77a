"""What pyproject.toml asks for: PEP 621, PEP 735 and Poetry's own tables."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

from vertice.adaptive.inventory.poetry_constraint import python_marker, specifier
from vertice.adaptive.inventory.requirements_files import Gathered
from vertice.adaptive.inventory.requirements_text import LeftOut, Requirement, parse_requirement
from vertice.adaptive.inventory.syntax import extras_of, marker_of, name_of, specifier_of
from vertice.adaptive.inventory.toml import Table, read_toml

__all__ = ["PYPROJECT", "Pyproject", "read_pyproject"]

PYPROJECT = "pyproject.toml"

_ELSEWHERE = {
    "git": "it is a version-control checkout",
    "path": "it is a local path",
    "file": "it is a local path",
    "url": "it is a direct URL",
}


@dataclass(frozen=True, slots=True)
class Pyproject:
    """The facts of one pyproject.toml; all empty when there is none."""

    name: str = ""
    requires_python: str = ""
    gathered: Gathered = field(default_factory=lambda: Gathered((PYPROJECT,), ()))
    dynamic: bool = False
    """Its dependencies are computed by the build backend."""
    names: Mapping[str, bool] = field(default_factory=dict, hash=False)
    """Every package asked for -> only for development."""


@dataclass(slots=True)
class _Found:
    requirements: list[Requirement] = field(default_factory=list)
    left_out: list[LeftOut] = field(default_factory=list)

    def add(self, one: Requirement | LeftOut, *, dev: bool) -> None:
        if isinstance(one, LeftOut):
            self.left_out.append(one)
        else:
            self.requirements.append(replace(one, dev=dev))


def read_pyproject(root: Path) -> Pyproject:
    """Return what the project's pyproject.toml says; raise InputError where it is malformed."""
    if not (root / PYPROJECT).is_file():
        return Pyproject()
    data, text = read_toml(root / PYPROJECT)
    project, poetry = data.table("project"), data.table("tool").table("poetry")
    name = project.text_or("name", "") or poetry.text_or("name", "")
    found = _Found()
    lines = text.split("\n")
    for asked, dev in _standard(data):
        line = _line_with(lines, asked)
        one = parse_requirement(asked, PYPROJECT, line, where=f"{data.where}:{line}" if line else data.where)
        found.add(one, dev=dev)
    for asked_one, dev in _of_poetry(poetry, lines):
        found.add(asked_one, dev=dev)
    own = name_of(name, data.where) if name else ""
    requirements = tuple(one for one in found.requirements if one.name != own)
    names: dict[str, bool] = {}
    for one in requirements:
        names[one.name] = names.get(one.name, True) and one.dev
    return Pyproject(
        name=name,
        requires_python=_requires_python(project, poetry),
        gathered=Gathered((PYPROJECT,), requirements, left_out=tuple(found.left_out)),
        dynamic="dependencies" in project.texts("dynamic"),
        names=names,
    )


def _standard(data: Table) -> Iterator[tuple[str, bool]]:
    """Yield the requirements of [project] and of [dependency-groups]; an included group is read in its own place."""
    project, groups = data.table("project"), data.table("dependency-groups")
    yield from ((asked, False) for asked in project.texts("dependencies"))
    optional = project.table("optional-dependencies")
    for extra in optional:
        yield from ((asked, False) for asked in optional.texts(extra))
    for group in groups:
        entries = groups.raw(group)
        if not isinstance(entries, list):
            raise groups.wrong(group, "should be an array")
        for entry in entries:
            if isinstance(entry, str):
                yield entry, True
            elif not isinstance(entry, dict):
                raise groups.wrong(group, "should hold requirements and `include-group` tables only")


def _of_poetry(poetry: Table, lines: list[str]) -> Iterator[tuple[Requirement | LeftOut, bool]]:
    groups = poetry.table("group")
    tables = [(poetry.table("dependencies"), False), (poetry.table("dev-dependencies"), True)]
    tables += [(groups.table(group).table("dependencies"), group != "main") for group in groups]
    for table, dev in tables:
        for name in table:
            if name.lower() != "python":
                yield from ((one, dev) for one in _of_poetry_entry(table, name, lines))


def _of_poetry_entry(table: Table, name: str, lines: list[str]) -> Iterator[Requirement | LeftOut]:
    value = table.raw(name)
    line = _line_of_key(lines, name)
    if isinstance(value, str):
        yield _constrained(Table({"version": value}, table.where, table.name), name, line)
    elif isinstance(value, dict):
        yield _constrained(table.table(name), name, line)
    else:
        yield from (_constrained(entry, name, line) for entry in table.tables(name))


def _constrained(entry: Table, name: str, line: int) -> Requirement | LeftOut:
    """Return one entry of Poetry in the words of PEP 508."""
    where = f"{entry.where}:{line}" if line else entry.where
    if elsewhere := next((why for kind, why in _ELSEWHERE.items() if kind in entry), ""):
        return LeftOut(PYPROJECT, line, name, elsewhere)
    wanted = entry.text_or("version", "*")
    known = specifier(wanted)
    if known is None:
        return LeftOut(PYPROJECT, line, f"{name} {wanted}", "its constraint has no form in PEP 440; pin it, or lock it")
    checked = specifier_of(known, where)
    marks = [marker_of(entry.text_or("markers", ""), where), python_marker(entry.text_or("python", ""))]
    marker = " and ".join(f"({mark})" if " or " in mark else mark for mark in marks if mark)
    extras = extras_of(entry.texts("extras"), where)
    exact = checked.removeprefix("==")
    pin = exact if checked.startswith("==") and "," not in exact and not exact.endswith(".*") else ""
    return Requirement(PYPROJECT, line, line, name_of(name, where), extras, checked, pin, marker_of(marker, where))


def _requires_python(project: Table, poetry: Table) -> str:
    if wanted := project.text_or("requires-python", ""):
        return specifier_of(wanted, project.where)
    value = poetry.table("dependencies").raw("python")
    known = specifier(value) if isinstance(value, str) else ""
    return specifier_of(known, poetry.where) if known else ""


def _line_with(lines: list[str], asked: str) -> int:
    """Return the line that holds the string `asked`, 0 when it is written in another way."""
    return next((number for number, line in enumerate(lines, 1) if f'"{asked}"' in line or f"'{asked}'" in line), 0)


def _line_of_key(lines: list[str], name: str) -> int:
    key = re.compile(rf"""\s*["']?{re.escape(name)}["']?\s*[=.]""")
    return next((number for number, line in enumerate(lines, 1) if key.match(line)), 0)
