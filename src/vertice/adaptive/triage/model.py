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
    """A line of the project's own code: path relative to the project, line from 1, the dotted name used."""

    path: str
    line: int
    symbol: str


@dataclass(frozen=True, slots=True)
class Reachability:
    """The strongest level that was shown, and where."""

    level: ReachabilityLevel = ReachabilityLevel.present
    sites: tuple[Site, ...] = ()
    """Lines that import the package (imported) or name a vulnerable symbol (referenced), sorted."""
    through: str = ""
    """PEP 503 name of the package in whose place the project's code was searched: the package itself, or the nearest
    ancestor on the dependency path that the project imports; "" when none is."""


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
