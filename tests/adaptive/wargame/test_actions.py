"""The GitHub Actions arena: the workflow as GitHub reads it, and results from a hostile runner."""

import dataclasses
import json
import re
import subprocess
import sys
from pathlib import Path

import pytest
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from vertice.adaptive.wargame.actions import Order, Pins, Result, read_result, workflow, write_result
from vertice.adaptive.wargame.model import (
    CaseRun,
    EnvironmentReport,
    Evidence,
    Outcome,
    Role,
    Side,
    TestReport,
)
from vertice.adaptive.wargame.probe import find_probes
from vertice.kernel.errors import InputError

RUN, DIGEST = "WAR-20261121-001", "d" * 64
GOOD = {
    "run": RUN,
    "before": "a" * 40,
    "after": "b" * 40,
    "digest": DIGEST,
    "lock": "services/shop/requirements.txt",
    "advisories": "CVE-2020-14343 GHSA-h75v-3vvj-5mfj",
}


@pytest.fixture(scope="module")
def probe():
    return next(probe for probe in find_probes(packages=frozenset({"jinja2"})))


@pytest.fixture
def result(probe) -> Result:
    runs = tuple(
        CaseRun(probe.id, case.name, case.role, side, 0, outcome(case.role, side), "seen", 0.1, "exited")
        for side in Side
        for case in probe.cases
    )
    evidence = Evidence(
        environments=tuple(EnvironmentReport(side, "e", "3.11.7", ("jinja2==3.1.3",), 1.0, False) for side in Side),
        runs=runs,
        tests=tuple(TestReport(side, ("pytest",), {"t::a": "passed"}, 1.0, ("a.py:1",), ("a.py:1",)) for side in Side),
        repeats=1,
    )
    return Result(RUN, DIGEST, "bwrap 0.8.0", evidence, "2026-11-21T12:00:00Z", {"uv": "0.13.9"})


def outcome(role: Role, side: Side) -> Outcome:
    if role is Role.control:
        return Outcome.works
    return Outcome.exploited if side is Side.before else Outcome.blocked


def read(data, probe):
    return read_result(data, run=RUN, digest=DIGEST, probes=[probe])


# The workflow.


def test_github_takes_the_workflow(tmp_path):
    path = tmp_path / "vertice-wargame.yml"
    path.write_text(workflow())
    command = [sys.executable, "-m", "check_jsonschema", "--builtin-schema", "vendor.github-workflows", str(path)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def test_the_workflow_may_read_the_repository_and_nothing_else():
    told = yaml.safe_load(workflow())
    assert told["permissions"] == {}
    assert told["jobs"]["wargame"]["permissions"] == {"contents": "read"}
    checkouts = [step for step in told["jobs"]["wargame"]["steps"] if "checkout" in step.get("uses", "")]
    assert [step["with"]["persist-credentials"] for step in checkouts] == [False, False]


def test_every_action_is_pinned_to_a_commit_and_says_its_release():
    pinned = re.findall(r"uses: (\S+)@([0-9a-f]{40}) # v(\d+\.\d+\.\d+)$", workflow(), re.MULTILINE)
    assert [name for name, _, _ in pinned] == ["actions/checkout"] * 2 + ["actions/upload-artifact"]
    uses = [step["uses"] for step in yaml.safe_load(workflow())["jobs"]["wargame"]["steps"] if "uses" in step]
    assert uses == [f"{name}@{commit}" for name, commit, _ in pinned]


def test_an_auditor_of_workflows_finds_nothing(tmp_path):
    """zizmor knows injections, excessive rights, unpinned actions, credentials that stay on the disk."""
    path = tmp_path / ".github" / "workflows" / "vertice-wargame.yml"
    path.parent.mkdir(parents=True)
    path.write_text(workflow())
    zizmor = Path(sys.executable).with_name("zizmor")
    command = [zizmor, "--offline", "--no-config", "--persona", "auditor", "--format", "json", str(path)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert (done.returncode, json.loads(done.stdout)) == (0, []), done.stderr
    path.write_text(workflow().replace("persist-credentials: false", "persist-credentials: true"))
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert {found["ident"] for found in json.loads(done.stdout)} == {"artipacked"}, "it looks"


def test_no_step_is_given_a_secret_and_none_runs_for_ever():
    told = yaml.safe_load(workflow())
    assert "secrets" not in workflow()
    assert "github.token" not in workflow()
    assert told["jobs"]["wargame"]["timeout-minutes"] == 60
    assert told["concurrency"] == {"group": "vertice-wargame-${{ inputs.run }}", "cancel-in-progress": False}


def test_no_input_is_put_into_a_shell_line():
    for step in yaml.safe_load(workflow())["jobs"]["wargame"]["steps"]:
        assert "${{" not in step.get("run", "")


@pytest.mark.parametrize(
    "bad",
    [
        {"pins": Pins(checkout="v4")},
        {"package": "vertice; curl evil"},
        {"runner": "ubuntu\n    evil: true"},
    ],
)
def test_nothing_else_gets_into_the_workflow(bad):
    with pytest.raises(InputError, match="cannot stand in a workflow"):
        workflow(**bad)


def check_step(tmp_path: Path, given: dict[str, str]) -> int:
    """Run the workflow's own first step, as the runner would."""
    steps = yaml.safe_load(workflow())["jobs"]["wargame"]["steps"]
    script = tmp_path / "step.sh"
    script.write_text(steps[0]["run"])
    env = {"PATH": "/usr/bin:/bin", **{name.upper(): value for name, value in given.items()}}
    command = ["bash", "--noprofile", "--norc", "-eo", "pipefail", str(script)]
    return subprocess.run(command, env=env, cwd=tmp_path, timeout=20, check=False, capture_output=True).returncode


def test_inputs_of_the_right_form_pass(tmp_path):
    assert check_step(tmp_path, GOOD) == 0


BAD = [
    ("run", "WAR-1"),
    ("run", f"{RUN}\nmore"),
    ("before", "main"),
    ("after", "$(touch pwned)" + "a" * 26),
    ("digest", "D" * 64),
    ("lock", "../../etc/passwd"),
    ("lock", "a/../b"),
    ("lock", "/etc/passwd"),
    ("lock", "a b"),
    ("lock", ""),
    ("advisories", "CVE-1; touch pwned"),
    ("advisories", "--output=x y"),
    ("advisories", ""),
]


@pytest.mark.parametrize(("name", "value"), BAD)
def test_inputs_of_another_form_are_refused_there(tmp_path, name, value):
    assert check_step(tmp_path, {**GOOD, name: value}) == 2
    assert not (tmp_path / "pwned").exists()


@pytest.mark.parametrize(("name", "value"), BAD)
def test_inputs_of_another_form_are_refused_here_already(name, value):
    given = {**GOOD, "advisories": tuple(GOOD["advisories"].split()), name: value}
    if name == "advisories":
        given[name] = (value,)
    with pytest.raises(InputError, match="cannot be given to a workflow"):
        Order(**given).inputs()


def test_an_order_gives_its_inputs():
    assert Order(**{**GOOD, "advisories": tuple(GOOD["advisories"].split())}).inputs() == GOOD


# Results.


def test_a_result_comes_back_as_it_was(result, probe):
    assert read(write_result(result), probe) == result
    assert read(json.loads(write_result(result)), probe) == result


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"run": "WAR-20261121-002"}, "is of run WAR-20261121-002"),
        ({"digest": "e" * 64}, "other locks"),
        ({"v": 2}, "has form 2"),
    ],
)
def test_a_result_of_something_else_is_refused(result, probe, change, said):
    with pytest.raises(InputError, match=said):
        read(write_result(dataclasses.replace(result, **change)), probe)


def changed(result, **change):
    return dataclasses.replace(result, evidence=dataclasses.replace(result.evidence, **change))


def test_runs_of_cases_that_are_not_known_are_refused(result, probe):
    for more in ({"case": "other"}, {"probe": "other"}, {"role": Role.control}):
        odd = dataclasses.replace(result.evidence.runs[0], **more)
        with pytest.raises(InputError, match="does not know"):
            read(write_result(changed(result, runs=(odd,))), probe)


def test_evidence_of_one_side_is_refused(result, probe):
    with pytest.raises(InputError, match="one environment before and one after"):
        read(write_result(changed(result, environments=result.evidence.environments[:1])), probe)
    with pytest.raises(InputError, match="twice"):
        read(write_result(changed(result, tests=result.evidence.tests[:1] * 2)), probe)


@pytest.mark.parametrize("repeats", [0, 21, -1])
def test_impossible_repeats_are_refused(result, probe, repeats):
    with pytest.raises(InputError, match="more runs than any wargame"):
        read(write_result(changed(result, repeats=repeats)), probe)


@pytest.mark.parametrize("seconds", ["NaN", "Infinity", "-1"])
def test_impossible_times_are_refused(result, probe, seconds):
    text = write_result(result).decode().replace('"seconds":0.1', f'"seconds":{seconds}', 1)
    with pytest.raises(InputError):
        read(text.encode(), probe)


@pytest.mark.parametrize(
    "data",
    [b"", b"[]", b"null", b"\xff", b"{", b"[" * 200_000, b'{"v":1}', b'"' + b"x" * 5_000_000 + b'"'],
)
def test_what_is_no_result_is_refused(probe, data):
    with pytest.raises(InputError):
        read(data, probe)


def test_text_is_made_safe_and_lines_that_were_not_asked_about_do_not_count(result, probe):
    runs = (dataclasses.replace(result.evidence.runs[0], evidence="\x1b[31m" + "x" * 5000),)
    tests = tuple(dataclasses.replace(one, covered=("a.py:1", "invented.py:9")) for one in result.evidence.tests)
    found = read(write_result(changed(result, runs=runs, tests=tests)), probe)
    assert found.evidence.runs[0].evidence.startswith("\\x1b[31m")
    assert len(found.evidence.runs[0].evidence) < 600
    assert found.evidence.tests[0].covered == ("a.py:1",)


_json = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(name=st.sampled_from(["v", "run", "digest", "arena", "evidence", "finished_at", "versions"]), value=_json)
def test_whatever_the_runner_writes_ends_in_a_result_or_our_error(result, probe, name, value):
    told = {**json.loads(write_result(result)), name: value}
    try:
        assert read(told, probe).run == RUN
    except InputError:
        return
