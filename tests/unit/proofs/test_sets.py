"""Security event tokens: what verifies, and forgeries of every kind, named for their defect."""

import json
from base64 import urlsafe_b64encode
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from joserfc.jwk import ECKey, OctKey
from support.cast import NOON
from support.transmitters import (
    AUDIENCE,
    ISSUER,
    RECOVERY,
    Transmitter,
    email,
    private,
    public,
    signed,
    symmetric,
)

from twinlock.domain.bounds import SIGNAL_AGE_MOST, SIGNAL_AHEAD_MOST, SIGNAL_KEYS_BYTES_MOST
from twinlock.domain.canonical import b64url
from twinlock.proofs.sets import (
    SecurityEvent,
    SetFault,
    SetRefusedError,
    SignalKeysRefusedError,
    parts_of,
    read_keys,
    verify_set,
)

SECOND = timedelta(seconds=1)
KEYS = read_keys(public().encode())
ALICE = email("alice@mail.example")


def verified(token: str, keys: Any = KEYS) -> SecurityEvent:  # noqa: ANN401 - keys of any kind
    return verify_set(token, keys=keys, issuer=ISSUER, audience=AUDIENCE, now=NOON)


def claims(**changes: Any) -> dict[str, Any]:  # noqa: ANN401 - any claims
    whole = Transmitter(NOON).claims(ALICE) | changes
    return {name: value for name, value in whole.items() if value is not None}


def fault_of(token: str, keys: Any = KEYS) -> SetFault:  # noqa: ANN401 - keys of any kind
    with pytest.raises(SetRefusedError) as refused:
        verified(token, keys)
    return refused.value.fault


# --- What verifies ---


@pytest.mark.parametrize(
    ("key", "alg"),
    [("rsa", "RS256"), ("rsa", "PS256"), ("ec", "ES256"), ("ed", "EdDSA"), ("ed", "Ed25519")],
)
def test_a_token_as_another_library_signs_it_verifies(key: str, alg: str) -> None:
    event = verified(signed(claims(), key=key, alg=alg))

    assert (event.jti, event.event, event.subject) == ("jti-1", RECOVERY, ALICE)
    assert event.issued_at == NOON


def test_a_time_or_any_other_claim_may_have_a_fraction() -> None:
    about = {"event_timestamp": NOON.timestamp() + 0.5, "score": 0.25}
    event = verified(signed(claims(iat=NOON.timestamp() - 0.75, events={RECOVERY: about})))

    assert event.issued_at == NOON - timedelta(milliseconds=750)
    assert event.claims == about


def test_one_of_several_audiences_may_be_us() -> None:
    assert verified(signed(claims(aud=["https://other.example", AUDIENCE]))).jti == "jti-1"


def test_a_lone_key_needs_no_id() -> None:
    assert verified(signed(claims(), kid=None), read_keys(public("ec").encode())).jti == "jti-1"


def test_an_old_event_may_repeat_its_subject() -> None:
    assert verified(signed(claims(events={RECOVERY: {"subject": ALICE}}))).subject == ALICE


@pytest.mark.parametrize("typ", ["secevent+jwt", "application/secevent+jwt", "SecEvent+JWT"])
def test_a_type_is_compared_as_a_media_type(typ: str) -> None:
    assert verified(signed(claims(), typ=typ)).jti == "jti-1"


@pytest.mark.parametrize("at", [NOON - SIGNAL_AGE_MOST, NOON + SIGNAL_AHEAD_MOST])
def test_the_window_holds_both_its_ends(at: Any) -> None:  # noqa: ANN401 - an instant
    assert verified(signed(claims(iat=int(at.timestamp())))).issued_at == at


# --- Forgeries ---


def unsigned(value: dict[str, Any]) -> str:
    head = {"alg": "none", "typ": "secevent+jwt", "kid": "ec"}
    parts = [
        urlsafe_b64encode(json.dumps(one).encode()).decode().rstrip("=") for one in (head, value)
    ]
    return ".".join([*parts, ""])


def flipped(token: str) -> str:
    head, body, end = token.split(".")
    return f"{head}.{body}.{'A' if end[0] != 'A' else 'B'}{end[1:]}"


def another_body(token: str) -> str:
    other = urlsafe_b64encode(json.dumps(claims(jti="x")).encode()).decode().rstrip("=")
    head, _, end = token.split(".")
    return f"{head}.{other}.{end}"


LATE = int((NOON + SIGNAL_AHEAD_MOST + SECOND).timestamp())
EARLY = int((NOON - SIGNAL_AGE_MOST - SECOND).timestamp())
FORGED: dict[str, tuple[Callable[[], str], SetFault]] = {
    "too large": (lambda: signed(claims(txn="x" * 20_000)), SetFault.TOO_LARGE),
    "empty": (lambda: "", SetFault.NOT_A_TOKEN),
    "two parts": (lambda: "a.b", SetFault.NOT_A_TOKEN),
    "not ASCII": (lambda: "ä.b.c", SetFault.NOT_A_TOKEN),
    "header not base64": (lambda: "!.b.c", SetFault.HEADER),
    "header no object": (lambda: "W10.b.c", SetFault.HEADER),
    "a key in the header": (lambda: signed(claims(), jwk={"kty": "EC"}), SetFault.HEADER),
    "a URL of keys": (lambda: signed(claims(), jku="https://evil.example"), SetFault.HEADER),
    "a type of ID tokens": (lambda: signed(claims(), typ="JWT"), SetFault.TYPE),
    "no type": (lambda: signed(claims(), typ=None), SetFault.TYPE),
    "alg none": (lambda: unsigned(claims()), SetFault.ALGORITHM),
    "HS256 under the public key": (
        lambda: symmetric(claims(), private("ec").as_pem(private=False)),
        SetFault.ALGORITHM,
    ),
    "an algorithm not listed": (
        lambda: signed(claims(), key="rsa", alg="RS512"),
        SetFault.ALGORITHM,
    ),
    "RS256 by the id of an EC key": (
        lambda: signed(claims(), key="rsa", kid="ec"),
        SetFault.ALGORITHM,
    ),
    "an unknown key": (lambda: signed(claims(), kid="other"), SetFault.KEY_UNKNOWN),
    "no key's id": (lambda: signed(claims(), kid=None), SetFault.KEY_UNKNOWN),
    "a signature with a bit flipped": (lambda: flipped(signed(claims())), SetFault.SIGNATURE),
    "a signature over other claims": (lambda: another_body(signed(claims())), SetFault.SIGNATURE),
    "claims not JSON": (lambda: signed(b"{"), SetFault.CLAIMS),
    "claims no object": (lambda: signed(b"[]"), SetFault.CLAIMS),
    "a doubled claim": (lambda: signed(b'{"iss":"a","iss":"b"}'), SetFault.CLAIMS),
    "another issuer": (lambda: signed(claims(iss="https://evil.example/")), SetFault.ISSUER),
    "no issuer": (lambda: signed(claims(iss=None)), SetFault.ISSUER),
    "another audience": (lambda: signed(claims(aud="https://other.example")), SetFault.AUDIENCE),
    "no audience": (lambda: signed(claims(aud=None)), SetFault.AUDIENCE),
    "a prefix of our name": (lambda: signed(claims(aud=AUDIENCE[:-1])), SetFault.AUDIENCE),
    "it expires": (lambda: signed(claims(exp=LATE)), SetFault.EXPIRES),
    "too old": (lambda: signed(claims(iat=EARLY)), SetFault.TOO_OLD),
    "in the future": (lambda: signed(claims(iat=LATE)), SetFault.IN_THE_FUTURE),
    "no time": (lambda: signed(claims(iat=None)), SetFault.CLAIMS),
    "a time that is true": (lambda: signed(claims(iat=True)), SetFault.CLAIMS),
    "a time beyond time": (lambda: signed(claims(iat=2**52)), SetFault.CLAIMS),
    "a fraction beyond time": (
        lambda: signed(json.dumps(claims(iat=1.5)).replace("1.5", "1.5e400").encode()),
        SetFault.CLAIMS,
    ),
    "a time that is no number": (
        lambda: signed(json.dumps(claims(iat=1.5)).replace("1.5", "NaN").encode()),
        SetFault.CLAIMS,
    ),
    "no name": (lambda: signed(claims(jti=None)), SetFault.CLAIMS),
    "an empty name": (lambda: signed(claims(jti="")), SetFault.CLAIMS),
    "a name too long": (lambda: signed(claims(jti="j" * 257)), SetFault.CLAIMS),
    "no event": (lambda: signed(claims(events={})), SetFault.EVENTS),
    "two events": (lambda: signed(claims(events={RECOVERY: {}, "b": {}})), SetFault.EVENTS),
    "an event that is a list": (lambda: signed(claims(events={RECOVERY: []})), SetFault.EVENTS),
    "a sub": (lambda: signed(claims(sub="alice")), SetFault.SUBJECT),
    "no subject": (lambda: signed(claims(sub_id=None)), SetFault.SUBJECT),
    "a subject without a format": (lambda: signed(claims(sub_id={"email": "a"})), SetFault.SUBJECT),
    "two subjects that differ": (
        lambda: signed(claims(events={RECOVERY: {"subject": email("bob@mail.example")}})),
        SetFault.SUBJECT,
    ),
}


@pytest.mark.parametrize("defect", FORGED)
def test_a_forged_token_is_refused_for_its_defect(defect: str) -> None:
    make, fault = FORGED[defect]

    assert fault_of(make()) is fault


def test_a_key_for_one_algorithm_verifies_no_other() -> None:
    value = json.loads(public("rsa"))
    value["keys"][0]["alg"] = "PS256"
    keys = read_keys(json.dumps(value).encode())

    assert fault_of(signed(claims(), key="rsa", alg="RS256"), keys) is SetFault.ALGORITHM


@pytest.mark.parametrize(
    ("fault", "err"),
    [
        (SetFault.SIGNATURE, "invalid_key"),
        (SetFault.ISSUER, "invalid_issuer"),
        (SetFault.AUDIENCE, "invalid_audience"),
        (SetFault.STREAM, "access_denied"),
        (SetFault.EVENTS, "invalid_request"),
    ],
)
def test_each_fault_has_its_code_of_the_standard(fault: SetFault, err: str) -> None:
    assert SetRefusedError(fault, "no").err == err


# --- Subjects of parts ---


def test_a_complex_subject_is_its_user() -> None:
    device = {"format": "opaque", "id": "laptop"}

    assert parts_of(ALICE) == (ALICE,)
    assert parts_of({"format": "complex", "user": ALICE, "device": device}) == (ALICE,)


@pytest.mark.parametrize("user", [None, "alice", {"format": "complex", "user": ALICE}])
def test_a_complex_subject_without_a_user_is_nobody(user: object) -> None:
    with pytest.raises(SetRefusedError):
        parts_of({"format": "complex", "user": user})


# --- Key sets ---


def one_key(**changes: Any) -> bytes:  # noqa: ANN401 - members of a key
    key = private("ec").as_dict(private=False) | changes
    return json.dumps({"keys": [{k: v for k, v in key.items() if v is not None}]}).encode()


SMALL = {"kty": "RSA", "kid": "small", "e": "AQAB", "n": b64url(bytes([255]) * 128)}
SETS = {
    "not JSON": b"{",
    "no object": b"[]",
    "no keys": b'{"keys":[]}',
    "a key that is no object": b'{"keys":["x"]}',
    "a private key": json.dumps({"keys": [private("ec").as_dict(private=True)]}).encode(),
    "a symmetric key": json.dumps({"keys": [OctKey.generate_key(256).as_dict()]}).encode(),
    "a key too small": json.dumps({"keys": [SMALL]}).encode(),
    "an RSA key without a modulus": json.dumps({"keys": [{"kty": "RSA", "e": "AQAB"}]}).encode(),
    "a point off the curve": one_key(x="AAAA", y="AAAA"),
    "an id that is a number": one_key(kid=7),
    "an id too long": one_key(kid="k" * 257),
    "for encryption only": one_key(use="enc"),
    "of another curve": json.dumps(
        {"keys": [ECKey.generate_key("P-384").as_dict(private=False)]}
    ).encode(),
    "for an algorithm that nobody takes": one_key(alg="ES512"),
    "two of one id": json.dumps(
        {"keys": [private("ec").as_dict(private=False) | {"kid": "k"}] * 2}
    ).encode(),
    "two, one without an id": json.dumps(
        {"keys": [private("ec").as_dict(private=False), json.loads(one_key(kid=None))["keys"][0]]}
    ).encode(),
    "too many": json.dumps({"keys": [private("ec").as_dict(private=False)] * 33}).encode(),
    "too long": b" " * (SIGNAL_KEYS_BYTES_MOST + 1),
}


@pytest.mark.parametrize("defect", SETS)
def test_a_key_set_is_refused_for_its_defect(defect: str) -> None:
    with pytest.raises(SignalKeysRefusedError):
        read_keys(SETS[defect])


STRANGE = {
    "of another kind": {"kty": "AKP", "kid": "pq"},
    "too small": SMALL,
    "without a modulus": {"kty": "RSA", "kid": "rsa", "e": "AQAB"},
    "off the curve": json.loads(one_key(kid="off", x="AAAA", y="AAAA"))["keys"][0],
    "of a length that is none": {"kty": "OKP", "crv": "Ed25519", "kid": "okp", "x": "AAAA"},
}


@pytest.mark.parametrize("strange", STRANGE.values(), ids=STRANGE)
def test_keys_that_cannot_verify_are_left_out(strange: dict[str, object]) -> None:
    value = json.loads(public("ec"))
    value["keys"].append(strange)

    assert list(read_keys(json.dumps(value).encode())) == ["ec"]
