"""`poetry.lock`: the blocks of changed packages rewritten as Poetry would, the others left as they are."""

import hashlib
import json
import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from packaging.markers import Marker
from packaging.requirements import InvalidRequirement, Requirement
from packaging.specifiers import InvalidSpecifier, SpecifierSet
from packaging.utils import canonicalize_name

from vertice.adaptive.inventory.model import Lock
from vertice.adaptive.inventory.poetry_constraint import specifier
from vertice.adaptive.remedy.candidates import same
from vertice.adaptive.remedy.documents.blocks import Block, Blocks, split
from vertice.adaptive.remedy.documents.model import Move, Written
from vertice.adaptive.remedy.documents.pinned import fit_together
from vertice.adaptive.remedy.documents.pyproject import PYPROJECT, edit_pyproject, excluding
from vertice.adaptive.remedy.model import Edit
from vertice.adaptive.remedy.releases import Release, Releases
from vertice.adaptive.remedy.resolver import Asked, Runner
from vertice.adaptive.remedy.wheels import UNREADABLE, Metadata, metadata_of
from vertice.kernel.errors import UnfinishedError
from vertice.kernel.text import printable

__all__ = ["PoetryLockDocument", "content_hash"]

LOCK = "poetry.lock"


@dataclass(frozen=True, slots=True)
class PoetryLockDocument:
    """The lock and its pyproject.toml."""

    files: Mapping[str, str]
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
        """Rewrite the blocks; the content hash follows pyproject.toml where that had to change."""
        text = self.files[LOCK]
        crlf = "\r\n" in text
        blocks = split(text.replace("\r\n", "\n"), "package")
        try:
            blocks = _moved(blocks, move, index)
        except _UnknownMetadataError as error:
            return Written(problem=str(error))
        new = {LOCK: blocks.text}
        if PYPROJECT in self.files:
            new[PYPROJECT] = edit_pyproject(self.files[PYPROJECT], move)
            new[LOCK] = _rehashed(new[LOCK], self.files[PYPROJECT], new[PYPROJECT])
        if crlf:
            new[LOCK] = new[LOCK].replace("\n", "\r\n")
        edits = tuple(Edit(path, self.files[path], after) for path, after in new.items() if after != self.files[path])
        return Written(edits, self.excluding(move))

    def check(self, files: Mapping[str, str], lock: Lock, uv: Runner) -> str:  # noqa: ARG002
        """All pins must fit together."""
        return fit_together(lock, uv, python=self.python)


def content_hash(pyproject: Mapping[str, Any], current: str, before: Mapping[str, Any]) -> str | None:
    """Return the `content-hash` of `pyproject`, by the rule that gives `current` for `before`; None: none does.

    The rules are those of `Locker._get_content_hash`: Poetry 1 hashes keys of `[tool.poetry]` alone, Poetry 2.0 those
    of `[project]` as well, later ones `[dependency-groups]` too.
    """
    rules: tuple[tuple[str, ...], ...] = (("project", "dependency-groups"), ("project",), ())
    rule = next((rule for rule in rules if _hashed(before, rule) == current), None)
    return None if rule is None else _hashed(pyproject, rule)


_LEGACY = ("dependencies", "source", "extras", "dev-dependencies")
_PROJECT = ("requires-python", "dependencies", "optional-dependencies")


def _hashed(pyproject: Mapping[str, Any], tables: tuple[str, ...]) -> str:
    project = pyproject.get("project", {})
    poetry = pyproject.get("tool", {}).get("poetry", {})
    standard = {
        "project": {key: project[key] for key in _PROJECT if project.get(key) is not None},
        "dependency-groups": pyproject.get("dependency-groups", {}),
    }
    content: dict[str, Any] = {name: standard[name] for name in tables if standard[name]}
    kept = [key for key in (*_LEGACY, "group") if poetry.get(key) is not None or (key != "group" and not content)]
    own = {key: poetry.get(key) for key in kept}
    content = {**content, "tool": {"poetry": own}} if content else own
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()


def _rehashed(lock: str, before: str, after: str) -> str:
    if before == after:
        return lock
    found = re.search(r'^content-hash = "([0-9a-f]{64})"', lock, re.MULTILINE)
    new = content_hash(tomllib.loads(after), found[1], tomllib.loads(before)) if found else None
    return lock if found is None or new is None else lock[: found.start(1)] + new + lock[found.end(1) :]


class _UnknownMetadataError(UnfinishedError):
    """What a release requires cannot be found out; turned into `Written.problem` above."""

    code = "unknown-metadata"


@dataclass(frozen=True, slots=True)
class _New:
    release: Release
    metadata: Metadata
    pythons: tuple[str, ...]
    """Minor versions that the lock is for."""


def _pythons(lock: str) -> tuple[str, ...]:
    """Return the minor versions that the lock's `python-versions` lets in."""
    wanted = specifier(str(tomllib.loads(lock).get("metadata", {}).get("python-versions", ""))) or ""
    try:
        accepted = SpecifierSet(wanted)
    except InvalidSpecifier:
        return ()
    return tuple(f"3.{minor}" for minor in range(30) if accepted.contains(f"3.{minor}.0"))


def _moved(blocks: Blocks, move: Move, index: Releases) -> Blocks:
    pythons = _pythons(blocks.tail)
    for position, block in enumerate(blocks.blocks):
        before, after = move.changes.get(block.name, ("", ""))
        if after and same(block.version, before):
            old, new = _known(block.name, block.version, index, pythons), _known(block.name, after, index, pythons)
            blocks = blocks.with_block(position, _rewritten(block, after, old, new))
            if "[metadata.files]" in blocks.tail:
                blocks = replace(blocks, tail=_files_of_old_lock(blocks.tail, block, new.release))
    kept = tuple(block for block in blocks.blocks if block.name not in move.removed)
    blocks = replace(blocks, blocks=kept)
    for name, version in sorted(move.added.items()):
        blocks = _with_new(blocks, name, version, _known(name, version, index, pythons), move)
    return blocks


def _known(name: str, version: str, index: Releases, pythons: tuple[str, ...]) -> _New:
    release = index.release(name, version)
    try:
        metadata = metadata_of(release, index) if release is not None else None
    except UNREADABLE as error:
        raise _UnknownMetadataError(
            f"what {name} {version} requires is not known: {printable(str(error), limit=200)}"
        ) from error
    if release is None or metadata is None:
        raise _UnknownMetadataError(f"what {name} {version} requires is not known without building it")
    return _New(release, metadata, pythons)


def _rewritten(block: Block, after: str, old: _New, new: _New) -> str:
    text = re.sub(r'^version = "[^"]*"', f'version = "{after}"', block.text, count=1, flags=re.MULTILINE)
    if re.search(r"^files = \[", text, re.MULTILINE):
        text = re.sub(
            r"^files = \[(?:\]|\n.*?^\])\n",
            lambda _: _files(new.release),
            text,
            count=1,
            flags=re.MULTILINE | re.DOTALL,
        )
    pythons = {file.requires_python for file in new.release.files} - {""}
    if pythons and pythons != {file.requires_python for file in old.release.files} - {""}:
        wanted = _constraint(min(pythons))
        text = re.sub(r'^python-versions = "[^"]*"', f'python-versions = "{wanted}"', text, count=1, flags=re.MULTILINE)
    if set(old.metadata.requires_dist) != set(new.metadata.requires_dist):
        text = _with_requirements(text, block, old, new)
    return text


def _files(release: Release) -> str:
    lines = (
        f'    {{file = "{file.filename}", hash = "sha256:{file.sha256}"}},\n'
        for file in sorted(release.files, key=lambda file: file.filename)
        if file.sha256
    )
    return f"files = [\n{''.join(lines)}]\n"


def _files_of_old_lock(tail: str, block: Block, release: Release) -> str:
    """Replace the package's list in `[metadata.files]`, where lock versions before 2 keep all of them."""
    header = re.compile(rf"^{re.escape(block.table['name'])} = \[.*?^\]\n", re.MULTILINE | re.DOTALL | re.IGNORECASE)
    return header.sub(lambda _: _files(release).replace("files", block.table["name"], 1), tail, count=1)


def _with_requirements(text: str, block: Block, old: _New, new: _New) -> str:
    """Write `[package.dependencies]` and `[package.extras]` anew; entries that did not change keep their text."""
    optional: set[str] = {
        canonicalize_name(name)
        for name, entry in block.table.get("dependencies", {}).items()
        for one in (entry if isinstance(entry, list) else [entry])
        if isinstance(one, dict) and one.get("optional")
    }
    text = _with_section(text, "dependencies", _dependencies(old, optional), _dependencies(new, optional))
    return _with_section(text, "extras", _extras(old), _extras(new))


def _with_section(text: str, section: str, old: Mapping[str, str], new: Mapping[str, str]) -> str:
    if old == new:
        return text
    header = f"[package.{section}]\n"
    start = text.find(header)
    present = _items(text[start + len(header) :]) if start >= 0 else {}
    lines = {name: present[name] if name in present and old.get(name) == line else line for name, line in new.items()}
    body = "".join(lines[name] for name in sorted(lines))
    if start < 0:
        following = text.find("[package.extras]\n") if section == "dependencies" else -1
        at = following if following >= 0 else len(text.rstrip("\n")) + 1
        return (
            text[:at] + ("" if following >= 0 else "\n") + header + body + ("\n" if following >= 0 else "") + text[at:]
        )
    end = start + len(header) + sum(len(item) for item in present.values())
    if not body:
        return text[:start].rstrip("\n") + "\n" + text[end:]
    return text[: start + len(header)] + body + text[end:]


def _items(section: str) -> dict[str, str]:
    """Return PEP 503 name -> text of every `name = …` up to the first blank line."""
    body = re.split(r"^(?=\s*$|\[)", section, maxsplit=1, flags=re.MULTILINE)[0]
    starts = [match.start() for match in re.finditer(r'^"?[A-Za-z0-9]', body, re.MULTILINE)]
    texts = [body[start:end] for start, end in zip(starts, [*starts[1:], len(body)], strict=True)]
    return {canonicalize_name(text.partition(" =")[0].strip('"')): text for text in texts}


def _parsed(metadata: Metadata) -> list[Requirement]:
    found = []
    for text in metadata.requires_dist:
        try:
            found.append(Requirement(text))
        except InvalidRequirement as error:
            raise _UnknownMetadataError(f"{printable(text, limit=200)} is not PEP 508") from error
    return found


def _dependencies(new: _New, optional: set[str]) -> dict[str, str]:
    entries: dict[str, list[tuple[str, str]]] = {}
    for one in _parsed(new.metadata):
        marker = str(one.marker or "")
        name = canonicalize_name(one.name)
        if ("extra ==" not in marker or name in optional) and _possible(one.marker, new.pythons):
            entries.setdefault(name, []).append((one.name, _entry(one, marker)))
    return {
        name: f"{found[0][0]} = {found[0][1]}\n"
        if len(found) == 1
        else f"{found[0][0]} = [\n{''.join(f'    {_tabled(entry)},{chr(10)}' for _, entry in found)}]\n"
        for name, found in entries.items()
    }


def _possible(marker: Marker | None, pythons: tuple[str, ...]) -> bool:
    """Say whether a marker about the Python version alone holds for one of `pythons`; Poetry leaves others out."""
    about = set(re.findall(r"[a-z_]{4,}(?= *(?:[<>=!~]|not in|in))", str(marker))) if marker else set()
    if marker is None or not pythons or not about or not about <= {"python_version", "python_full_version"}:
        return True
    return any(marker.evaluate({"python_version": python, "python_full_version": f"{python}.0"}) for python in pythons)


def _entry(one: Requirement, marker: str) -> str:
    version = f'"{_constraint(str(one.specifier))}"'
    parts = [f"version = {version}"]
    if one.extras:
        parts.append(f"extras = [{', '.join(json.dumps(extra) for extra in sorted(one.extras))}]")
    if "extra ==" in marker:
        parts.append("optional = true")
    if marker:
        parts.append(f"markers = {json.dumps(marker)}")
    return version if len(parts) == 1 else f"{{{', '.join(parts)}}}"


def _tabled(entry: str) -> str:
    return entry if entry.startswith("{") else f"{{version = {entry}}}"


def _constraint(specifier: str) -> str:
    """Return a PEP 440 set in Poetry's order: what bounds from below first; `*` for any version."""
    order = {">=": 0, ">": 0, "~=": 0, "==": 0, "!=": 1, "<": 2, "<=": 2}
    parts = [part.strip() for part in specifier.split(",") if part.strip()]
    parts.sort(key=lambda part: order.get(re.split(r"[^<>=!~]", part, maxsplit=1)[0], 1))
    joined = ",".join(parts)
    return re.sub(r"^==(?=[^,*]+$)", "", joined) or "*"


def _extras(new: _New) -> dict[str, str]:
    found: dict[str, list[str]] = {}
    for one in _parsed(new.metadata):
        marker = str(one.marker or "")
        for extra in re.findall(r"""extra == ["']([^"']+)["']""", marker):
            rest = re.sub(r"""\s*(?:and\s+)?extra == ["'][^"']+["']""", "", marker).strip()
            rest = rest[1:-1] if re.fullmatch(r"\([^()]*\)", rest) else rest
            asked = f"{one.name}{f'[{chr(44).join(sorted(one.extras))}]' if one.extras else ''}"
            bounds = f" ({_constraint(str(one.specifier))})" if one.specifier else ""
            found.setdefault(extra, []).append(asked + bounds + (f" ; {rest}" if rest else ""))
    return {
        canonicalize_name(extra): f"{extra} = [{', '.join(json.dumps(one) for one in sorted(asked))}]\n"
        for extra, asked in found.items()
    }


def _with_new(blocks: Blocks, name: str, version: str, new: _New, move: Move) -> Blocks:
    """Insert a package at its place by name, in the groups of the package that asks for it."""
    parents = [block for block in blocks.blocks if block.name in move.parents.get(name, ())]
    groups = next((block.table["groups"] for block in parents if "groups" in block.table), None)
    pythons = sorted({file.requires_python for file in new.release.files} - {""})
    lines = [
        "[[package]]",
        f'name = "{name}"',
        f'version = "{version}"',
        f"description = {json.dumps(printable(new.metadata.summary, limit=500), ensure_ascii=False)}",
        "optional = false",
        f'python-versions = "{_constraint(pythons[0]) if pythons else "*"}"',
        *([f"groups = {json.dumps(groups)}"] if groups is not None else []),
    ]
    text = "\n".join(lines) + "\n" + _files(new.release) + "\n"
    for section, found in (("dependencies", _dependencies(new, set())), ("extras", _extras(new))):
        if found:
            text += f"[package.{section}]\n{''.join(found[key] for key in sorted(found))}\n"
    source = next(
        (re.search(r"^\[package\.source\]\n(?:[^\n\[]+\n)+", one.text, re.MULTILINE) for one in parents), None
    )
    text += f"{source[0]}\n" if source else ""
    at = sum(1 for block in blocks.blocks if block.name < name)
    block = Block(text, name, version)
    return replace(blocks, blocks=(*blocks.blocks[:at], block, *blocks.blocks[at:]))
