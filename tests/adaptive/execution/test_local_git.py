"""Branches, merges and closed branches in real repositories; the person's own work is never touched."""

import subprocess
import threading
from pathlib import Path

import pytest

from vertice.adaptive.execution import local_git
from vertice.adaptive.execution.local_git import LocalGit, UncommittedError
from vertice.adaptive.review.model import Action
from vertice.kernel.errors import InputError, UnfinishedError

CODE = "APV-20261121-001"
BRANCH = f"refs/heads/vertice/{CODE}"
MESSAGE = "Fix CVE-2020-14343 in pyyaml\n\nProven."
FORGE = LocalGit()


def snapshot(root: Path) -> dict[str, bytes]:
    """Return every file of the working tree, and the index."""
    files = {str(path): path.read_bytes() for path in root.rglob("*") if path.is_file() and ".git" not in path.parts}
    return files | {"index": (root / ".git" / "index").read_bytes()}


@pytest.fixture
def proposal(repo, samples):
    return FORGE.propose(repo, samples.a_remedy(), CODE, MESSAGE)


def test_a_proposal_is_a_branch_with_one_commit_and_nothing_else_changes(repo, git, samples):
    (repo / "app.py").write_text("import yaml  # not committed\n")
    (repo / "new.py").write_text("1\n")
    git("add", "new.py")
    before, head = snapshot(repo), git("rev-parse", "main")
    made = FORGE.propose(repo, samples.a_remedy(), CODE, MESSAGE)
    assert snapshot(repo) == before
    assert git("rev-parse", "main") == head == made.base
    assert (made.ref, made.head, made.target) == (BRANCH, git("rev-parse", BRANCH), "refs/heads/main")
    assert git("rev-list", "--count", f"main..{made.head}") == "1"
    assert git("show", f"{made.head}:requirements.txt") == samples.AFTER.strip()
    assert git("diff", "--name-only", "main", made.head) == "requirements.txt"
    assert git("log", "-1", "--format=%an <%ae>%n%B", made.head).startswith(
        "Vértice <vertice@localhost>\nFix CVE-2020-14343"
    )
    assert git("fsck", "--strict") == ""


def test_proposing_again_makes_nothing_new(repo, git, samples, proposal):
    assert FORGE.propose(repo, samples.a_remedy(), CODE, MESSAGE) == proposal
    assert git("for-each-ref", "--format=%(refname)", "refs/heads/vertice") == BRANCH


def test_four_at_once_make_one_branch(repo, git, samples):
    made = []
    threads = [
        threading.Thread(target=lambda: made.append(FORGE.propose(repo, samples.a_remedy(), CODE, MESSAGE)))
        for _ in range(4)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(made) == 4
    assert {one.head for one in made} == {git("rev-parse", BRANCH)}


def test_another_patch_of_the_same_name_gets_a_suffix(repo, samples, proposal):
    other = FORGE.propose(repo, samples.a_remedy(after=samples.AFTER.replace("5.4", "6.0")), CODE, MESSAGE)
    assert other.ref == BRANCH + "-2"
    assert FORGE.head(repo, proposal) == proposal.head


def test_a_project_below_the_top_of_a_repository(repo, git, samples):
    service = repo / "services" / "shop ç"
    service.mkdir(parents=True)
    (service / "requirements.txt").write_text(samples.BEFORE)
    git("add", ".")
    git("commit", "-qm", "service")
    made = FORGE.propose(service, samples.a_remedy(), CODE, MESSAGE)
    assert git("-c", "core.quotePath=false", "diff", "--name-only", "main", made.head) == (
        "services/shop ç/requirements.txt"
    )
    FORGE.merge(service, made, samples.a_remedy(), samples.ANA)
    assert (service / "requirements.txt").read_text() == samples.AFTER
    assert (repo / "requirements.txt").read_text() == samples.BEFORE
    assert git("status", "--porcelain") == ""


def test_a_file_that_the_remedy_adds(repo, git, samples):
    remedy = samples.a_remedy(path="constraints.txt", before=None, after="pyyaml>=5.4\n")
    made = FORGE.propose(repo, remedy, CODE, MESSAGE)
    FORGE.merge(repo, made, remedy, samples.ANA)
    assert (repo / "constraints.txt").read_text() == "pyyaml>=5.4\n"
    assert git("status", "--porcelain") == ""


def test_crlf_survives_in_the_commit_and_in_the_checkout(repo, git, samples):
    text, after = samples.BEFORE.replace("\n", "\r\n"), samples.AFTER.replace("\n", "\r\n")
    (repo / "requirements.txt").write_bytes(text.encode())
    git("commit", "-qam", "crlf")
    remedy = samples.a_remedy(before=text, after=after)
    FORGE.merge(repo, FORGE.propose(repo, remedy, CODE, MESSAGE), remedy, samples.ANA)
    assert (repo / "requirements.txt").read_bytes() == after.encode()
    assert git("status", "--porcelain") == ""


def test_a_checkout_with_autocrlf(repo, git, samples):
    text, after = samples.BEFORE.replace("\n", "\r\n"), samples.AFTER.replace("\n", "\r\n")
    git("config", "core.autocrlf", "true")
    (repo / "requirements.txt").write_bytes(text.encode())
    remedy = samples.a_remedy(before=text, after=after)
    made = FORGE.propose(repo, remedy, CODE, MESSAGE)
    assert subprocess.check_output(["git", "cat-file", "blob", f"{made.head}:requirements.txt"], cwd=repo) == (
        samples.AFTER.encode()
    )
    FORGE.merge(repo, made, remedy, samples.ANA)
    assert (repo / "requirements.txt").read_bytes() == after.encode()
    assert git("status", "--porcelain") == ""


@pytest.mark.parametrize("kind", ["modified", "untracked", "link", "unborn"])
def test_what_is_not_committed_as_it_was_scanned_is_refused(repo, git, samples, kind, tmp_path):
    remedy = samples.a_remedy()
    if kind == "modified":
        remedy = samples.a_remedy(before=samples.BEFORE + "extra==1\n")
    elif kind == "untracked":
        git("rm", "-q", "--cached", "requirements.txt")
        git("commit", "-qm", "untrack")
    elif kind == "link":
        (repo / "requirements.txt").rename(repo / "real.txt")
        (repo / "requirements.txt").symlink_to("real.txt")
        git("add", ".")
        git("commit", "-qm", "link")
    else:
        repo = tmp_path / "unborn"
        git("init", "-q", str(repo), cwd=tmp_path)
    with pytest.raises(UncommittedError) as caught:
        FORGE.propose(repo, remedy, CODE, MESSAGE)
    assert caught.value.todo
    assert git("for-each-ref", "refs/heads/vertice") == ""


@pytest.mark.parametrize("path", ["../outside.txt", "/etc/passwd", ".git/config", "a/../.GIT/hooks/x", ".."])
def test_an_edit_outside_the_project_is_refused(repo, samples, path):
    with pytest.raises(InputError, match="lies outside the project"):
        FORGE.propose(repo, samples.a_remedy(path=path, before=None), CODE, MESSAGE)


def test_no_repository_is_said(tmp_path, samples):
    (tmp_path / "plain").mkdir()
    with pytest.raises(InputError, match="is no git repository"):
        FORGE.propose(tmp_path / "plain", samples.a_remedy(), CODE, MESSAGE)


def test_a_repository_of_another_user_is_said_with_what_to_do(repo, samples, tmp_path, monkeypatch):
    """git's own test switch stands in for another owner: a test cannot change owners without being root."""
    real = subprocess.check_output(["sh", "-c", "command -v git"], text=True).strip()
    wrapper = tmp_path / "bin" / "git"
    wrapper.parent.mkdir()
    wrapper.write_text(f'#!/bin/sh\nGIT_TEST_ASSUME_DIFFERENT_OWNER=1 exec {real} "$@"\n')
    wrapper.chmod(0o755)
    monkeypatch.setenv("PATH", f"{wrapper.parent}:/usr/bin:/bin")
    with pytest.raises(InputError, match="another user owns it") as caught:
        FORGE.propose(repo, samples.a_remedy(), CODE, MESSAGE)
    assert caught.value.todo.endswith(f"safe.directory {repo}")


def test_a_hostile_repository_runs_nothing(repo, git, samples, tmp_path):
    trap = tmp_path / "trap"
    trap.write_text(f"#!/bin/sh\necho $0 $* >> {tmp_path}/sprung\ncat\n")
    trap.chmod(0o755)
    hooks = repo / ".git" / "hooks"
    hooks.mkdir(exist_ok=True)
    for hook in (
        "reference-transaction",
        "post-commit",
        "post-merge",
        "post-checkout",
        "pre-commit",
        "post-index-change",
    ):
        (hooks / hook).write_text(trap.read_text())
        (hooks / hook).chmod(0o755)
    (repo / ".gitattributes").write_text("* filter=evil merge=evil diff=evil\n")
    (repo / ".git" / "info" / "attributes").write_text("* filter=evil merge=evil diff=evil\n")
    subprocess.run(["git", "-c", "core.hooksPath=/dev/null", "add", ".gitattributes"], cwd=repo, check=True)
    subprocess.run(["git", "-c", "core.hooksPath=/dev/null", "commit", "-qm", "attributes"], cwd=repo, check=True)
    with (repo / ".git" / "config").open("a") as config:
        for section, key in (
            ('filter "evil"', "clean"), ('filter "evil"', "smudge"), ('filter "evil"', "process"),
            ('merge "evil"', "driver"), ('diff "evil"', "textconv"), ('diff "evil"', "command"), ("core", "fsmonitor"),
            ("core", "editor"), ("core", "pager"), ("core", "sshCommand"), ("gpg", "program"), ("diff", "external"),
        ):  # fmt: skip
            config.write(f"[{section}]\n\t{key} = {trap}\n")
        config.write("[commit]\n\tgpgSign = true\n[user]\n\tsigningKey = x\n[core]\n\tsplitIndex = false\n")
    remedy = samples.a_remedy()
    made = FORGE.propose(repo, remedy, CODE, MESSAGE)
    FORGE.head(repo, made)
    FORGE.merge(repo, made, remedy, samples.ANA)
    other = FORGE.propose(repo, samples.a_remedy(path="more.txt", before=None, after="x\n"), CODE + "9", MESSAGE)
    FORGE.close(repo, other)
    assert not (tmp_path / "sprung").exists(), (tmp_path / "sprung").read_text()
    assert (repo / "requirements.txt").read_text() == samples.AFTER


def test_approving_merges_into_the_branch_that_is_checked_out(repo, git, samples, proposal):
    (repo / "app.py").write_text("import yaml  # mine, not committed\n")
    done = FORGE.merge(repo, proposal, samples.a_remedy(), samples.ANA)
    assert done.action is Action.pr_merged
    assert (repo / "requirements.txt").read_text() == samples.AFTER
    assert git("status", "--porcelain") == "M app.py"
    assert git("log", "-1", "--format=%an <%ae> %P", "main") == (
        f"Ana Souza <ana@example.org> {proposal.base} {proposal.head}"
    )
    assert "Approved-by: Ana Souza <ana@example.org>" in git("log", "-1", "--format=%B", "main")


def test_approving_again_changes_nothing(repo, git, samples, proposal):
    FORGE.merge(repo, proposal, samples.a_remedy(), samples.ANA)
    before, tip = snapshot(repo), git("rev-parse", "main")
    done = FORGE.merge(repo, proposal, samples.a_remedy(), samples.ANA)
    assert (done.action, git("rev-parse", "main")) == (Action.pr_merged, tip)
    assert snapshot(repo) == before


def test_what_was_merged_by_hand_and_undone_again_does_not_count_as_merged(repo, git, samples, proposal):
    git("merge", "--quiet", "--no-ff", "-m", "by hand", proposal.ref)
    assert "main has it already" in LocalGit().merge(repo, proposal, samples.a_remedy(), samples.ANA).detail
    git("revert", "--mainline", "1", "--no-edit", "HEAD")
    with pytest.raises(InputError, match="merged into main before, and undone again"):
        LocalGit().merge(repo, proposal, samples.a_remedy(), samples.ANA)
    assert (repo / "requirements.txt").read_text() == samples.BEFORE


def test_approving_while_another_branch_is_checked_out_leaves_the_tree_alone(repo, git, samples, proposal):
    git("switch", "-qc", "feature")
    before = snapshot(repo)
    FORGE.merge(repo, proposal, samples.a_remedy(), samples.ANA)
    assert snapshot(repo) == before
    assert git("show", "main:requirements.txt") == samples.AFTER.strip()


def test_approving_brings_the_worktree_that_has_the_branch_up_to_date(repo, git, samples, proposal, tmp_path):
    git("switch", "-qc", "feature")
    git("worktree", "add", "-q", str(tmp_path / "linked"), "main")
    before = snapshot(repo)
    FORGE.merge(repo, proposal, samples.a_remedy(), samples.ANA)
    assert snapshot(repo) == before
    assert (tmp_path / "linked" / "requirements.txt").read_text() == samples.AFTER
    assert git("status", "--porcelain", cwd=tmp_path / "linked") == ""


def test_approving_after_the_branch_moved_on_elsewhere(repo, git, samples, proposal):
    (repo / "app.py").write_text("import json\n")
    git("commit", "-qam", "work")
    done = FORGE.merge(repo, proposal, samples.a_remedy(), samples.ANA)
    assert "had moved on since the proof" in done.detail
    assert (repo / "app.py").read_text() == "import json\n"
    assert (repo / "requirements.txt").read_text() == samples.AFTER
    assert git("status", "--porcelain") == ""


def test_what_changed_on_the_branch_since_the_proof_is_not_merged(repo, git, samples, proposal):
    (repo / "requirements.txt").write_text(samples.BEFORE + "extra==1\n")
    git("commit", "-qam", "more")
    before, tip = snapshot(repo), git("rev-parse", "main")
    with pytest.raises(InputError, match="was changed on main since the patch was proven"):
        FORGE.merge(repo, proposal, samples.a_remedy(), samples.ANA)
    assert (snapshot(repo), git("rev-parse", "main")) == (before, tip)


@pytest.mark.parametrize("how", ["worktree", "index", "deleted", "link", "merging"])
def test_uncommitted_work_is_never_overwritten(repo, git, samples, proposal, how):
    file = repo / "requirements.txt"
    if how == "worktree":
        file.write_text(samples.BEFORE + "mine==1\n")
    elif how == "index":
        file.write_text(samples.BEFORE + "mine==1\n")
        git("add", ".")
        file.write_text(samples.BEFORE)
    elif how == "deleted":
        file.unlink()
    elif how == "link":
        file.rename(repo / "other.txt")
        file.symlink_to("other.txt")
    else:
        (repo / ".git" / "MERGE_HEAD").write_text(proposal.head + "\n")
    before, tip = snapshot(repo), git("rev-parse", "main")
    with pytest.raises(InputError) as caught:
        FORGE.merge(repo, proposal, samples.a_remedy(), samples.ANA)
    assert caught.value.todo
    assert (snapshot(repo), git("rev-parse", "main")) == (before, tip)


@pytest.mark.parametrize("killed_at", ["files", "index", "branch"])
def test_killed_while_merging_it_goes_on(repo, git, samples, proposal, killed_at):
    """The process dies just before it writes the index, the branch, or just after."""

    class KilledError(BaseException):
        pass

    real = local_git.Git.run

    def run(self, *args, **options):
        if args[0] == "update-index" and options.get("env") and killed_at == "files":
            raise KilledError
        if args[0] == "update-ref" and killed_at == "index":
            raise KilledError
        done = real(self, *args, **options)
        if args[0] == "update-ref" and killed_at == "branch":
            raise KilledError
        return done

    patched = pytest.MonkeyPatch()
    patched.setattr(local_git.Git, "run", run)
    with pytest.raises(KilledError):
        FORGE.merge(repo, proposal, samples.a_remedy(), samples.ANA)
    patched.undo()
    FORGE.merge(repo, proposal, samples.a_remedy(), samples.ANA)
    assert (repo / "requirements.txt").read_text() == samples.AFTER
    assert git("status", "--porcelain") == ""
    assert git("rev-list", "--count", "main") == "3"


def test_a_patch_that_somebody_changed_is_not_merged(repo, git, samples, proposal):
    git("update-ref", BRANCH, git("commit-tree", f"{BRANCH}^{{tree}}", "-p", BRANCH, "-m", "more"))
    with pytest.raises(InputError, match="was changed since it was proven"):
        FORGE.merge(repo, proposal, samples.a_remedy(), samples.ANA)


def test_a_detached_head_can_be_proposed_on_but_not_merged_into(repo, git, samples):
    git("checkout", "-q", "--detach")
    made = FORGE.propose(repo, samples.a_remedy(), CODE, MESSAGE)
    assert made.target == ""
    with pytest.raises(InputError, match="no branch was checked out") as caught:
        FORGE.merge(repo, made, samples.a_remedy(), samples.ANA)
    assert caught.value.todo == f"Merge it yourself: git merge vertice/{CODE}"


def test_a_branch_that_is_gone_is_said(repo, git, samples, proposal):
    git("switch", "-qc", "feature")
    git("branch", "-qD", "main")
    with pytest.raises(InputError, match="the branch it was proposed on is gone"):
        FORGE.merge(repo, proposal, samples.a_remedy(), samples.ANA)


def test_another_git_process_at_work_is_said(repo, git, samples, proposal):
    (repo / ".git" / "index.lock").touch()
    with pytest.raises(UnfinishedError, match="another git process"):
        FORGE.merge(repo, proposal, samples.a_remedy(), samples.ANA)
    (repo / ".git" / "index.lock").unlink()
    FORGE.merge(repo, proposal, samples.a_remedy(), samples.ANA)
    assert git("status", "--porcelain") == ""


def test_rejecting_keeps_the_commit_out_of_the_way(repo, git, proposal):
    before = snapshot(repo)
    done = FORGE.close(repo, proposal)
    assert done.action is Action.pr_closed
    assert FORGE.head(repo, proposal) is None
    assert git("rev-parse", f"refs/vertice/closed/{CODE}") == proposal.head
    assert snapshot(repo) == before
    assert FORGE.close(repo, proposal).action is Action.pr_closed


def test_rejecting_leaves_a_branch_with_others_commits(repo, git, proposal):
    git("update-ref", BRANCH, git("commit-tree", f"{BRANCH}^{{tree}}", "-p", BRANCH, "-m", "more"))
    assert "commits that are not Vértice's" in FORGE.close(repo, proposal).detail
    assert git("rev-parse", BRANCH) != proposal.head


def test_rejecting_leaves_a_branch_that_is_checked_out(repo, git, proposal):
    git("switch", "-q", f"vertice/{CODE}")
    assert "is checked out" in FORGE.close(repo, proposal).detail
    assert git("rev-parse", "HEAD") == proposal.head


def test_a_repository_with_sha256_ids(tmp_path, git, samples):
    root = tmp_path / "modern"
    git("init", "-q", "--object-format=sha256", str(root), cwd=tmp_path)
    (root / "requirements.txt").write_text(samples.BEFORE)
    git("add", ".", cwd=root)
    git("commit", "-qm", "first", cwd=root)
    made = FORGE.propose(root, samples.a_remedy(), CODE, MESSAGE)
    assert len(made.head) == 64
    FORGE.merge(root, made, samples.a_remedy(), samples.ANA)
    assert git("status", "--porcelain", cwd=root) == ""


def test_called_from_a_hook_it_works_on_the_project_not_on_the_hooks_repository(repo, samples, monkeypatch, tmp_path):
    monkeypatch.setenv("GIT_DIR", str(tmp_path / "elsewhere"))
    monkeypatch.setenv("GIT_INDEX_FILE", str(tmp_path / "index"))
    assert FORGE.propose(repo, samples.a_remedy(), CODE, MESSAGE).ref == BRANCH
