"""How a range is changed so that it begins at a fixed version, and nothing else of it changes. Pure."""

from packaging.specifiers import InvalidSpecifier, SpecifierSet
from packaging.version import InvalidVersion, Version

from vertice.adaptive.remedy.requirements import Clause, Entry, Replacement, Span, apply, entries

__all__ = ["allows", "raise_bounds", "raised"]


def allows(entry: Entry, version: Version) -> bool:
    """Say whether the entry's own clauses let `version` in."""
    return entry.specifier.contains(version, prereleases=True)


def raised(requirement: str, version: Version) -> str:
    """Return a PEP 508 requirement (one line) with its lower bound at `version`; unchanged when it is none.

    >>> raised("jinja2 >=2.0,<3 ; python_version > '3'", Version("3.1.4"))
    "jinja2 >=3.1.4,<4 ; python_version > '3'"
    """
    found = entries(requirement)
    return apply(requirement, raise_bounds(found[0], version)) if len(found) == 1 else requirement


def raise_bounds(entry: Entry, version: Version) -> tuple[Replacement, ...]:
    """Return what must be replaced so that the entry asks for at least `version`.

    `>=`, `>` and `==` go to the version itself. An upper bound stays where it lets the version in, else it goes to the
    next step of its own precision (`<3` -> `<4`, `<2.12` -> `<3.2`). `~=` and `==x.*` keep their width and get a `>=`
    beside them.
    """
    if not entry.clauses:
        return (Replacement(Span(entry.bound, entry.bound), f">={version}"),)
    made: list[Replacement] = []
    bounded = False
    for clause in entry.clauses:
        new, lower = _clause(clause, version)
        bounded = bounded or lower
        if new != clause.operator + clause.version:
            whole = new[: len(clause.operator)] != clause.operator
            made.append(Replacement(clause.span, new) if whole else Replacement(clause.at, new[len(clause.operator) :]))
    if bounded:
        return tuple(made)
    last = entry.clauses[-1].span.end
    at_end = [one for one in made if one.span.end == last]
    if at_end:
        return (*made[:-1], Replacement(at_end[0].span, f"{at_end[0].text},>={version}"))
    return (*made, Replacement(Span(last, last), f",>={version}"))


def _clause(clause: Clause, version: Version) -> tuple[str, bool]:
    """Return the clause as it should be, and whether it now bounds from below."""
    fits = _contains(clause, version)
    match clause.operator:
        case "==" if clause.version.endswith(".*"):
            return (f"=={_prefix(clause.version[:-2], version)}.*" if not fits else f"=={clause.version}"), False
        case "==" | "===":
            return f"{clause.operator}{version}", True
        case "~=":
            return (f"~={_prefix(clause.version, version)}" if not fits else f"~={clause.version}"), False
        case ">=" | ">":
            return (f">={version}" if fits else clause.operator + clause.version), True
        case "<" | "<=" if not fits:
            return (f"<{_above(clause.version, version)}" if clause.operator == "<" else f"<={version}"), False
        case _:
            return clause.operator + clause.version, False


def _contains(clause: Clause, version: Version) -> bool:
    try:
        return SpecifierSet(clause.operator + clause.version).contains(version, prereleases=True)
    except InvalidSpecifier:
        return True


def _prefix(old: str, version: Version) -> str:
    """Return as many components of `version` as `old` has."""
    length = len(old.split("."))
    return ".".join(str(part) for part in (*version.release, *(0,) * length)[:length])


def _above(bound: str, version: Version) -> str:
    """Return the next bound above `version` at the precision of `bound`, padded to its length.

    >>> _above("0.28.0", Version("0.40.1"))
    '0.41.0'
    """
    try:
        old = list(Version(bound).release)
    except InvalidVersion:
        return str(version)
    precision = max((index + 1 for index, part in enumerate(old) if part), default=1)
    parts = [*version.release, *(0,) * precision][:precision]
    parts[-1] += 1
    return ".".join(str(part) for part in parts + [0] * (len(old) - precision))
