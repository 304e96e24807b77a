"""Signed evidence: a stranger can check it offline, and nothing that was touched passes."""

import base64
import hashlib
import json
import stat
import subprocess
import sys
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.serialization import load_pem_public_key

from vertice.adaptive.review import keys
from vertice.adaptive.review.evidence import digest_of, export, statement, verify
from vertice.kernel.codec import to_plain
from vertice.kernel.errors import InputError


@pytest.fixture
def file(tmp_path, home, samples) -> Path:
    return export(tmp_path / "evidence.json", statement(samples.a_record()), home=home).path


def rewrite(file: Path, **changes) -> Path:
    document = json.loads(file.read_bytes()) | changes
    file.write_text(json.dumps({name: value for name, value in document.items() if value is not None}))
    return file


def signed(tmp_path, home, content) -> Path:
    return export(tmp_path / "other.json", content, home=home).path


def test_what_was_exported_is_what_is_verified(file, home, samples):
    found = verify(file, home=home)
    record = samples.a_record()
    assert found.statement == statement(record)
    assert found.statement["predicate"]["evidence"] == to_plain(record.evidence)
    assert found.statement["predicate"]["remedy"] == to_plain(record.remedy)
    assert found.statement["subject"][0] == {
        "name": "shop/APV-20261121-001.patch",
        "digest": {"sha256": hashlib.sha256(record.remedy.diff.encode()).hexdigest()},
    }
    assert [subject["digest"]["sha256"] for subject in found.statement["subject"][1:]] == [
        record.remedy.before.digest,
        record.remedy.after.digest,
    ]
    assert (found.trust, found.trusted) == ("own key", True)


def test_a_stranger_can_check_it_with_nothing_of_ours(file, home):
    """DSSE v1 pre-authentication encoding, written from its specification."""
    document = json.loads(file.read_bytes())
    payload = base64.b64decode(document["payload"])
    kind = document["payloadType"].encode()
    signed_bytes = b"DSSEv1 %d %s %d %s" % (len(kind), kind, len(payload), payload)
    key = load_pem_public_key((home / "keys" / "signing.pub").read_bytes())
    key.verify(base64.b64decode(document["signatures"][0]["sig"]), signed_bytes)
    assert json.loads(payload)["_type"] == "https://in-toto.io/Statement/v1"


def test_on_another_machine_it_is_whole_but_its_signer_is_unknown_until_a_key_is_given(file, home, tmp_path):
    elsewhere = tmp_path / "elsewhere"
    found = verify(file, home=elsewhere)
    assert (found.trust, found.trusted) == ("embedded key only", False)
    known = verify(file, home=elsewhere, public_key=home / "keys" / "signing.pub")
    assert (known.trust, known.trusted, known.fingerprint) == ("given key", True, found.fingerprint)
    assert not elsewhere.exists(), "verifying makes no key"


def test_the_fingerprint_is_the_digest_of_the_public_key(file, home):
    pem = (home / "keys" / "signing.pub").read_text().split("-----")[2]
    assert verify(file, home=home).fingerprint == hashlib.sha256(base64.b64decode(pem)).hexdigest()


def test_the_same_statement_gives_the_same_file(file, home, samples):
    before = file.read_bytes()
    again = export(file, statement(samples.a_record()), home=home)
    assert file.read_bytes() == before
    assert again.digest == digest_of(file.read_text()) == hashlib.sha256(before).hexdigest()


def test_a_changed_payload_is_refused(file, home):
    document = json.loads(file.read_bytes())
    payload = base64.b64decode(document["payload"]).replace(b'"success"', b'"Success"')
    rewrite(file, payload=base64.b64encode(payload).decode())
    with pytest.raises(InputError, match="does not fit its signature"):
        verify(file, home=home)


def test_a_changed_payload_signed_with_another_key_is_not_the_given_signers(file, home, tmp_path, samples):
    forged = export(tmp_path / "forged.json", statement(samples.a_record()), home=tmp_path / "mallory").path
    assert verify(forged, home=tmp_path / "nobody").trust == "embedded key only"
    with pytest.raises(InputError, match="was not signed by the key"):
        verify(forged, home=home, public_key=home / "keys" / "signing.pub")


def test_a_forgery_that_claims_our_key_id_is_refused(file, home, tmp_path, samples):
    forged = export(tmp_path / "forged.json", statement(samples.a_record()), home=tmp_path / "mallory").path
    signature = json.loads(forged.read_bytes())["signatures"][0]
    signature["keyid"] = verify(file, home=home).fingerprint
    rewrite(forged, signatures=[signature])
    with pytest.raises(InputError, match="does not fit its signature"):
        verify(forged, home=home)


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({"payload": None}, "is not a DSSE envelope"),
        ({"signatures": []}, "was not signed by the key"),
        ({"signatures": [{}]}, "signatures cannot be read"),
        ({"signatures": 5}, "signatures cannot be read"),
        ({"payloadType": "text/plain"}, "holds text/plain, not an in-toto statement"),
        ({"payload": "!!!"}, "cannot be decoded"),
        ({"payload": 7}, "cannot be decoded"),
    ],
)
def test_a_malformed_envelope_has_one_clear_error(file, home, changes, why):
    with pytest.raises(InputError, match=why):
        verify(rewrite(file, **changes), home=home)


@pytest.mark.parametrize("data", [b"", b"{", b"\xff\xfe", b"[]", b"[" * 100_000, b"null"])
def test_what_is_no_json_envelope_has_one_clear_error(tmp_path, home, data):
    file = tmp_path / "x.json"
    file.write_bytes(data)
    with pytest.raises(InputError, match=r"is not JSON|is not a DSSE envelope"):
        verify(file, home=home)


def test_a_missing_file_is_named(tmp_path, home):
    with pytest.raises(InputError, match="no such file"):
        verify(tmp_path / "none.json", home=home)


def test_a_file_without_its_key_needs_one(file, tmp_path):
    with pytest.raises(InputError, match="carries no public key"):
        verify(rewrite(file, publicKey=None), home=tmp_path / "elsewhere")


def test_a_key_file_that_is_no_key_is_refused(file, home, tmp_path):
    bad = tmp_path / "bad.pub"
    bad.write_text("hello")
    with pytest.raises(InputError, match="holds no public key"):
        verify(file, home=home, public_key=bad)


@pytest.mark.parametrize(
    ("change", "why"),
    [
        ({"predicateType": "https://slsa.dev/provenance/v1"}, "states https://slsa.dev/provenance/v1, not"),
        ({"_type": "https://in-toto.io/Statement/v0.1"}, "no in-toto Statement v1"),
        ({"predicate": []}, "no predicate or no subject"),
    ],
)
def test_a_signed_statement_of_another_kind_is_refused(tmp_path, home, samples, change, why):
    with pytest.raises(InputError, match=why):
        verify(signed(tmp_path, home, statement(samples.a_record()) | change), home=home)


def test_the_private_key_is_its_owners_alone(file, home):
    assert stat.S_IMODE((home / "keys").stat().st_mode) == 0o700
    assert stat.S_IMODE((home / "keys" / "signing.pem").stat().st_mode) == 0o600
    (home / "keys" / "signing.pem").chmod(0o644)
    with pytest.raises(InputError, match="can be read by others"):
        keys.private_key(home)


def test_a_damaged_private_key_is_not_replaced(home):
    keys.private_key(home)
    (home / "keys" / "signing.pem").write_text("garbage")
    with pytest.raises(InputError, match="is not an ed25519 private key"):
        keys.private_key(home)
    assert (home / "keys" / "signing.pem").read_text() == "garbage"


def test_two_processes_that_sign_first_agree_on_one_key(home):
    script = (
        "import sys; from pathlib import Path; from vertice.adaptive.review import keys;"
        "print(keys.fingerprint(keys.private_key(Path(sys.argv[1])).public_key()))"
    )
    workers = [
        subprocess.Popen([sys.executable, "-c", script, str(home)], stdout=subprocess.PIPE, text=True) for _ in range(4)
    ]
    assert len({worker.communicate()[0] for worker in workers}) == 1
    assert [path.name for path in sorted((home / "keys").iterdir())] == ["signing.pem", "signing.pub"]
