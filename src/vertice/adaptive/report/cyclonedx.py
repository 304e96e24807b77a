"""The scan report as CycloneDX 1.6 JSON: components, the dependency graph, and vulnerabilities with VEX analysis.

The analysis states no more than was shown. That nobody saw an import is no proof of "not affected", so a finding is
`in_triage` until the wargame has exploited it; then it is `exploitable`. A waiver does not change the state: it adds
the response `will_not_fix` and its reason to the detail.
"""

import hashlib
import json
import re
import uuid
from collections.abc import Iterable, Sequence
from datetime import UTC
from decimal import Decimal
from typing import TYPE_CHECKING
from urllib.parse import quote

from vertice import __version__
from vertice.adaptive.advisories.model import Advisory
from vertice.adaptive.config import Waiver
from vertice.adaptive.inventory.model import Component
from vertice.adaptive.report import json as plain
from vertice.adaptive.report.model import ScanResult
from vertice.adaptive.report.words import next_fixed, reached
from vertice.adaptive.triage.model import Apv, ReachabilityLevel
from vertice.kernel.text import moment, printable

if TYPE_CHECKING:
    from cyclonedx.model.bom import Bom
    from cyclonedx.model.component import Component as BomComponent
    from cyclonedx.model.dependency import Dependency
    from cyclonedx.model.vulnerability import Vulnerability, VulnerabilityAnalysis, VulnerabilityRating

__all__ = ["render"]

_NAMESPACE = uuid.UUID("6f1f7b0e-7d0c-5c43-9a54-0e2f3b8f6a11")
_ROOT = "project"


def render(result: ScanResult) -> str:
    """Return the report, ending in a line feed."""
    from cyclonedx.output import make_outputter
    from cyclonedx.schema import OutputFormat, SchemaVersion

    return make_outputter(_bom(result), OutputFormat.JSON, SchemaVersion.V1_6).output_as_string(indent=2) + "\n"


def _bom(result: ScanResult) -> "Bom":
    from cyclonedx.model.bom import Bom, BomMetaData
    from cyclonedx.model.component import Component as BomComponent
    from cyclonedx.model.component import ComponentType
    from cyclonedx.model.tool import ToolRepository

    project = BomComponent(name=_plain(result.project), type=ComponentType.APPLICATION, bom_ref=_ROOT)
    tool = BomComponent(name="vertice", version=__version__, type=ComponentType.APPLICATION, bom_ref="vertice")
    by_purl: dict[str, list[Component]] = {}
    for component in result.components:
        by_purl.setdefault(component.purl, []).append(component)
    return Bom(
        serial_number=_serial(result),
        metadata=BomMetaData(
            timestamp=result.scanned_at.astimezone(UTC).replace(microsecond=0),
            component=project,
            tools=ToolRepository(components=[tool]),
        ),
        components=[_component(purl, places) for purl, places in by_purl.items()],
        dependencies=_dependencies(result.components),
        vulnerabilities=[
            *(_vulnerability(apv, None) for apv in result.apvs),
            *(_vulnerability(apv, waiver) for apv, waiver in result.waived),
        ],
    )


def _serial(result: ScanResult) -> uuid.UUID:
    """Return a serial number that is the same for the same content."""
    content = json.dumps(plain.as_data(result), sort_keys=True)
    return uuid.uuid5(_NAMESPACE, hashlib.sha256(content.encode()).hexdigest())


def _component(purl: str, places: Sequence[Component]) -> "BomComponent":
    from cyclonedx.model.component import Component as BomComponent
    from cyclonedx.model.component import ComponentScope, ComponentType
    from cyclonedx.model.component_evidence import ComponentEvidence, Occurrence
    from packageurl import PackageURL

    return BomComponent(
        name=_plain(places[0].name),
        version=_plain(places[0].version),
        type=ComponentType.LIBRARY,
        bom_ref=purl,
        purl=PackageURL("pypi", None, places[0].name, places[0].version),
        scope=ComponentScope.EXCLUDED if all(place.dev for place in places) else ComponentScope.REQUIRED,
        evidence=ComponentEvidence(
            occurrences=[
                Occurrence(location=_plain(place.source), line=place.line or None, bom_ref=f"{purl}#{number}")
                for number, place in enumerate(places, start=1)
            ]
        ),
    )


def _dependencies(components: Iterable[Component]) -> list["Dependency"]:
    from cyclonedx.model.bom_ref import BomRef
    from cyclonedx.model.dependency import Dependency

    in_manifest = {(component.source, component.name): component.purl for component in components}
    anywhere = {component.name: component.purl for component in components}
    edges: dict[str, set[str]] = {_ROOT: set()}
    for component in components:
        if component.direct:
            edges[_ROOT].add(component.purl)
        below = edges.setdefault(component.purl, set())
        for name in component.dependencies:
            purl = in_manifest.get((component.source, name)) or anywhere.get(name)
            if purl:
                below.add(purl)
    return [
        Dependency(BomRef(purl), dependencies=[Dependency(BomRef(below)) for below in sorted(edges[purl])])
        for purl in edges
    ]


def _vulnerability(apv: Apv, waiver: Waiver | None) -> "Vulnerability":
    from cyclonedx.model import XsUri
    from cyclonedx.model.vulnerability import (
        BomTarget,
        Vulnerability,
        VulnerabilityReference,
        VulnerabilitySource,
    )

    advisory = apv.advisory
    fixed = next_fixed(apv)
    source = VulnerabilitySource(
        name="OSV", url=XsUri(f"https://osv.dev/vulnerability/{quote(_plain(advisory.id), safe='')}")
    )
    return Vulnerability(
        bom_ref=apv.code,
        id=_plain(advisory.id),
        source=source if advisory.source == "osv" else VulnerabilitySource(name="Vértice probe"),
        references=[
            VulnerabilityReference(id=_plain(alias), source=VulnerabilitySource(name=_issuer(alias)))
            for alias in advisory.aliases
        ],
        ratings=[_rating(advisory)],
        cwes=sorted({int(found[1]) for cwe in advisory.cwe if (found := re.fullmatch(r"CWE-([1-9]\d{0,8})", cwe))}),
        description=_plain(advisory.summary) or None,
        recommendation=f"Update {apv.component.name} to {fixed} or later." if fixed else None,
        published=moment(advisory.published),
        updated=moment(advisory.modified),
        analysis=_analysis(apv, waiver),
        affects=[BomTarget(ref=apv.component.purl)],
    )


def _rating(advisory: Advisory) -> "VulnerabilityRating":
    from cyclonedx.model.vulnerability import VulnerabilityRating, VulnerabilityScoreSource, VulnerabilitySeverity

    severity = VulnerabilitySeverity(advisory.severity.value)
    if advisory.cvss is None:
        return VulnerabilityRating(severity=severity, justification="no score is published")
    method = VulnerabilityScoreSource.get_from_vector(advisory.cvss_vector)
    rating = VulnerabilityRating(score=Decimal(str(advisory.cvss)), severity=severity, method=method)
    rating.vector = _plain(advisory.cvss_vector) or None
    return rating


def _analysis(apv: Apv, waiver: Waiver | None) -> "VulnerabilityAnalysis":
    from cyclonedx.model.impact_analysis import ImpactAnalysisResponse, ImpactAnalysisState
    from cyclonedx.model.vulnerability import VulnerabilityAnalysis

    exploited = apv.reachability.level is ReachabilityLevel.exploited
    detail = f"Reachability: {apv.reachability.level} ({reached(apv.reachability)})."
    if waiver:
        detail += f" Accepted until {waiver.until}: {_plain(waiver.reason)}"
    return VulnerabilityAnalysis(
        state=ImpactAnalysisState.EXPLOITABLE if exploited else ImpactAnalysisState.IN_TRIAGE,
        responses=[ImpactAnalysisResponse.WILL_NOT_FIX] if waiver else [],
        detail=detail,
    )


def _issuer(alias: str) -> str:
    known = {"CVE": "NVD", "GHSA": "GitHub", "PYSEC": "PyPA"}
    return known.get(alias.split("-", 1)[0], "OSV")


def _plain(text: str) -> str:
    return printable(text, limit=1000)
