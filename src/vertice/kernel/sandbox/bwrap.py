"""Foreign code run in bubblewrap, the default sandbox.

What the job cannot do, whoever we are: see or signal a process of the host (own pid namespace), reach any network
(own network namespace; to the package index alone through `gateway`), read files that were not given to it (own
root), write anywhere but in memory and on mounts that say so, gain rights (no capabilities, no_new_privs, seccomp,
not root inside, and not root on the host even when we are), see our environment or command line (the set-up runs with
an empty environment and takes its options from a descriptor), or stay behind: the end of the job, of our process
(kill -9 too) or of the thread that waits for it ends all. What it still can do: use the CPU for `limits.seconds`, and
try the kernel through the system calls that ordinary programs use. There is no way around the sandbox: when it cannot
be set up, nothing is run.
"""

import contextlib
import fcntl
import json
import os
import select
import signal
import stat
import subprocess
import time
from dataclasses import dataclass, replace
from pathlib import Path

from vertice.kernel.errors import InputError, UnfinishedError
from vertice.kernel.sandbox.arguments import UID, Blob, Host, Plan, plan
from vertice.kernel.sandbox.gateway import Gateway
from vertice.kernel.sandbox.host import end_orphans, job_uid, program, read_host
from vertice.kernel.sandbox.model import Ended, Job, Limits, Mount, Network, Outcome
from vertice.kernel.sandbox.supervisor import Stream, Watch
from vertice.kernel.text import printable

__all__ = ["Bubblewrap"]

_OLDEST = (0, 8, 0)
"""The first with `--size` and `--disable-userns` (Debian 12, Ubuntu 24.04)."""
_START_SECONDS = 20.0
_BOUND_TICK_SECONDS = 0.0005
_SETUP_ERROR_BYTES = 4096
_SIGNALS = frozenset(int(known) for known in signal.Signals)


class Bubblewrap:
    """The sandbox; make one with `find`. It holds no state, so threads may share it."""

    name = "bwrap"

    def __init__(self, executable: str, version: str, host: Host, uid: int | None) -> None:
        self._executable = executable
        self._host = host
        self._uid = uid
        self.version = version

    @classmethod
    def find(cls) -> "Bubblewrap":
        """Return a sandbox that has been shown to work on this machine; raise UnfinishedError when there is none."""
        executable = program("bwrap")
        shown = subprocess.run([executable, "--version"], capture_output=True, text=True, timeout=10, check=False)
        version = shown.stdout.strip().rpartition(" ")[2]
        if _numbers(version) < _OLDEST:
            raise UnfinishedError(
                f"bubblewrap {printable(version, limit=40)} is too old for the sandbox",
                where=executable,
                todo="Install bubblewrap 0.8.0 or newer.",
            )
        end_orphans()
        sandbox = cls(executable, version, read_host(), job_uid())
        outcome = sandbox.run(Job(argv=("true",), limits=Limits(seconds=20.0)))
        if outcome.ended is not Ended.exited or outcome.returncode != 0:
            raise _cannot_start(outcome.stderr)
        return sandbox

    def run(self, job: Job) -> Outcome:
        """Run `job` to its end and return how it ended; nothing of it is left when this returns.

        Raises InputError for a job that cannot be laid out and UnfinishedError when the sandbox cannot be set up.
        """
        size = sum(len(data) for data in job.files.values())
        if size > job.limits.disk_bytes:
            raise InputError(
                f"the job's files ({size:,} bytes) are larger than its disk limit",
                where=job.argv[0],
                todo="Raise the limit on disk space or mount the folder read-only.",
            )
        with contextlib.ExitStack() as stack:
            gateway = None if job.network is Network.none else stack.enter_context(Gateway(job.endpoints))
            pipes = _Pipes.open(stack)
            ready = plan(job, self._host, channel=gateway.channel if gateway else -1)
            if self._uid is not None:
                for mount in job.mounts:
                    _open_to(mount, self._uid)
            return self._execute(ready, job, pipes, gateway, stack)

    def _execute(
        self, ready: Plan, job: Job, pipes: "_Pipes", gateway: Gateway | None, stack: contextlib.ExitStack
    ) -> Outcome:
        options, descriptors = _on_descriptors(ready.options, stack)
        command, own_files = _on_descriptors(ready.command, stack)
        options += ["--info-fd", str(pipes.info[1]), "--json-status-fd", str(pipes.status[1])]
        options += ["--block-fd" if self._uid is None else "--userns-block-fd", str(pipes.block[0])]
        arguments = _memory_file(Blob("options", b"\0".join(os.fsencode(option) for option in options)), stack)
        passed = [*descriptors, *own_files, arguments, pipes.info[1], pipes.status[1], pipes.block[0]]
        passed += [gateway.channel] if gateway else []
        started = time.monotonic()
        process = subprocess.Popen(
            [self._executable, "--args", str(arguments), "--", *command],
            executable=self._executable,
            stdin=pipes.gate[0],
            stdout=pipes.stdout[1],
            stderr=pipes.stderr[1],
            env={},  # Inside, /proc/1/environ shows the environment bubblewrap itself was started with.
            pass_fds=passed,
            close_fds=True,
        )
        try:
            pipes.close_job_ends()
            if gateway:
                gateway.serve()
            outcome = self._supervise(process, pipes, job, started, stack)
            return replace(outcome, unreached=gateway.unreached) if gateway else outcome
        finally:
            process.kill()
            process.wait()

    def _supervise(
        self, process: subprocess.Popen[bytes], pipes: "_Pipes", job: Job, started: float, stack: contextlib.ExitStack
    ) -> Outcome:
        init, init_descriptor = self._release(pipes)
        stack.callback(os.close, init_descriptor)
        streams = tuple(Stream(pipe[0], job.limits.output_bytes) for pipe in (pipes.stdout, pipes.stderr))
        writable = tuple(mount.source for mount in job.mounts if mount.writable)
        watch = Watch(init, init_descriptor, streams, job.limits, started, writable)
        try:
            watch.follow()
        finally:
            watch.kill()
        process.wait()
        seconds = time.monotonic() - started
        code = _exit_code(_read_all(pipes.status[0]))
        if watch.ended is None and code is None and streams[1].kept.startswith(b"bwrap: "):
            raise _cannot_start(bytes(streams[1].kept))
        ended, returncode = _judge(watch.ended, code)
        return Outcome(
            ended=ended,
            returncode=returncode,
            stdout=bytes(streams[0].kept),
            stderr=bytes(streams[1].kept),
            seconds=seconds,
            peak_memory_bytes=watch.peak_memory_bytes,
            truncated=any(stream.total > stream.limit for stream in streams),
        )

    def _release(self, pipes: "_Pipes") -> tuple[int, int]:
        """Learn the pid of the first process inside, which waits for us, and let it go on; return (pid, pidfd).

        The job's program waits once more, until the first process is bound to our life.
        """
        try:
            init = _child_pid(pipes.info[0])
            descriptor = os.pidfd_open(init)
        except (ValueError, KeyError, ProcessLookupError) as error:
            raise _cannot_start(_read_all(pipes.stderr[0])) from error
        try:
            Path(f"/proc/{init}/oom_score_adj").write_text("1000")
            if self._uid is not None:
                for kind in ("uid_map", "gid_map"):
                    Path(f"/proc/{init}/{kind}").write_text(f"0 0 1\n{UID} {self._uid} 1\n")
            os.write(pipes.block[1], b"1")
            _wait_bound(init, descriptor)
            with contextlib.suppress(BrokenPipeError):
                os.write(pipes.gate[1], b"go\n")
        except OSError as error:
            os.close(descriptor)
            raise _cannot_start(_read_all(pipes.stderr[0]) or str(error).encode()) from error
        return init, descriptor


@dataclass(frozen=True, slots=True)
class _Pipes:
    """(read end, write end) of each; the job's ends are closed here once it runs."""

    stdout: tuple[int, int]
    stderr: tuple[int, int]
    info: tuple[int, int]
    status: tuple[int, int]
    block: tuple[int, int]
    gate: tuple[int, int]
    _job_ends: list[int]

    @classmethod
    def open(cls, stack: contextlib.ExitStack) -> "_Pipes":
        """Open all; `stack` closes ours, and the job's as far as `close_job_ends` has not."""
        stdout, stderr, info, status, block, gate = (os.pipe2(os.O_CLOEXEC) for _ in range(6))
        for descriptor in (stdout[0], stderr[0], status[0]):
            os.set_blocking(descriptor, False)
        job_ends = [stdout[1], stderr[1], info[1], status[1], block[0], gate[0]]
        pipes = cls(stdout, stderr, info, status, block, gate, job_ends)
        stack.callback(pipes.close_job_ends)
        for descriptor in (stdout[0], stderr[0], info[0], status[0], block[1], gate[1]):
            stack.callback(os.close, descriptor)
        return pipes

    def close_job_ends(self) -> None:
        """Close our copies of the job's ends, so that its end is seen here."""
        while self._job_ends:
            os.close(self._job_ends.pop())


def _on_descriptors(options: tuple[str | Blob, ...], stack: contextlib.ExitStack) -> tuple[list[str], list[int]]:
    texts: list[str] = []
    descriptors: list[int] = []
    for option in options:
        if isinstance(option, Blob):
            descriptors.append(_memory_file(option, stack))
            texts.append(str(descriptors[-1]))
        else:
            texts.append(option)
    return texts, descriptors


def _memory_file(blob: Blob, stack: contextlib.ExitStack) -> int:
    descriptor = os.memfd_create(blob.name.rpartition("/")[2][:100], os.MFD_CLOEXEC | os.MFD_ALLOW_SEALING)
    stack.callback(os.close, descriptor)
    rest = memoryview(blob.data)
    while rest:
        rest = rest[os.write(descriptor, rest) :]
    os.lseek(descriptor, 0, os.SEEK_SET)
    # The job keeps the descriptor of its files: sealed, it is no place to hide memory in.
    fcntl.fcntl(descriptor, fcntl.F_ADD_SEALS, fcntl.F_SEAL_WRITE | fcntl.F_SEAL_GROW | fcntl.F_SEAL_SHRINK)
    return descriptor


def _open_to(mount: Mount, uid: int) -> None:
    """Make sure that the user id of the jobs, which is not root's, can use the mount.

    A writable folder is given to it with all that is inside; a read-only one must be readable by others.
    """
    try:
        facts = mount.source.stat()
    except OSError:
        return  # bubblewrap says it better
    if not mount.writable:
        needed = 0o005 if stat.S_ISDIR(facts.st_mode) else 0o004
        if facts.st_uid != uid and facts.st_mode & needed != needed:
            raise InputError(
                "can be read by its owner alone, and jobs run as another user than root",
                where=str(mount.source),
                todo="Run Vértice as the user who owns it, or let others read it (chmod o+rX).",
            )
    elif facts.st_uid != uid:
        for _, folders, files, descriptor in os.fwalk(mount.source):
            for name in (*folders, *files):
                os.chown(name, uid, uid, dir_fd=descriptor, follow_symlinks=False)
        os.chown(mount.source, uid, uid)


def _wait_bound(init: int, descriptor: int) -> None:
    """Wait until the first process inside is bound to the life of bubblewrap, whose own is bound to ours.

    bubblewrap binds it late (PR_SET_PDEATHSIG, just before it begins to wait for its child): were we killed before
    that, it would go on without us. It has a child and sleeps only once it waits.
    """
    until = time.monotonic() + _START_SECONDS
    while time.monotonic() < until and not select.select([descriptor], [], [], _BOUND_TICK_SECONDS)[0]:
        with contextlib.suppress(OSError, IndexError):
            state = Path(f"/proc/{init}/stat").read_text().rpartition(")")[2].split()[0]
            if state == "S" and Path(f"/proc/{init}/task/{init}/children").read_bytes():
                return


def _child_pid(descriptor: int) -> int:
    data = b""
    until = time.monotonic() + _START_SECONDS
    while not data.rstrip().endswith(b"}"):
        if not select.select([descriptor], [], [], max(0.0, until - time.monotonic()))[0]:
            raise ValueError("no word from bubblewrap")
        chunk = os.read(descriptor, 4096)
        if not chunk:
            raise ValueError("bubblewrap ended before it began")
        data += chunk
    return int(json.loads(data)["child-pid"])


def _exit_code(status: bytes) -> int | None:
    """Return the program's exit code; None when bubblewrap wrote none, since the program never began or was killed."""
    for line in status.splitlines():
        found = json.loads(line) if line.endswith(b"}") else {}
        if "exit-code" in found:
            return int(found["exit-code"])
    return None


def _judge(passed: Ended | None, code: int | None) -> tuple[Ended, int | None]:
    """Bubblewrap gives 128 + N for signal N, as shells do: such a code is called a signal, never an own end.

    It gives none when its first process was killed from outside, as by the kernel when the machine is out of memory.
    """
    if passed is not None:
        return passed, None
    if code is None or code - 128 in _SIGNALS:
        return Ended.signalled, None
    return Ended.exited, code


def _read_all(descriptor: int) -> bytes:
    data = b""
    while len(data) < _SETUP_ERROR_BYTES:
        if not select.select([descriptor], [], [], 0.5)[0]:
            break
        chunk = os.read(descriptor, _SETUP_ERROR_BYTES)
        if not chunk:
            break
        data += chunk
    return data


def _cannot_start(words: bytes) -> UnfinishedError:
    said = printable(words.decode("utf-8", "replace").strip(), limit=500) or "bubblewrap gave no reason"
    return UnfinishedError(
        f"the sandbox cannot be set up ({said}), and nothing is run without it",
        where="bwrap",
        todo="It needs unprivileged user namespaces: check `sysctl user.max_user_namespaces`, "
        "`kernel.apparmor_restrict_unprivileged_userns`, and in a container run it with --privileged "
        "or --security-opt seccomp=unconfined.",
    )


def _numbers(version: str) -> tuple[int, ...]:
    return tuple(int(part) for part in version.split(".") if part.isdigit())
