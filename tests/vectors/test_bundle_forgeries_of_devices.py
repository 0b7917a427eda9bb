"""Forged signatures of a session's device key, each named for its defect.

Alice lists a destination in a session that her laptop signs. The forger holds every key of ours,
the log's and its witnesses' too; what he cannot make is the laptop's signature.
"""

import json
from dataclasses import dataclass
from datetime import timedelta
from functools import cache

import pytest
from support.bundles import TRUST, House, phone
from support.forgeries import Forger
from support.worlds import destination_id

from twinlock.domain.actions import DestinationAdd, payload_bytes, payload_digest
from twinlock.domain.authenticators.faults import ProofFault
from twinlock.domain.canonical import b64url, encode, from_b64url
from twinlock.domain.errors import BundleRefusedError
from twinlock.domain.ids import AccountId, ActionId, SessionId
from twinlock.domain.proving import digest_of
from twinlock.domain.sessions import signing_nonce
from twinlock.proofs.bundle_faults import BundleFault as F
from twinlock.proofs.bundles import verify_bundle
from twinlock.proofs.device_keys import parse_jwk, read_jwk
from twinlock.range.device import SoftwareDevice

PROOFS, BINDINGS, SIGNATURES = 10, 11, 12
LAPTOP, MALLORYS = SoftwareDevice(b"l" * 32), SoftwareDevice(b"m" * 32)
ADDRESSES = tuple("0x" + digit * 40 for digit in "abc")


@dataclass(frozen=True, kw_only=True)
class Cast:
    """A house in which Alice and Bob have listed destinations, each in a session."""

    house: House
    alice: AccountId
    session: SessionId
    added: ActionId
    other: ActionId  # Alice's, of another address
    bobs: ActionId


def listing(account: AccountId, address: str) -> DestinationAdd:
    return DestinationAdd(account=account, network="ethereum", address=address, memo="")


def add(house: House, payload: DestinationAdd, session: SessionId, name: str) -> ActionId:
    """List a destination in a session, and agree to it with a passkey."""
    action = house.propose(
        payload,
        secret=destination_id(payload.network, payload.address, payload.memo),
        session=house.signed(payload, session, LAPTOP),
    )
    house.wait(timedelta(seconds=10))
    house.consent(action, phone(name))
    return action


@cache
def the_cast() -> Cast:
    house = House()
    alice, bob = (house.open_account(phone(name)) for name in ("alice", "bob"))
    session = house.sign_in(alice, LAPTOP, phone("alice"))
    bobs = house.sign_in(bob, LAPTOP, phone("bob"))
    return Cast(
        house=house,
        alice=alice,
        session=session,
        added=add(house, listing(alice, ADDRESSES[0]), session, "alice"),
        other=add(house, listing(alice, ADDRESSES[1]), session, "alice"),
        bobs=add(house, listing(bob, ADDRESSES[2]), bobs, "bob"),
    )


def alices(action: ActionId | None = None) -> Forger:
    """Return a forger with Alice's bundle, from which the passkey's proof is left out."""
    forger = Forger(the_cast().house, action or the_cast().added)
    forger.doc["proofs"] = forger.doc["proofs"][:1]
    return forger


def refused(forger: Forger) -> tuple[int, str]:
    return why(forger)[:2]


def why(forger: Forger) -> tuple[int, str, str]:
    with pytest.raises(BundleRefusedError) as caught:
        verify_bundle(forger.to_bytes(), trust=TRUST)
    return caught.value.step, caught.value.fault, caught.value.says


def evidence(forger: Forger, **changes: object) -> bytes:
    return encode(json.loads(forger.proof["evidence"]) | changes)


def signed(forger: Forger, device: SoftwareDevice = LAPTOP, **changes: object) -> bytes:
    """Return evidence that ``device`` signed; of the payload, unless a ``payload`` is given."""
    said = json.loads(forger.proof["evidence"])
    payload = changes.pop("payload", forger.decision["openings"]["payload"][1].encode())
    assert isinstance(payload, bytes)
    said |= changes
    nonce = signing_nonce(said["purpose"], said["name"], signed_at=said["signed_at"])
    digest = from_b64url(payload_digest(payload))
    said["signature"] = device.prove(said["session"], nonce=nonce, payload_digest=digest)
    said["jwk"] = read_jwk(device.jwk()).canonical().decode()
    return encode(said)


# --- What is shown ---


def test_a_customer_alone_can_show_which_device_added_an_address_and_when() -> None:
    cast = the_cast()
    house = cast.house
    verified = verify_bundle(house.bundle(cast.added), trust=TRUST)
    proposed = next(
        entry
        for entry in house.entries.values()
        if cast.added in entry.kept.openings["action"].value
    )

    (device,) = verified.device_signatures
    thumbprint = read_jwk(LAPTOP.jwk()).thumbprint()
    assert (device.thumbprint, device.session_id) == (thumbprint, cast.session)
    assert device.signed_at.timestamp() * 1000 == json.loads(proposed.leaf)["at"]
    began = json.loads(house.log.leaves[device.session_index])
    assert (began["t"], began["dec"]) == ("session.start", "allow")
    assert verified.payload == listing(cast.alice, ADDRESSES[0])
    assert len(verified.assertions) == 1
    assert verified.recorded == ()
    assert verified.steps[-1].says.endswith(f": 1; by device key {thumbprint}")


def test_what_the_device_signed_is_evidence_after_the_session_has_ended() -> None:
    cast = the_cast()
    again = verify_bundle(cast.house.bundle(cast.added), trust=TRUST)
    without = verify_bundle(alices().to_bytes(), trust=TRUST)

    assert again.device_signatures == without.device_signatures
    assert (without.assertions, without.recorded) == ((), ("passkey",))


def test_signed_again_by_the_same_device_it_is_accepted() -> None:
    forger = alices()
    forger.show(signed(forger, name="order-0002"))

    assert len(verify_bundle(forger.to_bytes(), trust=TRUST).device_signatures) == 1


# --- The signature ---


def test_mallorys_key_is_not_the_one_that_the_session_was_begun_with() -> None:
    forger = alices()
    forger.show(signed(forger, MALLORYS))

    assert refused(forger) == (SIGNATURES, F.DEVICE_KEY_OTHER)


def test_mallorys_signature_under_the_laptops_key_is_refused() -> None:
    forger = alices()
    forger.show(evidence(forger, signature=json.loads(signed(forger, MALLORYS))["signature"]))

    assert refused(forger) == (SIGNATURES, F.DEVICE_SIGNATURE_REFUSED)
    assert why(forger)[2].endswith(f"({ProofFault.BAD_SIGNATURE})")


def test_another_payload_is_not_the_one_that_the_device_signed() -> None:
    forger = alices()
    payload = listing(the_cast().alice, ADDRESSES[2])
    forger.commit(forger.decision, "payload", payload_bytes(payload))

    assert refused(forger) == (SIGNATURES, F.DEVICE_SIGNATURE_REFUSED)


@pytest.mark.parametrize("committed", [False, True], ids=["shown", "committed to"])
def test_the_signature_of_another_action_is_refused(*, committed: bool) -> None:
    forger, other = alices(), alices(the_cast().other)
    forger.proof["evidence"] = other.proof["evidence"]
    if committed:
        forger.show(other.proof["evidence"].encode())

    fault = (SIGNATURES, F.DEVICE_SIGNATURE_REFUSED)
    assert refused(forger) == (fault if committed else (PROOFS, F.PROOF_NOT_COMMITTED))


@pytest.mark.parametrize(
    "changes",
    [
        pytest.param({"name": "order-0002"}, id="for another proposal"),
        pytest.param({"signed_at": 0}, id="at another time"),
        pytest.param({"session": "ses_another"}, id="in another session"),
        pytest.param({"signature": ""}, id="not at all"),
        pytest.param({"signature": "="}, id="in no base64url"),
    ],
)
def test_what_the_device_did_not_sign_is_refused(changes: dict[str, object]) -> None:
    forger = alices()
    forger.show(evidence(forger, **changes))

    assert refused(forger) == (SIGNATURES, F.DEVICE_SIGNATURE_REFUSED)


@pytest.mark.parametrize(
    "jwk",
    ["", "[]", "{}", '{"crv":"P-256"}', json.dumps(LAPTOP.jwk()), b64url(bytes(32)), "null"],
)
def test_a_key_that_is_none_is_another_key(jwk: str) -> None:
    forger = alices()
    forger.show(evidence(forger, jwk=jwk))

    assert refused(forger) == (SIGNATURES, F.DEVICE_KEY_OTHER)


def test_a_key_off_the_curve_signs_nothing() -> None:
    forger = alices()
    jwk = {"crv": "P-256", "kty": "EC", "x": b64url(bytes(32)), "y": b64url(bytes(32))}
    named = {"device": parse_jwk(jwk).thumbprint()}
    payload = json.loads(forger.binding["openings"]["payload"][1]) | named
    forger.commit(forger.binding, "payload", payload)
    forger.show(evidence(forger, jwk=encode(jwk).decode()))

    assert why(forger)[2].endswith(f"({ProofFault.KEY_INVALID})")


@pytest.mark.parametrize(
    "changes",
    [
        pytest.param({"purpose": "veto"}, id="for a veto"),
        pytest.param({"session": "ses_\u00e9"}, id="a session that is none"),
        pytest.param({"signed_at": -1}, id="before 1970"),
        pytest.param({"signed_at": 253_402_300_800_000}, id="the year 10000"),
        pytest.param({"signed_at": "now"}, id="no number"),
        pytest.param({"note": ""}, id="an unknown member"),
        pytest.param({"name": 1}, id="no name"),
    ],
)
def test_evidence_of_another_form_is_refused(changes: dict[str, object]) -> None:
    forger = alices()
    forger.show(evidence(forger, **changes))

    assert refused(forger) == (PROOFS, F.EVIDENCE_MALFORMED)


# --- The session ---


def test_the_session_of_another_account_is_refused() -> None:
    forger, donor = alices(), alices(the_cast().bobs)
    forger.proof["binding"] = donor.binding
    forger.seal()

    assert refused(forger) == (BINDINGS, F.BINDING_OTHER_ACCOUNT)


def test_a_session_that_was_begun_after_the_decision_is_refused() -> None:
    forger = alices()
    forger.log_again(forger.binding)

    assert refused(forger) == (BINDINGS, F.BINDING_LATER)


@pytest.mark.parametrize("answer", ["read_only", "challenge", "hold", "deny"])
def test_a_session_that_may_only_look_or_never_began_is_refused(answer: str) -> None:
    forger = alices()
    forger.log_anew(forger.binding, forger.leaf(forger.binding) | {"dec": answer})

    assert refused(forger) == (BINDINGS, F.BINDING_NOT_ALLOWED)


def test_an_entry_that_began_no_session_is_refused() -> None:
    forger = alices()
    forger.log_anew(forger.binding, forger.leaf(forger.binding) | {"t": "authenticator.bind"})

    assert refused(forger) == (BINDINGS, F.BINDING_OTHER_TYPE)


def test_a_payload_that_begins_no_session_is_refused() -> None:
    forger = alices()
    payload = listing(the_cast().alice, ADDRESSES[0])
    forger.commit(forger.binding, "payload", payload_bytes(payload))

    assert refused(forger) == (BINDINGS, F.BINDING_NOT_A_SESSION)


def test_two_entries_with_one_label_are_two_histories() -> None:
    forger = alices()
    forger.binding["key"] = forger.decision["key"]
    label = forger.leaf(forger.decision)["lbl"]
    forger.log_anew(forger.binding, forger.leaf(forger.binding) | {"lbl": label})

    assert refused(forger) == (BINDINGS, F.LABEL_TWICE)


def test_evidence_shown_without_its_list_is_refused() -> None:
    forger = alices()
    forger.commit(
        forger.decision, "proofs", [["passkey", digest_of(forger.proof["evidence"].encode())]]
    )

    assert refused(forger) == (PROOFS, F.PROOF_NOT_COMMITTED)
