"""Exits that a platform registers: their file, their drafts, and how the gate holds them."""

import json
from typing import Any

import pytest
from support.cast import ALICE, DAY, HOUR
from support.gates import Gate
from support.leaving import REGISTERED_EXIT
from support.policies import DEFAULT, policy_of
from support.worlds import FREEZE, PASSWORD, SYNCED, an_account

from twinlock.adapters.policies import shipped
from twinlock.domain.actions import DestinationAdd
from twinlock.domain.addresses import AddressError
from twinlock.domain.bounds import REGISTERED_EXITS_MOST, REGISTERED_TERMS_MOST, UNSPOKEN_HELD
from twinlock.domain.drafts import Where
from twinlock.domain.errors import MalformedError
from twinlock.domain.exits import PLATFORM, PlatformExit, leads_to
from twinlock.domain.money import AmountError, UnknownAssetError
from twinlock.domain.policy.version import Policy
from twinlock.domain.reasons import Reason
from twinlock.domain.registered_exits import (
    RegisteredExit,
    RegistrationRefusedError,
    read_registrations,
    registered_exit,
)
from twinlock.domain.requirements import Answer, reasons
from twinlock.proofs.addresses.normal import normal_where

BILLS = {
    "type": "x.bills",
    "says": "Pay a bill",
    "asset": "currency",
    "amount": "total",
    "to": "biller",
    "terms": ["invoice"],
}
DRAFT = {"currency": "USDT", "total": "50", "biller": "city-power", "invoice": "2026-17"}


def written(*exits: dict[str, Any]) -> bytes:
    return json.dumps({"exits": exits}).encode()


def read(**changes: Any) -> RegisteredExit:  # noqa: ANN401 - fields of a registration
    [one] = read_registrations(written(BILLS | changes)).values()
    return one


def normal(network: str, address: str, memo: str) -> Where:
    return normal_where(network, address, memo, DEFAULT)


def asked(**changes: Any) -> PlatformExit:  # noqa: ANN401 - fields of a draft
    return registered_exit(read(), DRAFT | changes, ALICE, policy=DEFAULT, normal=normal)


def speaking(*names: str) -> Policy:
    said = f'@id("platform.exit.permit") @speaks_of("{",".join(names)}")'
    return policy_of(shipped("default").replace('@id("platform.exit.permit")', said))


# --- The file ---


def test_a_file_may_register_nothing_and_as_many_as_there_is_room_for() -> None:
    most = [BILLS | {"type": f"x.n{number}"} for number in range(REGISTERED_EXITS_MOST)]

    assert read_registrations(written()) == {}
    assert len(read_registrations(written(*most))) == REGISTERED_EXITS_MOST
    with pytest.raises(RegistrationRefusedError):
        read_registrations(written(*most, BILLS))


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"[]",
        b"{}",
        b'{"exits": [], "exits": []}',
        b'{"exits": [], "more": 1}',
        written(BILLS, BILLS),
        written(BILLS | {"colour": "red"}),
        written({name: value for name, value in BILLS.items() if name != "to"}),
    ],
)
def test_a_file_of_another_form_is_refused_whole(data: bytes) -> None:
    with pytest.raises(RegistrationRefusedError):
        read_registrations(data)


@pytest.mark.parametrize(
    "changes",
    [
        {"type": "bills"},
        {"type": "withdrawal.crypto"},
        {"type": "platform.exit"},
        {"type": "x."},
        {"type": "x.Bills"},
        {"type": "x.bills.more"},
        {"type": "x.bills\n"},
        {"type": "x." + "a" * 25},
        {"says": ""},
        {"says": "a" * 65},
        {"says": "a\u202eb"},
        {"asset": "Currency"},
        {"to": "biller\n"},
        {"amount": "currency"},
        {"terms": ["biller"]},
        {"terms": ["invoice", "invoice"]},
        {"terms": ["exit"]},
        {"terms": [f"t{number}" for number in range(REGISTERED_TERMS_MOST + 1)]},
    ],
)
def test_no_name_is_ours_and_each_field_has_one_meaning(changes: dict[str, Any]) -> None:
    with pytest.raises(RegistrationRefusedError):
        read(**changes)


# --- The draft ---


def test_a_draft_is_signed_whole_by_the_fields_that_were_registered() -> None:
    payload = asked()

    assert payload == REGISTERED_EXIT
    assert leads_to(payload) == (PLATFORM, "x.bills/city-power", "")
    assert read(terms=[]).fields() == ("currency", "total", "biller")


def test_two_ways_out_never_lead_to_one_place() -> None:
    other = registered_exit(read(type="x.loans"), DRAFT, ALICE, policy=DEFAULT, normal=normal)

    assert leads_to(other) != leads_to(asked())


@pytest.mark.parametrize("name", sorted(DRAFT))
def test_a_field_that_is_missing_is_told_with_all_that_there_are(name: str) -> None:
    less = {one: value for one, value in DRAFT.items() if one != name}

    with pytest.raises(MalformedError, match="currency, total, biller, invoice"):
        registered_exit(read(), less, ALICE, policy=DEFAULT, normal=normal)


@pytest.mark.parametrize(
    "changes",
    [
        {"colour": "red"},
        {"currency": 7},
        {"currency": ""},
        {"total": 50},
        {"biller": ""},
        {"biller": "a b"},
        {"biller": "b" * 65},
        {"invoice": 7},
        {"invoice": "i" * 65},
        {"invoice": "a\u202eb"},
    ],
)
def test_a_field_of_another_form_is_refused(changes: dict[str, Any]) -> None:
    with pytest.raises(MalformedError):
        asked(**changes)


def test_assets_sums_and_places_are_checked_as_those_of_any_exit() -> None:
    with pytest.raises(UnknownAssetError):
        asked(currency="SHELLS")
    with pytest.raises(AmountError):
        asked(total="0")
    with pytest.raises(AddressError):
        asked(biller="b" * 60)


def test_a_text_of_the_most_characters_is_signed() -> None:
    assert asked(invoice="i" * 64).terms == (("invoice", "i" * 64),)


# --- The gate ---


@pytest.mark.parametrize("policy", [DEFAULT, speaking("x.loans")])
def test_what_no_statute_speaks_of_is_held_from_day_to_day(policy: Policy) -> None:
    gate = Gate.of(an_account(), policy=policy)
    named = gate.propose(REGISTERED_EXIT).action_id
    held = gate.prove(named, SYNCED)

    assert held.answer is Answer.HOLD
    assert Reason.EXIT_UNSPOKEN in reasons(held.requirement)
    for _ in range(3):
        gate.wait(UNSPOKEN_HELD)
        again = gate.spend(named, fee="0")
        assert again.answer is Answer.HOLD
        assert reasons(again.requirement) == (Reason.EXIT_UNSPOKEN,)


def test_once_a_statute_speaks_of_it_it_goes_the_way_of_every_exit() -> None:
    gate = Gate.of(an_account(), policy=speaking("x.bills"))
    named = gate.propose(REGISTERED_EXIT).action_id
    held = gate.prove(named, SYNCED)

    assert (held.answer, reasons(held.requirement)) == (
        Answer.HOLD,
        (Reason.DESTINATION_NEW,),
    )
    gate.wait(DAY)
    assert gate.spend(named, fee="0").answer is Answer.ALLOW


def test_what_was_asked_for_before_goes_on_within_a_day() -> None:
    gate = Gate.of(an_account())
    named = gate.propose(REGISTERED_EXIT).action_id
    gate.prove(named, SYNCED)
    gate.wait(2 * DAY + HOUR)
    assert gate.spend(named, fee="0").answer is Answer.HOLD

    gate.policy = speaking("x.bills")
    assert gate.spend(named, fee="0").answer is Answer.HOLD
    gate.wait(UNSPOKEN_HELD)
    assert gate.spend(named, fee="0").answer is Answer.ALLOW


def test_a_policy_that_speaks_of_it_no_more_stops_what_was_authorized() -> None:
    gate = Gate.of(an_account(), policy=speaking("x.bills"))
    named = gate.propose(REGISTERED_EXIT).action_id
    gate.prove(named, SYNCED)
    gate.wait(DAY)
    gate.policy = DEFAULT

    assert gate.spend(named, fee="0").answer is Answer.HOLD


def test_a_freeze_stops_it() -> None:
    gate = Gate.of(an_account(), policy=speaking("x.bills"))
    named = gate.propose(REGISTERED_EXIT).action_id
    gate.prove(named, SYNCED)
    gate.prove(gate.propose(FREEZE).action_id, PASSWORD)
    gate.wait(DAY)

    assert gate.spend(named, fee="0").answer is Answer.DENY


def test_its_place_is_listed_like_any_other() -> None:
    network, address, memo = leads_to(REGISTERED_EXIT)
    gate = Gate.of(an_account(), policy=speaking("x.bills"))
    place = DestinationAdd(account=ALICE, network=network, address=address, memo=memo)
    listing = gate.propose(place).action_id
    gate.prove(listing, SYNCED)
    gate.wait(DAY)
    named = gate.propose(REGISTERED_EXIT).action_id

    assert gate.prove(named, SYNCED).answer is Answer.ALLOW
