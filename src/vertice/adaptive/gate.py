"""A gate that lets only so many heavy things run at once, the most urgent first."""

import heapq
import threading
from collections.abc import Iterator
from contextlib import contextmanager

__all__ = ["Gate"]


class Gate:
    """Let at most `places` holders in at once; among those that wait, the lowest priority number enters first."""

    def __init__(self, places: int) -> None:
        self._free = places
        self._waiting: list[tuple[int, int, threading.Event]] = []
        self._count = 0
        self._lock = threading.Lock()

    @contextmanager
    def enter(self, priority: int) -> Iterator[None]:
        """Wait for a place, hold it inside the `with` block."""
        turn = threading.Event()
        with self._lock:
            self._count += 1
            heapq.heappush(self._waiting, (priority, self._count, turn))
            self._admit()
        turn.wait()
        try:
            yield
        finally:
            with self._lock:
                self._free += 1
                self._admit()

    def _admit(self) -> None:
        while self._free and self._waiting:
            self._free -= 1
            heapq.heappop(self._waiting)[2].set()
