"""Without the extra `adaptive`: everything but the service works, and the service says what is missing."""

import os
import subprocess
import sys
import tomllib
from importlib.metadata import packages_distributions
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from tests.machine import ROOT

RUN = """
import sys
absent = set(sys.argv[1].split(","))
class Absent:
    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] in absent:
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)
sys.meta_path.insert(0, Absent())
from vertice.cli.main import main
sys.exit(main(sys.argv[2:]))
"""


def absent() -> str:
    """The import names of what only the extra installs."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    extra = {canonicalize_name(Requirement(one).name) for one in project["optional-dependencies"]["adaptive"]}
    names = packages_distributions()
    found = {name for name, owners in names.items() if {canonicalize_name(owner) for owner in owners} & extra}
    assert {"fastapi", "asyncpg", "faststream", "githubkit", "uvicorn"} <= found
    return ",".join(sorted(found - {"opentelemetry", "croniter"}))  # others bring these two along


def run(home: Path, *args: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", RUN, absent(), *args],
        env=os.environ | {"VERTICE_HOME": str(home)},
        cwd=home,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


@pytest.mark.parametrize(
    ("args", "code"),
    [
        (("scan", str(ROOT / "examples" / "patient")), 1),
        (("review", "list"), 0),
        (("audit", "verify"), 0),
        (("db", "upgrade"), 0),
        (("probe", "list"), 0),
        (("heal", "--help"), 0),
        (("heal", "nowhere"), 2),
    ],
    ids=lambda value: " ".join(value[:2])[:20] if isinstance(value, tuple) else "",
)
def test_what_needs_no_service_needs_nothing_of_it(tmp_path: Path, args: tuple[str, ...], code: int) -> None:
    done = run(tmp_path, *args)
    assert done.returncode == code, done.stderr
    assert "not installed" not in done.stderr


@pytest.mark.parametrize("command", ["serve", "worker", "login"])
def test_the_service_says_how_to_install_it(tmp_path: Path, command: str) -> None:
    done = run(tmp_path, command)
    assert done.returncode == 2
    assert "a part of the service is not installed" in done.stderr
    assert "pip install 'vertice[adaptive]'" in done.stderr
    assert "Traceback" not in done.stderr
