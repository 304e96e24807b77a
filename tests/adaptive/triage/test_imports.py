"""The index over a whole project."""

import time

import pytest

from vertice.adaptive.triage.imports import ImportIndex, index_imports
from vertice.adaptive.triage.sources import OwnCode, SourceFile


def index(files: dict[str, str | bytes], *modules: str) -> ImportIndex:
    sources = [SourceFile(p, c.encode() if isinstance(c, str) else c) for p, c in sorted(files.items())]
    return index_imports(OwnCode(tuple(sources)), modules or None)


def lines(found: ImportIndex, top: str) -> set[tuple[str, int, str]]:
    return {(use.path, use.use.line, use.use.name) for use in found.uses.get(top, ()) if not use.use.imported}


def test_names_are_followed_through_own_modules() -> None:
    files = {
        "src/app/compat.py": "from yaml import load\n",
        "src/app/more.py": "from app.compat import load as read\n",
        "src/app/io.py": "from .compat import load\nload(1)\n",
        "src/app/far.py": "import app.more\napp.more.read(1)\n",
        "src/app/all.py": "from app.compat import *\nload(1)\n",
        "src/app/star.py": "from yaml import *\n",
        "src/app/via_star.py": "from .star import dump\ndump(1)\n",
        "src/app/other.py": "def load(x): ...\nload(1)\n",
    }
    assert lines(index(files, "yaml"), "yaml") == {
        ("src/app/io.py", 2, "yaml.load"),
        ("src/app/far.py", 2, "yaml.load"),
        ("src/app/all.py", 2, "yaml.load"),
        ("src/app/via_star.py", 2, "yaml.dump"),
    }


def test_an_object_made_in_one_own_module_is_known_in_another() -> None:
    files = {
        "app/deps.py": "from jinja2 import Environment\nenv = Environment()\n",
        "app/web.py": "from app.deps import env\ndef page(x):\n    return env.from_string(x)\n",
        "app/sub.py": "from jinja2 import Environment\nclass Own(Environment): ...\n",
        "app/use.py": "from app import sub\ne = sub.Own()\ne.from_string(1)\n",
    }
    found = {
        (path, line) for path, line, name in lines(index(files, "jinja2"), "jinja2") if name.endswith("from_string")
    }
    assert found == {("app/web.py", 3), ("app/use.py", 3)}


def test_an_own_module_is_not_taken_for_another_of_its_last_name() -> None:
    files = {
        "app/__init__.py": "",
        "app/json.py": "from orjson import dumps\n",
        "app/codec.py": "from orjson import loads\n",
        "lib/json.py": "from orjson import dumps\n",
        "other.py": "import json, codec\njson.dumps(1)\ncodec.loads(1)\n",
        "same.py": "from app import json, codec\njson.dumps(1)\ncodec.loads(1)\n",
    }
    assert {(path, line) for path, line, _ in lines(index(files, "orjson"), "orjson")} == {
        ("same.py", 2),
        ("same.py", 3),
    }


def test_own_modules_that_import_each_other_end() -> None:
    files = {"a.py": "from b import x\nimport yaml\n", "b.py": "from a import x\nx.y\nfrom a import *\nyaml.load\n"}
    assert ("b.py", 4, "yaml.load") in lines(index(files, "yaml"), "yaml")


@pytest.mark.parametrize(
    "source",
    [
        "import os, yaml",
        "import os, \\\n  yaml",
        "if x: import yaml",
        "from yaml import (\n    load,  # noqa (really)\n)",
        "import importlib\nimportlib.import_module(\n    'yaml'\n)",
        "__import__('yaml')",
        "try:\n\timport yaml.loader as x\nfinally: ...",
        "x = 1;import yaml",
        '"Text with an import"\nimport yaml',
        "# import\nimport yaml",
        "# from (\nimport yaml",
        "# from (\nx = 1\nimport yaml\n# )",
    ],
)
def test_no_way_of_writing_an_import_is_passed_over(source: str) -> None:
    assert index({"a.py": source}, "yaml").uses["yaml"]


@pytest.mark.parametrize(
    "source",
    ["from google import protobuf", "import google.protobuf", "from google import (\n  cloud,\n  protobuf,\n)"],
)
def test_no_way_of_writing_a_namespace_import_is_passed_over(source: str) -> None:
    assert index({"a.py": source}, "google.protobuf").uses["google"]


def test_only_files_that_can_name_a_module_are_parsed() -> None:
    files = {f"app/m{number}.py": "import os\nyaml = 1\n" for number in range(50)} | {"app/io.py": "import yaml\n"}
    found = index(files, "yaml")
    assert (found.files, set(found.uses)) == (1, {"yaml"})
    assert index(files).files == 51


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"import os, yaml as y\nprint 'x'\n", "old.py:2: only its import lines"),
        (b"import yaml\n\0", "old.py: only its import lines"),
        (b"  from yaml.loader import (\n    Loader)\nif x:\n", "old.py:1: only its import lines"),
        (b"import yaml\nx = '\xff'\n", "old.py:2: only its import lines"),
        (b"# -*- coding: nonsense -*-\nimport yaml\n", "old.py: only its import lines"),
        (b"import yaml\n" + b"(" * 5000, "old.py"),
        (b"import yaml\nx = yaml" + b".a" * 20000, "old.py: only its import lines"),
        (b"import yaml\nx = yaml" + b"+1" * 50000, "old.py: only its import lines"),
    ],
)
def test_of_a_file_that_cannot_be_parsed_the_imports_count_and_it_is_said(content: bytes, reason: str) -> None:
    found = index({"old.py": content, "new.py": "import yaml\n"}, "yaml")
    assert len(found.warnings) == 1
    assert found.warnings[0].startswith(reason)
    assert [(use.path, use.use.imported) for use in found.uses["yaml"]] == [("new.py", True), ("old.py", True)]
    assert "cannot read it (" in found.warnings[0]


def test_other_encodings_are_read_as_declared() -> None:
    assert index({"a.py": "# coding: latin-1\nimport yaml # é\n".encode("latin-1")}, "yaml").uses["yaml"]
    assert index({"a.py": b"\xef\xbb\xbfimport yaml\n"}, "yaml").uses["yaml"]


def test_the_projects_own_syntax_warnings_stay_unseen() -> None:
    found = index({"a.py": 'import yaml\nx = "\\d"\nif x is 1: pass\n'}, "yaml")
    assert found.warnings == ()


def test_command_lines_leave_out_comments_and_installations() -> None:
    text = b'# uvicorn\nRUN pip install uvicorn\nRUN uv sync && uv add uvicorn\nCMD ["uvicorn", "app:app"]\n'
    found = index_imports(OwnCode(commands=(SourceFile("Dockerfile", text),)), ())
    assert [(line.line, line.text) for line in found.commands] == [(4, 'CMD ["uvicorn", "app:app"]')]


@pytest.mark.parametrize(
    "content",
    [
        b"from (" * 150_000,
        b"import \\\n" * 100_000,
        b"from (" + b"a" * 1_000_000,
        b"import yaml\n" + b"yaml = yaml.a\n" * 20_000,
        b"import yaml\n" + b"".join(b"a%d = a%d.x or a%d.y\n" % (n, n + 1, n + 2) for n in range(200)) + b"a200=yaml\n",
    ],
)
def test_hostile_source_ends_soon(content: bytes) -> None:
    start = time.process_time()
    index({"a.py": content}, "yaml")
    assert time.process_time() - start < 10
