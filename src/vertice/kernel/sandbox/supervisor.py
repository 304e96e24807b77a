"""The watch over one running sandbox: output, time, memory, processes and space of its whole tree.

One thread (the caller's) sleeps in poll(2) and wakes for output, for the end, and every 10 to 25 ms to measure. A
limit that is passed ends the tree by killing the first process of its pid namespace: the kernel then kills all the
others, also those that ignore signals or left their parents.
"""

import contextlib
import os
import select
import signal
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from vertice.kernel.sandbox import tree
from vertice.kernel.sandbox.arguments import MEMORY_FOLDERS
from vertice.kernel.sandbox.model import Ended, Limits

__all__ = ["Stream", "Watch"]

_CHUNK = 1024 * 1024
_TICK_SECONDS = 0.025
_FIRST_TICKS = 10
_FIRST_TICK_SECONDS = 0.010
_ABSURD_BYTES = 16 * 1024 * 1024
_ABSURD_TIMES = 256
"""Output this far beyond its limit is an attack on the reader: the job is killed."""
_GRACE_SECONDS = 10.0
"""How long a killed pid namespace may take to be gone."""


@dataclass(slots=True)
class Stream:
    """One output pipe: keeps the first `limit` bytes, counts the rest."""

    descriptor: int
    limit: int
    kept: bytearray = field(default_factory=bytearray)
    total: int = 0
    open: bool = True

    def drain(self) -> None:
        """Read what is there now, at most one chunk."""
        try:
            data = os.read(self.descriptor, _CHUNK)
        except BlockingIOError:
            return
        if not data:
            self.open = False
            return
        self.total += len(data)
        self.kept += data[: self.limit - len(self.kept)]

    @property
    def absurd(self) -> bool:
        """More came than anybody prints by mistake."""
        return self.total > max(_ABSURD_BYTES, _ABSURD_TIMES * self.limit)


@dataclass(slots=True)
class Watch:
    """Follows one tree until it is gone; `ended` names the limit that was passed, None when none was."""

    init: int
    """Pid (seen from here) of the first process inside."""
    init_descriptor: int
    """pidfd of it: a pid may be given to another process, this not."""
    streams: tuple[Stream, ...]
    limits: Limits
    started: float
    """`time.monotonic()` of the start."""
    written: tuple[Path, ...] = ()
    """Writable mounts: the room left on their file systems is watched."""
    ended: Ended | None = None
    peak_memory_bytes: int = 0
    _folders: list[int] = field(default_factory=list)
    _free: dict[Path, int] = field(default_factory=dict)

    def follow(self) -> None:
        """Return when every process of the tree is gone."""
        self._free = {path: _free_bytes(path) for path in self.written}
        poll = select.poll()
        poll.register(self.init_descriptor, select.POLLIN)
        for stream in self.streams:
            poll.register(stream.descriptor, select.POLLIN | select.POLLHUP)
        try:
            for tick_seconds in _ticks():
                if self._wait(poll, tick_seconds):
                    break
                self.ended = self.ended or self._measure()
                if self.ended:
                    self.kill()
                    _wait_gone(self.init_descriptor)
                    break
            self._last_words()
        finally:
            for folder in self._folders:
                os.close(folder)
            self._folders.clear()

    def kill(self) -> None:
        """End the whole tree."""
        with contextlib.suppress(ProcessLookupError):
            signal.pidfd_send_signal(self.init_descriptor, signal.SIGKILL)

    def _wait(self, poll: select.poll, tick_seconds: float) -> bool:
        """Read output until the tick is over; True when the first process, and with it the tree, is gone."""
        until = min(time.monotonic() + tick_seconds, self.started + self.limits.seconds)
        while True:
            left = until - time.monotonic()
            ready = {descriptor for descriptor, _ in poll.poll(max(0.0, left) * 1000)}
            for stream in self.streams:
                if stream.descriptor in ready:
                    stream.drain()
                    if not stream.open:
                        poll.unregister(stream.descriptor)
            if self.init_descriptor in ready:
                return True
            if left <= 0 or any(stream.absurd for stream in self.streams):
                return False

    def _measure(self) -> Ended | None:
        """Return the first limit that the tree is beyond."""
        if time.monotonic() - self.started >= self.limits.seconds:
            return Ended.timed_out
        if any(stream.absurd for stream in self.streams):
            return Ended.too_much_output
        pids = tree.processes_below(self.init)
        if len(pids) > self.limits.processes:
            return Ended.too_many_processes
        memory = tree.memory_bytes(pids, self.limits.memory_bytes)
        self.peak_memory_bytes = max(self.peak_memory_bytes, memory)
        if memory > self.limits.memory_bytes:
            return Ended.out_of_memory
        return Ended.disk_full if self._is_full() else None

    def _is_full(self) -> bool:
        if not self._folders:
            self._folders = _memory_folders(self.init, self.limits.disk_bytes)
        if self._folders and tree.used_bytes(self._folders) >= self.limits.disk_bytes:
            return True
        # Other programs write there as well, so this is a wide wall against a flood, not a quota.
        return any(
            before - _free_bytes(path) > 4 * self.limits.disk_bytes for path, before in self._free.items() if before
        )

    def _last_words(self) -> None:
        """Read what the tree left in its pipes and see whether it ended because its space did."""
        for stream in self.streams:
            while stream.open and select.select([stream.descriptor], [], [], 0)[0] and not stream.absurd:
                stream.drain()
        if self.ended is None and self._folders and tree.used_bytes(self._folders) >= self.limits.disk_bytes:
            self.ended = Ended.disk_full


def _ticks() -> Iterator[float]:
    for _ in range(_FIRST_TICKS):
        yield _FIRST_TICK_SECONDS
    while True:
        yield _TICK_SECONDS


def _wait_gone(descriptor: int) -> None:
    poll = select.poll()
    poll.register(descriptor, select.POLLIN)
    poll.poll(_GRACE_SECONDS * 1000)


def _memory_folders(init: int, size: int) -> list[int]:
    """Open the in-memory folders of the sandbox, which keeps them past its end; none while it is being set up."""
    if not Path(f"/proc/{init}/root/etc/ssl/certs").is_dir():
        return []
    found: list[int] = []
    for folder in MEMORY_FOLDERS:
        with contextlib.suppress(OSError):
            descriptor = os.open(f"/proc/{init}/root{folder}", os.O_PATH | os.O_DIRECTORY)
            facts = os.fstatvfs(descriptor)
            if abs(facts.f_blocks * facts.f_frsize - size) < facts.f_frsize:
                found.append(descriptor)
            else:
                os.close(descriptor)
    return found


def _free_bytes(path: Path) -> int:
    try:
        facts = os.statvfs(path)
    except OSError:
        return 0
    return facts.f_bfree * facts.f_frsize
