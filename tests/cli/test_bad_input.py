"""Bad input given to the command: one error that says what, where and what to do; exit code 2; nothing half-written.

What each reader makes of bad content is shown beside the readers; here, that it reaches the person whole.
"""

import contextlib
import io
import json
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.cli.conftest import CLEAN, HASH, VULNERABLE, Call
from tests.cli.refusal import refusal, shown_safely, tree
from tests.cli.review import leave_a_review
from tests.machine import Done, Machine
from vertice.cli.main import main

Make = Callable[..., Path]

PROJECTS: dict[str, tuple[dict[str, bytes], str, str]] = {
    "nothing to scan": ({"README.md": b"hello"}, "there is nothing to scan in this folder", ""),
    "truncated lock": ({"uv.lock": b'version = 1\n[[package]]\nname = "a'}, "is not valid TOML", "uv.lock:3"),
    "circle": (
        {"requirements.txt": b"-r more.txt\n", "more.txt": b"-r requirements.txt\n"},
        "requirements files include each other in a circle",
        "more.txt:1",
    ),
    "50 MB line": ({"requirements.txt": b"a" * 50_000_000}, "is larger than", "requirements.txt"),
    "not UTF-8": (
        {"requirements.txt": b"idna==3.7\n\xff\n"},
        "is not UTF-8: byte 0xff at offset 10",
        "requirements.txt:2",
    ),
    "not a requirement": ({"requirements.txt": b"what is this\n"}, "is not a requirement", "requirements.txt:1"),
}
SETTINGS = {
    b"oops = ": "is not TOML",
    b"\xff": "is not UTF-8",
    b"[scan]\nfail-on = 'huge'": "scan.fail-on: must be one of critical, high, medium, low",
    b"[scan]\nfail_on = 'high'": 'scan.fail_on: unknown key; did you mean "fail-on"?',
    b"[[waivers]]\nid = 'CVE-2020-1'": "waivers[0].reason: is required",
    b"[wargame]\nmemory = 'lots'": "wargame.memory: must be a size",
}
RECORD = {
    "id": "PYSEC-1",
    "modified": "2024-05-01T10:00:00Z",
    "affected": [
        {
            "package": {"ecosystem": "PyPI", "name": "pyyaml"},
            "ranges": [{"type": "ECOSYSTEM", "events": [{"introduced": "0"}, {"fixed": "9"}]}],
        }
    ],
}


def lay(folder: Path, files: dict[str, bytes]) -> Path:
    folder.mkdir(exist_ok=True)
    for name, content in files.items():
        (folder / name).write_bytes(content)
    return folder


def zipped(*members: tuple[str, str]) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name, content in members:
            archive.writestr(name, content)
    return buffer.getvalue()


DUMPS: dict[str, tuple[bytes, str]] = {
    "truncated": (zipped(("a.json", json.dumps(RECORD)))[:-30], "is no zip, or a damaged or truncated one"),
    "a web page": (b"<html>log in first</html>", "is no zip"),
    "path traversal": (zipped(("../../a.json", "{}")), "has the member ../../a.json, which leaves the folder"),
    "absolute path": (zipped(("/etc/a.json", "{}")), "has the member /etc/a.json, which leaves the folder"),
    "no id": (zipped(("a.json", "{}")), "holds no readable OSV record; the first, a.json, has no id"),
    "empty": (zipped(), "holds no readable OSV record"),
}


@pytest.fixture
def pinned(project: Make) -> Path:
    return project({"requirements.txt": VULNERABLE}, git=False)


class TestPath:
    @pytest.mark.parametrize("command", ["scan", "heal"])
    def test_a_missing_path(self, command: str, call: Call, home: Path) -> None:
        refused = refusal(call(command, "nowhere"))
        assert (refused.code, refused.where) == (2, "nowhere")
        assert refused.what.startswith("no such f")
        assert not home.exists() or not any(home.iterdir())

    def test_a_heal_of_a_file(self, call: Call, pinned: Path) -> None:
        refused = refusal(call("heal", pinned / "requirements.txt"))
        assert (refused.code, refused.what) == (2, "is a file, not a folder")

    def test_a_path_that_is_too_long(self, call: Call) -> None:
        for command in ("scan", "heal"):
            assert refusal(call(command, "a" * 5000)).code == 2

    def test_a_home_inside_the_project_is_refused_before_anything_is_written(
        self, call: Call, home: Path, pinned: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """The copy of the project would hold the home, and so itself."""
        monkeypatch.setenv("VERTICE_HOME", str(pinned / ".vertice"))
        before = tree(pinned)
        refused = refusal(call("heal", pinned))
        assert (refused.code, refused.what) == (2, "Vértice's home lies inside the project")
        assert "VERTICE_HOME" in refused.todo
        assert tree(pinned) == before

    def test_a_home_that_is_a_file(self, call: Call, home: Path, pinned: Path) -> None:
        home.write_text("mine")
        for argv in (["scan", pinned], ["heal", pinned], ["advisories", "status"], ["review", "list"]):
            refused = refusal(call(*argv))
            assert (refused.code, refused.where) == (2, str(home))
            assert "VERTICE_HOME" in refused.todo
        assert home.read_text() == "mine"


class TestProject:
    @pytest.mark.parametrize("name", PROJECTS)
    def test_scan(self, name: str, call: Call, home: Path, tmp_path: Path) -> None:
        files, what, place = PROJECTS[name]
        folder = lay(tmp_path / "service", files)
        report = tmp_path / "report.json"
        for argv in ([], ["--json"], ["--format", "sarif", "--output", report]):
            refused = refusal(call("scan", folder, *argv))
            assert refused.code == 2
            assert what in refused.what
            assert refused.where == str(folder / place)
        assert {path.name for path in folder.iterdir()} == set(files)
        assert not report.exists()
        assert tree(home) == {}

    @pytest.mark.parametrize("name", ["circle", "nothing to scan"])
    def test_heal(self, name: str, machine: Machine, tmp_path: Path) -> None:
        """It is refused the same when it is tried again: what could not be read is not taken for a finished heal."""
        files, what, place = PROJECTS[name]
        folder = lay(tmp_path / "service", files)
        before = tree(folder)
        for _ in range(2 if name == "circle" else 1):
            refused = refusal(machine.run("heal", folder))
            assert (refused.code, refused.where) == (2, str(folder / place))
            assert what in refused.what
        assert tree(folder) == before
        left = tree(machine.home)
        assert not [name for name in left if "partial" in name or name.startswith(("evidence", "patches"))]

    @pytest.mark.parametrize("command", ["scan", "heal"])
    def test_a_path_that_is_not_utf_8(self, command: str, call: Call, home: Path, tmp_path: Path) -> None:
        folder = tmp_path / "service\udcff"
        refused = refusal(call(command, folder))
        assert (refused.code, refused.what) == (2, "the path is not UTF-8")
        assert refused.where == f"{tmp_path}/service\N{REPLACEMENT CHARACTER}"
        assert tree(home) == {}

    def test_an_unknown_package_without_resolving(self, call: Call, project: Make) -> None:
        refused = refusal(call("scan", project({"requirements.txt": "no-such\n"}, git=False), "--no-resolve"))
        assert (refused.code, "no version is pinned" in refused.what) == (2, True)

    @pytest.mark.index
    def test_an_unknown_package(self, machine: Machine, project: Make) -> None:
        folder = project({"requirements.txt": "idna\nno-such-package-of-anybody-0\n"}, git=False)
        for argv in (["scan", folder, "--json"], ["heal", folder]):
            refused = refusal(machine.run(*argv))
            assert refused.what == "the package index has no package `no-such-package-of-anybody-0`"
            assert (refused.code, refused.where) == (2, f"{folder}/requirements.txt:2")


class TestOptions:
    @pytest.mark.parametrize("content", SETTINGS)
    def test_settings_file(self, content: bytes, call: Call, pinned: Path, home: Path) -> None:
        (pinned / "vertice.toml").write_bytes(content)
        for command in ("scan", "heal"):
            refused = refusal(call(command, pinned))
            assert refused.code == 2
            assert SETTINGS[content] in refused.what
            assert refused.where.startswith(str(pinned / "vertice.toml"))
        assert tree(home) == {}

    @pytest.mark.parametrize("option", ["--fail-on", "--format"])
    def test_an_unknown_word_names_those_that_are_known(self, option: str, call: Call, pinned: Path) -> None:
        refused = refusal(call("scan", pinned, option, "huge"))
        known = {"--fail-on": "'critical', 'high', 'medium', 'low'", "--format": "'json', 'sarif'"}[option]
        assert refused.code == 2
        assert known in refused.what

    @pytest.mark.parametrize(
        ("option", "what"),
        [
            ("--python", "no such file or directory"),
            ("--probes", "is no folder of probes"),
            ("--advisories", "no such file or folder"),
        ],
    )
    def test_a_path_that_is_not_there(self, option: str, what: str, call: Call, pinned: Path) -> None:
        refused = refusal(call("scan", pinned, option, "nowhere"))
        assert (refused.code, refused.what) == (2, what)
        assert refused.where.endswith("nowhere")

    def test_an_output_that_cannot_be_a_file(self, call: Call, pinned: Path, tmp_path: Path) -> None:
        (tmp_path / "folder" / "kept").mkdir(parents=True)
        (tmp_path / "file").write_text("old")
        for place, what in (("folder", "is a directory, not a file"), ("file/report.json", "a file is where a folder")):
            refused = refusal(call("scan", pinned, "--json", "--output", tmp_path / place))
            assert (refused.code, refused.where) == (2, str(tmp_path / place))
            assert refused.what.startswith(what)
        assert tree(tmp_path / "folder") == {"kept": b""}
        assert (tmp_path / "file").read_text() == "old"

    def test_a_malformed_probe(self, call: Call, pinned: Path, tmp_path: Path) -> None:
        lay(tmp_path / "probes", {"mine.py": b'# package = "pyyaml"\nprint()\n'})
        for argv in (["scan", pinned], ["probe", "list"]):
            refused = refusal(call(*argv, "--probes", tmp_path / "probes"))
            assert (refused.code, refused.where) == (2, str(tmp_path / "probes" / "mine.py"))


class TestAdvisories:
    @pytest.mark.parametrize("name", DUMPS)
    def test_a_broken_dump_leaves_the_store_as_it_was(self, name: str, call: Call, home: Path, tmp_path: Path) -> None:
        good, bad = tmp_path / "good.zip", tmp_path / "bad.zip"
        good.write_bytes(zipped(("a.json", json.dumps(RECORD))))
        bad.write_bytes(DUMPS[name][0])
        assert call("advisories", "sync", "--advisories", good).code == 0
        before = tree(home)
        for argv in ([], ["--json"]):
            refused = refusal(call("advisories", "sync", "--advisories", bad, *argv))
            assert (refused.code, refused.where) == (2, str(bad))
            assert DUMPS[name][1] in refused.what
        assert tree(home) == before
        assert {path.name for path in tmp_path.iterdir()} == {"good.zip", "bad.zip", "gitconfig", "home", "work"}

    def test_one_record_without_an_id_is_named_and_the_others_are_kept(self, call: Call, tmp_path: Path) -> None:
        (tmp_path / "a.zip").write_bytes(zipped(("a.json", json.dumps(RECORD)), ("b.json", '{"modified": ""}')))
        done = call("advisories", "sync", "--advisories", tmp_path / "a.zip")
        assert (done.code, done.err) == (0, "warning: b.json: has no id\n")
        assert done.out.startswith("1 advisory for 1 package")

    @pytest.mark.parametrize("option", ["--epss", "--kev"])
    def test_bad_scores(self, option: str, call: Call, tmp_path: Path) -> None:
        (tmp_path / "a.zip").write_bytes(zipped(("a.json", json.dumps(RECORD))))
        (tmp_path / "scores").write_bytes(b"<html>")
        refused = refusal(call("advisories", "sync", "--advisories", tmp_path / "a.zip", option, tmp_path / "scores"))
        assert (refused.code, refused.where) == (2, str(tmp_path / "scores"))
        assert call("advisories", "status", "--json").json is None

    def test_a_scan_with_a_broken_dump(self, call: Call, pinned: Path, tmp_path: Path) -> None:
        (tmp_path / "bad.zip").write_bytes(DUMPS["path traversal"][0])
        for command in ("scan", "heal"):
            assert refusal(call(command, pinned, "--advisories", tmp_path / "bad.zip")).code == 2

    @pytest.mark.parametrize("command", ["scan", "heal", "advisories"])
    def test_a_damaged_store(self, command: str, call: Call, home: Path, pinned: Path) -> None:
        home.mkdir()
        (home / "advisories.sqlite").write_bytes(b"damaged" * 1000)
        refused = refusal(call(command, pinned if command != "advisories" else "status"))
        assert (refused.code, refused.todo) == (2, "Run `vertice advisories sync`.")
        assert refused.where == str(home / "advisories.sqlite")


class TestOthers:
    @pytest.mark.parametrize(
        ("argv", "what"),
        [
            (["probe", "show", "CVE-1"], "there is no probe for CVE-1"),
            (["probe", "run", "CVE-2020-14343", "--package", "flask==1"], "flask==1 is no release that"),
            (["probe", "run", "CVE-2020-14343", "--package", "pyyaml"], "pyyaml is no release that"),
            (["probe", "run", "CVE-2020-14343", "--package", "pyyaml==5.3", "--python", "x"], "which is no CPython"),
            (["probe", "run", "CVE-2020-14343", "--package", "pyyaml==5.3", "--repeats", "0"], "--repeats"),
            (["review", "show", "APV-1"], "there is no review APV-1"),
            (["review", "list", "--status", "lost"], "lost is no status"),
            (["review", "decide", "APV-1", "burn"], "burn is no decision"),
            (["review", "decide", "APV-1", "approve"], "a decision needs its reason"),
            (["review", "decide", "APV-1", "approve", "--because", "long enough"], "there is no review APV-1"),
            (["evidence", "verify", "nowhere"], "no such file or directory"),
            (["evidence", "verify", "."], "is a directory, not a file"),
        ],
        ids=lambda value: " ".join(value) if isinstance(value, list) else "",
    )
    def test_what_is_not_there(self, argv: list[str], what: str, call: Call, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr("sys.stdin", io.StringIO())
        refused = refusal(call(*argv))
        assert refused.code == 2
        assert what in refused.what

    def test_a_refused_decision_changes_nothing(self, call: Call, home: Path, tmp_path: Path) -> None:
        review = leave_a_review(home, tmp_path / "shop")
        before = tree(tmp_path / "shop"), call("audit", "list").out
        for argv in (["modify", "--try", "not a version"], ["approve"]):
            because = "long enough a reason" if len(argv) > 1 else "short"
            assert refusal(call("review", "decide", review.code, *argv, "--because", because)).code == 2
        assert (tree(tmp_path / "shop"), call("audit", "list").out) == before
        assert call("review", "show", review.code, "--json").json["status"] == "pending"

    @pytest.mark.parametrize(
        "content", [b"", b"{}", b"\xff", b'{"payload": "e30=", "payloadType": 1, "signatures": 2}']
    )
    def test_what_is_no_evidence(self, content: bytes, call: Call, home: Path, tmp_path: Path) -> None:
        (tmp_path / "file").write_bytes(content)
        for argv in ([], ["--json"]):
            refused = refusal(call("evidence", "verify", tmp_path / "file", *argv))
            assert (refused.code, refused.where) == (2, str(tmp_path / "file"))
        assert tree(home) == {}

    @pytest.mark.parametrize("name", ["vertice.db", "codes.db"])
    def test_a_damaged_database(self, name: str, call: Call, home: Path, pinned: Path) -> None:
        home.mkdir()
        (home / name).write_bytes(b"damaged" * 1000)
        refused = refusal(call(*(["review", "list"] if name == "vertice.db" else ["scan", pinned])))
        assert (refused.code, name in refused.where) == (2, True)
        assert (home / name).read_bytes() == b"damaged" * 1000

    def test_a_stderr_that_takes_nothing_does_not_change_the_exit_code(self, home: Path) -> None:
        out = io.StringIO()
        with contextlib.suppress(OSError), Path("/dev/full").open("w", buffering=1) as full:  # close() fails too
            code = main(["scan", "nowhere"], out, full)
        assert (code, out.getvalue()) == (2, "")


def test_a_report_of_a_project_with_findings_is_whole(call: Call, project: Make, tmp_path: Path) -> None:
    """The counterpart: the same helper finds nothing to complain of in a scan that went well."""
    folder = project({"requirements.txt": f"{CLEAN}pyyaml==5.3.1{HASH}"}, git=False)
    done: Done = call("scan", folder, "--json", "--output", tmp_path / "report.json")
    assert (done.code, done.out, done.err) == (1, "", "")
    shown_safely(done)
    assert len(json.loads((tmp_path / "report.json").read_text())["components"]) == 2
