# /// vertice-probe
# id = "PYSEC-2022-245"
# aliases = ["CVE-2022-36359", "GHSA-8x94-hmjh-97hq"]
# package = "django"
# summary = """\
#   FileResponse does not escape quotes in the file name it sends, so a crafted name makes the browser save the file \
#   under another one."""
# severity = [{ type = "CVSS_V3", score = "CVSS:3.1/AV:N/AC:L/PR:N/UI:R/S:U/C:H/I:H/A:H" }]
# cwe = ["CWE-494"]
# kind = "header-injection"
# symbols = ["django.http.FileResponse", "django.http.response.FileResponse"]
#
# [[affected]]
# package = "django"
# ranges = [{ type = "ECOSYSTEM", events = [
#   { introduced = "3.2" },
#   { fixed = "3.2.15" },
#   { introduced = "4.0" },
#   { fixed = "4.0.7" },
# ] }]
#
# [cases]
# attack = "a file name with a quote is saved as evil.bat"
# [cases.variants]
# extended = "a file name that adds a filename* parameter to an inline response"
# [cases.controls]
# names = "plain and non-ASCII names are sent"
#
# [test]
# vulnerable = "4.0.6"
# fixed = "4.0.7"
# python = "<3.13"
# ///
"""CVE-2022-36359: reflected file download through FileResponse."""

import io
import json
import sys


def parameters(filename, attachment):
    """Parameters of the Content-Disposition header, read as RFC 6266 says."""
    import django
    from django.conf import settings

    if not settings.configured:
        settings.configure(SECRET_KEY="probe", USE_I18N=False)
        django.setup()
    from django.http import FileResponse

    answer = FileResponse(io.BytesIO(b"x"), as_attachment=attachment, filename=filename)
    header = answer["Content-Disposition"]
    parts, quoted, escaped = [""], False, False
    for sign in header:
        if escaped or (quoted and sign == "\\"):
            if escaped:
                parts[-1] += sign
            escaped = not escaped
        elif sign == '"':
            quoted = not quoted
        elif sign == ";" and not quoted:
            parts.append("")
        else:
            parts[-1] += sign
    pairs = [part.strip().partition("=") for part in parts[1:]]
    return header, [(name.strip(), value) for name, _, value in pairs if name]


def judge(filename, attachment):
    header, found = parameters(filename, attachment)
    if found == [("filename", filename)]:
        return "blocked", "the name is quoted: %s" % header
    if "evil.bat" in [value.split("'")[-1] for _, value in found]:
        return "exploited", "browsers would save evil.bat: %s" % header
    raise RuntimeError("unexpected header %s" % header)


def attack():
    return judge('evil.bat";dummy="x.txt', True)


def extended():
    return judge("notes.txt\"; filename*=UTF-8''evil.bat; a=\"b", False)


def names():
    got = [parameters("report 1.txt", True)[1], parameters("b.txt", False)[1]]
    got.append(parameters("\u00fc.txt", True)[0])
    good = got == [[("filename", "report 1.txt")], [("filename", "b.txt")], "attachment; filename*=utf-8''%C3%BC.txt"]
    return ("works" if good else "broken"), repr(got)


CASES = {"attack": attack, "extended": extended, "names": names}

if __name__ == "__main__":
    try:
        outcome, evidence = CASES[sys.argv[1] if len(sys.argv) > 1 else "attack"]()
    except BaseException as error:  # could not reach the code: never "blocked"
        outcome, evidence = "error", "%s: %s" % (type(error).__name__, error)
    print(json.dumps({"outcome": outcome, "evidence": evidence}))
