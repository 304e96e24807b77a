"""The scan report as JSON, in the shape the issue fixes; what was added comes after the fixed keys.

Only ASCII is written (the rest as `\\uNNNN`), so that no text of an advisory can act on a terminal.
"""

import json
from typing import Any

from vertice.adaptive.config import Waiver
from vertice.adaptive.inventory.model import Component
from vertice.adaptive.report.model import ScanResult, rfc3339
from vertice.adaptive.triage.model import Apv, Reachability

__all__ = ["as_data", "render"]


def render(result: ScanResult) -> str:
    """Return the report, ending in a line feed."""
    return json.dumps(as_data(result), indent=2) + "\n"


def as_data(result: ScanResult) -> dict[str, Any]:
    """Return the report as plain data."""
    return {
        "project": result.project,
        "scanned_at": rfc3339(result.scanned_at),
        "advisories": {
            "source": result.source.source,
            "records": result.source.records,
            "updated_at": result.source.updated_at,
        },
        "components": [_component(component) for component in result.components],
        "apvs": [_apv(apv) for apv in result.apvs],
        "waived": [{**_apv(apv), "waiver": _waiver(waiver)} for apv, waiver in result.waived],
        "waivers": {
            "expired": [_waiver(waiver) for waiver in result.expired],
            "unused": [_waiver(waiver) for waiver in result.unused],
        },
        "warnings": list(result.warnings),
    }


def _component(component: Component) -> dict[str, Any]:
    return {
        "name": component.name,
        "version": component.version,
        "purl": component.purl,
        "direct": component.direct,
        "source": component.source,
        "line": component.line,
        "dependency_path": list(component.dependency_path),
        "dev": component.dev,
    }


def _apv(apv: Apv) -> dict[str, Any]:
    advisory = apv.advisory
    return {
        "code": apv.code,
        "advisory": advisory.id,
        "aliases": list(advisory.aliases),
        "package": apv.component.name,
        "version": apv.component.version,
        "severity": advisory.severity.value,
        "cvss": advisory.cvss,
        "cwe": list(advisory.cwe),
        "fixed_versions": list(advisory.fixed_versions),
        "dependency_path": list(apv.component.dependency_path),
        "reachability": _reachability(apv.reachability),
        "priority": apv.priority,
        "summary": advisory.summary,
        "reasons": list(apv.reasons),
        "locations": list(apv.locations),
        "cvss_vector": advisory.cvss_vector,
        "epss": advisory.epss,
        "kev": advisory.kev,
        "known_from": advisory.source,
    }


def _reachability(found: Reachability) -> dict[str, Any]:
    return {
        "level": found.level.value,
        "sites": [{"path": site.path, "line": site.line, "symbol": site.symbol} for site in found.sites],
        "through": found.through,
        "tests_only": found.tests_only,
    }


def _waiver(waiver: Waiver) -> dict[str, Any]:
    return {
        "id": waiver.id,
        "package": waiver.package or None,
        "reason": waiver.reason,
        "until": waiver.until.isoformat(),
    }
