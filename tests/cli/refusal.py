"""How a command refuses: one error in three parts, on stderr, and nothing changed on disk."""

from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

__all__ = ["Refusal", "refusal", "shown_safely", "tree"]


class Ran(Protocol):
    """A command that came to its end."""

    code: int
    out: str
    err: str


@dataclass(frozen=True)
class Refusal:
    """The one error a command gave: exit code, what was wrong, where, and what to do."""

    code: int
    what: str
    where: str
    todo: str


def refusal(done: Ran) -> Refusal:
    """Read the error of `done`, which has said nothing else but progress."""
    assert done.out == ""
    assert "Traceback" not in done.err
    assert "fault of Vértice's own" not in done.err
    shown_safely(done)
    assert [line for line in done.err.splitlines() if line.lower().startswith("error")] == [_lines(done)[0]]
    what, *rest = _lines(done)
    where = rest.pop(0) if rest and rest[0].startswith("  in: ") else "  in: "
    assert len(rest) == 1, done.err
    assert rest[0].startswith("  do: "), done.err
    return Refusal(
        done.code, what.removeprefix("error: "), where.removeprefix("  in: "), rest[0].removeprefix("  do: ")
    )


def shown_safely(done: Ran) -> None:
    """Nothing that a terminal would obey has come through."""
    for text in (done.out, done.err):
        unsafe = {char for char in text if not char.isprintable()} - {"\n"}
        assert not unsafe, text


def tree(folder: Path) -> dict[str, bytes]:
    """Return the content of every file below `folder`, by relative path; folders and links have none."""
    return {
        str(path.relative_to(folder)): path.read_bytes() if path.is_file() and not path.is_symlink() else b""
        for path in sorted(folder.rglob("*"))
    }


def _lines(done: Ran) -> list[str]:
    lines = done.err.splitlines()
    return lines[next(at for at, line in enumerate(lines) if line.startswith("error: ")) :]
