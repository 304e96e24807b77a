"""How API processes share a port."""

import asyncio
import socket
import sys
from collections import Counter
from multiprocessing.reduction import ForkingPickler

import pytest

from tests.server import free_port
from vertice.adaptive.api.process import kept_running
from vertice.adaptive.api.server import serve_many, shared_socket
from vertice.kernel.errors import UnfinishedError
from vertice.kernel.settings import load_service


async def test_what_is_to_run_always_begins_anew_when_a_fault_stops_it(monkeypatch):
    monkeypatch.setattr("vertice.adaptive.api.process._PAUSE_SECONDS", 0)
    begun = asyncio.Event()
    times = 0

    async def run() -> None:
        nonlocal times
        times += 1
        if times < 3:
            raise RuntimeError("a fault of ours")
        begun.set()
        await asyncio.Event().wait()

    task = asyncio.create_task(kept_running("live events", run))
    async with asyncio.timeout(10):
        await begun.wait()
    task.cancel()
    assert times == 3


@pytest.mark.skipif(sys.platform != "linux", reason="other kernels share a port, but do not spread connections")
def test_connections_are_spread_evenly_over_the_processes_of_one_port():
    with shared_socket(socket.AF_INET, ("127.0.0.1", 0)) as reserved:
        address = reserved.getsockname()
        # As a process that is spawned gets it.
        first, second = (ForkingPickler.loads(ForkingPickler.dumps(reserved)) for _ in range(2))
        with first, second:
            took: Counter[str] = Counter()
            for one in (first, second):
                one.listen(200)
                one.setblocking(False)
            clients = [socket.create_connection(address) for _ in range(200)]
            for name, one in (("first", first), ("second", second)):
                while True:
                    try:
                        one.accept()[0].close()
                    except BlockingIOError:
                        break
                    took[name] += 1
            for client in clients:
                client.close()
    assert took.total() == 200
    # The kernel throws a coin for each: fewer than 50 heads in 200 are one case in 10^13.
    assert min(took["first"], took["second"]) >= 50


def test_a_port_that_is_taken_is_not_shared_with_a_stranger(monkeypatch, tmp_path):
    port = free_port()
    with shared_socket(socket.AF_INET, ("127.0.0.1", port)) as other:
        other.listen()
        monkeypatch.setenv("VERTICE_HOME", str(tmp_path))
        monkeypatch.setenv("PORT", str(port))
        with pytest.raises(UnfinishedError, match="cannot listen: Address already in use"):
            serve_many(load_service(), started=lambda _: pytest.fail("it started"))
