"""The few pages that a person sees without the console: one frame, one stylesheet, no script needed.

A page is one answer, its style within: it looks the same when the next request would be one too many. What is put into
a page goes through the functions below, which escape it.
"""

import re
from base64 import b64encode
from collections.abc import Mapping
from hashlib import sha256
from html import escape

from starlette.responses import HTMLResponse

__all__ = ["button", "code", "form", "link", "sentence", "text", "web_page"]

_STYLE = """
:root {
  color-scheme: light dark;
  --ground: #f3f5f8; --card: #fff; --text: #171c26; --soft: #526071; --line: #d5dbe4;
  --accent: #1d5bb8; --over: #174a97; --on-accent: #fff; --bad: #b3261e;
}
@media (prefers-color-scheme: dark) {
  :root {
    --ground: #10141b; --card: #191f29; --text: #e9edf3; --soft: #a5b0bf; --line: #303948;
    --accent: #8fb8f6; --over: #b3cffa; --on-accent: #0c1420; --bad: #ff9d92;
  }
}
* { box-sizing: border-box; }
body {
  margin: 0; padding: clamp(1rem, 9vh, 6rem) 1rem 2rem; background: var(--ground); color: var(--text);
  font: 1rem/1.55 system-ui, -apple-system, "Segoe UI", Roboto, "Noto Sans", sans-serif;
  overflow-wrap: anywhere;
}
header, main { max-width: 34rem; margin: 0 auto; }
.wide main, .wide header { max-width: 48rem; }
header { padding: 0 .25rem .75rem; }
header a {
  display: inline-flex; align-items: center; gap: .5rem; color: var(--text);
  font-weight: 600; letter-spacing: .01em; text-decoration: none;
}
header svg { color: var(--accent); }
main {
  padding: clamp(1.25rem, 5vw, 2.25rem); background: var(--card);
  border: 1px solid var(--line); border-radius: .75rem;
}
.problem main { border-top: .25rem solid var(--bad); }
h1 { margin: 0 0 .75rem; font-size: 1.5rem; line-height: 1.25; letter-spacing: -.01em; text-wrap: balance; }
h2 { margin: 1.5rem 0 .25rem; font-size: 1rem; }
p { margin: 0 0 .75rem; }
a { color: var(--accent); text-underline-offset: .15em; }
ul { margin: 0 0 .75rem; padding: 0 0 0 1.2rem; }
li { margin: .25rem 0; }
.kinds { padding: 0; list-style: none; }
.kinds li { margin: 0; padding: .7rem 0; border-top: 1px solid var(--line); }
.status { color: var(--soft); font-size: .875rem; font-variant-numeric: tabular-nums; }
.actions { display: flex; flex-wrap: wrap; align-items: center; gap: .75rem 1.25rem; margin: 1.5rem 0 0; }
.button {
  display: inline-block; min-height: 2.75rem; padding: .6rem 1.25rem; border: 1px solid transparent;
  border-radius: .5rem; background: var(--accent); color: var(--on-accent);
  font: inherit; font-weight: 600; line-height: 1.5; text-align: center; text-decoration: none; cursor: pointer;
}
.button:hover { background: var(--over); }
:focus-visible { outline: 3px solid var(--accent); outline-offset: 3px; border-radius: .25rem; }
.button:focus-visible { border-radius: .5rem; }
code { font: .9em ui-monospace, "SF Mono", Menlo, Consolas, "DejaVu Sans Mono", monospace; }
.command { display: block; padding: .6rem .8rem; border: 1px solid var(--line); border-radius: .5rem; }
.small {
  margin: 1.75rem 0 0; padding-top: .9rem; border-top: 1px solid var(--line); color: var(--soft); font-size: .875rem;
}
.small code { font-size: .8125rem; }
@media (max-width: 30rem) { .actions .button { width: 100%; } form { width: 100%; } }
@media (forced-colors: active) { .button { border-color: ButtonText; } }
"""

_CODE = re.compile("`([^`]+)`")
_DIGEST = b64encode(sha256(_STYLE.encode()).digest()).decode()

_POLICY = (
    "default-src 'none'; {script}style-src 'sha256-{digest}'; form-action 'self'; base-uri 'none'; "
    "frame-ancestors 'none'"
)

_PAGE = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="robots" content="noindex">
<meta name="color-scheme" content="light dark">
<title>{title} · Vértice</title>
<style>{style}</style>
{script}</head>
<body class="{look}">
<header><a href="/"><svg width="22" height="20" viewBox="0 0 22 20" aria-hidden="true" focusable="false"><path \
d="M2 2l9 16 9-16" fill="none" stroke="currentColor" stroke-width="3" stroke-linecap="round" stroke-linejoin="round"/>\
</svg>Vértice</a></header>
<main>
<h1>{title}</h1>
{body}
</main>
</body>
</html>
"""


def web_page(
    title: str,
    *body: str,
    status: int = 200,
    headers: Mapping[str, str] | None = None,
    script: str = "",
    look: str = "",
) -> HTMLResponse:
    """Return a page of `body`, which is HTML already; `title` is escaped.

    `script` is the address of the one script that it may run, `look` is "", "problem" or "wide".
    """
    content = _PAGE.format(
        title=escape(title),
        style=_STYLE,
        script=f'<script src="{escape(script)}" defer></script>\n' if script else "",
        look=look,
        body="\n".join(part for part in body if part),
    )
    policy = _POLICY.format(script="script-src 'self'; " if script else "", digest=_DIGEST)
    return HTMLResponse(
        content,
        status_code=status,
        headers={"Content-Security-Policy": policy, "Cache-Control": "no-store", **(headers or {})},
    )


def text(words: str) -> str:
    """Return a paragraph; what stands in backticks in it is code."""
    marked = _CODE.sub(r"<code>\1</code>", escape(words))
    return f"<p>{marked}</p>" if words else ""


def link(label: str, to: str) -> str:
    """Return a link to an address of ours."""
    return f'<a href="{escape(to)}">{escape(label)}</a>'


def button(label: str, to: str) -> str:
    """Return a link to an address of ours that looks like what one is to do next."""
    return f'<a class="button" href="{escape(to)}">{escape(label)}</a>'


def form(label: str, to: str, fields: Mapping[str, str], beside: str = "") -> str:
    """Return a form that sends `fields` to an address of ours; `beside` is HTML next to its button."""
    hidden = (f'<input type="hidden" name="{escape(name)}" value="{escape(value)}">' for name, value in fields.items())
    return "\n".join(
        (
            f'<form class="actions" method="post" action="{escape(to)}">',
            *hidden,
            f'<button class="button">{escape(label)}</button>{beside}',
            "</form>",
        )
    )


def code(words: str) -> str:
    """Return what is to be typed or copied."""
    return f"<code>{escape(words)}</code>"


def sentence(words: str) -> str:
    """Return words of ours, which begin small and end without a stop, as a sentence."""
    ended = words[:1].upper() + words[1:]
    return ended if not ended or ended[-1] in ".!?…" else f"{ended}."
