"""From a project's own settings to what a heal is asked, and what policy says of its outcome: pure but for the date."""

from datetime import UTC, datetime
from pathlib import Path

from vertice.adaptive.config import Config
from vertice.adaptive.model import Request
from vertice.adaptive.remedy.model import Remedy
from vertice.kernel.sandbox.model import Limits

__all__ = ["asked", "held"]


def asked(project: Path, config: Config, *, probes: tuple[str, ...], wanted: tuple[tuple[str, str], ...]) -> Request:
    """Return what a heal of `project` asks for today, by its own settings; the digest is still to be taken."""
    wargame = config.wargame
    return Request(
        project=str(project),
        digest="",
        today=datetime.now(UTC).date().isoformat(),
        repeats=wargame.repeats,
        limits=wargame.limits,
        tests=wargame.tests,
        tests_limits=Limits(
            seconds=wargame.tests_seconds,
            memory_bytes=4 * 1024**3,
            processes=512,
            output_bytes=16 * 1024**2,
            disk_bytes=1024**3,
        ),
        probes=probes,
        python=wargame.python,
        minimum_age_days=config.remedy.minimum_age_days,
        prereleases=config.remedy.prereleases,
        hold_younger_than_days=config.policy.hold_younger_than_days,
        wanted=wanted,
    )


def held(request: Request, remedy: Remedy) -> str:
    """Say why policy holds the remedy back, "" when it does not."""
    days = request.hold_younger_than_days
    young = [fact for fact in remedy.facts if fact.age_days is not None and fact.age_days < days]
    return "; ".join(
        f"{fact.package} {fact.version} is {fact.age_days} days old, policy asks for {days}" for fact in young
    )
