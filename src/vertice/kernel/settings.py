"""Every setting, typed. `load()` is called once in main and the result is passed in; nothing reads it at import.

Slow to import (pydantic): code on the way of `vertice scan` uses `kernel.environment` and `kernel.home` instead.
"""

from pathlib import Path
from typing import Any, Literal

from pydantic import Field, SecretStr, ValidationError, field_validator
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict

from vertice.kernel.environment import Environment
from vertice.kernel.errors import InputError
from vertice.kernel.text import printable

__all__ = ["Settings", "load"]

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


def load(environment: Environment | None = None) -> Settings:
    """Return the settings of `environment` (of this process when None).

    Raises InputError that names the first variable whose value cannot be read; the value itself is not shown, it
    may be a secret.
    """
    environment = environment or Environment.of_process()
    _refuse_unknown(environment)
    names = (name for name in Settings.model_fields if name != "vertice_home")
    values: dict[str, Any] = {name: found for name in names if (found := environment.lookup(name.upper())) is not None}
    values["vertice_home"] = environment.home
    values.setdefault("database_url", f"sqlite+aiosqlite:///{environment.home / 'vertice.db'}")
    paths = ("VERTICE_EPSS", "VERTICE_KEV", "VERTICE_PROBES")
    values.update({name.lower(): environment.path(name) for name in paths})
    try:
        return Settings(**values)
    except ValidationError as error:
        # pydantic's own message shows the value, which may be a password: hence `from None` and no input.
        first = error.errors(include_input=False, include_url=False)[0]
        name = str(first["loc"][0]).upper()
        said = first["msg"].removeprefix("Value error, ")
        raise InputError(
            f"{name} cannot be read: {printable(said)}", where=name, todo=f"Correct or unset {name}."
        ) from None


def _refuse_unknown(environment: Environment) -> None:
    known = {name.upper() for name in Settings.model_fields}
    for path, names in environment.dotenv_names().items():
        for name in sorted(names):
            if name.startswith("VERTICE_") and name not in known:
                raise InputError(f"{name} is not a setting", where=str(path), todo="See .env.example for the names.")
            if name == "VERTICE_HOME":
                raise InputError(
                    "VERTICE_HOME cannot be set in a .env", where=str(path), todo="Set it in the environment."
                )
