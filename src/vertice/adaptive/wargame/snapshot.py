"""A copy of the project to test on, so that its working tree is never touched and no secret goes along."""

import hashlib
import os
import shutil
from collections.abc import Iterator
from fnmatch import fnmatch
from pathlib import Path

from vertice.kernel.errors import InputError, from_os_error

__all__ = ["MAX_BYTES", "project_digest", "take_snapshot"]

MAX_BYTES = 512 * 1024 * 1024
"""Largest project we copy (without what is left out)."""

_LEFT_OUT = (
    # version control, environments, caches, build output
    ".git", ".hg", ".svn", ".venv", "venv", "env", "node_modules", "__pycache__", ".mypy_cache", ".pytest_cache",
    ".ruff_cache", ".tox", ".nox", ".hypothesis", "*.pyc", "*.egg-info", "build", "dist",
    # secrets: foreign code will run beside this copy
    ".env", ".env.*", "*.pem", "*.key", "id_rsa*", "id_ed25519*", ".netrc", ".npmrc", ".pypirc", "credentials*",
    ".aws", ".ssh", ".gnupg", ".kube", ".docker",
)  # fmt: skip
_KEPT = (".env.example", ".env.sample", ".env.template", ".env.test")


def take_snapshot(project: Path, target: Path) -> None:
    """Copy `project` to `target` in one step, without caches, environments and files that look like secrets.

    Symbolic links are copied as links, and only when they stay inside. Does nothing when `target` is there already.
    Raises InputError when the project is larger than MAX_BYTES.
    """
    if target.exists():
        return
    partial = target.with_name(f"{target.name}.partial-{os.getpid()}")
    shutil.rmtree(partial, ignore_errors=True)
    total = 0
    try:
        partial.mkdir(parents=True)
        for path in _walk(project):
            copy = partial / path.relative_to(project)
            copy.parent.mkdir(parents=True, exist_ok=True)
            if path.is_symlink():
                copy.symlink_to(path.readlink())
                continue
            total += path.stat().st_size
            if total > MAX_BYTES:
                raise InputError(
                    f"is larger than {MAX_BYTES // 2**20} MiB",
                    where=str(project),
                    todo="Heal the folder that holds the service, not one that holds its data.",
                )
            shutil.copy2(path, copy)
        partial.rename(target)
    except OSError as error:
        raise from_os_error(error, "copying the project") from error
    finally:
        shutil.rmtree(partial, ignore_errors=True)


def project_digest(project: Path) -> str:
    """Return the sha256 hex over names and contents of all that a snapshot would hold."""
    digest = hashlib.sha256()
    for path in _walk(project):
        digest.update(f"{path.relative_to(project)}\0".encode("utf-8", "surrogateescape"))
        try:
            content = str(path.readlink()).encode() if path.is_symlink() else path.read_bytes()
        except OSError as error:
            raise from_os_error(error, "reading the project") from error
        digest.update(hashlib.sha256(content).digest())
    return digest.hexdigest()


def _walk(project: Path) -> Iterator[Path]:
    for folder, names, files in os.walk(project):
        names[:] = sorted(name for name in names if not _left_out(name))
        for name in sorted([*files, *(name for name in names if (Path(folder) / name).is_symlink())]):
            path = Path(folder) / name
            if _left_out(name):
                continue
            if path.is_symlink():
                if not path.resolve().is_relative_to(project.resolve()):
                    continue
            elif not path.is_file():
                continue
            yield path


def _left_out(name: str) -> bool:
    return name not in _KEPT and any(fnmatch(name, pattern) for pattern in _LEFT_OUT)
