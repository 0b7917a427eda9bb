"""A member as a thief, a hostage-taker, or a thief's prey: one of several people on one account.

Alice, Bob and Carol hold a company's account; two of them agree to what leaves above US$100 a day,
and to whatever weakens it. Mallory has all that Bob has: his keys, his device, and the mailbox that
the company reads in common; or she has bought him; or Bob himself wants a price for being there.

They are stopped by: the second member, whose key no reset, session, API key or mailbox stands for;
the week that every change of members takes, announced to everybody; and the bounds of one member's
no (law 5): who would be removed is not heard against it, one member's freeze lapses, and a lock of
one member's is no longer than a removal. So a rogue member costs a week, and holds nothing longer.
"""

import pytest
from msgspec.structs import replace
from support.cast import ALICE, DAY, HOUR, MALLORYS_LAPTOP, MEMBER, NOON, OLD_ADDRESS
from support.companies import (
    BOB,
    BOBS,
    BOBS_OTHER,
    CAROL,
    CAROLS,
    DAVE,
    DAVES,
    a_company,
    add_member,
    agrees,
    asks,
    done,
    loosen,
    member,
    member_key,
    names,
    remove_member,
    session_of,
)
from support.gates import Gate
from support.worlds import (
    DESKTOP,
    EMAIL,
    FREEZE,
    SMS,
    SYNCED,
    a_password,
    add_contact,
    an_app,
    bind,
    list_address,
    make_key,
    remove,
    repudiate,
    reset_password,
    send,
    sign_in,
)

from twinlock.domain.actions import AnyPayload, LimitLower, LockTighten
from twinlock.domain.assurance import Factor
from twinlock.domain.authenticators.faults import ProofFault
from twinlock.domain.authenticators.model import Passkey, Password, Totp
from twinlock.domain.bounds import FAILURES_MOST, MEMBER_WAIT, WEAK_FREEZE_LENGTH
from twinlock.domain.canonical import b64url
from twinlock.domain.channels import Channel
from twinlock.domain.disputes import Contest
from twinlock.domain.errors import DocumentTooLargeError
from twinlock.domain.exits import WithdrawalCrypto
from twinlock.domain.ids import MemberId
from twinlock.domain.proposals import MemberUnknownError
from twinlock.domain.quorums import Quorum
from twinlock.domain.reasons import Reason
from twinlock.domain.requirements import Answer, reasons

MALLORYS = "0x" + "6" * 40
TWO = Quorum(two_cents=100_00)
LOWER = LimitLower(account=ALICE, day_cents=0, destination_cents=None, agreement_cents=None)
LOCK = LockTighten(account=ALICE, days=30, two_keys=False)


@pytest.fixture
def gate() -> Gate:
    company = a_company(quorum=TWO)
    company.account = replace(
        company.account,
        sessions=(session_of("ses_bob", BOB.member_id), session_of("ses_carol", CAROL.member_id)),
    )
    return company


def bob_tries(gate: Gate, payload: AnyPayload, secret: str = "") -> str:
    """Have it done with all that Bob has, by whoever has it."""
    action = gate.propose(payload, secret, member=BOB.member_id).action_id
    for key in (BOBS, BOBS_OTHER):
        if gate.is_open(action):
            gate.prove(action, key)
    return action


# --- A thief with all that one member has ---


def test_all_that_one_member_has_moves_the_sum_of_a_day_and_no_more(gate: Gate) -> None:
    """For almost a week, every day, to an old address and to the thief's."""
    for day in range(6):
        for payload in (send(100), send(500), send(500, to=MALLORYS), list_address(MALLORYS)):
            try:
                action = bob_tries(gate, payload)
            except DocumentTooLargeError:
                continue
            if gate.is_open(action) and isinstance(payload, WithdrawalCrypto):
                gate.spend(action)
        assert gate.account.spent.cents == 100_00, day
        gate.wait(DAY)


@pytest.mark.parametrize(
    ("payload", "secret"),
    [
        (loosen(None), ""),
        (remove_member(CAROL.member_id), ""),
        (remove_member(MEMBER), ""),
        add_member("Mallory"),
        bind(replace(member_key("Mallory"), member_id=BOB.member_id)),
        (make_key("trade"), ""),
        (remove(BOBS_OTHER), ""),
    ],
    ids=["loosen", "remove Carol", "remove Alice", "add", "bind", "key", "own key"],
)
def test_one_members_thief_weakens_nothing_however_long_he_waits(
    gate: Gate, payload: AnyPayload, secret: str
) -> None:
    before = gate.account
    bob_tries(gate, payload, secret)
    gate.wait(14 * DAY)
    gate.settle()

    assert gate.account.members == before.members
    assert gate.account.quorum == TWO
    assert gate.account.api_keys == ()
    assert len(gate.account.authenticators) == len(before.authenticators)


def test_a_thief_signs_nothing_in_another_members_name(gate: Gate) -> None:
    """By no reset, no code of the mailbox that all read, and no key of Bob's."""
    reset, secret = reset_password()
    for payload, what in ((reset, secret), (send(500), ""), (remove_member(), "")):
        action = gate.propose(payload, what).action_id
        for source in (EMAIL, SMS, BOBS, BOBS_OTHER):
            if gate.is_open(action):
                gate.prove(action, source)
        assert not gate.is_open(action) or gate.action(action).authorized_at is None
    gate.wait(8 * DAY)
    gate.settle()

    assert gate.account.spent.cents == 0
    assert BOB.name in names(gate.account)


def test_a_stranger_whom_a_thief_made_a_member_falls_with_the_key_that_did(gate: Gate) -> None:
    """The account had one member and no quorum then; a newcomer's key added a friend."""
    thiefs = replace(member_key("Thief"), member_id=MemberId(MEMBER), bound_at=NOON - DAY, entry=5)
    alone = (thiefs, *(o for o in gate.account.authenticators if o.member_id == MEMBER))
    friend = replace(BOBS, by=(5,))
    gate.account = replace(
        gate.account, authenticators=(*alone, friend, CAROLS), sessions=(), members=(BOB, CAROL)
    )
    action = asks(gate, send(500, to=MALLORYS))
    agrees(gate, action, friend)
    asks(gate, repudiate(thiefs))
    gate.wait(4 * DAY)

    assert not gate.is_open(action) or gate.spend(action).answer is not Answer.ALLOW


def test_a_mailbox_that_all_read_takes_no_members_only_key_away(gate: Gate) -> None:
    """Bob joined three days ago, and where two agree nothing goes on without him.

    Mallory has the company's mailbox and nothing else. Prevents: an account that nobody can move
    any more, since one letter said "not me" of the only key that one member has.
    """
    young = replace(BOBS, bound_at=NOON - 3 * DAY, entry=5)
    others = (o for o in gate.account.authenticators if o.member_id != BOB.member_id)
    bob = replace(BOB, joined_at=young.bound_at)
    gate.account = replace(gate.account, authenticators=(*others, young), members=(bob, CAROL))
    said = gate.propose(repudiate(young), member=BOB.member_id).action_id
    gate.prove(said, EMAIL)

    assert gate.account.authenticator(young.authenticator_id) is not None
    again = gate.propose(repudiate(young), member=BOB.member_id)
    assert again.answer is Answer.DENY
    gate.wait(WEAK_FREEZE_LENGTH)
    bill = asks(gate, send(400))
    assert agrees(gate, bill, young).fault is None
    assert Reason.MEMBERS_NEEDED not in reasons(gate.spend(bill).requirement)


def test_what_a_member_agreed_to_falls_with_the_key_that_agreed(gate: Gate) -> None:
    """Bob's stolen key agreed to what Mallory had Alice ask for; Bob notices and says so."""
    action = done(gate, send(500, to=MALLORYS), BOBS)
    gate.wait(HOUR)
    away = gate.propose(remove(BOBS), member=BOB.member_id).action_id
    gate.prove(away, BOBS_OTHER)
    agrees(gate, away, CAROLS)
    gate.wait(3 * DAY)
    gate.settle()

    assert gate.account.authenticator(BOBS.authenticator_id) is None
    assert Reason.MEMBERS_NEEDED in reasons(gate.spend(action).requirement)


# --- A rogue member, and one who was bought ---


def test_a_rogue_member_holds_nothing_up_longer_than_a_week_and_a_freeze(gate: Gate) -> None:
    """He freezes, lowers, locks, and says no to all of it, by his device and every mailbox."""
    removal = done(gate, remove_member(), CAROLS)
    for payload in (FREEZE, LOWER, LOCK, replace(LOCK, days=7)):
        bob_tries(gate, payload)
    bobs = gate.account.sessions[0]
    for channel in (EMAIL, SMS, DESKTOP):
        assert gate.veto(removal, channel).answer is Answer.DENY
    assert gate.veto(removal, session=gate.signs(bobs)).answer is Answer.DENY
    gate.wait(MEMBER_WAIT - HOUR)
    bob_tries(gate, FREEZE)
    gate.wait(HOUR + WEAK_FREEZE_LENGTH)
    gate.settle()

    assert names(gate.account) == ["Carol"]
    with pytest.raises(MemberUnknownError):
        gate.propose(FREEZE, member=BOB.member_id)


def test_a_rogue_member_who_freezes_by_every_channel_is_removed_all_the_same(gate: Gate) -> None:
    """He freezes with all that he has and reads, one after the other, from before it is asked for.

    Prevents: a removal that lapses under his freezes, and is asked for once more until he may
    freeze again: for ever.
    """
    password = replace(a_password("aut_bobs_word"), member_id=BOB.member_id)
    app = replace(an_app("aut_bobs_app"), member_id=BOB.member_id)
    bound = (*gate.account.authenticators, password, app)
    gate.account = replace(gate.account, authenticators=bound)
    sources: tuple[Password | Totp | Channel, ...] = (password, app, EMAIL)
    for number, source in enumerate(sources):
        gate.prove(gate.propose(FREEZE, member=BOB.member_id).action_id, source)
        if number == 0:
            done(gate, remove_member(), CAROLS)
        gate.wait(WEAK_FREEZE_LENGTH - HOUR)
    gate.settle()

    frozen_until = gate.account.freeze.until
    assert frozen_until is not None
    assert frozen_until > gate.now
    assert names(gate.account) == ["Carol"]


def test_a_rogue_member_pushes_out_nothing_that_another_has_proved(gate: Gate) -> None:
    """He asks for one thing after the other, with two keys and in his session, all day.

    Carol agrees to his removal when she reads of it in the evening. Prevents: one member's script,
    by which nothing that takes several is ever agreed to.
    """
    removal = asks(gate, remove_member())
    for number in range(12):
        gate.wait(HOUR / 2)
        begun = session_of("ses_bob", BOB.member_id, started_at=gate.now, seen_at=gate.now)
        gate.account = replace(gate.account, sessions=(begun,))
        signed = gate.signs(begun)
        payload = send(500 + number)
        action = gate.propose(payload, member=BOB.member_id, session=signed).action_id
        for key in (BOBS, BOBS_OTHER):
            if gate.is_open(action):
                gate.prove(action, key)
        assert gate.is_open(removal), number
    assert agrees(gate, removal, CAROLS).answer is Answer.HOLD
    gate.wait(MEMBER_WAIT)
    gate.settle()

    assert names(gate.account) == ["Carol"]


def test_a_rogue_member_fills_half_of_the_account_and_no_more() -> None:
    """Of five members, with a document that is long as it is: his withdrawals are small and long.

    Prevents: an account that is too full for the agreements to one member's removal.
    """
    gate = a_company(BOB, CAROL, DAVE, member("Erin"), quorum=replace(TWO, three_cents=100_00))
    erins = member_key("Erin")
    known = (one for one in gate.account.authenticators if isinstance(one, Passkey))
    keys = (*known, erins, member_key("Erin", 2), member_key("Dave", 2))
    gate.account = replace(gate.account, authenticators=tuple(map(at_length, keys)))
    bobs = session_of("ses_bob", BOB.member_id)
    gate.account = replace(gate.account, sessions=(bobs,))
    asked = [
        gate.propose(
            replace(send(10 + number, to="0x" + f"{number}" * 40), memo="m" * 128),
            member=BOB.member_id,
            session=gate.signs(bobs),
        ).action_id
        for number in range(4)
    ]
    waiting = [gate.prove(one, at_length(BOBS)).answer for one in reversed(asked)]
    assert waiting.count(Answer.HOLD) == 2

    removal = done(gate, remove_member(), *map(at_length, (CAROLS, DAVES)), by=at_length(SYNCED))
    gate.wait(MEMBER_WAIT)
    gate.settle()

    assert not gate.is_open(removal)
    assert BOB.name not in names(gate.account)


def at_length(one: Passkey) -> Passkey:
    """Return a passkey as long as real ones are, with a name as long as it may be."""
    own = b64url(one.authenticator_id.encode().ljust(77, b"."))
    return replace(one, credential_id=own, public_key=own, name="n" * 64)


def test_a_rogue_member_says_no_once_and_then_the_third_one_decides(gate: Gate) -> None:
    bobs = gate.account.sessions[0]
    first = done(gate, list_address(MALLORYS), CAROLS)
    gate.veto(first, session=gate.signs(bobs))
    second = done(gate, list_address(MALLORYS), CAROLS)
    gate.veto(second, session=gate.signs(bobs))
    gate.wait(DAY)
    gate.settle()

    assert len(gate.account.destinations) == 2
    assert OLD_ADDRESS != MALLORYS


def contest_of(gate: Gate) -> Contest | None:
    return gate.account.disputes.contest


def test_two_keys_of_one_member_take_nobodys_no_away(gate: Gate) -> None:
    """Mallory has both of Bob's keys; Carol says no twice to what they ask for.

    Prevents: a contest that its asker decides with their other key, after which nobody hears Carol
    for a month.
    """
    carols = gate.account.sessions[1]
    gate.veto(asks(gate, send(5), BOBS), session=gate.signs(carols))
    again = asks(gate, send(5), BOBS)
    gate.veto(again, session=gate.signs(carols))
    gate.prove(again, BOBS_OTHER)

    assert contest_of(gate) is not None
    said = gate.spend(again)
    assert (said.answer, reasons(said.requirement)) == (Answer.CHALLENGE, (Reason.CONTESTED,))
    assert gate.account.disputes.silent == {}
    agrees(gate, again, SYNCED)  # Alice stands on neither side.
    assert contest_of(gate) is None
    assert gate.spend(again).answer is Answer.ALLOW


def test_a_contact_whom_several_chose_leaves_by_no_single_members_word(gate: Gate) -> None:
    """Bob asked for her with a new key of his, and says later that the key was never his."""
    new = replace(BOBS_OTHER, bound_at=NOON - 3 * DAY, entry=77)
    rest = (o for o in gate.account.authenticators if o != BOBS_OTHER)
    gate.account = replace(gate.account, authenticators=(*rest, new))
    payload, secret = add_contact("Zoe")
    done(gate, payload, CAROLS, by=new, secret=secret)
    asks(gate, repudiate(new), BOBS)

    assert gate.account.authenticator(new.authenticator_id) is None
    assert [one.name for one in gate.account.contacts] == ["Zoe"]


def test_a_bribed_member_who_agrees_to_everything_is_one_member(gate: Gate) -> None:
    """Mallory has Bob's agreement for money, and nothing of anybody else's."""
    action = gate.propose(send(500, to=MALLORYS)).action_id

    assert agrees(gate, action, BOBS).fault is ProofFault.AGREEMENT_NOT_NEEDED
    own = asks(gate, send(500, to=MALLORYS), BOBS)
    assert agrees(gate, own, BOBS_OTHER).fault is ProofFault.WRONG_CREDENTIAL
    assert gate.agree(own, BOBS_OTHER).fault is not None


# --- The benign twins ---


def test_two_members_pay_a_bill_in_a_minute(gate: Gate) -> None:
    action = done(gate, send(400), BOBS)

    assert gate.spend(action).answer is Answer.ALLOW


def test_a_member_who_is_away_holds_nothing_up(gate: Gate) -> None:
    """Bob is ill, or has left: Alice and Carol go on, and part from him in a week."""
    assert gate.spend(done(gate, send(400), CAROLS)).answer is Answer.ALLOW
    done(gate, remove_member(), CAROLS)
    gate.wait(MEMBER_WAIT)
    gate.settle()

    assert names(gate.account) == ["Carol"]


def test_any_member_who_sees_a_theft_stops_it_at_once(gate: Gate) -> None:
    """Alice and Bob were both talked into it; Carol is not even asked, and freezes."""
    action = done(gate, send(500, to=MALLORYS), BOBS)
    asks(gate, FREEZE, CAROLS)
    assert Reason.ACCOUNT_FROZEN in reasons(gate.spend(action).requirement)
    gate.veto(action, session=gate.signs(gate.account.sessions[1]))

    assert not gate.is_open(action)
    assert gate.account.spent.cents == 0


def test_she_guesses_at_carols_password_as_often_as_a_stranger(gate: Gate) -> None:
    """As Carol, by the mailbox that all read, she would veto the removal of Bob."""
    carols = replace(a_password("aut_carols"), member_id=CAROL.member_id)
    bound = (*gate.account.authenticators, carols)
    gate.account = replace(gate.account, authenticators=bound)
    read = 0
    for _ in range(3 * FAILURES_MOST):
        asks(gate, sign_in(MALLORYS_LAPTOP), BOBS)  # Her own passkey, between any two guesses.
        guess = gate.propose(sign_in(MALLORYS_LAPTOP), member=CAROL.member_id).action_id
        told = gate.wrong(guess, Factor.PASSWORD, ProofFault.PASSWORD_WRONG)
        read += told.fault is ProofFault.PASSWORD_WRONG
        gate.wait_until(gate.account.throttle.until or gate.now)

    assert read == FAILURES_MOST
    asks(gate, sign_in(), CAROLS)
    assert gate.account.throttle.failures == 0


def test_once_carol_has_left_nobody_need_open_what_was_guessed_at_hers(gate: Gate) -> None:
    guess = gate.propose(sign_in(MALLORYS_LAPTOP), member=CAROL.member_id).action_id
    gate.wrong(guess, Factor.PASSWORD, ProofFault.PASSWORD_WRONG)
    asks(gate, sign_in(), BOBS)
    before = gate.account.throttle.failures
    done(gate, remove_member(CAROL.member_id), BOBS)
    gate.wait(MEMBER_WAIT)
    gate.settle()
    asks(gate, sign_in(), BOBS)

    assert (before, gate.account.throttle.failures) == (1, 0)


@pytest.mark.parametrize("channel", [EMAIL, SMS])
def test_with_carols_password_too_a_mailbox_that_all_read_opens_nothing(
    gate: Gate, channel: Channel
) -> None:
    """As Carol she would veto the removal of Bob, and freeze once more."""
    carols = replace(a_password("aut_carols"), member_id=CAROL.member_id)
    bound = (*gate.account.authenticators, carols)
    gate.account = replace(gate.account, authenticators=bound)
    before = gate.account.sessions
    started = gate.propose(sign_in(MALLORYS_LAPTOP), member=CAROL.member_id).action_id
    gate.prove(started, carols)

    assert gate.ask(started, channel).fault is ProofFault.BELOW_FLOOR
    assert gate.account.sessions == before
