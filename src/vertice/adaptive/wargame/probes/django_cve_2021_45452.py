# /// vertice-probe
# id = "PYSEC-2022-3"
# aliases = ["CVE-2021-45452", "GHSA-jrh2-hc4r-7jwx"]
# package = "django"
# summary = """\
#   Storage.save does not look for '..' between backslashes, so a crafted file name leaves the folder or comes back \
#   as a path that does."""
# severity = [{ type = "CVSS_V3", score = "CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:N/I:L/A:N" }]
# cwe = ["CWE-22"]
# kind = "traversal"
# symbols = [
#   "django.core.files.storage.Storage.save",
#   "django.core.files.storage.Storage",
#   "django.core.files.storage.FileSystemStorage",
# ]
#
# [[affected]]
# package = "django"
# ranges = [{ type = "ECOSYSTEM", events = [
#   { introduced = "2.2" },
#   { fixed = "2.2.26" },
#   { introduced = "3.2" },
#   { fixed = "3.2.11" },
#   { introduced = "4.0" },
#   { fixed = "4.0.1" },
# ] }]
#
# [cases]
# attack = "a name with ..\\ between backslashes writes outside the root of a site's own storage"
# [cases.variants]
# returned = "FileSystemStorage gives back a name with ../ for such a file"
# [cases.controls]
# save = "files are saved in folders of the root"
#
# [test]
# vulnerable = "4.0"
# fixed = "4.0.1"
# python = "<3.13"
# ///
"""CVE-2021-45452: path traversal with backslashes."""

import json
import os
import sys
import tempfile


BASE = os.path.realpath(tempfile.mkdtemp())
ROOT = os.path.join(BASE, "root")
OUTSIDE = os.path.join(BASE, "outside.txt")


def storage(**methods):
    """A site's own storage, which writes where the name says below its root, on a system with backslashes in paths."""
    import django
    from django.conf import settings

    settings.configure(SECRET_KEY="probe")
    django.setup()
    from django.core.files.storage import Storage

    class Plain(Storage):
        def _save(self, name, content):
            path = os.path.join(ROOT, *name.replace("\\", "/").split("/"))
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
    store = storage()
    from django.core.files.base import ContentFile

    return judge(lambda: store.save("docs\\..\\..\\outside.txt", ContentFile(b"x")))


def returned():
    storage()
    from django.core.exceptions import SuspiciousFileOperation
    from django.core.files.base import ContentFile
    from django.core.files.storage import FileSystemStorage

    try:
        name = FileSystemStorage(ROOT).save("..\\outside.txt", ContentFile(b"x"))
    except SuspiciousFileOperation as error:
        return "blocked", "SuspiciousFileOperation: %s" % error
    if name == "../outside.txt":
        return "exploited", "FileSystemStorage gives back the name %s for later use" % name
    raise RuntimeError("unexpected name %r" % name)


def save():
    store = storage()
    from django.core.files.base import ContentFile
    from django.core.files.storage import FileSystemStorage

    names = [store.save("docs/a.txt", ContentFile(b"1")), FileSystemStorage(ROOT).save("b/c.txt", ContentFile(b"2"))]
    there = [os.path.exists(os.path.join(ROOT, name)) for name in names]
    return ("works" if names == ["docs/a.txt", "b/c.txt"] and all(there) else "broken"), repr((names, there))


CASES = {"attack": attack, "returned": returned, "save": save}

if __name__ == "__main__":
    try:
        outcome, evidence = CASES[sys.argv[1] if len(sys.argv) > 1 else "attack"]()
    except BaseException as error:  # could not reach the code: never "blocked"
        outcome, evidence = "error", "%s: %s" % (type(error).__name__, error)
    print(json.dumps({"outcome": outcome, "evidence": evidence}))
