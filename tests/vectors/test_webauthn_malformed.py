"""Defects of passkey answers, each by its name, and random ones that have none."""

import json
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any, TypeAlias

import cbor2
import pytest
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature
from hypothesis import given
from hypothesis import strategies as st

from twinlock.domain.authenticators.faults import ProofFault, ProofRefusedError
from twinlock.domain.canonical import b64url, from_b64url
from twinlock.proofs.passkeys import (
    KnownPasskey,
    RelyingParty,
    verify_assertion,
    verify_registration,
)
from twinlock.range.authenticator import (
    Ceremony,
    SoftwareAuthenticator,
    attestation_object,
    client_data,
)

Answer: TypeAlias = Any  # What a browser, or a liar, posts.

RP = RelyingParty(rp_id="prove.example", origin="https://prove.example")
CHALLENGE = bytes(range(200, 232))  # Its base64url holds "-" and "_".
ASKED = Ceremony(challenge=CHALLENGE, rp_id=RP.rp_id, origin=RP.origin)
PHONE = SoftwareAuthenticator(bytes(range(32)), synced=True)
MALLORY = SoftwareAuthenticator(bytes(32), synced=True)
PASSKEY = KnownPasskey(
    credential_id=PHONE.credential_id,
    public_key=PHONE.public_key,
    backup_eligible=True,
    sign_count=0,
)
F = ProofFault


def got(answer: Answer) -> None:
    verify_assertion(answer, challenge=CHALLENGE, rp=RP, passkey=PASSKEY)


def created(answer: Answer) -> None:
    verify_registration(answer, challenge=CHALLENGE, rp=RP)


def fault_of(check: Callable[[Answer], None], answer: Answer) -> ProofFault:
    with pytest.raises(ProofRefusedError) as refused:
        check(answer)
    return refused.value.fault


CHECKS = pytest.mark.parametrize(
    ("check", "make"), [(got, PHONE.get), (created, PHONE.create)], ids=["get", "create"]
)


@CHECKS
def test_without_a_defect_both_answers_are_accepted(
    check: Callable[[Answer], None], make: Callable[[Ceremony], Answer]
) -> None:
    check(make(ASKED))


# -- What both ceremonies share: the question that was answered, and the person.

OTHER_CHALLENGE = b64url(bytes(32))
STANDARD_ALPHABET = b64url(CHALLENGE).replace("-", "+").replace("_", "/")
CEREMONIES: dict[str, tuple[Ceremony, ProofFault]] = {
    "another challenge": (replace(ASKED, challenge=bytes(32)), F.WRONG_CHALLENGE),
    "a challenge cut short": (replace(ASKED, challenge=CHALLENGE[:-1]), F.WRONG_CHALLENGE),
    "an empty challenge": (replace(ASKED, challenge=b""), F.WRONG_CHALLENGE),
    "a padded challenge": (
        replace(ASKED, client_data={"challenge": b64url(CHALLENGE) + "="}),
        F.WRONG_CHALLENGE,
    ),
    "a challenge in the other alphabet": (
        replace(ASKED, client_data={"challenge": STANDARD_ALPHABET}),
        F.WRONG_CHALLENGE,
    ),
    "a challenge in hex": (
        replace(ASKED, client_data={"challenge": CHALLENGE.hex()}),
        F.WRONG_CHALLENGE,
    ),
    "a challenge that is a number": (
        replace(ASKED, client_data={"challenge": 1}),
        F.WRONG_CHALLENGE,
    ),
    "a payment": (replace(ASKED, client_data={"type": "payment.get"}), F.WRONG_KIND),
    "a type in upper case": (replace(ASKED, client_data={"type": "WEBAUTHN.GET"}), F.WRONG_KIND),
    "a type that is a list": (replace(ASKED, client_data={"type": ["webauthn.get"]}), F.WRONG_KIND),
    "a type that is null": (replace(ASKED, client_data={"type": None}), F.WRONG_KIND),
    "a phishing site": (replace(ASKED, origin="https://prove-example.com"), F.WRONG_ORIGIN),
    "a host below ours": (replace(ASKED, origin="https://a.prove.example"), F.WRONG_ORIGIN),
    "a host above ours": (replace(ASKED, origin="https://example"), F.WRONG_ORIGIN),
    "a host that begins as ours": (
        replace(ASKED, origin="https://prove.example.com"),
        F.WRONG_ORIGIN,
    ),
    "without TLS": (replace(ASKED, origin="http://prove.example"), F.WRONG_ORIGIN),
    "another port": (replace(ASKED, origin="https://prove.example:444"), F.WRONG_ORIGIN),
    "the port that is meant anyway": (
        replace(ASKED, origin="https://prove.example:443"),
        F.WRONG_ORIGIN,
    ),
    "an origin with a slash": (replace(ASKED, origin="https://prove.example/"), F.WRONG_ORIGIN),
    "an origin in upper case": (replace(ASKED, origin="https://PROVE.example"), F.WRONG_ORIGIN),
    "an app's origin": (replace(ASKED, origin="android:apk-key-hash:AA"), F.WRONG_ORIGIN),
    "an opaque origin": (replace(ASKED, origin="null"), F.WRONG_ORIGIN),
    "a list of origins": (replace(ASKED, client_data={"origin": [RP.origin]}), F.WRONG_ORIGIN),
    "inside another site": (replace(ASKED, cross_origin=True), F.CROSS_ORIGIN),
    "crossOrigin null": (replace(ASKED, client_data={"crossOrigin": None}), F.CROSS_ORIGIN),
    "crossOrigin 0": (replace(ASKED, client_data={"crossOrigin": 0}), F.CROSS_ORIGIN),
    "crossOrigin a string": (replace(ASKED, client_data={"crossOrigin": ""}), F.CROSS_ORIGIN),
    "a top origin": (
        replace(ASKED, cross_origin=True, client_data={"topOrigin": "https://evil.example"}),
        F.CROSS_ORIGIN,
    ),
    "a top origin and no crossOrigin": (
        replace(ASKED, cross_origin=None, client_data={"topOrigin": "https://evil.example"}),
        F.CROSS_ORIGIN,
    ),
    "a top origin that is ours": (
        replace(ASKED, client_data={"topOrigin": RP.origin}),
        F.CROSS_ORIGIN,
    ),
    "a top origin that is null": (replace(ASKED, client_data={"topOrigin": None}), F.CROSS_ORIGIN),
    "another relying party": (replace(ASKED, rp_id="evil.example"), F.WRONG_RP),
    "the relying party above": (replace(ASKED, rp_id="example"), F.WRONG_RP),
    "the origin as relying party": (replace(ASKED, rp_id=RP.origin), F.WRONG_RP),
    "nobody present": (replace(ASKED, user_present=False), F.USER_NOT_PRESENT),
    "nobody verified": (replace(ASKED, user_verified=False), F.USER_NOT_VERIFIED),
    "nobody present or verified": (
        replace(ASKED, user_present=False, user_verified=False),
        F.USER_NOT_PRESENT,
    ),
    "backed up and not eligible": (
        replace(ASKED, backup_eligible=False, backed_up=True),
        F.BACKUP_FLAGS_CHANGED,
    ),
}


@pytest.mark.requirement("W-02", "N-B23")
@CHECKS
@pytest.mark.parametrize(("ceremony", "fault"), CEREMONIES.values(), ids=CEREMONIES)
def test_an_answer_to_another_question_is_refused(
    check: Callable[[Answer], None],
    make: Callable[[Ceremony], Answer],
    ceremony: Ceremony,
    fault: ProofFault,
) -> None:
    assert fault_of(check, make(ceremony)) is fault


def test_a_registration_is_no_assertion() -> None:
    kind = {"type": "webauthn.create"}
    assert fault_of(got, PHONE.get(replace(ASKED, client_data=kind))) is F.WRONG_KIND
    assert fault_of(got, PHONE.create(ASKED)) is F.MALFORMED


def test_an_assertion_is_no_registration() -> None:
    kind = {"type": "webauthn.get"}
    assert fault_of(created, PHONE.create(replace(ASKED, client_data=kind))) is F.WRONG_KIND
    assert fault_of(created, PHONE.get(ASKED)) is F.MALFORMED


HONEST = client_data(ASKED, "webauthn.get")
TEXTS: dict[str, tuple[bytes, ProofFault]] = {
    "no bytes": (b"", F.MALFORMED),
    "a list": (b"[]", F.MALFORMED),
    "null": (b"null", F.MALFORMED),
    "an empty object": (b"{}", F.WRONG_KIND),
    "no type": (HONEST.replace(b'"type"', b'"tipe"'), F.WRONG_KIND),
    "no challenge": (HONEST.replace(b'"challenge"', b'"question"'), F.WRONG_CHALLENGE),
    "no origin": (HONEST.replace(b'"origin"', b'"source"'), F.WRONG_ORIGIN),
    "text behind": (HONEST + b"{}", F.MALFORMED),
    "cut short": (HONEST[:-1], F.MALFORMED),
    "a byte order mark": (b"\xef\xbb\xbf" + HONEST, F.MALFORMED),
    "UTF-16": (HONEST.decode().encode("utf-16"), F.MALFORMED),
    "UTF-32": (HONEST.decode().encode("utf-32-le"), F.MALFORMED),
    "not UTF-8": (HONEST[:-1] + b',"x":"\xff"}', F.MALFORMED),
    "a surrogate in UTF-8": (HONEST[:-1] + b',"x":"\xed\xa0\x80"}', F.MALFORMED),
    "a doubled origin": (b'{"origin":"https://evil.example",' + HONEST[1:], F.MALFORMED),
    "a doubled challenge": (
        HONEST[:-1] + f',"challenge":"{OTHER_CHALLENGE}"}}'.encode(),
        F.MALFORMED,
    ),
    "a key doubled by an escape": (HONEST[:-1] + b',"\\u006frigin":"x"}', F.MALFORMED),
    "a doubled key further in": (HONEST[:-1] + b',"x":{"y":1,"y":2}}', F.MALFORMED),
    "nested beyond measure": (HONEST[:-1] + b',"x":' + b"[" * 3000, F.MALFORMED),
    "a number of 3,900 digits": (HONEST[:-1] + b',"x":' + b"9" * 3900, F.MALFORMED),
    "too large": (HONEST[:-1] + b" " * 4096 + b"}", F.MALFORMED),
}


@pytest.mark.parametrize(("text", "fault"), TEXTS.values(), ids=TEXTS)
def test_client_data_that_nobody_should_read_is_refused(text: bytes, fault: ProofFault) -> None:
    answer = PHONE.assert_over(text, PHONE.authenticator_data(ASKED))

    assert fault_of(got, answer) is fault


# -- The JSON around the bytes.


def without(answer: Answer, *path: str) -> Answer:
    inner = answer
    for name in path[:-1]:
        inner = inner[name]
    del inner[path[-1]]
    return answer


def with_(answer: Answer, value: object, *path: str) -> Answer:
    inner = answer
    for name in path[:-1]:
        inner = inner[name]
    inner[path[-1]] = value
    return answer


COMMON = [("id",), ("rawId",), ("type",), ("response",), ("response", "clientDataJSON")]
OF_GET = [*COMMON, ("response", "authenticatorData"), ("response", "signature")]
OF_CREATE = [*COMMON, ("response", "attestationObject")]
MEMBERS = [
    *((got, PHONE.get, path) for path in OF_GET),
    *((created, PHONE.create, path) for path in OF_CREATE),
]


@pytest.mark.parametrize(("check", "make", "path"), MEMBERS)
def test_a_member_that_is_missing_is_malformed(
    check: Callable[[Answer], None], make: Callable[[Ceremony], Answer], path: tuple[str, ...]
) -> None:
    assert fault_of(check, without(make(ASKED), *path)) is F.MALFORMED


@pytest.mark.parametrize(("check", "make", "path"), MEMBERS)
@pytest.mark.parametrize(
    "value",
    [None, 1, True, [], {}, [1, 2], "a=", "a+b/", "é", "A" * 50_000],
    ids=[
        "null",
        "a number",
        "a boolean",
        "a list",
        "an object",
        "bytes as a list",
        "padding",
        "the other alphabet",
        "not ASCII",
        "50,000 characters",
    ],
)
def test_a_member_of_another_kind_is_malformed(
    check: Callable[[Answer], None],
    make: Callable[[Ceremony], Answer],
    path: tuple[str, ...],
    value: object,
) -> None:
    assert fault_of(check, with_(make(ASKED), value, *path)) is F.MALFORMED


@CHECKS
@pytest.mark.parametrize("answer", [None, [], "", 1, {}], ids=["null", "list", "text", "1", "{}"])
def test_what_is_no_credential_at_all_is_malformed(
    check: Callable[[Answer], None], make: Callable[[Ceremony], Answer], answer: object
) -> None:
    assert fault_of(check, answer) is F.MALFORMED


@CHECKS
def test_an_empty_credential_id_is_malformed(
    check: Callable[[Answer], None], make: Callable[[Ceremony], Answer]
) -> None:
    assert fault_of(check, make(ASKED) | {"id": "", "rawId": ""}) is F.MALFORMED


@CHECKS
def test_two_names_for_one_credential_are_malformed(
    check: Callable[[Answer], None], make: Callable[[Ceremony], Answer]
) -> None:
    assert fault_of(check, make(ASKED) | {"id": b64url(MALLORY.credential_id)}) is F.MALFORMED


@pytest.mark.parametrize("handle", ["a=", 1, "A" * 88], ids=["padding", "a number", "too long"])
def test_a_user_handle_of_another_form_is_malformed(handle: object) -> None:
    assert fault_of(got, with_(PHONE.get(ASKED), handle, "response", "userHandle")) is F.MALFORMED


@pytest.mark.parametrize(
    "transports", ["usb", [1], ["usb"] * 17], ids=["text", "numbers", "seventeen"]
)
def test_transports_of_another_form_are_malformed(transports: object) -> None:
    answer = with_(PHONE.create(ASKED), transports, "response", "transports")

    assert fault_of(created, answer) is F.MALFORMED


# -- Assertions.

CLIENT = client_data(ASKED, "webauthn.get")
DATA = PHONE.authenticator_data(ASKED)


def flagged(data: bytes, flags: int) -> bytes:
    return data[:32] + bytes([data[32] | flags]) + data[33:]


DATAS: dict[str, tuple[bytes, ProofFault]] = {
    "no bytes": (b"", F.MALFORMED),
    "36 bytes": (DATA[:-1], F.MALFORMED),
    "a byte behind": (DATA + b"\x00", F.MALFORMED),
    "extensions said and missing": (flagged(DATA, 0x80), F.MALFORMED),
    "extensions there and not said": (DATA + cbor2.dumps({"x": 1}), F.MALFORMED),
    "a credential said and missing": (flagged(DATA, 0x40), F.MALFORMED),
    "a credential as in a registration": (
        PHONE.authenticator_data(
            ASKED, attested=bytes(16) + b"\0\x20" + PHONE.credential_id + PHONE.public_key
        ),
        F.MALFORMED,
    ),
    "eligible no more": (
        PHONE.authenticator_data(replace(ASKED, backup_eligible=False, backed_up=False)),
        F.BACKUP_FLAGS_CHANGED,
    ),
    "2,049 bytes": (flagged(DATA, 0x80).ljust(2049, b"\0"), F.MALFORMED),
}


@pytest.mark.requirement("W-02")
@pytest.mark.parametrize(("data", "fault"), DATAS.values(), ids=DATAS)
def test_authenticator_data_of_another_form_is_refused_however_well_signed(
    data: bytes, fault: ProofFault
) -> None:
    assert fault_of(got, PHONE.assert_over(CLIENT, data)) is fault


def test_an_assertion_of_another_credential_is_refused() -> None:
    assert fault_of(got, MALLORY.get(ASKED)) is F.WRONG_CREDENTIAL


def test_an_assertion_that_borrows_the_name_of_a_credential_is_refused() -> None:
    name = {"id": b64url(PHONE.credential_id), "rawId": b64url(PHONE.credential_id)}

    assert fault_of(got, MALLORY.get(ASKED) | name) is F.BAD_SIGNATURE


def raw_signature(der: bytes) -> bytes:
    r, s = decode_dss_signature(der)
    return r.to_bytes(32, "big") + s.to_bytes(32, "big")


SIGNATURE = from_b64url(PHONE.assert_over(CLIENT, DATA)["response"]["signature"])
SIGNATURES = {
    "no bytes": b"",
    "zeros": bytes(len(SIGNATURE)),
    "cut short": SIGNATURE[:-1],
    "a byte behind": SIGNATURE + b"\0",
    "r and s without DER": raw_signature(SIGNATURE),
    "a long form of the length": b"\x30\x81" + SIGNATURE[1:],
    "r = s = 0": bytes.fromhex("3006020100020100"),
    "r = s = 1": bytes.fromhex("3006020101020101"),
    "over the client data alone": PHONE.sign(CLIENT),
    "over the authenticator data alone": PHONE.sign(DATA),
    "over the client data unhashed": PHONE.sign(DATA + CLIENT),
    "over the challenge": PHONE.sign(CHALLENGE),
}


@pytest.mark.parametrize("signature", SIGNATURES.values(), ids=SIGNATURES)
def test_a_signature_that_is_none_is_refused(signature: bytes) -> None:
    answer = with_(PHONE.assert_over(CLIENT, DATA), b64url(signature), "response", "signature")

    assert fault_of(got, answer) is F.BAD_SIGNATURE


def test_a_passkey_on_record_with_a_broken_key_proves_nothing() -> None:
    broken = replace(PASSKEY, public_key=PHONE.public_key[:-1])

    with pytest.raises(ProofRefusedError) as refused:
        verify_assertion(PHONE.get(ASKED), challenge=CHALLENGE, rp=RP, passkey=broken)
    assert refused.value.fault is F.ALGORITHM_NOT_ALLOWED


# -- Registrations.

CREATE = client_data(ASKED, "webauthn.create")
KEY, ID = PHONE.public_key, PHONE.credential_id


def new(attested: bytes, *, flags: int = 0) -> bytes:
    data = PHONE.authenticator_data(ASKED, attested=attested)
    return attestation_object(flagged(data, flags))


def credential_data(*, name: bytes = ID, key: bytes = KEY, size: int | None = None) -> bytes:
    return bytes(16) + (len(name) if size is None else size).to_bytes(2, "big") + name + key


NEW_DATA = PHONE.authenticator_data(ASKED, attested=credential_data())
GOOD = attestation_object(NEW_DATA)
OFF_CURVE = KEY[:-1] + bytes([KEY[-1] ^ 1])


def es384() -> bytes:
    return cbor2.dumps({1: 2, 3: -35, -1: 2, -2: bytes(48), -3: bytes(48)})


def stated(fmt: object, statement: object, data: object = NEW_DATA) -> bytes:
    return cbor2.dumps({"fmt": fmt, "attStmt": statement, "authData": data})


def unsaid() -> bytes:
    """Authenticator data with a new credential, and the flag for one not set."""
    return NEW_DATA[:32] + bytes([NEW_DATA[32] & ~0x40]) + NEW_DATA[33:]


def sized(size: int) -> bytes:
    """A packed attestation object of ``size`` bytes, whose certificate is padding."""
    bare = len(stated("packed", {"alg": -7, "sig": b"x", "x5c": [bytes(10_000)]}))
    return stated("packed", {"alg": -7, "sig": b"x", "x5c": [bytes(10_000 + size - bare)]})


CYCLE: list[object] = []
CYCLE.append(CYCLE)
ATTESTATIONS: dict[str, tuple[bytes, ProofFault]] = {
    "no bytes": (b"", F.MALFORMED),
    "no CBOR": (b"\xff", F.MALFORMED),
    "a list": (cbor2.dumps([]), F.MALFORMED),
    "cut short": (GOOD[:-1], F.MALFORMED),
    "a byte behind": (GOOD + b"\0", F.MALFORMED),
    "a second map behind": (GOOD + GOOD, F.MALFORMED),
    "no fmt": (cbor2.dumps({"attStmt": {}, "authData": NEW_DATA}), F.MALFORMED),
    "no attStmt": (cbor2.dumps({"fmt": "none", "authData": NEW_DATA}), F.MALFORMED),
    "no authData": (cbor2.dumps({"fmt": "none", "attStmt": {}}), F.MALFORMED),
    "a member more": (
        cbor2.dumps({"fmt": "none", "attStmt": {}, "authData": NEW_DATA, "ep": True}),
        F.MALFORMED,
    ),
    "a doubled member": (b"\xa4" + b"\x63fmt\x64none" + GOOD[1:], F.MALFORMED),
    "a map without a length": (b"\xbf" + GOOD[1:] + b"\xff", F.MALFORMED),
    "a long form of a length": (GOOD.replace(b"\x64none", b"\x78\x04none"), F.MALFORMED),
    "a map of 2^32 members": (b"\xba\xff\xff\xff\xff", F.MALFORMED),
    "a list of 2^64 members": (b"\x9b" + b"\xff" * 8, F.MALFORMED),
    "nested beyond measure": (b"\x81" * 16000 + b"\x80", F.MALFORMED),
    "a list that holds itself": (cbor2.dumps(CYCLE, value_sharing=True), F.MALFORMED),
    "fmt a number": (stated(0, {}), F.MALFORMED),
    "fmt bytes": (stated(b"none", {}), F.MALFORMED),
    "authData text": (stated("none", {}, "x"), F.MALFORMED),
    "authData nothing": (stated("none", {}, b""), F.MALFORMED),
    "authData of 36 bytes": (stated("none", {}, NEW_DATA[:36]), F.MALFORMED),
    "authData of 2,049 bytes": (
        new(credential_data() + bytes(2049 - 37 - len(credential_data())), flags=0x80),
        F.MALFORMED,
    ),
    "no new credential": (attestation_object(DATA), F.MALFORMED),
    "a credential said and missing": (attestation_object(flagged(DATA, 0x40)), F.MALFORMED),
    "a credential there and not said": (attestation_object(unsaid()), F.MALFORMED),
    "a credential cut within its AAGUID": (new(bytes([1] * 15)), F.MALFORMED),
    "a credential cut within its id's length": (new(bytes([1] * 17)), F.MALFORMED),
    "a credential cut before its id's length": (new(bytes(17)), F.MALFORMED),
    "an id of no bytes": (new(credential_data(name=b"")), F.MALFORMED),
    "an id longer than what follows": (new(credential_data(size=0x200)), F.MALFORMED),
    "an id of 1,024 bytes": (new(credential_data(name=bytes(1024))), F.MALFORMED),
    "an id of 1,023 bytes that is another": (
        new(credential_data(name=bytes(1023))),
        F.WRONG_CREDENTIAL,
    ),
    "the id of another": (new(credential_data(name=MALLORY.credential_id)), F.WRONG_CREDENTIAL),
    "no key": (new(credential_data(key=b"")), F.ALGORITHM_NOT_ALLOWED),
    "a key cut short": (new(credential_data(key=KEY[:-1])), F.ALGORITHM_NOT_ALLOWED),
    "an ES384 key": (new(credential_data(key=es384())), F.ALGORITHM_NOT_ALLOWED),
    "a point off the curve": (new(credential_data(key=OFF_CURVE)), F.KEY_INVALID),
    "an Ed25519 point of small order": (
        new(credential_data(key=cbor2.dumps({1: 1, 3: -8, -1: 6, -2: bytes(32)}))),
        F.KEY_INVALID,
    ),
    "a byte behind the key": (new(credential_data() + b"\0"), F.MALFORMED),
    "extensions said and missing": (new(credential_data(), flags=0x80), F.MALFORMED),
    "a statement that says something": (stated("none", {"sig": b"x"}), F.ATTESTATION_REFUSED),
    "a statement the library overlooks": (stated("none", {"x": 1}), F.ATTESTATION_REFUSED),
    "a statement that is a list": (stated("none", []), F.ATTESTATION_REFUSED),
    "a statement that is null": (stated("none", None), F.ATTESTATION_REFUSED),
    "a format nobody defined": (stated("trust-me", {}), F.ATTESTATION_REFUSED),
    "an empty format": (stated("", {}), F.ATTESTATION_REFUSED),
    "a compound statement": (stated("compound", [{"fmt": "none"}]), F.ATTESTATION_REFUSED),
    "packed and empty": (stated("packed", {}), F.ATTESTATION_REFUSED),
    "packed and signed by another": (
        stated("packed", {"alg": -7, "sig": MALLORY.sign(NEW_DATA)}),
        F.ATTESTATION_REFUSED,
    ),
    "packed with another algorithm": (
        stated("packed", {"alg": -257, "sig": PHONE.sign(NEW_DATA)}),
        F.ATTESTATION_REFUSED,
    ),
    "packed with a certificate that is none": (
        stated("packed", {"alg": -7, "sig": b"x", "x5c": [b"\x30\x00"]}),
        F.ATTESTATION_REFUSED,
    ),
    "packed with a certificate that is a number": (
        stated("packed", {"alg": -7, "sig": b"x", "x5c": [1]}),
        F.ATTESTATION_REFUSED,
    ),
    "fido-u2f without a certificate": (
        stated("fido-u2f", {"sig": b"x", "x5c": []}),
        F.ATTESTATION_REFUSED,
    ),
    "tpm and empty": (stated("tpm", {}), F.ATTESTATION_REFUSED),
    "apple and empty": (stated("apple", {}), F.ATTESTATION_REFUSED),
    "apple with a certificate that is none": (
        stated("apple", {"x5c": [b"\x30\x00"]}),
        F.ATTESTATION_REFUSED,
    ),
    "android-key and empty": (stated("android-key", {}), F.ATTESTATION_REFUSED),
    "android-safetynet and empty": (stated("android-safetynet", {}), F.ATTESTATION_REFUSED),
    "16,384 bytes, packed with padding": (sized(16384), F.ATTESTATION_REFUSED),
    "16,385 bytes, packed with padding": (sized(16385), F.MALFORMED),
}


@pytest.mark.parametrize(("attestation", "fault"), ATTESTATIONS.values(), ids=ATTESTATIONS)
def test_an_attestation_object_with_a_defect_is_refused(
    attestation: bytes, fault: ProofFault
) -> None:
    assert fault_of(created, PHONE.attest(CREATE, attestation)) is fault


@pytest.mark.parametrize("order", [("authData", "fmt", "attStmt"), ("attStmt", "fmt", "authData")])
def test_the_order_of_the_attestation_object_is_the_makers_own(order: tuple[str, ...]) -> None:
    members = {"fmt": "none", "attStmt": {}, "authData": NEW_DATA}

    created(PHONE.attest(CREATE, cbor2.dumps({name: members[name] for name in order})))


# -- Random defects.

flips = st.lists(st.tuples(st.integers(0, 10_000), st.integers(1, 255)), min_size=1, max_size=4)


def flipped(data: bytes, changes: list[tuple[int, int]]) -> bytes:
    out = bytearray(data)
    for place, change in changes:
        out[place % len(out)] ^= change
    return bytes(out)


@pytest.mark.requirement("P-02")
@pytest.mark.parametrize("member", ["authenticatorData", "clientDataJSON", "signature"])
@given(changes=flips)
def test_no_byte_of_an_assertion_can_be_changed(
    member: str, changes: list[tuple[int, int]]
) -> None:
    answer = PHONE.get(ASKED)
    honest = from_b64url(answer["response"][member])
    forged = flipped(honest, changes)

    if forged != honest:
        assert fault_of(got, with_(answer, b64url(forged), "response", member))


PACKED = json.loads((Path(__file__).parent / "webauthn" / "level3.json").read_text("utf-8"))
ATTESTED = [GOOD] + [
    bytes.fromhex(vector["registration"]["attestationObject"]) for vector in PACKED["vectors"]
]


@given(st.sampled_from(ATTESTED), flips)
def test_changed_attestation_objects_raise_refusals_and_nothing_else(
    attestation: bytes, changes: list[tuple[int, int]]
) -> None:
    answer = PHONE.attest(CREATE, flipped(attestation, changes))

    with suppress(ProofRefusedError):  # A claim such as the AAGUID may change unnoticed.
        created(answer)


@given(st.binary(max_size=300), st.binary(max_size=300), st.binary(max_size=100))
def test_random_bytes_raise_refusals_and_nothing_else(
    client: bytes, data: bytes, signature: bytes
) -> None:
    answer = with_(PHONE.assert_over(client, data), b64url(signature), "response", "signature")
    assert fault_of(got, answer)
    assert fault_of(created, PHONE.attest(client, data))
    assert fault_of(created, PHONE.attest(CREATE, data))


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner),
    max_leaves=12,
)
NAMES = ["id", "rawId", "type", "response", "clientDataJSON", "signature", "attestationObject"]


@given(st.dictionaries(st.sampled_from(NAMES), json_values) | json_values)
def test_random_json_raises_refusals_and_nothing_else(answer: object) -> None:
    assert fault_of(got, answer) is F.MALFORMED
    assert fault_of(created, answer) is F.MALFORMED
