"""What the sandbox needs of the machine: the programs it is made of, the root file system, certificates."""

import contextlib
import os
import platform
import shutil
import signal
import sys
from pathlib import Path

from vertice.kernel.errors import UnfinishedError
from vertice.kernel.sandbox.arguments import START_WAITS, Host
from vertice.kernel.sandbox.seccomp import filter_program

__all__ = ["end_orphans", "job_uid", "program", "read_host"]

_FOLDERS = ("/usr", "/bin", "/sbin", "/lib", "/lib32", "/lib64", "/libx32")
_BUNDLES = (
    "/etc/ssl/certs/ca-certificates.crt",
    "/etc/pki/tls/certs/ca-bundle.crt",
    "/etc/ssl/ca-bundle.pem",
    "/etc/ssl/cert.pem",
)
_BUNDLE_VARIABLES = ("SSL_CERT_FILE", "REQUESTS_CA_BUNDLE", "PIP_CERT", "CURL_CA_BUNDLE")
_BUNDLE_LIMIT = 8 * 1024 * 1024
_JOB_UID = 2_000_000_000
"""A host user id nobody has. Files a job writes on a writable mount belong to it."""


def program(name: str) -> str:
    """Return the absolute path of a program of the base system; raise UnfinishedError when it is missing."""
    found = shutil.which(name, path="/usr/bin:/bin:/usr/sbin:/sbin:/usr/local/bin")
    if found is None:
        package = "bubblewrap" if name == "bwrap" else "util-linux"
        raise UnfinishedError(
            "the sandbox needs a program that is not installed, and nothing is run without the sandbox",
            where=name,
            todo=f"Install it (Debian, Ubuntu: `apt install {package}`; Fedora: `dnf install {package}`).",
        )
    return found


def job_uid() -> int | None:
    """Return the user id on the host that jobs get when we are root; None when they keep ours.

    In a container with its own user map the highest mapped id is taken; without a second id there is none to drop to.
    """
    if os.geteuid() != 0:
        return None
    try:
        spans = [line.split() for line in Path("/proc/self/uid_map").read_text().splitlines()]
    except OSError:
        return None
    last = max(int(first) + int(count) - 1 for first, _, count in spans)
    return None if last == 0 else min(_JOB_UID, last)


def read_host() -> Host:
    """Look at the machine once; raise UnfinishedError when a program of the base system is missing."""
    present = [Path(folder) for folder in _FOLDERS if Path(folder).exists()]
    executable = Path(getattr(sys, "_base_executable", sys.executable)).resolve()
    return Host(
        folders=tuple(str(folder) for folder in present if not folder.is_symlink()),
        links=tuple((str(folder), str(folder.readlink())) for folder in present if folder.is_symlink()),
        sh=program("sh"),
        tar=program("tar"),
        prlimit=program("prlimit"),
        setpriv=program("setpriv"),
        python=(str(executable), str(Path(sys.base_prefix).resolve())),
        ca_bundle=_ca_bundle(),
        seccomp=filter_program(),
        drops_root=job_uid() is not None,
        counts_per_sandbox=_kernel() >= (5, 14),
    )


def end_orphans() -> None:
    """End what a kill -9 of one of our processes may leave: the first process of a sandbox that was still being set up.

    bubblewrap binds that process to the life of its parent late. If the parent is killed before, it waits for ever,
    with no program of a job begun in it. It is told by our command line and by a parent that is not its bubblewrap.
    """
    for folder in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError, LookupError):
            command = (folder / "cmdline").read_bytes()
            if START_WAITS.encode() not in command or b"bwrap" not in command.split(b"\0")[0]:
                continue
            facts = dict(line.split(":\t", 1) for line in (folder / "status").read_text().splitlines() if ":\t" in line)
            first_inside = facts["NSpid"].split()[1:] == ["1"]
            if first_inside and (folder.parent / facts["PPid"] / "cmdline").read_bytes() != command:
                os.kill(int(folder.name), signal.SIGKILL)


def _ca_bundle() -> bytes:
    named = [os.environ[name] for name in _BUNDLE_VARIABLES if os.environ.get(name)]
    for name in (*named, *_BUNDLES):
        path = Path(name)
        if path.is_file() and path.stat().st_size <= _BUNDLE_LIMIT:
            return path.read_bytes()
    return b""


def _kernel() -> tuple[int, int]:
    major, _, rest = platform.release().partition(".")
    minor = "".join(char for char in rest.partition(".")[0] if char.isdigit())
    return (int(major), int(minor)) if major.isdigit() and minor else (0, 0)
