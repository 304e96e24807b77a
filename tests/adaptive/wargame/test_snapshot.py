"""The copy of the project that tests run on."""

from pathlib import Path

import pytest

from vertice.adaptive.wargame import snapshot
from vertice.adaptive.wargame.snapshot import project_digest, take_snapshot
from vertice.kernel.errors import InputError


def test_code_and_data_come_along_secrets_and_caches_do_not(tmp_path: Path) -> None:
    project = tmp_path / "project"
    for name in ("app/main.py", "data/x.json", ".env.example", ".github/a.yml"):
        (project / name).parent.mkdir(parents=True, exist_ok=True)
        (project / name).write_text("kept")
    for name in (
        ".env",
        ".env.local",
        "server.pem",
        "id_rsa",
        ".git/config",
        ".venv/bin/python",
        "app/__pycache__/m.pyc",
    ):
        (project / name).parent.mkdir(parents=True, exist_ok=True)
        (project / name).write_text("left out")
    take_snapshot(project, tmp_path / "copy")
    copied = sorted(
        str(path.relative_to(tmp_path / "copy")) for path in (tmp_path / "copy").rglob("*") if path.is_file()
    )
    assert copied == [".env.example", ".github/a.yml", "app/main.py", "data/x.json"]


def test_links_that_lead_out_do_not_come_along(tmp_path: Path) -> None:
    project = tmp_path / "project"
    project.mkdir()
    (tmp_path / "secret").write_text("outside")
    (project / "inside.txt").write_text("inside")
    (project / "out").symlink_to(tmp_path / "secret")
    (project / "in").symlink_to("inside.txt")
    (project / "up").symlink_to(tmp_path)
    take_snapshot(project, tmp_path / "copy")
    assert sorted(path.name for path in (tmp_path / "copy").iterdir()) == ["in", "inside.txt"]
    assert (tmp_path / "copy" / "in").is_symlink()


def test_a_second_time_does_nothing_and_a_half_made_copy_is_made_anew(tmp_path: Path) -> None:
    project = tmp_path / "project"
    project.mkdir()
    (project / "a.py").write_text("1")
    take_snapshot(project, tmp_path / "copy")
    (project / "a.py").write_text("2")
    take_snapshot(project, tmp_path / "copy")
    assert (tmp_path / "copy" / "a.py").read_text() == "1"
    assert [path.name for path in tmp_path.iterdir() if "partial" in path.name] == []


def test_a_project_that_is_too_large_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(snapshot, "MAX_BYTES", 10)
    project = tmp_path / "project"
    project.mkdir()
    (project / "data").write_bytes(b"x" * 11)
    with pytest.raises(InputError, match="larger"):
        take_snapshot(project, tmp_path / "copy")
    assert not (tmp_path / "copy").exists()


def test_the_digest_follows_names_and_contents(tmp_path: Path) -> None:
    (tmp_path / "a.py").write_text("1")
    first = project_digest(tmp_path)
    (tmp_path / ".env").write_text("not looked at")
    assert project_digest(tmp_path) == first
    (tmp_path / "a.py").write_text("2")
    second = project_digest(tmp_path)
    (tmp_path / "a.py").rename(tmp_path / "b.py")
    assert len({first, second, project_digest(tmp_path)}) == 3
