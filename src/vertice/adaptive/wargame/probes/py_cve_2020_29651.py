# /// vertice-probe
# id = "PYSEC-2020-92"
# aliases = ["CVE-2020-29651", "GHSA-hj5v-574p-mj7c"]
# package = "py"
# summary = "The pattern that reads a line of svn blame backtracks over a run of digits, a denial of service."
# severity = [{ type = "CVSS_V3", score = "CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:N/I:N/A:H" }]
# cwe = ["CWE-400", "CWE-1333"]
# kind = "redos"
# symbols = ["py.path.svnwc", "py.path.svnwc.blame"]
#
# [[affected]]
# package = "py"
# ranges = [{ type = "ECOSYSTEM", events = [{ introduced = "0" }, { fixed = "1.10.0" }] }]
#
# [cases]
# attack = "blame of a file whose line is one run of digits: time grows with the square of its length"
# [cases.variants]
# unicode_digits = "the same growth with digits of another script behind leading blanks"
# [cases.controls]
# blame = "an ordinary blame gives revision, author and line"
#
# [test]
# vulnerable = "1.9.0"
# fixed = "1.10.0"
# ///
"""CVE-2020-29651: reading svn blame takes quadratic time."""

import importlib.machinery
import json
import sys
import tempfile
import time


def working_copy(blame_output, source):
    """A working copy path whose svn commands answer with the given texts."""
    import py

    if not hasattr(py, "__spec__"):  # newer interpreters ask a parent package for it; these releases have none
        py.__spec__ = importlib.machinery.ModuleSpec("py", None, is_package=True)

    class Remote:
        def __init__(self, url):
            self.url = url

        def readlines(self):
            return source

    class Recorded(py.path.svnwc):
        _url = "http://127.0.0.1/repo/file"

        def _svn(self, command, *args):
            return blame_output

    py.path.svnurl = Remote
    return Recorded(tempfile.mkdtemp())


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


def work(line):
    def refuse(size):
        path = working_copy(line(size) + "\n", ["source\n"])
        try:
            path.blame()
        except ValueError as error:
            if "svn blame" not in str(error):
                raise
            return "refused"
        raise RuntimeError("the line was accepted")

    return refuse


def attack():
    return judge(work(lambda size: "1" * size), 1250, 10000, 22, "characters")


def unicode_digits():
    return judge(work(lambda size: "   " + "\u0663" * size), 1250, 10000, 22, "characters")


def blame():
    path = working_copy("    7     alice first line\n   12       bob second line\n", ["first line\n", "second line\n"])
    got = path.blame()
    wanted = [(7, "alice", "first line\n"), (12, "bob", "second line\n")]
    return ("works", "two lines read") if got == wanted else ("broken", repr(got))


CASES = {"attack": attack, "unicode_digits": unicode_digits, "blame": blame}

if __name__ == "__main__":
    try:
        outcome, evidence = CASES[sys.argv[1] if len(sys.argv) > 1 else "attack"]()
    except BaseException as error:  # could not reach the code: never "blocked"
        outcome, evidence = "error", "%s: %s" % (type(error).__name__, error)
    print(json.dumps({"outcome": outcome, "evidence": evidence}))
