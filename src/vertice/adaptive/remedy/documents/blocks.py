"""A lock written in TOML as a row of texts: a head, one block per package, a tail. What is not touched stays."""

import re
import tomllib
from dataclasses import dataclass, replace
from typing import Any

from packaging.utils import canonicalize_name

__all__ = ["Block", "Blocks", "split"]


@dataclass(frozen=True, slots=True)
class Block:
    """One `[[package]]` with its sub-tables, up to the next table."""

    text: str
    name: str
    """PEP 503 normalised."""
    version: str

    @property
    def table(self) -> dict[str, Any]:
        """The package's table; the block is valid TOML by itself."""
        found = next(iter(tomllib.loads(self.text).values()))
        table: dict[str, Any] = found[0]
        return table


@dataclass(frozen=True, slots=True)
class Blocks:
    """`head`, `blocks` and `tail` joined give the file."""

    head: str
    blocks: tuple[Block, ...]
    tail: str

    @property
    def text(self) -> str:
        """The file."""
        return self.head + "".join(block.text for block in self.blocks) + self.tail

    def with_block(self, index: int, text: str) -> "Blocks":
        """Return the file with the text of one block replaced."""
        changed = replace(self.blocks[index], text=text)
        return replace(self, blocks=(*self.blocks[:index], changed, *self.blocks[index + 1 :]))


def split(text: str, header: str) -> Blocks:
    """Split at `[[header]]`; the tail begins at the first table after that is not below `header`.

    Headers inside strings are not told apart: the blocks are parsed one by one, which fails on such a file.
    Raises ValueError (tomllib.TOMLDecodeError) when a block is not TOML.
    """
    starts = [match.start() for match in re.finditer(rf"^\[\[{re.escape(header)}\]\]", text, re.MULTILINE)]
    if not starts:
        return Blocks(text, (), "")
    other = re.compile(rf"^\[\[?(?!\[|{re.escape(header)}[.\]])", re.MULTILINE)
    after = other.search(text, starts[-1])
    end = after.start() if after else len(text)
    texts = [text[start:stop] for start, stop in zip(starts, [*starts[1:], end], strict=True)]
    return Blocks(text[: starts[0]], tuple(_block(one) for one in texts), text[end:])


def _block(text: str) -> Block:
    table = next(iter(tomllib.loads(text).values()))[0]
    return Block(text, canonicalize_name(str(table.get("name", ""))), str(table.get("version", "")))
