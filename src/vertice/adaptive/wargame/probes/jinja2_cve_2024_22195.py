# /// vertice-probe
# id = "GHSA-h5c8-rqwp-cf95"
# aliases = ["CVE-2024-22195"]
# package = "jinja2"
# summary = """\
#   The xmlattr filter takes keys with spaces, so a key from a user adds attributes such as event handlers to the \
#   tag."""
# severity = [{ type = "CVSS_V3", score = "CVSS:3.1/AV:N/AC:L/PR:N/UI:R/S:U/C:L/I:L/A:N" }]
# cwe = ["CWE-79"]
# kind = "xss"
# symbols = ["jinja2.filters.do_xmlattr", "jinja2.Environment", "jinja2.Template"]
#
# [[affected]]
# package = "jinja2"
# ranges = [{ type = "ECOSYSTEM", events = [{ introduced = "0" }, { fixed = "3.1.3" }] }]
#
# [cases]
# attack = "a key with a space adds an onclick attribute"
# [cases.variants]
# form_feed = "a form feed as the white space, without autoescaping"
# [cases.controls]
# names = "ordinary names and values are rendered and escaped"
#
# [test]
# vulnerable = "3.1.2"
# fixed = "3.1.3"
# ///
"""CVE-2024-22195: keys with white space in xmlattr."""

import json
import sys
from html.parser import HTMLParser


class Attributes(HTMLParser):
    """Collects the attributes of the first tag as a browser would see them."""

    found = None

    def handle_starttag(self, tag, attrs):
        if self.found is None:
            self.found = dict(attrs)


def render(attributes, autoescape=True):
    from jinja2 import Environment

    output = Environment(autoescape=autoescape).from_string("<p{{ a|xmlattr }}>x</p>").render(a=attributes)
    parser = Attributes()
    parser.feed(output)
    return output, parser.found


def judge(key, autoescape=True):
    if render({"class": "a"})[1] != {"class": "a"}:
        raise RuntimeError("the filter does not work")
    try:
        output, found = render({key: "1"}, autoescape)
    except ValueError as error:
        if "attribute" in str(error):
            return "blocked", "ValueError: %s" % error
        raise
    if found and "onclick" in found:
        return "exploited", "the key became the attribute onclick: %s" % output
    raise RuntimeError("neither injected nor refused: %r" % output)


def names():
    output, found = render({"class": "a b", "data-x": '"<&>', "title": None, "aria-label": "\u00e9"})
    good = found == {"class": "a b", "data-x": '"<&>', "aria-label": "\u00e9"}
    return ("works" if good else "broken"), output


def attack():
    return judge("x onclick")


def form_feed():
    return judge("x\fonclick", autoescape=False)


CASES = {"attack": attack, "form_feed": form_feed, "names": names}

if __name__ == "__main__":
    try:
        outcome, evidence = CASES[sys.argv[1] if len(sys.argv) > 1 else "attack"]()
    except BaseException as error:  # could not reach the code: never "blocked"
        outcome, evidence = "error", "%s: %s" % (type(error).__name__, error)
    print(json.dumps({"outcome": outcome, "evidence": evidence}))
