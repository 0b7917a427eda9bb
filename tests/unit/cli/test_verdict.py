from dataclasses import replace
from datetime import timedelta

import pytest
from msgspec.structs import replace as changed
from support.bundles import TRUST, House, a_withdrawal, phone
from support.forgeries import the_cast
from support.worlds import DESKTOP

from twinlock.cli.verdict import payload_lines, spend_lines, verdict
from twinlock.domain.actions import AnyPayload, ApiKeyCreate, FreezeSet, SessionStart, type_of
from twinlock.domain.authorization import SPEND_ENTRY
from twinlock.domain.canonical import encode
from twinlock.domain.catalogue import ActionType
from twinlock.domain.commands import Veto
from twinlock.domain.ids import ActionId
from twinlock.domain.requirements import Answer
from twinlock.proofs.bundles import VETO, VerifiedBundle, verify_bundle

PAYMENT = a_withdrawal(the_cast().alice)
A_FREEZE = FreezeSet(account=the_cast().alice)
A_SESSION = SessionStart(account=the_cast().alice, device="d")


def verified(house: House, action: ActionId) -> VerifiedBundle:
    return verify_bundle(encode(house.bundle(action)), trust=TRUST)


def said(kind: str, answer: Answer, payload: AnyPayload) -> str:
    """Return what is said of an entry of this kind and answer."""
    paid = verified(the_cast().house, the_cast().paid)
    spent = kind == SPEND_ENTRY and answer is Answer.ALLOW
    return verdict(replace(paid, type=kind, answer=answer, payload=payload, spent=spent))


def test_what_was_held_and_then_vetoed_reads_like_neither_a_yes_nor_a_payment() -> None:
    house, alices = House(), phone()
    alice = house.open_account(alices)
    action = house.propose(a_withdrawal(alice))
    house.wait(timedelta(minutes=1))
    house.consent(action, alices)

    held = verdict(verified(house, action))
    house.do(Veto(action_id=action, channel_id=DESKTOP.channel_id), alice)
    vetoed = verified(house, action)

    assert held == (
        "withdrawal.crypto was held: it was not allowed before a later time (destination_new)"
    )
    assert (vetoed.type, vetoed.answer) == (VETO, Answer.ALLOW)
    assert verdict(vetoed) == "withdrawal.crypto was vetoed"
    assert vetoed.steps[4].says.startswith("action.veto was answered allow, at ")


def test_what_was_spent_is_told_apart_from_a_mere_yes() -> None:
    cast = the_cast()

    assert verdict(verified(cast.house, cast.paid)) == "withdrawal.crypto was authorized and spent"
    assert verdict(verified(cast.house, cast.allowed)) == (
        "withdrawal.crypto was authorized, and not spent by this entry"
    )


def test_what_nobody_finished_is_told_as_not_allowed() -> None:
    house, alices = House(), phone()
    alice = house.open_account(alices)
    action = house.propose(a_withdrawal(alice))
    house.consent(action, alices)
    house.wait(timedelta(days=60))
    house.propose(FreezeSet(account=alice))
    assert action in house.closed

    told = verdict(verified(house, action))

    assert told == (
        "withdrawal.crypto was not allowed: it was refused, or had lapsed (authorization_expired)"
    )


@pytest.mark.parametrize(
    ("answer", "payload", "sentence"),
    [
        (Answer.ALLOW, A_FREEZE, "freeze.set was allowed and took effect"),
        (
            Answer.READ_ONLY,
            A_SESSION,
            "session.start was allowed to look, freeze and veto, and nothing else",
        ),
        (Answer.CHALLENGE, PAYMENT, "withdrawal.crypto was not allowed yet: a proof was missing"),
        (Answer.REVIEW, PAYMENT, "withdrawal.crypto was not allowed yet: people had to agree"),
    ],
)
def test_every_other_answer_has_its_sentence(
    answer: Answer, payload: AnyPayload, sentence: str
) -> None:
    assert said(type_of(payload), answer, payload) == sentence


@pytest.mark.parametrize("answer", Answer)
@pytest.mark.parametrize("kind", [ActionType.WITHDRAWAL_CRYPTO, VETO, SPEND_ENTRY])
def test_only_a_yes_reads_like_one(kind: str, answer: Answer) -> None:
    told = said(kind, answer, PAYMENT)

    assert ("was authorized" in told) == (answer is Answer.ALLOW and kind != VETO)
    assert ("was vetoed" in told) == (answer is Answer.ALLOW and kind == VETO)


def test_an_amount_is_told_in_whole_units_and_nothing_empty_is_told() -> None:
    ether = changed(PAYMENT, asset="ETH", contract="", decimals=18, amount_minor=f"{25 * 10**16}")

    told = dict(payload_lines(ether))

    assert told["amount_minor"] == "0.25 ETH (250000000000000000)"
    assert told["max_fee_minor"] == "0.000000000000001 ETH (1000)"
    beside = dict(payload_lines(PAYMENT))["max_fee_minor"]
    assert beside == "1000 of the smallest units of the network's own coin"
    assert {"contract", "memo"}.isdisjoint(told)


def test_the_id_and_the_fee_of_a_spend_are_told_and_of_nothing_else() -> None:
    cast = the_cast()
    spent = verified(cast.house, cast.paid)
    ether = changed(PAYMENT, asset="ETH", contract="", decimals=18)

    assert spend_lines(spent) == [
        ("spend_id", "payout-1"),
        ("fee_minor", "5 of the smallest units of the network's own coin"),
    ]
    assert spend_lines(replace(spent, payload=ether, fee_minor="1000"))[1] == (
        "fee_minor",
        "0.000000000000001 ETH (1000)",
    )
    assert spend_lines(verified(cast.house, cast.allowed)) == []
    assert spend_lines(replace(spent, payload=A_FREEZE)) == []


def test_a_list_is_told_as_one() -> None:
    key = ApiKeyCreate(
        account=the_cast().alice,
        public_key="k",
        scopes=("read", "trade"),
        ip_list=(),
        destinations=(),
    )

    told = dict(payload_lines(key))

    assert told["scopes"] == "read, trade"
    assert "ip_list" not in told
    assert told["daily_cents"] == "0"
