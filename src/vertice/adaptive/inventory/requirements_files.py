"""A requirements file with all that it includes, and which files of a folder are installed together."""

import os
import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from vertice.adaptive.inventory.requirements_text import (
    Include,
    LeftOut,
    Option,
    Requirement,
    RequirementsText,
    parse_requirements,
)
from vertice.kernel.errors import InputError
from vertice.kernel.files import read_text
from vertice.kernel.text import printable

__all__ = ["Gathered", "gather", "groups", "is_dev"]

_DEV = re.compile(
    r"(?:^|[-_./])(?:dev|devel|develop|development|local|tests?|testing|tox|ci|lint|linting|linters?|typing|mypy|types|"
    r"format|docs?|documentation|coverage|bench|benchmarks?|debug|quality|style|tools?)(?=[-_./]|$)",
    re.IGNORECASE,
)
_DEEPEST = 50
"""Levels of `-r`; real projects use two or three."""
_USUAL = ("requirements", "base", "main", "common", "prod", "production", "app", "core")


@dataclass(frozen=True, slots=True)
class Gathered:
    """Everything that one or more files, installed together, say."""

    files: tuple[str, ...]
    """In reading order, relative to the root."""
    requirements: tuple[Requirement, ...]
    constraints: tuple[Requirement, ...] = ()
    options: tuple[Option, ...] = ()
    left_out: tuple[LeftOut, ...] = ()
    generated: frozenset[str] = frozenset()
    """Files whose first comment says that a tool wrote them."""


class _Reading:
    """One depth-first walk over `-r` and `-c`; every file is read once for each of the two roles."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.files: dict[str, RequirementsText] = {}
        self.roles: dict[tuple[str, bool], RequirementsText] = {}

    def read(self, file: str, *, constraint: bool, named_at: str, above: tuple[str, ...] = ()) -> None:
        if file in above:
            circle = " -> ".join([*above[above.index(file) :], file])
            raise InputError(
                f"requirements files include each other in a circle: {printable(circle)}",
                where=named_at,
                todo="Take one of the -r or -c lines out.",
            )
        if len(above) > _DEEPEST:
            raise InputError(
                f"requirements files include each other more than {_DEEPEST} levels deep",
                where=named_at,
                todo="Name the files in one place.",
            )
        if (file, constraint) in self.roles:
            return
        if file not in self.files:
            path = _inside(self.root, file, named_at)
            self.files[file] = parse_requirements(read_text(path), file, where=str(path))
        text = self.roles[file, constraint] = self.files[file]
        for include in text.includes:
            if target := _target(include, self.root):
                where = f"{self.root / include.file}:{include.line}"
                self.read(target, constraint=include.constraint, named_at=where, above=(*above, file))


def gather(root: Path, paths: Sequence[str]) -> Gathered:
    """Read `paths` (relative to `root`) with everything they include.

    Raises InputError for a target that is missing or outside `root`, for a circle, and for a malformed line.
    """
    reading = _Reading(root)
    for path in paths:
        reading.read(path, constraint=False, named_at=str(root / path))
    texts = reading.files
    roles = reading.roles
    return Gathered(
        files=tuple(texts),
        requirements=tuple(
            replace(found, dev=True) if dev else found
            for (file, constraint), text in roles.items()
            if not constraint
            for dev in (is_dev(file),)
            for found in text.requirements
        ),
        constraints=tuple(
            replace(found, constraint=True)
            for (_, constraint), text in roles.items()
            if constraint
            for found in text.requirements
        ),
        options=tuple(option for text in texts.values() for option in text.options),
        left_out=tuple(left for text in texts.values() for left in (*text.left_out, *_remote(text))),
        generated=frozenset(file for file, text in texts.items() if text.generated),
    )


def is_dev(path: str) -> bool:
    """Whether a file's name says that it is for development or tests only."""
    stem = path.removesuffix(".txt").removesuffix(".in")
    return bool(_DEV.search(stem))


def groups(root: Path) -> tuple[tuple[str, ...], ...]:
    """Return the files of `root` that are installed together, the main one first; none is included by another.

    Files for development join the main one unless they pin something differently.
    """
    candidates = _candidates(root)
    found = {path: gather(root, [path]) for path in candidates}
    reached = {path: frozenset(gathered.files) - {path} for path, gathered in found.items()}

    def is_root(path: str) -> bool:
        others = (other for other in candidates if other != path and (is_dev(path) or not is_dev(other)))
        return not any(path in reached[other] for other in others)

    roots = [path for path in candidates if is_root(path)]
    mains = {path: [path] for path in roots if not is_dev(path)}
    for path in (path for path in roots if is_dev(path)):
        home = _home(path, tuple(mains), reached[path])
        if home and not _conflict(found[path], [found[member] for member in mains[home]]):
            mains[home].append(path)
        else:
            mains[path] = [path]
    return tuple(tuple(members) for members in mains.values())


def _candidates(root: Path) -> list[str]:
    try:
        names = sorted(path.name for path in root.iterdir())
        folder = root / "requirements"
        below = sorted(path.name for path in folder.iterdir()) if folder.is_dir() else []
    except PermissionError as error:
        raise InputError("cannot be listed", where=str(root), todo="Check the permissions.") from error
    found = [name for name in names if name.endswith(".txt") and "requirements" in name.lower()]
    found += [f"requirements/{name}" for name in below if name.endswith(".txt") and not name.lower().startswith("read")]
    return [path for path in found if "constraint" not in path.lower() and (root / path).is_file()]


def _home(path: str, mains: Sequence[str], reached: frozenset[str]) -> str:
    """Return the main file that a development file belongs to, `""` when that is not clear."""
    included = [main for main in mains if main in reached]
    if included or len(mains) == 1:
        return (included or list(mains))[0]
    usual = [main for name in _USUAL for main in mains if Path(main).stem == name]
    near = [main for main in usual if Path(main).parent == Path(path).parent]
    return next(iter([*near, *usual]), "")


def _conflict(dev: Gathered, members: Sequence[Gathered]) -> bool:
    pins: dict[tuple[str, str], str] = {}
    for gathered in (*members, dev):
        for found in gathered.requirements:
            if found.pin and pins.setdefault((found.name, found.marker), found.pin) != found.pin:
                return True
    return False


def _target(include: Include, root: Path) -> str:
    """Return the included file relative to the root (perhaps outside of it), `""` for a URL."""
    if "://" in include.target:
        return ""
    return os.path.relpath(root / Path(include.file).parent / include.target, root)


def _remote(text: RequirementsText) -> list[LeftOut]:
    return [
        LeftOut(include.file, include.line, include.target, "it is included from a URL")
        for include in text.includes
        if "://" in include.target
    ]


def _inside(root: Path, file: str, named_at: str) -> Path:
    """Return the path of a file that is really inside `root`."""
    path = root / file
    try:
        real = path.resolve()
        inside = real.is_relative_to(root.resolve())
        present = path.is_file()
    except (OSError, ValueError, RuntimeError) as error:
        raise _no_file(file, named_at) from error
    if not inside:
        raise InputError(
            f"`{printable(file, limit=200)}` is outside the project's folder and was not read",
            where=named_at,
            todo="Scan the folder that holds both files.",
        )
    if not present:
        raise _no_file(file, named_at)
    return path


def _no_file(file: str, named_at: str) -> InputError:
    return InputError(
        f"`{printable(file, limit=200)}` is not a file",
        where=named_at,
        todo="Check the name; -r and -c are relative to the file they stand in.",
    )
