"""Reading and writing files so that bad input gets one clear error and nothing is left half-written."""

import os
import tempfile
from pathlib import Path

from vertice.kernel.errors import InputError, from_os_error

__all__ = ["MAX_TEXT_BYTES", "read_bytes", "read_text", "write_atomic"]

MAX_TEXT_BYTES = 16 * 1024 * 1024
"""Largest text file we read: the largest uv.lock we know of is under 4 MiB."""


def read_bytes(path: Path, *, limit: int = MAX_TEXT_BYTES) -> bytes:
    """Return the content of `path`; raise InputError when it is missing, unreadable or over `limit` bytes."""
    try:
        with path.open("rb") as stream:
            data = stream.read(limit + 1)
    except OSError as error:
        if path.is_dir():
            raise InputError("is a directory, not a file", where=str(path), todo="Name a file.") from error
        raise from_os_error(error, "reading it") from error
    if len(data) > limit:
        raise InputError(f"is larger than {limit:,} bytes", where=str(path), todo="Is this the right file?")
    return data


def read_text(path: Path, *, limit: int = MAX_TEXT_BYTES) -> str:
    """Return `path` as UTF-8 text with its line ends as they are; raise InputError naming the first bad byte."""
    data = read_bytes(path, limit=limit)
    try:
        return data.decode("utf-8-sig" if data.startswith(b"\xef\xbb\xbf") else "utf-8")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise InputError(
            f"is not UTF-8: byte 0x{data[error.start]:02x} at offset {error.start}",
            where=f"{path}:{line}",
            todo="Save the file as UTF-8.",
        ) from error


def write_atomic(path: Path, data: bytes, *, mode: int = 0o644) -> None:
    """Write `data` to `path` in one step: a reader sees the old content or the new, never a part.

    A device or a pipe (`/dev/stdout`) is not replaced by a file, but written to.
    """
    try:
        if _is_stream(path):
            path.write_bytes(data)
            return
        path.parent.mkdir(parents=True, exist_ok=True)
        descriptor, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
        try:
            with os.fdopen(descriptor, "wb") as stream:
                stream.write(data)
                stream.flush()
                os.fsync(stream.fileno())
            Path(name).chmod(mode)
            Path(name).replace(path)
        except BaseException:
            Path(name).unlink(missing_ok=True)
            raise
    except OSError as error:
        error.filename = str(path)  # not the name beside it that we made up
        raise from_os_error(error, "writing it") from error


def _is_stream(path: Path) -> bool:
    if path.is_symlink() and path.readlink().is_relative_to("/proc/self/fd"):
        return True
    return path.exists() and not path.is_file() and not path.is_dir()
