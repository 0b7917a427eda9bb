"""Signs and verifies notes: checkpoints, their cosignatures, and whole inclusion proofs.

Always true (tests/unit/proofs/test_notes.py):

* a line of an unknown key changes nothing; a line of a known key verifies, or the note is refused;
* what comes back was checked: nothing here answers with a bool.

Source: C2SP signed-note v1.0.0, tlog-cosignature v1.0.1, tlog-proof@v1, tlog-policy. Stricter than
the first in one point: two lines of one known key are refused, since each could tell another time.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from twinlock.domain.errors import UntrustedNoteError, invariant
from twinlock.domain.log.checkpoint import Checkpoint, parse_checkpoint
from twinlock.domain.log.merkle import leaf_hash, verify_inclusion
from twinlock.domain.log.note import KeyType, SignatureLine, SignedNote, VerifierKey
from twinlock.domain.log.proof import TlogProof, parse_tlog_proof
from twinlock.domain.log.trust import TrustPolicy

_TIME_BYTES = 8
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_SECOND = timedelta(seconds=1)
_LAST_SECOND = (datetime.max.replace(tzinfo=UTC) - _EPOCH) // _SECOND


@dataclass(frozen=True, slots=True, kw_only=True)
class WitnessedCheckpoint:
    """A checkpoint that a trusted log signed and a quorum cosigned.

    ``cosigned_at`` maps the policy's name of a witness to the time it states (UTC);
    ``fresh_at`` is the latest instant at or after which a whole quorum cosigned, or None where the
    policy asks for no cosignature.
    """

    checkpoint: Checkpoint
    cosigned_at: Mapping[str, datetime]
    fresh_at: datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class IncludedEntry:
    """An entry, by its leaf hash, that stands at ``index`` under a witnessed checkpoint."""

    leaf: bytes
    index: int
    witnessed: WitnessedCheckpoint


def verifier_key(
    name: str, key: Ed25519PrivateKey, key_type: KeyType = KeyType.ED25519
) -> VerifierKey:
    """Return the public half of ``key`` under ``name``."""
    public_key = key.public_key().public_bytes_raw()
    return VerifierKey(name=name, key_type=key_type, public_key=public_key)


def sign_note(text: bytes, *, name: str, key: Ed25519PrivateKey) -> SignatureLine:
    """Return the plain signature (0x01) of ``text``, which ends in LF. Ed25519 repeats itself."""
    invariant(text.endswith(b"\n"), "a note's text ends in LF")
    key_id = verifier_key(name, key).key_id
    return SignatureLine(name=name, key_id=key_id, signature=key.sign(text))


def sign_checkpoint(checkpoint: Checkpoint, *, key: Ed25519PrivateKey) -> SignedNote:
    """Return ``checkpoint`` as a note signed by its log, whose key bears the origin as its name.

    Only a committed head may be signed: one size has one root for ever.
    """
    text = checkpoint.to_text()
    line = sign_note(text, name=checkpoint.origin, key=key)
    return SignedNote(text=text, signatures=(line,))


def cosign(text: bytes, *, name: str, key: Ed25519PrivateKey, at: datetime) -> SignatureLine:
    """Return the cosignature (0x04) of a checkpoint's text: the largest tree seen at ``at``.

    ``at`` is UTC, 1970 or later, and loses its fraction of a second. The key may be no other
    witness's nor the log's, since what is signed names no cosigner.

    Raises:
        MalformedError: ``text`` is no checkpoint.
    """
    parse_checkpoint(text)
    invariant(at.utcoffset() == timedelta(0) and at >= _EPOCH, "at is UTC, 1970 or later")
    seconds = (at - _EPOCH) // _SECOND
    stamped = seconds.to_bytes(_TIME_BYTES, "big")
    key_id = verifier_key(name, key, KeyType.ED25519_COSIGNATURE).key_id
    signature = stamped + key.sign(_cosigned(text, seconds))
    return SignatureLine(name=name, key_id=key_id, signature=signature)


def _cosigned(text: bytes, seconds: int) -> bytes:
    return b"cosignature/v1\ntime %d\n" % seconds + text


def verify_note(note: SignedNote, keys: Iterable[VerifierKey]) -> tuple[VerifierKey, ...]:
    """Return which of ``keys`` signed ``note``, in the order of its lines: at least one.

    Raises:
        UntrustedNoteError: none did, one's line does not verify, or one has two lines.
    """
    signed = tuple(_signed_at(note, keys))
    if not signed:
        raise UntrustedNoteError("no key that we trust signed this note")
    return signed


def verify_cosignatures(
    note: SignedNote, witnesses: Iterable[VerifierKey]
) -> dict[VerifierKey, datetime]:
    """Return when (UTC) each of ``witnesses`` cosigned ``note``; those that did not are left out.

    Raises:
        UntrustedNoteError: the line of one does not verify, or one has two lines.
    """
    signed = _signed_at(note, witnesses)
    return {key: at for key, at in signed.items() if at is not None}


def verify_checkpoint(note: SignedNote, policy: TrustPolicy, *, origin: str) -> WitnessedCheckpoint:
    """Return the checkpoint of the log ``origin`` that ``note`` holds.

    Raises:
        MalformedError: the note's text is no checkpoint.
        UntrustedNoteError: it is another log's, the policy does not know the log, the log did not
            sign, or a known key's line does not verify.
        QuorumError: too few witnesses cosigned.
    """
    checkpoint = parse_checkpoint(note.text)
    if checkpoint.origin != origin:
        raise UntrustedNoteError("a checkpoint of another log")
    logs = [log.key for log in policy.logs]
    names = {witness.key: witness.name for witness in policy.witnesses}
    signed = _signed_at(note, (*logs, *names))
    if not any(key.name == origin and key in signed for key in logs):
        raise UntrustedNoteError(
            "no key that we trust for this log signed its checkpoint: of one that was retired since"
            " an auditor's trust file tells, by `twinlock keys trust --with-retired`"
        )
    cosigned_at = {names[key]: at for key, at in signed.items() if at is not None}
    fresh_at = policy.quorum_fresh_at(cosigned_at)
    return WitnessedCheckpoint(checkpoint=checkpoint, cosigned_at=cosigned_at, fresh_at=fresh_at)


def verify_inclusion_in_checkpoint(
    entry: bytes, proof: TlogProof | bytes, policy: TrustPolicy, *, origin: str
) -> IncludedEntry:
    """Return where ``entry``, which the verifier holds, stands in the log ``origin``.

    The proof's leaf is never taken from the proof. Its ``extra`` is not looked at.

    Raises:
        MalformedError: the bytes of ``proof`` are no proof.
        UntrustedNoteError: as ``verify_checkpoint`` says.
        QuorumError: too few witnesses cosigned.
        ProofError: the entry does not stand at the proof's index under the checkpoint's root.
    """
    if isinstance(proof, bytes):
        proof = parse_tlog_proof(proof)
    witnessed = verify_checkpoint(proof.checkpoint, policy, origin=origin)
    head = witnessed.checkpoint
    leaf = leaf_hash(entry)
    verify_inclusion(leaf, index=proof.index, size=head.size, proof=proof.hashes, root=head.root)
    return IncludedEntry(leaf=leaf, index=proof.index, witnessed=witnessed)


def _signed_at(note: SignedNote, keys: Iterable[VerifierKey]) -> dict[VerifierKey, datetime | None]:
    """Return the keys whose line verifies, each with its cosignature's time where it tells one."""
    known = {(key.name, key.key_id): key for key in keys}
    signed: dict[VerifierKey, datetime | None] = {}
    for line in note.signatures:
        key = known.get((line.name, line.key_id))
        if key is None:
            continue
        if key in signed:
            raise UntrustedNoteError("a known key has two signature lines")
        signed[key] = _verify_line(line, key, note.text)
    return signed


def _verify_line(line: SignatureLine, key: VerifierKey, text: bytes) -> datetime | None:
    public_key = Ed25519PublicKey.from_public_bytes(key.public_key)
    at, signature, message = None, line.signature, text
    if key.key_type is KeyType.ED25519_COSIGNATURE:
        seconds = int.from_bytes(signature[:_TIME_BYTES], "big")
        if seconds > _LAST_SECOND:
            raise UntrustedNoteError("a cosignature from beyond the year 9999")
        at = _EPOCH + seconds * _SECOND
        signature, message = signature[_TIME_BYTES:], _cosigned(text, seconds)
    try:
        public_key.verify(signature, message)
    except InvalidSignature as error:
        raise UntrustedNoteError("the signature of a known key does not verify") from error
    return at
