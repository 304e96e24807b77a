"""The template that `vertice probe new` prints: a probe that is read and runs, and says `error` until it is written."""

import re

from packaging.utils import canonicalize_name

from vertice.kernel.errors import InputError
from vertice.kernel.text import printable

__all__ = ["template"]

_ID = re.compile(r"[A-Z][A-Z0-9]*(-[A-Za-z0-9]+)+")
_NAME = re.compile(r"[A-Za-z0-9]([A-Za-z0-9._-]*[A-Za-z0-9])?")

_TEMPLATE = '''# /// vertice-probe
# id = "{id}"
# aliases = []
# package = "{package}"
# summary = "What the hole lets an attacker do, in one sentence of your own."
# severity = [{{ type = "CVSS_V3", score = "CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:N/I:N/A:H" }}]
# cwe = ["CWE-400"]
# kind = "dos"
# symbols = ["{module}.function"]
#
# [[affected]]
# package = "{package}"
# ranges = [{{ type = "ECOSYSTEM", events = [{{ introduced = "0" }}, {{ fixed = "1.0" }}] }}]
#
# [cases]
# attack = "the published way in"
# [cases.variants]
# other-way = "another entry point or encoding, not another string"
# [cases.controls]
# ordinary = "what users do all day, which has to go on working"
#
# [test]
# vulnerable = "0.9"
# fixed = "1.0"
# ///
"""{id}: how the attack works, for whoever reads this next."""

import json
import sys


def attack():
    import {module}

    # Attack on marker files, loopback, timings. Return "blocked" only when the vulnerable code was reached and refused.
    raise NotImplementedError({module})


def other_way():
    import {module}

    raise NotImplementedError({module})


def ordinary():
    import {module}

    # Return "works" or "broken".
    raise NotImplementedError({module})


CASES = {{"attack": attack, "other-way": other_way, "ordinary": ordinary}}

if __name__ == "__main__":
    try:
        outcome, evidence = CASES[sys.argv[1] if len(sys.argv) > 1 else "attack"]()
    except BaseException as error:  # could not reach the code: never "blocked"
        outcome, evidence = "error", "%s: %s" % (type(error).__name__, error)
    print(json.dumps({{"outcome": outcome, "evidence": evidence}}))
'''


def template(name: str, package: str) -> str:
    """Return a probe for advisory `name` and `package` to start from. Raises InputError when either is no name."""
    if not _ID.fullmatch(name):
        raise InputError(f"{printable(name, limit=80)} is no advisory id", todo="Give it like CVE-2024-12345.")
    if not _NAME.fullmatch(package):
        raise InputError(f"{printable(package, limit=80)} is no package name", where="--package", todo="Give its name.")
    normal = canonicalize_name(package)
    return _TEMPLATE.format(id=name, package=normal, module=normal.replace("-", "_"))
