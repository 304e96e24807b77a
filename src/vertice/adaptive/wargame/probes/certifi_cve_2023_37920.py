# /// vertice-probe
# id = "PYSEC-2023-135"
# aliases = ["CVE-2023-37920", "GHSA-xqr8-7jwr-rhp7"]
# package = "certifi"
# summary = """\
#   The bundle still trusts e-Tugra's root certificates, which Mozilla removed after an investigation of the \
#   authority's security."""
# severity = [{ type = "CVSS_V3", score = "CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:N/I:H/A:N" }]
# cwe = ["CWE-345"]
# kind = "trust-data"
# symbols = ["certifi.where", "certifi.contents"]
#
# [[affected]]
# package = "certifi"
# ranges = [{ type = "ECOSYSTEM", events = [{ introduced = "2015.4.28" }, { fixed = "2023.7.22" }] }]
#
# [cases]
# attack = "a TLS context made from certifi.where() trusts a root of e-Tugra"
# [cases.variants]
# names = "certifi.contents() carries a certificate with e-Tugra's name in its DER bytes"
# [cases.controls]
# others = "the bundle loads and still trusts the roots of DigiCert and others"
#
# [test]
# vulnerable = "2023.5.7"
# fixed = "2023.7.22"
# ///
"""CVE-2023-37920: root certificates of e-Tugra in the bundle."""

import base64
import json
import re
import ssl
import sys


def subjects():
    """Subject fields of each root that a TLS context made from the bundle trusts."""
    import certifi

    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.load_verify_locations(certifi.where())
    found = [dict(part[0] for part in root["subject"]) for root in context.get_ca_certs()]
    if len(found) < 50:
        raise RuntimeError("only %d roots in the bundle" % len(found))
    return found


def label(subject):
    return subject.get("commonName") or subject.get("organizationalUnitName") or subject.get("organizationName", "")


def attack():
    found = subjects()
    bad = sorted(label(s) for s in found if "e-tugra" in label(s).lower())
    if bad:
        return "exploited", "trusted: %s" % ", ".join(bad)
    return "blocked", "none of the %d trusted roots is e-Tugra's" % len(found)


def names():
    import certifi

    pems = re.findall("-----BEGIN CERTIFICATE-----(.*?)-----END CERTIFICATE-----", certifi.contents(), re.S)
    ders = [base64.b64decode(pem) for pem in pems]
    if len(ders) < 50 or not any(b"DigiCert" in der for der in ders):
        raise RuntimeError("the bundle cannot be read: %d certificates" % len(ders))
    bad = [der for der in ders if b"E-Tugra" in der]
    if bad:
        return "exploited", "%d certificates carry the name E-Tugra" % len(bad)
    return "blocked", "none of the %d certificates carries the name E-Tugra" % len(ders)


def others():
    found = [label(s) for s in subjects()]
    if any("DigiCert" in name for name in found) and any("GlobalSign" in name for name in found):
        return "works", "%d roots loaded, DigiCert's and GlobalSign's among them" % len(found)
    return "broken", "%d roots, DigiCert or GlobalSign missing" % len(found)


CASES = {"attack": attack, "names": names, "others": others}

if __name__ == "__main__":
    try:
        outcome, evidence = CASES[sys.argv[1] if len(sys.argv) > 1 else "attack"]()
    except BaseException as error:  # could not reach the code: never "blocked"
        outcome, evidence = "error", "%s: %s" % (type(error).__name__, error)
    print(json.dumps({"outcome": outcome, "evidence": evidence}))
