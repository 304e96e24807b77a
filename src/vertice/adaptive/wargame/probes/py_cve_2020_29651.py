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

SMALL, LARGE = 2500, 10000  # characters: x4
FLOOR = 0.004  # seconds; below it a time is noise
THRESHOLD = 8.0  # geometric middle of linear (4) and quadratic (16)


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


def seconds(line):
    path = working_copy(line + "\n", ["source\n"])
    best = None
    for _ in range(3):
        start = time.process_time()
        try:
            path.blame()
        except ValueError as error:
            if "svn blame" not in str(error):
                raise
        else:
            raise RuntimeError("the line was accepted")
        took = time.process_time() - start
        best = took if best is None else min(best, took)
    return best


def growth(make):
    small, large = seconds(make(SMALL)), seconds(make(LARGE))
    ratio = large / max(small, FLOOR)
    facts = "%d characters %.4f s, %d characters %.4f s, ratio %.1f" % (SMALL, small, LARGE, large, ratio)
    return ("exploited" if ratio > THRESHOLD else "blocked"), facts


def attack():
    return growth(lambda n: "1" * n)


def unicode_digits():
    return growth(lambda n: "   " + "\u0663" * n)


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
