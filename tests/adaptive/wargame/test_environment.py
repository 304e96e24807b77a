"""Environments built from locks: what is in them, when they are reused, and what foreign code gets to touch."""

import base64
import hashlib
import http.server
import io
import os
import signal
import subprocess
import sys
import textwrap
import threading
import time
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from vertice.adaptive.inventory.model import Lock
from vertice.adaptive.wargame.environment import Environment, EnvironmentFailed, Environments
from vertice.kernel.errors import UnfinishedError
from vertice.kernel.interpreters import find_interpreters, running_interpreter
from vertice.kernel.sandbox.bwrap import Bubblewrap
from vertice.kernel.sandbox.model import Ended, Job, Outcome
from vertice.kernel.uv import Uv


@pytest.fixture(scope="module")
def sandbox() -> Bubblewrap:
    return Bubblewrap.find()


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("home")


@pytest.fixture(scope="module")
def environments(sandbox: Bubblewrap, home: Path) -> Environments:
    return Environments(Uv(sandbox, home), home)


def run(sandbox: Bubblewrap, environment: Environment, source: str) -> Outcome:
    return sandbox.run(Job((environment.python, "-c", textwrap.dedent(source)), mounts=environment.mounts))


@pytest.mark.index
@pytest.mark.slow
def test_wheels_and_sdists_are_installed_and_importable(sandbox: Bubblewrap, environments: Environments) -> None:
    """PyYAML 5.3.1 and MarkupSafe 1.1.1 have no wheel for a Python of today: each is built, alone."""
    lock = Lock(("idna==3.4", "markupsafe==1.1.1", "pyyaml==5.3.1"))
    environment = environments.build(lock)
    assert environment.packages == ("idna==3.4", "markupsafe==1.1.1", "pyyaml==5.3.1")
    assert (environment.reused, environment.interpreter) == (False, running_interpreter())
    assert environment.seconds > 0
    outcome = run(
        sandbox,
        environment,
        "import idna, markupsafe as m, yaml, sys; print(idna.__version__, m.__version__, yaml.__version__, sys.prefix)",
    )
    assert outcome.stdout == b"3.4 1.1.1 5.3.1 /env\n", outcome.stderr


@pytest.mark.index
def test_an_environment_is_built_once(environments: Environments) -> None:
    lock = Lock(("idna==3.4",))
    first, second = environments.build(lock), environments.build(lock)
    assert (first.root, first.packages, first.digest) == (second.root, second.packages, second.digest)
    assert (second.reused, second.seconds) == (True, 0.0)


@pytest.mark.index
def test_the_python_the_project_asks_for_is_used(sandbox: Bubblewrap, environments: Environments) -> None:
    """The oldest on this machine that the releases support: 3.8 or 3.9 where there is one."""
    oldest = [each for each in find_interpreters() if each.minor not in {"3.6", "3.7"}][-1]
    environment = environments.build(Lock(("idna==3.4",), python_version=oldest.version))
    assert environment.interpreter.version == oldest.version
    outcome = run(sandbox, environment, "import sys, idna; print('%d.%d.%d' % sys.version_info[:3], idna.__file__)")
    site = f"/env/lib/python{environment.interpreter.minor}/site-packages/idna/__init__.py"
    assert outcome.stdout.decode().split() == [oldest.version, site], outcome.stderr


@pytest.mark.index
def test_an_empty_lock_is_an_environment(sandbox: Bubblewrap, environments: Environments) -> None:
    environment = environments.build(Lock(()))
    assert environment.packages == ()
    assert run(sandbox, environment, "print(1)").stdout == b"1\n"


@pytest.mark.index
def test_a_marker_that_is_false_is_passed_over(environments: Environments) -> None:
    lock = Lock(('colorama==0.4.6 ; sys_platform == "win32"', "idna==3.4"))
    assert environments.build(lock).packages == ("idna==3.4",)


@pytest.mark.index
def test_tools_are_there_and_shadow_nothing(sandbox: Bubblewrap, environments: Environments) -> None:
    """pytest needs packaging as well: the project's old one wins, and what is only a tool comes after it."""
    environment = environments.build(Lock(("packaging==21.0", "pyparsing==2.4.7")), tools=("pytest", "coverage"))
    assert environment.packages == ("packaging==21.0", "pyparsing==2.4.7")
    outcome = run(
        sandbox,
        environment,
        """
        import sys, packaging, pytest, coverage
        print(packaging.__version__, packaging.__file__.startswith("/env/"), pytest.__file__, sys.path[-1])
        """,
    )
    assert outcome.stdout == b"21.0 True /tools/pytest/__init__.py /tools\n", outcome.stderr
    tested = sandbox.run(
        Job(
            (environment.python, "-m", "pytest", "-q", "-p", "no:cacheprovider", "test_x.py"),
            mounts=environment.mounts,
            files={"/work/test_x.py": b"def test(): assert True\n"},
        )
    )
    assert (tested.ended, tested.returncode) == (Ended.exited, 0), tested.stdout


@pytest.mark.index
def test_a_run_cannot_write_the_environment(sandbox: Bubblewrap, environments: Environments) -> None:
    environment = environments.build(Lock(("idna==3.4",)))
    for target in ("/env/x", "/env/bin/python", "/tools/x", f"{environment.interpreter.prefix}/x"):
        assert run(sandbox, environment, f"open({target!r}, 'a')").returncode == 1


@pytest.mark.index
def test_modules_are_compiled_beforehand(environments: Environments) -> None:
    """A read-only environment could never keep what an import compiles."""
    environment = environments.build(Lock(("idna==3.4",)))
    assert list(environment.root.glob("env/lib/python3*/site-packages/idna/__pycache__/core.*.pyc"))


@pytest.mark.index
def test_hashes_are_checked(environments: Environments) -> None:
    lock = Lock(("idna==3.4",), hashes={"idna==3.4": ("sha256:" + "0" * 64,)})
    with pytest.raises(EnvironmentFailed, match="Hash mismatch"):
        environments.build(lock)


@pytest.mark.index
@pytest.mark.slow
def test_hashes_hold_for_what_is_built_from_source(environments: Environments) -> None:
    """The lock's hash is that of the sdist; the wheel built from it is accepted, another sdist is not."""
    right = "sha256:49b3a825280bd66b3aa83585ef59c4a8c82f2c8a522dbe754a8bc8d08c85c491"
    lock = Lock(("docopt==0.6.2",), hashes={"docopt==0.6.2": (right,)})
    assert environments.build(lock).packages == ("docopt==0.6.2",)
    with pytest.raises(EnvironmentFailed, match="Hash mismatch"):
        environments.build(Lock(("docopt==0.6.2",), hashes={"docopt==0.6.2": ("sha256:" + "1" * 64,)}))


@pytest.mark.index
@pytest.mark.parametrize(
    ("requirement", "said"),
    [("idna==99.0", "no version of idna==99.0"), ("no-such-package-vertice==1.0", "not found in the package registry")],
)
def test_a_release_that_does_not_exist(environments: Environments, requirement: str, said: str) -> None:
    with pytest.raises(EnvironmentFailed) as caught:
        environments.build(Lock((requirement,)))
    assert said in " ".join(caught.value.what.split())


@pytest.mark.parametrize("requirement", ["idna", "idna>=3", "idna==3.*", "not a requirement", "-e ."])
def test_what_is_not_pinned_is_refused(environments: Environments, requirement: str) -> None:
    with pytest.raises(EnvironmentFailed, match=r"is no(t pinned| requirement)"):
        environments.build(Lock((requirement,)))


@pytest.mark.index
@pytest.mark.slow
def test_an_sdist_that_does_not_build_is_named_with_its_reason(environments: Environments) -> None:
    """uWSGI of 2015 compiles on no compiler of today, whatever the build constraints."""
    with pytest.raises(EnvironmentFailed, match="does not build from source") as caught:
        environments.build(Lock(("uwsgi==2.0.10",)))
    assert caught.value.where == "uwsgi==2.0.10"


def test_no_interpreter_fits(environments: Environments) -> None:
    with pytest.raises(UnfinishedError, match="no interpreter on this machine fits"):
        environments.build(Lock((), requires_python=">=4"))


def test_an_index_that_is_not_there(sandbox: Bubblewrap, tmp_path: Path) -> None:
    uv = Uv(sandbox, tmp_path, indexes=["http://127.0.0.1:9/simple"])
    with pytest.raises(UnfinishedError, match="index cannot be reached"):
        Environments(uv, tmp_path).build(Lock(("idna==3.4",)))
    assert list((tmp_path / "store" / "staging").iterdir()) == []


@pytest.mark.index
def test_threads_that_want_the_same_lock_build_it_once(environments: Environments) -> None:
    found: list[Environment] = []
    threads = [
        threading.Thread(target=lambda: found.append(environments.build(Lock(("idna==3.3",))))) for _ in range(4)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(environment.reused for environment in found) == [False, True, True, True]
    assert len({environment.root for environment in found}) == 1


BUILD = """
    import sys
    from pathlib import Path
    from vertice.adaptive.inventory.model import Lock
    from vertice.adaptive.wargame.environment import Environments
    from vertice.kernel.sandbox.bwrap import Bubblewrap
    from vertice.kernel.uv import Uv
    home = Path(sys.argv[1])
    print(Environments(Uv(Bubblewrap.find(), home), home).build(Lock(tuple(sys.argv[2:]))).reused)
"""


@pytest.mark.index
def test_processes_that_want_the_same_lock_build_it_once(home: Path) -> None:
    argv = [sys.executable, "-c", textwrap.dedent(BUILD), str(home), "idna==3.2"]
    processes = [subprocess.Popen(argv, stdout=subprocess.PIPE, text=True) for _ in range(3)]
    assert sorted(process.communicate()[0] for process in processes) == ["False\n", "True\n", "True\n"]


@pytest.mark.index
@pytest.mark.slow
def test_a_build_that_was_killed_is_done_again(environments: Environments, home: Path) -> None:
    """kill -9 at several moments: nothing half-built is ever taken, and no process is left."""
    requirements = ("idna==3.1", "markupsafe==2.1.5", "pyyaml==6.0.1")
    argv = [sys.executable, "-c", textwrap.dedent(BUILD), str(home), *requirements]
    for delay in (0.25, 0.35, 0.45):
        with subprocess.Popen(argv, stdout=subprocess.DEVNULL) as process:
            time.sleep(delay)
            process.send_signal(signal.SIGKILL)
    environment = environments.build(Lock(requirements))
    assert environment.packages == requirements
    (environment.root / "built.json").unlink()
    (environment.root / "env" / "bin" / "python").unlink()
    again = environments.build(Lock(requirements))
    assert (again.reused, again.packages) == (False, requirements)
    assert (again.root / "env" / "bin" / "python").is_symlink()


def wheel(name: str, files: dict[str, str]) -> bytes:
    """Return a wheel of version 1.0 with `files`."""
    info = f"{name}-1.0.dist-info"
    content = {
        **files,
        f"{info}/METADATA": f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n",
        f"{info}/WHEEL": "Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
    }
    record = ""
    for path, text in content.items():
        digest = base64.urlsafe_b64encode(hashlib.sha256(text.encode()).digest()).rstrip(b"=").decode()
        record += f"{path},sha256={digest},{len(text)}\n"
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for path, text in {**content, f"{info}/RECORD": f"{record}{info}/RECORD,,\n"}.items():
            archive.writestr(path, text)
    return buffer.getvalue()


TARGETS = ("/store/spoiled", "/store/cache/spoiled", "/work/spoiled")
SPOIL = f"import os; [open(p, 'w') for p in {TARGETS} if os.access(os.path.dirname(p), os.W_OK)]"
EVIL = wheel(
    "evil",
    {
        "evil.py": SPOIL,
        "evil.pth": f"{SPOIL}\n",
        "sitecustomize.py": SPOIL,
        "zzz-vertice-tools.pth": "/elsewhere\n",
        "evil-1.0.data/data/pyvenv.cfg": "home = /elsewhere\n",
    },
)


class EvilIndex(http.server.BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        file = "evil-1.0-py3-none-any.whl"
        page = f'<a href="/{file}#sha256={hashlib.sha256(EVIL).hexdigest()}">{file}</a>'.encode()
        body = {"/simple/evil/": page, f"/{file}": EVIL}.get(self.path, b"")
        self.send_response(200 if body else 404)
        self.send_header("Content-Type", "application/octet-stream" if body is EVIL else "text/html")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def do_HEAD(self) -> None:
        self.send_response(405)
        self.end_headers()

    def log_message(self, *_: object) -> None:
        return


@pytest.fixture
def evil_index() -> Iterator[str]:
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), EvilIndex) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_address[1]}/simple"
        server.shutdown()
        thread.join()


def test_no_code_of_a_package_runs_while_it_is_installed(sandbox: Bubblewrap, tmp_path: Path, evil_index: str) -> None:
    """A wheel with a `.pth`, a `sitecustomize` and a `python` of its own is installed, yet spoils nothing."""
    environments = Environments(Uv(sandbox, tmp_path, indexes=[evil_index]), tmp_path)
    environment = environments.build(Lock(("evil==1.0",)))
    assert environment.packages == ("evil==1.0",)
    assert list(tmp_path.rglob("*spoiled*")) == []
    site = next(environment.root.glob("env/lib/python3*/site-packages"))
    assert (site / "zzz-vertice-tools.pth").read_text() == "/tools\n"
    kept = [path.read_text() for path in (tmp_path / "store" / "cache").rglob("zzz-vertice-tools.pth")]
    assert kept == ["/elsewhere\n"]


@pytest.mark.index
def test_old_environments_go(sandbox: Bubblewrap, environments: Environments, tmp_path: Path) -> None:
    """Beyond a number and beyond an age, the least recently used first; leftovers of killed builds too."""
    own = Environments(Uv(sandbox, tmp_path), tmp_path)
    locks = [Lock((), requires_python=f">=3.{minor}") for minor in range(1, 5)]
    made = [own.build(lock) for lock in locks]
    for age, environment in enumerate(made):
        os.utime(environment.root / "built.json", (time.time() - age * 3600,) * 2)
    left = tmp_path / "store" / "staging" / "left"
    left.mkdir(parents=True)
    os.utime(left, (0, 0))
    assert own.remove_old(keep=3) == 1
    assert [environment.root.exists() for environment in made] == [True, True, True, False]
    assert not left.exists()
    assert own.remove_old(keep=3, days=1.5 / 24) == 1
    assert [environment.root.exists() for environment in made] == [True, True, False, False]
    assert own.build(locks[3]).reused is False
    assert own.remove_old(keep=10) == 0


@pytest.mark.index
def test_what_an_environment_depends_on(environments: Environments) -> None:
    """Tools, build constraints and the interpreter each make another environment."""
    lock = Lock(("idna==3.4",))
    digests = {
        environments.build(lock).digest,
        environments.build(lock, tools=("iniconfig==2.0.0",)).digest,
        environments.build(lock, build_constraints=("setuptools<70",)).digest,
        environments.build(Lock(("idna==3.4",), requires_python=">=3.8")).digest,
    }
    assert len(digests) == 4
