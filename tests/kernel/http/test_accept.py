"""Who is shown a page, and who gets data."""

import pytest

from vertice.kernel.http.accept import prefers_html

CHROME = "text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,image/webp,image/apng,*/*;q=0.8"


def scope(*headers: str) -> dict:
    return {"type": "http", "headers": [(b"accept", header.encode("latin-1")) for header in headers]}


@pytest.mark.parametrize(
    "header", [CHROME, "text/html", "TEXT/HTML", "text/*", "application/json;q=.5,text/html;q=0.6"]
)
def test_a_browser_that_goes_somewhere_wants_a_page(header):
    assert prefers_html(scope(header))


@pytest.mark.parametrize(
    "header",
    [
        "",
        "*/*",
        "application/json",
        "application/problem+json, text/html",
        "text/html, application/json",
        "text/html;q=0",
        "text/html;q=0.1, */*",
        "text/html;q=high",
        "xtext/html",
        "text/html;level=1",
        "application/json;profile=text/html",
        ";;;,,,=\x00\xff",
        'text/html;x="' + "y" * 60_000,
        "text/html," * 10_000,
    ],
)
def test_everybody_else_wants_data(header):
    assert not prefers_html(scope(header))


def test_a_header_that_comes_twice_is_one():
    assert not prefers_html(scope())
    assert not prefers_html(scope("text/html;q=0.5", "application/json"))
    assert prefers_html(scope("text/html", "application/json;q=0.5"))
