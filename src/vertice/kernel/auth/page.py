"""The pages of a login: they need no console and no script."""

from collections.abc import Mapping
from html import escape
from typing import Any
from urllib.parse import urlencode

from starlette.responses import Response

from vertice.kernel.http.kinds import Kind
from vertice.kernel.http.problem_pages import problem_page
from vertice.kernel.http.web_page import button, form, link, text, web_page
from vertice.kernel.text import printable

__all__ = ["logged_out_page", "login_page", "login_problem", "login_script", "logout_page"]

_FORM = {
    # With `no-referrer` the browser would send the form with `Origin: null`.
    "Referrer-Policy": "same-origin",
}

_SCRIPT = 'document.querySelector("form").requestSubmit();\n'
_COMMAND = '<p>Where the server runs, this prints one:</p>\n<p><code class="command">vertice login</code></p>'
_BROKEN = "this address is not complete, or was changed on the way"


def login_page(prefix: str, *, token: str, then: str, provider: bool) -> Response:
    """Return the page: a form that uses the one-time token up, or a link to the provider, or what to do instead.

    Opening it changes nothing, so that the preview of a link does not use the token up: a click does, or the script.
    """
    if token:
        return web_page(
            "Log in",
            text("This link logs you in, once."),
            form("Log in", f"{prefix}/login", {"token": token, "next": then}),
            headers=_FORM,
            script=f"{prefix}/login.js",
        )
    if provider:
        query = f"?{urlencode({'next': then})}" if then != "/" else ""
        return web_page(
            "Log in",
            text("You log in where you do for everything else at your organisation, and come back here."),
            f'<p class="actions">{button("Log in with your organisation", f"{prefix}/login/oidc{query}")}</p>',
        )
    return web_page(
        "Log in", text("Open the one-time URL that the server printed when it started, or a new one."), _COMMAND
    )


def login_script() -> Response:
    """Return the script that presses the form's button."""
    return Response(_SCRIPT, media_type="text/javascript")


def logout_page(prefix: str, *, name: str, csrf_token: str) -> Response:
    """Return the page with the button that ends a person's session."""
    return web_page(
        "Log out",
        text(f"You are logged in as {printable(name, limit=100)}."),
        form("Log out", f"{prefix}/logout", {"csrf_token": csrf_token}, link("Stay", "/")),
        headers=_FORM,
    )


def logged_out_page(prefix: str, *, provider_url: str) -> Response:
    """Return the page for who is not logged in (any more). `provider_url`: where they end the provider's session."""
    theirs = f'<a href="{escape(provider_url)}">Log out of your organisation, too</a>' if provider_url else ""
    return web_page(
        "You are logged out",
        text("You are still logged in at your organisation: the next login here may ask for nothing.")
        if provider_url
        else text("Nobody is logged in to Vértice in this browser."),
        f'<p class="actions">{button("Log in", f"{prefix}/login")}{theirs}</p>',
    )


def login_problem(
    prefix: str, path: str, document: Mapping[str, Any], *, kind: Kind | None, provider: bool
) -> Response:
    """Return the page for a login or logout that did not work: why, and a button that begins it again."""
    out = path.startswith(f"{prefix}/logout")
    broken = document["status"] == 422  # whoever came by a link did not write what it holds
    if out:
        again = ("Try again", f"{prefix}/logout")
    elif provider:
        again = ("Try again", f"{prefix}/login/oidc")
    else:
        again = ("Go to the login page", f"{prefix}/login")
    heading = "The logout did not work" if out else "The login did not work"
    return problem_page(
        document,
        kind=kind,
        heading="" if document["status"] == 429 else heading,
        said=_BROKEN if broken else "",
        todo="Begin again." if broken and (out or provider) else "Open the whole address again." if broken else "",
        again=again,
    )
