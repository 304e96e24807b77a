"""The project's own tests, run in the arena before and after, and what they cover of the change."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from vertice.adaptive.triage.model import Site
from vertice.adaptive.wargame.attack import Arena
from vertice.adaptive.wargame.environment import Environment
from vertice.adaptive.wargame.model import Side, TestReport
from vertice.kernel.sandbox.model import Ended, Job, Limits, Mount
from vertice.kernel.sandbox.model import Outcome as JobOutcome
from vertice.kernel.text import printable

__all__ = ["TOOLS", "Suite", "find_suite", "run_suite"]

TOOLS = ("pytest", "coverage")
"""Installed beside the environment, after its own packages, so that a project without them can be tested too."""

_PYTEST = ("python", "-m", "pytest")
_INSIDE = Path(__file__).parent / "inside" / "run_tests.py"
_NO_TESTS_COLLECTED = 5
"""pytest's exit code for it (docs.pytest.org, "Exit codes")."""


@dataclass(frozen=True, slots=True)
class Suite:
    """How a project's tests are run; an empty command means that there are none."""

    command: tuple[str, ...]
    snapshot: Path
    """The copy of the project to run them on."""
    limits: Limits


def find_suite(snapshot: Path, command: Sequence[str], limits: Limits) -> Suite:
    """Return the suite `command` runs; none where it is empty, or is pytest and there is no file of tests."""
    found = (path for pattern in ("test_*.py", "*_test.py") for path in snapshot.rglob(pattern))
    if tuple(command[:3]) == _PYTEST and next(found, None) is None:
        command = ()
    return Suite(tuple(command), snapshot, limits)


def run_suite(suite: Suite, environment: Environment, arena: Arena, *, side: Side, sites: Sequence[Site]) -> TestReport:
    """Run the suite in `environment` on a copy of its snapshot; measure which `sites` it runs."""
    named = tuple(sorted({f"{site.path}:{site.line}" for site in sites}))
    if not suite.command:
        return TestReport(side, (), {}, 0.0, sites=named)
    asked = json.dumps({"command": suite.command, "sites": sorted({site.path for site in sites})})
    ended = arena.run(
        Job(
            argv=(environment.python, "-B", "/inside/run_tests.py", asked),
            mounts=(*environment.mounts, Mount(suite.snapshot, "/project")),
            files={"/inside/run_tests.py": _INSIDE.read_bytes()},
            env={
                "PATH": f"{Path(environment.python).parent}:/usr/bin:/bin",
                "HOME": "/work",
                "TMPDIR": "/tmp",  # noqa: S108 -- the sandbox's own
                "LANG": "C.UTF-8",
                "PYTHONDONTWRITEBYTECODE": "1",
            },
            limits=suite.limits,
        )
    )
    return _read(suite, ended, side, named)


def _read(suite: Suite, ended: JobOutcome, side: Side, sites: tuple[str, ...]) -> TestReport:
    seconds = round(ended.seconds, 3)
    told = _last_line(ended)
    if told is None:
        why = (
            f"the test run was stopped: {ended.ended}" if ended.ended is not Ended.exited else "the test run broke off"
        )
        tail = printable(ended.stderr.decode("utf-8", "replace")[-300:].strip(), limit=300)
        return TestReport(side, suite.command, {}, seconds, sites=sites, error=f"{why} {tail}".strip())
    results = {printable(name, limit=300): result for name, result in told["results"].items()}
    if told["returncode"] == _NO_TESTS_COLLECTED and not results:
        return TestReport(side, (), {}, seconds, sites=sites)
    error = ""
    if not results:
        if suite.command[:3] == _PYTEST:
            error = f"pytest ended with {told['returncode']}: {printable(told['tail'][-600:], limit=600, lines=True)}"
        else:
            results = {" ".join(suite.command): "failed" if told["returncode"] else "passed"}
    ran = {f"{path}:{line}" for path, lines in told["executed"].items() for line in lines}
    covered = tuple(site for site in sites if site in ran)
    return TestReport(side, suite.command, results, seconds, sites=sites, covered=covered, error=error)


def _last_line(ended: JobOutcome) -> dict[str, Any] | None:
    if ended.ended is not Ended.exited or ended.returncode != 0:
        return None
    try:
        told = json.loads(ended.stdout.decode("utf-8", "replace").rstrip().rpartition("\n")[2])
        if (
            isinstance(told["returncode"], int)
            and isinstance(told["tail"], str)
            and all(isinstance(result, str) for result in told["results"].values())
            and all(isinstance(line, int) for lines in told["executed"].values() for line in lines)
        ):
            return dict(told)
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError):
        pass
    return None
