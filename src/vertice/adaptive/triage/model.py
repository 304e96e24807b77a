"""An APV: one advisory matched to one dependency of one project, judged."""

from dataclasses import dataclass
from enum import StrEnum

from vertice.adaptive.advisories.model import Advisory
from vertice.adaptive.inventory.model import Component

__all__ = ["Apv", "Reachability", "ReachabilityLevel", "Site"]


class ReachabilityLevel(StrEnum):
    """How much evidence there is that the hole can be reached, weakest first."""

    present = "present"
    imported = "imported"
    referenced = "referenced"
    exploited = "exploited"


@dataclass(frozen=True, slots=True, order=True)
class Site:
    """A line of the project's own code."""

    path: str
    """Relative to the project."""
    line: int
    """From 1."""
    symbol: str
    """The dotted name that is used there."""


@dataclass(frozen=True, slots=True)
class Reachability:
    """The strongest level that was shown, and where."""

    level: ReachabilityLevel = ReachabilityLevel.present
    sites: tuple[Site, ...] = ()
    """Lines that import the package (imported) or name a vulnerable symbol (referenced), sorted."""
    through: str = ""
    """PEP 503 name of the package whose names stand on those lines: the package itself; a package that brings it into
    use (`fastapi.File` uses python-multipart); or the nearest ancestor that the project imports, the level then being
    `present`; "" when there is none."""
    tests_only: bool = False
    """Every site is in the project's tests, none in the code that runs in production."""


@dataclass(frozen=True, slots=True)
class Apv:
    """A verified potential threat (ameaça potencial verificada)."""

    code: str
    """`APV-YYYYMMDD-NNN`, the same for the same (project, advisory, package, version) ever after."""
    advisory: Advisory
    component: Component
    locations: tuple[str, ...] = ()
    """`file:line` of every manifest that names the component."""
    reachability: Reachability = Reachability()
    priority: int = 10
    """1 (most urgent) to 10."""
    reasons: tuple[str, ...] = ()
    """Why that priority, in words, the weightiest first."""
