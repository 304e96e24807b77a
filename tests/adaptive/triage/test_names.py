"""Which dotted names a file's source resolves to."""

from textwrap import dedent

import pytest

from vertice.adaptive.triage.names import names_in


def uses(source: str, path: str = "app/io.py") -> set[tuple[int, str]]:
    """(line, name) of everything but the import lines."""
    found = names_in(path, dedent(source).encode()).uses
    return {(use.line, use.name) for use in found if not use.imported}


def imports(source: str, path: str = "app/io.py") -> set[tuple[int, str]]:
    found = names_in(path, dedent(source).encode()).uses
    return {(use.line, use.name) for use in found if use.imported}


@pytest.mark.parametrize(
    ("source", "name"),
    [
        ("import yaml\nyaml.load(x)", "yaml.load"),
        ("import yaml as y\ny.load(x)", "yaml.load"),
        ("from yaml import load\nload(x)", "yaml.load"),
        ("from yaml import load as read\nread(x)", "yaml.load"),
        ("import jinja2.filters as f\nf.do_urlize(x)", "jinja2.filters.do_urlize"),
        ("import jinja2.filters\njinja2.filters.do_urlize(x)", "jinja2.filters.do_urlize"),
        ("from yaml import *\nload(x)", "yaml.load"),
        ("import yaml; y = yaml\ny.load(x)", "yaml.load"),
        ("import yaml; read = yaml.load\nread(x)", "yaml.load"),
        ("import yaml; a = b = yaml\nb.load(x)", "yaml.load"),
        ("import importlib; y = importlib.import_module('yaml')\ny.load(x)", "yaml.load"),
        ("from importlib import import_module; y = import_module('yaml')\ny.load(x)", "yaml.load"),
        ("y = __import__('yaml')\ny.load(x)", "yaml.load"),
        ("y = __import__('yaml.loader')\ny.loader.Loader", "yaml.loader.Loader"),
        ("import yaml\ngetattr(yaml, 'load')(x)\nr = getattr(yaml, 'load'); r(x)", "yaml"),
        ("import yaml; r = getattr(yaml, 'load')\nr(x)", "yaml.load"),
        ("import yaml, json; y = yaml if fast else json\ny.load(x)", "yaml.load"),
        ("import jinja2; e = jinja2.Environment()\ne.from_string(x)", "jinja2.Environment().from_string"),
        ("import jinja2\njinja2.Environment().from_string(x)", "jinja2.Environment().from_string"),
        ("from zipfile import ZipFile\nwith ZipFile(p) as z: z.extractall()", "zipfile.ZipFile().extractall"),
        ("import yaml\n(y := yaml).load(x)", "yaml.load"),
        ("import jinja2\nclass E(jinja2.Environment): ...\nE().from_string(x)", "jinja2.Environment().from_string"),
    ],
)
def test_a_name_is_followed_to_where_it_comes_from(source: str, name: str) -> None:
    assert name in {found for _, found in uses(source)}


def test_both_sides_of_a_fallback_import_count() -> None:
    source = """
        try:
            from yaml import CSafeLoader as Loader
        except ImportError:
            from yaml import SafeLoader as Loader
        Loader(x)
    """
    assert {name for line, name in uses(source) if line == 6} == {"yaml.CSafeLoader", "yaml.SafeLoader"}


def test_an_import_in_a_function_binds_there_alone() -> None:
    source = """
        def read(x):
            import yaml
            return yaml.load(x)

        def other(yaml):
            return yaml.load(1)

        yaml.load(2)
    """
    assert uses(source) == {(4, "yaml.load")}


def test_a_parameter_hides_the_module() -> None:
    assert uses("import yaml\ndef f(yaml):\n    return yaml.load(1)\n[yaml.load for yaml in x]") == set()


def test_an_annotation_says_the_class() -> None:
    source = """
        from typing import Annotated, Optional
        from starlette.requests import Request
        async def a(r: Request): await r.form()
        async def b(r: "Request"): await r.form()
        async def c(r: Optional[Request]): await r.form()
        async def d(r: Request | None): await r.form()
        async def e(r: Annotated[Request, 1]): await r.form()
        async def f(*r: Request): await r.form()
    """
    form = {line for line, name in uses(source) if name == "starlette.requests.Request().form"}
    assert form == {4, 5, 6, 7, 8}


def test_an_attribute_of_self_keeps_its_class() -> None:
    source = """
        import jinja2
        class Mailer:
            shared: jinja2.Environment
            def __init__(self):
                self.env = jinja2.Environment()
            def send(self, x):
                self.env.from_string(x)
                self.shared.from_string(x)
    """
    from_string = {line for line, name in uses(source) if name == "jinja2.Environment().from_string"}
    assert from_string == {8, 9}


def test_what_a_plain_function_returns_is_not_followed() -> None:
    assert uses("import yaml\nx = yaml.load(f)\nx.get(1)") == {(2, "yaml.load")}


def test_a_name_bound_to_itself_ends() -> None:
    assert (3, "yaml.load") in uses("import yaml\nyaml = yaml.compat\nyaml.load(1)\nx = x.y")


def test_global_and_nonlocal_bind_outside() -> None:
    source = """
        def f():
            global y
            import yaml
            y = yaml
        def g():
            y.load(1)
    """
    assert (7, "yaml.load") in uses(source)


def test_relative_imports_name_the_own_package() -> None:
    assert imports("from . import a\nfrom .b import c\nfrom ..d import e", "app/web/io.py") == {
        (1, "app.web.a"),
        (2, "app.web.b.c"),
        (3, "app.d.e"),
    }
    assert imports("from .b import c", "app/__init__.py") == {(1, "app.b.c")}
    assert imports("from .....b import c", "io.py") == {(1, "b.c")}


def test_a_signature_takes_effect_at_the_first_statement_of_its_function() -> None:
    source = """
        from fastapi import FastAPI, File
        app = FastAPI()

        @app.post("/")
        def upload(
            file=File(...),
        ):
            \"\"\"Take a file.\"\"\"
            return file
    """
    found = {use.name: use for use in names_in("a.py", dedent(source).encode()).uses if not use.imported}
    assert (found["fastapi.File"].line, found["fastapi.File"].runs_at, found["fastapi.File"].in_function) == (
        7,
        10,
        True,
    )
    assert found["fastapi.FastAPI().post"].runs_at == 10
    assert not found["fastapi.FastAPI"].in_function


def test_module_level_names_are_handed_on() -> None:
    found = names_in("app/compat.py", b"from yaml import load\nfrom jinja2 import *\ndef f(): ...\n")
    assert (found.module, found.exports) == ("app.compat", {"load": ("yaml.load",), "*": ("jinja2",)})
    assert names_in("app/__init__.py", b"import yaml").module == "app"
