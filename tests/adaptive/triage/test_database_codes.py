"""Codes that stay, in PostgreSQL, and are unique over every process that uses it."""

import subprocess
import sys
from collections.abc import Iterator
from datetime import date
from textwrap import dedent

import pytest

from vertice.adaptive.triage.codes import CodeKey
from vertice.adaptive.triage.database_codes import DatabaseCodes
from vertice.kernel.errors import UnfinishedError

DAY = date(2026, 11, 21)
NEXT = date(2026, 11, 22)


def keys(count: int) -> list[CodeKey]:
    return [CodeKey(f"PYSEC-2021-{number}", "pyyaml", "5.3.1") for number in range(count)]


@pytest.fixture
def codes(postgres_url: str) -> Iterator[DatabaseCodes]:
    made = DatabaseCodes(postgres_url)
    yield made
    made.close()


def test_the_same_finding_has_the_same_code_ever_after(codes: DatabaseCodes) -> None:
    first = codes.codes_for("/shop", keys(2), DAY)
    assert first == ("APV-20261121-001", "APV-20261121-002")
    assert codes.codes_for("/shop", keys(2)[::-1], NEXT) == first[::-1]
    assert codes.codes_for("/other", keys(1), NEXT) == ("APV-20261122-001",)
    assert codes.codes_for("/shop", [*keys(3), keys(1)[0]], NEXT) == (*first, "APV-20261122-002", first[0])
    assert codes.codes_for("/shop", [], DAY) == ()


def test_runs_are_numbered_by_themselves_and_a_day_goes_on_beyond_999(codes: DatabaseCodes) -> None:
    assert codes.codes_for("p", keys(1001), DAY)[998:] == ("APV-20261121-999", "APV-20261121-1000", "APV-20261121-1001")
    assert [codes.run_code(DAY), codes.run_code(DAY), codes.run_code(NEXT)] == [
        "WAR-20261121-001",
        "WAR-20261121-002",
        "WAR-20261122-001",
    ]


def test_names_longer_than_a_column_are_still_told_apart(codes: DatabaseCodes) -> None:
    long = [CodeKey("A" * 300 + end, "p" * 500 + end, "1" * 300 + end) for end in ("", "x", "\0", "\ud800", "\ufffd")]
    first = codes.codes_for("/" + "deep/" * 300, long, DAY)
    assert len(set(first)) == 5
    assert codes.codes_for("/" + "deep/" * 300, long, NEXT) == first


def test_processes_at_once_never_share_a_number_and_agree_on_shared_findings(postgres_url: str) -> None:
    program = dedent("""
        import sys
        from datetime import date
        from vertice.adaptive.triage.codes import CodeKey
        from vertice.adaptive.triage.database_codes import DatabaseCodes
        codes, day = DatabaseCodes(sys.argv[1]), date(2026, 11, 21 + int(sys.argv[3]) % 2)
        for number in range(20):
            print(codes.codes_for(sys.argv[2], [CodeKey(f"A-{number}", "p", "1")], day)[0])
            print(codes.run_code(date(2026, 11, 21)))
            print(codes.codes_for("shared", [CodeKey(f"A-{number}", "p", "1")], day)[0])
        codes.close()
    """)
    argv = [sys.executable, "-c", program, postgres_url]
    running = [subprocess.Popen([*argv, f"p-{n}", str(n)], stdout=subprocess.PIPE, text=True) for n in range(4)]
    lines = [process.communicate(timeout=120)[0].split() for process in running]
    assert [process.returncode for process in running] == [0] * 4
    own = [code for printed in lines for code in printed[0::3]]
    runs = [code for printed in lines for code in printed[1::3]]
    shared = {tuple(printed[2::3]) for printed in lines}
    assert (len(set(own)), len(set(runs)), len(shared)) == (80, 80, 1)
    assert set(own).isdisjoint(next(iter(shared)))


def test_a_database_without_the_tables_is_said_without_its_password(empty_postgres_url: str) -> None:
    codes = DatabaseCodes(empty_postgres_url)
    with pytest.raises(UnfinishedError, match="register of codes failed") as caught:
        codes.run_code(DAY)
    codes.close()
    assert ":***@" in str(caught.value)
