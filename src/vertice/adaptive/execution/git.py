"""Running git on repositories that may be hostile.

A repository's own configuration can name programs: hooks, fsmonitor, clean/smudge filters, merge and textconv drivers.
So objects are read and made through a *scratch* git folder of ours, with no configuration but ours, that borrows the
repository's object store. The repository itself is asked for refs and index entries and has refs set, with hooks and
fsmonitor off; nothing of that runs a filter or a driver.
"""

import os
import re
import shlex
import subprocess
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from vertice.kernel.errors import InputError, UnfinishedError, VerticeError, from_os_error
from vertice.kernel.text import printable

__all__ = ["Entry", "Git", "Repository", "find_repository", "git_environment", "scratch"]

_SECONDS = 120.0
_OFF = (
    "-c", "core.hooksPath=/dev/null",
    "-c", "core.fsmonitor=false",
    "-c", "core.quotePath=false",
    "-c", "gc.auto=0",
    "-c", "maintenance.auto=false",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Entry:
    """A file of a tree or index: mode (`100644`) and blob id."""

    mode: str
    blob: str


@dataclass(frozen=True, slots=True)
class Git:
    """git with its environment, in one folder."""

    folder: Path
    env: Mapping[str, str] = field(default_factory=dict)

    def run(
        self, *args: str, stdin: bytes = b"", ok: tuple[int, ...] = (0,), env: Mapping[str, str] | None = None
    ) -> bytes:
        """Return stdout of `git args…`. Raises our errors when git is missing, hangs, or its code is not in `ok`."""
        argv = ["git", *_OFF, *args]
        try:
            done = subprocess.run(
                argv,
                cwd=self.folder,
                env={**git_environment(), **self.env, **(env or {})},
                input=stdin,
                capture_output=True,
                timeout=_SECONDS,
                check=False,
            )
        except subprocess.TimeoutExpired as error:
            raise UnfinishedError(
                f"git {args[0]} did not end within {_SECONDS:.0f} s", where=str(self.folder)
            ) from error
        except OSError as error:
            if error.filename == "git":
                raise UnfinishedError("git is not installed", where="git", todo="Install git.") from error
            raise from_os_error(error, "running git") from error
        if done.returncode not in ok:
            raise _explained(done.stderr, args[0], self.folder)
        return done.stdout

    def text(
        self, *args: str, stdin: bytes = b"", ok: tuple[int, ...] = (0,), env: Mapping[str, str] | None = None
    ) -> str:
        """Return stdout without its last line feed; bytes that are not UTF-8 survive as surrogates."""
        said = self.run(*args, stdin=stdin, ok=ok, env=env)
        return said.decode(errors="surrogateescape").removesuffix("\n")

    def ref(self, name: str) -> str | None:
        """Return the commit that the full ref `name` points to, None when there is no such ref."""
        return (
            self.text("rev-parse", "--verify", "--quiet", "--end-of-options", f"{name}^{{commit}}", ok=(0, 1)) or None
        )

    def entry(self, treeish: str, path: str) -> Entry | None:
        """Return the file at `path` in a commit or tree, None when it is not there."""
        line = self.text("ls-tree", "-z", "--full-tree", treeish, "--", path).partition("\0")[0]
        if not line:
            return None
        mode, _kind, blob = line.partition("\t")[0].split(" ")
        return Entry(mode, blob)

    def blob(self, blob: str) -> bytes:
        """Return a blob's content as it is stored: no filter, no line-end conversion."""
        return self.run("cat-file", "blob", blob)


@dataclass(frozen=True, slots=True)
class Repository:
    """A git repository and the project's place in it."""

    root: Path
    """Top of the working tree."""
    prefix: str
    """Of the project below `root`, with a final slash; "" when they are the same."""
    objects: Path
    object_format: str
    """`sha1` or `sha256`."""

    @property
    def git(self) -> Git:
        """Git in the repository itself: for refs and the index."""
        return Git(self.root)


def find_repository(project_root: Path) -> Repository | None:
    """Return the repository whose working tree holds the project, None when it lies in none.

    Raises InputError when git refuses the repository because somebody else owns it.
    """
    git = Git(project_root)
    try:
        root, prefix, objects, object_format = git.text(
            "rev-parse", "--path-format=absolute", "--show-toplevel", "--show-prefix",
            "--git-path", "objects", "--show-object-format",
        ).split("\n")  # fmt: skip
    except VerticeError as error:
        if isinstance(error, _NotARepositoryError):
            return None
        raise
    return Repository(root=Path(root), prefix=prefix, objects=Path(objects), object_format=object_format)


@contextmanager
def scratch(repository: Repository) -> Iterator[Git]:
    """Give git in an empty folder of ours that reads from, and writes to, the repository's object store alone."""
    with tempfile.TemporaryDirectory(prefix="vertice-git-") as name:
        folder = Path(name)
        env = {
            "GIT_CONFIG_NOSYSTEM": "1",
            "GIT_CONFIG_GLOBAL": os.devnull,
            "GIT_ATTR_NOSYSTEM": "1",
            "GIT_DIR": str(folder / "git"),
            "GIT_INDEX_FILE": str(folder / "index"),
        }
        git = Git(folder, env)
        git.run(
            "init",
            "--quiet",
            "--bare",
            "--template=",
            f"--object-format={repository.object_format}",
            str(folder / "git"),
        )
        yield Git(folder, {**env, "GIT_OBJECT_DIRECTORY": str(repository.objects)})


def git_environment() -> dict[str, str]:
    """Return the environment for git: this process's, without where a hook may have said git is at work, in English.

    The person's own configuration stays: it says which repositories of other users they trust.
    """
    kept = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith("GIT_") or name.startswith("GIT_CONFIG_") or name == "GIT_CEILING_DIRECTORIES"
    }
    return {
        **kept,
        "LC_ALL": "C",
        "GIT_TERMINAL_PROMPT": "0",
        "GIT_OPTIONAL_LOCKS": "0",
        "GIT_NO_REPLACE_OBJECTS": "1",
        "GIT_LITERAL_PATHSPECS": "1",
        "GIT_NO_LAZY_FETCH": "1",
    }


class _NotARepositoryError(InputError):
    """The folder lies in no git working tree."""

    code = "not-a-repository"


def _explained(stderr: bytes, command: str, folder: Path) -> VerticeError:
    said = printable(stderr.decode(errors="replace").strip(), limit=400, lines=True)
    if "not a git repository" in said or "must be run in a work tree" in said:
        return _NotARepositoryError("is no git repository", where=str(folder))
    if "dubious ownership" in said:
        owned = re.search(r"repository at '([^']+)'", said)
        root = owned[1] if owned else str(folder)
        return InputError(
            "git refuses the repository: another user owns it",
            where=root,
            todo=f"If you trust it: git config --global --add safe.directory {shlex.quote(root)}",
        )
    if ".lock" in said and "File exists" in said:
        return UnfinishedError(
            "another git process is at work in the repository",
            where=str(folder),
            todo="Wait for it to end (or remove the .lock file it left) and try again.",
        )
    if "No space left" in said:
        return UnfinishedError(
            "no space left while git wrote", where=str(folder), todo="Free some space and try again."
        )
    return UnfinishedError(f"git {command} failed: {said}", where=str(folder))
