from datetime import datetime, timedelta
from typing import Any

import pytest
from msgspec.structs import replace
from support.asked import an_action
from support.cast import DAY, HOUR, LONG_AGO, MEMBER, NEW_ADDRESS, NOON, OLD_ADDRESS
from support.gates import Gate
from support.worlds import (
    DESKTOP,
    EMAIL,
    FREEZE,
    LIFT,
    PASSWORD,
    ROAMING,
    SMS,
    SYNCED,
    a_destination,
    an_account,
    bind,
    change_contact,
    list_address,
    make_key,
    send,
    sign_in,
    unlist,
)

from twinlock.domain.account import ActionState, OpenAction, Shown, State
from twinlock.domain.actions import AnyPayload, ApiKeyRevoke, NotBuilt
from twinlock.domain.assurance import Factor
from twinlock.domain.authenticators.faults import ProofFault
from twinlock.domain.bounds import (
    CHALLENGE_LIFETIME,
    ERASURE_LIFETIME,
    NEWCOMER_PERIOD,
    NOTICE_LIFETIME,
    OPEN_ACTION_LIFETIME,
)
from twinlock.domain.channels import Channel, ChannelKind
from twinlock.domain.commands import EndSession
from twinlock.domain.decisions import Decision
from twinlock.domain.events import (
    ActionDone,
    ActionHeld,
    ActionProposed,
    ActionRefused,
    AuthenticatorBound,
    AuthenticatorRemoved,
    ChannelBound,
    ChannelRemoved,
    Event,
    NewcomerRepudiated,
    ProofAccepted,
    ProofRefused,
)
from twinlock.domain.ids import ActionId, ChannelId
from twinlock.domain.notices import Notice, NoticeKind, code_notice, is_outdated, notices
from twinlock.domain.replay import apply_all

NOBODY = EndSession(session_id=None)
ACTION = ActionId("act_1")


def told(gate: Gate, decision: Decision) -> list[tuple[NoticeKind, str]]:
    sent = notices(
        gate.account,
        what=decision.kind,
        action_id=decision.action_id,
        events=decision.events,
    )
    return [(one.kind, one.what) for one in sent]


def tell(*events: Event, account: Any = None) -> tuple[Notice, ...]:  # noqa: ANN401 - an account
    return notices(account or an_account(), what="it", action_id=ACTION, events=events)


@pytest.mark.requirement("N-B20", "O-04")
def test_a_wait_is_told_on_every_channel_with_its_end() -> None:
    gate = Gate()
    decision = gate.prove(gate.propose(list_address(NEW_ADDRESS)).action_id, SYNCED)
    (notice,) = notices(
        gate.account,
        what=decision.kind,
        action_id=decision.action_id,
        events=decision.events,
    )

    assert notice.kind is NoticeKind.WAITING
    assert notice.until == NOON + DAY
    assert notice.channels == tuple(one.channel_id for one in gate.account.channels)


def test_nobody_is_told_of_a_proposal_before_its_proof() -> None:
    gate = Gate()

    assert told(gate, gate.propose(send())) == []


@pytest.mark.requirement("O-04")
@pytest.mark.parametrize(
    ("payload", "secret", "source"),
    [
        (FREEZE, "", PASSWORD),
        (unlist(OLD_ADDRESS), "", SYNCED),
        (make_key("read"), "key_1", SYNCED),
        (ApiKeyRevoke(account=an_account().account_id, api_key_id="key_1"), "", SYNCED),
    ],
)
def test_what_takes_effect_at_once_is_told(payload: Any, secret: str, source: Any) -> None:  # noqa: ANN401 - rows
    gate = Gate.of(an_account(), a_destination())
    decision = gate.prove(gate.propose(payload, secret).action_id, source)

    assert told(gate, decision) == [(NoticeKind.DONE, decision.kind)]


@pytest.mark.requirement("O-04")
@pytest.mark.parametrize("asked", [(list_address(NEW_ADDRESS), ""), bind(ROAMING), (LIFT, "")])
def test_what_has_waited_is_told_when_it_takes_effect(asked: Any) -> None:  # noqa: ANN401 - rows
    gate = Gate()
    gate.prove(gate.propose(*asked).action_id, SYNCED)
    gate.wait(DAY)
    gate.run(NOBODY)
    _, decided, _ = gate.book[-1]

    assert told(gate, decided.decisions[0]) == [(NoticeKind.DONE, decided.decisions[0].kind)]


@pytest.mark.requirement("O-04")
def test_money_that_may_leave_a_sign_in_and_a_veto_are_told() -> None:
    gate = Gate.of(an_account(), a_destination())
    action = gate.propose(send()).action_id
    left = gate.prove(action, SYNCED)
    vetoed = gate.veto(action, EMAIL)
    signed_in = gate.sign_in(SYNCED)

    assert told(gate, left) == [(NoticeKind.LEFT, "withdrawal.crypto")]
    assert told(gate, vetoed) == [(NoticeKind.VETOED, "action.veto")]
    assert told(gate, signed_in) == [(NoticeKind.SIGNED_IN, "session.start")]


def test_a_refusal_is_told_where_something_was_shown() -> None:
    gate = Gate.of(an_account())
    strange = NotBuilt(account=gate.account.account_id, asked="gift.send", digest="")

    assert told(gate, gate.propose(strange)) == []
    refused = gate.propose(strange, session=gate.give_session())
    assert told(gate, refused) == [(NoticeKind.REFUSED, "gift.send")]


@pytest.mark.parametrize(
    ("factors", "told_before", "rings"),
    [
        pytest.param([Factor.API_KEY], 0, True, id="a key, the first time"),
        pytest.param([Factor.API_KEY], 24 * 3600, True, id="a key, a day later"),
        pytest.param([Factor.API_KEY], 24 * 3600 - 1, False, id="a key, once more that day"),
        pytest.param([Factor.PASSKEY], 1, True, id="people, whatever a key did"),
        pytest.param([Factor.API_KEY, Factor.SESSION], 1, True, id="people beside a key"),
    ],
)
def test_a_refused_use_of_a_key_is_told_once_a_day(
    factors: list[Factor], told_before: int, rings: bool
) -> None:
    """Prevents: a stolen key that may do nothing, and sends a letter every two seconds."""
    shown = Shown(source="key_1", factor=Factor.API_KEY, root=None, bound_at=NOON, at=NOON, entry=1)
    proofs = [
        ProofAccepted(at=NOON, action_id=ACTION, shown=replace(shown, factor=factor))
        for factor in factors
    ]
    refused = ActionRefused(at=NOON, action_id=ACTION, reasons=())
    at = int(NOON.timestamp()) - told_before if told_before else 0

    sent = tell(*proofs, refused, account=replace(an_account(), key_told_at=at))

    assert [one.kind for one in sent] == ([NoticeKind.REFUSED] if rings else [])


@pytest.mark.parametrize(
    ("payload", "told_before", "rings"),
    [
        pytest.param(send(), 0, True, id="an exit"),
        pytest.param(list_address(NEW_ADDRESS), 0, True, id="a loosening"),
        pytest.param(make_key(), 0, True, id="a key"),
        pytest.param(make_key(), 24 * 3600, True, id="a day after the last word"),
        pytest.param(make_key(), 24 * 3600 - 1, False, id="once more that day"),
        pytest.param(FREEZE, 0, False, id="what tightens"),
        pytest.param(sign_in(), 0, False, id="a sign-in, which anybody asks for"),
    ],
)
def test_what_is_refused_outright_is_told_once_a_day(
    payload: AnyPayload, told_before: int, rings: bool
) -> None:
    """Prevents: what would take money, tried until it passes, and nobody hears of it."""
    at = int(NOON.timestamp()) - told_before if told_before else 0
    before = State(account=replace(an_account(), attempt_told_at=at))
    asked = ActionProposed(at=NOON, action=replace(an_action(payload), action_id=ACTION))
    refused = ActionRefused(at=NOON, action_id=ACTION, reasons=())

    sent = tell(asked, refused, account=before.account)
    after = apply_all(before, (asked, refused)).account

    assert [one.kind for one in sent] == ([NoticeKind.REFUSED] if rings else [])
    assert after.attempt_told_at == (int(NOON.timestamp()) if rings else at)
    assert tell(asked, refused, account=after) == ()


@pytest.mark.requirement("O-04", "P-04")
@pytest.mark.parametrize(
    ("fault", "rings"),
    [
        (ProofFault.CODE_WRONG, True),
        (ProofFault.BAD_SIGNATURE, True),
        (ProofFault.THROTTLED, False),
    ],
)
def test_a_wrong_answer_is_told_unless_nobody_read_it(fault: ProofFault, rings: bool) -> None:
    """Prevents: a flood of attempts that buries the one notice that counts."""
    wrong = ProofRefused(at=NOON, action_id=ACTION, factor=Factor.TOTP, fault=fault)

    assert bool(tell(wrong)) is rings


def test_of_two_waits_the_longer_is_told() -> None:
    short = ActionHeld(at=NOON, action_id=ACTION, until=NOON + HOUR, lapses_at=NOON)
    long = ActionHeld(at=NOON, action_id=ACTION, until=NOON + DAY, lapses_at=NOON, choice=True)
    (notice,) = tell(short, long)

    assert notice.until == NOON + DAY


def test_an_account_without_channels_is_told_nothing() -> None:
    held = ActionHeld(at=NOON, action_id=ACTION, until=NOON + HOUR, lapses_at=NOON)

    assert tell(held, account=an_account(channels=())) == ()


def test_what_changes_nothing_is_not_told() -> None:
    assert tell(ActionDone(at=NOON, action_id=ACTION)) == ()


# --- Codes, and what can be undone ---

NEW = Channel(
    channel_id=ChannelId("chn_new"),
    kind=ChannelKind.EMAIL,
    address="alice.new@example.com",
    bound_at=NOON,
)


def test_a_code_goes_to_the_channel_that_is_asked_and_to_no_other() -> None:
    gate = Gate()
    action = gate.action(gate.propose(send()).action_id)
    notice = code_notice(action, code="12345678", channel=EMAIL.channel_id, at=NOON)

    assert (notice.kind, notice.what, notice.code) == (
        NoticeKind.CODE,
        "withdrawal.crypto",
        "12345678",
    )
    assert (notice.channels, notice.gone) == ((EMAIL.channel_id,), ())
    assert notice.until == NOON + CHALLENGE_LIFETIME
    assert "12345678" not in repr(notice)


def test_the_code_of_a_new_channel_carries_where_that_leads() -> None:
    gate = Gate()
    action = gate.action(gate.propose(*change_contact(None, NEW)).action_id)
    to_new = code_notice(action, code="1", channel=NEW.channel_id, at=NOON)
    to_old = code_notice(action, code="1", channel=EMAIL.channel_id, at=NOON)

    (reached,) = to_new.gone
    assert (reached.channel_id, reached.kind, reached.address) == (
        NEW.channel_id,
        NEW.kind,
        NEW.address,
    )
    assert to_old.gone == ()


@pytest.mark.parametrize(
    ("bound_at", "until"), [(LONG_AGO, NOON + NEWCOMER_PERIOD), (NOON - HOUR, None)]
)
def test_what_was_bound_can_be_undone_where_some_channel_is_older(
    bound_at: datetime, until: datetime | None
) -> None:
    account = an_account(channels=(replace(EMAIL, bound_at=bound_at),))
    (notice,) = tell(AuthenticatorBound(at=NOON, authenticator=SYNCED), account=account)

    assert notice.undo_until == until


def test_a_repudiation_is_one_notice_whatever_follows_from_it() -> None:
    undone = NewcomerRepudiated(at=NOON, entries=(7,), since=NOON)
    gone = AuthenticatorRemoved(at=NOON + HOUR, authenticator_id=SYNCED.authenticator_id)
    (notice,) = tell(undone, gone)

    assert (notice.kind, notice.at, notice.undo_until) == (NoticeKind.DONE, NOON, None)


# --- Channels that come back ---

THIEFS = replace(EMAIL, channel_id=ChannelId("chn_thief"), entry=7, replaced=EMAIL)
UNDONE = (
    NewcomerRepudiated(at=NOON, entries=(7,), since=NOON - DAY),
    ChannelRemoved(at=NOON, channel_id=THIEFS.channel_id),
    ChannelBound(at=NOON, channel=EMAIL),
)

MORE = (*UNDONE, ChannelBound(at=NOON, channel=replace(DESKTOP, channel_id=ChannelId("chn_2"))))


def waiting(name: str = "act_waits", **changes: Any) -> OpenAction:  # noqa: ANN401 - any of the fields
    action = OpenAction(
        action_id=ActionId(name),
        member_id=MEMBER,
        payload=list_address(NEW_ADDRESS),
        digest="",
        proposed_at=NOON - HOUR,
        lapses_at=NOON + DAY,
        veto_key="",
    )
    return replace(action, **changes)


def told_again(*actions: OpenAction, events: tuple[Event, ...] = UNDONE) -> list[Notice]:
    """Return what a channel that comes back is told, beside what everybody is."""
    account = replace(an_account(channels=(THIEFS, DESKTOP)), actions=actions)
    return [one for one in tell(*events, account=account) if one.kind is NoticeKind.WAITING]


@pytest.mark.parametrize(
    ("until", "offered_until", "told"),
    [
        (NOON + DAY, None, NOON + DAY),
        (None, NOON + DAY, NOON + DAY),
        (NOON + DAY, NOON + 3 * DAY, NOON + DAY),
        (NOON - HOUR, NOON + DAY, NOON + DAY),
        (NOON, NOON - HOUR, NOON),
        (NOON, NOON + DAY, NOON + DAY),
    ],
)
def test_a_channel_that_comes_back_is_told_what_waits_and_until_when_at_least(
    until: datetime | None, offered_until: datetime | None, told: datetime
) -> None:
    [notice] = told_again(waiting(until=until, offered_until=offered_until))

    assert notice == Notice(
        kind=NoticeKind.WAITING,
        what="destination.add",
        at=NOON,
        channels=(EMAIL.channel_id,),
        action_id="act_waits",
        until=told,
    )


def test_of_several_actions_that_wait_each_is_told_once() -> None:
    every = (
        waiting("act_1", until=NOON + DAY),  # The one that brings the channel back.
        waiting("act_2"),
        waiting("act_3", until=NOON + DAY),
        waiting("act_4", until=NOON - HOUR, state=ActionState.AUTHORIZED),
        waiting("act_5", until=NOON + DAY),
    )

    assert [one.action_id for one in told_again(*every)] == ["act_3", "act_5"]


@pytest.mark.parametrize(
    "events",
    [
        UNDONE[:2],
        (ChannelBound(at=NOON, channel=replace(SMS, bound_at=NOON)),),
        (ChannelBound(at=NOON, channel=replace(SMS, bound_at=NOON, replaced=THIEFS)),),
    ],
)
def test_a_new_channel_is_told_nothing_of_what_waits(events: tuple[Event, ...]) -> None:
    """Law 5: what waits is told to those that existed before it."""
    assert told_again(waiting(until=NOON + DAY), events=events) == []


@pytest.mark.parametrize(("undone", "narrows"), [(UNDONE, True), (MORE, False)])
def test_a_channel_that_comes_back_is_told_what_would_leave_nobody_off_the_phone(
    undone: tuple[Event, ...], narrows: bool
) -> None:
    payload, _ = change_contact(DESKTOP, None)
    [notice] = told_again(waiting(payload=payload, until=NOON + DAY), events=undone)

    assert notice.narrows is narrows


DONE = Notice(kind=NoticeKind.DONE, what="freeze.set", at=NOON, channels=())
WAITS = replace(DONE, kind=NoticeKind.WAITING, what="destination.add", until=NOON + DAY)


@pytest.mark.parametrize(
    ("notice", "last"),
    [
        (DONE, NOON + NOTICE_LIFETIME),
        (replace(DONE, until=NOON + HOUR), NOON + NOTICE_LIFETIME),
        (replace(DONE, undo_until=NOON + HOUR), NOON + NOTICE_LIFETIME),
        (replace(DONE, undo_until=NOON + NEWCOMER_PERIOD), NOON + NEWCOMER_PERIOD),
        (WAITS, NOON + DAY + OPEN_ACTION_LIFETIME),
        (replace(WAITS, until=None), NOON + OPEN_ACTION_LIFETIME),
        (replace(WAITS, what="account.erase"), NOON + DAY + ERASURE_LIFETIME),
        (
            replace(DONE, kind=NoticeKind.CODE, until=NOON + CHALLENGE_LIFETIME),
            NOON + CHALLENGE_LIFETIME,
        ),
    ],
)
def test_a_notice_is_sent_as_long_as_it_can_be_acted_on_and_not_after(
    notice: Notice, last: datetime
) -> None:
    """Prevents: old messages that go out again, and a veto that nobody was told of."""
    assert not is_outdated(notice, now=last)
    assert is_outdated(notice, now=last + timedelta(milliseconds=1))


def test_a_notice_names_the_action_that_it_is_about() -> None:
    held = ActionHeld(at=NOON, action_id=ACTION, until=NOON + HOUR, lapses_at=NOON)
    gate = Gate()
    action = gate.action(gate.propose(send()).action_id)

    assert [one.action_id for one in tell(held)] == [ACTION]
    code = code_notice(action, code="1", channel=EMAIL.channel_id, at=NOON)
    assert code.action_id == action.action_id
