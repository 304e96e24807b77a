"""Evidence as a signed in-toto statement that a stranger can verify offline.

The file is a DSSE envelope (secure-systems-lab/dsse) around an in-toto Statement v1 (in-toto/attestation) whose
subjects are the patch and both locks, and whose predicate (docs/evidence.md) is everything the verdict was made from.
The signer's public key lies in the envelope under `publicKey`, which DSSE readers ignore: it shows that the file is
whole, not who made it. Trust comes from comparing the key's fingerprint with its owner, or from a key file you have.

The database keeps the file's whole text; an approval is bound to that (`digest_of`, `disagreement`), given wherever.
"""

import base64
import binascii
import hashlib
import json
import platform
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from vertice import __version__
from vertice.adaptive.remedy.model import Remedy
from vertice.adaptive.review import keys
from vertice.adaptive.review.model import Review
from vertice.adaptive.triage.model import Apv
from vertice.adaptive.wargame.model import Evidence, Probe, Verdict
from vertice.kernel.codec import canonical, from_json, to_json, to_plain
from vertice.kernel.errors import InputError
from vertice.kernel.files import read_bytes, write_atomic
from vertice.kernel.sandbox.model import Limits
from vertice.kernel.text import printable

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

__all__ = [
    "PAYLOAD_TYPE",
    "PREDICATE_TYPE",
    "STATEMENT_TYPE",
    "Exported",
    "Verified",
    "WargameRecord",
    "digest_of",
    "disagreement",
    "export",
    "statement",
    "verify",
]

STATEMENT_TYPE = "https://in-toto.io/Statement/v1"
PREDICATE_TYPE = "https://vertice.dev/wargame/v1"
PAYLOAD_TYPE = "application/vnd.in-toto+json"
_MAX_BYTES = 256 * 1024 * 1024
"""The test results of a large project, twice, and every probe run at its output limit stay far below."""


@dataclass(frozen=True, slots=True)
class WargameRecord:
    """Everything about one wargame run that goes into the statement."""

    code: str
    """`WAR-YYYYMMDD-NNN`."""
    project: str
    remedy: Remedy
    apvs: tuple[Apv, ...]
    """Those that the remedy removes, the most urgent first."""
    probes: tuple[Probe, ...]
    evidence: Evidence
    verdict: Verdict
    arena: str
    """`bwrap 0.8.0`."""
    limits: Limits
    started_at: str
    finished_at: str
    """RFC 3339, UTC."""
    versions: Mapping[str, str] = field(default_factory=dict)
    """Of the tools that took part: `{"uv": "0.9.1"}`. Vértice, Python and the platform are added."""


@dataclass(frozen=True, slots=True)
class Exported:
    """A written evidence file."""

    path: Path
    digest: str
    """sha256 hex of the file."""
    fingerprint: str
    """Of the key that signed it."""


@dataclass(frozen=True, slots=True)
class Verified:
    """What a file says whose signature fits."""

    statement: Mapping[str, Any]
    fingerprint: str
    trust: str
    """`given key`, `own key` (this machine signed it), or `embedded key only` (whole, but by whom?)."""

    @property
    def trusted(self) -> bool:
        """Whether the key is known, not only the one that came with the file."""
        return self.trust != "embedded key only"


def statement(record: WargameRecord) -> dict[str, Any]:
    """Return the in-toto statement as plain JSON values."""
    remedy = record.remedy
    return {
        "_type": STATEMENT_TYPE,
        "subject": [
            {"name": f"{record.project}/{record.apvs[0].code}.patch", "digest": {"sha256": _sha256(remedy.diff)}},
            {"name": f"{record.project}/{remedy.manifest}@before", "digest": {"sha256": remedy.before.digest}},
            {"name": f"{record.project}/{remedy.manifest}@after", "digest": {"sha256": remedy.after.digest}},
        ],
        "predicateType": PREDICATE_TYPE,
        "predicate": {
            "run": record.code,
            "project": record.project,
            "startedAt": record.started_at,
            "finishedAt": record.finished_at,
            "apvs": [_apv(apv) for apv in record.apvs],
            "remedy": to_plain(remedy),
            "probes": [_probe(probe) for probe in record.probes],
            "arena": {"name": record.arena, "limits": to_plain(record.limits)},
            "evidence": to_plain(record.evidence),
            "verdict": to_plain(record.verdict),
            "versions": {
                "vertice": __version__,
                "python": platform.python_version(),
                "platform": platform.platform(),
                **record.versions,
            },
        },
    }


def export(path: Path, content: Mapping[str, Any], *, home: Path) -> Exported:
    """Sign `content` (a statement) with the local key and write it to `path` in one step.

    The same statement gives the same bytes (ed25519 is deterministic), so a repeated step changes nothing.
    """
    from securesystemslib.dsse import Envelope
    from securesystemslib.signer import CryptoSigner, SSlibKey  # type: ignore[attr-defined]  # its documented names

    private = keys.private_key(home)
    public = private.public_key()
    name = keys.fingerprint(public)
    envelope = Envelope(payload=canonical(content), payload_type=PAYLOAD_TYPE, signatures={})
    envelope.sign(CryptoSigner(private, SSlibKey.from_crypto(public, keyid=name)))
    document = {**envelope.to_dict(), "publicKey": keys.public_pem(public).decode()}
    data = json.dumps(document, indent=1).encode() + b"\n"
    write_atomic(path, data)
    return Exported(path=path, digest=hashlib.sha256(data).hexdigest(), fingerprint=name)


def digest_of(text: str) -> str:
    """Return sha256 hex of an evidence file with this text."""
    return hashlib.sha256(text.encode(errors="surrogatepass")).hexdigest()


def disagreement(text: str, review: Review) -> str:
    """Say what of `review` is not what the evidence file with this `text` says of it, "" when all of it is.

    Its signature is not looked at: the one who can change the text can also sign it with another key.
    """
    try:
        said = json.loads(base64.b64decode(json.loads(text)["payload"]))["predicate"]
        remedy = from_json(Remedy, to_json(said["remedy"]))
        verdict = from_json(Verdict, to_json(said["verdict"]))
        findings = [(str(apv["code"]), str(apv["advisory"]["severity"])) for apv in said["apvs"]]
    except (ValueError, LookupError, TypeError, RecursionError, InputError):
        return "its evidence cannot be read"
    if remedy != review.remedy:
        return "its remedy is not the one that its evidence is about"
    if (verdict.word, verdict.grade, verdict.confidence) != (review.verdict, review.grade, review.confidence):
        return "its verdict is not the one that its evidence leads to"
    shown = [(apv.code, apv.severity) for apv in review.apvs]
    if not findings or findings != shown or findings[0][1] != review.severity:
        return "its findings are not those that its evidence is about"
    return ""


def verify(path: Path, *, home: Path, public_key: Path | None = None) -> Verified:
    """Return what the evidence file says, having checked its signature. Needs no network and no database.

    `public_key` (PEM) is the signer's; without it the key of this machine and the key in the file are tried, and
    `trust` says which one fits. Raises InputError when the file is malformed, changed, signed by another key, or
    states something else than a wargame.
    """
    document = _document(path)
    key, trust = _key_for(document, path, home, public_key)
    payload = _opened(document, key, path)
    return Verified(statement=_stated(payload, path), fingerprint=keys.fingerprint(key), trust=trust)


def _document(path: Path) -> dict[str, Any]:
    try:
        document = json.loads(read_bytes(path, limit=_MAX_BYTES))
    except (ValueError, RecursionError) as error:
        raise _bad("is not JSON", path) from error
    if not isinstance(document, dict) or not {"payload", "payloadType", "signatures"} <= document.keys():
        raise _bad("is not a DSSE envelope", path)
    if document["payloadType"] != PAYLOAD_TYPE:
        raise _bad(f"holds {printable(str(document['payloadType']), limit=80)}, not an in-toto statement", path)
    return document


def _key_for(
    document: Mapping[str, Any], path: Path, home: Path, public_key: Path | None
) -> "tuple[Ed25519PublicKey, str]":
    if public_key is not None:
        return keys.read_public_key(public_key), "given key"
    signers = _signers(document, path)
    own = keys.own_public_key(home)
    if own is not None and keys.fingerprint(own) in signers:
        return own, "own key"
    embedded = document.get("publicKey")
    if not isinstance(embedded, str):
        raise _bad("carries no public key", path, "Name the signer's public key with --key.")
    return keys.parse_public_key(embedded.encode(errors="replace"), where=str(path)), "embedded key only"


def _signers(document: Mapping[str, Any], path: Path) -> frozenset[str]:
    try:
        return frozenset(str(signature["keyid"]) for signature in document["signatures"])
    except (TypeError, KeyError) as error:
        raise _bad("is not a DSSE envelope: its signatures cannot be read", path) from error


def _opened(document: Mapping[str, Any], key: "Ed25519PublicKey", path: Path) -> bytes:
    """Return the payload once `key`'s signature over it has been checked."""
    from securesystemslib.dsse import Envelope
    from securesystemslib.exceptions import VerificationError
    from securesystemslib.signer import SSlibKey  # type: ignore[attr-defined]

    name = keys.fingerprint(key)
    signers = _signers(document, path)
    if name not in signers:
        raise _bad(f"was not signed by the key {name[:16]}…", path, "Ask for the public key of whoever signed it.")
    try:
        # from_dict writes into the dict that it is given.
        envelope = Envelope.from_dict(json.loads(json.dumps(document)))
        envelope.verify([SSlibKey.from_crypto(key, keyid=name)], threshold=1)
    except VerificationError as error:
        raise _bad("does not fit its signature: it was changed, or the key is another", path) from error
    except (ValueError, TypeError, KeyError, AttributeError, binascii.Error) as error:
        raise _bad("is not a DSSE envelope: payload or signature cannot be decoded", path) from error
    return bytes(envelope.payload)


def _stated(payload: bytes, path: Path) -> Mapping[str, Any]:
    try:
        content = json.loads(payload)
    except (ValueError, RecursionError) as error:
        raise _bad("is signed, but its payload is not JSON", path) from error
    if not isinstance(content, dict) or content.get("_type") != STATEMENT_TYPE:
        raise _bad("is signed, but is no in-toto Statement v1", path)
    if content.get("predicateType") != PREDICATE_TYPE:
        kind = printable(str(content.get("predicateType")), limit=120)
        raise _bad(f"states {kind}, not {PREDICATE_TYPE}", path)
    if not isinstance(content.get("predicate"), dict) or not isinstance(content.get("subject"), list):
        raise _bad("is signed, but has no predicate or no subject", path)
    return content


def _bad(what: str, path: Path, todo: str = "Get the file again from where it was made.") -> InputError:
    return InputError(what, where=str(path), todo=todo)


def _apv(apv: Apv) -> dict[str, Any]:
    plain: dict[str, Any] = to_plain(apv)
    return {**plain, "purl": apv.component.purl}


def _probe(probe: Probe) -> dict[str, Any]:
    return {
        "id": probe.id,
        "kind": probe.kind,
        "origin": probe.origin,
        "sha256": _sha256(probe.source),
        "source": probe.source,
        "cases": to_plain(probe.cases),
    }


def _sha256(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()
