"""Whether uv would build anything, which runs foreign code, and how a build that fails is tried again. Pure."""

import re
import tomllib
from collections.abc import Mapping, Sequence
from pathlib import PurePosixPath
from typing import Any

from packaging.requirements import InvalidRequirement, Requirement
from packaging.utils import canonicalize_name

__all__ = ["constraint_attempts", "runs_no_foreign_code"]

_WITHOUT_BUILD = (
    ("pip", "compile"),
    ("pip", "install"),
    ("pip", "sync"),
    ("lock",),
    ("export",),
    ("tree",),
    ("audit",),
)
"""Commands that take `--no-build`."""
_LOCAL_CODE = re.compile(r"(?m)^\s*(-e\b|--editable\b|\.|/|file:)|@\s*(file:|git\+|\.|/)")


def runs_no_foreign_code(args: Sequence[str], files: Mapping[str, bytes]) -> bool:
    """Tell whether nothing in the arguments and files can make uv run project code while building is switched off.

    uv builds editable and workspace projects even then, so whatever is not plainly static counts as code, and so does a
    command that knows no `--no-build` (the variable UV_NO_BUILD is not enough: `uv pip` passes over it).
    """
    if not any(tuple(args[: len(command)]) == command for command in _WITHOUT_BUILD):
        return False
    if any(arg.startswith(("-e", "--editable", "--with-editable", ".", "/")) for arg in args):
        return False
    if any(".." in PurePosixPath(path).parts for path in files):
        return False
    return all(_is_static(PurePosixPath(path).name, data) for path, data in files.items())


def _is_static(name: str, data: bytes) -> bool:
    if name in {"setup.py", "setup.cfg"}:
        return False
    if name == "pyproject.toml":
        try:
            return _static_project(tomllib.loads(data.decode()))
        except (ValueError, AttributeError):
            return False
    if name.endswith((".txt", ".in")):
        return not _LOCAL_CODE.search(data.decode("utf-8", "replace"))
    return name in {"uv.lock", ".python-version"} or name.startswith("pylock")


def _static_project(document: dict[str, Any]) -> bool:
    project = document.get("project")
    tool = document.get("tool", {}).get("uv", {})
    sources = tool.get("sources", {}).values()
    flat = [entry for source in sources for entry in (source if isinstance(source, list) else [source])]
    local = any(not {"index"}.issuperset(set(entry) - {"marker", "extra", "group"}) for entry in flat)
    return isinstance(project, dict) and not project.get("dynamic") and not local and "workspace" not in tool


def constraint_attempts(given: Sequence[str]) -> tuple[tuple[str, ...], ...]:
    """Return the build constraints to try one after the other.

    First what was given. Most sdists that no longer build broke on one of three changes of their build tools: Cython
    3 (C code of 2023 and before, such as PyYAML 5), setuptools 58 (`use_2to3`, 2021) and setuptools 70 and later
    (removed commands and attributes). So the next attempts hold those back, as far as the given constraints say
    nothing about them.
    """
    named = {_name_of(line) for line in given}
    attempts = [tuple(given)]
    for era in (("cython<3", "setuptools<70"), ("cython<3", "setuptools<58")):
        attempt = (*given, *(line for line in era if _name_of(line) not in named))
        if attempt not in attempts:
            attempts.append(attempt)
    return tuple(attempts)


def _name_of(line: str) -> str:
    try:
        return canonicalize_name(Requirement(line).name)
    except InvalidRequirement:
        return line
