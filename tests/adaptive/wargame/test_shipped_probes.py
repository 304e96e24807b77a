"""Every shipped probe on a vulnerable release, on the fixed one, and where its package is absent."""

from pathlib import Path

import pytest

from vertice.adaptive.inventory.model import Lock
from vertice.adaptive.wargame.attack import attack
from vertice.adaptive.wargame.environment import Environments
from vertice.adaptive.wargame.model import Outcome, Probe, Role, Side
from vertice.adaptive.wargame.probe import find_probes
from vertice.adaptive.wargame.trial import lock_for_trial
from vertice.kernel.interpreters import Interpreter, choose, find_interpreters
from vertice.kernel.sandbox.bwrap import Bubblewrap
from vertice.kernel.sandbox.model import Limits
from vertice.kernel.uv import Uv

PROBES = find_probes()
REPEATS = 3
ATTACKED = {"vulnerable": Outcome.exploited, "fixed": Outcome.blocked}

each_probe = pytest.mark.parametrize("probe", PROBES, ids=[f"{one.package}-{one.advisories[0].cve}" for one in PROBES])


@pytest.fixture(scope="module")
def sandbox() -> Bubblewrap:
    return Bubblewrap.find()


@pytest.fixture(scope="module")
def uv(sandbox: Bubblewrap, warm_home: Path) -> Uv:
    return Uv(sandbox, warm_home)


@pytest.fixture(scope="module")
def environments(uv: Uv, warm_home: Path) -> Environments:
    return Environments(uv, warm_home)


def interpreter_for(probe: Probe) -> Interpreter:
    return choose(find_interpreters(), requires_python=probe.python)


def test_there_are_at_least_60_probes_over_at_least_12_weakness_classes() -> None:
    assert len(PROBES) >= 60
    assert len({weakness for probe in PROBES for weakness in probe.advisories[0].cwe}) >= 12
    assert len({name for probe in PROBES for name in probe.ids if name.startswith("CVE-")}) >= 60


@pytest.mark.probes
@pytest.mark.index
@each_probe
@pytest.mark.parametrize("release", ["vulnerable", "fixed"])
def test_it_is_exploited_on_the_vulnerable_release_and_blocked_on_the_fixed_one(
    probe: Probe, release: str, uv: Uv, environments: Environments, sandbox: Bubblewrap
) -> None:
    lock = lock_for_trial(probe, getattr(probe, release), uv=uv, interpreter=interpreter_for(probe))
    environment = environments.build(lock, build_constraints=probe.build_constraints)
    runs = attack(probe, environment, sandbox, side=Side.before, repeats=REPEATS, limits=Limits(), seen=lambda _: None)
    wanted = {Role.attack: ATTACKED[release], Role.variant: ATTACKED[release], Role.control: Outcome.works}
    odd = [f"{run.case}: {run.outcome}, {run.evidence}" for run in runs if run.outcome is not wanted[run.role]]
    assert odd == []
    assert {run.role for run in runs} == set(Role)


@pytest.mark.probes
@each_probe
def test_where_the_package_is_absent_every_case_says_error(
    probe: Probe, environments: Environments, sandbox: Bubblewrap
) -> None:
    empty = environments.build(Lock(requirements=(), python_version=interpreter_for(probe).version))
    runs = attack(probe, empty, sandbox, side=Side.before, repeats=1, limits=Limits(), seen=lambda _: None)
    assert {run.case: run.outcome for run in runs} == {case.name: Outcome.error for case in probe.cases}


@each_probe
def test_its_facts_are_whole(probe: Probe) -> None:
    own = probe.advisories[0]
    assert own.cvss is not None, "no CVSS vector"
    assert own.cwe
    assert probe.symbols
    assert own.fixed_versions
    assert own.summary
    assert probe.origin == "shipped"
