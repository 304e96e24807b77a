"""What a problem document holds, and what it never does."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vertice.kernel.http.kinds import code_of
from vertice.kernel.http.problem import Problem, problem, responses, without_folders


def document(*args, **how) -> dict:
    answer = problem(*args, **how)
    assert answer.headers["content-type"] == "application/problem+json"
    found = json.loads(answer.body)
    Problem.model_validate(found)
    return found


def test_it_names_its_type_and_leaves_out_what_is_empty():
    assert document(404, "there is nothing at this address") == {
        "type": "/problems/not-found",
        "title": "Not found",
        "status": 404,
        "detail": "there is nothing at this address",
        "instance": "",
    }


def test_an_unknown_status_has_a_type_too():
    assert document(418, "no")["type"] == "/problems/http-418"
    assert code_of(409) == "conflict"


def test_hostile_and_endless_texts_are_escaped_and_cut():
    found = document(400, "\x1b[2J" + "a" * 5000, where="\u202eevil", errors=[{"loc": ["x"], "msg": "y"}] * 50)
    assert found["detail"].startswith("\\x1b[2Jaaa")
    assert len(found["detail"]) < 1100
    assert found["where"] == "\\u202eevil"
    assert len(found["errors"]) == 20


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("/home/ana/service/uv.lock", "uv.lock"),
        ("/home/ana/My Project/uv.lock", "uv.lock"),
        ("/srv", "srv"),
        ("cannot read /home/ana/uv.lock:12: no", "cannot read uv.lock:12: no"),
        ("file:///home/ana/uv.lock", "uv.lock"),
        ("sqlite+aiosqlite:////var/lib/v/vertice.db", "vertice.db"),
        ("'/etc/passwd' and \"/etc/shadow\"", "'passwd' and \"shadow\""),
        ("see https://example.org/a/b and 1/2/3", "see https://example.org/a/b and 1/2/3"),
        ("requirements/base.txt:3", "requirements/base.txt:3"),
        ("pyyaml", "pyyaml"),
        ("", ""),
    ],
)
def test_a_path_is_shown_by_its_last_name(text, shown):
    assert without_folders(text) == shown


@given(st.lists(st.from_regex(r"[a-z][a-z0-9_.-]{0,8}", fullmatch=True), min_size=2, max_size=6), st.text(max_size=20))
def test_no_folder_of_a_path_is_ever_shown(names, around):
    folder = "/" + "/".join(names)
    assert f"{folder}/" not in without_folders(f"{around} {folder}/last {around}")


def test_every_documented_status_points_to_the_one_schema():
    assert responses(404, 409) == {
        status: {
            "description": words,
            "content": {"application/problem+json": {"schema": {"$ref": "#/components/schemas/Problem"}}},
        }
        for status, words in ((404, "Not found"), (409, "Conflict"))
    }
