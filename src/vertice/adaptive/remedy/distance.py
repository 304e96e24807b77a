"""How large a change is, so that "the smallest" means something. Pure.

The measure is a sum over everything the change touches:

    10  a package whose first release component changes (1.x -> 2.x), or that changes without PEP 440 versions
     3  a package whose second component changes (1.2 -> 1.3)
     1  a package of which only a later part changes (1.2.3 -> 1.2.4)
     2  a package added or removed
     2  a constraint of the project's own that is edited
     8  an override: a parent runs with a version its authors have excluded

So a parent bumped by one minor version beside its child (3 + 3) is smaller than an override (3 + 8), and the override
is smaller than a new major version of the parent (10 + 3).
"""

from collections.abc import Iterable

from packaging.version import Version

from vertice.adaptive.remedy.candidates import parse
from vertice.adaptive.remedy.model import Change

__all__ = ["CONSTRAINT", "OVERRIDE", "distance", "size"]

CONSTRAINT = 2
OVERRIDE = 8
_ADDED_OR_REMOVED = 2


def size(changes: Iterable[Change], *, constraints: int = 0, overrides: int = 0) -> int:
    """Return the measure of the module's docstring."""
    return sum(distance(change) for change in changes) + constraints * CONSTRAINT + overrides * OVERRIDE


def distance(change: Change) -> int:
    """Return what one package contributes."""
    if not change.before or not change.after:
        return _ADDED_OR_REMOVED
    before, after = parse(change.before), parse(change.after)
    if before is None or after is None or before.epoch != after.epoch:
        return 10
    return _by_component(before, after)


def _by_component(before: Version, after: Version) -> int:
    width = max(len(before.release), len(after.release), 2)
    old = before.release + (0,) * (width - len(before.release))
    new = after.release + (0,) * (width - len(after.release))
    if old[0] != new[0]:
        return 10
    return 3 if old[1] != new[1] else 1
