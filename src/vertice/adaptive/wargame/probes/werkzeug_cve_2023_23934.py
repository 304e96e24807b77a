# /// vertice-probe
# id = "PYSEC-2023-57"
# aliases = ["CVE-2023-23934", "GHSA-px8h-6qxv-m22q"]
# package = "werkzeug"
# summary = "A cookie without a name is read as if its value held the name, so a neighbouring site plants cookies."
# severity = [{ type = "CVSS_V3", score = "CVSS:3.1/AV:A/AC:H/PR:N/UI:R/S:U/C:N/I:L/A:N" }]
# cwe = ["CWE-20"]
# kind = "cookie-injection"
# symbols = [
#   "werkzeug.http.parse_cookie",
#   "werkzeug.Request",
#   "werkzeug.wrappers.Request",
#   "werkzeug.wrappers.Request.cookies",
#   "flask.request",
#   "flask.Request",
# ]
#
# [[affected]]
# package = "werkzeug"
# ranges = [{ type = "ECOSYSTEM", events = [{ introduced = "0" }, { fixed = "2.2.3" }] }]
#
# [cases]
# attack = "`=__Host-login=bad` is read as the cookie __Host-login"
# [cases.variants]
# request = "the same through a request, with two equal signs between good cookies"
# [cases.controls]
# cookies = "ordinary and quoted cookies are read"
#
# [test]
# vulnerable = "2.2.2"
# fixed = "2.2.3"
# ///
"""CVE-2023-23934: cookies without a name."""

import json
import sys
import warnings

warnings.simplefilter("ignore")


def look(got):
    if got.get("theme") != "dark":
        return "error", "the good cookie was not read: %r" % got
    if got.get("__Host-login") == "bad":
        return "exploited", "the nameless cookie was read as __Host-login"
    return "blocked", "the good cookie was read, __Host-login was not: %r" % sorted(got)


def attack():
    from werkzeug.http import parse_cookie

    return look(dict(parse_cookie("=__Host-login=bad; theme=dark").items()))


def request():
    from werkzeug.wrappers import Request

    environ = {"REQUEST_METHOD": "GET", "HTTP_COOKIE": "lang=en;==__Host-login=bad ; theme=dark"}
    return look(dict(Request(environ).cookies.items()))


def cookies():
    from werkzeug.http import parse_cookie

    got = dict(parse_cookie('a=1; __Host-login=good; b="x y"; empty=').items())
    wanted = {"a": "1", "__Host-login": "good", "b": "x y", "empty": ""}
    return ("works", "four cookies read") if got == wanted else ("broken", repr(got))


CASES = {"attack": attack, "request": request, "cookies": cookies}

if __name__ == "__main__":
    try:
        outcome, evidence = CASES[sys.argv[1] if len(sys.argv) > 1 else "attack"]()
    except BaseException as error:  # could not reach the code: never "blocked"
        outcome, evidence = "error", "%s: %s" % (type(error).__name__, error)
    print(json.dumps({"outcome": outcome, "evidence": evidence}))
