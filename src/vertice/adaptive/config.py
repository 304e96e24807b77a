"""`vertice.toml`: what a project asks of Vértice. docs/vertice.example.toml shows every key with its default.

Values are frozen, unknown keys and wrong types are refused with their path, nothing is read from the environment.
"""

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from packaging.utils import canonicalize_name

from vertice.adaptive.advisories.model import Severity
from vertice.adaptive.policy_file import policy_of
from vertice.adaptive.review.policy import TEAM, Policy
from vertice.adaptive.toml_values import (
    Keys,
    Reader,
    as_flag,
    as_seconds,
    as_size,
    as_text,
    as_texts,
    as_whole,
    as_word,
    kind_of,
)
from vertice.adaptive.triage.waivers import Waiver
from vertice.kernel.errors import InputError
from vertice.kernel.files import read_text
from vertice.kernel.text import printable

if TYPE_CHECKING:
    from vertice.kernel.sandbox.model import Limits

__all__ = [
    "CONFIG_NAME",
    "Config",
    "RemedyConfig",
    "ScanConfig",
    "Waiver",
    "WargameConfig",
    "load_config",
    "load_policy",
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
class Config:
    """The whole file."""

    scan: ScanConfig = ScanConfig()
    waivers: tuple[Waiver, ...] = ()
    wargame: WargameConfig = WargameConfig()
    remedy: RemedyConfig = RemedyConfig()
    policy: Policy = TEAM


def load_config(root: Path, *, base: Policy = TEAM) -> Config:
    """Return the settings in `root`/vertice.toml, the defaults when there is no such file.

    `base` is the policy that holds where the file says nothing. Raises InputError naming the key when it is malformed.
    """
    path = root / CONFIG_NAME
    if not path.exists() and not path.is_symlink():
        return Config(policy=base)
    return parse_config(read_text(path), root=root, where=str(path), base=base)


def parse_config(text: str, *, root: Path = Path(), where: str = CONFIG_NAME, base: Policy = TEAM) -> Config:
    """Return the settings in `text`; relative paths in it are below `root`, `where` names the file in errors."""
    data, reader = _parsed(text, where), Reader(where)
    reader.known(data, ("policy", "remedy", "scan", "waivers", "wargame"), "")
    return Config(
        scan=ScanConfig(**reader.group(data, "scan", _scan_keys(root))),
        waivers=_waivers(reader, data),
        wargame=WargameConfig(**reader.group(data, "wargame", _wargame_keys(root))),
        remedy=RemedyConfig(**reader.group(data, "remedy", _REMEDY)),
        policy=policy_of(reader, data, base, service=False),
    )


def load_policy(home: Path, named: Path | None = None, *, base: Policy = TEAM) -> Policy:
    """Return the service's own policy: of the file `named`, else of `home`/vertice.toml, else `base`.

    Raises InputError naming the key when the file is malformed, or holds more than `[policy]`.
    """
    path = named or home / CONFIG_NAME
    if named is None and not path.exists() and not path.is_symlink():
        return base
    where = str(path)
    data, reader = _parsed(read_text(path), where), Reader(where)
    reader.known(data, ("policy",), "")
    return policy_of(reader, data, base, service=True)


def _parsed(text: str, where: str) -> Mapping[str, Any]:
    try:
        return tomllib.loads(text)
    except ValueError as error:  # TOMLDecodeError, and what int() refuses
        raise InputError(f"is not TOML: {printable(str(error), limit=200)}", where=where, todo="Mend it.") from error
    except RecursionError as error:
        raise InputError("is nested too deeply", where=where, todo="Mend it.") from error


def _waivers(reader: Reader, data: Mapping[str, Any]) -> tuple[Waiver, ...]:
    entries = data.get("waivers", [])
    if not isinstance(entries, list) or not all(isinstance(entry, dict) for entry in entries):
        raise reader.wrong("waivers", "must be written as [[waivers]] entries")
    found = []
    for position, entry in enumerate(entries):
        path = f"waivers[{position}]"
        values = reader.values(entry, _WAIVER, path)
        for key in ("id", "reason", "until"):
            if key not in entry:
                raise reader.wrong(f"{path}.{key}", "is required")
        found.append(Waiver(**values))
    return tuple(found)


def _id(value: Any) -> str:
    text = as_text(value)
    if not text:
        raise InputError("must not be empty")
    return text


def _reason(value: Any) -> str:
    text = as_text(value)
    if len(text) < MIN_REASON:
        raise InputError(f"must have at least {MIN_REASON} characters")
    return text


def _package(value: Any) -> str:
    return canonicalize_name(as_text(value))


def _day(value: Any) -> date:
    if type(value) is not date:
        raise InputError(f"must be a date without quotes such as 2027-01-31, not {kind_of(value)}")
    return value


def _place(root: Path, value: Any) -> str:
    text = as_text(value)
    return text if not text or "://" in text else str(root / text)


def _command(value: Any) -> tuple[str, ...]:
    if isinstance(value, str):
        import shlex

        try:
            return tuple(shlex.split(value))
        except ValueError as error:
            raise InputError(f"is no command line: {error}") from error
    return as_texts(value)


def _folders(root: Path, value: Any) -> tuple[Path, ...]:
    return tuple(root / name for name in as_texts(value))


def _scan_keys(root: Path) -> Keys:
    return {"fail-on": ("fail_on", as_word(Severity)), "advisories": ("advisories", partial(_place, root))}


def _wargame_keys(root: Path) -> Keys:
    return {
        "repeats": ("repeats", as_whole(1)),
        "seconds": ("seconds", as_seconds),
        "memory": ("memory_bytes", as_size),
        "processes": ("processes", as_whole(1)),
        "output": ("output_bytes", as_size),
        "tests": ("tests", _command),
        "tests-seconds": ("tests_seconds", as_seconds),
        "python": ("python", as_text),
        "probes": ("probes", partial(_folders, root)),
    }


_WAIVER: Keys = {
    "id": ("id", _id),
    "reason": ("reason", _reason),
    "until": ("until", _day),
    "package": ("package", _package),
}
_REMEDY: Keys = {"minimum-age-days": ("minimum_age_days", as_whole(0)), "prereleases": ("prereleases", as_flag)}
