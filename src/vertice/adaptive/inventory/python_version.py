"""Which Python a project asks for, in the files that version managers and hosts read."""

import re
from pathlib import Path

from vertice.kernel.errors import VerticeError
from vertice.kernel.files import read_text

__all__ = ["python_version"]

_LONGEST = 64 * 1024
_FORMS = (
    (".python-version", re.compile(r"^\s*(?:cpython[-@]?|python-?)?(\d+\.\d+(?:\.\d+)?)", re.MULTILINE)),
    ("runtime.txt", re.compile(r"^\s*python-(\d+\.\d+(?:\.\d+)?)", re.MULTILINE)),
    (".tool-versions", re.compile(r"^\s*python[ \t]+(\d+\.\d+(?:\.\d+)?)", re.MULTILINE)),
)


def python_version(root: Path) -> tuple[str, tuple[str, ...]]:
    """Return the version asked for (`3.11`, `3.11.7`), `""` when none is, and warnings about unreadable files."""
    warnings = []
    for name, form in _FORMS:
        path = root / name
        if not path.is_file():
            continue
        try:
            text = read_text(path, limit=_LONGEST)
        except VerticeError as error:
            warnings.append(f"{name} was not read: {error.what}")
            continue
        if match := form.search(text):
            return match[1], tuple(warnings)
    return "", tuple(warnings)
