"""When a project is scanned by itself."""

from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vertice.adaptive.projects.schedule import MIN_INTERVAL, check_schedule, next_after
from vertice.kernel.errors import InputError


@pytest.mark.parametrize(
    ("expression", "after", "then"),
    [
        ("30 2 * * *", datetime(2026, 11, 21, 2, 30, tzinfo=UTC), datetime(2026, 11, 22, 2, 30, tzinfo=UTC)),
        ("*/15 * * * *", datetime(2026, 11, 21, 2, 31, tzinfo=UTC), datetime(2026, 11, 21, 2, 45, tzinfo=UTC)),
        ("0 9 * * MON", datetime(2026, 11, 21, tzinfo=UTC), datetime(2026, 11, 23, 9, tzinfo=UTC)),
        (
            "0 0 * * *",
            datetime(2026, 11, 21, 23, tzinfo=timezone(timedelta(hours=-3))),
            datetime(2026, 11, 23, tzinfo=UTC),
        ),
    ],
)
def test_the_next_time_is_in_utc(expression: str, after: datetime, then: datetime) -> None:
    assert next_after(check_schedule(expression), after) == then


@pytest.mark.parametrize(
    "expression",
    [
        "",
        "now",
        "@hourly",
        "* * * *",
        "0 0 0 * * *",
        "61 * * * *",
        "0 0 31 2 *",
        "0 0 * * 9",
        "٣ * * * *",
        "0 0 * * *;",
    ],
)
def test_what_is_no_expression_of_five_fields_is_refused(expression: str) -> None:
    with pytest.raises(InputError, match="no cron expression"):
        check_schedule(expression)


@pytest.mark.parametrize("expression", ["* * * * *", "*/14 * * * *", "0,50 * * * *", "0,5 3 1 1 *", "59,0 0,23 * * *"])
def test_more_often_than_every_quarter_of_an_hour_is_refused(expression: str) -> None:
    with pytest.raises(InputError, match="more often than every 15 minutes"):
        check_schedule(expression)


_FIELD = st.one_of(
    st.just("*"),
    st.integers(0, 60).map(str),
    st.integers(1, 60).map("*/{}".format),
    st.text("0123456789*/,-L#W", max_size=6),
)


@given(st.lists(_FIELD, min_size=5, max_size=5).map(" ".join))
def test_whatever_is_taken_leaves_time_between_scans_and_all_else_is_an_error_of_ours(expression: str) -> None:
    try:
        checked = check_schedule(expression)
    except InputError:
        return
    first = next_after(checked, datetime(2026, 2, 27, 23, 59, tzinfo=UTC))
    assert next_after(checked, first) - first >= MIN_INTERVAL
