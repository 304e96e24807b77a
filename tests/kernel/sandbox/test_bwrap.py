"""The sandbox in ordinary use, and how it refuses when it cannot be set up."""

import gc
import stat
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from vertice.kernel.errors import InputError, UnfinishedError
from vertice.kernel.sandbox import bwrap, host
from vertice.kernel.sandbox.bwrap import Bubblewrap
from vertice.kernel.sandbox.model import Ended, Job, Limits, Mount, Outcome

Run = Callable[..., Outcome]


def test_runs_a_program(sandbox: Bubblewrap) -> None:
    outcome = sandbox.run(Job(("sh", "-c", "echo out; echo err >&2; exit 3")))
    assert (outcome.ended, outcome.returncode) == (Ended.exited, 3)
    assert (outcome.stdout, outcome.stderr, outcome.truncated) == (b"out\n", b"err\n", False)
    assert 0 < outcome.seconds < 5


def test_stdin_is_empty(sandbox: Bubblewrap) -> None:
    assert sandbox.run(Job(("cat",))).ended is Ended.exited
    assert sandbox.run(Job(("cat",), files={"/work/x": b"not this"})).stdout == b""


def test_files_are_laid_down(sandbox: Bubblewrap) -> None:
    """The job's own under /work and /tmp, in folders it may write to; elsewhere read-only."""
    files = {"/work/a/b/c": b"1\n", "/tmp/d": b"2\n", "/probe/x.py": b"3\n", "/work/\u00fc": b"4\n"}
    command = "cat /work/a/b/c /tmp/d /probe/x.py /work/\u00fc && echo 5 >> /work/a/b/c && touch /work/a/new /probe/new"
    outcome = sandbox.run(Job(("sh", "-c", command), files=files))
    assert outcome.stdout == b"1\n2\n3\n4\n"
    assert b"/probe/new" in outcome.stderr


@pytest.mark.parametrize("files", [{}, {"/work/x": b"x", "/y": b"y"}], ids=["none", "some"])
def test_the_program_gets_no_descriptor_it_could_use(run_python: Run, files: dict[str, bytes]) -> None:
    """Standard streams, at most the sealed memory its files came in, and the used-up end of a pipe it can only read."""
    source = """
import os
for name in sorted(os.listdir("/proc/self/fd"), key=int):
    try:
        target = os.readlink("/proc/self/fd/" + name)
    except OSError:
        continue
    if int(name) > 2:
        print(target.partition(":")[2][:5].strip("[") if "memfd" in target else "pipe")
        for descriptor in (int(name), None):
            try:
                os.write(os.open("/proc/self/fd/" + name, os.O_RDWR) if descriptor is None else descriptor, b"x")
                print("written")
            except OSError as error:
                pass
"""
    outcome = run_python(source, files=files)
    # Without root the pipe is bwrap's own, which stays outside.
    found = outcome.stdout.decode().split()
    assert sorted(set(found) - {"pipe"}) == (["files"] if files else []), outcome.stderr
    assert found.count("pipe") <= 1


def test_two_thousand_files(sandbox: Bubblewrap) -> None:
    files = {f"/work/{number % 50}/{number}": b"x" for number in range(2000)}
    outcome = sandbox.run(Job(("sh", "-c", "find /work -type f | wc -l"), files=files))
    assert outcome.stdout.strip() == b"2000"


def test_files_beyond_the_disk_limit_are_refused(sandbox: Bubblewrap) -> None:
    with pytest.raises(InputError, match="larger than its disk limit"):
        sandbox.run(Job(("true",), files={"/work/x": b"12345"}, limits=Limits(disk_bytes=4)))


def test_a_writable_mount_is_written_and_a_read_only_one_is_not(sandbox: Bubblewrap, tmp_path: Path) -> None:
    (tmp_path / "rw" / "sub").mkdir(parents=True)
    (tmp_path / "ro").mkdir()
    mounts = (Mount(tmp_path / "rw", "/rw", writable=True), Mount(tmp_path / "ro", "/ro"))
    outcome = sandbox.run(Job(("sh", "-c", "echo 1 > /rw/sub/x; echo 2 > /ro/x"), mounts=mounts))
    assert outcome.returncode != 0
    assert (tmp_path / "rw" / "sub" / "x").read_text() == "1\n"
    assert list((tmp_path / "ro").iterdir()) == []


def test_a_link_in_a_writable_mount_is_not_followed(sandbox: Bubblewrap, tmp_path: Path) -> None:
    """Handing a folder over to the jobs' user touches no file that a link in it points to."""
    outside = tmp_path / "outside"
    outside.write_text("mine")
    owner = outside.stat().st_uid
    folder = tmp_path / "folder"
    folder.mkdir()
    (folder / "link").symlink_to(outside)
    sandbox.run(Job(("true",), mounts=(Mount(folder, "/folder", writable=True),)))
    assert outside.stat().st_uid == owner


def test_folders_above_a_mount_are_passable(sandbox: Bubblewrap, tmp_path: Path) -> None:
    target = "/root/a/b/c"
    tmp_path.chmod(0o755)
    outcome = sandbox.run(Job(("ls", target), mounts=(Mount(tmp_path, target),)))
    assert outcome.returncode == 0


def test_a_folder_for_its_owner_alone_is_named_not_found_empty(
    sandbox: Bubblewrap, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """When jobs run as another user than we (we are root), a private folder cannot be mounted."""
    monkeypatch.setattr(sandbox, "_uid", sandbox._uid or 65534)
    tmp_path.chmod(0o700)
    with pytest.raises(InputError, match="by its owner alone"):
        sandbox.run(Job(("ls", "/x"), mounts=(Mount(tmp_path, "/x"),)))


@pytest.mark.parametrize(("number", "ended"), [(9, Ended.signalled), (11, Ended.signalled), (15, Ended.signalled)])
def test_death_by_signal(sandbox: Bubblewrap, number: int, ended: Ended) -> None:
    outcome = sandbox.run(Job(("sh", "-c", f"kill -{number} $$")))
    assert (outcome.ended, outcome.returncode) == (ended, None)


def test_a_program_that_does_not_exist(sandbox: Bubblewrap) -> None:
    outcome = sandbox.run(Job(("no-such-program",)))
    assert (outcome.ended, outcome.returncode) == (Ended.exited, 127)
    assert b"no-such-program" in outcome.stderr


def test_a_mount_that_does_not_exist(sandbox: Bubblewrap, tmp_path: Path) -> None:
    with pytest.raises(UnfinishedError, match="cannot be set up") as caught:
        sandbox.run(Job(("true",), mounts=(Mount(tmp_path / "missing", "/missing"),)))
    assert "missing" in caught.value.what


def test_peak_memory_is_measured(run_python: Run) -> None:
    outcome = run_python("kept = b'x' * (50 << 20)\nimport time\ntime.sleep(0.2)")
    assert 50 << 20 < outcome.peak_memory_bytes < 90 << 20


def test_leaves_no_descriptor_open(sandbox: Bubblewrap) -> None:
    sandbox.run(Job(("true",)))
    gc.collect()
    before = len(list(Path("/proc/self/fd").iterdir()))
    for _ in range(5):
        sandbox.run(Job(("true",), files={"/x": b"", "/work/y": b""}))
    assert len(list(Path("/proc/self/fd").iterdir())) == before


def test_watching_costs_little(sandbox: Bubblewrap) -> None:
    """A job that sleeps for a second takes less than 5 % of one core from us."""
    before = time.process_time()
    sandbox.run(Job(("sleep", "1")))
    assert time.process_time() - before < 0.05


def test_a_program_that_ends_at_once_is_not_missed(sandbox: Bubblewrap) -> None:
    """Many at the same time on a busy machine: each waits until it is watched."""
    with ThreadPoolExecutor(8) as pool:
        outcomes = list(pool.map(lambda _: sandbox.run(Job(("true",))), range(40)))
    assert {(outcome.ended, outcome.returncode) for outcome in outcomes} == {(Ended.exited, 0)}


def test_overhead_per_job(sandbox: Bubblewrap) -> None:
    """About 10 ms on a free machine; the bound is wide because test machines are busy."""
    times = sorted(sandbox.run(Job(("true",))).seconds for _ in range(9))
    assert times[4] < 0.1


def test_without_bubblewrap_nothing_runs(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(host.shutil, "which", lambda name, path: None if name == "bwrap" else f"/usr/bin/{name}")
    with pytest.raises(UnfinishedError) as caught:
        Bubblewrap.find()
    assert caught.value.where == "bwrap"
    assert "apt install bubblewrap" in caught.value.todo


def stand_in(tmp_path: Path, text: str) -> str:
    path = tmp_path / "bwrap"
    path.write_text(f"#!/bin/sh\n{text}\n")
    path.chmod(path.stat().st_mode | stat.S_IXUSR)
    return str(path)


def test_an_old_bubblewrap_is_refused(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(bwrap, "program", lambda name: stand_in(tmp_path, "echo bubblewrap 0.4.1"))
    with pytest.raises(UnfinishedError, match=r"0\.4\.1 is too old"):
        Bubblewrap.find()


def test_a_kernel_without_user_namespaces_is_named(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """bubblewrap says so and ends before anything is run."""
    said = """
        if [ "$1" = --version ]; then echo bubblewrap 0.8.0; exit; fi
        echo "bwrap: No permissions to create new namespace" >&2
        exit 1
    """
    monkeypatch.setattr(bwrap, "program", lambda name: stand_in(tmp_path, said))
    with pytest.raises(UnfinishedError, match="No permissions to create new namespace") as caught:
        Bubblewrap.find()
    assert "max_user_namespaces" in caught.value.todo
    assert "nothing is run without it" in caught.value.what
