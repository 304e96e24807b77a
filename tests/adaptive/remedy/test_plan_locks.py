"""uv.lock, poetry.lock, pylock.toml and a bare pyproject.toml, healed with the real uv against the real index."""

import tomllib
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest

from vertice.adaptive.advisories.model import Advisory
from vertice.adaptive.inventory.model import Component, Lock, Manifest, ManifestKind, Project
from vertice.adaptive.remedy.model import Strategy, Unremedied
from vertice.adaptive.remedy.plan import plan
from vertice.adaptive.remedy.releases import Releases
from vertice.adaptive.triage.model import Apv
from vertice.kernel.uv import Uv

pytestmark = pytest.mark.index

Make = Callable[..., Advisory]
Heal = Callable[..., Any]

PROJECT = """\
[project]
name = "demo"
version = "0.1"
requires-python = ">=3.11"
dependencies = [
  "fastapi==0.104.1",  # the framework
  'httpx>=0.25,<0.26',
]
"""


@pytest.fixture(scope="module")
def locked(uv: Uv) -> str:
    """A uv.lock of `PROJECT` as an older uv wrote it: without upload times, with an idna of that time."""
    text = PROJECT + '[tool.uv]\nconstraint-dependencies = ["idna==3.6", "pydantic==2.5.2"]\n'
    ran = uv.run(["lock"], files={"pyproject.toml": text.encode()})
    assert ran.returncode == 0, ran.stderr
    lock = ran.files["uv.lock"].decode()
    head, _, rest = lock.partition("[manifest]")
    import re

    rest = rest[rest.index("[[package]]") :]
    lock = re.sub(r', upload-time = "[^"]*"', "", head + rest)
    return re.sub(r"^revision = \d+", "revision = 1", lock, flags=re.MULTILINE)


def versions(lock: str) -> dict[str, str]:
    data = tomllib.loads(lock)
    return {one["name"]: one.get("version", "") for one in data.get("package", data.get("packages", ()))}


def differing(before: str, after: str) -> Mapping[str, tuple[str | None, str | None]]:
    old, new = versions(before), versions(after)
    return {name: (old.get(name), new.get(name)) for name in old | new if old.get(name) != new.get(name)}


def changed_lines(before: str, after: str) -> int:
    return len(set(before.split("\n")) ^ set(after.split("\n")))


def test_uv_lock_changes_one_package_and_keeps_what_an_older_uv_wrote(heal: Heal, advisory: Make, locked: str) -> None:
    found = heal({"uv.lock": locked, "pyproject.toml": PROJECT}, [advisory("I", "idna", "3.7")])
    after = found.text(found.only, "uv.lock")
    assert [edit.path for edit in found.only.edits] == ["uv.lock"]
    assert differing(locked, after) == {"idna": ("3.6", "3.7")}
    assert changed_lines(locked, after) == 6
    assert found.only.strategy is Strategy.upgrade


def test_uv_lock_with_carriage_returns_keeps_them(heal: Heal, advisory: Make, locked: str) -> None:
    text = locked.replace("\n", "\r\n")
    found = heal({"uv.lock": text, "pyproject.toml": PROJECT}, [advisory("I", "idna", "3.7")])
    after = found.text(found.only, "uv.lock")
    assert after.count("\n") == after.count("\r\n")
    assert changed_lines(text, after) == 6


def test_uv_lock_moves_a_capping_parent_and_its_pin_in_pyproject(heal: Heal, advisory: Make, locked: str) -> None:
    found = heal({"uv.lock": locked, "pyproject.toml": PROJECT}, [advisory("S", "starlette", "0.28.0")])
    assert found.only.strategy is Strategy.parent
    assert found.text(found.only, "pyproject.toml") == PROJECT.replace("0.104.1", "0.107.0")
    assert differing(locked, found.text(found.only, "uv.lock")) == {
        "starlette": ("0.27.0", "0.28.0"),
        "fastapi": ("0.104.1", "0.107.0"),
    }


def test_uv_lock_relaxes_a_range_of_its_own(heal: Heal, advisory: Make, locked: str) -> None:
    found = heal({"uv.lock": locked, "pyproject.toml": PROJECT}, [advisory("H", "httpx", "0.27.0")])
    assert found.only.strategy is Strategy.relax
    assert found.text(found.only, "pyproject.toml") == PROJECT.replace("httpx>=0.25,<0.26", "httpx>=0.27.0,<0.28")


@pytest.mark.slow
def test_uv_lock_declares_an_override_where_no_parent_lets_the_fix_in(
    heal: Heal, advisory: Make, locked: str, releases: Releases
) -> None:
    refuted = frozenset(("starlette", str(one.version)) for one in releases.of("starlette") or ()) - {
        ("starlette", "0.33.0")
    }
    found = heal(
        {"uv.lock": locked, "pyproject.toml": PROJECT}, [advisory("S", "starlette", "0.28.0")], refuted=refuted
    )
    assert found.only.strategy is Strategy.override
    assert found.text(found.only, "pyproject.toml").startswith(PROJECT)
    assert tomllib.loads(found.text(found.only, "pyproject.toml"))["tool"]["uv"] == {
        "override-dependencies": ["starlette>=0.33.0"]
    }
    assert differing(locked, found.text(found.only, "uv.lock")) == {"starlette": ("0.27.0", "0.33.0")}


def test_uv_lock_moves_a_package_that_must_move_along(heal: Heal, advisory: Make, locked: str) -> None:
    found = heal({"uv.lock": locked, "pyproject.toml": PROJECT}, [advisory("P", "pydantic", "2.5.3")])
    assert found.moves(found.only) == {"pydantic": ("2.5.2", "2.5.3"), "pydantic-core": ("2.14.5", "2.14.6")}
    assert found.only.changes[0].package == "pydantic"


def test_a_uv_lock_without_its_project_cannot_be_locked_anew(heal: Heal, advisory: Make, locked: str) -> None:
    found = heal({"uv.lock": locked}, [advisory("I", "idna", "3.7")])
    assert "has no pyproject.toml" in found.unremedied["I"]


def test_uv_lock_of_a_workspace_edits_the_member_that_asks(heal: Heal, advisory: Make, uv: Uv) -> None:
    root = '[project]\nname = "all"\nversion = "1"\nrequires-python = ">=3.11"\n'
    root += '[tool.uv.workspace]\nmembers = ["libs/*"]\n'
    member = '[project]\nname = "one"\nversion = "1"\nrequires-python = ">=3.11"\ndependencies = ["idna<3.7"]\n'
    files = {"pyproject.toml": root.encode(), "libs/one/pyproject.toml": member.encode()}
    lock = uv.run(["lock"], files=files).files["uv.lock"].decode()
    given = {name: text.decode() for name, text in files.items()} | {"uv.lock": lock}
    found = heal(given, [advisory("I", "idna", "3.7")])
    assert found.text(found.only, "libs/one/pyproject.toml") == member.replace("idna<3.7", "idna<3.8,>=3.7")
    assert found.moves(found.only) == {"idna": ("3.6", "3.7")}


def test_pylock_replaces_version_and_files(heal: Heal, advisory: Make, uv: Uv, releases: Releases) -> None:
    args = ["pip", "compile", "r.in", "--format", "pylock.toml", "-o", "pylock.toml", "--python-version", "3.11"]
    ran = uv.run(args, files={"r.in": b"fastapi==0.104.1\nidna==3.6\n"})
    text = ran.files["pylock.toml"].decode()
    found = heal({"pylock.toml": text}, [advisory("I", "idna", "3.7"), advisory("S", "starlette", "0.28.0")])
    first, second = found.answers
    assert differing(text, found.text(first, "pylock.toml")) == {"idna": ("3.6", "3.7")}
    assert [block for block in text.split("[[packages]]") if "idna" not in block] == [
        block for block in found.text(first, "pylock.toml").split("[[packages]]") if "idna" not in block
    ]
    release = releases.release("idna", "3.7")
    assert release is not None
    assert set(first.after.hashes["idna==3.7"]) <= set(release.hashes)
    assert set(differing(text, found.text(second, "pylock.toml"))) == {"starlette", "fastapi"}


def test_a_pylock_of_tables_stays_one_of_tables(heal: Heal, advisory: Make, releases: Releases) -> None:
    release = releases.release("idna", "3.6")
    assert release is not None
    wheel = next(file for file in release.files if file.wheel)
    text = (
        'lock-version = "1.0"\ncreated-by = "pip"\n\n[[packages]]\nname = "idna"\nversion = "3.6"\n\n'
        f'[[packages.wheels]]\nname = "{wheel.filename}"\nurl = "{wheel.url}"\n\n[packages.wheels.hashes]\n'
        f'sha256 = "{wheel.sha256}"\n\n[[packages]]\nname = "six"\nversion = "1.16.0"\n'
    )
    found = heal({"pylock.toml": text}, [advisory("I", "idna", "3.7")])
    after = found.text(found.only, "pylock.toml")
    package = tomllib.loads(after)["packages"][0]
    assert (package["version"], package["wheels"][0]["name"]) == ("3.7", "idna-3.7-py3-none-any.whl")
    assert "[[packages.wheels]]" in after
    assert after.endswith('[[packages]]\nname = "six"\nversion = "1.16.0"\n')


def test_a_pyproject_without_a_lock_has_its_range_raised(heal: Heal, advisory: Make) -> None:
    text = '[project]\nname = "x"\nversion = "1"\nrequires-python = ">=3.11"\n'
    text += 'dependencies = [\n  "jinja2 >=2.0,<3", # keep\n]\n'
    found = heal({"pyproject.toml": text}, [advisory("J", "jinja2", "3.1.4")])
    assert found.text(found.only, "pyproject.toml") == text.replace(">=2.0,<3", ">=3.1.4,<4")


def test_an_installed_environment_has_nothing_to_edit(
    uv: Uv, releases: Releases, advisory: Make, tmp_path: Path
) -> None:
    component = Component("idna", "3.6", "/env")
    manifest = Manifest(ManifestKind.installed, "/env", ("/env",), (component,), Lock(("idna==3.6",)))
    apv = Apv("APV-1", advisory("I", "idna", "3.7"), component)
    from datetime import UTC, datetime

    from vertice.adaptive.advisories.model import SourceInfo
    from vertice.adaptive.advisories.source import MemorySource

    source = MemorySource([apv.advisory], SourceInfo("test", 1))
    project = Project("x", tmp_path, (manifest,))
    (answer,) = plan(project, [apv], uv=uv, source=source, releases=releases, now=datetime.now(UTC))
    assert isinstance(answer, Unremedied)
    assert "no file to edit" in answer.reason
