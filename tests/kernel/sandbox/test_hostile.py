"""Programs that try to break out, to harm the host or to stay: each ends contained, and the outcome names how."""

import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
import textwrap
import threading
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from vertice.kernel.sandbox.bwrap import Bubblewrap
from vertice.kernel.sandbox.model import Ended, Job, Limits, Mount, Outcome

SMALL = Limits(seconds=10.0, memory_bytes=128 * 1024**2, processes=24, output_bytes=64 * 1024, disk_bytes=16 * 1024**2)
Run = Callable[..., Outcome]


def words(outcome: Outcome) -> str:
    return (outcome.stdout + outcome.stderr).decode(errors="replace")


@pytest.mark.parametrize(
    "source",
    [
        "import os\nwhile True: os.fork()",
        "import os\nwhile True:\n  try:\n    os.fork()\n  except OSError:\n    pass",
        "import os, time\nfor _ in range(100):\n  if os.fork() == 0: os.setsid(); time.sleep(60)\ntime.sleep(60)",
    ],
    ids=["until-refused", "ignoring-refusal", "detached-children"],
)
def test_forks_without_end(run_python: Run, source: str, marker: str, alive: Callable[[], list[int]]) -> None:
    outcome = run_python(source, argument=marker)
    assert (outcome.ended, outcome.returncode) == (Ended.too_many_processes, None)
    assert outcome.seconds < 5
    assert alive() == []


def test_many_threads_do_not_exhaust_the_host(run_python: Run) -> None:
    source = """
        import threading, time
        count = 0
        try:
            while count < 5000:
                threading.Thread(target=time.sleep, args=(60,), daemon=True).start()
                count += 1
        except RuntimeError:
            pass
        print(count, flush=True)
        import os
        os._exit(0)
    """
    outcome = run_python(textwrap.dedent(source))
    assert outcome.ended is Ended.exited
    assert int(outcome.stdout) < 4 * SMALL.processes + 32


EATERS = {
    "one-process": """
        kept = []
        while True:
            kept.append(bytearray(1 << 20))
    """,
    "spread-over-many": """
        import os, time
        for _ in range(8):
            if os.fork() == 0:
                break
        kept = bytearray(b"x" * (40 << 20))
        time.sleep(60)
    """,
    "shared-mapping": """
        import mmap, time
        kept = mmap.mmap(-1, 400 << 20)
        for at in range(0, 400 << 20, 4096):
            kept[at] = 1
        time.sleep(60)
    """,
}


@pytest.mark.parametrize("kind", EATERS)
def test_eats_memory(run_python: Run, kind: str) -> None:
    outcome = run_python(textwrap.dedent(EATERS[kind]))
    assert (outcome.ended, outcome.returncode) == (Ended.out_of_memory, None)
    assert outcome.peak_memory_bytes > SMALL.memory_bytes


def test_memory_shared_by_children_counts_once(run_python: Run) -> None:
    """Sixteen children of a process with 60 MB share its pages: 60 MB are in use, not a thousand."""
    source = """
        import os, time
        kept = bytearray(b"x" * (60 << 20))
        children = []
        for _ in range(16):
            child = os.fork()
            if child == 0:
                time.sleep(0.3)
                os._exit(0)
            children.append(child)
        for child in children:
            os.waitpid(child, 0)
        print("done")
    """
    outcome = run_python(textwrap.dedent(source))
    assert (outcome.ended, outcome.stdout) == (Ended.exited, b"done\n")


def test_memory_that_no_process_shows_cannot_be_had(run_python: Run) -> None:
    outcome = run_python("import os\nos.memfd_create('x')")
    assert outcome.returncode == 1
    assert "OSError" in words(outcome)


@pytest.mark.parametrize("folder", ["/tmp", "/work", "/dev/shm"])
def test_fills_the_disk(run_python: Run, folder: str) -> None:
    outcome = run_python(
        f"number = 0\nwhile True:\n  open(f'{folder}/{{number}}', 'wb').write(b'x' * 1000000)\n  number += 1"
    )
    assert (outcome.ended, outcome.returncode) == (Ended.disk_full, None)


def test_fills_several_folders_together(run_python: Run) -> None:
    source = """
        import time
        for folder in ("/tmp", "/work", "/dev/shm"):
            open(folder + "/x", "wb").write(b"x" * (7 << 20))
        time.sleep(60)
    """
    assert run_python(textwrap.dedent(source)).ended is Ended.disk_full


def test_floods_a_writable_mount(sandbox: Bubblewrap, tmp_path: Path) -> None:
    """A mount may be written, yet not without end: the room on its file system is watched."""
    folder = tmp_path / "out"
    folder.mkdir()
    command = "i=0; while :; do head -c 900000 /dev/zero > /out/$i || exit 9; i=$((i+1)); done"
    outcome = sandbox.run(
        Job(
            ("/bin/sh", "-c", command),
            mounts=(Mount(folder, "/out", True),),
            limits=replace(SMALL, disk_bytes=1024**2, seconds=30.0),
        )
    )
    assert outcome.ended is Ended.disk_full


@pytest.mark.parametrize("target", ["/usr/x", "/x", "/etc/x", "/dev/x", "/proc/sys/kernel/core_pattern", "/given/x"])
def test_cannot_write_outside_its_folders(run_python: Run, tmp_path: Path, target: str) -> None:
    tmp_path.chmod(0o755)
    outcome = run_python(f"open({target!r}, 'w').write('x')", mounts=(Mount(tmp_path, "/given"),))
    assert outcome.returncode == 1
    assert any(word in words(outcome) for word in ("Read-only", "Permission denied", "No such file"))
    assert list(tmp_path.iterdir()) == []


def test_reads_nothing_of_the_host(run_python: Run, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """No account file, home, log or run folder, and no variable of our environment anywhere in /proc."""
    monkeypatch.setenv("VERTICE_TEST_SECRET", "swordfish")
    (tmp_path / "secret").write_text("swordfish")
    source = f"""
        import glob, os
        for path in ("/etc/shadow", "/etc/ssh", "/home", "/var", "/run", "/root/.ssh", {str(tmp_path)!r}, "/sys",
                     {str(Path.home() / ".bashrc")!r}, {str(Path(__file__))!r}):
            if os.path.exists(path):
                print("exists:", path)
        for path in glob.glob("/proc/*/environ") + glob.glob("/proc/*/cmdline"):
            try:
                if b"sword" + b"fish" in open(path, "rb").read():
                    print("secret in", path)
            except OSError:
                pass
        print("accounts:", [line.split(":")[0] for line in open("/etc/passwd")])
        print(sorted(os.environ))
    """
    outcome = run_python(textwrap.dedent(source))
    assert outcome.stdout.decode().splitlines() == ["accounts: ['root', 'job']", "['HOME', 'LANG', 'PATH', 'PWD']"]


def test_sees_and_signals_no_process_of_the_host(run_python: Run) -> None:
    """The pid that is ours on the host is none or another program inside."""
    source = f"""
        import os
        print(len([name for name in os.listdir("/proc") if name.isdigit()]) < 5)
        try:
            os.kill({os.getpid()}, 0)
            print("host process found")
        except ProcessLookupError:
            print("none")
    """
    outcome = run_python(textwrap.dedent(source))
    assert outcome.stdout.decode().split() == ["True", "none"]


@pytest.mark.parametrize("target", ["1", "os.getppid()", "-1"], ids=["pid-1", "parent", "every-pid"])
def test_kills_around_itself(run_python: Run, target: str) -> None:
    """Pid 1, its parent and everything: it can at most kill its own kind, and comes to its own end."""
    source = f"""
        import os, signal, time
        try:
            os.kill({target}, signal.SIGKILL)
        except (PermissionError, ProcessLookupError):
            pass
        time.sleep(0.05)
        print("still here")
    """
    outcome = run_python(textwrap.dedent(source))
    assert (outcome.ended, outcome.returncode, outcome.stdout) == (Ended.exited, 0, b"still here\n")


@pytest.mark.parametrize(
    ("call", "number"),
    [("ptrace", 101), ("unshare", 272), ("setns", 308), ("bpf", 321), ("keyctl", 250), ("io_uring_setup", 425)],
)
def test_rare_system_calls_are_refused(run_python: Run, call: str, number: int) -> None:
    source = f"""
        import ctypes, errno, os, platform
        libc = ctypes.CDLL(None, use_errno=True)
        numbers = {{"aarch64": {{"ptrace": 117, "unshare": 97, "setns": 268, "bpf": 280, "keyctl": 219}}}}
        number = numbers.get(platform.machine(), {{}}).get({call!r}, {number})
        print(libc.syscall(number, 0x10000000, 0, 0, 0), errno.errorcode[ctypes.get_errno()])
    """
    assert run_python(textwrap.dedent(source)).stdout.decode().split()[1] in {"EPERM", "ENOSYS"}


def test_a_socket_that_no_network_namespace_holds_is_refused(run_python: Run) -> None:
    outcome = run_python("import socket\nsocket.socket(40, socket.SOCK_STREAM)")
    assert "Address family not supported" in words(outcome)


def test_has_no_rights(run_python: Run) -> None:
    outcome = run_python("import os\nprint(os.getuid(), os.getgid())\nprint(open('/proc/self/status').read())")
    status = dict(line.split(":\t", 1) for line in outcome.stdout.decode().splitlines()[1:] if ":\t" in line)
    assert outcome.stdout.startswith(b"1000 1000\n")
    assert {status[name] for name in ("CapInh", "CapPrm", "CapEff", "CapAmb")} == {"0" * 16}
    assert (status["NoNewPrivs"], status["Seccomp"]) == ("1", "2")


def test_is_not_root_on_the_host(sandbox: Bubblewrap, tmp_path: Path) -> None:
    folder = tmp_path / "out"
    folder.mkdir()
    outcome = sandbox.run(Job(("touch", "/out/x"), mounts=(Mount(folder, "/out", True),)))
    assert outcome.returncode == 0
    assert (folder / "x").stat().st_uid != 0


@pytest.mark.parametrize(
    "source",
    [
        "import socket\nsocket.create_connection(('1.1.1.1', 53), 2)",
        "import socket\nsocket.getaddrinfo('pypi.org', 443)",
        "import socket\ns = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)\ns.sendto(b'x', ('8.8.8.8', 53))",
    ],
    ids=["tcp", "dns", "udp"],
)
def test_reaches_no_network(run_python: Run, source: str) -> None:
    outcome = run_python(source)
    assert outcome.returncode == 1
    assert any(word in words(outcome) for word in ("unreachable", "not known", "failure in name"))
    assert outcome.seconds < 5


def test_does_not_reach_the_loopback_of_the_host(run_python: Run, sandbox: Bubblewrap) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.settimeout(0.2)
        port = server.getsockname()[1]
        outcome = run_python(f"import socket\nsocket.create_connection(('127.0.0.1', {port}), 2)")
        assert "ConnectionRefusedError" in words(outcome)
        shell = sandbox.run(Job(("bash", "-c", f"echo x > /dev/tcp/127.0.0.1/{port}")))
        assert shell.returncode == 1
        with pytest.raises(TimeoutError):
            server.accept()


def test_has_a_loopback_of_its_own(run_python: Run) -> None:
    source = """
        import socket
        with socket.create_server(("127.0.0.1", 0)) as server:
            socket.create_connection(server.getsockname(), 2)
            print("ok")
    """
    assert run_python(textwrap.dedent(source)).stdout == b"ok\n"


def test_prints_ten_megabytes(run_python: Run) -> None:
    """What is over the limit is dropped, the program comes to its end, and the outcome says that it was cut."""
    outcome = run_python("print('x' * 10_000_000)")
    assert (outcome.ended, outcome.returncode, outcome.truncated) == (Ended.exited, 0, True)
    assert outcome.stdout == b"x" * SMALL.output_bytes


@pytest.mark.parametrize("stream", ["stdout", "stderr"])
def test_prints_without_end(run_python: Run, stream: str) -> None:
    outcome = run_python(f"import sys\nwhile True: sys.{stream}.write('x' * 100_000)")
    assert (outcome.ended, outcome.truncated) == (Ended.too_much_output, True)
    assert len(getattr(outcome, stream)) == SMALL.output_bytes
    assert outcome.seconds < 5


@pytest.mark.parametrize(
    "source",
    [
        "import time\ntime.sleep(60)",
        "while True: pass",
        "import signal, time\nfor n in (1, 2, 3, 13, 14, 15): signal.signal(n, signal.SIG_IGN)\ntime.sleep(60)",
        "import os, time\nos.close(1); os.close(2)\ntime.sleep(60)",
    ],
    ids=["sleeps", "spins", "ignores-signals", "closes-its-output"],
)
def test_never_ends(run_python: Run, source: str, marker: str, alive: Callable[[], list[int]]) -> None:
    outcome = run_python(source, limits=replace(SMALL, seconds=0.5), argument=marker)
    assert (outcome.ended, outcome.returncode) == (Ended.timed_out, None)
    assert 0.5 <= outcome.seconds < 2
    assert alive() == []


def test_a_daemon_does_not_outlive_it(run_python: Run, marker: str, alive: Callable[[], list[int]]) -> None:
    source = """
        import os, time
        if os.fork() == 0:
            os.setsid()
            if os.fork() == 0:
                time.sleep(60)
            os._exit(0)
        os.wait()
        print("started")
    """
    outcome = run_python(textwrap.dedent(source), argument=marker)
    assert (outcome.ended, outcome.stdout) == (Ended.exited, b"started\n")
    assert outcome.seconds < 5
    assert alive() == []


def test_two_jobs_do_not_see_each_other(run_python: Run) -> None:
    """The working folder of one is not that of the other."""
    source = (
        "import os, time\nopen('/work/' + os.urandom(8).hex(), 'w')\ntime.sleep(0.3)\nprint(len(os.listdir('/work')))"
    )
    outcomes: list[Outcome] = []
    threads = [threading.Thread(target=lambda: outcomes.append(run_python(textwrap.dedent(source)))) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [outcome.stdout for outcome in outcomes] == [b"1\n"] * 4


def programs(pids: list[int]) -> set[str]:
    """Return what these processes run; one that has just ended runs nothing."""
    found = set()
    for pid in pids:
        with contextlib.suppress(OSError):
            found.add(Path(f"/proc/{pid}/exe").readlink().name)
    return found


@pytest.mark.parametrize("delay", [0.0, 0.002, 0.004, 0.006, 0.01, 0.1])
def test_nothing_is_left_when_we_are_killed(marker: str, alive: Callable[[], list[int]], delay: float) -> None:
    """kill -9 of the process that waits for the job, while it starts or later, ends the whole tree, daemons included.

    In the moment before bubblewrap has bound its first process to us, that process is left, with no program of the job
    in it; the next sandbox ends it.
    """
    ours = f"""
        from vertice.kernel.sandbox.bwrap import Bubblewrap
        from vertice.kernel.sandbox.model import Job
        sandbox = Bubblewrap.find()
        print("ready", flush=True)
        sandbox.run(Job(("sh", "-c", "setsid sleep 61 & sleep 60; true", {marker!r})))
    """
    with subprocess.Popen([sys.executable, "-c", textwrap.dedent(ours)], stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"ready\n"
        time.sleep(delay)
        process.send_signal(signal.SIGKILL)
    until = time.monotonic() + 1
    while alive() and time.monotonic() < until:
        time.sleep(0.02)
    until += 9  # on a busy machine
    while not (left := programs(alive())) <= {"bwrap"} and time.monotonic() < until:
        time.sleep(0.02)
    assert left <= {"bwrap"}
    Bubblewrap.find()
    until = time.monotonic() + 5
    while alive() and time.monotonic() < until:
        time.sleep(0.02)
    assert alive() == []


def test_it_holds_for_a_user_without_rights() -> None:
    """The same walls when we are not root: another user runs jobs that must end as the limits say."""
    ours = """
        import asyncio, json, os, sys
        from dataclasses import replace
        from vertice.kernel.sandbox.bwrap import Bubblewrap
        from vertice.kernel.sandbox.model import Job, Limits
        if os.geteuid() == 0:
            os.setgroups([]); os.setgid(65534); os.setuid(65534)
        os.environ["VERTICE_TEST_SECRET"] = "swordfish"
        sandbox = Bubblewrap.find()
        small = Limits(seconds=5.0, memory_bytes=64 << 20, processes=20, disk_bytes=4 << 20)
        def shell(text, limits=small):
            outcome = sandbox.run(Job(("bash", "-c", text), limits=limits, files={"/work/a/b": b"hello"}))
            return [str(outcome.ended), (outcome.stdout + outcome.stderr).decode()]
        print(json.dumps([
            shell("id -u; cat /work/a/b; touch /work/a/c; grep -c swordfish /proc/*/environ | grep -v ':0'"),
            shell("f() { f | f & f; }; f"),
            shell("x=xxxxxxxxxxxxxxxx; while :; do x=$x$x; done"),
            shell("while :; do head -c 1000000 /dev/zero >> /tmp/x; done 2> /dev/null"),
            shell("sleep 9", replace(small, seconds=0.3)),
            shell("kill -9 1; kill -9 -1; echo here"),
            shell("echo x > /usr/x; echo x > /x; cat /etc/shadow; echo x > /dev/x"),
        ]))
    """
    shown = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(ours)], capture_output=True, text=True, timeout=60, check=False
    )
    assert shown.returncode == 0, shown.stderr
    ended = json.loads(shown.stdout)
    assert [how for how, _ in ended] == [
        *("exited", "too_many_processes", "out_of_memory", "disk_full", "timed_out", "exited", "exited"),
    ]
    assert ended[0][1] == "1000\nhello"
    assert "here" in ended[5][1]
    assert [line.rpartition(": ")[2] for line in ended[6][1].splitlines()] == [
        *("Read-only file system", "Read-only file system", "No such file or directory", "Read-only file system"),
    ]
