"""The older platform's leaked file of password hashes, cracked where the passwords were weak.

Mallory has what leaked years ago, and a password of Alice's that fits. She wants Alice's money from
the new platform, which took the hash over. She is stopped where a password alone always was: by the
floor, which follows from what was imported. With the seeds beside the hashes she has all that Alice
has, and is stopped by the wait, of which Alice is told, and by what a narrow account may lose. She
leaves behind notices and sign-ins in the log.
"""

from msgspec.structs import replace
from support.cast import DAY, HOUR, MALLORYS_ADDRESS, MALLORYS_LAPTOP, NOON
from support.gates import Gate
from support.worlds import APP, EMAIL, PASSWORD, an_account, list_address, send

from twinlock.domain.account import Account
from twinlock.domain.assurance import Level
from twinlock.domain.authenticators.model import Authenticator
from twinlock.domain.requirements import Answer

MOVED_IN = NOON - 2 * DAY
NARROW_DOLLARS = 1_000


def moved_in(*bound: Authenticator) -> Account:
    of_then = (replace(one, bound_at=MOVED_IN, entry=0) for one in bound)
    channels = (replace(EMAIL, bound_at=MOVED_IN),)
    account = an_account(*of_then, channels=channels, opened_at=MOVED_IN)
    return replace(account, imported="d" * 43, devices=())


def test_a_cracked_password_alone_opens_nothing() -> None:
    gate = Gate.of(moved_in(PASSWORD))
    assert gate.account.floor is Level.OUT_OF_BAND

    assert gate.sign_in(PASSWORD, device=MALLORYS_LAPTOP).answer is not Answer.ALLOW
    assert gate.account.sessions == ()


def test_a_cracked_password_beside_an_app_opens_nothing() -> None:
    gate = Gate.of(moved_in(PASSWORD, APP))
    assert gate.account.floor is Level.POSSESSION

    assert gate.sign_in(PASSWORD, device=MALLORYS_LAPTOP).answer is not Answer.ALLOW
    assert gate.account.sessions == ()


def test_with_the_seed_too_nothing_leaves_before_the_owner_had_a_day_to_say_no() -> None:
    gate = Gate.of(moved_in(PASSWORD, APP))
    assert gate.sign_in(PASSWORD, APP, device=MALLORYS_LAPTOP).answer is Answer.ALLOW
    listed = gate.propose(list_address(MALLORYS_ADDRESS)).action_id
    gate.prove(listed, PASSWORD, APP)
    sent = gate.propose(send(10, to=MALLORYS_ADDRESS)).action_id
    gate.prove(sent, PASSWORD, APP)
    gate.wait(DAY - HOUR)
    gate.settle()
    assert gate.account.spent.cents == 0

    assert gate.veto(listed, gate.account.channels[0]).answer is Answer.ALLOW
    gate.wait(10 * DAY)
    gate.settle()
    assert gate.account.destinations == {}


def test_with_the_seed_too_a_narrow_account_loses_a_small_sum_a_day() -> None:
    """Honest: whoever has all that Alice has, and is vetoed by nobody, takes that much."""
    gate = Gate.of(moved_in(PASSWORD, APP))
    gate.prove(gate.propose(list_address(MALLORYS_ADDRESS)).action_id, PASSWORD, APP)
    gate.wait(8 * DAY)
    gate.settle()
    large = gate.propose(send(NARROW_DOLLARS + 1, to=MALLORYS_ADDRESS))
    small = gate.propose(send(NARROW_DOLLARS - 100, to=MALLORYS_ADDRESS)).action_id

    assert large.answer is Answer.DENY
    assert gate.prove(small, PASSWORD, APP).answer is Answer.ALLOW
