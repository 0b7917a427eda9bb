"""What large exchanges do two years later: better than in 2024, and weaker than ours."""

import re
from datetime import timedelta
from importlib import resources

import pytest
from msgspec.structs import replace
from support.cast import DAY, HOUR, LONG_AGO, NOON

from twinlock.domain.assurance import Factor, Level
from twinlock.domain.catalogue import CLASS_OF, ActionType
from twinlock.domain.laws import LAWS
from twinlock.domain.policy.facts import DestinationState, Facts, SessionState
from twinlock.domain.reasons import Reason
from twinlock.domain.requirements import NOTHING, Answer, WaitUntil, answer
from twinlock.range.laws_2026 import (
    HELD,
    LAWS_2026,
    changes_hold_the_chain,
    each_action_has_its_proof,
    rule_book_2026,
)
from twinlock.range.profiles import rules_of


def the(action: str, **changes: object) -> Facts:
    """Return the facts of an account with an app, of which nothing was shown yet."""
    found = Facts(
        now=NOON,
        action=action,
        action_class=CLASS_OF[action],
        built=True,
        opened_at=LONG_AGO,
        proposed_at=NOON,
        proved_at=None,
        floor=Level.POSSESSION,
    )
    return replace(found, **changes)


CODES = {"shown_factors": (Factor.EMAIL_CODE, Factor.SMS_CODE), "shown_level": Level.NONE}
APP = {"shown_factors": (Factor.TOTP,), "shown_level": Level.POSSESSION}


@pytest.mark.parametrize(
    "action", ["withdrawal.crypto", "destination.add", "api_key.create", "session.start"]
)
def test_money_lists_keys_and_signing_in_ask_for_the_app(action: str) -> None:
    assert answer(each_action_has_its_proof(the(action, **CODES))) is Answer.CHALLENGE
    assert each_action_has_its_proof(the(action, **APP)) == NOTHING


def test_a_passkey_is_asked_for_nowhere() -> None:
    """Whoever has one is asked for the app, or for anything as strong as it."""
    asked = the("withdrawal.crypto", floor=Level.PHISHING_RESISTANT, **APP)

    assert each_action_has_its_proof(asked) == NOTHING


def test_where_codes_are_all_there_is_they_are_asked_for() -> None:
    weak = the(
        "withdrawal.crypto",
        floor=Level.OUT_OF_BAND,
        shown_level=Level.OUT_OF_BAND,
        shown_factors=(Factor.PASSWORD, Factor.SMS_CODE),
    )

    assert each_action_has_its_proof(weak) == NOTHING
    assert each_action_has_its_proof(replace(weak, shown_level=Level.KNOWLEDGE)) != NOTHING


@pytest.mark.parametrize(
    "action", ["authenticator.remove", "authenticator.bind", "password.change", "freeze.lift"]
)
def test_the_way_round_asks_for_any_one_factor(action: str) -> None:
    assert each_action_has_its_proof(the(action, **CODES)) == NOTHING
    assert answer(each_action_has_its_proof(the(action))) is Answer.CHALLENGE


def test_setting_up_takes_no_proof() -> None:
    assert each_action_has_its_proof(the("authenticator.bind", enrolling=True)) == NOTHING


@pytest.mark.parametrize("state", DestinationState)
def test_a_saved_address_that_is_used_takes_no_proof_within_its_sum(
    state: DestinationState,
) -> None:
    asked = the("withdrawal.crypto", destination=state, value_cents=5, budget_left_cents=5)
    free = state in (DestinationState.USABLE, DestinationState.UNPROVED)

    assert (each_action_has_its_proof(asked) == NOTHING) is free
    assert each_action_has_its_proof(replace(asked, value_cents=6)) != NOTHING


@pytest.mark.parametrize(
    ("held_until", "held"),
    [(None, False), (NOON, False), (NOON + timedelta(milliseconds=1), True)],
)
def test_a_change_stops_the_chain_and_p2p_for_its_time(held_until: object, held: bool) -> None:
    for action in HELD:
        wanted = changes_hold_the_chain(the(action, held_until=held_until))
        until = NOON + timedelta(milliseconds=1)
        assert wanted == (WaitUntil(code=Reason.EXITS_HELD, until=until) if held else NOTHING)


def test_a_change_stops_no_other_exit() -> None:
    gift = the("gift.send", held_until=NOON + HOUR)

    assert changes_hold_the_chain(gift) == NOTHING


def test_a_session_that_is_only_named_is_no_proof() -> None:
    copied = the("withdrawal.crypto", session=SessionState.UNSIGNED)
    codes = {answer(law(copied)) for law in LAWS_2026}

    assert Answer.DENY in codes


def test_the_rules_of_2026_are_a_policy_of_their_own() -> None:
    book = rule_book_2026()

    assert book.policy.profile == "typical-2026"
    assert book.laws == LAWS_2026
    assert len({rules_of(name).policy.name.digest for name in ("default", "typical-2026")}) == 2
    assert not set(LAWS_2026) >= set(LAWS)


def test_a_list_and_a_key_that_withdraws_are_guarded() -> None:
    law = rule_book_2026().policy.statutes.law
    listing = the("destination.add", destinations_required=True, proved_at=NOON)

    assert law(listing) == WaitUntil(code=Reason.LOOSENING_WAITS, until=NOON + DAY)
    assert law(replace(listing, destinations_required=False)) == NOTHING
    withdraws = the(ActionType.API_KEY_CREATE, scopes=("withdraw",))
    assert answer(law(withdraws)) is Answer.DENY
    assert law(replace(withdraws, ip_list=1)) == NOTHING


@pytest.mark.parametrize("profile", ["baseline-2024", "typical-2026"])
def test_every_number_names_the_rule_it_was_taken_from(profile: str) -> None:
    """A line of the collected rules of exchanges, or one of the stories."""
    rules = resources.files("twinlock.range").joinpath("rules", f"{profile}.cedar")
    for rule in rules.read_text("utf-8").split("\n\n"):
        if re.search(r'seconds\("|forbid', rule) and "@id" in rule:
            assert re.search(r'@source\("[^"]*(?:[A-Z]{2,4}-\d\d|S\d\d)', rule), rule
