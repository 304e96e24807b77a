"""The command as scripts and people know it. What differs from tests/cli/snapshots changes somebody's script.

Renewed by `pytest tests/cli/test_surface.py --inline-snapshot=fix`, then read as a diff.
"""

import contextlib
import io
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import typer
from inline_snapshot import external_file, snapshot

from tests.adaptive.review import samples
from tests.cli.conftest import CLEAN, VULNERABLE, Call
from tests.cli.review import leave_a_review
from vertice.adaptive.advisories.model import SourceInfo
from vertice.adaptive.embedded import Finished
from vertice.adaptive.model import ApvProof, Found, Healed, Proof
from vertice.adaptive.remedy.model import Unremedied
from vertice.cli.heal_text import plain
from vertice.cli.main import app, main
from vertice.kernel.settings import Settings

SNAPSHOTS = Path(__file__).parent / "snapshots"


def paths(command: Any, path: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    yield path
    for name, child in getattr(command, "commands", {}).items():
        yield from paths(child, (*path, name))


COMMANDS = list(paths(typer.main.get_command(app)))


@pytest.mark.parametrize("path", COMMANDS, ids=" ".join)
def test_help(path: tuple[str, ...], call: Call) -> None:
    done = call(*path, "--help")
    assert (done.code, done.err) == (0, "")
    assert done.out == external_file(f"snapshots/{'-'.join(('help', *path))}.txt")
    assert max(map(len, done.out.splitlines())) <= 80
    assert "..." not in done.out.replace("[ARGS]...", ""), "a summary is cut short"


def test_every_snapshot_is_of_a_command() -> None:
    assert {path.stem for path in SNAPSHOTS.iterdir()} == {"-".join(("help", *path)) for path in COMMANDS}


@pytest.mark.parametrize(
    "path", [path for path in COMMANDS if path in {(), *(path[:1] for path in COMMANDS if path[1:])}]
)
def test_a_group_without_a_command_shows_its_help_as_bad_usage(path: tuple[str, ...], call: Call) -> None:
    done = call(*path)
    assert (done.code, done.out) == (2, "")
    assert done.err == call(*path, "--help").out


def test_version(call: Call) -> None:
    from importlib.metadata import version

    done = call("--version")
    assert (done.code, done.out, done.err) == (0, f"vertice {version('vertice')}\n", "")


class TestExitCodes:
    """DESIGN §10; the help of `vertice` names them."""

    def test_0_nothing_at_or_above_the_threshold(self, call: Call, project: Any) -> None:
        assert call("scan", project({"requirements.txt": CLEAN}, git=False)).code == 0

    def test_0_findings_below_the_threshold(self, call: Call, project: Any) -> None:
        folder = project({"requirements.txt": f"pip==23.0.1 {CLEAN.partition(' ')[2]}"}, git=False)
        assert call("scan", folder).code == 1
        assert call("scan", folder, "--fail-on", "high").code == 0

    def test_1_findings(self, call: Call, project: Any) -> None:
        assert call("scan", project({"requirements.txt": VULNERABLE}, git=False)).code == 1

    def test_1_a_broken_audit_chain(self, call: Call, home: Path, tmp_path: Path) -> None:
        import sqlite3

        leave_a_review(home, tmp_path / "shop")
        assert call("audit", "verify").code == 0
        with sqlite3.connect(home / "vertice.db") as connection:
            connection.execute("UPDATE apv_reviews SET project_name = 'other'")
        connection.close()
        broken = call("audit", "verify")
        assert (broken.code, broken.err) == (1, "")
        assert "was changed" in broken.out

    def test_2_bad_usage(self, call: Call) -> None:
        assert call("scan", "--no-such-option").code == 2

    def test_2_bad_input(self, call: Call) -> None:
        assert call("scan", "nowhere").code == 2

    def test_3_could_not_finish(self, home: Path, project: Any) -> None:
        folder = project({"requirements.txt": VULNERABLE}, git=False)
        err = io.StringIO()
        with contextlib.suppress(OSError), Path("/dev/full").open("w") as full:  # close() fails as flush() did
            code = main(["scan", str(folder)], full, err)
        assert (code, "no space left" in err.getvalue()) == (3, True)


def shape(value: Any) -> Any:
    """Keys and types of a JSON value; a list is the shape of all its items together."""
    match value:
        case dict():
            return {key: shape(one) for key, one in value.items()}
        case list():
            return [merged([shape(one) for one in value])] if value else []
        case None:
            return "null"
    return type(value).__name__


def merged(shapes: list[Any]) -> Any:
    first, *rest = shapes
    for other in rest:
        first = _merge(first, other)
    return first


def _merge(one: Any, other: Any) -> Any:
    if one == other:
        return one
    if isinstance(one, dict) and isinstance(other, dict):
        assert one.keys() == other.keys(), "items of one list have different keys"
        return {key: _merge(one[key], other[key]) for key in one}
    if isinstance(one, list) and isinstance(other, list):
        return [merged([*one, *other])] if one or other else []
    return "|".join(sorted({part for text in (one, other) for part in str(text).split("|")}))


class TestJson:
    """stdout is one JSON document and nothing else; its keys and types stay."""

    def test_scan(self, call: Call, fed_home: Path, project: Any) -> None:
        folder = project({"requirements.txt": VULNERABLE, "app.py": "import yaml\nyaml.full_load('')\n"}, git=False)
        for argv in (["--json"], ["--format", "json"]):
            assert shape(call("scan", folder, *argv).json) == snapshot(
                {
                    "project": "str",
                    "scanned_at": "str",
                    "advisories": {"source": "str", "records": "int", "updated_at": "str"},
                    "components": [
                        {
                            "name": "str",
                            "version": "str",
                            "purl": "str",
                            "direct": "bool",
                            "source": "str",
                            "line": "int",
                            "dependency_path": ["str"],
                            "dev": "bool",
                        }
                    ],
                    "apvs": [
                        {
                            "code": "str",
                            "advisory": "str",
                            "aliases": ["str"],
                            "package": "str",
                            "version": "str",
                            "severity": "str",
                            "cvss": "float",
                            "cwe": ["str"],
                            "fixed_versions": ["str"],
                            "dependency_path": ["str"],
                            "reachability": {
                                "level": "str",
                                "sites": [{"path": "str", "line": "int", "symbol": "str"}],
                                "through": "str",
                                "tests_only": "bool",
                            },
                            "priority": "int",
                            "summary": "str",
                            "reasons": ["str"],
                            "locations": ["str"],
                            "cvss_vector": "str",
                            "epss": "null",
                            "kev": "bool",
                            "known_from": "str",
                        }
                    ],
                    "waived": [],
                    "waivers": {"expired": [], "unused": []},
                    "warnings": [],
                }
            )

    def test_heal(self) -> None:
        apv, remedy = samples.an_apv(), samples.a_remedy()
        proof = Proof(
            remedy=remedy,
            verdict=samples.a_verdict(),
            evidence=samples.an_evidence(),
            apvs=(ApvProof(apv.code, samples.a_verdict(), "exploited", "blocked"),),
            doubts=("why the range looks wrong",),
            review=apv.code,
        )
        info = SourceInfo("a.zip", 1, "2026-01-01T00:00:00Z")
        found = Found("shop", "2026-01-01T00:00:00Z", info, 2, (apv,), 0, ("a warning",))
        healed = Healed(found, (proof,), (Unremedied("APV-20261121-002", "none is fixed"),), ("another",))
        told = plain(Finished(healed, resumed=False, known=False), 1.0)
        assert shape(json.loads(json.dumps(told))) == snapshot(
            {
                "project": "str",
                "resumed": "bool",
                "known": "bool",
                "advisories": {"source": "str", "records": "int", "updated_at": "str"},
                "components": "int",
                "apvs": [
                    {
                        "code": "str",
                        "advisory": "str",
                        "package": "str",
                        "version": "str",
                        "severity": "str",
                        "priority": "int",
                    }
                ],
                "remedies": [
                    {
                        "review": "str",
                        "run": "str",
                        "strategy": "str",
                        "changes": [{"package": "str", "before": "str", "after": "str"}],
                        "why": "str",
                        "verdict": {
                            "word": "str",
                            "grade": "str",
                            "confidence": "float",
                            "reasons": ["str"],
                            "raise_by": ["str"],
                        },
                        "apvs": [
                            {
                                "apv": "str",
                                "verdict": {
                                    "word": "str",
                                    "grade": "str",
                                    "confidence": "float",
                                    "reasons": ["str"],
                                    "raise_by": ["str"],
                                },
                                "before": "str",
                                "after": "str",
                            }
                        ],
                        "doubts": ["str"],
                        "held": "str",
                        "ref": "str",
                        "evidence": "str",
                    }
                ],
                "unremedied": [{"apv": "str", "reason": "str"}],
                "warnings": ["str"],
                "seconds": {"wall": "float", "environments": "float", "attacks": "float", "tests": "float"},
            }
        )

    def test_probe_list(self, call: Call) -> None:
        assert shape(call("probe", "list", "--json").json) == snapshot(
            {
                "probes": [
                    {
                        "id": "str",
                        "aliases": ["str"],
                        "package": "str",
                        "affected": ["str"],
                        "fixed": ["str"],
                        "cwe": ["str"],
                        "severity": "str",
                        "kind": "str",
                    }
                ]
            }
        )

    def test_probe_show(self, call: Call) -> None:
        assert shape(call("probe", "show", "CVE-2020-14343", "--json").json) == snapshot(
            {
                "id": "str",
                "aliases": ["str"],
                "package": "str",
                "affected": ["str"],
                "fixed": ["str"],
                "cwe": ["str"],
                "severity": "str",
                "kind": "str",
                "symbols": ["str"],
                "cases": [{"name": "str", "role": "str", "about": "str"}],
                "source": "str",
            }
        )

    def test_reviews(self, call: Call, home: Path, tmp_path: Path) -> None:
        assert call("review", "list", "--json").json == {"reviews": []}
        review = leave_a_review(home, tmp_path / "shop")
        shown = call("review", "show", review.code, "--json").json
        assert call("review", "list", "--json").json == {"reviews": [shown]}
        assert shape(shown) == snapshot(
            {
                "id": "str",
                "code": "str",
                "cve": "str",
                "severity": "str",
                "package": "str",
                "strategy": "str",
                "verdict": "str",
                "grade": "str",
                "confidence": "float",
                "reasons": ["str"],
                "status": "str",
                "priority": "int",
                "created_at": "str",
                "updated_at": "str",
                "project_name": "str",
                "project_root": "str",
                "manifest": "str",
                "version": "int",
                "revision": "int",
                "key": "str",
                "summary": "str",
                "remedy": {
                    "manifest": "str",
                    "apvs": ["str"],
                    "strategy": "str",
                    "changes": [{"package": "str", "before": "str", "after": "str"}],
                    "edits": [{"path": "str", "before": "str", "after": "str"}],
                    "diff": "str",
                    "before": {
                        "requirements": ["str"],
                        "hashes": {},
                        "requires_python": "str",
                        "python_version": "str",
                        "indexes": [],
                    },
                    "after": {
                        "requirements": ["str"],
                        "hashes": {"pyyaml==5.4": ["str"]},
                        "requires_python": "str",
                        "python_version": "str",
                        "indexes": [],
                    },
                    "why": "str",
                    "facts": [
                        {
                            "package": "str",
                            "version": "str",
                            "uploaded_at": "str",
                            "age_days": "int",
                            "yanked": "bool",
                            "attested": "null",
                            "publisher": "str",
                            "publisher_changed": "null",
                            "pth_files": [],
                            "install_time_code": "null",
                            "notes": [],
                        }
                    ],
                },
                "proposal": {
                    "forge": "str",
                    "ref": "str",
                    "head": "str",
                    "base": "str",
                    "target": "str",
                    "note": "str",
                },
                "evidence_digest": "str",
                "evidence_path": "str",
                "superseded_by": "str",
                "apvs": [
                    {
                        "code": "str",
                        "advisory": "str",
                        "severity": "str",
                        "package": "str",
                        "version": "str",
                        "summary": "str",
                    }
                ],
                "decisions": [],
                "project_id": "null",
                "published_at": "null",
                "due_at": "null",
                "assignee": "null",
                "assignee_name": "null",
                "claimed_at": "null",
                "package_change": "str",
                "reachability": "str",
                "proposed_by": "str",
            }
        )
        why = "Somebody else should look."
        decided = call("review", "decide", review.code, "escalate", "--because", why, "--json").json
        assert shape(decided["decisions"]) == snapshot(
            [
                {
                    "id": "str",
                    "code": "str",
                    "kind": "str",
                    "reviewer": {"name": "str", "email": "str", "id": "str"},
                    "justification": "str",
                    "wanted": "str",
                    "confidence_override": "null",
                    "accept_unproven": "bool",
                    "created_at": "str",
                    "review_version": "int",
                    "review_revision": "int",
                    "evidence_digest": "str",
                    "head": "str",
                    "status_before": "str",
                    "state": "str",
                    "action": "str",
                    "detail": "str",
                }
            ]
        )

    def test_advisories(self, call: Call, osv: Path) -> None:
        assert call("advisories", "status", "--json").json is None
        assert shape(call("advisories", "sync", "--advisories", osv, "--json").json) == snapshot(
            {
                "outcome": "str",
                "source": "str",
                "path": "str",
                "records": "int",
                "packages": "int",
                "updated_at": "str",
                "changed": "int",
                "removed": "int",
                "broken": [],
                "seconds": "float",
            }
        )
        assert shape(call("advisories", "status", "--json").json) == snapshot(
            {
                "path": "str",
                "source": "str",
                "records": "int",
                "packages": "int",
                "updated_at": "str",
                "fetched_at": "str",
                "size": "int",
                "epss_date": "str",
                "kev_date": "str",
            }
        )

    def test_evidence_verify(self, call: Call, home: Path, tmp_path: Path) -> None:
        review = leave_a_review(home, tmp_path / "shop")
        told = call("evidence", "verify", review.evidence_path, "--json").json
        assert {**shape(told), "statement": sorted(told["statement"])} == snapshot(
            {"fingerprint": "str", "trust": "str", "statement": ["_type", "predicate", "predicateType", "subject"]}
        )
        assert sorted(told["statement"]["predicate"]) == snapshot(
            [
                "apvs",
                "arena",
                "evidence",
                "finishedAt",
                "probes",
                "project",
                "remedy",
                "run",
                "startedAt",
                "verdict",
                "versions",
            ]
        )

    def test_audit(self, call: Call, home: Path, tmp_path: Path) -> None:
        leave_a_review(home, tmp_path / "shop")
        assert shape(call("audit", "list", "--json").json) == snapshot(
            {
                "entries": [
                    {
                        "seq": "int",
                        "at": "str",
                        "actor": "str",
                        "action": "str",
                        "subject": "str",
                        "payload": "str",
                        "prev_hash": "str",
                        "hash": "str",
                    }
                ]
            }
        )
        assert shape(call("audit", "verify", "--json").json) == snapshot(
            {"ok": "bool", "entries": "int", "first_bad_seq": "null", "why": "str"}
        )


def test_the_settings() -> None:
    """Names and types; that .env.example lists every one is tested beside the settings."""
    told = {
        name.upper(): str(field.annotation).replace("pathlib._local.", "pathlib.")  # as Python 3.13 calls it
        for name, field in Settings.model_fields.items()
    }
    assert told == snapshot(
        {
            "VERTICE_HOME": "<class 'pathlib.Path'>",
            "DATABASE_URL": "<class 'pydantic.types.SecretStr'>",
            "ENVIRONMENT": "typing.Literal['development', 'production']",
            "LOG_LEVEL": "typing.Literal['DEBUG', 'INFO', 'WARNING', 'ERROR', 'CRITICAL']",
            "VERTICE_ADVISORIES": "pydantic.types.SecretStr | None",
            "VERTICE_EPSS": "pathlib.Path | None",
            "VERTICE_KEV": "pathlib.Path | None",
            "VERTICE_PROBES": "pathlib.Path | None",
        }
    )
