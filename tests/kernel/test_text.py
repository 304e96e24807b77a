"""Untrusted text: what is shown of it, and the times that are read from it."""

from datetime import UTC, datetime

import pytest

from vertice.kernel.text import moment, printable

NOON = datetime(2026, 11, 21, 12, tzinfo=UTC)


@pytest.mark.parametrize(
    "text", ["2026-11-21T12:00:00Z", "2026-11-21T12:00:00", "2026-11-21T14:00:00+02:00", "2026-11-21 12:00:00+00:00"]
)
def test_a_time_is_read_in_utc_whatever_its_offset(text: str) -> None:
    found = moment(text)
    assert found == NOON
    assert found is not None
    assert found.tzinfo is UTC


@pytest.mark.parametrize(
    "text",
    [
        "",
        "yesterday",
        "2026-13-01",
        "2026-11-21T25:00:00Z",
        "0001-01-01T00:00:00+14:00",
        "9999-12-31T23:59:59-14:00",
        "\0",
        "9" * 10_000,
    ],
)
def test_what_names_no_time_is_none(text: str) -> None:
    assert moment(text) is None


@pytest.mark.parametrize(
    ("text", "shown"),
    [("a\x1b[31mb", "a\\x1b[31mb"), ("a\u202eb", "a\\u202eb"), ("a\nb", "a\\x0ab"), ("é", "é"), ("abcdef", "abcd…")],
)
def test_what_moves_or_hides_is_escaped_and_what_is_long_is_cut(text: str, shown: str) -> None:
    assert printable(text, limit=4 if text == "abcdef" else 100) == shown
