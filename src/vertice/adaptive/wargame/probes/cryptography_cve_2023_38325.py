# /// vertice-probe
# id = "PYSEC-2023-112"
# aliases = ["CVE-2023-38325"]
# package = "cryptography"
# summary = """\
#   Values of critical options in SSH certificates are read and written without their inner length, so a restriction \
#   such as force-command is misread or cannot be read by OpenSSH."""
# severity = [{ type = "CVSS_V3", score = "CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:N/I:H/A:N" }]
# cwe = ["CWE-295"]
# kind = "crypto"
# symbols = [
#   "cryptography.hazmat.primitives.serialization.load_ssh_public_identity",
#   "cryptography.hazmat.primitives.serialization.ssh.load_ssh_public_identity",
#   "cryptography.hazmat.primitives.serialization.SSHCertificate",
#   "cryptography.hazmat.primitives.serialization.SSHCertificateBuilder",
# ]
#
# [[affected]]
# package = "cryptography"
# ranges = [{ type = "ECOSYSTEM", events = [{ introduced = "40.0.0" }, { fixed = "41.0.2" }] }]
#
# [cases]
# attack = "force-command of a certificate made by ssh-keygen is read with four bytes too many"
# [cases.variants]
# builder = "SSHCertificateBuilder writes source-address in a form OpenSSH cannot read"
# [cases.controls]
# flag = "the other fields of the certificate, its signature and an option without a value are right"
#
# [test]
# vulnerable = "41.0.1"
# fixed = "41.0.2"
# ///
"""CVE-2023-38325: critical options of SSH certificates."""

import base64
import json
import struct
import sys

# made by ssh-keygen -O force-command=/bin/date -O source-address=127.0.0.1/32; the keys are gone
CERTIFICATE = (
    b"AAAAIHNzaC1lZDI1NTE5LWNlcnQtdjAxQG9wZW5zc2guY29tAAAAIDfmGXcw2ShET6MzslI/vxSJ9Gkix6H2n3BVD436Cu6wAAAA"
    b"IMJoeMOT3xRd/MyMxUR7B6TLzQCRHahDvBXKfc+ejF+NAAAAAAAAAAAAAAABAAAABXByb2JlAAAACQAAAAVhbGljZQAAAAAAAAAA"
    b"//////////8AAABIAAAADWZvcmNlLWNvbW1hbmQAAAANAAAACS9iaW4vZGF0ZQAAAA5zb3VyY2UtYWRkcmVzcwAAABAAAAAMMTI3"
    b"LjAuMC4xLzMyAAAAAAAAAAAAAAAzAAAAC3NzaC1lZDI1NTE5AAAAIP9UWUrF4LaARemJ5rGl426XqN5Ebg/0p4FyGtr87MzoAAAA"
    b"UwAAAAtzc2gtZWQyNTUxOQAAAEByag5dO24qI64Wn9mC3aQQmsZqZQRg81J6famu93hJDTk2WuSwj8CgYQsSM04sK00M51vo4V1o"
    b"RqerZ2SZ9OcA"
)


def load():
    from cryptography.hazmat.primitives.serialization import load_ssh_public_identity

    certificate = load_ssh_public_identity(b"ssh-ed25519-cert-v01@openssh.com " + CERTIFICATE)
    if certificate.key_id != b"probe" or certificate.valid_principals != [b"alice"]:
        raise RuntimeError("the certificate was not read")
    return certificate


def build(name, value):
    """An SSH certificate with one critical option, signed by a fresh key."""
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
    from cryptography.hazmat.primitives.serialization import SSHCertificateBuilder, SSHCertificateType

    return (
        SSHCertificateBuilder()
        .public_key(Ed25519PrivateKey.generate().public_key())
        .type(SSHCertificateType.USER)
        .key_id(b"probe")
        .valid_principals([b"alice"])
        .valid_after(0)
        .valid_before(2**32)
        .add_critical_option(name, value)
        .sign(Ed25519PrivateKey.generate())
    )


def string(data):
    """The SSH string at the start of the data, and the rest (RFC 4251, section 5)."""
    size = struct.unpack(">I", data[:4])[0]
    return data[4 : 4 + size], data[4 + size :]


def option(certificate):
    """Name and raw data of the first critical option, as it stands in the certificate."""
    data = base64.b64decode(certificate.public_bytes().split()[1])
    for _ in range(3):  # type, nonce, key
        _, data = string(data)
    data = data[12:]  # serial, type
    for _ in range(2):  # key id, principals
        _, data = string(data)
    options, _ = string(data[16:])  # after, before
    name, rest = string(options)
    return name, string(rest)[0]


def attack():
    got = load().critical_options[b"force-command"]
    if got == b"/bin/date":
        return "blocked", "force-command is read as /bin/date"
    if got == struct.pack(">I", 9) + b"/bin/date":
        return "exploited", "force-command is read as %r, no rule for /bin/date would match" % got
    raise RuntimeError("unexpected value %r" % got)


def builder():
    value = b"127.0.0.1/32"
    name, raw = option(build(b"source-address", value))
    if name != b"source-address":
        raise RuntimeError("unexpected option %r" % name)
    if raw == struct.pack(">I", len(value)) + value:
        return "blocked", "source-address is written as an SSH string"
    if raw == value:
        return "exploited", "source-address is written bare, its first bytes would be taken for a length"
    raise RuntimeError("unexpected data %r" % raw)


def flag():
    certificate = load()
    certificate.verify_cert_signature()
    name, raw = option(build(b"verify-required", b""))
    good = (name, raw) == (b"verify-required", b"") and certificate.extensions == {} and certificate.serial == 0
    return ("works", "signature verified, the option is as written") if good else ("broken", repr((name, raw)))


CASES = {"attack": attack, "builder": builder, "flag": flag}

if __name__ == "__main__":
    try:
        outcome, evidence = CASES[sys.argv[1] if len(sys.argv) > 1 else "attack"]()
    except BaseException as error:  # could not reach the code: never "blocked"
        outcome, evidence = "error", "%s: %s" % (type(error).__name__, error)
    print(json.dumps({"outcome": outcome, "evidence": evidence}))
