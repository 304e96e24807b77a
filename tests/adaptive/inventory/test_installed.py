"""An installed environment is read from its files."""

import subprocess
import sys
import sysconfig
import venv
from collections.abc import Mapping
from importlib.metadata import distributions
from pathlib import Path

import pytest
from packaging.utils import canonicalize_name

from vertice.adaptive.inventory.model import Component, Manifest, ManifestKind, Project
from vertice.adaptive.inventory.reader import read_project
from vertice.kernel.errors import InputError


def only(project: Project) -> Manifest:
    (manifest,) = project.manifests
    return manifest


def by_name(manifest: Manifest) -> dict[str, Component]:
    return {component.name: component for component in manifest.components}


def install(site: Path, name: str, version: str, metadata: str = "", files: Mapping[str, str] | None = None) -> None:
    folder = site / f"{name}-{version}.dist-info"
    folder.mkdir(parents=True)
    text = f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n{metadata}\n\nRequires-Dist: not-a-header\n"
    (folder / "METADATA").write_text(text)
    for file, content in (files or {}).items():
        (folder / file).write_text(content)


@pytest.fixture
def environment(tmp_path: Path) -> Path:
    """A virtual environment of Python 3.9 with packages, laid down by hand: its interpreter would fail to run."""
    root = tmp_path / "env"
    site = root / "lib" / "python3.9" / "site-packages"
    (root / "bin").mkdir(parents=True)
    (root / "bin" / "python").write_text("#!/bin/sh\nexit 9\n")
    (root / "pyvenv.cfg").write_text("home = /usr/bin\nversion_info = 3.9.18\n")
    requires = "Requires-Dist: Click>=8\nRequires-Dist: colorama; sys_platform == 'win32'\n"
    requires += "Requires-Dist: old; python_version < '3.10'\nRequires-Dist: fast; extra == 'speed'\nRequires-Dist: ???"
    install(site, "Flask", "2.0", requires, {"REQUESTED": ""})
    install(site, "click", "8.0")
    install(site, "colorama", "0.4")
    install(site, "old", "1")
    install(site, "fast", "1")
    install(site, "tool", "1", "Requires-Dist: flask[speed]")
    install(site, "asked_for", "1", files={"REQUESTED": ""})
    install(
        site,
        "shop",
        "1",
        "Requires-Dist: leaf",
        {"direct_url.json": '{"url": "file:///x", "dir_info": {"editable": true}}'},
    )
    install(site, "leaf", "1")
    install(site, "fork", "1", files={"direct_url.json": '{"url": "https://u:hunter2@example.com/x", "vcs_info": {}}'})
    (site / "broken-1.dist-info").mkdir()
    (site / "legacy.egg-info").write_text("Name: legacy\nVersion: 0.1\n")
    return root


def test_packages_are_read_without_running_the_interpreter(environment: Path) -> None:
    project = read_project(Path("anything"), python=environment)
    manifest, found = only(project), by_name(only(project))
    assert manifest.kind is ManifestKind.installed
    assert manifest.lock.python_version == "3.9"
    assert {name for name, one in found.items() if one.direct} == {
        *("asked-for", "colorama", "flask", "fork", "leaf", "legacy", "tool"),
    }
    assert found["flask"].dependencies == ("click", "fast", "old")
    assert found["fast"].dependency_path == ("tool", "flask", "fast"), "only tool asks for that extra"
    assert found["old"].dependency_path == ("flask", "old")
    assert "shop" not in found
    assert found["fork"].version == "1"
    assert not any(line.startswith("fork") for line in manifest.lock.requirements)
    told = "\n".join(project.warnings)
    assert "shop 1 was left out" in told
    assert "broken-1.dist-info has no readable name" in told
    assert "hunter2" not in told


def test_the_interpreter_of_an_environment_names_it(environment: Path) -> None:
    by_folder = only(read_project(environment, python=environment))
    by_program = only(read_project(environment, python=environment / "bin" / "python"))
    assert by_program.lock == by_folder.lock
    assert by_program.components[0].source == str(environment / "bin" / "python")


def test_a_real_environment_agrees_with_importlib_metadata(tmp_path: Path) -> None:
    found = by_name(only(read_project(tmp_path, python=Path(sys.executable))))
    listed = {canonicalize_name(one.name): one.version for one in distributions(path=[sysconfig.get_path("purelib")])}
    listed.pop("vertice", None)
    assert {name: one.version for name, one in found.items() if name != "vertice"} == listed
    assert found["ruff"].direct
    assert found["sortedcontainers"].dependency_path in {
        ("hypothesis", "sortedcontainers"),
        ("cyclonedx-python-lib", "sortedcontainers"),
    }


def test_a_base_interpreter_and_a_fresh_environment_on_it(tmp_path: Path) -> None:
    base = Path(sys.base_prefix) / "bin" / f"python{sys.version_info.major}.{sys.version_info.minor}"
    listed = subprocess.run(
        [base, "-I", "-c", "import importlib.metadata as m; print(len({d.name.lower() for d in m.distributions()}))"],
        capture_output=True,
        text=True,
        check=True,
    )
    assert len(only(read_project(tmp_path, python=base)).components) == int(listed.stdout)
    venv.create(tmp_path / "fresh", system_site_packages=True)
    fresh = only(read_project(tmp_path, python=tmp_path / "fresh" / "bin" / "python"))
    assert len(fresh.components) == int(listed.stdout)
    venv.create(tmp_path / "empty")
    assert only(read_project(tmp_path, python=tmp_path / "empty")).components == ()


def test_what_is_no_environment_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no installed packages"):
        read_project(tmp_path, python=tmp_path)
    with pytest.raises(InputError, match="no such file"):
        read_project(tmp_path, python=tmp_path / "nowhere")
    (tmp_path / "shim").write_text("#!/bin/sh\n")
    with pytest.raises(InputError, match="no installed packages"):
        read_project(tmp_path, python=tmp_path / "shim")
