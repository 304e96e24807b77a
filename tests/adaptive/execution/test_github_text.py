"""Hostile text on GitHub: rendered as GitHub's Markdown, nothing of it calls, links, fetches, hides or closes."""

import dataclasses
import re
from html.parser import HTMLParser

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from markdown_it import MarkdownIt

from vertice.adaptive.execution import github_body
from vertice.adaptive.execution.github_text import MAX_BODY, cell, code, harmless, marker, quoted, table
from vertice.adaptive.execution.interface import Dossier
from vertice.adaptive.wargame.model import CaseRun, Outcome, Role, Side

HOSTILE = (
    "@everyone", "Fixes #1", "closes GH-12", "resolves acme/shop#3", "https://evil.example/x", "www.evil.example",
    "<img src=x onerror=alert(1)>", "![](https://evil.example/p.png)", "[click](javascript:alert(1))",
    "<!-- hidden -->", "-->", "a | b | @all", "\\", "\\|", "`", "``` @all\n```", "line\n\n# heading @all", "\x1b[31m",
    "\u202eevil", "<details>", "</table>", "&lt;img&gt;", "~~~", "$$x$$", "- [ ] task", "\r\n---\r\n",
)  # fmt: skip
ACTIVE = re.compile(r"(?:^|\W)@\w|#\d|\bGH-\d|://|\bwww\.", re.IGNORECASE)
hostile = st.one_of(
    st.sampled_from(HOSTILE),
    st.lists(st.sampled_from([*HOSTILE, " ", "x", "`", "|", "\\", "\n"]), max_size=8).map("".join),
    st.text(max_size=200),
)


class Rendered(HTMLParser):
    """What Markdown becomes: its tags, and its text outside of code."""

    def __init__(self, markdown: str) -> None:
        super().__init__()
        self.tags: set[str] = set()
        self.text: list[str] = []
        self._code = 0
        self.html = MarkdownIt("commonmark", {"html": True}).enable("table").enable("strikethrough").render(markdown)
        self.feed(self.html)

    def handle_starttag(self, tag, attrs):
        self.tags.add(tag)
        self._code += tag == "code"

    def handle_endtag(self, tag):
        self._code -= tag == "code"

    def handle_data(self, data):
        if not self._code:
            self.text.append(data)

    def handle_comment(self, data):
        self.tags.add("!--")


@given(hostile)
def test_a_code_span_holds_whatever_is_in_it(text):
    rendered = Rendered(f"before {code(text)} after")
    assert rendered.tags <= {"p", "code"}
    assert "".join(rendered.text).split() == ["before", "after"]
    assert not ACTIVE.search(code(text))


@given(hostile)
def test_a_cell_never_leaves_its_column(text):
    rendered = Rendered(table(("one", "two", "three"), [("a", cell(text), "z")]))
    assert rendered.html.count("<td>") == 3
    assert rendered.tags <= {"table", "thead", "tbody", "tr", "th", "td", "code"}
    assert "".join(rendered.text).split() == ["one", "two", "three", "a", "z"]


@given(hostile)
def test_a_quoted_reason_is_one_block(text):
    rendered = Rendered(f"before\n\n{quoted(text)}\n\nafter")
    assert rendered.tags <= {"p", "pre", "code"}
    assert "".join(rendered.text).split() == ["before", "after"]
    assert not ACTIVE.search(quoted(text))


@given(hostile)
def test_a_title_calls_and_closes_nothing(text):
    assert not ACTIVE.search(harmless(text))
    assert "\n" not in harmless(text)


def test_an_address_of_a_person_stays_whole():
    assert harmless("Ana <ana@example.org>") == "Ana <ana@example.org>"


def test_a_marker_is_made_of_a_plain_name_only():
    assert marker("decision", "abc-1") == "<!-- vertice:decision:abc-1 -->"
    with pytest.raises(AssertionError):
        marker("decision", "--> x")


def a_dossier(samples, text="x", runs=2, **more) -> Dossier:
    apv = samples.an_apv()
    apv = dataclasses.replace(apv, advisory=dataclasses.replace(apv.advisory, summary=text))
    evidence = dataclasses.replace(
        samples.an_evidence(),
        runs=tuple(
            CaseRun(text or "p", f"{text}{number}", Role.attack, side, 0, Outcome.blocked, text, 0.1, "exited")
            for number in range(runs)
            for side in Side
        ),
        unprobed=(text,),
    )
    verdict = dataclasses.replace(samples.a_verdict(), reasons=(text,) * 3, raise_by=(text,) * 3)
    values = {"doubts": (text,), "held": text, "arena": text}
    return Dossier("WAR-20261121-001", (apv,), evidence, verdict, "e" * 64, "f" * 64, **(values | more))


def render(samples, dossier, url="https://vertice.example.org/reviews/x"):
    return github_body.body(samples.a_remedy(), dossier, "APV-20261121-001", url)


def test_the_description_shows_the_whole_proof(samples):
    dossier = a_dossier(
        samples, "CVE text", doubts=("GHSA-1 calls 5.4 fixed, but load still works",), held="5.4 is 2 days old"
    )
    dossier = dataclasses.replace(dossier, evidence=samples.an_evidence(), verdict=samples.a_verdict())
    body = render(samples, dossier)
    for told in (
        "**success (proven), confidence 0.97**",
        "- `3 of 3 attacks blocked`",
        "| `pyyaml` | `5.3.1` | `5.4` |",
        "| `APV-20261121-001` | `CVE-2020-14343` | critical |",
        "| `p` | `load` | attack | exploited 1 of 1 | blocked 1 of 1 |",
        "| before | 1 | 0 | 0 | 0 | 0 of 0 |",
        "- `GHSA-1 calls 5.4 fixed, but load still works`",
        "- `held by policy: 5.4 is 2 days old`",
        "| `pyyaml 5.4` | 2000 days | no | unknown | unknown | none seen |",
        "vertice evidence verify WAR-20261121-001.intoto.json",
        f"`{'e' * 64}`",
        "(https://vertice.example.org/reviews/x)",
        "<!-- vertice:proposal:APV-20261121-001 -->",
    ):
        assert told in body


def test_a_test_that_newly_fails_is_named(samples):
    evidence = samples.an_evidence()
    before, after = evidence.tests
    after = dataclasses.replace(after, results={"t.py::a": "failed"}, error="stopped")
    dossier = dataclasses.replace(
        a_dossier(samples), evidence=dataclasses.replace(evidence, tests=(before, after), runs=())
    )
    body = render(samples, dossier)
    assert "Newly failing: `t.py::a`" in body
    assert "after: `stopped`" in body
    assert "No probe attacks this hole." in body


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])  # the samples are constants
@given(text=hostile)
def test_hostile_text_anywhere_in_the_description_does_nothing(samples, text):
    rendered = Rendered(render(samples, a_dossier(samples, text), url=""))
    assert not ACTIVE.search("".join(rendered.text))
    assert rendered.tags <= {
        "p", "strong", "code", "pre", "ul", "li", "h3", "table", "thead", "tbody", "tr", "th", "td", "!--",
    }  # fmt: skip
    assert rendered.html.count("<!--") == 1


def test_however_much_there_is_to_say_github_takes_it(samples):
    dossier = a_dossier(samples, "x" * 5000, runs=3000)
    dossier = dataclasses.replace(dossier, apvs=dossier.apvs * 500, doubts=("y" * 5000,) * 100)
    body = render(samples, dossier)
    assert len(body) <= MAX_BODY
    assert body.endswith("<!-- vertice:proposal:APV-20261121-001 -->\n")
    assert "vertice evidence verify" in body
    assert "and 2940 more, in the evidence" in body


def test_a_status_fits_in_what_github_shows(samples):
    state, text = github_body.status_of(a_dossier(samples, "@all " * 100))
    assert state == "success"
    assert len(text) <= 140
    assert not ACTIVE.search(text)


def test_a_commit_message_keeps_its_lines_and_does_nothing():
    assert github_body.commit_message("Fix\n\nFixes #1\n@all") == "Fix\n\nFixes #\u20601\n@\u2060all\n"
