"""Untrusted text, to show or to read a time from: advisories, logs, probe output and comments are hostile."""

import unicodedata
from datetime import UTC, datetime

__all__ = ["moment", "printable"]

_HIDDEN = frozenset({"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"})
"""Unicode categories that move the cursor, hide or reorder text (ANSI escapes, bidi controls, surrogates)."""


def printable(text: str, *, limit: int = 2000, lines: bool = False) -> str:
    r"""Return `text` with every control, format and bidi character escaped as \xNN or \uNNNN.

    At most `limit` characters are kept ("…" marks the cut). Line feeds and tabs stay only with `lines`.
    """
    cut = text[:limit]
    kept = "".join(_safe(char, lines) for char in cut)
    return kept + "…" if len(text) > limit else kept


def moment(text: str) -> datetime | None:
    """Return the point in time, in UTC, that an ISO 8601 `text` names; one without an offset is in UTC already.

    None where it names none: "", something else, or a time that is beyond the calendar in UTC.
    """
    try:
        named = datetime.fromisoformat(text)
        return named.astimezone(UTC) if named.tzinfo else named.replace(tzinfo=UTC)
    except (ValueError, OverflowError):
        return None


def _safe(char: str, lines: bool) -> str:
    if lines and char in "\n\t":
        return char
    if unicodedata.category(char) not in _HIDDEN:
        return char
    return f"\\x{ord(char):02x}" if ord(char) < 0x100 else f"\\u{ord(char):04x}"
