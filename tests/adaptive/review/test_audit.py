"""Whatever is changed past the store is found, and the place is named. Tampering is done with raw SQL."""

from pathlib import Path

import pytest

from vertice.adaptive.review.audit import GENESIS
from vertice.adaptive.review.model import Action
from vertice.adaptive.review.store import ReviewStore
from vertice.kernel.database import Database, upgrade

TAMPERINGS = {
    "an entry's payload is changed": ("UPDATE audit_entries SET payload='{}' WHERE seq=2", 2, "was changed"),
    "an entry's time is changed": ("UPDATE audit_entries SET at='2020-01-01' WHERE seq=3", 3, "was changed"),
    "an entry's actor is changed": ("UPDATE audit_entries SET actor='Bo' WHERE seq=1", 1, "was changed"),
    "an entry's hash is emptied": ("UPDATE audit_entries SET hash='', payload=x'00' WHERE seq=4", 4, "was changed"),
    "an entry in the middle is removed": ("DELETE FROM audit_entries WHERE seq=2", 2, "entry 2 is missing"),
    "the first entry is removed": ("DELETE FROM audit_entries WHERE seq=1", 1, "entry 1 is missing"),
    "the last entry is removed": ("DELETE FROM audit_entries WHERE seq=4", 4, "cut off"),
    "every entry is removed": ("DELETE FROM audit_entries", 1, "cut off"),
    "two entries are swapped": (
        """UPDATE audit_entries SET seq=99 WHERE seq=2; UPDATE audit_entries SET seq=2 WHERE seq=3;
        UPDATE audit_entries SET seq=3 WHERE seq=99""",
        2,
        "does not follow",
    ),
    "an entry is inserted at the end": (
        """INSERT INTO audit_entries SELECT 5, at, actor, action, subject, payload, hash, hash
        FROM audit_entries WHERE seq=4""",
        5,
        "was changed",
    ),
    "the tail is cut and the head row mended": (
        """DELETE FROM audit_entries WHERE seq>2;
        UPDATE audit_head SET seq=2, hash=(SELECT hash FROM audit_entries WHERE seq=2)""",
        3,
        "cut off at the end: 4 were anchored",
    ),
    "everything is removed and the head row reset": (
        f"DELETE FROM audit_entries; UPDATE audit_head SET seq=0, hash='{GENESIS}'",
        1,
        "cut off at the end: 4 were anchored",
    ),
    "the head row is removed": ("DELETE FROM audit_head", 5, "head row"),
    "a decision is changed": ("UPDATE hitl_decisions SET reviewer_name='Bo'", 3, "hitl_decisions/"),
    "a decision is removed": ("DELETE FROM hitl_decisions", 3, "was removed"),
    "a review's status is changed": (
        "UPDATE apv_reviews SET status='rejected' WHERE severity='critical'",
        3,
        "was changed",
    ),
    "a review's verdict is changed": (
        "UPDATE apv_reviews SET wargame_verdict='failed' WHERE severity='low'",
        4,
        "was changed",
    ),
    "a review's time is garbage": ("UPDATE apv_reviews SET created_at='soon'", None, "cannot be read"),
    "an APV is added to a review": (
        """INSERT INTO apv_review_apvs SELECT review_id, 'APV-X', 1, advisory_id, severity, package_name,
        package_version, summary FROM apv_review_apvs LIMIT 1""",
        None,
        "added past the store",
    ),
}

IMPOSSIBLE = {("postgresql", "an entry's hash is emptied"), ("postgresql", "a review's time is garbage")}
"""PostgreSQL keeps nothing in a column that is not of its type."""


async def fill(store, samples, standing):
    """Write four entries: created, decided, carried out, created."""
    review = await store.create(samples.a_new_review())
    record = await store.record_decision(review.code, samples.a_decision(), expected_version=1, standing=standing)
    await store.record_outcome(record.id, Action.pr_merged)
    low = samples.an_apv("APV-20261121-002", severity="low", priority=9)
    await store.create(samples.a_new_review("run-2", apvs=(low,)))


def anchor(home: Path) -> Path:
    (path,) = (home / "audit").glob("*.json")
    return path


async def test_an_untouched_chain_is_whole(store, samples, standing):
    assert (await store.verify()).ok
    await fill(store, samples, standing)
    report = await store.verify()
    assert (report.ok, report.entries, report.first_bad_seq, report.why) == (True, 4, None, "")


@pytest.mark.parametrize(
    ("database_url", "name"),
    [(kind, name) for kind in ("sqlite", "postgresql") for name in TAMPERINGS if (kind, name) not in IMPOSSIBLE],
    indirect=["database_url"],
)
async def test_tampering_is_found(store, samples, standing, tamper, name):
    await fill(store, samples, standing)
    script, seq, why = TAMPERINGS[name]
    await tamper(script)
    report = await store.verify()
    assert not report.ok
    assert report.first_bad_seq == seq
    assert why in report.why


async def test_a_chain_that_was_wholly_rewritten_does_not_match_its_anchor(store, samples, standing, home, url, tamper):
    await fill(store, samples, standing)
    genuine = anchor(home).read_bytes()
    anchor(home).unlink()
    await tamper(
        "DELETE FROM audit_entries; DELETE FROM events; DELETE FROM hitl_decisions; DELETE FROM apv_review_revisions;"
        f"DELETE FROM apv_review_apvs; DELETE FROM apv_reviews; UPDATE audit_head SET seq=0, hash='{GENESIS}'",
    )
    async with Database.open(url) as database:
        forger = ReviewStore(database, home=home)
        for number in range(5):  # longer than before
            apv = samples.an_apv(f"APV-20261121-01{number}")
            await forger.create(samples.a_new_review(f"forged-{number}", apvs=(apv,), root=f"/srv/{number}"))
        assert (await forger.verify()).ok, "the forgery is good but for the anchor"
    anchor(home).write_bytes(genuine)
    report = await store.verify()
    assert (report.ok, report.first_bad_seq) == (False, 4)
    assert "the chain was rewritten" in report.why


async def test_a_missing_anchor_is_said_and_is_not_made_again_by_the_next_change(store, samples, standing, home):
    await fill(store, samples, standing)
    anchor(home).unlink()
    await store.create(samples.a_new_review("run-3", apvs=(samples.an_apv("APV-20261121-004"),)))
    report = await store.verify()
    assert not report.ok
    assert "the anchor file is missing" in report.why
    assert (await store.reanchor("rita@example.org")).ok
    last = (await store.audit())[-1]
    assert (last.actor, last.action) == ("rita@example.org", "audit.reanchored")


async def test_an_anchor_that_lags_after_a_crash_is_no_alarm_and_catches_up(store, samples, standing, home):
    await fill(store, samples, standing)
    entries = await store.audit()
    anchor(home).write_text(f'{{"seq": 3, "hash": "{entries[2].hash}"}}')
    assert (await store.verify()).ok
    await store.create(samples.a_new_review("run-3", apvs=(samples.an_apv("APV-20261121-004"),)))
    assert '"seq":5' in anchor(home).read_text()


async def test_a_second_machine_anchors_a_whole_chain_at_its_first_start_and_finds_every_cut_from_then_on(
    store, url, samples, standing, tmp_path, tamper
):
    await fill(store, samples, standing)
    async with Database.open(url) as database:
        second = ReviewStore(database, home=tmp_path / "second")
        await second.create(samples.a_new_review("run-3", apvs=(samples.an_apv("APV-20261121-004"),)))
        assert "the anchor file is missing" in (await second.verify()).why, "writing alone anchors nothing"
        await second.adopt_anchor()
        assert (await second.verify()).ok
        await second.create(samples.a_new_review("run-4", apvs=(samples.an_apv("APV-20261121-005"),)))
        assert '"seq":6' in anchor(tmp_path / "second").read_text()
        await tamper(
            "DELETE FROM audit_entries WHERE seq=6;"
            "UPDATE audit_head SET seq=5, hash=(SELECT hash FROM audit_entries WHERE seq=5)"
        )
        assert "6 were anchored" in (await second.verify()).why
        await second.adopt_anchor()
        assert not (await second.verify()).ok, "another start forgets nothing"
        anchor(tmp_path / "second").unlink()
        await second.adopt_anchor()
        assert "the anchor file is missing" in (await second.verify()).why


async def test_a_machine_anchors_each_database_that_it_is_given(store, samples, standing, home):
    await fill(store, samples, standing)
    async with Database.open(f"sqlite+aiosqlite:///{home.parent}/other.db") as other:
        await upgrade(f"sqlite+aiosqlite:///{home.parent}/other.db")
        before = ReviewStore(other, home=home.parent / "elsewhere")
        await before.create(samples.a_new_review())
        here = ReviewStore(other, home=home)
        await here.adopt_anchor()
        assert (await here.verify()).ok


async def test_a_broken_chain_is_not_anchored(store, url, samples, standing, tmp_path, tamper):
    await fill(store, samples, standing)
    await tamper("UPDATE audit_entries SET actor='Bo' WHERE seq=1")
    async with Database.open(url) as database:
        second = ReviewStore(database, home=tmp_path / "second")
        await second.adopt_anchor()
    assert not (tmp_path / "second").exists()


async def test_what_other_machines_wrote_is_anchored_when_the_chain_was_found_whole(
    store, url, samples, standing, home, tmp_path, tamper
):
    await fill(store, samples, standing)
    async with Database.open(url) as database:
        second = ReviewStore(database, home=tmp_path / "second")
        await second.create(samples.a_new_review("run-3", apvs=(samples.an_apv("APV-20261121-004"),)))
    assert '"seq":4' in anchor(home).read_text()
    assert (await store.verify()).ok
    assert '"seq":5' in anchor(home).read_text()
    await tamper("UPDATE hitl_decisions SET reviewer_name='Bo'")
    async with Database.open(url) as database:
        second = ReviewStore(database, home=tmp_path / "second")
        await second.create(samples.a_new_review("run-4", apvs=(samples.an_apv("APV-20261121-005"),)))
    assert not (await store.verify()).ok
    assert '"seq":5' in anchor(home).read_text(), "what is not whole is not anchored"
