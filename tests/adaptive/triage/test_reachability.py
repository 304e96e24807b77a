"""What the project's own code shows about one package."""

from textwrap import dedent

import pytest

from vertice.adaptive.inventory.model import Component
from vertice.adaptive.triage.imports import ImportIndex, index_imports
from vertice.adaptive.triage.model import Reachability, ReachabilityLevel, Site
from vertice.adaptive.triage.modules import modules_of
from vertice.adaptive.triage.reachability import modules_of_interest, reach, sites_calling
from vertice.adaptive.triage.sources import OwnCode, SourceFile


def component(name: str, *path: str) -> Component:
    return Component(name, "1.0", "requirements.txt", 1, direct=not path, dependency_path=path)


def index(files: dict[str, str], *components: Component) -> ImportIndex:
    """The index as a scan builds it: of the modules that the components make interesting, and of no others."""
    read = [SourceFile(path, dedent(text).encode()) for path, text in sorted(files.items())]
    code = OwnCode(
        tuple(file for file in read if file.path.endswith(".py")),
        tuple(file for file in read if not file.path.endswith(".py")),
    )
    return index_imports(code, modules_of_interest(components))


def found(
    files: dict[str, str], of: Component, *symbols: str, parents: dict[str, list[str]] | None = None
) -> Reachability:
    return reach(index(files, of), of, symbols, parents=parents)


def test_a_package_nobody_imports_is_present() -> None:
    assert found({"a.py": "import json\n"}, component("pyyaml"), "yaml.load") == Reachability()


def test_an_import_is_evidence_with_its_line() -> None:
    shown = found({"app/io.py": "\nimport yaml\nyaml.safe_load(x)\n"}, component("pyyaml"), "yaml.load")
    assert shown == Reachability(ReachabilityLevel.imported, (Site("app/io.py", 2, "yaml"),), "pyyaml")


def test_a_symbol_is_evidence_with_the_lines_that_name_it() -> None:
    shown = found(
        {"b.py": "from yaml import load as r\nr(1)\nr(2)\n", "a.py": "import yaml\n"}, component("pyyaml"), "yaml.load"
    )
    assert shown.level is ReachabilityLevel.referenced
    assert shown.sites == (Site("b.py", 2, "yaml.load"), Site("b.py", 3, "yaml.load"))


def test_a_symbol_that_is_only_imported_is_named_by_that_line() -> None:
    shown = found({"b.py": "from yaml import load\n"}, component("pyyaml"), "yaml.load")
    assert (shown.level, shown.sites) == (ReachabilityLevel.referenced, (Site("b.py", 1, "yaml.load"),))


@pytest.mark.parametrize(
    ("code", "symbol", "level"),
    [
        ("import jinja2\njinja2.Environment().from_string(x)", "jinja2.Environment.from_string", "referenced"),
        ("import jinja2\ne = jinja2.Environment()\ne.from_string(x)", "jinja2.Environment.from_string", "referenced"),
        ("import jinja2\njinja2.Environment.from_string", "jinja2.Environment", "referenced"),
        ("import jinja2\ne = make()\ne.from_string(x)", "jinja2.Environment.from_string", "imported"),
        ("import jinja2\njinja2.filters.do_urlize(x)", "jinja2.filters", "referenced"),
        ("import jinja2\njinja2.filters_of(x)", "jinja2.filters", "imported"),
        ("import jinja2\njinja2.filters.do_urlize(x)", "do_urlize", "imported"),
        ("import jinja2\nother.filters.do_urlize(x)", "jinja2.filters.do_urlize", "imported"),
    ],
)
def test_a_symbol_is_matched_on_its_whole_name(code: str, symbol: str, level: str) -> None:
    assert found({"a.py": code}, component("jinja2"), symbol).level == level


def test_using_an_object_does_not_name_its_class_again() -> None:
    shown = found(
        {"a.py": "import jinja2\ne = jinja2.Environment()\ne.loader\n"}, component("jinja2"), "jinja2.Environment"
    )
    assert [site.line for site in shown.sites] == [2]


def test_code_in_tests_counts_only_where_there_is_no_other() -> None:
    files = {"tests/test_io.py": "import yaml\nyaml.load(x)\n", "conftest.py": "import yaml\n"}
    shown = found(files, component("pyyaml"), "yaml.load")
    assert (shown.level, shown.tests_only, len(shown.sites)) == (ReachabilityLevel.imported, True, 2)
    shown = found({**files, "app.py": "import yaml\n"}, component("pyyaml"), "yaml.load")
    assert (shown.level, shown.tests_only, shown.sites) == ("imported", False, (Site("app.py", 1, "yaml"),))


def test_a_transitive_package_shows_the_nearest_imported_ancestor() -> None:
    files = {"app.py": "import fastapi\n"}
    anyio = component("anyio", "fastapi", "starlette", "anyio")
    assert found(files, anyio) == Reachability(ReachabilityLevel.present, (Site("app.py", 1, "fastapi"),), "fastapi")
    shown = found({"app.py": "import fastapi\nimport starlette\n"}, anyio)
    assert (shown.through, shown.sites) == ("starlette", (Site("app.py", 2, "starlette"),))
    assert found({"tests/test_app.py": "import fastapi\n"}, anyio).tests_only


def test_ancestors_beyond_the_dependency_path_are_found_by_parents() -> None:
    markupsafe = component("markupsafe", "jinja2", "markupsafe")
    parents = {"markupsafe": ["jinja2", "mako"], "mako": ["alembic"], "alembic": ["mako"]}
    of = (markupsafe, component("alembic"), component("mako"))
    shown = reach(index({"app.py": "import alembic\n"}, *of), markupsafe, (), parents=parents)
    assert shown.through == "alembic"
    assert reach(index({"app.py": "import alembic\n"}, *of), markupsafe, ()).through == ""


@pytest.mark.parametrize(
    ("code", "site"),
    [
        ("from fastapi import File\ndef f(x=File(...)): ...\n", Site("a.py", 2, "fastapi.File")),
        ("import fastapi\ndef f(x: fastapi.UploadFile): ...\n", Site("a.py", 2, "fastapi.UploadFile")),
        (
            "from starlette.requests import Request\nasync def f(r: Request):\n    return await r.form()\n",
            Site("a.py", 3, "starlette.requests.Request.form"),
        ),
        (
            "from fastapi import Request\nasync def f(r: Request):\n    return await r.form()\n",
            Site("a.py", 3, "fastapi.Request.form"),
        ),
    ],
)
def test_python_multipart_is_used_through_the_frameworks(code: str, site: Site) -> None:
    shown = found({"a.py": code}, component("python-multipart"))
    assert (shown.level, shown.sites) == (ReachabilityLevel.imported, (site,))
    assert shown.through == site.symbol.split(".")[0]


def test_a_framework_alone_does_not_bring_python_multipart_into_use() -> None:
    assert (
        found({"a.py": "from fastapi import FastAPI\napp = FastAPI()\n"}, component("python-multipart")).level
        == "present"
    )


def test_jinja2_is_used_through_templates() -> None:
    code = "from fastapi.templating import Jinja2Templates\nt = Jinja2Templates('x')\n"
    shown = found({"a.py": code}, component("jinja2"), "jinja2.sandbox")
    assert (shown.level, shown.through, shown.sites[0].line) == ("imported", "fastapi", 2)
    shown = found({"a.py": "import flask\ndef p():\n    return flask.render_template('x')\n"}, component("jinja2"))
    assert (shown.level, shown.through) == ("imported", "flask")


def test_a_response_class_brings_its_encoder_into_use() -> None:
    code = "from fastapi.responses import ORJSONResponse\ndef f():\n    return ORJSONResponse({})\n"
    shown = found({"a.py": code}, component("orjson"))
    assert (shown.level, shown.sites[0].line) == ("imported", 3)


def test_a_symbol_is_recognised_behind_a_facade() -> None:
    code = "from fastapi.staticfiles import StaticFiles\napp.mount('/', StaticFiles(directory='x'))\n"
    starlette = component("starlette", "fastapi", "starlette")
    shown = found({"a.py": code}, starlette, "starlette.staticfiles.StaticFiles")
    assert (shown.level, shown.through) == ("referenced", "fastapi")
    assert shown.sites == (Site("a.py", 2, "fastapi.staticfiles.StaticFiles"),)


@pytest.mark.parametrize(
    ("name", "line", "level"),
    [
        ("Dockerfile", 'CMD ["uvicorn", "app:app"]', "imported"),
        ("Procfile", "web: uvicorn app:app --port $PORT", "imported"),
        ("Makefile", "\tpython -m uvicorn app:app", "imported"),
        ("Dockerfile", "RUN pip install uvicorn", "present"),
        ("Dockerfile", "# uvicorn runs it", "present"),
        ("Dockerfile", "COPY uvicorn.ini /etc/uvicorn.ini", "present"),
        ("Dockerfile", "ENV UVICORN_PORT=1 PATH=/opt/uvicorn", "present"),
    ],
)
def test_a_server_is_used_by_the_command_that_starts_it(name: str, line: str, level: str) -> None:
    shown = found({name: f"\n{line}\n"}, component("uvicorn"))
    assert shown.level == level
    assert shown.sites == ((Site(name, 2, "uvicorn"),) if level == "imported" else ())


def test_namespace_packages_are_told_apart() -> None:
    files = {"a.py": "from google.protobuf import message\nfrom google.cloud import storage\n"}
    assert [site.line for site in found(files, component("protobuf")).sites] == [1]
    assert found({"a.py": "from google.cloud import storage\n"}, component("protobuf")).level == "present"
    assert found({"a.py": "from google.cloud import storage\n"}, component("google-cloud-storage")).level == "imported"


def test_an_environment_can_know_the_modules_better() -> None:
    odd = component("odd-name")
    names = lambda name: ("strange",) if name == "odd-name" else modules_of(name)  # noqa: E731
    code = OwnCode((SourceFile("a.py", b"import strange\n"),))
    indexed = index_imports(code, modules_of_interest([odd], modules_of=names))
    assert reach(indexed, odd, (), modules_of=names).level == "imported"
    assert reach(indexed, odd, ()).level == "present"


def test_call_sites_are_the_lines_that_use_the_package_when_a_function_runs() -> None:
    files = {
        "app/io.py": """
            import yaml
            DEFAULTS = yaml.safe_load("{}")

            def read(x):
                import yaml.loader
                data = yaml.load(
                    x, Loader=yaml.FullLoader)
                return data.get("a")
        """,
        "tests/test_io.py": "import yaml\ndef test(): yaml.load(1)\n",
    }
    pyyaml = component("pyyaml")
    assert sites_calling(index(files, pyyaml), pyyaml) == (
        Site("app/io.py", 7, "yaml.load"),
        Site("app/io.py", 8, "yaml.FullLoader"),
    )


def test_call_sites_in_a_signature_are_the_functions_first_statement() -> None:
    code = "from fastapi import File\nasync def up(\n    file=File(...),\n):\n    'doc'\n    x = 1\n    return file\n"
    multipart = component("python-multipart")
    assert sites_calling(index({"a.py": code}, multipart), multipart) == (Site("a.py", 6, "fastapi.File"),)


def test_call_sites_at_import_time_count_where_there_are_no_others() -> None:
    pyyaml = component("pyyaml")
    assert sites_calling(index({"a.py": "import yaml\nX = yaml.load(1)\n"}, pyyaml), pyyaml) == (
        Site("a.py", 2, "yaml.load"),
    )


def test_call_sites_of_a_transitive_package_are_those_of_its_ancestor() -> None:
    markupsafe = component("markupsafe", "jinja2", "markupsafe")
    code = "import jinja2\ndef f(x):\n    return jinja2.Template(x)\n"
    assert sites_calling(index({"a.py": code}, markupsafe), markupsafe) == (Site("a.py", 3, "jinja2.Template"),)
    assert sites_calling(index({"a.py": "import os\n"}, markupsafe), markupsafe) == ()
