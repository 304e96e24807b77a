"""GET over HTTP as a feed needs it: conditional, retried, limited in size and time."""

import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, BinaryIO, Final

from vertice.adaptive.advisories.dump import Progress
from vertice.kernel.errors import InputError, UnfinishedError, VerticeError, from_os_error
from vertice.kernel.text import printable

if TYPE_CHECKING:
    import httpx

__all__ = ["Answer", "HttpSettings", "Session", "open_session", "without_password"]

_TRY_AGAIN: Final = frozenset({408, 425, 429, 500, 502, 503, 504})


@dataclass(frozen=True, slots=True)
class HttpSettings:
    """How patient we are. Times in seconds."""

    timeout: float = 30.0
    """To connect, and between two pieces of an answer."""
    deadline: float = 900.0
    """For one whole answer."""
    attempts: int = 4
    wait_initial: float = 0.5
    wait_max: float = 8.0
    max_bytes: int = 1024 * 1024 * 1024
    """Largest answer."""


@dataclass(frozen=True, slots=True)
class Answer:
    """How a GET ended: 200, 304 or 404, and the validators for the next time ("" when the server sends none)."""

    status: int
    etag: str = ""
    last_modified: str = ""


class Session:
    """Connections that are kept open from one GET to the next; the first is made when it is needed."""

    def __init__(self, settings: HttpSettings, closing: ExitStack) -> None:
        self.settings = settings
        self._closing = closing
        self._client: httpx.Client | None = None

    def get(self, url: str, into: BinaryIO, *, known: Answer | None = None, progress: Progress | None = None) -> Answer:
        """GET `url` into `into` (emptied first), trying again after faults that pass.

        With `known`, the answer of an earlier time, the status is 304 when nothing has changed since. Raises
        InputError when the server refuses (4xx but 404), UnfinishedError when it cannot be reached, keeps failing,
        breaks off, is too slow or sends too much.
        """
        import httpx
        import stamina

        headers = _conditions(known)
        shown = without_password(url)
        try:
            for attempt in stamina.retry_context(
                on=_passes,
                attempts=self.settings.attempts,
                timeout=None,
                wait_initial=self.settings.wait_initial,
                wait_max=self.settings.wait_max,
            ):
                with attempt:
                    answer = self._once(url, into, headers, progress)
        except httpx.HTTPStatusError as error:
            raise _refused(shown, error.response.status_code) from error
        except OSError as error:
            raise from_os_error(error, f"writing what {shown} sends") from error
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            reason = printable(str(error), limit=200) or type(error).__name__
            raise UnfinishedError(
                f"cannot be fetched: {reason}",
                where=shown,
                todo="Check the network, or give a mirror, a folder or a zip with `--advisories`.",
            ) from error
        return answer

    def _once(self, url: str, into: BinaryIO, headers: Mapping[str, str], progress: Progress | None) -> Answer:
        ends = time.monotonic() + self.settings.deadline
        into.seek(0)
        into.truncate()
        with self._connected().stream("GET", url, headers=headers) as response:
            if response.status_code not in {200, 304, 404}:
                response.raise_for_status()
                raise _refused(without_password(url), response.status_code)
            total = int(response.headers.get("content-length", "0") or 0)
            done = 0
            for piece in response.iter_bytes() if response.status_code == 200 else ():
                done += len(piece)
                self._check(without_password(url), done, ends)
                into.write(piece)
                if progress is not None:
                    progress("downloading", done, total)
            into.seek(0)
            sent = response.headers
            return Answer(response.status_code, sent.get("etag", ""), sent.get("last-modified", ""))

    def _connected(self) -> "httpx.Client":
        """Return the client; proxies and certificates come from the environment (`HTTPS_PROXY`, `SSL_CERT_FILE`)."""
        if self._client is None:
            import httpx
            from stamina import instrumentation

            # The default hook prints to stdout where structlog is not configured.
            self._closing.callback(instrumentation.set_on_retry_hooks, instrumentation.get_on_retry_hooks())
            instrumentation.set_on_retry_hooks([])
            client = httpx.Client(timeout=self.settings.timeout, follow_redirects=True, max_redirects=5)
            self._client = self._closing.enter_context(client)
        return self._client

    def _check(self, shown: str, done: int, ends: float) -> None:
        if done > self.settings.max_bytes:
            raise UnfinishedError(
                f"sends more than {self.settings.max_bytes:,} bytes", where=shown, todo="Is this the right address?"
            )
        if time.monotonic() > ends:
            raise UnfinishedError(
                f"was not complete after {self.settings.deadline:g} s", where=shown, todo="Try again, or use a mirror."
            )


@contextmanager
def open_session(settings: HttpSettings) -> Iterator[Session]:
    """Give a session and close its connections at the end."""
    with ExitStack() as closing:
        yield Session(settings, closing)


def without_password(url: str) -> str:
    """Return `url` without user name, password and query, fit to be shown and stored."""
    scheme, _, rest = url.partition("?")[0].partition("://")
    authority, slash, path = rest.partition("/")
    return f"{scheme}://{authority.rpartition('@')[2]}{slash}{path}"


def _conditions(known: Answer | None) -> dict[str, str]:
    headers = {"user-agent": "vertice"}
    if known is not None and known.etag:
        headers["if-none-match"] = known.etag
    if known is not None and known.last_modified:
        headers["if-modified-since"] = known.last_modified
    return headers


def _passes(error: Exception) -> bool:
    """Say whether trying again may help."""
    import httpx

    if isinstance(error, httpx.HTTPStatusError):
        return error.response.status_code in _TRY_AGAIN
    return isinstance(error, httpx.TransportError) and not isinstance(error, httpx.UnsupportedProtocol)


def _refused(shown: str, status: int) -> VerticeError:
    if status in _TRY_AGAIN:
        return UnfinishedError(f"keeps answering {status}", where=shown, todo="Try again later, or use a mirror.")
    return InputError(f"answers {status}", where=shown, todo="Check the address of the advisories.")
