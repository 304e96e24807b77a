"""The requests that the forge makes, one method each."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeVar
from urllib.parse import quote

from vertice.adaptive.execution.github_models import (
    Artifact,
    Artifacts,
    BranchState,
    CheckRuns,
    CombinedStatus,
    Comment,
    Commit,
    Created,
    Dispatched,
    GitTree,
    Merged,
    Pull,
    Ref,
    Repository,
    Rule,
    Status,
    TreeEntry,
    WorkflowRun,
    WorkflowRuns,
    parse,
)

if TYPE_CHECKING:
    from githubkit import GitHub as GitHubKit
    from githubkit import Response

__all__ = ["Api"]

_PAGE = 100
_PAGES = 30
"""Most pages that are read of any list: comments by the thousand are no reason to ask for ever."""

_T = TypeVar("_T")


@dataclass(frozen=True, slots=True)
class Api:
    """One repository. Raises githubkit's exceptions; where None is possible it stands for "there is none"."""

    kit: "GitHubKit[Any]"
    owner: str
    repo: str

    @property
    def at(self) -> tuple[str, str]:
        """What every request begins with."""
        return self.owner, self.repo

    def repository(self) -> Repository:
        """Return the repository."""
        return parse(Repository, self.kit.rest.repos.get(*self.at).content)

    def branch(self, name: str) -> BranchState:
        """Return a branch with what protects it."""
        return parse(BranchState, self.kit.rest.repos.get_branch(*self.at, _quoted(name)).content)

    def rules(self, branch: str) -> tuple[Rule, ...]:
        """Return the rules that hold for a branch."""
        # A private repository of a free account can have none, and GitHub then says what an upgrade costs.
        found = _unless(
            403,
            "Upgrade to",
            lambda: self.kit.rest.repos.get_branch_rules(*self.at, _quoted(branch), per_page=_PAGE),
        )
        return () if found is None else parse(tuple[Rule, ...], found)

    def ref(self, name: str) -> str | None:
        """Return the commit that `refs/heads/…` points to."""
        short = name.removeprefix("refs/")
        content = _or_none(lambda: self.kit.rest.git.get_ref(*self.at, _quoted(short)))
        if content is None:
            self.repository()  # says so when it is the repository that is not there
            return None
        return parse(Ref, content).object.sha

    def refs_like(self, name: str) -> dict[str, str]:
        """Return every ref that begins with `name`, and its commit."""
        short = name.removeprefix("refs/")
        answer = self.kit.rest.git.list_matching_refs(*self.at, _quoted(short))
        return {one.ref: one.object.sha for one in parse(tuple[Ref, ...], answer.content)}

    def create_ref(self, name: str, commit: str) -> None:
        """Make a branch. One that is there already stays as it is."""
        _unless(422, "already exists", lambda: self.kit.rest.git.create_ref(*self.at, ref=name, sha=commit))

    def delete_ref(self, name: str) -> None:
        """Remove a branch. None to remove is fine."""
        short = name.removeprefix("refs/")
        _unless(422, "does not exist", lambda: self.kit.rest.git.delete_ref(*self.at, _quoted(short)))

    def commit(self, sha: str) -> Commit:
        """Return a commit."""
        return parse(Commit, self.kit.rest.git.get_commit(*self.at, _quoted(sha)).content)

    def create_commit(self, message: str, tree: str, parent: str) -> str:
        """Make a commit and return its id. GitHub names its author after the token, and signs it for an App."""
        made = self.kit.rest.git.create_commit(*self.at, message=message, tree=tree, parents=[parent])
        return parse(Created, made.content).sha

    def entry(self, tree: str, path: str) -> TreeEntry | None:
        """Return the file or folder at `path` below a tree."""
        found: TreeEntry | None = None
        for part in path.split("/"):
            listed = parse(GitTree, self.kit.rest.git.get_tree(*self.at, _quoted(tree)).content)
            found = next((entry for entry in listed.tree if entry.path == part), None)
            if found is None:
                return None
            tree = found.sha
        return found

    def create_tree(self, base: str, files: Sequence[tuple[str, str, str]]) -> str:
        """Return the id of the tree `base` with `files` (path, mode, content) in place."""
        entries: list[Any] = [
            {"path": path, "mode": mode, "type": "blob", "content": content} for path, mode, content in files
        ]
        return parse(Created, self.kit.rest.git.create_tree(*self.at, base_tree=base, tree=entries).content).sha

    def pulls_from(self, branch: str) -> tuple[Pull, ...]:
        """Return every pull request from a branch of this repository, the newest first."""
        label = f"{self.owner}:{branch}"
        found = self.kit.rest.pulls.list(*self.at, head=label, state="all", per_page=_PAGE)
        # GitHub ignores a `head` that it cannot read, and then lists all there are.
        return tuple(
            pull
            for pull in parse(tuple[Pull, ...], found.content)
            if pull.head.label is not None and pull.head.label.casefold() == label.casefold()
        )

    def pull(self, number: int) -> Pull:
        """Return a pull request."""
        return parse(Pull, self.kit.rest.pulls.get(*self.at, number).content)

    def create_pull(self, title: str, body: str, head: str, base: str) -> Pull | None:
        """Open a pull request; None when there is one for these branches already."""
        made = _unless(
            422,
            "already exists",
            lambda: self.kit.rest.pulls.create(*self.at, title=title, body=body, head=head, base=base),
        )
        return None if made is None else parse(Pull, made)

    def close_pull(self, number: int) -> None:
        """Close a pull request without merging it."""
        self.kit.rest.pulls.update(*self.at, number, state="closed")

    def merge_pull(self, number: int, *, head: str, method: str, message: str) -> Merged:
        """Merge a pull request if `head` is still its last commit."""
        how: dict[str, Any] = {"merge_method": method} if method else {}
        answer = self.kit.rest.pulls.merge(*self.at, number, sha=head, commit_message=message, **how)
        return parse(Merged, answer.content)

    def ask_for_changes(self, number: int, *, head: str, body: str) -> bool:
        """Leave a review that asks for changes; False when GitHub does not let the author of the patch do that."""
        made = _unless(
            422,
            "own pull request",
            lambda: self.kit.rest.pulls.create_review(
                *self.at, number, commit_id=head, body=body, event="REQUEST_CHANGES"
            ),
        )
        return made is not None

    def comments(self, number: int) -> Iterator[Comment]:
        """Yield every comment on a pull request."""
        yield from _pages(
            lambda page: self.kit.rest.issues.list_comments(*self.at, number, per_page=_PAGE, page=page),
            tuple[Comment, ...],
        )

    def reviews(self, number: int) -> Iterator[Comment]:
        """Yield every review of a pull request."""
        yield from _pages(
            lambda page: self.kit.rest.pulls.list_reviews(*self.at, number, per_page=_PAGE, page=page),
            tuple[Comment, ...],
        )

    def comment(self, number: int, body: str) -> None:
        """Write a comment."""
        self.kit.rest.issues.create_comment(*self.at, number, body=body)

    def create_label(self, name: str, color: str, description: str) -> None:
        """Make a label. One that is there already stays as it is."""
        _unless(
            422,
            "already_exists",
            lambda: self.kit.rest.issues.create_label(*self.at, name=name, color=color, description=description),
        )

    def add_labels(self, number: int, names: Sequence[str]) -> None:
        """Put labels on a pull request."""
        self.kit.rest.issues.add_labels(*self.at, number, labels=list(names))

    def assign(self, number: int, logins: Sequence[str]) -> None:
        """Assign people. GitHub passes over who cannot be assigned."""
        self.kit.rest.issues.add_assignees(*self.at, number, assignees=list(logins))

    def statuses(self, commit: str) -> tuple[Status, ...]:
        """Return what outside services say of a commit."""
        answer = self.kit.rest.repos.get_combined_status_for_ref(*self.at, _quoted(commit), per_page=_PAGE)
        return parse(CombinedStatus, answer.content).statuses

    def check_runs(self, commit: str) -> CheckRuns:
        """Return the checks of a commit."""
        return parse(CheckRuns, self.kit.rest.checks.list_for_ref(*self.at, _quoted(commit), per_page=_PAGE).content)

    def set_status(self, commit: str, status: Status) -> None:
        """Say something of a commit."""
        self.kit.rest.repos.create_commit_status(
            *self.at,
            _quoted(commit),
            state=status.state,
            context=status.context,
            description=status.description,
            target_url=status.target_url,
        )

    def workflow_runs(self, file: str) -> tuple[WorkflowRun, ...]:
        """Return the last runs of a workflow that were asked for."""
        answer = self.kit.rest.actions.list_workflow_runs(
            *self.at, _quoted(file), event="workflow_dispatch", per_page=_PAGE
        )
        return parse(WorkflowRuns, answer.content).workflow_runs

    def workflow_run(self, run: int) -> WorkflowRun:
        """Return a run of a workflow."""
        return parse(WorkflowRun, self.kit.rest.actions.get_workflow_run(*self.at, run).content)

    def dispatch(self, file: str, branch: str, inputs: dict[str, str]) -> int:
        """Start a workflow and return the number of its run."""
        given: dict[str, Any] = dict(inputs)
        answer = self.kit.rest.actions.create_workflow_dispatch(*self.at, _quoted(file), ref=branch, inputs=given)
        return parse(Dispatched, answer.content).workflow_run_id

    def artifacts(self, run: int) -> tuple[Artifact, ...]:
        """Return what a run left behind."""
        answer = self.kit.rest.actions.list_workflow_run_artifacts(*self.at, run, per_page=_PAGE)
        return parse(Artifacts, answer.content).artifacts

    def artifact(self, number: int) -> Iterator[bytes]:
        """Yield an artifact as a zip file, piece by piece."""
        yield from self.kit.rest.actions.download_artifact(*self.at, number, "zip", stream=True).iter_bytes()

    def tarball(self, commit: str) -> Iterator[bytes]:
        """Yield the files of a commit as a gzipped tar, piece by piece."""
        yield from self.kit.rest.repos.download_tarball_archive(*self.at, _quoted(commit), stream=True).iter_bytes()


def _quoted(part: str) -> str:
    """Return `part` as one part of a path: githubkit puts it in as it is."""
    return quote(part, safe="")


def _or_none(send: "Callable[[], Response[Any]]") -> bytes | None:
    from githubkit.exception import RequestFailed

    try:
        return send().content
    except RequestFailed as error:
        if error.response.status_code == 404:
            return None
        raise


def _unless(status: int, word: str, send: "Callable[[], Response[Any]]") -> bytes | None:
    """Return the answer, None when GitHub refuses with this status for this reason."""
    from githubkit.exception import RequestFailed

    try:
        return send().content
    except RequestFailed as error:
        if error.response.status_code == status and word in error.response.text:
            return None
        raise


def _pages(send: "Callable[[int], Response[Any]]", model: type[tuple[_T, ...]]) -> Iterator[_T]:
    for page in range(1, _PAGES + 1):
        found = parse(model, send(page).content)
        yield from found
        if len(found) < _PAGE:
            return
