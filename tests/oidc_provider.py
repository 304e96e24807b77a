"""OpenID providers for tests.

`OidcProvider` is the real one: panva's certified `oidc-provider` on Node.js, with logins, consent, codes and tokens of
its own. `ForgedProvider` says whatever a test wants, to see what is believed.
"""

import json
import re
import shutil
import subprocess
import threading
import time
from collections.abc import Callable, Sequence
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, Self
from urllib.parse import parse_qs, urlsplit

import httpx
from joserfc import jwt
from joserfc.jwk import Key, RSAKey

from tests.machine import ROOT
from tests.server import Server, ServerError, find
from vertice.kernel.locks import exclusive

__all__ = ["ForgedProvider", "OidcProvider", "come_back_url"]

_SOURCE = Path(__file__).with_name("oidc_server")
_INSTALLED = ROOT / ".run" / "oidc_server"
_RSA = RSAKey.generate_key(2048, {"kid": "forged-1", "use": "sig", "alg": "RS256"})


class OidcProvider(Server):
    """The certified provider."""

    program = "node"
    package = "nodejs"
    account = "root"
    hello = b"GET /.well-known/openid-configuration HTTP/1.0\r\n\r\n"
    welcome = (b"HTTP/1.1 200",)

    def __init__(self, redirect_uri: str) -> None:
        self._redirect_uri = redirect_uri
        super().__init__()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def _prepare(self) -> None:
        (self.folder / "node_modules").symlink_to(_install() / "node_modules")
        shutil.copy(_SOURCE / "server.mjs", self.folder)

    def _command(self) -> Sequence[str]:
        return [self._binary, "server.mjs", str(self.port), self._redirect_uri]

    def access_token(self, audience: str, scope: str) -> str:
        """A machine's access token, by client credentials."""
        form = {"grant_type": "client_credentials", "resource": audience, "scope": scope}
        answer = httpx.post(f"{self.url}/token", data=form, auth=("robot", "robot"))
        return str(answer.raise_for_status().json()["access_token"])


async def come_back_url(departure: str, login: str) -> str:
    """Log `login` in at the provider as a person does, consent, and return the URL that the provider sends us back to.

    The browser keeps the provider's cookies and knows nothing of ours.
    """
    provider = urlsplit(departure).netloc
    async with httpx.AsyncClient(timeout=30) as browser:
        answer = await browser.get(departure)
        for _ in range(10):
            while answer.is_redirect:
                url = str(answer.next_request.url) if answer.next_request else ""
                if urlsplit(url).netloc != provider:
                    return url
                answer = await browser.get(url)
            form = re.search(r'action="([^"]+)" method="post"', answer.text)
            prompt = re.search(r'name="prompt" value="(\w+)"', answer.text)
            if answer.status_code != 200 or form is None or prompt is None:
                raise ServerError(f"the provider answers {answer.status_code}: {answer.text[:2000]}")
            answer = await browser.post(form[1], data={"prompt": prompt[1], "login": login, "password": "x"})
    raise ServerError("the provider does not come to an end")


class ForgedProvider:
    """A provider whose every answer a test chooses; with nothing chosen it is an honest one."""

    def __init__(self) -> None:
        self.key: Key = _RSA
        self.published: list[Key] = [self.key]
        self.claims: dict[str, Any] = {}
        """What the next tokens say otherwise than an honest one; None takes a claim out."""
        self.header: dict[str, Any] = {}
        self.answers: dict[str, tuple[int, bytes]] = {}
        """Path -> status and body, instead of the honest answer."""
        self.document: dict[str, Any] = {}
        self.userinfo: dict[str, Any] = {}
        self.id_token: str | None = None
        self.asked: list[str] = []
        self.form: dict[str, str] = {}
        self.nonce = ""
        self.clock: Callable[[], float] = time.time
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)

    @property
    def issuer(self) -> str:
        return f"http://127.0.0.1:{self._server.server_port}"

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Stop answering."""
        if self._thread.is_alive():
            self._server.shutdown()
            self._thread.join()
        self._server.server_close()

    def token(self, **claims: Any) -> str:
        """A token signed with the provider's key."""
        now = int(self.clock())
        said = {"iss": self.issuer, "sub": "mallory", "iat": now, "exp": now + 300, **claims, **self.claims}
        header = {"alg": self.key.get("alg"), "kid": self.key.kid, **self.header}
        kept = {name: value for name, value in said.items() if value is not None}
        return jwt.encode(header, kept, self.key, algorithms=[str(header["alg"])])

    def _answer(self, method: str, path: str) -> tuple[int, bytes]:
        self.asked.append(f"{method} {path}")
        if path in self.answers:
            return self.answers[path]
        match path:
            case "/.well-known/openid-configuration":
                return _json(self._discovery())
            case "/jwks":
                return _json({"keys": [key.as_dict(private=False) for key in self.published]})
            case "/token":
                honest = {"aud": "console", "nonce": self.nonce, "groups": ["vertice-leads"], "email": "m@example.org"}
                return _json({"access_token": "opaque", "id_token": self.id_token or self.token(**honest)})
            case "/userinfo":
                return _json(self.userinfo)
            case _:
                return 404, b"{}"

    def _discovery(self) -> dict[str, Any]:
        return {
            "issuer": self.issuer,
            "authorization_endpoint": f"{self.issuer}/authorize",
            "token_endpoint": f"{self.issuer}/token",
            "jwks_uri": f"{self.issuer}/jwks",
            **self.document,
        }

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        forged = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                self._send(*forged._answer("GET", urlsplit(self.path).path))

            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"])).decode()
                forged.form = {name: values[0] for name, values in parse_qs(body).items()}
                self._send(*forged._answer("POST", urlsplit(self.path).path))

            def _send(self, status: int, body: bytes) -> None:
                self.send_response(status)
                if status in {301, 302, 307, 308}:
                    self.send_header("Location", body.decode())
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_: object) -> None:
                return

        return Handler


def _json(document: object) -> tuple[int, bytes]:
    return 200, json.dumps(document).encode()


def _install() -> Path:
    """The provider's packages, installed once for all test runs of this checkout."""
    npm = find("npm", "npm")
    with exclusive(_INSTALLED / "lock"):
        wanted = (_SOURCE / "package-lock.json").read_bytes()
        done = _INSTALLED / "done"
        if not done.exists() or done.read_bytes() != wanted:
            for name in ("package.json", "package-lock.json"):
                shutil.copy(_SOURCE / name, _INSTALLED)
            command = [npm, "ci", "--ignore-scripts", "--no-audit", "--no-fund"]
            ran = subprocess.run(command, cwd=_INSTALLED, capture_output=True, text=True, timeout=300, check=False)
            if ran.returncode:
                raise ServerError(f"npm could not install the OpenID provider:\n{ran.stdout}{ran.stderr}")
            done.write_bytes(wanted)
    return _INSTALLED
