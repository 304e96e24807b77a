"""Every format, byte for byte. Renewed by `pytest --inline-snapshot=fix`, then read as a diff."""

import pytest
from inline_snapshot import external_file

from vertice import __version__
from vertice.adaptive.report import formats
from vertice.adaptive.report.model import Format, ScanResult


def render(result: ScanResult, form: Format, width: int = 80) -> str:
    """The report, with a version that no release changes."""
    return formats.render(result, form, width=width).replace(f'ersion": "{__version__}"', 'ersion": "VERSION"')


@pytest.mark.parametrize("width", [80, 160])
def test_table(result: ScanResult, width: int) -> None:
    assert render(result, Format.table, width=width) == external_file(f"expected/table-{width}.txt")


def test_json(result: ScanResult) -> None:
    assert render(result, Format.json) == external_file("expected/report.json", format=".txt")


def test_sarif(result: ScanResult) -> None:
    assert render(result, Format.sarif) == external_file("expected/report.sarif", format=".txt")


def test_cyclonedx(result: ScanResult) -> None:
    assert render(result, Format.cyclonedx) == external_file("expected/report.cdx.json", format=".txt")


@pytest.mark.parametrize("form", Format)
def test_equal_results_give_equal_bytes(result: ScanResult, form: Format) -> None:
    assert render(result, form) == render(result, form)
