"""The gate lets only so many in, and the most urgent of those that wait."""

import threading
import time

import pytest

from vertice.adaptive.gate import Gate


def test_never_more_than_its_places_are_inside() -> None:
    gate, inside, most = Gate(2), [], []

    def work() -> None:
        with gate.enter(0):
            inside.append(1)
            most.append(len(inside))
            time.sleep(0.01)
            inside.pop()

    threads = [threading.Thread(target=work) for _ in range(10)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert max(most) == 2
    assert len(most) == 10


def test_the_most_urgent_enters_first() -> None:
    gate, order = Gate(1), []
    waiting = threading.Semaphore(0)

    def work(priority: int) -> None:
        waiting.release()
        with gate.enter(priority):
            order.append(priority)

    with gate.enter(0):
        threads = [threading.Thread(target=work, args=(priority,)) for priority in (3, 1, 2, 1)]
        for thread in threads:
            thread.start()
            waiting.acquire()
            time.sleep(0.02)
    for thread in threads:
        thread.join()
    assert order == [1, 1, 2, 3]


def test_a_place_is_free_again_after_an_error() -> None:
    gate = Gate(1)
    for _ in range(3):
        with pytest.raises(ZeroDivisionError), gate.enter(0):
            _ = 1 / 0
