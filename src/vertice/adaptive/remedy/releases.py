"""What a package index says of a package: its releases, their files, hashes, dates and provenance.

Reads the simple API: JSON (PEP 691, 700, 740) or HTML (PEP 503, 592, 740), whichever the index answers with.
Only facts are read, no foreign code runs; everything that comes from the index is untrusted.
"""

import hashlib
import html.parser
import json
import os
import platform
import re
import ssl
import threading
import time
import urllib.parse
import weakref
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from packaging.specifiers import InvalidSpecifier, SpecifierSet
from packaging.tags import Tag, compatible_tags, cpython_tags
from packaging.utils import (
    InvalidSdistFilename,
    InvalidWheelFilename,
    canonicalize_name,
    parse_sdist_filename,
    parse_wheel_filename,
)
from packaging.version import InvalidVersion, Version

from vertice.kernel.errors import InputError, UnfinishedError
from vertice.kernel.files import write_atomic
from vertice.kernel.text import printable

if TYPE_CHECKING:
    import httpx

__all__ = ["PYPI", "Answer", "Release", "ReleaseFile", "Releases"]

PYPI = "https://pypi.org/simple/"
ACCEPT = "application/vnd.pypi.simple.v1+json, application/vnd.pypi.simple.v1+html;q=0.2, text/html;q=0.1"
MAX_PAGE_BYTES = 64 * 1024 * 1024
"""The largest pages of PyPI (nightly builds with thousands of files) are under 30 MiB."""
FRESH_SECONDS = 600.0
"""How long a page is used without asking again: what PyPI's own Cache-Control says."""


@dataclass(frozen=True, slots=True)
class ReleaseFile:
    """One file of a release. None means that the index does not say."""

    filename: str
    url: str
    wheel: bool
    sha256: str = ""
    size: int | None = None
    upload_time: str = ""
    """RFC 3339."""
    requires_python: str = ""
    yanked: bool = False
    provenance: str | None = None
    """URL of its PEP 740 provenance object; "" when the index says that there is none."""


@dataclass(frozen=True, slots=True)
class Release:
    """One version with its wheels and sdists, in the order of the index."""

    version: Version
    files: tuple[ReleaseFile, ...]

    @property
    def yanked(self) -> bool:
        """Every file is yanked (PEP 592)."""
        return all(file.yanked for file in self.files)

    @property
    def hashes(self) -> tuple[str, ...]:
        """`sha256:…` of every file, sorted."""
        return tuple(sorted(f"sha256:{file.sha256}" for file in self.files if file.sha256))

    @property
    def uploaded_at(self) -> str:
        """RFC 3339 time of the first file, "" when the index does not say."""
        return min((file.upload_time for file in self.files if file.upload_time), default="")

    def wheel_for(self, python: str) -> bool:
        """Say whether CPython `python` (`3.11`; "": ours) on this platform installs a wheel of it."""
        names = (file.filename for file in self.files if file.wheel and not file.yanked)
        return any(parse_wheel_filename(name)[3] & _tags(python) for name in names)

    def supports(self, python: str) -> bool:
        """Say whether a file that is not yanked allows Python `python` (`3.11`); "" allows everything."""
        return not python or any(_allows(file.requires_python, python) for file in self.files if not file.yanked)


@lru_cache(maxsize=8)
def _tags(python: str) -> frozenset[Tag]:
    """Return what a CPython of that version takes on this platform."""
    version = tuple(int(part) for part in (python or platform.python_version()).split(".")[:2])
    interpreter = f"cp{''.join(str(part) for part in version)}"
    return frozenset({*cpython_tags(version), *compatible_tags(version, interpreter)})


class Releases:
    """Asks one index, and remembers: in memory for its own life, in `cache` (a folder) for ten minutes and by ETag.

    Threads may share it; connections are closed with it.
    """

    def __init__(
        self,
        index: str = PYPI,
        *,
        cache: Path | None = None,
        timeout: float = 20.0,
        attempts: int = 3,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self.index = index.rstrip("/") + "/"
        self._cache = cache
        self._timeout = timeout
        self._attempts = attempts
        self._clock = clock
        self._known: dict[str, tuple[Release, ...] | None] = {}
        self._client: httpx.Client | None = None
        self._starting = threading.Lock()

    def of(self, package: str) -> tuple[Release, ...] | None:
        """Return the releases of `package`, lowest version first; None when the index does not know it.

        Raises UnfinishedError when the index cannot be reached or answers nonsense.
        """
        name = canonicalize_name(package)
        if name not in self._known:
            self._known[name] = self._read(name)
        return self._known[name]

    def release(self, package: str, version: str) -> Release | None:
        """Return one release, None when there is no such."""
        try:
            wanted = Version(version)
        except InvalidVersion:
            return None
        return next((release for release in self.of(package) or () if release.version == wanted), None)

    def fetch(self, url: str, *, limit: int, headers: Mapping[str, str] | None = None) -> "Answer | None":
        """GET `url`, at most `limit` bytes; None on 404 or 410.

        Raises UnfinishedError when it cannot be reached (three tries), answers an error, or is larger.
        """
        import httpx
        import stamina

        if urllib.parse.urlsplit(url).scheme not in {"http", "https"}:
            raise InputError("is not an http or https address", where=printable(url), todo="Check the index URL.")
        try:
            for attempt in stamina.retry_context(on=_passing, attempts=self._attempts, wait_initial=0.2, timeout=60.0):
                with attempt:
                    return self._get(url, limit, dict(headers or {}))
        except (httpx.HTTPError, httpx.InvalidURL, ssl.SSLError) as error:
            raise UnfinishedError(
                f"the package index could not be read: {printable(str(error) or type(error).__name__, limit=300)}",
                where=_shown(url),
                todo="Check the network, the proxy and the index URL, then run it again.",
            ) from error
        raise AssertionError("stamina returns or raises")

    def _get(self, url: str, limit: int, headers: dict[str, str]) -> "Answer | None":
        with self._connected().stream("GET", url, headers=headers) as response:
            if response.status_code in {404, 410}:
                return None
            if response.status_code != 304:
                response.raise_for_status()
            body = bytearray()
            for chunk in response.iter_bytes():
                body += chunk
                if len(body) > limit:
                    raise UnfinishedError(f"is larger than {limit:,} bytes", where=_shown(url))
            return Answer(response.status_code, bytes(body), dict(response.headers), str(response.url))

    def _connected(self) -> "httpx.Client":
        import httpx

        with self._starting:
            if self._client is not None:
                return self._client
            self._client = httpx.Client(
                verify=_trust(), timeout=self._timeout, follow_redirects=True, headers={"User-Agent": "vertice"}
            )
            weakref.finalize(self, self._client.close)
        return self._client

    def _read(self, name: str) -> tuple[Release, ...] | None:
        url = f"{self.index}{name}/"
        kept = self._kept(url)
        if kept is not None and self._clock() - kept["at"] < FRESH_SECONDS:
            return _releases(name, kept["type"], kept["body"], kept["url"])
        headers = {"Accept": ACCEPT} | ({"If-None-Match": kept["etag"]} if kept and kept["etag"] else {})
        answer = self.fetch(url, limit=MAX_PAGE_BYTES, headers=headers)
        if answer is None:
            return None
        if answer.status == 304 and kept is not None:
            page = kept | {"at": self._clock()}
        else:
            page = {
                "at": self._clock(),
                "url": answer.url,
                "etag": answer.headers.get("etag", ""),
                "type": answer.headers.get("content-type", ""),
                "body": answer.body.decode("utf-8", "replace"),
            }
        found = _releases(name, page["type"], page["body"], page["url"])
        if self._cache is not None:
            write_atomic(self._cached_at(url), json.dumps(page).encode())
        return found

    def _kept(self, url: str) -> dict[str, Any] | None:
        """Return the cached page; a cache that cannot be read is no cache."""
        if self._cache is None:
            return None
        try:
            page = json.loads(self._cached_at(url).read_bytes())
        except (OSError, ValueError):
            return None
        texts = ("url", "etag", "type", "body")
        whole = isinstance(page, dict) and all(isinstance(page.get(key), str) for key in texts)
        return page if whole and isinstance(page.get("at"), int | float) else None

    def _cached_at(self, url: str) -> Path:
        assert self._cache is not None  # noqa: S101 - callers asked first
        return self._cache / f"{hashlib.sha256(url.encode()).hexdigest()[:32]}.json"


@dataclass(frozen=True, slots=True)
class Answer:
    """An HTTP answer, read whole. Header names are lower case."""

    status: int
    body: bytes
    headers: Mapping[str, str]
    url: str


def _passing(error: Exception) -> bool:
    """Say whether trying again may help: the connection broke, or the server is busy."""
    import httpx

    if isinstance(error, httpx.HTTPStatusError):
        return error.response.status_code in {429, 500, 502, 503, 504}
    return isinstance(error, httpx.TransportError)


def _trust() -> ssl.SSLContext:
    """Trust what the machine's owner says, in the variables that OpenSSL, requests and pip read."""
    names = ("SSL_CERT_FILE", "REQUESTS_CA_BUNDLE", "PIP_CERT")
    bundle = next((os.environ[name] for name in names if os.environ.get(name)), None)
    try:
        if bundle is not None and Path(bundle).is_dir():
            return ssl.create_default_context(capath=bundle)
        return ssl.create_default_context(cafile=bundle)
    except (OSError, ssl.SSLError) as error:
        raise InputError(
            "is no readable file of certificates", where=str(bundle), todo=f"Check {', '.join(names)}."
        ) from error


def _shown(url: str) -> str:
    """Return the URL without a password, fit to be shown."""
    parts = urllib.parse.urlsplit(url)
    return printable(urllib.parse.urlunsplit(parts._replace(netloc=parts.netloc.rpartition("@")[2])), limit=300)


def _releases(name: str, content_type: str, body: str, url: str) -> tuple[Release, ...]:
    try:
        files = _from_json(body, url) if "json" in content_type else _from_html(body, url)
    except (ValueError, TypeError, AttributeError, KeyError) as error:
        raise UnfinishedError(
            f"the index's answer is not of the simple API: {printable(str(error), limit=200)}", where=_shown(url)
        ) from error
    grouped: dict[Version, list[ReleaseFile]] = {}
    for file in files:
        version = _version(name, file)
        if version is not None:
            grouped.setdefault(version, []).append(file)
    return tuple(Release(version, tuple(grouped[version])) for version in sorted(grouped))


def _version(name: str, file: ReleaseFile) -> Version | None:
    """Return the version a file name carries; None for what is neither wheel nor sdist, or another package's."""
    try:
        package, version = (
            parse_wheel_filename(file.filename)[:2] if file.wheel else parse_sdist_filename(file.filename)
        )
    except (InvalidWheelFilename, InvalidSdistFilename, InvalidVersion):
        return None
    return version if package == name else None


def _from_json(body: str, url: str) -> list[ReleaseFile]:
    return [
        ReleaseFile(
            filename=str(file["filename"]),
            url=urllib.parse.urljoin(url, str(file["url"])),
            wheel=str(file["filename"]).endswith(".whl"),
            sha256=_sha256(file["hashes"].get("sha256")),
            size=file["size"] if isinstance(file.get("size"), int) else None,
            upload_time=str(file.get("upload-time") or ""),
            requires_python=str(file.get("requires-python") or ""),
            yanked=bool(file.get("yanked", False)) or file.get("yanked") == "",
            provenance=urllib.parse.urljoin(url, str(file["provenance"] or ""))
            if file.get("provenance")
            else _no(file),
        )
        for file in json.loads(body)["files"]
    ]


def _no(file: dict[str, Any]) -> str | None:
    return "" if "provenance" in file else None


def _sha256(value: object) -> str:
    return value if isinstance(value, str) and re.fullmatch(r"[0-9a-f]{64}", value) else ""


class _Anchors(html.parser.HTMLParser):
    """Collects the attributes of every `<a>`."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[dict[str, str | None]] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Keep an anchor."""
        if tag == "a":
            self.found.append(dict(attrs))


def _from_html(body: str, url: str) -> list[ReleaseFile]:
    if "<a" not in body and "<html" not in body.lower():
        raise ValueError("neither JSON nor a page of links")
    anchors = _Anchors()
    anchors.feed(body)
    files = []
    for anchor in anchors.found:
        target = urllib.parse.urlsplit(urllib.parse.urljoin(url, anchor.get("href") or ""))
        filename = urllib.parse.unquote(target.path.rpartition("/")[2])
        digest = re.search(r"sha256=([0-9a-f]{64})", target.fragment)
        files.append(
            ReleaseFile(
                filename=filename,
                url=urllib.parse.urlunsplit(target._replace(fragment="")),
                wheel=filename.endswith(".whl"),
                sha256=digest[1] if digest else "",
                upload_time=anchor.get("data-upload-time") or "",
                requires_python=anchor.get("data-requires-python") or "",
                yanked="data-yanked" in anchor,
                provenance=urllib.parse.urljoin(url, anchor["data-provenance"] or "")
                if anchor.get("data-provenance")
                else None,
            )
        )
    return files


def _allows(requires_python: str, python: str) -> bool:
    try:
        return SpecifierSet(requires_python).contains(python, prereleases=True)
    except InvalidSpecifier:
        return True
