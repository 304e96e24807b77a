# /// vertice-probe
# id = "PYSEC-2023-61"
# aliases = ["CVE-2023-31047"]
# package = "django"
# summary = """\
#   A file field whose widget lets users choose several files validates only the last of them, so the others get in \
#   unchecked."""
# severity = [{ type = "CVSS_V3", score = "CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:H/I:H/A:H" }]
# cwe = ["CWE-20"]
# kind = "policy-bypass"
# symbols = [
#   "django.forms.FileField",
#   "django.forms.ImageField",
#   "django.forms.FileInput",
#   "django.forms.ClearableFileInput",
# ]
#
# [[affected]]
# package = "django"
# ranges = [{ type = "ECOSYSTEM", events = [
#   { introduced = "3.2" },
#   { fixed = "3.2.19" },
#   { introduced = "4.0" },
#   { fixed = "4.1.9" },
#   { introduced = "4.2" },
#   { fixed = "4.2.1" },
# ] }]
#
# [cases]
# attack = "a forbidden file sent before a good one passes a form with ClearableFileInput"
# [cases.variants]
# file_input = "the same with FileInput"
# [cases.controls]
# single = "one good file is accepted, one bad refused"
#
# [test]
# vulnerable = "4.2"
# fixed = "4.2.1"
# ///
"""CVE-2023-31047: several files in one form field."""

import json
import sys


def prepare():
    import django
    from django.conf import settings

    settings.configure(SECRET_KEY="probe", USE_I18N=False)
    django.setup()


def submit(widget, *names):
    """Is a form valid whose one file field takes only .txt, when the files are sent?"""
    from django import forms
    from django.core.files.uploadedfile import SimpleUploadedFile
    from django.core.validators import FileExtensionValidator
    from django.utils.datastructures import MultiValueDict

    class Upload(forms.Form):
        document = forms.FileField(widget=widget, validators=[FileExtensionValidator(["txt"])])

    files = MultiValueDict({"document": [SimpleUploadedFile(name, b"x") for name in names]})
    return Upload({}, files).is_valid()


def judge(kind):
    from django import forms

    if not submit(kind(), "a.txt") or submit(kind(), "evil.exe"):
        raise RuntimeError("the validator does not work for one file")
    try:
        widget = kind(attrs={"multiple": True})
    except ValueError as error:
        return "blocked", "ValueError: %s" % error
    if not issubclass(kind, forms.FileInput):
        raise RuntimeError("not a file widget")
    if submit(widget, "evil.exe", "a.txt"):
        return "exploited", "evil.exe got in beside a.txt, only the last file was validated"
    raise RuntimeError("neither refused nor let in")


def attack():
    prepare()
    from django import forms

    return judge(forms.ClearableFileInput)


def file_input():
    prepare()
    from django import forms

    return judge(forms.FileInput)


def single():
    prepare()
    from django import forms

    got = [submit(forms.ClearableFileInput(), name) for name in ("a.txt", "evil.exe")]
    return ("works" if got == [True, False] else "broken"), "a.txt valid: %s, evil.exe valid: %s" % tuple(got)


CASES = {"attack": attack, "file_input": file_input, "single": single}

if __name__ == "__main__":
    try:
        outcome, evidence = CASES[sys.argv[1] if len(sys.argv) > 1 else "attack"]()
    except BaseException as error:  # could not reach the code: never "blocked"
        outcome, evidence = "error", "%s: %s" % (type(error).__name__, error)
    print(json.dumps({"outcome": outcome, "evidence": evidence}))
