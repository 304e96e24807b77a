"""Reviews as text for a terminal. Everything that came from outside is escaped."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, TextIO

from vertice.adaptive.remedy.model import ReleaseFacts
from vertice.adaptive.report.words import counted
from vertice.adaptive.review.model import Review, Status
from vertice.adaptive.wargame.model import VerdictWord
from vertice.kernel.text import printable

if TYPE_CHECKING:
    from rich.console import Console

__all__ = ["MARKS", "show_list", "show_review"]

MARKS = {
    VerdictWord.success: ("✔", "green"),
    VerdictWord.failed: ("✘", "red"),
    VerdictWord.inconclusive: ("?", "yellow"),
    VerdictWord.error: ("!", "magenta"),
}
"""Sign and colour of a verdict: told apart by shape, too."""


_WIDE = 110
"""Columns from which grade and project are listed, too: in fewer, rows would wrap."""


def show_list(reviews: Sequence[Review], stream: TextIO) -> None:
    """Print one line for each review."""
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    console = Console(file=stream)
    if not reviews:
        console.print("No review waits. `vertice heal PATH` makes them; `--status all` shows the decided ones.")
        return
    wide = console.width >= _WIDE
    table = Table(box=None, pad_edge=False, header_style="dim")
    for heading in ("review", "severity", "change", "verdict", "sure", "status", *(["project"] if wide else [])):
        table.add_column(heading, no_wrap=heading in {"review", "severity", "verdict", "sure"}, overflow="fold")
    for review in reviews:
        mark, colour = MARKS[review.verdict]
        cells = (
            review.code,
            str(review.severity),
            Text(printable(_change(review, shown=1), limit=120)),
            Text(f"{mark} {review.verdict}" + (f" ({review.grade})" if wide else ""), style=colour),
            f"{review.confidence:.2f}",
            review.status.replace("_", " "),
            Text(printable(review.project_name, limit=60)),
        )
        table.add_row(*cells[: len(table.columns)])
    console.print(table)
    console.print(f"{counted(len(reviews), 'review')}. Next: vertice review show {reviews[0].code}", style="dim")


def show_review(review: Review, stream: TextIO) -> None:
    """Print a review in the order of a reviewer's questions."""
    from rich.console import Console
    from rich.syntax import Syntax

    console = Console(file=stream, highlight=False, soft_wrap=True)
    mark, colour = MARKS[review.verdict]
    _line(console, f"{review.code}  {review.cve}  {_change(review)}", "bold")
    _line(console, f"{mark} {review.verdict} ({review.grade}), confidence {review.confidence:.2f}", f"bold {colour}")
    if review.summary:
        _line(console, review.summary)
    _heading(console, "What is it?")
    for apv in review.apvs:
        _line(console, f"  {apv.code}  {apv.severity:<8}  {apv.advisory} in {apv.package} {apv.version}")
        _line(console, f"    {apv.summary}", "dim")
    _heading(console, "Does the patch close it?")
    for reason in review.reasons:
        _line(console, f"  {reason}")
    _heading(console, "What changes?")
    _line(console, f"  {review.remedy.strategy}: {review.remedy.why}")
    for fact in review.remedy.facts:
        _line(console, f"  {fact.package} {fact.version}: {_facts(fact)}")
    if console.is_terminal:
        console.print(
            Syntax(printable(review.remedy.diff, limit=20_000, lines=True), "diff", background_color="default")
        )
    else:
        _line(console, review.remedy.diff)
    _heading(console, "Where?")
    _line(console, f"  project   {review.project_root}")
    if review.proposal:
        _line(console, f"  patch     {review.proposal.ref.removeprefix('refs/heads/')}")
        if review.proposal.note:
            _line(console, f"            {review.proposal.note}")
    _line(console, f"  evidence  {review.evidence_path}")
    for decision in review.decisions:
        when = decision.created_at.strftime("%Y-%m-%d %H:%M")
        _line(console, f"  {when}  {decision.reviewer.name}: {decision.kind}, {decision.justification}")
    if review.status in {Status.pending, Status.escalated}:
        choice = "approve" if review.verdict is VerdictWord.success else "reject"
        _line(console, f"\nNext: vertice review decide {review.code} {choice} --because '…'", "dim")


def _heading(console: "Console", text: str) -> None:
    console.print(f"\n{text}", style="bold underline")


def _line(console: "Console", text: str, style: str = "") -> None:
    from rich.text import Text

    console.print(Text(printable(text, limit=20_000, lines=True), style=style))


def _change(review: Review, shown: int = 3) -> str:
    first, rest = review.remedy.changes[:shown], review.remedy.changes[shown:]
    text = ", ".join(f"{one.package} {one.before or 'new'} → {one.after or 'gone'}" for one in first)
    return f"{text} and {len(rest)} more" if rest else text


def _facts(fact: ReleaseFacts) -> str:
    told = []
    if fact.age_days is not None:
        told.append(f"{fact.age_days} days old")
    told.append({None: "attestation unknown", True: "attested (PEP 740)", False: "not attested"}[fact.attested])
    if fact.publisher_changed:
        told.append(f"PUBLISHER CHANGED, now {fact.publisher}")
    if fact.yanked:
        told.append("YANKED")
    if fact.pth_files:
        told.append(f"runs code at every start of Python: {', '.join(fact.pth_files)}")
    if fact.install_time_code:
        told.append("runs code when installed (no wheel)")
    return "; ".join([*told, *fact.notes])
