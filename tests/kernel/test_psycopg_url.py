"""One URL for both drivers."""

import pytest

from vertice.kernel.psycopg_url import psycopg_url


@pytest.mark.parametrize(
    ("given", "made"),
    [
        ("postgresql+asyncpg://u:p%40ss@h:5433/db", "postgresql+psycopg://u:p%40ss@h:5433/db"),
        ("postgresql+asyncpg://h/db?ssl=require", "postgresql+psycopg://h/db?sslmode=require"),
        (
            "postgresql+asyncpg://h/db?ssl=true&application_name=x",
            "postgresql+psycopg://h/db?application_name=x&sslmode=require",
        ),
        ("postgresql+asyncpg://h/db?ssl=verify-full", "postgresql+psycopg://h/db?sslmode=verify-full"),
    ],
)
def test_asyncpgs_url_is_made_psycopgs(given: str, made: str) -> None:
    assert psycopg_url(given).render_as_string(hide_password=False) == made
