"""Running one real server in a temporary folder and on a free port of 127.0.0.1.

It dies with the process that made it, however that one ends. Where root makes it, it runs as its package's account.
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
    account: ClassVar[str]
    """Who runs it when root would."""
    hello: ClassVar[bytes]
    """What a client says first."""
    welcome: ClassVar[tuple[bytes, ...]]
    """How a server that is ready answers."""
    death: ClassVar[signal.Signals] = signal.SIGTERM
    """What ends it at once and cleanly."""

    def __init__(self) -> None:
        self._binary = find(self.program, self.package)
        self._user = _account(self.account) if os.geteuid() == 0 else None
        self.folder = Path(tempfile.mkdtemp(prefix=f"vertice-{self.program}-"))
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
        self.resume()
        self._end(self.death)
        shutil.rmtree(self.folder, ignore_errors=True)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _spawn(self, command: Sequence[str]) -> subprocess.Popen[bytes]:
        with self._log.open("ab") as log:
            return subprocess.Popen(
                [*self._as_user(), "--pdeathsig", self.death.name.removeprefix("SIG"), "--", *command],
                cwd=self.folder,
                env=self._environment(),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )

    def _run(self, command: Sequence[str]) -> None:
        done = subprocess.run(
            [*self._as_user(), "--", *command],
            cwd=self.folder,
            env=self._environment(),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=_PATIENCE_SECONDS,
            check=False,
        )
        if done.returncode:
            raise ServerError(f"{command[0]} ended with {done.returncode}:\n{done.stdout}{done.stderr}")

    def _write(self, name: str, text: str, *, mode: int = 0o600) -> Path:
        path = self.folder / name
        path.write_text(text)
        path.chmod(mode)
        self._give(path)
        return path

    def _give(self, path: Path) -> None:
        if self._user:
            shutil.chown(path, self._user, pwd.getpwnam(self._user).pw_gid)

    def _as_user(self) -> list[str]:
        if self._user is None:
            return ["setpriv"]
        return ["setpriv", f"--reuid={self._user}", f"--regid={pwd.getpwnam(self._user).pw_gid}", "--clear-groups"]

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
        for pid in _family(self._process.pid):
            try:
                os.kill(pid, number)
            except ProcessLookupError:
                continue

    def _end(self, number: signal.Signals) -> None:
        if self._process is None:
            return
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
    """Return the path of `program`, on PATH or where Debian and others put it."""
    folders = [str(folder) for place in _PLACES for folder in sorted(Path("/").glob(place[1:]), reverse=True)]
    found = shutil.which(program, path=os.pathsep.join([*folders, os.environ["PATH"]]))
    if found is None:
        raise ServerError(
            f"{program} is missing: run scripts/setup-servers, or apt-get install {package}, "
            "or name a server in VERTICE_TEST_POSTGRES_URL, VERTICE_TEST_RABBITMQ_URL or VERTICE_TEST_REDIS_URL"
        )
    return found


def _account(name: str) -> str:
    try:
        return pwd.getpwnam(name).pw_name
    except KeyError:
        return "nobody"


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
