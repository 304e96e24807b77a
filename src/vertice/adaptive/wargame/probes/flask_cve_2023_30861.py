# /// vertice-probe
# id = "PYSEC-2023-62"
# aliases = ["CVE-2023-30861", "GHSA-m2qf-hxjv-5gpq"]
# package = "flask"
# summary = """\
#   A response that only refreshes a permanent session sets the cookie without Vary: Cookie, so a caching proxy can \
#   hand one visitor's session to another."""
# severity = [{ type = "CVSS_V3", score = "CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:H/I:N/A:N" }]
# cwe = ["CWE-539", "CWE-488"]
# kind = "leak"
# symbols = ["flask.Flask", "flask.session", "flask.sessions.SecureCookieSessionInterface"]
#
# [[affected]]
# package = "flask"
# ranges = [{ type = "ECOSYSTEM", events = [
#   { introduced = "0" },
#   { fixed = "2.2.5" },
#   { introduced = "2.3.0" },
#   { fixed = "2.3.2" },
# ] }]
#
# [cases]
# attack = "a page that does not touch the session sends the visitor's session cookie without Vary: Cookie"
# [cases.variants]
# logout = "clearing the session deletes the cookie without Vary: Cookie"
# [cases.controls]
# login = "the session is kept between requests and pages that read it carry Vary: Cookie"
#
# [test]
# vulnerable = "2.2.4"
# fixed = "2.2.5"
# with = ["werkzeug==2.2.3"]
# ///
"""CVE-2023-30861: session cookies in responses that caches may share."""

import json
import sys


def client():
    import flask

    app = flask.Flask("probe")
    app.secret_key = b"probe"

    @app.route("/login")
    def login():
        flask.session["user"] = "alice"
        flask.session.permanent = True
        return "in"

    @app.route("/me")
    def me():
        return flask.session.get("user", "nobody")

    @app.route("/public")
    def public():
        return "for everybody"

    @app.route("/logout")
    def logout():
        flask.session.clear()
        return "out"

    browser = app.test_client()
    browser.get("/login")
    if browser.get("/me").get_data(as_text=True) != "alice":
        raise RuntimeError("the session is not kept")
    return browser


def judge(path, body):
    answer = client().get(path)
    if answer.get_data(as_text=True) != body:
        raise RuntimeError("unexpected page %r" % answer.get_data())
    cookie = answer.headers.get("Set-Cookie", "")
    if not cookie.startswith("session="):
        raise RuntimeError("the response sets no session cookie: %r" % cookie)
    if "cookie" in [field.strip().lower() for field in answer.headers.get("Vary", "").split(",")]:
        return "blocked", "%s sets the session cookie with Vary: Cookie" % path
    return "exploited", "%s sets the session cookie without Vary: Cookie" % path


def attack():
    return judge("/public", "for everybody")


def logout():
    return judge("/logout", "out")


def login():
    browser = client()
    answer = browser.get("/me")
    good = answer.get_data(as_text=True) == "alice" and "Cookie" in answer.headers.get("Vary", "")
    browser.get("/logout")
    good = good and browser.get("/me").get_data(as_text=True) == "nobody"
    return ("works", "alice is known until she logs out") if good else ("broken", repr(dict(answer.headers)))


CASES = {"attack": attack, "logout": logout, "login": login}

if __name__ == "__main__":
    try:
        outcome, evidence = CASES[sys.argv[1] if len(sys.argv) > 1 else "attack"]()
    except BaseException as error:  # could not reach the code: never "blocked"
        outcome, evidence = "error", "%s: %s" % (type(error).__name__, error)
    print(json.dumps({"outcome": outcome, "evidence": evidence}))
