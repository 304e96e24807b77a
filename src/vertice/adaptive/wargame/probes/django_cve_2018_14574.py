# /// vertice-probe
# id = "PYSEC-2018-2"
# aliases = ["CVE-2018-14574", "GHSA-5hg3-6c2f-f3wr"]
# package = "django"
# summary = """\
#   CommonMiddleware appends a slash to a path that begins with two slashes and redirects there, which browsers take \
#   for another host."""
# severity = [{ type = "CVSS_V3", score = "CVSS:3.1/AV:N/AC:L/PR:N/UI:R/S:C/C:L/I:L/A:N" }]
# cwe = ["CWE-601"]
# kind = "open-redirect"
# symbols = ["django.middleware.common.CommonMiddleware"]
#
# [[affected]]
# package = "django"
# ranges = [{ type = "ECOSYSTEM", events = [
#   { introduced = "2.0" },
#   { fixed = "2.0.8" },
#   { introduced = "1.11" },
#   { fixed = "1.11.15" },
# ] }]
#
# [cases]
# attack = "//evil.example/x is redirected to an address on that host"
# [cases.variants]
# not_found = "the same when the middleware handles a 404 response"
# [cases.controls]
# slash = "a path without a slash is redirected to the one with it"
#
# [test]
# vulnerable = "2.0.7"
# fixed = "2.0.8"
# python = "<3.12"
# ///
"""CVE-2018-14574: open redirect by APPEND_SLASH."""

import collections
import collections.abc
import json
import sys
from wsgiref.util import setup_testing_defaults

for _name in collections.abc.__all__:  # Django of that time wants them where they were before Python 3.10
    if not hasattr(collections, _name):
        setattr(collections, _name, getattr(collections.abc, _name))


def patterns():
    from django.http import HttpResponse

    try:
        from django.urls import re_path
    except ImportError:  # before 2.0
        from django.conf.urls import url as re_path

    return [re_path("^(?P<rest>.*)/$", lambda request, rest: HttpResponse("page " + rest))]


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


def judge(location):
    if location.startswith("//evil.example"):
        return "exploited", "Location: %s" % location
    if location.lower().startswith("/%2fevil.example"):
        return "blocked", "Location: %s" % location
    raise RuntimeError("unexpected location %r" % location)


def attack():
    status, headers, _ = call("//evil.example/x", ["django.middleware.common.CommonMiddleware"])
    if status != 301:
        raise RuntimeError("the site answered %d" % status)
    return judge(headers["Location"])


def not_found():
    slash()
    from django.core.handlers.wsgi import WSGIRequest
    from django.http import HttpResponseNotFound
    from django.middleware.common import CommonMiddleware

    environ = {"PATH_INFO": "//evil.example", "QUERY_STRING": "a=1"}
    setup_testing_defaults(environ)
    answer = CommonMiddleware(lambda request: None).process_response(WSGIRequest(environ), HttpResponseNotFound())
    if answer.status_code != 301:
        raise RuntimeError("the middleware answered %d" % answer.status_code)
    return judge(answer["Location"])


def slash():
    common = ["django.middleware.common.CommonMiddleware"]
    status, headers, _ = call("/page", common)
    got = (status, headers.get("Location"), call("/page/", common)[2])
    return ("works" if got == (301, "/page/", "page page") else "broken"), repr(got)


CASES = {"attack": attack, "not_found": not_found, "slash": slash}

if __name__ == "__main__":
    try:
        outcome, evidence = CASES[sys.argv[1] if len(sys.argv) > 1 else "attack"]()
    except BaseException as error:  # could not reach the code: never "blocked"
        outcome, evidence = "error", "%s: %s" % (type(error).__name__, error)
    print(json.dumps({"outcome": outcome, "evidence": evidence}))
