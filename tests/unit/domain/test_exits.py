"""Every exit is a way out like any other: one list of places, one sum a day, one gate."""

from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given
from msgspec.structs import replace
from support.cast import ALICE, DAY, OLD_ADDRESS
from support.facts import facts
from support.gates import Gate
from support.leaving import EVERY_EXIT, OTHERS
from support.policies import DEFAULT, STRICT
from support.worlds import (
    FREEZE,
    PRICES,
    SYNCED,
    a_destination,
    an_account,
    destination_id,
    list_address,
    rules_of,
    send,
)

from twinlock.domain.actions import DestinationAdd, class_of, place_of
from twinlock.domain.addresses import AddressError
from twinlock.domain.catalogue import CLASS_OF, ActionClass
from twinlock.domain.decisions import judge_facts
from twinlock.domain.drafts import Where
from twinlock.domain.errors import MalformedError
from twinlock.domain.exit_drafts import EXIT_DRAFTS, exit_of
from twinlock.domain.exits import (
    BOOKS,
    EXITS,
    AnyExit,
    asset_in,
    asset_in_books,
    leads_to,
    most_fee,
    terms_of,
)
from twinlock.domain.money import AmountError, NetworkUnknownError, UnknownAssetError
from twinlock.domain.policy.facts import Facts
from twinlock.domain.policy.version import ASSETS
from twinlock.domain.reasons import Reason
from twinlock.domain.requirements import Answer, reasons
from twinlock.proofs.addresses.normal import normal_where

ASKED: dict[str, dict[str, Any]] = {
    "withdrawal.crypto": {
        "asset": "USDT",
        "network": "ethereum",
        "address": "0x" + "1" * 40,
        "amount": "49.99",
        "max_fee": "0.000000000000001",
    },
    "withdrawal.fiat": {
        "asset": "USD",
        "address": "de75 5121 0800 1245 1261 99",
        "amount": "49.99",
        "max_fee": "0.01",
        "memo": "rent",
    },
    "transfer.internal": {"counterparty": "bob"},
    "transfer.subaccount": {"subaccount": "sub_1"},
    "p2p.release": {"counterparty": "bob", "order": "p2p-17", "received": "45.00 EUR by bank"},
    "gift.send": {"counterparty": "bob"},
    "card.pay": {"card": "card_1", "merchant": "A bakery"},
    "trade.unusual": {"pair": "QTUM/USDT", "side": "buy", "price": "31.5"},
    "loan.collateral": {"loan": "loan_1"},
    "derivative.open": {"product": "BTC-PERP"},
    "margin.open": {"product": "BTC/USDT"},
    "staking.start": {"product": "validator_9"},
    "convert.execute": {"product": "USDT/BTC"},
}


def asked(kind: str, **changes: Any) -> AnyExit:  # noqa: ANN401 - fields of a draft
    in_books = {} if kind.startswith("withdrawal") else {"asset": "USDT", "amount": "50"}
    return read(kind, {**in_books, **ASKED[kind], **changes})


def read(kind: str, data: dict[str, Any]) -> AnyExit:
    return exit_of(kind, data, ALICE, policy=DEFAULT, normal=normal)


def normal(network: str, address: str, memo: str) -> Where:
    return normal_where(network, address, memo, DEFAULT)


def test_the_exits_are_all_that_the_catalogue_calls_so() -> None:
    named = {kind for kind, cls in CLASS_OF.items() if cls is ActionClass.EXIT}

    assert EXITS == named == set(EVERY_EXIT)
    assert set(EXIT_DRAFTS) == set(ASKED) == EXITS - {"platform.exit"}


@pytest.mark.parametrize("kind", sorted(ASKED))
def test_each_is_written_with_all_that_was_asked_for(kind: str) -> None:
    payload = asked(kind)

    assert (payload.amount_minor, class_of(payload)) == (
        EVERY_EXIT[kind].amount_minor,
        ActionClass.EXIT,
    )
    if kind != "withdrawal.crypto":  # Whose example pays another fee.
        assert payload == EVERY_EXIT[kind]


@pytest.mark.parametrize("kind", sorted(EXITS))
def test_each_leads_to_a_place_that_can_be_listed_in_the_same_form(kind: str) -> None:
    payload = EVERY_EXIT[kind]
    network, address, memo = leads_to(payload)

    where = normal_where(network, address, memo, DEFAULT)
    assert (where.network, where.address, where.memo) == leads_to(payload)
    place = place_of(payload)
    assert place == place_of(
        DestinationAdd(account=ALICE, network=network, address=address, memo=memo)
    )
    assert (network in BOOKS) is not kind.startswith("withdrawal")


def test_what_is_given_to_a_buyer_and_as_a_gift_leads_to_the_same_account() -> None:
    assert {leads_to(EVERY_EXIT[kind]) for kind in ("p2p.release", "gift.send")} == {
        leads_to(EVERY_EXIT["transfer.internal"])
    }


@pytest.mark.parametrize("kind", sorted(ASKED))
def test_a_field_more_or_less_is_refused(kind: str) -> None:
    with pytest.raises(MalformedError):
        asked(kind, more="")
    for field in ASKED[kind]:
        if field in ("max_fee", "memo", "merchant"):
            continue
        left = {name: value for name, value in ASKED[kind].items() if name != field}
        books = {} if kind.startswith("withdrawal") else {"asset": "USDT", "amount": "1"}
        with pytest.raises(MalformedError):
            read(kind, {**books, **left})


@pytest.mark.parametrize(
    "name", ["", "-", " bob", "bob ", "b\u200bob", "b\nob", "bob\n", "ЬоЬ", "b" * 65]
)
def test_a_place_in_the_books_is_plain_letters(name: str) -> None:
    with pytest.raises(MalformedError):
        asked("transfer.internal", counterparty=name)
    with pytest.raises(AddressError):
        normal_where("venue", name, "", DEFAULT)


def test_a_place_in_the_books_takes_no_memo() -> None:
    """Prevents: the same account under two names, with two budgets."""
    with pytest.raises(AddressError, match="no memo"):
        normal_where("venue", "bob", "1", DEFAULT)


@pytest.mark.parametrize("account", ["", "DE7", "DE75 5121\u00e9", "D" * 35, "DE75-512"])
def test_a_bank_account_is_letters_and_digits(account: str) -> None:
    with pytest.raises((AddressError, MalformedError)):
        asked("withdrawal.fiat", address=account)


@pytest.mark.parametrize("price", ["", "0x1", "1e6", "-1", ".5", "1.", "01", "1,5", "1\n", "٣"])
def test_a_price_is_a_plain_decimal(price: str) -> None:
    with pytest.raises(MalformedError):
        asked("trade.unusual", price=price)


@pytest.mark.parametrize("orders", [0, -1, 10_001, 1.5, "1", True])
def test_a_trade_is_of_so_many_orders(orders: object) -> None:
    with pytest.raises(MalformedError):
        asked("trade.unusual", orders=orders)


@pytest.mark.parametrize("amount", ["0", "0.0000001", "-1", "", "1e3", "NaN"])
@pytest.mark.parametrize("kind", ["withdrawal.fiat", "gift.send"])
def test_nothing_is_no_amount(kind: str, amount: str) -> None:
    with pytest.raises((AmountError, MalformedError)):
        asked(kind, amount=amount)
    with pytest.raises(AmountError):
        replace(EVERY_EXIT[kind], amount_minor="0")


def test_money_of_banks_leaves_to_banks_and_coins_to_chains() -> None:
    with pytest.raises(UnknownAssetError):
        asked("withdrawal.fiat", asset="USDT")
    with pytest.raises(UnknownAssetError, match="banks"):
        asset_in(replace(send(), network="bank", asset="USD", contract="", decimals=2), ASSETS)
    with pytest.raises(UnknownAssetError, match="banks"):
        asset_in(replace(OTHERS[0], network="ethereum"), ASSETS)
    with pytest.raises(NetworkUnknownError):
        normal_where("nowhere", "bob", "", DEFAULT)


def test_the_books_count_as_finely_as_the_finest_network() -> None:
    finer = replace(ASSETS[2], network="other", decimals=18)

    assert asset_in_books("USDT", ASSETS).decimals == 6
    assert asset_in_books("USDT", (*ASSETS, finer)).decimals == 18
    with pytest.raises(UnknownAssetError):
        asset_in_books("SHELLS", ASSETS)


@pytest.mark.parametrize("payload", EVERY_EXIT.values())
def test_decimals_are_those_of_the_policy(payload: AnyExit) -> None:
    """Prevents: a million, signed as a cent."""
    assert asset_in(payload, ASSETS).symbol == payload.asset
    with pytest.raises(UnknownAssetError, match="decimals"):
        asset_in(replace(payload, decimals=payload.decimals + 1), ASSETS)


def test_only_chains_and_banks_take_a_fee() -> None:
    fees = {kind: most_fee(payload) for kind, payload in EVERY_EXIT.items()}

    assert {kind for kind, fee in fees.items() if fee} == {"withdrawal.crypto", "withdrawal.fiat"}


def test_terms_are_what_is_agreed_beside_sum_and_place() -> None:
    told = {kind: terms_of(payload) for kind, payload in EVERY_EXIT.items()}

    assert {kind: terms for kind, terms in told.items() if terms} == {
        "p2p.release": {"order": "p2p-17", "received": "45.00 EUR by bank"},
        "transfer.subaccount": {"source": ""},
        "card.pay": {"merchant": "A bakery"},
        "trade.unusual": {"orders": "1", "price": "31.5", "side": "buy"},
        "platform.exit": {"exit": "x.bills", "invoice": "2026-17"},
    }


@given(facts())
def test_laws_and_statutes_ask_the_same_of_every_exit(found: Facts) -> None:
    """A hold, a limit, a budget or a wait that one exit has, all have (law 6)."""
    for policy in (DEFAULT, STRICT):
        rules = rules_of(policy, now=found.now, prices=PRICES)
        asked_of = {
            kind: judge_facts(
                replace(
                    found,
                    action=kind,
                    action_class=ActionClass.EXIT,
                    destinations_required=False,  # That list is of what sends to somebody.
                ),
                rules=rules,
            )
            for kind in EXITS
        }
        assert all(one == asked_of["withdrawal.crypto"] for one in asked_of.values())


@pytest.mark.parametrize("policy", [DEFAULT, STRICT])
@pytest.mark.parametrize("payload", OTHERS)
def test_each_waits_to_a_new_place_and_is_spent_once(payload: AnyExit, policy: Any) -> None:  # noqa: ANN401 - a policy
    gate = Gate.of(an_account(), policy=policy)
    named = gate.propose(payload).action_id

    held = gate.prove(named, SYNCED)
    fee = "1" if payload is OTHERS[0] else "0"
    assert (held.answer, gate.spend(named, fee=fee).answer) == (Answer.HOLD, Answer.HOLD)
    gate.wait(7 * DAY)
    assert gate.spend(named, fee=fee).answer is Answer.ALLOW
    assert not gate.is_open(named)
    assert gate.account.spent.cents == 5000


@pytest.mark.parametrize("payload", OTHERS)
def test_a_fee_that_nobody_agreed_to_is_refused(payload: AnyExit) -> None:
    gate = Gate.of(an_account())
    named = gate.propose(payload).action_id
    gate.prove(named, SYNCED)
    gate.wait(DAY)

    refused = gate.spend(named, fee="2")
    assert refused.answer is Answer.DENY
    assert reasons(refused.requirement) == (Reason.FEE_TOO_HIGH,)


@pytest.mark.parametrize("payload", OTHERS)
def test_a_freeze_stops_each(payload: AnyExit) -> None:
    gate = Gate.of(an_account())
    named = gate.propose(payload).action_id
    gate.prove(named, SYNCED)
    gate.prove(gate.propose(FREEZE).action_id, SYNCED)
    gate.wait(DAY)

    assert Reason.ACCOUNT_FROZEN in reasons(gate.spend(named, fee="0").requirement)


@pytest.mark.parametrize("payload", OTHERS)
def test_a_listed_place_needs_one_proof_and_its_own_sum_a_day(payload: AnyExit) -> None:
    network, address, memo = leads_to(payload)
    listing = replace(list_address(address), network=network, memo=memo)
    gate = Gate.of(an_account())
    gate.prove(gate.propose(listing).action_id, SYNCED)
    gate.wait(2 * DAY)
    gate.settle()

    named = gate.propose(payload).action_id
    assert gate.prove(named, SYNCED).answer is Answer.ALLOW
    (listed,) = gate.destinations.values()
    assert listed.spent.cents == gate.account.spent.cents == 5000


@pytest.mark.parametrize("payload", OTHERS)
def test_all_exits_count_in_one_sum_of_the_day(payload: AnyExit) -> None:
    """Prevents: the whole limit by chain, and the whole limit again by gifts."""
    network, address, memo = leads_to(payload)
    listed = replace(a_destination(address), network=network, memo=memo)
    named = destination_id(network, address, memo)
    listed = replace(listed, destination_id=named)
    gate = Gate.of(an_account(), a_destination(OLD_ADDRESS), listed)
    large = replace(payload, amount_minor=payload.amount_minor + "000")

    first, second = (gate.propose(one).action_id for one in (large, send(50_020)))
    assert gate.prove(first, SYNCED).answer is Answer.ALLOW
    assert Reason.LIMIT_EXCEEDED in reasons(gate.prove(second, SYNCED).requirement)


def test_names_in_the_books_resemble_each_other_and_are_not_held_for_it() -> None:
    """Prevents: customer 10042001, whom nobody can pay who has paid 10043001."""
    gate = Gate.of(an_account())
    for name in ("user1004200100", "user9994200100"):
        payload = replace(EVERY_EXIT["gift.send"], counterparty=name)
        asked_for = gate.propose(payload)
        gate.prove(asked_for.action_id, SYNCED)
        gate.wait(DAY)
        assert gate.spend(asked_for.action_id, fee="0").answer is Answer.ALLOW
    assert gate.account.paid == {}


def test_what_is_not_permitted_is_held_for_no_score() -> None:
    assert DEFAULT.statutes.scores_held("recovery.open") == (timedelta(0), timedelta(0))
