"""Every model goes to JSON and comes back equal."""

import json
from dataclasses import dataclass
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from vertice.adaptive.advisories.model import Advisory, SourceInfo
from vertice.adaptive.inventory.model import Component, Lock, Manifest, Project
from vertice.adaptive.remedy.model import Change, Edit, ReleaseFacts, Remedy, Unremedied
from vertice.adaptive.review.model import Decision, NewReview, Proposal, Reviewer
from vertice.adaptive.triage.model import Apv, Reachability, Site
from vertice.adaptive.wargame.model import CaseRun, EnvironmentReport, Evidence, Probe, TestReport, Verdict
from vertice.kernel.codec import canonical, from_json, to_json, to_plain
from vertice.kernel.errors import InputError
from vertice.kernel.sandbox.model import Limits

MODELS = [
    Advisory, Apv, CaseRun, Change, Component, Decision, Edit, EnvironmentReport, Evidence, Limits, Lock, Manifest,
    NewReview, Probe, Project, Proposal, Reachability, ReleaseFacts, Remedy, Reviewer, Site, SourceInfo, TestReport,
    Unremedied, Verdict,
]  # fmt: skip

TEXT = st.text(st.characters(exclude_categories=("Cs",)), max_size=12)
st.register_type_strategy(str, TEXT)
st.register_type_strategy(float, st.floats(allow_nan=False))
st.register_type_strategy(Path, TEXT.filter(lambda text: "\0" not in text).map(Path))


@pytest.mark.parametrize("model", MODELS, ids=lambda model: model.__name__)
@settings(max_examples=15, deadline=None, suppress_health_check=list(HealthCheck))
@given(data=st.data())
def test_every_model_comes_back_equal(model, data):
    value = data.draw(st.builds(model))
    text = to_json(value)
    assert "\n" not in text
    assert from_json(model, text) == value
    assert from_json(model, json.dumps(to_plain(value))) == value


def test_tuples_of_models_come_back(tmp_path):
    value = (Change("a", "1", "2"), Change("b", "", "3"))
    assert from_json(tuple[Change, ...], to_json(value)) == value
    assert from_json(dict[str, Change], to_json({"x": value[0]})) == {"x": value[0]}


@pytest.mark.parametrize(
    "text", ["", "{", "[]", "null", '{"package": 1, "before": "", "after": ""}', '{"package": "a"}']
)
def test_json_that_does_not_fit_is_one_clear_error(text):
    with pytest.raises(InputError, match="is not a Change"):
        from_json(Change, text)


def test_an_unknown_word_of_an_enum_names_the_field():
    text = to_json(Verdict("success", "proven", 1.0, ())).replace("proven", "sure")
    with pytest.raises(InputError) as caught:
        from_json(Verdict, text)
    assert caught.value.where == "grade"


def test_canonical_bytes_do_not_depend_on_order():
    @dataclass(frozen=True)
    class Thing:
        b: int
        a: dict[str, str]

    assert canonical(Thing(1, {"z": "é", "y": ""})) == '{"a":{"y":"","z":"é"},"b":1}'.encode()
