"""The order of PyPI versions as OSV evaluates them: PEP 440, and before it whatever is no PEP 440 version.

A version that PEP 440 cannot read (`0.9-eevee`, `2019-09-12`) sorts before every one that it can, as it did in
setuptools when such versions were still uploaded and as it does in OSV.dev. So an old odd release lies in a range
that starts at "0", and a range whose `fixed` is odd holds no PEP 440 version. Among themselves odd versions are
ordered piece by piece, numbers by value.
"""

import re
from collections.abc import Iterable
from functools import lru_cache
from typing import Final

from packaging.version import Version

__all__ = ["START", "Key", "is_pep440", "order_key", "public_key", "sorted_versions"]

Key = tuple[int, Version | tuple[tuple[int, int, str], ...]]
"""(rank, order within the rank): -1 the start of time, 0 odd versions, 1 PEP 440."""

START: Final[Key] = (-1, ())
"""Before every version: what `introduced: "0"` means."""


@lru_cache(maxsize=1 << 16)
def order_key(version: str) -> Key:
    """Return what `version` is sorted by; equal keys of rank 1 are equal versions in the sense of PEP 440."""
    try:
        return 1, Version(version)
    except ValueError:  # InvalidVersion, or an integer too long to convert
        pieces = re.findall(r"\d+|[a-z]+", version.lower())
        return 0, tuple(_piece(piece) for piece in pieces)


def public_key(version: str) -> Key:
    """Return the key of `version` without its local label: `1.0+cu118` is a build of 1.0 (PEP 440, local versions)."""
    key = order_key(version)
    return order_key(key[1].public) if isinstance(key[1], Version) and key[1].local is not None else key


def is_pep440(version: str) -> bool:
    """Say whether PEP 440 can read `version`."""
    return order_key(version)[0] == 1


def sorted_versions(versions: Iterable[str]) -> tuple[str, ...]:
    """Return the PEP 440 versions among `versions`, oldest first, each once."""
    kept = {order_key(version): version for version in versions if is_pep440(version)}
    return tuple(kept[key] for key in sorted(kept))


def _piece(piece: str) -> tuple[int, int, str]:
    if not piece[0].isdigit():
        return 0, 0, piece
    digits = piece.lstrip("0")
    return 1, len(digits), digits
