# /// vertice-probe
# id = "PYSEC-2023-11"
# aliases = ["CVE-2023-23931", "GHSA-w7pp-m8wf-vj6r"]
# package = "cryptography"
# summary = """\
#   Cipher.update_into writes its output into objects that Python promises never change, such as bytes, and so \
#   corrupts the program's memory."""
# severity = [{ type = "CVSS_V3", score = "CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:N/I:L/A:L" }]
# cwe = ["CWE-754"]
# kind = "memory"
# symbols = [
#   "cryptography.hazmat.primitives.ciphers.Cipher",
#   "cryptography.hazmat.primitives.ciphers.CipherContext.update_into",
# ]
#
# [[affected]]
# package = "cryptography"
# ranges = [{ type = "ECOSYSTEM", events = [{ introduced = "1.8" }, { fixed = "39.0.1" }] }]
#
# [cases]
# attack = "update_into with a bytes object as the buffer changes that object"
# [cases.variants]
# readonly_view = "a GCM decryptor writes through a read-only memoryview"
# [cases.controls]
# writable = "update_into fills a bytearray, and decrypting gives the text back"
#
# [test]
# vulnerable = "39.0.0"
# fixed = "39.0.1"
# ///
"""CVE-2023-23931: update_into changes immutable objects."""

import json
import sys

TEXT = b"sixteen byte txt"


def cipher(mode):
    from cryptography.hazmat.backends import default_backend
    from cryptography.hazmat.primitives.ciphers import Cipher, algorithms

    return Cipher(algorithms.AES(b"k" * 16), mode, default_backend())


def judge(context, target, value):
    """Write into `target`; `value` gives its content as fresh bytes."""
    before = value()
    try:
        context.update_into(TEXT, target)
    except BufferError as error:
        if value() == before:
            return "blocked", "BufferError: %s" % error
        raise
    if value() != before:
        return "exploited", "the immutable object changed"
    raise RuntimeError("neither refused nor changed")


def attack():
    from cryptography.hazmat.primitives.ciphers import modes

    target = bytes(bytearray(31))
    return judge(cipher(modes.ECB()).encryptor(), target, lambda: bytes(bytearray(target)))


def readonly_view():
    from cryptography.hazmat.primitives.ciphers import modes

    backing = bytearray(31)
    view = memoryview(backing).toreadonly() if sys.version_info >= (3, 8) else memoryview(bytes(backing))
    return judge(cipher(modes.GCM(b"n" * 12, b"t" * 16)).decryptor(), view, lambda: bytes(bytearray(view)))


def writable():
    from cryptography.hazmat.primitives.ciphers import modes

    buffer = bytearray(31)
    size = cipher(modes.ECB()).encryptor().update_into(TEXT, buffer)
    back = cipher(modes.ECB()).decryptor().update(bytes(buffer[:size]))
    good = size == 16 and bytes(buffer[:16]) != TEXT and back == TEXT
    return ("works", "16 bytes written and decrypted") if good else ("broken", "%d bytes, %r" % (size, back))


CASES = {"attack": attack, "readonly_view": readonly_view, "writable": writable}

if __name__ == "__main__":
    try:
        outcome, evidence = CASES[sys.argv[1] if len(sys.argv) > 1 else "attack"]()
    except BaseException as error:  # could not reach the code: never "blocked"
        outcome, evidence = "error", "%s: %s" % (type(error).__name__, error)
    print(json.dumps({"outcome": outcome, "evidence": evidence}))
