"""Probe files: finding them and reading their facts (docs/probes.md describes the format for authors)."""

import re
import tomllib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from packaging.utils import canonicalize_name

from vertice.adaptive.advisories.model import Advisory
from vertice.adaptive.advisories.osv import parse_record
from vertice.adaptive.wargame.model import Case, Probe, Role
from vertice.kernel.errors import InputError
from vertice.kernel.files import read_text
from vertice.kernel.text import printable

__all__ = ["ENTRY_POINTS", "SHIPPED", "find_probes", "parse_probe", "probes_for"]

ENTRY_POINTS = "vertice.probes"
"""Entry-point group: each value names a package whose folder holds probe files."""

SHIPPED = Path(__file__).parent / "probes"

_MAX_BYTES = 256 * 1024
_BLOCK = re.compile(r"(?m)^# /// vertice-probe$\s(?P<content>(^#(| .*)$\s)+)^# ///$")
"""An inline metadata block (PEP 723, "Specification") of type vertice-probe."""
_PACKAGE = re.compile(r'(?m)^# package = "([^"\n]+)"$')
_CASE_NAME = re.compile(r"[a-z][a-z0-9_-]{0,31}")
_KEYS = frozenset({
    "id", "aliases", "package", "summary", "severity", "cwe", "kind", "symbols", "needs", "affected", "cases", "test",
})  # fmt: skip
_TEST_KEYS = frozenset({"vulnerable", "fixed", "with", "build-constraints", "python"})


def find_probes(folders: Iterable[Path] = (), *, packages: frozenset[str] | None = None) -> tuple[Probe, ...]:
    """Return every shipped probe, those of installed entry points and those in `folders`, sorted by package and id.

    With `packages` (PEP 503 names) only probes that name one of them are parsed, which is what makes a scan quick.
    A probe in `folders` takes the place of a shipped one with the same id.
    Raises InputError for a folder that is missing or a probe that is malformed.
    """
    found: dict[str, Probe] = {}
    for folder, origin in (
        (SHIPPED, "shipped"),
        *_entry_point_folders(),
        *((folder, str(folder)) for folder in folders),
    ):
        if not folder.is_dir():
            raise InputError("is no folder of probes", where=str(folder), todo="Check --probes.")
        for path in sorted(folder.glob("*.py")):
            source = read_text(path, limit=_MAX_BYTES)
            if path.name == "__init__.py" or (packages is not None and not _names(source) & packages):
                continue
            probe = parse_probe(source, where=str(path) if origin != "shipped" else path.name, origin=origin)
            found[probe.id] = probe
    return tuple(sorted(found.values(), key=lambda probe: (probe.package, probe.id)))


def probes_for(advisory: Advisory, probes: Iterable[Probe]) -> tuple[Probe, ...]:
    """Return the probes that attack what `advisory` describes: they share an id or alias and name its package."""
    return tuple(
        probe
        for probe in probes
        if probe.ids.intersection(advisory.ids) and any(facts.package == advisory.package for facts in probe.advisories)
    )


def parse_probe(source: str, *, where: str, origin: str) -> Probe:
    """Read a probe's metadata block. Raises InputError naming the file and the key that is wrong."""
    if len(blocks := list(_BLOCK.finditer(source))) != 1:
        raise InputError(
            f"has {len(blocks)} `# /// vertice-probe` blocks, not one",
            where=where,
            todo="`vertice probe new` writes a template.",
        )
    try:
        facts = tomllib.loads(re.sub(r"(?m)^# ?", "", blocks[0]["content"]))
    except (tomllib.TOMLDecodeError, RecursionError) as error:
        raise InputError(f"its metadata is no TOML: {printable(str(error), limit=200)}", where=where) from error
    return _read(_Table(facts, where), source, origin)


def _read(table: "_Table", source: str, origin: str) -> Probe:
    table.only(_KEYS)
    test = table.table("test")
    test.only(_TEST_KEYS)
    package = canonicalize_name(table.text("package"))
    symbols = table.texts("symbols")
    advisories = _advisories(table, package, symbols)
    if advisories[0].package != package:
        raise table.wrong("affected", f"does not begin with the probe's own package {package}")
    return Probe(
        id=table.text("id"),
        advisories=advisories,
        kind=table.text("kind"),
        symbols=symbols,
        cases=tuple(_cases(table.table("cases"))),
        source=source,
        origin=origin,
        needs=table.texts("needs"),
        vulnerable=f"{package}=={test.text('vulnerable')}",
        fixed=f"{package}=={test.text('fixed')}",
        python=test.text("python", default=""),
        with_packages=test.texts("with"),
        build_constraints=test.texts("build-constraints"),
    )


def _advisories(table: "_Table", package: str, symbols: tuple[str, ...]) -> tuple[Advisory, ...]:
    """The facts as OSV records would give them; the probe's own package first, marked as coming from a probe."""
    affected = table.tables("affected")
    record = {
        "id": table.text("id"),
        "modified": "",
        "aliases": list(table.texts("aliases")),
        "summary": table.text("summary"),
        "severity": [dict(item.values) for item in table.tables("severity")],
        "database_specific": {"cwe_ids": list(table.texts("cwe"))},
        "affected": [
            {
                "package": {"ecosystem": "PyPI", "name": item.text("package")},
                "ranges": item.values.get("ranges", []),
                "versions": item.values.get("versions", []),
            }
            for item in affected
        ],
    }
    try:
        parsed = parse_record(record)
    except InputError as error:
        raise InputError(error.what, where=table.where, todo=error.todo) from error
    if not parsed:
        raise table.wrong("affected", "names no package")
    own = sorted(parsed, key=lambda advisory: advisory.package != package)
    return tuple(
        replace(
            advisory, source="probe", cwe=table.texts("cwe"), symbols=symbols if advisory.package == package else ()
        )
        for advisory in own
    )


def _cases(table: "_Table") -> Iterator[Case]:
    table.only(frozenset({"attack", "variants", "controls"}))
    yield Case("attack", Role.attack, table.text("attack"))
    seen = {"attack"}
    for key, role in (("variants", Role.variant), ("controls", Role.control)):
        named = table.table(key)
        if not named.values:
            raise table.wrong(key, "is empty: a probe has at least one variant and one control")
        for name in named.values:
            if not _CASE_NAME.fullmatch(name) or name in seen:
                raise named.wrong(name, "is no case name (lower-case letters, digits, - and _; each once)")
            seen.add(name)
            yield Case(name, role, named.text(name))


def _names(source: str) -> frozenset[str]:
    return frozenset(canonicalize_name(name) for name in _PACKAGE.findall(source))


def _entry_point_folders() -> Iterator[tuple[Path, str]]:
    from importlib.metadata import entry_points  # slow to scan: only when probes are wanted
    from importlib.util import find_spec

    for point in entry_points(group=ENTRY_POINTS):
        spec = find_spec(point.module)
        for folder in (spec.submodule_search_locations or ()) if spec else ():
            yield Path(folder), f"entry point {printable(point.name, limit=80)}"


@dataclass(frozen=True, slots=True)
class _Table:
    """A TOML table that names its file and key when a value has the wrong shape."""

    values: Mapping[str, Any]
    where: str
    path: str = ""

    def wrong(self, key: str, what: str) -> InputError:
        return InputError(
            f"`{self.path}{printable(key, limit=80)}` {what}", where=self.where, todo="See docs/probes.md."
        )

    def only(self, keys: frozenset[str]) -> None:
        if unknown := sorted(set(self.values) - keys):
            raise self.wrong(unknown[0], f"is no key here; known are {', '.join(sorted(keys))}")

    def text(self, key: str, *, default: str | None = None) -> str:
        value = self.values.get(key, default)
        if not isinstance(value, str) or (not value and default is None):
            raise self.wrong(key, "must be a text")
        return value

    def texts(self, key: str) -> tuple[str, ...]:
        value = self.values.get(key, [])
        if not isinstance(value, list) or not all(isinstance(item, str) for item in value):
            raise self.wrong(key, "must be a list of texts")
        return tuple(value)

    def table(self, key: str) -> "_Table":
        value = self.values.get(key, {})
        if not isinstance(value, dict):
            raise self.wrong(key, "must be a table")
        return _Table(value, self.where, f"{self.path}{key}.")

    def tables(self, key: str) -> tuple["_Table", ...]:
        value = self.values.get(key, [])
        if not isinstance(value, list) or not all(isinstance(item, dict) for item in value):
            raise self.wrong(key, "must be a list of tables")
        return tuple(_Table(item, self.where, f"{self.path}{key}[{at}].") for at, item in enumerate(value))
