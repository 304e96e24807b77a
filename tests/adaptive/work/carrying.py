"""A worker that carries decisions out on GitHub's stand-in, and does nothing else, until it is killed.

`python -m tests.adaptive.work.carrying CONFIG.json`
"""

import asyncio
import json
import sys
from pathlib import Path
from typing import Any

from pydantic import SecretStr

from tests.adaptive.work.process import Registered, no_audit
from vertice.adaptive.execution.github import GitHubSettings
from vertice.adaptive.execution.github_client import Access
from vertice.adaptive.projects.scans import ScanStore
from vertice.adaptive.projects.store import ProjectStore
from vertice.adaptive.review.store import ReviewStore
from vertice.adaptive.work.decisions import StoredDecisions
from vertice.adaptive.work.worker import Tools, Work, WorkSettings
from vertice.kernel.database import Database


async def run(config: dict[str, Any]) -> None:
    url, home = config["url"], Path(config["home"])
    access = Access(SecretStr("github_pat_test"), base_url=config["github"], seconds=10.0)
    how = WorkSettings(
        url,
        home,
        proves=False,
        pauses=(0.1,) * 20,
        execution_pauses=tuple(config["pauses"]),
        beat_seconds=0.2,
        dead_seconds=2.0,
        sweep_seconds=0.2,
        poll_seconds=0.1,
    )
    async with Database.open(url) as database:
        world = Registered(home / "made-up", hook=lambda _: None)
        reviews = ReviewStore(database, home=home)
        decisions = StoredDecisions(reviews, home, GitHubSettings(access, leads=("lead",)))
        projects, scans = ProjectStore(database, audit=no_audit), ScanStore(database)
        work = Work(how, database, Tools(world, world, world, world, projects, scans, decisions))
        await work.start()
        await work.lost.wait()


if __name__ == "__main__":
    asyncio.run(run(json.loads(Path(sys.argv[1]).read_text())))
