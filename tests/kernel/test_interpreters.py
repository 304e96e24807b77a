"""Which interpreters are found, and which one a project gets."""

import subprocess
import sys
from pathlib import Path

import pytest

from vertice.kernel.errors import InputError, UnfinishedError
from vertice.kernel.interpreters import Interpreter, choose, find_interpreters, running_interpreter

RUNNING = f"{sys.version_info.major}.{sys.version_info.minor}"


def made(version: str) -> Interpreter:
    return Interpreter(Path(f"/opt/{version}/bin/python"), version, Path(f"/opt/{version}"))


OTHERS = tuple(made(version) for version in ("3.6.15", "3.8.18", "3.9.2", "3.9.18", "3.20.0", "3.21.0a1"))
ALL = (running_interpreter(), *OTHERS)


def test_the_running_interpreter_is_the_base_of_the_virtual_environment() -> None:
    running = running_interpreter()
    assert running.version.startswith(RUNNING)
    assert running.prefix == Path(sys.base_prefix).resolve()
    assert not running.path.is_symlink()
    assert running.minor == RUNNING


def test_every_found_interpreter_is_what_it_says() -> None:
    found = find_interpreters()
    assert found[0] == running_interpreter()
    assert len({each.path for each in found}) == len(found)
    for each in found:
        shown = subprocess.run(
            [each.path, "-I", "-S", "-c", "import sys; print('%d.%d.%d' % sys.version_info[:3], sys.prefix)"],
            capture_output=True,
            text=True,
            check=True,
        )
        assert shown.stdout.split() == [each.version, str(each.prefix)]


def test_interpreters_are_found_on_path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A copy in a folder of PATH is found; a script, a broken program and another implementation are passed over."""
    real = running_interpreter()
    (tmp_path / "python3.8").write_text("#!/bin/sh\necho cpython\n")
    (tmp_path / "python3.9").write_bytes(b"\x7fELF broken")
    (tmp_path / "python3.10").symlink_to(real.path)
    for path in tmp_path.iterdir():
        if not path.is_symlink():
            path.chmod(0o755)
    before = find_interpreters()
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setenv("HOME", str(tmp_path))
    found = find_interpreters()
    assert real in found
    assert set(found) <= set(before)
    assert not any(each.path.is_relative_to(tmp_path) for each in found)


@pytest.mark.parametrize(
    ("requires_python", "version"),
    [
        ("", running_interpreter().version),
        (">=3.8", running_interpreter().version),
        ("<3.10", "3.9.18"),
        (">=3.8,<3.9", "3.8.18"),
        ("==3.9.2", "3.9.2"),
        (">=3.20", "3.20.0"),
        (">=3.21.0a0", "3.21.0a1"),
    ],
)
def test_requires_python(requires_python: str, version: str) -> None:
    """The running minor when it is allowed, else the newest that is."""
    assert choose(ALL, requires_python=requires_python).version == version


@pytest.mark.parametrize(
    ("python_version", "version"),
    [
        ("3.9", "3.9.18"),
        ("3.9.2", "3.9.2"),
        ("3.9.7", "3.9.18"),
        ("cpython-3.8", "3.8.18"),
        ("cpython@3.8", "3.8.18"),
        ("3.8\n3.9\n", "3.8.18"),
        ("3.6", "3.6.15"),
        ("3", running_interpreter().version),
    ],
)
def test_python_version_decides(python_version: str, version: str) -> None:
    assert choose(ALL, python_version=python_version, requires_python=">=3.9").version == version


def test_none_fits() -> None:
    with pytest.raises(UnfinishedError, match=r"no interpreter on this machine fits Python >=4") as caught:
        choose(ALL, requires_python=">=4")
    assert "3.8.18" in caught.value.where
    assert "uv python install" in caught.value.todo
    with pytest.raises(UnfinishedError, match=r"fits Python 3\.7"):
        choose(ALL, python_version="3.7")


@pytest.mark.parametrize("text", ["pypy3.9", "three", "3.9 or so", "\x1b[31m"])
def test_a_python_version_that_is_none(text: str) -> None:
    with pytest.raises(InputError, match="no CPython version") as caught:
        choose(ALL, python_version=text)
    assert "\x1b" not in str(caught.value)


def test_a_specifier_that_is_none() -> None:
    with pytest.raises(InputError, match="no PEP 440 version specifier"):
        choose(ALL, requires_python="newer than 3")
