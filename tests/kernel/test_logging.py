"""Log lines."""

import io
import json
import logging as standard
import os
import subprocess
import sys
import textwrap
import warnings
from collections.abc import Iterator

import pytest
import structlog

from vertice.kernel import logging

LIBRARIES = ("dbos", "faststream", "faststream.access.rabbit", "uvicorn", "uvicorn.access", "uvicorn.error")


@pytest.fixture(autouse=True)
def restored() -> Iterator[None]:
    loggers = [standard.getLogger(name) for name in (None, *LIBRARIES, "uvicorn.asgi")]
    before = [(logger, logger.handlers, logger.level, logger.propagate) for logger in loggers]
    for logger in loggers[1:]:
        logger.setLevel(standard.NOTSET)  # another test of this process may have set one up
    yield
    for logger, handlers, level, propagate in before:
        logger.handlers, logger.level, logger.propagate = handlers, level, propagate
    structlog.reset_defaults()
    structlog.contextvars.clear_contextvars()


@pytest.fixture
def stream() -> io.StringIO:
    return io.StringIO()


@pytest.fixture
def production(stream: io.StringIO) -> io.StringIO:
    logging.configure(environment="production", level="INFO", stream=stream, service="vertice-api")
    return stream


def records(stream: io.StringIO) -> list[dict]:
    return [json.loads(line) for line in stream.getvalue().splitlines()]


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
    assert (own["logger"], library["logger"]) == ("vertice.x", "library")


def test_development_is_readable():
    own, _ = lines(level="INFO")
    assert "patch proven" in own
    assert "apv=APV-1" in own


def test_the_level_is_kept():
    assert [json.loads(line)["level"] for line in lines(environment="production", level="WARNING")] == ["warning"]


def test_the_correlation_id_is_on_our_lines_and_on_those_of_libraries(production: io.StringIO):
    structlog.contextvars.bind_contextvars(correlation_id="r-1")
    logging.get_logger("x").info("a")
    standard.getLogger("sqlalchemy.engine").warning("b")
    assert [(record["correlation_id"], record["service"]) for record in records(production)] == [
        ("r-1", "vertice-api"),
        ("r-1", "vertice-api"),
    ]


@pytest.mark.parametrize("name", LIBRARIES)
def test_libraries_that_print_by_themselves_are_led_through_ours(name: str, production: io.StringIO):
    standard.getLogger(name).warning("from %s", name)
    assert [record["event"] for record in records(production)] == [f"from {name}"]


def test_dbos_faststream_and_uvicorn_add_no_output_of_their_own():
    """In a process of its own: what they do when they are set up cannot be undone here."""
    program = """
        import asyncio, logging, sys
        from vertice.kernel.logging import configure
        configure(environment="production", level="INFO", stream=sys.stdout)
        import uvicorn
        from dbos._logger import dbos_logger, init_logger
        from faststream.rabbit import RabbitBroker
        init_logger()
        dbos_logger.warning("dbos")
        RabbitBroker("amqp://127.0.0.1:1")
        logging.getLogger("faststream").warning("faststream")
        uvicorn.Config("a:b", log_config=None, log_level="info")
        logging.getLogger("uvicorn.error").warning("uvicorn")
    """
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(program)], capture_output=True, text=True, timeout=60, check=True
    )
    assert [json.loads(line)["event"] for line in done.stdout.splitlines()] == ["dbos", "faststream", "uvicorn"]
    assert done.stderr == ""


def fail(password: str) -> None:
    raise ValueError("no")


@pytest.mark.parametrize("environment", ["production", "development"])
def test_a_traceback_does_not_show_local_variables(environment: str, stream: io.StringIO):
    logging.configure(environment=environment, level="INFO", stream=stream)
    try:
        fail("ge" + "heim")
    except ValueError:
        logging.get_logger("x").exception("failed")
    assert "ValueError: no" in stream.getvalue()
    assert "geheim" not in stream.getvalue()


def test_in_production_an_error_is_fields_of_one_line(production: io.StringIO):
    try:
        try:
            fail("x")
        except ValueError as error:
            raise RuntimeError("could not") from error
    except RuntimeError:
        standard.getLogger("library").exception("failed")
    (record,) = records(production)
    assert (record["exception"]["type"], record["exception"]["message"]) == ("RuntimeError", "could not")
    assert "ValueError: no" in record["exception"]["stack"]


HOSTILE = "a\nb\r\x1b[2Jc\x7f\x85\x9b1m\u2028\u202e\U000e0041\ud800d"


@pytest.mark.parametrize("environment", ["production", "development"])
def test_hostile_text_can_neither_break_a_line_nor_steer_a_terminal(environment: str, stream: io.StringIO):
    logging.configure(environment=environment, level="INFO", stream=stream)
    logging.get_logger("x").info(HOSTILE, comment=HOSTILE, inner=[HOSTILE], **{"k" + HOSTILE: 1})
    standard.getLogger("library").warning("%s", HOSTILE)
    text = stream.getvalue()
    assert text.count("\n") == 2
    assert text.replace("\n", "").isprintable()
    text.encode()


def test_what_was_hostile_reads_back_unchanged_from_json(production: io.StringIO):
    logging.get_logger("x").info("seen", comment=HOSTILE)
    assert records(production)[0]["comment"] == HOSTILE


def connect(url: str) -> None:
    raise RuntimeError(f"cannot connect to {url}")


def test_secrets_are_masked_by_name_and_by_look(production: io.StringIO):
    token = "vrt_" + "Ab3" * 9
    logging.get_logger("x").info(
        "connected to postgresql+asyncpg://vertice:s3nha@db:5432/x",
        password="s3nha",
        headers={"Authorization": "Bearer s3nha", "accept": "json"},
        github_token="s3nha",
        nested=[{"client_secret": "s3nha"}],
        cookie="s3nha",
        said=f"refused {token}",
        path="/hitl/login/callback?code=s3nha&x=1&access_token=s3nha",
        error=ConnectionError("cannot reach redis://:s3nha@cache:6379"),
        jwt="eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.s3nha",
        seconds=3.2,
        empty=None,
    )
    standard.getLogger("uvicorn.access").info('"GET /hitl/?token=%s HTTP/1.1"', "s3nha")
    try:
        connect("amqp://guest:s3nha@mq//")
    except RuntimeError:
        logging.get_logger("x").exception("failed", body={"new_password": "s3nha"})
    text = production.getvalue()
    assert "s3nha" not in text
    assert token not in text
    first, second, _ = records(production)
    assert first["event"] == "connected to postgresql+asyncpg://vertice:***@db:5432/x"
    assert first["headers"] == {"Authorization": "***", "accept": "json"}
    assert first["path"] == "/hitl/login/callback?code=***&x=1&access_token=***"
    assert first["said"] == "refused vrt_***"
    assert (first["seconds"], first["empty"]) == (3.2, None)
    assert second["event"] == '"GET /hitl/?token=*** HTTP/1.1"'


@pytest.mark.parametrize(
    "text", ["see https://example.org/a?b=1", "a basic understanding", "user@example.org", "12:30@noon", "x://y"]
)
def test_ordinary_text_is_left_alone(text: str, production: io.StringIO):
    logging.get_logger("x").info(text, monkey=text)
    assert (records(production)[0]["event"], records(production)[0]["monkey"]) == (text, text)


def test_a_password_with_every_character_is_masked(production: io.StringIO):
    logging.get_logger("x").info("postgresql://u:p:a%2F@s?w#o&r=d@db/x and more")
    assert records(production)[0]["event"] == "postgresql://u:***@db/x and more"


def test_a_field_without_end_is_cut(production: io.StringIO):
    logging.get_logger("x").info("seen", comment="x" * 1_000_000, deep=[[[[[[[["x"]]]]]]]])
    assert len(production.getvalue()) < 20_000
    assert records(production)[0]["comment"].endswith("x…")


def test_by_default_logs_go_to_stderr_and_stdout_stays_the_results():
    program = "from vertice.kernel.logging import *; configure(); get_logger('x').warning('seen')"
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, timeout=60, check=True, env=dict(os.environ)
    )
    assert done.stdout == ""
    assert "seen" in done.stderr


def test_nothing_warns_when_an_error_is_logged_in_development(stream: io.StringIO):
    logging.configure(level="INFO", stream=stream)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        try:
            fail("x")
        except ValueError:
            logging.get_logger("x").exception("failed")
    assert "ValueError" in stream.getvalue()
