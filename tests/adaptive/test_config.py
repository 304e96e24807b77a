"""vertice.toml."""

from dataclasses import FrozenInstanceError
from datetime import date
from pathlib import Path

import pytest

from vertice.adaptive.advisories.model import Severity
from vertice.adaptive.config import Config, RemedyConfig, ScanConfig, Waiver, WargameConfig, load_config, parse_config
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
        ("[policy]\nauto-merge = true", "policy.auto-merge: unknown key"),
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
