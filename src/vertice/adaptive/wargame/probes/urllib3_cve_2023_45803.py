# /// vertice-probe
# id = "PYSEC-2023-212"
# aliases = ["CVE-2023-45803", "GHSA-g4mx-q9vg-27p4"]
# package = "urllib3"
# summary = "The body of a request is sent again after a redirect that turns it into a GET, maybe to another site."
# severity = [{ type = "CVSS_V3", score = "CVSS:3.1/AV:A/AC:H/PR:H/UI:N/S:U/C:H/I:N/A:N" }]
# cwe = ["CWE-200"]
# kind = "leak"
# symbols = [
#   "urllib3.request",
#   "urllib3.PoolManager",
#   "urllib3.PoolManager.request",
#   "urllib3.PoolManager.urlopen",
#   "urllib3.HTTPConnectionPool",
#   "urllib3.connectionpool.HTTPConnectionPool.urlopen",
#   "urllib3.poolmanager.PoolManager",
# ]
#
# [[affected]]
# package = "urllib3"
# ranges = [
#   { type = "ECOSYSTEM", events = [
#     { introduced = "2.0.0" },
#     { fixed = "2.0.7" },
#     { introduced = "0" },
#     { fixed = "1.26.18" },
#   ] },
# ]
#
# [cases]
# attack = "a POST that is redirected with 303 to another host carries its body along"
# [cases.variants]
# connection_pool = "the same within one connection pool for a PUT of form fields"
# [cases.controls]
# keep_method = "a 307 redirect keeps method and body, a 303 answer ends in a GET"
#
# [test]
# vulnerable = "2.0.6"
# fixed = "2.0.7"
# ///
"""CVE-2023-45803: a request body survives the change to GET."""

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


def look(seen):
    if [(path, method) for path, method, _, _ in seen[1:]] != [("/end", "GET")] or b"secret" not in seen[0][3]:
        return "error", "the redirect was not followed with GET: %r" % (seen,)
    _, _, headers, body = seen[1]
    if b"secret" in body:
        return "exploited", "the GET after the redirect carried the body"
    if headers.get("content-length", "0") != "0" or "content-type" in headers:
        return "error", "no body, yet headers of one: %r" % headers
    return "blocked", "the GET after the redirect had no body and none of its headers"


def attack():
    import urllib3

    first, second = Site("127.0.0.1"), Site("127.0.0.2")
    first.redirects["/start"] = 303, second.url + "/end"
    headers = {"Content-Type": "text/plain"}
    urllib3.PoolManager().request("POST", first.url + "/start", body=b"pin=secret", headers=headers)
    return look(first.seen + second.seen)


def connection_pool():
    import urllib3

    site = Site("127.0.0.1")
    site.redirects["/start"] = 303, "/end"
    urllib3.connection_from_url(site.url).request("PUT", "/start", fields={"pin": "secret"})
    return look(site.seen)


def keep_method():
    import urllib3

    site = Site("127.0.0.1")
    site.redirects["/start"], site.redirects["/other"] = (307, "/end"), (303, "/end")
    pool = urllib3.PoolManager()
    status = pool.request("POST", site.url + "/start", body=b"hello").status
    pool.request("POST", site.url + "/other")
    got = status, [(path, method, body) for path, method, _, body in site.seen]
    wanted = [("/start", "POST", b"hello"), ("/end", "POST", b"hello"), ("/other", "POST", b""), ("/end", "GET", b"")]
    return ("works", "307 kept the body, 303 became GET") if got == (200, wanted) else ("broken", repr(got))


CASES = {"attack": attack, "connection_pool": connection_pool, "keep_method": keep_method}

if __name__ == "__main__":
    try:
        outcome, evidence = CASES[sys.argv[1] if len(sys.argv) > 1 else "attack"]()
    except BaseException as error:  # could not reach the code: never "blocked"
        outcome, evidence = "error", "%s: %s" % (type(error).__name__, error)
    print(json.dumps({"outcome": outcome, "evidence": evidence}))
