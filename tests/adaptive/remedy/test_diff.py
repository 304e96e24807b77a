"""What we call a patch is one that git applies."""

import subprocess
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from vertice.adaptive.remedy.diff import unified_diff
from vertice.adaptive.remedy.model import Edit


def apply_with_git(root: Path, edits: list[Edit]) -> dict[str, str]:
    root.mkdir(parents=True)
    for edit in edits:
        path = root / edit.path
        path.parent.mkdir(parents=True, exist_ok=True)
        if edit.before is not None:
            path.write_bytes(edit.before.encode())
    diff = unified_diff(edits)
    subprocess.run(["git", "init", "-q"], cwd=root, check=True)
    if diff:
        command = ["git", "-c", "core.autocrlf=false", "apply", "--whitespace=nowarn", "-"]
        subprocess.run(command, cwd=root, input=diff.encode(), check=True)
    return {edit.path: (root / edit.path).read_bytes().decode() for edit in edits}


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("a==1\nb==1\n", "a==1\nb==2\n"),
        ("a==1\r\nb==1\r\n", "a==1\r\nb==2\r\n"),
        ("a==1\nb==1", "a==1\nb==2"),
        ("a==1\nb==1", "a==1\nb==1\n"),
        ("a==1\r\nb==1", "a==2\r\nb==1"),
        ("\ufeffa==1\n", "\ufeffa==2\n"),
        ("a==1\x0cb\x85c\u2028d\n", "a==2\x0cb\x85c\u2028d\n"),
        ("a==1\n", "a==1\n"),
    ],
)
def test_git_applies_it_byte_for_byte(tmp_path: Path, before: str, after: str) -> None:
    assert apply_with_git(tmp_path / "r", [Edit("requirements.txt", before, after)]) == {"requirements.txt": after}


def test_new_files_and_odd_names_are_applied(tmp_path: Path) -> None:
    edits = [
        Edit("more/limits.txt", None, "a==1\n"),
        Edit("with space.txt", "a==1\n", "a==2\n"),
        Edit('quo"te\té.txt', "a==1\n", "a==2\n"),
    ]
    assert apply_with_git(tmp_path / "r", edits) == {edit.path: edit.after for edit in edits}


lines = st.lists(st.sampled_from(["a==1", "b==2", "", "# c\r", "é"]), max_size=12).map("\n".join)


@settings(max_examples=25, deadline=None)
@given(before=lines, after=lines)
def test_any_pair_of_texts_is_applied(tmp_path_factory: pytest.TempPathFactory, before: str, after: str) -> None:
    root = tmp_path_factory.mktemp("any") / "r"
    assert apply_with_git(root, [Edit("f.txt", before, after)]) == {"f.txt": after}
