"""What each fact changes, and that nothing else does."""

from datetime import datetime
from typing import Any

import pytest
from msgspec.structs import replace
from support.cast import ALICE, ALICES_LAPTOP, DAY, HOUR, LONG_AGO, NEW_ADDRESS, NOON
from support.gates import Gate
from support.worlds import (
    APP,
    PASSWORD,
    SYNCED,
    a_destination,
    a_session,
    an_account,
    send,
)

from twinlock.domain.account import ActionUnknownError, ApiKey, Device, OpenAction, State
from twinlock.domain.assurance import Factor
from twinlock.domain.authenticators.faults import ProofFault
from twinlock.domain.bounds import DEVICES_MOST
from twinlock.domain.canonical import encode
from twinlock.domain.errors import InvariantError
from twinlock.domain.events import (
    AccountOpened,
    ActionAuthorized,
    ActionDone,
    ActionHeld,
    ActionLapsed,
    ActionProposed,
    ActionRefused,
    ActionSpent,
    ActionVetoed,
    ApiKeyCreated,
    ApiKeyRevoked,
    AuthenticatorBound,
    AuthenticatorRemoved,
    DestinationAdded,
    DestinationRemoved,
    Event,
    FreezeLifted,
    FreezeSet,
    ProofRefused,
    SessionEnded,
    SessionStarted,
)
from twinlock.domain.freezes import Freeze
from twinlock.domain.ids import ActionId, ApiKeyId, AuthenticatorId, DestinationId, SessionId
from twinlock.domain.limits import Spent
from twinlock.domain.replay import apply, apply_all

ACTION = ActionId("act_1")
KNOWN = a_destination()


def open_action(**changes: Any) -> OpenAction:  # noqa: ANN401 - any of the fields
    action = OpenAction(
        action_id=ACTION,
        member_id=an_account().member_id,
        payload=send(),
        digest="",
        proposed_at=NOON,
        lapses_at=NOON + HOUR,
        veto_key="",
    )
    return replace(action, **changes)


def state(*actions: OpenAction, **changes: Any) -> State:  # noqa: ANN401 - any of the fields
    account = replace(an_account(), actions=actions, **changes)
    return State(account=account, destination_id=KNOWN.destination_id, destination=KNOWN)


CLOSING: list[Event] = [
    ActionSpent(at=NOON, action_id=ACTION, spend_id="s", fee_minor="1", value_cents=50_00),
    ActionDone(at=NOON, action_id=ACTION),
    ActionRefused(at=NOON, action_id=ACTION, reasons=()),
    ActionVetoed(at=NOON, action_id=ACTION, by="chn_email", root=None),
    ActionLapsed(at=NOON, action_id=ACTION),
]


@pytest.mark.parametrize("event", CLOSING, ids=lambda event: type(event).__name__)
def test_an_action_closes_once_and_takes_no_other_with_it(event: Event) -> None:
    other = open_action(action_id=ActionId("act_2"))
    after = apply(state(open_action(), other), event)

    assert after.account.actions == (other,)
    with pytest.raises(ActionUnknownError):
        apply(after, event)


def test_two_actions_of_one_name_are_a_broken_invariant() -> None:
    with pytest.raises(InvariantError, match="closes once"):
        apply(state(open_action(), open_action()), ActionDone(at=NOON, action_id=ACTION))


@pytest.mark.parametrize(
    ("authorized_at", "worth", "counted"),
    [
        pytest.param(NOON, 30_00, 10_00, id="the same day"),
        pytest.param(NOON - DAY, 30_00, 40_00, id="another day"),
        pytest.param(NOON, 31_00, 11_00, id="worth more than when it was authorized"),
        pytest.param(NOON, 29_00, 10_00, id="worth less: what was counted stays counted"),
        pytest.param(NOON - DAY, 29_00, 39_00, id="worth less on another day"),
    ],
)
def test_a_spend_counts_on_its_day_unless_its_authorization_did(
    authorized_at: datetime, worth: int, counted: int
) -> None:
    """Prevents: authorized while a price is low, and spent when it is high, at the low sum."""
    action = open_action(authorized_at=authorized_at, value_cents=30_00)
    before = state(action, spent=Spent(day="2026-01-15", cents=10_00))
    spent = replace(CLOSING[0], value_cents=worth)

    assert apply(before, spent).account.spent == Spent(day="2026-01-15", cents=counted)


@pytest.mark.parametrize(
    ("before", "more", "after"),
    [
        (Spent(), 5, Spent(day="2026-01-15", cents=5)),
        (Spent(day="2026-01-15", cents=5), 5, Spent(day="2026-01-15", cents=10)),
        (Spent(day="2026-01-14", cents=5), 5, Spent(day="2026-01-15", cents=5)),
        (Spent(day="2026-01-15", cents=5), -3, Spent(day="2026-01-15", cents=2)),
        (Spent(day="2026-01-14", cents=5), -3, Spent(day="2026-01-15", cents=0)),
    ],
)
def test_a_days_sum_starts_from_zero_and_never_falls_below(
    before: Spent, more: int, after: Spent
) -> None:
    assert before.plus(more, at=NOON) == after


# --- Actions on their way ---


def test_a_proposal_is_one_more_open_action() -> None:
    after = apply(state(), ActionProposed(at=NOON, action=open_action()))

    assert after.account.actions == (open_action(),)


def test_a_told_wait_and_an_offered_one_are_kept_apart() -> None:
    held = ActionHeld(at=NOON, action_id=ACTION, until=NOON + DAY, lapses_at=NOON + 8 * DAY)
    told = apply(state(open_action()), held).account.action(ACTION)
    offered = apply(state(open_action()), replace(held, choice=True)).account.action(ACTION)

    assert (told.until, told.offered_until) == (NOON + DAY, None)
    assert (offered.until, offered.offered_until) == (None, NOON + DAY)
    assert told.proved_at == offered.proved_at == NOON
    assert told.lapses_at == NOON + 8 * DAY


def test_an_authorization_counts_for_its_account_and_its_destination() -> None:
    event = ActionAuthorized(
        at=NOON, action_id=ACTION, value_cents=30_00, destination_id=KNOWN.destination_id
    )
    after = apply(state(open_action()), event)

    assert after.account.spent == Spent(day="2026-01-15", cents=30_00)
    assert after.destination is not None
    assert (after.destination.version, after.destination.used_at) == (2, NOON)
    assert after.destination.spent == after.account.spent
    assert after.account.destinations == {KNOWN.destination_id: 2}


@pytest.mark.parametrize("named", [None, DestinationId("dst_other")])
def test_an_authorization_leaves_another_destination_alone(named: DestinationId | None) -> None:
    event = ActionAuthorized(at=NOON, action_id=ACTION, value_cents=1, destination_id=named)

    assert apply(state(open_action()), event).destination == KNOWN


def test_an_authorization_without_a_destination_at_hand_counts_for_the_account() -> None:
    event = ActionAuthorized(at=NOON, action_id=ACTION, value_cents=7)
    after = apply(State(account=replace(an_account(), actions=(open_action(),))), event)

    assert (after.account.spent.cents, after.destination) == (7, None)


@pytest.mark.parametrize(
    ("factor", "fault", "failures"),
    [
        (Factor.TOTP, ProofFault.CODE_WRONG, 1),
        (Factor.TOTP, ProofFault.THROTTLED, 0),
        (Factor.PASSKEY, ProofFault.BAD_SIGNATURE, 0),
    ],
)
def test_a_wrong_answer_counts_if_it_could_be_a_guess_and_was_read(
    factor: Factor, fault: ProofFault, failures: int
) -> None:
    event = ProofRefused(at=NOON, action_id=ACTION, factor=factor, fault=fault)

    assert apply(state(open_action()), event).account.throttle.failures == failures


# --- What a customer is known by ---


def test_an_account_begins_with_what_was_opened() -> None:
    opened = an_account(PASSWORD, APP)

    assert apply(state(), AccountOpened(at=NOON, account=opened)) == State(account=opened)


def test_an_authenticator_replaces_the_one_of_its_name() -> None:
    changed = replace(PASSWORD, verifier="another hash")
    after = apply(state(), AuthenticatorBound(at=NOON, authenticator=changed))
    removed = apply(after, AuthenticatorRemoved(at=NOON, authenticator_id=SYNCED.authenticator_id))

    assert after.account.authenticators == (SYNCED, changed)
    assert removed.account.authenticators == (changed,)


def test_a_full_session_makes_its_device_known_and_one_to_look_does_not() -> None:
    known = Device(thumbprint=ALICES_LAPTOP, since=LONG_AGO, seen_at=NOON)
    fresh = a_session(thumbprint="another")
    full = apply(state(), SessionStarted(at=NOON, session=a_session()))
    new = apply(state(), SessionStarted(at=NOON, session=fresh))
    look = apply(state(), SessionStarted(at=NOON, session=replace(fresh, read_only=True)))

    assert full.account.devices == (known,)
    assert new.account.devices[-1] == Device(thumbprint="another", since=NOON, seen_at=NOON)
    assert look.account.devices == state().account.devices


def test_of_too_many_devices_the_one_seen_longest_ago_is_forgotten() -> None:
    found = state()
    for n in range(DEVICES_MOST):
        session = a_session(f"ses_{n}", thumbprint=str(n))
        found = apply(found, SessionStarted(at=NOON, session=session))

    assert [one.thumbprint for one in found.account.devices] == [
        str(n) for n in range(DEVICES_MOST)
    ]


def test_a_session_that_is_ended_is_gone() -> None:
    before = state(sessions=(a_session(), a_session("ses_2", thumbprint="2")))
    after = apply(before, SessionEnded(at=NOON, session_id=SessionId("ses_2")))

    assert [one.session_id for one in after.account.sessions] == ["ses_alice"]


# --- What protects it ---


def test_a_freeze_is_set_and_lifted_and_remembers_who_set_it_weakly() -> None:
    frozen = apply(state(), FreezeSet(at=NOON, until=NOON + DAY, weak_root="phone"))
    lifted = apply(frozen, FreezeLifted(at=NOON + HOUR))

    assert frozen.account.freeze == Freeze(until=NOON + DAY, set_at=NOON, weak={"phone": NOON})
    assert lifted.account.freeze == Freeze(weak={"phone": NOON})


def test_a_destination_at_hand_is_written_over_and_removed() -> None:
    added = apply(state(), DestinationAdded(at=NOON, destination=replace(KNOWN, version=2)))
    removed = apply(added, DestinationRemoved(at=NOON, destination_id=KNOWN.destination_id))

    assert added.account.destinations[KNOWN.destination_id] == 2
    assert removed.destination is not None
    assert (removed.destination.removed, removed.destination.version) == (True, 3)
    assert removed.account.destinations == {}
    assert removed.account.former.removed == ((KNOWN.destination_id, 3),)


def test_a_new_destination_is_listed_whatever_is_at_hand() -> None:
    new = a_destination(NEW_ADDRESS)
    after = apply(state(), DestinationAdded(at=NOON, destination=new))

    assert after.listed == (new,)
    assert after.destination == KNOWN
    assert after.account.destinations == {new.destination_id: 1}


def test_a_known_destination_is_not_written_over_unseen() -> None:
    """Prevents: a second listing that winds the destination's own stream back to its start."""
    before = State(account=an_account(destinations=(KNOWN,)))

    with pytest.raises(InvariantError, match="not at hand"):
        apply(before, DestinationAdded(at=NOON, destination=KNOWN))


@pytest.mark.parametrize(
    "before", [State(account=an_account()), state()], ids=["none at hand", "another at hand"]
)
def test_only_the_destination_at_hand_is_removed(before: State) -> None:
    with pytest.raises(InvariantError, match="the one at hand"):
        apply(before, DestinationRemoved(at=NOON, destination_id=DestinationId("dst_other")))


def test_an_api_key_is_made_and_dies() -> None:
    key = ApiKey(
        api_key_id=ApiKeyId("key_1"),
        public_key="",
        scopes=("read",),
        ip_list=(),
        destinations=(),
        daily_cents=0,
        created_at=NOON,
    )
    made = apply(state(), ApiKeyCreated(at=NOON, api_key=key))

    assert made.account.api_keys == (key,)
    assert apply(made, ApiKeyRevoked(at=NOON, api_key_id=key.api_key_id)).account.api_keys == ()


# --- Replaying ---


def test_events_are_applied_in_their_order() -> None:
    events = (ActionProposed(at=NOON, action=open_action()), ActionDone(at=NOON, action_id=ACTION))

    assert apply_all(state(), events).account.actions == ()
    assert apply_all(state(), ()) == state()


def test_replaying_a_story_gives_the_state_it_ended_in() -> None:
    gate = Gate.of(an_account(), KNOWN)
    start = gate.account
    action = gate.propose(send()).action_id
    gate.prove(action, SYNCED)
    gate.spend(action)
    replayed = State(account=start, destination_id=KNOWN.destination_id, destination=KNOWN)
    for _, decided, _ in gate.book:
        for decision in decided.decisions:
            replayed = apply_all(replayed, decision.events)
            chain = replayed.account.chain
            counted = replace(chain, entries=chain.entries + 1)
            replayed = replace(replayed, account=replace(replayed.account, chain=counted))

    assert encode(replayed.account) == encode(gate.account)
    assert replayed.destination == gate.destinations[KNOWN.destination_id]
    assert replayed.account.account_id == ALICE


def test_an_accepted_answer_uses_up_its_question_and_its_step_and_no_others() -> None:
    apps = (APP, replace(APP, authenticator_id=AuthenticatorId("aut_app_2")))
    gate = Gate(account=an_account(PASSWORD, *apps, SYNCED))
    action = gate.propose(send()).action_id
    gate.ask(action, SYNCED)
    gate.prove(action, APP)
    one, two = (gate.account.authenticator(app.authenticator_id) for app in apps)

    seconds = int(NOON.timestamp())
    used = replace(APP, last_step=seconds // 30, used_on=seconds // 86_400)
    assert (one, two) == (used, apps[1])
    assert [one.factor for one in gate.action(action).challenges] == [Factor.PASSKEY]
    assert gate.action(action).proved_at is None


def test_an_accepted_session_is_seen_and_no_other() -> None:
    gate = Gate()
    signature = gate.give_session()
    gate.give_session(a_session("ses_2", thumbprint="2"))
    gate.wait(HOUR / 2)
    gate.propose(send(), session=replace(signature, signed_at=gate.now))

    assert [one.seen_at for one in gate.account.sessions] == [gate.now, NOON]
