# /// vertice-probe
# id = "PYSEC-2018-32"
# aliases = ["CVE-2018-20060", "GHSA-www2-v7xj-xrc6"]
# package = "urllib3"
# summary = "The Authorization header stays on when a redirect leads to another host, port or scheme."
# severity = [{ type = "CVSS_V3", score = "CVSS:3.0/AV:N/AC:L/PR:N/UI:N/S:U/C:H/I:H/A:H" }]
# cwe = ["CWE-522"]
# kind = "leak"
# symbols = [
#   "urllib3.PoolManager",
#   "urllib3.PoolManager.request",
#   "urllib3.PoolManager.urlopen",
#   "urllib3.ProxyManager",
#   "urllib3.poolmanager.PoolManager",
# ]
#
# [[affected]]
# package = "urllib3"
# ranges = [{ type = "ECOSYSTEM", events = [{ introduced = "0" }, { fixed = "1.23" }] }]
#
# [cases]
# attack = "a redirect to another host carries the Authorization header along"
# [cases.variants]
# other_port = "the same for another port of the same host, the header being a default of the pool"
# lower_case = "the same with the header's name in lower case"
# [cases.controls]
# same_origin = "a redirect within the same origin keeps the header"
#
# [test]
# vulnerable = "1.22"
# fixed = "1.24.2"
# python = ">=3.7,<3.12"
# ///
"""CVE-2018-20060: credentials follow a redirect to another site.

1.23 takes the header away only if it is spelled `Authorization`; 1.24.2 is the first release that ignores case
(that rest has a number of its own, CVE-2018-25091).
"""

import collections
import collections.abc
import http.server
import json
import sys
import threading
import warnings

warnings.simplefilter("ignore")
for moved in ("Mapping", "MutableMapping"):  # these releases look for them where they were until Python 3.9
    if not hasattr(collections, moved):
        setattr(collections, moved, getattr(collections.abc, moved))


class Site(object):
    """A web server on a loopback address: redirects by path, notes method, headers and body of what it gets."""

    def __init__(self, host):
        self.redirects, self.seen = {}, []
        site = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self):
                body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
                headers = {name.lower(): value for name, value in self.headers.items()}
                site.seen.append((self.path, self.command, headers, body))
                status, target = site.redirects.get(self.path, (200, None))
                self.send_response(status)
                if target:
                    self.send_header("Location", target)
                self.send_header("Content-Length", "0")
                self.end_headers()

            do_POST = do_PUT = do_GET

            def log_message(self, *args):
                pass

        server = http.server.ThreadingHTTPServer((host, 0), Handler)
        server.daemon_threads = True
        self.url = "http://%s:%d" % (host, server.server_address[1])
        threading.Thread(target=server.serve_forever, daemon=True).start()


def look(first, second):
    if len(first.seen) != 1 or "authorization" not in first.seen[0][2] or [got[0] for got in second.seen] != ["/end"]:
        return "error", "the redirect was not followed: %r %r" % (first.seen, second.seen)
    if "authorization" in second.seen[0][2]:
        return "exploited", "the other site got the Authorization header"
    return "blocked", "the redirect was followed without the Authorization header"


def attack():
    import urllib3

    first, second = Site("127.0.0.1"), Site("127.0.0.2")
    first.redirects["/start"] = 302, second.url + "/end"
    urllib3.PoolManager().request("GET", first.url + "/start", headers={"Authorization": "Basic secret"})
    return look(first, second)


def other_port():
    import urllib3

    first, second = Site("127.0.0.1"), Site("127.0.0.1")
    first.redirects["/start"] = 307, second.url + "/end"
    urllib3.PoolManager(headers={"Authorization": "Bearer secret"}).request("GET", first.url + "/start")
    return look(first, second)


def lower_case():
    import urllib3

    first, second = Site("127.0.0.1"), Site("127.0.0.2")
    first.redirects["/start"] = 302, second.url + "/end"
    urllib3.PoolManager().request("GET", first.url + "/start", headers={"authorization": "Basic secret"})
    return look(first, second)


def same_origin():
    import urllib3

    site = Site("127.0.0.1")
    site.redirects["/start"] = 302, "/end"
    urllib3.PoolManager().request("GET", site.url + "/start", headers={"Authorization": "Basic secret"})
    got = [(path, headers.get("authorization")) for path, _, headers, _ in site.seen]
    good = got == [("/start", "Basic secret"), ("/end", "Basic secret")]
    return ("works", "redirected with the header") if good else ("broken", repr(got))


CASES = {"attack": attack, "other_port": other_port, "lower_case": lower_case, "same_origin": same_origin}

if __name__ == "__main__":
    try:
        outcome, evidence = CASES[sys.argv[1] if len(sys.argv) > 1 else "attack"]()
    except BaseException as error:  # could not reach the code: never "blocked"
        outcome, evidence = "error", "%s: %s" % (type(error).__name__, error)
    print(json.dumps({"outcome": outcome, "evidence": evidence}))
