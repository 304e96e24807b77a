# /// vertice-probe
# id = "PYSEC-2017-80"
# aliases = ["CVE-2017-15612", "GHSA-hpv5-v8g5-c864"]
# package = "mistune"
# summary = """\
#   Links with a newline inside javascript: and crafted addresses in angle brackets pass the escaping, so a text \
#   carries script into the page."""
# severity = [{ type = "CVSS_V3", score = "CVSS:3.1/AV:N/AC:L/PR:N/UI:R/S:C/C:L/I:L/A:N" }]
# cwe = ["CWE-79"]
# kind = "xss"
# symbols = ["mistune.markdown", "mistune.Markdown", "mistune.Renderer", "mistune.escape_link"]
#
# [[affected]]
# package = "mistune"
# ranges = [{ type = "ECOSYSTEM", events = [{ introduced = "0" }, { fixed = "0.8" }] }]
#
# [cases]
# attack = "a link to java, newline, script: keeps its address"
# [cases.variants]
# autolink = "a javascript: address in angle brackets"
# mail = "a mail address in angle brackets with a quote adds an event handler"
# [cases.controls]
# links = "links, images, autolinks and mail addresses are rendered"
#
# [test]
# vulnerable = "0.7.4"
# fixed = "0.8"
# ///
"""CVE-2017-15612: script through links and autolinks."""

import json
import re
import sys
from html.parser import HTMLParser


class Danger(HTMLParser):
    """Collects event handlers and script addresses as a browser would see them."""

    def __init__(self):
        HTMLParser.__init__(self)
        self.found = []
        self.tags = []

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        for name, value in attrs:
            plain = re.sub(r"[\x00-\x20]", "", value or "").lower()
            if name.startswith("on") or (name in ("href", "src") and plain.startswith("javascript:")):
                self.found.append("%s %s=%r" % (tag, name, value))


def markdown(text):
    import mistune

    if hasattr(mistune, "create_markdown"):  # 2.0 and later
        return mistune.create_markdown(plugins=["footnotes"])(text)
    return mistune.markdown(text)


def judge(text, tag):
    """`tag` is the element that the text makes, so that its rendering was reached."""
    output = markdown(text)
    parser = Danger()
    parser.feed(output)
    if parser.found:
        return "exploited", "; ".join(parser.found)
    if tag in parser.tags:
        return "blocked", "%s without script: %s" % (tag, " ".join(output.split()))
    raise RuntimeError("no %s in %r" % (tag, output))


def attack():
    return judge("[x](java\nscript:alert%281%29)", "a")


def autolink():
    return judge("<javascript:alert(1)>", "a")


def mail():
    return judge('<a@b"onmouseover="alert(1)>', "a")


def links():
    output = markdown("[x](https://example.org/a?b=1) ![y](/z.png) <https://example.org/> <a@example.org>")
    wanted = ['href="https://example.org/a?b=1"', 'src="/z.png"', ">https://example.org/<", "mailto:a@example.org"]
    return ("works" if all(part in output for part in wanted) else "broken"), " ".join(output.split())


CASES = {"attack": attack, "autolink": autolink, "mail": mail, "links": links}

if __name__ == "__main__":
    try:
        outcome, evidence = CASES[sys.argv[1] if len(sys.argv) > 1 else "attack"]()
    except BaseException as error:  # could not reach the code: never "blocked"
        outcome, evidence = "error", "%s: %s" % (type(error).__name__, error)
    print(json.dumps({"outcome": outcome, "evidence": evidence}))
