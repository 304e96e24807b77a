"""A machine that lacks what the command needs: no room, no rights, no sandbox, no package index."""

import json
import socket
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.cli.confined import Confined, without_bubblewrap
from tests.cli.conftest import VULNERABLE
from tests.cli.refusal import Refusal, refusal, tree
from tests.machine import Machine
from vertice.adaptive.advisories.sync import sync

Make = Callable[..., Path]

FILL = 'head -c 1G /dev/zero > "$DISK/filler" 2> /dev/null'


@pytest.fixture
def pinned(project: Make) -> Path:
    return project({"requirements.txt": VULNERABLE}, git=False)


@pytest.fixture
def full(machine: Machine, tmp_path: Path) -> Callable[..., Confined]:
    """Make a machine with a small disk of its own, its content known when the command has ended."""

    def make(size: int, before: str = "true") -> Confined:
        disk, left = tmp_path / "disk", tmp_path / "left"
        disk.mkdir()
        left.mkdir()
        options = ["--size", str(size), "--tmpfs", disk]
        return Confined(machine.home, {"DISK": str(disk)}, options, before=before, kept=disk, left=left)

    return make


@pytest.fixture
def nobody() -> str:
    """The URL of an index where nobody listens."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return f"http://127.0.0.1:{probe.getsockname()[1]}/simple"


class TestFullDisk:
    def test_the_old_report_stays(self, full: Callable[..., Confined], pinned: Path, tmp_path: Path) -> None:
        machine = full(65536, f'printf old > "$DISK/report.json"; {FILL}')
        done = machine.run("scan", pinned, "--format", "sarif", "--output", tmp_path / "disk" / "report.json")
        assert refusal(done) == Refusal(
            3,
            "no space left while writing it",
            str(tmp_path / "disk" / "report.json"),
            "Free some space and run it again.",
        )
        assert set(tree(tmp_path / "left")) == {"report.json", "filler"}
        assert (tmp_path / "left" / "report.json").read_text() == "old"

    def test_the_old_advisories_stay(
        self, full: Callable[..., Confined], shared: Path, tmp_path: Path, machine: Machine
    ) -> None:
        record = {"id": "A-1", "affected": [{"package": {"ecosystem": "PyPI", "name": "a"}, "versions": ["1"]}]}
        (tmp_path / "feed").mkdir()
        (tmp_path / "feed" / "a.json").write_text(json.dumps(record))
        store = sync(tmp_path / "old", tmp_path / "feed").path
        small = full(500_000, f'cp "{store}" "$DISK"')
        small.environment["VERTICE_HOME"] = str(tmp_path / "disk")
        done = small.run("advisories", "sync", "--advisories", shared / "data" / "osv" / "PyPI-all.zip")
        refused = refusal(done)
        assert (refused.code, refused.what) == (3, "no space left while writing the advisory store")
        assert tree(tmp_path / "left") == {store.name: store.read_bytes()}

    @pytest.mark.parametrize("command", ["scan", "heal", "review"])
    def test_a_home_without_room(
        self, command: str, full: Callable[..., Confined], pinned: Path, tmp_path: Path
    ) -> None:
        machine = full(16384, FILL)
        machine.environment["VERTICE_HOME"] = str(tmp_path / "disk")
        before = tree(pinned)
        refused = refusal(machine.run(command, pinned if command != "review" else "list"))
        assert (refused.code, refused.todo) == (3, "Free some space and run it again.")
        assert "no space left" in refused.what
        assert str(tmp_path / "disk") in refused.where
        assert tree(pinned) == before

    def test_room_for_the_reviews_but_not_for_the_workflow(
        self, full: Callable[..., Confined], pinned: Path, tmp_path: Path
    ) -> None:
        machine = full(500_000)
        machine.environment["VERTICE_HOME"] = str(tmp_path / "disk")
        refused = refusal(machine.run("heal", pinned))
        assert (refused.code, refused.what) == (3, "no space left to note how far the heal is")
        assert refused.where.endswith("workflow.db")

    def test_a_full_cache_is_not_taken_for_a_project_that_does_not_resolve(
        self, machine: Machine, pinned: Path, nobody: str
    ) -> None:
        """Else a heal would keep "no remedy" as its result. The second heal has room, and comes as far as the index."""
        (machine.home / "store").unlink()
        (machine.home / "store").mkdir()
        options = ["--size", "4096", "--tmpfs", machine.home / "store"]
        small = Confined(machine.home, {"UV_DEFAULT_INDEX": nobody}, options)
        refused = refusal(small.run("heal", pinned))
        assert (refused.code, refused.what) == (3, "no space left while uv worked")
        again = refusal(Machine(machine.home, {"UV_DEFAULT_INDEX": nobody}).run("heal", pinned))
        assert (again.code, "the package index cannot be reached" in again.what) == (3, True)

    def test_progress_that_nobody_can_read_ends_the_command(self, machine: Machine, pinned: Path) -> None:
        with Path("/dev/full").open("wb") as stream:
            done = subprocess.run(
                machine.command("heal", pinned),
                env=machine.variables,
                stdout=subprocess.PIPE,
                stderr=stream,
                timeout=60,
                check=False,
            )
        assert (done.returncode, done.stdout) == (3, b"")


class TestRights:
    def test_a_home_that_is_read_only(self, machine: Machine, pinned: Path) -> None:
        before = tree(machine.home)
        confined = Confined(machine.home, {}, ["--ro-bind", machine.home, machine.home])
        for argv in (["scan", pinned], ["heal", pinned], ["review", "list"]):
            refused = refusal(confined.run(*argv))
            assert refused.code == 2
            assert str(machine.home) in refused.where
        assert tree(machine.home) == before

    def test_a_manifest_that_may_not_be_read(self, machine: Machine, pinned: Path) -> None:
        (pinned / "requirements.txt").chmod(0)
        refused = refusal(Confined(machine.home, {}, rights=False).run("scan", pinned))
        assert (refused.code, refused.what) == (2, "not allowed while reading it")
        assert refused.where == str(pinned / "requirements.txt")


class TestNoBubblewrap:
    def test_what_needs_it_is_refused_and_what_does_not_goes_on(
        self, machine: Machine, pinned: Path, tmp_path: Path
    ) -> None:
        bare = Confined(machine.home, {}, without_bubblewrap())
        unpinned = tmp_path / "unpinned"
        unpinned.mkdir()
        (unpinned / "requirements.txt").write_text("idna\n")
        attack = ["probe", "run", "CVE-2020-14343", "--package", "pyyaml==5.3.1"]
        for argv in (["heal", pinned], attack, ["scan", unpinned, "--json"]):
            refused = refusal(bare.run(*argv))
            assert (refused.code, refused.where) == (3, "bwrap")
            assert "nothing is run without the sandbox" in refused.what
            assert "apt install bubblewrap" in refused.todo
        assert not (machine.home / "heals").exists()
        scanned = bare.run("scan", pinned, "--json")
        assert (scanned.code, scanned.err) == (1, "")
        assert scanned.json["apvs"]


class TestUnreachable:
    def test_index(self, machine: Machine, tmp_path: Path, nobody: str) -> None:
        lonely = Machine(machine.home, {"UV_DEFAULT_INDEX": nobody})
        unpinned = tmp_path / "unpinned"
        unpinned.mkdir()
        (unpinned / "requirements.txt").write_text("idna\n")
        attack = ["probe", "run", "CVE-2020-14343", "--package", "pyyaml==5.3.1"]
        for argv in (["scan", unpinned, "--json"], attack):
            refused = refusal(lonely.run(*argv))
            assert refused.code == 3
            assert "the package index cannot be reached" in refused.what
            assert refused.where.startswith(nobody)
            assert "UV_DEFAULT_INDEX" in refused.todo

    @pytest.mark.parametrize("url", ["nonsense", "ftp://host/simple", "http://me:pw@127.0.0.1:9/simple"])
    def test_an_index_that_cannot_be_used(self, url: str, machine: Machine, pinned: Path) -> None:
        refused = refusal(Machine(machine.home, {"UV_DEFAULT_INDEX": url}).run("heal", pinned))
        assert refused.code == 2
        assert "pw" not in f"{refused}"

    def test_advisories(self, machine: Machine, nobody: str) -> None:
        refused = refusal(machine.run("advisories", "sync", "--advisories", nobody))
        assert (refused.code, refused.where) == (3, f"{nobody}/PyPI/all.zip")
        assert "cannot be fetched" in refused.what
        assert not list(machine.home.glob("*advisories*"))


def test_the_confined_machine_is_what_it_says(machine: Machine, tmp_path: Path) -> None:
    """Otherwise the tests above would show nothing."""
    options = ["--size", "4096", "--tmpfs", machine.home, *without_bubblewrap()]
    command = Confined(
        machine.home, {}, options, before="df --output=size -B1 . | tail -n 1; command -v bwrap"
    ).command()
    shown = subprocess.run([*command[:-2], "sh", "true"], cwd=machine.home, capture_output=True, text=True, check=True)
    assert shown.stdout.strip() == "4096"
