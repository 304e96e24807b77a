# /// vertice-probe
# id = "PYSEC-2022-204"
# aliases = ["CVE-2022-24065", "GHSA-f4q6-9qm4-h8j4", "SNYK-PYTHON-COOKIECUTTER-2414281"]
# package = "cookiecutter"
# summary = """\
#   The checkout name is handed to Mercurial without an end-of-options mark, so a name that begins with dashes is \
#   taken as an option, and Mercurial's options can run commands."""
# severity = [{ type = "CVSS_V3", score = "CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:H/I:H/A:H" }]
# cwe = ["CWE-77", "CWE-88"]
# kind = "argument-injection"
# symbols = ["cookiecutter.main.cookiecutter", "cookiecutter.vcs.clone", "cookiecutter.repository.determine_repo_dir"]
#
# [[affected]]
# package = "cookiecutter"
# ranges = [{ type = "ECOSYSTEM", events = [{ introduced = "0" }, { fixed = "2.1.1" }] }]
#
# [cases]
# attack = "a checkout name reaches a stand-in hg as its --config option"
# [cases.variants]
# repository = "the same through determine_repo_dir with another option"
# [cases.controls]
# tag = "an ordinary tag name reaches hg checkout as its revision"
#
# [test]
# vulnerable = "2.1.0"
# fixed = "2.1.1"
# ///
"""CVE-2022-24065: a checkout name that Mercurial takes for an option."""

import json
import os
import stat
import sys
import tempfile

BASE = tempfile.mkdtemp()
LOG = os.path.join(BASE, "log")
# records its arguments, and makes the folder that a clone would make
HG = """#!%s
import json, os, sys
with open(%r, "a") as log:
    log.write(json.dumps(sys.argv[1:]) + "\\n")
if sys.argv[1] == "clone":
    os.makedirs("template")
    open(os.path.join("template", "cookiecutter.json"), "w").write("{}")
"""


def calls(run):
    """The argument lists which a stand-in for hg was called with."""
    folder = os.path.join(BASE, "bin")
    os.makedirs(folder, exist_ok=True)
    program = os.path.join(folder, "hg")
    with open(program, "w") as stream:
        stream.write(HG % (sys.executable, LOG))
    os.chmod(program, os.stat(program).st_mode | stat.S_IXUSR)
    os.environ["PATH"] = folder + os.pathsep + os.environ.get("PATH", os.defpath)
    run(tempfile.mkdtemp(dir=BASE))
    with open(LOG) as stream:
        return [json.loads(line) for line in stream]


def judge(made, name):
    if [args[0] for args in made] != ["clone", "checkout"]:
        raise RuntimeError("unexpected calls of hg: %r" % made)
    args = made[1][1:]
    if name in args and "--" not in args[: args.index(name)]:
        return "exploited", "hg takes it as an option: hg checkout %s" % " ".join(args)
    if args == ["--", name]:
        return "blocked", "hg takes it as a revision: hg checkout -- %s" % name
    raise RuntimeError("unexpected arguments %r" % args)


def attack():
    from cookiecutter.vcs import clone

    name = "--config=alias.checkout=!echo"
    made = calls(lambda where: clone("hg+https://127.0.0.1/template", name, where, no_input=True))
    return judge(made, name)


def repository():
    from cookiecutter.repository import determine_repo_dir

    name = "--debugger"
    made = calls(lambda where: determine_repo_dir("hg+https://127.0.0.1/template", {}, where, name, True))
    return judge(made, name)


def tag():
    from cookiecutter.vcs import clone

    made = calls(lambda where: clone("hg+https://127.0.0.1/template", "v1.0", where, no_input=True))
    good = [args[0] for args in made] == ["clone", "checkout"] and made[1][-1] == "v1.0"
    return ("works" if good else "broken"), json.dumps(made[1:])


CASES = {"attack": attack, "repository": repository, "tag": tag}

if __name__ == "__main__":
    try:
        outcome, evidence = CASES[sys.argv[1] if len(sys.argv) > 1 else "attack"]()
    except BaseException as error:  # could not reach the code: never "blocked"
        outcome, evidence = "error", "%s: %s" % (type(error).__name__, error)
    print(json.dumps({"outcome": outcome, "evidence": evidence}))
