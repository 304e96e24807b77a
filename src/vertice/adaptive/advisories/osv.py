"""One OSV record (parsed JSON) to advisories: the edge where untrusted records become typed."""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any, Final, TypeVar, get_args

from packaging.utils import canonicalize_name

from vertice.adaptive.advisories.model import Advisory, Event, EventKind, Range, Severity
from vertice.adaptive.advisories.order import sorted_versions
from vertice.adaptive.advisories.severity import score, worded
from vertice.kernel.errors import InputError
from vertice.kernel.text import printable

__all__ = ["parse_record", "record_id", "record_modified"]

_ID: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._:+-]{0,99}")
_PACKAGE: Final = re.compile(r"[a-z0-9]([a-z0-9-]*[a-z0-9])?")
_EVENTS: Final[tuple[EventKind, ...]] = get_args(EventKind)
_SUMMARY_LENGTH: Final = 300
_T = TypeVar("_T")


def parse_record(record: object) -> tuple[Advisory, ...]:
    """Return one Advisory per PyPI package that the record affects, sorted by package; none when it is withdrawn.

    Entries of the same package are united. Fields of the schema that are null count as absent.
    Raises InputError naming the record when it has no id or a field that we read has another type than the schema's.
    """
    name = record_id(record)
    reader = _Reader(f"record {name}")
    fields = reader.table(record, "the record")
    if reader.text(fields.get("withdrawn"), "withdrawn"):
        return ()
    common = _common(reader, fields)
    packages: dict[str, list[dict[str, Any]]] = {}
    for entry in reader.tables(fields.get("affected"), "affected"):
        package = reader.table(entry.get("package"), "affected.package")
        if reader.text(package.get("ecosystem"), "affected.package.ecosystem").split(":")[0] == "PyPI":
            packages.setdefault(_package(reader, package), []).append(entry)
    return tuple(_advisory(reader, name, common, package, entries) for package, entries in sorted(packages.items()))


def record_id(record: object) -> str:
    """Return the record's id; raise InputError when it is no JSON object or has none."""
    if not isinstance(record, dict):
        raise InputError(f"is {_kind(record)}, not a JSON object", todo="An OSV record is one JSON object.")
    name = record.get("id")
    if not isinstance(name, str) or not _ID.fullmatch(name):
        shown = "no id" if name is None else f"the id {printable(repr(name), limit=80)}, which is none"
        raise InputError(f"has {shown}", todo="Every OSV record has an id like PYSEC-2024-1.")
    return name


def record_modified(record: object) -> str:
    """Return the record's `modified` (RFC 3339), "" when it has none."""
    modified = record.get("modified") if isinstance(record, dict) else None
    return modified if isinstance(modified, str) else ""


@dataclass(frozen=True, slots=True)
class _Common:
    """What a record says once for all its packages."""

    aliases: tuple[str, ...]
    summary: str
    vectors: tuple[str, ...]
    specific: dict[str, Any]
    references: tuple[str, ...]
    published: str
    modified: str


def _common(reader: "_Reader", fields: dict[str, Any]) -> _Common:
    references = reader.tables(fields.get("references"), "references")
    summary = reader.text(fields.get("summary"), "summary")
    details = reader.text(fields.get("details"), "details")
    return _Common(
        aliases=_unique(reader.texts(fields.get("aliases"), "aliases")),
        summary=_one_line(summary) or _first_sentence(details),
        vectors=_vectors(reader, fields, "severity"),
        specific=_free(fields.get("database_specific")),
        references=_unique(reader.text(entry.get("url"), "references.url") for entry in references),
        published=reader.text(fields.get("published"), "published"),
        modified=reader.text(fields.get("modified"), "modified"),
    )


def _advisory(reader: "_Reader", name: str, common: _Common, package: str, entries: list[dict[str, Any]]) -> Advisory:
    free = [_free(entry.get(key)) for entry in entries for key in ("ecosystem_specific", "database_specific")]
    free.append(common.specific)
    ranges = _unique(span for entry in entries for span in _ranges(reader, entry))
    own = _unique(vector for entry in entries for vector in _vectors(reader, entry, "affected.severity"))
    cvss, vector, severity = score(own or common.vectors)
    if cvss is None:
        severity = _severity_without_vector(name, free)
    fixed = (event.version for span in ranges for event in span.events if event.kind == "fixed")
    return Advisory(
        id=name,
        package=package,
        aliases=tuple(alias for alias in common.aliases if alias != name),
        summary=common.summary,
        ranges=ranges,
        versions=_unique(
            version for entry in entries for version in reader.texts(entry.get("versions"), "affected.versions")
        ),
        severity=severity,
        cvss=cvss,
        cvss_vector=vector,
        cwe=_cwe(free),
        fixed_versions=sorted_versions(fixed),
        symbols=_unique(symbol for table in free for symbol in _symbols(table)),
        published=common.published,
        modified=common.modified,
        references=common.references,
    )


def _package(reader: "_Reader", package: dict[str, Any]) -> str:
    written = reader.text(package.get("name"), "affected.package.name")
    name = canonicalize_name(written)
    if not _PACKAGE.fullmatch(name):
        raise reader.wrong("affected.package.name", f"is {printable(repr(written), limit=80)}, no package's name")
    return name


def _ranges(reader: "_Reader", entry: dict[str, Any]) -> Iterator[Range]:
    """Yield the ranges over versions. GIT ranges are over commits; SEMVER ones are read as ECOSYSTEM."""
    for span in reader.tables(entry.get("ranges"), "affected.ranges"):
        if reader.text(span.get("type"), "affected.ranges.type") == "GIT":
            continue
        yield Range(tuple(_events(reader, span)))


def _events(reader: "_Reader", span: dict[str, Any]) -> Iterator[Event]:
    for event in reader.tables(span.get("events"), "affected.ranges.events"):
        kinds = [kind for kind in _EVENTS if event.get(kind) is not None]
        if not kinds:
            raise reader.wrong("affected.ranges.events", "has an event that is none of " + ", ".join(_EVENTS))
        for kind in kinds:
            yield Event(kind, reader.text(event[kind], f"affected.ranges.events.{kind}"))


def _vectors(reader: "_Reader", fields: dict[str, Any], place: str) -> tuple[str, ...]:
    return tuple(
        reader.text(entry.get("score"), f"{place}.score") for entry in reader.tables(fields.get("severity"), place)
    )


def _severity_without_vector(name: str, free: list[dict[str, Any]]) -> Severity:
    """Return what the database says in words; malware (`MAL-…`) is critical; medium where nothing is said."""
    for table in reversed(free):
        if (severity := worded(table.get("severity"))) is not None:
            return severity
    return Severity.critical if name.startswith("MAL-") else Severity.medium


def _cwe(free: Iterable[dict[str, Any]]) -> tuple[str, ...]:
    """Return the CWE ids of GitHub's `cwe_ids: [id]` and OpenSSF's `cwes: [{cweId}]`, in number order."""
    found = set()
    for table in free:
        listed = [*_free_list(table.get("cwe_ids")), *_free_list(table.get("cwes"))]
        for one in listed:
            text = one.get("cweId") if isinstance(one, dict) else one
            if isinstance(text, str) and re.fullmatch(r"CWE-\d{1,6}", text):
                found.add(text)
    return tuple(sorted(found, key=lambda text: int(text[4:])))


def _symbols(table: dict[str, Any]) -> Iterator[str]:
    """Yield dotted names of `imports: [{attribute, modules}]` (PyPA), `functions` and `affected_functions` (GitHub)."""
    for entry in _free_list(table.get("imports")):
        if not isinstance(entry, dict):
            continue
        attribute = entry.get("attribute")
        for module in _free_list(entry.get("modules")):
            if isinstance(module, str) and module:
                yield f"{module}.{attribute}" if isinstance(attribute, str) and attribute else module
    for key in ("functions", "affected_functions"):
        for name in _free_list(table.get(key)):
            if isinstance(name, str) and name:
                yield name.replace("(", "").replace(")", "")


def _first_sentence(details: str) -> str:
    """Return the first sentence of the first paragraph of CommonMark that is no heading, at most 300 characters."""
    lines = [line.strip() for line in details[:20_000].splitlines()]
    start = next((at for at, line in enumerate(lines) if line and not line.startswith(("#", "```", "---"))), len(lines))
    end = next((at for at in range(start, len(lines)) if not lines[at]), len(lines))
    paragraph = " ".join(" ".join(lines[start:end]).split())
    sentence = re.match(r".*?(?<!e\.g)(?<!i\.e)(?<!vs)[.!?](?=\s+[A-Z0-9`\"'(*_]|$)", paragraph)
    return _one_line(sentence[0] if sentence else paragraph)


def _one_line(text: str) -> str:
    line = " ".join(text[: 8 * _SUMMARY_LENGTH].split())
    return line if len(line) <= _SUMMARY_LENGTH else line[: _SUMMARY_LENGTH - 1].rstrip() + "…"


def _unique(items: Iterable[_T]) -> tuple[_T, ...]:
    return tuple(dict.fromkeys(items))


def _free(value: object) -> dict[str, Any]:
    """Return a `*_specific` object; what databases put there is theirs, so another type is as good as nothing."""
    return value if isinstance(value, dict) else {}


def _free_list(value: object) -> list[Any]:
    return value if isinstance(value, list) else []


def _kind(value: object) -> str:
    names = {"NoneType": "null", "bool": "a boolean", "int": "a number", "float": "a number", "str": "a string"}
    return names.get(type(value).__name__, "a list" if isinstance(value, list) else "an object")


@dataclass(frozen=True, slots=True)
class _Reader:
    """Reads values of one record, strictly; `where` names the record in every error."""

    where: str

    def wrong(self, place: str, problem: str) -> InputError:
        return InputError(f"`{place}` {problem}", where=self.where, todo="See ossf.github.io/osv-schema.")

    def text(self, value: object, place: str) -> str:
        if value is None:
            return ""
        if not isinstance(value, str):
            raise self.wrong(place, f"is {_kind(value)}, not a string")
        return value.strip()

    def table(self, value: object, place: str) -> dict[str, Any]:
        if not isinstance(value, dict):
            raise self.wrong(place, f"is {_kind(value)}, not an object")
        return value

    def tables(self, value: object, place: str) -> list[dict[str, Any]]:
        return [self.table(item, place) for item in self._list(value, place)]

    def texts(self, value: object, place: str) -> list[str]:
        return [self.text(item, place) for item in self._list(value, place) if item != ""]

    def _list(self, value: object, place: str) -> list[Any]:
        if value is None:
            return []
        if not isinstance(value, list):
            raise self.wrong(place, f"is {_kind(value)}, not a list")
        return value
