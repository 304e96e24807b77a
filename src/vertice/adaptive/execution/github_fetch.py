"""Getting the files of a GitHub repository at one commit, to scan and test: no git, no credentials on the disk.

They lie in `home/checkouts/OWNER/NAME/COMMIT`, which is there whole or not at all.
"""

import gzip
import os
import re
import shutil
import tarfile
import tempfile
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import IO, TYPE_CHECKING

from vertice.adaptive.execution.github_client import Access, session
from vertice.kernel.errors import InputError, UnfinishedError, from_os_error
from vertice.kernel.text import printable

if TYPE_CHECKING:
    from vertice.adaptive.execution.github_api import Api

__all__ = ["Bounds", "Source", "fetch", "recorded_source", "source_of", "unpack"]

_FOLDER = "checkouts"
_COMMIT = re.compile(r"[0-9a-f]{40}(?:[0-9a-f]{24})?")
_CHUNK = 1024 * 1024
_TWICE = (FileExistsError, NotADirectoryError, IsADirectoryError)
"""What an archive runs into that has one name twice, or one as a file and as a folder."""


@dataclass(frozen=True, slots=True)
class Source:
    """Where the files of a folder come from."""

    owner: str
    repo: str
    commit: str
    root: Path
    """Top of the repository's files; the project may lie below it."""


@dataclass(frozen=True, slots=True)
class Bounds:
    """How much is taken."""

    packed_bytes: int = 512 * 1024**2
    bytes: int = 2 * 1024**3
    entries: int = 200_000


_BOUNDS = Bounds()


def source_of(home: Path, folder: Path) -> Source | None:
    """Return what `folder` was fetched from, None when it was not fetched."""
    try:
        owner, repo, commit, *_ = folder.relative_to(home / _FOLDER).parts
    except ValueError:
        return None
    if not _COMMIT.fullmatch(commit):
        return None
    return Source(owner, repo, commit, home / _FOLDER / owner / repo / commit)


def recorded_source(folder: Path, commit: str) -> Source | None:
    """Return what `folder`, which may lie on another machine, was fetched from at `commit`; None when it was not."""
    parts = folder.parts
    for at in range(len(parts) - 1, 2, -1):
        if parts[at] == commit and parts[at - 3] == _FOLDER and _COMMIT.fullmatch(commit):
            return Source(parts[at - 2], parts[at - 1], commit, Path(*parts[: at + 1]))
    return None


def fetch(
    access: Access, home: Path, repository: str, branch: str = "", *, bounds: Bounds = _BOUNDS
) -> tuple[Path, str]:
    """Return the folder with the files of `owner/name` as its `branch` is now ("": the default one), and the commit.

    A whole commit id in place of a branch gives the files of that commit; those that are here already, without a word
    to GitHub.

    Raises InputError when there is no such repository, branch or commit, or when it is too large.
    """
    owner, _, repo = repository.partition("/")
    return session(access, owner, repo, lambda api: _fetch(api, home, branch, bounds))


def unpack(stream: IO[bytes], folder: Path, bounds: Bounds = _BOUNDS) -> None:
    """Unpack a gzipped tar into `folder`, which must be empty, without the one folder that GitHub puts around all.

    Files, folders and links that stay inside are taken; anything else is left out. Raises InputError when there is too
    much of it or it is no such archive.
    """
    links: list[tuple[Path, str]] = []
    entries = size = 0
    try:
        with gzip.GzipFile(fileobj=stream) as plain, tarfile.open(fileobj=plain, mode="r|") as archive:
            for member in archive:
                entries, size = entries + 1, size + member.size
                if entries > bounds.entries or size > bounds.bytes:
                    raise _too_large(f"{bounds.bytes // 1024**2} MiB or {bounds.entries:,} files")
                target = _inside(folder, member.name)
                if target is None:
                    continue
                if member.issym():
                    links.append((target, member.linkname))
                else:
                    _write(archive, member, target)
            # An archive that breaks off between two files looks whole until its checksum is read.
            while rest := plain.read(_CHUNK):
                size += len(rest)
                if size > bounds.bytes:
                    raise _too_large(f"{bounds.bytes // 1024**2} MiB")
    except (tarfile.TarError, gzip.BadGzipFile, zlib.error, EOFError, ValueError, *_TWICE) as error:
        said = printable(str(error), limit=200)
        raise UnfinishedError(f"the archive cannot be read: {said}", where="GitHub", todo="Try again.") from error
    _link(folder, links)


def _fetch(api: "Api", home: Path, branch: str, bounds: Bounds) -> tuple[Path, str]:
    commit = _commit(api, branch)
    folder = home / _FOLDER / api.owner / api.repo / commit
    if folder.is_dir():
        return folder, commit
    try:
        folder.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=folder.parent, prefix=".partial-") as partial:
            files = Path(partial) / "files"
            files.mkdir()
            with tempfile.TemporaryFile(dir=partial) as packed:
                _download(api.tarball(commit), packed, bounds)
                packed.seek(0)
                unpack(packed, files, bounds)
            if not folder.is_dir():
                files.rename(folder)
    except OSError as error:
        if folder.is_dir():  # another process was faster
            return folder, commit
        raise from_os_error(error, "fetching the repository") from error
    return folder, commit


def _commit(api: "Api", branch: str) -> str:
    if _COMMIT.fullmatch(branch):
        return branch
    name = branch or api.repository().default_branch
    commit = api.ref(f"refs/heads/{name}")
    if commit is None or not _COMMIT.fullmatch(commit):
        where = f"{api.owner}/{api.repo}"
        raise InputError(f"has no branch {printable(name, limit=200)}", where=where, todo="Check the branch's name.")
    return commit


def _download(chunks: Iterator[bytes], packed: IO[bytes], bounds: Bounds) -> None:
    size = 0
    for chunk in chunks:
        size += len(chunk)
        if size > bounds.packed_bytes:
            raise _too_large(f"{bounds.packed_bytes // 1024**2} MiB, packed")
        packed.write(chunk)


def _too_large(than: str) -> InputError:
    todo = "Give the service that matters a repository of its own."
    return InputError(f"is larger than {than}", where="the repository", todo=todo)


def _inside(folder: Path, name: str) -> Path | None:
    """Return where a member goes, None when it goes nowhere."""
    parts = PurePosixPath(name).parts
    if name.startswith("/") or ".." in parts or "\0" in name or len(parts) < 2:
        return None
    if any(part.casefold() == ".git" for part in parts):
        return None
    return folder.joinpath(*parts[1:])


def _write(archive: tarfile.TarFile, member: tarfile.TarInfo, target: Path) -> None:
    # Links are made when all else is there, so nothing is written through one.
    if member.isdir():
        target.mkdir(parents=True, exist_ok=True)
        return
    source = archive.extractfile(member) if member.isreg() else None
    if source is None:
        return
    target.parent.mkdir(parents=True, exist_ok=True)
    with source, target.open("xb") as file:
        shutil.copyfileobj(source, file, _CHUNK)
    target.chmod(0o755 if member.mode & 0o100 else 0o644)


def _link(folder: Path, links: list[tuple[Path, str]]) -> None:
    """Make the links, and remove again what leads out: links may lead through one another."""
    top = os.path.realpath(folder)
    made = []
    for target, to in links:
        if to.startswith("/") or "\0" in to or os.path.lexists(target):
            continue
        target.parent.mkdir(parents=True, exist_ok=True)
        target.symlink_to(to)
        made.append(target)
    while out := [link for link in made if not _stays(link, top)]:
        for link in out:
            link.unlink()
            made.remove(link)


def _stays(link: Path, top: str) -> bool:
    """Say whether a link leads to something inside; one that leads to nothing, or in a circle, does not."""
    try:
        return os.path.realpath(link, strict=True).startswith(f"{top}{os.sep}")
    except OSError:
        return False
