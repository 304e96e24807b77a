# /// vertice-probe
# id = "PYSEC-2019-17"
# aliases = ["CVE-2019-3498", "GHSA-337x-4q8g-prc5"]
# package = "django"
# summary = """\
#   The default page for missing addresses repeats the address as it is, so a crafted link makes the site show a \
#   text of the attacker's."""
# severity = [{ type = "CVSS_V3", score = "CVSS:3.1/AV:N/AC:L/PR:N/UI:R/S:U/C:N/I:H/A:N" }]
# cwe = ["CWE-74"]
# kind = "content-spoofing"
# symbols = ["django.views.defaults.page_not_found", "django.conf.urls.handler404"]
#
# [[affected]]
# package = "django"
# ranges = [{ type = "ECOSYSTEM", events = [
#   { introduced = "1.11" },
#   { fixed = "1.11.18" },
#   { introduced = "2.0" },
#   { fixed = "2.0.10" },
#   { introduced = "2.1" },
#   { fixed = "2.1.5" },
# ] }]
#
# [cases]
# attack = "a sentence in the address stands on the built-in 404 page"
# [cases.variants]
# template = "the same on a page from the site's own 404.html with request_path"
# [cases.controls]
# pages = "an existing page gives 200, a missing one the 404 page"
#
# [test]
# vulnerable = "2.1.4"
# fixed = "2.1.5"
# python = "<3.12"
# ///
"""CVE-2019-3498: content spoofing on the 404 page."""

import collections
import collections.abc
import json
import sys
from wsgiref.util import setup_testing_defaults

for _name in collections.abc.__all__:  # Django of that time wants them where they were before Python 3.10
    if not hasattr(collections, _name):
        setattr(collections, _name, getattr(collections.abc, _name))

LURE = "Your account is locked, call 555 0100"


def patterns():
    from django.http import HttpResponse

    try:
        from django.urls import re_path
    except ImportError:  # before 2.0
        from django.conf.urls import url as re_path

    return [re_path("^page$", lambda request: HttpResponse("page"))]


TEMPLATES = []


def call(path, middleware=()):
    """Status, headers and body that a small Django site gives for a path as it comes from the web server."""
    import django
    from django.conf import settings
    from django.core.handlers.wsgi import WSGIHandler

    if not settings.configured:
        settings.configure(
            SECRET_KEY="probe",
            ALLOWED_HOSTS=["*"],
            ROOT_URLCONF=__name__,
            MIDDLEWARE=list(middleware),
            LOGGING_CONFIG=None,
            TEMPLATES=TEMPLATES,
        )
        django.setup()
        globals()["urlpatterns"] = patterns()
    environ = {"PATH_INFO": path}
    setup_testing_defaults(environ)
    seen = []
    body = b"".join(WSGIHandler()(environ, lambda status, headers, *rest: seen.append((status, dict(headers)))))
    return int(seen[0][0].split()[0]), seen[0][1], body.decode()


def judge(sign, instead=""):
    """`sign`, the template's own text, must be on the page; `instead` what a fixed release makes of the address."""
    status, _, body = call("/" + LURE + "/")
    if status != 404 or sign not in body:
        raise RuntimeError("no 404 page: %d %r" % (status, body))
    if LURE in body:
        return "exploited", "the 404 page says: %s" % LURE
    if instead not in body:
        raise RuntimeError("the 404 page has no address at all: %r" % body)
    return "blocked", "the 404 page does not repeat the sentence from the address"


def attack():
    return judge("Not Found")


def template():
    loader = ("django.template.loaders.locmem.Loader", {"404.html": "<h1>Gone</h1>{{ request_path }}"})
    backend = "django.template.backends.django.DjangoTemplates"
    TEMPLATES.append({"BACKEND": backend, "OPTIONS": {"loaders": [loader]}})
    return judge("Gone", "Your%20account")


def pages():
    got = (call("/page")[0::2], call("/missing")[0], "Not Found" in call("/missing")[2])
    return ("works" if got == ((200, "page"), 404, True) else "broken"), repr(got)


CASES = {"attack": attack, "template": template, "pages": pages}

if __name__ == "__main__":
    try:
        outcome, evidence = CASES[sys.argv[1] if len(sys.argv) > 1 else "attack"]()
    except BaseException as error:  # could not reach the code: never "blocked"
        outcome, evidence = "error", "%s: %s" % (type(error).__name__, error)
    print(json.dumps({"outcome": outcome, "evidence": evidence}))
