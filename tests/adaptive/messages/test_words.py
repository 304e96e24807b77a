"""The wire's words are those of the domain: what is documented as one of a few words is every word there is."""

from enum import StrEnum
from typing import Any, get_args

import pytest

from vertice.adaptive.advisories.model import Severity
from vertice.adaptive.messages import live, payloads
from vertice.adaptive.model import Stage
from vertice.adaptive.projects.model import ScanState, Trigger
from vertice.adaptive.remedy.model import Strategy
from vertice.adaptive.review.change import _EVENTS, CHANNELS
from vertice.adaptive.review.model import Action, DecisionKind, DecisionState, Status
from vertice.adaptive.wargame.model import Grade, VerdictWord


@pytest.mark.parametrize(
    ("said", "meant"),
    [
        (payloads.Severity, Severity),
        (payloads.Verdict, VerdictWord),
        (payloads.Strategy, Strategy),
        (payloads.DecisionWord, DecisionKind),
        (payloads.Action, Action),
        (live.Grade, Grade),
        (live.Status, Status),
        (live.DecisionState, DecisionState),
        (live.ScanState, ScanState),
        (live.Trigger, Trigger),
        (live.Stage, Stage),
    ],
    ids=lambda words: words.__name__ if isinstance(words, type) else "",
)
def test_the_words_of_the_wire_are_the_words_of_the_domain(said: Any, meant: type[StrEnum]) -> None:
    assert get_args(said) == tuple(meant)


def test_every_event_about_a_review_is_documented_under_its_channel():
    told = {"reviews": live.ReviewTold, "decisions": live.DecisionTold}
    for channel, kind in told.items():
        known = {event for where, event in _EVENTS.values() if where == channel}
        assert set(get_args(kind.model_fields["type"].annotation)) - {"comment_added"} == known
    assert {channel for channel, _ in _EVENTS.values()} == set(told) < set(CHANNELS)
