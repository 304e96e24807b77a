"""What is written on GitHub: titles, descriptions, comments. Pure functions.

Advisories, probe output, package indexes and people's reasons are hostile text. On GitHub text does things: `@name`
calls people, `#1` links, `Fixes #1` closes, `<img>` and `![]()` fetch, HTML comments hide. So such text goes into code
spans, where nothing of that has a meaning; and since titles and commit messages have no code spans, whatever could be a
mention, a reference or an address is broken by a character of no width first.
"""

import re
from collections.abc import Iterable, Sequence

from vertice.kernel.text import printable

__all__ = ["MAX_BODY", "cell", "code", "harmless", "heading", "marker", "quoted", "table"]

MAX_BODY = 65_536
"""Characters that GitHub takes as a description or comment."""

_JOINER = "\u2060"
"""WORD JOINER: no width, no break."""

_ACTIVE = re.compile(
    r"(?:(?<=^@)|(?<=\W@))(?=\w)|(?<=#)(?=\d)|(?<=\bGH)(?=-\d)|(?<=:)(?=//)|(?<=\bwww)(?=\.)", re.IGNORECASE
)
"""Between the characters that make a mention, a reference or an address."""


def harmless(text: str, *, limit: int = 300) -> str:
    """Return `text` on one line in which nothing calls, links or closes: for titles and commit messages."""
    return _broken(printable(" ".join(text.split()), limit=limit))


def code(text: str, *, limit: int = 300) -> str:
    """Return `text` as a code span, "" for no text."""
    shown = _broken(printable(" ".join(text.split()), limit=limit))
    if not shown:
        return ""
    longest = max((len(run) for run in re.findall(r"`+", shown)), default=0)
    fence = "`" * (longest + 1)
    pad = " " if shown.startswith("`") or shown.endswith("`") else ""
    return f"{fence}{pad}{shown}{pad}{fence}"


def quoted(text: str, *, limit: int = 10_000) -> str:
    """Return `text` of several lines as a block of code."""
    shown = _broken(printable(text.strip(), limit=limit, lines=True))
    longest = max((len(run) for run in re.findall(r"`+", shown)), default=0)
    fence = "`" * max(3, longest + 1)
    return f"{fence}text\n{shown}\n{fence}"


def cell(text: str, *, limit: int = 160) -> str:
    """Return `text` as a code span that may stand in a table: bars, which end a cell even there, become `¦`."""
    return code(text.replace("|", "¦"), limit=limit)


def heading(text: str) -> str:
    """Return a heading of our own words."""
    return f"### {text}"


def table(headings: Sequence[str], rows: Iterable[Sequence[str]], *, most: int = 60) -> str:
    """Return a table of at most `most` rows whose cells are Markdown already; it says how many are left out."""
    kept = [list(row) for row in rows]
    lines = [headings, ["---"] * len(headings), *kept[:most]]
    if len(kept) > most:
        lines.append([f"and {len(kept) - most} more, in the evidence", *[""] * (len(headings) - 1)])
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def marker(kind: str, name: str) -> str:
    """Return a line that nobody sees and by which we find what we wrote: `name` is ours, never foreign text."""
    if not re.fullmatch(r"[A-Za-z0-9._-]+", name):
        raise AssertionError(f"no name for a marker: {name!r}")
    return f"<!-- vertice:{kind}:{name} -->"


def _broken(text: str) -> str:
    return _ACTIVE.sub(_JOINER, text)
