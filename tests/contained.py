"""Running a program of an official Docker image where it is not installed.

The container shares the machine's network and one folder, under the same name, with whoever makes it.
"""

import shutil
import signal
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

__all__ = ["Container", "DockerError", "have"]

_PATIENCE_SECONDS = 60
_PULL_SECONDS = 400
_GUARD = """
trap '[ "$!" ] || exit; while kill -0 $!; do docker rm --force --volumes "$0"; sleep 0.1; done' TERM
"$@" &
exec 2>/dev/null >&2
wait $!
code=$?
docker rm --force --volumes "$0"
exit $code
"""
"""Runs the client and ends when it does, or at once at SIGTERM: the container of this name is gone by then.

The client alone, ended while the engine makes its container, would leave that behind.
"""


_NOT_THERE = ("No such container", "is not running", "is not paused")


class DockerError(Exception):
    """Docker is not there, or does not do what it is asked."""


def have(image: str) -> None:
    """See to it that an engine answers and has the image, if need be from its registry; raises DockerError."""
    _docker("version")
    try:
        _docker("image", "inspect", image)
    except DockerError:
        _docker("pull", "--quiet", image, seconds=_PULL_SECONDS)


@dataclass(frozen=True, slots=True)
class Container:
    """What runs in it has one folder, which lasts longer than it; it is named after the folder."""

    image: str
    folder: Path
    user: int
    group: int

    @property
    def name(self) -> str:
        return self.folder.name

    def command(self, command: Sequence[str], environment: Mapping[str, str]) -> list[str]:
        """Return what runs `command` in the foreground until that ends; until it gets SIGTERM; until its maker ends."""
        accounts = self.folder / "passwd"
        accounts.write_text(f"{self.name}:x:{self.user}:{self.group}::{self.folder}:/bin/sh\n")
        accounts.chmod(0o644)
        program, *arguments = command
        own = {name: value for name, value in environment.items() if name != "PATH"}  # the image has its own
        return [
            *("setpriv", "--pdeathsig=TERM", "--", "sh", "-c", _GUARD, self.name),
            *("docker", "run", "--rm", "--init", "--network=host", f"--name={self.name}"),
            f"--user={self.user}:{self.group}",
            f"--volume={self.folder}:{self.folder}",
            f"--volume={accounts}:/etc/passwd:ro",  # initdb asks for the user's name
            "--security-opt=label=disable",  # SELinux would keep the folder from it
            f"--workdir={self.folder}",
            *(f"--env={name}={value}" for name, value in own.items()),
            f"--entrypoint={program}",
            self.image,
            *arguments,
        ]

    def signal(self, number: signal.Signals) -> None:
        """Send what runs in it a signal; SIGSTOP and SIGCONT reach all its processes. Raises DockerError."""
        verbs = {signal.SIGSTOP: ["pause"], signal.SIGCONT: ["unpause"]}
        try:
            _docker(*verbs.get(number, ["kill", f"--signal={number.name}"]), self.name)
        except DockerError as error:
            if not any(words in str(error) for words in _NOT_THERE):
                raise


def _docker(*args: str, seconds: float = _PATIENCE_SECONDS) -> str:
    """Return what `docker` says to these arguments; raises DockerError, also after so many seconds without an end."""
    if shutil.which("docker") is None:
        raise DockerError("no docker on PATH")
    try:
        done = subprocess.run(
            ["docker", *args], stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=seconds, check=False
        )
    except subprocess.TimeoutExpired:
        raise DockerError(f"docker {args[0]} has not ended after {seconds} seconds") from None
    if done.returncode:
        raise DockerError(f"docker {args[0]}: {done.stderr.strip() or done.stdout.strip()}")
    return done.stdout
