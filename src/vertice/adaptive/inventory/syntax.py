"""The parts of PEP 508 that are checked before text from a file reaches a command line, a lock or a person."""

import re
from functools import lru_cache

from packaging.utils import canonicalize_name

from vertice.kernel.errors import InputError
from vertice.kernel.text import printable

__all__ = ["extras_of", "hash_of", "marker_of", "name_of", "public_url", "specifier_of", "version_of"]

_NAME = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9._-]*[A-Za-z0-9])?", re.ASCII)
_VERSION = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9.!+_-]*[A-Za-z0-9])?", re.ASCII)
_HASH = re.compile(r"[a-z0-9_]{2,16}:[A-Za-z0-9+/=_-]+", re.ASCII)
_URL = re.compile(r"https?://[!-~]+", re.ASCII)
_CREDENTIALS = re.compile(r"(?<=://)[^/@]*@")


def name_of(text: str, where: str) -> str:
    """Return the PEP 503 name; raise InputError when `text` is none."""
    if len(text) > 200 or not _NAME.fullmatch(text):
        raise _wrong("a package name", text, where)
    return canonicalize_name(text)


def extras_of(texts: tuple[str, ...], where: str) -> tuple[str, ...]:
    """Return PEP 503 names of extras, sorted."""
    return tuple(sorted({name_of(text.strip(), where) for text in texts}))


def version_of(text: str, where: str) -> str:
    """Return `text` when it has the characters of a version (PEP 440 or older); raise InputError otherwise."""
    if len(text) > 200 or not _VERSION.fullmatch(text):
        raise _wrong("a version", text, where)
    return text


def hash_of(text: str, where: str) -> str:
    """Return `algorithm:digest`; raise InputError when `text` is none."""
    if not _HASH.fullmatch(text):
        raise _wrong("a hash like `sha256:…`", text, where)
    return text


def marker_of(text: str, where: str) -> str:
    """Return the environment marker as written, in one line; raise InputError when it is none."""
    stripped = text.strip()
    if stripped and not _is_marker(stripped):
        raise _wrong("an environment marker", text, where)
    return stripped


def specifier_of(text: str, where: str) -> str:
    """Return a PEP 440 specifier set without spaces; raise InputError when it is none."""
    from packaging.specifiers import InvalidSpecifier, SpecifierSet

    try:
        SpecifierSet(text)
    except InvalidSpecifier as error:
        raise _wrong("a version specifier", text, where) from error
    return re.sub(r"\s+", "", text)


def public_url(text: str) -> tuple[str, bool]:
    """Return an index URL without credentials, and whether it had any; `""` when it is no http(s) URL."""
    if not _URL.fullmatch(text):
        return "", False
    bare = _CREDENTIALS.sub("", text, count=1)
    return bare.rstrip("/"), bare != text


@lru_cache(maxsize=4096)
def _is_marker(text: str) -> bool:
    from packaging.markers import InvalidMarker, Marker

    if len(text) > 20_000 or not text.isprintable():
        return False
    try:
        Marker(text)
    except (InvalidMarker, RecursionError, ValueError):
        return False
    return True


def _wrong(kind: str, text: str, where: str) -> InputError:
    return InputError(
        f"`{printable(text, limit=120)}` is not {kind}",
        where=where,
        todo="Mend the file, or write it again with the tool that made it.",
    )
