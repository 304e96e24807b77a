"""What workflow steps take and give comes out of the database as it went in."""

import json
from dataclasses import dataclass
from enum import Enum
from fractions import Fraction
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.adaptive.world import World, a_probe, a_request
from vertice.adaptive.inventory.model import Lock
from vertice.adaptive.model import Attempt, Found, Healed, Ordered, Plan, Proof, Request, SideReport, Stage, Step, Trial
from vertice.adaptive.remedy.model import Remedy
from vertice.adaptive.serializer import JsonSerializer
from vertice.adaptive.triage.model import Apv, Site
from vertice.adaptive.wargame.environment import EnvironmentFailed
from vertice.adaptive.wargame.model import CaseRun, EnvironmentReport, Probe, Side, TestReport
from vertice.kernel.errors import InputError, UnfinishedError

MODELS = [
    Apv, Attempt, CaseRun, EnvironmentReport, Found, Healed, Lock, Ordered, Plan, Probe, Proof, Remedy, Request,
    SideReport, Site, Step, TestReport, Trial,
]  # fmt: skip

TEXT = st.text(st.characters(exclude_categories=("Cs",)), max_size=12)
st.register_type_strategy(str, TEXT)
st.register_type_strategy(float, st.floats(allow_nan=False))


def again(value: object) -> object:
    serializer = JsonSerializer()
    text = serializer.serialize(value)
    assert "\n" not in text
    return serializer.deserialize(text)


@pytest.mark.parametrize("model", MODELS, ids=lambda model: model.__name__)
@settings(max_examples=4, deadline=None, suppress_health_check=list(HealthCheck), derandomize=True)
@given(data=st.data())
def test_every_model_comes_back_equal(model: type, data: st.DataObject) -> None:
    value = data.draw(st.builds(model))
    back = again(value)
    assert type(back) is model
    assert back == value


def test_the_arguments_of_a_workflow_come_back(tmp_path: Path) -> None:
    """As DBOS stores them: one dict with all positional arguments, for each way in which the pipeline calls."""
    world, request = World(tmp_path), a_request()
    found = world.find(request)
    plan = world.plan(request, found.apvs, frozenset())
    probes = {"APV-20261121-097": (a_probe("P-a", "a"),), "APV-20261121-098": ()}
    arguments = (
        (request,),
        (request, plan.remedies[0].before, plan.sites[0]),
        (request, found, plan, 0),
        (request, plan.remedies[0].after, probes, Side.after, None, ("P-a",), 3),
        (request, found.apvs, frozenset({("a", "2"), ("a", "10")})),
    )
    for args in arguments:
        assert again({"args": args, "kwargs": {}}) == {"args": args, "kwargs": {}}


@pytest.mark.parametrize(
    "value",
    [
        None,
        True,
        0,
        -1.5,
        "",
        "\u2028\x00\udcff",
        [],
        (),
        {},
        frozenset(),
        [(1,), [2]],
        {("a", 1): {"$": "tuple", "value": [1]}},
        {"$": "model", "type": "os:system", "value": "true"},
        Side.before,
        Stage.done,
        {Side.after: frozenset({("b", "2"), ("a", "1")})},
    ],
    ids=lambda value: type(value).__name__,
)
def test_plain_values_keep_their_type(value: object) -> None:
    back = again(value)
    assert back == value
    assert type(back) is type(value)


def test_sets_of_equal_content_are_stored_alike() -> None:
    names = [(f"package-{n}", "1") for n in range(50)]
    stored = {JsonSerializer().serialize(frozenset(order)) for order in (names, names[::-1])}
    assert len(stored) == 1


@pytest.mark.parametrize(
    "error",
    [
        InputError("no such file", where="a.txt", todo="Check the path."),
        UnfinishedError("the disk is full"),
        EnvironmentFailed("it cannot be built", where="Python 3.11"),
    ],
    ids=lambda error: error.code,
)
def test_our_errors_come_back_equal(error: Exception) -> None:
    assert again(error) == error


def test_another_error_comes_back_as_one_of_ours_that_names_it() -> None:
    assert again(ZeroDivisionError("division by zero")) == UnfinishedError("ZeroDivisionError: division by zero")


@dataclass(frozen=True)
class Foreign:
    """A model that is not ours."""

    name: str


class ForeignWord(Enum):
    """An enum that is not ours."""

    one = "one"


@pytest.mark.parametrize(
    "value",
    [Foreign("x"), ForeignWord.one, b"bytes", Fraction(1, 2), Path("/srv"), object(), Lock, [Foreign("x")]],
    ids=lambda value: type(value).__name__,
)
def test_a_type_that_is_not_ours_is_refused(value: object) -> None:
    with pytest.raises(TypeError, match="cannot be stored by a workflow"):
        JsonSerializer().serialize(value)


@pytest.mark.parametrize("tag", ["model", "enum"])
@pytest.mark.parametrize(
    "name",
    [
        "os:system",
        "tests.adaptive.test_serializer:Foreign",
        "vertice_of_another:Lock",
        "vertice.adaptive.serializer:import_module",
        "vertice.adaptive.pipeline:heal_id",
        "vertice.adaptive.serializer:Enum",
    ],
)
def test_a_stored_name_that_is_no_type_of_ours_is_refused(tag: str, name: str) -> None:
    """Whoever can write the database cannot have anything called by it."""
    stored = json.dumps({"$": tag, "type": name, "value": "os"})
    with pytest.raises(TypeError, match="is no type of ours"):
        JsonSerializer().deserialize(stored)


def test_an_unknown_tag_is_refused() -> None:
    with pytest.raises(TypeError, match="unknown tag"):
        JsonSerializer().deserialize('{"$": "pickle", "value": "gASVAA=="}')
