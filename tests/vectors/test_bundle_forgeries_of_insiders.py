"""Bundles forged by whoever holds every key of ours: the log's, its witnesses', the platform's.

He writes what he likes and signs it. He is caught where what he wrote contradicts itself, and in
the end by the one signature that he cannot make: the customer's.
"""

import json
from collections.abc import Callable
from typing import TypeAlias

import pytest
from support.bundles import TRUST, a_withdrawal, evidence, phone
from support.forgeries import Forger, the_cast

from twinlock.domain.actions import FreezeSet, payload_bytes
from twinlock.domain.authenticators.faults import ProofFault
from twinlock.domain.authorization import AUTHORIZATION_TYPE
from twinlock.domain.canonical import b64url, encode
from twinlock.domain.errors import BundleRefusedError
from twinlock.domain.policy.version import policy_digest
from twinlock.domain.proving import digest_of
from twinlock.proofs.bundle_faults import BundleFault as F
from twinlock.proofs.bundles import verify_bundle

LEAF, OPENINGS, POLICY, PAYLOAD, JWS, PROOFS, BINDINGS, CONSENT = range(5, 13)
NONCE = bytes(range(32))
HASH = b64url(NONCE)
ALICE = the_cast().alice
Spelling: TypeAlias = Callable[[bytes], bytes]


def refused(forger: Forger) -> tuple[int, str]:
    return why(forger)[:2]


def why(forger: Forger) -> tuple[int, str, str]:
    with pytest.raises(BundleRefusedError) as caught:
        verify_bundle(forger.to_bytes(), trust=TRUST)
    return caught.value.step, caught.value.fault, caught.value.says


def alices() -> Forger:
    return Forger(the_cast().house, the_cast().paid)


# --- The entry ---


@pytest.mark.parametrize("place", ["decision", "binding"])
@pytest.mark.parametrize(
    ("changes", "fault"),
    [
        pytest.param({"v": 2}, F.LEAF_VERSION_UNKNOWN, id="another layout"),
        pytest.param({"note": 1}, F.LEAF_MALFORMED, id="an unknown member"),
        pytest.param({"dec": "yes"}, F.LEAF_MALFORMED, id="an unknown answer"),
        pytest.param({"at": -1}, F.LEAF_MALFORMED, id="before 1970"),
        pytest.param({"at": 253_402_300_800_000}, F.LEAF_MALFORMED, id="the year 10000"),
        pytest.param({"lbl": HASH[1:]}, F.LEAF_MALFORMED, id="a short label"),
        pytest.param({"prev": ""}, F.LEAF_MALFORMED, id="no chain"),
        pytest.param({"pol": "!" * 43}, F.LEAF_MALFORMED, id="a digest that is none"),
        pytest.param({"t": ""}, F.LEAF_MALFORMED, id="no type"),
        pytest.param({"c": []}, F.LEAF_MALFORMED, id="a list of commitments"),
        pytest.param({"c": {"account": "A"}}, F.LEAF_MALFORMED, id="a short commitment"),
        pytest.param(
            {"c": {f"f{one}": HASH for one in range(17)}}, F.LEAF_MALFORMED, id="17 commitments"
        ),
    ],
)
def test_a_leaf_of_another_form_is_refused(
    place: str, changes: dict[str, object], fault: F
) -> None:
    forger = alices()
    entry = forger.decision if place == "decision" else forger.binding
    forger.log_anew(entry, forger.leaf(entry) | changes)

    assert refused(forger) == (LEAF if place == "decision" else BINDINGS, fault)


@pytest.mark.parametrize(
    "change",
    [
        pytest.param(lambda leaf: leaf.replace(b":", b": ", 1), id="a space"),
        pytest.param(lambda leaf: leaf.replace(b'"v":1', b'"v":1,"v":1'), id="a doubled key"),
        pytest.param(lambda leaf: leaf.replace(b'"v":1', b'"v":1.0'), id="a float"),
        pytest.param(lambda leaf: leaf.replace(b'"v":1', b'"v":true'), id="a truth"),
        pytest.param(lambda _: b"", id="nothing"),
        pytest.param(lambda _: b"[" * 30_000, id="a nest"),
    ],
)
def test_a_leaf_in_another_spelling_is_refused(change: Spelling) -> None:
    forger = alices()
    forger.log_anew(forger.decision, change(encode(forger.leaf(forger.decision))))

    assert refused(forger) == (LEAF, F.LEAF_MALFORMED)


# --- The policy ---


@pytest.mark.parametrize(
    "change",
    [
        pytest.param(lambda policy: policy.replace(b":", b": ", 1), id="a space"),
        pytest.param(lambda _: b'{"assets":[]}', id="no version"),
        pytest.param(lambda _: b'{"assets":[1],"version":1}', id="assets that are none"),
        pytest.param(lambda _: b"[]", id="a list"),
    ],
)
def test_a_policy_of_another_form_is_refused(change: Spelling) -> None:
    forger = alices()
    policy = change(forger.doc["policy"].encode())
    forger.doc["policy"] = policy.decode()
    forger.log_anew(forger.decision, forger.leaf(forger.decision) | {"pol": policy_digest(policy)})

    assert refused(forger) == (POLICY, F.POLICY_MALFORMED)


# --- What was decided ---


@pytest.mark.parametrize(
    ("field", "to", "step", "fault"),
    [
        ("account", "acc_mallory", PAYLOAD, F.ACTION_OTHER_ACCOUNT),
        ("asset", "BTC", PAYLOAD, F.PAYLOAD_OTHER_ASSET),
        ("network", "tron", PAYLOAD, F.PAYLOAD_OTHER_ASSET),
        ("contract", "0x" + "6" * 40, PAYLOAD, F.PAYLOAD_OTHER_ASSET),
        ("decimals", 7, PAYLOAD, F.PAYLOAD_OTHER_ASSET),
        ("type", "withdrawal.fiat", PAYLOAD, F.PAYLOAD_MALFORMED),
        ("note", "", PAYLOAD, F.PAYLOAD_MALFORMED),
        ("amount_minor", "0", PAYLOAD, F.PAYLOAD_MALFORMED),
        ("amount_minor", "1.5", PAYLOAD, F.PAYLOAD_MALFORMED),
        ("max_fee_minor", str(2**256), PAYLOAD, F.PAYLOAD_MALFORMED),
        ("address", "0x" + "6" * 40, CONSENT, F.ASSERTION_REFUSED),
        ("memo", "for mallory", CONSENT, F.ASSERTION_REFUSED),
        ("amount_minor", "50000001", CONSENT, F.ASSERTION_REFUSED),
        ("max_fee_minor", "1001", CONSENT, F.ASSERTION_REFUSED),
    ],
)
def test_another_payload_decided_and_authorized_is_not_what_the_customer_signed(
    field: str, to: object, step: int, fault: F
) -> None:
    forger = alices()
    payload = json.loads(payload_bytes(a_withdrawal(ALICE)))
    forger.decide(encode(payload | {field: to}))

    assert refused(forger) == (step, fault)


@pytest.mark.parametrize(
    "payload",
    [
        b"null",
        b"[]",
        b"{}",
        b'{"account":"a","type":"freeze.set","type":"freeze.set"}',
        b"\xc3\xa9",
    ],
)
def test_a_payload_that_is_none_is_refused(payload: bytes) -> None:
    forger = alices()
    forger.commit(forger.decision, "payload", payload)

    assert refused(forger) == (PAYLOAD, F.PAYLOAD_MALFORMED)


def test_a_default_that_is_left_out_is_another_spelling_of_a_payload() -> None:
    forger = alices()
    payload = json.loads(forger.binding["openings"]["payload"][1])
    del payload["name"]
    forger.commit(forger.binding, "payload", payload)

    assert refused(forger) == (BINDINGS, F.PAYLOAD_MALFORMED)


@pytest.mark.parametrize(
    ("field", "value", "step", "fault"),
    [
        ("action", None, PAYLOAD, F.OPENING_MALFORMED),
        ("action", "act_mallory", PAYLOAD, F.ACTION_OTHER_ACCOUNT),
        ("action", the_cast().bobs, PAYLOAD, F.ACTION_OTHER_ACCOUNT),
        ("action", the_cast().again, JWS, F.AUTHORIZATION_SIGNATURE_BAD),
        ("facts", {}, JWS, F.OPENING_MALFORMED),
        ("facts", HASH, JWS, F.AUTHORIZATION_SIGNATURE_BAD),
        ("spend", ["payout-2", "5"], JWS, F.AUTHORIZATION_SIGNATURE_BAD),
        ("spend", ["payout-1", "6"], JWS, F.AUTHORIZATION_SIGNATURE_BAD),
        ("spend", ["payout-1", "1001"], PAYLOAD, F.FEE_TOO_HIGH),
        ("spend", ["payout-1", "-1"], PAYLOAD, F.OPENING_MALFORMED),
        ("spend", ["payout-1", ""], PAYLOAD, F.OPENING_MALFORMED),
        ("spend", ["payout-1", 5], PAYLOAD, F.OPENING_MALFORMED),
        ("spend", ["", "5"], PAYLOAD, F.OPENING_MALFORMED),
        ("spend", ["payout-1"], PAYLOAD, F.OPENING_MALFORMED),
        ("spend", None, PAYLOAD, F.OPENING_MALFORMED),
        ("reasons", {}, OPENINGS, F.OPENING_MALFORMED),
        ("reasons", [1], OPENINGS, F.OPENING_MALFORMED),
        ("proofs", {}, PROOFS, F.PROOFS_MALFORMED),
        ("proofs", [["passkey"]], PROOFS, F.PROOFS_MALFORMED),
        ("proofs", [["passkey", 1]], PROOFS, F.PROOFS_MALFORMED),
        ("proofs", [], PROOFS, F.PROOF_NOT_COMMITTED),
        ("proofs", [["passkey", HASH]], PROOFS, F.PROOF_NOT_COMMITTED),
    ],
)
def test_a_field_that_contradicts_the_rest_is_refused(
    field: str, value: object, step: int, fault: F
) -> None:
    forger = alices()
    forger.commit(forger.decision, field, value)

    assert refused(forger) == (step, fault)


@pytest.mark.parametrize("answer", ["read_only", "challenge", "hold", "review", "deny"])
def test_an_authorization_of_what_was_not_allowed_is_refused(answer: str) -> None:
    forger = alices()
    forger.log_anew(forger.decision, forger.leaf(forger.decision) | {"dec": answer})

    assert refused(forger) == (JWS, F.AUTHORIZATION_NOT_ALLOWED)


def test_an_entry_of_another_type_than_its_payload_is_refused() -> None:
    forger = dora()
    forger.log_anew(forger.decision, forger.leaf(forger.decision) | {"t": "freeze.lift"})

    assert refused(forger) == (PAYLOAD, F.PAYLOAD_OTHER_TYPE)


def dora() -> Forger:
    """A forger with a yes that nobody spent."""
    return Forger(the_cast().house, the_cast().allowed)


def test_a_veto_passed_off_as_the_yes_is_refused() -> None:
    forger = dora()
    forger.log_anew(forger.decision, forger.leaf(forger.decision) | {"t": "action.veto"})
    forger.sign(typ=AUTHORIZATION_TYPE)

    assert refused(forger) == (JWS, F.AUTHORIZATION_NOT_ALLOWED)


def test_a_spend_of_what_is_no_exit_is_refused() -> None:
    forger = alices()
    forger.decide(payload_bytes(FreezeSet(account=ALICE)))

    assert refused(forger) == (PAYLOAD, F.PAYLOAD_OTHER_TYPE)


@pytest.mark.parametrize("kind", ["withdrawal.crypto", "action.veto", "freeze.lift"])
def test_an_entry_that_is_no_spend_commits_to_none(kind: str) -> None:
    forger = alices()
    forger.log_anew(forger.decision, forger.leaf(forger.decision) | {"t": kind})

    assert refused(forger) == (LEAF, F.LEAF_MALFORMED)


def test_an_entry_of_a_spend_that_commits_to_none_is_refused() -> None:
    forger = dora()
    forger.log_anew(forger.decision, forger.leaf(forger.decision) | {"t": "action.spend"})

    assert refused(forger) == (LEAF, F.LEAF_MALFORMED)


# --- Who consented ---

PAYLOAD_BYTES = payload_bytes(a_withdrawal(ALICE))


@pytest.mark.parametrize(
    ("lies", "fault"),
    [
        ({"challenge": bytes(32)}, ProofFault.WRONG_CHALLENGE),
        ({"origin": "https://twinlock.example"}, ProofFault.WRONG_ORIGIN),
        ({"origin": "https://prove.twinlock.example:8443"}, ProofFault.WRONG_ORIGIN),
        ({"rp_id": "twinlock.example"}, ProofFault.WRONG_RP),
        ({"cross_origin": True}, ProofFault.CROSS_ORIGIN),
        ({"client_data": {"topOrigin": "https://mallory.example"}}, ProofFault.CROSS_ORIGIN),
        ({"client_data": {"type": "webauthn.create"}}, ProofFault.WRONG_KIND),
        ({"client_data": {"type": "payment.get"}}, ProofFault.WRONG_KIND),
        ({"user_verified": False}, ProofFault.USER_NOT_VERIFIED),
        ({"user_present": False}, ProofFault.USER_NOT_PRESENT),
        ({"backup_eligible": False}, ProofFault.BACKUP_FLAGS_CHANGED),
        ({"backup_eligible": False, "backed_up": False}, ProofFault.BACKUP_FLAGS_CHANGED),
    ],
)
def test_an_assertion_made_otherwise_is_no_consent(
    lies: dict[str, object], fault: ProofFault
) -> None:
    forger = alices()
    forger.show(evidence(the_cast().phone, PAYLOAD_BYTES, nonce=NONCE, lies=lies))

    assert why(forger) == (CONSENT, F.ASSERTION_REFUSED, why(forger)[2])
    assert why(forger)[2].endswith(f"({fault})")


def test_mallorys_assertion_is_not_by_the_key_that_was_bound() -> None:
    forger = alices()
    forger.show(evidence(phone("mallory's phone"), PAYLOAD_BYTES, nonce=NONCE))

    assert why(forger)[2].endswith(f"({ProofFault.WRONG_CREDENTIAL})")


@pytest.mark.parametrize(
    ("changes", "fault"),
    [
        pytest.param({"nonce": b64url(NONCE[:15])}, F.EVIDENCE_MALFORMED, id="a short nonce"),
        pytest.param({"nonce": "="}, F.EVIDENCE_MALFORMED, id="no base64url"),
        pytest.param({"signature": 1}, F.EVIDENCE_MALFORMED, id="a number"),
        pytest.param({"note": ""}, F.EVIDENCE_MALFORMED, id="an unknown member"),
        pytest.param({"client_data": b64url(bytes(4_097))}, F.EVIDENCE_MALFORMED, id="over 4 KB"),
        pytest.param({"client_data": ""}, F.ASSERTION_REFUSED, id="no client data"),
        pytest.param({"authenticator_data": ""}, F.ASSERTION_REFUSED, id="no authenticator data"),
        pytest.param({"signature": ""}, F.ASSERTION_REFUSED, id="no signature"),
        pytest.param({"credential_id": HASH}, F.ASSERTION_REFUSED, id="another credential"),
        pytest.param({"nonce": b64url(NONCE[:16])}, F.ASSERTION_REFUSED, id="another nonce"),
    ],
)
def test_evidence_that_was_changed_is_refused(changes: dict[str, object], fault: F) -> None:
    forger = alices()
    forger.show(encode(json.loads(forger.proof["evidence"]) | changes))

    assert refused(forger) == (CONSENT if fault is F.ASSERTION_REFUSED else PROOFS, fault)


@pytest.mark.parametrize("text", [b"", b"{}", b"[]", b' {"nonce":""}'])
def test_evidence_of_another_form_is_refused(text: bytes) -> None:
    forger = alices()
    forger.show(text)

    assert refused(forger) == (PROOFS, F.EVIDENCE_MALFORMED)


@pytest.mark.parametrize(
    ("changes", "fault"),
    [
        ({"t": "session.start"}, F.BINDING_OTHER_TYPE),
        ({"t": "authenticator.remove"}, F.BINDING_OTHER_TYPE),
        ({"dec": "hold"}, F.BINDING_NOT_ALLOWED),
        ({"dec": "deny"}, F.BINDING_NOT_ALLOWED),
    ],
)
def test_an_entry_that_bound_nothing_is_refused(changes: dict[str, object], fault: F) -> None:
    forger = alices()
    forger.log_anew(forger.binding, forger.leaf(forger.binding) | changes)

    assert refused(forger) == (BINDINGS, fault)


def test_a_key_that_was_bound_after_the_decision_is_refused() -> None:
    forger = alices()
    forger.log_again(forger.binding)

    assert refused(forger) == (BINDINGS, F.BINDING_LATER)


def test_a_key_does_not_consent_to_its_own_binding() -> None:
    forger = alices()
    forger.doc["authorization"] = ""
    for part in ("leaf", "index", "path", "key"):
        forger.decision[part] = forger.binding[part]
    payload = forger.binding["openings"]["payload"]
    forger.decision["openings"]["payload"] = payload
    del forger.decision["openings"]["spend"]
    shown = evidence(the_cast().phone, payload[1].encode(), nonce=NONCE)
    forger.proof["evidence"] = shown.decode()
    for field, value in (
        ("action", the_cast().paid),
        ("facts", HASH),
        ("proofs", [["passkey", digest_of(shown)]]),
    ):
        forger.commit(forger.decision, field, value)
    for part in ("leaf", "openings"):
        forger.binding[part] = forger.decision[part]
    forger.seal()

    assert refused(forger) == (BINDINGS, F.BINDING_LATER)


def test_a_key_that_was_bound_for_another_account_is_refused() -> None:
    forger = alices()
    bind(forger, account="acc_mallory")

    assert refused(forger) == (BINDINGS, F.BINDING_OTHER_ACCOUNT)


@pytest.mark.parametrize("place", ["decision", "binding"])
def test_an_entry_whose_label_is_nobodys_is_refused(place: str) -> None:
    forger = alices()
    entry = forger.decision if place == "decision" else forger.binding
    forger.log_anew(entry, forger.leaf(entry) | {"lbl": HASH})

    assert refused(forger) == (LEAF if place == "decision" else BINDINGS, F.LABEL_OTHER)


def test_two_entries_with_one_label_are_two_histories() -> None:
    forger = alices()
    label = forger.leaf(forger.decision)["lbl"]
    forger.binding["key"] = forger.decision["key"]
    forger.log_anew(forger.binding, forger.leaf(forger.binding) | {"lbl": label})

    assert refused(forger) == (BINDINGS, F.LABEL_TWICE)


def bind(forger: Forger, **changes: object) -> None:
    payload = json.loads(forger.binding["openings"]["payload"][1])
    forger.commit(forger.binding, "payload", payload | changes)


@pytest.mark.parametrize(
    "changes",
    [
        pytest.param({"authenticator": "totp"}, id="an authenticator app"),
        pytest.param({"credential": "digest of a secret"}, id="a digest"),
        pytest.param({"credential": "{}"}, id="nothing"),
        pytest.param({"credential": '{"backup_eligible": true}'}, id="another spelling"),
    ],
)
def test_a_binding_of_what_is_no_passkey_is_refused(changes: dict[str, object]) -> None:
    forger = alices()
    bind(forger, **changes)

    assert refused(forger) == (BINDINGS, F.BINDING_NOT_A_PASSKEY)


def test_a_binding_entry_with_another_payload_is_refused() -> None:
    forger = alices()
    forger.commit(forger.binding, "payload", FreezeSet(account=ALICE))

    assert refused(forger) == (BINDINGS, F.BINDING_NOT_A_PASSKEY)


@pytest.mark.parametrize(
    ("changes", "step", "fault"),
    [
        pytest.param(
            {"public_key": b64url(phone("mallory").public_key)},
            *(CONSENT, F.ASSERTION_REFUSED),
            id="mallory's key under alice's credential",
        ),
        pytest.param({"public_key": HASH}, CONSENT, F.ASSERTION_REFUSED, id="no key"),
        pytest.param({"credential_id": HASH}, CONSENT, F.ASSERTION_REFUSED, id="another id"),
        pytest.param({"backup_eligible": False}, CONSENT, F.ASSERTION_REFUSED, id="one of a kind"),
        pytest.param({"public_key": "="}, BINDINGS, F.BINDING_NOT_A_PASSKEY, id="no base64url"),
        pytest.param({"extra": 1}, BINDINGS, F.BINDING_NOT_A_PASSKEY, id="an unknown member"),
    ],
)
def test_a_binding_of_another_key_is_refused(
    changes: dict[str, object], step: int, fault: F
) -> None:
    forger = alices()
    payload = json.loads(forger.binding["openings"]["payload"][1])
    credential = json.loads(payload["credential"]) | changes
    bind(forger, credential=encode(credential).decode())

    assert refused(forger) == (step, fault)
