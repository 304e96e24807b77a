"""Import names of distributions."""

from pathlib import Path

import pytest
import rich

from vertice.adaptive.triage.modules import COMMANDS, FACADES, USED_THROUGH, modules_from_environment, modules_of


@pytest.mark.parametrize(
    ("name", "modules"),
    [
        ("pyyaml", ("yaml",)),
        ("python-multipart", ("multipart", "python_multipart")),
        ("protobuf", ("google.protobuf",)),
        ("setuptools", ("setuptools", "pkg_resources")),
        ("requests", ("requests",)),
        ("charset-normalizer", ("charset_normalizer", "charset.normalizer")),
    ],
)
def test_import_names(name: str, modules: tuple[str, ...]) -> None:
    assert modules_of(name) == modules


def test_an_installed_environment_tells_its_modules() -> None:
    found = modules_from_environment(Path(rich.__file__).parents[1])
    assert found["packageurl-python"] == ("packageurl",)
    assert found["rich"] == ("rich",)
    assert "attr" in found["attrs"]
    assert "yaml" in found.get("pyyaml", ("yaml",))


def test_record_is_read_where_there_is_no_top_level(tmp_path: Path) -> None:
    (tmp_path / "odd_name-1.0.dist-info").mkdir()
    record = "strange/__init__.py,sha256=x,1\nsingle.py,,\nfast.cpython-311-x86_64-linux-gnu.so,,\n../../bin/odd,,\n"
    (tmp_path / "odd_name-1.0.dist-info" / "RECORD").write_text(
        record + "odd_name-1.0.dist-info/METADATA,,\nd/x.txt,,\n"
    )
    (tmp_path / "empty-1.0.dist-info").mkdir()
    assert modules_from_environment(tmp_path) == {"odd-name": ("fast", "single", "strange")}
    assert modules_from_environment(tmp_path / "nothing") == {}


def test_the_tables_name_packages_as_pep_503_does() -> None:
    for name in (*USED_THROUGH, *COMMANDS):
        assert name == name.lower().replace("_", "-")


def test_names_that_bring_a_package_into_use_are_written_behind_their_facade() -> None:
    """`starlette.templating.Jinja2Templates`, not `fastapi.templating.Jinja2Templates`: one entry covers both."""
    for names in USED_THROUGH.values():
        for name in names:
            assert not any(name == facade or name.startswith(f"{facade}.") for facade in FACADES)
