"""A heal for people: what is being done while it runs, and what came out."""

import threading
from collections.abc import Iterable
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self, TextIO

from vertice.adaptive.embedded import Finished
from vertice.adaptive.model import Proof, Stage, Step
from vertice.adaptive.report.words import counted, reached
from vertice.adaptive.triage.model import Apv
from vertice.adaptive.wargame.model import Side, TestReport, VerdictWord
from vertice.adaptive.wargame.verdict import newly_failing
from vertice.cli.review_text import MARKS
from vertice.kernel.text import printable

if TYPE_CHECKING:
    from rich.console import Console
    from rich.progress import Progress, TaskID

__all__ = ["Watch", "plain", "show"]


class Watch:
    """Shows steps as they come: a line for each remedy in a terminal, else a line for each stage."""

    def __init__(self, stream: TextIO, *, quiet: bool) -> None:
        from rich.console import Console
        from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

        self._console = Console(file=stream, highlight=False)
        self._quiet = quiet and not self._console.is_terminal
        self._lines: dict[int, TaskID] = {}
        self._names: dict[int, str] = {}
        self._lock = threading.Lock()
        self._progress: Progress | None = None
        if self._console.is_terminal:
            columns = (SpinnerColumn(finished_text="•"), TextColumn("{task.description}"), TimeElapsedColumn())
            self._progress = Progress(*columns, console=self._console, transient=True)

    def __enter__(self) -> Self:
        if self._progress:
            self._progress.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._progress:
            self._progress.stop()

    def __call__(self, step: Step) -> None:
        """Take note of one step; called from many threads."""
        with self._lock:
            if step.stage is Stage.proving:
                self._names[step.remedy] = step.text
            name = printable(self._names.get(step.remedy, "project"), limit=60)
            what = printable(f"{step.stage} {step.text}", limit=100)
            side = f"{step.side}: " if step.side else ""
            if self._progress:
                self._draw(self._progress, step, f"{name}  {side}{what}")
            elif not self._quiet and not step.detail:
                self._console.print(f"{name}: {side}{what}", markup=False, soft_wrap=True)

    def _draw(self, progress: "Progress", step: Step, text: str) -> None:
        from rich.markup import escape

        if step.remedy not in self._lines:
            self._lines[step.remedy] = progress.add_task("", total=1)
        done = step.stage is Stage.done
        progress.update(self._lines[step.remedy], description=escape(text), completed=int(done))


def show(finished: Finished, seconds: float, path: str, stream: TextIO) -> None:
    """Print the table, what needs a second look, and what to do next."""
    from rich.console import Console

    console = Console(file=stream, highlight=False)
    healed = finished.healed
    found = healed.found
    _heading(console, finished)
    by_code = {apv.code: apv for apv in found.apvs}
    if healed.proofs:
        _blocks(console, healed.proofs, by_code)
    for proof in healed.proofs:
        _remarks(console, proof)
    for left in healed.unremedied:
        apv = by_code[left.apv]
        _text(console, f"no remedy  {left.apv}  {apv.component.name} {apv.component.version}: {left.reason}", "yellow")
    for warning in (*found.warnings, *healed.warnings):
        _text(console, f"warning: {warning}", "yellow")
    _text(console, _spent_words(finished, seconds), "dim")
    _text(console, _next(finished, path))


def plain(finished: Finished, seconds: float) -> dict[str, Any]:
    """Return the JSON form."""
    from vertice.kernel.codec import to_plain

    healed = finished.healed
    found = healed.found
    return {
        "project": found.name,
        "resumed": finished.resumed,
        "known": finished.known,
        "advisories": to_plain(found.advisories),
        "components": found.components,
        "apvs": [_plain_apv(apv) for apv in found.apvs],
        "remedies": [_plain_proof(proof) for proof in healed.proofs],
        "unremedied": to_plain(healed.unremedied),
        "warnings": [*found.warnings, *healed.warnings],
        "seconds": {"wall": round(seconds, 3), **_spent(healed.proofs)},
    }


def _plain_apv(apv: Apv) -> dict[str, Any]:
    return {
        "code": apv.code,
        "advisory": apv.advisory.id,
        "package": apv.component.name,
        "version": apv.component.version,
        "severity": str(apv.advisory.severity),
        "priority": apv.priority,
    }


def _plain_proof(proof: Proof) -> dict[str, Any]:
    from vertice.kernel.codec import to_plain

    return {
        "review": proof.review,
        "run": proof.run,
        "strategy": str(proof.remedy.strategy),
        "changes": to_plain(proof.remedy.changes),
        "why": proof.remedy.why,
        "verdict": to_plain(proof.verdict),
        "apvs": to_plain(proof.apvs),
        "doubts": list(proof.doubts),
        "held": proof.held,
        "ref": proof.ref,
        "evidence": proof.statement,
    }


def _heading(console: "Console", finished: Finished) -> None:
    found = finished.healed.found
    _text(
        console,
        f"{found.name}: {counted(len(found.apvs), 'finding')} in {counted(found.components, 'package')}",
        "bold",
    )
    source = f"{counted(found.advisories.records, 'advisory', 'advisories')} from {found.advisories.source}"
    _text(console, f"{source}, newest {found.advisories.updated_at or 'of unknown age'}", "dim")
    if finished.known:
        _text(console, "Nothing has changed since this was proven; --again proves it anew.", "dim")
    elif finished.resumed:
        _text(console, "Went on where an earlier run had stopped.", "dim")


def _blocks(console: "Console", proofs: Iterable[Proof], apvs: dict[str, Apv]) -> None:
    """A block for each remedy: the change with its tests and verdict, then a line for each APV that it removes."""
    _text(console, _APV_LINE.format("APV", "advisory", "before", "after", "verdict", "sure", "reachable where"), "dim")
    for proof in proofs:
        mark, colour = MARKS[proof.verdict.word]
        changes = ", ".join(
            f"{one.package} {one.before or 'new'} → {one.after or 'gone'}" for one in proof.remedy.changes
        )
        verdict = f"{mark} {proof.verdict.word} ({proof.verdict.grade}, {proof.verdict.confidence:.2f})"
        _parts(console, (f"{verdict:<32}  ", f"bold {colour}"), (changes, "bold"), (f"   tests {_tests(proof)}", ""))
        for row in proof.apvs:
            apv = apvs[row.apv]
            mark, colour = MARKS[row.verdict.word]
            before, after, word = f"{row.before:<14}", f"{row.after:<9}", f"{mark} {row.verdict.word:<12}"
            _parts(
                console,
                (f"  {row.apv}  {apv.advisory.cve:<19}  ", ""),
                (f"{before}  ", _COLOURS_BEFORE.get(row.before, "yellow")),
                (f"{after}  ", _COLOURS_AFTER.get(row.after, "yellow")),
                (f"{word}  ", colour),
                (f"{row.verdict.confidence:.2f}  {reached(apv.reachability)}", ""),
            )


_APV_LINE = "  {:<16}  {:<19}  {:<14}  {:<9}  {:<14}  {}  {}"
_COLOURS_BEFORE = {"exploited": "red"}
_COLOURS_AFTER = {"blocked": "green", "exploited": "red"}


def _tests(proof: Proof) -> str:
    reports = {report.side: report for report in proof.evidence.tests}
    before, after = reports.get(Side.before), reports.get(Side.after)
    if not after:
        return "not run"
    if not after.command and not after.error:
        return "none"
    failing = newly_failing(before, after)
    if failing:
        return f"{len(failing)} newly fail"
    if after.error:
        return "error"
    return f"{_passed(before)}→{_passed(after)} pass" if _passed(after) else "none passes, before or after"


def _passed(report: TestReport | None) -> int:
    return sum(result == "passed" for result in report.results.values()) if report else 0


def _remarks(console: "Console", proof: Proof) -> None:
    head = f"{proof.review or proof.remedy.apvs[0]}  "
    for doubt in proof.doubts:
        _text(console, f"{head}the advisory's range looks wrong: {doubt}", "yellow")
    if proof.held:
        _text(console, f"{head}held by policy: {proof.held}", "yellow")
    if proof.verdict.word is not VerdictWord.success:
        for reason in proof.verdict.reasons[:3]:
            _text(console, f"{head}{proof.verdict.word}: {reason}", MARKS[proof.verdict.word][1])


def _spent(proofs: Iterable[Proof]) -> dict[str, float]:
    """Seconds of work by kind; what several remedies share counts once."""
    environments: dict[str, float] = {}
    baselines: dict[str, float] = {}
    attacks = after = 0.0
    for lock, evidence in ((one.remedy.before, seen) for one in proofs for seen in (one.evidence, *one.passed_over)):
        for built in evidence.environments:
            environments[built.digest] = max(built.seconds, environments.get(built.digest, 0.0))
        attacks += sum(run.seconds for run in evidence.runs)
        for report in evidence.tests:
            if report.side is Side.before:
                baselines[lock.digest] = report.seconds
            else:
                after += report.seconds
    return {
        "environments": round(sum(environments.values()), 3),
        "attacks": round(attacks, 3),
        "tests": round(after + sum(baselines.values()), 3),
    }


def _spent_words(finished: Finished, seconds: float) -> str:
    if finished.known:
        return f"{seconds:.1f} s"
    spent = _spent(finished.healed.proofs)
    return f"{seconds:.1f} s; of work: " + ", ".join(f"{name} {value:.1f} s" for name, value in spent.items())


def _next(finished: Finished, path: str) -> str:
    healed = finished.healed
    if not healed.found.apvs:
        return "Nothing to heal."
    words = [proof.verdict.word for proof in healed.proofs]
    counts = ", ".join(f"{words.count(word)} {word}" for word in VerdictWord if word in words) or "no remedy"
    if not healed.proofs:
        return f"{counts}. Next: accept what cannot be helped with a waiver in {path}/vertice.toml."
    best = next((one for one in healed.proofs if one.verdict.word is VerdictWord.success), healed.proofs[0])
    return f"{counts}; {counted(len(words), 'review waits', 'reviews wait')}. Next: vertice review show {best.review}"


def _text(console: "Console", text: str, style: str = "") -> None:
    from rich.text import Text

    console.print(Text(printable(text, limit=2000), style=style), soft_wrap=True)


def _parts(console: "Console", *parts: tuple[str, str]) -> None:
    from rich.text import Text

    line = Text()
    for text, style in parts:
        line.append(printable(text, limit=500), style=style)
    console.print(line, soft_wrap=True)
