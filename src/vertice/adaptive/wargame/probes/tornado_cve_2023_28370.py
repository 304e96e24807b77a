# /// vertice-probe
# id = "PYSEC-2023-75"
# aliases = ["CVE-2023-28370"]
# package = "tornado"
# summary = "A static handler with a default file redirects paths of two slashes, which browsers take for another site."
# severity = [{ type = "CVSS_V3", score = "CVSS:3.1/AV:N/AC:L/PR:N/UI:R/S:C/C:L/I:L/A:N" }]
# cwe = ["CWE-601"]
# kind = "open-redirect"
# symbols = ["tornado.web.StaticFileHandler"]
#
# [[affected]]
# package = "tornado"
# ranges = [{ type = "ECOSYSTEM", events = [{ introduced = "0" }, { fixed = "6.3.2" }] }]
#
# [cases]
# attack = "a path //host/../ROOT is redirected to //host/../ROOT/, which is another site"
# [cases.variants]
# subdirectory = "the same for a directory below the root with encoded dots and a query"
# [cases.controls]
# directory = "an ordinary directory is redirected to its own path and its default file served"
#
# [test]
# vulnerable = "6.3.1"
# fixed = "6.3.2"
# ///
"""CVE-2023-28370: static files redirect to another site."""

import asyncio
import json
import logging
import os
import sys
import tempfile
import warnings
from urllib.parse import urljoin, urlsplit

warnings.simplefilter("ignore")


ROOT = os.path.realpath(tempfile.mkdtemp())
REASONS = []


class Reasons(logging.Handler):
    """The handler's answer hides why it refuses; its log says it."""

    def emit(self, record):
        REASONS.append(record.getMessage())


def fetch(*paths):
    """[(status, Location or None, body)] of raw requests to a static site on loopback."""
    import tornado.httpserver
    import tornado.netutil
    import tornado.web

    os.mkdir(os.path.join(ROOT, "docs"))
    for name in ("index.html", os.path.join("docs", "index.html")):
        with open(os.path.join(ROOT, name), "w") as page:
            page.write("page of " + name)
    logging.getLogger("tornado.access").setLevel(logging.CRITICAL)
    logging.getLogger("tornado.general").addHandler(Reasons())
    settings = {"path": ROOT, "default_filename": "index.html"}
    answers = []

    async def talk():
        application = tornado.web.Application([(r"/(.*)", tornado.web.StaticFileHandler, settings)])
        sockets = tornado.netutil.bind_sockets(0, "127.0.0.1")
        server = tornado.httpserver.HTTPServer(application)
        server.add_sockets(sockets)
        for path in paths:
            reader, writer = await asyncio.open_connection("127.0.0.1", sockets[0].getsockname()[1])
            writer.write(("GET %s HTTP/1.1\r\nHost: shop.example\r\nConnection: close\r\n\r\n" % path).encode())
            head, _, body = (await asyncio.wait_for(reader.read(), 10)).decode().partition("\r\n\r\n")
            lines = head.split("\r\n")
            places = [line.split(": ", 1)[1] for line in lines if line.lower().startswith("location: ")]
            answers.append((int(lines[0].split()[1]), places[0] if places else None, body))
            writer.close()
        server.stop()

    asyncio.run(talk())
    return answers


def look(path):
    (status, location, _), (plain, _, page) = fetch(path, "/docs/")
    if plain != 200 or "page of" not in page:
        return "error", "the site does not serve its pages: %r" % plain
    if location and urlsplit(urljoin("http://shop.example/", location)).hostname != "shop.example":
        return "exploited", "answered %d with a Location on other.example" % status
    if status != 403 or not any("two initial slashes" in reason for reason in REASONS):
        return "error", "answered %d %r %r" % (status, location, REASONS)
    return "blocked", "answered 403 (cannot redirect path with two initial slashes), the site serves its own pages"


def attack():
    return look("//other.example/.." + ROOT)


def subdirectory():
    return look("//other.example/%2e%2e" + ROOT + "/docs?a=b")


def directory():
    got = fetch("/docs", "/docs/", "/index.html")
    good = got[0][:2] == (301, "/docs/") and [answer[0] for answer in got[1:]] == [200, 200]
    return ("works", "redirected to /docs/ and served") if good else ("broken", repr(got))


CASES = {"attack": attack, "subdirectory": subdirectory, "directory": directory}

if __name__ == "__main__":
    try:
        outcome, evidence = CASES[sys.argv[1] if len(sys.argv) > 1 else "attack"]()
    except BaseException as error:  # could not reach the code: never "blocked"
        outcome, evidence = "error", "%s: %s" % (type(error).__name__, error)
    print(json.dumps({"outcome": outcome, "evidence": evidence}))
