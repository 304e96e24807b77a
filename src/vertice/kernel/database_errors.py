"""What the database's drivers say, in our own words; neither the SQL nor its values are shown."""

import sqlite3

from sqlalchemy.exc import DBAPIError, IntegrityError

from vertice.kernel.errors import InputError, UnfinishedError, VerticeError
from vertice.kernel.text import printable

__all__ = ["explained", "unreachable"]


def explained(error: BaseException, where: str) -> VerticeError | None:
    """Return our error for one of a driver, None for any other and for an IntegrityError: that is the caller's to say.

    `where` names the database, without its password.
    """
    if isinstance(error, IntegrityError):
        return None
    driver = error.orig if isinstance(error, DBAPIError) else error
    state = getattr(driver, "sqlstate", None)
    if not isinstance(error, DBAPIError | sqlite3.Error) and not state:
        return None
    said = _said(driver)
    for sign, kind, what, todo in _POSTGRES_STATES if state else _WORDS:
        if state.startswith(sign) if state else sign in said:
            return kind(what.format(said=printable(said, limit=200)), where=where, todo=todo)
    return UnfinishedError(f"the database refused: {printable(said, limit=300)}", where=where, todo="Try it again.")


def unreachable(error: OSError, where: str) -> UnfinishedError:
    """Return our error for a server that does not answer."""
    why = "no answer in time" if isinstance(error, TimeoutError) else printable(str(error), limit=300)
    return UnfinishedError(f"cannot reach the database: {why}", where=where, todo="Is it running?")


def _said(driver: BaseException | None) -> str:
    """The driver's own words, without the name of its class that SQLAlchemy puts before them."""
    cause = getattr(driver, "__cause__", None)
    return str(cause or driver).partition("\n")[0]


_Row = tuple[str, type[VerticeError], str, str]

_LACKS = "the database lacks Vértice's tables"
_AGAIN = "Try it again."

_LOST = "the connection to the database was lost"

_WORDS: tuple[_Row, ...] = (
    ("is full", UnfinishedError, "no space left for the database", "Free some space and run it again."),
    ("disk I/O error", UnfinishedError, "the disk refused to write the database", "Free some space and run it again."),
    ("is locked", UnfinishedError, "another process holds the database", "Wait for it to end and try again."),
    ("unable to open", InputError, "cannot open the database", "Check the path and its permissions."),
    ("readonly", InputError, "the database cannot be written to", "Check the file's permissions."),
    ("not a database", InputError, "is not a SQLite database", "Name another DATABASE_URL, or restore a backup."),
    ("malformed", InputError, "the database is damaged", "Restore a backup."),
    ("no such table", InputError, _LACKS, "Run `vertice db upgrade`."),
    # asyncpg's, when the server's last words came in the middle of a question and its end was never heard
    ("cannot switch to state", UnfinishedError, _LOST, _AGAIN),
    ("connection is closed", UnfinishedError, _LOST, _AGAIN),
)
"""By what an error without a SQLSTATE says: all of SQLite's, and asyncpg's own."""

_POSTGRES_STATES: tuple[_Row, ...] = (
    ("08", UnfinishedError, _LOST, _AGAIN),
    ("57P03", UnfinishedError, "the database is starting or stopping", "Try it again in a moment."),
    ("57P", UnfinishedError, _LOST, _AGAIN),
    ("53300", UnfinishedError, "the database takes no more connections", "Raise its max_connections, or try again."),
    ("53100", UnfinishedError, "no space left for the database", "Free some space and try it again."),
    ("40", UnfinishedError, "another change came in between", _AGAIN),
    ("28", InputError, "the database refuses this user or password", "Correct DATABASE_URL."),
    ("3D", InputError, "there is no such database ({said})", "Create it, or correct DATABASE_URL."),
    ("42501", InputError, "the user may not do that in the database ({said})", "Make the user the database's owner."),
    ("42P01", InputError, _LACKS, "Run `vertice db upgrade`."),
    ("25006", UnfinishedError, "the database cannot be written to", "Name the primary server in DATABASE_URL."),
    ("22", InputError, "a value cannot be kept in the database ({said})", "Correct it and try again."),
)
"""By the beginning of the SQLSTATE (PostgreSQL's manual, appendix A)."""
