"""`requirements*.txt` with the files it includes, and the `.in` files it was compiled from."""

import posixpath
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from packaging.version import Version

from vertice.adaptive.inventory.model import Lock
from vertice.adaptive.remedy.bounds import allows, raise_bounds
from vertice.adaptive.remedy.candidates import same
from vertice.adaptive.remedy.documents.model import Move, Written
from vertice.adaptive.remedy.model import Edit
from vertice.adaptive.remedy.releases import Releases
from vertice.adaptive.remedy.requirements import (
    Entry,
    Replacement,
    Span,
    apply,
    entries,
    includes,
    is_compiled,
    newline,
    plain,
    repin,
)
from vertice.adaptive.remedy.resolver import Asked, Runner, conflict_text, flags

__all__ = ["RequirementsDocument", "open_requirements"]

_OVERRIDE = re.compile(r"^#\s*vertice: override (?P<line>[A-Za-z0-9._-]+==\S+)", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class RequirementsDocument:
    """Requirement files that are installed together."""

    files: Mapping[str, str]
    root: str
    required: tuple[str, ...]
    """Files whose entries are requirements, the root first."""
    limiting: tuple[str, ...]
    """Files named by `-c`."""
    sources: tuple[str, ...] = ()
    """`.in` files of the above, and what they include by `-r`."""
    source_limits: tuple[str, ...] = ()
    """What the `.in` files include by `-c`."""
    python: str = ""
    universal: bool = False

    @property
    def starts(self) -> tuple[str, ...]:
        """Files that no other includes: what is given to the resolver."""
        named = {path for start in self.required for path in _named(start, self.files)}
        return tuple(path for path in self.required if path not in named)

    @property
    def compiled(self) -> bool:
        """The root says that a tool wrote it."""
        return is_compiled(self.files[self.root])

    @property
    def overridable(self) -> bool:
        """Only a full lock, which is installed without dependencies, can hold what pip's resolver would refuse."""
        return self.compiled

    @property
    def override_last(self) -> bool:
        """pip has no overrides."""
        return True

    @property
    def overrides(self) -> tuple[str, ...]:
        """Pins that an earlier remedy put against a parent's cap, marked by a comment."""
        texts = [self.files[path] for path in self.required]
        return tuple(match["line"] for text in texts for match in _OVERRIDE.finditer(text))

    @property
    def roots(self) -> tuple[Asked, ...]:
        """The `.in` files' lines where there are any, else every line that is not a constraint."""
        if self.sources:
            return tuple(_asked(entry, pins=True) for entry in self._entries(self.sources))
        return tuple(_asked(entry, pins=False) for entry in self._entries(self.required))

    @property
    def constraints(self) -> tuple[Asked, ...]:
        """Ranges in `-c` files (pins there are part of the lock)."""
        return tuple(
            _asked(entry, pins=False)
            for entry in self._entries((*self.limiting, *self.source_limits))
            if entry.clauses and not entry.pinned
        )

    def excluding(self, move: Move) -> int:
        """Count own ranges, and pins in `.in` files, that exclude a version of the move."""
        return sum(
            1
            for path in self.files
            for entry in entries(self.files[path])
            if entry.name in move.changes
            and entry.clauses
            and (path in self.sources or not entry.pinned)
            and not allows(entry, Version(move.changes[entry.name][1]))
        )

    def write(self, move: Move, index: Releases, uv: Runner) -> Written:  # noqa: ARG002 - the protocol's signature
        """Return each file with just the versions, bounds and hashes of the move replaced."""
        unknown = [name for name in sorted({*move.changes, *move.added}) if not self._hashes_known(name, move, index)]
        if unknown:
            return Written(problem=f"the index gives no sha256 for the files of {', '.join(unknown)}")
        new = {path: self._rewritten(path, move, index) for path in (*self.required, *self.limiting)}
        new |= {path: self._relaxed(path, move) for path in (*self.sources, *self.source_limits)}
        missing = [name for name in sorted(move.targets) if not move.bare and not self._names(name)]
        for name in missing:
            path = self.limiting[0] if self.limiting else self.root
            new[path] = _inserted(new[path], name, move, index, note=True)
        if self.compiled or self._complete(move):
            for name in sorted(move.added):
                new[self.root] = _inserted(new[self.root], name, move, index, note=False)
        for name in sorted(move.removed if self.compiled else ()):
            new = {path: _removed(text, name) if is_compiled(text) else text for path, text in new.items()}
        for name in sorted(move.overridden):
            new = {path: _marked(text, name, move) for path, text in new.items()}
        edits = tuple(
            Edit(path, self.files[path], new[path]) for path in self.files if new.get(path, "") != self.files[path]
        )
        return Written(tuple(edit for edit in edits if edit.path in new), self.excluding(move))

    def check(self, files: Mapping[str, str], lock: Lock, uv: Runner) -> str:  # noqa: ARG002
        """Resolve the edited files as they stand, all pins included."""
        kept = {path: _resolvable(path, files).encode() for path in self.files}
        overrides = RequirementsDocument(files, self.root, self.required, self.limiting).overrides
        kept["vertice-overrides.txt"] = "".join(f"{line}\n" for line in overrides).encode()
        args = ["pip", "compile", *self.starts, "--overrides", "vertice-overrides.txt", "--no-header", "--no-annotate"]
        args += ["--no-progress", "--color", "never", *flags(self.python, universal=self.universal)]
        ran = uv.run(args, files=kept)
        return "" if ran.returncode == 0 else conflict_text(ran.stderr)

    def _entries(self, paths: Iterable[str]) -> Iterable[Entry]:
        for path in paths:
            yield from entries(self.files[path])

    def _hashes_known(self, name: str, move: Move, index: Releases) -> bool:
        if not any(entry.hashes for entry in self._entries((*self.required, *self.limiting))):
            return True
        release = index.release(name, move.added.get(name) or move.changes[name][1])
        return release is not None and bool(release.hashes)

    def _names(self, name: str) -> bool:
        return any(entry.name == name for entry in self._entries((*self.required, *self.limiting)))

    def _complete(self, move: Move) -> bool:
        """Say whether the files pin every package of the lock, compiled or not: then new ones are pinned as well."""
        pinned = {entry.name for entry in self._entries((*self.required, *self.limiting)) if entry.pinned}
        return move.parents.keys() - move.added.keys() <= pinned

    def _rewritten(self, path: str, move: Move, index: Releases) -> str:
        text = self.files[path]
        held = {one.name for one in self._entries((*self.required, *self.limiting)) if one.pinned and not one.marker}
        made: list[Replacement] = []
        for entry in entries(text):
            if entry.name not in move.changes or entry.pinned:
                continue
            after = Version(move.changes[entry.name][1])
            asks = entry.name in move.targets and entry.name not in held and path in self.required
            if asks or not allows(entry, after):
                made += raise_bounds(entry, after)
            made += _avoiding(entry, move)
        return _repinned(apply(text, made), move, index)

    def _relaxed(self, path: str, move: Move) -> str:
        made: list[Replacement] = []
        for entry in entries(self.files[path]):
            if entry.name in move.changes and entry.clauses:
                after = Version(move.changes[entry.name][1])
                made += () if allows(entry, after) else raise_bounds(entry, after)
        return apply(self.files[path], made)


def open_requirements(root: str, files: Mapping[str, str], *, python: str, universal: bool) -> RequirementsDocument:
    """Sort the files of one manifest by what they are for. `files` may hold more than belongs to it."""
    named = {path for start in files if not start.endswith(".in") for path in _named(start, files)}
    loose = (path for path in files if path not in named and path != root and not path.endswith(".in"))
    required, limiting = _followed((root, *loose), files)
    beside = tuple(path[:-4] + ".in" for path in required if path.endswith(".txt") and path[:-4] + ".in" in files)
    sources, source_limits = _followed(beside, files)
    mine = (*required, *limiting, *sources, *source_limits)
    source_limits = tuple(path for path in source_limits if path not in {*required, *limiting})
    return RequirementsDocument(
        files={path: files[path] for path in dict.fromkeys(mine)},
        root=root,
        required=required,
        limiting=limiting,
        sources=sources if is_compiled(files[root]) else (),
        source_limits=source_limits if is_compiled(files[root]) else (),
        python=python,
        universal=universal,
    )


def _followed(roots: tuple[str, ...], files: Mapping[str, str]) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Return the files reached by `-r`, and those reached by `-c`, each once."""
    required: dict[str, None] = {}
    limiting: dict[str, None] = {}
    waiting = [(path, False) for path in roots]
    while waiting:
        path, limits = waiting.pop(0)
        if path not in files or path in required or path in limiting:
            continue
        (limiting if limits else required)[path] = None
        waiting += [(named, limits or flag == "-c") for named, flag in _named(path, files).items()]
    return tuple(required), tuple(limiting)


def _resolvable(path: str, files: Mapping[str, str]) -> str:
    """Return what uv is given of a file: `plain`, without includes of what is not here (a URL)."""
    gone = {named for _, named in includes(files[path]) if _beside(path, named) not in files}
    lines = plain(files[path]).splitlines(keepends=True)
    return "".join(line for line in lines if not (gone and line.startswith("-") and line.split()[-1] in gone))


def _beside(path: str, named: str) -> str:
    return posixpath.normpath(posixpath.join(posixpath.dirname(path), named))


def _named(path: str, files: Mapping[str, str]) -> dict[str, str]:
    """Return the files that `path` includes, relative to the project, each with its flag."""
    return {_beside(path, named): flag for flag, named in includes(files[path])}


def _asked(entry: Entry, *, pins: bool) -> Asked:
    specifier = "" if entry.pinned and not pins else str(entry.specifier)
    return Asked(entry.name, specifier, entry.extras, entry.marker)


def _avoiding(entry: Entry, move: Move) -> list[Replacement]:
    """Exclude versions that a range would otherwise resolve to."""
    at = entry.clauses[-1].span.end if entry.clauses else entry.bound
    lead = "," if entry.clauses or entry.name in move.targets else ""
    avoided = ",".join(f"!={version}" for version in move.avoided.get(entry.name, ()))
    return [Replacement(Span(at, at), lead + avoided)] if avoided else []


def _repinned(text: str, move: Move, index: Releases) -> str:
    hashes = {}
    for entry in entries(text):
        if entry.hashes and entry.name in move.changes:
            release = index.release(entry.name, move.changes[entry.name][1])
            hashes[entry.name] = release.hashes if release else ()
    return repin(text, move.changes, hashes)


def _inserted(text: str, name: str, move: Move, index: Releases, *, note: bool) -> str:
    """Return `text` with a new pinned line: in its sorted place where the file is sorted, else at the end."""
    present = entries(text)
    version = move.added.get(name) or move.changes[name][1]
    line = f"{name}=={version}"
    hashed = next((entry for entry in present if entry.hashes), None)
    if hashed is not None:
        gap = " \\\n    " if "\n" in text[hashed.bound : hashed.hashes[0].start] else " "
        release = index.release(name, version)
        line = gap.join([line, *(f"--hash={value}" for value in (release.hashes if release else ()))])
    parents = ", ".join(move.parents.get(name, ()))
    if note:
        line += f"  # vertice: raised above a vulnerable release{f'; required by {parents}' if parents else ''}"
    elif re.search(r"^ +# via\b", text, re.MULTILINE):
        line += f"\n    # via {parents}" if parents else ""
    names = [entry.name for entry in present]
    behind = [entry for entry in present if entry.name > name] if names == sorted(names) else []
    at = behind[0].line_span.start if behind else max((entry.end for entry in present), default=len(text))
    line = line.replace("\n", newline(text))
    opening = newline(text) if at and text[at - 1] != "\n" else ""
    closing = "" if opening else newline(text)
    return text[:at] + opening + line + closing + text[at:]


def _removed(text: str, name: str) -> str:
    return apply(
        text, [Replacement(Span(entry.line_span.start, entry.end), "") for entry in entries(text) if entry.name == name]
    )


def _marked(text: str, name: str, move: Move) -> str:
    """Put a comment above an overriding pin, by which the next run knows that it is meant."""
    after = move.changes[name][1]
    by = ", ".join(move.parents.get(name, ()))
    comment = f"# vertice: override {name}=={after} (excluded by {by or 'a parent'}; install with --no-deps)"
    return apply(
        text,
        [
            Replacement(Span(entry.line_span.start, entry.line_span.start), comment + newline(text))
            for entry in entries(text)
            if entry.name == name and entry.pinned and same(entry.clauses[0].version, after)
        ],
    )
