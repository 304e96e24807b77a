"""The service from a start in an empty home to a merged branch, on the embedded default and on production's parts."""

import asyncio
import hashlib
import json
from collections.abc import Callable
from contextlib import AsyncExitStack
from pathlib import Path

import httpx
import pytest

from tests import outside
from tests.e2e.service import Person, Running, counted, log_in, running, until
from tests.machine import Machine, git
from tests.server import free_port
from tests.servers import RabbitMq

pytestmark = [pytest.mark.index, pytest.mark.slow]

WHY = "The proof convinces me."


async def test_the_embedded_default_from_an_empty_home_to_a_merged_branch(
    machine: Machine, project: Callable[..., Path]
) -> None:
    folder = project({"requirements.txt": "mistune==0.8\n"})
    machine.environment["PORT"] = "0"
    with running(machine, "serve") as service:
        token = service.find(r"/hitl/login\?token=(\S+)")
        async with log_in(service.url, token) as rita:
            async with httpx.AsyncClient(base_url=service.url) as stranger:
                again = await stranger.post("/hitl/session", json={"token": token})
                assert (again.status_code, again.json()["title"]) == (401, "Not logged in")
                assert (await stranger.get("/hitl/reviews")).status_code == 401
            async with rita.ear("wargames", "reviews", "decisions") as ear:
                known = await rita.register(folder)
                scan = await rita.scan(known)
                (new,) = await ear.hear("new_review")
                code = new["subject"]
                assert (new["data"]["package"], new["data"]["verdict"]) == ("mistune", "success")
                assert new["data"]["due_at"] is not None
                done = await rita.scanned(scan)
                assert (done["state"], done["findings"], done["detail"]) == ("finished", 1, "1 success")
                await ear.hear("scan_finished")
                told = [said for said in ear.heard if said.get("channel") == "wargames" and "seq" in said][1:]
                assert [said["seq"] for said in told] == list(range(1, len(told) + 1))
                assert [told[0]["type"], told[1]["type"], told[-1]["type"]] == [
                    "scan_queued",
                    "scan_started",
                    "scan_finished",
                ]
                stages = [said["data"]["stage"] for said in ear.of("wargame_progress")]
                assert {"scanning", "planning", "proving", "done"} <= set(stages), stages

                made = await rita.decide(code, "approve", WHY)
                outcome = await rita.carried_out(made["id"])
                assert (outcome["state"], outcome["action"]) == ("done", "pr_merged")
                assert "mistune==0.8.1" in git(folder, "show", "main:requirements.txt")
                assert git(folder, "rev-list", "--count", "--merges", "main") == "1"
                assert outcome["reviewer"] == "Rita Reviewer"
                await ear.hear("decision_made")
                await ear.hear("decision_carried_out")
            await _everything_can_be_taken_away(rita, known, code)

            other = await rita.register(_another(folder.parent))
            scan = await rita.scan(other)
            await until(lambda: _state(rita, scan, "running"), "the beginning of the scan")
            answer = await _answered_while_it_stops(service, rita)
            assert answer.startswith(b"HTTP/1.1 201 "), answer
            assert await service.ended() == 0
            cookies = rita.client.cookies
    with running(machine, "serve") as service:
        async with httpx.AsyncClient(base_url=service.url, cookies=cookies, timeout=60) as client:
            rita.client = client  # the login outlives the process
            assert (await rita.scanned(scan))["state"] == "finished"
            assert len((await rita.get("/hitl/reviews"))["items"]) == 2
            assert (await rita.get("/hitl/audit/verify"))["ok"] is True
            assert "Log in, once" in service.said
        service.stop()
        assert await service.ended() == 0


def _another(folder: Path) -> Path:
    other = folder / "other"
    other.mkdir()
    (other / "requirements.txt").write_text("mistune==0.8\nidna==3.10\n")
    return other


async def _state(rita: Person, scan: str, wanted: str) -> bool:
    return (await rita.get(f"/hitl/scans/{scan}"))["state"] == wanted


async def _everything_can_be_taken_away(rita: Person, known: str, code: str) -> None:
    """Exports, evidence, audit log, statistics, health."""
    await _exported(rita, known, {"mistune": code})
    assert len(await _evidence(rita)) == 1
    assert (await rita.get("/hitl/audit/verify"))["ok"] is True
    assert (await rita.get("/hitl/statistics"))["decided"]["total"] == 1
    health = await rita.get("/health")
    assert (health["status"], set(health["components"])) == ("healthy", {"sqlite", "workers", "disk"})


async def _exported(rita: Person, known: str, codes: dict[str, str]) -> None:
    """What can be had of a project whose only findings are of these packages."""
    sarif, sbom, vex, found = [
        await rita.get(f"/hitl/projects/{known}/export/{kind}") for kind in ("sarif", "sbom", "vex", "json")
    ]
    assert sarif["version"] == "2.1.0"
    assert {one["name"] for one in sbom["components"]} == set(codes)
    assert len(vex["vulnerabilities"]) == len(codes)
    assert {one["code"] for one in found["apvs"]} == set(codes.values())


async def _evidence(rita: Person) -> list[bytes]:
    """The signed evidence of every wargame."""
    runs = (await rita.get("/hitl/wargames"))["items"]
    found = [(await rita.client.get(f"/hitl/wargames/{run['code']}/evidence")).content for run in runs]
    assert [hashlib.sha256(one).hexdigest() for one in found] == [run["evidence_digest"] for run in runs]
    assert {json.loads(one)["payloadType"] for one in found} == {"application/vnd.in-toto+json"}
    return found


async def _answered_while_it_stops(service: Running, rita: Person) -> bytes:
    """Send half of a request, let the service be told to stop, then send the rest; return the answer."""
    url = httpx.URL(service.url)
    reader, writer = await asyncio.open_connection(url.host, url.port)
    body = json.dumps({"text": "I look at it tomorrow."}).encode()
    code = (await rita.get("/hitl/reviews"))["items"][0]["code"]
    head = (
        f"POST /hitl/reviews/{code}/comments HTTP/1.1\r\nHost: {url.host}:{url.port}\r\nCookie: {rita.cookies}\r\n"
        f"X-CSRF-Token: {rita.client.headers['X-CSRF-Token']}\r\nContent-Type: application/json\r\n"
        f"Content-Length: {len(body)}\r\nConnection: close\r\n\r\n"
    )
    writer.write(head.encode() + body[:5])
    await writer.drain()
    await asyncio.sleep(0.2)
    service.stop()

    async def refuses() -> bool:
        try:
            _, other = await asyncio.open_connection(url.host, url.port)
        except OSError:
            return True
        other.close()
        return False

    await until(refuses, "taking no more connections")
    assert service.process.poll() is None
    writer.write(body[5:])
    answer = await reader.read()
    writer.close()
    return answer


FINDING = {"v": 1, "advisory": "CVE-2021-28363", "package": "urllib3", "version": "1.26.2", "scanner": "trivy 0.58"}


async def test_the_parts_of_production_several_processes_and_a_broker_that_goes_away(
    machine: Machine,
    project: Callable[..., Path],
    postgres_url: str,
    redis_url: str,
    private_rabbitmq: Callable[[], RabbitMq],
) -> None:
    """The workers run on another machine: it shares no home with the API, only database, broker and Redis."""
    broker = private_rabbitmq()
    folder = project({"requirements.txt": "PyYAML==5.3.1\nmistune==0.8\n"})
    machine.environment |= {"PORT": str(free_port()), "SECRET_KEY": "k" * 40, "ENVIRONMENT": "development"}
    machine.environment |= {"DATABASE_URL": postgres_url, "REDIS_URL": redis_url, "RABBITMQ_URL": broker.url}
    far = Machine.equipped(machine.home.with_name("far"), machine.environment)
    machine.unseen = far.home
    async with AsyncExitStack() as stack:
        service, *workers = [
            stack.enter_context(running(where, *command))
            for where, *command in (
                (machine, "serve", "--workers", "2"),
                (far, "worker"),
                (far, "worker", "--wargames", "1"),
            )
        ]
        await until(lambda: _all_well(service.url), "a service that is well")
        token = (await asyncio.to_thread(machine.run, "login")).out.strip().partition("token=")[2]
        rita = await stack.enter_async_context(log_in(service.url, token))
        ears = [await stack.enter_async_context(rita.ear("reviews", "decisions"))]
        while len({service.process_of(ear.port) for ear in ears}) < 2:
            ears.append(await stack.enter_async_context(rita.ear("reviews", "decisions")))

        shop = await rita.register(folder)
        done = await rita.scanned(await rita.scan(shop))
        assert (done["state"], done["detail"]) == ("finished", "2 success")
        for ear in ears:
            found = await ear.hear("new_review", 2)
            assert {said["data"]["package"] for said in found} == {"pyyaml", "mistune"}
        codes = {said["data"]["package"]: said["subject"] for said in found}
        asked = [json.loads(message.body) for message in await outside.drain(broker.url, "hitl.review_request", 2)]
        assert {one["type"] for one in asked} == {"dev.vertice.review.requested"}
        assert {one["subject"] for one in asked} == set(codes.values())
        await _exported(rita, shop, codes)

        made = await rita.decide(codes["pyyaml"], "approve", WHY)
        assert (await rita.carried_out(made["id"]))["action"] == "pr_merged"
        assert "PyYAML==5.4" in git(folder, "show", "main:requirements.txt")
        for ear in ears:
            await ear.hear("decision_made")
            await ear.hear("decision_carried_out")
        await _told(broker, made["id"], "pr_merged")
        await _apart(machine, far, await _evidence(rita))
        await _metrics_are_sums(rita)

        await asyncio.to_thread(broker.stop)
        await until(lambda: _rabbitmq(rita, "degraded", "unhealthy"), "a broker that is missed")
        made = await rita.decide(codes["mistune"], "reject", "Not needed by us.")
        assert (await rita.carried_out(made["id"]))["state"] == "done"
        await asyncio.to_thread(broker.start)
        await _told(broker, made["id"], "pr_closed")
        await until(lambda: _rabbitmq(rita, "healthy", "healthy"), "a broker that is back")

        clean = folder.parent / "clean"
        clean.mkdir()
        (clean / "requirements.txt").write_text("idna==3.10\n")
        known = await rita.register(clean)
        envelope = {"specversion": "1.0", "id": "finding-1", "source": "/trivy", "type": "dev.vertice.apv.dispatched"}
        body = json.dumps({**envelope, "data": {**FINDING, "project": str(clean)}}).encode()
        for _ in range(2):
            await outside.send(broker.url, "oraculo.apv.dispatch", body, content_type="application/cloudevents+json")
        await until(lambda: _scans(rita, known), "the scan that another scanner's finding asks for")
        (scan,) = (await rita.get("/hitl/scans", project=known))["items"]
        assert (scan["trigger"], scan["requested_by"]) == ("message", "scanner trivy 0.58")
        assert (await rita.scanned(scan["id"]))["state"] == "finished"
        assert (await rita.get("/hitl/audit/verify"))["ok"] is True
        for where in (machine, far):
            verified = await asyncio.to_thread(where.run, "audit", "verify")
            assert verified.code == 0, verified
        for one in (*workers, service):
            one.stop()
        assert [await one.ended() for one in (*workers, service)] == [0, 0, 0]


async def _apart(machine: Machine, far: Machine, evidence: list[bytes]) -> None:
    """Each machine has in its home what it made itself, and the evidence that is downloaded here was signed there."""
    assert not {"evidence", "keys", "heals", "patches"} & {path.name for path in machine.home.iterdir()}
    kept = [path.read_bytes() for path in (far.home / "evidence").iterdir()]
    assert sorted(kept) == sorted(evidence)
    (file := far.home / "downloaded.intoto.json").write_bytes(evidence[0])
    verified = await asyncio.to_thread(far.run, "evidence", "verify", file, "--json")
    assert (verified.code, verified.json["trust"]) == (0, "own key")


async def _all_well(url: str) -> bool:
    async with httpx.AsyncClient(base_url=url, timeout=10) as client:
        try:
            health = (await client.get("/health")).json()
        except httpx.TransportError:
            return False
    parts = health["components"]
    assert set(parts) == {"postgres", "redis", "rabbitmq", "workers", "disk"}
    return health["status"] == "healthy" and parts["workers"]["details"]["active"] == 2


async def _rabbitmq(rita: Person, whole: str, part: str) -> bool:
    answer = await rita.client.get("/health")
    assert answer.status_code == 200, answer.text  # the work goes on without it
    health = answer.json()
    return (health["status"], health["components"]["rabbitmq"]["status"]) == (whole, part)


async def _told(broker: RabbitMq, decision: str, action: str) -> None:
    """What the broker has of a decision: that it was made, then what was done."""
    messages = [json.loads(message.body) for message in await outside.drain(broker.url, "hitl.decision", 2)]
    assert [one["type"] for one in messages] == ["dev.vertice.decision.made", "dev.vertice.decision.carried_out"]
    assert [one["data"]["id"] for one in messages] == [decision] * 2
    assert messages[1]["data"]["action"] == action


async def _metrics_are_sums(rita: Person) -> None:
    """Whichever process is asked, it tells of all."""

    async def projects() -> float:
        async with httpx.AsyncClient(base_url=rita.client.base_url) as client:
            text = (await client.get("/metrics")).text
        return counted(text, "hitl_http_requests_total", endpoint="/hitl/projects", method="GET", status="200")

    before = await projects()
    for _ in range(12):
        async with httpx.AsyncClient(base_url=rita.client.base_url, cookies=rita.client.cookies) as client:
            assert (await client.get("/hitl/projects")).status_code == 200
    assert [await projects() for _ in range(6)] == [before + 12] * 6


async def _scans(rita: Person, project: str) -> bool:
    return bool((await rita.get("/hitl/scans", project=project))["items"])
