"""The rules of deciding."""

from dataclasses import replace
from pathlib import Path
from uuid import UUID

import pytest

from vertice.adaptive.advisories.model import Severity
from vertice.adaptive.review.decide import ConflictError, Standing, check, wanted_requirement
from vertice.adaptive.review.model import DecisionKind, Review, Reviewer, Status
from vertice.adaptive.wargame.model import Grade, VerdictWord
from vertice.kernel.errors import InputError


@pytest.fixture
def review(samples) -> Review:
    from datetime import UTC, datetime

    now = datetime(2026, 11, 21, tzinfo=UTC)
    return Review(
        id=UUID(int=1),
        code="APV-20261121-001",
        cve="CVE-2020-14343",
        severity=Severity.critical,
        package="pyyaml",
        strategy="upgrade",
        verdict=VerdictWord.success,
        grade=Grade.proven,
        confidence=0.97,
        reasons=(),
        status=Status.pending,
        priority=1,
        created_at=now,
        updated_at=now,
        project_name="shop",
        project_root=Path("/srv/shop"),
        manifest="requirements.txt",
        version=1,
        revision=1,
        key="k",
        summary="",
        remedy=samples.a_remedy(),
        proposal=samples.a_proposal(),
        evidence_digest="e" * 64,
        evidence_path=Path("/srv/evidence.json"),
        superseded_by="",
        apvs=(),
        decisions=(),
    )


def test_a_proven_patch_may_be_approved(review, samples, standing):
    check(review, samples.a_decision(), standing)


@pytest.mark.parametrize("text", ["", "short", "   ninechars   ", "\n\n\t spaces \n\n\n\n", "a" + "\u200b" * 20])
def test_a_justification_has_at_least_ten_characters(review, samples, standing, text):
    with pytest.raises(InputError, match="at least 10 are needed"):
        check(review, samples.a_decision(justification=text), standing)


def test_ten_characters_are_enough(review, samples, standing):
    check(review, samples.a_decision(justification=" 0123456789 "), standing)


@pytest.mark.parametrize("value", [-0.01, 1.01, float("nan"), float("inf")])
def test_a_confidence_lies_between_0_and_1(review, samples, standing, value):
    with pytest.raises(InputError, match="is not between 0 and 1"):
        check(review, samples.a_decision(confidence_override=value), standing)


@pytest.mark.parametrize(
    "reviewer", [Reviewer("", "a@b"), Reviewer("A", ""), Reviewer("A\x1b[2J", "a@b"), Reviewer("A", "a b@c")]
)
def test_a_reviewer_has_a_name_and_an_address(review, samples, standing, reviewer):
    with pytest.raises(InputError, match="reviewer has no usable"):
        check(review, samples.a_decision(reviewer=reviewer), standing)


@pytest.mark.parametrize(("word", "grade"), [(VerdictWord.failed, Grade.refuted), (VerdictWord.error, Grade.broken)])
def test_what_was_refuted_or_broke_cannot_be_approved_even_unproven(review, samples, standing, word, grade):
    bad = replace(review, verdict=word, grade=grade)
    with pytest.raises(ConflictError, match="it cannot be approved"):
        check(bad, samples.a_decision(accept_unproven=True), standing)
    check(bad, samples.a_decision(DecisionKind.reject), standing)


def test_an_unproven_patch_needs_the_explicit_word(review, samples, standing):
    unproven = replace(review, verdict=VerdictWord.inconclusive, grade=Grade.unproven)
    with pytest.raises(ConflictError, match="accept an unproven patch"):
        check(unproven, samples.a_decision(), standing)
    check(unproven, samples.a_decision(accept_unproven=True), standing)


@pytest.mark.parametrize("status", [Status.approved, Status.rejected, Status.superseded])
@pytest.mark.parametrize("kind", DecisionKind)
def test_what_is_decided_stays_decided(review, samples, standing, status, kind):
    with pytest.raises(ConflictError, match=f"is already {status}"):
        check(replace(review, status=status), samples.a_decision(kind), standing)


def test_an_escalated_review_still_waits_for_a_decision(review, samples, standing):
    escalated = replace(review, status=Status.escalated)
    check(escalated, samples.a_decision(), standing)
    with pytest.raises(ConflictError, match="Possible now: approve, modify, reject"):
        check(escalated, samples.a_decision(DecisionKind.escalate), standing)


def test_a_patch_sent_back_cannot_be_approved_before_it_was_proven_again(review, samples, standing):
    sent_back = replace(review, status=Status.changes_requested)
    with pytest.raises(ConflictError, match="cannot approve a review that is changes requested"):
        check(sent_back, samples.a_decision(), standing)
    check(sent_back, samples.a_decision(DecisionKind.reject), standing)


@pytest.mark.parametrize(
    ("standing", "why"),
    [
        (Standing(None, "a" * 40), "its evidence is gone"),
        (Standing("f" * 64, "a" * 40), "is not the one that was recorded"),
        (Standing("e" * 64, "a" * 40, "its remedy is another"), "its remedy is another"),
        (Standing("e" * 64, None), "its patch is gone"),
        (Standing("e" * 64, "c" * 40), "its patch was changed since it was proven"),
    ],
)
def test_an_approval_holds_for_the_proven_patch_and_its_evidence_only(review, samples, standing, why):
    with pytest.raises(ConflictError, match=why):
        check(review, samples.a_decision(), standing)
    check(review, samples.a_decision(DecisionKind.reject), standing)


def test_without_a_patch_there_is_nothing_to_approve(review, samples, standing):
    with pytest.raises(ConflictError, match="no patch to merge"):
        check(replace(review, proposal=None), samples.a_decision(), standing)


@pytest.mark.parametrize(
    ("text", "requirement"),
    [
        ("3.1.6", "jinja2==3.1.6"),
        (" 3.1.6rc1 ", "jinja2==3.1.6rc1"),
        (">=3.1,<4", "jinja2<4,>=3.1"),
        ("~=3.1", "jinja2~=3.1"),
        ("MarkupSafe==2.1.5", "markupsafe==2.1.5"),
        ("3.1.*", "jinja2==3.1.*"),
    ],
)
def test_what_a_modify_asks_for(text, requirement):
    assert wanted_requirement("jinja2", text) == requirement


@pytest.mark.parametrize(
    "text", ["", "latest", "jinja2", "jinja2 @ https://example.org/x.whl", "3.1 ; rm -rf /", "\x1b"]
)
def test_a_modify_without_a_version_or_constraint_is_refused(review, samples, standing, text):
    decision = replace(samples.a_decision(DecisionKind.modify), wanted=text)
    with pytest.raises(InputError, match="neither a version nor a constraint"):
        check(review, decision, standing)
