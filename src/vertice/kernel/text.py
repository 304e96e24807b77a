"""Untrusted text made safe to show: advisories, logs, probe output and comments are hostile until escaped."""

import unicodedata

__all__ = ["printable"]

_HIDDEN = frozenset({"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"})
"""Unicode categories that move the cursor, hide or reorder text (ANSI escapes, bidi controls, surrogates)."""


def printable(text: str, *, limit: int = 2000, lines: bool = False) -> str:
    r"""Return `text` with every control, format and bidi character escaped as \xNN or \uNNNN.

    At most `limit` characters are kept ("…" marks the cut). Line feeds and tabs stay only with `lines`.
    """
    cut = text[:limit]
    kept = "".join(_safe(char, lines) for char in cut)
    return kept + "…" if len(text) > limit else kept


def _safe(char: str, lines: bool) -> str:
    if lines and char in "\n\t":
        return char
    if unicodedata.category(char) not in _HIDDEN:
        return char
    return f"\\x{ord(char):02x}" if ord(char) < 0x100 else f"\\u{ord(char):04x}"
