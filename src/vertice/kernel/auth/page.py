"""The one page of ours that is not the console's: where a login begins when there is no session yet."""

from html import escape

from starlette.responses import HTMLResponse, Response

__all__ = ["POLICY", "login_page", "login_script"]

POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; form-action 'self'; base-uri 'none'; "
    "frame-ancestors 'none'"
)

_HEADERS = {
    "Content-Security-Policy": POLICY,
    # With `no-referrer` the browser would send the form with `Origin: null`.
    "Referrer-Policy": "same-origin",
    "Cache-Control": "no-store",
}

_PAGE = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="robots" content="noindex">
<meta name="color-scheme" content="light dark">
<title>Log in</title>
{script}</head>
<body>
<main>
<h1>Log in</h1>
{body}
</main>
</body>
</html>
"""

_SCRIPT = 'document.querySelector("form").requestSubmit();\n'


def login_page(prefix: str, *, token: str, then: str, provider: bool) -> Response:
    """Return the page: a form that uses the one-time token up, or a link to the provider, or what to do instead.

    Opening it changes nothing, so that the preview of a link does not use the token up: a click does, or the script.
    """
    if token:
        body = (
            f'<form method="post" action="{escape(prefix)}/login">\n'
            f'<input type="hidden" name="token" value="{escape(token)}">\n'
            f'<input type="hidden" name="next" value="{escape(then)}">\n'
            "<button>Log in</button>\n</form>"
        )
    elif provider:
        body = f'<p><a href="{escape(prefix)}/login/oidc">Log in with your organisation</a></p>'
    else:
        body = "<p>Open the one-time URL that the server printed when it started.</p>"
    script = f'<script src="{escape(prefix)}/login.js" defer></script>\n' if token else ""
    return HTMLResponse(_PAGE.format(script=script, body=body), headers=_HEADERS)


def login_script() -> Response:
    """Return the script that presses the form's button."""
    return Response(_SCRIPT, media_type="text/javascript", headers=_HEADERS)
