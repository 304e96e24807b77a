"""`vertice.toml`: what a project asks of Vértice. docs/vertice.example.toml shows every key with its default.

Values are frozen, unknown keys and wrong types are refused with their path, nothing is read from the environment.
"""

import tomllib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

from packaging.utils import canonicalize_name

from vertice.adaptive.advisories.model import Severity
from vertice.kernel.errors import InputError
from vertice.kernel.files import read_text
from vertice.kernel.text import printable

if TYPE_CHECKING:
    from vertice.kernel.sandbox.model import Limits

__all__ = [
    "CONFIG_NAME",
    "Config",
    "PolicyConfig",
    "RemedyConfig",
    "ScanConfig",
    "Waiver",
    "WargameConfig",
    "load_config",
    "parse_config",
]

CONFIG_NAME = "vertice.toml"
MIN_REASON = 10
"""Characters a waiver's reason has at least: as for every justification."""


@dataclass(frozen=True, slots=True)
class ScanConfig:
    """`[scan]`."""

    fail_on: Severity = Severity.low
    """The exit code is 1 when a finding is at least this severe."""
    advisories: str = ""
    """URL, folder or zip of an OSV dump; a relative path is below the project. "": the local store."""


@dataclass(frozen=True, slots=True)
class Waiver:
    """One `[[waivers]]` entry: a finding accepted by a person, for a time."""

    id: str
    """CVE, GHSA, PYSEC or other id or alias of an advisory, or an APV code."""
    reason: str
    until: date
    """The last day on which it holds."""
    package: str = ""
    """PEP 503 name; "" for whatever package."""


@dataclass(frozen=True, slots=True)
class WargameConfig:
    """`[wargame]`."""

    repeats: int = 3
    """How often each case of a probe is run on each side."""
    seconds: float = 30.0
    """Per run; so are memory, processes and output."""
    memory_bytes: int = 1024**3
    processes: int = 64
    output_bytes: int = 64 * 1024
    tests: tuple[str, ...] = ("python", "-m", "pytest")
    """The project's test command; empty: it has none."""
    tests_seconds: float = 600.0
    python: str = ""
    """Version of the interpreter; "" for the one the project asks for."""
    probes: tuple[Path, ...] = ()
    """Folders of further probes."""

    @property
    def limits(self) -> "Limits":
        """The limits of one run in the arena."""
        from vertice.kernel.sandbox.model import Limits

        return Limits(
            seconds=self.seconds,
            memory_bytes=self.memory_bytes,
            processes=self.processes,
            output_bytes=self.output_bytes,
        )


@dataclass(frozen=True, slots=True)
class RemedyConfig:
    """`[remedy]`."""

    minimum_age_days: int = 0
    """Releases younger than this are not proposed."""
    prereleases: bool = False
    """Pre-releases may be proposed even where none is in use."""


@dataclass(frozen=True, slots=True)
class PolicyConfig:
    """`[policy]`."""

    hold_younger_than_days: int = 0
    """A remedy whose release is younger is held until it is this old."""


@dataclass(frozen=True, slots=True)
class Config:
    """The whole file."""

    scan: ScanConfig = ScanConfig()
    waivers: tuple[Waiver, ...] = ()
    wargame: WargameConfig = WargameConfig()
    remedy: RemedyConfig = RemedyConfig()
    policy: PolicyConfig = PolicyConfig()


def load_config(root: Path) -> Config:
    """Return the settings in `root`/vertice.toml, the defaults when there is no such file.

    Raises InputError naming the key when the file is malformed.
    """
    path = root / CONFIG_NAME
    if not path.exists() and not path.is_symlink():
        return Config()
    return parse_config(read_text(path), root=root, where=str(path))


def parse_config(text: str, *, root: Path = Path(), where: str = CONFIG_NAME) -> Config:
    """Return the settings in `text`; relative paths in it are below `root`, `where` names the file in errors."""
    try:
        data = tomllib.loads(text)
    except ValueError as error:  # TOMLDecodeError, and what int() refuses
        raise InputError(f"is not TOML: {printable(str(error), limit=200)}", where=where, todo="Mend it.") from error
    except RecursionError as error:
        raise InputError("is nested too deeply", where=where, todo="Mend it.") from error
    reader = _Reader(where)
    reader.known(data, ("policy", "remedy", "scan", "waivers", "wargame"), "")
    return Config(
        scan=ScanConfig(**reader.group(data, "scan", _scan_keys(root))),
        waivers=reader.waivers(data),
        wargame=WargameConfig(**reader.group(data, "wargame", _wargame_keys(root))),
        remedy=RemedyConfig(**reader.group(data, "remedy", _REMEDY)),
        policy=PolicyConfig(**reader.group(data, "policy", _POLICY)),
    )


_Parse: TypeAlias = Callable[[Any], Any]
_Keys: TypeAlias = Mapping[str, tuple[str, _Parse]]
"""Key in the file -> field and the function that reads its value."""


@dataclass(frozen=True, slots=True)
class _Reader:
    where: str

    def known(self, table: Mapping[str, Any], keys: tuple[str, ...], path: str) -> None:
        for key in table:
            if key not in keys:
                raise self.wrong(f"{path}{key}", f"unknown key{_suggestion(key, keys)}")

    def wrong(self, path: str, what: str) -> InputError:
        return InputError(
            f"{printable(path, limit=200)}: {what}", where=self.where, todo="docs/vertice.example.toml shows every key."
        )

    def group(self, data: Mapping[str, Any], name: str, keys: _Keys) -> dict[str, Any]:
        table = data.get(name, {})
        if not isinstance(table, dict):
            raise self.wrong(name, f"must be a table, not {_kind(table)}")
        return self.values(table, keys, name)

    def values(self, table: Mapping[str, Any], keys: _Keys, path: str) -> dict[str, Any]:
        self.known(table, tuple(keys), f"{path}.")
        values = {}
        for key, value in table.items():
            target, parse = keys[key]
            try:
                values[target] = parse(value)
            except InputError as error:
                raise self.wrong(f"{path}.{key}", error.what) from error
        return values

    def waivers(self, data: Mapping[str, Any]) -> tuple[Waiver, ...]:
        entries = data.get("waivers", [])
        if not isinstance(entries, list) or not all(isinstance(entry, dict) for entry in entries):
            raise self.wrong("waivers", "must be written as [[waivers]] entries")
        found = []
        for position, entry in enumerate(entries):
            path = f"waivers[{position}]"
            values = self.values(entry, _WAIVER, path)
            for key in ("id", "reason", "until"):
                if key not in entry:
                    raise self.wrong(f"{path}.{key}", "is required")
            found.append(Waiver(**values))
        return tuple(found)


def _text(value: Any) -> str:
    if not isinstance(value, str):
        raise InputError(f"must be a string, not {_kind(value)}")
    return value.strip()


def _id(value: Any) -> str:
    text = _text(value)
    if not text:
        raise InputError("must not be empty")
    return text


def _reason(value: Any) -> str:
    text = _text(value)
    if len(text) < MIN_REASON:
        raise InputError(f"must have at least {MIN_REASON} characters")
    return text


def _package(value: Any) -> str:
    return canonicalize_name(_text(value))


def _day(value: Any) -> date:
    if type(value) is not date:
        raise InputError(f"must be a date without quotes such as 2027-01-31, not {_kind(value)}")
    return value


def _severity(value: Any) -> Severity:
    text = _text(value)
    if text not in Severity.__members__:
        raise InputError(f"must be one of {', '.join(Severity)}{_suggestion(text, tuple(Severity))}")
    return Severity(text)


def _place(root: Path, value: Any) -> str:
    text = _text(value)
    return text if not text or "://" in text else str(root / text)


def _yes_no(value: Any) -> bool:
    if not isinstance(value, bool):
        raise InputError(f"must be true or false, not {_kind(value)}")
    return value


def _whole(least: int) -> _Parse:
    def parse(value: Any) -> int:
        if isinstance(value, bool) or not isinstance(value, int):
            raise InputError(f"must be a whole number, not {_kind(value)}")
        if value < least:
            raise InputError(f"must be at least {least}")
        return value

    return parse


def _seconds(value: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise InputError(f"must be a number of seconds, not {_kind(value)}")
    if not 0 < value <= 86_400:
        raise InputError("must be more than 0 and at most 86400 (one day)")
    return float(value)


_UNITS = {"B": 1, "KB": 1000, "MB": 1000**2, "GB": 1000**3, "KIB": 1024, "MIB": 1024**2, "GIB": 1024**3}


def _size(value: Any) -> int:
    text = _text(value)
    digits = text.rstrip("BKMGibkmg ")
    unit = text[len(digits) :].strip().upper()
    if not digits.isascii() or not digits.isdigit() or unit not in _UNITS or int(digits[:18]) == 0:
        raise InputError('must be a size such as "512 MiB" or "1 GiB"')
    return int(digits[:18]) * _UNITS[unit]


def _command(value: Any) -> tuple[str, ...]:
    if isinstance(value, str):
        import shlex

        try:
            return tuple(shlex.split(value))
        except ValueError as error:
            raise InputError(f"is no command line: {error}") from error
    return _texts(value)


def _texts(value: Any) -> tuple[str, ...]:
    if not isinstance(value, list) or not all(isinstance(part, str) and part for part in value):
        raise InputError(f"must be a list of strings, not {_kind(value)}")
    return tuple(value)


def _folders(root: Path, value: Any) -> tuple[Path, ...]:
    return tuple(root / name for name in _texts(value))


def _scan_keys(root: Path) -> _Keys:
    return {"fail-on": ("fail_on", _severity), "advisories": ("advisories", partial(_place, root))}


def _wargame_keys(root: Path) -> _Keys:
    return {
        "repeats": ("repeats", _whole(1)),
        "seconds": ("seconds", _seconds),
        "memory": ("memory_bytes", _size),
        "processes": ("processes", _whole(1)),
        "output": ("output_bytes", _size),
        "tests": ("tests", _command),
        "tests-seconds": ("tests_seconds", _seconds),
        "python": ("python", _text),
        "probes": ("probes", partial(_folders, root)),
    }


_WAIVER: _Keys = {
    "id": ("id", _id),
    "reason": ("reason", _reason),
    "until": ("until", _day),
    "package": ("package", _package),
}
_REMEDY: _Keys = {"minimum-age-days": ("minimum_age_days", _whole(0)), "prereleases": ("prereleases", _yes_no)}
_POLICY: _Keys = {"hold-younger-than-days": ("hold_younger_than_days", _whole(0))}


def _suggestion(key: str, keys: tuple[str, ...]) -> str:
    from difflib import get_close_matches

    close = get_close_matches(key.lower().replace("_", "-"), keys, n=1)
    return f'; did you mean "{close[0]}"?' if close else ""


def _kind(value: Any) -> str:
    match value:
        case bool():
            return "true or false"
        case str():
            return "a string"
        case int() | float():
            return "a number"
        case list():
            return "a list"
        case dict():
            return "a table"
    return "a date or time"
