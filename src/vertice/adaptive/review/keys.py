"""The local signing key: ed25519, made on first use, never leaves this machine.

`home/keys/` (0700) holds `signing.pem` (PKCS#8, 0600) and `signing.pub` (SubjectPublicKeyInfo, to hand out).
The fingerprint is the sha256 of the public key's DER form, so that anybody can compute it:
`openssl pkey -pubin -in signing.pub -outform DER | sha256sum`.
"""

import hashlib
import os
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from vertice.kernel.errors import InputError, from_os_error
from vertice.kernel.files import read_bytes, write_atomic
from vertice.kernel.home import make_private

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

__all__ = ["fingerprint", "own_public_key", "parse_public_key", "private_key", "public_pem", "read_public_key"]

_PRIVATE, _PUBLIC = "signing.pem", "signing.pub"
_PEM_BYTES = 16 * 1024


def private_key(home: Path) -> "Ed25519PrivateKey":
    """Return this machine's signing key, making it on first use. Two processes at once agree on one key.

    Raises InputError when the key file cannot be read as an ed25519 key, or when others can read it.
    """
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
    from cryptography.hazmat.primitives.serialization import load_pem_private_key

    path = make_private(home / "keys") / _PRIVATE
    if not path.exists():
        _make(path)
    if path.stat().st_mode & 0o077:
        raise InputError("the signing key can be read by others", where=str(path), todo=f"chmod 600 {path}")
    try:
        key = load_pem_private_key(read_bytes(path, limit=_PEM_BYTES), password=None)
    except (ValueError, TypeError) as error:
        raise _unreadable(path) from error
    if not isinstance(key, Ed25519PrivateKey):
        raise _unreadable(path)
    public = public_pem(key.public_key())
    beside = path.with_name(_PUBLIC)
    if not beside.exists() or read_bytes(beside, limit=_PEM_BYTES) != public:
        write_atomic(beside, public)
    return key


def own_public_key(home: Path) -> "Ed25519PublicKey | None":
    """Return the public key of this machine, None when it has not signed anything yet."""
    path = home / "keys" / _PUBLIC
    return read_public_key(path) if path.exists() else None


def read_public_key(path: Path) -> "Ed25519PublicKey":
    """Return the key in a PEM file. Raises InputError when it holds no ed25519 public key."""
    return parse_public_key(read_bytes(path, limit=_PEM_BYTES), where=str(path))


def parse_public_key(pem: bytes, *, where: str) -> "Ed25519PublicKey":
    """Return the key in PEM bytes; `where` is for the InputError."""
    from cryptography.exceptions import UnsupportedAlgorithm
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
    from cryptography.hazmat.primitives.serialization import load_pem_public_key

    try:
        key = load_pem_public_key(pem)
    except (ValueError, TypeError, UnsupportedAlgorithm) as error:
        raise InputError("holds no public key in PEM form", where=where, todo="Name the signer's .pub file.") from error
    if not isinstance(key, Ed25519PublicKey):
        raise InputError("holds a public key that is not ed25519", where=where, todo="Name the signer's .pub file.")
    return key


def public_pem(key: "Ed25519PublicKey") -> bytes:
    """Return the key in PEM form (SubjectPublicKeyInfo)."""
    from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

    return key.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)


def fingerprint(key: "Ed25519PublicKey") -> str:
    """Return sha256 hex of the key's DER form."""
    from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

    return hashlib.sha256(key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)).hexdigest()


def _make(path: Path) -> None:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
    from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

    pem = Ed25519PrivateKey.generate().private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    try:
        descriptor, name = tempfile.mkstemp(dir=path.parent, prefix=".signing.")  # 0600 from the start
        try:
            with os.fdopen(descriptor, "wb") as stream:
                stream.write(pem)
                stream.flush()
                os.fsync(stream.fileno())
            # A link, unlike a rename, fails when another process was faster: whoever links first has made the key.
            Path(path).hardlink_to(name)
        except FileExistsError:
            pass
        finally:
            Path(name).unlink(missing_ok=True)
    except OSError as error:
        raise from_os_error(error, "making the signing key") from error


def _unreadable(path: Path) -> InputError:
    return InputError(
        "is not an ed25519 private key",
        where=str(path),
        todo="Restore it from a backup; or move it away, and a new key is made at the next use.",
    )
