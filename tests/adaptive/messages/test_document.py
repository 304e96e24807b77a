"""The committed AsyncAPI document is the one that the code makes."""

import json
import re

import jsonschema
import pytest

from tests.machine import ROOT
from tests.schemas import open_words, undescribed
from vertice.adaptive.messages.document import asyncapi_document
from vertice.adaptive.messages.queues import MESSAGES, TOPOLOGY

COMMITTED = ROOT / "docs" / "asyncapi.json"

EXAMPLE = {
    "specversion": "1.0",
    "id": "finding-7",
    "source": "/scanners/trivy",
    "type": "dev.vertice.apv.dispatched",
    "subject": "CVE-2020-14343",
    "time": "2026-11-21T09:30:00Z",
    "datacontenttype": "application/json",
    "data": {
        "v": 1,
        "advisory": "CVE-2020-14343",
        "package": "PyYAML",
        "version": "5.3.1",
        "project": "shop",
        "scanner": "trivy 0.58",
        "severity": "critical",
    },
}


@pytest.fixture(scope="module")
def document():
    return json.loads(asyncapi_document())


def test_the_committed_document_has_not_drifted():
    """Write it anew with `python -m vertice.adaptive.messages.document > docs/asyncapi.json`."""
    assert COMMITTED.read_text() == asyncapi_document()


def test_every_queue_and_the_socket_are_described_with_their_direction(document):
    wanted = {queue.name: "receive" if queue.inbound else "send" for queue in TOPOLOGY.queues}
    wanted |= {"live.receive": "receive", "live.send": "send"}
    assert {name: operation["action"] for name, operation in document["operations"].items()} == wanted
    assert document["asyncapi"].startswith("3.")
    assert document["defaultContentType"] == "application/cloudevents+json"
    for queue in TOPOLOGY.queues:
        assert document["channels"][queue.name]["address"] == queue.name


def test_the_form_that_is_documented_is_the_form_that_is_checked(document):
    """An example that the documented schema takes is read, and one that it refuses is not."""
    schema = {"$ref": "#/components/schemas/ApvDispatched", "components": document["components"]}
    kind = MESSAGES["oraculo.apv.dispatch"]
    jsonschema.validate(EXAMPLE, schema)
    kind.model_validate_json(json.dumps(EXAMPLE))
    for name in ("advisory", "package", "version", "project", "scanner"):
        worse = EXAMPLE | {"data": EXAMPLE["data"] | {name: "\x01"}}
        with pytest.raises(jsonschema.ValidationError):
            jsonschema.validate(worse, schema)
        with pytest.raises(ValueError, match=name):
            kind.model_validate_json(json.dumps(worse))


def test_every_reference_leads_somewhere(document):
    text = json.dumps(document)
    for reference in set(re.findall(r'"\$ref": "#/([^"]+)"', text)):
        place = document
        for part in reference.split("/"):
            place = place[part]


def test_what_is_one_of_a_few_words_is_said_to_be(document):
    assert not open_words(document), "give these a Literal or a StrEnum"


def test_every_number_and_id_says_what_it_is(document):
    assert not undescribed(document)
