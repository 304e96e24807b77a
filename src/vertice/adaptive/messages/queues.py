"""The six queues, and what goes through each."""

from collections.abc import Mapping
from types import MappingProxyType

from vertice.adaptive.messages.payloads import (
    ApvDispatched,
    DecisionChanged,
    RemedyChanged,
    ReviewRequested,
    WargameFinished,
    WargameRequested,
)
from vertice.kernel.bus.cloudevents import CloudEvent
from vertice.kernel.bus.topology import Queue, Topology

__all__ = [
    "APV_DISPATCH",
    "DECISION",
    "MESSAGES",
    "REMEDY_STATUS",
    "REVIEW_REQUEST",
    "SOURCE",
    "TOPOLOGY",
    "WARGAMING_RESULTS",
    "WARGAMING_TRIGGER",
]

SOURCE = "/vertice/adaptive"
"""Of every message we send."""

APV_DISPATCH = Queue("oraculo.apv.dispatch", inbound=True, message_bytes=64 * 1024)
REMEDY_STATUS = Queue("eureka.remedy.status", inbound=False)
WARGAMING_TRIGGER = Queue("wargaming.trigger", inbound=False)
WARGAMING_RESULTS = Queue("wargaming.results", inbound=True, message_bytes=4 * 1024 * 1024, max_bytes=256 * 1024 * 1024)
REVIEW_REQUEST = Queue("hitl.review_request", inbound=False)
DECISION = Queue("hitl.decision", inbound=False)

TOPOLOGY = Topology(
    exchange="vertice.dead-letters",
    queues=(APV_DISPATCH, REMEDY_STATUS, WARGAMING_TRIGGER, WARGAMING_RESULTS, REVIEW_REQUEST, DECISION),
)

MESSAGES: Mapping[str, type[CloudEvent]] = MappingProxyType(
    {
        APV_DISPATCH.name: ApvDispatched,
        REMEDY_STATUS.name: RemedyChanged,
        WARGAMING_TRIGGER.name: WargameRequested,
        WARGAMING_RESULTS.name: WargameFinished,
        REVIEW_REQUEST.name: ReviewRequested,
        DECISION.name: DecisionChanged,
    }
)
"""The form of each queue's messages."""
