"""GitHub as the settings of a service say it."""

from typing import TYPE_CHECKING

from vertice.kernel.settings import ServiceSettings

if TYPE_CHECKING:
    from vertice.adaptive.execution.github import GitHubSettings

__all__ = ["github_of"]


def github_of(settings: ServiceSettings) -> "GitHubSettings | None":
    """Return how GitHub is used, None without a token."""
    from vertice.adaptive.execution.github import GitHubSettings
    from vertice.adaptive.execution.github_client import Access

    if not settings.github_token.get_secret_value():
        return None
    review_url = f"{settings.public_url}/reviews/{{code}}" if settings.public_url else ""
    return GitHubSettings(Access(settings.github_token, settings.github_api_url), review_url=review_url)
