"""The scan report for people: one block per package, one line per finding, in the width there is.

Everything that comes from advisories, lockfiles and source paths is escaped before it is shown.
"""

import io
import shlex
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, TextIO

from packaging.version import Version

from vertice.adaptive.advisories.source import ONLY_PROBES
from vertice.adaptive.config import CONFIG_NAME
from vertice.adaptive.report.model import ScanResult, rfc3339
from vertice.adaptive.report.words import age, age_days, counted, next_fixed, place, reached, severities
from vertice.adaptive.triage.model import Apv
from vertice.kernel.text import printable

if TYPE_CHECKING:
    from rich.console import Console
    from rich.text import Text

__all__ = ["render", "show"]

_STYLES = {"critical": "bold red", "high": "red", "medium": "yellow", "low": "cyan"}
_SUMMARY_FROM = 120
"""Columns from which there is room for what the advisory says."""
_PRIORITY, _SEVERITY, _ADVISORY = 6, 15, 21
"""Widths of the first columns: `  10  `, `critical 10.0  `, and at most `GHSA-8q59-q68h-6hv4  `."""
_STALE_DAYS = 7
"""Age from which the reader is told how to get newer advisories."""


def render(result: ScanResult, *, width: int = 80) -> str:
    """Return the report as plain text in `width` columns."""
    from rich.console import Console

    stream = io.StringIO()
    _print(result, Console(file=stream, width=width, color_system=None, force_terminal=False, legacy_windows=False))
    return stream.getvalue()


def show(result: ScanResult, stream: TextIO) -> None:
    """Print the report: in a terminal's own width and colours, elsewhere in 80 columns (or COLUMNS) without colour."""
    from rich.console import Console

    _print(result, Console(file=stream))


def _print(result: ScanResult, console: "Console") -> None:
    from rich.text import Text

    lines = list(_lines(result, console))
    for line in lines:
        line.rstrip()
    console.print(Text("\n").join(lines), soft_wrap=True)


def _lines(result: ScanResult, console: "Console") -> Iterator["Text"]:
    from rich.text import Text

    width = max(console.width, 60)
    yield from _wrapped(_heading(result), console, width)
    stale = (age_days(result) or 0) >= _STALE_DAYS or result.source.source == ONLY_PROBES
    yield from _wrapped(Text(_source(result, stale), style="yellow" if stale else "dim"), console, width)
    yield Text()
    columns = _columns(result.apvs, width)
    if result.apvs:
        summary = "what the advisory says" if columns[-1] else ""
        yield from _row(["prio", "severity", "advisory", "reached", summary], ["dim"] * 5, console, columns)
    for group in _grouped(result.apvs):
        yield from _package(group, console, width)
        for apv in group:
            yield from _finding(apv, console, columns)
    if result.apvs:
        yield Text()
    notes = list(_notes(result))
    for note in notes:
        yield from _wrapped(Text(note, style="yellow"), console, width, hang=2)
    if notes:
        yield Text()
    yield from _wrapped(_last_line(result), console, width)


def _grouped(apvs: Sequence[Apv]) -> list[list[Apv]]:
    """Return the findings by package and version, in the order in which the first of each comes."""
    groups: dict[tuple[str, str], list[Apv]] = {}
    for apv in apvs:
        groups.setdefault((apv.component.name, apv.component.version), []).append(apv)
    return list(groups.values())


def _heading(result: ScanResult) -> "Text":
    from rich.text import Text

    text = Text(printable(result.project, limit=100), style="bold")
    when = rfc3339(result.scanned_at)[:16].replace("T", " ")
    return text.append(f": {counted(len(result.components), 'package')}, scanned {when} UTC", style="not bold")


def _source(result: ScanResult, stale: bool) -> str:
    source = result.source
    how_old = age(result)
    when = f"{how_old} ({printable(source.updated_at[:10])})" if how_old else "of unknown age"
    records = counted(source.records, "advisory", "advisories")
    if source.source == ONLY_PROBES:
        return f"{records} from {ONLY_PROBES}: `vertice advisories sync` fetches all that are known"
    todo = "; `vertice advisories sync` brings newer ones" if stale else ""
    return f"{records} from {printable(source.source, limit=200)}, {when}{todo}"


def _package(group: Sequence[Apv], console: "Console", width: int) -> Iterator["Text"]:
    from rich.text import Text

    component = group[0].component
    fixed = [version for apv in group if (version := next_fixed(apv))]
    unfixed = len(group) - len(fixed)
    text = Text(printable(f"{component.name} {component.version}", limit=150), style="bold")
    if fixed:
        text.append(f" → {max(fixed, key=Version)}", style="bold green")
    if unfixed:
        text.append(", no fixed version" if not fixed else f" ({unfixed} of {len(group)} without a fixed version)")
    about = [place(component.source, component.line)]
    if len(component.dependency_path) > 1:
        about.append("needed by " + printable(" > ".join(component.dependency_path[:-1]), limit=100))
    if component.dev:
        about.append("development only")
    yield Text()
    yield from _wrapped(text.append("  " + ", ".join(about), style="not bold dim"), console, width, hang=4)


def _columns(apvs: Sequence[Apv], width: int) -> list[int]:
    """Return the width of each column with the space after it; the last is 0 when there is no room for it."""
    advisory = min(_ADVISORY, max((len(apv.advisory.cve) + 2 for apv in apvs), default=_ADVISORY))
    rest = width - 2 - _PRIORITY - _SEVERITY - advisory
    reach = rest * 2 // 5 if width >= _SUMMARY_FROM else rest
    return [_PRIORITY, _SEVERITY, advisory, reach, rest - reach]


def _finding(apv: Apv, console: "Console", columns: Sequence[int]) -> Iterator["Text"]:
    advisory = apv.advisory
    score = "-" if advisory.cvss is None else f"{advisory.cvss:.1f}"
    where = reached(apv.reachability) + (", KEV" if advisory.kev else "")
    cells = [f"{apv.priority:>4}", f"{advisory.severity:<8} {score:>4}", advisory.cve, where, advisory.summary]
    cells = [printable(cell, limit=400) for cell in cells]
    if not columns[-1]:
        cells[-1] = ""
    yield from _row(cells, ["", _STYLES[advisory.severity], "", "", "dim"], console, columns)


def _row(cells: Sequence[str], styles: Sequence[str], console: "Console", columns: Sequence[int]) -> Iterator["Text"]:
    """Yield the lines of one row; what does not fit a column goes on below, the last column is cut to two lines."""
    from rich.text import Text

    rows: list[list[Text]] = []
    for cell, style, room in zip(cells, styles, columns, strict=True):
        text = Text(cell, style=style)
        rows.append(list(text.wrap(console, room - 2)) if text.cell_len > room - 2 else [text])
    if len(rows[-1]) > 2:
        rows[-1] = [rows[-1][0], _cut(rows[-1][1], columns[-1] - 2)]
    for number in range(max(map(len, rows))):
        line = Text("  ")
        for lines, room in zip(rows, columns, strict=True):
            part = lines[number] if number < len(lines) else Text()
            part.rstrip()
            line.append_text(part).append(" " * (room - part.cell_len))
        yield line


def _cut(text: "Text", room: int) -> "Text":
    """Mark that the text goes on."""
    text.rstrip()
    text.truncate(room - 2)
    text.rstrip()
    return text.append(" …")


def _wrapped(text: "Text", console: "Console", width: int, *, hang: int = 0) -> Iterator["Text"]:
    """Yield the lines of a paragraph, all but the first `hang` columns in."""
    from rich.text import Text

    first = text.wrap(console, width)[0]
    yield first
    start = len(first.plain)
    start += len(text.plain[start:]) - len(text.plain[start:].lstrip())
    if start < len(text.plain):
        for line in text[start:].wrap(console, width - hang):
            yield Text(" " * hang).append_text(line)


def _notes(result: ScanResult) -> Iterator[str]:
    for apv, waiver in result.waived:
        what = f"{apv.advisory.cve} in {apv.component.name} {apv.component.version}"
        yield f"waived until {waiver.until}: {printable(what, limit=200)}: {printable(waiver.reason, limit=200)}"
    for waiver in result.expired:
        yield f"waiver expired on {waiver.until}: {printable(waiver.id, limit=80)}; renew or remove it in {CONFIG_NAME}"
    for waiver in result.unused:
        yield f"waiver matches nothing: {printable(waiver.id, limit=80)}; remove it from {CONFIG_NAME}"
    for warning in result.warnings:
        yield f"note: {printable(warning, limit=400)}"


def _last_line(result: ScanResult) -> "Text":
    from rich.text import Text

    waived = f" ({len(result.waived)} waived)" if result.waived else ""
    packages = counted(len({component.name for component in result.components}), "package")
    if not result.apvs:
        return Text(f"No known vulnerability in {packages}{waived}.", style="bold green")
    count = counted(len(result.apvs), "vulnerability", "vulnerabilities")
    affected = len({apv.component.name for apv in result.apvs})
    text = Text(f"{count} ({severities(result.apvs)}) in {affected} of {packages}{waived}.", style="bold")
    if not result.path:
        return text
    command = printable(f"vertice heal {shlex.quote(result.path)}", limit=300)
    return text.append(f" Run `{command}` to patch and prove them.", style="not bold")
