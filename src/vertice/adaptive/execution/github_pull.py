"""What is done to a pull request, whatever the decision: found, labelled, commented on, its check set."""

from typing import TYPE_CHECKING

from vertice.adaptive.execution.github_checks import CONTEXT, state_of
from vertice.adaptive.execution.github_client import limit_ends_in, message_of
from vertice.adaptive.execution.github_models import Pull, Status, StatusWord
from vertice.adaptive.execution.github_text import marker
from vertice.adaptive.review.model import DecisionRecord
from vertice.kernel.logging import get_logger

if TYPE_CHECKING:
    from vertice.adaptive.execution.github_api import Api

__all__ = ["comment_once", "pull_for", "put_labels", "say", "short"]


def pull_for(api: "Api", branch: str) -> Pull | None:
    """Return the pull request from `branch`: an open one first, then a merged one, then the newest."""
    order = {"open": 0, "merged": 1, "closed": 2}
    return min(api.pulls_from(branch), key=lambda pull: order[state_of(pull)], default=None)


def put_labels(api: "Api", pull: Pull, wanted: dict[str, tuple[str, str]]) -> None:
    """Put labels on, made where they are missing. A token that may not is no reason to stop: they only help to find."""
    from githubkit.exception import RequestFailed

    present = {label.name.casefold() for label in pull.labels}
    missing = {name: look for name, look in wanted.items() if name.casefold() not in present}
    if not missing:
        return
    try:
        for name, (color, about) in missing.items():
            api.create_label(name, color, about)
        api.add_labels(pull.number, tuple(missing))
    except RequestFailed as error:
        if error.response.status_code not in {403, 404} or limit_ends_in(error) is not None:
            raise
        get_logger(__name__).warning(
            "no rights for labels", repository=f"{api.owner}/{api.repo}", why=message_of(error)
        )


def comment_once(api: "Api", pull: Pull, body: str, record: DecisionRecord) -> None:
    """Write the comment on a decision, unless it is there."""
    sign = marker("decision", str(record.id))
    if not any(sign in (comment.body or "") for comment in api.comments(pull.number)):
        api.comment(pull.number, body)


def say(api: "Api", commit: str, state: StatusWord, description: str, url: str) -> None:
    """Set our status check, unless it says just that."""
    wanted = Status(CONTEXT, state, description, url or None)
    if wanted not in api.statuses(commit):
        api.set_status(commit, wanted)


def short(ref: str) -> str:
    """Return a branch's name without `refs/heads/`."""
    return ref.removeprefix("refs/heads/")
