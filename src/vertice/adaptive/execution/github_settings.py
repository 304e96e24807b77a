"""GitHub as the settings of a service say it."""

from typing import TYPE_CHECKING

from pydantic import SecretStr

from vertice.kernel.errors import InputError
from vertice.kernel.settings import ServiceSettings

if TYPE_CHECKING:
    from vertice.adaptive.execution.github import GitHubSettings
    from vertice.adaptive.execution.github_client import App

__all__ = ["github_of"]


def github_of(settings: ServiceSettings) -> "GitHubSettings | None":
    """Return how GitHub is used, None without a token and without an app; where there are both, as the app.

    Raises InputError when the app cannot be used.
    """
    from vertice.adaptive.execution.github import GitHubSettings
    from vertice.adaptive.execution.github_client import Access

    login = _app(settings) or settings.github_token
    if isinstance(login, SecretStr) and not login.get_secret_value():
        return None
    review_url = f"{settings.public_url}/reviews/{{code}}" if settings.public_url else ""
    access = Access(login, settings.github_api_url)
    return GitHubSettings(access, leads=settings.github_leads, review_url=review_url)


def _app(settings: ServiceSettings) -> "App | None":
    from vertice.adaptive.execution.github_client import App

    # In variables of one line the ends of lines are often written as \n.
    key = settings.github_app_private_key.get_secret_value().replace("\\n", "\n")
    if not settings.github_app_id and not key:
        return None
    if not settings.github_app_id or not key:
        missing = "GITHUB_APP_PRIVATE_KEY" if settings.github_app_id else "GITHUB_APP_ID"
        raise InputError(f"{missing} is not set", where="GitHub App", todo="Set both, or neither.")
    _check_key(key)
    return App(settings.github_app_id, SecretStr(key), settings.github_app_installation_id)


def _check_key(key: str) -> None:
    from cryptography.exceptions import UnsupportedAlgorithm
    from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
    from cryptography.hazmat.primitives.serialization import load_pem_private_key

    try:
        found = load_pem_private_key(key.encode(), password=None)
    except (ValueError, TypeError, UnsupportedAlgorithm):
        found = None
    if not isinstance(found, RSAPrivateKey):
        todo = "Give the .pem file that GitHub made for the app, in GITHUB_APP_PRIVATE_KEY_FILE."
        # Without its cause: that may tell of the key.
        raise InputError("is no RSA private key in PEM", where="GITHUB_APP_PRIVATE_KEY", todo=todo) from None
