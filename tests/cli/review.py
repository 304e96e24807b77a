"""A review that waits, and its evidence, without a heal: what the commands on reviews are tried on."""

import asyncio
from dataclasses import replace
from pathlib import Path

from tests.adaptive.review import samples
from tests.machine import commit
from vertice.adaptive.execution.forges import propose
from vertice.adaptive.review.evidence import export, statement
from vertice.adaptive.review.model import Review
from vertice.adaptive.review.store import ReviewStore
from vertice.kernel.database import Database, upgrade

__all__ = ["leave_a_review"]


def leave_a_review(home: Path, project: Path) -> Review:
    """Propose the samples' remedy on a real git repository, sign the evidence, store the review."""
    project.mkdir(parents=True)
    (project / "requirements.txt").write_text(samples.BEFORE)
    commit(project)
    home.mkdir(mode=0o700, exist_ok=True)
    remedy = samples.a_remedy()
    proposal = propose(project, remedy, code=remedy.apvs[0], message="Fix it\n", home=home)
    new = samples.proven(samples.a_new_review(remedy=remedy, root=str(project), proposal=proposal))
    exported = export(home / "evidence" / "WAR-1.intoto.json", statement(samples.a_record()), home=home)
    run = replace(new.run, evidence=exported.path.read_text())
    new = replace(new, evidence_digest=exported.digest, evidence_path=exported.path, run=run)
    return asyncio.run(_create(home, new))


async def _create(home: Path, new: samples.NewReview) -> Review:
    url = f"sqlite+aiosqlite:///{home / 'vertice.db'}"
    await upgrade(url)
    async with Database.open(url) as database:
        return await ReviewStore(database, home=home).create(new)
