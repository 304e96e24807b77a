"""What people are told of reviews and scans: the words for each kind of message that waits for `notifications`. Pure.

Names and reasons come from advisories, packages and forges: in here they cannot mention, link or format anything.
"""

import json
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Any

from vertice.kernel.bus.message import Message
from vertice.kernel.notify import Level, Notice
from vertice.kernel.text import printable

__all__ = ["notice_of"]

_MARKUP = str.maketrans(
    {"<": "‹", ">": "›", "@": "＠", "`": "'", "*": "∗", "~": "∼", "|": "¦", "[": "(", "]": ")", "#": "＃"}  # noqa: RUF001
)
"""What chats and mail programs make mentions, links and formatting of -> what looks alike and means nothing."""


def notice_of(message: Message, link: Callable[[str], str], *, escalate_to: Sequence[str] = ()) -> Notice | None:
    """Return what people are told of `message`, None when nothing. `link` gives the address of a review by its code.

    `escalate_to` (`Policy.escalate_to`): who is named when a review's time has passed.

    A review is told of once for each of its revisions and each reason to; an execution that
    failed, or that waits for long, once for each decision, a failed scan once.
    """
    if message.type == "scan.failed":
        return _scan_failed(message)
    build = _KINDS.get(message.type)
    if build is None:
        return None
    data = json.loads(message.data)
    level, title, lines = build(data)
    if message.type == "review.overdue" and escalate_to:
        lines = (*lines, f"Escalated to {', '.join(escalate_to)}.")
    key = f"{message.type}/{message.subject}/{data.get('revision')}"
    if message.type in {"execution.failed", "execution.waiting"}:
        key = f"{key}/{data['decision']['id']}"
    body = "\n".join([*lines, "", *_facts(data), "", link(message.subject)])
    return Notice(key[:200], title, body, level)


_Words = tuple[Level, str, tuple[str, ...]]


def _critical(data: Mapping[str, Any]) -> _Words:
    return Level.warning, f"Critical: {_what(data)}", ("The patch of a critical hole waits for a decision.",)


def _overdue(data: Mapping[str, Any]) -> _Words:
    return Level.warning, f"Overdue: {_what(data)}", ("Nobody has decided on it in time.",)


def _refuted(data: Mapping[str, Any]) -> _Words:
    return Level.warning, f"Refuted: {_what(data)}", ("The wargame refuted the patch: it cannot be approved.",)


def _scan_failed(message: Message) -> Notice:
    data = json.loads(message.data)
    facts = {
        "Project": _plain(data["project"], 200),
        "Scan": _plain(message.subject, 50),
        "Asked for by": f"a {_plain(data['trigger'], 20)}, {_moment(data['requested_at'])}",
    }
    body = "\n".join([_plain(data["detail"], 500), "", *_lines(facts)])
    title = f"Scan failed: {_plain(data['project'], 100)}"
    return Notice(f"{message.type}/{message.subject}"[:200], title, body, Level.failure)


def _not_carried_out(data: Mapping[str, Any]) -> _Words:
    decision = data["decision"]
    said = f"{_plain(decision['reviewer'], 100)} decided {_plain(decision['kind'], 20)}, but it could not be done:"
    return (
        Level.failure,
        f"Not carried out: {_what(data)}",
        (said, _plain(decision["detail"], 500), "The review is open again."),
    )


def _not_yet_carried_out(data: Mapping[str, Any]) -> _Words:
    decision = data["decision"]
    said = f"{_plain(decision['reviewer'], 100)} decided {_plain(decision['kind'], 20)} over an hour ago, but it waits:"
    end = "It is tried again for a day; then the review is open again."
    return Level.warning, f"Still waiting: {_what(data)}", (said, _plain(decision["detail"], 500), end)


_KINDS: Mapping[str, Callable[[Mapping[str, Any]], _Words]] = {
    "review.critical": _critical,
    "review.overdue": _overdue,
    "verdict.failed": _refuted,
    "execution.failed": _not_carried_out,
    "execution.waiting": _not_yet_carried_out,
}
"""Type of the message -> its words; `review.change` says when each is left."""


def _what(data: Mapping[str, Any]) -> str:
    return f"{_plain(data['cve'], 50)} in {_plain(data['package'], 100)} ({_plain(data['project'], 100)})"


def _facts(data: Mapping[str, Any]) -> list[str]:
    confidence = data.get("confidence")
    verdict = f"{_plain(data['verdict'], 20)} ({_plain(data['grade'], 20)})"
    facts = {
        "Review": _plain(data["code"], 50),
        "Project": _plain(data["project"], 200),
        "Package": f"{_plain(data['package'], 100)} {_plain(data.get('package_change'), 200)}".strip(),
        "Severity": _plain(data["severity"], 20),
        "Verdict": verdict if confidence is None else f"{verdict}, confidence {confidence:.2f}",
        "Decide until": _moment(data.get("due_at")),
    }
    return _lines(facts)


def _lines(facts: Mapping[str, str]) -> list[str]:
    return [f"{name}: {value}" for name, value in facts.items() if value]


def _moment(text: str | None) -> str:
    return f"{datetime.fromisoformat(text):%Y-%m-%d %H:%M} UTC" if text else ""


def _plain(text: object, limit: int) -> str:
    """Return `text` on one line that no channel reads as more than text."""
    shown = printable("" if text is None else str(text), limit=limit)
    return shown.translate(_MARKUP).replace("://", ":∕∕")  # noqa: RUF001
