"""uv in the sandbox: what it returns, what it may write, and how it fails."""

import http.server
import os
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from vertice.kernel.builds import constraint_attempts, runs_no_foreign_code
from vertice.kernel.errors import InputError, UnfinishedError
from vertice.kernel.interpreters import find_interpreters, running_interpreter
from vertice.kernel.sandbox.bwrap import Bubblewrap
from vertice.kernel.sandbox.model import Limits, Mount
from vertice.kernel.uv import Uv, index_settings, needs_build, wheelless
from vertice.kernel.wheelhouse import BuildFailed, Wheelhouse

PROJECT = b'[project]\nname = "x"\nversion = "1"\nrequires-python = ">=3.8"\ndependencies = ["idna==3.4"]\n'


@pytest.fixture(scope="module")
def sandbox() -> Bubblewrap:
    return Bubblewrap.find()


@pytest.fixture(scope="module")
def uv(sandbox: Bubblewrap, tmp_path_factory: pytest.TempPathFactory) -> Uv:
    return Uv(sandbox, tmp_path_factory.mktemp("uv-home"))


@pytest.fixture
def empty_uv(sandbox: Bubblewrap, tmp_path: Path) -> Uv:
    return Uv(sandbox, tmp_path / "home")


def tree(folder: Path) -> set[str]:
    return {str(path.relative_to(folder)) for path in folder.rglob("*")}


@pytest.mark.index
def test_returns_what_uv_wrote(uv: Uv) -> None:
    """Nested input files are read; new and changed files come back, unchanged ones do not."""
    files = {"requirements.in": b"-r deep/er/more.txt\n", "deep/er/more.txt": b"idna==3.4\n"}
    result = uv.run(["pip", "compile", "-q", "--no-header", "requirements.in", "-o", "out/r.txt"], files=files)
    assert result.returncode == 0, result.stderr
    assert set(result.files) == {"out/r.txt"}
    assert result.files["out/r.txt"].startswith(b"idna==3.4\n")


@pytest.mark.index
def test_locks_a_project(uv: Uv) -> None:
    result = uv.run(["lock"], files={"pyproject.toml": PROJECT})
    assert result.returncode == 0, result.stderr
    assert b'name = "idna"\nversion = "3.4"' in result.files["uv.lock"]


@pytest.mark.index
def test_uses_the_interpreter_it_is_given(uv: Uv) -> None:
    """The oldest on this machine that uv still knows; the only one, where there is only one."""
    oldest = [each for each in find_interpreters() if each.minor not in {"3.6", "3.7"}][-1]
    source = b"idna==3.4\ntomli ; python_version < '3.11'\n"
    result = uv.run(["pip", "compile", "-q", "r.in", "-o", "r.txt"], files={"r.in": source}, interpreter=oldest)
    assert result.returncode == 0, result.stderr
    old = tuple(map(int, oldest.version.split("."))) < (3, 11)
    assert (b"tomli==" in result.files["r.txt"]) == old


@pytest.mark.index
def test_a_failure_is_a_result(uv: Uv) -> None:
    result = uv.run(["pip", "compile", "r.in"], files={"r.in": b"idna==99.0\n"})
    assert result.returncode == 1
    assert "there is no version of idna==99.0" in result.stderr
    assert not result.files


@pytest.mark.index
def test_without_a_build_only_the_shared_cache_is_written(empty_uv: Uv) -> None:
    assert empty_uv.run(["pip", "compile", "r.in"], files={"r.in": b"idna==3.4\n"}).returncode == 0
    assert not (empty_uv.home / "domains").exists()
    assert (empty_uv.home / "store" / "cache").is_dir()
    assert list((empty_uv.home / "scratch").iterdir()) == []


@pytest.mark.index
@pytest.mark.slow
def test_a_build_writes_no_cache_but_its_own(empty_uv: Uv) -> None:
    """docopt has no wheel: its code runs with a cache of its domain; the shared one holds no trace of the build."""
    files = {"r.in": b"docopt==0.6.2\n"}
    assert empty_uv.run(["pip", "compile", "r.in"], files=files, domain="project").returncode == 0
    assert len(list((empty_uv.home / "domains").iterdir())) == 1
    assert not any("sdists" in path and "docopt" in path for path in tree(empty_uv.home / "store"))
    assert empty_uv.run(["pip", "compile", "r.in"], files=files).returncode == 0
    assert len(list((empty_uv.home / "domains").iterdir())) == 1


@pytest.mark.index
@pytest.mark.slow
def test_project_code_never_meets_the_shared_cache(empty_uv: Uv) -> None:
    """uv builds an editable project even with UV_NO_BUILD: what its code sees as cache is not the shared one."""
    empty_uv.run(["pip", "compile", "r.in"], files={"r.in": b"idna==3.4\n"})
    spoil = b"""
import os, pathlib
from setuptools import setup
cache = pathlib.Path(os.environ.get("UV_CACHE_DIR", "/store/cache"))
(cache / "spoiled").write_text("x")
setup(name="x", version="1", install_requires=["idna==3.4"])
"""
    project = b'[build-system]\nrequires = ["setuptools"]\nbuild-backend = "setuptools.build_meta"\n'
    files = {"setup.py": spoil, "pyproject.toml": project, "r.in": b"-e .\n"}
    result = empty_uv.run(["pip", "compile", "r.in"], files=files, domain="hostile")
    assert result.returncode == 0, result.stderr
    assert any(path.endswith("spoiled") for path in tree(empty_uv.home / "domains"))
    assert not any("spoiled" in path for path in tree(empty_uv.home / "store"))


def test_an_index_that_is_not_there_is_named(sandbox: Bubblewrap, tmp_path: Path) -> None:
    uv = Uv(sandbox, tmp_path, indexes=["http://127.0.0.1:9/simple"])
    with pytest.raises(UnfinishedError, match="index cannot be reached") as caught:
        uv.run(["pip", "compile", "r.in"], files={"r.in": b"idna==3.4\n"})
    assert "http://127.0.0.1:9/simple" in caught.value.where
    assert caught.value.what == "the package index cannot be reached (127.0.0.1: Connection refused)"


class Simple(http.server.BaseHTTPRequestHandler):
    """A package index with one project and one release, whose wheel nobody needs here."""

    def do_GET(self) -> None:
        known = self.path.rstrip("/") == "/simple/only-here"
        link = f'<a href="/only_here-1.0-py3-none-any.whl#sha256={"0" * 64}">only_here-1.0-py3-none-any.whl</a>'
        body = link.encode() if known else b""
        self.send_response(200 if known else 404)
        self.send_header("Content-Type", "text/html")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        return


@pytest.fixture
def index() -> Iterator[str]:
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Simple) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_address[1]}/simple"
        server.shutdown()
        thread.join()


def test_a_configured_index_takes_the_place_of_pypi(sandbox: Bubblewrap, tmp_path: Path, index: str) -> None:
    """Also on loopback, since the person configured it; the same URL named by a file is not reached there."""
    args = ["pip", "compile", "-q", "--no-deps", "r.in", "-o", "r.txt"]
    configured = Uv(sandbox, tmp_path, indexes=[index])
    missing = configured.run(["pip", "compile", "r.in"], files={"r.in": b"idna==3.4\n"})
    assert "idna was not found in the package registry" in missing.stderr
    with pytest.raises(UnfinishedError, match="index cannot be reached"):
        Uv(sandbox, tmp_path).run(args, files={"r.in": b"only-here==1.0\n"}, indexes=[index])


def test_credentials_in_an_index_url_are_refused(sandbox: Bubblewrap, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="not supported yet") as caught:
        Uv(sandbox, tmp_path, indexes=["https://me:swordfish@mirror.example/simple"])
    assert "swordfish" not in str(caught.value)


def test_a_run_that_takes_too_long_is_stopped(uv: Uv) -> None:
    with pytest.raises(UnfinishedError, match="timed out"):
        uv.run(["pip", "compile", "r.in"], files={"r.in": b"idna\n"}, limits=Limits(seconds=0.01))


def test_nothing_of_the_host_gets_in(uv: Uv, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither the person's uv.toml nor our variables."""
    (tmp_path / "uv").mkdir()
    (tmp_path / "uv" / "uv.toml").write_text("not = [valid")
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    monkeypatch.setenv("UV_INDEX_URL", "http://127.0.0.1:9/simple")
    assert uv.run(["cache", "dir"]).stdout == "/store/cache\n"
    assert uv.run(["pip", "compile", "--offline", "-"]).returncode == 0


def test_version(uv: Uv) -> None:
    assert uv.version.split(".")[0].isdigit()


def test_old_scratch_folders_are_swept(empty_uv: Uv) -> None:
    with empty_uv.scratch() as folder:
        (folder / "x").write_text("x")
    left = empty_uv.home / "scratch" / "left"
    left.mkdir()
    os.utime(left, (0, 0))
    with empty_uv.scratch() as folder:
        assert list((empty_uv.home / "scratch").iterdir()) == [folder]


@pytest.mark.parametrize(
    ("args", "files", "safe"),
    [
        (["lock"], {"pyproject.toml": PROJECT}, True),
        (["lock"], {"pyproject.toml": PROJECT + b'dynamic = ["version"]\n'}, False),
        (["lock"], {"pyproject.toml": PROJECT + b"[tool.uv.workspace]\n"}, False),
        (["lock"], {"pyproject.toml": PROJECT + b'[tool.uv.sources]\nidna = { path = "." }\n'}, False),
        (["lock"], {"pyproject.toml": PROJECT + b'[tool.uv.sources]\nidna = [{ git = "https://x" }]\n'}, False),
        (["lock"], {"pyproject.toml": PROJECT + b'[tool.uv.sources]\nidna = { index = "x" }\n'}, True),
        (["lock"], {"pyproject.toml": b"[tool.poetry]\n"}, False),
        (["lock"], {"pyproject.toml": b"not toml"}, False),
        (["lock"], {"pyproject.toml": PROJECT, "setup.py": b""}, False),
        (["pip", "compile", "r.in"], {"r.in": b"idna\n-r other.txt\n", "other.txt": b"idna"}, True),
        (["pip", "compile", "r.in"], {"r.in": b"-e .\n"}, False),
        (["pip", "compile", "r.in"], {"r.in": b"  --editable=./x\n"}, False),
        (["pip", "compile", "r.in"], {"r.in": b"x @ file:///work/x\n"}, False),
        (["pip", "compile", "r.in"], {"r.in": b"./x\n"}, False),
        (["pip", "compile", "r.in"], {"anything.else": b""}, False),
        (["pip", "install", "-e", "x"], {}, False),
        (["run", "x"], {}, False),
        (["cache", "dir"], {}, False),
        (["pip", "install", "./x"], {}, False),
        (["pip", "compile", "--python-version", "3.9", "r.in"], {"r.in": b"idna"}, True),
    ],
)
def test_what_may_use_the_shared_cache(args: list[str], files: dict[str, bytes], safe: bool) -> None:
    assert runs_no_foreign_code(args, files) is safe


@pytest.mark.index
def test_a_mount_never_meets_the_shared_cache(empty_uv: Uv, tmp_path: Path) -> None:
    mounted = tmp_path / "mounted"
    mounted.mkdir()
    empty_uv.run(["cache", "dir"], mounts=[Mount(mounted, "/mounted")])
    assert not (empty_uv.home / "store").exists()


def test_constraints_of_the_second_attempts() -> None:
    assert constraint_attempts(()) == ((), ("cython<3", "setuptools<70"), ("cython<3", "setuptools<58"))
    assert constraint_attempts(("Cython==0.29.36",)) == (
        ("Cython==0.29.36",),
        ("Cython==0.29.36", "setuptools<70"),
        ("Cython==0.29.36", "setuptools<58"),
    )
    assert constraint_attempts(("cython<3", "setuptools<60")) == (("cython<3", "setuptools<60"),)


def test_index_settings() -> None:
    assert index_settings(()) == {}
    assert index_settings(("https://a/simple",)) == {"UV_DEFAULT_INDEX": "https://a/simple"}
    assert index_settings(("https://a", "https://b", "https://c"))["UV_INDEX"] == "https://b https://c"


@pytest.mark.index
def test_uvs_words_for_a_missing_wheel(uv: Uv) -> None:
    """The two patterns are uv's own text: this fails when a new uv says it otherwise."""
    job = uv.job(
        ("/opt/vertice/uv", "pip", "compile", "--no-build", "/work/r.in"),
        interpreter=running_interpreter(),
        files={"/work/r.in": b"docopt==0.6.2\n"},
    )
    result = uv.finish(job)
    assert needs_build(result)
    assert wheelless(result) == ("docopt",)


@pytest.mark.index
@pytest.mark.slow
def test_a_wheel_is_built_once(uv: Uv, tmp_path: Path) -> None:
    house = Wheelhouse(uv, tmp_path)
    python = running_interpreter()
    digest = "sha256:49b3a825280bd66b3aa83585ef59c4a8c82f2c8a522dbe754a8bc8d08c85c491"
    assert house.kept("docopt", "0.6.2", interpreter=python, hashes=[digest]) is None
    built = house.wheel("docopt", "0.6.2", interpreter=python, hashes=[digest])
    assert (built.name, built.version, built.path.name) == ("docopt", "0.6.2", "docopt-0.6.2-py2.py3-none-any.whl")
    changed = built.path.stat().st_mtime_ns
    assert house.wheel("docopt", "0.6.2", interpreter=python, hashes=[digest]) == built
    assert house.kept("docopt", "0.6.2", interpreter=python, hashes=[digest]) == built
    assert built.path.stat().st_mtime_ns == changed


@pytest.mark.index
@pytest.mark.slow
def test_a_wrong_hash_of_an_sdist_is_refused(uv: Uv, tmp_path: Path) -> None:
    with pytest.raises(BuildFailed, match="Hash mismatch"):
        Wheelhouse(uv, tmp_path).wheel(
            "docopt", "0.6.2", interpreter=running_interpreter(), hashes=["sha256:" + "0" * 64]
        )
    assert not (tmp_path / "wheels").exists()


@pytest.mark.index
@pytest.mark.slow
def test_an_old_sdist_builds_with_the_tools_of_its_time(uv: Uv, tmp_path: Path) -> None:
    """PyYAML 5.4.1 asks for any Cython and breaks on Cython 3: the second attempt holds it back."""
    built = Wheelhouse(uv, tmp_path).wheel("pyyaml", "5.4.1", interpreter=running_interpreter())
    assert (built.version, built.constraints) == ("5.4.1", ("cython<3", "setuptools<70"))
