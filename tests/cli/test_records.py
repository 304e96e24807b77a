"""What the command says of records: evidence that others signed, an audit chain in another place, an environment."""

from pathlib import Path
from typing import Any

import pytest

from tests.adaptive.review import samples
from tests.cli.conftest import Call
from tests.cli.refusal import refusal
from tests.cli.review import leave_a_review
from vertice.adaptive.review.evidence import export, statement


@pytest.mark.parametrize("predicate", [{}, {"verdict": 1, "remedy": {}}, {"verdict": {}, "remedy": {"changes": [7]}}])
def test_a_signed_statement_of_an_odd_form_is_one_clear_error(
    predicate: dict[str, Any], call: Call, home: Path, tmp_path: Path
) -> None:
    home.mkdir(mode=0o700)
    export(tmp_path / "odd.json", {**statement(samples.a_record()), "predicate": predicate}, home=home)
    refused = refusal(call("evidence", "verify", tmp_path / "odd.json"))
    assert (refused.code, refused.where) == (2, str(tmp_path / "odd.json"))
    assert "does not have the form" in refused.what


def test_a_missing_anchor_is_set_anew_knowingly(call: Call, home: Path, tmp_path: Path) -> None:
    leave_a_review(home, tmp_path / "shop")
    (anchor,) = (home / "audit").glob("*.json")
    anchor.unlink()
    assert call("audit", "verify").code == 1
    done = call("audit", "reanchor")
    assert (done.code, done.err) == (0, "")
    last = call("audit", "list", "--json").json["entries"][-1]
    assert (last["actor"], last["action"]) == ("rita@example.org", "audit.reanchored")
    assert call("audit", "verify").code == 0


@pytest.mark.parametrize(("module", "level"), [("md", "imported"), ("other", "present")])
def test_an_environment_tells_by_which_name_a_package_is_imported(
    module: str, level: str, call: Call, tmp_path: Path
) -> None:
    """No table knows it: only what the installed distribution itself records."""
    info = tmp_path / "env" / "lib" / "python3.11" / "site-packages" / "mistune-0.8.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: mistune\nVersion: 0.8\n")
    (info / "top_level.txt").write_text("md\n")
    (tmp_path / "env" / "pyvenv.cfg").write_text("home = /usr/bin\nversion_info = 3.11.2\n")
    project = tmp_path / "project"
    project.mkdir()
    (project / "app.py").write_text(f"import {module}\n")
    found = call("scan", project, "--python", tmp_path / "env", "--json").json["apvs"]
    assert found
    assert {one["reachability"]["level"] for one in found} == {level}
