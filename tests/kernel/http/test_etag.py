"""Versions as entity tags, and the conditions on them."""

from typing import Annotated

import httpx
import pytest
from fastapi import Depends, FastAPI, Request, Response
from hypothesis import given
from hypothesis import strategies as st

from vertice.kernel.http.etag import IfMatch, PreconditionFailedError, etag, if_match, not_modified, parse_tags
from vertice.kernel.http.handlers import install

opaque = st.text(
    st.characters(min_codepoint=0x21, max_codepoint=0xFF, exclude_characters='"\x7f').filter(
        lambda c: not 0x7F <= ord(c) < 0x80
    )
)
tags = st.builds(lambda weak, text: f'{weak}"{text}"', st.sampled_from(["", "W/"]), opaque)


@pytest.fixture(scope="module")
def client(serve):
    made = FastAPI()

    @made.get("/thing")
    async def read(request: Request, response: Response):
        if unchanged := not_modified(request, 3):
            return unchanged
        response.headers["ETag"] = etag(3)
        return "thing"

    @made.put("/thing")
    async def edit(condition: Annotated[IfMatch, Depends(if_match)]) -> str:
        condition.check(3)
        return "edited"

    install(made)
    with httpx.Client(base_url=serve(made)) as client:
        yield client


@pytest.mark.parametrize("value", ['"v3"', '"v2", "v3"', '"v9" ,\t"v3"', "*", ', "v3",', '"odd,tag","v3"'])
def test_an_edit_of_the_present_version_is_done(client, value):
    assert client.put("/thing", headers={"If-Match": value}).json() == "edited"


def test_the_header_may_come_in_two_lines(client):
    assert client.put("/thing", headers=[("If-Match", '"v1"'), ("If-Match", '"v3"')]).json() == "edited"


@pytest.mark.parametrize(
    "value", ['"v2"', 'W/"v3"', '"3"', '"v03"', '"v3x"', '"v99999999999999999999999"', '"v\u0663"', '""']
)
def test_an_edit_of_another_version_is_refused_with_the_present_one(client, value):
    answer = client.put("/thing", headers={"If-Match": value.encode("utf-8")})
    assert answer.status_code == 412
    assert answer.json()["type"] == "/problems/precondition-failed"
    assert answer.headers["etag"] == '"v3"'


def test_an_edit_that_does_not_say_of_what_is_refused(client):
    answer = client.put("/thing")
    assert (answer.status_code, answer.json()["type"]) == (428, "/problems/precondition-required")


@pytest.mark.parametrize("value", ["v3", '"v3', "", '*, "v3"', '"v3" "v4"', "W/v3", "'v3'"])
def test_a_condition_that_cannot_be_read_is_refused(client, value):
    answer = client.put("/thing", headers={"If-Match": value})
    assert (answer.status_code, answer.json()["where"]) == (400, "If-Match")


@pytest.mark.parametrize(
    ("value", "status"),
    [('"v3"', 304), ('W/"v3"', 304), ("*", 304), ('"v1", "v3"', 304), ('"v2"', 200), ("rubbish", 200), ("", 200)],
)
def test_a_read_of_what_is_known_sends_nothing(client, value, status):
    answer = client.get("/thing", headers={"If-None-Match": value})
    assert answer.status_code == status
    assert answer.headers["etag"] == '"v3"'
    assert bool(answer.content) is (status == 200)


@given(st.lists(tags, min_size=1), st.sampled_from([",", ", ", " ,\t"]))
def test_any_list_of_tags_is_read_back(given_tags, comma):
    assert parse_tags([comma.join(given_tags)]) == tuple(given_tags) == parse_tags(given_tags)


@given(st.lists(st.text(st.sampled_from('W/"v3,* \t\\')) | st.text(), max_size=3))
def test_any_text_is_a_list_of_tags_or_none(values):
    found = parse_tags(values)
    assert found is None or found == ("*",) or parse_tags([",".join(found)]) == found


@given(st.integers(0, 10**17), st.integers(0, 10**17))
def test_a_version_matches_itself_alone(version, other):
    (tag,) = parse_tags([etag(version)])
    assert tag == etag(version)
    condition = IfMatch(frozenset({version}))
    condition.check(version)
    if other != version:
        with pytest.raises(PreconditionFailedError):
            condition.check(other)


def test_a_long_header_takes_no_longer_than_it_is_long(client):
    # Read in time that grows with the square of its length, it would hold every other request up for half a minute.
    value = f'"v1",{" " * 60_000}x'
    assert client.get("/thing", headers={"If-None-Match": value}).status_code == 200
    assert parse_tags([f'"v1",{" " * 10_000_000}x']) is None
    assert parse_tags([f'{" " * 10_000_000}"v1" ']) == ('"v1"',)
