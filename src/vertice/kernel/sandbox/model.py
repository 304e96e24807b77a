"""What is run in a sandbox and how it ended."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import Protocol

__all__ = ["Ended", "Endpoint", "Job", "Limits", "Mount", "Network", "Outcome", "Sandbox"]


class Network(StrEnum):
    """What a job may reach: nothing but its own loopback, or the package index alone."""

    none = "none"
    package_index = "package-index"


class Ended(StrEnum):
    """How a job ended. Only `exited` means that the program came to its own end."""

    exited = "exited"
    signalled = "signalled"
    timed_out = "timed_out"
    out_of_memory = "out_of_memory"
    too_many_processes = "too_many_processes"
    disk_full = "disk_full"
    too_much_output = "too_much_output"


@dataclass(frozen=True, slots=True)
class Limits:
    """Held for the whole process tree of one job."""

    seconds: float = 30.0
    memory_bytes: int = 1024 * 1024 * 1024
    processes: int = 64
    output_bytes: int = 64 * 1024
    """Of stdout and of stderr each; what comes after is dropped."""
    disk_bytes: int = 256 * 1024 * 1024
    """For everything written outside the mounts (`/tmp` and the working directory are in memory)."""


@dataclass(frozen=True, slots=True)
class Mount:
    """A host path seen at `target` (absolute) inside; read-only unless `writable`.

    Jobs run as another user than root: when we are root, what is mounted read-only must be readable by others, and a
    writable folder with all that is in it is given to that user, so never mount a person's own folder writable.
    """

    source: Path
    target: str
    writable: bool = False


@dataclass(frozen=True, slots=True)
class Endpoint:
    """One host and TCP port that a job with `Network.package_index` may reach."""

    host: str
    """Lower case name or address."""
    port: int = 443
    private: bool = False
    """May resolve to a private or loopback address: only for an index the person configured, never one a file names."""


@dataclass(frozen=True, slots=True)
class Job:
    """One program to run inside."""

    argv: tuple[str, ...]
    mounts: tuple[Mount, ...] = ()
    files: Mapping[str, bytes] = field(default_factory=dict)
    """Absolute path inside -> content, laid down before the start: the job's own under `/work` and `/tmp`, else
    read-only."""
    env: Mapping[str, str] = field(default_factory=dict)
    """The whole environment beside PATH, HOME and LANG (which it may set): nothing is inherited from the host."""
    cwd: str = "/work"
    network: Network = Network.none
    endpoints: tuple[Endpoint, ...] = ()
    """What `Network.package_index` reaches; empty: PyPI and its file host."""
    limits: Limits = Limits()


@dataclass(frozen=True, slots=True)
class Outcome:
    """How it ended."""

    ended: Ended
    returncode: int | None
    """None when it did not exit by itself."""
    stdout: bytes
    stderr: bytes
    seconds: float
    peak_memory_bytes: int = 0
    truncated: bool = False
    """Output beyond the limit was dropped."""
    unreached: str = ""
    """Why the last connection to an endpoint failed, in words of the host's; "" when none did."""


class Sandbox(Protocol):
    """A place that runs jobs; `Bubblewrap` is the one on this machine."""

    name: str
    version: str

    def run(self, job: Job) -> Outcome:
        """Run `job` to its end; raise UnfinishedError when the sandbox itself fails, never run without one."""
        ...
