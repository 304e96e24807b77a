"""Unpinned requirements resolved by `uv pip compile`; pins go in as they are and come out unchanged."""

import re
import sys
from collections.abc import Callable, Mapping, Sequence
from typing import Protocol

from vertice.adaptive.inventory.assembly import Ground
from vertice.adaptive.inventory.requirements_text import Option, Requirement, parse_requirements
from vertice.kernel.errors import InputError, UnfinishedError
from vertice.kernel.text import printable

__all__ = ["Resolver", "ResolverResult", "UnknownPackageError", "resolve", "target_python"]

_INPUT = "requirements.in"
_CONSTRAINTS = "constraints.txt"
_NOT_FOUND = re.compile(r"([A-Za-z0-9._-]+) was not found in the (?:package registry|provided package locations)")
_TREE = re.compile(r"[\u2500-\u257f\u25b6\u00d7\u2570]+")
_NOISE = re.compile(r"^\s*(?:warning:|Using |Resolved |hint:)")
_MINORS = range(8, 16)


class ResolverResult(Protocol):
    """How a run of uv ended."""

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
        """What it said about it."""
        ...


class Resolver(Protocol):
    """What is needed of `vertice.kernel.uv.Uv`."""

    def run(
        self, args: Sequence[str], *, files: Mapping[str, bytes], indexes: Sequence[str], domain: str
    ) -> ResolverResult:
        """Run uv with `args` in a folder holding `files`; raise UnfinishedError when an index cannot be reached."""
        ...


class UnknownPackageError(InputError):
    """Catch me for a package that the index does not have."""

    code = "unknown-package"


def resolve(
    requirements: Sequence[Requirement],
    constraints: Sequence[Requirement],
    options: Sequence[Option],
    ground: Ground,
    uv: Callable[[], Resolver],
    *,
    indexes: Sequence[str],
    where: str,
) -> tuple[Requirement, ...]:
    """Return every package that the requirements need, each pinned and with the `via` that uv gives.

    Raises UnknownPackageError; InputError when nothing fits; UnfinishedError when the index cannot be
    reached or a release cannot be built.
    """
    files = {_INPUT: _text(requirements), _CONSTRAINTS: _text(constraints)}
    result = uv().run(_arguments(options, ground), files=files, indexes=indexes, domain=where)
    if result.returncode != 0:
        raise _failure(result.stderr, requirements, where)
    return tuple(parse_requirements(result.stdout, "uv's resolution").requirements)


def target_python(ground: Ground) -> str:
    """Return the Python to resolve for: the one asked for, else ours if it fits, else the newest that does."""
    ours = f"{sys.version_info.major}.{sys.version_info.minor}"
    if ground.python_version or not ground.requires_python:
        return ground.python_version or ours
    from packaging.specifiers import SpecifierSet

    accepted = SpecifierSet(ground.requires_python)
    fitting = [
        f"3.{minor}" for minor in _MINORS if accepted.contains(f"3.{minor}.0") or accepted.contains(f"3.{minor}.30")
    ]
    return ours if ours in fitting or not fitting else fitting[-1]


def _arguments(options: Sequence[Option], ground: Ground) -> list[str]:
    args = ["pip", "compile", _INPUT, "--constraints", _CONSTRAINTS, "--no-header", "--no-strip-extras"]
    args += ["--annotation-style", "split", "--python-version", target_python(ground)]
    for option in options:
        match option.name:
            case "--no-binary" | "--only-binary":
                for value in option.value.split(","):
                    args += [option.name, value.strip()]
            case "--pre":
                args += ["--prerelease", "allow"]
    return args


def _text(requirements: Sequence[Requirement]) -> bytes:
    return "".join(f"{line}\n" for line in dict.fromkeys(found.text for found in requirements)).encode()


def _failure(stderr: str, requirements: Sequence[Requirement], where: str) -> InputError | UnfinishedError:
    message = _tidy(stderr)
    if unknown := _NOT_FOUND.search(message):
        name = unknown[1]
        asked = next((found for found in requirements if found.name == name.lower()), None)
        return UnknownPackageError(
            f"the package index has no package `{printable(name, limit=100)}`",
            where=f"{where}:{asked.line}" if asked and asked.line and where.endswith(asked.file) else where,
            todo="Check its name, or take it out.",
        )
    if "No solution found" in message or "unsatisfiable" in message:
        reason = message.split("No solution found when resolving dependencies", 1)[-1]
        reason = re.sub(r"^[\s:]*(?:cause:)?\s*", "", reason)
        return InputError(
            f"no set of releases satisfies these requirements: {reason.rstrip('.')}",
            where=where,
            todo="Change one of the requirements named.",
        )
    return UnfinishedError(
        f"uv could not resolve these requirements: {message.rstrip('.')}",
        where=where,
        todo="Pin the versions (`uv pip compile`), so that nothing has to be resolved.",
    )


def _tidy(stderr: str) -> str:
    lines = [_TREE.sub(" ", line) for line in stderr.splitlines() if not _NOISE.match(line)]
    return printable(" ".join(" ".join(lines).split()).removeprefix("error: "), limit=900)
