"""The forge of a project that is no git repository: a proposal is `APV-….patch` under Vértice's home.

Approving writes the new content into the project's files, each of which must still be as it was scanned; the old
content is kept under `patches/backup/` first. Killed half-way, the next try finds each file old or new and goes on.
Rejecting moves the patch to `patches/closed/`.
"""

import hashlib
import re
from dataclasses import dataclass
from pathlib import Path

from vertice.adaptive.execution.interface import Carried, Dossier
from vertice.adaptive.execution.paths import inside, refuse_absent
from vertice.adaptive.remedy.model import Edit, Remedy
from vertice.adaptive.review.model import Action, DecisionRecord, Proposal, Reviewer
from vertice.kernel.errors import InputError, VerticeError, from_os_error
from vertice.kernel.files import read_bytes, write_atomic

__all__ = ["PatchFile"]

_MAX_SUFFIX = 100


@dataclass(frozen=True, slots=True)
class PatchFile:
    """`Forge` over patch files in `folder` (`home/patches`)."""

    folder: Path
    note: str = ""
    name: str = "patch-file"

    def propose(
        self,
        project_root: Path,
        remedy: Remedy,
        code: str,
        message: str,
        dossier: Dossier | None = None,  # noqa: ARG002 -- a patch has its message only
    ) -> Proposal:
        """Write the patch, with the message above it; `git apply` and `patch -p1` read it."""
        for edit in remedy.edits:
            inside(project_root, project_root, edit.path)
        data = f"{message.rstrip()}\n\n{remedy.diff}".encode()
        path = self._free(project_root, code, data)
        if not path.exists():
            write_atomic(path, data)
        return Proposal(self.name, ref=str(path), head=_sha256(data), base="", note=self.note)

    def head(self, project_root: Path, proposal: Proposal) -> str | None:
        """Return sha256 of the patch file as it is now."""
        refuse_absent(project_root)
        path = Path(proposal.ref)
        if path.is_file():
            return _sha256(read_bytes(path))
        if not path.is_relative_to(self.folder):
            raise InputError(
                "the patch file lies in another home, which is not on this machine",
                where=str(path),
                todo="Decide where that home is, or put the project in a git repository and heal it again.",
            )
        return None

    def merge(self, project_root: Path, proposal: Proposal, remedy: Remedy, by: Reviewer) -> Carried:  # noqa: ARG002
        """Write the new files into the project, keeping the old ones."""
        refuse_absent(project_root)
        files = {project_root / inside(project_root, project_root, edit.path): edit for edit in remedy.edits}
        present = {file: _present(file, edit, project_root) for file, edit in files.items()}
        stale = [file for file, edit in files.items() if present[file] != edit.after.encode()]
        if not stale:
            return Carried(Action.pr_merged, "the project has it already")
        backup = self.folder / "backup" / Path(proposal.ref).stem
        for file in stale:
            old = present[file]
            if old is not None:
                write_atomic(backup / file.relative_to(project_root), old)
        self._write(stale, files, present)
        return Carried(Action.pr_merged, f"{len(stale)} file(s) written; the old ones are in {backup}")

    def close(
        self,
        project_root: Path,  # noqa: ARG002
        proposal: Proposal,
        record: DecisionRecord | None = None,  # noqa: ARG002 -- a file has no place for a reason
    ) -> Carried:
        """Move the patch to `closed/`."""
        path = Path(proposal.ref)
        closed = self.folder / "closed" / path.name
        try:
            closed.parent.mkdir(parents=True, exist_ok=True)
            path.replace(closed)
        except FileNotFoundError:
            return Carried(Action.pr_closed, f"{path} is not here, or not any more")
        except OSError as error:
            raise from_os_error(error, "closing the patch") from error
        return Carried(Action.pr_closed, f"kept as {closed}")

    def request_changes(self, project_root: Path, proposal: Proposal, record: DecisionRecord) -> Carried:  # noqa: ARG002
        """Leave the patch as it is: the next heal tries what was asked for."""
        return Carried(Action.changes_requested, f"asked for {record.wanted}")

    def escalate(self, project_root: Path, proposal: Proposal, record: DecisionRecord) -> Carried:  # noqa: ARG002
        """Leave the patch as it is: a folder has nobody to call."""
        return Carried(Action.escalated, "raised")

    def _free(self, project_root: Path, code: str, data: bytes) -> Path:
        """Return the first name that is free or holds just this patch. Each project has a folder of its own."""
        slug = re.sub(r"[^A-Za-z0-9._-]+", "-", project_root.name).strip(".-") or "project"
        folder = self.folder / f"{slug}-{_sha256(str(project_root).encode(errors='surrogateescape'))[:8]}"
        for number in range(1, _MAX_SUFFIX + 1):
            path = folder / (f"{code}.patch" if number == 1 else f"{code}-{number}.patch")
            if not path.exists() or read_bytes(path) == data:
                return path
        raise InputError(f"there are {_MAX_SUFFIX} patches named after {code}", where=str(folder), todo="Delete some.")

    def _write(self, stale: list[Path], files: dict[Path, Edit], present: dict[Path, bytes | None]) -> None:
        written: list[Path] = []
        try:
            for file in stale:
                mode = file.stat().st_mode & 0o777 if file.exists() else 0o644
                write_atomic(file, files[file].after.encode(), mode=mode)
                written.append(file)
        except (VerticeError, OSError) as error:
            _undo(written, present)
            if isinstance(error, OSError):
                raise from_os_error(error, "applying the patch") from error
            raise


def _undo(written: list[Path], present: dict[Path, bytes | None]) -> None:
    for file in written:
        old = present[file]
        if old is None:
            file.unlink(missing_ok=True)
        else:
            write_atomic(file, old, mode=file.stat().st_mode & 0o777)


def _present(file: Path, edit: Edit, root: Path) -> bytes | None:
    """Return what the file holds now, None when there is none; raise InputError when it is neither old nor new."""
    if file.is_symlink() or not file.parent.resolve().is_relative_to(root.resolve()):
        raise InputError("is reached through a symbolic link", where=str(file), todo="Apply the patch yourself.")
    found = read_bytes(file) if file.exists() else None
    before = None if edit.before is None else edit.before.encode()
    if found not in {before, edit.after.encode()}:
        raise InputError(
            "was changed since the patch was proven" if found is not None else "is gone",
            where=str(file),
            todo="The next scan, or `vertice heal`, proves it on what is there now.",
        )
    return found


def _sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()
