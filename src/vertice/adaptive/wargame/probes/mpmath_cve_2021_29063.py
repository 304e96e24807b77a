# /// vertice-probe
# id = "PYSEC-2021-427"
# aliases = ["CVE-2021-29063", "GHSA-f865-m6cq-j9vx"]
# package = "mpmath"
# summary = """\
#   The pattern for complex numbers in strings has overlapping digit groups, so mpmathify takes very long for a \
#   short crafted number."""
# severity = [{ type = "CVSS_V3", score = "CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:N/I:N/A:H" }]
# cwe = ["CWE-1333"]
# kind = "redos"
# symbols = ["mpmath.mpmathify", "mpmath.convert", "mpmath.mpc", "mpmath.mp.convert"]
#
# [[affected]]
# package = "mpmath"
# ranges = [{ type = "ECOSYSTEM", events = [{ introduced = "0" }, { fixed = "1.3.0" }] }]
#
# [cases]
# attack = "mpmathify of digits and two imaginary units takes time with the fourth power of the length"
# [cases.variants]
# function = "the same with a sign and a bracket, through a function that converts its argument"
# [cases.controls]
# numbers = "real and complex numbers are read from strings"
#
# [test]
# vulnerable = "1.2.1"
# fixed = "1.3.0"
# ///
"""CVE-2021-29063: backtracking in the pattern for complex numbers."""

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


def refuse(convert):
    try:
        convert()
    except (ValueError, TypeError) as error:
        return "refused with %s" % type(error).__name__
    except AttributeError as error:
        if "group" not in str(error):  # the pattern did not match: a bug of its own
            raise
        return "refused with AttributeError"
    raise RuntimeError("the malformed number was accepted")


def attack():
    import mpmath

    return judge(lambda size: refuse(lambda: mpmath.mpmathify("1" * size + "jj")), 40, 120, 20, "digits")


def function():
    import mpmath

    return judge(lambda size: refuse(lambda: mpmath.sqrt("(+" + "1" * size + "j+")), 40, 120, 20, "digits")


def numbers():
    import mpmath

    got = [mpmath.mpmathify(text) for text in ("2.5", "(1+2j)", "-3e2j")]
    return ("works" if got == [2.5, 1 + 2j, -300j] else "broken"), repr(got)


CASES = {"attack": attack, "function": function, "numbers": numbers}

if __name__ == "__main__":
    try:
        outcome, evidence = CASES[sys.argv[1] if len(sys.argv) > 1 else "attack"]()
    except BaseException as error:  # could not reach the code: never "blocked"
        outcome, evidence = "error", "%s: %s" % (type(error).__name__, error)
    print(json.dumps({"outcome": outcome, "evidence": evidence}))
