"""Log lines."""

import io
import json
import logging as standard
from collections.abc import Iterator

import pytest
import structlog

from vertice.kernel import logging


@pytest.fixture(autouse=True)
def restored() -> Iterator[None]:
    root = standard.getLogger()
    handlers, level = root.handlers, root.level
    yield
    root.handlers, root.level = handlers, level
    structlog.reset_defaults()


def lines(**how) -> list[str]:
    stream = io.StringIO()
    logging.configure(stream=stream, **how)
    logging.get_logger("vertice.x").info("patch proven", apv="APV-1")
    standard.getLogger("library").warning("slow: %s", "é")
    return stream.getvalue().splitlines()


def test_production_writes_one_json_object_a_line_with_the_fields_operators_expect():
    own, library = (json.loads(line) for line in lines(environment="production", level="INFO"))
    assert (own["event"], own["apv"], own["level"], own["service"]) == ("patch proven", "APV-1", "info", "vertice")
    assert own["timestamp"].endswith("Z")
    assert (own["environment"], own["version"]) == ("production", "0.1.0")
    assert (library["event"], library["level"]) == ("slow: é", "warning")


def test_development_is_readable():
    own, _ = lines(level="INFO")
    assert "patch proven" in own
    assert "apv=APV-1" in own


def test_the_level_is_kept():
    assert [json.loads(line)["level"] for line in lines(environment="production", level="WARNING")] == ["warning"]


def fail(password: str) -> None:
    raise ValueError("no")


def test_a_traceback_does_not_show_local_variables():
    stream = io.StringIO()
    logging.configure(environment="production", level="INFO", stream=stream)
    try:
        fail("ge" + "heim")
    except ValueError:
        logging.get_logger("x").exception("failed")
    record = json.loads(stream.getvalue())
    assert "ValueError: no" in record["exception"]
    assert "geheim" not in record["exception"]
    assert len(stream.getvalue().splitlines()) == 1
