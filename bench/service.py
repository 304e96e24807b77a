"""The service under load, beside a bare endpoint of the same server. `make bench-service` runs all.

PostgreSQL, two API processes and the load generator (wrk) share this machine's cores. The bare endpoint runs the same
query in the same kind of session and sends the same bytes, without login, limits, logs, metrics or JSON to make.
"""

import argparse
import asyncio
import contextlib
import json
import os
import re
import runpy
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from uuid import uuid4

import httpx
import websockets
from sqlalchemy import insert, text

from tests.server import free_port
from tests.servers import Postgres, Redis
from vertice.adaptive.advisories.model import Severity
from vertice.adaptive.review import rows
from vertice.adaptive.review.documents import FORM, rendered
from vertice.adaptive.review.store import ReviewStore
from vertice.adaptive.review.tables import ApvReview, ReviewApv
from vertice.kernel.auth.model import SCOPES_OF, Identity, Role
from vertice.kernel.auth.store import AuthStore
from vertice.kernel.database import Database, upgrade

ROOT = Path(__file__).resolve().parents[1]
BIN = ROOT / ".venv" / "bin"
REVIEWS = 100_000
WAITING = 10
"""One review in ten waits for a decision."""
CLIENTS = 100
SECONDS = 12
PAUSE = 400
"""Milliseconds, at most, that a person looks at a page before the next one; the mean is half of it."""
LUA = """
local codes = {}
local n = 0
local pause = tonumber(os.getenv("BENCH_PAUSE"))
function init(args)
  for line in io.lines(os.getenv("BENCH_PATHS")) do codes[#codes + 1] = line end
  local body = os.getenv("BENCH_BODY")
  if body ~= "" then
    wrk.method = "POST"
    wrk.body = body
    wrk.headers["Content-Type"] = "application/json"
    wrk.headers["If-Match"] = "*"
  end
end
if pause > 0 then
  function delay() return math.random(0, pause) end
end
function request()
  n = n % #codes + 1
  return wrk.format(nil, codes[n])
end
function done(summary, latency, requests)
  local e = summary.errors
  io.write(string.format("RESULT %d %d %f %f %f %f\\n", summary.requests,
    e.status + e.connect + e.read + e.write + e.timeout,
    summary.duration / 1e6, latency:percentile(50) / 1e3, latency:percentile(95) / 1e3, latency:percentile(99) / 1e3))
end
"""


async def seed(url: str, count: int) -> None:
    """Fill the queue: one in ten waits, the others are decided long ago."""
    samples = runpy.run_path(str(ROOT / "tests" / "adaptive" / "review" / "samples.py"))
    await upgrade(url)
    now = datetime.now(UTC)
    new = samples["a_new_review"]()
    base = ApvReview()
    rows.fill(base, new)
    base.id, base.status, base.version, base.revision = uuid4(), "pending", 1, 1
    base.created_at = base.updated_at = now
    line, document = rendered(rows.to_review(base, rows.apv_rows(base, new), [], ""))
    plain = {column.key: getattr(base, column.key) for column in ApvReview.__table__.columns} | {"form": FORM}
    severities, projects = list(Severity), [f"service-{number}" for number in range(40)]
    async with Database.open(url) as database:
        for start in range(0, count, 2000):
            reviews, apvs = [], []
            for number in range(start, min(start + 2000, count)):
                key, code = uuid4(), f"APV-20260101-{number:06d}"
                at = now - timedelta(minutes=count - number)
                severity = severities[number % 4]
                reviews.append(
                    plain
                    | {
                        "id": key,
                        "apv_code": code,
                        "cve_id": f"CVE-2026-{number:05d}",
                        "severity": severity,
                        "package_name": f"package-{number % 500}",
                        "project_name": projects[number % 40],
                        "status": "pending" if number % WAITING == 0 else "approved",
                        "priority": number % 10 + 1,
                        "created_at": at,
                        "updated_at": at,
                        "due_at": at + timedelta(days=3),
                        "version": 1,
                        "revision": 1,
                        "key": f"key-{number}",
                        "published_at": at - timedelta(days=2),
                        "line": line.replace(new.apvs[0].code, code),
                        "document": document.replace(new.apvs[0].code, code),
                    }
                )
                apvs.append(
                    {
                        "review_id": key,
                        "apv_code": code,
                        "position": 0,
                        "advisory_id": "GHSA-8q59-q68h-6hv4",
                        "severity": severity,
                        "package_name": f"package-{number % 500}",
                        "package_version": "1.0",
                        "summary": "full_load runs code",
                    }
                )
            async with database.write() as session:
                await session.execute(insert(ApvReview), reviews)
                await session.execute(insert(ReviewApv), apvs)
    subprocess.run(["psql", url.replace("+asyncpg", ""), "-qc", "VACUUM ANALYZE"], check=True)


def prepare_work(settings: dict[str, str]) -> None:
    """Have a worker been here once: it makes the tables of the queues."""
    with tempfile.TemporaryFile("w+") as log:
        worker = subprocess.Popen([str(BIN / "vertice"), "worker"], env=os.environ | settings, stdout=log, stderr=log)
        time.sleep(15)
        worker.terminate()
        worker.wait(60)


async def token(url: str) -> str:
    async with Database.open(url) as database:
        store = AuthStore(database)
        session = await store.sessions.begin(Identity("bench", "ada", "Ada", "ada@example.org", Role.admin))
        principal = await store.sessions.find(session.token)
        return (
            await store.tokens.create(
                principal, name="bench", role=Role.admin, scopes=SCOPES_OF[Role.admin], lifetime=timedelta(days=1)
            )
        )[1]


@contextlib.contextmanager
def served(command: list[str], environment: dict[str, str], port: int) -> Iterator[int]:
    """Run a server until the block ends; give its process id."""
    with tempfile.TemporaryFile("w+") as log:
        process = subprocess.Popen(command, env=os.environ | environment, stdout=log, stderr=log, cwd=ROOT)
        try:
            for _ in range(300):
                with contextlib.suppress(httpx.TransportError):
                    httpx.get(f"http://127.0.0.1:{port}/health/live", timeout=1)
                    break
                if process.poll() is not None:
                    log.seek(0)
                    raise SystemExit(log.read())
                time.sleep(0.1)
            yield process.pid
        finally:
            process.terminate()
            process.wait(60)


def wrk(
    url: str,
    paths: list[str],
    *,
    clients: int = CLIENTS,
    bearer: str = "",
    seconds: int = SECONDS,
    pause: int = 0,
    body: str = "",
) -> dict[str, float]:
    """Have `clients` ask for the paths in turn; with `body` they POST it. `pause`: milliseconds at most between two."""
    with tempfile.TemporaryDirectory() as folder:
        script, listed = Path(folder) / "run.lua", Path(folder) / "paths"
        script.write_text(LUA)
        listed.write_text("\n".join(paths))
        command = ["wrk", "-t1", f"-c{clients}", f"-d{seconds}s", "-s", str(script), url]
        if bearer:
            command += ["-H", f"Authorization: Bearer {bearer}"]
        told = {"BENCH_PATHS": str(listed), "BENCH_PAUSE": str(pause), "BENCH_BODY": body}
        done = subprocess.run(command, env=os.environ | told, capture_output=True, text=True, check=False)
    found = re.search(r"RESULT (\d+) (\d+) ([\d.]+) ([\d.]+) ([\d.]+) ([\d.]+)", done.stdout)
    if found is None:
        raise SystemExit(done.stdout + done.stderr)
    requests, errors, duration, p50, p95, p99 = map(float, found.groups())
    return {"per_second": requests / duration, "errors": errors, "p50": p50, "p95": p95, "p99": p99}


def told(name: str, found: dict[str, float], base: dict[str, float] | None = None) -> None:
    ratio = f"  {found['per_second'] / base['per_second']:5.2f} x bare" if base else ""
    print(
        f"  {name:34} {found['per_second']:8.0f}/s  p50 {found['p50']:6.1f}  p95 {found['p95']:6.1f}  "
        f"p99 {found['p99']:6.1f} ms  errors {found['errors']:.0f}{ratio}"
    )


def family(pid: int) -> list[int]:
    children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    return [pid, *(deeper for child in children for deeper in family(int(child)))]


def memory(pid: int) -> None:
    for one in family(pid)[1:] or [pid]:
        status = Path(f"/proc/{one}/status").read_text()
        found = re.search(r"VmRSS:\s+(\d+)", status)
        if found and "resource_tracker" not in Path(f"/proc/{one}/cmdline").read_text():
            print(f"  memory of API process {one}: {int(found[1]) / 1024:.0f} MiB")


def same_queries(base: str, bearer: str, folder: Path) -> None:
    """Write down the one query and the bytes of each endpoint, for the bare peer."""
    headers = {"Authorization": f"Bearer {bearer}"}
    detail = "/hitl/reviews/APV-20260101-050000"
    (folder / "list.json").write_bytes(httpx.get(f"{base}/hitl/reviews?status=pending", headers=headers).content)
    (folder / "detail.json").write_bytes(httpx.get(f"{base}{detail}", headers=headers).content)
    from sqlalchemy import select
    from sqlalchemy.dialects import postgresql

    query = select(ApvReview.apv_code, ApvReview.line, ApvReview.priority).where(ApvReview.status == "pending")
    query = query.order_by(ApvReview.priority, ApvReview.apv_code).limit(51)
    compiled = {"dialect": postgresql.dialect(), "compile_kwargs": {"literal_binds": True}}
    (folder / "list.sql").write_text(str(query.compile(**compiled)))
    (folder / "detail.sql").write_text("SELECT version, document, form FROM apv_reviews WHERE apv_code = :code")


def pages(base: str, bearer: str, count: int = 150) -> list[str]:
    """Return the addresses of so many pages of the queue: who asks for another page shares no query with the others."""
    found = [path := "/hitl/reviews?status=pending"]
    while len(found) < count:
        cursor = httpx.get(base + path, headers={"Authorization": f"Bearer {bearer}"}).json()["next"]
        found.append(path := f"/hitl/reviews?status=pending&cursor={cursor}")
    return found


def reading(_url: str, bearer: str, settings: dict[str, str]) -> None:
    port, bare_port = free_port(), free_port()
    print(f"\nReading: {REVIEWS:,} reviews, {CLIENTS} clients at once, {SECONDS} s each; two processes")
    with tempfile.TemporaryDirectory() as named:
        folder = Path(named)
        with served([str(BIN / "vertice"), "serve", "--port", str(port), "--workers", "2"], settings, port) as pid:
            base = f"http://127.0.0.1:{port}"
            same_queries(base, bearer, folder)
            lists = ["/hitl/reviews?status=pending"]
            apart = pages(base, bearer)
            details = [f"/hitl/reviews/APV-20260101-{number:06d}" for number in range(0, REVIEWS, 97)]
            wrk(base, lists, bearer=bearer, seconds=3)
            ours = {"list": wrk(base, lists, bearer=bearer), "detail": wrk(base, details, bearer=bearer)}
            ours_apart = wrk(base, apart, bearer=bearer)
            people = {
                "list": wrk(base, lists, bearer=bearer, pause=PAUSE),
                "detail": wrk(base, details, bearer=bearer, pause=PAUSE),
            }
            memory(pid)
        command = [sys.executable, "-m", "bench.bare"]
        bare_settings = settings | {"BENCH_QUERIES": str(folder), "PORT": str(bare_port), "WORKERS": "2"}
        with served(command, bare_settings, bare_port):
            base = f"http://127.0.0.1:{bare_port}"
            wrk(base, ["/list"], seconds=3)
            bare = {
                "list": wrk(base, ["/list"]),
                "detail": wrk(base, [path.replace("/hitl/reviews", "/detail") for path in details]),
            }
    for name in ("list", "detail"):
        told(f"bare endpoint, {name}", bare[name])
        told(f"GET /hitl/reviews{'/{code}' if name == 'detail' else ''}", ours[name], bare[name])
        if name == "list":
            told("150 pages of it, each by its cursor", ours_apart)
        told(f"the same, a page each {PAUSE // 2} ms", people[name])


def servers(_url: str, bearer: str, settings: dict[str, str]) -> None:
    """The bare endpoints in Uvicorn, as the service has it, and in Granian."""
    port = free_port()
    print(f"\nServers: the bare endpoints, {CLIENTS} clients at once, {SECONDS} s each; two processes")
    with tempfile.TemporaryDirectory() as folder:
        with served([str(BIN / "vertice"), "serve", "--port", str(port)], settings, port):
            same_queries(f"http://127.0.0.1:{port}", bearer, Path(folder))
        bare = settings | {"BENCH_QUERIES": folder, "WORKERS": "2"}
        granian = [str(BIN / "uv"), "run", "--no-sync", "--with", "granian", "granian", "--interface", "asgi"]
        granian += ["--factory", "--workers", "2", "--loop", "uvloop", "--no-ws", "bench.bare:app"]
        for name, command in {"Uvicorn": [sys.executable, "-m", "bench.bare"], "Granian": granian}.items():
            port = free_port()
            at = ["--port", str(port)] if name == "Granian" else []
            with served([*command, *at], bare | {"PORT": str(port)}, port):
                for path in ("/list", "/detail/APV-20260101-050000"):
                    wrk(f"http://127.0.0.1:{port}", [path], seconds=3)
                    told(f"{name}, {path.split('/')[1]}", wrk(f"http://127.0.0.1:{port}", [path]))


def deciding(url: str, bearer: str, settings: dict[str, str]) -> None:
    port = free_port()
    paths = [f"/hitl/reviews/APV-20260101-{number:06d}/decisions" for number in range(0, REVIEWS, WAITING)]
    print(f"\nDeciding: rejections, 16 clients at once, {SECONDS} s; two processes")
    body = json.dumps({"decision": "reject", "justification": "Not needed any more."})
    with served([str(BIN / "vertice"), "serve", "--port", str(port), "--workers", "2"], settings, port):
        found = wrk(f"http://127.0.0.1:{port}", paths, clients=16, bearer=bearer, body=body)
    told("POST …/decisions", found)

    async def verify() -> None:
        async with Database.open(url) as database:
            async with database.look() as connection:
                made = (await connection.execute(text("SELECT count(*) FROM hitl_decisions"))).scalar_one()
            report = await ReviewStore(database, home=Path(settings["VERTICE_HOME"])).verify()
            # What was seeded past the store is no part of the chain: only the chain itself is looked at.
            print(f"  {made:,} decisions kept; audit chain: {report.entries:,} entries, {report.why or 'whole'}")

    asyncio.run(verify())


def listening(_url: str, bearer: str, settings: dict[str, str], *, clients: int = 1000, events: int = 40) -> None:
    port = free_port()
    print(f"\nListening: {clients:,} WebSocket clients, {events} events, four a second; two processes")
    command = [str(BIN / "vertice"), "serve", "--port", str(port), "--workers", "2"]
    with served(command, settings, port) as pid:
        sys.stdout.flush()
        subprocess.run(
            [sys.executable, "-m", "bench.service", "--listen", str(port), str(clients), str(events)],
            env=os.environ | {"BENCH_TOKEN": bearer},
            cwd=ROOT,
            check=True,
        )
        memory(pid)


async def listen(port: int, clients: int, events: int, bearer: str) -> None:
    """Be all the clients: how long from the commit of an event until each has it."""
    headers = {"Authorization": f"Bearer {bearer}"}
    late: list[float] = []
    got = 0

    async def hear() -> None:
        nonlocal got
        async with websockets.connect(
            f"ws://127.0.0.1:{port}/hitl/ws", additional_headers=headers, compression=None, open_timeout=120
        ) as socket:
            await socket.send('{"type": "subscribe", "channel": "reviews"}')
            ready.release()
            while True:
                text = await socket.recv()
                now = time.time()
                said = json.loads(text)
                if said["type"] == "review_updated":
                    late.append((now - datetime.fromisoformat(said["at"]).timestamp()) * 1000)
                    got += 1

    ready = asyncio.Semaphore(0)
    tasks = []
    for _ in range(clients):
        tasks.append(asyncio.create_task(hear()))
        await asyncio.sleep(0.003)
    for _ in range(clients):
        await ready.acquire()
    await asyncio.sleep(2)
    async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}", headers=headers, timeout=30) as client:
        for number in range(events):
            path = f"/hitl/reviews/APV-20260101-{REVIEWS - (number + 1) * WAITING:06d}/claim"
            answer = await client.post(path, headers={"If-Match": "*"})
            if answer.status_code not in {200, 409}:
                raise SystemExit(answer.text)
            await asyncio.sleep(0.25)
    await asyncio.sleep(2)
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    late.sort()
    share = sum(one <= 250 for one in late) / (clients * events)
    print(
        f"  {got:,} of {clients * events:,} heard; p50 {late[len(late) // 2]:.0f}  "
        f"p99 {late[int(len(late) * 0.99)]:.0f}  max {late[-1]:.0f} ms; within 250 ms: {100 * share:.2f} %"
    )


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("what", nargs="*", choices=[[], "read", "servers", "listen", "decide"])
    parser.add_argument("--listen", nargs=3, type=int)
    asked = parser.parse_args()
    if asked.listen:
        asyncio.run(listen(*asked.listen, os.environ["BENCH_TOKEN"]))
        return
    with Postgres() as postgres, Redis() as redis, tempfile.TemporaryDirectory() as home:
        url = postgres.url.replace("postgresql://", "postgresql+asyncpg://")
        started = time.perf_counter()
        asyncio.run(seed(url, REVIEWS))
        print(f"{REVIEWS:,} reviews in {time.perf_counter() - started:.0f} s")
        bearer = asyncio.run(token(url))
        settings = {"DATABASE_URL": url, "VERTICE_HOME": home, "LOG_LEVEL": "WARNING"}
        settings |= {f"RATE_LIMIT_{name}": "100000000/minute" for name in ("ADDRESS", "IDENTITY", "DECISIONS", "LOGIN")}
        prepare_work(settings)
        for name, run in (("read", reading), ("servers", servers), ("listen", listening), ("decide", deciding)):
            if not asked.what or name in asked.what:
                run(url, bearer, settings | ({"REDIS_URL": redis.url} if name == "listen" else {}))


if __name__ == "__main__":
    main()
