"""`vertice wargame`: one change of a lock, proven or refuted without a heal."""

import json

import pytest

from vertice.adaptive.inventory.model import Lock
from vertice.adaptive.wargame.duel import locks_digest

FILES = {
    "requirements.txt": "jinja2==3.1.3\nmarkupsafe==2.1.5\n",
    "pyproject.toml": '[tool.pytest.ini_options]\npythonpath = ["."]\n',
    "app.py": (
        "from jinja2 import Environment\n\n\ndef page(attrs):\n    env = Environment()\n"
        '    return env.from_string("<a{{ attrs|xmlattr }}>").render(attrs=attrs)\n'
    ),
    "tests/test_app.py": (
        "from app import page\n\n\ndef test_page():\n    assert page({'id': 'x'}) == '<a id=\"x\">'\n"
    ),
}
ADVISORY = "GHSA-h75v-3vvj-5mfj"


@pytest.fixture
def patched(tmp_path):
    folder = tmp_path / "after"
    folder.mkdir()
    (folder / "requirements.txt").write_text("jinja2==3.1.4\nmarkupsafe==2.1.5\n")
    return folder / "requirements.txt"


@pytest.mark.index
@pytest.mark.slow
def test_a_patch_is_proven_and_the_result_kept(machine, project, patched, tmp_path):
    before = project(FILES) / "requirements.txt"
    output = tmp_path / "result.json"
    asked = ("wargame", "run", "--before", before, "--after", patched, "--advisory", ADVISORY, "--repeats", "1")
    done = machine.run(*asked, "--run", "WAR-20261121-001", "--output", output, "--json")
    assert done.code == 0, done.err
    assert done.json["verdict"]["grade"] == "proven"
    kept = json.loads(output.read_text())
    assert kept["run"] == "WAR-20261121-001"
    assert kept == {name: value for name, value in done.json.items() if name != "verdict"}
    unproven = machine.run(*asked[:3], patched, *asked[4:])
    assert unproven.code == 1
    assert "did not reproduce before" in unproven.out


def test_other_locks_than_expected_are_refused(machine, project, patched):
    before = project(FILES) / "requirements.txt"
    done = machine.run(
        "wargame", "run", "--before", before, "--after", patched, "--advisory", ADVISORY, "--expect", "0" * 64
    )
    assert done.code == 2
    assert "other locks than were asked for" in done.err


def test_the_interpreter_that_the_project_asks_for_is_part_of_what_is_expected(machine, project, patched):
    """The service orders with it, so the runner has to build with it."""
    before = project({**FILES, "vertice.toml": '[wargame]\npython = "3.11"\n'}) / "requirements.txt"
    locks = (
        Lock((pin, "markupsafe==2.1.5"), requires_python="", python_version="3.11")
        for pin in ("jinja2==3.1.3", "jinja2==3.1.4")
    )
    done = machine.run(
        "wargame", "run", "--before", before, "--after", patched, "--advisory", ADVISORY, "--expect", "0" * 64
    )
    assert f"these are other locks than were asked for ({locks_digest(*locks)})" in done.err


def test_a_folder_with_several_manifests_is_asked_about(machine, project, patched):
    folder = project({**FILES, "requirements-dev.txt": "markupsafe==2.1.4\n"})
    done = machine.run("wargame", "run", "--before", folder, "--after", patched, "--advisory", ADVISORY)
    assert done.code == 2
    assert "has several manifests" in done.err
    (patched.parent / "requirements-dev.txt").write_text("markupsafe==2.1.4\n")
    asked = ("wargame", "run", "--before", folder, "--after", patched.parent, "--advisory", ADVISORY)
    named = machine.run(*asked, "--manifest", "requirements.txt", "--expect", "0" * 64)
    assert "these are other locks than were asked for" in named.err
    missing = machine.run(*asked, "--manifest", "requirements-prod.txt")
    assert "has no manifest requirements-prod.txt" in missing.err


def test_the_workflow_is_printed(machine):
    done = machine.run("wargame", "workflow")
    assert done.code == 0
    assert "workflow_dispatch:" in done.out
