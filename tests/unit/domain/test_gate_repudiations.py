"""This was not me: what any older thing undoes of a newcomer, and all that stood on it."""

from datetime import timedelta

import pytest
from msgspec.structs import replace
from support.cast import (
    ALICE,
    DAY,
    HOUR,
    INSTANT,
    MALLORYS_ADDRESS,
    MALLORYS_LAPTOP,
    NEW_ADDRESS,
    NOON,
)
from support.gates import Gate, Source
from support.worlds import (
    APP,
    DESKTOP,
    EMAIL,
    PASSWORD,
    ROAMING,
    SMS,
    SYNCED,
    a_passkey,
    a_session,
    an_account,
    bind,
    change_contact,
    change_password,
    list_address,
    make_key,
    remove,
    repudiate,
    reset_password,
    send,
)

from twinlock.domain.actions import AnyPayload, NotBuilt
from twinlock.domain.assurance import Level, Placement
from twinlock.domain.authenticators.model import Authenticator, SuspensionKind
from twinlock.domain.bounds import NEWCOMER_PERIOD, WEAK_FREEZE_LENGTH
from twinlock.domain.channels import Channel, ChannelKind
from twinlock.domain.decisions import Decision
from twinlock.domain.events import ActionVetoed, NewcomerRepudiated, SessionEnded
from twinlock.domain.ids import ChannelId
from twinlock.domain.newcomers import as_proved
from twinlock.domain.policy.facts import DestinationState
from twinlock.domain.policy.leaving import state_of
from twinlock.domain.reasons import Reason
from twinlock.domain.repudiations import bound_by
from twinlock.domain.requirements import Answer, reasons

THIEFS = a_passkey("aut_thief", placement=Placement.ROAMING)
THIEFS_MAIL = Channel(
    channel_id=ChannelId("chn_thief"),
    kind=ChannelKind.EMAIL,
    address="mallory@example.net",
    bound_at=NOON,
)


def bound(gate: Gate, made: Authenticator, *proofs: Source) -> Authenticator:
    """Bind ``made`` with these proofs, and return it when its wait is over."""
    gate.prove(gate.propose(*bind(made)).action_id, *proofs)
    gate.wait(DAY)
    gate.settle()
    found = gate.account.authenticator(made.authenticator_id)
    assert found is not None
    return found


def replaced(gate: Gate, old: Channel, new: Channel, *proofs: Source) -> str:
    action = gate.change_contact(old, new, *proofs)
    gate.wait(2 * DAY)
    gate.settle()
    assert gate.account.channel(new.channel_id) is not None
    return action


def disown(gate: Gate, one: Authenticator | Channel, *by: Source) -> Decision:
    return gate.prove(gate.propose(repudiate(one)).action_id, *by)


def names(gate: Gate) -> set[str]:
    return {one.authenticator_id for one in gate.account.authenticators}


# --- Who may ---


@pytest.mark.requirement("N-B20")
@pytest.mark.parametrize("by", [PASSWORD, APP, EMAIL], ids=["password", "app", "mailbox"])
def test_anything_older_undoes_a_newcomer_at_once(by: Source) -> None:
    gate = Gate.of(an_account(PASSWORD, APP))
    thiefs = bound(gate, THIEFS, APP)
    raised = gate.account.floor

    assert disown(gate, thiefs, by).answer is Answer.ALLOW
    assert names(gate) == {"aut_password", "aut_totp"}
    # What the newcomer raised sinks again, and no more than that.
    assert (raised, gate.account.floor) == (Level.PHISHING_RESISTANT, Level.POSSESSION)
    assert gate.account.holds[-1].ends_at == gate.now + 3 * DAY


def test_a_newcomer_undoes_nothing_older() -> None:
    """Prevents: the extortionist, who binds a key and has the owner's undone."""
    gate = Gate.of(an_account(PASSWORD, APP))
    thiefs = bound(gate, THIEFS, APP)
    app = gate.account.authenticator(APP.authenticator_id)
    assert app is not None

    assert thiefs.bound_at > app.bound_at
    refused = gate.propose(repudiate(app))
    assert refused.answer is Answer.DENY
    assert Reason.REPUDIATION_OVER in reasons(refused.requirement)
    assert names(gate) == {"aut_password", "aut_totp", "aut_thief"}


def test_of_one_age_neither_undoes_the_other() -> None:
    """What was bound within an hour was bound in one sitting."""
    first = replace(ROAMING, bound_at=NOON - DAY)
    second = replace(THIEFS, bound_at=NOON - DAY + HOUR)
    for one, by in ((second, first), (first, second)):
        gate = Gate.of(an_account(PASSWORD, first, second))
        said = disown(gate, one, by)
        assert (said.answer, reasons(said.requirement)) == (
            Answer.CHALLENGE,
            (Reason.OLDER_NEEDED,),
        )
        assert disown(gate, one, by, PASSWORD).answer is Answer.ALLOW


def test_what_is_repudiated_does_not_speak_for_itself() -> None:
    gate = Gate.of(an_account(PASSWORD, APP))
    thiefs = bound(gate, THIEFS, APP)

    assert disown(gate, thiefs, thiefs).answer is Answer.CHALLENGE


@pytest.mark.parametrize(("early", "said"), [(INSTANT, Answer.ALLOW), (0 * DAY, Answer.DENY)])
def test_it_can_be_said_for_thirty_days(early: timedelta, said: Answer) -> None:
    gate = Gate.of(an_account(PASSWORD, APP))
    thiefs = bound(gate, THIEFS, APP)
    gate.wait(NEWCOMER_PERIOD - early)

    asked = gate.propose(repudiate(thiefs))
    answer = gate.prove(asked.action_id, PASSWORD) if early else asked
    assert answer.answer is said


def test_what_was_never_bound_is_not_repudiated() -> None:
    gate = Gate.of(an_account(PASSWORD, APP))
    for one in (THIEFS, THIEFS_MAIL):
        refused = gate.propose(repudiate(one))
        assert Reason.TARGET_GONE in reasons(refused.requirement)


# --- By the link of a notice ---


@pytest.mark.requirement("N-B20")
@pytest.mark.parametrize("by", [EMAIL, DESKTOP])
def test_the_link_of_an_older_channel_undoes_it_without_any_proof(by: Channel) -> None:
    gate = Gate.of(an_account(PASSWORD, APP))
    action = gate.propose(*bind(THIEFS)).action_id
    gate.prove(action, APP)
    gate.wait(DAY)
    gate.settle()
    said = gate.repudiate(action, target="aut_thief", channel=by)

    assert (said.kind, said.answer) == ("authenticator.repudiate", Answer.ALLOW)
    assert names(gate) == {"aut_password", "aut_totp"}
    assert gate.account.holds[-1].because == "authenticator.repudiate"


def test_a_link_counts_once_and_holds_nothing_twice() -> None:
    """Law 5. Prevents: one link that keeps the owner's exits held for a month."""
    gate = Gate.of(an_account(PASSWORD, channels=(EMAIL, DESKTOP)))
    action = gate.propose(*change_password()).action_id
    gate.prove(action, PASSWORD, EMAIL)
    first = gate.repudiate(action, target="aut_password", channel=EMAIL)
    held = gate.account.holds
    gate.wait(WEAK_FREEZE_LENGTH)
    again = gate.repudiate(action, target="aut_password", channel=EMAIL)

    assert (first.answer, again.answer) == (Answer.ALLOW, Answer.DENY)
    assert reasons(again.requirement) == (Reason.TARGET_GONE,)
    assert gate.account.holds == held


@pytest.mark.parametrize(
    ("channel", "wait", "why"),
    [
        (replace(EMAIL, channel_id=ChannelId("chn_no")), 0 * DAY, Reason.NOT_ENTITLED),
        (EMAIL, NEWCOMER_PERIOD, Reason.REPUDIATION_OVER),
        (None, 0 * DAY, Reason.NOT_ENTITLED),
    ],
    ids=["no channel of ours", "too late", "nobody"],
)
def test_a_link_that_may_not_undo_it_changes_nothing(
    channel: Channel | None, wait: timedelta, why: Reason
) -> None:
    gate = Gate.of(an_account(PASSWORD, APP))
    bound(gate, THIEFS, APP)
    gate.wait(wait)
    said = gate.repudiate("act", target="aut_thief", channel=channel)

    assert (said.answer, reasons(said.requirement)) == (Answer.DENY, (why,))
    assert "aut_thief" in names(gate)


def test_a_channel_as_young_as_the_newcomer_may_not() -> None:
    gate = Gate.of(an_account(PASSWORD, APP))
    young = replace(SMS, bound_at=NOON + DAY - HOUR)
    gate.account = replace(gate.account, channels=(*gate.account.channels, young))
    bound(gate, THIEFS, APP)

    assert gate.repudiate("act", target="aut_thief", channel=young).answer is Answer.DENY
    older = replace(young, bound_at=young.bound_at - INSTANT)
    gate.account = replace(gate.account, channels=(EMAIL, older))
    assert gate.repudiate("act", target="aut_thief", channel=older).answer is Answer.ALLOW


def test_an_older_session_may_and_a_newcomers_may_not() -> None:
    gate = Gate.of(an_account(PASSWORD, APP))
    thiefs = bound(gate, THIEFS, APP)
    gate.sign_in(thiefs, device=MALLORYS_LAPTOP)
    (session,) = gate.account.sessions
    new = gate.signs(session)
    old = gate.give_session(a_session(started_at=gate.now))
    forged = replace(old, thumbprint=MALLORYS_LAPTOP)

    for signed, said in ((new, Answer.DENY), (forged, Answer.DENY), (old, Answer.ALLOW)):
        assert gate.repudiate("act", target="aut_thief", session=signed).answer is said


def test_a_session_that_is_older_proposes_it_and_a_newcomers_is_asked_for_more() -> None:
    gate = Gate.of(an_account(PASSWORD, APP))
    thiefs = bound(gate, THIEFS, APP)
    gate.sign_in(thiefs, device=MALLORYS_LAPTOP)
    (session,) = gate.account.sessions
    said = gate.propose(repudiate(thiefs), session=gate.signs(session))
    assert said.answer is Answer.CHALLENGE
    old = gate.give_session(a_session(started_at=gate.now))

    assert gate.propose(repudiate(thiefs), session=old).answer is Answer.ALLOW


# --- A channel ---


@pytest.mark.requirement("N-B20")
def test_the_channel_that_was_replaced_brings_itself_back() -> None:
    gate = Gate.of(an_account(PASSWORD, APP, channels=(EMAIL, SMS)))
    action = replaced(gate, EMAIL, THIEFS_MAIL, APP)
    said = gate.repudiate(action, target="chn_thief", channel=EMAIL)

    assert (said.kind, said.answer) == ("contact.repudiate", Answer.ALLOW)
    assert set(gate.account.channels) == {EMAIL, SMS}
    assert gate.account.holds[-1].ends_at == gate.now + 3 * DAY


def test_a_channel_is_repudiated_by_an_older_authenticator_too() -> None:
    gate = Gate.of(an_account(PASSWORD, APP, channels=(EMAIL, SMS)))
    replaced(gate, EMAIL, THIEFS_MAIL, APP)
    new = gate.account.channel("chn_thief")
    assert new is not None

    assert disown(gate, new, APP).answer is Answer.ALLOW
    assert set(gate.account.channels) == {EMAIL, SMS}


def test_a_new_channel_neither_vetoes_nor_undoes_what_is_older() -> None:
    """The extortionist once more, with a mailbox of his own."""
    gate = Gate.of(an_account(PASSWORD, APP, channels=(EMAIL, SMS)))
    replaced(gate, EMAIL, THIEFS_MAIL, APP)
    new = gate.account.channel("chn_thief")
    assert new is not None
    action = gate.propose(list_address(NEW_ADDRESS)).action_id
    gate.prove(action, APP)

    assert reasons(gate.veto(action, new).requirement) == (Reason.NOT_ENTITLED,)
    assert gate.repudiate("act", target="chn_sms", channel=new).answer is Answer.DENY
    assert gate.repudiate("act", target="aut_totp", channel=new).answer is Answer.DENY


def test_the_first_of_two_changes_is_undone_with_the_second() -> None:
    """Prevents: a thief who changes the address twice, so that the first link leads nowhere."""
    gate = Gate.of(an_account(PASSWORD, APP, channels=(EMAIL, SMS)))
    first = replaced(gate, EMAIL, THIEFS_MAIL, APP)
    old = gate.account.channel("chn_thief")
    assert old is not None
    entry = old.entry
    again = replace(THIEFS_MAIL, channel_id=ChannelId("chn_second"), address="m2@example.net")
    replaced(gate, old, again, APP)
    said = gate.repudiate(first, target="chn_thief", channel=EMAIL, entry=entry)

    assert said.answer is Answer.ALLOW
    assert set(gate.account.channels) == {EMAIL, SMS}


def test_the_second_of_two_changes_is_undone_alone() -> None:
    gate = Gate.of(an_account(PASSWORD, APP, channels=(EMAIL, SMS)))
    replaced(gate, EMAIL, THIEFS_MAIL, APP)
    old = gate.account.channel("chn_thief")
    assert old is not None
    again = replace(THIEFS_MAIL, channel_id=ChannelId("chn_second"), address="m2@example.net")
    second = replaced(gate, old, again, APP)
    gate.repudiate(second, target="chn_second", channel=SMS)

    assert {one.channel_id for one in gate.account.channels} == {"chn_thief", SMS.channel_id}


def test_what_was_added_is_taken_away_and_nothing_comes_back() -> None:
    gate = Gate.of(an_account(PASSWORD, APP, channels=(EMAIL, SMS)))
    action = gate.change_contact(None, THIEFS_MAIL, APP)
    gate.wait(2 * DAY)
    gate.settle()
    gate.repudiate(action, target="chn_thief", channel=SMS)

    assert set(gate.account.channels) == {EMAIL, SMS}


def test_what_comes_back_does_not_stand_twice() -> None:
    gate = Gate.of(an_account(PASSWORD, APP, channels=(EMAIL, SMS)))
    action = replaced(gate, EMAIL, THIEFS_MAIL, APP)
    owners = replace(EMAIL, channel_id=ChannelId("chn_again"))
    gate.change_contact(None, owners, APP)
    gate.wait(2 * DAY)
    gate.settle()
    gate.repudiate(action, target="chn_thief", channel=SMS)

    assert {one.channel_id for one in gate.account.channels} == {"chn_again", SMS.channel_id}


# --- What goes with it ---


def built_on(gate: Gate, thiefs: Authenticator) -> None:
    """Do with ``thiefs`` whatever takes effect in eight days, and sign in with what came of it."""
    second = bound(gate, a_passkey("aut_second"), thiefs)
    gate.change_contact(None, THIEFS_MAIL, second)
    gate.prove(gate.propose(list_address(MALLORYS_ADDRESS)).action_id, second)
    gate.prove(gate.propose(make_key("trade"), "key_thief").action_id, thiefs)
    gate.wait(8 * DAY)
    gate.settle()
    gate.sign_in(second, device=MALLORYS_LAPTOP)
    account = gate.account
    assert (len(account.authenticators), len(account.channels), len(account.devices)) == (4, 3, 2)
    assert (len(account.api_keys), len(account.sessions), len(account.destinations)) == (1, 1, 1)


def state_at(gate: Gate, address: str) -> DestinationState:
    where = gate.where(list_address(address))
    assert where is not None
    lapse = gate.policy.statutes.lapse
    return state_of(gate.account, gate.destinations[where], lapse=lapse, now=gate.now)


def test_everything_that_a_thief_built_on_it_goes_too() -> None:
    gate = Gate.of(an_account(PASSWORD, APP, channels=(EMAIL, DESKTOP)))
    before = gate.account
    thiefs = bound(gate, THIEFS, APP)
    built_on(gate, thiefs)
    assert state_at(gate, MALLORYS_ADDRESS) is DestinationState.USABLE
    assert gate.repudiate("act", target="aut_thief", channel=EMAIL).answer is Answer.ALLOW

    assert names(gate) == {"aut_password", "aut_totp"}
    assert gate.account.channels == before.channels
    assert gate.account.devices == before.devices
    assert (gate.account.sessions, gate.account.api_keys) == ((), ())
    assert state_at(gate, MALLORYS_ADDRESS) is DestinationState.UNPROVED
    (listed,) = gate.destinations.values()
    assert listed.usable_at is not None
    assert as_proved(before, listed) == listed
    told = as_proved(gate.account, listed)
    assert (told.usable_at, told.proved_by) == (None, ())


def test_what_a_thief_proved_and_what_waits_on_it_is_vetoed_and_nothing_else() -> None:
    gate = Gate.of(an_account(PASSWORD, APP, channels=(EMAIL, DESKTOP)))
    thiefs = bound(gate, THIEFS, APP)
    waiting = gate.propose(send(600, to=NEW_ADDRESS)).action_id
    gate.prove(waiting, thiefs)
    mine = gate.propose(list_address(NEW_ADDRESS)).action_id
    gate.prove(mine, APP)
    gate.repudiate("act", target="aut_thief", channel=EMAIL)
    _, decided, _ = gate.book[-1]

    assert [one.action_id for one in decided.decisions] == [waiting, "act"]
    assert isinstance(decided.decisions[0].events[0], ActionVetoed)
    assert gate.is_open(mine)


def test_a_listing_that_is_proved_anew_counts_again() -> None:
    gate = Gate.of(an_account(PASSWORD, APP, channels=(EMAIL, DESKTOP)))
    thiefs = bound(gate, THIEFS, APP)
    built_on(gate, thiefs)
    gate.repudiate("act", target="aut_thief", channel=EMAIL)
    again = gate.propose(list_address(MALLORYS_ADDRESS)).action_id
    gate.prove(again, APP)
    gate.wait(8 * DAY)
    gate.propose(list_address(MALLORYS_ADDRESS))  # Its stream must be at hand.

    assert state_at(gate, MALLORYS_ADDRESS) is DestinationState.USABLE


def test_what_stands_on_older_things_stays() -> None:
    gate = Gate.of(an_account(PASSWORD, SYNCED))
    thiefs = bound(gate, THIEFS, SYNCED)
    mine = bound(gate, ROAMING, SYNCED)
    gate.prove(gate.propose(list_address(NEW_ADDRESS)).action_id, SYNCED)
    gate.wait(DAY)
    gate.settle()
    gate.sign_in(SYNCED)
    disown(gate, thiefs, SYNCED)

    assert mine.authenticator_id in names(gate)
    assert len(gate.account.sessions) == 1
    assert state_at(gate, NEW_ADDRESS) is DestinationState.USABLE


def test_a_repudiation_does_not_strike_itself() -> None:
    """The newcomer may stand beside the older proof that counts."""
    gate = Gate.of(an_account(PASSWORD, APP))
    thiefs = bound(gate, THIEFS, APP)

    assert disown(gate, thiefs, thiefs, PASSWORD).answer is Answer.ALLOW
    assert names(gate) == {"aut_password", "aut_totp"}


# --- Passwords, and the last way in ---


@pytest.mark.parametrize(
    ("by", "kind"),
    [(SYNCED, SuspensionKind.FOR_GOOD), (EMAIL, SuspensionKind.A_WHILE)],
    ids=["at the floor", "by a mailbox"],
)
def test_a_changed_password_is_suspended_since_nobody_has_the_old_one(
    by: Source, kind: SuspensionKind
) -> None:
    gate = Gate.of(an_account(PASSWORD, SYNCED))
    gate.prove(gate.propose(*change_password()).action_id, SYNCED)
    gate.wait(2 * HOUR)
    changed = gate.account.authenticator("aut_password")
    assert changed is not None
    disown(gate, changed, by)
    after = gate.account.authenticator("aut_password")

    assert after is not None
    assert after.suspension is not None
    assert after.suspension.kind is kind
    assert "aut_passkey" in names(gate)


def test_a_repudiated_reset_is_undone_by_the_next_one() -> None:
    """A mailbox thief reset the password; the owner says no by SMS, and sets another."""
    gate = Gate.of(an_account(PASSWORD, channels=(EMAIL,)))
    gate.account = replace(gate.account, channels=(EMAIL, DESKTOP))
    action = gate.propose(*reset_password("a thief's")).action_id
    gate.prove(action, EMAIL)
    gate.wait(DAY)
    gate.settle()
    gate.repudiate(action, target="aut_password", channel=DESKTOP)
    assert gate.account.floor is Level.OUT_OF_BAND
    old = gate.account.authenticator("aut_password")
    assert old is not None
    assert old.suspended(gate.now)
    again = gate.propose(*reset_password("the owner's")).action_id
    gate.prove(again, EMAIL)
    gate.wait(DAY)
    gate.settle()
    new = gate.account.authenticator("aut_password")

    assert new is not None
    assert not new.suspended(gate.now)
    assert gate.now < old.bound_at + WEAK_FREEZE_LENGTH


def test_the_last_way_in_is_suspended_and_not_removed() -> None:
    """Law 10. Prevents: a mailbox that locks the owner out for good by one link."""
    gate = Gate.of(an_account(PASSWORD))
    gate.prove(gate.propose(*bind(ROAMING)).action_id, PASSWORD, EMAIL)
    gate.wait(2 * DAY)
    gate.settle()
    mine = gate.account.authenticator("aut_roaming")
    assert mine is not None
    gate.prove(gate.propose(remove(PASSWORD)).action_id, mine, PASSWORD)
    gate.wait(3 * DAY)
    gate.settle()
    assert names(gate) == {"aut_roaming"}
    gate.repudiate("act", target="aut_roaming", channel=EMAIL)
    after = gate.account.authenticator("aut_roaming")

    assert after is not None
    assert after.suspension is not None
    assert after.suspension.kind is SuspensionKind.A_WHILE


def test_where_an_app_is_left_it_sets_a_password_and_is_a_way_in() -> None:
    gate = Gate.of(an_account(PASSWORD, APP))
    mine = bound(gate, ROAMING, APP)
    gate.prove(gate.propose(remove(PASSWORD)).action_id, mine, APP)
    gate.wait(3 * DAY)
    gate.settle()
    gate.repudiate("act", target="aut_roaming", channel=EMAIL)
    assert names(gate) == {"aut_totp"}
    gate.prove(gate.propose(*reset_password("owner's")).action_id, APP)
    gate.wait(2 * DAY)
    gate.settle()

    new = gate.account.authenticators[-1]
    assert gate.sign_in(new, APP).answer is Answer.ALLOW


def test_one_event_tells_of_all_that_is_undone() -> None:
    gate = Gate.of(an_account(PASSWORD, APP))
    thiefs = bound(gate, THIEFS, APP)
    gate.sign_in(thiefs, device=MALLORYS_LAPTOP)
    said = gate.repudiate("act", target="aut_thief", channel=EMAIL)
    first, *rest = said.events

    assert isinstance(first, NewcomerRepudiated)
    assert first.since == thiefs.bound_at
    assert any(isinstance(one, SessionEnded) for one in rest)


@pytest.mark.parametrize(
    ("payload", "secret", "named"),
    [
        (*bind(THIEFS), "aut_thief"),
        (*change_password(), "aut_password"),
        (*reset_password(), "aut_password"),
        (*change_contact(EMAIL, THIEFS_MAIL), "chn_thief"),
        (*change_contact(EMAIL, None), ""),
        (NotBuilt(account=ALICE, asked="gift.send", digest=""), "", ""),
    ],
)
def test_what_an_action_has_bound(payload: AnyPayload, secret: str, named: str) -> None:
    gate = Gate.of(an_account(PASSWORD, SYNCED))
    asked = gate.propose(payload, secret)
    _, decided, _ = gate.book[-1]
    (action,) = [one.action for one in decided.answer.events if hasattr(one, "action")]

    assert asked.action_id == action.action_id
    assert bound_by(replace(action, secret=secret)) == named


A_NEW_ONE = Channel(
    channel_id=ChannelId("chn_fresh"),
    kind=ChannelKind.EMAIL,
    address="fresh@example.net",
    bound_at=NOON,
)


def test_what_a_newcomer_proves_keeps_the_newcomers_behind_it() -> None:
    """Prevents: a thief's second passkey, whose session, key or mailbox outlives the first one."""
    gate = Gate.of(an_account(PASSWORD, SYNCED))
    thieves = [a_passkey(f"aut_{number}") for number in range(3)]
    for by, made in zip((SYNCED, *thieves), thieves, strict=False):
        gate.prove(gate.propose(*bind(made)).action_id, by)
        gate.wait(2 * DAY)
        gate.settle()
    first, second, third = gate.account.authenticators[2:]
    gate.change_contact(None, A_NEW_ONE, second)
    gate.wait(2 * DAY)
    gate.settle()
    gate.sign_in(second)
    channel = gate.account.channel(A_NEW_ONE.channel_id)
    assert channel is not None

    behind = ((first.entry, first.entry),)
    assert (first.behind, second.behind, third.behind) == ((), (), behind)
    assert (second.by, third.by) == ((first.entry,), (second.entry,))
    assert gate.account.sessions[0].behind == channel.behind == behind
