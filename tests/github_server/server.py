"""What the tests of the forge talk to: a door that can fail -> Prism, which checks against GitHub's description -> the
fake. Every request and every answer that does not fit the description is kept in `Door.violations`."""

import contextlib
import http.client
import json
import socket
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from tests.github_server.fake import Examples, FakeGitHub, handler_of

ROOT = Path(__file__).resolve().parents[2]
KIT = ROOT / ".run" / "github-api"
_HOP = {"connection", "keep-alive", "transfer-encoding", "content-length", "host"}


@dataclass(frozen=True)
class Fault:
    """What goes wrong with one request."""

    status: int = 0
    """Answer this; 0: break the connection."""
    headers: dict[str, str] = field(default_factory=dict)
    body: Any = None
    done: bool = False
    """GitHub has done it; only the answer does not come back."""
    seconds: float = 0.0
    """Answer so late."""


@dataclass
class Holder:
    """The state that the fake serves now."""

    github: FakeGitHub


@dataclass(frozen=True)
class Running:
    """What runs for all tests, and on which ports."""

    holder: Holder
    prism: int
    fake: int


@dataclass
class Door:
    """Where requests come in."""

    prism: int
    fake: int
    url: str = ""
    plan: Callable[[int, str, str], Fault | None] = lambda _number, _method, _path: None
    """Says what goes wrong with the request of this number (from 1), method and path."""
    requests: list[tuple[str, str]] = field(default_factory=list)
    violations: list[str] = field(default_factory=list)

    def break_at(self, number: int, *, done: bool) -> None:
        """Let the process die at the request of this number: no other request gets through after it."""
        self.requests.clear()
        self.plan = lambda at, _method, _path: None if at < number else Fault(done=done and at == number)

    def once(self, method: str, end: str, fault: Fault) -> None:
        """Let the first such request go wrong."""
        pending = [fault]
        self.plan = lambda _at, m, path: (
            pending.pop() if pending and m == method and path.split("?")[0].endswith(end) else None
        )

    def heal(self) -> None:
        self.requests.clear()
        self.plan = lambda _number, _method, _path: None


@contextmanager
def prism(upstream: int) -> Iterator[int]:
    """Run Prism before `upstream`, on a port of its own."""
    subprocess.run([ROOT / "scripts" / "setup-github-api"], check=True, timeout=300)
    port = _free_port()
    log = KIT / f"prism-{port}.log"
    command = [KIT / "node_modules" / ".bin" / "prism", "proxy", KIT / "api.json", f"http://127.0.0.1:{upstream}"]
    with log.open("wb") as output:
        process = subprocess.Popen([*command, "-p", str(port)], stdout=output, stderr=subprocess.STDOUT)
        try:
            deadline = time.monotonic() + 60
            while b"listening" not in log.read_bytes():
                if process.poll() is not None or time.monotonic() > deadline:
                    raise RuntimeError(f"Prism did not start: {log.read_text()[-2000:]}")
                time.sleep(0.05)
            yield port
        finally:
            process.terminate()
            process.wait(timeout=30)
            log.unlink()


@contextmanager
def serving(handler: type[BaseHTTPRequestHandler]) -> Iterator[int]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    try:
        yield server.server_address[1]
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


@contextmanager
def everything() -> Iterator[Running]:
    """Run the fake with Prism before it."""
    holder = Holder(None)  # type: ignore[arg-type]
    with serving(handler_of(holder)) as fake, prism(fake) as port:
        examples = Examples(KIT / "api.json")
        holder.github = FakeGitHub(examples, codeload=f"http://localhost:{fake}")
        yield Running(holder, port, fake)


@contextmanager
def door(prism_port: int, fake_port: int) -> Iterator[Door]:
    opened = Door(prism_port, fake_port)
    with serving(_door_handler(opened)) as port:
        opened.url = f"http://127.0.0.1:{port}"
        yield opened


def _door_handler(opened: Door) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        disable_nagle_algorithm = True

        def _do(self) -> None:
            raw = self.rfile.read(int(self.headers.get("content-length") or 0))
            opened.requests.append((self.command, self.path))
            fault = opened.plan(len(opened.requests), self.command, self.path)
            if fault is None:
                self._send(*self._forward(raw))
                return
            if fault.done:
                self._forward(raw)
            if fault.seconds:
                time.sleep(fault.seconds)
            if fault.status:
                body = b"" if fault.body is None else json.dumps(fault.body).encode()
                with contextlib.suppress(ConnectionError):  # who waits in vain goes away
                    self._send(fault.status, {"content-type": "application/json", **fault.headers}, body)
            else:
                self.close_connection = True

        def _forward(self, raw: bytes) -> tuple[int, dict[str, str], bytes]:
            # Prism goes after a redirect by itself, where GitHub's clients are to do so.
            port = opened.fake if self.path.endswith("/zip") or "/tarball/" in self.path else opened.prism
            connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
            headers = {name: value for name, value in self.headers.items() if name.lower() not in _HOP}
            connection.request(self.command, self.path, body=raw or None, headers=headers)
            answer = connection.getresponse()
            body = answer.read()
            connection.close()
            # That a token is refused is described of few requests only.
            if (said := answer.headers.get("sl-violations")) is not None and answer.status != 401:
                opened.violations.append(f"{self.command} {self.path}: {said}")
            kept = {name: value for name, value in answer.headers.items() if name.lower() not in _HOP}
            return answer.status, kept, body

        def _send(self, status: int, headers: dict[str, str], body: bytes) -> None:
            self.send_response_only(status)
            for name, value in headers.items():
                self.send_header(name, value)
            if status != 204:
                self.send_header("content-length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = _do  # noqa: N815

        def log_message(self, *_: Any) -> None:
            pass

    return Handler


def _free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return int(found.getsockname()[1])
