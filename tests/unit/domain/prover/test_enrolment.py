"""States of enrolment: each has a name of its own, and an account that holds what it names."""

from itertools import chain

from support.proved import EVERY_BASE, FEW

from twinlock.domain.account import Account
from twinlock.domain.bounds import ENROLMENT_WINDOW, NEWCOMER_PERIOD, SMALL_SUM_CENTS
from twinlock.domain.locks import OPEN
from twinlock.domain.prover import enrolment
from twinlock.domain.prover.enrolment import (
    CHANNELS,
    LOCKS,
    NOW,
    OPTIONAL,
    PASSWORD,
    SAVED,
    account_of,
    guarded,
    with_contact,
)
from twinlock.domain.prover.system import KEYS, variants

EVERY = tuple(each for base in EVERY_BASE for one in guarded(base) for each in variants(one))


def test_each_set_of_authenticators_stands_with_each_set_of_channels() -> None:
    assert len(EVERY_BASE) == 2 ** len(OPTIONAL) * 2 ** len(CHANNELS)
    assert len(EVERY) == len(EVERY_BASE) * (len(LOCKS) + 1) * 2 * 2 * len(KEYS)


def test_each_state_has_a_name_of_its_own() -> None:
    assert len({one.name for one in EVERY}) == len(EVERY)


def test_a_state_names_what_it_holds() -> None:
    full = EVERY_BASE[-1]
    *_, held = variants(full)
    *_, asked = guarded(full)

    assert EVERY_BASE[0].name == "password | no channel | no lock"
    assert held.name == (
        "password+totp+phone_key+built_in_key+roaming_key+saved_codes | email+sms+desktop | no lock"
        " | a planted address | trade key | withdraw key"
    )
    assert asked.name.endswith("| no lock | a trusted contact")
    assert guarded(full)[1].name.endswith("| a lock of 7 days")


def test_a_states_account_holds_what_it_names_and_what_only_holders_can_show() -> None:
    for state in EVERY_BASE:
        account = account_of(state)

        assert account.authenticators == (PASSWORD, *state.authenticators, SAVED)
        assert account.channels == state.channels
        assert account.sessions == (enrolment.SESSION,)
        assert account.api_keys == (enrolment.TRADE_KEY, enrolment.WITHDRAW_KEY)
        assert account.lock == OPEN
        assert not account.contacts


def bound_at(account: Account) -> set[object]:
    return {one.bound_at for one in chain(account.authenticators, account.channels)}


def test_everything_in_a_state_is_old_and_of_one_age() -> None:
    for state in FEW:
        account = account_of(state)
        (at,) = bound_at(account)

        assert at == account.opened_at
        assert NOW - account.opened_at > NEWCOMER_PERIOD + ENROLMENT_WINDOW


def test_what_is_bound_has_an_entry_of_its_own() -> None:
    account = account_of(EVERY_BASE[-1])
    entries = [
        one.entry for one in chain(account.authenticators, account.channels, account.sessions)
    ]

    assert len(set(entries)) == len(entries)
    assert max(entries) < account.chain.entries


def test_a_contact_agrees_above_a_small_sum() -> None:
    account = with_contact(account_of(FEW[0]))

    assert account.contacts == (enrolment.CONTACT,)
    assert account.limits.agreement_cents == SMALL_SUM_CENTS
