"""What others are told of remedies and wargames, from the threads of a worker: each news once, whoever dies."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime

from vertice.adaptive.messages.announce import Announcer
from vertice.adaptive.messages.payloads import Remedy, WargameRequest
from vertice.adaptive.model import News, Ordered, Request
from vertice.adaptive.work.bridge import Bridge
from vertice.kernel.database import Database
from vertice.kernel.text import printable

__all__ = ["Telegraph"]

_MAX_APVS = 1000


def _now() -> datetime:
    return datetime.now(UTC)


@dataclass(frozen=True, slots=True)
class Telegraph:
    """Leaves the messages of `eureka.remedy.status` and `wargaming.trigger`, each in a transaction of its own.

    They are left inside the step that they tell of. The step may be repeated; a message of its name is left once.
    """

    bridge: Bridge
    database: Database
    clock: Callable[[], datetime] = _now

    def remedy(self, request: Request, news: News) -> None:
        """Tell what became of a remedy."""
        self.bridge.wait(self._remedy(_remedy(request, news), news))

    def wargame(self, request: Request, ordered: Ordered) -> None:
        """Tell that a wargame was asked for outside."""
        wanted = WargameRequest(
            code=ordered.run,
            arena=request.arena,
            apvs=ordered.apvs[:_MAX_APVS],
            project=_project(request),
            ref_before=ordered.before,
            ref_after=ordered.after,
            digest=ordered.digest,
            priority=ordered.priority,
        )
        self.bridge.wait(self._wargame(wanted))

    async def _remedy(self, remedy: Remedy, news: News) -> None:
        async with self.database.write() as session:
            announcer = Announcer(session, at=self.clock())
            await announcer.remedy(news.status.value, remedy, name=news.name)

    async def _wargame(self, wanted: WargameRequest) -> None:
        async with self.database.write() as session:
            announcer = Announcer(session, at=self.clock())
            await announcer.wargame_requested(wanted)


def _remedy(request: Request, news: News) -> Remedy:
    change, verdict = news.remedy.changes[0], news.verdict
    return Remedy.model_validate(
        {
            "apvs": news.remedy.apvs[:_MAX_APVS],
            "project": _project(request),
            "package": change.package,
            "from_version": printable(change.before, limit=200),
            "to_version": printable(change.after, limit=200),
            "strategy": str(news.remedy.strategy),
            "verdict": str(verdict.word) if verdict else None,
            "confidence": verdict.confidence if verdict else None,
            "wargame": news.run or None,
            "detail": printable(verdict.reasons[0], limit=1000) if verdict and verdict.reasons else "",
        }
    )


def _project(request: Request) -> str:
    return printable(request.name or request.known_as, limit=1000)
