"""Markers of locks, which may ask for extras and dependency groups, in the words of PEP 508."""

import re
from collections.abc import Collection

__all__ = ["always_chosen", "asks_for_extra", "only_in_groups"]

_ATOM = re.compile(r"""('[^']*'|"[^"]*"|\w+)\s*(not\s+in|in|[<>=!~]+)\s*('[^']*'|"[^"]*"|\w+)""")
_EXTRA = re.compile(r"""\bextra\s*(==|!=)\s*(?:'[^']*'|"[^"]*")|(?:'[^']*'|"[^"]*")\s*(==|!=)\s*extra\b""")
_MEMBER = re.compile(r"""(?:'[^']*'|"[^"]*")\s*(not\s+in|in)\s*(extras|dependency_groups)\b""")
_TRUE, _FALSE = "python_version >= '0'", "python_version < '0'"
_REDUNDANT = re.compile(rf"{re.escape(_TRUE)} and | and {re.escape(_TRUE)}")
_ALWAYS = re.compile(rf"[()\s]*{re.escape(_TRUE)}[()\s]*(?:or[()\s]*{re.escape(_TRUE)}[()\s]*)*")


def always_chosen(marker: str) -> str:
    """Take every extra and group as chosen: the other conditions stay."""
    text = _EXTRA.sub(lambda match: _FALSE if "!=" in (match[1], match[2]) else _TRUE, marker)
    text = _MEMBER.sub(lambda match: _FALSE if match[1].startswith("not") else _TRUE, text)
    if text == marker:
        return marker
    text = _REDUNDANT.sub("", text)
    return "" if _ALWAYS.fullmatch(text) else text


def asks_for_extra(marker: str) -> bool:
    """Whether the marker depends on an extra (uv writes one for extras that exclude each other)."""
    return "extra" in marker and bool(_EXTRA.search(marker))


def only_in_groups(marker: str, default: Collection[str]) -> bool:
    """Whether a package goes away when no dependency group but the `default` ones is chosen and all else holds."""
    from packaging.markers import Marker

    def without_groups(match: re.Match[str]) -> str:
        name, operator, variable = match[1].strip("'\""), match[2], match[3]
        chosen = variable != "dependency_groups" or name in default or operator.startswith("not")
        return _TRUE if chosen else _FALSE

    return "dependency_groups" in marker and not Marker(_ATOM.sub(without_groups, marker)).evaluate()
