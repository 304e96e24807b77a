"""Whole-process medians beside peers, as ratios. `make bench` runs all; `python bench/run.py scan` one.

Every figure is the median of several runs after a warm-up, the two commands of a pair in turn (A B A B …), so that a
drift of the machine's speed meets both. Peers that ask api.osv.dev get the same records from loopback instead. A peer
that cannot run is named with its reason.
"""

import contextlib
import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import threading
import time
import zipfile
from collections.abc import Iterator, Sequence
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from packaging.utils import canonicalize_name
from packaging.version import InvalidVersion, Version

from vertice.adaptive.advisories.match import match
from vertice.adaptive.advisories.store import Store
from vertice.adaptive.inventory.model import Component

ROOT = Path(__file__).resolve().parents[1]
BIN = ROOT / ".venv" / "bin"
SHARED = Path(os.environ.get("VERTICE_SHARED", ROOT.parent / "shared"))
FEED = SHARED / "data" / "osv" / "PyPI-all.zip"
KEPT = ROOT / ".run" / "bench"
PINS = 1000
TWENTY = (
    "aiohttp==3.9.1", "certifi==2023.5.7", "cookiecutter==2.1.0", "cryptography==41.0.1", "django==4.2.13",
    "ecdsa==0.13.2", "gitpython==3.1.31", "httplib2==0.18.1", "idna==3.6", "jinja2==2.11.2", "mako==1.2.1",
    "mistune==0.8", "paramiko==2.10.0", "pygments==2.7.3", "pyjwt==1.5.0", "python-multipart==0.0.6",
    "redis==4.5.3", "requests==2.30.0", "tornado==6.3.1", "waitress==1.4.2",
)  # fmt: skip
"""Twenty packages with probes that install together; the rest of what they need is resolved."""


def timed(command: Sequence[str], home: Path, cwd: Path) -> tuple[float, int, str]:
    environment = {**os.environ, "VERTICE_HOME": str(home), "NO_COLOR": "1"}
    started = time.perf_counter()
    done = subprocess.run(command, env=environment, cwd=cwd, capture_output=True, text=True, check=False)
    return time.perf_counter() - started, done.returncode, done.stdout + done.stderr


def side_by_side(commands: dict[str, Sequence[str]], home: Path, cwd: Path, runs: int = 7) -> dict[str, list[float]]:
    """Run each command once to warm up, then all in turn; a command that fails is left out and says why."""
    ready = {}
    for name, command in commands.items():
        _, code, words = timed(command, home, cwd)
        if code > 1:
            print(f"  {name}: could not run here (exit {code}): {words.strip().splitlines()[-1:]}")
        else:
            ready[name] = command
    seconds: dict[str, list[float]] = {name: [] for name in ready}
    for _ in range(runs):
        for name, command in ready.items():
            seconds[name].append(timed(command, home, cwd)[0])
    return seconds


def show(title: str, seconds: dict[str, list[float]], base: str = "") -> None:
    print(f"\n{title}")
    medians = {name: statistics.median(values) for name, values in seconds.items()}
    for name, values in seconds.items():
        ratio = f"{medians[name] / medians[base]:5.2f} x {base}" if base in medians else ""
        print(f"  {name:34} {medians[name]:7.3f} s  [{min(values):.3f} .. {max(values):.3f}]  {ratio}")


def pins() -> list[tuple[str, str]]:
    """Return 1,000 pins: every package that the feed names, at the newest version that a record lists, then others."""
    newest: dict[str, Version] = {}
    with zipfile.ZipFile(FEED) as archive:
        for name in archive.namelist():
            for affected in json.loads(archive.read(name)).get("affected", []):
                package = canonicalize_name(affected["package"]["name"])
                for text in affected.get("versions", []):
                    with contextlib.suppress(InvalidVersion):
                        newest[package] = max(newest.get(package, Version("0.dev0")), Version(text))
    named = [(package, str(version)) for package, version in sorted(newest.items())]
    return (named + [(f"nobody-knows-{number}", "1.0") for number in range(PINS)])[:PINS]


def write_projects(folder: Path) -> None:
    """Write the same pins as a requirements file and, for uv, as a lock."""
    (folder / "requirements.txt").write_text("".join(f"{name}=={version}\n" for name, version in pins()))
    names = ", ".join(f'"{name}"' for name, _ in pins())
    (folder / "uv").mkdir()
    (folder / "uv" / "pyproject.toml").write_text(
        f'[project]\nname = "bench"\nversion = "0"\nrequires-python = ">=3.11"\ndependencies = [{names}]\n'
    )
    registry = 'source = { registry = "https://pypi.org/simple" }'
    own = ", ".join(f'{{ name = "{name}" }}' for name, _ in pins())
    lock = ['version = 1\nrevision = 3\nrequires-python = ">=3.11"\n']
    lock.append(
        f'[[package]]\nname = "bench"\nversion = "0"\nsource = {{ virtual = "." }}\ndependencies = [{own}]\n'
        f"[package.metadata]\nrequires-dist = [{own}]\n"
    )
    for name, version in pins():
        url = f"https://files.pythonhosted.org/packages/{name}-{version}.tar.gz"
        sdist = f'sdist = {{ url = "{url}", hash = "sha256:{"0" * 64}" }}'
        lock.append(f'[[package]]\nname = "{name}"\nversion = "{version}"\n{registry}\n{sdist}\n')
    (folder / "uv" / "uv.lock").write_text("\n".join(lock))


@contextlib.contextmanager
def osv_service(home: Path) -> Iterator[str]:
    """Serve the feed on loopback as api.osv.dev does (google.github.io/osv.dev/api): peers at their best, no network.

    Answers are computed before, so that what is measured is the peer.
    """
    records = {}
    with zipfile.ZipFile(FEED) as archive:
        for name in archive.namelist():
            record = json.loads(archive.read(name))
            records[record["id"]] = record
    store = Store.open(home)
    assert store is not None
    known: dict[tuple[str, str], list[str]] = {}
    for component, advisory in match([Component(name, version, "", 0) for name, version in pins()], store):
        known.setdefault((component.name, component.version), []).append(advisory.id)

    def vulns(asked: dict[str, Any]) -> list[str]:
        return known.get((canonicalize_name(asked["package"]["name"]), asked["version"]), [])

    class Service(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        disable_nagle_algorithm = True

        def do_POST(self) -> None:
            asked = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            if "queries" in asked:
                brief = [
                    [{"id": one, "modified": records[one]["modified"]} for one in vulns(q)] for q in asked["queries"]
                ]
                self.reply({"results": [{"vulns": found} if found else {} for found in brief]})
            else:
                self.reply({"vulns": [records[one] for one in vulns(asked)]})

        def do_GET(self) -> None:
            self.reply(records[self.path.rpartition("/")[2]])

        def reply(self, answer: object) -> None:
            body = json.dumps(answer).encode()
            head = f"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
            self.wfile.write(head.encode() + body)

        def log_message(self, *_: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Service) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


def bench_scan(folder: Path) -> None:
    home, project = folder / "home", folder / "pins"
    project.mkdir()
    write_projects(project)
    vertice, pip_audit, uv = (str(BIN / name) for name in ("vertice", "pip-audit", "uv"))
    sync = [vertice, "advisories", "sync", "--advisories", str(FEED)]
    stores: list[float] = []
    for _ in range(5):
        shutil.rmtree(home, ignore_errors=True)
        stores.append(timed(sync, home, project)[0])
    show(
        f"building the store from the zip ({FEED.stat().st_size:,} bytes); wanted: under 3 s",
        {" ".join(sync[:3]): stores},
    )
    with osv_service(home) as url:
        audit = [pip_audit, "-r", "requirements.txt", "--no-deps", "--disable-pip", "--progress-spinner", "off"]
        seconds = side_by_side(
            {
                "pip-audit --version": [pip_audit, "--version"],
                "vertice scan": [vertice, "scan", ".", "--no-resolve", "--format", "json"],
                "vertice scan (table)": [vertice, "scan", ".", "--no-resolve"],
                "pip-audit, OSV on loopback": [*audit, "-s", "osv", "--osv-url", f"{url}/v1/query"],
                "uv audit, OSV on loopback": [
                    *(uv, "audit", "--project", "uv", "--frozen", "--preview-features", "audit-command"),
                    *("--service-format", "osv", "--service-url", f"{url}/"),
                ],
            },
            home,
            project,
        )
    show(f"{PINS} pins against the full store; wanted: 1.00 x or less", seconds, "pip-audit --version")


def spent(told: dict[str, object]) -> dict[str, float]:
    """What a heal says of where its seconds went."""
    seconds = told["seconds"]
    assert isinstance(seconds, dict)
    return {str(name): float(value) for name, value in seconds.items()}


def heal(project: Path, home: Path, runs: int, title: str) -> None:
    command = [str(BIN / "vertice"), "heal", str(project), "--again", "--json"]
    walls, parts = [], []
    for attempt in range(runs + 1):
        wall, code, words = timed(command, home, project)
        if code > 1:
            print(f"  heal could not finish (exit {code}): {words[-600:]}")
            return
        if attempt:
            walls.append(wall)
            parts.append(spent(json.loads(words[words.index("{") : words.rindex("}") + 1])))
    middle = walls.index(sorted(walls)[len(walls) // 2])
    part = parts[middle]
    work = part["environments"] + part["attacks"] + part["tests"]
    print(f"\n{title}")
    print(f"  wall {walls[middle]:.1f} s  [{min(walls):.1f} .. {max(walls):.1f}]")
    print(f"  environments {part['environments']:.1f}, attacks {part['attacks']:.1f}, tests {part['tests']:.1f} s")
    cores = os.cpu_count() or 1
    print(
        f"  wall / (their sum on {cores} cores): {walls[middle] / (work / cores):.2f}  (wanted for twenty: 1.3 or less)"
    )


def bench_heal(folder: Path) -> None:
    patient = folder / "patient"
    shutil.copytree(ROOT / "examples" / "patient", patient)
    timed([str(BIN / "vertice"), "advisories", "sync", "--advisories", str(FEED)], KEPT, folder)
    heal(patient, KEPT, 3, "heal on the patient, warm caches")


def bench_twenty(folder: Path) -> None:
    project = folder / "twenty"
    project.mkdir()
    (project / "requirements.in").write_text("\n".join(TWENTY) + "\n")
    subprocess.run(
        [
            str(BIN / "uv"),
            "pip",
            "compile",
            "-q",
            "--no-header",
            "--python-version",
            "3.11",
            "requirements.in",
            "-o",
            "requirements.txt",
        ],
        cwd=project,
        check=True,
    )
    (project / "requirements.in").unlink()
    (project / ".python-version").write_text("3.11\n")
    timed([str(BIN / "vertice"), "advisories", "sync", "--advisories", str(FEED)], KEPT, folder)
    heal(project, KEPT, 1, "heal on twenty vulnerable packages, warm caches")


BENCHES = {"scan": bench_scan, "heal": bench_heal, "twenty": bench_twenty}


def main() -> None:
    KEPT.mkdir(parents=True, exist_ok=True)
    for name in sys.argv[1:] or BENCHES:
        with tempfile.TemporaryDirectory() as folder:
            BENCHES[name](Path(folder))


if __name__ == "__main__":
    main()
