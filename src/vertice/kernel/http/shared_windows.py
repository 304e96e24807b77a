"""Counting requests in Redis, so that all processes and machines share the count."""

import asyncio
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeAlias

from limits import RateLimitItemPerSecond
from limits.aio.storage import RedisStorage
from limits.aio.strategies import SlidingWindowCounterRateLimiter
from redis.asyncio import BlockingConnectionPool
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import RedisError

from vertice.kernel.http.windows import Rate, wait_for

__all__ = ["SharedWindows"]

_TIMEOUT = 0.25
"""Seconds for one answer of Redis; whoever waits for it is a request."""
_CONNECTIONS = 20
_SHARE = 100
"""A process takes up to one in so many of a rate at once, and spends it without asking again."""
_KEEP = 5.0
"""Seconds for which what was taken at once may be spent: it was counted when it was taken."""
_REFUSE = 1.0
"""Seconds for which a refusal is repeated without asking again: a flood costs Redis nothing."""
_MOST_SUBJECTS = 20_000


_Key: TypeAlias = tuple[str, str]


@dataclass(slots=True)
class _Known:
    units: int
    """Requests that are counted already; 0 when the subject was refused."""
    until: float
    free_at: float = 0.0


class SharedWindows:
    """The count in Redis. `take` raises RedisError or OSError when Redis cannot answer.

    With P processes, up to P-1 percent of a rate may lie unspent with others when somebody is refused.
    """

    def __init__(self, url: str, *, prefix: str, clock: Callable[[], float]) -> None:
        self._pool = BlockingConnectionPool.from_url(
            url,
            max_connections=_CONNECTIONS,
            timeout=_TIMEOUT,
            socket_timeout=_TIMEOUT,
            socket_connect_timeout=_TIMEOUT,
            retry=Retry(NoBackoff(), 1),  # once more, for a connection that Redis has closed since
        )
        # The storage reads only the scheme of its own URL: the pool knows the way.
        options: dict[str, Any] = {"connection_pool": self._pool}
        self._storage = RedisStorage("async+redis://", implementation="redispy", key_prefix=prefix, **options)
        self._limiter = SlidingWindowCounterRateLimiter(self._storage)
        self._clock = clock
        self._known: OrderedDict[_Key, _Known] = OrderedDict()
        self._asking: dict[_Key, asyncio.Future[None]] = {}

    async def take(self, rate: Rate, subject: str) -> float:
        """Count one request, as `Windows.take` says."""
        key = (rate.name, subject)
        while True:
            known = self._spent(key)
            if known is not None:
                return known
            others = self._asking.get(key)
            if others is None:
                break
            await asyncio.shield(others)  # of a subject's requests one asks; the others may find what it brings
        asking = self._asking[key] = asyncio.get_running_loop().create_future()
        try:
            return await self._ask(rate, subject)
        except (RedisError, OSError) as error:
            asking.set_exception(error)
            asking.exception()  # nobody may be waiting for it
            raise
        finally:
            del self._asking[key]
            if not asking.done():
                asking.set_result(None)

    def forget(self) -> None:
        """Ask Redis again for everyone."""
        self._known.clear()

    async def close(self) -> None:
        """Give the connections back."""
        await self._pool.aclose()

    def _spent(self, key: _Key) -> float | None:
        """Answer from what is known, None when Redis must be asked."""
        now = self._clock()
        known = self._known.get(key)
        if known is None or known.until <= now:
            return None
        if not known.units:
            return known.free_at - now
        if known.units > 1:
            known.units -= 1
        else:
            del self._known[key]
        return 0.0

    async def _ask(self, rate: Rate, subject: str) -> float:
        item = RateLimitItemPerSecond(rate.amount, rate.seconds, namespace=rate.name)
        at_once = max(1, rate.amount // _SHARE)
        if await self._limiter.hit(item, subject, cost=at_once):
            if at_once > 1:
                self._keep(rate, subject, _Known(at_once - 1, self._clock() + min(_KEEP, rate.seconds)))
            return 0.0
        if at_once > 1 and await self._limiter.hit(item, subject):
            return 0.0
        previous, left, current, rest = await self._storage.get_sliding_window(item.key_for(subject), rate.seconds)
        left = left if previous else max(rest - rate.seconds, 0.0)
        # Time went on between the two questions: there may be room again.
        wait = wait_for(rate, previous=previous, current=current, left=left) or _REFUSE
        now = self._clock()
        self._keep(rate, subject, _Known(0, now + min(wait, _REFUSE), now + wait))
        return wait

    def _keep(self, rate: Rate, subject: str, known: _Known) -> None:
        key = (rate.name, subject)
        self._known[key] = known
        self._known.move_to_end(key)
        if len(self._known) > _MOST_SUBJECTS:
            self._known.popitem(last=False)
