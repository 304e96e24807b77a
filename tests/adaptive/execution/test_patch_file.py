"""Patches of projects that are no git repository."""

import subprocess
from pathlib import Path

import pytest

from vertice.adaptive.execution.patch_file import PatchFile
from vertice.adaptive.review.model import Action
from vertice.kernel.errors import InputError, UnfinishedError

CODE = "APV-20261121-001"


@pytest.fixture
def project(tmp_path, samples) -> Path:
    root = tmp_path / "shop"
    root.mkdir()
    (root / "requirements.txt").write_text(samples.BEFORE)
    return root


@pytest.fixture
def forge(home) -> PatchFile:
    return PatchFile(home / "patches")


def test_a_proposal_is_a_patch_that_applies_and_the_project_is_not_touched(project, forge, samples):
    made = forge.propose(project, samples.a_remedy(), CODE, "Fix CVE-2020-14343")
    assert Path(made.ref).name == f"{CODE}.patch"
    assert (project / "requirements.txt").read_text() == samples.BEFORE
    assert forge.head(project, made) == made.head
    assert Path(made.ref).read_text().startswith("Fix CVE-2020-14343\n\n--- a/requirements.txt")
    subprocess.run(["git", "apply", made.ref], cwd=project, check=True)
    assert (project / "requirements.txt").read_text() == samples.AFTER


def test_proposing_again_makes_nothing_new_and_another_patch_gets_a_suffix(project, forge, samples):
    made = forge.propose(project, samples.a_remedy(), CODE, "m")
    assert forge.propose(project, samples.a_remedy(), CODE, "m") == made
    other = forge.propose(project, samples.a_remedy(after="pyyaml==6.0\n"), CODE, "m")
    assert Path(other.ref).name == f"{CODE}-2.patch"
    assert forge.head(project, made) == made.head


def test_approving_applies_it_and_keeps_the_old_file(project, forge, samples):
    (project / "requirements.txt").chmod(0o640)
    made = forge.propose(project, samples.a_remedy(), CODE, "m")
    done = forge.merge(project, made, samples.a_remedy(), samples.ANA)
    assert done.action is Action.pr_merged
    assert (project / "requirements.txt").read_text() == samples.AFTER
    assert (project / "requirements.txt").stat().st_mode & 0o777 == 0o640
    assert (forge.folder / "backup" / CODE / "requirements.txt").read_text() == samples.BEFORE
    assert forge.merge(project, made, samples.a_remedy(), samples.ANA).detail == "the project has it already"


@pytest.mark.parametrize("how", ["changed", "gone", "link"])
def test_what_is_no_longer_as_it_was_scanned_is_not_overwritten(project, forge, samples, how):
    file = project / "requirements.txt"
    made = forge.propose(project, samples.a_remedy(), CODE, "m")
    if how == "changed":
        file.write_text(samples.BEFORE + "mine==1\n")
    elif how == "gone":
        file.unlink()
    else:
        file.rename(project / "real.txt")
        file.symlink_to("real.txt")
    before = {path.name: path.read_bytes() for path in project.iterdir()}
    with pytest.raises(InputError) as caught:
        forge.merge(project, made, samples.a_remedy(), samples.ANA)
    assert caught.value.todo
    assert {path.name: path.read_bytes() for path in project.iterdir()} == before


def two_files(samples):
    from dataclasses import replace

    from vertice.adaptive.remedy.model import Edit

    remedy = samples.a_remedy()
    return replace(remedy, edits=(*remedy.edits, Edit("sub/more.txt", None, "x==1\n")))


def test_killed_between_two_files_it_goes_on(project, forge, samples):
    remedy = two_files(samples)
    made = forge.propose(project, remedy, CODE, "m")
    (project / "requirements.txt").write_text(samples.AFTER)
    forge.merge(project, made, remedy, samples.ANA)
    assert (project / "sub" / "more.txt").read_text() == "x==1\n"


def test_when_the_second_file_cannot_be_written_the_first_is_put_back(project, forge, samples):
    remedy = two_files(samples)
    made = forge.propose(project, remedy, CODE, "m")
    (project / "sub").write_text("a file where a folder is needed")
    with pytest.raises((InputError, UnfinishedError)):
        forge.merge(project, made, remedy, samples.ANA)
    assert (project / "requirements.txt").read_text() == samples.BEFORE


def test_rejecting_puts_the_patch_away(project, forge, samples):
    made = forge.propose(project, samples.a_remedy(), CODE, "m")
    assert forge.close(project, made).action is Action.pr_closed
    assert forge.head(project, made) is None
    assert len(list((forge.folder / "closed").rglob(f"{CODE}.patch"))) == 1
    assert forge.close(project, made).action is Action.pr_closed


def test_two_projects_of_one_name_do_not_share_a_patch(tmp_path, forge, samples):
    refs = set()
    for parent in ("a", "b"):
        root = tmp_path / parent / "shop"
        root.mkdir(parents=True)
        refs.add(forge.propose(root, samples.a_remedy(), CODE, "m").ref)
    assert len(refs) == 2


def test_an_edit_outside_the_project_is_refused(project, forge, samples):
    with pytest.raises(InputError, match="lies outside the project"):
        forge.propose(project, samples.a_remedy(path="../x", before=None), CODE, "m")


def test_a_patch_in_another_home_that_is_not_here_is_said(project, forge, samples, tmp_path):
    made = forge.propose(project, samples.a_remedy(), CODE, "m")
    elsewhere = PatchFile(tmp_path / "elsewhere" / "patches")
    assert elsewhere.head(project, made) == made.head, "it can be read from here"
    Path(made.ref).unlink()
    assert forge.head(project, made) is None
    with pytest.raises(InputError, match="lies in another home"):
        elsewhere.head(project, made)
    project.rename(tmp_path / "away")
    for look in (lambda: forge.head(project, made), lambda: forge.merge(project, made, samples.a_remedy(), None)):
        with pytest.raises(InputError, match="folder is not on this machine"):
            look()


def test_a_folder_that_became_a_link_leads_nowhere_else(project, forge, samples, tmp_path):
    (project / "sub").mkdir()
    (tmp_path / "elsewhere").mkdir()
    for folder in (project / "sub", tmp_path / "elsewhere"):
        (folder / "requirements.txt").write_text(samples.BEFORE)
    remedy = samples.a_remedy(path="sub/requirements.txt")
    proposal = forge.propose(project, remedy, "APV-20261121-001", "Fix")
    (project / "sub").rename(tmp_path / "away")
    (project / "sub").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(InputError, match="symbolic link"):
        forge.merge(project, proposal, remedy, samples.ANA)
    assert (tmp_path / "elsewhere" / "requirements.txt").read_text() == samples.BEFORE
