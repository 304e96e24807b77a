"""The GitHub Actions arena: the workflow that runs one wargame there, and its result, read as hostile.

The workflow is committed to the repository once. It is started by `workflow_dispatch` with what is to be proven, may
read the repository and nothing else, and leaves `result.json` as an artifact. Nothing in it is ever put into a shell
line: inputs reach the steps as environment variables, checked against their form first.

The verdict is not taken from there. It is made here, of the evidence, by the same rules as any other. Whoever may push
to the repository may change the workflow, so such evidence is worth what the repository's write access is worth.
"""

import json
import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from vertice import __version__
from vertice.adaptive.wargame.model import CaseRun, EnvironmentReport, Evidence, Probe, Side, TestReport
from vertice.kernel.codec import from_json, to_plain
from vertice.kernel.errors import InputError
from vertice.kernel.text import printable

__all__ = ["MAX_RESULT_BYTES", "WORKFLOW_PATH", "Order", "Pins", "Result", "read_result", "workflow", "write_result"]

WORKFLOW_PATH = ".github/workflows/vertice-wargame.yml"
MAX_RESULT_BYTES = 4 * 1024 * 1024
_FORM = 1
_FORMS = {
    "run": re.compile(r"WAR-[0-9]{8}-[0-9]{3,10}"),
    "before": re.compile(r"[0-9a-f]{40}"),
    "after": re.compile(r"[0-9a-f]{40}"),
    "digest": re.compile(r"[0-9a-f]{64}"),
    "lock": re.compile(r"(?![./])[A-Za-z0-9._/-]{1,200}"),
    "advisories": re.compile(r"[A-Za-z0-9-]{4,60}( [A-Za-z0-9-]{4,60}){0,99}"),
}
_ABOUT = {
    "run": "Code of the wargame run (WAR-YYYYMMDD-NNN)",
    "before": "Commit without the patch",
    "after": "Commit with the patch",
    "digest": "SHA-256 over both locks",
    "lock": "The manifest, relative to the top of the repository",
    "advisories": "What is attacked: ids, separated by spaces",
}
_PIN = re.compile(r"[0-9a-f]{40}( # v[0-9]{1,4}(\.[0-9]{1,4}){0,2})?")
_PACKAGE = re.compile(r"vertice(\[[a-z,]+\])?==[0-9A-Za-z.+!]{1,40}")
_MAX_RUNS, _MAX_TESTS, _MAX_REPEATS = 20_000, 100_000, 20


@dataclass(frozen=True, slots=True)
class Pins:
    """The actions that the workflow uses: commit, and the release it is in a comment. A tag can be moved, these cannot.

    Look a new commit up before changing one, at two places that do not copy from each other.
    """

    checkout: str = "3d3c42e5aac5ba805825da76410c181273ba90b1 # v7.0.1"
    """actions/checkout."""
    upload: str = "043fb46d1a93c77aae656e7c1c64a875d1fc6a0a # v7.0.1"
    """actions/upload-artifact."""


@dataclass(frozen=True, slots=True)
class Order:
    """One wargame that is to be run there."""

    run: str
    before: str
    after: str
    """Commit ids."""
    digest: str
    """`duel.locks_digest` of both locks."""
    lock: str
    advisories: tuple[str, ...]

    def inputs(self) -> dict[str, str]:
        """Return the inputs of the dispatch. Raises InputError for what the workflow would refuse."""
        given = {name: getattr(self, name) for name in _FORMS if name != "advisories"}
        given["advisories"] = " ".join(self.advisories)
        for name, value in given.items():
            if not _FORMS[name].fullmatch(value) or ".." in value:
                raise InputError(
                    f"{printable(value, limit=100)!r} cannot be given to a workflow", where=name, todo=_ABOUT[name]
                )
        return given


@dataclass(frozen=True, slots=True)
class Result:
    """What the runner saw."""

    run: str
    digest: str
    arena: str
    evidence: Evidence
    finished_at: str
    versions: dict[str, str] = field(default_factory=dict)
    v: int = _FORM


def workflow(*, package: str = "", pins: Pins | None = None, runner: str = "ubuntu-24.04", minutes: int = 60) -> str:
    """Return the workflow file. `package`: what installs Vértice there, this version by default."""
    pins = pins or Pins()
    package = package or f"vertice=={__version__}"
    for name, value, form in (
        ("checkout", pins.checkout, _PIN),
        ("upload", pins.upload, _PIN),
        ("package", package, _PACKAGE),
        ("runner", runner, re.compile(r"[A-Za-z0-9._-]{1,100}")),
    ):
        if not form.fullmatch(value):
            raise InputError(f"{printable(value, limit=100)!r} cannot stand in a workflow", where=name)
    inputs = "".join(
        f'      {name}:\n        description: "{about}"\n        required: true\n        type: string\n'
        for name, about in _ABOUT.items()
    )
    env = "".join(f"          {name.upper()}: ${{{{ inputs.{name} }}}}\n" for name in _FORMS)
    checks = "".join(f"          check \"${name.upper()}\" '^{_shell(form)}$'\n" for name, form in _FORMS.items())
    return _TEMPLATE.format(
        version=__version__,
        inputs=inputs,
        env=env,
        checks=checks,
        package=package,
        runner=runner,
        minutes=int(minutes),
        checkout=pins.checkout,
        upload=pins.upload,
    )


def write_result(result: Result) -> bytes:
    """Return the result as the file that the workflow keeps."""
    return json.dumps(to_plain(result), separators=(",", ":"), ensure_ascii=False).encode() + b"\n"


def read_result(data: bytes | Mapping[str, Any], *, run: str, digest: str, probes: Sequence[Probe]) -> Result:
    """Return a result, having checked that it answers this run and speaks of these probes only.

    Raises InputError when it is malformed, of another run or other locks, or too large.
    """
    try:
        text = data.decode() if isinstance(data, bytes) else json.dumps(dict(data))
    except (ValueError, TypeError, RecursionError) as error:
        raise _bad("is not JSON", run) from error
    if len(text) > MAX_RESULT_BYTES:
        raise _bad(f"is larger than {MAX_RESULT_BYTES // 1024**2} MiB", run)
    try:
        found = from_json(Result, text)
    except RecursionError as error:
        raise _bad("is nested too deep", run) from error
    if found.v != _FORM:
        raise _bad(f"has form {found.v}, not {_FORM}", run)
    if found.run != run:
        raise _bad(f"is of run {printable(found.run, limit=100)}", run)
    if found.digest != digest:
        raise _bad("is of other locks than were asked for", run)
    _check(found.evidence, probes, run)
    return replace(
        found,
        arena=printable(found.arena, limit=100),
        finished_at=printable(found.finished_at, limit=40),
        evidence=_safe(found.evidence),
        versions={
            printable(name, limit=40): printable(version, limit=100)
            for name, version in list(found.versions.items())[:20]
        },
    )


def _check(evidence: Evidence, probes: Sequence[Probe], run: str) -> None:
    if [report.side for report in evidence.environments] != list(Side):
        raise _bad("does not tell of one environment before and one after", run)
    if len({report.side for report in evidence.tests}) != len(evidence.tests):
        raise _bad("tells of the tests of one side twice", run)
    if not 1 <= evidence.repeats <= _MAX_REPEATS or len(evidence.runs) > _MAX_RUNS:
        raise _bad("has more runs than any wargame", run)
    if sum(len(report.results) for report in evidence.tests) > _MAX_TESTS:
        raise _bad("has more tests than any project", run)
    known = {(probe.id, case.name, case.role) for probe in probes for case in probe.cases}
    for one in evidence.runs:
        if (one.probe, one.case, one.role) not in known:
            named = printable(f"{one.probe} {one.case}", limit=150)
            raise _bad(f"tells of a case that this Vértice does not know: {named}", run)
        if not (math.isfinite(one.seconds) and one.seconds >= 0):
            raise _bad("has a time that is none", run)


def _safe(evidence: Evidence) -> Evidence:
    return replace(
        evidence,
        environments=tuple(_safe_environment(report) for report in evidence.environments),
        runs=tuple(_safe_run(one) for one in evidence.runs),
        tests=tuple(_safe_tests(report) for report in evidence.tests),
        unprobed=tuple(printable(name, limit=100) for name in evidence.unprobed[:1000]),
    )


def _safe_environment(report: EnvironmentReport) -> EnvironmentReport:
    return replace(
        report,
        digest=printable(report.digest, limit=100),
        python=printable(report.python, limit=40),
        packages=tuple(printable(name, limit=200) for name in report.packages),
        error=printable(report.error, limit=2000, lines=True),
    )


def _safe_run(one: CaseRun) -> CaseRun:
    return replace(one, evidence=printable(one.evidence, limit=500), ended=printable(one.ended, limit=40))


def _safe_tests(report: TestReport) -> TestReport:
    return replace(
        report,
        command=tuple(printable(part, limit=300) for part in report.command[:100]),
        results={printable(name, limit=300): printable(result, limit=20) for name, result in report.results.items()},
        sites=tuple(printable(site, limit=300) for site in report.sites),
        covered=tuple(printable(site, limit=300) for site in report.covered if site in report.sites),
        error=printable(report.error, limit=2000, lines=True),
    )


def _bad(what: str, run: str) -> InputError:
    return InputError(
        what, where=f"the result of {printable(run, limit=100)}", todo="Run it again, in an arena of the same version."
    )


def _shell(form: re.Pattern[str]) -> str:
    """Return the form as an extended regular expression: these have no look-ahead, so that is checked beside it."""
    return form.pattern.replace("(?![./])", "")


_TEMPLATE = """\
# Printed by `vertice wargame workflow` (Vértice {version}): runs one wargame that Vértice asked for.
name: Vértice wargame
run-name: ${{{{ inputs.run }}}}

on:
  workflow_dispatch:
    inputs:
{inputs}
permissions: {{}}

concurrency:
  group: vertice-wargame-${{{{ inputs.run }}}}
  cancel-in-progress: false

jobs:
  wargame:
    name: One wargame
    runs-on: {runner}
    timeout-minutes: {minutes}
    permissions:
      contents: read
    steps:
      - name: Check what is asked
        env:
{env}        run: |
          check() {{
            [[ "$1" =~ $2 && "$1" != *..* && "$1" != /* ]] || {{ echo "refused: an input has not its form"; exit 2; }}
          }}
{checks}
      - name: Get the project before
        uses: actions/checkout@{checkout}
        with:
          ref: ${{{{ inputs.before }}}}
          path: before
          persist-credentials: false

      - name: Get the project after
        uses: actions/checkout@{checkout}
        with:
          ref: ${{{{ inputs.after }}}}
          path: after
          persist-credentials: false

      - name: Get the sandbox
        run: |
          sudo apt-get update -qq
          sudo apt-get install -y -qq --no-install-recommends bubblewrap
          # The sandbox makes user namespaces, which Ubuntu's AppArmor keeps from unprivileged programs.
          if [ -e /proc/sys/kernel/apparmor_restrict_unprivileged_userns ]; then
            sudo sysctl -q -w kernel.apparmor_restrict_unprivileged_userns=0
          fi

      - name: Get Vértice
        run: pipx install "{package}"

      - name: Run the wargame
        env:
{env}        run: |
          read -r -a ids <<< "$ADVISORIES"
          status=0
          vertice wargame run --run "$RUN" --expect "$DIGEST" --before before --after after --manifest "$LOCK" \\
            "${{ids[@]/#/--advisory=}}" --output result.json || status=$?
          sha256sum result.json
          # 1 says that the patch is not proven, which is a result like any other.
          [ "$status" -le 1 ]

      - name: Keep the result
        if: always()
        uses: actions/upload-artifact@{upload}
        with:
          name: vertice-wargame
          path: result.json
          if-no-files-found: error
          retention-days: 30
"""
