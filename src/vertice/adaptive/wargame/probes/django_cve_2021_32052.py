# /// vertice-probe
# id = "PYSEC-2021-8"
# aliases = ["CVE-2021-32052", "GHSA-qm57-vhq3-3fwf"]
# package = "django"
# summary = """\
#   On Pythons whose urlsplit drops newlines URLValidator accepts addresses with newlines and tabs, which split a \
#   header when used in one."""
# severity = [{ type = "CVSS_V3", score = "CVSS:3.1/AV:N/AC:L/PR:N/UI:R/S:C/C:L/I:L/A:N" }]
# cwe = ["CWE-79", "CWE-93"]
# kind = "header-injection"
# symbols = ["django.core.validators.URLValidator", "django.db.models.URLField"]
#
# [[affected]]
# package = "django"
# ranges = [{ type = "ECOSYSTEM", events = [
#   { introduced = "2.2" },
#   { fixed = "2.2.22" },
#   { introduced = "3.1" },
#   { fixed = "3.1.10" },
#   { introduced = "3.2" },
#   { fixed = "3.2.2" },
# ] }]
#
# [cases]
# attack = "URLValidator accepts an address with CR and LF"
# [cases.variants]
# model_field = "a model's URLField accepts an address with tab and LF"
# [cases.controls]
# addresses = "good addresses are accepted, bad ones refused"
#
# [test]
# vulnerable = "3.2.1"
# fixed = "3.2.2"
# python = ">=3.10,<3.12"
# ///
"""CVE-2021-32052: control characters in URLs (on Python 3.9.5 and later)."""

import json
import sys


def prepare():
    import django
    from django.conf import settings

    settings.configure(SECRET_KEY="probe", USE_I18N=False)
    django.setup()


def judge(validate, value):
    """`validate` returns None for a good address; the same address without the control character must be one."""
    from django.core.exceptions import ValidationError

    validate("".join(value.split()))
    try:
        validate(value)
    except ValidationError as error:
        return "blocked", "ValidationError: %s" % error.messages[0]
    lines = ("Location: " + value).splitlines()
    return "exploited", "accepted; as a header it has %d lines: %r" % (len(lines), lines)


def attack():
    prepare()
    from django.core.validators import URLValidator

    return judge(URLValidator(), "https://example.org/a\r\nX-Injected:1")


def model_field():
    prepare()
    from django.db import models

    return judge(models.URLField().run_validators, "https://example.org/\tb\nX-Injected:1")


def addresses():
    prepare()
    from django.core.exceptions import ValidationError
    from django.core.validators import URLValidator

    validate = URLValidator()
    for good in ("https://example.org/a?b=1#c", "ftp://127.0.0.1:21/x", "http://b\u00fccher.example/"):
        validate(good)
    for bad in ("example.org", "https://exa mple.org/", "javascript:alert(1)"):
        try:
            validate(bad)
        except ValidationError:
            continue
        return "broken", "%s was accepted" % bad
    return "works", "three addresses accepted, three refused"


CASES = {"attack": attack, "model_field": model_field, "addresses": addresses}

if __name__ == "__main__":
    try:
        outcome, evidence = CASES[sys.argv[1] if len(sys.argv) > 1 else "attack"]()
    except BaseException as error:  # could not reach the code: never "blocked"
        outcome, evidence = "error", "%s: %s" % (type(error).__name__, error)
    print(json.dumps({"outcome": outcome, "evidence": evidence}))
