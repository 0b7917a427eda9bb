"""Room on an account of several members: nobody's proposals take what the others need."""

import pytest
from msgspec.structs import replace
from support.cast import NOON
from support.companies import (
    BOB,
    BOBS,
    BOBS_OTHER,
    CAROL,
    CAROLS,
    TWO_ABOVE,
    a_company,
    agrees,
    asks,
    remove_member,
)
from support.gates import Gate
from support.worlds import (
    FREEZE,
    SYNCED,
    a_passkey,
    a_password,
    an_account,
    bind,
    reset_password,
    saved_codes,
    send,
)

from twinlock.domain.account import ActionState, OpenAction
from twinlock.domain.actions import AnyPayload
from twinlock.domain.assurance import Factor
from twinlock.domain.bounds import AUTHENTICATORS_MOST, CHALLENGE_LIFETIME, DOCUMENT_ROOM
from twinlock.domain.canonical import b64url, encode
from twinlock.domain.commands import Ask
from twinlock.domain.errors import DocumentTooLargeError
from twinlock.domain.ids import ActionId, ChallengeId, tail
from twinlock.domain.limits import Limits
from twinlock.domain.quorums import Quorum
from twinlock.domain.reasons import Reason
from twinlock.domain.requirements import Answer, reasons
from twinlock.domain.room import bytes_that_last, fills_bytes, gives_way

TWO = Quorum(two_cents=TWO_ABOVE)


@pytest.fixture
def gate() -> Gate:
    return a_company(quorum=TWO)


def filled_to(gate: Gate, left: int) -> None:
    """Make the account as long as leaves ``left`` bytes for what lasts."""
    account = gate.account
    first, *rest = account.members
    missing = DOCUMENT_ROOM - left - bytes_that_last(account)
    longer = replace(first, name=first.name + "n" * missing)
    gate.account = replace(account, members=(longer, *rest))


def test_of_several_members_whoever_has_proved_most_gives_way(gate: Gate) -> None:
    """Also where the others show less: one passkey and no device."""
    first = asks(gate, send(500))
    own = [asks(gate, send(600 + number), BOBS) for number in range(3)]
    for one in own:
        gate.prove(one, BOBS_OTHER)
    pushed = gives_way(gate.account, now=gate.now)

    assert pushed is not None
    assert pushed.action_id == own[0]
    assert gate.is_open(first)


def test_what_nobody_proved_gives_way_first(gate: Gate) -> None:
    """Prevents: a stranger's proposals in one member's name, which then counts as theirs."""
    for number in range(3):
        asks(gate, send(600 + number), BOBS)
    loose = gate.propose(send(50)).action_id
    pushed = gives_way(gate.account, now=gate.now)

    assert pushed is not None
    assert pushed.action_id == loose


def test_what_waits_counts_for_nobody(gate: Gate) -> None:
    """Who has much that waits has not asked for more of what still may give way."""
    for number in range(2):
        asks(gate, send(10, to="0x" + f"{number + 4}" * 40))
    own = asks(gate, send(500))
    hers = asks(gate, send(600), CAROLS)
    asks(gate, send(601), CAROLS)
    asks(gate, send(602), BOBS)
    pushed = gives_way(gate.account, now=gate.now)

    assert pushed is not None
    assert pushed.action_id == hers
    assert gate.is_open(own)


def test_what_nobody_proved_pushes_out_nothing_that_somebody_did(gate: Gate) -> None:
    """Prevents: long proposals of a stranger's, after which nothing is left to agree to."""
    removal = asks(gate, remove_member())
    filled_to(gate, 100)

    with pytest.raises(DocumentTooLargeError):
        gate.propose(send(500), member=BOB.member_id)
    assert gate.is_open(removal)


def test_what_is_agreed_to_pushes_out_what_nobody_agreed_to(gate: Gate) -> None:
    other = asks(gate, send(500), BOBS)
    removal = asks(gate, remove_member())
    filled_to(gate, 100)
    said = agrees(gate, removal, CAROLS)

    assert said.answer is Answer.HOLD
    assert not gate.is_open(other)


def test_one_member_fills_half_of_what_actions_may_fill(gate: Gate) -> None:
    first, second = (gate.action(asks(gate, send(500 + n), BOBS)) for n in range(2))
    filled_to(gate, 0)
    account = gate.account
    others = replace(second, member_id=account.member_id)

    assert not fills_bytes(account, first)  # A member's first finds what room there is.
    assert fills_bytes(account, second)
    assert not fills_bytes(account, others)
    assert not fills_bytes(account, replace(second, until=NOON))
    assert not fills_bytes(account, replace(second, offered_until=NOON))
    assert not fills_bytes(account, replace(second, state=ActionState.AUTHORIZED))
    assert not fills_bytes(an_account(SYNCED), second)
    assert not fills_bytes(account, frozen(gate))


def test_what_waits_counts_whenever_it_was_asked_for(gate: Gate) -> None:
    """Prevents: four proposals that one member proves in the other order."""
    named = [
        gate.propose(send(10 + n, to=f"0x{n + 4}" + "5" * 39), member=BOB.member_id).action_id
        for n in range(2)
    ]
    gate.prove(named[1], BOBS)
    filled_to(gate, 0)

    assert fills_bytes(gate.account, gate.action(named[0]))


def frozen(gate: Gate) -> OpenAction:
    """Return an open freeze of Bob's: that finds room always."""
    other = Gate.of(replace(gate.account, actions=()))
    other.now = NOON
    return other.action(other.propose(FREEZE, member=BOB.member_id).action_id)


def test_half_of_it_is_half_to_the_byte(gate: Gate) -> None:
    asks(gate, send(500), BOBS)
    second = gate.action(asks(gate, send(501), BOBS))
    both = sum(len(encode(one)) for one in gate.account.actions)
    for left, filled in ((both * 2, False), (both * 2 - 2, True)):
        one = Gate.of(replace(gate.account, actions=()))
        filled_to(one, left)
        account = replace(one.account, actions=gate.account.actions)
        assert fills_bytes(account, second) is filled


def test_whoever_has_a_link_pushes_out_no_question_of_who_asked(gate: Gate) -> None:
    """The links of a contact and of the members lie with one person, who asks again and again."""
    contact = a_passkey("con_friend")
    limits = Limits(agreement_cents=0)
    gate.account = replace(gate.account, contacts=(contact,), limits=limits)
    action = asks(gate, send(500, to="0x" + "6" * 40), BOBS)
    put = question(gate, action, Factor.PASSKEY)
    for _ in range(2):
        for factor in (Factor.TRUSTED_CONTACT, Factor.MEMBER):
            last = question(gate, action, factor)
            assert {put, last} <= {one.challenge_id for one in gate.action(action).challenges}
        gate.wait(CHALLENGE_LIFETIME / 2)


def question(gate: Gate, action: str, factor: Factor) -> ChallengeId:
    """Put a question; return its name."""
    named = ChallengeId(f"chl_{tail(gate.draw())}")
    nonce = b64url(gate.draw() * 2)
    gate.run(Ask(action_id=ActionId(action), challenge_id=named, factor=factor, nonce=nonce))
    return named


@pytest.mark.parametrize(
    "asked",
    [
        bind(replace(saved_codes("aut_bobs"), member_id=BOB.member_id)),
        reset_password(old=replace(a_password("aut_bobs"), member_id=BOB.member_id)),
    ],
    ids=["recovery codes", "password"],
)
def test_a_members_first_of_a_kind_takes_no_other_members_place(
    gate: Gate, asked: tuple[AnyPayload, str]
) -> None:
    """Alice has a password and codes, Bob neither. Prevents: more than an account may hold."""
    room = AUTHENTICATORS_MOST - len(gate.account.authenticators) - 1
    more = (
        replace(a_passkey(f"aut_carol_{n}"), member_id=CAROL.member_id, entry=50 + n)
        for n in range(2, 2 + room)
    )
    full = (*gate.account.authenticators, saved_codes(), *more)
    gate.account = replace(gate.account, authenticators=full)
    payload, secret = asked

    said = gate.propose(payload, secret, member=BOB.member_id)
    assert Reason.TOO_MANY in reasons(said.requirement)
    own = gate.propose(*bind(saved_codes("aut_new"))).requirement
    assert Reason.TOO_MANY not in reasons(own)
