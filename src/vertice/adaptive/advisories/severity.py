"""Severity from CVSS vectors: computed, never guessed."""

import re
from collections.abc import Iterable
from functools import lru_cache

from vertice.adaptive.advisories.model import Severity

__all__ = ["rate", "score", "worded"]

_WORDS = {
    "critical": Severity.critical,
    "high": Severity.high,
    "moderate": Severity.medium,
    "medium": Severity.medium,
    "low": Severity.low,
}


def rate(base: float) -> Severity:
    """Return the qualitative rating of a base score (CVSS v3.1 §5, the same in v4.0); 0.0 counts as low."""
    if base >= 9.0:
        return Severity.critical
    if base >= 7.0:
        return Severity.high
    return Severity.medium if base >= 4.0 else Severity.low


def score(vectors: Iterable[str]) -> tuple[float | None, str, Severity]:
    """Return base score, vector and severity by the newest CVSS among `vectors` (4.0 over 3.1 over 3.0 over 2.0).

    Of several vectors of that version the highest score counts. Vectors that are not CVSS are passed over;
    without any the answer is `(None, "", Severity.medium)`.
    """
    read = [(*found, vector) for vector in vectors if (found := _base(vector)) is not None]
    if not read:
        return None, "", Severity.medium
    _, base, vector = max(read)
    return base, vector, rate(base)


def worded(word: object) -> Severity | None:
    """Return the severity that a database says in words (`MODERATE` is medium), None when it is no such word."""
    return _WORDS.get(word.strip().lower()) if isinstance(word, str) else None


@lru_cache(maxsize=4096)
def _base(vector: str) -> tuple[float, float] | None:
    """Return (CVSS version, base score), None when `vector` is none."""
    from cvss import CVSS2, CVSS3, CVSS4, CVSSError  # type: ignore[import-untyped]

    head = re.match(r"CVSS:(\d\.\d)/", vector)
    version = float(head[1]) if head else 2.0
    try:
        if version >= 4:
            return version, float(CVSS4(vector).base_score)
        if version >= 3:
            return version, float(CVSS3(vector).base_score)
        return version, float(CVSS2(vector.removeprefix("CVSS:2.0/").strip("()")).base_score)
    except (CVSSError, ValueError, KeyError, ArithmeticError):
        return None
