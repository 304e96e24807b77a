"""Statistics, by request and live."""

import asyncio
import contextlib
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Annotated

from fastapi import APIRouter, Query, Response
from sqlalchemy import select

from vertice.adaptive.api import answers
from vertice.adaptive.api.access import Reading
from vertice.adaptive.api.service import Service
from vertice.adaptive.messages.live import Waiting
from vertice.adaptive.review.figures import counts, statistics
from vertice.adaptive.review.statistics import Statistics
from vertice.kernel.bus.events import emit
from vertice.kernel.bus.live import Listener, Live
from vertice.kernel.bus.tables import EventHeadRow
from vertice.kernel.codec import to_plain
from vertice.kernel.database import Database
from vertice.kernel.errors import VerticeError
from vertice.kernel.http.problem import responses

__all__ = ["router", "tell_statistics"]

_PAUSE = timedelta(seconds=1)
"""Between two live updates, however much is decided."""


def router(service: Service) -> APIRouter:
    """Return the routes."""
    routes = APIRouter(prefix="/hitl", tags=["statistics"])

    @routes.get("/statistics", response_model=Statistics, responses=responses(401, 403, 422))
    async def show_statistics(
        _: Reading,
        project: Annotated[str, Query(max_length=200, description="Name of a project; all when it is left out.")] = "",
        days: Annotated[int, Query(ge=1, le=365, description="How many days back.")] = 30,
    ) -> Response:
        """Say what waits, what was decided, and how long it took. docs/policy.md says what each figure means."""
        async with service.database.read() as session:
            found = await statistics(session, service.clock(), project=project or None, days=days)
        return answers.document(found)

    return routes


async def tell_statistics(database: Database, live: Live, clock: Callable[[], datetime]) -> None:
    """Tell the channel `stats` what waits, after each change but at most once a second, until cancelled.

    Every API process does this; which of them gets to tell, the database says.
    """
    listener = Listener()
    for channel in ("reviews", "decisions"):
        await live.listen(listener, channel)
    while True:
        if await listener.next() is None:  # more changes than could be counted: all the same, there were some
            live.leave_all(listener)
            listener = Listener()
            for channel in ("reviews", "decisions"):
                await live.listen(listener, channel)
        await asyncio.sleep(_PAUSE.total_seconds())
        listener.clear()
        with contextlib.suppress(VerticeError):  # the database is away: the next change tells it
            if await _tell(database, clock()):
                live.wake()


async def _tell(database: Database, now: datetime) -> bool:
    async with database.read() as reading:
        waiting = Waiting.model_validate(to_plain(await counts(reading, now)))
    async with database.write() as session:
        held = select(EventHeadRow.at).where(EventHeadRow.channel == "stats").with_for_update()
        last = (await session.execute(held)).scalar()
        if last is not None and now - last < _PAUSE:
            return False
        await emit(session, "stats", "stats_update", subject="", data=waiting.model_dump(), at=now)
    return True
