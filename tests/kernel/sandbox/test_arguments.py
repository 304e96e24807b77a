"""The exact command line of bubblewrap."""

import io
import tarfile
from dataclasses import replace
from pathlib import Path

import pytest

from vertice.kernel.errors import InputError
from vertice.kernel.sandbox.arguments import Blob, Host, plan
from vertice.kernel.sandbox.model import Job, Limits, Mount, Network

HOST = Host(
    folders=("/usr",),
    links=(("/bin", "usr/bin"), ("/lib", "usr/lib")),
    sh="/usr/bin/sh",
    tar="/usr/bin/tar",
    prlimit="/usr/bin/prlimit",
    setpriv="/usr/bin/setpriv",
    python=("/opt/python/bin/python3", "/opt/python"),
    ca_bundle=b"certificates",
    seccomp=b"filter",
    drops_root=False,
    counts_per_sandbox=True,
)
LIMITS = Limits(memory_bytes=1024, processes=8, disk_bytes=4096)
WALLS = ("/usr/bin/prlimit", "--core=0", "--as=4294971392", "--fsize=1048576", "--nofile=1024", "--nproc=64", "--")
GATE = 'read -r word && [ "$word" = go ] || exit 125; '
START = ("/usr/bin/sh", "-c", GATE + 'exec "$@" </dev/null', "sh")


def shown(job: Job, host: Host = HOST) -> list[str]:
    return [f"<{option.name}>" if isinstance(option, Blob) else option for option in plan(job, host).options]


def test_the_whole_command_line() -> None:
    job = Job(
        argv=("program", "argument"),
        mounts=(Mount(Path("/host/env"), "/env"), Mount(Path("/host/out"), "/deep/er/out", writable=True)),
        files={"/probe.py": b"print()"},
        env={"PATH": "/env/bin", "X": "1"},
        limits=LIMITS,
    )
    assert shown(job) == [
        *("--unshare-all", "--unshare-user", "--die-with-parent", "--new-session", "--clearenv"),
        *("--hostname", "sandbox", "--uid", "1000", "--gid", "1000", "--disable-userns", "--cap-drop", "ALL"),
        *("--seccomp", "<seccomp>"),
        *("--ro-bind", "/usr", "/usr", "--symlink", "usr/bin", "/bin", "--symlink", "usr/lib", "/lib"),
        *("--perms", "0755", "--dir", "/etc", "--perms", "0755", "--dir", "/etc/ssl"),
        *("--perms", "0755", "--dir", "/etc/ssl/certs"),
        *("--ro-bind-try", "/etc/ld.so.cache", "/etc/ld.so.cache"),
        *("--ro-bind-try", "/etc/ld.so.conf", "/etc/ld.so.conf"),
        *("--ro-bind-try", "/etc/ld.so.conf.d", "/etc/ld.so.conf.d"),
        *("--ro-bind-try", "/etc/alternatives", "/etc/alternatives"),
        *("--ro-bind-try", "/etc/localtime", "/etc/localtime"),
        *("--ro-bind-try", "/etc/mime.types", "/etc/mime.types"),
        *("--ro-bind-try", "/etc/protocols", "/etc/protocols"),
        *("--ro-bind-try", "/etc/services", "/etc/services"),
        *("--ro-bind-try", "/etc/ssl/openssl.cnf", "/etc/ssl/openssl.cnf"),
        *("--perms", "0444", "--ro-bind-data", "</etc/passwd>", "/etc/passwd"),
        *("--perms", "0444", "--ro-bind-data", "</etc/group>", "/etc/group"),
        *("--perms", "0444", "--ro-bind-data", "</etc/hosts>", "/etc/hosts"),
        *("--perms", "0444", "--ro-bind-data", "</etc/nsswitch.conf>", "/etc/nsswitch.conf"),
        *("--perms", "0444", "--ro-bind-data", "</etc/resolv.conf>", "/etc/resolv.conf"),
        *("--perms", "0444", "--ro-bind-data", "</etc/ssl/certs/ca-certificates.crt>"),
        "/etc/ssl/certs/ca-certificates.crt",
        *("--proc", "/proc", "--dev", "/dev"),
        *("--perms", "1777", "--size", "4096", "--tmpfs", "/tmp"),
        *("--perms", "1777", "--size", "4096", "--tmpfs", "/work"),
        *("--perms", "1777", "--size", "4096", "--tmpfs", "/dev/shm"),
        *("--ro-bind", "/host/env", "/env"),
        *("--perms", "0755", "--dir", "/deep", "--perms", "0755", "--dir", "/deep/er"),
        *("--bind", "/host/out", "/deep/er/out"),
        *("--perms", "0444", "--ro-bind-data", "</probe.py>", "/probe.py"),
        *("--remount-ro", "/dev", "--remount-ro", "/"),
        *("--setenv", "PATH", "/env/bin", "--setenv", "HOME", "/work", "--setenv", "LANG", "C.UTF-8"),
        *("--setenv", "X", "1", "--chdir", "/work"),
    ]
    assert plan(job, HOST).command == (*WALLS, *START, "program", "argument")


def test_root_gets_another_user_before_anything_foreign_runs() -> None:
    job = Job(("program",), limits=LIMITS)
    host = replace(HOST, drops_root=True)
    assert shown(job, host)[7:15] == [
        *("--cap-drop", "ALL", "--cap-add", "CAP_SETUID", "--cap-add", "CAP_SETGID", "--cap-add", "CAP_SETPCAP"),
    ]
    assert plan(job, host).command == (
        *("/usr/bin/setpriv", "--reuid=1000", "--regid=1000", "--clear-groups", "--inh-caps=-all"),
        *("--bounding-set=-all", "--no-new-privs", "--", *WALLS, *START, "program"),
    )


def test_no_process_limit_where_the_kernel_would_count_the_whole_machine() -> None:
    command = plan(Job(("program",)), replace(HOST, counts_per_sandbox=False)).command
    assert not any(str(word).startswith("--nproc") for word in command)


def test_the_way_to_the_index_is_opened_before_the_program() -> None:
    job = Job(("program",), network=Network.package_index)
    command = plan(job, HOST, channel=7).command
    start = command.index("/opt/python/bin/python3")
    assert command[start : start + 4] == ("/opt/python/bin/python3", "-I", "-S", "-c")
    assert command[start + 5 :] == ("7", "3128", "program")
    options = shown(job)
    assert options[options.index("/opt/python") - 1] == "--ro-bind"
    for name in ("HTTPS_PROXY", "HTTP_PROXY", "ALL_PROXY"):
        assert options[options.index(name) + 1] == "http://127.0.0.1:3128"
    assert options[options.index("SSL_CERT_FILE") + 1] == "/etc/ssl/certs/ca-certificates.crt"


def test_files_in_the_jobs_own_folders_come_as_a_tar_file() -> None:
    ready = plan(Job(("program",), files={"/work/a/b.txt": b"1", "/tmp/c": b"22", "/d": b""}), HOST)
    blob = ready.command[-2]
    assert isinstance(blob, Blob)
    with tarfile.open(fileobj=io.BytesIO(blob.data)) as archive:
        assert [(entry.name, entry.size) for entry in archive] == [("tmp/c", 2), ("work/a/b.txt", 1)]
    script = GATE + '/usr/bin/tar -xf /proc/self/fd/$0 -C / && exec "$@" </dev/null'
    assert ready.command[-5:] == ("/usr/bin/sh", "-c", script, blob, "program")


@pytest.mark.parametrize("path", ["work/x", "/work/../etc/x", "/work/\0x", ""])
def test_a_path_that_leads_elsewhere_is_refused(path: str) -> None:
    with pytest.raises(InputError, match="no absolute path"):
        plan(Job(("program",), files={path: b""}), HOST)
    with pytest.raises(InputError, match="no absolute path"):
        plan(Job(("program",), mounts=(Mount(Path("/x"), path),)), HOST)
