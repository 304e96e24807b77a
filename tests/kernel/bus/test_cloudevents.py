"""CloudEvents: what is written can be read, and nothing that is not one gets in."""

import json
from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vertice.kernel.bus.cloudevents import CloudEvent, Line, Payload, Prose, read, write
from vertice.kernel.bus.message import Message, MessageRefusedError


class Count(Payload):
    n: int
    note: Line = ""
    text: Prose = ""


class Counted(CloudEvent):
    data: Count


GOOD = {
    "specversion": "1.0",
    "id": "1",
    "source": "/scanner",
    "type": "test.counted",
    "time": "2026-11-21T09:30:00Z",
    "datacontenttype": "application/json",
    "data": {"n": 1},
}


def body(**changes):
    event = {name: value for name, value in (GOOD | changes).items() if value is not ...}
    return json.dumps(event).encode()


def test_what_is_written_is_read_again():
    at = datetime(2026, 11, 21, 6, 30, tzinfo=timezone(timedelta(hours=-3)))
    trace = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
    message = Message("id-1", "/test", "out", "test.counted", "açúcar", '{"n":7}', at, trace, "request")
    written = write(message)
    event = read(Counted, written, limit=1000)
    assert (event.id, event.source, event.type, event.subject) == ("id-1", "/test", "test.counted", "açúcar")
    assert (event.time, event.traceparent, event.data) == (at, trace, Count(n=7))
    assert json.loads(written)["time"] == "2026-11-21T09:30:00Z"


def test_an_empty_subject_is_left_out():
    written = write(Message("id-1", "/test", "out", "test.counted", "", "{}", datetime.now(UTC)))
    assert json.loads(written).keys() == {"specversion", "id", "source", "type", "time", "datacontenttype", "data"}


def test_extensions_are_kept_and_unknown_fields_of_a_payload_passed_over():
    event = read(Counted, body(myextension="x", number=7, flag=True, data={"n": 1, "new": [1]}), limit=1000)
    assert event.model_extra == {"myextension": "x", "number": 7, "flag": True}
    assert event.data == Count(n=1)


@pytest.mark.parametrize(
    ("bad", "where", "why"),
    [
        (b"", "message", "Invalid JSON"),
        (b"hello", "message", "Invalid JSON"),
        (b"\xff\xfe", "message", "Invalid JSON"),
        (b'{"id": "\xc3\x28"}', "message", "Invalid JSON"),
        (b'{"id": "\\ud800"}', "message", "Invalid JSON"),
        (b"[" * 100_000, "message", "larger than"),
        (b"[" * 900, "message", "recursion limit"),
        (b'{"data":' * 250, "message", "recursion limit"),
        (b"[]", "message", "an object"),
        (b"null", "message", "an object"),
        (b'"text"', "message", "an object"),
        (body(id=...), "id", "required"),
        (body(id=""), "id", "at least 1"),
        (body(id="x" * 201), "id", "at most 200"),
        (body(id=7), "id", "valid string"),
        (body(id="a\x00b"), "id", "match"),
        (body(source=...), "source", "required"),
        (body(source=""), "source", "match"),
        (body(source="two words"), "source", "match"),
        (body(type=...), "type", "required"),
        (body(specversion="0.3"), "specversion", "1.0"),
        (body(time="yesterday"), "time", "datetime"),
        (body(time="2026-11-21T09:30:00"), "time", "timezone"),
        (body(time=1), "time", "datetime"),
        (body(datacontenttype="text/xml"), "datacontenttype", "application/json"),
        (body(traceparent="00-x"), "traceparent", "match"),
        (body(Upper="x"), "message", "lower-case"),
        (body(with_underscore="x"), "message", "lower-case"),
        (body(data_base64="eA==", data=...), "data", "required"),
        (body(deep={"a": 1}), "message", "neither text"),
        (body(many=[1]), "message", "neither text"),
        (body(half=1.5), "message", "neither text"),
        (body(big=2**31), "message", "32 bits"),
        (body(control="\x1b[31m"), "message", "neither text"),
        (body(data=...), "data", "required"),
        (body(data=[]), "data", "an object"),
        (body(data={"n": "1"}), "data.n", "integer"),
        (body(data={"n": 1.0}), "data.n", "integer"),
        (body(data={"n": True}), "data.n", "integer"),
        (body(data={"n": 1, "note": "a\nb"}), "data.note", "match"),
        (body(data={"n": 1, "text": "a\x00b"}), "data.text", "match"),
        (b'{"specversion":"1.0","id":NaN,"source":"x","type":"x","data":{"n":1}}', "id", "string"),
    ],
)
def test_anything_else_is_refused_naming_the_place(bad, where, why):
    with pytest.raises(MessageRefusedError) as caught:
        read(Counted, bad, limit=4096)
    assert caught.value.where == where
    assert why in caught.value.what


def test_a_text_of_several_lines_may_have_line_feeds_and_tabs():
    assert read(Counted, body(data={"n": 1, "text": "a\n\tb"}), limit=1000).data.text == "a\n\tb"


def test_the_refusal_does_not_repeat_what_was_sent():
    with pytest.raises(MessageRefusedError) as caught:
        read(Counted, body(id="geheim\x1b[31m"), limit=1000)
    assert "geheim" not in str(caught.value)
    assert "\x1b" not in str(caught.value)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=12), inner, max_size=4),
)


@given(st.binary(max_size=200) | JSON.map(lambda value: json.dumps(value).encode()))
def test_bytes_are_either_read_or_refused(data):
    with pytest.raises(MessageRefusedError):
        read(Counted, data, limit=10_000)


@given(st.dictionaries(st.sampled_from([*GOOD, "ext", "Ext!"]), JSON))
def test_an_event_with_odd_values_is_either_read_or_refused(changes):
    try:
        event = read(Counted, json.dumps(GOOD | changes).encode(), limit=100_000)
    except MessageRefusedError:
        return
    assert isinstance(event.data.n, int)
