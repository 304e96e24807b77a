"""Runs a project's tests inside the arena and prints what came out as one JSON line. Runs on old interpreters too.

Usage: run_tests.py '{"command": [...], "sites": ["path/to/file.py", ...]}'
The project is mounted read-only at /project; tests get a copy in the working directory that they may write to.
"""

import json
import os
import shutil
import subprocess
import sys
from xml.etree import ElementTree

COPY = os.path.join(os.getcwd(), "project")
JUNIT = os.path.join(os.getcwd(), "junit.xml")
DATA = os.path.join(os.getcwd(), "coverage.data")
COVERAGE_JSON = os.path.join(os.getcwd(), "coverage.json")


def with_reports(command, files):
    """Add the JUnit report and, where a line is to be looked at, coverage; a command that is not pytest stays."""
    if command[:3] != ["python", "-m", "pytest"]:
        return [sys.executable] + command[1:] if command[0] == "python" else command
    measured = ["-m", "coverage", "run", "--rcfile=/dev/null", "--data-file=" + DATA, "--include=" + ",".join(files)]
    pytest = ["-m", "pytest", "--junitxml=" + JUNIT, "-o", "junit_family=xunit2", "-p", "no:cacheprovider"]
    return [sys.executable] + (measured if files else []) + pytest + command[3:]


def results():
    """Test id -> passed, failed, error or skipped, from the JUnit report."""
    if not os.path.exists(JUNIT):
        return {}
    found = {}
    for case in ElementTree.parse(JUNIT).iter("testcase"):
        name = "%s::%s" % (case.get("classname", ""), case.get("name", ""))
        kinds = {child.tag for child in case}
        result = next((tag for tag in ("error", "failure", "skipped") if tag in kinds), "passed")
        result = "failed" if result == "failure" else result
        # A test may stand twice (an error at teardown beside its pass): the worse one counts.
        found[name] = max(found.get(name, "passed"), result, key=("passed", "skipped", "failed", "error").index)
    return found


def executed(files):
    """Path -> lines that ran, of the files that were measured."""
    if not files or not os.path.exists(DATA):
        return {}
    options = ["-q", "--rcfile=/dev/null", "--data-file=" + DATA, "-o", COVERAGE_JSON]
    if subprocess.call(
        [sys.executable, "-m", "coverage", "json"] + options,
        cwd=COPY,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    ):
        return {}
    with open(COVERAGE_JSON) as stream:
        return {path: facts["executed_lines"] for path, facts in json.load(stream)["files"].items()}


def main():
    asked = json.loads(sys.argv[1])
    shutil.copytree("/project", COPY, symlinks=True)
    paths = [path for path in (os.path.join(COPY, "src"), COPY) if os.path.isdir(path)]
    environment = dict(os.environ, PYTHONPATH=os.pathsep.join(paths))
    with open("output.txt", "wb") as output:
        returncode = subprocess.call(
            with_reports(asked["command"], asked["sites"]),
            cwd=COPY,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
        )
    with open("output.txt", "rb") as output:
        tail = output.read()[-4000:].decode("utf-8", "replace")
    told = {"returncode": returncode, "results": results(), "executed": executed(asked["sites"]), "tail": tail}
    print("\n" + json.dumps(told))


if __name__ == "__main__":
    main()
