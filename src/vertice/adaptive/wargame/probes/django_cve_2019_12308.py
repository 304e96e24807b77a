# /// vertice-probe
# id = "PYSEC-2019-79"
# aliases = ["CVE-2019-12308", "GHSA-7rp2-fm2h-wchj"]
# package = "django"
# summary = """\
#   The admin shows the current value of a URL field as a link without checking it, so a stored javascript: address \
#   runs when clicked."""
# severity = [{ type = "CVSS_V3", score = "CVSS:3.1/AV:N/AC:L/PR:N/UI:R/S:C/C:L/I:L/A:N" }]
# cwe = ["CWE-79"]
# kind = "xss"
# symbols = [
#   "django.contrib.admin.widgets.AdminURLFieldWidget",
#   "django.contrib.admin.ModelAdmin",
#   "django.contrib.admin.site",
# ]
#
# [[affected]]
# package = "django"
# ranges = [{ type = "ECOSYSTEM", events = [
#   { introduced = "2.1" },
#   { fixed = "2.1.9" },
#   { introduced = "1.11" },
#   { fixed = "1.11.21" },
#   { introduced = "2.2" },
#   { fixed = "2.2.2" },
# ] }]
#
# [cases]
# attack = "a javascript: value becomes a link"
# [cases.variants]
# form = "a data: address in a bound form becomes a link"
# [cases.controls]
# link = "an https address becomes a link"
#
# [test]
# vulnerable = "2.2.1"
# fixed = "2.2.2"
# python = "<3.12"
# ///
"""CVE-2019-12308: unchecked links in the admin's URL widget."""

import collections
import collections.abc
import json
import sys
from html.parser import HTMLParser

for _name in collections.abc.__all__:  # Django of that time wants them where they were before Python 3.10
    if not hasattr(collections, _name):
        setattr(collections, _name, getattr(collections.abc, _name))


class Links(HTMLParser):
    def __init__(self):
        HTMLParser.__init__(self)
        self.hrefs = []
        self.inputs = []

    def handle_starttag(self, tag, attrs):
        if tag == "a":
            self.hrefs.append(dict(attrs).get("href"))
        if tag == "input":
            self.inputs.append(dict(attrs).get("value"))


def prepare():
    import django
    from django.conf import settings

    settings.configure(
        SECRET_KEY="probe",
        INSTALLED_APPS=["django.contrib.contenttypes", "django.contrib.auth", "django.contrib.admin"],
        USE_I18N=False,
    )
    django.setup()
    from django.contrib.admin.widgets import AdminURLFieldWidget

    return AdminURLFieldWidget


def parse(output):
    parser = Links()
    parser.feed(str(output))
    return parser


def judge(output, value, scheme):
    found = parse(output)
    if found.inputs != [value]:
        raise RuntimeError("the field was not rendered: %s" % output)
    bad = [href for href in found.hrefs if href.lower().startswith(scheme)]
    if bad:
        return "exploited", "a link to %s" % bad[0]
    if not found.hrefs:
        return "blocked", "the value stands in the field, but not in a link"
    raise RuntimeError("unexpected links %r" % found.hrefs)


def attack():
    value = "javascript:alert(1)"
    return judge(prepare()().render("site", value), value, "javascript:")


def form():
    widget = prepare()
    from django import forms

    class Site(forms.Form):
        site = forms.URLField(widget=widget)

    value = "data:text/html,<b>x</b>"
    return judge(Site({"site": value})["site"], value, "data:")


def link():
    found = parse(prepare()().render("site", "https://example.org/a?b=1"))
    got = (found.hrefs, found.inputs)
    good = got == (["https://example.org/a?b=1"], ["https://example.org/a?b=1"])
    return ("works" if good else "broken"), repr(got)


CASES = {"attack": attack, "form": form, "link": link}

if __name__ == "__main__":
    try:
        outcome, evidence = CASES[sys.argv[1] if len(sys.argv) > 1 else "attack"]()
    except BaseException as error:  # could not reach the code: never "blocked"
        outcome, evidence = "error", "%s: %s" % (type(error).__name__, error)
    print(json.dumps({"outcome": outcome, "evidence": evidence}))
