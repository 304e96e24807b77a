"""The forge of a project that lies on GitHub: a proposal is a branch `vertice/APV-…` and its pull request.

Proposing makes one commit on top of the one that was scanned, through GitHub's API: nothing is cloned or pushed.
Approving merges the pull request, when its last commit is still the proven one, the files of the patch are on the
target branch as they were when it was proven, and the checks allow it. What a person did by hand meanwhile counts.

Everything we make is found again, by its name, its content or a line that nobody sees (`github_text.marker`), so
each call can be killed between any two requests and made again.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from vertice.adaptive.execution import github_body
from vertice.adaptive.execution.github_checks import state_of
from vertice.adaptive.execution.github_client import Access, session
from vertice.adaptive.execution.github_commit import make_branch, new_file, paths
from vertice.adaptive.execution.github_fetch import Source, recorded_source, source_of
from vertice.adaptive.execution.github_merge import merge
from vertice.adaptive.execution.github_pull import comment_once, pull_for, put_labels, say, short
from vertice.adaptive.execution.github_text import harmless, marker
from vertice.adaptive.execution.interface import Carried, Dossier, NotYetError
from vertice.adaptive.remedy.model import Remedy
from vertice.adaptive.review.model import Action, DecisionRecord, Proposal, Reviewer
from vertice.kernel.errors import InputError
from vertice.kernel.text import printable

if TYPE_CHECKING:
    from collections.abc import Callable

    from vertice.adaptive.execution.github_api import Api

__all__ = ["GitHub", "GitHubSettings"]

_T = TypeVar("_T")

_WANTED, _RAISED = "changes requested", "escalated"
_COLOURS = {_WANTED: "e99695", _RAISED: "b60205"}


@dataclass(frozen=True, slots=True)
class GitHubSettings:
    """How Vértice works on GitHub."""

    access: Access
    labels: tuple[str, ...] = ("vertice", "security")
    leads: tuple[str, ...] = ()
    """Logins that an escalated pull request is assigned to."""
    merge_method: str = ""
    """`merge`, `squash` or `rebase`; "" for the first of these that the repository allows."""
    review_url: str = ""
    """Address of a review with `{code}` in it, for links; "" for no links."""


@dataclass(frozen=True, slots=True)
class GitHub:
    """`Forge` over GitHub's API, for projects that `github_fetch.fetch` brought under `home`."""

    settings: GitHubSettings
    home: Path
    branch: str = ""
    """That a patch goes to; "" for the repository's default."""
    name: str = "github"

    def propose(
        self, project_root: Path, remedy: Remedy, code: str, message: str, dossier: Dossier | None = None
    ) -> Proposal:
        """Make branch, commit, pull request, labels and status check, or find what a call before this one made."""
        return self._session(
            source_of(self.home, project_root),
            project_root,
            lambda api, source: self._propose(api, source, project_root, remedy, code, message, dossier),
        )

    def head(self, project_root: Path, proposal: Proposal) -> str | None:
        """Return the commit that the branch points to now."""
        return self._proposed(project_root, proposal, lambda api, _: api.ref(proposal.ref))

    def merge(self, project_root: Path, proposal: Proposal, remedy: Remedy, by: Reviewer) -> Carried:
        """Merge the pull request."""
        method = self.settings.merge_method
        return self._proposed(
            project_root,
            proposal,
            lambda api, source: merge(api, proposal, paths(source, project_root, remedy), by, method),
        )

    def close(self, project_root: Path, proposal: Proposal, record: DecisionRecord) -> Carried:
        """Close the pull request with the reason, and remove the branch if nobody added to it."""
        return self._proposed(project_root, proposal, lambda api, _: _close(api, proposal, record))

    def request_changes(self, project_root: Path, proposal: Proposal, record: DecisionRecord) -> Carried:
        """Leave a review that asks for changes, or a comment and a label where the patch's author may not review."""
        return self._proposed(project_root, proposal, lambda api, _: _request_changes(api, proposal, record))

    def escalate(self, project_root: Path, proposal: Proposal, record: DecisionRecord) -> Carried:
        """Say so in a comment, label the pull request, assign it to the leads."""
        return self._proposed(project_root, proposal, lambda api, _: self._escalate(api, proposal, record))

    def _proposed(self, project_root: Path, proposal: Proposal, work: "Callable[[Api, Source], _T]") -> _T:
        """Work where `proposal` was made, maybe by another machine: its files are not here, and are not needed."""
        return self._session(recorded_source(project_root, proposal.base), project_root, work)

    def _session(self, source: Source | None, project_root: Path, work: "Callable[[Api, Source], _T]") -> _T:
        if source is None:
            raise InputError(
                "was not fetched from GitHub", where=str(project_root), todo="Register the repository and scan it."
            )
        return session(self.settings.access, source.owner, source.repo, lambda api: work(api, source))

    def _propose(
        self,
        api: "Api",
        source: Source,
        project_root: Path,
        remedy: Remedy,
        code: str,
        message: str,
        dossier: Dossier | None,
    ) -> Proposal:
        target = self.branch or api.repository().default_branch
        root = api.commit(source.commit).tree.sha
        files = [new_file(api, root, path, edit) for path, edit in paths(source, project_root, remedy)]
        tree = api.create_tree(root, files)
        ref, head = make_branch(api, source.commit, tree, code, github_body.commit_message(message))
        branch = short(ref)
        pull = pull_for(api, branch)
        if pull is None:
            url = self.settings.review_url.replace("{code}", code)
            title = github_body.title(remedy, dossier) if dossier else harmless(message.partition("\n")[0])
            body = github_body.body(remedy, dossier, code, url) if dossier else github_body.plain_body(message, code)
            pull = api.create_pull(title, body, branch, target) or pull_for(api, branch)
        if pull is None:
            raise NotYetError(
                "GitHub does not show the pull request yet", where=branch, todo="It is looked for again later."
            )
        put_labels(api, pull, github_body.labels(dossier, self.settings.labels))
        if dossier is not None:
            state, description = github_body.status_of(dossier)
            say(api, head, state, description, self.settings.review_url.replace("{code}", code))
        return Proposal(
            self.name,
            ref=ref,
            head=head,
            base=source.commit,
            target=f"refs/heads/{target}",
            note=printable(pull.html_url, limit=300),
        )

    def _escalate(self, api: "Api", proposal: Proposal, record: DecisionRecord) -> Carried:
        pull = pull_for(api, short(proposal.ref))
        if pull is None:
            return Carried(Action.escalated, f"{short(proposal.ref)} has no pull request any more")
        comment_once(api, pull, github_body.comment("Escalated", record), record)
        put_labels(api, pull, {_RAISED: (_COLOURS[_RAISED], "Waits for a lead's decision")})
        if not self.settings.leads:
            return Carried(Action.escalated, f"labelled pull request {pull.number}")
        api.assign(pull.number, self.settings.leads)
        return Carried(Action.escalated, f"assigned pull request {pull.number} to {', '.join(self.settings.leads)}")


def _close(api: "Api", proposal: Proposal, record: DecisionRecord) -> Carried:
    branch = short(proposal.ref)
    pull = pull_for(api, branch)
    if pull is not None and state_of(pull) == "merged":
        raise InputError(
            f"pull request {pull.number} was merged by hand",
            where=f"{api.owner}/{api.repo}",
            todo="Revert it there if it must not stay.",
        )
    told = f"closed pull request {pull.number}" if pull else f"{branch} has no pull request any more"
    if pull is not None:
        comment_once(api, pull, github_body.comment("Rejected", record), record)
        if state_of(pull) == "open":
            api.close_pull(pull.number)
    head = api.ref(proposal.ref)
    if head is not None and head != proposal.head:
        return Carried(Action.pr_closed, f"{told}; {branch} was left: it has commits that are not Vértice's")
    if head is not None:
        api.delete_ref(proposal.ref)
    return Carried(Action.pr_closed, told)


def _request_changes(api: "Api", proposal: Proposal, record: DecisionRecord) -> Carried:
    wanted = f"asked for {record.wanted}"
    pull = pull_for(api, short(proposal.ref))
    if pull is None:
        return Carried(Action.changes_requested, f"{wanted}; {short(proposal.ref)} has no pull request any more")
    body = github_body.comment("Changes requested", record)
    sign = marker("decision", str(record.id))
    if any(sign in (review.body or "") for review in api.reviews(pull.number)):
        return Carried(Action.changes_requested, f"{wanted} at pull request {pull.number}")
    if state_of(pull) != "open" or not api.ask_for_changes(pull.number, head=pull.head.sha, body=body):
        comment_once(api, pull, body, record)
        put_labels(api, pull, {_WANTED: (_COLOURS[_WANTED], "A reviewer asked for another version")})
    return Carried(Action.changes_requested, f"{wanted} at pull request {pull.number}")
