"""Redis: does it answer, and does it give back what it was given?"""

from secrets import token_hex
from time import perf_counter

from redis.asyncio import Redis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import AuthenticationError, ResponseError
from redis.exceptions import ConnectionError as RedisConnectionError

from vertice.kernel.health.model import USUAL, Level, Limits, Result

__all__ = ["RedisCheck"]

_KEPT_SECONDS = 10


class RedisCheck:
    """Fan-out, cache and rate limits; the service works without them, so it is not critical by default."""

    name = "redis"

    def __init__(
        self,
        url: str,
        *,
        critical: bool = False,
        limits: Limits = USUAL,
    ) -> None:
        self.critical = critical
        self.limits = limits
        self._client: Redis = Redis.from_url(
            url,
            decode_responses=True,
            max_connections=1,
            retry=Retry(NoBackoff(), 1),  # a server that was started again is not sick
            client_name="vertice-health",
        )

    async def run(self) -> Result:
        """Return latency, version and uptime; unhealthy when a value that was written is not read back."""
        written = token_hex(8)
        key = f"vertice:health:{written}"
        try:
            started = perf_counter()
            await self._client.ping()
            latency = (perf_counter() - started) * 1000
            pipeline = self._client.pipeline(transaction=False)
            pipeline.set(key, written, ex=_KEPT_SECONDS)
            pipeline.get(key)
            pipeline.info("server")
            _, read, info = await pipeline.execute()
        except AuthenticationError:
            return Result(Level.unhealthy, {"message": "the login was refused"})
        except ResponseError:
            return Result(Level.unhealthy, {"message": "it refuses to be written to"})
        except RedisConnectionError as error:
            raise ConnectionError(str(error)) from error
        details = {
            "latency_ms": round(latency, 1),
            "redis_version": info["redis_version"],
            "uptime_seconds": info["uptime_in_seconds"],
        }
        if read != written:
            return Result(Level.unhealthy, {"message": "it does not give back what was written", **details})
        return Result(Level.healthy, details)

    async def close(self) -> None:
        """Give the connection back."""
        await self._client.aclose()
