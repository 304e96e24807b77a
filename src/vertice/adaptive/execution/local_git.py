"""The forge of a project that lies in a git repository: a proposal is a branch `vertice/APV-…` with one commit.

Proposing makes the commit from git objects alone: the working tree, the index and the branch in use are not touched.

Approving adds a merge commit to the branch that was checked out when the proposal was made. The files of the patch must
be there as they were when the patch was proven, else it is refused: what would be merged is no longer what was proven.
If that branch is checked out, exactly the patch's files are written there and entered in the index, and only when they
hold nothing uncommitted. Files first, then index, then the branch: killed in between, the next try finds each file old
or new and goes on. Nothing else of the working tree is read or written, and no merge driver, filter or hook runs.

Rejecting moves the branch to `refs/vertice/closed/…`, where nothing is lost and nothing is in the way.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from vertice.adaptive.execution.checkout import find_checkout, place
from vertice.adaptive.execution.git import Entry, Git, Repository, find_repository, scratch
from vertice.adaptive.execution.interface import Carried, Dossier
from vertice.adaptive.execution.paths import inside, refuse_absent
from vertice.adaptive.remedy.model import Edit, Remedy
from vertice.adaptive.review.model import Action, DecisionRecord, Proposal, Reviewer
from vertice.kernel.errors import InputError, VerticeError
from vertice.kernel.text import printable

__all__ = ["LocalGit", "UncommittedError"]

_NAME, _EMAIL = "Vértice", "vertice@localhost"
_BRANCH = "refs/heads/vertice/"
_CLOSED = "refs/vertice/closed/"
_MAX_SUFFIX = 100


class UncommittedError(InputError):
    """Catch me when what was scanned is not what is committed: a patch file can still be made."""

    code = "uncommitted"


@dataclass(frozen=True, slots=True)
class LocalGit:
    """`Forge` over the repository that holds the project."""

    name: str = "local-git"

    def propose(
        self,
        project_root: Path,
        remedy: Remedy,
        code: str,
        message: str,
        dossier: Dossier | None = None,  # noqa: ARG002 -- a commit has its message only
    ) -> Proposal:
        """Make the branch, or find the one that a call before this one made.

        Raises UncommittedError when a file to change is not committed as the scan saw it.
        """
        repository = _repository(project_root)
        base = repository.git.ref("HEAD")
        if base is None:
            raise UncommittedError("the repository has no commit yet", where=str(repository.root), todo="Commit first.")
        with scratch(repository) as git:
            files = {path: _committed(git, base, path, edit) for path, edit in _paths(repository, remedy)}
            tree = _tree(git, base, files)
            for ref in _names(code):
                if repository.git.ref(ref) is None:
                    commit = _commit(git, tree, (base,), message, author=(_NAME, _EMAIL))
                    _create(repository, ref, commit)
                head = repository.git.ref(ref)
                if head is not None and _is_ours(git, head, base, tree):
                    return Proposal(self.name, ref=ref, head=head, base=base, target=_current_branch(repository))
        raise InputError(
            f"there are {_MAX_SUFFIX} branches named after {code}", where=str(repository.root), todo="Delete some."
        )

    def head(self, project_root: Path, proposal: Proposal) -> str | None:
        """Return the commit that the branch points to now."""
        return _repository(project_root).git.ref(proposal.ref)

    def merge(self, project_root: Path, proposal: Proposal, remedy: Remedy, by: Reviewer) -> Carried:  # noqa: ARG002
        """Add a merge commit to the target branch, and bring its checkout, if there is one, up to it."""
        repository = _repository(project_root)
        target = proposal.target
        tip = repository.git.ref(target) if target else None
        if tip is None:
            raise InputError(
                "the branch it was proposed on is gone" if target else "no branch was checked out when it was proposed",
                where=target or str(repository.root),
                todo=f"Merge it yourself: git merge {_short(proposal.ref)}",
            )
        if _is_ancestor(repository.git, proposal.head, tip):
            _refuse_reverted(repository, tip, proposal)
            return Carried(Action.pr_merged, f"{_short(target)} has it already ({tip[:12]})")
        if repository.git.ref(proposal.ref) != proposal.head:
            raise InputError("the branch was changed since it was proven", where=proposal.ref, todo="Heal it again.")
        with scratch(repository) as git:
            old, new = _changed(git, proposal)
            _refuse_moved(git, tip, old, target)
            tree = _tree(git, tip, new)
            message = (
                f"Merge {_short(proposal.ref)}\n\nProven by Vértice and approved by a person.\n\n"
                f"Approved-by: {by.name} <{by.email}>\n"
            )
            commit = _commit(git, tree, (tip, proposal.head), message, author=(by.name, by.email))
            checkout = find_checkout(repository, target)
            if checkout is not None:
                place(checkout, git, old=old, new=new)
            repository.git.run("update-ref", "-m", f"vertice: merge {_short(proposal.ref)}", target, commit, tip)
        moved = (
            ""
            if tip == proposal.base
            else f"; {_short(target)} had moved on since the proof, the patch's files had not"
        )
        return Carried(Action.pr_merged, f"merged into {_short(target)} as {commit[:12]}{moved}")

    def close(
        self,
        project_root: Path,
        proposal: Proposal,
        record: DecisionRecord | None = None,  # noqa: ARG002 -- a branch has no place for a reason
    ) -> Carried:
        """Move the branch out of the way, unless somebody has added to it or works on it."""
        repository = _repository(project_root)
        git = repository.git
        head = git.ref(proposal.ref)
        if head is None:
            return Carried(Action.pr_closed, f"{_short(proposal.ref)} is gone already")
        if head != proposal.head:
            return Carried(Action.pr_closed, f"{_short(proposal.ref)} was left: it has commits that are not Vértice's")
        if find_checkout(repository, proposal.ref) is not None:
            return Carried(Action.pr_closed, f"{_short(proposal.ref)} was left: it is checked out")
        closed = _CLOSED + proposal.ref.removeprefix(_BRANCH)
        commands = f"start\nupdate {closed} {head}\ndelete {proposal.ref} {head}\ncommit\n"
        git.run("update-ref", "--stdin", stdin=commands.encode())
        return Carried(Action.pr_closed, f"{_short(proposal.ref)} is kept as {closed}")

    def request_changes(self, project_root: Path, proposal: Proposal, record: DecisionRecord) -> Carried:  # noqa: ARG002
        """Leave the branch as it is: the next heal tries what was asked for."""
        return Carried(Action.changes_requested, f"asked for {record.wanted}")

    def escalate(self, project_root: Path, proposal: Proposal, record: DecisionRecord) -> Carried:  # noqa: ARG002
        """Leave the branch as it is: a repository has nobody to call."""
        return Carried(Action.escalated, "raised")


def _repository(project_root: Path) -> Repository:
    refuse_absent(project_root)
    found = find_repository(project_root)
    if found is None:
        raise InputError("is no git repository any more", where=str(project_root), todo="Restore it, or heal it again.")
    return found


def _paths(repository: Repository, remedy: Remedy) -> Iterator[tuple[str, Edit]]:
    """Yield each edit with its path in the repository."""
    for edit in remedy.edits:
        yield inside(repository.root, repository.root / repository.prefix, edit.path), edit


def _committed(git: Git, base: str, path: str, edit: Edit) -> Entry:
    """Return the new file as it is to be committed, having checked that the old one is committed as it was scanned."""
    found = git.entry(base, path)
    if (found is None) != (edit.before is None):
        raise UncommittedError(
            "is not committed" if found is None else "is committed, but was not there when it was scanned",
            where=path,
            todo="Commit it and run it again.",
        )
    if found is None or edit.before is None:
        return Entry("100644", _write(git, edit.after.encode()))
    if found.mode not in {"100644", "100755"}:
        raise UncommittedError("is a link or a submodule, not a file", where=path, todo="Name the real file.")
    stored = git.blob(found.blob)
    before, after = edit.before.encode(), edit.after.encode()
    if stored == before:
        return Entry(found.mode, _write(git, after))
    # A checkout with core.autocrlf has CRLF where the repository has LF.
    if stored == before.replace(b"\r\n", b"\n"):
        return Entry(found.mode, _write(git, after.replace(b"\r\n", b"\n")))
    raise UncommittedError("has changes that are not committed", where=path, todo="Commit or stash them.")


def _write(git: Git, content: bytes) -> str:
    return git.text("hash-object", "-w", "--no-filters", "--stdin", stdin=content)


def _tree(git: Git, base: str, files: Mapping[str, Entry]) -> str:
    """Return the tree of `base` with `files` in place."""
    git.run("read-tree", base)
    lines = "".join(f"{entry.mode} {entry.blob}\t{path}\0" for path, entry in sorted(files.items()))
    git.run("update-index", "-z", "--add", "--index-info", stdin=lines.encode(errors="surrogateescape"))
    return git.text("write-tree")


def _commit(git: Git, tree: str, parents: tuple[str, ...], message: str, *, author: tuple[str, str]) -> str:
    name, email = (_plain(part) for part in author)
    env = {
        "GIT_AUTHOR_NAME": name,
        "GIT_AUTHOR_EMAIL": email,
        "GIT_COMMITTER_NAME": _NAME,
        "GIT_COMMITTER_EMAIL": _EMAIL,
    }
    flags = [flag for parent in parents for flag in ("-p", parent)]
    text = printable(message, limit=20_000, lines=True).encode()
    return git.text("commit-tree", "--no-gpg-sign", tree, *flags, "-F", "-", stdin=text, env=env)


def _plain(part: str) -> str:
    return printable(part).replace("<", "").replace(">", "")


def _names(code: str) -> Iterator[str]:
    yield _BRANCH + code
    yield from (f"{_BRANCH}{code}-{number}" for number in range(2, _MAX_SUFFIX + 1))


def _create(repository: Repository, ref: str, commit: str) -> None:
    absent = "0" * len(commit)
    try:
        repository.git.run("update-ref", "-m", "vertice: propose", ref, commit, absent)
    except VerticeError:
        # Another process was faster; the caller looks at what it made.
        if repository.git.ref(ref) is None:
            raise


def _is_ours(git: Git, head: str, base: str, tree: str) -> bool:
    lines = git.text("cat-file", "commit", head).split("\n\n", 1)[0].split("\n")
    parents = [line for line in lines if line.startswith("parent ")]
    return f"tree {tree}" in lines and parents == [f"parent {base}"]


def _current_branch(repository: Repository) -> str:
    return repository.git.text("symbolic-ref", "--quiet", "HEAD", ok=(0, 1))


def _is_ancestor(git: Git, commit: str, of: str) -> bool:
    return git.text("rev-list", "--max-count=1", commit, f"^{of}") == ""


def _changed(git: Git, proposal: Proposal) -> tuple[dict[str, Entry | None], dict[str, Entry]]:
    """Return what the patch's commit changes: path -> file before (None: new) and path -> file after."""
    old: dict[str, Entry | None] = {}
    new: dict[str, Entry] = {}
    parts = git.text("diff-tree", "-r", "-z", "--no-renames", "--no-ext-diff", proposal.base, proposal.head).split("\0")
    for meta, path in zip(parts[::2], parts[1::2], strict=False):
        mode_before, mode_after, blob_before, blob_after, status = meta.removeprefix(":").split(" ")
        old[path] = None if status == "A" else Entry(mode_before, blob_before)
        new[path] = Entry(mode_after, blob_after)
    return old, new


def _refuse_moved(git: Git, tip: str, old: Mapping[str, Entry | None], target: str) -> None:
    for path, entry in old.items():
        if git.entry(tip, path) != entry:
            raise InputError(
                f"was changed on {_short(target)} since the patch was proven",
                where=path,
                todo="The next scan, or `vertice heal`, proves it on what is there now.",
            )


def _refuse_reverted(repository: Repository, tip: str, proposal: Proposal) -> None:
    with scratch(repository) as git:
        old, _ = _changed(git, proposal)
        if all(git.entry(tip, path) == entry for path, entry in old.items()):
            raise InputError(
                f"was merged into {_short(proposal.target)} before, and undone again",
                where=_short(proposal.ref),
                todo="The next scan, or `vertice heal`, makes a new patch on what is there now.",
            )


def _short(ref: str) -> str:
    return ref.removeprefix("refs/heads/")
