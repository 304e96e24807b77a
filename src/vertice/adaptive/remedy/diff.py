"""A unified diff that `git apply` takes as it is."""

import difflib
from collections.abc import Sequence

from vertice.adaptive.remedy.model import Edit

__all__ = ["unified_diff"]

_NO_NEWLINE = "\\ No newline at end of file\n"


def unified_diff(edits: Sequence[Edit]) -> str:
    r"""Return the diff of all edits, `a/` and `b/` before each path; "" when nothing changes.

    Lines end at `\n` only, so that a `\r` before it stays part of the line, as git has it.
    """
    return "".join(_one(edit) for edit in edits if edit.before != edit.after)


def _one(edit: Edit) -> str:
    before, after = _lines(edit.before or ""), _lines(edit.after)
    created = edit.before is None
    head = f"diff --git {_quoted('a/' + edit.path)} {_quoted('b/' + edit.path)}\n"
    if created:
        head += "new file mode 100644\n"
    body = difflib.unified_diff(
        before, after, "/dev/null" if created else _quoted("a/" + edit.path), _quoted("b/" + edit.path)
    )
    return head + "".join(line if line.endswith("\n") else f"{line}\n{_NO_NEWLINE}" for line in body)


def _lines(text: str) -> list[str]:
    lines = text.split("\n")
    return [line + "\n" for line in lines[:-1]] + ([lines[-1]] if lines[-1] else [])


def _quoted(path: str) -> str:
    """Quote a path as git does (`core.quotePath`): C escapes for control characters, quotes and backslashes."""
    if not any(char in '"\\' or ord(char) < 0x20 or ord(char) > 0x7E for char in path):
        return path
    named = {"\n": "\\n", "\t": "\\t", "\r": "\\r", '"': '\\"', "\\": "\\\\"}
    parts = (named.get(chr(byte)) or (chr(byte) if 0x20 <= byte < 0x7F else f"\\{byte:03o}") for byte in path.encode())
    return '"' + "".join(parts) + '"'
