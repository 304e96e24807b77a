# /// vertice-probe
# id = "PYSEC-2023-155"
# aliases = ["CVE-2023-39968", "GHSA-r726-vmfq-j9j3"]
# package = "jupyter-server"
# summary = """\
#   The login page takes a next address whose scheme is followed by odd slashes for a path of its own, so a crafted \
#   login link sends the visitor to another site."""
# severity = [{ type = "CVSS_V3", score = "CVSS:3.1/AV:N/AC:L/PR:N/UI:R/S:C/C:L/I:L/A:N" }]
# cwe = ["CWE-601"]
# kind = "open-redirect"
# symbols = [
#   "jupyter_server.auth.login.LoginFormHandler",
#   "jupyter_server.auth.login.LegacyLoginHandler",
#   "jupyter_server.serverapp.ServerApp",
# ]
#
# [[affected]]
# package = "jupyter-server"
# ranges = [{ type = "ECOSYSTEM", events = [{ introduced = "0" }, { fixed = "2.7.2" }] }]
#
# [cases]
# attack = "next=https:///evil.example redirects there"
# [cases.variants]
# one_slash = "next=http:/evil.example, with one slash"
# [cases.controls]
# inside = "a path of the server is kept, a plain foreign address is replaced"
#
# [test]
# vulnerable = "2.7.1"
# fixed = "2.7.2"
# ///
"""CVE-2023-39968: open redirect through odd slashes after the scheme."""

import asyncio
import json
import logging
import sys


async def redirect(address):
    """Where the login handler's own redirect check sends a browser that asked for the address."""
    import tornado.httpclient
    import tornado.httpserver
    import tornado.httputil
    import tornado.netutil
    import tornado.web
    from jupyter_server.auth.login import LoginFormHandler

    class Handler(LoginFormHandler):
        """The login form for somebody who is logged in already, without a server's settings around it."""

        def prepare(self):
            pass

        def get(self):
            self._redirect_safe(self.get_argument("next"))

        def set_default_headers(self):
            pass

    logging.disable(logging.CRITICAL)
    app = tornado.web.Application([("/login", Handler)], base_url="/", allow_origin="", allow_origin_pat="")
    sockets = tornado.netutil.bind_sockets(0, "127.0.0.1")
    server = tornado.httpserver.HTTPServer(app)
    server.add_sockets(sockets)
    answer = await tornado.httpclient.AsyncHTTPClient().fetch(
        tornado.httputil.url_concat("http://127.0.0.1:%d/login" % sockets[0].getsockname()[1], {"next": address}),
        follow_redirects=False,
        raise_error=False,
    )
    server.stop()
    if answer.code != 302:
        raise RuntimeError("the handler answered %d" % answer.code)
    return answer.headers["Location"]


def judge(address):
    if inside()[0] != "works":
        raise RuntimeError("the redirect check does not work for ordinary addresses")
    location = asyncio.run(redirect(address))
    if location == "/":
        return "blocked", "sent to the start page instead of %s" % address
    if location == address:
        return "exploited", "Location: %s, which browsers take for evil.example" % location
    raise RuntimeError("unexpected location %r" % location)


def attack():
    return judge("https:///evil.example/tree")


def one_slash():
    return judge("http:/evil.example/tree")


def inside():
    got = (asyncio.run(redirect("/tree/a?b=1")), asyncio.run(redirect("https://evil.example/")))
    return ("works" if got == ("/tree/a?b=1", "/") else "broken"), repr(got)


CASES = {"attack": attack, "one_slash": one_slash, "inside": inside}

if __name__ == "__main__":
    try:
        outcome, evidence = CASES[sys.argv[1] if len(sys.argv) > 1 else "attack"]()
    except BaseException as error:  # could not reach the code: never "blocked"
        outcome, evidence = "error", "%s: %s" % (type(error).__name__, error)
    print(json.dumps({"outcome": outcome, "evidence": evidence}))
