"""Poetry's own version constraints in the words of PEP 440 (python-poetry.org/docs/dependency-specification)."""

import re

__all__ = ["python_marker", "specifier"]

_CARET = re.compile(r"([\^~])(\d{1,9}(?:\.\d{1,9}){0,9})([^.\d]\S*)?", re.ASCII)
_BARE = re.compile(r"v?\d\S*", re.ASCII)
_COMPARE = re.compile(r"(<=|>=|<|>|!=|==|=|~=)\s*(\S+)")
_TWO = re.compile(r"\d+\.\d+")


def specifier(constraint: str) -> str | None:
    """Return the PEP 440 specifier set of a constraint, `""` for any version, None when it has none (`a || b`)."""
    if "|" in constraint:
        return None
    text = re.sub(r"(<=|>=|<|>|!=|==|~=|=|\^|~)\s+", r"\1", constraint)
    parts = [_part(part) for part in re.split(r"[,\s]+", text) if part and part != "*"]
    known = [part for part in parts if part is not None]
    return ",".join(known) if len(known) == len(parts) else None


def python_marker(constraint: str) -> str:
    """Return the environment marker of a `python` constraint, `""` when it has no simple one."""
    found = specifier(constraint)
    if not found:
        return ""
    marks = []
    for part in found.split(","):
        if not (match := _COMPARE.fullmatch(part)):
            return ""
        operator, version = match.groups()
        plain = version.removesuffix(".*")
        variable = "python_version" if _TWO.fullmatch(plain) else "python_full_version"
        marks.append(f"{variable} {operator} '{plain if variable == 'python_version' else version}'")
    return " and ".join(marks)


def _part(part: str) -> str | None:
    if match := _CARET.fullmatch(part):
        return f">={match[2]}{match[3] or ''},<{_next(match[1], match[2])}"
    if match := _COMPARE.fullmatch(part):
        operator = "==" if match[1] == "=" else match[1]
        return f"{operator}{match[2]}"
    return f"=={part}" if _BARE.fullmatch(part) else None


def _next(kind: str, release: str) -> str:
    """Return the first version that `^release` or `~release` excludes."""
    numbers = [int(number) for number in release.split(".")]
    if kind == "~":
        place = min(1, len(numbers) - 1)
    else:
        place = next((index for index, number in enumerate(numbers) if number), len(numbers) - 1)
    return ".".join(str(number) for number in [*numbers[:place], numbers[place] + 1])
