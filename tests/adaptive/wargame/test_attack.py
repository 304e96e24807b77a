"""What a run is taken to mean. Anything but a clean end with a proper last line is an error, never a pass."""

import pytest

from vertice.adaptive.wargame.attack import read_outcome
from vertice.adaptive.wargame.model import Outcome, Role
from vertice.kernel.sandbox.model import Ended, Limits
from vertice.kernel.sandbox.model import Outcome as JobOutcome

LIMITS = Limits()


def ended(stdout: bytes, *, how: Ended = Ended.exited, returncode: int | None = 0, stderr: bytes = b"") -> JobOutcome:
    return JobOutcome(how, returncode, stdout, stderr, 0.1)


@pytest.mark.parametrize(
    ("role", "said"),
    [(Role.attack, "exploited"), (Role.variant, "blocked"), (Role.control, "works"), (Role.control, "broken")],
)
def test_the_last_line_counts(role: Role, said: str) -> None:
    out = f'{{"outcome": "error", "evidence": "an earlier line"}}\n{{"outcome": "{said}", "evidence": "seen"}}\n\n'
    assert read_outcome(ended(out.encode()), role, LIMITS) == (Outcome(said), "seen")


@pytest.mark.parametrize(
    "out",
    [
        b"",
        b"blocked",
        b'"blocked"',
        b'["blocked"]',
        b'{"outcome": "blocked"}',
        b'{"outcome": "blocked", "evidence": 7}',
        b'{"outcome": "passed", "evidence": ""}',
        b'{"outcome": "works", "evidence": "a control\'s word"}',
        b'{"outcome": ["blocked"], "evidence": ""}',
        b'{"outcome": "blocked", "evidence": ""}\nand then something',
        b"\xff\xfe",
        b"[" * 100_000,
    ],
)
def test_a_line_that_is_no_outcome_is_an_error(out: bytes) -> None:
    assert read_outcome(ended(out), Role.attack, LIMITS)[0] is Outcome.error


def test_a_probe_that_says_blocked_but_exits_badly_is_an_error() -> None:
    out = b'{"outcome": "blocked", "evidence": ""}'
    assert read_outcome(ended(out, returncode=1), Role.attack, LIMITS)[0] is Outcome.error


@pytest.mark.parametrize("how", [one for one in Ended if one is not Ended.exited])
def test_a_run_that_was_stopped_is_an_error_that_says_why(how: Ended) -> None:
    out = b'{"outcome": "blocked", "evidence": ""}'
    outcome, why = read_outcome(ended(out, how=how, returncode=None), Role.attack, LIMITS)
    assert outcome is Outcome.error
    assert why.startswith("stopped")


def test_evidence_is_made_safe_to_show() -> None:
    out = b'{"outcome": "blocked", "evidence": "\\u001b[2J\\u202e"}'
    assert read_outcome(ended(out), Role.attack, LIMITS)[1] == "\\x1b[2J\\u202e"
