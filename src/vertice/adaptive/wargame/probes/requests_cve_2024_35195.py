# /// vertice-probe
# id = "GHSA-9wx4-h78v-vm56"
# aliases = ["CVE-2024-35195"]
# package = "requests"
# summary = "Once a session calls a host without checking its certificate, later calls on the connection do not either."
# severity = [{ type = "CVSS_V3", score = "CVSS:3.1/AV:L/AC:H/PR:H/UI:R/S:U/C:H/I:H/A:N" }]
# cwe = ["CWE-670"]
# kind = "policy-bypass"
# symbols = ["requests.Session", "requests.session", "requests.Session.get", "requests.adapters.HTTPAdapter"]
#
# [[affected]]
# package = "requests"
# ranges = [{ type = "ECOSYSTEM", events = [{ introduced = "0" }, { fixed = "2.32.0" }] }]
#
# [cases]
# attack = "a call with verify=True is answered by a server with an unknown certificate after one with verify=False"
# [cases.variants]
# ca_file = "the same when the later call names a CA file that does not know the server"
# [cases.controls]
# trusted = "a server whose certificate is in the CA file is reached, twice over one connection"
#
# [test]
# vulnerable = "2.31.0"
# fixed = "2.32.2"
# ///
"""CVE-2024-35195: verify=False sticks to a kept connection.

2.32.0 and 2.32.1 are yanked; 2.32.2 is the first release with the fix that is not.
"""

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


def serve():
    """(URL, [number of answers], set of client ports) of a TLS server that keeps connections."""
    count, ports = [0], set()

    class Handler(http.server.BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self):
            count[0] += 1
            ports.add(self.client_address[1])
            self.send_response(200)
            self.send_header("Content-Length", "2")
            self.end_headers()
            self.wfile.write(b"ok")

        def log_message(self, *args):
            pass

    class Server(http.server.ThreadingHTTPServer):
        daemon_threads = True

        def handle_error(self, request, address):  # a client that turns away during the handshake
            pass

    server = Server(("127.0.0.1", 0), Handler)
    server.socket = tls_context().wrap_socket(server.socket, server_side=True)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    return "https://127.0.0.1:%d/" % server.server_address[1], count, ports


def direct():
    import requests

    session = requests.Session()
    session.trust_env = False
    return session


def call_and_look(verify):
    import requests

    url, count, _ = serve()
    session = direct()
    if session.get(url, verify=False).text != "ok":
        return "error", "the server was not reached"
    try:
        session.get(url, verify=verify)
    except requests.exceptions.SSLError as error:
        if "certificate verify failed" not in str(error).lower():
            raise
        if count[0] != 1:
            return "error", "refused, yet answered %d times" % count[0]
        return "blocked", "SSLError: the unknown certificate was refused on the second call"
    return "exploited", "the second call was answered by a server with an unknown certificate"


def attack():
    return call_and_look(True)


def ca_file():
    import certifi

    return call_and_look(certifi.where())


def trusted():
    url, count, ports = serve()
    session, authority = direct(), pair_file()
    got = [session.get(url, verify=authority).text for _ in range(2)]
    good = got == ["ok", "ok"] and count[0] == 2 and len(ports) == 1
    return ("works", "two answers over one connection") if good else ("broken", "%r %r" % (got, ports))


CASES = {"attack": attack, "ca_file": ca_file, "trusted": trusted}

if __name__ == "__main__":
    try:
        outcome, evidence = CASES[sys.argv[1] if len(sys.argv) > 1 else "attack"]()
    except BaseException as error:  # could not reach the code: never "blocked"
        outcome, evidence = "error", "%s: %s" % (type(error).__name__, error)
    print(json.dumps({"outcome": outcome, "evidence": evidence}))
