"""The cookies of a login. Over https their names bind them to this host alone (`__Host-`)."""

from dataclasses import dataclass

from starlette.requests import HTTPConnection
from starlette.responses import Response

from vertice.kernel.auth.model import ForbiddenError
from vertice.kernel.auth.provider import is_loopback
from vertice.kernel.text import printable

__all__ = ["SESSION", "Cookies"]

SESSION = "vertice"
_CSRF = "vertice-csrf"
_LOGIN = "vertice-login"
_LOGIN_SECONDS = 600


@dataclass(frozen=True, slots=True)
class Cookies:
    """Sets and reads them. `always_secure`: people come by https, though this server may see http."""

    always_secure: bool

    def session(self, connection: HTTPConnection) -> str | None:
        """Return the session's token."""
        return connection.cookies.get(self._name(connection, SESSION))

    def departure(self, connection: HTTPConnection) -> str:
        """Return the secret of a login that is on its way, "" when there is none."""
        return connection.cookies.get(self._name(connection, _LOGIN), "")

    def set_session(self, connection: HTTPConnection, answer: Response, token: str, csrf: str) -> None:
        """Give the browser its session, and what its scripts send along with every change.

        They end with the browser; when the session itself ends, the server knows. Raises ForbiddenError where the
        cookie would cross a network in the clear.
        """
        self.check(connection)
        self._set(connection, answer, SESSION, token, hidden=True, seconds=None)
        self._set(connection, answer, _CSRF, csrf, hidden=False, seconds=None)

    def set_departure(self, connection: HTTPConnection, answer: Response, secret: str) -> None:
        """Give the browser the secret that it needs when it comes back."""
        self.check(connection)
        self._set(connection, answer, _LOGIN, secret, hidden=True, seconds=_LOGIN_SECONDS)

    def clear(self, connection: HTTPConnection, answer: Response, *, session: bool) -> None:
        """Take back the cookies of the session, or the one of a login on its way."""
        for name in (SESSION, _CSRF) if session else (_LOGIN,):
            self._set(connection, answer, name, "", hidden=True, seconds=0)

    def check(self, connection: HTTPConnection) -> None:
        """Raise ForbiddenError where a cookie would cross a network in the clear."""
        host = connection.url.hostname or ""
        if not self._secure(connection) and not is_loopback(host):
            raise ForbiddenError(
                "a login over plain http is possible on the machine itself only",
                where=printable(host, limit=100),
                todo="Use https, or localhost.",
            )

    def _secure(self, connection: HTTPConnection) -> bool:
        return self.always_secure or connection.scope["scheme"] in {"https", "wss"}

    def _name(self, connection: HTTPConnection, name: str) -> str:
        return f"__Host-{name}" if self._secure(connection) else name

    def _set(
        self, connection: HTTPConnection, answer: Response, name: str, value: str, *, hidden: bool, seconds: int | None
    ) -> None:
        answer.set_cookie(
            self._name(connection, name),
            value,
            max_age=seconds,
            path="/",
            secure=self._secure(connection),
            httponly=hidden,
            samesite="lax",
        )
