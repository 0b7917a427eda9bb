"""The sentence of each step tells a reader what it showed, and no more."""

from dataclasses import replace

import pytest
from support.bundles import ORIGIN, TRUST, House, a_withdrawal, phone, trust
from support.forgeries import Forger, the_cast

from twinlock.domain.actions import NotBuilt
from twinlock.domain.errors import BundleRefusedError
from twinlock.domain.log.checkpoint import Checkpoint
from twinlock.proofs.bundles import VerifiedBundle, verify_bundle


def told(verified: VerifiedBundle) -> list[str]:
    return [step.says for step in verified.steps]


def paid() -> VerifiedBundle:
    return verify_bundle(Forger(the_cast().house, the_cast().paid).to_bytes(), trust=TRUST)


def test_the_steps_of_a_spend_that_a_passkey_consented_to() -> None:
    size = the_cast().house.log.size

    assert told(paid()) == [
        "a bundle of version 1",
        f"{ORIGIN} signed a head of {size} entries; cosigned by: w1, w2",
        "not checked: no older checkpoint was given",
        "the decision is entry 9 of this log",
        "action.spend was answered allow, at 2026-01-16 18:01:00 UTC by its own clock",
        "5 of 9 commitments opened: action, facts, payload, proofs, spend",
        "policy version 1 decided; the trust file names none",
        f"withdrawal.crypto, payload digest {paid().payload_digest}",
        "signed under a trusted key over what the entry says; this entry is a spend",
        "1 with evidence; by record only: none",
        "keys bound to this account: entry 1",
        "the customer's own signature over this payload: 1",
    ]


def test_the_steps_of_a_spend_of_which_only_the_record_tells_a_code() -> None:
    by_code = verify_bundle(the_cast().house.bundle(the_cast().carols), trust=TRUST)

    assert told(by_code)[-3:] == [
        "0 with evidence; by record only: totp",
        "keys bound to this account: none to check",
        "the customer's own signature over this payload: none",
    ]


def test_the_steps_of_what_several_proofs_allowed() -> None:
    house = House()
    alice = house.open_account(phone(), phone("a second key"))
    action = house.pay(a_withdrawal(alice), phone(), phone("a second key"))

    assert told(verify_bundle(house.bundle(action), trust=TRUST))[-3:] == [
        "2 with evidence; by record only: none",
        "keys bound to this account: entry 1, entry 2",
        "the customer's own signature over this payload: 2",
    ]
    forger = Forger(house, action)
    forger.doc["proofs"] = []
    recorded = told(verify_bundle(forger.to_bytes(), trust=TRUST))[-3]
    assert recorded == "0 with evidence; by record only: passkey, passkey"


def test_the_steps_of_a_refusal_say_what_was_missing() -> None:
    house = House()
    asked = NotBuilt(account=house.open_account(phone()), asked="card.pay", digest="")
    verified = verify_bundle(house.bundle(house.propose(asked)), trust=trust(quorum="none"))

    assert {"action_not_built", "proof_needed"} < set(verified.reasons)
    answered, opened = told(verified)[4:6]
    assert answered == "card.pay was answered deny, at 2026-01-15 14:00:00 UTC by its own clock"
    assert opened == (
        "5 of 8 commitments opened: action, facts, payload, proofs, reasons; "
        f"what was missing: {', '.join(verified.reasons)}"
    )
    assert told(verified)[8] == "none shown; this entry is no spend"


def test_what_is_asked_for_under_a_name_of_its_own_is_not_told_by_it() -> None:
    """Prevents: words of whoever asked, printed as the verifier's."""
    house = House()
    asked = NotBuilt(account=house.open_account(phone()), asked="gizmo.frob", digest="")
    verified = verify_bundle(house.bundle(house.propose(asked)), trust=TRUST)

    assert told(verified)[4] == (
        "something else was answered deny, at 2026-01-15 14:00:00 UTC by its own clock"
    )


def test_without_a_witness_no_name_is_told() -> None:
    forger = Forger(the_cast().house, the_cast().paid)
    note = forger.doc["checkpoint"].splitlines(keepends=True)
    forger.doc["checkpoint"] = "".join(
        one for one in note if ".example " not in one or ORIGIN in one
    )
    verified = verify_bundle(forger.to_bytes(), trust=trust(quorum="none"))

    assert told(verified)[1].endswith("; cosigned by: none")


# --- Refusals ---


def refusal(document: bytes, *, known: Checkpoint | None = None) -> str:
    with pytest.raises(BundleRefusedError) as caught:
        verify_bundle(document, trust=TRUST, known=known)
    return caught.value.says


def test_what_is_no_bundle_is_told_without_a_word_of_its_own() -> None:
    document = Forger(the_cast().house, the_cast().paid).to_bytes()
    doubled, number = refusal(b'{"v":1,' + document[1:]), refusal(b'{"v":NaN}')

    assert refusal(b"[]") == (
        "this is not a bundle: a member is missing, unknown, or of another form"
    )
    assert doubled == "this is not a bundle: a key stands twice"
    assert number == "this is not a bundle: number not allowed"


def test_a_growth_that_is_not_shown_says_how_to_fetch_it() -> None:
    house = the_cast().house
    document = Forger(house, the_cast().paid).to_bytes()
    elsewhere = replace(house.seen(3), origin="b.example")

    assert refusal(document, known=elsewhere) == ("the checkpoint known already is of another log")
    assert refusal(document, known=house.seen(3)) == (
        "the bundle does not show how the log grew from the checkpoint known already: "
        "fetch it again with ?consistent_from=3"
    )
