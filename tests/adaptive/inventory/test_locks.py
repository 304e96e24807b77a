"""Locks: uv.lock, poetry.lock of both generations, and pylock.toml."""

import shutil
import subprocess
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest
import uv as uv_program
from packaging.markers import Marker
from packaging.requirements import Requirement

from vertice.adaptive.inventory.model import Component, Manifest, ManifestKind, Project
from vertice.adaptive.inventory.reader import read_project

Lay = Callable[[Mapping[str, str | bytes]], Path]

ENVIRONMENTS = [
    {"python_version": version, "python_full_version": f"{version}.1", **platform}
    for version in ("3.9", "3.10", "3.11", "3.12")
    for platform in (
        {"sys_platform": "linux", "platform_system": "Linux", "os_name": "posix"},
        {"sys_platform": "win32", "platform_system": "Windows", "os_name": "nt"},
        {"sys_platform": "darwin", "platform_system": "Darwin", "os_name": "posix"},
    )
]


def only(project: Project) -> Manifest:
    (manifest,) = project.manifests
    return manifest


def at(manifest: Manifest, name: str, version: str) -> Component:
    (found,) = [one for one in manifest.components if (one.name, one.version) == (name, version)]
    return found


def installed(lines: tuple[str, ...] | list[str], environment: dict[str, str]) -> set[tuple[str, str]]:
    """Return what an installer would install from exact requirements."""
    found = set()
    for line in lines:
        one = Requirement(line)
        if one.marker is None or one.marker.evaluate(environment):
            found.add((one.name, str(one.specifier).removeprefix("==")))
    return found


def test_uv_lock_gives_paths_development_and_lines(assets: Path) -> None:
    project = read_project(assets / "uv")
    manifest = only(project)
    assert (manifest.kind, manifest.resolved, manifest.complete) == (ManifestKind.uv_lock, False, True)
    assert project.name == "shop"
    assert project.warnings == ()
    assert {one.name for one in manifest.components}.isdisjoint({"shop", "lib"})
    assert at(manifest, "anyio", "4.16.0").dependency_path == ("uvicorn", "watchfiles", "anyio")
    assert at(manifest, "uvicorn", "0.24.0").extras == ("standard",)
    assert at(manifest, "uvicorn", "0.24.0").direct
    assert at(manifest, "six", "1.17.0").direct, "a member of the workspace asks for it"
    assert {one.name for one in manifest.components if one.dev} == {"iniconfig"}
    assert {one.name for one in manifest.components if one.name == "pyyaml" and not one.dev}
    lines = (assets / "uv" / "uv.lock").read_text().splitlines()
    for one in manifest.components:
        assert lines[one.line - 1] == f'name = "{one.name}"'
        assert lines[one.line] == f'version = "{one.version}"'
    assert manifest.lock.requires_python == ">=3.9,<3.13"
    assert all(value for value in manifest.lock.hashes.values())
    assert "uvicorn[standard]==0.24.0" in manifest.lock.requirements


def test_the_lock_installs_what_uv_export_says_everywhere(assets: Path, tmp_path: Path) -> None:
    shutil.copytree(assets / "uv", tmp_path / "uv")
    (tmp_path / "uv" / "lib").mkdir()
    (tmp_path / "uv" / "lib" / "pyproject.toml").write_text('[project]\nname = "lib"\nversion = "0.1"\n')
    export = subprocess.run(
        [
            *(uv_program.find_uv_bin(), "export", "--frozen", "--offline", "--no-hashes", "--no-emit-workspace"),
            *("--all-extras", "--all-groups", "--all-packages", "--no-annotate", "--no-header", "--quiet"),
        ],
        cwd=tmp_path / "uv",
        capture_output=True,
        text=True,
        check=True,
    )
    ours = only(read_project(tmp_path / "uv")).lock.requirements
    for environment in ENVIRONMENTS:
        assert installed(ours, environment) == installed(export.stdout.splitlines(), environment), environment


def test_uv_lock_of_a_workspace_without_a_project(lay: Lay) -> None:
    lock = (
        'version = 1\n[manifest]\nrequirements = [{ name = "b" }]\n'
        '[manifest.dependency-groups]\ndev = [{ name = "a" }]\n'
        '[[package]]\nname = "a"\nversion = "1"\nsource = { registry = "https://pypi.org/simple" }\n'
        '[[package]]\nname = "b"\nversion = "1"\nsource = { registry = "https://pypi.org/simple" }\n'
    )
    manifest = only(read_project(lay({"uv.lock": lock})))
    assert [(one.name, one.direct, one.dev) for one in manifest.components] == [("a", True, True), ("b", True, False)]


def test_uv_lock_leaves_checkouts_and_paths_out_and_keeps_the_way_through_them(lay: Lay) -> None:
    lock = (
        'version = 1\n[[package]]\nname = "shop"\nversion = "1"\nsource = { virtual = "." }\n'
        'dependencies = [{ name = "checkout" }]\n'
        '[[package]]\nname = "checkout"\nversion = "2"\nsource = { git = "https://example.com/c.git#0" }\n'
        'dependencies = [{ name = "leaf" }]\n'
        '[[package]]\nname = "leaf"\nversion = "3"\nsource = { registry = "https://u:hunter2@example.com/simple/" }\n'
    )
    project = read_project(lay({"uv.lock": lock}))
    manifest = only(project)
    assert [one.dependency_path for one in manifest.components] == [("checkout", "leaf")]
    assert manifest.lock.requirements == ("leaf==3",)
    assert manifest.lock.indexes == ("https://example.com/simple",)
    assert project.warnings[0] == "uv.lock:8: checkout was left out: it is a version-control checkout"
    assert "hunter2" not in repr(project)


def test_uv_lock_that_lacks_a_package_is_told(lay: Lay) -> None:
    lock = 'version = 1\n[[package]]\nname = "shop"\nsource = { virtual = "." }\ndependencies = [{ name = "gone" }]\n'
    project = read_project(lay({"uv.lock": lock}))
    assert not only(project).complete
    assert "requires gone, which it does not hold" in project.warnings[0]


def test_uv_lock_with_extras_that_exclude_each_other_locks_one_version(lay: Lay) -> None:
    registry = 'source = { registry = "https://pypi.org/simple" }\n'
    lock = (
        "version = 1\nconflicts = [[{ package = 'shop', extra = 'x' }, { package = 'shop', extra = 'y' }]]\n"
        '[[package]]\nname = "shop"\nversion = "1"\nsource = { editable = "." }\n[package.optional-dependencies]\n'
        'x = [{ name = "a", version = "1", marker = "extra == \'extra-4-shop-x\' or extra != \'extra-4-shop-y\'" }]\n'
        'y = [{ name = "a", version = "2", marker = "extra == \'extra-4-shop-y\'" }]\n'
        f'[[package]]\nname = "a"\nversion = "1"\n{registry}[[package]]\nname = "a"\nversion = "2"\n{registry}'
    )
    project = read_project(lay({"uv.lock": lock}))
    assert [one.version for one in only(project).components] == ["1", "2"]
    assert only(project).lock.requirements == ("a==2",)
    assert "exclude each other" in project.warnings[0]


def test_poetry_lock_2_is_read(assets: Path) -> None:
    project = read_project(assets / "poetry-2.1")
    manifest = only(project)
    found = {one.name: one for one in manifest.components}
    assert {name for name, one in found.items() if one.direct} == {
        "colorama",
        "iniconfig",
        "jinja2",
        "pyyaml",
        "uvicorn",
    }
    assert {name for name, one in found.items() if one.dev} == {"iniconfig"}
    assert found["httptools"].dependency_path == ("uvicorn", "httptools")
    assert found["six"].dependency_path == ("local-lib", "six")
    assert found["uvicorn"].extras == ("standard",)
    assert found["pyyaml"].marker == ""
    assert found["colorama"].marker == 'sys_platform == "win32" or platform_system == "Windows"'
    assert Marker(found["importlib-metadata"].marker).evaluate({"python_version": "3.9"})
    assert found["markupsafe"].source == "poetry.lock"
    assert manifest.lock.requires_python == ">=3.9,<4"
    assert manifest.lock.indexes == ("https://pypi.org/simple", "https://packages.example.com/simple")
    assert len(manifest.lock.hashes["jinja2==2.11.2"]) == 2
    assert any("local-lib was left out: it is a local project" in warning for warning in project.warnings)
    assert "secret" not in repr(project)


def test_poetry_lock_1_is_read(assets: Path) -> None:
    manifest = only(read_project(assets / "poetry-1.1"))
    assert at(manifest, "dataclasses", "0.8").marker == 'python_version < "3.7"'
    assert at(manifest, "dataclasses", "0.8").dependency_path == ("flask", "dataclasses")
    assert at(manifest, "numpy", "1.19.5").marker == "python_version < '3.7'"
    assert at(manifest, "numpy", "1.21.6").marker == "python_version >= '3.7'"
    assert len(manifest.lock.hashes["numpy==1.21.6"]) == 1
    assert {one.name for one in manifest.components if one.dev} == {"pytest", "iniconfig"}


def test_poetry_lock_without_pyproject_counts_what_nothing_requires_as_direct(assets: Path, lay: Lay) -> None:
    project = read_project(lay({"poetry.lock": (assets / "poetry-1.1" / "poetry.lock").read_bytes()}))
    assert {one.name for one in only(project).components if one.direct} == {"flask", "numpy", "pytest"}
    assert "pyproject.toml names none of its packages" in project.warnings[0]


def test_pylock_is_read(assets: Path) -> None:
    project = read_project(assets / "pylock")
    manifest = only(project)
    found = {one.name: one for one in manifest.components}
    assert {name: one.direct for name, one in found.items()} == {
        "iniconfig": True,
        "jinja2": True,
        "markupsafe": False,
        "pyyaml": True,
        "six": True,
    }
    assert {name for name, one in found.items() if one.dev} == {"iniconfig"}
    assert found["markupsafe"].dependency_path == ("jinja2", "markupsafe")
    assert "pyyaml==5.4.1 ; python_version < '3.12'" in manifest.lock.requirements
    assert "six==1.17.0" in manifest.lock.requirements
    assert manifest.lock.hashes["markupsafe==2.0.1"] == (
        "sha256:594c67807fb16238b30c44bdf74f36c02cdf22d1c8cda91ef8a0ed8dabf5620a",
    )
    assert manifest.lock.indexes == ()
    assert "checkout was left out" in project.warnings[0]


def test_pylock_takes_what_is_direct_from_pyproject(assets: Path, lay: Lay) -> None:
    pyproject = "[project]\nname='x'\ndependencies=['jinja2']\n[dependency-groups]\ndev=['iniconfig']\n"
    lock = (assets / "pylock" / "pylock.toml").read_bytes()
    manifest = only(read_project(lay({"pylock.toml": lock, "pyproject.toml": pyproject})))
    assert {one.name for one in manifest.components if one.direct} == {"jinja2", "iniconfig"}


def test_every_lock_of_a_folder_is_read(assets: Path, lay: Lay) -> None:
    root = lay(
        {
            "uv.lock": (assets / "uv" / "uv.lock").read_bytes(),
            "pyproject.toml": (assets / "uv" / "pyproject.toml").read_bytes(),
            "pylock.toml": (assets / "pylock" / "pylock.toml").read_bytes(),
            "pylock.dev.toml": (assets / "pylock" / "pylock.toml").read_bytes(),
            "poetry.lock": (assets / "poetry-2.1" / "poetry.lock").read_bytes(),
            "requirements.txt": "a==1\n",
        }
    )
    assert [manifest.path for manifest in read_project(root).manifests] == [
        "uv.lock",
        "poetry.lock",
        "pylock.dev.toml",
        "pylock.toml",
        "requirements.txt",
    ]
    assert [manifest.path for manifest in read_project(root / "poetry.lock").manifests] == ["poetry.lock"]


@pytest.mark.parametrize("folder", ["uv", "poetry-1.1", "poetry-2.1", "pylock", "compiled"])
def test_reading_twice_gives_the_same_and_every_lock_line_is_a_requirement(assets: Path, folder: str) -> None:
    project = read_project(assets / folder)
    assert project == read_project(assets / folder)
    assert only(project).lock.digest == only(read_project(assets / folder)).lock.digest
    for line in only(project).lock.requirements:
        assert str(Requirement(line).specifier).startswith("==")
    for one in project.components:
        assert one.dependency_path[-1] == one.name
        assert one.direct is (len(one.dependency_path) == 1) or one.name == "importlib-metadata"
