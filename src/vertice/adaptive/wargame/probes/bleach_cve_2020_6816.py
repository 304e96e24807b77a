# /// vertice-probe
# id = "PYSEC-2020-28"
# aliases = ["CVE-2020-6816", "GHSA-m6xf-fq7q-8743"]
# package = "bleach"
# summary = """\
#   clean() does not escape the text of raw-text elements such as style inside svg or math, where browsers parse it \
#   as markup."""
# severity = [{ type = "CVSS_V3", score = "CVSS:3.1/AV:N/AC:L/PR:N/UI:R/S:C/C:L/I:L/A:N" }]
# cwe = ["CWE-79"]
# kind = "xss"
# symbols = ["bleach.clean", "bleach.Cleaner", "bleach.sanitizer.Cleaner"]
#
# [[affected]]
# package = "bleach"
# ranges = [{ type = "ECOSYSTEM", events = [{ introduced = "0" }, { fixed = "3.1.2" }] }]
#
# [cases]
# attack = "an img with onerror inside math and style comes out of clean() unescaped"
# [cases.variants]
# svg_iframe = "the same through svg and iframe with a Cleaner object"
# [cases.controls]
# link = "allowed tags stay, a script is escaped"
#
# [test]
# vulnerable = "3.1.1"
# fixed = "3.1.2"
# with = ["setuptools<70"]
# ///
"""CVE-2020-6816: mutation XSS through raw-text elements in svg and math."""

import collections
import collections.abc
import json
import sys

for _name in ("Mapping", "MutableMapping"):  # the html5lib inside wants them where they were before Python 3.10
    if not hasattr(collections, _name):
        setattr(collections, _name, getattr(collections.abc, _name))

IMAGE = "<img src=x onerror=alert(1)>"


def judge(output, frame):
    """`frame` is the allowed markup around, which must be kept for the attack to make sense."""
    if not output.startswith(frame):
        raise RuntimeError("the allowed tags were lost: %s" % output)
    if "<img" in output:
        return "exploited", "left as markup: %s" % output
    if "&lt;img src=x onerror=alert(1)&gt;" in output:
        return "blocked", "escaped: %s" % output
    raise RuntimeError("neither kept nor escaped: %s" % output)


def attack():
    import bleach

    return judge(bleach.clean("<math><style>" + IMAGE, tags=["math", "style"], strip=False), "<math><style>")


def svg_iframe():
    from bleach.sanitizer import Cleaner

    cleaner = Cleaner(tags=["p", "svg", "iframe"], attributes={}, strip=False)
    return judge(cleaner.clean("<p>a</p><svg><iframe>" + IMAGE + "</iframe></svg>"), "<p>a</p><svg><iframe>")


def link():
    import bleach

    got = bleach.clean('<a href="https://example.org/?a=1">x</a> <b>b</b><script>alert(1)</script>')
    wanted = '<a href="https://example.org/?a=1">x</a> <b>b</b>&lt;script&gt;alert(1)&lt;/script&gt;'
    return ("works", "link and bold kept, script escaped") if got == wanted else ("broken", got)


CASES = {"attack": attack, "svg_iframe": svg_iframe, "link": link}

if __name__ == "__main__":
    try:
        outcome, evidence = CASES[sys.argv[1] if len(sys.argv) > 1 else "attack"]()
    except BaseException as error:  # could not reach the code: never "blocked"
        outcome, evidence = "error", "%s: %s" % (type(error).__name__, error)
    print(json.dumps({"outcome": outcome, "evidence": evidence}))
