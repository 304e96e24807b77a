"""`/hitl/ws` over a real socket: channels, order, reading on after an absence, logins, several processes."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import jsonschema
import pytest
import websockets
from websockets.asyncio.client import ClientConnection

from vertice.adaptive.api import live as wire
from vertice.adaptive.messages.document import asyncapi_document
from vertice.adaptive.messages.live import SAID

FORM = jsonschema.Draft202012Validator(
    {
        "components": json.loads(asyncapi_document())["components"],
        "oneOf": [{"$ref": f"#/components/schemas/{kind.__name__}"} for kind in SAID],
    },
    format_checker=jsonschema.FormatChecker(),
)
"""Every message that a client gets, as docs/asyncapi.json has it."""


@asynccontextmanager
async def socket(desk, name: str = "rita", **headers: str) -> AsyncIterator[ClientConnection]:
    token = headers.pop("token", None) or await desk.token(name)
    given = {"Authorization": f"Bearer {token}", **headers}
    url = desk.url.replace("http", "ws") + "/hitl/ws"
    async with websockets.connect(url, additional_headers=given, compression=None) as connection:
        yield connection


async def hear(connection: ClientConnection, *kinds: str) -> dict:
    """Return the next message that is no ping, or the next one of these kinds; each is of a documented form."""
    async with asyncio.timeout(30):
        while True:
            said = json.loads(await connection.recv())
            FORM.validate(said)
            if said["type"] in kinds or (not kinds and said["type"] != "ping"):
                return said


async def subscribe(connection: ClientConnection, channel: str, **more: int) -> dict:
    await connection.send(json.dumps({"type": "subscribe", "channel": channel, **more}))
    return await hear(connection, "subscribed", "reset", "error")


async def test_a_new_review_and_its_decision_are_told_to_who_subscribed(desk):
    rita = await desk.person("rita")
    async with socket(desk) as one, socket(desk, "vera") as other:
        for channel in ("reviews", "decisions", "stats"):
            assert (await subscribe(one, channel))["seq"] >= 0
        await subscribe(other, "decisions")
        review = await desk.review()
        new = await hear(one, "new_review")
        assert (new["channel"], new["subject"], new["data"]["severity"]) == ("reviews", review.code, "high")
        assert (await hear(one, "stats_update"))["data"]["total"] == 1
        await subscribe(other, f"review:{review.code}")
        await rita.post(
            f"/hitl/reviews/{review.code}/decisions",
            json={"decision": "reject", "justification": "Not worth the risk."},
            headers={"If-Match": f'"v{review.version}"'},
        )
        made = await hear(one, "decision_made")
        assert (made["data"]["decision"]["kind"], made["data"]["status"]) == ("reject", "rejected")
        told = [await hear(other), await hear(other)]
        assert {(one["channel"], one["type"]) for one in told} == {
            ("decisions", "decision_made"),
            (f"review:{review.code}", "decision_made"),
        }
        assert (await hear(one, "stats_update"))["data"]["total"] == 0


async def test_whoever_comes_back_gets_what_was_missed_in_order_and_nothing_twice(desk):
    async with socket(desk) as one:
        await subscribe(one, "reviews")
        await desk.review(1)
        last = (await hear(one, "new_review"))["seq"]
    for number in (2, 3, 4):
        await desk.review(number)
    async with socket(desk) as again:
        await again.send(json.dumps({"type": "subscribe", "channel": "reviews", "after": last}))
        missed = [await hear(again) for _ in range(4)]
        assert [said["type"] for said in missed] == ["new_review"] * 3 + ["subscribed"]
        assert [said["subject"][-1] for said in missed[:3]] == ["2", "3", "4"]
        assert [said["seq"] for said in missed] == sorted(said["seq"] for said in missed)
        await desk.review(5)
        assert (await hear(again))["subject"][-1] == "5"


async def test_processes_see_each_others_events_through_redis_and_without_it(serve, redis_url):
    one, other = await serve(redis_url=redis_url), await serve(redis_url=redis_url)
    alone = await serve()
    async with socket(one) as first, socket(other) as second, socket(alone) as third:
        for connection in (first, second, third):
            await subscribe(connection, "reviews")
        review = await one.review()
        for connection in (first, second, third):
            assert (await hear(connection, "new_review"))["subject"] == review.code


async def test_redis_may_come_and_go(serve, private_redis):
    redis = private_redis()
    one, other = await serve(redis_url=redis.url), await serve(redis_url=redis.url)
    async with socket(other) as connection:
        await subscribe(connection, "reviews")
        redis.stop()
        await one.review(1)
        assert (await hear(connection, "new_review"))["subject"][-1] == "1"
        redis.start()
        await one.review(2)
        assert (await hear(connection, "new_review"))["subject"][-1] == "2"


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"Authorization": "Bearer vrt_wrong"}, 401),
        ({"Authorization": "Basic cml0YTpyaXRh"}, 401),
        ({}, 401),
        ({"Cookie": "vertice=forged"}, 401),
    ],
    ids=["a wrong token", "basic", "nothing", "a forged cookie"],
)
async def test_without_a_login_the_handshake_is_answered_with_a_problem(desk, headers, status):
    url = desk.url.replace("http", "ws") + "/hitl/ws"
    with pytest.raises(websockets.InvalidStatus) as refused:
        await websockets.connect(url, additional_headers=headers)
    response = refused.value.response
    assert (response.status_code, response.headers["content-type"]) == (status, "application/problem+json")


async def test_a_page_of_another_origin_gets_no_socket_with_a_persons_cookie(desk):
    rita = await desk.person("rita")
    cookie = f"vertice={rita.cookies['vertice']}"
    url = desk.url.replace("http", "ws") + "/hitl/ws"
    with pytest.raises(websockets.InvalidStatus) as refused:
        await websockets.connect(url, additional_headers={"Cookie": cookie, "Origin": "https://evil.example"})
    assert refused.value.response.status_code == 403
    async with websockets.connect(url, additional_headers={"Cookie": cookie, "Origin": desk.url}) as connection:
        assert (await subscribe(connection, "stats"))["type"] == "subscribed"


@pytest.mark.parametrize(
    "text",
    [
        "",
        "{",
        "null",
        "[]",
        '"subscribe"',
        '{"type": "subscribe"}',
        '{"type": "subscribe", "channel": "everything"}',
        '{"type": "subscribe", "channel": "review:../../etc"}',
        '{"type": "subscribe", "channel": "reviews", "after": -1}',
        '{"type": "subscribe", "channel": "reviews", "after": "1"}',
        '{"type": "subscribe", "channel": "reviews", "after": 1e400}',
        '{"type": "drop", "channel": "reviews"}',
        '{"type": "subscribe", "channel": "reviews", "x": 1}',
        "[" * 5000,
    ],
    ids=range(14),
)
async def test_what_cannot_be_read_is_said_and_the_connection_goes_on(desk, text):
    async with socket(desk) as connection:
        await connection.send(text)
        said = await hear(connection)
        assert (said["type"], bool(said["detail"])) == ("error", True)
        assert (await subscribe(connection, "reviews"))["type"] == "subscribed"


async def test_whoever_only_sends_rubbish_is_sent_off(desk):
    async with socket(desk) as connection:

        async def rubbish() -> None:
            for _ in range(100):
                await connection.send(b"\xff\x00")
                await connection.recv()

        with pytest.raises(websockets.ConnectionClosed) as closed:
            await rubbish()
        assert closed.value.rcvd is not None
        assert closed.value.rcvd.code == 1008


async def test_a_number_whose_events_were_forgotten_is_answered_with_a_reset(desk):
    await desk.review()
    async with socket(desk) as connection:
        said = await subscribe(connection, "reviews", after=999)
        assert said == {"type": "reset", "channel": "reviews"}
        assert (await hear(connection))["type"] == "subscribed"
        await desk.review(2)
        assert (await hear(connection))["type"] == "new_review"


async def test_a_login_that_ends_ends_the_connection(desk, monkeypatch):
    monkeypatch.setattr(wire, "HEARTBEAT_SECONDS", 0.2)
    token = await desk.token("rita")
    async with socket(desk, token=token) as connection:
        await hear(connection, "ping")
        store = desk.api.authenticator.store.tokens
        principal = await store.find(token)
        await store.revoke(principal.token, principal)

        async def listen_on() -> None:
            async with asyncio.timeout(20):
                while True:
                    await connection.recv()

        with pytest.raises(websockets.ConnectionClosed) as closed:
            await listen_on()
        assert closed.value.rcvd is not None
        assert closed.value.rcvd.code == 4401


async def test_leaving_a_channel_is_confirmed_and_ends_it(desk):
    async with socket(desk) as connection:
        await subscribe(connection, "reviews")
        assert (await subscribe(connection, "reviews"))["type"] == "error", "twice"
        await connection.send('{"type": "unsubscribe", "channel": "reviews"}')
        assert (await hear(connection))["type"] == "unsubscribed"
        await subscribe(connection, "stats")
        await desk.review()
        assert (await hear(connection))["type"] == "stats_update"


async def test_connections_are_counted(desk):
    client = desk.client()
    async with socket(desk) as connection:
        await subscribe(connection, "reviews")
        await desk.review()
        await hear(connection, "new_review")
        text = (await client.get("/metrics")).text
        assert "hitl_websocket_connections_active 1.0" in text
        assert 'hitl_websocket_messages_sent{channel="reviews",message_type="new_review"} 1.0' in text
        assert "hitl_active_apv_reviews 1.0" in text
