"""The database's URL for what is not async: psycopg in place of asyncpg."""

from sqlalchemy import make_url
from sqlalchemy.engine import URL

__all__ = ["psycopg_url"]

_SSL = {"true": "require", "false": "disable"}


def psycopg_url(url: str) -> URL:
    """Return a PostgreSQL URL (`Settings.database`) as psycopg reads it; asyncpg's `ssl` becomes `sslmode`."""
    parsed = make_url(url).set(drivername="postgresql+psycopg")
    ssl = parsed.query.get("ssl")
    if isinstance(ssl, str):
        parsed = parsed.difference_update_query(["ssl"]).update_query_dict({"sslmode": _SSL.get(ssl.lower(), ssl)})
    return parsed
