# /// vertice-probe
# id = "PYSEC-2021-7"
# aliases = ["CVE-2021-31542", "GHSA-rxjp-mfm9-w4wr"]
# package = "django"
# summary = """\
#   Names of uploaded files and of files to be saved may contain '..', so a storage that trusts them writes outside \
#   its folder."""
# severity = [{ type = "CVSS_V3", score = "CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:N/I:H/A:N" }]
# cwe = ["CWE-22"]
# kind = "traversal"
# symbols = [
#   "django.core.files.storage.Storage",
#   "django.core.files.uploadedfile.UploadedFile",
#   "django.db.models.FileField",
#   "django.http.multipartparser.MultiPartParser",
# ]
#
# [[affected]]
# package = "django"
# ranges = [{ type = "ECOSYSTEM", events = [
#   { introduced = "2.2" },
#   { fixed = "2.2.21" },
#   { introduced = "3.1" },
#   { fixed = "3.1.9" },
#   { introduced = "3.2" },
#   { fixed = "3.2.1" },
# ] }]
#
# [cases]
# attack = "Storage.save of a name with ../ writes outside the root"
# [cases.variants]
# upload_to = "an upload_to that gives such a name"
# multipart = "an upload named .. reaches the upload handler"
# [cases.controls]
# save = "files are saved in the root and in a folder"
#
# [test]
# vulnerable = "3.2"
# fixed = "3.2.1"
# python = "<3.12"
# ///
"""CVE-2021-31542: path traversal in file names."""

import io
import json
import os
import sys
import tempfile
from wsgiref.util import setup_testing_defaults


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


def upload(*parts):
    """The file names that a site's own upload handler gets; a part is what stands after `name="f"; `."""
    import django
    from django.conf import settings

    settings.configure(SECRET_KEY="probe")
    django.setup()
    from django.core.files.uploadhandler import FileUploadHandler
    from django.core.handlers.wsgi import WSGIRequest

    names = []

    class Handler(FileUploadHandler):
        def new_file(self, field_name, file_name, *args, **kwargs):
            names.append(file_name)

        def receive_data_chunk(self, raw_data, start):
            if raw_data != b"hello":
                raise RuntimeError("unexpected content %r" % raw_data)

        def file_complete(self, file_size):
            return None

    body = b""
    for part in parts:
        head = '--frontier\r\nContent-Disposition: form-data; name="f"; %s\r\n' % part
        body += head.encode() + b"Content-Type: text/plain\r\n\r\nhello\r\n"
    body += b"--frontier--\r\n"
    environ = {
        "REQUEST_METHOD": "POST",
        "CONTENT_TYPE": "multipart/form-data; boundary=frontier",
        "CONTENT_LENGTH": str(len(body)),
        "wsgi.input": io.BytesIO(body),
    }
    setup_testing_defaults(environ)
    request = WSGIRequest(environ)
    request.upload_handlers = [Handler(request)]
    request.FILES  # noqa: B018 - reading it parses the body
    return names


def attack():
    store = storage()
    from django.core.files.base import ContentFile

    return judge(lambda: store.save("docs/../../outside.txt", ContentFile(b"x")))


def upload_to():
    store = storage()
    from django.core.files.base import ContentFile
    from django.db.models import FileField

    field = FileField(upload_to=lambda instance, name: "docs/../../" + name, storage=store)
    return judge(lambda: store.save(field.generate_filename(None, "outside.txt"), ContentFile(b"x")))


def multipart():
    names = upload('filename=".."', 'filename="b.txt"')
    if names == ["..", "b.txt"]:
        return "exploited", "the upload handler gets the name .."
    if names == ["b.txt"]:
        return "blocked", "the upload named .. is dropped, the one beside it arrives"
    raise RuntimeError("unexpected names %r" % names)


def save():
    store = storage()
    from django.core.files.base import ContentFile

    names = [store.save("docs/a.txt", ContentFile(b"1")), store.save("b.txt", ContentFile(b"2"))]
    there = sorted(os.listdir(ROOT)) + os.listdir(os.path.join(ROOT, "docs"))
    good = names == ["docs/a.txt", "b.txt"] and there == ["b.txt", "docs", "a.txt"]
    return ("works" if good else "broken"), repr((names, there))


CASES = {"attack": attack, "upload_to": upload_to, "multipart": multipart, "save": save}

if __name__ == "__main__":
    try:
        outcome, evidence = CASES[sys.argv[1] if len(sys.argv) > 1 else "attack"]()
    except BaseException as error:  # could not reach the code: never "blocked"
        outcome, evidence = "error", "%s: %s" % (type(error).__name__, error)
    print(json.dumps({"outcome": outcome, "evidence": evidence}))
