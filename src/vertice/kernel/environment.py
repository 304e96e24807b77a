"""Where a setting's raw value comes from. Standard library only: `vertice scan` reads its few settings through this.

The first of these that has the name wins; an empty value counts as not set:

1. the process environment, `NAME=value`
2. a file that `NAME_FILE` names (`NAME` and `NAME_FILE` together are an error: which one was meant?)
3. `.env` in the working directory, unless that directory is somebody's Python project
4. `.env` in Vértice's home
5. `/run/secrets/NAME` or its lower-case form

Why 3 makes an exception: `cd my-service && vertice heal .` is the usual call, and a service's own `.env` names *its*
database. Nor may a cloned project say where advisories are read from. `VERTICE_HOME` itself comes from 1 or 2 only.
"""

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

from vertice.kernel.errors import InputError
from vertice.kernel.files import read_text

__all__ = ["Environment", "home_of"]

_MANIFESTS = ("pyproject.toml", "setup.py", "setup.cfg", "uv.lock", "poetry.lock", "pylock*.toml", "requirements*.txt")
_SECRET_BYTES = 64 * 1024


def home_of(variables: Mapping[str, str]) -> Path:
    """Return Vértice's home: `VERTICE_HOME`, else `vertice` under the XDG data home. Absolute; not created here."""
    named = _own_value("VERTICE_HOME", variables)
    if named is not None:
        return _expand(named, "VERTICE_HOME")
    data = variables.get("XDG_DATA_HOME", "")
    # The XDG specification says that a relative path is invalid and to be ignored.
    base = Path(data) if data.startswith("/") else _expand("~/.local/share", "HOME")
    return base / "vertice"


@dataclass(frozen=True)
class Environment:
    """Raw values of settings. `Environment.of_process()` in main; tests give their own parts."""

    variables: Mapping[str, str]
    working_directory: Path
    secrets: Path = Path("/run/secrets")
    home: Path = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "home", home_of(self.variables))

    @classmethod
    def of_process(cls) -> "Environment":
        """Return the environment of this process as it is now."""
        return cls(variables=dict(os.environ), working_directory=Path.cwd())

    def lookup(self, name: str) -> str | None:
        """Return the raw value of `name`, None when nothing sets it.

        Raises InputError when a file that should hold it cannot be read, or when it is set in two ways at once.
        """
        own = _own_value(name, self.variables)
        if own is not None:
            return own
        for values in self._dotenvs.values():
            if values.get(name):
                return values[name]
        return self._secret(name)

    def path(self, name: str) -> Path | None:
        """Return the setting `name` as a path (`~` expanded, made absolute), None when nothing sets it."""
        value = self.lookup(name)
        return None if value is None else _expand(value, name, self.working_directory)

    def dotenv_names(self) -> Mapping[Path, frozenset[str]]:
        """Return which names each `.env` that is read sets."""
        return {path: frozenset(values) for path, values in self._dotenvs.items()}

    @cached_property
    def _dotenvs(self) -> Mapping[Path, Mapping[str, str]]:
        folders = [self.home] if self._in_a_project else [self.working_directory, self.home]
        return {folder / ".env": _dotenv(folder / ".env") for folder in folders}

    @property
    def _in_a_project(self) -> bool:
        return any(next(self.working_directory.glob(pattern), None) for pattern in _MANIFESTS)

    def _secret(self, name: str) -> str | None:
        for path in (self.secrets / name, self.secrets / name.lower()):
            if path.is_file():
                return read_text(path, limit=_SECRET_BYTES).strip() or None
        return None


def _own_value(name: str, variables: Mapping[str, str]) -> str | None:
    value, file = variables.get(name), variables.get(f"{name}_FILE")
    if value and file:
        raise InputError(f"{name} and {name}_FILE are both set", where=name, todo="Unset one of them.")
    if not file:
        return value or None
    try:
        return read_text(Path(file), limit=_SECRET_BYTES).strip() or None
    except InputError as error:
        raise InputError(f"{name}_FILE: {error.what}", where=error.where, todo=error.todo) from error


def _dotenv(path: Path) -> Mapping[str, str]:
    if not path.is_file():
        return {}
    from io import StringIO

    from dotenv import dotenv_values

    text = read_text(path, limit=_SECRET_BYTES)
    values = dotenv_values(stream=StringIO(text), interpolate=False)
    return {name: value for name, value in values.items() if value}


def _expand(value: str, name: str, base: Path | None = None) -> Path:
    try:
        return (base or Path.cwd()) / Path(value).expanduser()
    except RuntimeError as error:
        raise InputError("cannot find your home directory", where=name, todo="Set VERTICE_HOME.") from error
