"""The report for people."""

import io
from dataclasses import replace

import pytest

from vertice.adaptive.advisories.model import SourceInfo
from vertice.adaptive.report.model import ScanResult
from vertice.adaptive.report.table import render, show


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.mark.parametrize("width", [60, 80, 100, 120, 160, 200])
def test_no_line_is_wider_than_asked(result: ScanResult, width: int) -> None:
    assert max(len(line) for line in render(result, width=width).splitlines()) <= width


def test_every_finding_is_shown_at_every_width(result: ScanResult) -> None:
    for width in (60, 80, 160):
        text = render(result, width=width)
        assert all(apv.advisory.cve in text for apv in result.apvs)


def test_hostile_text_is_escaped(result: ScanResult) -> None:
    text = render(result, width=200)
    assert "\x1b" not in text
    assert "\u202e" not in text
    assert "\\x1b[31mred\\x1b[0m [bold]not markup[/bold] \\u202e" in text


def test_hostile_names_are_escaped(result: ScanResult) -> None:
    component = replace(result.apvs[0].component, source="a\nb\x1b[2J.txt", version="1\x07")
    apv = replace(result.apvs[0], component=component)
    text = render(replace(result, apvs=(apv,), project="\x1b]0;x\x07", warnings=("w\r\x1b[1A",), path="\x1b[5m"))
    assert not {"\x1b", "\x07", "\r"} & set(text)


def test_the_last_line_says_what_was_found_and_what_to_do(result: ScanResult) -> None:
    last = render(result, width=200).splitlines()[-1]
    assert last == (
        "4 vulnerabilities (1 critical, 1 high, 2 medium) in 3 of 6 packages (1 waived)."
        " Run `vertice heal './my shop'` to patch and prove them."
    )
    assert (
        render(replace(result, apvs=()), width=200).splitlines()[-1]
        == "No known vulnerability in 6 packages (1 waived)."
    )
    one = replace(result, apvs=result.apvs[:1], waived=())
    assert "1 vulnerability (1 critical) in 1 of 6 packages. Run" in render(one, width=200)


@pytest.mark.parametrize(
    ("updated", "words"),
    [
        ("2026-11-21T11:30:00Z", "less than an hour old (2026-11-21)"),
        ("2026-11-21T09:00:00Z", "3 hours old (2026-11-21)"),
        ("2026-11-18T09:00:00Z", "3 days old (2026-11-18)"),
        ("2026-11-18T09:00:00", "3 days old (2026-11-18)"),
        ("2027-01-01T00:00:00Z", "less than an hour old (2027-01-01)"),
        ("", "of unknown age"),
        ("rubbish", "of unknown age"),
    ],
)
def test_the_age_of_the_advisories_is_said(result: ScanResult, updated: str, words: str) -> None:
    shown = render(replace(result, source=SourceInfo("osv", 1, updated)))
    assert f"1 advisory from osv, {words}\n" in shown


def test_old_advisories_come_with_what_to_do(result: ScanResult) -> None:
    old = replace(result, source=SourceInfo("osv", 1, "2026-11-14T11:00:00Z"))
    assert "7 days old (2026-11-14); `vertice advisories sync` brings newer ones" in render(old, width=120)
    assert "sync" not in render(result)


def test_a_pipe_gets_80_plain_columns(result: ScanResult, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("COLUMNS", "FORCE_COLOR", "NO_COLOR"):
        monkeypatch.delenv(name, raising=False)
    stream = io.StringIO()
    show(result, stream)
    assert stream.getvalue() == render(result, width=80)


def test_columns_sets_the_width(result: ScanResult, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "160")
    monkeypatch.delenv("FORCE_COLOR", raising=False)
    stream = io.StringIO()
    show(result, stream)
    assert stream.getvalue() == render(result, width=160)


def test_a_terminal_gets_colour_unless_it_is_not_wanted(result: ScanResult, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TERM", "xterm-256color")
    monkeypatch.setenv("COLUMNS", "100")
    monkeypatch.delenv("NO_COLOR", raising=False)
    coloured, plain = Terminal(), Terminal()
    show(result, coloured)
    monkeypatch.setenv("NO_COLOR", "1")
    show(result, plain)
    assert "\x1b[1;31m" in coloured.getvalue()
    assert "\x1b[1;31m" not in plain.getvalue()


def test_wide_characters_keep_the_columns(result: ScanResult) -> None:
    from rich.cells import cell_len

    advisory = replace(result.apvs[0].advisory, summary="漢字" * 40)
    text = render(replace(result, apvs=(replace(result.apvs[0], advisory=advisory),)), width=120)
    assert max(cell_len(line) for line in text.splitlines()) <= 120


def test_nothing_scanned_is_still_a_report(result: ScanResult) -> None:
    empty = ScanResult("x", result.scanned_at, SourceInfo("osv", 0))
    assert render(empty) == (
        "x: 0 packages, scanned 2026-11-21 12:00 UTC\n0 advisories from osv, of unknown age\n\n"
        "No known vulnerability in 0 packages.\n"
    )
