"""What a thief bound by one relayed consent, against the owner who says "this was not me".

Mallory had one proof of Alice's relayed, and has things of her own bound for it. She wants them to
outlive Alice's word: so she removes what proved, replaces it, has more of the same wait, or has her
own things repudiated around the one that counts. She is stopped by law 3: for 30 days anything
older undoes what she bound, bound still or not, with all that stands on it.
"""

from datetime import timedelta

import pytest
from msgspec.structs import replace
from support.cast import ALICE, DAY, HOUR, MALLORYS_ADDRESS, MALLORYS_LAPTOP, NOON
from support.gates import Gate, Source
from support.worlds import (
    APP,
    DESKTOP,
    EMAIL,
    PASSWORD,
    SYNCED,
    a_destination,
    a_passkey,
    an_account,
    an_app,
    bind,
    change_contact,
    change_password,
    destination_id,
    list_address,
    make_key,
    remove,
    repudiate,
    reset_password,
    send,
)

from twinlock.domain.actions import ApiKeyRevoke
from twinlock.domain.assurance import Factor
from twinlock.domain.authenticators.model import Authenticator, Passkey, Password
from twinlock.domain.channels import Channel, ChannelKind
from twinlock.domain.commands import Right
from twinlock.domain.decisions import Decision
from twinlock.domain.events import ActionVetoed
from twinlock.domain.ids import ApiKeyId, ChannelId
from twinlock.domain.policy.facts import DestinationState
from twinlock.domain.policy.leaving import state_of
from twinlock.domain.reasons import Reason
from twinlock.domain.requirements import Answer, reasons

SERVER = "203.0.113.7"
HERS = destination_id("ethereum", MALLORYS_ADDRESS, "")
THIEFS = a_passkey("aut_first")
SECOND = a_passkey("aut_second")
THIEFS_MAIL = Channel(
    channel_id=ChannelId("chn_thief"),
    kind=ChannelKind.EMAIL,
    address="mallory@example.net",
    bound_at=NOON,
)


def gate_of(*authenticators: Authenticator) -> Gate:
    return Gate.of(an_account(*(authenticators or (PASSWORD, SYNCED))), a_destination())


def bound(gate: Gate, made: Authenticator, *proofs: Source) -> Authenticator:
    """Bind ``made`` with these proofs, and return it when its wait is over."""
    gate.prove(gate.propose(*bind(made)).action_id, *proofs)
    settled(gate, 2 * DAY)
    found = gate.account.authenticator(made.authenticator_id)
    assert found is not None
    return found


def settled(gate: Gate, length: timedelta) -> None:
    gate.wait(length)
    gate.settle()


def removed(gate: Gate, one: Authenticator, by: Authenticator) -> None:
    gate.prove(gate.propose(remove(one)).action_id, by)
    settled(gate, 4 * DAY)
    assert gate.account.authenticator(one.authenticator_id) is None


def way_out(gate: Gate, by: Authenticator) -> None:
    """List Mallory's address, and make a key that withdraws to it."""
    gate.prove(gate.propose(list_address(MALLORYS_ADDRESS)).action_id, by)
    settled(gate, 2 * DAY)
    made = make_key(
        "withdraw", ip_list=(f"{SERVER}/32",), destinations=(HERS,), daily_cents=10_000_00
    )
    gate.prove(gate.propose(made, "key_hers").action_id, by)


def not_me(gate: Gate, one: Authenticator | Channel, *, by: Channel = DESKTOP) -> Decision:
    """Say by the link of the notice that ``one``, as it was when it was bound, is not Alice's."""
    named = one.channel_id if isinstance(one, Channel) else one.authenticator_id
    return gate.repudiate(
        "act_over", target=named, channel=by, entry=one.entry, bound_at=one.bound_at
    )


def pays(gate: Gate, key: str, public_key: str, *, to: str = MALLORYS_ADDRESS) -> Answer:
    """Withdraw by the API key ``key``, and return how far that comes."""
    action = gate.propose(send(90, to=to)).action_id
    right = Right(factor=Factor.API_KEY, source=key, against=public_key, ip=SERVER, evidence=b"{}")
    if gate.is_open(action):
        gate.answer(action, right)
    return gate.spend(action).answer if gate.is_open(action) else Answer.DENY


def listed(gate: Gate) -> DestinationState:
    return state_of(gate.account, gate.destinations[HERS], lapse=30 * DAY, now=gate.now)


# --- What proved is removed ---


def test_a_way_out_of_a_passkey_that_is_gone_falls_with_the_one_that_bound_it() -> None:
    gate = gate_of()
    first = bound(gate, THIEFS, SYNCED)
    second = bound(gate, SECOND, first)
    way_out(gate, second)
    removed(gate, second, second)
    assert [one.api_key_id for one in gate.account.api_keys] == ["key_hers"]
    said = gate.prove(gate.propose(repudiate(first)).action_id, SYNCED)

    assert said.answer is Answer.ALLOW
    assert gate.account.api_keys == ()
    assert listed(gate) is DestinationState.UNPROVED
    settled(gate, 4 * DAY)
    assert pays(gate, "key_hers", "P" * 43) is not Answer.ALLOW


def test_a_passkey_that_removed_itself_is_undone_by_its_link() -> None:
    gate = gate_of()
    thiefs = bound(gate, THIEFS, SYNCED)
    second = bound(gate, SECOND, thiefs)
    way_out(gate, thiefs)
    gate.sign_in(thiefs, device=MALLORYS_LAPTOP)
    removed(gate, thiefs, thiefs)
    waits = gate.propose(*bind(an_app("aut_third"))).action_id
    gate.prove(waits, second)
    said = not_me(gate, thiefs)

    assert (said.kind, said.answer) == ("authenticator.repudiate", Answer.ALLOW)
    assert {one.authenticator_id for one in gate.account.authenticators} == {
        "aut_password",
        "aut_passkey",
    }
    assert gate.account.api_keys == ()
    assert gate.account.sessions == ()
    assert not gate.is_open(waits)
    assert listed(gate) is DestinationState.UNPROVED
    again = not_me(gate, thiefs)
    assert reasons(again.requirement) == (Reason.TARGET_GONE,)


def test_what_is_gone_is_undone_for_thirty_days_and_by_the_older_only() -> None:
    gate = gate_of()
    thiefs = bound(gate, THIEFS, SYNCED)
    removed(gate, thiefs, SYNCED)
    young = replace(EMAIL, channel_id=ChannelId("chn_young"), bound_at=thiefs.bound_at)
    gate.account = replace(gate.account, channels=(*gate.account.channels, young))

    assert reasons(not_me(gate, thiefs, by=young).requirement) == (Reason.NOT_ENTITLED,)
    gate.wait_until(thiefs.bound_at + 30 * DAY)
    assert reasons(not_me(gate, thiefs).requirement) == (Reason.REPUDIATION_OVER,)


def test_what_a_password_proved_falls_though_another_took_its_place() -> None:
    gate = Gate.of(an_account(PASSWORD, channels=(EMAIL, DESKTOP)))
    gate.prove(gate.propose(*change_password("Mallory's")).action_id, PASSWORD, EMAIL)
    hers = gate.account.authenticator("aut_password")
    assert hers is not None
    gate.prove(gate.propose(make_key(), "key_hers").action_id, hers, EMAIL)
    settled(gate, 2 * DAY)
    gate.prove(gate.propose(*change_password("another")).action_id, hers, EMAIL)
    now = gate.account.authenticator("aut_password")
    assert now is not None
    assert now.entry != hers.entry
    said = not_me(gate, hers)

    assert said.answer is Answer.ALLOW
    assert gate.account.api_keys == ()
    after = gate.account.authenticator("aut_password")
    assert after is not None
    assert after.suspended(gate.now)  # Hers proved it.


# --- What was replaced is back ---


def test_a_replaced_mailbox_is_back_when_what_replaced_it_is_removed() -> None:
    gate = gate_of()
    action = gate.change_contact(EMAIL, THIEFS_MAIL, SYNCED)
    settled(gate, 2 * DAY)
    hers = gate.account.channel("chn_thief")
    assert hers is not None
    gate.prove(gate.propose(*change_contact(hers, None)).action_id, SYNCED)
    settled(gate, 3 * DAY)

    assert set(gate.account.channels) == {EMAIL, DESKTOP}
    said = gate.repudiate(
        action, target="chn_thief", channel=EMAIL, entry=hers.entry, bound_at=hers.bound_at
    )
    assert (said.kind, said.answer) == ("contact.repudiate", Answer.ALLOW)


def test_after_thirty_days_what_was_replaced_stays_away() -> None:
    gate = gate_of()
    gate.change_contact(EMAIL, THIEFS_MAIL, SYNCED)
    settled(gate, 2 * DAY)
    new = gate.account.channel("chn_thief")
    assert new is not None
    gate.wait(28 * DAY)
    gate.prove(gate.propose(*change_contact(new, None)).action_id, SYNCED)
    settled(gate, 3 * DAY)

    assert gate.account.channels == (DESKTOP,)


def test_an_address_that_is_there_already_does_not_come_back_twice() -> None:
    gate = gate_of()
    gate.change_contact(EMAIL, THIEFS_MAIL, SYNCED)
    settled(gate, 2 * DAY)
    new = gate.account.channel("chn_thief")
    gate.change_contact(None, replace(EMAIL, channel_id=ChannelId("chn_again")), SYNCED)
    settled(gate, 2 * DAY)
    gate.prove(gate.propose(*change_contact(new, None)).action_id, SYNCED)
    settled(gate, 3 * DAY)

    assert {one.channel_id for one in gate.account.channels} == {"chn_desktop", "chn_again"}


# --- Nothing comes back by itself ---


def the_same(name: str) -> Passkey:
    return replace(THIEFS, authenticator_id=replace(a_passkey(name)).authenticator_id)


def test_a_passkey_that_was_repudiated_does_not_come_back() -> None:
    """Prevents: four bindings of one key, and four repudiations to be rid of it."""
    gate = gate_of()
    for number in range(4):
        gate.prove(gate.propose(*bind(the_same(f"aut_{number}"))).action_id, SYNCED)
    settled(gate, DAY + HOUR)
    thiefs = gate.account.authenticator("aut_0")
    assert thiefs is not None
    assert gate.account.actions == ()  # There is no place for the same again: the rest is over.
    gate.prove(gate.propose(repudiate(thiefs)).action_id, SYNCED)
    settled(gate, 8 * DAY)

    assert gate.account.authenticators == (
        gate.account.authenticator("aut_password"),
        gate.account.authenticator("aut_passkey"),
    )


def test_what_waits_for_its_turn_falls_with_the_same_that_is_taken_away() -> None:
    gate = gate_of()
    gate.prove(gate.propose(*bind(THIEFS)).action_id, SYNCED)
    gate.wait(23 * HOUR)
    later = gate.propose(*bind(the_same("aut_later"))).action_id
    gate.prove(later, SYNCED)
    settled(gate, 2 * HOUR)
    thiefs = gate.account.authenticator("aut_first")
    assert thiefs is not None
    assert gate.is_open(later)
    said = gate.prove(gate.propose(repudiate(thiefs)).action_id, SYNCED)
    _, decided, _ = gate.book[-1]

    assert said.answer is Answer.ALLOW
    assert not gate.is_open(later)
    assert [type(one) for one in decided.decisions[0].events] == [ActionVetoed]
    settled(gate, 2 * DAY)
    assert gate.account.authenticator("aut_later") is None


@pytest.mark.parametrize("asks", [False, True], ids=["nobody asks", "somebody asks"])
def test_a_removal_that_is_due_takes_along_what_would_undo_it(asks: bool) -> None:
    """Prevents: asking about the second binding just when the removal takes effect."""
    gate = gate_of()
    gate.prove(gate.propose(*bind(THIEFS)).action_id, SYNCED)
    gate.wait(23 * HOUR)
    longer = gate.propose(*bind(the_same("aut_longer"))).action_id
    gate.prove(longer, SYNCED)
    told = {"until": NOON + 20 * DAY, "lapses_at": NOON + 27 * DAY}  # As another policy had it.
    waiting = (replace(one, **told) for one in gate.account.actions if one.action_id == longer)
    rest = (one for one in gate.account.actions if one.action_id != longer)
    gate.account = replace(gate.account, actions=(*rest, *waiting))
    settled(gate, 2 * HOUR)
    gate.prove(gate.propose(remove(THIEFS)).action_id, SYNCED)
    gate.wait(4 * DAY)
    assert gate.is_open(longer)
    if asks:
        said = gate.ask(longer, SYNCED)
        assert (said.answer, reasons(said.requirement)) == (Answer.DENY, (Reason.TARGET_GONE,))
    else:
        gate.settle()

    assert not gate.is_open(longer)
    assert gate.account.authenticator("aut_first") is None


@pytest.mark.parametrize("by", ["revoked", "repudiated"])
def test_an_api_key_that_is_dead_does_not_live_again(by: str) -> None:
    """Prevents: a second creation of one key, with a larger sum, in force after the first."""
    gate = gate_of()
    signer = bound(gate, THIEFS, SYNCED)
    for name, cents, proof in (("key_1", 100_00, signer), ("key_2", 999_00, SYNCED)):
        made = make_key(
            "withdraw",
            ip_list=(f"{SERVER}/32",),
            destinations=(a_destination().destination_id,),
            daily_cents=cents,
        )
        gate.prove(gate.propose(made, name).action_id, proof)
        gate.wait(HOUR)
    settled(gate, DAY - HOUR - timedelta(minutes=1))
    assert [one.api_key_id for one in gate.account.api_keys] == ["key_1"]
    if by == "revoked":
        dead = ApiKeyRevoke(account=ALICE, api_key_id=ApiKeyId("key_1"))
        gate.prove(gate.propose(dead).action_id, SYNCED)
    else:
        gate.prove(gate.propose(repudiate(signer)).action_id, SYNCED)
    settled(gate, 8 * DAY)

    assert gate.account.api_keys == ()


def test_a_channel_that_was_repudiated_does_not_come_back() -> None:
    gate = gate_of()
    for number in range(3):
        again = replace(THIEFS_MAIL, channel_id=ChannelId(f"chn_{number}"))
        gate.change_contact(None, again, SYNCED)
        gate.wait(HOUR)
    settled(gate, 2 * DAY - 3 * HOUR + timedelta(minutes=1))
    hers = gate.account.channel("chn_0")
    assert hers is not None
    gate.prove(gate.propose(repudiate(hers)).action_id, SYNCED)
    settled(gate, 8 * DAY)

    assert set(gate.account.channels) == {EMAIL, DESKTOP}


def test_a_reset_that_waits_does_not_bring_back_a_repudiated_password() -> None:
    gate = gate_of(PASSWORD, APP)
    for number in range(2):
        action = gate.propose(*reset_password(f"Mallory's {number}")).action_id
        gate.prove(action, APP)
        gate.wait(HOUR)
    settled(gate, DAY - 2 * HOUR + timedelta(minutes=1))
    hers = gate.account.authenticator("aut_password")
    assert hers is not None
    [waits] = gate.account.actions
    assert not_me(gate, hers).answer is Answer.ALLOW

    assert not gate.is_open(waits.action_id)


@pytest.mark.parametrize("by", [EMAIL, APP])
def test_a_reset_of_the_owners_stands_when_he_undoes_the_thiefs_password(by: Source) -> None:
    """Prevents: a password of the thief's that is live again after the 72 hours of "not me"."""
    gate = gate_of(PASSWORD, APP)
    gate.prove(gate.propose(*reset_password("Mallory's")).action_id, APP)
    settled(gate, 2 * DAY)
    hers = gate.account.authenticator("aut_password")
    assert hers is not None
    own = gate.propose(*reset_password("Alice's")).action_id
    gate.prove(own, APP)
    gate.wait(HOUR)
    if isinstance(by, Channel):
        assert not_me(gate, hers, by=by).answer is Answer.ALLOW
    else:
        assert gate.prove(gate.propose(repudiate(hers)).action_id, by).answer is Answer.ALLOW
    suspended = gate.account.authenticator("aut_password")
    assert suspended is not None
    assert suspended.suspended(gate.now)
    assert gate.is_open(own)

    settled(gate, 2 * DAY)
    now = gate.account.authenticator("aut_password")
    assert isinstance(now, Password)
    assert (now.verifier, now.suspension) == ("Alice's", None)


def test_a_reset_that_waits_falls_with_a_password_that_is_removed() -> None:
    gate = gate_of(PASSWORD, SYNCED, APP)
    removal = gate.propose(remove(PASSWORD)).action_id
    gate.prove(removal, SYNCED)
    due = gate.action(removal).until
    assert due is not None
    gate.wait_until(due - HOUR)
    waits = gate.propose(*reset_password("Mallory's")).action_id
    gate.prove(waits, SYNCED)
    assert gate.is_open(waits)
    settled(gate, 8 * DAY)

    assert gate.account.authenticator("aut_password") is None
    assert not gate.is_open(waits)


# --- Doubts that cover what was never repudiated ---


def test_a_newcomer_among_repudiated_ones_can_be_repudiated() -> None:
    """Prevents: a thief who has his own things undone, so that what counts seems undone too."""
    gate = gate_of()
    before = bound(gate, an_app("aut_x1"), SYNCED)
    thiefs = bound(gate, THIEFS, SYNCED)
    after = [bound(gate, an_app(f"aut_x{number}"), SYNCED) for number in (2, 3, 4)]
    for one in (before, *after):
        gate.prove(gate.propose(repudiate(one)).action_id, PASSWORD)
    said = gate.prove(gate.propose(repudiate(thiefs)).action_id, SYNCED)

    assert said.answer is Answer.ALLOW
    assert gate.account.authenticator("aut_first") is None
