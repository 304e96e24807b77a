"""`vertice serve`, `worker` and `login`: what they refuse, each in one clear error, and a login that works once."""

import re
import signal
import socket
import subprocess
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from tests.cli.conftest import Call
from tests.cli.refusal import refusal, tree
from tests.machine import Done, Machine
from tests.servers import PASSWORD

SECRETS = {
    "SECRET_KEY": "please-change-me",
    "DATABASE_URL": "postgresql://vertice:vertice@127.0.0.1:1/none",
    "RABBITMQ_URL": "amqp://guest:guest@127.0.0.1:1/",
    "REDIS_URL": "redis://:redis@127.0.0.1:1/0",
}
WHOLE = {
    **SECRETS,
    "ENVIRONMENT": "production",
    "DEBUG": "true",
    "CORS_ORIGINS": "https://console.example.org,*",
}
REASONS = (
    "SECRET_KEY is not set, or is one that stands in an example",
    "DEBUG is true",
    "CORS_ORIGINS allows every origin (*)",
    "no identity provider is set: OIDC_ISSUER and OIDC_CLIENT_ID",
    "DATABASE_URL has a default password",
    "RABBITMQ_URL has a default password",
    "REDIS_URL has a default password",
)
SAFE = {
    "ENVIRONMENT": "production",
    "SECRET_KEY": "7d1c" * 16,
    "OIDC_ISSUER": "https://login.example.org",
    "OIDC_CLIENT_ID": "vertice",
}


@pytest.fixture
def settings(home: Path, monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    for name in (*WHOLE, *SAFE, "PORT", "HOST", "WORKERS", "VERTICE_CONFIG"):
        monkeypatch.delenv(name, raising=False)
    return monkeypatch


@pytest.mark.parametrize("command", [("serve",), ("worker",), ("login",)], ids=lambda command: command[0])
def test_in_production_every_reason_not_to_start_is_named_and_no_secret(
    call: Call, settings: pytest.MonkeyPatch, command: tuple[str, ...]
) -> None:
    for name, value in WHOLE.items():
        settings.setenv(name, value)
    refused = refusal(call(*command))
    assert refused.code == 2
    assert [reason for reason in REASONS if reason not in refused.what] == []
    said = f"{refused.what} {refused.where} {refused.todo}"
    assert not [secret for secret in SECRETS.values() if secret in said]


@pytest.mark.parametrize("name", ["SECRET_KEY", "OIDC_ISSUER", "OIDC_CLIENT_ID"])
def test_in_production_one_reason_is_enough(call: Call, settings: pytest.MonkeyPatch, name: str) -> None:
    for other, value in SAFE.items():
        settings.setenv(other, value)
    settings.delenv(name)
    refused = refusal(call("serve"))
    assert (refused.code, ";" in refused.what) == (2, False)


def test_in_production_the_schema_is_brought_up_by_hand(call: Call, settings: pytest.MonkeyPatch, home: Path) -> None:
    for name, value in SAFE.items():
        settings.setenv(name, value)
    for command in ("serve", "worker"):
        refused = refusal(call(command))
        assert (refused.code, refused.where, refused.todo) == (2, "DATABASE_URL", "Run `vertice db upgrade`.")


@pytest.mark.parametrize(
    ("name", "value", "said"),
    [
        ("PORT", "http", "PORT cannot be read"),
        ("PORT", "70000", "PORT cannot be read"),
        ("WORKERS", "0", "WORKERS cannot be read"),
        ("DEBUG", "perhaps", "DEBUG cannot be read"),
        ("ENVIRONMENT", "staging", "ENVIRONMENT cannot be read"),
        ("DATABASE_URL", f"mysql://root:{PASSWORD}@localhost/x", "DATABASE_URL cannot be read"),
        ("RABBITMQ_URL", f"http://guest:{PASSWORD}@localhost", "is not a RabbitMQ URL"),
        ("REDIS_URL", f"http://:{PASSWORD}@localhost", "is not a Redis URL"),
        ("PUBLIC_URL", "example.org", "PUBLIC_URL cannot be read"),
        ("TRUSTED_PROXIES", "10.0.0.0/99", "TRUSTED_PROXIES cannot be read"),
        ("OIDC_ROLES", "[1", "OIDC_ROLES cannot be read"),
        ("CORS_ORIGINS", "example.org", "CORS_ORIGINS cannot be read"),
        ("CORS_ORIGINS", "https://example.org/", "CORS_ORIGINS cannot be read"),
        ("HEALTH_LATENCY_THRESHOLD_MS", "0", "HEALTH_LATENCY_THRESHOLD_MS cannot be read"),
        ("OIDC_ISSUER", "https://login.example.org", "OIDC_ISSUER is set, and OIDC_CLIENT_ID is not"),
        ("RATE_LIMIT_LOGIN", "often", "often is not a rate RATE_LIMIT_LOGIN"),
        ("VERTICE_CONFIG", "/nowhere/vertice.toml", "no such file or directory"),
    ],
)
def test_a_setting_that_cannot_be_used_is_named(
    call: Call, settings: pytest.MonkeyPatch, home: Path, name: str, value: str, said: str
) -> None:
    settings.setenv("PORT", "0")
    settings.setenv(name, value)
    refused = refusal(call("serve"))
    assert refused.code == 2
    assert said in f"{refused.what} {refused.where}"
    assert PASSWORD not in f"{refused.what} {refused.where} {refused.todo}"


def test_several_api_processes_need_postgresql(call: Call, settings: pytest.MonkeyPatch, home: Path) -> None:
    refused = refusal(call("serve", "--workers", "2"))
    assert (refused.code, refused.where) == (2, "WORKERS")
    assert refused.what == "2 API processes on SQLite"
    assert refused.todo == "Set DATABASE_URL to PostgreSQL, or serve with one."
    assert not (home / "vertice.db").exists()


def test_a_policy_that_cannot_be_read_is_said_before_anything_is_served(
    call: Call, settings: pytest.MonkeyPatch, home: Path
) -> None:
    home.mkdir()
    (home / "vertice.toml").write_text("[policy]\napprovals = 0\n")
    refused = refusal(call("serve", "--port", "0"))
    assert refused.code == 2
    assert "policy.approvals" in f"{refused.what} {refused.where}"


@pytest.mark.parametrize("command", [("serve",), ("worker",), ("login",)], ids=lambda command: command[0])
def test_a_database_that_is_not_there_is_one_clear_error(
    call: Call, settings: pytest.MonkeyPatch, command: tuple[str, ...]
) -> None:
    settings.setenv("DATABASE_URL", f"postgresql://vertice:{PASSWORD.replace('@', '%40')}@127.0.0.1:1/none")
    refused = refusal(call(*command))
    assert (refused.code, refused.where) == (3, "postgresql+asyncpg://vertice:***@127.0.0.1:1/none")


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    """Its home has no caches: nothing is scanned here."""
    home = tmp_path / "home"
    home.mkdir(exist_ok=True)
    (home / "gitconfig").write_text("[user]\n\tname = Rita Reviewer\n\temail = rita@example.org\n")
    return Machine(home, {"PORT": "0"})


@pytest.fixture
def taken() -> Iterator[int]:
    """A port that somebody listens on."""
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        listening.listen()
        yield listening.getsockname()[1]


def test_a_port_that_is_taken_is_one_clear_error(machine: Machine, taken: int) -> None:
    done = machine.run("serve", "--port", str(taken))
    refused = refusal(Done(done.code, "", done.err))
    assert (refused.code, refused.where) == (3, f"127.0.0.1:{taken}")
    assert "cannot listen: Address already in use" in refused.what


def test_the_same_for_several_processes(machine: Machine, taken: int, postgres_url: str) -> None:
    machine.environment["DATABASE_URL"] = postgres_url
    done = machine.run("serve", "--port", str(taken), "--workers", "2")
    refused = refusal(Done(done.code, "", done.err))
    assert (refused.code, refused.where) == (3, f"127.0.0.1:{taken}")


def test_a_second_service_in_the_same_home_is_refused(machine: Machine, served: str) -> None:
    done = machine.run("serve", "--port", "0")
    refused = refusal(Done(done.code, "", done.err))
    assert (refused.code, refused.what) == (3, "another process works with this home already")


@pytest.fixture
def served(machine: Machine) -> Iterator[str]:
    """A service on the embedded default; it ends with 0 and without a traceback."""
    log = machine.home / "log"
    with log.open("wb") as stream:
        process = subprocess.Popen(
            machine.command("serve"), env=machine.variables, cwd=machine.home, stdout=stream, stderr=stream
        )
    try:
        while not (found := re.search(r"serves at (http://127\.0\.0\.1:(\d+))\n", log.read_text())):
            assert process.poll() is None, log.read_text()
        machine.environment["PORT"] = found[2]
        yield found[1]
        process.send_signal(signal.SIGTERM)
        assert process.wait(60) == 0
        assert "Traceback" not in log.read_text()
    finally:
        process.kill()
        process.wait()


def test_a_login_is_printed_that_works_once(machine: Machine, served: str) -> None:
    """Beside the one that `serve` printed, and only where the service is."""
    done = machine.run("login")
    assert (done.code, done.err) == (0, "")
    url, token = done.out.strip().split("/hitl/login?token=")
    assert url == served
    with httpx.Client(base_url=served) as client:
        answer = client.post("/hitl/session", json={"token": token})
        assert (answer.status_code, answer.json()["principal"]["name"]) == (201, "Rita Reviewer")
        assert client.get("/hitl/reviews").status_code == 200
    with httpx.Client(base_url=served) as other:
        assert other.post("/hitl/session", json={"token": token}).status_code == 401


def test_where_a_provider_knows_the_people_there_is_no_other_login(
    call: Call, settings: pytest.MonkeyPatch, home: Path
) -> None:
    settings.setenv("OIDC_ISSUER", "https://login.example.org")
    settings.setenv("OIDC_CLIENT_ID", "vertice")
    before = tree(home)
    refused = refusal(call("login"))
    assert (refused.code, refused.where) == (2, "OIDC_ISSUER")
    assert "token" not in f"{refused.what} {refused.todo}"
    assert before == {}
