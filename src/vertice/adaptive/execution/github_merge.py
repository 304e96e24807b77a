"""Merging a pull request: only what was proven, only where it was proven, only when the checks allow it."""

from typing import TYPE_CHECKING, NoReturn

from vertice.adaptive.execution.github_checks import CONTEXT, checks_of, method_of, required_checks, state_of
from vertice.adaptive.execution.github_client import message_of
from vertice.adaptive.execution.github_commit import refuse_moved
from vertice.adaptive.execution.github_models import Pull
from vertice.adaptive.execution.github_pull import pull_for, say, short
from vertice.adaptive.execution.github_text import harmless
from vertice.adaptive.execution.interface import Carried, NotYetError
from vertice.adaptive.review.model import Action, Proposal, Reviewer
from vertice.kernel.errors import InputError
from vertice.kernel.text import printable

if TYPE_CHECKING:
    from collections.abc import Iterable

    from vertice.adaptive.execution.github_api import Api
    from vertice.adaptive.remedy.model import Edit

__all__ = ["merge"]


def merge(
    api: "Api", proposal: Proposal, edits: "Iterable[tuple[str, Edit]]", by: Reviewer, wanted_method: str
) -> Carried:
    """Merge the pull request of `proposal`, or say that it was merged before. `edits`: path in the repository, edit."""
    target = short(proposal.target)
    pull = pull_for(api, short(proposal.ref))
    if pull is None:
        raise InputError("has no pull request any more", where=short(proposal.ref), todo="Heal it again.")
    if (done := _already(pull, proposal)) is not None:
        return done
    where = f"{api.owner}/{api.repo}#{pull.number}"
    branch, rules = api.branch(target), api.rules(target)
    refuse_moved(api, branch.commit.sha, edits, target)
    statuses = api.statuses(proposal.head)
    checks = checks_of(statuses, api.check_runs(proposal.head).check_runs, required_checks(branch, rules))
    if checks.failed:
        raise InputError(
            f"checks failed: {_listed(checks.failed)}", where=where, todo="Look at them, then decide again."
        )
    if checks.running:
        raise NotYetError(
            f"checks are running: {_listed(checks.running)}", where=where, todo="It is merged when they pass."
        )
    own = next((status for status in statuses if status.context == CONTEXT), None)
    if own is not None and own.state != "success":
        accepted = f"not proven by the wargame; accepted by {harmless(by.name, limit=80)}"
        say(api, proposal.head, "success", accepted, own.target_url or "")
    _refuse_unmergeable(api.pull(pull.number), where)
    return _merge_now(api, pull, proposal, method_of(api.repository(), rules, wanted_method), _approval(by))


def _already(pull: Pull, proposal: Proposal) -> Carried | None:
    """Return what came of it before; None when it is to be merged. Raises InputError when it must not be."""
    where = f"pull request {pull.number}"
    state = state_of(pull)
    if pull.head.sha != proposal.head:
        done = "merged with" if state == "merged" else "given"
        raise InputError(
            f"was {done} commits that were not proven",
            where=where,
            todo="Look at what was merged." if state == "merged" else "Heal it again.",
        )
    if state == "closed":
        raise InputError("was closed by hand", where=where, todo="Open it again, then decide again.")
    if state == "merged":
        return Carried(Action.pr_merged, f"{where} is merged into {short(proposal.target)}")
    if pull.base.ref != short(proposal.target):
        raise InputError(
            f"now goes to {printable(pull.base.ref, limit=200)}, for which it was not proven",
            where=where,
            todo=f"Let it go to {short(proposal.target)} again, then decide again.",
        )
    return None


def _refuse_unmergeable(pull: Pull, where: str) -> None:
    if pull.mergeable is None:
        raise NotYetError("GitHub is working out whether it can be merged", where=where, todo="It is asked again.")
    reasons = {
        "dirty": ("conflicts with the target branch", "Heal it again."),
        "draft": ("is a draft", "Mark it as ready, then decide again."),
        "behind": ("is behind the target branch, which its rules do not allow", "Heal it again."),
        "blocked": (
            "the branch's rules do not allow it yet",
            "See on GitHub what it waits for (a review, say), then decide again.",
        ),
    }
    if not pull.mergeable or pull.mergeable_state in reasons:
        what, todo = reasons.get(pull.mergeable_state, ("cannot be merged", "See the reason on GitHub."))
        raise InputError(what, where=where, todo=todo)


def _merge_now(api: "Api", pull: Pull, proposal: Proposal, method: str, message: str) -> Carried:
    from githubkit.exception import RequestFailed

    target = short(proposal.target)
    try:
        merged = api.merge_pull(pull.number, head=proposal.head, method=method, message=message)
    except RequestFailed as error:
        if error.response.status_code not in {405, 409}:
            raise
        # A try before this one may have merged it, or a person a moment ago.
        if (done := _already(api.pull(pull.number), proposal)) is not None:
            return done
        _not_merged(message_of(error), pull)
    return Carried(Action.pr_merged, f"merged pull request {pull.number} into {target} as {merged.sha[:12]}")


def _not_merged(said: str, pull: Pull) -> NoReturn:
    where = f"pull request {pull.number}"
    if "modified" in said:  # "Base branch was modified. Review and try the merge again."
        raise NotYetError(f"GitHub did not merge it: {said}", where=where, todo="It is tried again.")
    raise InputError(f"GitHub refuses to merge it: {said}", where=where, todo="See the reason on GitHub.")


def _approval(by: Reviewer) -> str:
    name, email = harmless(by.name, limit=100), harmless(by.email, limit=150)
    return f"Proven by Vértice and approved by a person.\n\nApproved-by: {name} <{email}>"


def _listed(names: tuple[str, ...]) -> str:
    return ", ".join(printable(name, limit=100) for name in names[:10])
