"""Every kind of problem that any service of ours may answer with: the one place that explains their codes.

A service adds its own (`ADAPTIVE`, in `vertice.adaptive.api.problems`); `problem_pages` shows them all at the addresses
that problems have as their `type`.
"""

from dataclasses import dataclass

__all__ = ["KERNEL", "Kind", "code_of", "title_of", "type_of"]


@dataclass(frozen=True, slots=True)
class Kind:
    """One kind of problem, whatever caused it this time."""

    code: str
    status: int
    """The HTTP status that it comes with."""
    meaning: str
    """What it says of the request, in whole sentences."""
    todo: str
    """What whoever gets it can do, in whole sentences."""

    @property
    def title(self) -> str:
        """The code in words."""
        return title_of(self.code)


_GENERAL = (
    Kind("bad-request", 400, "The request cannot be understood.", "Correct it as the problem says."),
    Kind("unauthorized", 401, "This needs a login.", "Log in, or send an API token."),
    Kind(
        "forbidden",
        403,
        "It is known who asks, and they may not do this; or the request may come from another site's page.",
        "The problem says what is lacking: a role, a scope of the token, the CSRF token, https. "
        "Ask an admin where it is a role.",
    ),
    Kind("not-found", 404, "There is nothing at this address.", "Check the address."),
    Kind("method-not-allowed", 405, "The address does not take this method.", "Use one that the header Allow names."),
    Kind("not-acceptable", 406, "There is no answer of the kind that was asked for.", "Ask for JSON."),
    Kind("request-timeout", 408, "The body of the request took too long to come.", "Send it again."),
    Kind(
        "conflict",
        409,
        "What was asked for no longer fits the state of things: somebody else was first, or it was changed since it "
        "was looked at.",
        "Look at it as it is now, and ask again if it still makes sense.",
    ),
    Kind("gone", 410, "It was here, and is no more.", "Use what took its place."),
    Kind(
        "precondition-failed",
        412,
        "The edit is of another version than the one there is now.",
        "Get it again, and send the edit with the new ETag in If-Match.",
    ),
    Kind("content-too-large", 413, "The body of the request is too large.", "Send less."),
    Kind("uri-too-long", 414, "The address is too long.", "Shorten it."),
    Kind("unsupported-media-type", 415, "The body is of a kind that is not taken here.", "Send JSON."),
    Kind(
        "bad-input",
        422,
        "The request can be read, but holds a value that cannot be used.",
        "Correct the value that `where` and `errors` name.",
    ),
    Kind(
        "precondition-required",
        428,
        "The edit does not say which version it is of.",
        "Get what you edit, and send its ETag in If-Match.",
    ),
    Kind(
        "too-many-requests",
        429,
        "More requests came from one person or address in a short time than are taken.",
        "Wait as long as the header Retry-After says, in seconds.",
    ),
    Kind(
        "internal-error",
        500,
        "Something went wrong here that should not have.",
        "Try again; if it stays, give the operators the problem's instance: the logs have it, too.",
    ),
    Kind("bad-gateway", 502, "A server behind this one gave an answer that cannot be used.", "Try again in a minute."),
    Kind("service-unavailable", 503, "The service cannot answer right now.", "Try again in a minute."),
    Kind("gateway-timeout", 504, "A server behind this one did not answer in time.", "Try again in a minute."),
)
"""One for each status that no error of ours need stand behind."""

KERNEL = (
    *_GENERAL,
    Kind(
        "malformed-json",
        400,
        "The body is not JSON that is taken here: it is cut off, not UTF-8, nested too deeply, or holds NaN or U+0000.",
        "Correct the body at the place that the problem names.",
    ),
    Kind(
        "not-logged-in",
        401,
        "Nobody can be told from what was sent: no login, a wrong one, or one that has ended.",
        "Log in again, or send an API token that is valid.",
    ),
    Kind(
        "unknown-key",
        401,
        "The token is signed with a key that the login provider does not publish.",
        "Get a new token from the provider that this service trusts.",
    ),
    Kind("unknown", 404, "What the request names is not there.", "Check the name; a list shows which there are."),
    Kind("unknown-token", 404, "There is no such API token, or it is somebody else's.", "List your tokens."),
    Kind("message-refused", 422, "The message itself is at fault: sent again, it would be refused again.", "Mend it."),
    Kind(
        "message-unclaimed",
        503,
        "Nobody takes this message here: another process may, or this one when it is set up to.",
        "Wait: it is offered again by itself.",
    ),
    Kind(
        "error",
        500,
        "Something could not be done.",
        "Try again; if it stays, give the operators the problem's instance: the logs have it, too.",
    ),
    Kind(
        "unfinished",
        503,
        "The request is fine, but something that it needs does not work right now.",
        "Try again in a minute; if it stays, give the operators the problem's instance.",
    ),
    Kind(
        "provider-unavailable",
        503,
        "The login provider does not answer, or not in the way that this service was set up for.",
        "Try again in a minute; if it stays, tell the operators: the logs say what the provider answered.",
    ),
    Kind("build-failed", 503, "A release has no wheel for this machine, and its source does not build.", "Read why."),
)

_CODES = {kind.status: kind.code for kind in _GENERAL}


def code_of(status: int) -> str:
    """Return the code of a status that no error of ours stands behind."""
    return _CODES.get(status, f"http-{status}")


def title_of(code: str) -> str:
    """Return the code in words."""
    return code.replace("-", " ").capitalize()


def type_of(code: str) -> str:
    """Return the `type` of the problems with this code: the address that explains it."""
    return f"/problems/{code}"
