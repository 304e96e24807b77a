# /// vertice-probe
# id = "PYSEC-2024-71"
# aliases = ["CVE-2024-6221"]
# package = "flask-cors"
# summary = """\
#   Every response that the extension handles allows access from public sites to the private network when the \
#   browser asks, without the application having chosen so."""
# severity = [{ type = "CVSS_V3", score = "CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:H/I:N/A:N" }]
# cwe = ["CWE-284"]
# kind = "policy-bypass"
# symbols = ["flask_cors.CORS", "flask_cors.cross_origin"]
#
# [[affected]]
# package = "flask-cors"
# ranges = [{ type = "ECOSYSTEM", events = [{ introduced = "0" }, { fixed = "5.0.0" }] }]
#
# [cases]
# attack = "a request that asks for private network access gets it from a default CORS(app)"
# [cases.variants]
# preflight = "the same in the preflight of a view with @cross_origin"
# [cases.controls]
# origin = "an allowed origin gets its header, another one does not"
#
# [test]
# vulnerable = "4.0.1"
# fixed = "5.0.0"
# with = ["flask==2.2.5", "werkzeug==2.2.3"]
# ///
"""CVE-2024-6221: private network access allowed by default."""

import json
import sys

ASK = {"Origin": "https://shop.example", "Access-Control-Request-Private-Network": "true"}


def client():
    import flask
    import flask_cors

    app = flask.Flask("probe")
    flask_cors.CORS(app, resources={"/api": {}, "/own": {"origins": "https://shop.example"}})

    @app.route("/api")
    def api():
        return "data"

    @app.route("/own")
    def own():
        return "data"

    @app.route("/view", methods=["PUT"])
    @flask_cors.cross_origin(origins="https://shop.example", methods=["PUT"])
    def view():
        return "data"

    return app.test_client()


def judge(answer):
    if not answer.headers.get("Access-Control-Allow-Origin"):
        raise RuntimeError("the extension did not handle the request: %r" % dict(answer.headers))
    allowed = answer.headers.get("Access-Control-Allow-Private-Network")
    if allowed == "true":
        return "exploited", "Access-Control-Allow-Private-Network: true"
    if allowed in (None, "false"):
        return "blocked", "Access-Control-Allow-Private-Network: %s, while the origin is allowed" % allowed
    raise RuntimeError("unexpected value %r" % allowed)


def attack():
    return judge(client().get("/api", headers=ASK))


def preflight():
    answer = client().options("/view", headers=dict(ASK, **{"Access-Control-Request-Method": "PUT"}))
    if "PUT" not in answer.headers.get("Access-Control-Allow-Methods", ""):
        raise RuntimeError("no preflight answer: %r" % dict(answer.headers))
    return judge(answer)


def origin():
    browser = client()
    good = browser.get("/own", headers={"Origin": "https://shop.example"})
    bad = browser.get("/own", headers={"Origin": "https://evil.example"})
    got = (good.headers.get("Access-Control-Allow-Origin"), bad.headers.get("Access-Control-Allow-Origin"))
    return ("works" if got == ("https://shop.example", None) else "broken"), repr(got)


CASES = {"attack": attack, "preflight": preflight, "origin": origin}

if __name__ == "__main__":
    try:
        outcome, evidence = CASES[sys.argv[1] if len(sys.argv) > 1 else "attack"]()
    except BaseException as error:  # could not reach the code: never "blocked"
        outcome, evidence = "error", "%s: %s" % (type(error).__name__, error)
    print(json.dumps({"outcome": outcome, "evidence": evidence}))
