"""The working tree in which a branch is checked out, and bringing a few files of it up to date with a new commit."""

import stat
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from vertice.adaptive.execution.git import Entry, Git, Repository
from vertice.kernel.errors import InputError
from vertice.kernel.files import read_bytes, write_atomic

__all__ = ["Checkout", "find_checkout", "place"]

_IN_PROGRESS = ("MERGE_HEAD", "CHERRY_PICK_HEAD", "REVERT_HEAD", "rebase-merge", "rebase-apply")


@dataclass(frozen=True, slots=True)
class Checkout:
    """A working tree and its git folder."""

    root: Path
    git: Git


def find_checkout(repository: Repository, ref: str) -> Checkout | None:
    """Return the working tree in which the branch `ref` is checked out, None when there is none."""
    listing = repository.git.text("worktree", "list", "--porcelain", "-z")
    for block in listing.split("\0\0"):
        lines = block.split("\0")
        if f"branch {ref}" in lines and "bare" not in lines:
            root = Path(next(line for line in lines if line.startswith("worktree ")).removeprefix("worktree "))
            return Checkout(root, Git(root))
    return None


def place(checkout: Checkout, objects: Git, *, old: Mapping[str, Entry | None], new: Mapping[str, Entry]) -> None:
    """Write the `new` files into the working tree and its index. Everything is checked before anything is written.

    A file may be as in `old` or, when a try before this one was killed, already as in `new`; anything else is the
    user's uncommitted work and refused with InputError.
    """
    _refuse_unfinished(checkout)
    writes: dict[Path, tuple[bytes, int]] = {}
    for path, entry in new.items():
        _check_index(checkout, path, old[path], entry)
        before = old[path]
        content = _content(
            checkout.root / path,
            None if before is None else objects.blob(before.blob),
            objects.blob(entry.blob),
            checkout.root,
        )
        writes[checkout.root / path] = (content, 0o755 if entry.mode == "100755" else 0o644)
    for file, (content, mode) in writes.items():
        kept = stat.S_IMODE(file.stat().st_mode) if file.exists() else mode
        write_atomic(file, content, mode=kept)
    lines = "".join(f"{entry.mode} {entry.blob}\t{path}\0" for path, entry in sorted(new.items()))
    # Writing an index hashes files that changed in the same second again, through the repository's clean filter if git
    # knew of it: so it is written with our own configuration.
    index = checkout.git.text("rev-parse", "--path-format=absolute", "--git-path", "index")
    objects.run(
        "update-index", "-z", "--add", "--index-info",
        stdin=lines.encode(errors="surrogateescape"),
        env={"GIT_INDEX_FILE": index, "GIT_WORK_TREE": str(checkout.root)},
    )  # fmt: skip


def _refuse_unfinished(checkout: Checkout) -> None:
    args = [part for name in _IN_PROGRESS for part in ("--git-path", name)]
    for path in checkout.git.text("rev-parse", "--path-format=absolute", *args).split("\n"):
        if Path(path).exists():
            raise InputError(
                "a merge, rebase, cherry-pick or revert is under way there",
                where=str(checkout.root),
                todo="Finish or abort it, then decide again.",
            )


def _check_index(checkout: Checkout, path: str, old: Entry | None, new: Entry) -> None:
    listed = checkout.git.text("ls-files", "--stage", "-z", "--full-name", "--", path).rstrip("\0")
    entries = [line.partition("\t")[0].split(" ") for line in listed.split("\0") if line]
    staged = [Entry(mode, blob) for mode, blob, _stage in entries]
    unmerged = any(stage != "0" for _mode, _blob, stage in entries)
    if unmerged or staged not in ([] if old is None else [old], [new]):
        raise _uncommitted(checkout.root / path)


def _content(file: Path, old: bytes | None, new: bytes, root: Path) -> bytes:
    """Return what to write: `new` with the line ends of the file that is there."""
    if not file.parent.resolve().is_relative_to(root.resolve()) or file.is_symlink():
        raise InputError("is reached through a symbolic link", where=str(file), todo="Merge the branch yourself.")
    if not file.exists():
        if old is None:
            return new
        raise _uncommitted(file)
    present = read_bytes(file)
    if present in {old, new}:
        return new
    windows_old, windows_new = (None if old is None else _crlf(old)), _crlf(new)
    if present in {windows_old, windows_new}:
        return windows_new
    raise _uncommitted(file)


def _crlf(content: bytes) -> bytes:
    return content.replace(b"\r\n", b"\n").replace(b"\n", b"\r\n")


def _uncommitted(file: Path) -> InputError:
    return InputError(
        "has changes that are not committed", where=str(file), todo=f"Commit or stash your changes to {file.name}."
    )
