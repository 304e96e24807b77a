"""Which files of a project count as its own code."""

import os
from pathlib import Path

import pytest

from vertice.adaptive.triage.sources import MAX_SOURCE_BYTES, is_test, read_own_code


def write(root: Path, *paths: str, content: bytes = b"import yaml\n") -> None:
    for path in paths:
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_bytes(content)


def test_only_the_projects_own_code_is_read(tmp_path: Path) -> None:
    write(tmp_path, "main.py", "app/io.py", "tests/test_io.py", "src/pkg/__init__.py", "notes.txt")
    write(tmp_path, "Dockerfile", "Procfile", "deploy/api.Dockerfile", "compose.prod.yaml", "run.sh", "app/Makefile")
    write(tmp_path, ".venv/a.py", "venv/a.py", "node_modules/a.py", ".git/a.py", "build/a.py", "dist/a.py")
    write(tmp_path, "x/site-packages/a.py", "app/__pycache__/a.py", ".hidden/a.py", "x.egg-info/a.py")
    write(tmp_path, "own_env/pyvenv.cfg", "own_env/lib/a.py")
    code = read_own_code(tmp_path)
    assert [file.path for file in code.sources] == ["main.py", "app/io.py", "src/pkg/__init__.py", "tests/test_io.py"]
    assert {file.path for file in code.commands} == {
        "Dockerfile",
        "Procfile",
        "deploy/api.Dockerfile",
        "compose.prod.yaml",
        "run.sh",
        "app/Makefile",
    }
    assert code.warnings == ()


def test_links_out_of_the_project_are_left_out_and_links_inside_followed(tmp_path: Path) -> None:
    root = tmp_path / "project"
    write(tmp_path, "secret.py")
    write(root, "real.py")
    (root / "inside.py").symlink_to("real.py")
    (root / "outside.py").symlink_to("../secret.py")
    (root / "dangling.py").symlink_to("nothing.py")
    (root / "folder").symlink_to(tmp_path)
    (root / "loop.py").symlink_to("loop.py")
    code = read_own_code(root)
    assert [file.path for file in code.sources] == ["inside.py", "real.py"]
    assert {warning.split(":")[0] for warning in code.warnings} == {"dangling.py", "loop.py"}


def test_a_large_file_is_left_out_with_a_warning(tmp_path: Path) -> None:
    write(tmp_path, "data.py", content=b"#" * (MAX_SOURCE_BYTES + 1))
    code = read_own_code(tmp_path)
    assert code.sources == ()
    assert code.warnings == ("data.py: not searched, larger than 1,048,576 bytes",)


def test_a_pipe_named_like_code_does_not_block(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.py")
    assert read_own_code(tmp_path).sources == ()


def test_a_file_name_that_is_no_text_is_shown_escaped(tmp_path: Path) -> None:
    (tmp_path / os.fsdecode(b"a\xff.py")).write_bytes(b"import yaml")
    assert [file.path for file in read_own_code(tmp_path).sources] == ["a\\udcff.py"]


def test_a_missing_folder_has_no_code(tmp_path: Path) -> None:
    assert read_own_code(tmp_path / "nothing").sources == ()


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("tests/io.py", True),
        ("app/test/io.py", True),
        ("test_io.py", True),
        ("app/io_test.py", True),
        ("conftest.py", True),
        ("app/tests.py", True),
        ("app/contest.py", False),
        ("app/testing.py", False),
        ("latest_io.py", False),
    ],
)
def test_test_code_is_known_by_its_name(path: str, expected: bool) -> None:
    assert is_test(path) is expected
