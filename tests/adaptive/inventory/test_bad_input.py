"""Bad input: one clear error that says what, where and what to do; no traceback, nothing guessed."""

import copy
import os
import shutil
import tomllib
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest
import tomlkit
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from vertice.adaptive.inventory.reader import read_project
from vertice.kernel.errors import InputError, VerticeError

Lay = Callable[[Mapping[str, str | bytes]], Path]
BAD = Path(__file__).parent / "assets" / "bad"

DEFECTS = {
    "cyclic-include": (
        "more.txt:1",
        "include each other in a circle: requirements.txt -> more.txt -> requirements.txt",
    ),
    "cyclic-constraint": ("limits.txt:1", "in a circle: limits.txt -> limits.txt"),
    "missing-include": ("requirements.txt:2", "`nowhere.txt` is not a file"),
    "include-outside": ("requirements.txt:1", "`../cyclic-include/more.txt` is outside the project's folder"),
    "include-absolute": ("requirements.txt:1", "is outside the project's folder"),
    "include-of-folder": ("requirements.txt:1", "`folder` is not a file"),
    "malformed-line": ("requirements.txt:2", "`this is no requirement` is not a requirement"),
    "invalid-utf8": ("requirements.txt:2", "is not UTF-8: byte 0xff at offset 6"),
    "invalid-utf8-lock": ("uv.lock:3", "is not UTF-8: byte 0xe9"),
    "truncated-uv-lock": ("uv.lock:5", "is not valid TOML"),
    "uv-lock-of-version-2": ("uv.lock", "is a uv.lock of version 2, and only version 1 is known"),
    "uv-lock-without-version": ("uv.lock", "has no `version`"),
    "uv-lock-package-is-a-table": ("uv.lock", "`package` should be an array, not a table"),
    "uv-lock-integer-name": ("uv.lock", "`package.name` should be a string, not an integer"),
    "uv-lock-package-without-version": ("uv.lock", "`package.version` is missing"),
    "uv-lock-name-with-newline": ("uv.lock", r"`a\x0a--index-url https://evil.example` is not a package name"),
    "uv-lock-marker-with-newline": ("uv.lock", r"`os_name == 'a\x0a--index-url'` is not an environment marker"),
    "uv-lock-unknown-source": ("uv.lock", "`package.source` has none of the known kinds"),
    "poetry-lock-of-version-3": ("poetry.lock", "is a poetry.lock of version 3.0"),
    "poetry-lock-without-metadata": ("poetry.lock", "`metadata` is missing"),
    "poetry-lock-bad-hash": ("poetry.lock", "`nothing` is not a hash"),
    "pylock-of-version-2": ("pylock.toml", "is a lock of version 2.0"),
    "pylock-without-version": ("pylock.toml", "`lock-version` is missing"),
    "pyproject-dependencies-is-a-string": ("pyproject.toml", "`project.dependencies` should be an array, not a string"),
    "pyproject-malformed-requirement": ("pyproject.toml:5", "`not a requirement` is not a requirement"),
    "pyproject-bad-requires-python": ("pyproject.toml", "`three` is not a version specifier"),
    "pyproject-dynamic-dependencies": ("", "its dependencies are dynamic"),
    "poetry-dependency-is-a-number": (
        "pyproject.toml",
        "`tool.poetry.dependencies.flask` should be an array, not an integer",
    ),
    "nothing-pinned": ("requirements.txt", "no version is pinned, and resolving is off"),
    "nothing-to-scan": ("", "there is nothing to scan in this folder"),
}


def test_every_stored_defect_is_tested() -> None:
    assert {path.name for path in BAD.iterdir()} == set(DEFECTS)


@pytest.fixture(scope="module")
def defects(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The stored defects; a malformed pyproject.toml is stored under another name, for ruff reads every one it sees."""
    root = tmp_path_factory.mktemp("defects") / "bad"
    shutil.copytree(BAD, root)
    for path in root.rglob("*.asset"):
        path.rename(path.with_suffix(""))
    return root


@pytest.mark.parametrize("defect", DEFECTS)
def test_a_defect_is_one_clear_error(defect: str, defects: Path) -> None:
    where, what = DEFECTS[defect]
    with pytest.raises(InputError) as raised:
        read_project(defects / defect)
    assert what in raised.value.what
    assert raised.value.where == str(defects / defect / where)
    assert raised.value.todo
    assert raised.value.exit_code == 2
    assert str(raised.value).isprintable()


def test_a_missing_path(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no such file or directory"):
        read_project(tmp_path / "nowhere")


def test_an_impossible_path() -> None:
    with pytest.raises(InputError):
        read_project(Path("a\0b"))
    with pytest.raises(VerticeError):
        read_project(Path("a" * 5000))


def test_a_folder_without_manifests_lists_what_was_looked_for(tmp_path: Path) -> None:
    with pytest.raises(InputError) as raised:
        read_project(tmp_path)
    for name in ("uv.lock", "poetry.lock", "pylock.toml", "requirements*.txt", "pyproject.toml"):
        assert name in raised.value.todo


def test_a_folder_named_like_a_manifest_is_scanned_as_a_folder(lay: Lay) -> None:
    root = lay({"requirements.txt/keep": ""})
    with pytest.raises(InputError, match="nothing to scan"):
        read_project(root / "requirements.txt")
    with pytest.raises(InputError, match="nothing to scan"):
        read_project(root)


def test_a_file_that_is_no_manifest_names_those_that_are(lay: Lay) -> None:
    with pytest.raises(InputError, match="not a manifest") as raised:
        read_project(lay({"Pipfile.lock": "{}"}) / "Pipfile.lock")
    assert "poetry.lock" in raised.value.todo


def test_pipes_are_never_opened(lay: Lay) -> None:
    root = lay({"pylock.toml": 'lock-version = "1.0"'})
    for name in ("requirements.txt", "uv.lock", "pyproject.toml", ".python-version"):
        os.mkfifo(root / name)
    assert [one.path for one in read_project(root).manifests] == ["pylock.toml"]
    with pytest.raises(InputError, match="neither a folder nor a file"):
        read_project(root / "uv.lock")


def test_a_link_out_of_the_project_is_not_followed(lay: Lay, tmp_path: Path) -> None:
    (tmp_path / "secret.txt").write_text("hunter2 hunter2\n")
    root = lay({"requirements.txt": "-r linked.txt\n"})
    (root / "linked.txt").symlink_to(tmp_path / "secret.txt")
    with pytest.raises(InputError, match="outside the project's folder") as raised:
        read_project(root)
    assert "hunter2" not in str(raised.value)


def test_a_line_of_50_megabytes(tmp_path: Path) -> None:
    path = tmp_path / "requirements.txt"
    path.write_bytes(b"a" * 50_000_000)
    with pytest.raises(InputError, match="is larger than 16,777,216 bytes"):
        read_project(tmp_path)
    path.write_bytes(b"a" * 10_000_000)
    with pytest.raises(InputError, match="a line is longer than 262,144 characters"):
        read_project(path)


def test_a_chain_of_includes_without_end(lay: Lay) -> None:
    files = {f"r{n}.txt": f"-r r{n + 1}.txt\n" for n in range(3000)}
    with pytest.raises(InputError, match="more than 50 levels deep"):
        read_project(lay({**files, "requirements.txt": "-r r0.txt\n"}))


@pytest.mark.parametrize("name", ["uv.lock", "poetry.lock", "pylock.toml", "pyproject.toml"])
@pytest.mark.parametrize("text", ["a = " + "[" * 20_000, "a = " + "[" * 900 + "]" * 900, "a" + ".a" * 9_000 + " = 1"])
def test_deep_nesting(lay: Lay, name: str, text: str) -> None:
    with pytest.raises(VerticeError):
        read_project(lay({name: text}) / name)


@pytest.mark.parametrize("name", ["uv.lock", "poetry.lock", "pylock.toml", "pyproject.toml"])
def test_a_number_of_ten_thousand_digits(lay: Lay, name: str) -> None:
    with pytest.raises(InputError):
        read_project(lay({name: "version = " + "9" * 10_000}) / name)


@pytest.mark.timeout(60)
def test_a_lock_where_everything_requires_everything_takes_bounded_time(lay: Lay) -> None:
    names = [f"p{number}" for number in range(60)]
    lock = ["version = 1", '[[package]]\nname = "shop"\nsource = { virtual = "." }\ndependencies = [{ name = "p0" }]']
    for index, name in enumerate(names):
        asked = ", ".join(
            f"{{ name = '{other}', marker = \"python_version < '3.{index}{place}'\" }}"
            for place, other in enumerate(names)
        )
        lock.append(
            f'[[package]]\nname = "{name}"\nversion = "1"\n'
            f'source = {{ registry = "https://pypi.org/simple" }}\ndependencies = [{asked}]'
        )
    assert len(read_project(lay({"uv.lock": "\n".join(lock)})).components) == 60


def read(root: Path, name: str, text: str | bytes) -> None:
    """Read the file: it must give a project or one error that says where; anything else is a defect of the reader."""
    path = root / name
    path.write_bytes(text if isinstance(text, bytes) else text.encode("utf-8", "surrogatepass"))
    caught: VerticeError | None = None
    try:
        read_project(path)
    except VerticeError as error:
        caught = error
    assert caught is None or str(root) in caught.where


REAL = {
    "uv.lock": "uv",
    "poetry.lock": "poetry-2.1",
    "pylock.toml": "pylock",
    "pyproject.toml": "poetry-2.1",
    "requirements.txt": "compiled",
}
GARBAGE = st.recursive(
    st.one_of(
        st.integers(-9, 9),
        st.booleans(),
        st.floats(allow_nan=False, allow_infinity=False),
        st.text(alphabet=st.characters(codec="utf-8", exclude_categories=["Cs", "Cc"]), max_size=8),
        st.sampled_from(["", "a", "1", "1.0", ">=3", "*", "git", "legacy", "main", "os_name == 'nt'", "../x", "-r x"]),
        st.dates(),
    ),
    lambda inner: st.one_of(
        st.lists(inner, max_size=3),
        st.dictionaries(
            st.sampled_from(["name", "version", "source", "registry", "dependencies", "a"]), inner, max_size=3
        ),
    ),
    max_leaves=5,
)
FUZZ = settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


def places(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """Return the path to every value below `value`."""
    keys = value if isinstance(value, dict) else range(len(value)) if isinstance(value, list) else ()
    return [found for key in keys for found in ((*path, key), *places(value[key], (*path, key)))]


def load(assets: Path, name: str) -> dict[str, Any]:
    return tomllib.loads((assets / REAL[name] / name).read_text())


@pytest.mark.parametrize("name", REAL)
@FUZZ
@given(cut=st.floats(0, 1))
def test_a_truncated_file_gives_a_project_or_one_error(name: str, cut: float, assets: Path, tmp_path: Path) -> None:
    whole = (assets / REAL[name] / name).read_bytes()
    read(tmp_path, name, whole[: int(len(whole) * cut)])


@pytest.mark.parametrize("name", REAL)
@FUZZ
@given(at=st.floats(0, 1, exclude_max=True), byte=st.integers(0, 255))
def test_a_damaged_byte_gives_a_project_or_one_error(
    name: str, at: float, byte: int, assets: Path, tmp_path: Path
) -> None:
    whole = bytearray((assets / REAL[name] / name).read_bytes())
    whole[int(len(whole) * at)] = byte
    read(tmp_path, name, bytes(whole))


@pytest.mark.parametrize("name", ["uv.lock", "poetry.lock", "pylock.toml", "pyproject.toml"])
@FUZZ
@given(data=st.data())
def test_values_of_other_types_give_a_project_or_one_error(
    name: str, data: st.DataObject, assets: Path, tmp_path: Path
) -> None:
    document = copy.deepcopy(load(assets, name))
    for key in ("package", "packages"):
        document[key] = document.get(key, [])[:6]
    for _ in range(data.draw(st.integers(1, 3))):
        *above, last = data.draw(st.sampled_from(places(document)))
        parent: Any = document
        for step in above:
            parent = parent[step]
        if data.draw(st.booleans()) and isinstance(parent, dict):
            del parent[last]
        else:
            parent[last] = data.draw(GARBAGE)
    read(tmp_path, name, tomlkit.dumps(document))


@pytest.mark.parametrize("name", ["uv.lock", "poetry.lock", "pylock.toml", "pyproject.toml"])
@FUZZ
@given(text=st.text(max_size=80))
def test_any_text_gives_a_project_or_one_error(name: str, text: str, tmp_path: Path) -> None:
    read(tmp_path, name, text)
