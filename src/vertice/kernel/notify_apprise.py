"""Notices by Apprise: Slack, e-mail, PagerDuty and a hundred more, each named by a URL that is a secret."""

import asyncio
import hashlib
import logging
import re
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote

from vertice.kernel.errors import InputError, UnfinishedError
from vertice.kernel.notify import Level, Notice
from vertice.kernel.text import printable

if TYPE_CHECKING:
    from apprise import Apprise

__all__ = ["AppriseNotifier", "open_notifiers"]

_SCHEME = re.compile(r"([a-z][a-z0-9+.-]{0,30})://", re.IGNORECASE)
_PARTS = re.compile(r"[^/:@?&=+,;#\s]{4,}")
_MASK = "***"


class AppriseNotifier:
    """One place, named by an Apprise URL. Nothing of the URL but its scheme is ever shown or logged."""

    def __init__(self, url: str, apprise: "Apprise", *, seconds: float) -> None:
        self._url = url
        self._apprise = apprise
        self._seconds = seconds
        self.id = hashlib.sha256(url.encode()).hexdigest()[:16]
        self.name = str(apprise[0].service_name)

    def __repr__(self) -> str:
        return f"AppriseNotifier({self.name})"

    async def send(self, notice: Notice) -> None:
        """Tell it there. Apprise blocks, so that a thread waits for it."""
        result = await asyncio.to_thread(
            self._apprise.notify,
            title=notice.title,
            body=notice.body,
            notify_type=_TYPES[notice.level],
            body_format="text",
            timeout=self._seconds,
        )
        if not result:
            raise UnfinishedError(
                f"{self.name} was not told: {self._reason(result)}",
                where="NOTIFY_URLS",
                todo="It is tried again; is the place there, and the URL right?",
            )

    def _reason(self, result: Any) -> str:
        if result.status.name == "TIMEOUT":
            return f"no answer within {self._seconds:g} seconds"
        said = [entry.message for service in result for attempt in service.attempts for entry in attempt.logs]
        return printable(_masked(said[-1], self._url), limit=300) if said else "it refused"


def open_notifiers(urls: Sequence[str], *, seconds: float = 10.0) -> tuple[AppriseNotifier, ...]:
    """Return what tells each of the Apprise `urls`; `seconds`: how long one try may take.

    Raises InputError that says which URL cannot be read, without showing it.
    """
    return tuple(_open(url, position, seconds) for position, url in enumerate(dict.fromkeys(urls), start=1))


def _open(url: str, position: int, seconds: float) -> AppriseNotifier:
    from apprise import Apprise, AppriseAsset

    _keep_quiet()
    asset = AppriseAsset(
        app_id="Vértice",
        app_desc="Vértice",
        app_url="",
        image_url_mask="",
        image_url_logo="",
        async_mode=False,
        http_redirects=False,  # to wherever an answer says, with whatever the message says
        interpret_emojis=False,
        storage_mode="memory",
    )
    apprise = Apprise(asset=asset)
    if not apprise.add(url) or len(apprise) != 1:
        scheme = _SCHEME.match(url)
        shown = f" ({scheme[1].lower()}://…)" if scheme else ""
        raise InputError(
            f"URL number {position}{shown} is not one that Apprise can use",
            where="NOTIFY_URLS",
            todo="See https://appriseit.com/services/ for how they are written.",
        )
    return AppriseNotifier(url, apprise, seconds=seconds)


def _keep_quiet() -> None:
    """Keep what Apprise and its HTTP client log out of our log: it shows URLs. Failures are told by `send`."""
    apprise = logging.getLogger("apprise")
    apprise.propagate = False
    if not apprise.handlers:
        apprise.addHandler(logging.NullHandler())
    logging.getLogger("urllib3").setLevel(logging.ERROR)


def _masked(text: str, url: str) -> str:
    """Return `text` without any part of `url`: which of them are secret differs from service to service."""
    address = url.partition("://")[2]
    parts = {*_PARTS.findall(address), *_PARTS.findall(unquote(address))}
    for part in sorted(parts, key=len, reverse=True):
        text = text.replace(part, _MASK)
    return text


_TYPES = {Level.info: "info", Level.warning: "warning", Level.failure: "failure"}
