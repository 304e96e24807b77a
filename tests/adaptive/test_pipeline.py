"""The workflow on a real database: what it does once, in which order, and what a failure leaves behind."""

import json
import sqlite3
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import replace
from pathlib import Path

import pytest
from dbos import DBOS, SetWorkflowID

from tests.adaptive.world import World, a_probe, a_request
from tests.machine import ROOT
from vertice.adaptive import embedded
from vertice.adaptive.gate import Gate
from vertice.adaptive.ground import heal_folder
from vertice.adaptive.inventory.model import Lock
from vertice.adaptive.model import Healed, Proof, Stage
from vertice.adaptive.pipeline import HEAL, Parts, heal_id
from vertice.adaptive.wargame.environment import Environments
from vertice.adaptive.wargame.model import Grade, Side, VerdictWord
from vertice.kernel.sandbox.bwrap import Bubblewrap
from vertice.kernel.uv import Uv

LONG = 20.0
"""Seconds after which a test gives up on something that has to happen soon."""


def heal(world: World, **asked: object) -> Healed:
    return embedded.heal(a_request(**asked), world, world, world.watch).healed


@pytest.fixture
def gate_of(monkeypatch: pytest.MonkeyPatch) -> Callable[[int], "ListeningGate"]:
    """Give the next heal a gate with so many places that tells who is inside."""

    def set_gate(places: int) -> "ListeningGate":
        gate = ListeningGate(places)
        monkeypatch.setattr(embedded, "Gate", lambda cores: gate)
        return gate

    return set_gate


@pytest.fixture(autouse=True)
def no_heal_of_another_test() -> Iterator[None]:
    """A heal that failed, which none here should, leaves DBOS running."""
    yield
    DBOS.destroy()


def only(healed: Healed) -> Proof:
    (proof,) = healed.proofs
    return proof


# Once


def test_an_environment_is_built_once_per_lock_however_many_probes_and_remedies_use_it(tmp_path: Path) -> None:
    world = World(
        tmp_path,
        fixed={"a": ("2",), "b": ("2",), "c": ("2",)},
        attacks={"a": (a_probe("P-a", "a"), a_probe("Q-a", "a"), a_probe("R-a", "a"))},
        weak={"Q-a": {"a==1"}, "R-a": {"a==1"}},
    )
    healed = heal(world)
    assert [proof.verdict.grade for proof in healed.proofs] == [Grade.proven] * 3
    assert sorted(world.of("build")) == [
        ("a==1", "b==1", "c==1"),
        ("a==1", "b==1", "c==2"),
        ("a==1", "b==2", "c==1"),
        ("a==2", "b==1", "c==1"),
    ]


@pytest.mark.index
def test_real_environments_are_built_once_per_lock(tmp_path: Path, warm_home: Path) -> None:
    """Two remedies from one lock, two probes each: three environments on disk, each reported as built at most once."""
    for name in ("store", "wheels", "locks"):
        (tmp_path / name).symlink_to(warm_home / name)
    arena = Bubblewrap.find()
    environments = Environments(Uv(arena, tmp_path), tmp_path)
    before = Lock(("idna==3.6",), requires_python=">=3.9")
    world = World(tmp_path, fixed={"a": ("2",), "b": ("2",)}, locks={"a": before, "b": before})
    program = (
        "import json, sys, idna\n"
        "fixed = idna.__version__ != '3.6'\n"
        "says = 'works' if sys.argv[1] == 'control' else 'blocked' if fixed else 'exploited'\n"
        "print(json.dumps({'outcome': says, 'evidence': idna.__version__}))\n"
    )
    world.attacks = {
        name: tuple(replace(a_probe(f"{n}-{name}", name), source=program) for n in "PQ") for name in world.fixed
    }
    plan = world.plan

    def real_plan(*args):
        planned = plan(*args)
        after = (Lock(("idna==3.7",)), Lock(("idna==3.10",)))
        remedies = tuple(replace(one, after=lock) for one, lock in zip(planned.remedies, after, strict=True))
        return replace(planned, remedies=remedies)

    world.plan = real_plan
    request = a_request(tests=(), repeats=1)
    (tmp_path / "heals").mkdir()
    conduct = embedded._GiveUp(lambda error: None)
    HEAL.parts = Parts(world, environments, arena, Gate(2), lambda _, step: world.watch(step), conduct)
    with embedded._dbos(tmp_path / "workflow.db"), SetWorkflowID(heal_id(request)):
        healed = DBOS.start_workflow(HEAL.run, request).get_result()
    assert [proof.verdict.grade for proof in healed.proofs] == [Grade.partly_proven] * 2
    reports = [report for proof in healed.proofs for report in proof.evidence.environments]
    assert len({report.digest for report in reports}) == 3
    assert all(count <= 1 for count in Counter(one.digest for one in reports if not one.reused).values())
    assert len(list((tmp_path / "environments").iterdir())) == 3
    assert world.of("build") == []


def test_the_tests_before_run_once_per_lock_and_cover_the_sites_of_each_remedy(tmp_path: Path) -> None:
    """Two remedies start from one lock, a third from another: two test runs before; each sees its own sites only."""
    other = Lock(("c==1",))
    world = World(tmp_path, fixed={"a": ("2",), "b": ("2",), "c": ("2",)}, locks={"c": other})
    healed = heal(world)
    runs = Counter(where for (where,) in world.of("tests"))
    assert runs == {"a==1 b==1 c==1": 1, "a==2 b==1 c==1": 1, "a==1 b==2 c==1": 1, "c==1": 1, "c==2": 1}
    for proof, site in zip(healed.proofs, ("app.py:97", "app.py:98", "app.py:99"), strict=True):
        assert {(test.side, test.sites, test.covered) for test in proof.evidence.tests} == {
            (side, (site,), (site,)) for side in Side
        }


def test_a_heal_that_ended_is_only_told_again(tmp_path: Path) -> None:
    world = World(tmp_path)
    first = embedded.heal(a_request(), world, world, world.watch)
    done = list(world.events)
    again = embedded.heal(a_request(), world, world, world.watch)
    assert (first.resumed, first.known, again.resumed, again.known) == (False, False, False, True)
    assert again.healed == first.healed
    assert world.events == done
    other = embedded.heal(a_request(digest="e" * 64), world, world, world.watch)
    assert other.known is False
    assert len(world.events) > len(done)


def test_only_the_last_states_of_a_project_are_kept_and_no_copy_of_it(tmp_path: Path) -> None:
    world = World(tmp_path)
    other = a_request(project="/somewhere/else")
    embedded.heal(other, world, world, world.watch)
    requests = [a_request(digest=digit * 64) for digit in "1234567"]
    for request in requests:
        (heal_folder(tmp_path, request) / "project").mkdir(parents=True)
        embedded.heal(request, world, world, world.watch)
    kept = [heal_folder(tmp_path, request) for request in (other, *requests) if heal_folder(tmp_path, request).exists()]
    assert kept == [heal_folder(tmp_path, request) for request in (other, *requests[-5:])]
    assert not [folder for folder in kept if (folder / "project").exists()]


# The most urgent first, each as soon as it is ready


class ListeningGate(Gate):
    """Knows with which priority each thread is inside, and how many have come."""

    def __init__(self, places: int) -> None:
        super().__init__(places)
        self.inside = threading.local()
        self.come = 0
        self.change = threading.Condition()

    @contextmanager
    def enter(self, priority: int) -> Iterator[None]:
        with self.change:
            self.come += 1
            self.change.notify_all()
        with super().enter(priority):
            self.inside.priority = priority
            try:
                yield
            finally:
                self.inside.priority = None

    def wait_for(self, come: int) -> None:
        with self.change:
            assert self.change.wait_for(lambda: self.come >= come, LONG)


def test_the_most_urgent_is_admitted_first_though_it_comes_last(
    tmp_path: Path, gate_of: Callable[[int], "ListeningGate"]
) -> None:
    """One place, held until all have come, the least urgent first: the baseline, then the remedies in their order."""
    world = World(tmp_path, fixed={"a": ("2",), "b": ("2",), "c": ("2",)})
    gate = gate_of(1)
    come_before = {"c": 2, "b": 4, "a": 6}  # the test itself, the baseline, and both sides of each less urgent one

    def arm_the_least_urgent_first(event: tuple[str, ...]) -> None:
        if event[0] == "arm":
            gate.wait_for(come_before[event[1]])
        elif event[0] != "conclude":
            time.sleep(0.02)  # as heavy work does: meanwhile the next step of a more urgent remedy comes

    world.hook = arm_the_least_urgent_first
    held = gate.enter(-2)
    held.__enter__()

    def release_when_all_have_come() -> None:
        gate.wait_for(8)
        held.__exit__(None, None, None)

    threading.Thread(target=release_when_all_have_come, daemon=True).start()
    heal(world)
    assert world.told(Stage.building) == [-1, 0, 0, 1, 1, 2, 2]
    assert world.told(Stage.done) == [0, 1, 2]


def test_every_heavy_step_holds_a_place_with_the_priority_of_its_remedy(
    tmp_path: Path, gate_of: Callable[[int], "ListeningGate"]
) -> None:
    world = World(tmp_path, fixed={"a": ("2",), "b": ("2",)})
    gate = gate_of(2)
    heard: list[tuple[Stage, int, int | None]] = []
    world.heard = lambda step: heard.append((step.stage, step.remedy, getattr(gate.inside, "priority", None)))
    heal(world)
    heavy = [one for one in heard if one[0] in {Stage.building, Stage.attacking, Stage.testing}]
    assert Counter(stage for stage, _, _ in heavy) == {Stage.building: 5, Stage.attacking: 28, Stage.testing: 3}
    assert all(remedy == priority for _, remedy, priority in heavy)


def test_a_verdict_does_not_wait_for_the_others(tmp_path: Path, gate_of: Callable[[int], "ListeningGate"]) -> None:
    """The second remedy's attacks hold still until the third is done; the first, still attacking, holds up no one."""
    world = World(tmp_path, fixed={"a": ("2",), "b": ("2",), "c": ("2",)})
    done = {order: threading.Event() for order in range(3)}
    world.heard = lambda step: done[step.remedy].set() if step.stage is Stage.done else None

    def hold(event: tuple[str, ...]) -> None:
        if event[:2] == ("attack", "a==1 b==2 c==1"):
            assert done[2].wait(LONG)
            assert done[0].wait(LONG)

    world.hook = hold
    heal(world)
    assert world.told(Stage.done)[-1] == 1


# Refuted, and the next one


REFUTED = {"fixed": {"a": ("2", "3", "4")}, "weak": {"P-a": {"a==1", "a==2", "a==3"}}}


def test_a_refuted_release_is_planned_around_until_one_holds(tmp_path: Path) -> None:
    world = World(tmp_path, **REFUTED)
    proof = only(heal(world))
    assert world.of("plan") == [(), ("a==2",), ("a==2", "a==3")]
    assert proof.remedy.changes[0].after == "4"
    assert (proof.verdict.word, proof.verdict.grade) == (VerdictWord.success, Grade.proven)
    assert "calls a 2 fixed, but P-a still works against 2, 3" in proof.doubts[0]
    assert len(world.concluded) == 1


def test_what_refuted_a_release_attacks_the_next_one_first_and_once(tmp_path: Path) -> None:
    """Q refutes 2, then R refutes 3: R, the latest, attacks 4 first, then Q; only then everything, repeated."""
    world = World(
        tmp_path,
        fixed={"a": ("2", "3", "4")},
        attacks={"a": tuple(a_probe(f"{name}-a", "a") for name in "PQR")},
        weak={"P-a": {"a==1"}, "Q-a": {"a==1", "a==2"}, "R-a": {"a==1", "a==3"}},
    )
    assert only(heal(world)).remedy.changes[0].after == "4"
    order: dict[str, list[str]] = {}
    for where, probe, _ in world.of("attack"):
        order.setdefault(where, []).append(probe[0])
    everything = "P" * 6 + "Q" * 6 + "R" * 6
    assert {where: "".join(probes) for where, probes in order.items()} == {
        "a==1": everything,
        "a==2": everything,
        "a==3": "Q" * 3 + everything,
        "a==4": "R" * 3 + "Q" * 3 + everything,
    }


def test_a_release_that_a_suspect_refutes_too_is_attacked_no_further(tmp_path: Path) -> None:
    world = World(
        tmp_path,
        fixed={"a": ("2", "3", "4")},
        attacks={"a": (a_probe("P-a", "a"), a_probe("Q-a", "a"))},
        weak={"P-a": {"a==1"}, "Q-a": {"a==1", "a==2", "a==3"}},
    )
    assert only(heal(world)).remedy.changes[0].after == "4"
    assert [probe for where, probe, _ in world.of("attack") if where == "a==3"] == ["Q-a"] * 3


def test_a_release_that_is_refuted_is_not_tested(tmp_path: Path) -> None:
    world = World(tmp_path, **REFUTED)
    heal(world)
    assert sorted(world.of("tests")) == [("a==1",), ("a==4",)]


def test_after_so_many_tries_it_ends_refuted(tmp_path: Path) -> None:
    world = World(tmp_path, **REFUTED)
    proof = only(heal(world, tries=2))
    assert world.of("plan") == [(), ("a==2",)]
    assert (proof.verdict.grade, proof.remedy.changes[0].after) == (Grade.refuted, "2")
    assert "still works against 2, 3" in proof.doubts[0]


def test_without_another_release_it_ends_refuted(tmp_path: Path) -> None:
    world = World(tmp_path, fixed={"a": ("2",)}, weak={"P-a": {"a==1", "a==2"}})
    proof = only(heal(world))
    assert world.of("plan") == [(), ("a==2",)]
    assert (proof.verdict.grade, proof.remedy.changes[0].after) == (Grade.refuted, "2")


def test_a_remedy_from_another_lock_is_no_next_try(tmp_path: Path) -> None:
    """What was attacked before would not be what the remedy changes."""
    world = World(tmp_path, **REFUTED)

    def moved(event: tuple[str, ...]) -> None:
        if event == ("plan", "a==2"):
            world.locks["a"] = Lock(("a==1", "moved==1"))

    world.hook = moved
    proof = only(heal(world))
    assert (proof.verdict.grade, proof.remedy.changes[0].after) == (Grade.refuted, "2")
    assert not [where for (where, _, _) in world.of("attack") if "moved" in where]


def test_attacks_through_another_package_ask_for_no_other_release(tmp_path: Path) -> None:
    world = World(
        tmp_path,
        fixed={"a": ("2", "3")},
        attacks={"a": (a_probe("P-z", "z"),)},
        weak={"P-z": {"a==1", "a==2"}},
    )
    proof = only(heal(world))
    assert world.of("plan") == [()]
    assert proof.verdict.grade is Grade.refuted
    assert "which this advisory does not name" in proof.doubts[0]


# What cannot be built


@pytest.mark.parametrize(("broken", "side"), [("a==1", Side.before), ("a==2", Side.after)])
def test_an_environment_that_does_not_build_is_a_verdict(tmp_path: Path, broken: str, side: Side) -> None:
    world = World(tmp_path, fixed={"a": ("2", "3")}, unbuildable={broken})
    proof = only(heal(world))
    assert (proof.verdict.word, proof.verdict.grade) == (VerdictWord.error, Grade.broken)
    assert f"the environment {side} did not build: {broken} has no wheel" in proof.verdict.reasons[0]
    assert not [where for (where, _, _) in world.of("attack") if where == broken]
    assert (broken,) not in world.of("tests")


def test_where_nothing_can_be_shown_before_no_release_after_release_is_tried(tmp_path: Path) -> None:
    world = World(tmp_path, unbuildable={"a==1"}, **REFUTED)
    proof = only(heal(world))
    assert proof.verdict.word is VerdictWord.error
    assert world.of("plan") == [()]


# What fails


PROGRAM = """
import json, os, sys, threading, time
from pathlib import Path
from tests.adaptive.world import World, a_request
from vertice.adaptive import embedded
from vertice.kernel.errors import UnfinishedError

home, fault, late = Path(sys.argv[1]), tuple(json.loads(sys.argv[2])), tuple(json.loads(sys.argv[3]))
failed = threading.Event()

def hook(event):
    if event == late:
        failed.wait(20)
        time.sleep(0.05)
    if event == fault:
        failed.set()
        raise UnfinishedError("the disk is full", where="made-up")

world = World(home, fixed={"a": ("2",), "b": ("2",)}, hook=hook)
told = {}
try:
    done = embedded.heal(a_request(), world, world, world.watch)
    told = {"resumed": done.resumed, "known": done.known, "grades": [one.verdict.grade for one in done.healed.proofs]}
except BaseException as error:
    told = {"error": str(error), "kind": type(error).__name__}
    time.sleep(0.5)  # what the process may still do before it ends
told |= {"events": world.events, "steps": [(one.stage, one.side, one.remedy) for one in world.steps if not one.detail]}
print(json.dumps(told), flush=True)
os._exit(0)
"""


def heal_in_a_process(home: Path, fault: tuple[str, ...] = (), late: tuple[str, ...] = ()) -> dict:
    """Heal in a process of its own, since a failure leaves threads that wait for the process's end."""
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, str(home), json.dumps(fault), json.dumps(late)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    return json.loads(done.stdout.splitlines()[-1])


STEPS = {
    Stage.scanning: "find",
    Stage.planning: "plan",
    Stage.building: "build",
    Stage.attacking: "attack",
    Stage.testing: "test",
}
"""Which step tells of each stage when it begins."""


def stored(home: Path) -> tuple[set[tuple[str, str, int]], list[str]]:
    """Return (step, side, place in the plan) of every step in the database, and all that is stored as failed."""
    request = a_request()
    with closing(sqlite3.connect(heal_folder(home, request) / "workflow.db")) as database:
        rows = database.execute("SELECT workflow_uuid, function_name, error FROM operation_outputs").fetchall()
        ended = database.execute("SELECT workflow_uuid FROM workflow_status WHERE status = 'ERROR'").fetchall()
    finished = set()
    for workflow, function, _ in rows:
        order, _, side = workflow.removeprefix(heal_id(request)).removeprefix("-").partition("-")
        where = ("before", -1) if order == "baseline" else (side.partition("-")[0], int(order or -1))
        finished.add((function.rpartition(".")[2], *where))
    return finished, [workflow for (workflow,) in ended] + [function for _, function, error in rows if error]


@pytest.mark.parametrize(
    "fault",
    [
        ("plan",),
        ("build", "a==1", "b==1"),
        ("attack", "a==2 b==1", "P-a", "variant"),
        ("conclude", "a"),
    ],
    ids=lambda fault: fault[0],
)
def test_a_step_that_fails_is_tried_again_and_what_was_finished_is_not(tmp_path: Path, fault: tuple[str, ...]) -> None:
    first = heal_in_a_process(tmp_path, fault)
    assert first["error"] == "made-up: the disk is full"
    finished, failures = stored(tmp_path)
    assert failures == []
    second = heal_in_a_process(tmp_path)
    assert (second.get("resumed"), second.get("grades")) == (True, ["proven", "proven"]), second
    assert list(fault) in second["events"]
    begun = [(STEPS[stage], side, order) for stage, side, order in second["steps"] if stage in STEPS]
    assert [step for step in begun if step in finished] == []
    assert len(begun) == len(set(begun))


def test_what_runs_while_another_step_fails_is_not_stored_as_failed(tmp_path: Path) -> None:
    """One remedy fails; the other is just about to start its sides when the heal gives up."""
    first = heal_in_a_process(tmp_path, ("arm", "a"), ("arm", "b"))
    assert first["error"] == "made-up: the disk is full"
    second = heal_in_a_process(tmp_path)
    assert second.get("grades") == ["proven", "proven"], second
