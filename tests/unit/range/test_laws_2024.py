from datetime import timedelta

import pytest
from msgspec.structs import replace
from support.cast import HOUR, NOON

from twinlock.domain.assurance import Factor, Level
from twinlock.domain.catalogue import ActionClass, ActionType
from twinlock.domain.laws import LAWS
from twinlock.domain.policy.facts import (
    ApiKeyState,
    ApiKeyUse,
    DestinationState,
    Facts,
    SessionState,
    Within,
)
from twinlock.domain.reasons import Reason
from twinlock.domain.requirements import NOTHING, Answer, Never, Requirement, answer, reasons
from twinlock.range.laws_2024 import (
    LAWS_2024,
    a_key_does_what_it_may,
    any_proof_will_do,
    codes_always_help,
    new_devices_hold_withdrawals,
    rule_book_2024,
    setting_up_comes_first,
)
from twinlock.range.profiles import PROFILES, ProfileUnknownError, rules_of

EXIT = Facts(
    now=NOON,
    action=ActionType.WITHDRAWAL_CRYPTO,
    action_class=ActionClass.EXIT,
    built=True,
    opened_at=NOON,
    proposed_at=NOON,
    proved_at=None,
    floor=Level.PHISHING_RESISTANT,
    destination=DestinationState.NEW,
)
REMOVAL = replace(
    EXIT,
    action=ActionType.AUTHENTICATOR_REMOVE,
    action_class=ActionClass.LOOSENING,
    destination=DestinationState.NONE,
)
LISTED = (DestinationState.USABLE, DestinationState.LAPSED, DestinationState.UNPROVED)


@pytest.mark.parametrize("factor", [Factor.PASSWORD, Factor.SMS_CODE, Factor.TOTP])
def test_one_proof_of_any_kind_was_enough(factor: Factor) -> None:
    assert any_proof_will_do(replace(REMOVAL, shown_factors=(factor,))) == NOTHING


def test_without_any_proof_one_was_asked_for() -> None:
    assert answer(any_proof_will_do(REMOVAL)) is Answer.CHALLENGE


def test_a_copied_session_counted_as_one() -> None:
    assert any_proof_will_do(replace(REMOVAL, session=SessionState.UNSIGNED)) == NOTHING


def test_setting_up_took_no_proof_then_either() -> None:
    binding = replace(REMOVAL, action=ActionType.AUTHENTICATOR_BIND, enrolling=True)

    assert any_proof_will_do(binding) == NOTHING
    assert any_proof_will_do(replace(REMOVAL, enrolling=True)) != NOTHING


@pytest.mark.parametrize("state", DestinationState)
def test_a_listed_address_took_no_proof_and_no_hold(state: DestinationState) -> None:
    held = replace(EXIT, destination=state, held_until=NOON + HOUR)

    free = state in LISTED
    assert (any_proof_will_do(held) == NOTHING) is free
    assert (new_devices_hold_withdrawals(held) == NOTHING) is free


@pytest.mark.parametrize(
    ("held_until", "held"),
    [
        pytest.param(None, False, id="no hold"),
        pytest.param(NOON, False, id="the instant it ends"),
        pytest.param(NOON + timedelta(milliseconds=1), True, id="just before it ends"),
    ],
)
def test_a_new_device_held_withdrawals_for_its_time(held_until: object, held: bool) -> None:
    facts = replace(EXIT, held_until=held_until)

    assert (new_devices_hold_withdrawals(facts) != NOTHING) is held


def test_a_new_device_held_nothing_but_withdrawals_on_the_chain() -> None:
    gift = replace(EXIT, action=ActionType.GIFT_SEND, held_until=NOON + HOUR)

    assert new_devices_hold_withdrawals(gift) == NOTHING


@pytest.mark.parametrize("state", DestinationState)
def test_a_list_that_was_wanted_was_kept(state: DestinationState) -> None:
    kept = rule_book_2024().policy.statutes.law
    wanted = kept(replace(EXIT, destination=state, destinations_required=True))

    assert (wanted == NOTHING) is (state in LISTED)
    assert kept(replace(EXIT, destination=state)) == NOTHING
    assert kept(replace(REMOVAL, destinations_required=True)) == NOTHING


def test_nothing_left_an_account_that_was_being_set_up() -> None:
    assert setting_up_comes_first(EXIT) == NOTHING
    assert setting_up_comes_first(replace(EXIT, enrolling=True)) == Never(
        code=Reason.ENROLMENT_OPEN
    )
    assert setting_up_comes_first(replace(REMOVAL, enrolling=True)) == NOTHING


def test_what_nobody_built_was_not_possible_then_either() -> None:
    unbuilt = replace(EXIT, action="unknown", action_class=None, built=False)
    codes = {code for law in LAWS_2024 for code in reasons(law(unbuilt))}

    assert Reason.ACTION_UNKNOWN in codes


def test_the_rules_of_2024_are_a_policy_of_their_own() -> None:
    book = rule_book_2024()

    assert book.policy.profile == "baseline-2024"
    assert book.laws == LAWS_2024
    assert book.policy.name != rules_of("default").policy.name
    assert set(book.laws) < {*LAWS, *LAWS_2024}


def test_codes_were_asked_for_whatever_was_bound() -> None:
    assert codes_always_help(None, None)  # type: ignore[arg-type] # it looks at neither


def test_the_default_profile_holds_every_law() -> None:
    assert rules_of("default").laws == LAWS


def test_there_is_no_other_profile() -> None:
    assert set(PROFILES) == {"default", "strict", "baseline-2024", "typical-2026"}
    with pytest.raises(ProfileUnknownError, match="default, strict"):
        rules_of("lax")


USE = ApiKeyUse(state=ApiKeyState.LIVE, scopes=("withdraw",), ip=Within.ANY, destination=Within.ANY)


@pytest.mark.parametrize(
    ("used", "missing"),
    [
        pytest.param(None, NOTHING, id="no key"),
        pytest.param(USE, NOTHING, id="from anywhere to anywhere"),
        pytest.param(
            replace(USE, ip=Within.INSIDE, destination=Within.INSIDE), NOTHING, id="bound"
        ),
        pytest.param(
            replace(USE, scopes=("trade",)), Never(code=Reason.API_KEY_SCOPE), id="it trades"
        ),
        pytest.param(
            replace(USE, ip=Within.OUTSIDE), Never(code=Reason.API_KEY_IP), id="from elsewhere"
        ),
        pytest.param(
            replace(USE, destination=Within.OUTSIDE),
            Never(code=Reason.API_KEY_DESTINATION),
            id="to elsewhere",
        ),
        pytest.param(
            replace(USE, state=ApiKeyState.STOPPED),
            Never(code=Reason.API_KEY_STOPPED),
            id="stopped",
        ),
    ],
)
def test_a_key_did_what_it_was_made_for(used: ApiKeyUse | None, missing: Requirement) -> None:
    assert a_key_does_what_it_may(replace(EXIT, api_key=used)) == missing


def test_a_new_device_held_no_key() -> None:
    held = replace(EXIT, held_until=NOON + HOUR)

    assert new_devices_hold_withdrawals(held) != NOTHING
    assert new_devices_hold_withdrawals(replace(held, api_key=USE)) == NOTHING
