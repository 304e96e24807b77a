"""How a worker goes about its steps."""

import threading

import pytest

from vertice.adaptive.execution.interface import NotYetError
from vertice.adaptive.work.conduct import WorkerConduct
from vertice.kernel.errors import InputError, UnfinishedError

FULL = UnfinishedError("the disk is full")


def begin(conduct: WorkerConduct, hold: threading.Event, begun: threading.Event) -> threading.Thread:
    def run() -> None:
        with conduct.step():
            begun.set()
            hold.wait(20)

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    return thread


def test_what_may_go_better_later_is_tried_again_so_often_and_then_raised() -> None:
    conduct = WorkerConduct((0.0, 0.0))
    conduct.failed(FULL, 1)
    conduct.failed(FULL, 2)
    with pytest.raises(UnfinishedError, match="the disk is full"):
        conduct.failed(FULL, 3)


def test_a_forge_is_left_alone_for_as_long_as_it_asks() -> None:
    """The pause is 60 s where the worker's own would be none: only the stop ends it."""
    conduct, ended = WorkerConduct((0.0,)), threading.Event()

    def run() -> None:
        with conduct.step():
            conduct.failed(NotYetError("the limit is used up", seconds=60.0), 1)
        ended.set()

    threading.Thread(target=run, daemon=True).start()
    assert not ended.wait(0.5)
    conduct.stop(0.0)


def test_what_a_person_has_to_mend_is_raised_at_once() -> None:
    with pytest.raises(InputError, match="no such file"):
        WorkerConduct((60.0,)).failed(InputError("no such file"), 1)


def test_a_fault_of_our_own_is_said_as_one() -> None:
    with pytest.raises(UnfinishedError, match=r"a fault of Vértice's own: KeyError: 'x\\x1b\['"):
        WorkerConduct().failed(KeyError("x\x1b["), 1)


def test_a_stop_waits_for_steps_that_run_and_lets_none_begin() -> None:
    conduct, hold, begun, late = WorkerConduct(), threading.Event(), threading.Event(), threading.Event()
    running = begin(conduct, hold, begun)
    assert begun.wait(20)
    assert conduct.stop(0.05) is False
    begin(conduct, hold, late)
    hold.set()
    running.join(20)
    assert conduct.stop(20) is True
    assert not late.wait(0.2)


def test_a_step_that_pauses_before_its_next_try_holds_up_no_stop() -> None:
    conduct, paused = WorkerConduct((3600.0,)), threading.Event()

    def run() -> None:
        with conduct.step():
            paused.set()
            conduct.failed(FULL, 1)

    threading.Thread(target=run, daemon=True).start()
    assert paused.wait(20)
    assert conduct.stop(20) is True


def test_a_stop_that_waits_can_be_hurried() -> None:
    conduct, hold, begun = WorkerConduct(), threading.Event(), threading.Event()
    begin(conduct, hold, begun)
    assert begun.wait(20)
    threading.Timer(0.1, conduct.hurry).start()
    assert conduct.stop(3600) is False  # or the test runs into its time limit
    hold.set()
