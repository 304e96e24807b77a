"""The scan report as SARIF 2.1.0 (OASIS), with the properties GitHub code scanning reads.

One rule per advisory, one result per finding and manifest line; waived findings carry a suppression.
"""

import hashlib
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote

from vertice import __version__
from vertice.adaptive.advisories.model import Advisory, Severity
from vertice.adaptive.config import Waiver
from vertice.adaptive.report.model import ScanResult, rfc3339
from vertice.adaptive.report.words import next_fixed, reached
from vertice.adaptive.triage.model import Apv, Site
from vertice.adaptive.triage.priority import STAND_IN_SCORES
from vertice.kernel.text import printable

__all__ = ["render"]

_SCHEMA = "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json"
_LEVELS = {Severity.critical: "error", Severity.high: "error", Severity.medium: "warning", Severity.low: "note"}
_MARKDOWN = str.maketrans({char: f"\\{char}" for char in "\\`*_{}[]<>()#+!|~&"})


def render(result: ScanResult) -> str:
    """Return the report, ending in a line feed."""
    return json.dumps(_log(result), indent=2) + "\n"


def _log(result: ScanResult) -> dict[str, Any]:
    judged: list[tuple[Apv, Waiver | None]] = [*((apv, None) for apv in result.apvs), *result.waived]
    rules = {apv.advisory.id: apv.advisory for apv, _ in judged}
    positions = {rule: position for position, rule in enumerate(rules)}
    driver = {
        "name": "Vértice",
        "semanticVersion": __version__,
        "rules": [_rule(advisory) for advisory in rules.values()],
    }
    notifications = [{"level": "warning", "message": {"text": _plain(text)}} for text in result.warnings]
    invocation: dict[str, Any] = {"executionSuccessful": True, "endTimeUtc": rfc3339(result.scanned_at)}
    if notifications:
        invocation["toolExecutionNotifications"] = notifications
    run = {
        "tool": {"driver": driver},
        "invocations": [invocation],
        "columnKind": "unicodeCodePoints",
        "automationDetails": {"id": "vertice/"},
        "results": [found for apv, waiver in judged for found in _results(apv, waiver, positions)],
    }
    return {"$schema": _SCHEMA, "version": "2.1.0", "runs": [run]}


def _rule(advisory: Advisory) -> dict[str, Any]:
    summary = _plain(advisory.summary) or f"Known vulnerability {_plain(advisory.cve)}"
    ids = ", ".join(_plain(name) for name in advisory.ids)
    fixed = ", ".join(_plain(version) for version in advisory.fixed_versions) or "none is known"
    lines = [summary, f"Advisory: {ids}", f"Package: {advisory.package}", f"Fixed in: {fixed}"]
    lines += [f"See: {url}" for url in (_plain(url) for url in advisory.references[:5])]
    score = STAND_IN_SCORES[advisory.severity] if advisory.cvss is None else advisory.cvss
    rule: dict[str, Any] = {
        "id": _plain(advisory.id),
        "name": _plain(advisory.cve),
        "shortDescription": {"text": f"{advisory.package}: {summary}"},
        "fullDescription": {"text": summary},
        "help": {"text": "\n".join(lines), "markdown": "\n\n".join(line.translate(_MARKDOWN) for line in lines)},
        "defaultConfiguration": {"level": _LEVELS[advisory.severity]},
        "properties": {
            "precision": "very-high",
            "security-severity": f"{score:.1f}",
            "tags": ["security", "vulnerability", *(f"external/cwe/{_plain(cwe).lower()}" for cwe in advisory.cwe)],
        },
    }
    if not advisory.id.startswith("MAL-"):
        rule["helpUri"] = "https://osv.dev/vulnerability/" + quote(_plain(advisory.id), safe="")
    return rule


def _results(apv: Apv, waiver: Waiver | None, positions: dict[str, int]) -> Iterator[dict[str, Any]]:
    for source, line in _manifest_lines(apv):
        advisory, component = apv.advisory, apv.component
        found: dict[str, Any] = {
            "ruleId": _plain(advisory.id),
            "ruleIndex": positions[advisory.id],
            "level": _LEVELS[advisory.severity],
            "message": {"text": _message(apv)},
            "locations": [_location(source, line)],
            "partialFingerprints": {
                "vertice/v1": _fingerprint(advisory.id, component.name, component.version, source),
            },
            "properties": {
                "code": apv.code,
                "priority": apv.priority,
                "reasons": [_plain(reason) for reason in apv.reasons],
                "reachability": apv.reachability.level.value,
                "purl": component.purl,
            },
        }
        related = [_related(site, position) for position, site in enumerate(apv.reachability.sites, start=1)]
        if related:
            found["relatedLocations"] = related
        if waiver:
            reason = f"{_plain(waiver.reason)} (until {waiver.until})"
            found["suppressions"] = [{"kind": "external", "status": "accepted", "justification": reason}]
        yield found


def _message(apv: Apv) -> str:
    component, advisory = apv.component, apv.advisory
    fixed = next_fixed(apv)
    parts = [f"{component.name} {component.version} is vulnerable to {advisory.cve}"]
    parts += [advisory.summary] if advisory.summary else []
    parts += [f"Fixed in {fixed}" if fixed else "No fixed version is known"]
    parts += [f"Needed by {' > '.join(component.dependency_path[:-1])}"] if len(component.dependency_path) > 1 else []
    parts += [f"Reachability: {apv.reachability.level} ({reached(apv.reachability)})"]
    return _plain(". ".join(part.rstrip(".") for part in parts) + ".")


def _manifest_lines(apv: Apv) -> list[tuple[str, int]]:
    """Return (file, line) of every manifest that names the component, the one the finding is of first."""
    own = (apv.component.source, apv.component.line)
    others = []
    for location in apv.locations:
        source, colon, line = location.rpartition(":")
        others.append((source, int(line)) if colon and line.isdecimal() else (location, 0))
    return list(dict.fromkeys([own, *others]))


def _location(path: str, line: int) -> dict[str, Any]:
    return {"physicalLocation": {"artifactLocation": _artifact(path), "region": {"startLine": max(1, line)}}}


def _related(site: Site, position: int) -> dict[str, Any]:
    return {"id": position, "message": {"text": _plain(site.symbol)}, **_location(site.path, site.line)}


def _artifact(path: str) -> dict[str, Any]:
    """Return a URI below the project's root, or a file URI for a path outside of it (an environment)."""
    if Path(path).is_absolute():
        return {"uri": f"file://{quote(path, errors='surrogateescape')}"}
    return {"uri": quote(path, errors="surrogateescape"), "uriBaseId": "%SRCROOT%"}


def _fingerprint(*parts: str) -> str:
    return hashlib.sha256("\0".join(parts).encode("utf-8", "surrogatepass")).hexdigest()


def _plain(text: str) -> str:
    return printable(text, limit=1000)
