# /// vertice-probe
# id = "PYSEC-2024-48"
# aliases = ["CVE-2024-21503"]
# package = "black"
# summary = """\
#   The pattern that expands leading tabs backtracks over long runs of white space, so a docstring full of tabs \
#   takes black cubic time."""
# severity = [{ type = "CVSS_V3", score = "CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:N/I:N/A:L" }]
# cwe = ["CWE-1333"]
# kind = "redos"
# symbols = ["black.format_str", "black.format_file_contents", "black.strings.lines_with_leading_tabs_expanded"]
#
# [[affected]]
# package = "black"
# ranges = [{ type = "ECOSYSTEM", events = [{ introduced = "0" }, { fixed = "24.3.0" }] }]
#
# [cases]
# attack = "lines_with_leading_tabs_expanded on a line of tabs takes cubic time"
# [cases.variants]
# docstring = "format_str on a function whose docstring has a line of tabs"
# [cases.controls]
# tidy = "an ordinary function with a tabbed docstring is formatted"
#
# [test]
# vulnerable = "24.2.0"
# fixed = "24.3.0"
# ///
"""CVE-2024-21503: cubic backtracking over leading tabs."""

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


def attack():
    from black.strings import lines_with_leading_tabs_expanded

    def work(size):
        got = lines_with_leading_tabs_expanded("first\n" + "\t" * size)
        if got[0] != "first" or len(got) != 2 or got[1].strip():
            raise RuntimeError("unexpected lines %r" % (got,))
        return "both lines kept"

    return judge(work, 250, 750, 9, "tabs")


def docstring():
    import black

    def work(size):
        source = 'def f():\n\t"""First.\n' + "\t" * size + '\n\tLast.\n\t"""\n'
        if "Last." not in black.format_str(source, mode=black.Mode()):
            raise RuntimeError("the docstring was lost")
        return "formatted"

    return judge(work, 250, 750, 9, "tabs")


def tidy():
    import black

    got = black.format_str('def f( a ):\n\t"""First.\n\n\tArgs:\n\t\ta: it\n\t"""\n\treturn  a\n', mode=black.Mode())
    wanted = 'def f(a):\n    """First.\n\n    Args:\n            a: it\n    """\n    return a\n'
    return ("works", "formatted as documented") if got == wanted else ("broken", repr(got))


CASES = {"attack": attack, "docstring": docstring, "tidy": tidy}

if __name__ == "__main__":
    try:
        outcome, evidence = CASES[sys.argv[1] if len(sys.argv) > 1 else "attack"]()
    except BaseException as error:  # could not reach the code: never "blocked"
        outcome, evidence = "error", "%s: %s" % (type(error).__name__, error)
    print(json.dumps({"outcome": outcome, "evidence": evidence}))
