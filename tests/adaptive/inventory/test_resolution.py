"""What is not pinned is resolved by the real uv in the real sandbox; pins come out as they went in."""

import subprocess
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest
import uv as uv_program

from vertice.adaptive.inventory.assembly import Ground
from vertice.adaptive.inventory.model import Component, Manifest, Project
from vertice.adaptive.inventory.reader import read_project
from vertice.adaptive.inventory.resolution import target_python
from vertice.kernel.errors import InputError, UnfinishedError
from vertice.kernel.uv import Uv

Lay = Callable[[Mapping[str, str | bytes]], Path]
GetUv = Callable[[], Uv]


def only(project: Project) -> Manifest:
    (manifest,) = project.manifests
    return manifest


def by_name(manifest: Manifest) -> dict[str, Component]:
    return {component.name: component for component in manifest.components}


@pytest.mark.index
def test_pins_stay_and_what_they_bring_is_found(lay: Lay, uv: GetUv) -> None:
    text = "flask==2.0.0\nwerkzeug==2.0.0  # kept\npywin32==306; sys_platform=='win32'\n"
    root = lay({"requirements.txt": text, "requirements-dev.txt": "iniconfig\n", ".python-version": "3.11"})
    project = read_project(root, uv=uv)
    manifest, found = only(project), by_name(only(project))
    assert manifest.resolved
    assert manifest.complete
    assert project.warnings == ()
    assert {found[name].version for name in ("flask", "werkzeug")} == {"2.0.0"}
    assert found["markupsafe"].dependency_path in {("flask", "jinja2", "markupsafe"), ("werkzeug", "markupsafe")}
    assert not found["markupsafe"].direct
    assert (found["markupsafe"].source, found["markupsafe"].line) == ("requirements.txt", 0)
    assert found["werkzeug"].line == 2
    assert found["pywin32"].marker == "sys_platform=='win32'"
    assert (found["iniconfig"].dev, found["iniconfig"].source, found["iniconfig"].line) == (
        True,
        "requirements-dev.txt",
        1,
    )
    assert all(line.split(" ;")[0].count("==") == 1 for line in manifest.lock.requirements)


@pytest.mark.index
def test_extras_and_constraints_are_followed(lay: Lay, uv: GetUv) -> None:
    root = lay({"requirements.txt": "-c limits.txt\nuvicorn[standard]<0.25\n", "limits.txt": "click==8.0.4\n"})
    found = by_name(only(read_project(root, uv=uv)))
    assert found["httptools"].dependency_path == ("uvicorn", "httptools")
    assert found["uvicorn"].extras == ("standard",)
    assert found["uvicorn"].line == 2
    assert (found["click"].version, found["click"].source, found["click"].line) == ("8.0.4", "limits.txt", 1)
    assert found["click"].dependency_path == ("uvicorn", "click")


@pytest.mark.index
def test_pyproject_alone_is_resolved_with_extras_and_groups(lay: Lay, uv: GetUv) -> None:
    pyproject = """
[project]
name = "store"
requires-python = ">=3.9"
dependencies = [
    "jinja2<3",
    "store[more]",
]
[project.optional-dependencies]
more = ["six"]
[dependency-groups]
dev = ["iniconfig", { include-group = "lint" }]
lint = ["pluggy"]
"""
    project = read_project(lay({"pyproject.toml": pyproject}), uv=uv)
    found = by_name(only(project))
    assert set(found) == {"jinja2", "markupsafe", "six", "iniconfig", "pluggy"}
    assert {name for name, one in found.items() if one.dev} == {"iniconfig", "pluggy"}
    assert found["jinja2"].line == 6
    assert found["markupsafe"].dependency_path == ("jinja2", "markupsafe")
    assert only(project).path == "pyproject.toml"


@pytest.mark.index
def test_a_lock_that_uv_writes_now_is_read(tmp_path: Path) -> None:
    """The lock's newest revision, not only the stored one."""
    pyproject = (
        '[project]\nname = "store"\nversion = "1"\nrequires-python = ">=3.11"\ndependencies = ["jinja2==2.11.2"]\n'
    )
    (tmp_path / "pyproject.toml").write_text(pyproject)
    subprocess.run([uv_program.find_uv_bin(), "lock", "--quiet"], cwd=tmp_path, check=True)
    found = by_name(only(read_project(tmp_path)))
    assert found["jinja2"].version == "2.11.2"
    assert found["markupsafe"].dependency_path == ("jinja2", "markupsafe")


@pytest.mark.index
def test_an_unknown_package_is_named_with_its_line(lay: Lay, uv: GetUv) -> None:
    root = lay({"requirements.txt": "six==1.17.0\nvertice-no-such-package-here==1.0\n"})
    with pytest.raises(InputError) as raised:
        read_project(root, uv=uv)
    assert raised.value.what == "the package index has no package `vertice-no-such-package-here`"
    assert raised.value.where == f"{root / 'requirements.txt'}:2"


@pytest.mark.index
def test_requirements_that_exclude_each_other_are_explained(lay: Lay, uv: GetUv) -> None:
    root = lay({"requirements.txt": "flask==2.0.0\njinja2<2\n"})
    with pytest.raises(InputError) as raised:
        read_project(root, uv=uv)
    assert raised.value.what.startswith("no set of releases satisfies these requirements: Because flask==2.0.0")
    assert raised.value.what.isprintable()


@pytest.mark.index
def test_pins_that_cannot_be_installed_together_are_still_scanned(lay: Lay, uv: GetUv) -> None:
    project = read_project(lay({"requirements.txt": "flask==2.0.0\njinja2==2.11.2\n"}), uv=uv)
    assert only(project).lock.requirements == ("flask==2.0.0", "jinja2==2.11.2")
    assert not only(project).complete
    assert "were not seen" in project.warnings[0]


@pytest.mark.slow
def test_an_index_that_cannot_be_reached(lay: Lay, uv: GetUv) -> None:
    index = "--index-url https://localhost:9/simple\n"
    with pytest.raises(UnfinishedError):
        read_project(lay({"requirements.txt": index + "six\n"}), uv=uv)
    project = read_project(lay({"requirements.txt": index + "six==1.17.0\n"}), uv=uv)
    assert only(project).lock.requirements == ("six==1.17.0",)
    assert "were not seen" in project.warnings[0]


@dataclass
class Said:
    """A resolver that fails in given words, or prints a given resolution: for what the real index cannot show."""

    returncode: int = 0
    stdout: str = ""
    stderr: str = ""
    asked: tuple[Sequence[str], Mapping[str, bytes], Sequence[str]] = ((), {}, ())

    def run(self, args: Sequence[str], *, files: Mapping[str, bytes], indexes: Sequence[str], domain: str) -> "Said":
        assert domain
        self.asked = (args, files, indexes)
        return self


def test_what_uv_is_asked(lay: Lay) -> None:
    said = Said(stdout="a==1\n    # via -r requirements.in\n")
    text = "--extra-index-url https://example.com/simple\n--pre\n--only-binary a,b\n-c c.txt\nA[x]>=1\n./local\n"
    read_project(lay({"requirements.txt": text, "c.txt": "z<3\n", ".python-version": "3.12.1"}), uv=lambda: said)
    args, files, indexes = said.asked
    assert files == {"requirements.in": b"a[x]>=1\n", "constraints.txt": b"z<3\n"}
    assert indexes == ("https://pypi.org/simple", "https://example.com/simple")
    assert list(args) == [
        *("pip", "compile", "requirements.in", "--constraints", "constraints.txt", "--no-header", "--no-strip-extras"),
        *("--annotation-style", "split", "--python-version", "3.12.1"),
        *("--prerelease", "allow", "--only-binary", "a", "--only-binary", "b"),
    ]


def test_uv_is_not_asked_for_what_is_locked(assets: Path) -> None:
    def never() -> Said:
        raise AssertionError("uv was asked")

    for folder in ("uv", "poetry-1.1", "poetry-2.1", "pylock", "compiled"):
        read_project(assets / folder, uv=never)


def test_a_build_that_fails_is_unfinished_work_in_printable_words(lay: Lay) -> None:
    tree = (
        "  \u00d7 Failed to build `a==1`",
        "  \u251c\u2500\u25b6 The build \x1b[31mbackend",
        "  \u2570\u2500\u25b6 returned",
    )
    said = Said(1, stderr="\n".join(tree))
    with pytest.raises(UnfinishedError) as raised:
        read_project(lay({"requirements.txt": "a\n"}), uv=lambda: said)
    assert raised.value.what == (
        r"uv could not resolve these requirements: Failed to build `a==1` The build \x1b[31mbackend returned"
    )


@pytest.mark.parametrize(
    ("requires", "asked", "expected"),
    [
        ("", "3.10", "3.10"),
        (">=3.9", "3.10", "3.10"),
        ("<3.10", "", "3.9"),
        (">=3.8,<3.9", "", "3.8"),
        ("==3.10.*", "", "3.10"),
        (">=3.10.4,<3.11", "", "3.10"),
    ],
)
def test_the_python_that_is_resolved_for(requires: str, asked: str, expected: str) -> None:
    assert target_python(Ground(requires, asked)) == expected
