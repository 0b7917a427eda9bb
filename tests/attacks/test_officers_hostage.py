"""Officers of the platform take a customer's account hostage, or let a thief's go.

Ivan is an officer, and wants a customer to pay for being let go; Mallory has bought one officer,
and wants an account that somebody suspended to be released before anybody looks. Ivan is stopped by
laws 5 and 7: a suspension ends by itself in two weeks, and nobody sets another within 90 days, not
even with the other officers; two others end it at once. Mallory needs two, neither of whom set it.

What they leave behind: each statement, signed, in the account's own entries, and a notice to its
owner.
"""

from datetime import timedelta

import pytest
from support.cast import DAY, OLD_ADDRESS
from support.gates import Gate
from support.officers import ADA, BEN, CLEO, DORA
from support.suspending import Desk
from support.worlds import (
    DESKTOP,
    EMAIL,
    FREEZE,
    PASSWORD,
    ROAMING,
    a_destination,
    an_account,
    send,
)

from twinlock.domain.bounds import SUSPENSION_EVERY
from twinlock.domain.errors import TwinlockError
from twinlock.domain.officers.statements import StatementRefusedError
from twinlock.domain.requirements import Answer
from twinlock.domain.suspending import SuspendedTooSoonError


@pytest.fixture
def desk() -> Desk:
    account = an_account(PASSWORD, ROAMING, channels=(EMAIL, DESKTOP))
    return Desk(Gate.of(account, a_destination(OLD_ADDRESS)))


def leaves(desk: Desk) -> bool:
    """Say whether the owner gets a small sum out now."""
    action = desk.gate.propose(send())
    if action.answer is Answer.DENY:
        return False
    desk.gate.prove(action.action_id, ROAMING)
    return desk.gate.spend(action.action_id).answer is Answer.ALLOW


def test_all_officers_together_hold_an_account_for_14_days_in_90(desk: Desk) -> None:
    held = 0
    for _ in range(int(SUSPENSION_EVERY / DAY) - 1):
        for officer in (ADA, BEN, CLEO, DORA):
            try:
                desk.does(officer, desk.suspending)
            except SuspendedTooSoonError:
                continue
        held += not leaves(desk)
        desk.gate.wait(DAY)

    assert held == 14


def test_a_release_and_a_new_suspension_hold_it_no_longer(desk: Desk) -> None:
    desk.does(ADA, desk.suspending)
    desk.does(BEN, desk.releasing)
    desk.does(CLEO, desk.releasing)

    assert isinstance(desk.refuses(DORA, desk.suspending), SuspendedTooSoonError)
    assert leaves(desk)


def test_the_owner_can_still_protect_the_account_meanwhile(desk: Desk) -> None:
    desk.does(ADA, desk.suspending)

    assert desk.gate.prove(desk.gate.propose(FREEZE).action_id, ROAMING).answer is Answer.ALLOW


def test_a_bought_officer_releases_nothing_alone(desk: Desk) -> None:
    desk.does(ADA, desk.suspending)
    for _ in range(5):
        desk.does(BEN, desk.releasing)
        desk.gate.wait(timedelta(minutes=5))

    assert not leaves(desk)


def test_the_officer_who_suspended_is_no_second_voice(desk: Desk) -> None:
    desk.does(ADA, desk.suspending)
    desk.does(BEN, desk.releasing)

    assert isinstance(desk.refuses(ADA, desk.releasing), StatementRefusedError)
    assert not leaves(desk)


def test_an_honest_word_is_worth_nothing_a_second_time(desk: Desk) -> None:
    """Cleo agreed once, and the hour passed: what she signed is no voice beside Ben's."""
    desk.does(ADA, desk.suspending)
    word = CLEO.signs(desk.releasing, at=desk.gate.now)
    desk.hears(word)
    desk.gate.wait(DAY)
    desk.does(BEN, desk.releasing)

    with pytest.raises(TwinlockError):
        desk.hears(word)
    assert not leaves(desk)
