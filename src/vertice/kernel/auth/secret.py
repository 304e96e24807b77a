"""Secrets that are shown once and kept as a digest."""

import hashlib
import secrets

__all__ = ["digest", "new_secret"]


def new_secret() -> str:
    """Return 256 random bits in characters that a URL, a cookie and a header take."""
    return secrets.token_urlsafe(32)


def digest(secret: str) -> str:
    """Return what is kept of a secret.

    A plain sha256 will do: with 256 random bits there is nothing to guess. Looking a digest up also tells an attacker
    who measures time nothing about the secret.
    """
    return hashlib.sha256(secret.encode("utf-8", errors="surrogatepass")).hexdigest()
