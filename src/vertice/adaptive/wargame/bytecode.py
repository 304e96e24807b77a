"""The modules of an environment, compiled before it is mounted read-only, where no import could keep what it compiles.

Compiling takes longer than installing, and environments before and after a patch differ in a package or two. So
bytecode is linked from another environment wherever the source is the very same file (uv hard-links both from its
cache), and only the rest is compiled: in a sandbox without cache or network, by the base interpreter, which reads no
`.pth` file of the environment and so runs no code of any package.
"""

import os
from collections.abc import Iterator
from pathlib import Path

from vertice.kernel.interpreters import Interpreter
from vertice.kernel.sandbox.model import Job, Mount
from vertice.kernel.uv import UV_LIMITS, Uv, interpreter_mounts

__all__ = ["compile_modules"]

_FOLDERS = ("env/lib", "tools")
_INSIDE = "/new"
_MANY = 200


def compile_modules(uv: Uv, folder: Path, model: Path | None, interpreter: Interpreter) -> None:
    """Compile what is below `folder`, an environment and its tools, with the help of the finished environment `model`.

    Files for other versions of Python, which packages do ship, do not compile; that is no failure.
    """
    sources = list(_sources(folder))
    tag = f"cpython-{interpreter.minor.replace('.', '')}"
    left = [source for source in sources if model is None or not _linked(folder, model, source, tag)]
    if not left:
        return
    # Given a list of files, compileall works alone; given folders, it shares the work and skips what is there.
    what = ("-i", "/work/files.txt") if len(left) < _MANY else ("-j", "2", *(f"{_INSIDE}/{top}" for top in _FOLDERS))
    uv.sandbox.run(
        Job(
            argv=(str(interpreter.path), "-I", "-S", "-m", "compileall", "-q", *what),
            mounts=(*interpreter_mounts(interpreter), Mount(folder, _INSIDE, writable=True)),
            files={"/work/files.txt": "".join(f"{_INSIDE}/{source}\n" for source in left).encode()},
            limits=UV_LIMITS,
        )
    )


def _sources(folder: Path) -> Iterator[str]:
    """Yield the paths of all modules, relative to `folder`."""
    for top in _FOLDERS:
        for parent, _, names in os.walk(folder / top):
            relative = os.path.relpath(parent, folder)
            yield from (f"{relative}/{name}" for name in names if name.endswith(".py") and "\n" not in name + relative)


def _linked(folder: Path, model: Path, source: str, tag: str) -> bool:
    """Link the bytecode of `source` from `model` when it has the very same source file."""
    parent, _, name = source.rpartition("/")
    compiled = f"{parent}/__pycache__/{name.removesuffix('.py')}.{tag}.pyc"
    try:
        if not os.path.samestat(os.lstat(folder / source), os.lstat(model / source)):
            return False
        _make_cache_folder(folder / parent)
        os.link(model / compiled, folder / compiled, follow_symlinks=False)
    except OSError:
        return False
    return True


def _make_cache_folder(package: Path) -> None:
    """Make `__pycache__` with the owner of its parent, who is not us when jobs run as another user."""
    cache = package / "__pycache__"
    if not cache.is_dir():
        cache.mkdir()
        owner = package.stat()
        os.chown(cache, owner.st_uid, owner.st_gid)
