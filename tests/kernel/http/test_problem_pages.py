"""Problems as pages: what is said, and that nothing in it is taken for HTML."""

import httpx
import pytest
from fastapi import FastAPI
from starlette.exceptions import HTTPException

from vertice.kernel.errors import InputError, UnfinishedError
from vertice.kernel.http.handlers import install
from vertice.kernel.http.kinds import KERNEL, Kind
from vertice.kernel.http.problem_pages import problem_page, router
from vertice.kernel.http.rate import TooManyRequestsError
from vertice.kernel.http.web_page import sentence, text

PAGE = {"Accept": "text/html,*/*;q=0.8"}
OURS = Kind("only-here", 422, "It is <of> this service.", "Look into `here` & there.")


def app() -> FastAPI:
    made = FastAPI()
    made.include_router(router((*KERNEL, OURS)))
    known = {kind.code: kind for kind in KERNEL}

    def page_of(scope, document):
        if scope["path"].startswith("/data"):
            return None
        return problem_page(document, kind=known.get(document["type"].rpartition("/")[2]))

    @made.get("/{path:path}/input")
    async def wrong(path: str) -> None:
        raise InputError("this <b>cannot</b> be used", where="<where>", todo="Use `that` & no other.")

    @made.get("/{path:path}/down")
    async def down(path: str) -> None:
        raise UnfinishedError("hunter2 is the password", where="db", todo="Ask hunter2.")

    @made.get("/{path:path}/busy")
    async def busy(path: str) -> None:
        raise TooManyRequestsError("more than 3 requests in 60 s", todo="Wait 7 s.", headers={"Retry-After": "7"})

    @made.get("/{path:path}/odd")
    async def odd(path: str) -> None:
        raise HTTPException(418, "a teapot")

    install(made, page=page_of)
    return made


@pytest.fixture(scope="module")
def client(serve):
    with httpx.Client(base_url=serve(app())) as made:
        yield made


def test_a_problem_is_a_page_to_a_browser_and_a_document_to_everybody_else(client):
    page, data = client.get("/people/input", headers=PAGE), client.get("/people/input")
    assert page.status_code == data.status_code == 422
    assert page.headers["content-type"] == "text/html; charset=utf-8"
    assert data.headers["content-type"] == "application/problem+json"
    assert page.headers["vary"] == "Accept"
    assert page.text.count("<h1>") == 1
    assert "<h1>Bad input</h1>" in page.text
    assert "<p>This &lt;b&gt;cannot&lt;/b&gt; be used.</p>" in page.text
    assert "<p>Use <code>that</code> &amp; no other.</p>" in page.text
    assert 'href="/problems/bad-input"' in page.text


def test_at_an_address_for_programs_there_are_no_pages(client):
    assert client.get("/data/input", headers=PAGE).headers["content-type"] == "application/problem+json"


def test_a_page_keeps_the_headers_of_the_problem(client):
    answer = client.get("/people/busy", headers=PAGE)
    assert (answer.status_code, answer.headers["retry-after"]) == (429, "7")
    assert "Wait 7 s." in answer.text
    assert client.delete("/people/busy", headers=PAGE).headers["allow"] == "GET"


def test_of_what_went_wrong_here_the_page_says_as_little_as_the_document(client, lines):
    answer = client.get("/people/down", headers=PAGE)
    assert answer.status_code == 503
    assert "hunter2" not in answer.text
    assert "something that it needs does not work right now" in answer.text


def test_a_kind_that_nobody_explains_is_shown_without_a_link(client):
    answer = client.get("/people/odd", headers=PAGE)
    assert answer.status_code == 418
    assert "A teapot." in answer.text
    assert 'href="/problems/' not in answer.text


def test_a_page_runs_no_script_and_takes_no_other_style(client):
    policy = client.get("/people/input", headers=PAGE).headers["content-security-policy"]
    assert policy.startswith("default-src 'none'; style-src 'sha256-")
    assert "script-src" not in policy
    assert "unsafe" not in policy


def test_every_type_of_problem_is_the_address_of_what_explains_it(client):
    items = client.get("/problems").json()["items"]
    assert {item["code"] for item in items} == {kind.code for kind in (*KERNEL, OURS)}
    assert [item["status"] for item in items] == sorted(item["status"] for item in items)
    for item in items:
        assert client.get(item["type"]).json() == item
        page = client.get(item["type"], headers=PAGE)
        assert (page.status_code, page.text.count("<h1>")) == (200, 1)
        assert f"<h1>{item['title']}</h1>" in page.text
    assert client.get(client.get("/nowhere").json()["type"]).json()["code"] == "not-found"


def test_explanations_are_escaped(client):
    page = client.get("/problems/only-here", headers=PAGE).text
    assert "It is &lt;of&gt; this service." in page
    assert "<p>Look into <code>here</code> &amp; there.</p>" in page
    index = client.get("/problems", headers=PAGE)
    assert index.headers["vary"] == client.get("/problems").headers["vary"] == "Accept"
    assert 'href="/problems/only-here"' in index.text
    assert "<of>" not in index.text


@pytest.mark.parametrize("code", ["nonsense", "<script>", "x" * 5000, "%00", "..%2f..%2fetc"])
def test_a_code_that_does_not_exist_is_not_found(client, code):
    for headers in ({}, PAGE):
        answer = client.get(f"/problems/{code}", headers=headers)
        assert answer.status_code == 404
        assert "<script>" not in answer.text


def test_kinds_are_explained_once_and_in_whole_sentences():
    assert len({kind.code for kind in KERNEL}) == len(KERNEL)
    for kind in KERNEL:
        for said in (kind.meaning, kind.todo):
            assert said[0].isupper(), kind
            assert said.endswith("."), kind


def test_words_become_sentences():
    assert [sentence(words) for words in ("", "it is so", "Is it?", "é")] == ["", "It is so.", "Is it?", "É."]
    assert text("") == ""
    assert text("`<i>`") == "<p><code>&lt;i&gt;</code></p>"
