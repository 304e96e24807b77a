"""One RabbitMQ for all workers of a test run: it takes five seconds and 150 MB. It ends when the run does.

Run as a program it makes the broker, writes down how to reach it, and watches over the run.
"""

import json
import os
import select
import signal
import sys
import time
from dataclasses import asdict
from pathlib import Path

from tests.server import ServerError
from tests.servers import RabbitMq, Vhosts
from vertice.kernel.locks import exclusive

__all__ = ["shared_vhosts"]

_PATIENCE_SECONDS = 120


def shared_vhosts(folder: Path, run: int) -> Vhosts:
    """Return the virtual hosts of the run's broker; `folder` is the run's own, `run` the process that lives as long."""
    told = folder / "rabbitmq.json"
    with exclusive(folder / "rabbitmq.lock"):
        if not told.exists():
            _make(told, run)
    return Vhosts(**json.loads(told.read_text()))


def _make(told: Path, run: int) -> None:
    log = told.with_suffix(".log")
    root = str(Path(__file__).resolve().parents[1])
    pid = os.posix_spawn(
        sys.executable,
        [sys.executable, "-m", "tests.shared_broker", str(told), str(run)],
        {**os.environ, "PYTHONPATH": root},
        file_actions=[
            (os.POSIX_SPAWN_OPEN, 0, os.devnull, os.O_RDONLY, 0),
            (os.POSIX_SPAWN_OPEN, 1, str(log), os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600),
            (os.POSIX_SPAWN_DUP2, 1, 2),
        ],
        setsid=True,
    )
    deadline = time.monotonic() + _PATIENCE_SECONDS
    while not told.exists():
        if os.waitpid(pid, os.WNOHANG)[0] or time.monotonic() > deadline:
            raise ServerError(f"the shared RabbitMQ did not start:\n{log.read_text()[-3000:]}")
        time.sleep(0.05)


def _watch(told: Path, run: int) -> None:
    signal.signal(signal.SIGTERM, lambda *_: sys.exit())
    try:
        alive = os.pidfd_open(run)
    except ProcessLookupError:
        return
    with RabbitMq() as server:
        part = told.with_suffix(".part")
        part.write_text(json.dumps(asdict(server.vhosts)))
        part.rename(told)
        select.select([alive], [], [])


if __name__ == "__main__":
    _watch(Path(sys.argv[1]), int(sys.argv[2]))
