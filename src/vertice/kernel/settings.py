"""Every setting, typed. `load()` is called once in main and the result is passed in; nothing reads it at import.

`Settings` is what every command knows, `ServiceSettings` what a service knows besides: names such as DEBUG and PORT are
often set for other programs, and must not keep `vertice heal` from working.

Slow to import (pydantic): code on the way of `vertice scan` uses `kernel.environment` and `kernel.home` instead.
"""

import ipaddress
import json
import re
from pathlib import Path
from typing import Any, Literal, TypeVar

from pydantic import Field, SecretStr, ValidationError, field_validator
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict

from vertice import __version__
from vertice.kernel.environment import Environment
from vertice.kernel.errors import InputError
from vertice.kernel.text import printable

__all__ = ["ServiceSettings", "Settings", "load", "load_service"]

_Kind = TypeVar("_Kind", bound="Settings")

_DRIVERS = {
    "sqlite": "sqlite+aiosqlite",
    "sqlite+aiosqlite": "sqlite+aiosqlite",
    "postgres": "postgresql+asyncpg",
    "postgresql": "postgresql+asyncpg",
    "postgresql+asyncpg": "postgresql+asyncpg",
}


class Settings(BaseSettings):
    """What can be set. A field's environment name is its own in capitals; `.env.example` explains each."""

    model_config = SettingsConfigDict(frozen=True, extra="forbid")

    vertice_home: Path
    """Folder for everything Vértice keeps. Default: `~/.local/share/vertice`."""
    database_url: SecretStr = Field(default=SecretStr(""), validate_default=False)
    """SQLAlchemy URL with its async driver; a secret because it may hold a password."""
    environment: Literal["development", "production"] = "development"
    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL"] = "WARNING"
    vertice_advisories: SecretStr | None = None
    """OSV source: folder, zip or URL (which may hold a password)."""
    vertice_epss: Path | None = None
    """File of EPSS scores."""
    vertice_kev: Path | None = None
    """File of CISA's KEV catalogue."""
    vertice_probes: Path | None = None
    """Folder of further probes."""

    @field_validator("log_level", mode="before")
    @classmethod
    def _upper(cls, value: object) -> object:
        return value.upper() if isinstance(value, str) else value

    @field_validator("database_url", mode="after")
    @classmethod
    def _with_driver(cls, value: SecretStr) -> SecretStr:
        scheme, found, rest = value.get_secret_value().partition("://")
        driver = _DRIVERS.get(scheme)
        if not found or driver is None:
            raise ValueError("expected postgresql://…, postgresql+asyncpg://… or sqlite+aiosqlite:///…")
        if driver == "sqlite+aiosqlite" and not rest.startswith("/"):
            raise ValueError("expected three slashes before the file: sqlite+aiosqlite:///vertice.db")
        return SecretStr(f"{driver}://{rest}")

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],  # noqa: ARG003  (pydantic-settings' signature)
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,  # noqa: ARG003
        dotenv_settings: PydanticBaseSettingsSource,  # noqa: ARG003
        file_secret_settings: PydanticBaseSettingsSource,  # noqa: ARG003
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Take values from what `load` gives alone: `kernel.environment` is the one reader of the environment."""
        return (init_settings,)

    @property
    def database(self) -> str:
        """The database URL in clear, for the engine only."""
        return self.database_url.get_secret_value()


class ServiceSettings(Settings):
    """What a service knows besides (CONTRACT §2)."""

    app_name: str = "vertice"
    """What the service calls itself in traces, logs and to the identity provider's users."""
    app_version: str = __version__
    debug: bool = False
    """More in the log; refused in production."""
    host: str = "127.0.0.1"
    port: int = Field(default=8003, ge=0, le=65535)
    """0: any free one."""
    workers: int = Field(default=1, ge=1, le=64)
    """API processes on one port."""
    public_url: str = ""
    """Where people reach the service, for links and redirects; "" for http://HOST:PORT."""
    trusted_proxies: tuple[str, ...] = ()
    """Networks (CIDR) of proxies whose X-Forwarded-* headers are believed."""
    cors_origins: tuple[str, ...] = ()
    secret_key: SecretStr = SecretStr("")
    """What session and CSRF keys are derived from; "" in development for one that is made in the home."""
    rabbitmq_url: SecretStr = SecretStr("")
    """"": messages stay in the process."""
    redis_url: SecretStr = SecretStr("")
    """"": fan-out and rate limits stay in the process."""
    kafka_bootstrap_servers: str = ""
    prometheus_enabled: bool = True
    websocket_enabled: bool = True
    wargaming_enabled: bool = True
    """False: this process runs no wargames."""
    vertice_arena: Literal["bwrap", "github"] = "bwrap"
    """Where wargames of repositories on GitHub run: on the worker's machine, or in GitHub Actions."""
    github_token: SecretStr = SecretStr("")
    github_app_id: str = ""
    """App id or client id of a GitHub App to act as, in place of the token's owner."""
    github_app_private_key: SecretStr = SecretStr("")
    """PEM."""
    github_app_installation_id: int = Field(default=0, ge=0)
    """0: each repository is asked for its own."""
    github_leads: tuple[str, ...] = ()
    """Logins that an escalated pull request is assigned to."""
    github_repo_owner: str = ""
    github_repo_name: str = ""
    github_api_url: str = "https://api.github.com"
    github_webhook_secret: SecretStr = SecretStr("")
    oidc_issuer: str = ""
    oidc_client_id: str = ""
    oidc_client_secret: SecretStr = SecretStr("")
    oidc_audience: str = ""
    """Of access tokens that machines send, never the client's id; "": none are taken."""
    oidc_scopes: str = "openid profile email"
    """What the console asks the provider for; many tell groups only to who asks for `groups`."""
    oidc_role_claim: str = "groups"
    oidc_roles: dict[str, str] = Field(default_factory=dict)
    """Value of the claim -> role: `{"vertice-admins": "admin"}`."""
    rate_limit_address: str = "6000/minute"
    """Requests from one address: what a team behind one router and its machines need."""
    rate_limit_identity: str = "1200/minute"
    rate_limit_decisions: str = "120/minute"
    """By one person; a bulk decision counts as one."""
    rate_limit_login: str = "10/minute"
    """Attempts from one address."""
    health_latency_threshold_ms: float = Field(default=1000, gt=0, allow_inf_nan=False)
    """From which latency on a component of /health is degraded."""
    notify_urls: tuple[SecretStr, ...] = ()
    """Apprise URLs, which hold passwords."""
    otel_exporter_otlp_endpoint: str = ""
    vertice_config: Path | None = None
    """The service's own `vertice.toml`; None for the one in the home."""

    @field_validator("cors_origins", "github_leads", "notify_urls", "trusted_proxies", mode="before")
    @classmethod
    def _listed(cls, value: object) -> object:
        if not isinstance(value, str):
            return value
        if value.lstrip().startswith("["):
            return tuple(_parsed_json(value))
        return tuple(part for part in (part.strip() for part in value.split(",")) if part)

    @field_validator("oidc_roles", mode="before")
    @classmethod
    def _mapped(cls, value: object) -> object:
        return _parsed_json(value) if isinstance(value, str) else value

    @field_validator("trusted_proxies", mode="after")
    @classmethod
    def _networks(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        for network in value:
            ipaddress.ip_network(network, strict=False)
        return value

    @field_validator("cors_origins", mode="after")
    @classmethod
    def _origins(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        for origin in value:
            if "*" not in origin and not _ORIGIN.fullmatch(origin):
                raise ValueError("expected origins as browsers send them: http://localhost:5173,https://example.org")
        return value

    @field_validator("public_url", "github_api_url", "oidc_issuer", "otel_exporter_otlp_endpoint", mode="after")
    @classmethod
    def _url(cls, value: str) -> str:
        if value and not value.startswith(("http://", "https://")):
            raise ValueError("expected a URL that begins with https:// or http://")
        return value.rstrip("/")

    @property
    def production(self) -> bool:
        """Whether it runs where mistakes cost."""
        return self.environment == "production"

    def url(self, port: int | None = None) -> str:
        """Return where people reach the service; `port`: the one that PORT=0 found."""
        host = "127.0.0.1" if self.host in {"0.0.0.0", "::"} else self.host  # noqa: S104 -- what it is compared to
        return self.public_url or f"http://{f'[{host}]' if ':' in host else host}:{port or self.port}"

    def faults(self) -> tuple[str, ...]:
        """Return every reason not to start in production (CONTRACT §2); none in development."""
        if not self.production:
            return ()
        urls = {
            "DATABASE_URL": self.database,
            "RABBITMQ_URL": self.rabbitmq_url.get_secret_value(),
            "REDIS_URL": self.redis_url.get_secret_value(),
        }
        key = self.secret_key.get_secret_value()
        found = {
            "SECRET_KEY is not set, or is one that stands in an example: `openssl rand -hex 32` makes one": (
                len(key) < _MIN_KEY or any(word in key.lower() for word in _DEFAULT_WORDS)
            ),
            "DEBUG is true": self.debug,
            "CORS_ORIGINS allows every origin (*)": any("*" in origin for origin in self.cors_origins),
            "no identity provider is set: OIDC_ISSUER and OIDC_CLIENT_ID": not (
                self.oidc_issuer and self.oidc_client_id
            ),
            **{f"{name} has a default password": _has_default_password(url) for name, url in urls.items()},
        }
        return tuple(reason for reason, there in found.items() if there)


_ORIGIN = re.compile(r"https?://[a-z0-9.\-\[\]:]+")
_MIN_KEY = 32
_DEFAULT_WORDS = ("change", "secret-key", "default", "example", "your-")
_DEFAULT_PASSWORDS = frozenset(
    {"", "guest", "password", "postgres", "admin", "vertice", "changeme", "secret", "rabbitmq", "redis", "root", "test"}
)


def _has_default_password(url: str) -> bool:
    from urllib.parse import unquote, urlsplit

    if not url or url.startswith("sqlite"):
        return False
    parts = urlsplit(url)
    if parts.password is None:
        return parts.scheme.startswith(("amqp", "postgresql"))  # a Redis on a private network often has none
    return unquote(parts.password).lower() in _DEFAULT_PASSWORDS or parts.password == parts.username


def _parsed_json(text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError:
        raise ValueError("is not JSON") from None


def load(environment: Environment | None = None) -> Settings:
    """Return the settings of `environment` (of this process when None).

    Raises InputError that names the first variable whose value cannot be read; the value itself is not shown, it
    may be a secret.
    """
    return _load(Settings, environment)


def load_service(environment: Environment | None = None) -> ServiceSettings:
    """Return the settings of a service. Raises InputError, in production with every reason not to start."""
    found = _load(ServiceSettings, environment)
    if faults := found.faults():
        raise InputError(
            f"ENVIRONMENT=production, and {'; '.join(faults)}", where="settings", todo="Set what is named."
        )
    return found


def _load(kind: type[_Kind], environment: Environment | None) -> _Kind:
    environment = environment or Environment.of_process()
    _refuse_unknown(environment)
    names = (name for name in kind.model_fields if name != "vertice_home")
    values: dict[str, Any] = {name: found for name in names if (found := environment.lookup(name.upper())) is not None}
    values["vertice_home"] = environment.home
    values.setdefault("database_url", f"sqlite+aiosqlite:///{environment.home / 'vertice.db'}")
    paths = ("vertice_epss", "vertice_kev", "vertice_probes", "vertice_config")
    values.update({name: environment.path(name.upper()) for name in paths if name in kind.model_fields})
    try:
        return kind(**values)
    except ValidationError as error:
        # pydantic's own message shows the value, which may be a password: hence `from None` and no input.
        first = error.errors(include_input=False, include_url=False)[0]
        name = str(first["loc"][0]).upper()
        said = first["msg"].removeprefix("Value error, ")
        raise InputError(
            f"{name} cannot be read: {printable(said)}", where=name, todo=f"Correct or unset {name}."
        ) from None


def _refuse_unknown(environment: Environment) -> None:
    known = {name.upper() for name in ServiceSettings.model_fields}
    for path, names in environment.dotenv_names().items():
        for name in sorted(names):
            if name.startswith("VERTICE_") and name not in known:
                raise InputError(f"{name} is not a setting", where=str(path), todo="See .env.example for the names.")
            if name == "VERTICE_HOME":
                raise InputError(
                    "VERTICE_HOME cannot be set in a .env", where=str(path), todo="Set it in the environment."
                )
