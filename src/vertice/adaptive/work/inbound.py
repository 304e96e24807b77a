"""What comes in by messages: findings of outside scanners."""

from vertice.adaptive.advisories.model import Severity
from vertice.adaptive.messages.payloads import ApvDispatched
from vertice.adaptive.messages.queues import APV_DISPATCH
from vertice.adaptive.projects.store import ProjectStore
from vertice.kernel.bus.inbox import Subscription
from vertice.kernel.database import WriteSession
from vertice.kernel.text import printable

__all__ = ["dispatches"]

_PRIORITIES = {Severity.critical: 1, Severity.high: 2, Severity.medium: 4, Severity.low: 6}
_UNKNOWN = 3
"""Priority of a finding whose severity the scanner does not say."""


def dispatches(projects: ProjectStore) -> Subscription[ApvDispatched]:
    """Return what is done about a finding of an outside scanner: the project is scanned and healed anew.

    The scanner is not believed: whether there is such a finding, our own scan says. What it told is in the audit log.
    """

    async def look_at_it(session: WriteSession, event: ApvDispatched) -> None:
        told = event.data
        await projects.dispatched(
            session,
            told.project,
            by=f"scanner {printable(told.scanner, limit=150)}",
            priority=_PRIORITIES[Severity(told.severity)] if told.severity else _UNKNOWN,
            payload={
                "message": event.id,
                "source": event.source,
                "advisory": told.advisory,
                "package": told.package,
                "version": told.version,
            },
        )

    return Subscription(APV_DISPATCH, ApvDispatched, look_at_it)
