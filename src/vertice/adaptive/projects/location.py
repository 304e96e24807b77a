"""Reading what a person registers: places, names and branches, checked before anything is stored."""

import re
from pathlib import Path

from vertice.adaptive.projects.model import Kind
from vertice.kernel.errors import InputError
from vertice.kernel.text import printable

__all__ = ["check_branch", "check_location", "check_name"]

_REPOSITORY = re.compile(r"[A-Za-z0-9](?:-?[A-Za-z0-9]){0,38}/(?!\.{1,2}$)[A-Za-z0-9._-]{1,100}")
_BRANCH = re.compile(r"(?![-/.])(?!.*(?:\.\.|//|@\{|/\.|\.lock(?:/|$)))[^\x00-\x20\x7f~^:?*\[\\]{1,200}(?<![/.])")
_MAX_NAME, _MAX_PATH = 200, 1000


def check_location(kind: Kind, location: str) -> str:
    """Return the place as it is stored: a path without links, or `owner/repo`. Raises InputError."""
    if kind is Kind.github:
        if not _REPOSITORY.fullmatch(location):
            raise InputError(
                f"{printable(location, limit=120)!r} names no repository", where="location", todo="Give owner/repo."
            )
        return location.lower()  # GitHub takes either case for the same repository
    if printable(location, limit=_MAX_PATH) != location:
        raise InputError("holds characters that no path should", where="location", todo="Give a plain absolute path.")
    path = Path(location)
    if not path.is_absolute():
        raise InputError("is not an absolute path", where="location", todo="Give the whole path, from / on.")
    try:
        resolved = path.resolve(strict=True)
        str(resolved).encode()
        is_folder = resolved.is_dir()
    except (OSError, RuntimeError, UnicodeEncodeError) as error:
        todo = "Check the path; a project that lies elsewhere is registered by its GitHub repository."
        raise InputError("there is no such folder on this machine", where="location", todo=todo) from error
    if not is_folder:
        raise InputError("is a file, not a folder", where="location", todo="Give the project's folder.")
    return str(resolved)


def check_name(name: str, *, default: str) -> str:
    """Return the name, `default` for an empty one. Raises InputError."""
    text = name.strip() or printable(default, limit=_MAX_NAME - 1)
    if len(text) > _MAX_NAME or printable(text) != text:
        raise InputError(
            f"the name is longer than {_MAX_NAME} characters, or has some that cannot be shown", where="name"
        )
    return text


def check_branch(branch: str) -> str:
    """Return the branch's name, "" for the default one. Raises InputError for what git would not take."""
    if branch and (not _BRANCH.fullmatch(branch) or printable(branch) != branch):
        raise InputError(f"{printable(branch, limit=120)!r} is no name of a branch", where="branch")
    return branch
