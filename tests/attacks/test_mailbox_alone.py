"""One hijacked mailbox against what its owner bound this month.

Mallory reads the mailbox, and nothing else. Its link says "this was not me" of the owner's new
passkey, app or number, since the mailbox is older; then a code alone would reset the old password.
She is stopped by law 3: once something below the floor has undone anything, codes reset no password
for 30 days, but one that was itself repudiated. She leaves behind an undoing that everybody hears.
"""

import pytest
from msgspec.structs import replace
from support.cast import DAY, HOUR, NOON
from support.gates import Gate
from support.worlds import (
    APP,
    DESKTOP,
    EMAIL,
    PASSWORD,
    SMS,
    a_passkey,
    an_account,
    an_app,
    bind,
    change_password,
    repudiate,
    reset_password,
)

from twinlock.domain.authenticators.model import Authenticator, Password
from twinlock.domain.channels import Channel
from twinlock.domain.reasons import Reason
from twinlock.domain.requirements import Answer, reasons

YOUNG = NOON - 10 * DAY
KEY = replace(a_passkey("aut_own", bound_at=YOUNG), entry=70)
YOUNG_APP = replace(an_app("aut_own", bound_at=YOUNG), entry=70)
NUMBER = replace(SMS, bound_at=YOUNG, entry=70)


def verifier(gate: Gate) -> str:
    return next(one for one in gate.account.authenticators if isinstance(one, Password)).verifier


def reset(gate: Gate, new: str) -> set[str]:
    asked = gate.propose(*reset_password(new))
    said = gate.prove(asked.action_id, EMAIL) if gate.is_open(asked.action_id) else asked
    gate.wait(DAY + HOUR)
    gate.settle()
    return set(reasons(said.requirement))


@pytest.mark.parametrize("new", [KEY, YOUNG_APP, NUMBER])
@pytest.mark.parametrize("others", [(), (DESKTOP,)])
def test_codes_reset_no_password_for_30_days_after_a_link_undid_something(
    new: Authenticator | Channel, others: tuple[Channel, ...]
) -> None:
    own, channels = (PASSWORD,), (EMAIL, *others)
    if isinstance(new, Channel):
        gate = Gate.of(an_account(*own, channels=(*channels, new)))
        gate.repudiate("act_x", target=new.channel_id, channel=EMAIL)
    else:
        gate = Gate.of(an_account(*own, new, channels=channels))
        gate.repudiate("act_x", target=new.authenticator_id, channel=EMAIL)
    before = verifier(gate)

    assert Reason.NEWCOMER in reset(gate, "thief's")
    gate.wait(28 * DAY)
    gate.settle()
    assert verifier(gate) == before
    gate.wait(2 * DAY)
    assert Reason.NEWCOMER not in reset(gate, "owner's")
    assert verifier(gate) == "owner's"


def test_whoever_knows_the_password_changes_it_meanwhile() -> None:
    """The owner's twin."""
    gate = Gate.of(an_account(PASSWORD, KEY, channels=(EMAIL,)))
    gate.repudiate("act_x", target="aut_own", channel=EMAIL)
    changed = gate.propose(*change_password("owner's"))
    gate.prove(changed.action_id, PASSWORD, EMAIL)
    gate.wait(2 * DAY)
    gate.settle()

    assert verifier(gate) == "owner's"


def test_a_password_that_is_itself_undone_is_reset_by_codes() -> None:
    """The owner's twin: a thief changed it, and nobody has the one before."""
    thiefs = replace(PASSWORD, bound_at=NOON - DAY, entry=70, verifier="thief's")
    gate = Gate.of(an_account(thiefs, channels=(EMAIL,)))
    gate.repudiate("act_x", target=thiefs.authenticator_id, channel=EMAIL)

    reset(gate, "owner's")
    assert verifier(gate) == "owner's"


def test_a_password_that_was_doubted_long_ago_is_not_reset_by_codes() -> None:
    """Its owner kept it: nobody may say "not me" of it any more."""
    word = replace(PASSWORD, bound_at=YOUNG, entry=70)
    gate = Gate.of(an_account(word, channels=(EMAIL, DESKTOP)))
    gate.repudiate("act_x", target=word.authenticator_id, channel=EMAIL)
    gate.wait(365 * DAY)
    gate.settle()
    gate.prove(gate.propose(*bind(a_passkey("aut_own"))).action_id, word, EMAIL)
    gate.wait(2 * DAY)
    gate.settle()
    gate.repudiate("act_y", target="aut_own", channel=EMAIL)

    assert Reason.NEWCOMER in reset(gate, "thief's")
    assert verifier(gate) == word.verifier


def test_a_word_at_the_floor_leaves_resets_as_they_were() -> None:
    """An app undoes a younger number; the password is reset by the app, as before."""
    gate = Gate.of(an_account(PASSWORD, APP, channels=(EMAIL, NUMBER)))
    gate.prove(gate.propose(repudiate(NUMBER)).action_id, APP)
    asked = gate.propose(*reset_password("owner's"))
    said = gate.prove(asked.action_id, APP)

    assert gate.account.undercut_at == 0
    assert said.answer is Answer.HOLD
