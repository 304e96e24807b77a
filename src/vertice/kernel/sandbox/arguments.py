"""What bubblewrap is told for one job: a pure function from a job to its command line.

The root inside is empty but for what is listed here. `/usr` and the library folders are the host's, read-only; of
`/etc` only what the loader, TLS and name look-up need, the account files are made up. `/tmp`, `/work` and `/dev/shm`
are in memory and limited in size. There is no `/home`, `/var`, `/run`, and of `/root` no more than the folders above
a mount.
"""

import io
import tarfile
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import PurePosixPath

from vertice.kernel.errors import InputError
from vertice.kernel.sandbox.model import Job, Limits, Network

__all__ = ["CA_BUNDLE", "MEMORY_FOLDERS", "PROXY_PORT", "START_WAITS", "UID", "Blob", "Host", "Plan", "plan"]

UID = 1000
"""User and group id inside."""
MEMORY_FOLDERS = ("/tmp", "/work", "/dev/shm")  # noqa: S108 - paths inside the sandbox
_OWNED = ("/tmp", "/work")  # noqa: S108 - paths inside the sandbox
CA_BUNDLE = "/etc/ssl/certs/ca-certificates.crt"
PROXY_PORT = 3128

_ETC_FROM_HOST = (
    "/etc/ld.so.cache",
    "/etc/ld.so.conf",
    "/etc/ld.so.conf.d",
    "/etc/alternatives",
    "/etc/localtime",
    "/etc/mime.types",
    "/etc/protocols",
    "/etc/services",
    "/etc/ssl/openssl.cnf",
)
_ETC_MADE_UP = {
    "/etc/passwd": f"root:x:0:0:root:/:/usr/sbin/nologin\njob:x:{UID}:{UID}:job:/work:/bin/sh\n",
    "/etc/group": f"root:x:0:\njob:x:{UID}:\n",
    "/etc/hosts": "127.0.0.1 localhost sandbox\n::1 localhost\n",
    "/etc/nsswitch.conf": "passwd: files\ngroup: files\nhosts: files\nservices: files\nprotocols: files\n",
    "/etc/resolv.conf": "",
}
_FILE_TIME = 1_577_836_800
"""2020-01-01: wheels are zip files, which know no time before 1980."""
START_WAITS = 'read -r word && [ "$word" = go ] || exit 125; '
_TAKE_FILES = "tar -xf /proc/self/fd/$0 -C / && "
_START = 'exec "$@" </dev/null'
"""Run before the job's program, which thus begins when we say so on stdin, and never when we died before (end of file);
$0 is the descriptor of the tar file with the job's own files."""
_OPEN_DOOR = """
import os, socket, sys
door = socket.socket()
door.bind(("127.0.0.1", int(sys.argv[2])))
door.listen(256)
with socket.socket(fileno=int(sys.argv[1])) as host:
    socket.send_fds(host, [b"door"], [door.fileno()])
door.close()
try:
    os.execvp(sys.argv[3], sys.argv[3:])
except OSError as error:
    print(f"{sys.argv[3]}: {error.strerror}", file=sys.stderr)
    os._exit(127)
"""
"""Runs before the job's program, in its network namespace: listens on loopback and hands the *listening socket* to the
gateway outside. No relay and no way to the host's file system stay behind in the sandbox."""


@dataclass(frozen=True, slots=True)
class Blob:
    """Bytes that are handed over on a file descriptor of their own."""

    name: str
    data: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class Host:
    """What a plan has to know about the machine."""

    folders: tuple[str, ...]
    """Folders bound read-only: `/usr`, and `/bin`, `/lib*` where they are no links."""
    links: tuple[tuple[str, str], ...]
    """(link, target): `("/lib", "usr/lib")` on a merged-/usr machine."""
    sh: str
    tar: str
    prlimit: str
    setpriv: str
    python: tuple[str, str]
    """(program, prefix) of a Python ≥ 3.11 for the step that opens the way to the index."""
    ca_bundle: bytes
    seccomp: bytes
    drops_root: bool
    """We are root: the job gets a user id of its own on the host, so that nothing inside is root outside."""
    counts_per_sandbox: bool
    """The kernel counts RLIMIT_NPROC per user namespace (Linux ≥ 5.14), not over the whole machine."""


@dataclass(frozen=True, slots=True)
class Plan:
    """A command line whose blobs are still to be put on file descriptors."""

    options: tuple[str | Blob, ...]
    """For `bwrap --args`."""
    command: tuple[str | Blob, ...]
    """What bubblewrap starts."""


def plan(job: Job, host: Host, *, channel: int = -1) -> Plan:
    """Return how `job` is run on `host`; `channel` is the descriptor over which the way to the index is opened."""
    own = {path: data for path, data in job.files.items() if _is_below(_checked(path), _OWNED)}
    fixed = {path: data for path, data in job.files.items() if path not in own}
    options = (
        *_isolation(host),
        *_root(host, job),
        *_mounts(job, host),
        *_fixed_files(fixed),
        *("--remount-ro", "/dev", "--remount-ro", "/"),
        *_environment(job),
        *("--chdir", job.cwd),
    )
    tar = _tar(own) if own else None
    return Plan(options=options, command=_command(job, host, channel, tar))


def _isolation(host: Host) -> Iterator[str | Blob]:
    yield from ("--unshare-all", "--unshare-user", "--die-with-parent", "--new-session", "--clearenv")
    yield from ("--hostname", "sandbox")
    if host.drops_root:
        # The map names two ids (root for the set-up, the job's own), which bubblewrap leaves to its caller.
        yield from ("--cap-drop", "ALL", "--cap-add", "CAP_SETUID", "--cap-add", "CAP_SETGID")
        yield from ("--cap-add", "CAP_SETPCAP")
    else:
        yield from ("--uid", str(UID), "--gid", str(UID), "--disable-userns", "--cap-drop", "ALL")
    if host.seccomp:
        yield from ("--seccomp", Blob("seccomp", host.seccomp))


def _root(host: Host, job: Job) -> Iterator[str | Blob]:
    for folder in host.folders:
        yield from ("--ro-bind", folder, folder)
    for link, target in host.links:
        yield from ("--symlink", target, link)
    for folder in ("/etc", "/etc/ssl", "/etc/ssl/certs"):
        yield from ("--perms", "0755", "--dir", folder)
    for path in _ETC_FROM_HOST:
        yield from ("--ro-bind-try", path, path)
    for path, text in _ETC_MADE_UP.items():
        yield from ("--perms", "0444", "--ro-bind-data", Blob(path, text.encode()), path)
    yield from ("--perms", "0444", "--ro-bind-data", Blob(CA_BUNDLE, host.ca_bundle), CA_BUNDLE)
    yield from ("--proc", "/proc", "--dev", "/dev")
    for folder in MEMORY_FOLDERS:
        yield from ("--perms", "1777", "--size", str(job.limits.disk_bytes), "--tmpfs", folder)


def _mounts(job: Job, host: Host) -> Iterator[str]:
    wanted = [(str(mount.source), mount.target, mount.writable) for mount in job.mounts]
    prefix = host.python[1]
    if job.network is not Network.none and not _is_below(prefix, host.folders):
        wanted.append((prefix, prefix, False))
    made: set[str] = set()
    seen: set[tuple[str, str, bool]] = set()
    for source, target, writable in wanted:
        if (source, target, writable) in seen:
            continue
        seen.add((source, target, writable))
        yield from _parents(_checked(target), made)
        yield from ("--bind" if writable else "--ro-bind", source, target)


def _fixed_files(files: dict[str, bytes]) -> Iterator[str | Blob]:
    made: set[str] = set()
    for path, data in sorted(files.items()):
        yield from _parents(path, made)
        yield from ("--perms", "0444", "--ro-bind-data", Blob(path, data), path)


def _parents(path: str, made: set[str]) -> Iterator[str]:
    """Create the folders above `path` readable for the job: bubblewrap would make them 0700 below another owner."""
    for parent in reversed(PurePosixPath(path).parents[:-1]):
        folder = str(parent)
        if folder not in made:
            made.add(folder)
            yield from ("--perms", "0755", "--dir", folder)


def _environment(job: Job) -> Iterator[str]:
    proxy = f"http://127.0.0.1:{PROXY_PORT}"
    names = ("HTTPS_PROXY", "HTTP_PROXY", "ALL_PROXY", "https_proxy", "http_proxy", "all_proxy")
    way_out = {} if job.network is Network.none else {**dict.fromkeys(names, proxy), "SSL_CERT_FILE": CA_BUNDLE}
    base = {"PATH": "/usr/local/bin:/usr/bin:/bin", "HOME": "/work", "LANG": "C.UTF-8"}
    for name, value in {**base, **job.env, **way_out}.items():
        yield from ("--setenv", name, value)


def _command(job: Job, host: Host, channel: int, files: Blob | None) -> tuple[str | Blob, ...]:
    steps: list[str | Blob] = []
    if host.drops_root:
        steps += [host.setpriv, f"--reuid={UID}", f"--regid={UID}", "--clear-groups", "--inh-caps=-all"]
        steps += ["--bounding-set=-all", "--no-new-privs", "--"]
    steps += [host.prlimit, *_walls(job.limits, host), "--"]
    take = _TAKE_FILES.replace("tar", host.tar, 1) if files else ""
    steps += [host.sh, "-c", START_WAITS + take + _START, files or "sh"]
    if job.network is not Network.none:
        steps += [host.python[0], "-I", "-S", "-c", _OPEN_DOOR, str(channel), str(PROXY_PORT)]
    return (*steps, *job.argv)


def _walls(limits: Limits, host: Host) -> Iterator[str]:
    """Yield the kernel's own limits per process: wide, for what is faster than the watch over the whole tree."""
    yield "--core=0"
    yield f"--as={4 * limits.memory_bytes + 4 * 1024**3}"
    yield f"--fsize={max(limits.disk_bytes, 1024**2)}"
    yield "--nofile=1024"
    if host.counts_per_sandbox:
        # Threads count here as well, and the steps before the program.
        yield f"--nproc={4 * limits.processes + 32}"


def _tar(files: dict[str, bytes]) -> Blob:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=tarfile.GNU_FORMAT) as archive:
        for path, data in sorted(files.items()):
            entry = tarfile.TarInfo(path.lstrip("/"))
            entry.size, entry.mode, entry.mtime = len(data), 0o644, _FILE_TIME
            archive.addfile(entry, io.BytesIO(data))
    return Blob("files", buffer.getvalue())


def _is_below(path: str, folders: tuple[str, ...]) -> bool:
    return any(PurePosixPath(path).is_relative_to(folder) for folder in folders)


def _checked(path: str) -> str:
    if not path.startswith("/") or ".." in PurePosixPath(path).parts or "\0" in path:
        raise InputError("is no absolute path inside the sandbox", where=path, todo="Give a path such as /work/x.")
    return path
