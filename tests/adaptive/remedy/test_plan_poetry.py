"""poetry.lock healed; the one in data/ is Poetry 2.5.1's, and what is expected is what `poetry lock` writes."""

import hashlib
import json
import tomllib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from vertice.adaptive.advisories.model import Advisory
from vertice.adaptive.remedy.documents.poetry_lock import content_hash
from vertice.adaptive.remedy.model import Strategy

Make = Callable[..., Advisory]
Heal = Callable[..., Any]

DATA = Path(__file__).parent / "data"
LOCK = (DATA / "poetry.lock").read_text()
PROJECT = (DATA / "poetry-pyproject.toml").read_text()

LEGACY = (
    '[tool.poetry]\nname="x"\nversion="1"\ndescription=""\nauthors=[]\n'
    '[tool.poetry.dependencies]\npython="^3.11"\nidna="^3.3"\n'
)
GROUPS = (
    '[project]\nname="x"\nversion="1"\nrequires-python=">=3.11"\ndependencies=["idna<3.7"]\n'
    '[dependency-groups]\ndev=["six"]\n'
)


@pytest.mark.index
def test_a_version_in_a_poetry_group_and_the_hash_of_pyproject_follow(heal: Heal, advisory: Make) -> None:
    found = heal({"poetry.lock": LOCK, "pyproject.toml": PROJECT}, [advisory("I", "idna", "3.7")])
    assert found.only.strategy is Strategy.relax
    assert found.text(found.only, "pyproject.toml") == PROJECT.replace('idna = "3.6"', 'idna = "3.7"')
    lock = tomllib.loads(found.text(found.only, "poetry.lock"))
    assert lock["metadata"]["content-hash"] == content_hash(
        tomllib.loads(PROJECT.replace('idna = "3.6"', 'idna = "3.7"')),
        tomllib.loads(LOCK)["metadata"]["content-hash"],
        tomllib.loads(PROJECT),
    )
    idna = next(one for one in lock["package"] if one["name"] == "idna")
    assert idna["version"] == "3.7"
    assert idna["files"] == [
        {
            "file": "idna-3.7-py3-none-any.whl",
            "hash": "sha256:82fee1fc78add43492d3a1898bfa6d8a904cc97d8427f683ed8e798d07761aa0",
        },
        {
            "file": "idna-3.7.tar.gz",
            "hash": "sha256:028ff3aadf0609c1fd278d8ea3089299412a7a8b9bd005dd08b9f8285bcb5cfc",
        },
    ]


@pytest.mark.index
def test_dependencies_extras_and_python_of_the_new_release_are_written_as_poetry_does(
    heal: Heal, advisory: Make
) -> None:
    found = heal({"poetry.lock": LOCK, "pyproject.toml": PROJECT}, [advisory("A", "anyio", "4.4.0")])
    assert 'dependencies = ["starlette (==0.27.0)", "anyio (<5,>=4.4.0)"]' in found.text(found.only, "pyproject.toml")
    after = found.text(found.only, "poetry.lock")
    assert (
        'python-versions = ">=3.8"\ngroups = ["main"]\nfiles = [\n'
        '    {file = "anyio-4.4.0-py3-none-any.whl", '
        'hash = "sha256:c1b2d8f46a8a812513012e1107cb0e68c17159a7a594208005a57dc776e1bdc7"},\n'
        '    {file = "anyio-4.4.0.tar.gz", '
        'hash = "sha256:5aadc6a1bbb7cdb0bede386cac5e2940f5e2ff3aa20277e991cf028e0585ce94"},\n]\n\n'
        '[package.dependencies]\nidna = ">=2.8"\nsniffio = ">=1.1"\n\n'
        '[package.extras]\ndoc = ["Sphinx (>=7)", "packaging", '
        '"sphinx-autodoc-typehints (>=1.2.0)", "sphinx-rtd-theme"]\n'
    ) in after
    assert 'trio = ["trio (>=0.23)"]\n\n[[package]]\nname = "h11"' in after
    untouched = LOCK[LOCK.index('[[package]]\nname = "h11"') : LOCK.index("[metadata]")]
    assert untouched in after


@pytest.mark.index
def test_a_lock_of_carriage_returns_keeps_them_and_nothing_else_changes(heal: Heal, advisory: Make) -> None:
    """starlette 0.27.0 is pinned in pyproject.toml, so that file changes too."""
    text = LOCK.replace("\n", "\r\n")
    found = heal({"poetry.lock": text, "pyproject.toml": PROJECT}, [advisory("S", "starlette", "0.28.0")])
    after = found.text(found.only, "poetry.lock")
    assert after.count("\n") == after.count("\r\n")
    changed = set(after.split("\r\n")) ^ set(text.split("\r\n"))
    assert len([line for line in changed if "content-hash" in line]) == 2
    assert all("0.2" in line or "python-" in line or "content-hash" in line or "full =" in line for line in changed)


@pytest.mark.parametrize(
    ("project", "known"),
    [
        (PROJECT, tomllib.loads(LOCK)["metadata"]["content-hash"]),
        (GROUPS, "25afe47f61fa5b8b7f77db3c9eeb54170d19b58d53929cac002ec627c55b567c"),
        (LEGACY, "64f97d744f1347487174025d1d516edf949604488e16e34abb8a518a678c4f29"),
        (
            LEGACY + '[tool.poetry.group.dev.dependencies]\nsix="*"\n',
            "1a711611b5da09c6d514dad30ed1eb36ea1a0a1bc60000ee1556a353bf9e5e56",
        ),
    ],
)
def test_the_content_hash_is_poetrys(project: str, known: str) -> None:
    """Known hashes: `Locker._get_content_hash` of Poetry 2.5.1."""
    data = tomllib.loads(project)
    assert content_hash(data, known, data) == known
    assert content_hash(data, "0" * 64, data) is None


def test_the_rule_of_an_older_poetry_is_recognised_by_the_hash_in_use() -> None:
    """Poetry 2.0 knew no dependency groups: such a lock goes on without them."""
    before, after = tomllib.loads(GROUPS), tomllib.loads(GROUPS.replace("3.7", "3.8"))

    def old(data: dict[str, Any]) -> str:
        project = {key: data["project"][key] for key in ("requires-python", "dependencies")}
        return hashlib.sha256(
            json.dumps({"project": project, "tool": {"poetry": {}}}, sort_keys=True).encode()
        ).hexdigest()

    assert content_hash(after, old(before), before) == old(after)
