"""Text from feeds, locks, probes, file names and arguments is shown, never obeyed."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.cli.conftest import VULNERABLE, Call
from tests.cli.refusal import refusal, shown_safely
from tests.cli.review import leave_a_review
from vertice.adaptive.wargame.template import template

Make = Callable[..., Path]

EVIL = "\x1b]0;owned\x07\x1b[31m\x9b2J\u202e\u2066\rhi"
"""Sets a terminal's title, colours, clears the screen (C1), turns the writing direction round, returns the carriage."""
SHOWN = "\\x1b]0;owned\\x07\\x1b[31m\\x9b2J\\u202e\\u2066\\x0dhi"
REGISTRY = 'source = { registry = "https://pypi.org/simple" }'


@pytest.fixture
def feed(tmp_path: Path) -> Path:
    """A feed whose every text is hostile, for a package that is in use."""
    affected = [{"package": {"ecosystem": "PyPI", "name": "pyyaml"}, "versions": ["5.3.1", EVIL]}]
    texts = {"summary": EVIL, "details": EVIL, "modified": f"2024{EVIL}", "published": EVIL, "aliases": [f"CVE-{EVIL}"]}
    references = [{"type": "WEB", "url": f"https://example.org/{EVIL}"}]
    record = {**texts, "id": "PYSEC-2024-1", "affected": affected, "references": references}
    (tmp_path / "feed").mkdir()
    (tmp_path / "feed" / "a.json").write_text(json.dumps(record))
    (tmp_path / "feed" / f"{EVIL.replace('/', '')}.json").write_text("no JSON")
    return tmp_path / "feed"


@pytest.fixture
def pinned(project: Make) -> Path:
    return project({"requirements.txt": VULNERABLE, f"{EVIL}.py": "import yaml\nyaml.load('')\n"}, git=False)


@pytest.mark.parametrize("width", ["80", "200"])
@pytest.mark.parametrize("form", ["table", "json", "sarif", "cyclonedx"])
def test_a_feed_and_a_file_name_in_a_scan(
    form: str, width: str, call: Call, feed: Path, pinned: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", width)
    done = call("scan", pinned, "--advisories", feed, "--format", form)
    assert done.code == 1
    shown_safely(done)
    if form == "table":
        assert "CVE-\\x1b]0;ow" in done.out
    if form == "json":
        assert " ".join(EVIL.split()) in {apv["summary"] for apv in done.json["apvs"]}, (
            "what is no terminal gets it as it is"
        )


def test_a_feed_in_sync_and_status(call: Call, feed: Path) -> None:
    synced = call("advisories", "sync", "--advisories", feed)
    shown_safely(synced)
    assert synced.err == f"warning: {SHOWN}.json: is not JSON\n"
    assert "newest of unknown age" in synced.out
    shown_safely(call("advisories", "status"))


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("requirements.txt", f"py{EVIL}yaml==1\n"),
        ("requirements.txt", f"-r {EVIL}\n"),
        ("uv.lock", f'version = 1\n[[package]]\nname = {json.dumps(EVIL)}\nversion = "1"\n{REGISTRY}\n'),
        ("uv.lock", f'version = 1\n[[package]]\nname = "a"\nversion = {json.dumps(EVIL)}\n{REGISTRY}\n'),
        ("uv.lock", f"version = 1\n{json.dumps(EVIL)} = [\n"),
        ("pyproject.toml", f"[project]\nname = 'a'\ndependencies = [{json.dumps(EVIL)}]\n"),
        ("vertice.toml", f"{json.dumps(EVIL)} = 1\n"),
        ("vertice.toml", f"[scan]\nfail-on = {json.dumps(EVIL)}\n"),
    ],
)
def test_the_content_of_a_project(name: str, text: str, call: Call, project: Make) -> None:
    folder = project({name: text}, git=False)
    assert refusal(call("scan", folder)).code == 2


def test_a_waiver(call: Call, pinned: Path) -> None:
    entry = f"[[waivers]]\nid = {json.dumps(EVIL)}\nreason = {json.dumps(EVIL)}\nuntil = 2999-01-01\n"
    (pinned / "vertice.toml").write_text(entry)
    done = call("scan", pinned)
    shown_safely(done)
    assert "waiver matches nothing" in done.out


@pytest.mark.parametrize(
    "argv",
    [
        [EVIL],
        ["scan", EVIL],
        ["scan", f"--{EVIL}"],
        ["scan", ".", "--fail-on", EVIL],
        ["scan", ".", "--probes", EVIL],
        ["scan", ".", "--advisories", EVIL],
        ["scan", ".", "--advisories", f"{EVIL}://"],
        ["scan", ".", "--python", EVIL],
        ["heal", EVIL],
        ["advisories", "sync", "--advisories", EVIL],
        ["evidence", "verify", EVIL],
        ["evidence", "verify", ".", "--key", EVIL],
        ["probe", "show", EVIL],
        ["probe", "run", "CVE-2020-14343", "--package", EVIL],
        ["probe", "run", "CVE-2020-14343", "--package", "pyyaml==1", "--python", EVIL],
        ["probe", "new", "CVE-2020-1", "--package", EVIL],
        ["probe", "new", EVIL, "--package", "a"],
        ["review", "show", EVIL],
        ["review", "list", "--status", EVIL],
        ["review", "decide", EVIL, EVIL],
    ],
    ids=lambda argv: ascii(" ".join(argv))[:40],
)
def test_arguments(argv: list[str], call: Call) -> None:
    assert refusal(call(*argv)).code == 2


def test_a_probe_of_somebody_else(call: Call, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "200")
    text = template("CVE-2099-0001", "somebody") + f"# {EVIL}\n"
    for key, value in {"summary": EVIL, "kind": EVIL, "cwe": [EVIL], "aliases": [EVIL]}.items():
        old = next(line for line in text.splitlines() if line.startswith(f"# {key} = "))
        text = text.replace(old, f"# {key} = {json.dumps(value)}")
    text = text.replace('introduced = "0"', f'introduced = "0" }}, {{ fixed = {json.dumps(EVIL)}')
    (tmp_path / "probes").mkdir()
    (tmp_path / "probes" / "mine.py").write_text(text)
    listed = call("probe", "list", "--probes", tmp_path / "probes")
    shown_safely(listed)
    assert "somebody" in listed.out
    shown = call("probe", "show", "CVE-2099-0001", "--probes", tmp_path / "probes")
    shown_safely(shown)
    assert (shown.code, SHOWN in shown.out) == (0, True)


def test_reviews(call: Call, home: Path, tmp_path: Path) -> None:
    review = leave_a_review(home, tmp_path / f"shop{EVIL}")
    why = f"Somebody else should look {EVIL}"
    for argv in (
        ["review", "decide", review.code, "escalate", "--because", why],
        ["review", "show", review.code],
        ["review", "list"],
        ["audit", "list"],
        ["audit", "verify"],
        ["evidence", "verify", review.evidence_path],
    ):
        done = call(*argv)
        assert done.code == 0, done.err
        shown_safely(done)
    assert SHOWN in call("review", "show", review.code).out
