# /// vertice-probe
# id = "PYSEC-2017-80"
# aliases = ["CVE-2017-15612", "GHSA-hpv5-v8g5-c864"]
# package = "mistune"
# summary = "Markdown links whose scheme is split by a line break, and autolinks, keep script URLs and attribute breaks, so a document's author runs script in the reader's page."
# severity = [{ type = "CVSS_V3", score = "CVSS:3.0/AV:N/AC:L/PR:N/UI:R/S:C/C:L/I:L/A:N" }]
# cwe = ["CWE-79"]
# kind = "xss"
# symbols = ["mistune.markdown", "mistune.Markdown", "mistune.Renderer", "mistune.escape_link", "mistune.Renderer.autolink"]
#
# [[affected]]
# package = "mistune"
# ranges = [{ type = "ECOSYSTEM", events = [{ introduced = "0" }, { fixed = "0.8" }] }]
#
# [cases]
# attack = "a link whose scheme is broken by a line feed renders as a script link"
# [cases.variants]
# autolink_scheme = "an autolink with a script scheme renders as a script link"
# email_attribute = "a crafted e-mail autolink breaks out of its href and adds an event handler"
# [cases.controls]
# links = "ordinary links, web autolinks and mail autolinks render as links"
#
# [test]
# vulnerable = "0.7.4"
# fixed = "0.8"
# ///
"""CVE-2017-15612: script URLs in Markdown links survive rendering."""

import html.parser
import json
import re
import sys


class Anchors(html.parser.HTMLParser):
    """Collects the attributes of every `a` element and the text of the document."""

    def __init__(self):
        super().__init__()
        self.anchors = []
        self.text = ""

    def handle_starttag(self, tag, attrs):
        if tag == "a":
            self.anchors.append(dict(attrs))

    def handle_data(self, data):
        self.text += data


def read(html_text):
    page = Anchors()
    page.feed(html_text)
    page.close()
    return page


def is_script(href):
    """A browser drops tabs and line ends inside a URL and spaces before it."""
    return re.sub(r"[\t\r\n]", "", href or "").strip("\x00 ").lower().startswith("javascript:")


def render_and_look(source):
    import mistune

    page = read(mistune.markdown("BEGIN " + source + " END"))
    for anchor in page.anchors:
        if is_script(anchor.get("href")):
            return "exploited", "rendered link has href %r" % anchor["href"]
        handlers = [name for name in anchor if name.startswith("on")]
        if handlers:
            return "exploited", "rendered link has an %s handler" % handlers[0]
    if "BEGIN" not in page.text or "END" not in page.text:
        return "error", "the document was not rendered"
    return "blocked", "rendered without a script link: %r" % [a.get("href") for a in page.anchors]


def attack():
    return render_and_look("[title](java\nscript:alert(1))")


def autolink_scheme():
    return render_and_look("<javascript:alert(1)>")


def email_attribute():
    return render_and_look('<x"onmouseover="alert(1)"@example.org>')


def links():
    import mistune

    page = read(mistune.markdown('[a](https://example.org/x "t") <https://example.org/y> <bob@example.org>'))
    got = [anchor.get("href") for anchor in page.anchors]
    wanted = ["https://example.org/x", "https://example.org/y", "mailto:bob@example.org"]
    return ("works", "three links as written") if got == wanted else ("broken", repr(got))


CASES = {"attack": attack, "autolink_scheme": autolink_scheme, "email_attribute": email_attribute, "links": links}

if __name__ == "__main__":
    try:
        outcome, evidence = CASES[sys.argv[1] if len(sys.argv) > 1 else "attack"]()
    except BaseException as error:  # could not reach the code: never "blocked"
        outcome, evidence = "error", "%s: %s" % (type(error).__name__, error)
    print(json.dumps({"outcome": outcome, "evidence": evidence}))
