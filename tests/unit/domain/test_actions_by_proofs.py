"""The matrix: what each sensitive action takes, by what the account has and what is shown."""

from collections.abc import Mapping
from types import MappingProxyType

import pytest
from msgspec.structs import replace
from support.cast import DAY, HOUR, NEW_ADDRESS, NOON, OLD_ADDRESS
from support.gates import Gate, Source
from support.leaving import EVERY_EXIT
from support.worlds import (
    APP,
    DESKTOP,
    EMAIL,
    LIFT,
    PASSWORD,
    ROAMING,
    SAVED,
    SMS,
    SYNCED,
    a_destination,
    a_passkey,
    a_session,
    an_account,
    an_app,
    bind,
    change_contact,
    change_password,
    list_address,
    make_key,
    reactivate,
    remove,
    reset_password,
    saved_codes,
    send,
    set_word,
)

from twinlock.domain.actions import BUILT, AnyPayload, type_of
from twinlock.domain.assurance import level_of
from twinlock.domain.authenticators.model import (
    Authenticator,
    SuspensionKind,
    factor_of,
    suspension,
)
from twinlock.domain.catalogue import CLASS_OF, ActionClass, ActionType
from twinlock.domain.channels import Channel, ChannelKind
from twinlock.domain.commands import EndSession
from twinlock.domain.events import ActionAuthorized, ActionDone, ActionSpent
from twinlock.domain.exits import EXITS
from twinlock.domain.ids import ChannelId, SessionId
from twinlock.domain.notices import NoticeKind, notices
from twinlock.domain.reasons import Reason
from twinlock.domain.requirements import Answer, Prove, leaves

NOBODY = EndSession(session_id=SessionId("ses_nobody"))
CHANNELS = (EMAIL, SMS, DESKTOP)
ANOTHER = Channel(
    channel_id=ChannelId("chn_new"),
    kind=ChannelKind.EMAIL,
    address="alice.new@example.com",
    bound_at=NOON,
)

# Whatever is sensitive and can be decided, once; tests further down say what is left out.
ASKED: Mapping[str, tuple[AnyPayload, str]] = MappingProxyType(
    {
        "withdraw": (send(), ""),
        "withdraw elsewhere": (send(to=NEW_ADDRESS), ""),
        "list": (list_address(NEW_ADDRESS), ""),
        "bind": bind(ROAMING),
        "remove": (remove(SAVED), ""),
        "unfreeze": (LIFT, ""),
        "key that withdraws": (
            make_key("withdraw", ip_list=("::1",), destinations=("dst_1",)),
            "key_sends",
        ),
        "key that trades": (make_key("read", "trade"), "key_trades"),
        "new password": change_password(),
        "forgotten password": reset_password(),
        "another word": set_word(),
        "new channel": change_contact(None, ANOTHER),
        "have it again": (reactivate(SAVED), ""),
    }
)


def took_effect(gate: Gate, action: str) -> bool:
    return any(
        isinstance(event, ActionAuthorized | ActionDone | ActionSpent) and event.action_id == action
        for _, decided, _ in gate.book
        for decision in decided.decisions
        for event in decision.events
    )


def done(gate: Gate, asked: tuple[AnyPayload, str], shown: tuple[Source, ...]) -> bool:
    """Say whether ``asked`` takes effect in the end, signed in and with all of ``shown``."""
    payload, secret = asked
    session = gate.signs(gate.account.sessions[0])
    action = gate.propose(payload, secret, session=session).action_id
    for source in shown:
        if gate.is_open(action):
            gate.prove(action, source)
    adds = gate.is_open(action) and type_of(payload) == ActionType.CONTACT_CHANGE
    if adds and gate.ask_channel(action).fault is None:
        gate.answer_channel(action)
    gate.wait(4 * DAY)  # Longer than any wait of the default profile, and than a question.
    if gate.is_open(action) and type_of(payload) == ActionType.WITHDRAWAL_CRYPTO:
        gate.spend(action)
    gate.run(NOBODY, at_hand=gate.where(payload))
    return took_effect(gate, action)


def lost(account: tuple[Authenticator, ...]) -> tuple[Authenticator, ...]:
    """Return ``account`` with its saved codes suspended an hour ago."""
    reported = suspension(NOON - HOUR, SuspensionKind.FOR_GOOD)
    return tuple(replace(one, suspension=reported) if one is SAVED else one for one in account)


def takes(account: tuple[Authenticator, ...], *shown: Source) -> set[str]:
    """Return which of ASKED take effect for somebody who is signed in and shows this."""
    found = set()
    for name, asked in ASKED.items():
        has = account if type_of(asked[0]) != ActionType.AUTHENTICATOR_REACTIVATE else lost(account)
        gate = Gate.of(
            an_account(*has, channels=CHANNELS, sessions=(a_session(),)), a_destination()
        )
        if done(gate, asked, shown):
            found.add(name)
    return found


ALL = set(ASKED)
ACCESS = {"key that trades", "new password", "another word"}
FORGOTTEN = {
    "forgotten password"
}  # No password is asked for, and a code of each kind in its place.
BY_PASSKEY = (PASSWORD, APP, SYNCED, SAVED)
BY_APP = (PASSWORD, APP, SAVED)
BY_CODES = (PASSWORD, SAVED)


@pytest.mark.requirement("O-03", "O-08", "O-18", "O-19", "P-10")
@pytest.mark.parametrize(
    "shown",
    [
        pytest.param((), id="the session alone"),
        pytest.param((PASSWORD,), id="password"),
        pytest.param((PASSWORD, EMAIL), id="password and e-mail"),
        pytest.param((PASSWORD, SMS), id="password and SMS"),
        pytest.param((PASSWORD, SAVED), id="password and saved code"),
        pytest.param((APP,), id="app"),
        pytest.param((PASSWORD, APP, SAVED, EMAIL, SMS), id="all but the passkey"),
    ],
)
def test_where_a_passkey_is_bound_nothing_else_does_anything(shown: tuple[Source, ...]) -> None:
    assert takes(BY_PASSKEY, *shown) == set()


@pytest.mark.requirement("O-03", "O-18", "O-19", "P-10")
def test_a_passkey_does_whatever_can_be_done() -> None:
    assert takes(BY_PASSKEY, SYNCED) == ALL


@pytest.mark.requirement("O-03", "O-18", "O-19")
@pytest.mark.parametrize(
    ("shown", "does"),
    [
        pytest.param((), set(), id="the session alone"),
        pytest.param((PASSWORD,), set(), id="password"),
        pytest.param((PASSWORD, EMAIL, SMS), set(), id="password and codes"),
        pytest.param((PASSWORD, SAVED), {"bind", "remove"}, id="password and saved code"),
        pytest.param((APP,), ALL - ACCESS, id="app"),  # One factor: the lines are met in part.
        pytest.param((PASSWORD, APP), ALL, id="password and app"),
    ],
)
def test_where_an_app_is_bound_its_code_is_asked_for(
    shown: tuple[Source, ...], does: set[str]
) -> None:
    assert takes(BY_APP, *shown) == does


@pytest.mark.requirement("O-03", "O-19")
@pytest.mark.parametrize(
    ("shown", "does"),
    [
        pytest.param((), set(), id="the session alone"),
        pytest.param((PASSWORD,), set(), id="password"),
        pytest.param((EMAIL,), set(), id="e-mail"),
        pytest.param((SMS,), set(), id="SMS"),
        pytest.param((EMAIL, SMS), FORGOTTEN, id="e-mail and SMS"),
        pytest.param((PASSWORD, SMS), ALL - FORGOTTEN, id="password and SMS"),
        pytest.param(  # N-B05: in part.
            (PASSWORD, EMAIL), ALL - FORGOTTEN, id="password and e-mail"
        ),
    ],
)
def test_where_nothing_else_is_bound_a_code_is_asked_for_beside_the_password(
    shown: tuple[Source, ...], does: set[str]
) -> None:
    assert takes(BY_CODES, *shown) == does


def test_the_matrix_leaves_out_tightening_and_signing_in_alone() -> None:
    asked = {type_of(payload) for payload, _ in ASKED.values()}
    tightening = {kind for kind in BUILT if CLASS_OF[kind] is ActionClass.TIGHTENING}

    alone = {ActionType.SESSION_START, ActionType.ACCOUNT_ERASE}
    alone |= {ActionType.LIMIT_RAISE, ActionType.LOCK_LOOSEN}  # tests/unit/domain/test_limits.py
    alone |= {ActionType.TRUSTED_CONTACT_REMOVE}  # tests/unit/domain/test_people.py
    alone |= {ActionType.MEMBER_ADD, ActionType.MEMBER_REMOVE}  # tests/unit/domain/test_members.py
    alone |= {ActionType.QUORUM_LOOSEN}  # as above
    alone |= {ActionType.API_KEY_WIDEN}  # tests/unit/domain/test_key_changes.py
    others = EXITS - {ActionType.WITHDRAWAL_CRYPTO}  # Alike: tests/unit/domain/test_exits.py.
    assert asked == BUILT - tightening - alone - others


# --- Binding: the level of the account by the level of what is new ---

NEW: tuple[Authenticator, ...] = (an_app("aut_new"), a_passkey("aut_new"), saved_codes("aut_new"))
HAVE: tuple[tuple[Authenticator, ...], ...] = (
    (PASSWORD,),
    (PASSWORD, APP),
    (PASSWORD, SYNCED),
    (PASSWORD, APP, ROAMING),
)


@pytest.mark.requirement("N-B13")
@pytest.mark.parametrize("new", NEW, ids=lambda one: factor_of(one).value)
@pytest.mark.parametrize("have", HAVE, ids=lambda some: "+".join(factor_of(one) for one in some))
def test_binding_takes_the_level_of_the_account_whatever_is_new(
    have: tuple[Authenticator, ...], new: Authenticator
) -> None:
    """SP 800-63B-4 asks for the lower of two levels; this is never less than either."""
    gate = Gate.of(an_account(*have, channels=CHANNELS, sessions=(a_session(),)))
    decision = gate.propose(*bind(new), session=gate.signs(gate.account.sessions[0]))
    asked = [one for one in leaves(decision.requirement) if isinstance(one, Prove)]

    assert [one.code for one in asked] == [Reason.PROOF_NEEDED]
    assert asked[0].level is gate.account.floor
    assert asked[0].level >= min(max(map(level_of, map(factor_of, have))), level_of(factor_of(new)))


@pytest.mark.requirement("N-B13", "N-B20")
@pytest.mark.parametrize("new", NEW, ids=lambda one: factor_of(one).value)
def test_binding_is_told_on_every_channel_before_it_counts(new: Authenticator) -> None:
    gate = Gate.of(an_account(PASSWORD, ROAMING, channels=CHANNELS))
    action = gate.propose(*bind(new)).action_id
    held = gate.prove(action, ROAMING)
    (told,) = notices(gate.account, what=held.kind, action_id=held.action_id, events=held.events)
    gate.wait(DAY - HOUR)
    gate.run(NOBODY)

    assert (held.answer, told.kind) == (Answer.HOLD, NoticeKind.WAITING)
    assert told.channels == tuple(one.channel_id for one in CHANNELS)
    assert gate.account.authenticator("aut_new") is None
    gate.wait(HOUR)
    gate.run(NOBODY)
    assert gate.account.authenticator("aut_new") is not None


# --- What has one payee ---


@pytest.mark.requirement("P-08")
def test_no_payload_pays_more_than_one() -> None:
    """There is no batch: each payment has one address, one sum, and a proof of its own."""
    lists = {
        name
        for payment in EVERY_EXIT.values()
        for name in payment.__struct_fields__
        if not isinstance(getattr(payment, name), str | int)
    }

    assert (set(EVERY_EXIT), lists) == (set(EXITS), {"terms"})  # Texts beside the payment.
    assert not any("batch" in kind for kind in CLASS_OF)


@pytest.mark.requirement("P-08")
def test_a_proof_of_one_payment_pays_no_second() -> None:
    gate = Gate.of(an_account(), a_destination(OLD_ADDRESS))
    first, second = (gate.propose(send()).action_id for _ in range(2))
    gate.prove(first, SYNCED)

    assert gate.spend(first).answer is Answer.ALLOW
    assert gate.spend(second).answer is Answer.CHALLENGE
