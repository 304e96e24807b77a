"""Rate limits of a real server, alone and shared through a real Redis."""

import asyncio
from typing import Annotated

import httpx
import pytest
from fastapi import Depends, FastAPI, Header
from hypothesis import given
from hypothesis import strategies as st
from starlette.requests import HTTPConnection

from vertice.kernel.errors import InputError
from vertice.kernel.http.handlers import install
from vertice.kernel.http.problem import Problem
from vertice.kernel.http.rate import RateLimiter, TooManyRequestsError, address_subject, client_subject


class Clock:
    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


async def let_in(limiter: RateLimiter, rate: str, subject: str, times: int) -> int:
    results = await asyncio.gather(*(limiter.take(rate, subject) for _ in range(times)), return_exceptions=True)
    assert all(result is None or isinstance(result, TooManyRequestsError) for result in results)
    return results.count(None)


def app(limiter: RateLimiter) -> FastAPI:
    made = FastAPI()

    async def by_name(connection: HTTPConnection) -> None:
        name = connection.headers.get("x-user", "")
        await limiter.take("write", f"identity:{name}" if name else client_subject(connection.scope))

    async def by_address(connection: HTTPConnection) -> None:
        await limiter.take("login", client_subject(connection.scope))

    @made.get("/health")
    @made.get("/free")
    async def free() -> str:
        return "ok"

    @made.post("/write", dependencies=[Depends(by_name)])
    async def write(x_user: Annotated[str, Header()] = "") -> str:
        return x_user

    @made.post("/login", dependencies=[Depends(by_address)])
    async def login() -> str:
        return "ok"

    return made


def test_one_too_many_is_told_when_to_come_back(serve, stacked):
    url = serve(stacked(app(RateLimiter({})), rates={"default": "3/hour"}))
    with httpx.Client(base_url=url) as client:
        assert [client.get("/free").status_code for _ in range(4)] == [200, 200, 200, 429]
        answer = client.get("/nowhere", headers={"Origin": "http://console.example"})
        assert client.get("/health").status_code == 200
    assert answer.status_code == 429
    problem = Problem.model_validate(answer.json())
    assert (problem.type, problem.detail) == ("/problems/too-many-requests", "more than 3 requests in 3600 s")
    seconds = int(answer.headers["retry-after"])
    assert 0 < seconds <= 3601
    assert answer.headers["ratelimit-policy"] == '"default";q=3;w=3600'
    assert answer.headers["ratelimit"] == f'"default";r=0;t={seconds}'
    assert answer.headers["access-control-allow-origin"] == "http://console.example"


def test_a_websocket_is_counted_as_well(serve, stacked):
    url = serve(stacked(app(RateLimiter({})), rates={"default": "1/hour"}))
    handshake = {
        "Connection": "Upgrade",
        "Upgrade": "websocket",
        "Sec-WebSocket-Version": "13",
        "Sec-WebSocket-Key": "a" * 22 + "==",
    }
    assert httpx.get(f"{url}/free").status_code == 200
    assert httpx.get(f"{url}/ws", headers=handshake).status_code == 429


def test_clients_behind_one_proxy_are_counted_apart_and_their_claims_are_not_believed(serve, stacked):
    url = serve(stacked(app(RateLimiter({})), rates={"default": "1/hour"}, trusted=("127.0.0.1",)))
    asked = [
        httpx.get(f"{url}/free", headers={"X-Forwarded-For": forwarded}).status_code
        for forwarded in (
            "203.0.113.1",
            "203.0.113.2",
            "6.6.6.6, 203.0.113.1",
            "2001:db8::1",
            "2001:db8::2",
            "2001:db8:0:1::1",
        )
    ]
    assert asked == [200, 200, 429, 200, 429, 200]


def test_a_route_counts_by_identity_and_by_address_where_there_is_none(serve):
    limiter = RateLimiter({"write": "2/hour", "login": "1/hour"})
    made = app(limiter)
    install(made)
    with httpx.Client(base_url=serve(made)) as client:
        users = ["ana", "ana", "ana", "bo", "", "", ""]
        asked = [client.post("/write", headers={"X-User": user}).status_code for user in users]
        assert asked == [200, 200, 429, 200, 200, 200, 429]
        assert [client.post("/login").status_code for _ in range(2)] == [200, 429]
        assert client.post("/login").headers["ratelimit-policy"] == '"login";q=1;w=3600'


@pytest.mark.parametrize("times", [1, 3])
async def test_processes_share_one_count_through_redis(redis_url, times):
    limiters = [RateLimiter({"login": "20/hour"}, redis_url=redis_url) for _ in range(times)]
    admitted = [await let_in(limiter, "login", "a", 12) for limiter in limiters for _ in range(2)]
    assert sum(admitted) == 20
    assert await let_in(limiters[0], "login", "b", 30) == 20
    with pytest.raises(TooManyRequestsError) as refused:
        await limiters[-1].take("login", "a")
    assert 0 < int(refused.value.headers["Retry-After"]) <= 3601
    for limiter in limiters:
        await limiter.close()


async def test_a_large_rate_is_counted_to_the_last_request_though_few_ask_redis(redis_url):
    limiters = [RateLimiter({"default": "1000/hour"}, redis_url=redis_url) for _ in range(2)]
    first, second = [await let_in(limiter, "default", "a", 700) for limiter in limiters]
    assert first == 700
    assert 290 <= second <= 300, "what is missing lies unspent with the first"
    for limiter in limiters:
        await limiter.close()


async def test_services_of_one_redis_do_not_count_each_others_requests(redis_url):
    limiters = [RateLimiter({"login": "1/hour"}, redis_url=redis_url, prefix=prefix) for prefix in ("one", "two")]
    assert [await let_in(limiter, "login", "a", 2) for limiter in limiters] == [1, 1]
    for limiter in limiters:
        await limiter.close()


async def test_without_redis_requests_go_on_being_counted_and_it_is_said_once(private_redis, lines):
    redis, clock = private_redis(), Clock()
    limiter = RateLimiter({"login": "5/hour"}, redis_url=redis.url, clock=clock)
    assert await let_in(limiter, "login", "a", 2) == 2
    redis.kill()
    assert await let_in(limiter, "login", "a", 10) == 5
    clock.now += 6
    assert await let_in(limiter, "login", "a", 10) == 0
    assert [line["event"] for line in lines] == ["rate limits count in this process alone"]
    assert redis.url not in str(lines)
    redis.start()
    assert await let_in(limiter, "login", "b", 1) == 1
    assert len(lines) == 1, "Redis is left alone for a while"
    clock.now += 6
    assert await let_in(limiter, "login", "b", 1) == 1
    assert [line["event"] for line in lines[1:]] == ["rate limits are shared again"]
    await limiter.close()


async def test_a_redis_that_hangs_fails_no_request(private_redis, lines):
    redis, clock = private_redis(), Clock()
    limiter = RateLimiter({"default": "1000/hour"}, redis_url=redis.url, clock=clock)
    assert await let_in(limiter, "default", "a", 50) == 50
    redis.pause()
    clock.now += 10
    assert await let_in(limiter, "default", "a", 50) == 50
    redis.resume()
    clock.now += 10
    assert await let_in(limiter, "default", "a", 50) == 50
    assert [line["level"] for line in lines] == ["warning", "info"]
    await limiter.close()


async def test_a_redis_that_was_never_there_fails_no_request(lines):
    limiter = RateLimiter({"login": "5/hour"}, redis_url="redis://:secret-word@127.0.0.1:1/0")
    assert await let_in(limiter, "login", "a", 10) == 5
    assert len(lines) == 1
    assert "secret-word" not in str(lines)
    await limiter.close()


def test_a_rate_that_cannot_be_read_is_said_at_the_start():
    with pytest.raises(InputError, match="lots is not a rate") as caught:
        RateLimiter({"login": "lots"})
    assert caught.value.where == "RATE_LIMIT_LOGIN"


@given(st.ip_addresses(v=6), st.integers(0, 2**64 - 1))
def test_an_ipv6_network_of_one_customer_counts_as_one(address, host):
    if address.ipv4_mapped:
        return
    other = type(address)((int(address) >> 64 << 64) | host)
    if not other.ipv4_mapped:
        assert address_subject(str(address)) == address_subject(str(other))


def test_clients_without_an_address_are_counted_together():
    assert address_subject("") == address_subject("/run/socket") == "address:unknown"
    assert address_subject("203.0.113.1") != address_subject("203.0.113.2")
