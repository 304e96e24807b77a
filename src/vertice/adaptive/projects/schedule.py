"""When a project is scanned by itself: cron expressions of five fields, in UTC."""

from datetime import UTC, datetime, timedelta

from croniter import CroniterError, croniter  # type: ignore[import-untyped]  # it has no stubs of its own

from vertice.kernel.errors import InputError
from vertice.kernel.text import printable

__all__ = ["MIN_INTERVAL", "check_schedule", "next_after"]

MIN_INTERVAL = timedelta(minutes=15)
"""Two scans of one project are never closer than this."""

_MAX_LENGTH = 100
_SOME_MONDAY = datetime(2024, 1, 1, tzinfo=UTC)
_A_DAY_OF_TIMES = 100
"""A schedule that keeps the interval has at most 96 times on one day, and the next days only repeat them."""


def check_schedule(expression: str) -> str:
    """Return the expression with single spaces. Raises InputError when it is none, or fires too often."""
    fields = expression.split()
    text = " ".join(fields)
    if len(text) > _MAX_LENGTH or len(fields) != 5 or not text.isascii():
        raise _unreadable(expression)
    try:
        times = croniter(text, _SOME_MONDAY, ret_type=datetime)
        before: datetime = times.get_next()
        for _ in range(_A_DAY_OF_TIMES):
            after: datetime = times.get_next()
            if after - before < MIN_INTERVAL:
                raise InputError(
                    "fires more often than every 15 minutes", where="schedule", todo="Leave more time between scans."
                )
            before = after
    except (CroniterError, ValueError, ArithmeticError) as error:
        raise _unreadable(expression) from error
    return text


def next_after(expression: str, moment: datetime) -> datetime:
    """Return the first time after `moment` that a checked expression names, in UTC."""
    found: datetime = croniter(expression, moment.astimezone(UTC), ret_type=datetime).get_next()
    return found.astimezone(UTC)


def _unreadable(expression: str) -> InputError:
    return InputError(
        f"{printable(expression, limit=120)!r} is no cron expression",
        where="schedule",
        todo="Give minute, hour, day of month, month and day of week, such as '30 2 * * *'.",
    )
