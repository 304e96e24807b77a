"""Wargames on GitHub Actions: started once, their results fetched, hostile ones refused."""

import io
import zipfile

import pytest
import stamina

from tests.github_server.server import Fault
from vertice.adaptive.execution.github_arena import collect, ended, stage, start, unstage
from vertice.adaptive.execution.github_fetch import Source
from vertice.adaptive.execution.interface import NotYetError
from vertice.adaptive.wargame.actions import Order
from vertice.kernel.errors import InputError

ORDER = Order(
    run="WAR-20261121-001",
    before="a" * 40,
    after="b" * 40,
    digest="d" * 64,
    lock="services/shop/requirements.txt",
    advisories=("CVE-2020-14343", "GHSA-h75v-3vvj-5mfj"),
)


RUN, BRANCH = ORDER.run, f"refs/heads/vertice/wargame/{ORDER.run}"


def scanned(service, samples) -> Source:
    """A repository with the sample's lock, beside a file that is committed later."""
    commit = service.state.commit_files({"requirements.txt": samples.BEFORE, "app.py": "import yaml\n"})
    service.state.commit_files({"other.py": "1\n"})
    return Source("acme", "shop", commit, service.home)


def packed(**files: bytes) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in files.items():
            archive.writestr(name, data)
    return buffer.getvalue()


def test_a_wargame_is_started_with_what_is_to_be_proven(service):
    assert start(service.access, "acme/shop", ORDER) == 1
    assert service.state.runs == [
        {
            "run": "WAR-20261121-001",
            "before": "a" * 40,
            "after": "b" * 40,
            "digest": "d" * 64,
            "lock": "services/shop/requirements.txt",
            "advisories": "CVE-2020-14343 GHSA-h75v-3vvj-5mfj",
        }
    ]


def test_killed_at_any_request_it_is_started_once(service):
    for done in (False, True):
        for number in (1, 2, 3):
            service.begin_anew()
            service.door.break_at(number, done=done)
            with stamina.set_testing(True, attempts=1), pytest.raises(NotYetError):
                start(service.access, "acme/shop", ORDER)
            service.door.heal()
            assert start(service.access, "acme/shop", ORDER) == 1
            assert len(service.state.runs) == 1


def test_a_fault_that_passes_starts_it_once(service):
    service.door.once("POST", "/dispatches", Fault(502, done=True))
    start(service.access, "acme/shop", ORDER)
    assert len(service.state.runs) == 1


def test_the_patch_lies_on_what_was_scanned_for_as_long_as_it_is_needed(service, samples):
    source = scanned(service, samples)
    commit = stage(service.access, source, samples.a_remedy(), RUN)
    assert service.state.refs[BRANCH] == commit
    assert service.state.commits[commit]["parents"] == [source.commit]
    assert "[skip ci]" in service.state.commits[commit]["message"]
    files = service.state.flat(service.state.commits[commit]["tree"])
    assert files.keys() == {"requirements.txt", "app.py"}
    assert service.state.file(f"vertice/wargame/{RUN}", "requirements.txt") == samples.AFTER
    for _ in range(2):
        unstage(service.access, "acme/shop", RUN)
        assert service.state.refs.keys() == {"refs/heads/main"}


def test_killed_at_any_request_the_patch_is_staged_once(service, samples):
    for done in (False, True):
        for number in range(1, 10):
            service.begin_anew()
            source = scanned(service, samples)
            service.door.break_at(number, done=done)
            with stamina.set_testing(True, attempts=1), pytest.raises(NotYetError):
                stage(service.access, source, samples.a_remedy(), RUN)
            service.door.heal()
            commit = stage(service.access, source, samples.a_remedy(), RUN)
            assert service.state.refs == {"refs/heads/main": service.state.refs["refs/heads/main"], BRANCH: commit}


def test_a_branch_of_somebody_elses_is_left_alone(service, samples):
    source = scanned(service, samples)
    theirs = service.state.commit_files({"a": "1"}, branch=f"vertice/wargame/{RUN}")
    with pytest.raises(InputError, match="is not Vértice's"):
        stage(service.access, source, samples.a_remedy(), RUN)
    assert service.state.refs[BRANCH] == theirs


def test_how_a_run_ended_is_known_once_it_did(service):
    start(service.access, "acme/shop", ORDER)
    assert ended(service.access, "acme/shop", 1) is None
    service.state.endings[1] = "timed_out"
    assert ended(service.access, "acme/shop", 1) == "timed_out"


def test_the_result_is_fetched(service):
    service.state.artifacts = {"coverage": b"other", "vertice-wargame": packed(**{"result.json": b"{}"})}
    assert collect(service.access, "acme/shop", 1) == b"{}"


def test_a_run_without_a_result_has_none(service):
    assert collect(service.access, "acme/shop", 1) is None


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (b"no zip", "cannot be unpacked"),
        (packed(other=b"{}"), "cannot be unpacked"),
        (packed(**{"result.json": b"\0" * 50_000_000}), "too large"),
        (b"\0" * 5_000_000, "too large"),
    ],
)
def test_what_is_no_result_is_refused(service, data, said):
    service.state.artifacts = {"vertice-wargame": data}
    with pytest.raises(InputError, match=said):
        collect(service.access, "acme/shop", 1)
