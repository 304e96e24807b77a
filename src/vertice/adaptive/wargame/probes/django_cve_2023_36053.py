# /// vertice-probe
# id = "PYSEC-2023-100"
# aliases = ["CVE-2023-36053"]
# package = "django"
# summary = """\
#   EmailValidator and URLValidator run their patterns over addresses of any length, so one with very many labels \
#   keeps the CPU busy."""
# severity = [{ type = "CVSS_V3", score = "CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:N/I:N/A:H" }]
# cwe = ["CWE-1333"]
# kind = "redos"
# symbols = [
#   "django.core.validators.EmailValidator",
#   "django.core.validators.URLValidator",
#   "django.core.validators.validate_email",
#   "django.forms.EmailField",
#   "django.forms.URLField",
# ]
#
# [[affected]]
# package = "django"
# ranges = [{ type = "ECOSYSTEM", events = [
#   { introduced = "4.2" },
#   { fixed = "4.2.3" },
#   { introduced = "4.0" },
#   { fixed = "4.1.10" },
#   { introduced = "3.2" },
#   { fixed = "3.2.20" },
# ] }]
#
# [cases]
# attack = "EmailValidator's time grows with the number of labels without a limit"
# [cases.variants]
# url = "the same for URLValidator"
# form_field = "non-ASCII labels in a form's EmailField"
# [cases.controls]
# addresses = "good addresses with many labels are accepted, bad ones refused"
#
# [test]
# vulnerable = "4.2.2"
# fixed = "4.2.3"
# ///
"""CVE-2023-36053: addresses with very many labels."""

import json
import sys
import time


def prepare(**more):
    import django
    from django.conf import settings

    settings.configure(SECRET_KEY="probe", USE_I18N=False, **more)
    django.setup()


def judge(work, small, large, limit, what):
    """Is the CPU time for `large` more than `limit` times that for `small` (the least of several runs each)?"""
    runs, spent, clear = {small: [], large: []}, 0.0, False
    # In turn, so that a busy neighbour slows both; and more of them while it is quick or not clear.
    while len(runs[large]) < 3 or (spent < 5 and not clear) or (spent < 0.2 and len(runs[large]) < 50):
        for size in (small, large, small):
            begin = time.process_time()
            answer = work(size)
            runs[size].append(time.process_time() - begin)
            spent += runs[size][-1]
        # Below 2 ms the clock's noise is larger than the growth.
        ratio = min(runs[large]) / max(min(runs[small]), 0.002)
        clear = not limit / 1.5 < ratio < limit * 1.5
    evidence = "%d -> %d %s: %.1f ms -> %.1f ms CPU, x%.1f (limit x%g); %s" % (
        small,
        large,
        what,
        min(runs[small]) * 1000,
        min(runs[large]) * 1000,
        ratio,
        limit,
        answer,
    )
    return ("exploited" if ratio > limit else "blocked"), evidence


def work(validator, address):
    from django.core.exceptions import ValidationError

    validate = validator()

    def run(size):
        try:
            validate(address(size))
        except ValidationError:
            return "ValidationError"
        raise RuntimeError("the address was accepted")

    return run


def attack():
    prepare()
    from django.core.validators import EmailValidator

    # the work grows with the number of labels; the fix refuses by length before any pattern is tried
    return judge(work(EmailValidator, lambda size: "a@" + ("a" * 63 + ".") * size), 2500, 20000, 3, "labels")


def url():
    prepare()
    from django.core.validators import URLValidator

    return judge(work(URLValidator, lambda size: "http://" + ("a" * 63 + ".") * size), 2500, 20000, 3, "labels")


def form_field():
    prepare()
    from django.forms import EmailField

    def run(size):
        from django.core.exceptions import ValidationError

        try:
            EmailField().clean("a@" + "\u00e9." * size + "!")
        except ValidationError:
            return "ValidationError"
        raise RuntimeError("the address was accepted")

    return judge(run, 2500, 20000, 3, "labels")


def addresses():
    prepare()
    from django.core.exceptions import ValidationError
    from django.core.validators import EmailValidator, URLValidator

    EmailValidator()("alice@" + "mail." * 20 + "example.org")
    URLValidator()("https://" + "www." * 20 + "example.org/a?b=1")
    for validator, bad in ((EmailValidator, "alice@"), (URLValidator, "https://-x-/")):
        try:
            validator()(bad)
        except ValidationError:
            continue
        return "broken", "%s was accepted" % bad
    return "works", "good addresses with many labels accepted, bad ones refused"


CASES = {"attack": attack, "url": url, "form_field": form_field, "addresses": addresses}

if __name__ == "__main__":
    try:
        outcome, evidence = CASES[sys.argv[1] if len(sys.argv) > 1 else "attack"]()
    except BaseException as error:  # could not reach the code: never "blocked"
        outcome, evidence = "error", "%s: %s" % (type(error).__name__, error)
    print(json.dumps({"outcome": outcome, "evidence": evidence}))
