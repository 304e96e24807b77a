"""Running one real server in a temporary folder and on a free port of 127.0.0.1.

It dies with the process that made it, however that one ends. Where root makes it, it runs as its package's account.
Where its program is not installed, but Docker is, it runs in a container, with the same folder, port and settings.
"""

import os
import pwd
import random
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import ClassVar, Self

from tests.contained import Container, DockerError, have

__all__ = ["Server", "ServerError", "find", "free_port"]

_PATIENCE_SECONDS = 90
_PLACES = ("/usr/lib/postgresql/*/bin", "/usr/local/pgsql/bin", "/usr/lib/rabbitmq/bin", "/usr/local/bin", "/usr/sbin")


class ServerError(AssertionError):
    """A server could not be had: the test that asked for it fails."""


class Server(ABC):
    """One server of its own."""

    program: ClassVar[str]
    package: ClassVar[str]
    """Debian's, which has the program."""
    image: ClassVar[str] = ""
    """Docker's, which has it too; none where it has to be installed."""
    variable: ClassVar[str] = ""
    """What names another server for the tests that do not need one of their own."""
    account: ClassVar[str]
    """Who runs it when root would."""
    hello: ClassVar[bytes]
    """What a client says first."""
    welcome: ClassVar[tuple[bytes, ...]]
    """How a server that is ready answers."""
    death: ClassVar[signal.Signals] = signal.SIGTERM
    """What ends it at once and cleanly."""

    def __init__(self) -> None:
        installed = _which(self.program) if self.image else find(self.program, self.package)
        if installed is None:
            self._have_image()
        self._binary = installed or self.program
        self._user, self._group = _account(self.account) if os.geteuid() == 0 else (os.geteuid(), os.getegid())
        self.folder = Path(tempfile.mkdtemp(prefix=f"vertice-{self.program}-"))
        self._container = None if installed else Container(self.image, self.folder, self._user, self._group)
        self._give(self.folder)
        self.port = free_port()
        self._log = self.folder / "log"
        self._process: subprocess.Popen[bytes] | None = None
        try:
            self._prepare()
            self.start()
        except BaseException:
            self.close()
            raise

    @property
    @abstractmethod
    def url(self) -> str:
        """Where it is, as an operator writes it."""

    @abstractmethod
    def _command(self) -> Sequence[str]:
        """What runs it in the foreground."""

    def _prepare(self) -> None:  # noqa: B027  (not every server needs any)
        """Make what it needs before its first start."""

    def _environment(self) -> Mapping[str, str]:
        return {"HOME": str(self.folder), "PATH": os.environ["PATH"], "LC_ALL": "C.UTF-8"}

    def start(self) -> None:
        """Start it again where it was; returns when it answers."""
        self._process = self._spawn(self._command())
        deadline = time.monotonic() + _PATIENCE_SECONDS
        while not self._answers():
            if self._process.poll() is not None or time.monotonic() > deadline:
                raise ServerError(f"{self.program} does not start:\n{self._log.read_text(errors='replace')[-3000:]}")
            time.sleep(0.02)

    def stop(self) -> None:
        """End it in an orderly way; what it holds is kept."""
        self._end(self.death)

    def kill(self) -> None:
        """End it and its children as a power cut would."""
        if self._process is not None:
            self._signal(signal.SIGKILL)
            self._process.wait()
            self._process = None

    def pause(self) -> None:
        """Let it hang: connections stay, nothing is answered."""
        self._signal(signal.SIGSTOP)

    def resume(self) -> None:
        """Let it go on after `pause`."""
        self._signal(signal.SIGCONT)

    def close(self) -> None:
        """End it and remove all it held."""
        if self._container:
            if self._process is not None:
                self._process.terminate()
                self._process.wait(_PATIENCE_SECONDS)
                self._process = None
        else:
            self.resume()
            self._end(self.death)
        shutil.rmtree(self.folder, ignore_errors=True)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _have_image(self) -> None:
        try:
            have(self.image)
        except DockerError as error:
            raise ServerError(
                f"{self.program} is missing: run scripts/setup-servers, or apt-get install {self.package}, "
                f"or start Docker, which would run {self.image} ({error}), or name a server in {self.variable}"
            ) from error

    def _spawn(self, command: Sequence[str]) -> subprocess.Popen[bytes]:
        with self._log.open("ab") as log:
            return subprocess.Popen(
                self._placed(command),
                cwd=self.folder,
                env=self._surroundings(),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )

    def _run(self, command: Sequence[str]) -> None:
        self._process = self._spawn(command)
        code = self._process.wait(_PATIENCE_SECONDS)
        if code:
            raise ServerError(f"{command[0]} ended with {code}:\n{self._log.read_text(errors='replace')[-3000:]}")
        self._process = None

    def _placed(self, command: Sequence[str]) -> list[str]:
        """Return what runs `command` where the server is, as who runs it, and no longer than this process."""
        if self._container:
            return self._container.command(command, self._environment())
        who = [f"--reuid={self._user}", f"--regid={self._group}", "--clear-groups"] if os.geteuid() == 0 else []
        return ["setpriv", *who, "--pdeathsig", self.death.name.removeprefix("SIG"), "--", *command]

    def _surroundings(self) -> Mapping[str, str]:
        return os.environ if self._container else self._environment()

    def _write(self, name: str, text: str, *, mode: int = 0o600) -> Path:
        path = self.folder / name
        path.write_text(text)
        path.chmod(mode)
        self._give(path)
        return path

    def _give(self, path: Path) -> None:
        os.chown(path, self._user, self._group)

    def _answers(self) -> bool:
        try:
            with socket.create_connection(("127.0.0.1", self.port), timeout=5) as client:
                client.sendall(self.hello)
                return client.recv(64).startswith(self.welcome)
        except OSError:
            return False

    def _signal(self, number: signal.Signals) -> None:
        if self._process is None or self._process.poll() is not None:
            return
        if self._container:
            self._container.signal(number)
            return
        for pid in _family(self._process.pid):
            try:
                os.kill(pid, number)
            except ProcessLookupError:
                continue

    def _end(self, number: signal.Signals) -> None:
        if self._process is None:
            return
        if self._container and self._process.poll() is None:
            self._container.signal(number)
        else:
            self._process.send_signal(number)
        try:
            self._process.wait(_PATIENCE_SECONDS)
        except subprocess.TimeoutExpired:
            self.kill()
        self._process = None


def free_port() -> int:
    """Return a port that nobody uses, below those that the kernel gives to clients: a stopped server keeps its own."""
    while True:
        port = random.SystemRandom().randrange(20_000, 32_000)
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
            return port


def find(program: str, package: str) -> str:
    """Return the path of `program`, on PATH or where Debian and others put it; raises ServerError."""
    found = _which(program)
    if found is None:
        raise ServerError(f"{program} is missing: apt-get install {package}")
    return found


def _which(program: str) -> str | None:
    folders = [str(folder) for place in _PLACES for folder in sorted(Path("/").glob(place[1:]), reverse=True)]
    return shutil.which(program, path=os.pathsep.join([*folders, os.environ["PATH"]]))


def _account(name: str) -> tuple[int, int]:
    try:
        account = pwd.getpwnam(name)
    except KeyError:
        account = pwd.getpwnam("nobody")
    return account.pw_uid, account.pw_gid


def _family(pid: int) -> Iterator[int]:
    """A process, then those it made, then those they made."""
    yield pid
    for tasks in Path(f"/proc/{pid}/task").glob("*/children"):
        try:
            children = tasks.read_text().split()
        except OSError:
            continue
        for child in children:
            yield from _family(int(child))
