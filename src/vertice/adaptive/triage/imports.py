"""The index of the project's own code: which names of other packages it uses, and where. Pure, on source text."""

import re
import sys
import warnings
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

from vertice.adaptive.triage.model import Site
from vertice.adaptive.triage.names import FileNames, Use, import_lines, names_in
from vertice.adaptive.triage.sources import OwnCode, SourceFile, is_test
from vertice.kernel.text import printable

__all__ = ["CommandLine", "FileUse", "ImportIndex", "index_imports"]

_WORD = re.compile(rb"[A-Za-z_]\w*")
_IMPORT = re.compile(
    rb"\b(?:import|from|import_module|__import__)\b\s*"
    rb"((?:[^\n\\(]|\\\r?\n|\\)*(?:\((?:[^()]|\([^()]*\))*\)?)?)"
)
"""What stands behind a word that can begin an import, to the end of its logical line."""
_INSTALLS = re.compile(r"\b(pip3?|pipx|uv|poetry|conda|apt|apt-get|apk)\b.*\b(install|add|sync|download)\b")
_PYTHON = f"{sys.version_info.major}.{sys.version_info.minor}"
_ROUNDS = 5
"""How many own modules a name is followed through."""
_MAX_ORIGINS = 16


@dataclass(frozen=True, slots=True)
class FileUse:
    """A use, and the file it stands in."""

    path: str
    use: Use
    test: bool

    @property
    def site(self) -> Site:
        """The line, with the name as it resolves."""
        return Site(self.path, self.use.line, self.use.name.replace("()", ""))


@dataclass(frozen=True, slots=True)
class CommandLine:
    """One line of a Dockerfile, Procfile, Makefile, Compose file, unit or shell script."""

    path: str
    line: int
    text: str


@dataclass(frozen=True, slots=True)
class ImportIndex:
    """Every use of another package's names in the project's own code."""

    uses: Mapping[str, tuple[FileUse, ...]] = field(default_factory=dict)
    """Top-level module -> its uses, sorted by path and line."""
    commands: tuple[CommandLine, ...] = ()
    """Lines that may start a program: no comment, no installation."""
    files: int = 0
    """Python files that were parsed."""
    warnings: tuple[str, ...] = ()
    """Files that could not be searched, or only in part, and why."""


def index_imports(code: OwnCode, modules: Collection[str] | None = None) -> ImportIndex:
    """Parse the project's own files once each and index what they use of `modules` (dotted; None: of everything).

    Only files with all parts of a module's name behind an `import` or `from` are parsed, and then those that can have
    such a name from an own module that was parsed (`from .compat import load`), back to where it comes from. Of a
    file that this Python cannot parse, only the import lines are known.
    """
    notes = list(code.warnings)
    tops = None if modules is None else frozenset(module.split(".")[0] for module in modules)
    parsed: dict[str, FileNames] = {}
    pending: Sequence[SourceFile] = code.sources
    handed: dict[bytes, set[bytes]] = {}
    wanted = None if modules is None else [frozenset(module.encode().split(b".")) for module in modules]
    for _ in range(_ROUNDS):
        chosen, pending = _choose(pending, wanted, handed)
        found = dict(_parse(chosen, notes))
        if not found:
            break
        parsed.update(found)
        handed = _handed_on(found, tops, handed)
        wanted = [] if modules is not None else None
    return ImportIndex(
        uses=_collect(parsed, tops, code.sources),
        commands=tuple(_command_lines(code.commands)),
        files=len(parsed),
        warnings=tuple(notes),
    )


def _choose(
    files: Sequence[SourceFile], wanted: Sequence[frozenset[bytes]] | None, handed: Mapping[bytes, set[bytes]]
) -> tuple[list[SourceFile], list[SourceFile]]:
    """Split `files` into those to parse now and the rest."""
    if wanted is None:
        return list(files), []
    chosen: list[SourceFile] = []
    rest: list[SourceFile] = []
    for file in files:
        named = frozenset(_WORD.findall(b"\n".join(_IMPORT.findall(file.content))))
        is_wanted = any(parts <= named for parts in wanted) or _can_have(file, named, handed)
        (chosen if is_wanted else rest).append(file)
    return chosen, rest


def _can_have(file: SourceFile, named: frozenset[bytes], handed: Mapping[bytes, set[bytes]]) -> bool:
    """Say whether a file that imports the modules `named` can use a name that an own module hands on."""
    offered = {name for tail in named & handed.keys() for name in handed[tail]}
    if not offered:
        return False
    return b"*" in offered or b"import *" in file.content or not offered.isdisjoint(_WORD.findall(file.content))


def _parse(files: Sequence[SourceFile], notes: list[str]) -> Iterator[tuple[str, FileNames]]:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the project's own SyntaxWarnings are not ours to show
        for file in files:
            try:
                yield file.path, names_in(file.path, file.content)
            except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
                reason = error.msg if isinstance(error, SyntaxError) else str(error) or type(error).__name__
                line = f":{error.lineno}" if isinstance(error, SyntaxError) and error.lineno else ""
                notes.append(
                    f"{printable(file.path)}{line}: only its import lines were searched, "
                    f"Python {_PYTHON} cannot read it ({printable(reason, limit=100)})"
                )
                yield file.path, import_lines(file.path, file.content)


def _handed_on(
    files: Mapping[str, FileNames], tops: frozenset[str] | None, earlier: Mapping[bytes, set[bytes]]
) -> dict[bytes, set[bytes]]:
    """Return last part of an own module -> the names other files can have from it."""
    tails = {tail.decode() for tail in earlier}
    handed: dict[bytes, set[bytes]] = {}
    for file in files.values():
        for name, targets in file.exports.items():
            if tops is None or any(_is_followed(target, tops, tails) for target in targets):
                handed.setdefault(file.module.rsplit(".", 1)[-1].encode(), set()).add(name.encode())
    return handed


def _is_followed(target: str, tops: frozenset[str], tails: set[str]) -> bool:
    parts = target.replace("()", "").split(".")
    return parts[0] in tops or not tails.isdisjoint(parts)


def _collect(
    parsed: Mapping[str, FileNames], tops: frozenset[str] | None, sources: Sequence[SourceFile]
) -> dict[str, tuple[FileUse, ...]]:
    packages = {file.path.removesuffix("/__init__.py") for file in sources if file.path.endswith("/__init__.py")}
    own = _OwnNames(parsed.values(), frozenset(path.replace("/", ".") for path in packages))
    found: dict[str, list[FileUse]] = {}
    for path in sorted(parsed):
        test = is_test(path)
        for use in parsed[path].uses:
            for name in own.origins(use.name):
                top = name.split(".", 1)[0].removesuffix("()")
                if tops is None or top in tops:
                    renamed = use if name == use.name else replace(use, name=name)
                    found.setdefault(top, []).append(FileUse(path, renamed, test))
    return {top: tuple(dict.fromkeys(uses)) for top, uses in found.items()}


class _OwnNames:
    """Names that own modules hand on, by every dotted name another own file can have for them."""

    def __init__(self, files: Collection[FileNames], packages: frozenset[str]) -> None:
        self._targets: dict[str, tuple[str, ...]] = {}
        for file in files:
            for name, targets in file.exports.items():
                for module in _import_names(file.module, packages):
                    key = f"{module}.{name}"
                    self._targets[key] = tuple(dict.fromkeys((*self._targets.get(key, ()), *targets)))
        self._known: dict[str, tuple[str, ...]] = {}
        self._tops = frozenset(key.split(".", 1)[0] for key in self._targets)

    def origins(self, name: str) -> tuple[str, ...]:
        """Return `name` and what it stands for when own modules handed it on, at most _MAX_ORIGINS names."""
        if name.split(".", 1)[0] not in self._tops:
            return (name,)
        known = self._known.get(name)
        if known is None:
            found, level = {name: None}, [name]
            for _ in range(_ROUNDS):
                level = [origin for each in level for origin in self._one_step(each) if origin not in found]
                found.update(dict.fromkeys(level[: _MAX_ORIGINS - len(found)]))
                level = [origin for origin in dict.fromkeys(level) if origin in found]
            known = self._known[name] = tuple(found)
        return known

    def _one_step(self, name: str) -> Iterator[str]:
        parts = name.split(".")
        for cut in range(1, len(parts)):
            key = ".".join(parts[: cut + 1])
            plain = key.removesuffix("()")
            for target in self._targets.get(plain, ()):
                made = "()" if key != plain and not target.endswith("()") else ""
                yield ".".join([target + made, *parts[cut + 1 :]])
            for star in self._targets.get(".".join([*parts[:cut], "*"]), ()):
                yield ".".join([star, *parts[cut:]])


def _import_names(module: str, packages: frozenset[str]) -> list[str]:
    """Return every name an own module can be imported by, for any folder on its way as the import root.

    A folder that is a package is no root, and a name of the standard library means the standard library.
    """
    parts = module.split(".") if module else []
    starts = [start for start in range(len(parts)) if ".".join(parts[:start]) not in packages]
    names = [".".join(parts[start:]) for start in starts]
    return [name for name in names if name == module or name not in sys.stdlib_module_names]


def _command_lines(files: Sequence[SourceFile]) -> Iterator[CommandLine]:
    for file in files:
        for number, line in enumerate(file.content.decode("utf-8", "replace").splitlines(), start=1):
            text = line.strip()
            if text and not text.startswith("#") and not _INSTALLS.search(text):
                yield CommandLine(file.path, number, text)
