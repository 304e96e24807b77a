"""A real uv in a real sandbox, the real index, and projects laid down in a folder."""

import hashlib
import http.server
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path

import pytest

from vertice.adaptive.advisories.match import match
from vertice.adaptive.advisories.model import Advisory, Event, Range, Severity, SourceInfo
from vertice.adaptive.advisories.source import MemorySource
from vertice.adaptive.inventory.model import Project
from vertice.adaptive.inventory.reader import read_project
from vertice.adaptive.remedy.model import Remedy, Unremedied
from vertice.adaptive.remedy.plan import plan
from vertice.adaptive.remedy.releases import Releases
from vertice.adaptive.triage.model import Apv
from vertice.kernel.sandbox.bwrap import Bubblewrap
from vertice.kernel.uv import Uv

NOW = datetime(2026, 6, 1, tzinfo=UTC)


@pytest.fixture(scope="session")
def uv(tmp_path_factory: pytest.TempPathFactory) -> Uv:
    return Uv(Bubblewrap.find(), tmp_path_factory.mktemp("home"))


@pytest.fixture(scope="session")
def releases(tmp_path_factory: pytest.TempPathFactory) -> Releases:
    return Releases(cache=tmp_path_factory.mktemp("releases"))


@pytest.fixture
def advisory() -> Callable[..., Advisory]:
    """An advisory made up for a test: `fixed` None means that no release fixes it."""

    def make(code: str, package: str, fixed: str | None, *, introduced: str = "0", severity: str = "high") -> Advisory:
        end = () if fixed is None else (Event("fixed", fixed),)
        return Advisory(
            code,
            package,
            ranges=(Range((Event("introduced", introduced), *end)),),
            severity=Severity(severity),
            fixed_versions=() if fixed is None else (fixed,),
        )

    return make


class Healed:
    """A project that was planned for."""

    def __init__(self, root: Path, project: Project, answers: tuple[Remedy | Unremedied, ...]) -> None:
        self.root = root
        self.project = project
        self.answers = answers

    @property
    def remedies(self) -> tuple[Remedy, ...]:
        return tuple(one for one in self.answers if isinstance(one, Remedy))

    @property
    def unremedied(self) -> dict[str, str]:
        return {one.apv: one.reason for one in self.answers if isinstance(one, Unremedied)}

    @property
    def only(self) -> Remedy:
        assert len(self.answers) == 1, self.answers
        assert isinstance(self.answers[0], Remedy), self.answers
        return self.answers[0]

    @staticmethod
    def moves(remedy: Remedy) -> dict[str, tuple[str, str]]:
        return {change.package: (change.before, change.after) for change in remedy.changes}

    @staticmethod
    def text(remedy: Remedy, path: str) -> str:
        return next(edit.after for edit in remedy.edits if edit.path == path)


@pytest.fixture
def heal(tmp_path: Path, uv: Uv, releases: Releases) -> Callable[..., Healed]:
    """Lay down `files`, match them against `advisories`, and plan; the code of an APV is its advisory's id.

    The project asks for Python 3.11, so that the releases that fit do not depend on which one runs the tests.
    """

    def run(files: Mapping[str, str], advisories: Sequence[Advisory], **options: object) -> Healed:
        root = tmp_path / "project"
        for name, text in {".python-version": "3.11\n", **files}.items():
            path = root / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(text.encode())
        before = {path: path.read_bytes() for path in root.rglob("*") if path.is_file()}
        project = read_project(root, uv=lambda: uv)
        source = MemorySource(advisories, SourceInfo("test", len(advisories)))
        apvs = [
            Apv(found.id, found, component, priority=[one.id for one in advisories].index(found.id) + 1)
            for component, found in {
                (one.name, one.version, advisory.id): (one, advisory)
                for one, advisory in match(project.components, source)
            }.values()
        ]
        given: dict[str, object] = {"facts": False, "now": NOW, **options}
        answers = plan(project, apvs, uv=uv, source=source, releases=releases, **given)  # type: ignore[arg-type]
        assert {path: path.read_bytes() for path in root.rglob("*") if path.is_file()} == before
        return Healed(root, project, answers)

    return run


class Server:
    """A package index on loopback that answers from a dictionary, with ranges and ETags."""

    def __init__(self) -> None:
        self.pages: dict[str, tuple[str, bytes]] = {}
        self.status: dict[str, int] = {}
        self.asked: list[str] = []
        self.ranges = True
        outer = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                outer.answer(self)

            def log_message(self, format: str, *args: object) -> None:  # noqa: A002
                pass

        self.http = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.http.server_address[1]}/"
        self.thread = threading.Thread(target=self.http.serve_forever, daemon=True)
        self.thread.start()

    def answer(self, request: http.server.BaseHTTPRequestHandler) -> None:
        self.asked.append(request.path)
        status = self.status.get(request.path, 200 if request.path in self.pages else 404)
        kind, body = self.pages.get(request.path, ("text/plain", b""))
        etag = hashlib.sha256(body).hexdigest()
        size = len(body)
        asked = request.headers.get("Range", "")
        if status == 200 and request.headers.get("If-None-Match") == etag:
            status, body = 304, b""
        elif status == 200 and asked and self.ranges:
            first, _, last = asked.removeprefix("bytes=").partition("-")
            start = int(first) if first else max(0, size - int(last))
            end = int(last) + 1 if first and last else size
            status, body = 206, body[start:end]
            request_range = f"bytes {start}-{start + len(body) - 1}/{size}"
        request.send_response(status)
        request.send_header("Content-Type", kind)
        request.send_header("Content-Length", str(len(body)))
        request.send_header("ETag", etag)
        if status == 206:
            request.send_header("Content-Range", request_range)
        request.end_headers()
        request.wfile.write(body)

    def close(self) -> None:
        self.http.shutdown()
        self.http.server_close()
        self.thread.join()


@pytest.fixture
def server() -> Iterator[Server]:
    server = Server()
    yield server
    server.close()
