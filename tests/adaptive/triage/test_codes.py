"""Codes that stay."""

import sqlite3
import subprocess
import sys
import threading
import time
from datetime import date
from pathlib import Path
from textwrap import dedent

import pytest

from vertice.adaptive.triage.codes import CodeKey, CodeRegistry
from vertice.kernel.errors import InputError, UnfinishedError

DAY = date(2026, 11, 21)
NEXT = date(2026, 11, 22)


def keys(count: int, package: str = "pyyaml") -> list[CodeKey]:
    return [CodeKey(f"PYSEC-2021-{number}", package, "5.3.1") for number in range(count)]


@pytest.fixture
def codes(tmp_path: Path) -> CodeRegistry:
    return CodeRegistry(tmp_path / "home" / "codes.db")


def test_the_same_finding_has_the_same_code_ever_after(codes: CodeRegistry, tmp_path: Path) -> None:
    first = codes.code_for("/shop", "PYSEC-2021-142", "pyyaml", "5.3.1", DAY)
    assert first == "APV-20261121-001"
    again = CodeRegistry(tmp_path / "home" / "codes.db")
    assert again.code_for("/shop", "PYSEC-2021-142", "pyyaml", "5.3.1", NEXT) == first
    assert again.code_for("/shop", "PYSEC-2021-142", "pyyaml", "5.3.2", NEXT) == "APV-20261122-001"
    assert again.code_for("/other", "PYSEC-2021-142", "pyyaml", "5.3.1", NEXT) == "APV-20261122-002"


def test_many_at_once_keep_their_order_and_known_ones_their_codes(codes: CodeRegistry) -> None:
    known = codes.codes_for("p", keys(2), DAY)
    assert codes.codes_for("p", [*keys(4)[::-1], keys(1)[0]], DAY) == (
        "APV-20261121-003",
        "APV-20261121-004",
        known[1],
        known[0],
        known[0],
    )
    assert codes.codes_for("p", [], DAY) == ()


def test_a_day_goes_on_beyond_999(codes: CodeRegistry) -> None:
    found = codes.codes_for("p", keys(1001), DAY)
    assert found[998:] == ("APV-20261121-999", "APV-20261121-1000", "APV-20261121-1001")


def test_two_thousand_take_less_than_a_second(codes: CodeRegistry) -> None:
    start = time.perf_counter()
    first = codes.codes_for("p", keys(2000), DAY)
    again = codes.codes_for("p", keys(2000), NEXT)
    assert first == again
    assert time.perf_counter() - start < 1


def test_runs_are_numbered_by_themselves(codes: CodeRegistry) -> None:
    codes.code_for("p", "a", "b", "c", DAY)
    assert [codes.run_code(DAY), codes.run_code(DAY), codes.run_code(NEXT)] == [
        "WAR-20261121-001",
        "WAR-20261121-002",
        "WAR-20261122-001",
    ]


def test_processes_at_once_never_share_a_number(tmp_path: Path) -> None:
    program = dedent("""
        import sys
        from datetime import date
        from pathlib import Path
        from vertice.adaptive.triage.codes import CodeKey, CodeRegistry
        codes = CodeRegistry(Path(sys.argv[1]))
        for number in range(20):
            print(codes.code_for(sys.argv[2], f"A-{number}", "p", "1", date(2026, 11, 21)))
            print(codes.run_code(date(2026, 11, 21)))
            print(codes.code_for("shared", f"A-{number}", "p", "1", date(2026, 11, 21)))
    """)
    argv = [sys.executable, "-c", program, str(tmp_path / "codes.db")]
    running = [subprocess.Popen([*argv, f"project-{n}"], stdout=subprocess.PIPE, text=True) for n in range(4)]
    lines = [process.communicate(timeout=60)[0].split() for process in running]
    assert [process.returncode for process in running] == [0] * 4
    own = [code for printed in lines for code in printed[0::3]]
    runs = [code for printed in lines for code in printed[1::3]]
    shared = {tuple(printed[2::3]) for printed in lines}
    assert (len(set(own)), len(set(runs)), len(shared)) == (80, 80, 1)
    assert set(own).isdisjoint(next(iter(shared)))


def test_a_killed_writer_leaves_whole_content(codes: CodeRegistry, tmp_path: Path) -> None:
    codes.codes_for("p", keys(3), DAY)
    connection = sqlite3.connect(tmp_path / "home" / "codes.db", isolation_level=None)
    connection.execute("BEGIN IMMEDIATE")
    connection.execute("UPDATE counters SET last = 500")
    connection.close()  # as the end of its process does: never committed
    assert codes.code_for("p", "new", "p", "1", DAY) == "APV-20261121-004"


def test_a_reader_is_not_kept_waiting_for_known_codes(codes: CodeRegistry, tmp_path: Path) -> None:
    found = codes.codes_for("p", keys(3), DAY)
    connection = sqlite3.connect(tmp_path / "home" / "codes.db", isolation_level=None)
    connection.execute("BEGIN IMMEDIATE")
    done = threading.Event()
    thread = threading.Thread(target=lambda: (codes.codes_for("p", keys(3), DAY) == found) and done.set())
    thread.start()
    thread.join(timeout=5)
    connection.close()
    assert done.is_set()


def test_a_file_that_is_no_register_is_refused(tmp_path: Path) -> None:
    (tmp_path / "codes.db").write_bytes(b"not a database at all, whatever it is" * 100)
    with pytest.raises(InputError, match=r"codes.db: is not a register of codes, or is damaged"):
        CodeRegistry(tmp_path / "codes.db").run_code(DAY)


def test_a_folder_in_its_place_is_refused(tmp_path: Path) -> None:
    (tmp_path / "codes.db").mkdir()
    with pytest.raises(InputError, match="cannot be written"):
        CodeRegistry(tmp_path / "codes.db").run_code(DAY)


def test_a_file_in_the_homes_place_is_refused(tmp_path: Path) -> None:
    (tmp_path / "home").write_text("")
    with pytest.raises((InputError, UnfinishedError), match="home"):
        CodeRegistry(tmp_path / "home" / "codes.db").run_code(DAY)


def test_a_full_disk_is_said(codes: CodeRegistry, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """SQLite's own page limit raises the very error of a full disk."""
    codes.run_code(DAY)
    real = sqlite3.connect

    def small(*args: object, **options: object) -> sqlite3.Connection:
        connection: sqlite3.Connection = real(*args, **options)  # type: ignore[call-overload]
        connection.execute("PRAGMA max_page_count = 1")
        return connection

    monkeypatch.setattr("vertice.adaptive.triage.codes.sqlite3.connect", small)
    with pytest.raises(UnfinishedError, match="no space left"):
        codes.codes_for("p", keys(500), DAY)
    monkeypatch.undo()
    assert codes.code_for("p", "a", "b", "c", DAY) == "APV-20261121-001"
