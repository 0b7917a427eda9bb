"""What a page tells of a contest, and what the platform sees of it."""

from msgspec.structs import replace
from support.cast import DAY, HOUR, NEW_ADDRESS, NOON
from support.gates import Gate
from support.worlds import EMAIL, PASSWORD, ROAMING, SYNCED, an_account, list_address

from twinlock.api.views import ContestView, view_account
from twinlock.domain.commands import Veto
from twinlock.domain.contests import Meaning, meaning_of
from twinlock.domain.ids import ActionId
from twinlock.web.contests import ContestTold, contest_told

ENDS = NOON + 14 * DAY


def asked(gate: Gate) -> str:
    action = gate.propose(list_address(NEW_ADDRESS)).action_id
    gate.prove(action, ROAMING)
    return action


def told(gate: Gate, action: str) -> tuple[Meaning, ContestTold | None]:
    veto = Veto(action_id=ActionId(action), channel_id=EMAIL.channel_id)
    meaning = meaning_of(gate.account, gate.action(action), veto, now=gate.now)
    return meaning, contest_told(gate.account, meaning, now=gate.now)


def test_a_page_says_what_the_next_no_does_before_it_is_said() -> None:
    gate = Gate.of(an_account(PASSWORD, SYNCED, ROAMING))
    first = asked(gate)
    assert told(gate, first) == (Meaning.KILLS, None)
    gate.veto(first, EMAIL)
    second = asked(gate)
    assert told(gate, second) == (Meaning.OPENS, ContestTold(stands=False, ends_at=ENDS))
    gate.veto(second, EMAIL)
    gate.wait(HOUR)
    assert told(gate, second) == (Meaning.STANDS, ContestTold(stands=True, ends_at=ENDS))


def test_who_is_too_new_or_lost_is_not_heard() -> None:
    gate = Gate.of(an_account(PASSWORD, SYNCED, ROAMING))
    action = asked(gate)
    silent = replace(gate.account.disputes, silent={"phone": int(ENDS.timestamp())})
    account = gate.account
    gate.account = replace(account, disputes=silent)
    assert told(gate, action) == (Meaning.UNHEARD, None)
    gate.account = replace(account, channels=(replace(EMAIL, bound_at=NOON - DAY),))
    assert told(gate, action) == (Meaning.UNHEARD, None)


def test_the_platform_sees_both_sides_by_kind_and_no_name() -> None:
    gate = Gate.of(an_account(PASSWORD, SYNCED, ROAMING))
    assert view_account(gate.account, now=gate.now).contest is None
    gate.veto(asked(gate), EMAIL)
    action = asked(gate)
    gate.veto(action, EMAIL)

    assert view_account(gate.account, now=gate.now).contest == ContestView(
        action_id=action,
        asked=("roaming",),
        objected=("phone",),
        opened_at=NOON,
        ends_at=ENDS,
        exits_held=True,
    )
