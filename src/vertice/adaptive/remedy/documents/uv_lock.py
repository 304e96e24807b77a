"""`uv.lock` with its pyproject.toml: uv itself writes the lock, and only what the move meant is taken from it."""

import posixpath
import re
import tomllib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from packaging.utils import canonicalize_name

from vertice.adaptive.inventory.model import Lock
from vertice.adaptive.remedy.documents.blocks import Block, split
from vertice.adaptive.remedy.documents.model import Move, Written
from vertice.adaptive.remedy.documents.pyproject import PYPROJECT, edit_pyproject, excluding
from vertice.adaptive.remedy.model import Edit
from vertice.adaptive.remedy.releases import Releases
from vertice.adaptive.remedy.requirements import entries
from vertice.adaptive.remedy.resolver import Asked, Runner, conflict_text

__all__ = ["UvLockDocument", "member_files", "open_uv_lock"]

LOCK = "uv.lock"
_LOCAL = ("editable", "virtual", "directory")
_UPLOAD_TIME = re.compile(r', upload-time = "[^"]*"')


@dataclass(frozen=True, slots=True)
class UvLockDocument:
    """The lock, the project's pyproject.toml, and those of its workspace's members."""

    files: Mapping[str, str]
    roots: tuple[Asked, ...]
    constraints: tuple[Asked, ...] = ()
    overrides: tuple[str, ...] = ()
    overridable: bool = True
    override_last: bool = False
    universal: bool = True

    @property
    def projects(self) -> tuple[str, ...]:
        """Every pyproject.toml."""
        return tuple(path for path in self.files if posixpath.basename(path) == PYPROJECT)

    def excluding(self, move: Move) -> int:
        """Count requirements that exclude a version of the move."""
        return sum(len(excluding(self.files[path], move, raising=frozenset())) for path in self.projects)

    def write(self, move: Move, index: Releases, uv: Runner) -> Written:  # noqa: ARG002 - the protocol's signature
        """Edit what excludes the move, let uv lock, and keep the old text of every package that did not change."""
        new = {path: edit_pyproject(self.files[path], move) for path in self.projects}
        if move.overridden:
            new[PYPROJECT] = _overridden(new[PYPROJECT], move)
        asked = {name: after for name, (_, after) in move.changes.items()} | dict(move.added)
        upgrades = [part for name, version in sorted(asked.items()) for part in ("-P", f"{name}=={version}")]
        ran = uv.run(["lock", *upgrades, *_QUIET], files=_bytes({**self.files, **new}))
        if ran.returncode != 0:
            return Written(problem=conflict_text(ran.stderr))
        locked = ran.files.get(LOCK, self.files[LOCK].encode()).decode("utf-8", "replace")
        new[LOCK] = _spliced(self.files[LOCK], locked)
        edits = tuple(Edit(path, self.files[path], text) for path, text in new.items() if text != self.files[path])
        return Written(edits, self.excluding(move))

    def check(self, files: Mapping[str, str], lock: Lock, uv: Runner) -> str:  # noqa: ARG002
        """Let uv lock once more without asking for anything: every version must stay as it is."""
        ran = uv.run(["lock", *_QUIET], files=_bytes({path: files[path] for path in self.files}))
        if ran.returncode != 0:
            return conflict_text(ran.stderr)
        if LOCK not in ran.files:
            return ""
        mine, its = _versions(files[LOCK]), _versions(ran.files[LOCK].decode("utf-8", "replace"))
        moved = sorted({name for name, _ in mine ^ its})
        return f"uv would lock {', '.join(moved)} otherwise" if moved else ""


_QUIET = ("--no-progress", "--color", "never")


def open_uv_lock(files: Mapping[str, str]) -> UvLockDocument | str:
    """Return the document of `files` (the lock and every pyproject.toml), or why it cannot be edited."""
    if PYPROJECT not in files:
        return f"{LOCK} has no {PYPROJECT} beside it, so uv cannot lock anew"
    lock, project = tomllib.loads(files[LOCK]), tomllib.loads(files[PYPROJECT])
    uv = project.get("tool", {}).get("uv", {})
    manifest = lock.get("manifest", {})
    constraints = [one for text in _texts(uv, "constraint-dependencies") for one in entries(text)]
    overrides = _texts(uv, "override-dependencies")
    asked = [*manifest.get("requirements", ())]
    asked += [one for found in manifest.get("dependency-groups", {}).values() for one in found]
    for package in lock.get("package", ()):
        if any(kind in package.get("source", {}) for kind in _LOCAL):
            metadata = package.get("metadata", {})
            asked += metadata.get("requires-dist", [])
            asked += [one for found in metadata.get("requires-dev", {}).values() for one in found]
    return UvLockDocument(
        files=files,
        roots=tuple(dict.fromkeys(_asked(asked))),
        constraints=tuple(Asked(one.name, str(one.specifier), marker=one.marker) for one in constraints),
        overrides=tuple(overrides),
    )


def member_files(root: Path, lock: str) -> tuple[str, ...]:
    """Return the pyproject.toml of the project and of every local package inside it that the lock names."""
    found = [PYPROJECT]
    for package in tomllib.loads(lock).get("package", ()):
        source = package.get("source", {})
        where = next((source[kind] for kind in _LOCAL if kind in source), None)
        if isinstance(where, str):
            found.append(posixpath.normpath(posixpath.join(where, PYPROJECT)))
    inside = (path for path in dict.fromkeys(found) if not path.startswith(("/", "..")))
    return tuple(path for path in inside if (root / path).is_file())


def _texts(table: Mapping[str, Any], key: str) -> list[str]:
    values = table.get(key, [])
    return [value for value in values if isinstance(value, str)] if isinstance(values, list) else []


def _asked(tables: Iterable[Mapping[str, Any]]) -> Iterator[Asked]:
    """Yield what an index must provide; what comes from elsewhere has a key of its own."""
    for table in tables:
        if not {"editable", "virtual", "directory", "git", "url", "path"} & table.keys():
            yield Asked(
                canonicalize_name(str(table["name"])),
                str(table.get("specifier", "")),
                tuple(str(extra) for extra in table.get("extras", ())),
                _without_extra(str(table.get("marker", ""))),
            )


def _without_extra(marker: str) -> str:
    """Drop `extra == '…'`: every extra of the project's own is locked."""
    rest = re.sub(r"\s*(?:\band\b\s*)?\bextra\s*==\s*(['\"])[^'\"]*\1(?:\s*and\b)?", "", marker).strip()
    return "" if re.search(r"\bextra\b", rest) else rest


def _overridden(text: str, move: Move) -> str:
    """Return pyproject.toml with `[tool.uv] override-dependencies` naming the move's overridden packages."""
    import tomlkit

    document = tomlkit.parse(text)
    tool = document.setdefault("tool", tomlkit.table(is_super_table=True))
    uv = tool.setdefault("uv", tomlkit.table())
    present = uv.setdefault("override-dependencies", tomlkit.array())
    for name in sorted(move.overridden):
        kept = [index for index, one in enumerate(present) if entries(str(one)) and entries(str(one))[0].name == name]
        for index in reversed(kept):
            present.pop(index)
        present.append(f"{name}>={move.changes[name][1]}")
    return tomlkit.dumps(document)


def _bytes(files: Mapping[str, str]) -> dict[str, bytes]:
    return {path: text.encode() for path, text in files.items()}


def _versions(lock: str) -> set[tuple[str, str]]:
    return {(one["name"], str(one.get("version", ""))) for one in tomllib.loads(lock).get("package", ())}


def _spliced(old: str, new: str) -> str:
    """Return uv's new lock with the old text wherever it means the same.

    A newer uv writes a higher `revision` and adds upload times to every package; that is not part of the remedy.
    """
    crlf = "\r\n" in old
    before, after = split(old.replace("\r\n", "\n"), "package"), split(new, "package")
    known = {(block.name, block.version): block for block in before.blocks}
    timed = "upload-time" in old
    blocks = [_kept(block, known.get((block.name, block.version)), timed=timed) for block in after.blocks]
    text = _head(before.head, after.head) + "".join(blocks) + (after.tail if after.tail != before.tail else before.tail)
    return text.replace("\n", "\r\n") if crlf else text


def _kept(block: Block, old: Block | None, *, timed: bool) -> str:
    text = block.text if timed else _UPLOAD_TIME.sub("", block.text)
    if old is None:
        return text
    return old.text if _plain(old.table) == _plain(block.table) else text


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _plain(one) for key, one in value.items() if key != "upload-time"}
    return [_plain(one) for one in value] if isinstance(value, list) else value


def _head(old: str, new: str) -> str:
    """Return the new head with the old revision; the old head when nothing but revision and options differ."""
    before, after = tomllib.loads(old), tomllib.loads(new)
    own = {"revision", "options"}
    if {k: v for k, v in before.items() if k not in own} == {k: v for k, v in after.items() if k not in own}:
        return old
    revision = re.search(r"^revision = .*\n", old, re.MULTILINE)
    return re.sub(r"^revision = .*\n", revision[0] if revision else "", new, count=1, flags=re.MULTILINE)
