"""Login: a password for a signed token, a token for a name."""

import hashlib
import hmac
import time

from jose import JWTError, jwt

_ALGORITHM = "HS256"
_LIFETIME = 3600
_USERS = {
    "ana": ("5f3c", "6d26f00173afc13831181bb5ba9d9d7e0fc3d046060ab9216a4c96fef936e60c"),
}
"""Name -> salt and sha256 of salt and password; the shop's staff, kept here until there is a user table."""


def password_digest(salt: str, password: str) -> str:
    return hashlib.sha256(f"{salt}{password}".encode()).hexdigest()


def check_password(name: str, password: str, users: dict[str, tuple[str, str]] = _USERS) -> bool:
    salt, digest = users.get(name, ("", ""))
    return hmac.compare_digest(password_digest(salt, password), digest)


def make_token(name: str, secret: str, now: float | None = None) -> str:
    issued = int(time.time() if now is None else now)
    return jwt.encode({"sub": name, "iat": issued, "exp": issued + _LIFETIME}, secret, algorithm=_ALGORITHM)


def read_token(token: str, secret: str) -> str | None:
    """Return whose token it is, None when it is forged or has expired."""
    try:
        return jwt.decode(token, secret, algorithms=[_ALGORITHM]).get("sub")
    except JWTError:
        return None
