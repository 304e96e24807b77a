"""Settings: where values come from, and what is said about bad ones."""

from pathlib import Path

import pytest

from vertice.kernel import settings
from vertice.kernel.environment import Environment
from vertice.kernel.errors import InputError
from vertice.kernel.home import home_from_environment, make_private


@pytest.fixture
def place(tmp_path: Path):
    """Return a function that makes an environment in empty folders of its own."""
    for name in ("work", "home", "secrets"):
        (tmp_path / name).mkdir()

    def make(**variables: str) -> Environment:
        variables = {"VERTICE_HOME": str(tmp_path / "home"), **variables}
        return Environment(variables, tmp_path / "work", tmp_path / "secrets")

    return make


def test_with_nothing_set_everything_has_a_safe_default(place, tmp_path):
    found = settings.load(place())
    assert found.database == f"sqlite+aiosqlite:///{tmp_path}/home/vertice.db"
    assert (found.environment, found.log_level) == ("development", "WARNING")
    assert (found.vertice_advisories, found.vertice_epss, found.vertice_kev, found.vertice_probes) == (None,) * 4


def test_the_example_file_loads_and_lists_every_setting(place, tmp_path):
    example = (Path(__file__).parents[2] / ".env.example").read_text()
    default = settings.load_service(place())
    (tmp_path / "work" / ".env").write_text(example)
    assert settings.load_service(place()) == default
    for name in settings.ServiceSettings.model_fields:
        assert f"\n{name.upper()}=" in example or f"\n# {name.upper()}=" in example
    (tmp_path / "work" / ".env").write_text(example.replace("LOG_LEVEL=WARNING", "LOG_LEVEL=DEBUG"))
    assert settings.load(place()).log_level == "DEBUG"


def test_the_home_is_absolute_and_follows_xdg():
    assert Environment({"XDG_DATA_HOME": "/data"}, Path("/")).home == Path("/data/vertice")
    assert Environment({"XDG_DATA_HOME": "relative"}, Path("/")).home == Path("~/.local/share/vertice").expanduser()
    assert Environment({"VERTICE_HOME": "~/v"}, Path("/")).home == Path("~/v").expanduser()
    assert Environment({"VERTICE_HOME": "v"}, Path("/")).home == Path.cwd() / "v"


def test_the_light_home_and_the_settings_agree(monkeypatch, tmp_path):
    monkeypatch.setenv("VERTICE_HOME", str(tmp_path))
    assert home_from_environment() == settings.load().vertice_home == tmp_path


def test_the_sources_in_their_order(place, tmp_path):
    (tmp_path / "secrets" / "log_level").write_text("CRITICAL\n")
    assert settings.load(place()).log_level == "CRITICAL"
    (tmp_path / "home" / ".env").write_text("LOG_LEVEL=ERROR\n")
    assert settings.load(place()).log_level == "ERROR"
    (tmp_path / "work" / ".env").write_text("export LOG_LEVEL='INFO'  # mine\n")
    assert settings.load(place()).log_level == "INFO"
    (tmp_path / "level").write_text("debug\n")
    assert settings.load(place(LOG_LEVEL_FILE=str(tmp_path / "level"))).log_level == "DEBUG"
    assert settings.load(place(LOG_LEVEL="warning")).log_level == "WARNING"
    assert settings.load(place(LOG_LEVEL="")).log_level == "INFO", "empty counts as not set"


@pytest.mark.parametrize("manifest", ["pyproject.toml", "requirements-dev.txt", "uv.lock"])
def test_the_env_file_of_a_project_is_the_projects_own(place, tmp_path, manifest):
    """A service's .env names its own database, and may be for another program altogether."""
    default = settings.load(place())
    (tmp_path / "work" / ".env").write_text("DATABASE_URL=mysql://app:pw@prod/orders\nENVIRONMENT=staging\n")
    with pytest.raises(InputError):
        settings.load(place())
    (tmp_path / "work" / manifest).touch()
    assert settings.load(place()) == default


def test_a_name_set_in_two_ways_is_refused(place, tmp_path):
    with pytest.raises(InputError, match="LOG_LEVEL and LOG_LEVEL_FILE are both set"):
        settings.load(place(LOG_LEVEL="INFO", LOG_LEVEL_FILE=str(tmp_path / "x")))


def test_a_file_that_is_missing_is_named_with_its_setting(place, tmp_path):
    with pytest.raises(InputError, match="DATABASE_URL_FILE: no such file") as caught:
        settings.load(place(DATABASE_URL_FILE=str(tmp_path / "none")))
    assert caught.value.where == str(tmp_path / "none")


@pytest.mark.parametrize(
    ("given", "meant"),
    [
        ("postgresql+asyncpg://u:p@h:5432/db", "postgresql+asyncpg://u:p@h:5432/db"),
        ("postgresql://u:p%40@h/db", "postgresql+asyncpg://u:p%40@h/db"),
        ("postgres://u@h/db", "postgresql+asyncpg://u@h/db"),
        ("sqlite+aiosqlite:///x.db", "sqlite+aiosqlite:///x.db"),
        ("sqlite:////var/x.db", "sqlite+aiosqlite:////var/x.db"),
    ],
)
def test_database_urls_as_operators_write_them(place, given, meant):
    assert settings.load(place(DATABASE_URL=given)).database == meant


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("DATABASE_URL", "mysql://u:geheim@h/db"),
        ("DATABASE_URL", "geheim"),
        ("DATABASE_URL", "sqlite+aiosqlite://geheim.db"),
        ("LOG_LEVEL", "geheim"),
        ("ENVIRONMENT", "geheim"),
    ],
)
def test_an_unreadable_value_names_its_variable_and_not_the_value(place, name, value):
    with pytest.raises(InputError) as caught:
        settings.load(place(**{name: value}))
    assert (caught.value.where, caught.value.exit_code) == (name, 2)
    assert "geheim" not in str(caught.value)
    assert caught.value.__cause__ is None, "the cause would show the value"


def test_a_password_is_not_shown(place):
    found = settings.load(place(DATABASE_URL="postgresql://u:geheim@h/db", VERTICE_ADVISORIES="https://u:geheim@m/"))
    assert "geheim" not in repr(found) + str(found) + found.model_dump_json()


def test_settings_are_frozen(place):
    with pytest.raises(ValueError, match="frozen"):
        settings.load(place()).log_level = "DEBUG"


def test_paths_are_made_absolute(place, tmp_path):
    assert settings.load(place(VERTICE_PROBES="probes")).vertice_probes == tmp_path / "work" / "probes"


@pytest.mark.parametrize(
    ("line", "why"),
    [("VERTICE_PROBE=x", "VERTICE_PROBE is not a setting"), ("VERTICE_HOME=/x", "cannot be set in a .env")],
)
def test_a_wrong_name_in_an_env_file_is_said(place, tmp_path, line, why):
    (tmp_path / "home" / ".env").write_text(line + "\n")
    with pytest.raises(InputError, match=why) as caught:
        settings.load(place())
    assert caught.value.where == str(tmp_path / "home" / ".env")


def test_an_env_file_that_is_not_text_is_said(place, tmp_path):
    (tmp_path / "work" / ".env").write_bytes(b"LOG_LEVEL=\xff\n")
    with pytest.raises(InputError, match="is not UTF-8"):
        settings.load(place())


def test_a_private_folder_is_its_owners_alone(tmp_path):
    made = make_private(tmp_path / "a" / "b")
    assert made.stat().st_mode & 0o777 == 0o700
    made.chmod(0o755)
    assert make_private(made).stat().st_mode & 0o777 == 0o700


SAFE = {
    "ENVIRONMENT": "production",
    "SECRET_KEY": "9f8a" * 16,
    "DATABASE_URL": "postgresql://vertice_app:Zr8-kkq1@db/adaptive_immune",
    "RABBITMQ_URL": "amqp://vertice_app:Zr8-kkq1@mq:5672/",
    "REDIS_URL": "redis://redis:6379/0",
    "OIDC_ISSUER": "https://login.example.org",
    "OIDC_CLIENT_ID": "vertice",
}


def test_a_service_starts_in_production_when_nothing_is_left_to_chance(place):
    assert settings.load_service(place(**SAFE)).faults() == ()


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"SECRET_KEY": ""}, "SECRET_KEY is not set"),
        ({"SECRET_KEY": "short"}, "SECRET_KEY is not set"),
        ({"SECRET_KEY": "change-me-change-me-change-me-change-me"}, "SECRET_KEY is not set"),
        ({"DEBUG": "true"}, "DEBUG is true"),
        ({"CORS_ORIGINS": "*"}, "CORS_ORIGINS allows every origin"),
        ({"CORS_ORIGINS": '["https://a.example", "*"]'}, "CORS_ORIGINS allows every origin"),
        ({"RABBITMQ_URL": "amqp://guest:guest@mq/"}, "RABBITMQ_URL has a default password"),
        ({"RABBITMQ_URL": "amqp://mq/"}, "RABBITMQ_URL has a default password"),
        ({"DATABASE_URL": "postgresql://postgres:postgres@db/x"}, "DATABASE_URL has a default password"),
        ({"DATABASE_URL": "postgresql://vertice:VERTICE@db/x"}, "DATABASE_URL has a default password"),
        ({"REDIS_URL": "redis://:redis@redis/0"}, "REDIS_URL has a default password"),
        ({"OIDC_CLIENT_ID": ""}, "no identity provider"),
        ({"OIDC_ISSUER": ""}, "no identity provider"),
    ],
    ids=lambda value: "-".join(sorted(value)) if isinstance(value, dict) else value.split()[0],
)
def test_a_service_does_not_start_in_production_on_what_an_attacker_would_try_first(place, change, reason):
    with pytest.raises(InputError, match="ENVIRONMENT=production") as caught:
        settings.load_service(place(**(SAFE | change)))
    assert reason in str(caught.value)
    assert "Zr8-kkq1" not in str(caught.value)
    assert settings.load_service(place(**(SAFE | change | {"ENVIRONMENT": "development"}))).faults() == ()


def test_every_reason_is_named_at_once(place):
    with pytest.raises(InputError) as caught:
        settings.load_service(place(ENVIRONMENT="production", DEBUG="1", RABBITMQ_URL="amqp://guest:guest@mq/"))
    assert str(caught.value).count(";") == 3, "secret key, debug, provider, broker"


def test_lists_are_read_as_commas_and_as_json(place):
    origins = ("http://localhost:5173", "http://localhost:3000")
    assert settings.load_service(place(CORS_ORIGINS=", ".join(origins))).cors_origins == origins
    assert (
        settings.load_service(place(CORS_ORIGINS='["http://localhost:5173","http://localhost:3000"]')).cors_origins
        == origins
    )
    assert settings.load_service(place(OIDC_ROLES='{"sec": "lead"}')).oidc_roles == {"sec": "lead"}


@pytest.mark.parametrize(
    ("name", "value"),
    [("PORT", "http"), ("PORT", "70000"), ("TRUSTED_PROXIES", "10.0.0.0/99"), ("OIDC_ROLES", "{"), ("PUBLIC_URL", "x")],
)
def test_a_bad_value_of_a_service_is_named_and_does_not_trouble_a_scan(place, name, value):
    with pytest.raises(InputError, match=f"{name} cannot be read"):
        settings.load_service(place(**{name: value}))
    assert settings.load(place(**{name: value})).environment == "development"
