"""What a process of a service logs, and what it keeps to itself."""

import json
import subprocess
import sys
from pathlib import Path

PROGRAM = """
import logging, sys
from pathlib import Path
from vertice.kernel import telemetry
from vertice.kernel.logging import get_logger
from vertice.kernel.settings import ServiceSettings

settings = ServiceSettings(
    vertice_home=Path(sys.argv[1]),
    database_url="sqlite+aiosqlite:///x",
    environment="production",
    debug=sys.argv[2] == "1",
)
telemetry.start(settings, service="vertice-test")
get_logger("ours").warning("spoken")
get_logger("ours").debug("murmured")
logging.getLogger("aiormq.connection").error("reader exited", exc_info=ValueError("lost"))
logging.getLogger("aio_pika.robust_connection").warning("Reconnecting after 1 seconds.")
logging.getLogger("asyncio").error(
    "Task exception was never retrieved\\nfuture: <Task finished name='Task-1' coro=<RobustConnection.close() done>>"
)
"""


def said(home: Path, *, debug: bool) -> list[dict[str, str]]:
    command = [sys.executable, "-c", PROGRAM, str(home), str(int(debug))]
    done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=60)
    assert done.stderr == ""
    return [json.loads(line) for line in done.stdout.splitlines()]


def test_the_lines_of_a_process_bear_its_name_and_clients_of_the_broker_are_quiet(tmp_path: Path) -> None:
    (line,) = said(tmp_path, debug=False)
    assert (line["event"], line["service"], line["environment"]) == ("spoken", "vertice-test", "production")


def test_debug_shows_more_of_ours(tmp_path: Path) -> None:
    events = [line["event"] for line in said(tmp_path, debug=True)]
    assert {"spoken", "murmured"} <= set(events)
    assert not {"reader exited", "Reconnecting after 1 seconds."} & set(events)
