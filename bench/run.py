"""Whole-process medians beside peers, as ratios. `make bench` runs all; `python bench/run.py scan` one.

Every figure is the median of several runs after a warm-up, the two commands of a pair in turn (A B A B …), so that a
drift of the machine's speed meets both. Peers that need a service this machine cannot reach are named, not guessed.
"""

import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
import zipfile
from collections.abc import Sequence
from pathlib import Path

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


def show(title: str, seconds: dict[str, list[float]], base: str) -> None:
    print(f"\n{title}")
    medians = {name: statistics.median(values) for name, values in seconds.items()}
    for name, values in seconds.items():
        ratio = f"{medians[name] / medians[base]:5.2f} x {base}" if base in medians else ""
        print(f"  {name:34} {medians[name]:7.3f} s  [{min(values):.3f} .. {max(values):.3f}]  {ratio}")


def pins(path: Path) -> None:
    """Write 1,000 pins of packages that the feed names, one version each, in a stable order."""
    lines: dict[str, str] = {}
    with zipfile.ZipFile(FEED) as archive:
        for name in sorted(archive.namelist()):
            for affected in json.loads(archive.read(name)).get("affected", []):
                if versions := affected.get("versions"):
                    lines.setdefault(f"{affected['package']['name']}=={versions[-1]}", "")
    named = sorted(lines)
    step = max(1, len(named) // PINS)
    path.write_text("\n".join(named[::step][:PINS]) + "\n")


def bench_scan(folder: Path) -> None:
    home = folder / "home"
    project = folder / "pins"
    project.mkdir()
    pins(project / "requirements.txt")
    vertice = str(BIN / "vertice")
    build = side_by_side(
        {"advisories sync (zip)": [vertice, "advisories", "sync", "--advisories", str(FEED)]}, home, project, 1
    )
    stores: list[float] = []
    for _ in range(5):
        shutil.rmtree(home)
        stores.append(timed([vertice, "advisories", "sync", "--advisories", str(FEED)], home, project)[0])
    build = {"vertice advisories sync": stores}
    show(f"building the store from the zip ({FEED.stat().st_size:,} bytes); wanted: under 3 s", build, "")
    seconds = side_by_side(
        {
            "pip-audit --version": [str(BIN / "pip-audit"), "--version"],
            "vertice scan": [vertice, "scan", ".", "--no-resolve", "--format", "json"],
            "pip-audit -r --no-deps": [str(BIN / "pip-audit"), "-r", "requirements.txt", "--no-deps", "--disable-pip"],
            "pip-audit -s osv": [
                str(BIN / "pip-audit"),
                "-s",
                "osv",
                "-r",
                "requirements.txt",
                "--no-deps",
                "--disable-pip",
            ],
            "uv audit": [str(BIN / "uv"), "audit", "--preview-features", "audit", "--frozen"],
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
