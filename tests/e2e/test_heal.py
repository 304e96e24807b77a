"""`vertice heal` from a vulnerable project to a merged branch."""

import os
import signal
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.machine import Machine, git

pytestmark = [pytest.mark.index, pytest.mark.slow]

SERVICE = {
    "requirements.txt": "PyYAML==5.3.1\nmistune==0.8\n",
    "app.py": "import yaml\n\n\ndef read(text):\n    return yaml.full_load(text)\n",
    "test_app.py": "from app import read\n\n\ndef test_read():\n    assert read('a: 1') == {'a': 1}\n",
}


def tree(folder: Path) -> dict[str, bytes]:
    paths = (path for path in folder.rglob("*") if path.is_file() and ".git" not in path.parts)
    return {str(path.relative_to(folder)): path.read_bytes() for path in paths}


def test_from_a_vulnerable_project_to_a_merged_branch(machine: Machine, project: Callable[..., Path]) -> None:
    folder = project(SERVICE)
    before, head = tree(folder), git(folder, "rev-parse", "HEAD")

    healed = machine.run("heal", folder, "--json")
    assert healed.code == 1, healed.err
    verdicts = {one["changes"][0]["package"]: one["verdict"] for one in healed.json["remedies"]}
    assert (verdicts["pyyaml"]["word"], verdicts["pyyaml"]["grade"]) == ("success", "proven")
    assert (verdicts["mistune"]["word"], verdicts["mistune"]["grade"]) == ("success", "partly proven")
    assert verdicts["pyyaml"]["confidence"] >= 0.9 > verdicts["mistune"]["confidence"]
    assert tree(folder) == before, "the working tree was touched"
    assert git(folder, "rev-parse", "HEAD") == head
    assert git(folder, "status", "--porcelain") == ""

    yaml = next(one for one in healed.json["remedies"] if one["changes"][0]["package"] == "pyyaml")
    diff = git(folder, "diff", f"main...{yaml['ref']}")
    assert "-PyYAML==5.3.1" in diff
    assert "+PyYAML==5.4" in diff
    assert "mistune" not in [line[1:8] for line in diff.splitlines() if line[:1] in "+-"]

    code = yaml["review"]
    assert machine.run("evidence", "verify", yaml["evidence"]).code == 0
    shown = machine.run("review", "show", code)
    assert "CVE-2020-14343" in shown.out
    refused = machine.run("review", "decide", code, "approve", "--because", "short")
    assert (refused.code, "at least 10" in refused.err) == (2, True)
    approved = machine.run("review", "decide", code, "approve", "--because", "The proof convinces me.", "--json")
    assert approved.code == 0, approved.err
    assert approved.json["decisions"][0]["action"] == "pr_merged"
    assert approved.json["decisions"][0]["reviewer"]["name"] == "Rita Reviewer"
    assert "PyYAML==5.4" in git(folder, "show", "main:requirements.txt")
    twice = machine.run("review", "decide", code, "reject", "--because", "I changed my mind")
    assert (twice.code, "already approved" in twice.err) == (2, True)

    other = next(one for one in healed.json["remedies"] if one["changes"][0]["package"] == "mistune")
    assert machine.run("review", "decide", other["review"], "reject", "--because", "Not needed by us.").code == 0
    audit = machine.run("audit", "verify", "--json")
    assert (audit.code, audit.json["ok"]) == (0, True)


def test_modify_tries_the_version_that_was_asked_for(machine: Machine, project: Callable[..., Path]) -> None:
    folder = project({"requirements.txt": "mistune==0.8\n"})
    first = machine.run("heal", folder, "--json").json["remedies"][0]
    assert first["changes"][0]["after"] == "0.8.1"
    why = "We use 0.8.4 elsewhere."
    said = machine.run("review", "decide", first["review"], "modify", "--try", "0.8.4", "--because", why)
    assert said.code == 0, said.err
    second = machine.run("heal", folder, "--json").json["remedies"][0]
    assert (second["changes"][0]["after"], second["review"]) == ("0.8.4", first["review"])
    review = machine.run("review", "show", first["review"], "--json").json
    assert (review["status"], review["revision"]) == ("pending", 2)


def test_without_git_the_patch_is_a_file(machine: Machine, project: Callable[..., Path]) -> None:
    folder = project({"requirements.txt": "mistune==0.8\n"}, git=False)
    before = tree(folder)
    remedy = machine.run("heal", folder, "--json").json["remedies"][0]
    assert Path(remedy["ref"]).suffix == ".patch"
    assert tree(folder) == before
    subprocess.run(["git", "apply", "--check", remedy["ref"]], cwd=folder, check=True)


def test_nothing_vulnerable_is_nothing_to_heal(machine: Machine, project: Callable[..., Path]) -> None:
    done = machine.run("heal", project({"requirements.txt": "idna==3.10\n"}))
    assert (done.code, "Nothing to heal" in done.out) == (0, True)


def test_a_release_that_the_advisory_calls_fixed_is_refuted_and_the_next_ones_are_tried(
    machine: Machine, project: Callable[..., Path]
) -> None:
    """CVE-2024-3651 is published as fixed in idna 3.7; contextual digits stayed quadratic until 3.14."""
    remedy = machine.run("heal", project({"requirements.txt": "idna==3.6\n"}), "--json").json["remedies"][0]
    assert remedy["changes"] == [{"package": "idna", "before": "3.6", "after": "3.14"}]
    assert remedy["verdict"]["word"] == "success"
    assert "calls idna 3.7 fixed, but" in remedy["doubts"][0]
    shown = machine.run("review", "show", remedy["review"])
    assert "The advisory's range looks wrong" in shown.out


def heal_killed_after(machine: Machine, folder: Path, lines: int) -> tuple[int, list[str]]:
    """Run a heal, kill it (-9) with all its children after so many lines of progress; return exit code and lines."""
    process = subprocess.Popen(
        machine.command("heal", folder),
        env=machine.variables,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    seen: list[str] = []
    assert process.stderr is not None
    with process.stderr:
        for line in process.stderr:
            seen.append(line.strip())
            if len(seen) == lines:
                os.killpg(process.pid, signal.SIGKILL)
    return process.wait(), seen


def test_killed_again_and_again_it_goes_on_and_does_nothing_twice(
    machine: Machine, project: Callable[..., Path]
) -> None:
    """What was finished before a kill is never begun again, and the outcome is that of a run that was not killed."""
    folder = project(SERVICE)
    runs: list[list[str]] = []
    for lines in (1, 3, 2, 4, 3, 5, 4, 6, 8, 10, 99):
        code, seen = heal_killed_after(machine, folder, lines)
        runs.append(seen)
        if code >= 0:
            break
    assert code == 1, runs
    assert len(runs) > 3, "it was hardly killed at all"
    finished: set[str] = set()
    for seen in runs:
        working = {line.partition(": ")[0] for line in seen if "proving" not in line and ": done" not in line}
        assert not working & finished, f"{working & finished} was worked on again"
        finished |= {line.partition(": ")[0] for line in seen if ": done" in line}
    planned = [n for n, seen in enumerate(runs) if any("proving" in line for line in seen)]
    assert all("scanning" not in line for seen in runs[planned[0] + 1 :] for line in seen)

    again = machine.run("heal", folder, "--json")
    assert again.json["known"] is True
    assert [one["verdict"]["word"] for one in again.json["remedies"]] == ["success", "success"]
    reviews = machine.run("review", "list", "--json").json["reviews"]
    assert sorted(one["package"] for one in reviews) == ["mistune", "pyyaml"]
    assert [one["revision"] for one in reviews] == [1, 1]
    assert len(git(folder, "branch", "--list", "vertice/*").splitlines()) == 2
    assert machine.run("audit", "verify").code == 0
    for review in reviews:
        assert machine.run("evidence", "verify", review["evidence_path"]).code == 0
