"""PostgreSQL: does it answer, how fast, and how much is going on in our database?"""

from collections.abc import Callable
from time import perf_counter

from sqlalchemy import text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import create_async_engine
from sqlalchemy.pool import Pool, QueuePool

from vertice.kernel.health.model import USUAL, Level, Limits, Result

__all__ = ["PostgresCheck"]

_STATISTICS = text("""
    SELECT current_setting('server_version') AS version,
           pg_database_size(current_database()) AS bytes,
           count(*) AS connections,
           count(*) FILTER (WHERE state = 'active' AND pid <> pg_backend_pid()) AS queries
    FROM pg_stat_activity
    WHERE datname = current_database() AND backend_type = 'client backend'
""")
_LOGIN_REFUSED = "28"
"""SQLSTATE class "invalid authorization specification"."""


class PostgresCheck:
    """The database of the service. `pool` is the pool whose use is shown; the check does not wait for it."""

    name = "postgres"

    def __init__(
        self,
        url: str,
        *,
        pool: Callable[[], Pool] | None = None,
        critical: bool = True,
        limits: Limits = USUAL,
    ) -> None:
        self.critical = critical
        self.limits = limits
        self._pool = pool
        self._engine = create_async_engine(
            url,
            pool_size=1,
            max_overflow=0,
            pool_pre_ping=True,  # a server that was started again is not sick
            isolation_level="AUTOCOMMIT",
            connect_args={"server_settings": {"application_name": "vertice health"}},
        )

    async def run(self) -> Result:
        """Return latency, version, size, connections and running queries of our database."""
        try:
            async with self._engine.connect() as connection:
                started = perf_counter()
                await connection.execute(text("SELECT 1"))
                latency = (perf_counter() - started) * 1000
                row = (await connection.execute(_STATISTICS)).one()
        except DBAPIError as error:
            if not str(getattr(error.orig, "sqlstate", "")).startswith(_LOGIN_REFUSED):
                raise
            return Result(Level.unhealthy, {"message": "the login was refused"})
        details = {
            "latency_ms": round(latency, 1),
            "version": row.version.split()[0],
            "db_size_mb": round(row.bytes / 1024**2, 1),
            "active_connections": row.connections,
            "active_queries": row.queries,
        }
        return Result(Level.healthy, details | self._pool_use())

    async def close(self) -> None:
        """Give the connection back."""
        await self._engine.dispose()

    def _pool_use(self) -> dict[str, int]:
        pool = None if self._pool is None else self._pool()
        if not isinstance(pool, QueuePool):
            return {}
        return {"pool_size": pool.size(), "pool_in_use": pool.checkedout()}
