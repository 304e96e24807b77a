"""What lies on a disk is made again on another machine, and has to be what it was."""

import os
import shutil
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from uuid import uuid4

import pytest

from tests.adaptive.world import a_request
from vertice.adaptive.ground import heal_folder
from vertice.adaptive.projects.model import DocumentKind, Kind, Project, Scan, ScanState, Trigger
from vertice.adaptive.triage.codes import CodeRegistry
from vertice.adaptive.wargame.snapshot import project_digest
from vertice.adaptive.work.grounds import RegisteredGround
from vertice.kernel.errors import InputError, UnfinishedError

LOCK = """
lock-version = "1.0"
created-by = "a test"

[[packages]]
name = "jinja2"
version = "2.11.2"
"""
NOW = datetime(2026, 11, 21, tzinfo=UTC)


def a_project(location: str, kind: Kind = Kind.path) -> Project:
    return Project(uuid4(), "shop", kind, location, "", "", None, False, "ana", NOW, NOW, 1)


def a_scan(project: Project, by: str) -> Scan:
    return Scan(
        uuid4(), project.id, ScanState.running, Trigger.person, True, 5, by, NOW, NOW, None, "", None, None, ""
    )  # fmt: skip


def a_ground(home: Path, **more: object) -> RegisteredGround:
    """Everything but what builds and attacks, which no test here asks for."""
    url = f"sqlite+aiosqlite:///{home}/vertice.db"
    nothing = {"uv": None, "arena": None, "arena_name": "", "releases": None}
    return RegisteredGround(home=home, database_url=url, codes=CodeRegistry(home / "codes.db"), **nothing, **more)


@pytest.fixture
def files(tmp_path: Path) -> Path:
    folder = tmp_path / "files"
    folder.mkdir()
    (folder / "requirements.txt").write_text("jinja2==2.11.2\n")
    (folder / "app.py").write_text("import jinja2\n")
    return folder


def test_a_copy_that_this_machine_lacks_is_taken_of_the_same_files_only(tmp_path: Path, files: Path) -> None:
    request = a_request(project=str(files), content=project_digest(files))
    copy = heal_folder(tmp_path, request) / "project"
    for machine in range(2):
        a_ground(tmp_path).suite(request)
        assert (copy / "app.py").read_text() == "import jinja2\n", machine
        shutil.rmtree(copy)
    (files / "app.py").write_text("import os\n")
    with pytest.raises(UnfinishedError, match="files changed since its scan"):
        a_ground(tmp_path).suite(request)
    assert not copy.exists()


def test_a_copy_that_is_there_stays_as_it_was_whatever_happens_to_the_files(tmp_path: Path, files: Path) -> None:
    request = a_request(project=str(files), content=project_digest(files))
    ground = a_ground(tmp_path)
    ground.suite(request)
    shutil.rmtree(files)
    assert a_ground(tmp_path).suite(request) == ground.suite(request)


def test_a_folder_that_another_machine_has_is_said(tmp_path: Path, files: Path) -> None:
    request = a_request(project=str(files), content=project_digest(files))
    shutil.rmtree(files)
    with pytest.raises(InputError, match="folder is not on this machine"):
        a_ground(tmp_path).suite(request)


def test_files_of_a_repository_are_got_again_at_the_commit_of_the_scan(tmp_path: Path, files: Path) -> None:
    gone = tmp_path / "checkouts" / "acme" / "shop" / "c0ffee"
    asked = []

    def fetch(home: Path, repository: str, ref: str) -> tuple[Path, str]:
        asked.append((repository, ref))
        shutil.copytree(files, gone)
        return gone, ref

    request = a_request(project=str(gone), key="github:acme/shop", commit="c0ffee", content=project_digest(files))
    a_ground(tmp_path, fetch=fetch).suite(request)
    assert asked == [("acme/shop", "c0ffee")]


def test_a_registered_repository_without_github_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="GitHub is not set up"):
        a_ground(tmp_path).look(a_project("acme/shop", Kind.github))


def test_a_folder_that_is_gone_is_said(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="folder is not on this machine"):
        a_ground(tmp_path).look(a_project(str(tmp_path / "nowhere")))


def test_a_look_leaves_every_document_and_numbers_by_what_the_project_is_known_as(tmp_path: Path, files: Path) -> None:
    """A shipped probe knows of jinja2 2.11.2, so no feed is needed; the lock is whole, so uv is not either."""
    (files / "requirements.txt").unlink()
    (files / "pylock.toml").write_text(LOCK)
    elsewhere = tmp_path / "elsewhere"
    shutil.copytree(files, elsewhere)

    def fetch(home: Path, repository: str, ref: str) -> tuple[Path, str]:
        return elsewhere, "c0ffee"

    project = a_project("acme/shop", Kind.github)
    looked = a_ground(tmp_path, fetch=fetch).look(project)
    assert looked.commit == "c0ffee"
    assert {apv.component.name for apv in looked.apvs} == {"jinja2"}
    assert set(looked.documents) == set(DocumentKind)
    moved = tmp_path / "moved"
    elsewhere.rename(moved)
    elsewhere = moved
    assert a_ground(tmp_path, fetch=fetch).look(project).apvs == looked.apvs
    assert a_ground(tmp_path).look(replace(project, kind=Kind.path, location=str(files))).apvs != looked.apvs


def test_what_was_not_used_for_long_is_removed_and_nothing_else(tmp_path: Path) -> None:
    old, new = tmp_path / "heals" / "a" / "b" / "project", tmp_path / "heals" / "a" / "c" / "project"
    kept = tmp_path / "heals" / "a" / "b" / "workflow.db"
    for folder in (old, new):
        folder.mkdir(parents=True)
    kept.touch()
    for path in (old, kept):
        os.utime(path, (0, 0))
    a_ground(tmp_path).tidy()
    assert (old.exists(), new.exists(), kept.exists()) == (False, True, True)


@pytest.mark.parametrize(
    ("kind", "fought_in", "arena"),
    [(Kind.github, "github", "github"), (Kind.github, "bwrap", ""), (Kind.path, "github", "")],
)
def test_only_wargames_of_repositories_run_on_github_and_only_where_the_service_says_so(
    tmp_path: Path, files: Path, kind: Kind, fought_in: str, arena: str
) -> None:
    project = a_project("acme/shop" if kind is Kind.github else str(files), kind)
    ground = a_ground(tmp_path, fetch=lambda *_: (files, "c0ffee"), fought_in=fought_in)
    assert ground.ask(a_scan(project, "ana"), project, "c0ffee").arena == arena


def test_a_repository_that_lies_elsewhere_on_another_machine_is_the_same_heal(tmp_path: Path, files: Path) -> None:
    project = a_project("acme/shop", Kind.github)
    digests = set()
    for home in (tmp_path / "a", tmp_path / "b"):
        folder = home / "checkouts" / "acme" / "shop" / "c0ffee"
        shutil.copytree(files, folder)
        shutil.copytree(files, home / "probes", ignore=shutil.ignore_patterns("*"))
        ground = a_ground(home, fetch=lambda *_, to=folder: (to, "c0ffee"), probe_folders=(home / "probes",))
        request = ground.ask(a_scan(project, "ana"), project, "c0ffee")
        assert request.project == str(folder)
        digests.add(request.digest)
    assert len(digests) == 1


def test_who_asks_first_is_the_proposer_and_another_who_asks_gets_the_same_heal(tmp_path: Path, files: Path) -> None:
    project = a_project(str(files))
    first, second = (a_ground(tmp_path).ask(a_scan(project, by), project, "") for by in ("idp|ana", "idp|bo"))
    assert (first.asked_by, second.asked_by) == ("idp|ana", "idp|bo")
    assert first.digest == second.digest
