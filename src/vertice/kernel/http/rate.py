"""Rate limits: by client address before anything else is done, by identity where a route asks for it.

    limiter = RateLimiter({"default": "1200/minute", "login": "10/minute"}, redis_url=settings.redis)
    app.add_middleware(RateMiddleware, limiter=limiter, rate="default", exempt=("/health",))
    await limiter.take("login", client_subject(connection.scope))    # or "identity:…", in a route's dependency

Counts are shared through Redis. While it cannot answer, each process counts by itself: no request fails for it.
"""

import math
import time
from collections.abc import Callable, Mapping
from functools import lru_cache
from ipaddress import IPv6Address, ip_network

from redis.exceptions import RedisError
from starlette.types import ASGIApp, Receive, Scope, Send

from vertice.kernel.http.problem import HttpError, problem, refuse
from vertice.kernel.http.proxy import parse_address
from vertice.kernel.http.shared_windows import SharedWindows
from vertice.kernel.http.windows import LocalWindows, Rate
from vertice.kernel.logging import get_logger
from vertice.kernel.text import printable

__all__ = ["RateLimiter", "RateMiddleware", "TooManyRequestsError", "address_subject", "client_subject"]

_PAUSE = 5.0
"""Seconds for which Redis is left alone after it did not answer."""


class TooManyRequestsError(HttpError):
    """A rate limit was reached; the headers say which and when to come back."""

    code = "too-many-requests"
    http_status = 429


class RateLimiter:
    """The rates of a service by their names, and who used how much of them.

    Raises InputError for a rate that cannot be read. `prefix` keeps the services of one Redis apart.
    """

    def __init__(
        self,
        rates: Mapping[str, str],
        *,
        redis_url: str = "",
        prefix: str = "rates",
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._rates = {name: Rate.parsed(name, text) for name, text in rates.items()}
        self._clock = clock
        self._local = LocalWindows(clock)
        self._shared = SharedWindows(redis_url, prefix=prefix, clock=clock) if redis_url else None
        self._down = False
        self._ask_again = -math.inf

    async def take(self, rate: str, subject: str) -> None:
        """Count one request of `subject`; raise TooManyRequestsError when it is one too many."""
        limit = self._rates[rate]
        wait = await self._counted(limit, subject)
        if not wait:
            return
        seconds = math.floor(wait) + 1
        raise TooManyRequestsError(
            f"more than {limit.amount} requests in {limit.seconds} s",
            todo=f"Wait {seconds} s.",
            headers={
                "Retry-After": str(seconds),
                "RateLimit-Policy": f'"{limit.name}";q={limit.amount};w={limit.seconds}',
                "RateLimit": f'"{limit.name}";r=0;t={seconds}',
            },
        )

    async def close(self) -> None:
        """Give the connections to Redis back."""
        if self._shared is not None:
            await self._shared.close()

    async def _counted(self, rate: Rate, subject: str) -> float:
        now = self._clock()
        if self._shared is None or now < self._ask_again:
            return await self._local.take(rate, subject)
        if self._down:
            self._ask_again = now + _PAUSE  # one request asks whether Redis is back, the others do not wait for it
        try:
            wait = await self._shared.take(rate, subject)
        except (RedisError, OSError) as error:
            self._ask_again = self._clock() + _PAUSE
            self._shared.forget()
            if not self._down:
                self._down = True
                get_logger(__name__).warning("rate limits count in this process alone", why=printable(str(error)))
            return await self._local.take(rate, subject)
        if self._down:
            self._down = False
            self._ask_again = -math.inf
            get_logger(__name__).info("rate limits are shared again")
        return wait


class RateMiddleware:
    """Counts every request by its client's address. `exempt` are beginnings of paths that are not counted."""

    def __init__(self, app: ASGIApp, *, limiter: RateLimiter, rate: str, exempt: tuple[str, ...] = ()) -> None:
        self._app = app
        self._limiter = limiter
        self._rate = rate
        self._exempt = exempt

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass one request on."""
        if scope["type"] != "lifespan" and not scope["path"].startswith(self._exempt):
            try:
                await self._limiter.take(self._rate, client_subject(scope))
            except TooManyRequestsError as error:
                answer = problem(429, error.what, code=error.code, todo=error.todo, headers=error.headers)
                await refuse(answer, scope, receive, send)
                return
        await self._app(scope, receive, send)


def client_subject(scope: Scope) -> str:
    """Return what the client of a request is counted as where nobody is known by name."""
    client = scope.get("client")
    return address_subject(client[0] if client else "")


@lru_cache(maxsize=4096)
def address_subject(address: str) -> str:
    """Return what a client at `address` is counted as: IPv6 by its /64, which is what one customer is given."""
    found = parse_address(address)
    if found is None:
        return "address:unknown"
    return f"address:{ip_network((found, 64), strict=False) if isinstance(found, IPv6Address) else found}"
