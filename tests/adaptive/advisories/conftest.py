"""A feed over real HTTP, and records to put in it."""

import hashlib
import io
import json
import threading
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass, field
from email.utils import formatdate
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from vertice.adaptive.advisories.fetch import HttpSettings


@pytest.fixture(scope="session")
def osv_zip(shared: Path) -> Path:
    return shared / "data" / "osv" / "PyPI-all.zip"


@pytest.fixture(scope="session")
def osv_records(osv_zip: Path) -> list[dict[str, Any]]:
    with zipfile.ZipFile(osv_zip) as archive:
        return [json.loads(archive.read(name)) for name in archive.namelist()]


@pytest.fixture
def quick() -> HttpSettings:
    """As the default, but without patience."""
    return HttpSettings(timeout=0.5, deadline=5, attempts=3, wait_initial=0.01, wait_max=0.02, max_bytes=1_000_000)


@dataclass
class FeedServer:
    """A folder of bytes over HTTP with ETag and If-Modified-Since; `faults[path]` are answered first, in turn.

    Faults: a status (500), "truncate" (half of the body, then the connection closes), "slow" (never the body).
    """

    files: dict[str, bytes] = field(default_factory=dict)
    faults: dict[str, list[int | str]] = field(default_factory=dict)
    requests: list[tuple[str, int]] = field(default_factory=list)
    """(path, status) in order."""
    validators: tuple[str, ...] = ("etag", "last-modified")
    url: str = ""
    stop: threading.Event = field(default_factory=threading.Event)

    def paths(self) -> list[str]:
        return [path for path, _ in self.requests]


@pytest.fixture
def feed_server() -> Iterator[FeedServer]:
    state = FeedServer()
    server = Server(state)
    thread = threading.Thread(target=server.serve_forever, args=(0.02,))
    thread.start()
    state.url = f"http://127.0.0.1:{server.server_port}"
    yield state
    state.stop.set()
    server.shutdown()
    thread.join()
    server.server_close()


class Server(ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self, state: FeedServer) -> None:
        self.state = state
        super().__init__(("127.0.0.1", 0), Handler)


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: Server

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002
        pass

    def answer(self, status: int, body: bytes = b"", sent: int | None = None) -> None:
        state = self.server.state
        state.requests.append((self.path, status))
        self.send_response(status)
        if status != 304:
            self.send_header("Content-Length", str(len(body)))
        if "etag" in state.validators:
            self.send_header("ETag", etag(body))
        if "last-modified" in state.validators:
            self.send_header("Last-Modified", last_modified(body))
        self.end_headers()
        self.wfile.write(body[:sent])

    def do_GET(self) -> None:
        state = self.server.state
        faults = state.faults.get(self.path, [])
        fault = faults.pop(0) if faults else None
        body = state.files.get(self.path)
        if isinstance(fault, int):
            self.answer(fault)
        elif fault == "slow":
            state.requests.append((self.path, 0))
            state.stop.wait(10)
            self.close_connection = True
        elif body is None:
            self.answer(404)
        elif fault == "truncate":
            self.answer(200, body, len(body) // 2)
            self.close_connection = True
        else:
            self.answer(304 if self.unchanged(body) else 200, b"" if self.unchanged(body) else body)

    def unchanged(self, body: bytes) -> bool:
        if tag := self.headers.get("If-None-Match"):
            return tag == etag(body)
        return self.headers.get("If-Modified-Since") == last_modified(body)


def etag(body: bytes) -> str:
    return f'"{hashlib.sha256(body).hexdigest()}"'


def last_modified(body: bytes) -> str:
    """Return a time that is the content's own."""
    return formatdate(int(hashlib.sha256(body).hexdigest(), 16) % 10**9, usegmt=True)


@pytest.fixture
def record() -> Any:
    """Make an OSV record: `record("PYSEC-1", "pkg", fixed="2.0", aliases=[…])`."""

    def make(name: str, package: str = "pkg", *, fixed: str = "2.0", **more: Any) -> dict[str, Any]:
        made = {
            "id": name,
            "modified": "2024-05-01T10:00:00Z",
            "details": f"About {name}.",
            "affected": [
                {
                    "package": {"ecosystem": "PyPI", "name": package},
                    "ranges": [{"type": "ECOSYSTEM", "events": [{"introduced": "0"}, {"fixed": fixed}]}],
                }
            ],
        }
        return made | more

    return make


@pytest.fixture
def zipped() -> Any:
    """Make a zip of records, or of (member name, content)."""

    def make(*records: dict[str, Any] | tuple[str, bytes]) -> bytes:
        buffer = io.BytesIO()
        with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
            for one in records:
                name, content = one if isinstance(one, tuple) else (f"{one['id']}.json", json.dumps(one).encode())
                archive.writestr(name, content)
        return buffer.getvalue()

    return make
