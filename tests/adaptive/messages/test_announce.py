"""The six queues and the words of the contract, and that all we send has its documented form."""

from datetime import UTC, datetime
from inspect import isawaitable
from typing import get_args

import pytest

from vertice.adaptive.advisories.model import Severity
from vertice.adaptive.messages import payloads
from vertice.adaptive.messages.announce import Announcer
from vertice.adaptive.messages.payloads import (
    ApvDispatch,
    Decision,
    Remedy,
    ReviewRequest,
    WargameRequest,
    WargameResult,
)
from vertice.adaptive.messages.queues import MESSAGES, SOURCE, TOPOLOGY
from vertice.adaptive.review.model import Action, DecisionKind
from vertice.adaptive.wargame.model import VerdictWord
from vertice.kernel.bus.cloudevents import read, write
from vertice.kernel.bus.outbox import waiting
from vertice.kernel.database import Database
from vertice.kernel.origin import Origin

NOW = datetime(2026, 11, 21, 9, 30, tzinfo=UTC)


def test_the_queues_are_those_of_the_contract_each_with_its_dead_letters():
    assert {queue.name for queue in TOPOLOGY.queues} == {
        "oraculo.apv.dispatch",
        "eureka.remedy.status",
        "wargaming.trigger",
        "wargaming.results",
        "hitl.review_request",
        "hitl.decision",
    }
    for queue in TOPOLOGY.queues:
        assert TOPOLOGY.dead(queue).name == f"{queue.name}.dlq"
        assert TOPOLOGY.declared(queue).arguments["x-dead-letter-routing-key"] == f"{queue.name}.dlq"
    assert MESSAGES.keys() == {queue.name for queue in TOPOLOGY.queues}


def words(annotation):
    found = set()
    for part in get_args(annotation):
        found |= words(part) if get_args(part) else {part} if isinstance(part, str) else set()
    return found


def test_the_words_on_the_wire_are_ours():
    assert words(payloads.Severity | None) == {str(word) for word in Severity}
    assert words(payloads.Verdict | None) == {str(word) for word in VerdictWord}
    assert words(Decision.model_fields["decision"].annotation | None) == {str(word) for word in DecisionKind}
    assert words(Decision.model_fields["action"].annotation) == {str(word) for word in Action}


REMEDY = Remedy(
    apvs=("APV-20261121-001", "APV-20261121-002"),
    project="/srv/shop",
    package="jinja2",
    from_version="2.10",
    to_version="3.1.6",
    strategy="upgrade",
    verdict="success",
    confidence=0.97,
    wargame="WAR-20261121-001",
)
REQUEST = WargameRequest(
    code="WAR-20261121-001",
    arena="github",
    apvs=("APV-20261121-001",),
    project="acme/shop",
    ref_before="main",
    ref_after="vertice/APV-20261121-001",
    digest="0" * 64,
    priority=1,
)
RESULT = WargameResult(
    code="WAR-20261121-001", arena="github", conclusion="success", finished_at=NOW, result={"runs": [1, None, "x"]}
)
REVIEW = ReviewRequest(
    code="APV-20261121-001",
    cve="CVE-2020-14343",
    severity="critical",
    package="pyyaml",
    project="/srv/açaí",
    priority=1,
    verdict="success",
    confidence=1.0,
    revision=1,
    due_at=NOW,
)
DECISION = Decision(
    id="7", review="APV-20261121-001", decision="approve", reviewer="Rita", decided_at=NOW, action="pr_merged"
)


@pytest.mark.parametrize(
    ("announce", "queue", "kind", "payload"),
    [
        (lambda by: by.remedy("planned", REMEDY, name="1"), "eureka.remedy.status", "remedy.planned", REMEDY),
        (lambda by: by.remedy("refuted", REMEDY, name="1"), "eureka.remedy.status", "remedy.refuted", REMEDY),
        (lambda by: by.remedy("proposed", REMEDY, name="1"), "eureka.remedy.status", "remedy.proposed", REMEDY),
        (lambda by: by.wargame_requested(REQUEST), "wargaming.trigger", "wargame.requested", REQUEST),
        (lambda by: by.wargame_finished(RESULT, name="1"), "wargaming.results", "wargame.finished", RESULT),
        (lambda by: by.review_requested(REVIEW), "hitl.review_request", "review.requested", REVIEW),
        (lambda by: by.decision("made", DECISION), "hitl.decision", "decision.made", DECISION),
        (lambda by: by.decision("carried_out", DECISION), "hitl.decision", "decision.carried_out", DECISION),
        (lambda by: by.decision("failed", DECISION), "hitl.decision", "decision.failed", DECISION),
    ],
)
async def test_what_is_announced_has_the_form_of_its_queue(sqlite_url, announce, queue, kind, payload):
    trace = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
    async with Database.open(sqlite_url) as database:
        async with database.write() as session:
            with Origin(trace, "request-7").continued():
                key = announce(Announcer(session, NOW))
                if isawaitable(key):
                    key = await key
        async with database.read() as session:
            (one,) = await waiting(session, SOURCE, limit=10)
    assert (one.message.destination, one.message.type) == (queue, f"dev.vertice.{kind}")
    assert one.message.correlation_id == "request-7"
    event = read(MESSAGES[queue], write(one.message), limit=TOPOLOGY.queue(queue).message_bytes)
    assert (event.id, event.source, event.traceparent) == (key, "/vertice/adaptive", trace)
    assert event.data == payload


GOOD = {"advisory": "CVE-2020-14343", "package": "PyYAML", "version": "5.3.1", "project": "shop", "scanner": "trivy"}


@pytest.mark.parametrize("advisory", ["CVE-2020-14343", "GHSA-8q59-q68h-6hv4", "PYSEC-2021-142"])
def test_an_outside_finding_names_an_advisory(advisory):
    assert ApvDispatch.model_validate(GOOD | {"advisory": advisory}).advisory == advisory


@pytest.mark.parametrize(
    "change",
    [
        {"advisory": "RUSTSEC-2020-1"},
        {"advisory": "CVE-2020-14343; DROP TABLE"},
        {"package": "../../etc"},
        {"package": "x" * 101},
        {"version": ""},
        {"version": "1.0 or 1=1"},
        {"project": ""},
        {"project": "a\nb"},
        {"scanner": None},
        {"severity": "URGENT"},
        {"summary": "x" * 10_001},
        {"summary": "\x1b[31m"},
        {"v": 2},
        {"found_at": "yesterday"},
    ],
)
def test_an_outside_finding_that_is_odd_is_refused(change):
    with pytest.raises(ValueError, match=next(iter(change))):
        ApvDispatch.model_validate(GOOD | change)
