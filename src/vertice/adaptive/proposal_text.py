"""What a patch is told with: the commit's message, and what the reviewer should know first."""

from vertice.adaptive.model import Proof
from vertice.adaptive.triage.model import Apv

__all__ = ["message_of", "summary_of"]


def summary_of(proof: Proof) -> str:
    """What the reviewer should know first."""
    lines = [f"The advisory's range looks wrong: {doubt}." for doubt in proof.doubts]
    return "\n".join([*lines, *([f"Held by policy: {proof.held}."] if proof.held else [])])


def message_of(proof: Proof, apvs: tuple[Apv, ...], run: str, summary: str) -> str:
    """The commit message of the patch."""
    changes = ", ".join(f"{one.package} {one.before or 'new'} -> {one.after or 'gone'}" for one in proof.remedy.changes)
    ids = "\n".join(f"- {apv.code}: {apv.advisory.cve} in {apv.component.name} {apv.component.version}" for apv in apvs)
    verdict = f"{proof.verdict.word} ({proof.verdict.grade}, confidence {proof.verdict.confidence:.2f})"
    reasons = "\n".join(proof.verdict.reasons[:3])
    return (
        f"Fix {apvs[0].advisory.cve}: {changes}\n\n{ids}\n\nWargame {run}: {verdict}\n{reasons}\n{summary}".rstrip()
        + "\n"
    )
