"""`pylock.toml` (PEP 751): version and files of the changed packages replaced in the style they stand in."""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from vertice.adaptive.inventory.model import Lock
from vertice.adaptive.remedy.candidates import same
from vertice.adaptive.remedy.documents.blocks import Block, Blocks, split
from vertice.adaptive.remedy.documents.model import Move, Written
from vertice.adaptive.remedy.documents.pinned import fit_together
from vertice.adaptive.remedy.documents.pyproject import PYPROJECT, edit_pyproject, excluding
from vertice.adaptive.remedy.model import Edit
from vertice.adaptive.remedy.releases import Release, ReleaseFile, Releases
from vertice.adaptive.remedy.resolver import Asked, Runner

__all__ = ["PylockDocument"]

_INLINE = re.compile(r"^(?:sdist = \{[^\n]*\}|wheels = \[(?:[^\n]*\]|\s*\n(?:[ \t]+[^\n]*\n)*\]))\n", re.MULTILINE)
_TABLES = re.compile(r"^\[\[?packages\.(?:wheels|sdist)(?:\.[^\]]*)?\]\]?\n(?:(?!\[)[^\n]*\n)*", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class PylockDocument:
    """The lock, and the pyproject.toml beside it if there is one."""

    files: Mapping[str, str]
    path: str
    roots: tuple[Asked, ...]
    python: str = ""
    constraints: tuple[Asked, ...] = ()
    overrides: tuple[str, ...] = ()
    overridable: bool = False
    override_last: bool = True
    universal: bool = True

    def excluding(self, move: Move) -> int:
        """Count requirements of pyproject.toml that exclude a version of the move."""
        project = self.files.get(PYPROJECT)
        return len(excluding(project, move, raising=frozenset())) if project is not None else 0

    def write(self, move: Move, index: Releases, uv: Runner) -> Written:  # noqa: ARG002 - the protocol's signature
        """Rewrite the entries of the move."""
        text = self.files[self.path]
        crlf = "\r\n" in text
        blocks = split(text.replace("\r\n", "\n"), "packages")
        for position, block in enumerate(blocks.blocks):
            before, after = move.changes.get(block.name, ("", ""))
            release = index.release(block.name, after) if after and same(block.version, before) else None
            if release is not None:
                blocks = blocks.with_block(position, _rewritten(block, after, release))
        blocks = replace(blocks, blocks=tuple(block for block in blocks.blocks if block.name not in move.removed))
        for name, version in sorted(move.added.items()):
            if (release := index.release(name, version)) is not None:
                blocks = _with_new(blocks, name, version, release)
        new = {self.path: blocks.text.replace("\n", "\r\n") if crlf else blocks.text}
        if PYPROJECT in self.files:
            new[PYPROJECT] = edit_pyproject(self.files[PYPROJECT], move)
        edits = tuple(Edit(path, self.files[path], after) for path, after in new.items() if after != self.files[path])
        return Written(edits, self.excluding(move))

    def check(self, files: Mapping[str, str], lock: Lock, uv: Runner) -> str:  # noqa: ARG002
        """All pins must fit together."""
        return fit_together(lock, uv, python=self.python)


def _rewritten(block: Block, after: str, release: Release) -> str:
    text = re.sub(r'^version = "[^"]*"', f'version = "{after}"', block.text, count=1, flags=re.MULTILINE)
    pythons = sorted({file.requires_python for file in release.files} - {""})
    if pythons:
        text = re.sub(
            r'^requires-python = "[^"]*"', f'requires-python = "{pythons[0]}"', text, count=1, flags=re.MULTILINE
        )
    table = block.table
    if _TABLES.search(text):
        first = _TABLES.search(text)
        at = first.start() if first else len(text)
        return text[:at] + _as_tables(release, table) + _TABLES.sub("", text[at:])
    found = list(_INLINE.finditer(text))
    if not found:
        return text
    rest = _INLINE.sub("", text[found[0].start() :])
    return text[: found[0].start()] + _inline(release, table) + rest


def _sample(table: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return one of the old files: the new ones say the same about themselves."""
    found: Mapping[str, Any] = next(iter(table.get("wheels", ())), table.get("sdist", {}))
    return found


def _facts(file: ReleaseFile, sample: Mapping[str, Any]) -> list[str]:
    facts = [f"name = {json.dumps(file.filename)}"] if "name" in sample else []
    facts.append(f"url = {json.dumps(file.url)}")
    if "upload-time" in sample and file.upload_time:
        facts.append(f"upload-time = {re.sub(r'[.][0-9]+', '', file.upload_time)}")
    if "size" in sample and file.size is not None:
        facts.append(f"size = {file.size}")
    return facts


def _sorted(release: Release) -> tuple[list[ReleaseFile], list[ReleaseFile]]:
    files = sorted((file for file in release.files if file.sha256), key=lambda file: file.filename)
    return [file for file in files if not file.wheel], [file for file in files if file.wheel]


def _inline(release: Release, table: Mapping[str, Any]) -> str:
    sample = _sample(table)
    sdists, wheels = _sorted(release)

    def entry(file: ReleaseFile) -> str:
        return f"{{ {', '.join([*_facts(file, sample), f'hashes = {{ sha256 = {json.dumps(file.sha256)} }}'])} }}"

    text = f"sdist = {entry(sdists[0])}\n" if sdists and ("sdist" in table or not wheels) else ""
    if len(wheels) == 1:
        return text + f"wheels = [{entry(wheels[0])}]\n"
    return text + (f"wheels = [\n{''.join(f'    {entry(wheel)},{chr(10)}' for wheel in wheels)}]\n" if wheels else "")


def _as_tables(release: Release, table: Mapping[str, Any]) -> str:
    sample = _sample(table)
    sdists, wheels = _sorted(release)
    parts = [("[[packages.wheels]]", "[packages.wheels.hashes]", wheel) for wheel in wheels]
    if sdists and ("sdist" in table or not wheels):
        parts.insert(0, ("[packages.sdist]", "[packages.sdist.hashes]", sdists[0]))
    return "".join(
        f"{head}\n{chr(10).join(_facts(file, sample))}\n\n{hashes}\nsha256 = {json.dumps(file.sha256)}\n\n"
        for head, hashes, file in parts
    )


def _with_new(blocks: Blocks, name: str, version: str, release: Release) -> Blocks:
    """Insert a package at its place by name, in the manner of the first block."""
    sample = blocks.blocks[0].table if blocks.blocks else {}
    index = f"index = {json.dumps(sample['index'])}\n" if "index" in sample else ""
    text = f'[[packages]]\nname = "{name}"\nversion = "{version}"\n{index}{_inline(release, sample)}\n'
    at = sum(1 for block in blocks.blocks if block.name < name)
    return replace(blocks, blocks=(*blocks.blocks[:at], Block(text, name, version), *blocks.blocks[at:]))
