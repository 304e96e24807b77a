"""Requirements files of a folder: what they include, which belong together, and what is taken as it is."""

from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

from vertice.adaptive.inventory.model import Component, Manifest, Project
from vertice.adaptive.inventory.reader import read_project
from vertice.kernel.errors import InputError

Lay = Callable[[Mapping[str, str | bytes]], Path]
HASHED = " --hash=sha256:" + "ab" * 32


def only(project: Project) -> Manifest:
    (manifest,) = project.manifests
    return manifest


def by_name(manifest: Manifest) -> dict[str, Component]:
    found = {component.name: component for component in manifest.components}
    assert len(found) == len(manifest.components)
    return found


def test_a_pinned_file_is_taken_as_it_is(lay: Lay) -> None:
    project = read_project(lay({"requirements.txt": f"PyYAML==5.3.1{HASHED}\na[x]==1 ; python_version<'4'{HASHED}\n"}))
    manifest = only(project)
    assert (manifest.path, manifest.files, manifest.resolved, manifest.complete) == (
        "requirements.txt",
        ("requirements.txt",),
        False,
        True,
    )
    assert manifest.lock.requirements == ("a[x]==1 ; python_version<'4'", "pyyaml==5.3.1")
    assert manifest.lock.hashes["pyyaml==5.3.1"] == ("sha256:" + "ab" * 32,)
    yaml = by_name(manifest)["pyyaml"]
    assert (yaml.source, yaml.line, yaml.direct, yaml.dependency_path) == ("requirements.txt", 1, True, ("pyyaml",))
    assert yaml.purl == "pkg:pypi/pyyaml@5.3.1"
    assert project.name == "shop"
    assert project.warnings == ()


def test_includes_are_relative_to_the_file_they_stand_in(lay: Lay) -> None:
    root = lay(
        {
            "requirements.txt": "-r reqs/base.txt\na==1\n",
            "reqs/base.txt": "-r more.txt\n-c ../limits.txt\nb==2\nd\n",
            "reqs/more.txt": "c==3\n",
            "limits.txt": "d==4\nunused==9\n",
        }
    )
    manifest = only(read_project(root))
    assert manifest.files == ("requirements.txt", "reqs/base.txt", "reqs/more.txt", "limits.txt")
    assert {one.name: (one.version, one.source, one.line) for one in manifest.components} == {
        "a": ("1", "requirements.txt", 2),
        "b": ("2", "reqs/base.txt", 3),
        "c": ("3", "reqs/more.txt", 1),
        "d": ("4", "limits.txt", 1),
    }


def test_a_file_included_twice_counts_once(lay: Lay) -> None:
    files = {f"r{n}.txt": f"-r r{n + 1}.txt\n-r r{n + 1}.txt\n" for n in range(40)}
    manifest = only(read_project(lay({**files, "r40.txt": "a==1\n", "requirements.txt": "-r r0.txt\n"})))
    assert len(manifest.components) == 1


def test_development_files_join_the_main_one(lay: Lay) -> None:
    root = lay(
        {
            "requirements.txt": "a==1\nshared==2\n",
            "requirements-dev.txt": "-r requirements.txt\nb==2\nshared==2\n",
            "test_requirements.txt": "c==3\n",
            "requirements/lint.txt": "d==4\n",
        }
    )
    manifest = only(read_project(root))
    assert manifest.path == "requirements.txt"
    assert {(one.name, one.source): one.dev for one in manifest.components} == {
        ("a", "requirements.txt"): False,
        ("b", "requirements-dev.txt"): True,
        ("c", "test_requirements.txt"): True,
        ("d", "requirements/lint.txt"): True,
        ("shared", "requirements.txt"): False,
        ("shared", "requirements-dev.txt"): False,
    }
    assert manifest.lock.requirements == ("a==1", "b==2", "c==3", "d==4", "shared==2")


def test_a_development_file_that_pins_differently_stands_alone(lay: Lay) -> None:
    project = read_project(lay({"requirements.txt": "a==1\n", "requirements-dev.txt": "a==2\nb==1\n"}))
    assert [(one.path, one.lock.requirements) for one in project.manifests] == [
        ("requirements.txt", ("a==1",)),
        ("requirements-dev.txt", ("a==2", "b==1")),
    ]
    assert all(one.dev for one in project.manifests[1].components)


def test_files_for_different_deployments_are_separate(lay: Lay) -> None:
    root = lay(
        {
            "requirements/base.txt": "a==1\n",
            "requirements/production.txt": "-r base.txt\nb==1\n",
            "requirements/worker.txt": "-r base.txt\nc==1\n",
            "requirements/local.txt": "-r production.txt\nd==1\n",
        }
    )
    assert {one.path: one.files for one in read_project(root).manifests} == {
        "requirements/production.txt": (
            "requirements/production.txt",
            "requirements/base.txt",
            "requirements/local.txt",
        ),
        "requirements/worker.txt": ("requirements/worker.txt", "requirements/base.txt"),
    }


def test_one_file_can_be_named_alone(lay: Lay) -> None:
    root = lay(
        {"requirements/prod.txt": "-r ../base.in\na==1\n", "base.in": "b==1\n", "requirements/other.txt": "c==1\n"}
    )
    project = read_project(root / "requirements" / "prod.txt")
    assert only(project).files == ("requirements/prod.txt", "base.in")
    assert project.root == root


def test_constraints_alone_make_no_component(lay: Lay) -> None:
    manifest = only(read_project(lay({"requirements.txt": "-c constraints.txt\na==1\n", "constraints.txt": "b==1\n"})))
    assert list(by_name(manifest)) == ["a"]


def test_crlf_and_a_byte_order_mark_are_read(lay: Lay) -> None:
    manifest = only(read_project(lay({"requirements.txt": b"\xef\xbb\xbfa==1\r\n\r\nb==2\r\n"})))
    assert [(one.name, one.line) for one in manifest.components] == [("a", 1), ("b", 3)]


def test_versions_for_different_environments_are_both_there(lay: Lay) -> None:
    text = "a==1 ; python_version < '3.8'\na==2 ; python_version >= '3.8'\nb==1 ; os_name == 'nt'\nb==1\n"
    project = read_project(lay({"requirements.txt": text}))
    assert only(project).lock.requirements == (
        "a==1 ; python_version < '3.8'",
        "a==2 ; python_version >= '3.8'",
        "b==1",
    )
    assert not any("pinned to" in warning for warning in project.warnings)


def test_a_package_pinned_twice_is_told(lay: Lay) -> None:
    project = read_project(lay({"requirements.txt": "a==1\nb==1\na==2\n"}))
    assert any(
        "requirements.txt:3: a is pinned to 2 here and to 1 at requirements.txt:1" in w for w in project.warnings
    )


def test_what_is_left_out_is_told_without_secrets(lay: Lay) -> None:
    text = (
        "--extra-index-url https://user:hunter2@packages.example.com/simple\n--find-links ./wheels\n"
        "git+https://user:hunter2@example.com/x.git\n-e .\n-r https://example.com/r.txt\na==1\n"
    )
    project = read_project(lay({"requirements.txt": text}))
    told = "\n".join(project.warnings)
    assert "hunter2" not in told + repr(project)
    for part in ("requirements.txt:3", "requirements.txt:4", "included from a URL", "--find-links", "credentials"):
        assert part in told
    assert only(project).lock.indexes == ("https://pypi.org/simple", "https://packages.example.com/simple")


def test_via_comments_give_the_paths(assets: Path) -> None:
    manifest = only(read_project(assets / "compiled"))
    found = by_name(manifest)
    assert {name: one.dependency_path for name, one in found.items()} == {
        "click": ("flask", "click"),
        "flask": ("flask",),
        "jinja2": ("flask", "jinja2"),
        "markupsafe": ("flask", "jinja2", "markupsafe"),
        "pytest": ("pytest",),
    }
    assert {name for name, one in found.items() if one.direct} == {"flask", "pytest"}
    assert {name for name, one in found.items() if one.dev} == {"pytest"}
    assert found["flask"].dependencies == ("click", "jinja2")
    assert found["flask"].marker == 'python_version >= "3.8"'
    assert found["flask"].line == 13
    assert manifest.lock.indexes == ("https://packages.example.com/simple",)
    assert manifest.complete


@pytest.mark.parametrize(
    ("text", "complete"),
    [
        (f"a==1{HASHED}\nb==1{HASHED}\n", True),
        (f"a==1{HASHED}\nb==1\n", False),
        ("# This file was autogenerated by uv\na==1\n", True),
        ("a==1\n    # via b\nb==1\n", True),
        ("a==1\nb==1\n", False),
        ("".join(f"p{n}==1\n" for n in range(100)), True),
        ("".join(f"p{n}==1\n" for n in range(99)), False),
        ("", True),
    ],
)
def test_a_list_counts_as_complete_when_a_tool_wrote_it(lay: Lay, text: str, *, complete: bool) -> None:
    asked: list[str] = []

    def unavailable() -> None:
        asked.append("uv")
        raise InputError("no resolver here")

    project = read_project(lay({"requirements.txt": text}), uv=unavailable)  # type: ignore[arg-type]
    assert only(project).complete is complete
    assert asked == ([] if complete else ["uv"])
    assert any("not seen" in warning for warning in project.warnings) is not complete


def test_without_resolving_what_is_not_pinned_is_told(lay: Lay) -> None:
    project = read_project(lay({"requirements.txt": "a==1\nflask>=2\nclick\n"}), resolve=False)
    assert [one.name for one in only(project).components] == ["a"]
    assert "click, flask" in project.warnings[0]
    assert not only(project).complete


def test_the_python_asked_for_is_in_the_lock(lay: Lay) -> None:
    pyproject = "[project]\nname = 'store'\nrequires-python = '>=3.9, <3.13'\n"
    root = lay({"requirements.txt": "a==1\n", "pyproject.toml": pyproject, ".python-version": "# ours\n3.11.7\n"})
    project = read_project(root)
    assert (only(project).lock.requires_python, only(project).lock.python_version) == (">=3.9,<3.13", "3.11.7")
    assert project.name == "store"


@pytest.mark.parametrize(
    ("name", "text", "version"),
    [
        (".python-version", "cpython-3.12", "3.12"),
        (".python-version", "system\n3.10", "3.10"),
        (".python-version", "pypy3.10-7.3", ""),
        ("runtime.txt", "python-3.11.4\n", "3.11.4"),
        (".tool-versions", "nodejs 20.1.0\npython 3.9.1 3.8.2\n", "3.9.1"),
        (".tool-versions", "nodejs 20.1.0\n", ""),
    ],
)
def test_files_of_version_managers_are_read(lay: Lay, name: str, text: str, version: str) -> None:
    assert only(read_project(lay({"requirements.txt": "a==1\n", name: text}))).lock.python_version == version


def test_a_requirements_file_that_locks_pyproject_is_enough(lay: Lay) -> None:
    pyproject = "[project]\nname = 'x'\ndependencies = ['a>=1']\n"
    project = read_project(lay({"pyproject.toml": pyproject, "requirements.txt": f"a==1{HASHED}\nb==1{HASHED}\n"}))
    assert only(project).path == "requirements.txt"
