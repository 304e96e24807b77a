"""Opening the review store for one command, and who gives it."""

import subprocess
from typing import TYPE_CHECKING, TypeVar

from vertice.cli.workbench import Workbench

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from vertice.adaptive.review.model import Reviewer
    from vertice.adaptive.review.store import ReviewStore

__all__ = ["person", "with_store"]

_T = TypeVar("_T")


async def with_store(use: "Callable[[ReviewStore, Workbench], Awaitable[_T]]") -> _T:
    """Open the store of this process's settings, bring its schema up to date, and use it once."""
    from vertice.adaptive.review.store import ReviewStore
    from vertice.kernel.database import Database, upgrade

    bench = Workbench()
    url = bench.settings.database
    _ = bench.home
    await upgrade(url)
    async with Database.open(url) as database:
        return await use(ReviewStore(database, home=bench.home), bench)


def person() -> "Reviewer":
    """Whoever git's own settings of this person say; what the project's settings say does not count."""
    from vertice.adaptive.review.model import Reviewer

    def git(name: str) -> str:
        command = ["git", "config", "--global", "--get", name]
        return subprocess.run(command, capture_output=True, text=True, timeout=10, check=False).stdout.strip()

    return Reviewer(name=git("user.name"), email=git("user.email"))
