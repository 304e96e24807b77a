"""vertice.toml."""

from dataclasses import FrozenInstanceError
from datetime import date, timedelta
from pathlib import Path

import pytest

from vertice.adaptive.advisories.model import Severity
from vertice.adaptive.config import (
    Config,
    RemedyConfig,
    ScanConfig,
    Waiver,
    WargameConfig,
    load_config,
    load_policy,
    parse_config,
)
from vertice.adaptive.remedy.model import Strategy
from vertice.adaptive.review.policy import (
    ALONE,
    TEAM,
    UNRESTRICTED,
    AutoMerge,
    Bulk,
    BySeverity,
    ChangeSize,
    Policy,
    Roles,
)
from vertice.kernel.auth.model import Role
from vertice.kernel.errors import InputError
from vertice.kernel.sandbox.model import Limits

EXAMPLE = Path(__file__).parents[2] / "docs" / "vertice.example.toml"


def test_without_a_file_the_defaults_hold(tmp_path: Path) -> None:
    assert load_config(tmp_path) == Config()


def test_the_example_shows_every_key_with_its_default() -> None:
    text = EXAMPLE.read_text()
    assert parse_config(text) == Config()
    for key in ("fail-on", "advisories", "repeats", "seconds", "memory", "processes", "output", "tests", "python"):
        assert f"\n{key} = " in text
    for key in ("tests-seconds", "probes", "minimum-age-days", "prereleases", "hold-younger-than-days"):
        assert f"\n{key} = " in text
    for key in ("approvals", "proposer-may-approve", "time-limits", "# escalate-to", "approve", "reject", "modify"):
        assert f"\n{key} = " in text
    for key in ("escalate", "enabled", "severities", "strategies", "change", "confidence", "severity"):
        assert f"\n{key} = " in text


def test_the_policy_in_the_example_is_whole(tmp_path: Path) -> None:
    text = EXAMPLE.read_text().replace("# escalate-to", "escalate-to")
    (tmp_path / "vertice.toml").write_text(text[text.index("[policy]") :])
    assert load_policy(tmp_path, base=UNRESTRICTED) == Policy(escalate_to=("lead@example.org",))


def test_the_waiver_in_the_example_is_one() -> None:
    text = EXAMPLE.read_text()
    block = text[text.index("# [[waivers]]") : text.index("[wargame]")]
    waivers = parse_config("\n".join(line.removeprefix("# ") for line in block.splitlines())).waivers
    assert waivers == (
        Waiver(
            "CVE-2020-14343", "Only our own files are loaded, never a customer's.", date(2027, 1, 31), package="pyyaml"
        ),
    )


def test_every_group_is_read(tmp_path: Path) -> None:
    (tmp_path / "vertice.toml").write_text("""
        [scan]
        fail-on = "high"
        advisories = "feeds/all.zip"
        [[waivers]]
        id = "GHSA-8q59-q68h-6hv4"
        package = "PyYAML"
        reason = "We load our own files."
        until = 2027-01-31
        [[waivers]]
        id = "APV-20261121-001"
        reason = "Accepted by the owner."
        until = 2027-02-28
        [wargame]
        repeats = 5
        seconds = 2.5
        memory = "512 MiB"
        processes = 8
        output = "1kB"
        tests = "python -m pytest -k 'not slow'"
        tests-seconds = 60
        python = "3.11"
        probes = ["probes"]
        [remedy]
        minimum-age-days = 7
        prereleases = true
        [policy]
        hold-younger-than-days = 3
    """)
    config = load_config(tmp_path)
    assert config.scan == ScanConfig(Severity.high, str(tmp_path / "feeds/all.zip"))
    assert config.waivers == (
        Waiver("GHSA-8q59-q68h-6hv4", "We load our own files.", date(2027, 1, 31), "pyyaml"),
        Waiver("APV-20261121-001", "Accepted by the owner.", date(2027, 2, 28)),
    )
    assert config.wargame == WargameConfig(
        repeats=5,
        seconds=2.5,
        memory_bytes=512 * 1024**2,
        processes=8,
        output_bytes=1000,
        tests=("python", "-m", "pytest", "-k", "not slow"),
        tests_seconds=60.0,
        python="3.11",
        probes=(tmp_path / "probes",),
    )
    assert config.remedy == RemedyConfig(7, prereleases=True)
    assert config.policy.hold_younger_than_days == 3
    assert config.wargame.limits == Limits(2.5, 512 * 1024**2, 8, 1000)


def test_a_url_stays_as_it_is() -> None:
    text = '[scan]\nadvisories = "https://example.org/all.zip"'
    assert parse_config(text, root=Path("/x")).scan.advisories == "https://example.org/all.zip"


@pytest.mark.parametrize("none", ["[]", '""'])
def test_a_project_can_have_no_tests(none: str) -> None:
    assert parse_config(f"[wargame]\ntests = {none}").wargame.tests == ()


def test_the_default_limits_are_the_arenas() -> None:
    assert Config().wargame.limits == Limits()


def test_it_is_frozen() -> None:
    with pytest.raises(FrozenInstanceError):
        Config().wargame.repeats = 4  # type: ignore[misc]


def test_a_policy_says_only_what_differs_from_the_default() -> None:
    policy = parse_config("""
        [policy]
        approvals = { high = 3 }
        proposer-may-approve = false
        time-limits = { critical = "90m", low = "never" }
        [policy.roles]
        approve = { medium = "admin" }
        modify = "lead"
        [policy.auto-merge]
        enabled = true
        severities = ["low", "high", "low"]
        strategies = []
        change = "any"
        confidence = 1
        minimum-age-days = 30
        [policy.bulk]
        enabled = false
        severity = "low"
        confidence = 0.99
    """).policy
    assert policy == Policy(
        roles=Roles(
            approve=BySeverity(Role.lead, Role.reviewer, Role.admin, Role.reviewer), modify=BySeverity.all(Role.lead)
        ),
        approvals=BySeverity(2, 3, 1, 1),
        proposer_may_approve=False,
        time_limits=BySeverity(timedelta(minutes=90), timedelta(days=3), timedelta(days=14), None),
        auto_merge=AutoMerge(
            enabled=True,
            severities=(Severity.high, Severity.low),
            strategies=(),
            change=ChangeSize.any,
            confidence=1.0,
            minimum_age_days=30,
        ),
        bulk=Bulk(enabled=False, severity=Severity.low, confidence=0.99),
    )


def test_one_value_holds_for_every_severity() -> None:
    policy = parse_config('[policy]\napprovals = 2\ntime-limits = "2w"').policy
    assert policy.approvals == BySeverity.all(2)
    assert policy.time_limits == BySeverity.all(timedelta(weeks=2))


def test_what_a_project_does_not_say_is_the_base(tmp_path: Path) -> None:
    assert load_config(tmp_path, base=UNRESTRICTED).policy == UNRESTRICTED
    assert parse_config("[policy]", base=UNRESTRICTED).policy == UNRESTRICTED
    found = parse_config("[policy]\napprovals = { low = 2 }", base=UNRESTRICTED).policy
    assert found.approvals == BySeverity(1, 1, 1, 2)
    assert found.time_limits == UNRESTRICTED.time_limits


def test_strategies_are_those_of_remedies() -> None:
    text = f"[policy.auto-merge]\nstrategies = {[str(one) for one in Strategy]}"
    assert parse_config(text).policy.auto_merge.strategies == tuple(Strategy)


def test_the_service_finds_its_policy_in_its_home(tmp_path: Path) -> None:
    assert load_policy(tmp_path) == TEAM
    assert load_policy(tmp_path, base=ALONE) == ALONE
    (tmp_path / "vertice.toml").write_text('[policy]\nescalate-to = ["lead@example.org"]')
    assert load_policy(tmp_path).escalate_to == ("lead@example.org",)


def test_a_named_policy_file_counts_instead_and_must_be_there(tmp_path: Path) -> None:
    (tmp_path / "vertice.toml").write_text("[policy]\napprovals = 2")
    named = tmp_path / "other.toml"
    with pytest.raises(InputError, match="no such file"):
        load_policy(tmp_path, named)
    named.write_text("[policy]\napprovals = 3")
    assert load_policy(tmp_path, named).approvals == BySeverity.all(3)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[scan]", "scan: unknown key"),
        ('[policy]\nescalate-to = "lead@example.org"', "policy.escalate-to: must be a list of strings, not a string"),
        ('[policy]\nescalate-to = ["lead"]', "policy.escalate-to: 'lead' is no e-mail address"),
        ('[policy]\nescalate-to = ["a@b\\nBcc: x@y"]', "is no e-mail address"),
    ],
)
def test_what_is_wrong_in_the_services_file_is_named(tmp_path: Path, text: str, message: str) -> None:
    (tmp_path / "vertice.toml").write_text(text)
    with pytest.raises(InputError) as caught:
        load_policy(tmp_path)
    assert message in str(caught.value)


WAIVER = '[[waivers]]\nid = "CVE-1"\nreason = "A good reason."\nuntil = 2027-01-31\n'


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[scna]", 'scna: unknown key; did you mean "scan"?'),
        ("zzz = 1", "zzz: unknown key. "),
        ('[scan]\nfail_on = "high"', 'scan.fail_on: unknown key; did you mean "fail-on"?'),
        (WAIVER.replace("until", "untill"), 'waivers[0].untill: unknown key; did you mean "until"?'),
        (WAIVER + WAIVER.replace("reason =", "why ="), "waivers[1].why: unknown key"),
        (WAIVER.replace("until = 2027-01-31", ""), "waivers[0].until: is required"),
        (WAIVER.replace("A good reason.", "short"), "waivers[0].reason: must have at least 10 characters"),
        (WAIVER.replace("A good reason.", "       x        "), "waivers[0].reason: must have at least 10 characters"),
        (WAIVER.replace("2027-01-31", '"2027-01-31"'), "waivers[0].until: must be a date without quotes"),
        (WAIVER.replace("2027-01-31", "2027-01-31T00:00:00Z"), "waivers[0].until: must be a date without quotes"),
        (WAIVER.replace('"CVE-1"', '" "'), "waivers[0].id: must not be empty"),
        ("waivers = 1", "waivers: must be written as [[waivers]] entries"),
        ("waivers = [1]", "waivers: must be written as [[waivers]] entries"),
        ("scan = 1", "scan: must be a table, not a number"),
        ('[scan]\nfail-on = "hihg"', 'scan.fail-on: must be one of critical, high, medium, low; did you mean "high"?'),
        ("[scan]\nfail-on = 7", "scan.fail-on: must be a string, not a number"),
        ('[wargame]\nrepeats = "3"', "wargame.repeats: must be a whole number, not a string"),
        ("[wargame]\nrepeats = 3.5", "wargame.repeats: must be a whole number, not a number"),
        ("[wargame]\nrepeats = true", "wargame.repeats: must be a whole number, not true or false"),
        ("[wargame]\nrepeats = 0", "wargame.repeats: must be at least 1"),
        ("[wargame]\nseconds = nan", "wargame.seconds: must be more than 0"),
        ("[wargame]\nseconds = inf", "wargame.seconds: must be more than 0"),
        ("[wargame]\nmemory = 1024", "wargame.memory: must be a string, not a number"),
        ('[wargame]\nmemory = "1 TiB"', "wargame.memory: must be a size such as"),
        ('[wargame]\nmemory = "0 GiB"', "wargame.memory: must be a size such as"),
        ('[wargame]\nmemory = "-1 GiB"', "wargame.memory: must be a size such as"),
        ('[wargame]\nmemory = "GiB"', "wargame.memory: must be a size such as"),
        ("[wargame]\ntests = [1]", "wargame.tests: must be a list of strings"),
        ('[wargame]\ntests = "pytest \'x"', "wargame.tests: is no command line: No closing quotation"),
        ("[wargame]\nprobes = 'x'", "wargame.probes: must be a list of strings, not a string"),
        ("[remedy]\nprereleases = 1", "remedy.prereleases: must be true or false, not a number"),
        ("[policy]\nhold-younger-than-days = -1", "policy.hold-younger-than-days: must be at least 0"),
        ("[policy]\nauto-merge = true", "policy.auto-merge: must be a table, not true or false"),
        ("[policy]\napproval = 2", 'policy.approval: unknown key; did you mean "approvals"?'),
        ("[policy]\napprovals = 0", "policy.approvals: must be at least 1"),
        ("[policy]\napprovals = { critical = 0 }", "policy.approvals.critical: must be at least 1"),
        ("[policy]\napprovals = { urgent = 2 }", "policy.approvals.urgent: unknown key"),
        ("[policy]\napprovals = [2]", "policy.approvals: must be a whole number, not a list"),
        ('[policy]\nproposer-may-approve = "no"', "policy.proposer-may-approve: must be true or false, not a string"),
        ('[policy]\ntime-limits = { low = "3 days" }', "policy.time-limits.low: must be a time such as"),
        ('[policy]\ntime-limits = { low = "0h" }', "policy.time-limits.low: must be a time such as"),
        ('[policy]\ntime-limits = { low = "999999w" }', "policy.time-limits.low: must be a time such as"),
        ("[policy]\ntime-limits = { low = 3 }", "policy.time-limits.low: must be a string, not a number"),
        ('[policy]\nescalate-to = ["a@b"]', "policy.escalate-to: only the service's own vertice.toml says"),
        ("[policy]\nroles = 1", "policy.roles: must be a table, not a number"),
        ('[policy.roles]\naprove = "lead"', 'policy.roles.aprove: unknown key; did you mean "approve"?'),
        ('[policy.roles]\napprove = "viewer"', "policy.roles.approve: must be one of reviewer, lead, admin"),
        ('[policy.roles.approve]\nlow = "boss"', "policy.roles.approve.low: must be one of reviewer, lead, admin"),
        ("[policy.auto-merge]\non = true", "policy.auto-merge.on: unknown key"),
        ('[policy.auto-merge]\nseverities = "low"', "policy.auto-merge.severities: must be a list of strings"),
        ('[policy.auto-merge]\nstrategies = ["upgrde"]', "policy.auto-merge.strategies: must be one of upgrade"),
        ('[policy.auto-merge]\nchange = "major"', "policy.auto-merge.change: must be one of patch, minor, any"),
        ("[policy.auto-merge]\nconfidence = 1.01", "policy.auto-merge.confidence: must be between 0 and 1"),
        ("[policy.auto-merge]\nconfidence = nan", "policy.auto-merge.confidence: must be between 0 and 1"),
        ("[policy.bulk]\nconfidence = true", "policy.bulk.confidence: must be a number, not true or false"),
        ("[policy.bulk]\nseverity = 'none'", "policy.bulk.severity: must be one of critical, high, medium, low"),
        ('"\\u001b[31m" = 1', "\\x1b[31m: unknown key"),
        ("[scan", "is not TOML: "),
        ("[scan]\nfail-on = " + "1" * 5000, "is not TOML: "),
        ("x = " + "[" * 100_000, "vertice.toml: is "),
    ],
)
def test_what_is_wrong_is_named_with_its_path(text: str, message: str) -> None:
    with pytest.raises(InputError) as caught:
        parse_config(text)
    assert message in str(caught.value)
    assert str(caught.value).startswith("vertice.toml: ")
    assert caught.value.todo


def test_a_file_that_is_no_text_or_no_file_is_named(tmp_path: Path) -> None:
    path = tmp_path / "vertice.toml"
    path.write_bytes(b"\xff")
    with pytest.raises(InputError, match=r"vertice.toml:1: is not UTF-8"):
        load_config(tmp_path)
    path.unlink()
    path.symlink_to("nothing")
    with pytest.raises(InputError, match="no such file"):
        load_config(tmp_path)
    path.unlink()
    path.mkdir()
    with pytest.raises(InputError, match="is a directory"):
        load_config(tmp_path)
