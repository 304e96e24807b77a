"""Reading a provider's tokens: signature, claims, role. Pure: keys and time are given.

The algorithms are fixed here, not taken from the token: `none` and the HMACs are never among them, so a public key
cannot be passed off as a shared secret.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final

from joserfc import jwt
from joserfc.errors import ClaimError, ExpiredTokenError, InvalidKeyIdError, JoseError, UnsupportedAlgorithmError
from joserfc.jwk import ECKey, KeySet, OKPKey, RSAKey
from joserfc.jws import JWSRegistry
from joserfc.registry import Header

from vertice.kernel.auth.model import AuthError, ForbiddenError, Identity, Role, Scope
from vertice.kernel.errors import InputError
from vertice.kernel.text import printable

__all__ = ["ALGORITHMS", "RoleRules", "UnknownKeyError", "identity_of", "key_set", "read", "scopes_of"]

ALGORITHMS: Final = frozenset({"RS256", "PS256", "ES256", "EdDSA", "Ed25519"})

_LEEWAY_SECONDS: Final = 60
_MAX_TOKEN: Final = 16 * 1024
_KEYS: Final[dict[str, type[RSAKey] | type[ECKey] | type[OKPKey]]] = {"RSA": RSAKey, "EC": ECKey, "OKP": OKPKey}
_LEAST_MODULUS: Final = 342
"""Characters of base64url: 2048 bits."""


class UnknownKeyError(AuthError):
    """The token names a key that is not among those we have: the provider may have a new one."""

    code = "unknown-key"


@dataclass(frozen=True, slots=True)
class RoleRules:
    """Which claim gives the role. The highest role that the claim's values map to counts."""

    claim: str = "groups"
    """A claim's name, or a path of names (`realm_access.roles`) where no claim has the whole as its name."""
    roles: Mapping[str, Role] = field(default_factory=dict)
    """Value of the claim -> role: `{"vertice-admins": Role.admin}`."""
    default: Role | None = None
    """Role of who has none of the values; None refuses them."""


class _Registry(JWSRegistry):
    """Takes ALGORITHMS alone, and ignores header fields that nobody must understand, as RFC 7515 asks."""

    max_header_length = 4096

    def __init__(self) -> None:
        super().__init__(algorithms=ALGORITHMS, strict_check_header=False)

    def get_alg(self, name: str) -> Any:  # a class that joserfc does not export
        if name not in ALGORITHMS:
            raise UnsupportedAlgorithmError(f"algorithm {name} is not allowed")
        return self.algorithms[name]


def key_set(document: object) -> KeySet:
    """Return the signing keys of a JWKS that we can use; what is of another kind, or too weak, is left out.

    Raises InputError when nothing is left.
    """
    entries = document.get("keys") if isinstance(document, dict) else None
    keys: list[RSAKey | ECKey | OKPKey] = []
    for entry in entries if isinstance(entries, list) else ():
        kind = _KEYS.get(str(entry.get("kty"))) if isinstance(entry, dict) else None
        if kind is None or entry.get("use", "sig") != "sig":
            continue
        if kind is RSAKey and len(str(entry.get("n"))) < _LEAST_MODULUS:
            continue
        try:
            keys.append(kind.import_key(entry))
        except (JoseError, ValueError, TypeError, KeyError):
            continue
    if not keys:
        raise InputError("the provider publishes no key that we can use", where="jwks_uri", todo="Ask its operator.")
    return KeySet(list(keys))


def read(
    token: str, keys: KeySet, *, issuer: str, audience: str, now: datetime, nonce: str | None = None
) -> dict[str, Any]:
    """Return the claims of a token that the issuer signed for this audience and that is valid now, give or take 60 s.

    With `nonce` it is an ID token: it must hold that nonce, and its `azp` the audience where it has one or where it
    has several audiences. Without, a token that is an ID token is refused. Raises AuthError, UnknownKeyError when none
    of the keys is the one it names.
    """
    if len(token) > _MAX_TOKEN:
        raise _refused("is too long")
    try:
        found = jwt.decode(token, keys, registry=_Registry())
        rules = jwt.JWTClaimsRegistry(
            now=int(now.timestamp()),
            leeway=_LEEWAY_SECONDS,
            iss={"essential": True, "value": issuer},
            aud={"essential": True, "value": audience},
            sub={"essential": True},
            exp={"essential": True},
            iat={"essential": True},
        )
        rules.validate(found.claims)
    except InvalidKeyIdError as error:
        raise UnknownKeyError("the token is signed with a key that the provider does not publish", where="token") from (
            error
        )
    except ExpiredTokenError as error:
        raise _refused("has expired") from error
    except ClaimError as error:
        raise _refused(f"has a wrong or no claim {printable(error.claim, limit=40)}") from error
    except UnsupportedAlgorithmError as error:
        raise _refused("is signed with an algorithm that is not allowed") from error
    except (JoseError, ValueError, TypeError, KeyError, RecursionError) as error:
        # joserfc passes some malformed input on as Python's own errors.
        raise _refused("is not signed by the provider") from error
    if nonce is None:
        _refuse_id_token(found.header, found.claims)
    else:
        _check_id_token(found.claims, audience, nonce)
    return found.claims


def identity_of(claims: Mapping[str, Any], issuer: str, rules: RoleRules) -> Identity:
    """Return who the claims describe. Raises ForbiddenError when they give no role.

    An e-mail address that the provider has not verified is not taken.
    """
    email = "" if claims.get("email_verified") is False else _text(claims, "email")
    return Identity(
        issuer=issuer,
        subject=_text(claims, "sub"),
        name=_text(claims, "name") or _text(claims, "preferred_username") or email or _text(claims, "sub"),
        email=email,
        role=_role(claims, rules),
    )


def scopes_of(claims: Mapping[str, Any]) -> frozenset[Scope]:
    """Return the scopes of ours that an access token was given, `read` when it names none."""
    words = _text(claims, "scope").split() or _text(claims, "scp").split()
    if isinstance(claims.get("scp"), list):
        words = [word for word in claims["scp"] if isinstance(word, str)]
    return frozenset(Scope(word) for word in words if word in set(Scope)) or frozenset({Scope.read})


def _role(claims: Mapping[str, Any], rules: RoleRules) -> Role:
    found = _value(claims, rules.claim)
    values = found if isinstance(found, list) else [found]
    roles = [rules.roles[value] for value in values if isinstance(value, str) and value in rules.roles]
    if rules.default is not None:
        roles.append(rules.default)
    if not roles:
        raise ForbiddenError(
            f"the provider gives you no role here (claim {rules.claim})",
            where="login",
            todo="Ask an admin to put you in one of the groups that have a role.",
        )
    return max(roles, key=tuple(Role).index)


def _value(claims: Mapping[str, Any], path: str) -> object:
    if path in claims:
        return claims[path]
    found: object = claims
    for name in path.split("."):
        found = found.get(name) if isinstance(found, Mapping) else None
    return found


def _text(claims: Mapping[str, Any], name: str) -> str:
    value = claims.get(name)
    return value if isinstance(value, str) else ""


def _check_id_token(claims: Mapping[str, Any], client: str, nonce: str) -> None:
    if claims.get("nonce") != nonce:
        raise _refused("has a wrong or no claim nonce")
    several = isinstance(claims["aud"], list) and len(claims["aud"]) > 1
    if (several or "azp" in claims) and claims.get("azp") != client:
        raise _refused("has a wrong or no claim azp")


def _refuse_id_token(header: Header, claims: Mapping[str, Any]) -> None:
    # Keycloak says what it is in `typ` of the claims, RFC 9068 in `typ` of the header; others are told by their nonce.
    typ = str(header.get("typ", "JWT")).lower().removeprefix("application/")
    if typ not in {"jwt", "at+jwt"} or "nonce" in claims or claims.get("typ", "Bearer") != "Bearer":
        raise _refused("is not an access token")


def _refused(why: str) -> AuthError:
    return AuthError(f"the token {why}", where="token", todo="Log in again.")
