"""The description of a pull request: the proof, for whoever has never heard of Vértice."""

from collections import Counter
from collections.abc import Iterator, Mapping

from vertice.adaptive.execution.github_models import StatusWord
from vertice.adaptive.execution.github_text import MAX_BODY, cell, code, harmless, heading, marker, quoted, table
from vertice.adaptive.execution.interface import Dossier
from vertice.adaptive.remedy.model import ReleaseFacts, Remedy
from vertice.adaptive.review.model import DecisionRecord
from vertice.adaptive.wargame.model import CaseRun, Side, TestReport, VerdictWord

__all__ = ["body", "comment", "commit_message", "labels", "plain_body", "status_of", "title"]

_STATES: Mapping[VerdictWord, StatusWord] = {
    VerdictWord.success: "success",
    VerdictWord.failed: "failure",
    VerdictWord.error: "error",
    VerdictWord.inconclusive: "pending",
}
"""Our verdicts in the words of GitHub's status checks: what is not proven waits for a person."""
_MAX_STATUS = 140


def title(remedy: Remedy, dossier: Dossier) -> str:
    """Return the title: `Fix CVE-2020-14343: pyyaml 5.3.1 → 5.4`."""
    change = remedy.changes[0]
    more = f" and {len(dossier.apvs) - 1} more" if len(dossier.apvs) > 1 else ""
    versions = f"{change.package} {change.before or 'new'} → {change.after or 'gone'}"
    return harmless(f"Fix {dossier.apvs[0].advisory.cve}{more}: {versions}", limit=200)


def labels(dossier: Dossier | None, always: tuple[str, ...]) -> dict[str, tuple[str, str]]:
    """Return the labels with colour and description."""
    known = {"vertice": ("5319e7", "Prepared and proven by Vértice"), "security": ("ee0701", "Closes a security hole")}
    found = {name: known.get(name, ("ededed", "")) for name in always}
    if dossier is not None:
        severity = dossier.apvs[0].advisory.severity
        colours = {"critical": "b60205", "high": "d93f0b", "medium": "fbca04", "low": "c2e0c6"}
        found[f"severity:{severity}"] = (colours[severity], f"Severity {severity}")
    return found


def status_of(dossier: Dossier) -> tuple[StatusWord, str]:
    """Return state and description of the status check."""
    verdict = dossier.verdict
    text = f"{verdict.grade}, confidence {verdict.confidence:.2f}"
    if verdict.reasons:
        text += f": {harmless(verdict.reasons[0])}"
    return _STATES[verdict.word], text if len(text) <= _MAX_STATUS else f"{text[: _MAX_STATUS - 1]}…"


def commit_message(message: str) -> str:
    """Return a commit message in which no line calls, links or closes."""
    return "\n".join(harmless(line, limit=1000) for line in message.splitlines()[:200]) + "\n"


def plain_body(message: str, name: str) -> str:
    """Return the description where nothing but the commit message is known."""
    return f"{quoted(message)}\n\n{marker('proposal', name)}\n"


def body(remedy: Remedy, dossier: Dossier, name: str, review_url: str) -> str:
    """Return the description, at most MAX_BODY characters; `name` marks it as ours."""
    end = f"\n\n{marker('proposal', name)}\n"
    kept: list[str] = []
    room = MAX_BODY - len(end)
    for section in _sections(remedy, dossier, review_url):
        if room < len(section) + 2:
            continue
        kept.append(section)
        room -= len(section) + 2
    return "\n\n".join(kept) + end


def comment(headline: str, record: DecisionRecord) -> str:
    """Return a comment on a decision: what, by whom, why."""
    by = code(record.reviewer.name, limit=100)
    wanted = f", who wants {code(record.wanted, limit=200)}" if record.wanted else ""
    parts = (
        f"**{headline}** in Vértice by {by}{wanted}.",
        quoted(record.justification),
        marker("decision", str(record.id)),
    )
    return "\n\n".join(parts) + "\n"


def _sections(remedy: Remedy, dossier: Dossier, review_url: str) -> Iterator[str]:
    """Yield what there is to say, the most important first: that is what stays where there is no room."""
    verdict = dossier.verdict
    reasons = "\n".join(f"- {code(reason)}" for reason in verdict.reasons[:12])
    yield f"**{verdict.word} ({verdict.grade}), confidence {verdict.confidence:.2f}**\n\n{reasons}"
    yield _check_it(dossier, review_url)
    changes = ((cell(one.package), cell(one.before or "new"), cell(one.after or "gone")) for one in remedy.changes)
    yield f"{heading('What changes')}\n\n{table(('package', 'before', 'after'), changes)}\n\n{code(remedy.why)}"
    holes = (
        (cell(apv.code), cell(apv.advisory.cve), str(apv.advisory.severity), cell(apv.advisory.summary))
        for apv in dossier.apvs
    )
    yield f"{heading('Holes it closes')}\n\n{table(('APV', 'advisory', 'severity', 'what it is'), holes)}"
    doubts = [*dossier.doubts, *([f"held by policy: {dossier.held}"] if dossier.held else [])]
    if doubts:
        yield f"{heading('Doubts')}\n\n" + "\n".join(f"- {code(doubt, limit=600)}" for doubt in doubts[:20])
    yield f"{heading('Attacks')}\n\n{_attacks(dossier)}"
    yield f"{heading('The tests of the project')}\n\n{_tests(dossier)}"
    if remedy.facts:
        rows = (_facts(one) for one in remedy.facts)
        headings = ("release", "age", "yanked", "attested", "publisher changed", "code at install or start")
        yield f"{heading('The release')}\n\n{table(headings, rows)}"
    if verdict.raise_by:
        yield f"{heading('What would raise the confidence')}\n\n" + "\n".join(
            f"- {code(one)}" for one in verdict.raise_by[:12]
        )


def _check_it(dossier: Dossier, review_url: str) -> str:
    where = f"[Review and decide]({review_url}). " if review_url else ""
    arena = f" in {code(dossier.arena)}" if dossier.arena else ""
    return (
        f"{where}Proven in run {code(dossier.run)}{arena}. The signed evidence has the SHA-256 "
        f"`{dossier.evidence_digest}`, its key the fingerprint `{dossier.signer}`. Anyone can check it, offline:\n\n"
        f"```sh\nvertice evidence verify {dossier.run}.intoto.json\n```"
    )


def _attacks(dossier: Dossier) -> str:
    runs = dossier.evidence.runs
    if not runs:
        return "No probe attacks this hole."
    cases = dict.fromkeys((run.probe, run.case, run.role) for run in runs)
    rows = []
    for probe, case, role in cases:
        own = [run for run in runs if (run.probe, run.case) == (probe, case)]
        rows.append((cell(probe), cell(case), str(role), _tally(own, Side.before), _tally(own, Side.after)))
    unprobed = ", ".join(code(name) for name in dossier.evidence.unprobed[:20])
    note = f"\n\nNo probe attacks {unprobed}." if unprobed else ""
    return table(("probe", "case", "kind", "before", "after"), rows) + note


def _tally(runs: list[CaseRun], side: Side) -> str:
    counted = Counter(run.outcome for run in runs if run.side is side)
    total = counted.total()
    return ", ".join(f"{outcome} {times} of {total}" for outcome, times in sorted(counted.items())) or "not run"


def _tests(dossier: Dossier) -> str:
    reports = {report.side: report for report in dossier.evidence.tests}
    rows = [(side.value, *_counts(reports.get(side))) for side in Side]
    lines = [table(("", "passed", "failed", "error", "skipped", "lines of the change covered"), rows)]
    before, after = reports.get(Side.before), reports.get(Side.after)
    if before is not None and after is not None:
        new = [
            name
            for name, result in after.results.items()
            if result in {"failed", "error"} and before.results.get(name) == "passed"
        ]
        if new:
            lines.append("Newly failing: " + ", ".join(code(name) for name in new[:20]))
    lines += [f"{report.side}: {code(report.error)}" for report in reports.values() if report.error]
    return "\n\n".join(lines)


def _counts(report: TestReport | None) -> tuple[str, ...]:
    if report is None:
        return ("not run", "", "", "", "")
    counted = Counter(report.results.values())
    numbers = (str(counted[word]) for word in ("passed", "failed", "error", "skipped"))
    return (*numbers, f"{len(report.covered)} of {len(report.sites)}")


def _facts(facts: ReleaseFacts) -> tuple[str, ...]:
    age = "unknown" if facts.age_days is None else f"{facts.age_days} days"
    by_itself = [*facts.pth_files[:5], *(["only an sdist"] if facts.install_time_code else [])]
    return (
        cell(f"{facts.package} {facts.version}"),
        age,
        _word(facts.yanked),
        _word(facts.attested),
        _word(facts.publisher_changed),
        ", ".join(cell(name) for name in by_itself) or "none seen",
    )


def _word(value: bool | None) -> str:
    return "unknown" if value is None else "yes" if value else "no"
