"""Whoever listens hears of every new order."""

import asyncio


class Feed:
    def __init__(self) -> None:
        self._listeners: set[asyncio.Queue[dict[str, object]]] = set()

    def subscribe(self) -> "asyncio.Queue[dict[str, object]]":
        queue: asyncio.Queue[dict[str, object]] = asyncio.Queue(maxsize=100)
        self._listeners.add(queue)
        return queue

    def unsubscribe(self, queue: "asyncio.Queue[dict[str, object]]") -> None:
        self._listeners.discard(queue)

    def publish(self, event: dict[str, object]) -> None:
        for queue in self._listeners:
            if not queue.full():
                queue.put_nowait(event)
