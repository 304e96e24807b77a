"""Hand-made values of the models, for the tests of reviews and their execution."""

import base64
import difflib
import json
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

from vertice.adaptive.advisories.model import Advisory, Event, Range, Severity
from vertice.adaptive.inventory.model import Component, Lock
from vertice.adaptive.remedy.model import Change, Edit, ReleaseFacts, Remedy, Strategy
from vertice.adaptive.review.evidence import PAYLOAD_TYPE, WargameRecord, digest_of, statement
from vertice.adaptive.review.model import Decision, DecisionKind, NewReview, Proposal, Reviewer, Run
from vertice.adaptive.triage.model import Apv, Reachability, ReachabilityLevel, Site
from vertice.adaptive.wargame.model import (
    Case,
    CaseRun,
    EnvironmentReport,
    Evidence,
    Grade,
    Outcome,
    Probe,
    Role,
    Side,
    TestReport,
    Verdict,
    VerdictWord,
)
from vertice.kernel.codec import canonical
from vertice.kernel.sandbox.model import Limits

BEFORE = "# pinned\nfastapi==0.104.1\npyyaml==5.3.1\n"
AFTER = "# pinned\nfastapi==0.104.1\npyyaml==5.4\n"
ANA = Reviewer("Ana Souza", "ana@example.org")
BO = Reviewer("Bo Li", "bo@example.org")


def an_apv(code="APV-20261121-001", *, package="pyyaml", severity=Severity.critical, priority=1):
    return Apv(
        code=code,
        advisory=Advisory(
            id="GHSA-8q59-q68h-6hv4",
            package=package,
            aliases=("CVE-2020-14343",),
            summary="full_load runs code — “arbitrary”",
            ranges=(Range((Event("introduced", "0"), Event("fixed", "5.4"))),),
            severity=severity,
            cvss=9.8,
            cvss_vector="CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:H/I:H/A:H",
            cwe=("CWE-20",),
            fixed_versions=("5.4",),
            symbols=("yaml.full_load",),
            epss=0.013,
        ),
        component=Component(package, "5.3.1", "requirements.txt", line=3, dependency_path=(package,)),
        locations=("requirements.txt:3",),
        reachability=Reachability(ReachabilityLevel.referenced, (Site("app.py", 4, "yaml.full_load"),), package),
        priority=priority,
        reasons=("critical",),
    )


def a_remedy(*, path="requirements.txt", before=BEFORE, after=AFTER, apvs=("APV-20261121-001",)):
    return Remedy(
        manifest="requirements.txt",
        apvs=apvs,
        strategy=Strategy.upgrade,
        changes=(Change("pyyaml", "5.3.1", "5.4"),),
        edits=(Edit(path, before, after),),
        diff="".join(
            difflib.unified_diff(
                (before or "").splitlines(keepends=True),
                after.splitlines(keepends=True),
                f"a/{path}",
                f"b/{path}",
            )
        ),
        before=Lock(("fastapi==0.104.1", "pyyaml==5.3.1"), requires_python=">=3.9"),
        after=Lock(("fastapi==0.104.1", "pyyaml==5.4"), {"pyyaml==5.4": ("sha256:ab",)}, requires_python=">=3.9"),
        why="5.4 is the first release without the hole.",
        facts=(ReleaseFacts("pyyaml", "5.4", age_days=2000, yanked=False),),
    )


def a_verdict(word=VerdictWord.success, grade=Grade.proven, confidence=0.97):
    return Verdict(word, grade, confidence, ("3 of 3 attacks blocked",), ("more tests",))


def an_evidence():
    return Evidence(
        environments=tuple(
            EnvironmentReport(side, "d" * 64, "3.11.7", ("pyyaml==5.3.1",), 1.25, reused=False) for side in Side
        ),
        runs=tuple(
            CaseRun("p", "load", Role.attack, side, 0, outcome, "marker\x1b[31m written", 0.125, "exited")
            for side, outcome in ((Side.before, Outcome.exploited), (Side.after, Outcome.blocked))
        ),
        tests=tuple(TestReport(side, ("pytest",), {"t.py::a": "passed"}, 2.5) for side in Side),
        unprobed=("APV-20261121-009",),
    )


def a_probe():
    return Probe(
        id="pyyaml-cve-2020-14343",
        advisories=(an_apv().advisory,),
        kind="rce",
        symbols=("yaml.full_load",),
        cases=(
            Case("load", Role.attack, "full_load"),
            Case("v", Role.variant, "load"),
            Case("c", Role.control, "plain"),
        ),
        source="print('{}')\n",
        origin="shipped",
    )


def a_record():
    return WargameRecord(
        code="WAR-20261121-001",
        project="shop",
        remedy=a_remedy(),
        apvs=(an_apv(),),
        probes=(a_probe(),),
        evidence=an_evidence(),
        verdict=a_verdict(),
        arena="bwrap 0.8.0",
        limits=Limits(),
        started_at="2026-11-21T12:00:00Z",
        finished_at="2026-11-21T12:00:30Z",
        versions={"uv": "0.13.9"},
    )


def a_proposal(head="a" * 40):
    return Proposal("local-git", "refs/heads/vertice/APV-20261121-001", head, "b" * 40, "refs/heads/main")


def a_new_review(key="run-1/propose", *, apvs=None, remedy=None, verdict=None, proposal=None, root="/srv/shop", **more):
    apvs = apvs or (an_apv(),)
    values = {
        "key": key,
        "project_name": "shop",
        "project_root": Path(root),
        "apvs": apvs,
        "remedy": remedy or a_remedy(apvs=tuple(apv.code for apv in apvs)),
        "verdict": verdict or a_verdict(),
        "proposal": proposal or a_proposal(),
        "evidence_digest": "e" * 64,
        "evidence_path": Path("/srv/evidence.json"),
        "summary": "All well.",
    }
    return NewReview(**(values | more))


def proven(new: NewReview, code="WAR-20261121-001") -> NewReview:
    """Give a proposal evidence that says what it says, but for a signature."""
    said = statement(replace(a_record(), code=code, remedy=new.remedy, apvs=new.apvs, verdict=new.verdict))
    payload = base64.b64encode(canonical(said)).decode()
    text = json.dumps({"payload": payload, "payloadType": PAYLOAD_TYPE, "signatures": []})
    started, finished = datetime(2026, 11, 21, 12, tzinfo=UTC), datetime(2026, 11, 21, 12, 0, 30, tzinfo=UTC)
    run = Run(code, "bwrap 0.8.0", started, finished, text)
    return replace(new, evidence_digest=digest_of(text), run=run)


def a_decision(kind=DecisionKind.approve, reviewer=ANA, **more):
    wanted = "5.4.1" if kind is DecisionKind.modify else ""
    return Decision(kind, more.pop("justification", "The proof is convincing."), reviewer, wanted, **more)
