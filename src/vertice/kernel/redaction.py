"""Secrets taken out of what is logged: by the name of a field, and by their look inside any text."""

import re
from collections.abc import Mapping
from typing import Any

__all__ = ["MASK", "redacted", "redacted_text"]

MASK = "***"

_DEEPEST = 6
_NAMES = re.compile(
    r"passw(or)?d|passphrase|secret|token|authorization|cookie|credential|api_?key|private_?key|session_?id|csrf",
    re.IGNORECASE,
)
_QUERY_NAME = r"[\w-]*(?:token|secret|password|key|signature)|code|state"
_LOOKS: tuple[tuple[re.Pattern[str], str], ...] = (
    # scheme://user:password@host. The password may hold anything but white space; the last @ before a / ends it.
    (re.compile(r"(?<=://)([^\s/@:]*):[^\s/]*@"), rf"\1:{MASK}@"),
    (re.compile(r"\b([Bb]earer|[Bb]asic)\s+(?=\S*[\dA-Z=])[\w.~+/=-]{8,}"), rf"\1 {MASK}"),
    (re.compile(r"\bvrt_\w+"), f"vrt_{MASK}"),
    # An installation's token is `ghs_APPID_JWT`, with the dots and dashes of a JWT.
    (re.compile(r"\b(gh[a-z]|github_pat)_[\w.-]*\w"), rf"\1_{MASK}"),
    (re.compile(r"-----BEGIN [A-Z ]*PRIVATE KEY-----.*?(?:-----END [A-Z ]*PRIVATE KEY-----|\Z)", re.DOTALL), MASK),
    (re.compile(r"\beyJ[\w-]{8,}\.[\w-]+\.[\w-]*"), f"jwt {MASK}"),
    (re.compile(rf"(?<=[?&])({_QUERY_NAME})=[^&\s\"']+", re.IGNORECASE), rf"\1={MASK}"),
)
_HINT = re.compile(r"://|bearer|basic|vrt_|gh[a-z]_|github_pat_|eyJ|-----BEGIN|[?&][\w-]+=", re.IGNORECASE)


def redacted(name: str, value: Any) -> Any:
    """Return `value`, the field `name` of a log line, without secrets; lists and mappings are looked into."""
    return _redacted(name, value, _DEEPEST)


def redacted_text(text: str) -> str:
    """Return `text` without passwords in URLs, tokens, and secrets in query strings."""
    if _HINT.search(text) is None:
        return text
    for pattern, masked in _LOOKS:
        text = pattern.sub(masked, text)
    return text


def _redacted(name: str, value: Any, depth: int) -> Any:
    if value is None or isinstance(value, bool):
        return value
    if _NAMES.search(name):
        return MASK
    if isinstance(value, str):
        return redacted_text(value)
    if isinstance(value, (int, float)):
        return value
    if depth == 0:
        return MASK
    if isinstance(value, Mapping):
        return {str(key): _redacted(str(key), inner, depth - 1) for key, inner in value.items()}
    if isinstance(value, (list, tuple, set, frozenset)):
        return [_redacted("", inner, depth - 1) for inner in value]
    return redacted_text(repr(value))
