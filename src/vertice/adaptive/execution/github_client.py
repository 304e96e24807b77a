"""Talking to GitHub: time limits on every request, waiting where it pays, and each way to fail in our own words.

What is done within `session` may be made again from its beginning at any time, so a fault that passes (a time limit, an
answer of 5xx, a limit that ends soon) makes all of it again, a few times, with growing pauses. Single requests are not
repeated: one that timed out may have been carried out, and only looking again tells.
"""

import re
import time
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, TypeVar
from urllib.parse import urlsplit

from vertice.adaptive.execution.interface import NotYetError
from vertice.kernel.errors import InputError, UnfinishedError, VerticeError
from vertice.kernel.text import printable

if TYPE_CHECKING:
    from collections.abc import Callable

    from githubkit import AppAuthStrategy, AppInstallationAuthStrategy, TokenAuthStrategy
    from githubkit import GitHub as GitHubKit
    from githubkit.cache import MemCacheStrategy
    from githubkit.exception import RequestFailed
    from pydantic import SecretStr

    from vertice.adaptive.execution.github_api import Api

__all__ = ["PUBLIC", "Access", "App", "limit_ends_in", "message_of", "session"]

PUBLIC = "https://api.github.com"
_ATTEMPTS = 4
_LONGEST_WAIT = 30.0
"""Seconds that a limit is waited for. What takes longer is left to whoever asked, who can do something else then."""
_LONGEST_SESSION = 180.0
_LONGEST_LIMIT = 86_400.0
_OWNER = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9-]{0,38})")
_REPO = re.compile(r"[A-Za-z0-9._-]{1,100}")
_LIMITED = frozenset({403, 429})
_INSTALLED = timedelta(hours=1)
"""How long it is believed where an app is installed."""

_T = TypeVar("_T")


def _no_tokens() -> "MemCacheStrategy":
    from githubkit.cache import MemCacheStrategy

    return MemCacheStrategy()


@dataclass(frozen=True, slots=True)
class App:
    """A GitHub App that Vértice acts as.

    For each repository it gets a token that is good for that one alone, for an hour; a new one is asked for a minute
    before the old one ends.
    """

    id: str
    """Its app id, or its client id."""
    private_key: "SecretStr"
    """RSA, PEM."""
    installation: int = 0
    """Id of its installation; 0: it is asked for where the repository has it."""
    tokens: "MemCacheStrategy" = field(default_factory=_no_tokens, repr=False, compare=False)
    """Those it has, in memory only."""


@dataclass(frozen=True, slots=True)
class Access:
    """How GitHub is reached, and as whom.

    The token or app needs, on the repositories concerned and no others: contents, pull requests and commit statuses
    (read and write), checks (read), and issues (read and write) where labels are to be made.
    """

    login: "SecretStr | App"
    """A token, or an app that gets its own."""
    base_url: str = PUBLIC
    seconds: float = 30.0
    """Time limit of one request."""

    def __post_init__(self) -> None:
        parts = urlsplit(self.base_url)
        local = parts.hostname in {"localhost", "127.0.0.1", "::1"}
        if parts.scheme != "https" and not (parts.scheme == "http" and local):
            raise InputError(
                "a token goes over https only", where=printable(self.base_url), todo="Give GitHub's API as https://…"
            )


def session(access: Access, owner: str, repo: str, work: "Callable[[Api], _T]") -> _T:
    """Return what `work` makes of the repository's API; `work` may be called several times.

    Raises InputError where GitHub says no, NotYetError where it may say yes later.
    """
    import stamina
    from githubkit.exception import GitHubException

    where = f"{owner}/{repo}"
    if not _OWNER.fullmatch(owner) or not _REPO.fullmatch(repo) or repo in {".", ".."}:
        raise InputError(f"{printable(where, limit=200)} is no GitHub repository", todo="Name it as owner/name.")
    try:
        for attempt in stamina.retry_context(
            on=_pause, attempts=_ATTEMPTS, timeout=_LONGEST_SESSION, wait_initial=0.5, wait_max=8.0
        ):
            with attempt:
                return _once(access, owner, repo, work)
    except GitHubException as error:
        raise _explained(error, where, access) from error
    except ValueError as error:
        said = printable(str(error), limit=300)
        todo = "Check the address of its API, then try again."
        raise UnfinishedError(f"GitHub's answer cannot be read: {said}", where=where, todo=todo) from error
    raise AssertionError("a retry ends with a result or an error")  # pragma: no cover


def message_of(error: "RequestFailed") -> str:
    """Return GitHub's own words, safe to show: its message and those of the single faults."""
    try:
        said = error.response.json()
    except ValueError:
        return ""
    if not isinstance(said, dict):
        return ""
    faults = said.get("errors")
    parts = [said.get("message"), *(faults if isinstance(faults, list) else [])]
    words = (part.get("message") or part.get("code") if isinstance(part, dict) else part for part in parts)
    return printable("; ".join(word for word in words if isinstance(word, str)), limit=400)


def _once(access: Access, owner: str, repo: str, work: "Callable[[Api], _T]") -> _T:
    from githubkit.exception import GitHubException

    try:
        return _with_token(access, owner, repo, work)
    except GitHubException as error:
        if not isinstance(access.login, App) or not _refuses_the_token(error):
            raise
        access.login.tokens.cleanup()  # withdrawn before its time, or the app was installed anew
        return _with_token(access, owner, repo, work)


def _with_token(access: Access, owner: str, repo: str, work: "Callable[[Api], _T]") -> _T:
    from vertice.adaptive.execution.github_api import Api

    with _open(access, _strategy(access, owner, repo)) as kit:
        return work(Api(kit, owner, repo))


def _strategy(access: Access, owner: str, repo: str) -> "AppInstallationAuthStrategy | TokenAuthStrategy":
    from githubkit import AppInstallationAuthStrategy, TokenAuthStrategy

    app = access.login
    if not isinstance(app, App):
        return TokenAuthStrategy(app.get_secret_value())
    installation = app.installation or _installation(access, app, owner, repo)
    return AppInstallationAuthStrategy(app.id, app.private_key.get_secret_value(), installation, repositories=[repo])


def _installation(access: Access, app: App, owner: str, repo: str) -> int:
    """Return where the app is installed for this repository."""
    from githubkit import AppAuthStrategy

    from vertice.adaptive.execution.github_models import Installation, parse

    cache = app.tokens.get_cache_storage()
    name = f"vertice:installation:{owner}/{repo}".lower()
    known = cache.get(name)
    if known is None:
        with _open(access, AppAuthStrategy(app.id, app.private_key.get_secret_value())) as kit:
            known = str(parse(Installation, kit.rest.apps.get_repo_installation(owner, repo).content).id)
        cache.set(name, known, _INSTALLED)
    return int(known)


def _open(
    access: Access, strategy: "AppAuthStrategy | AppInstallationAuthStrategy | TokenAuthStrategy"
) -> "GitHubKit[AppAuthStrategy | AppInstallationAuthStrategy | TokenAuthStrategy]":
    from githubkit import GitHub

    from vertice import __version__

    return GitHub(
        strategy,
        base_url=access.base_url,
        user_agent=f"vertice/{__version__}",
        timeout=access.seconds,
        http_cache=False,
        auto_retry=False,
        cache_strategy=access.login.tokens if isinstance(access.login, App) else None,
    )


def _refuses_the_token(error: Exception) -> bool:
    refusal = _refusal(error)
    if refusal is None:
        return False
    status, path = refusal.response.status_code, refusal.request.url.path
    return status == 401 or (status == 404 and path.endswith("/access_tokens"))


def _refusal(error: Exception) -> "RequestFailed | None":
    """Return GitHub's answer that is an error; that to the request for a token comes inside another error."""
    from githubkit.exception import RequestError, RequestFailed

    if isinstance(error, RequestError) and isinstance(error.exc, RequestFailed):
        return error.exc
    return error if isinstance(error, RequestFailed) else None


def _pause(error: Exception) -> bool | float:
    """Say whether to try again: never (False), after the next growing pause (True), or after so many seconds."""
    import httpx
    from githubkit.exception import RequestError

    if (refusal := _refusal(error)) is not None:
        if refusal.response.status_code >= 500:
            return True
        seconds = limit_ends_in(refusal)
        return False if seconds is None or seconds > _LONGEST_WAIT else max(seconds, 0.1)
    return isinstance(error, RequestError) and isinstance(error.exc, httpx.TransportError)


def limit_ends_in(error: "RequestFailed") -> float | None:
    """Return in how many seconds a rate limit ends, None when the answer speaks of none."""
    response = error.response
    if response.status_code not in _LIMITED:
        return None
    headers = response.headers
    if (after := headers.get("retry-after", "")).isdecimal():
        return float(after)
    if headers.get("x-ratelimit-remaining") == "0" and (reset := headers.get("x-ratelimit-reset", "")).isdecimal():
        return max(0.0, float(reset) - time.time())
    if response.status_code == 429 or "rate limit" in message_of(error).casefold():
        return 60.0  # what GitHub asks for when it names no time
    return None


def _explained(error: Exception, where: str, access: Access) -> VerticeError:
    from githubkit.exception import RequestError, RequestTimeout

    if (refusal := _refusal(error)) is not None:
        return _refused(refusal, where, access)
    if isinstance(error, RequestTimeout):
        return NotYetError("GitHub did not answer in time", where=where, todo="It is tried again later.")
    cause = error.exc if isinstance(error, RequestError) else error
    said = printable(str(cause), limit=300) or type(cause).__name__
    return NotYetError(f"GitHub cannot be reached: {said}", where=where, todo="It is tried again later.")


def _refused(error: "RequestFailed", where: str, access: Access) -> VerticeError:
    status, said = error.response.status_code, message_of(error)
    seconds = limit_ends_in(error)
    if seconds is not None:
        seconds = min(seconds, _LONGEST_LIMIT)
        end = (datetime.now(UTC) + timedelta(seconds=seconds)).strftime("%H:%M:%S")
        todo = f"Try again after {end} UTC."
        return NotYetError("GitHub's rate limit is used up", where=where, todo=todo, seconds=seconds)
    if status >= 500:
        return NotYetError(f"GitHub is in trouble (HTTP {status})", where=where, todo="It is tried again later.")
    match status:
        case 401 if isinstance(access.login, App):
            todo = "Check GITHUB_APP_ID, GITHUB_APP_PRIVATE_KEY and this machine's clock."
            return InputError("GitHub does not accept the app", where=where, todo=todo)
        case 401:
            return InputError("GitHub does not accept the token", where=where, todo="Set a valid GITHUB_TOKEN.")
        case 404 | 422 if error.request.url.path.endswith(("/installation", "/access_tokens")):
            todo = "Install it on the repository, and check GITHUB_APP_INSTALLATION_ID."
            return InputError("the GitHub App is not installed there", where=where, todo=todo)
        case 403:
            needed = printable(error.response.headers.get("x-accepted-github-permissions", ""), limit=200)
            return InputError(
                f"GitHub refuses it: {said or 'forbidden'}",
                where=where,
                todo=f"Give the token these rights: {needed}." if needed else "Check the token's rights.",
            )
        case 404:
            return InputError(
                f"GitHub knows no {printable(error.request.url.path, limit=200)}, or the token may not see it",
                where=where,
                todo="Check the name of the repository and the token's rights.",
            )
        case 409:
            return NotYetError(f"GitHub reports a conflict: {said}", where=where, todo="It is tried again later.")
        case _:
            return InputError(f"GitHub refuses it (HTTP {status}): {said}", where=where, todo="See GitHub's reason.")
