from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from twinlock.domain.errors import (
    InvariantError,
    MalformedError,
    ProofError,
    QuorumError,
    UntrustedNoteError,
)
from twinlock.domain.log.checkpoint import Checkpoint
from twinlock.domain.log.merkle import EMPTY_ROOT, Frontier, inclusion_proof, leaf_hash
from twinlock.domain.log.note import KeyType, SignatureLine, SignedNote, VerifierKey
from twinlock.domain.log.proof import TlogProof
from twinlock.domain.log.tiles import grow, hashes_in
from twinlock.domain.log.trust import TrustPolicy, parse_trust_policy
from twinlock.proofs.notes import (
    cosign,
    sign_checkpoint,
    sign_note,
    verifier_key,
    verify_checkpoint,
    verify_cosignatures,
    verify_inclusion_in_checkpoint,
    verify_note,
)

NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)
HOUR = timedelta(hours=1)
ORIGIN = "log.example/a"
COSIGNER = KeyType.ED25519_COSIGNATURE
LOG, OTHER_LOG, *WITNESSES = (
    Ed25519PrivateKey.from_private_bytes(bytes([seed]) * 32) for seed in range(1, 6)
)
LOG_KEY = verifier_key(ORIGIN, LOG)
WITNESS_KEYS = [
    verifier_key(f"witness{number}.example", key, COSIGNER)
    for number, key in enumerate(WITNESSES, start=1)
]
ENTRIES = [b"one", b"two", b"three"]
HEAD = Checkpoint(
    origin=ORIGIN, size=3, root=Frontier().append(leaf_hash(entry) for entry in ENTRIES).root()
)


def two_of_three() -> TrustPolicy:
    witnesses = "".join(f"witness w{n} {key}\n" for n, key in enumerate(WITNESS_KEYS, start=1))
    group = "group g 2 w1 w2 w3\nquorum g\n"
    other = f"log {verifier_key('log.example/b', OTHER_LOG)}\n"
    return parse_trust_policy(f"log {LOG_KEY}\n{other}{witnesses}{group}".encode())


def log_only() -> TrustPolicy:
    return parse_trust_policy(f"log {LOG_KEY}\nquorum none\n".encode())


def cosigned(head: Checkpoint, *witnesses: int, at: datetime = NOON) -> SignedNote:
    note = sign_checkpoint(head, key=LOG)
    lines = (
        cosign(note.text, name=WITNESS_KEYS[number - 1].name, key=WITNESSES[number - 1], at=at)
        for number in witnesses
    )
    return replace(note, signatures=(*note.signatures, *lines))


def with_line(note: SignedNote, line: SignatureLine) -> SignedNote:
    return replace(note, signatures=(*note.signatures, line))


def a_proof(index: int = 1, head: Checkpoint = HEAD) -> TlogProof:
    hash_at = hashes_in(grow(0, {}, map(leaf_hash, ENTRIES)))
    hashes = inclusion_proof(index, 3, hash_at)
    return TlogProof(index=index, hashes=hashes, checkpoint=cosigned(head, 1, 2))


def test_a_signed_note_says_who_signed_it() -> None:
    note = sign_checkpoint(HEAD, key=LOG)

    assert verify_note(note, [*WITNESS_KEYS, LOG_KEY]) == (LOG_KEY,)


def test_signing_twice_gives_the_same_bytes() -> None:
    assert sign_checkpoint(HEAD, key=LOG) == sign_checkpoint(HEAD, key=LOG)


def test_an_unknown_line_changes_nothing() -> None:
    stranger = SignatureLine(name="stranger.example", key_id=b"????", signature=b"anything")
    note = sign_checkpoint(HEAD, key=LOG)
    same_name = replace(stranger, name=ORIGIN)
    same_id = replace(stranger, key_id=LOG_KEY.key_id)

    for line in (stranger, same_name, same_id):
        assert verify_note(with_line(with_line(note, line), line), [LOG_KEY]) == (LOG_KEY,)


@pytest.mark.parametrize("keys", [[], [WITNESS_KEYS[0]]])
def test_a_note_that_nobody_known_signed_is_refused(keys: list[VerifierKey]) -> None:
    with pytest.raises(UntrustedNoteError, match="no key that we trust"):
        verify_note(sign_checkpoint(HEAD, key=LOG), keys)


@pytest.mark.parametrize(
    "signature",
    [
        pytest.param(bytes(64), id="zeros"),
        pytest.param(b"", id="nothing"),
        pytest.param(bytes(63), id="one byte short"),
        pytest.param(bytes(65), id="one byte long"),
        pytest.param(OTHER_LOG.sign(HEAD.to_text()), id="another key's"),
        pytest.param(LOG.sign(b"other text\n"), id="over another text"),
        pytest.param(LOG.sign(HEAD.to_text()) + b"\0", id="with a byte after it"),
    ],
)
def test_one_bad_line_of_a_known_key_refuses_the_whole_note(signature: bytes) -> None:
    bad = SignatureLine(name=ORIGIN, key_id=LOG_KEY.key_id, signature=signature)
    note = cosigned(HEAD, 1)
    forged = replace(note, signatures=(bad, *note.signatures[1:]))

    with pytest.raises(UntrustedNoteError, match="does not verify"):
        verify_note(forged, [LOG_KEY, *WITNESS_KEYS])


def test_a_key_that_is_no_point_verifies_nothing() -> None:
    nowhere = VerifierKey(name=ORIGIN, key_type=KeyType.ED25519, public_key=b"\x02" + bytes(31))
    line = SignatureLine(name=ORIGIN, key_id=nowhere.key_id, signature=bytes(64))

    with pytest.raises(UntrustedNoteError, match="does not verify"):
        verify_note(SignedNote(text=b"text\n", signatures=(line,)), [nowhere])


def test_two_lines_of_one_known_key_are_refused() -> None:
    note = with_line(cosigned(HEAD, 1), cosigned(HEAD, 1, at=NOON + HOUR).signatures[1])

    with pytest.raises(UntrustedNoteError, match="two signature lines"):
        verify_note(note, [LOG_KEY, *WITNESS_KEYS])


@pytest.mark.parametrize(
    "at",
    [
        pytest.param(datetime(1970, 1, 1, tzinfo=UTC), id="the first second"),
        pytest.param(NOON, id="now"),
        pytest.param(datetime(9999, 12, 31, 23, 59, 59, tzinfo=UTC), id="the last second"),
    ],
)
def test_a_cosignature_tells_its_time(at: datetime) -> None:
    note = cosigned(HEAD, 2, at=at)

    assert verify_cosignatures(note, WITNESS_KEYS) == {WITNESS_KEYS[1]: at}


def test_a_cosignature_loses_the_fraction_of_a_second() -> None:
    note = cosigned(HEAD, 1, at=NOON + timedelta(microseconds=999_999))

    assert verify_cosignatures(note, WITNESS_KEYS) == {WITNESS_KEYS[0]: NOON}


def test_without_cosignatures_no_time_comes_back() -> None:
    assert verify_cosignatures(sign_checkpoint(HEAD, key=LOG), [*WITNESS_KEYS, LOG_KEY]) == {}


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        pytest.param(lambda _: b"\x01", "does not verify", id="shorter than a time"),
        pytest.param(lambda signature: signature[:8], "does not verify", id="a time only"),
        pytest.param(lambda signature: signature + b"\0", "does not verify", id="a byte more"),
        pytest.param(
            lambda signature: bytes(8) + signature[8:], "does not verify", id="another time"
        ),
        pytest.param(lambda signature: b"\xff" * 8 + signature[8:], "9999", id="beyond 9999"),
    ],
)
def test_a_changed_cosignature_is_refused(change: Callable[[bytes], bytes], reason: str) -> None:
    note = cosigned(HEAD, 1)
    line = note.signatures[1]
    changed = replace(line, signature=change(line.signature))

    with pytest.raises(UntrustedNoteError, match=reason):
        verify_cosignatures(with_line(sign_checkpoint(HEAD, key=LOG), changed), WITNESS_KEYS)


def test_a_plain_signature_is_no_cosignature() -> None:
    plain = sign_note(HEAD.to_text(), name=WITNESS_KEYS[0].name, key=WITNESSES[0])
    posing = replace(plain, key_id=WITNESS_KEYS[0].key_id, signature=bytes(8) + plain.signature)

    with pytest.raises(UntrustedNoteError, match="does not verify"):
        verify_cosignatures(with_line(sign_checkpoint(HEAD, key=LOG), posing), WITNESS_KEYS)


@pytest.mark.parametrize(
    "at",
    [
        pytest.param(NOON.replace(tzinfo=None), id="no time zone"),
        pytest.param(NOON.astimezone(timezone(HOUR)), id="an hour east"),
        pytest.param(datetime(1969, 12, 31, 23, 59, 59, tzinfo=UTC), id="before 1970"),
    ],
)
def test_a_cosignature_is_made_in_utc_only(at: datetime) -> None:
    with pytest.raises(InvariantError, match="UTC"):
        cosigned(HEAD, 1, at=at)


def test_a_witness_cosigns_nothing_but_checkpoints() -> None:
    with pytest.raises(MalformedError):
        cosign(b"I owe you 100\n", name="witness1.example", key=WITNESSES[0], at=NOON)


def test_a_text_without_lf_is_never_signed() -> None:
    with pytest.raises(InvariantError):
        sign_note(b"text", name=ORIGIN, key=LOG)


def test_a_witnessed_checkpoint_tells_who_saw_it_when() -> None:
    early, late = cosigned(HEAD, 1), cosigned(HEAD, 3, at=NOON + HOUR)
    note = with_line(early, late.signatures[1])

    witnessed = verify_checkpoint(note, two_of_three(), origin=ORIGIN)

    assert witnessed.checkpoint == HEAD
    assert witnessed.cosigned_at == {"w1": NOON, "w3": NOON + HOUR}
    assert witnessed.fresh_at == NOON


def test_a_policy_without_quorum_asks_for_the_log_only() -> None:
    witnessed = verify_checkpoint(cosigned(HEAD, 1), log_only(), origin=ORIGIN)

    assert (witnessed.checkpoint, witnessed.cosigned_at) == (HEAD, {})
    assert witnessed.fresh_at is None


def test_extension_lines_are_signed_but_not_read() -> None:
    text = HEAD.to_text() + b"more\n"
    note = SignedNote(text=text, signatures=(sign_note(text, name=ORIGIN, key=LOG),))

    assert verify_checkpoint(note, log_only(), origin=ORIGIN).checkpoint == HEAD


def test_during_rotation_either_key_of_the_log_will_do() -> None:
    new = verifier_key(ORIGIN, OTHER_LOG)
    policy = parse_trust_policy(f"log {LOG_KEY}\nlog {new}\nquorum none\n".encode())

    for key in (LOG, OTHER_LOG):
        note = sign_checkpoint(HEAD, key=key)
        assert verify_checkpoint(note, policy, origin=ORIGIN).checkpoint == HEAD


def test_too_few_cosignatures_make_no_quorum() -> None:
    with pytest.raises(QuorumError):
        verify_checkpoint(cosigned(HEAD, 1), two_of_three(), origin=ORIGIN)


@pytest.mark.parametrize(
    ("note", "origin", "reason"),
    [
        pytest.param(cosigned(HEAD, 1, 2), "log.example/b", "another log", id="another log's"),
        pytest.param(
            replace(cosigned(HEAD, 1, 2), signatures=cosigned(HEAD, 1, 2).signatures[1:]),
            ORIGIN,
            "no key that we trust for this log",
            id="cosigned and not signed",
        ),
        pytest.param(
            sign_checkpoint(replace(HEAD, origin="log.example/c"), key=LOG),
            "log.example/c",
            "no key that we trust for this log",
            id="a log the policy does not know",
        ),
        pytest.param(
            SignedNote(
                text=HEAD.to_text(),
                signatures=(
                    sign_note(HEAD.to_text(), name="log.example/b", key=OTHER_LOG),
                    *cosigned(HEAD, 1, 2).signatures[1:],
                ),
            ),
            ORIGIN,
            "no key that we trust for this log",
            id="signed by another trusted log",
        ),
        pytest.param(
            with_line(
                cosigned(HEAD, 1, 2), replace(cosigned(HEAD, 3).signatures[1], signature=bytes(72))
            ),
            ORIGIN,
            "does not verify",
            id="a quorum and one forged cosignature",
        ),
    ],
)
def test_an_untrusted_checkpoint_is_refused(note: SignedNote, origin: str, reason: str) -> None:
    with pytest.raises(UntrustedNoteError, match=reason):
        verify_checkpoint(note, two_of_three(), origin=origin)


def test_a_signed_note_that_is_no_checkpoint_is_refused() -> None:
    line = sign_note(b"text\n", name=ORIGIN, key=LOG)

    with pytest.raises(MalformedError):
        verify_checkpoint(SignedNote(text=b"text\n", signatures=(line,)), log_only(), origin=ORIGIN)


@pytest.mark.parametrize("index", range(3))
@pytest.mark.parametrize("form", [TlogProof.encode, lambda proof: proof])
def test_an_entry_is_proved_to_stand_in_a_witnessed_log(
    index: int, form: Callable[[TlogProof], TlogProof | bytes]
) -> None:
    proof = form(a_proof(index))

    included = verify_inclusion_in_checkpoint(ENTRIES[index], proof, two_of_three(), origin=ORIGIN)

    assert (included.leaf, included.index) == (leaf_hash(ENTRIES[index]), index)
    assert included.witnessed.checkpoint == HEAD


@pytest.mark.parametrize(
    ("entry", "proof", "error"),
    [
        pytest.param(b"forged", a_proof(), ProofError, id="another entry"),
        pytest.param(b"two", replace(a_proof(), index=0), ProofError, id="another index"),
        pytest.param(b"two", replace(a_proof(), index=3), ProofError, id="index beyond the size"),
        pytest.param(b"two", replace(a_proof(), hashes=()), ProofError, id="no hashes"),
        pytest.param(
            b"two", a_proof(head=replace(HEAD, root=EMPTY_ROOT)), ProofError, id="another root"
        ),
        pytest.param(
            b"two",
            replace(a_proof(), checkpoint=cosigned(HEAD, 1)),
            QuorumError,
            id="too few witnesses",
        ),
        pytest.param(
            b"two",
            a_proof(head=replace(HEAD, origin="log.example/b")),
            UntrustedNoteError,
            id="another log",
        ),
        pytest.param(b"two", a_proof().encode()[:-1], MalformedError, id="file cut short"),
    ],
)
def test_a_proof_of_anything_else_is_refused(
    entry: bytes, proof: TlogProof | bytes, error: type[Exception]
) -> None:
    with pytest.raises(error):
        verify_inclusion_in_checkpoint(entry, proof, two_of_three(), origin=ORIGIN)


def test_extra_data_proves_nothing_and_spoils_nothing() -> None:
    proof = replace(a_proof(), extra=b"the entry is: forged")

    included = verify_inclusion_in_checkpoint(b"two", proof, two_of_three(), origin=ORIGIN)

    assert included.leaf == leaf_hash(b"two")
