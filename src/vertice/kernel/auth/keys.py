"""The secret key, and the keys for single purposes that are derived from it."""

import os
import secrets
from pathlib import Path

from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from vertice.kernel.errors import InputError, from_os_error
from vertice.kernel.files import read_bytes

__all__ = ["derive", "home_secret"]

_BYTES = 32
_FILE = "secret.key"


def derive(secret: bytes, purpose: str) -> bytes:
    """Return the 32-byte key for `purpose` ("csrf"). Who learns it learns neither the secret nor another key."""
    return HKDF(algorithm=SHA256(), length=_BYTES, salt=None, info=b"vertice/" + purpose.encode()).derive(secret)


def home_secret(home: Path) -> bytes:
    """Return the secret of `home/secret.key`, made at random (0600) the first time.

    Processes that come at the same time get the same one. Raises InputError when the file holds something else.
    """
    path = home / _FILE
    if not path.exists():
        _make(path)
    try:
        if path.stat().st_mode & 0o077:
            path.chmod(0o600)
    except OSError as error:
        raise from_os_error(error, "making the secret key private") from error
    text = read_bytes(path, limit=1024).strip()
    try:
        secret = bytes.fromhex(text.decode("ascii"))
    except ValueError:
        secret = b""
    if len(secret) < _BYTES:
        raise InputError("is not a secret key", where=str(path), todo="Remove it: the next start makes a new one.")
    return secret


def _make(path: Path) -> None:
    own = path.with_name(f".{_FILE}.{secrets.token_hex(8)}")
    try:
        descriptor = os.open(own, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        try:
            with os.fdopen(descriptor, "w") as stream:
                stream.write(secrets.token_hex(_BYTES) + "\n")
                stream.flush()
                os.fsync(stream.fileno())
            # A link, not a rename: whoever comes second must not replace what the first already uses.
            path.hardlink_to(own)
        finally:
            own.unlink()
    except FileExistsError:
        return
    except OSError as error:
        raise from_os_error(error, "making the secret key") from error
