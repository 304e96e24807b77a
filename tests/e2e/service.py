"""The service in processes of its own, and a person who uses it over the network."""

import asyncio
import contextlib
import json
import os
import re
import signal
import subprocess
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import websockets
from prometheus_client.parser import text_string_to_metric_families

from tests.machine import Machine

__all__ = ["LONG", "Ear", "Person", "Running", "counted", "log_in", "running", "until"]

LONG = 120.0
"""Seconds after which a test gives up on something that has to happen soon."""


@dataclass
class Running:
    """A command that runs until it is told to stop."""

    process: "subprocess.Popen[bytes]"
    out: Path
    err: Path

    @property
    def said(self) -> str:
        """Everything that it wrote."""
        return self.err.read_text() + self.out.read_text()

    def find(self, pattern: str) -> str:
        """Wait for what stderr is to say, and return the part in parentheses."""
        deadline = time.monotonic() + LONG
        while (found := re.search(pattern, self.err.read_text())) is None:
            if self.process.poll() is not None or time.monotonic() > deadline:
                raise AssertionError(f"no {pattern!r}, exit code {self.process.poll()}:\n{self.said[-4000:]}")
            time.sleep(0.05)
        return found[1]

    @property
    def url(self) -> str:
        return self.find(r"serves at (\S+)")

    def stop(self) -> None:
        """Ask it to end."""
        self.process.send_signal(signal.SIGTERM)

    async def ended(self) -> int:
        """Wait for its end; return the exit code."""
        return await asyncio.to_thread(self.process.wait, LONG)

    def process_of(self, port: int) -> int:
        """Return which of its processes holds the other end of a connection from `port` of ours."""
        wanted = f":{port:04X}"
        lines = [line.split() for line in Path("/proc/net/tcp").read_text().splitlines()[1:]]
        ends = {f"socket:[{line[9]}]" for line in lines if line[2].endswith(wanted)}
        for pid in _family(self.process.pid):
            with contextlib.suppress(OSError):
                if ends & {str(link.readlink()) for link in Path(f"/proc/{pid}/fd").iterdir()}:
                    return pid
        raise AssertionError(f"nobody holds the connection from {port}")


@contextmanager
def running(machine: Machine, *args: str) -> Iterator[Running]:
    """Run a command of the machine; with all its processes it is killed at the end unless it has ended."""
    number = len(list(machine.home.glob("*.stderr")))
    out, err = (machine.home / f"{number}-{args[0]}.{kind}" for kind in ("stdout", "stderr"))
    with out.open("wb") as stdout, err.open("wb") as stderr:
        process = subprocess.Popen(
            machine.command(*args),
            env=machine.variables,
            cwd=machine.home,
            stdin=subprocess.DEVNULL,
            stdout=stdout,
            stderr=stderr,
            start_new_session=True,
        )
    one = Running(process, out, err)
    try:
        yield one
        assert "Traceback" not in one.said, one.said
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()


@dataclass
class Ear:
    """A WebSocket on some channels, and what came through it."""

    port: int
    """Of our end."""
    heard: list[dict[str, Any]] = field(default_factory=list)

    def of(self, kind: str) -> list[dict[str, Any]]:
        return [said for said in self.heard if said["type"] == kind]

    async def hear(self, kind: str, count: int = 1) -> list[dict[str, Any]]:
        """Wait until so many events of this type were heard."""
        await until(lambda: len(self.of(kind)) >= count, f"{count} of {kind}; heard {self.heard[-10:]}")
        return self.of(kind)


@dataclass
class Person:
    """Somebody who is logged in."""

    client: httpx.AsyncClient

    @property
    def cookies(self) -> str:
        """What a browser would send."""
        return "; ".join(f"{name}={value}" for name, value in self.client.cookies.items())

    async def get(self, path: str, **query: Any) -> Any:
        answer = await self.client.get(path, params=query)
        assert answer.status_code == 200, answer.text
        return answer.json()

    async def post(self, path: str, said: object, **headers: str) -> Any:
        answer = await self.client.post(path, json=said, headers=headers)
        assert answer.is_success, answer.text
        return answer.json()

    async def register(self, folder: Path) -> str:
        made = await self.post("/hitl/projects", {"kind": "path", "location": str(folder)})
        return str(made["id"])

    async def scan(self, project: str) -> str:
        return str((await self.post(f"/hitl/projects/{project}/scans", {}))["id"])

    async def scanned(self, scan: str) -> dict[str, Any]:
        """Wait for the end of a scan."""

        async def has_ended() -> bool:
            return (await self.get(f"/hitl/scans/{scan}"))["state"] in {"finished", "failed"}

        await until(has_ended, "the end of the scan")
        found: dict[str, Any] = await self.get(f"/hitl/scans/{scan}")
        return found

    async def decide(self, review: str, kind: str, why: str) -> dict[str, Any]:
        version = (await self.get(f"/hitl/reviews/{review}"))["version"]
        said = {"decision": kind, "justification": why}
        made: dict[str, Any] = await self.post(
            f"/hitl/reviews/{review}/decisions", said, **{"If-Match": f'"v{version}"'}
        )
        return made

    async def carried_out(self, decision: str) -> dict[str, Any]:
        """Wait until a decision was carried out, or could not be."""

        async def has_ended() -> bool:
            return (await self.get(f"/hitl/decisions/{decision}"))["state"] != "recorded"

        await until(has_ended, "the decision's outcome")
        found: dict[str, Any] = await self.get(f"/hitl/decisions/{decision}")
        return found

    @asynccontextmanager
    async def ear(self, *channels: str) -> AsyncIterator[Ear]:
        """Listen to channels, on a connection of its own."""
        origin = f"{self.client.base_url}".rstrip("/")
        url = f"{origin.replace('http', 'ws', 1)}/hitl/ws"
        headers = {"Cookie": self.cookies, "Origin": origin}
        async with websockets.connect(url, additional_headers=headers, compression=None) as connection:
            ear = Ear(connection.local_address[1])

            async def listen() -> None:
                with contextlib.suppress(websockets.ConnectionClosed):
                    async for text in connection:
                        ear.heard.append(json.loads(text))

            listening = asyncio.create_task(listen())
            for channel in channels:
                await connection.send(json.dumps({"type": "subscribe", "channel": channel}))
            await ear.hear("subscribed", len(channels))
            try:
                yield ear
            finally:
                listening.cancel()
                await asyncio.gather(listening, return_exceptions=True)


@asynccontextmanager
async def log_in(url: str, token: str) -> AsyncIterator[Person]:
    """Use a one-time token up."""
    async with httpx.AsyncClient(base_url=url, timeout=60) as client:
        answer = await client.post("/hitl/session", json={"token": token})
        assert answer.status_code == 201, answer.text
        client.headers["X-CSRF-Token"] = answer.json()["csrf_token"]
        yield Person(client)


async def until(true: Callable[[], bool | Awaitable[bool]], what: str) -> None:
    """Wait for something that has to happen."""
    deadline = time.monotonic() + LONG
    while True:
        found = true()
        if found if isinstance(found, bool) else await found:
            return
        assert time.monotonic() < deadline, f"it did not come to {what}"
        await asyncio.sleep(0.1)


def counted(metrics: str, name: str, **labels: str) -> float:
    """Return what the metrics say of a series, 0 when they do not know it."""
    for family in text_string_to_metric_families(metrics):
        for sample in family.samples:
            if sample.name == name and labels.items() <= sample.labels.items():
                return sample.value
    return 0.0


def _family(pid: int) -> Iterator[int]:
    yield pid
    for children in Path(f"/proc/{pid}/task").glob("*/children"):
        for child in children.read_text().split():
            yield from _family(int(child))
