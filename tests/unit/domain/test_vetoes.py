from datetime import datetime, timedelta

import pytest
from msgspec.structs import replace
from support.cast import ALICES_LAPTOP, DAY, HOUR, INSTANT, LONG_AGO, MALLORYS_LAPTOP, NOON
from support.gates import Gate
from support.worlds import DESKTOP, EMAIL, SMS, SYNCED, a_contact, a_session, an_account, send

from twinlock.domain.account import Shown
from twinlock.domain.assurance import Factor
from twinlock.domain.canonical import b64url, from_b64url, tagged_mac
from twinlock.domain.channels import Channel
from twinlock.domain.commands import SessionSignature, Veto
from twinlock.domain.errors import MalformedError
from twinlock.domain.ids import ActionId, SessionId
from twinlock.domain.vetoes import entitled, veto_token


def proved(*channels: Channel) -> tuple[Gate, ActionId]:
    """Return a gate where an action was proposed at NOON and proved by something LONG_AGO."""
    gate = Gate(account=an_account(channels=channels))
    action = gate.propose(send()).action_id
    gate.prove(action, SYNCED)
    return gate, ActionId(action)


def who(gate: Gate, action: ActionId, veto: Veto) -> tuple[str, str | None] | None:
    return entitled(gate.account, gate.action(action), veto, now=gate.now)


@pytest.mark.parametrize(
    ("channel", "root"), [(EMAIL, "phone"), (SMS, "phone"), (DESKTOP, "desktop")]
)
def test_any_channel_may_say_no(channel: Channel, root: str) -> None:
    gate, action = proved(channel)
    veto = Veto(action_id=action, channel_id=channel.channel_id)

    assert who(gate, action, veto) == (channel.channel_id, root)


@pytest.mark.parametrize(
    ("bound_at", "later", "may"),
    [
        pytest.param(LONG_AGO, 0 * HOUR, True, id="as old as the proof"),
        pytest.param(LONG_AGO + INSTANT, 0 * HOUR, True, id="newer, and more than a month old"),
        pytest.param(NOON - 30 * DAY, 0 * HOUR, True, id="thirty days old"),
        pytest.param(NOON - 30 * DAY + INSTANT, 0 * HOUR, False, id="not yet thirty days old"),
        pytest.param(NOON - 30 * DAY + INSTANT, INSTANT, True, id="thirty days old by now"),
        pytest.param(NOON, 0 * HOUR, False, id="bound with the proposal"),
        pytest.param(NOON + INSTANT, 60 * DAY, False, id="bound after the proposal"),
    ],
)
def test_for_thirty_days_a_new_channel_does_not_say_no_to_something_older(
    bound_at: datetime, later: timedelta, may: bool
) -> None:
    gate, action = proved(replace(EMAIL, bound_at=bound_at))
    gate.wait(later)
    veto = Veto(action_id=action, channel_id=EMAIL.channel_id)

    assert (who(gate, action, veto) is not None) is may


def test_a_new_channel_says_no_to_what_nobody_proved() -> None:
    gate = Gate(account=an_account(channels=(replace(EMAIL, bound_at=NOON),)))
    action = ActionId(gate.propose(send()).action_id)

    assert who(gate, action, Veto(action_id=action, channel_id=EMAIL.channel_id)) is not None


@pytest.mark.parametrize("channel", [SMS, None])
def test_nobody_who_is_not_of_the_account_says_no(channel: Channel | None) -> None:
    gate, action = proved(EMAIL)
    named = None if channel is None else channel.channel_id

    assert who(gate, action, Veto(action_id=action, channel_id=named)) is None


@pytest.mark.parametrize(
    ("read_only", "thumbprint", "may"),
    [(False, ALICES_LAPTOP, True), (True, ALICES_LAPTOP, True), (False, MALLORYS_LAPTOP, False)],
)
def test_a_signed_in_device_says_no_with_its_key(
    read_only: bool, thumbprint: str, may: bool
) -> None:
    gate, action = proved(EMAIL)
    gate.give_session(a_session(read_only=read_only))
    signature = SessionSignature(
        session_id=SessionId("ses_alice"), thumbprint=thumbprint, signed_at=gate.now
    )

    assert who(gate, action, Veto(action_id=action, session=signature)) == (
        ("ses_alice", None) if may else None
    )


def test_each_channels_link_is_its_own_and_for_one_action() -> None:
    gate, first = proved(EMAIL, DESKTOP)
    second = gate.propose(send()).action_id
    tokens = {
        veto_token(gate.action(action), channel.channel_id)
        for action in (first, second)
        for channel in (EMAIL, DESKTOP)
    }
    other_key = replace(gate.action(first), veto_key=b64url(b"v" * 32))

    assert len(tokens) == 4
    assert veto_token(other_key, EMAIL.channel_id) not in tokens
    assert all(len(from_b64url(token)) == 32 for token in tokens)


def test_each_channel_has_a_veto_link_of_its_own_for_each_action() -> None:
    """Prevents: one link that says no to everything."""
    gate, action = proved(EMAIL, SMS)
    one = replace(gate.action(action), veto_key=b64url(bytes(32)))
    parts = (action.encode(), EMAIL.channel_id.encode())

    assert veto_token(one, EMAIL.channel_id) == b64url(tagged_mac(bytes(32), "veto/v1", *parts))
    with pytest.raises(MalformedError):
        veto_token(replace(one, veto_key=b64url(bytes(31))), EMAIL.channel_id)


def test_another_persons_agreement_takes_nobodys_no_away() -> None:
    """Prevents: what an API key alone signed, and no channel may stop, since a friend agreed."""
    young = replace(EMAIL, bound_at=NOON - 20 * DAY)
    contact = replace(a_contact(), bound_at=NOON - 400 * DAY, entry=3)
    account = replace(an_account(SYNCED, channels=(young,)), contacts=(contact,))
    gate = Gate(account=account)
    action = gate.action(gate.propose(send()).action_id)
    key, agrees = (
        Shown(
            source=source,
            factor=factor,
            root=None,
            bound_at=NOON - 400 * DAY,
            at=NOON,
            entry=1,
            digest="",
        )
        for source, factor in (
            ("key_1", Factor.API_KEY),
            (contact.authenticator_id, Factor.TRUSTED_CONTACT),
        )
    )
    veto = Veto(action_id=action.action_id, channel_id=young.channel_id)

    for shown in ((key,), (key, agrees)):
        assert entitled(account, replace(action, shown=shown), veto, now=NOON) is not None
