"""A GitHub App as GitHub knows it: who may ask for its tokens, where it is installed, what its tokens are good for."""

import itertools
import time
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import jwt
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

__all__ = ["FakeApp"]


@dataclass(frozen=True)
class Token:
    """A token of an installation."""

    text: str
    ends: float
    repositories: tuple[str, ...]


@dataclass
class FakeApp:
    """One app, installed once."""

    id: str = "4711"
    installation: int = 42
    seconds: int = 3600
    """How long its tokens live."""
    key: rsa.RSAPrivateKey = field(default_factory=lambda: rsa.generate_private_key(65537, 2048))
    tokens: list[Token] = field(default_factory=list)
    """Every token it was given, the oldest first."""
    used: list[str] = field(default_factory=list)
    """The token of each request that needs one."""
    _numbers: Any = field(default_factory=lambda: itertools.count(1))

    @property
    def pem(self) -> str:
        """The private key as GitHub hands it out."""
        return self.key.private_bytes(Encoding.PEM, PrivateFormat.TraditionalOpenSSL, NoEncryption()).decode()

    def revoke(self) -> None:
        """Let none of its tokens be good any more."""
        self.tokens = [Token(token.text, 0.0, token.repositories) for token in self.tokens]

    def is_itself(self, authorization: str) -> bool:
        """Whether a request is signed by the app, for at most ten minutes."""
        kind, _, text = authorization.partition(" ")
        try:
            told = jwt.decode(
                text,
                self.key.public_key(),
                algorithms=["RS256"],
                issuer=self.id,
                options={"require": ["iat", "exp", "iss"]},
            )
        except jwt.InvalidTokenError:
            return False
        return kind == "Bearer" and told["exp"] - told["iat"] <= 600

    def lets_in(self, authorization: str, repository: str) -> bool:
        """Whether a request brings a token that is good for this repository now."""
        text = authorization.partition(" ")[2]
        self.used.append(text)
        return any(
            token.text == text and token.ends > time.time() and repository in token.repositories
            for token in self.tokens
        )

    def new_token(self, repositories: list[str]) -> dict[str, Any]:
        """Give it a token, in the form that they have since 2026."""
        ends = int(time.time()) + self.seconds
        text = f"ghs_{self.id}_eyJhbGciOi.eyJzdWI-{next(self._numbers)}.c2lnbmF0dXJl"
        self.tokens.append(Token(text, ends, tuple(repositories)))
        return {"token": text, "expires_at": datetime.fromtimestamp(ends, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")}
