"""Asks uv which versions fit together: the smallest move that lets a target up, and whether a change resolves.

The trick for "smallest": every package of the lock is held at its version or, where it may move, at *no lower* than
its version, and uv resolves to the lowest. What need not move stays; what must goes to the first release that fits.
Packages that appear new are resolved once more to the highest.
"""

import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Protocol

from packaging.utils import canonicalize_name
from packaging.version import Version

from vertice.kernel.text import printable

__all__ = ["Asked", "Conflict", "Question", "Ran", "Runner", "Solution", "Uv", "conflict_text", "flags", "solve"]

_TREE = re.compile(r"[\u2500-\u257f\u25b6\u00d7]+")
_LINE = re.compile(
    r"^(?P<name>[A-Za-z0-9._-]+)(?:\[[^\]]*\])?==(?P<version>[^\s;#\\]+)\s*(?:;[^#]*)?(?:#\s*via\s+(?P<via>.*))?$"
)


class Ran(Protocol):
    """How a run of uv ended (`vertice.kernel.uv.UvResult`)."""

    @property
    def returncode(self) -> int:
        """0 when it succeeded."""
        ...

    @property
    def stdout(self) -> str:
        """What it printed."""
        ...

    @property
    def stderr(self) -> str:
        """What it complained about."""
        ...

    @property
    def files(self) -> Mapping[str, bytes]:
        """Files that it changed or made."""
        ...


class Uv(Protocol):
    """What is needed of `vertice.kernel.uv.Uv`."""

    def run(self, args: Sequence[str], *, files: Mapping[str, bytes], indexes: Sequence[str], domain: str) -> Ran:
        """Run `uv ARGS` in a scratch folder that holds `files`."""
        ...


@dataclass(frozen=True, slots=True)
class Runner:
    """uv with the indexes of one manifest, and one build cache for all that is asked about one project."""

    uv: Uv
    domain: str
    indexes: tuple[str, ...] = ()

    def run(
        self,
        args: Sequence[str],
        *,
        files: Mapping[str, bytes],
        indexes: Sequence[str] = (),
        domain: str = "",  # noqa: ARG002 - a copy of the project in another folder is the same project
    ) -> Ran:
        """Run `uv ARGS` in a scratch folder that holds `files`."""
        return self.uv.run(args, files=files, indexes=tuple(indexes) or self.indexes, domain=self.domain)


@dataclass(frozen=True, slots=True)
class Asked:
    """One requirement or constraint of the project's own, without the version a lock pins it to."""

    name: str
    """PEP 503 normalised."""
    specifier: str = ""
    extras: tuple[str, ...] = ()
    marker: str = ""

    def line(self, *, bare: bool = False) -> str:
        """Return the PEP 508 line, without its specifier when `bare`."""
        extras = f"[{','.join(self.extras)}]" if self.extras else ""
        return f"{self.name}{extras}{'' if bare else self.specifier}" + (f" ; {self.marker}" if self.marker else "")


@dataclass(frozen=True, slots=True)
class Question:
    """What uv is asked. Names are PEP 503 normalised throughout."""

    roots: tuple[Asked, ...]
    constraints: tuple[Asked, ...]
    locked: Mapping[str, tuple[str, ...]]
    """Versions in use; more than one only where markers split."""
    targets: Mapping[str, str] = field(default_factory=dict)
    """Name -> specifier of the versions that may take its place."""
    free: Collection[str] | None = frozenset()
    """Names of which the project's own specifiers do not count; None: nobody's do."""
    fixed: bool = True
    """All others stay at their version; else they may go up."""
    exempt: frozenset[str] = frozenset()
    """Names that are not held at all."""
    excluded: tuple[tuple[str, str], ...] = ()
    """(name, version) that must not come out."""
    overrides: tuple[str, ...] = ()
    python: str = ""
    universal: bool = False
    newest: bool = False
    """Take the highest of what is not held, not the lowest."""


@dataclass(frozen=True, slots=True)
class Solution:
    """Versions that fit together, and which package asks for each."""

    versions: Mapping[str, str]
    parents: Mapping[str, tuple[str, ...]]


@dataclass(frozen=True, slots=True)
class Conflict:
    """Why nothing fits, in uv's words made safe to show."""

    reason: str


def solve(question: Question, uv: Runner) -> Solution | Conflict:
    """Return the answer; packages that are new come out at their highest version."""
    first = _ask(question, uv)
    if isinstance(first, Conflict) or question.newest or first.versions.keys() <= question.locked.keys():
        return first
    held = {name: (version,) for name, version in first.versions.items() if name in question.locked}
    targets = {name: f"=={first.versions[name]}" for name in question.targets if name in first.versions}
    again = replace(question, locked=held, targets=targets, fixed=True, newest=True)
    second = _ask(again, uv)
    return first if isinstance(second, Conflict) else second


def conflict_text(stderr: str) -> str:
    """Return uv's explanation as one line that is safe to show."""
    lines = [_TREE.sub(" ", line).strip() for line in stderr.splitlines()]
    kept = [line for line in lines if line and not line.startswith(("warning:", "Using ", "Resolving ", "hint:"))]
    return printable(" ".join(kept), limit=600)


def _ask(question: Question, uv: Runner) -> Solution | Conflict:
    files = {
        "in.txt": _text(_root(root, question) for root in question.roots),
        "constraints.txt": _text(_constraints(question)),
        "overrides.txt": _text(question.overrides),
    }
    args = ["pip", "compile", "in.txt", "--constraints", "constraints.txt", "--overrides", "overrides.txt"]
    args += ["--no-header", "--annotation-style", "line", "--no-sources", "--no-progress", "--color", "never"]
    args += ["--resolution", "highest" if question.newest else "lowest"]
    args += flags(question.python, universal=question.universal)
    ran = uv.run(args, files=files)
    return _read(ran.stdout) if ran.returncode == 0 else Conflict(conflict_text(ran.stderr))


def flags(python: str, *, universal: bool) -> list[str]:
    """Return the options of `uv pip compile` for a Python version, and for every platform when `universal`."""
    return [*(["--python-version", python] if python else []), *(["--universal"] if universal else [])]


def _root(root: Asked, question: Question) -> str:
    return root.line(bare=question.free is None or root.name in question.free)


def _constraints(question: Question) -> Iterable[str]:
    free = question.free
    yield from (one.line() for one in question.constraints if free is not None and one.name not in free)
    for name, versions in sorted(question.locked.items()):
        if name in question.targets or name in question.exempt:
            continue
        exact = question.fixed and len(versions) == 1
        yield f"{name}=={versions[0]}" if exact else f"{name}>={min(versions, key=Version)}"
    for name, specifier in sorted(question.targets.items()):
        yield f"{name}{specifier}"
    for name, version in question.excluded:
        yield f"{name}!={version}"


def _text(lines: Iterable[str]) -> bytes:
    return "".join(f"{line}\n" for line in lines).encode()


def _read(output: str) -> Solution:
    versions: dict[str, str] = {}
    parents: dict[str, tuple[str, ...]] = {}
    for line in output.splitlines():
        match = _LINE.match(line.strip())
        if match is None:
            continue
        name = canonicalize_name(match["name"])
        known = versions.get(name)
        if known is None or Version(match["version"]) > Version(known):
            versions[name] = match["version"]
        asked = (part.strip().partition("[")[0] for part in (match["via"] or "").split(","))
        mine = tuple(canonicalize_name(part) for part in asked if part and not part.startswith("-"))
        parents[name] = tuple(sorted({*parents.get(name, ()), *mine}))
    return Solution(versions, parents)
