"""Trusted contacts: who agrees, to what, what that is worth, and how one is left out again."""

from datetime import timedelta
from typing import Any

import pytest
from msgspec.structs import replace
from support.cast import ALICE, DAY, HOUR, INSTANT, NOON, OLD_ADDRESS
from support.contacts import agreeing, higher, lower
from support.gates import Gate
from support.leaving import OTHERS
from support.policies import DEFAULT, STRICT
from support.worlds import (
    APP,
    EMAIL,
    FREEZE,
    PASSWORD,
    ROAMING,
    SYNCED,
    a_contact,
    a_passkey,
    a_session,
    add_contact,
    bind,
    list_address,
    remove_contact,
    send,
)

from twinlock.domain.account import Account, Candidate
from twinlock.domain.actions import AnyPayload, LimitRaise, TrustedContactAdd, class_of
from twinlock.domain.answers import tell_open
from twinlock.domain.assurance import Factor, Level
from twinlock.domain.authenticators.faults import ProofFault
from twinlock.domain.authenticators.model import Passkey, credential_of
from twinlock.domain.bounds import CHALLENGES_PER_ACTION_MOST, CONTACT_WAIT
from twinlock.domain.canonical import encode
from twinlock.domain.catalogue import ActionClass
from twinlock.domain.changes import NotFoundError, change
from twinlock.domain.commands import Propose
from twinlock.domain.errors import InvariantError
from twinlock.domain.evaluation import evaluated
from twinlock.domain.events import ChallengeIssued, ContactJoined
from twinlock.domain.ids import ChallengeId, action_id
from twinlock.domain.limits import Limits, undone
from twinlock.domain.own_effects import agreement_kept
from twinlock.domain.people import (
    agreement_path,
    agreement_token,
    contact_facts,
    contact_handle,
    contact_of,
    contact_root,
    invitation,
    who_joins,
    who_leaves,
)
from twinlock.domain.policy.version import Policy
from twinlock.domain.proving import reaches_floor
from twinlock.domain.reasons import Reason
from twinlock.domain.requirements import NOTHING, Answer, Prove, leaves, reasons
from twinlock.domain.room import bytes_that_last, urgent

PROFILES = pytest.mark.parametrize("policy", [DEFAULT, STRICT], ids=["default", "strict"])
BOB, CAROL = a_contact(), a_contact("Carol")
ABOVE, CHALLENGE = 100_00, "c" * 43
ASKED = Prove(code=Reason.AGREEMENT_NEEDED, level=Level.NONE, factors=(Factor.TRUSTED_CONTACT,))


def a_gate(
    *contacts: Passkey, policy: Policy = DEFAULT, above: int | None = ABOVE, **changes: object
) -> Gate:
    """Return an account whose contacts agree above US$100 a day."""
    return agreeing(*contacts, above=above, policy=policy, **changes)


def proved(gate: Gate, payload: AnyPayload, secret: str = "") -> str:
    """Propose and prove it as the floor asks, and return the action."""
    action = gate.propose(payload, secret).action_id
    gate.prove(action, SYNCED)
    return action


def names(account: Account) -> list[str]:
    return [one.name for one in account.contacts]


# --- Agreeing ---


@PROFILES
def test_above_the_owners_sum_a_contact_agrees_beside_the_owners_proof(policy: Policy) -> None:
    gate = a_gate(BOB, policy=policy)
    action = gate.propose(send(101)).action_id

    held = gate.prove(action, SYNCED)
    assert (held.answer, held.requirement) == (Answer.CHALLENGE, ASKED)
    said = gate.agree(action, BOB)

    assert (said.answer, said.requirement) == (Answer.ALLOW, NOTHING)
    assert gate.spend(action).answer is Answer.ALLOW


def test_up_to_the_sum_nobody_else_is_asked() -> None:
    gate = a_gate(BOB)

    assert gate.prove(gate.propose(send(100)).action_id, SYNCED).answer is Answer.ALLOW


def test_the_sum_is_that_of_a_day() -> None:
    """Prevents: ten times a tenth of it."""
    gate = a_gate(BOB)
    gate.prove(gate.propose(send(60)).action_id, SYNCED)
    again = gate.prove(gate.propose(send(60)).action_id, SYNCED)
    assert again.requirement == ASKED

    gate.wait(DAY)
    assert gate.prove(gate.propose(send(60)).action_id, SYNCED).answer is Answer.ALLOW


@pytest.mark.parametrize("payload", OTHERS)
def test_it_counts_every_exit(payload: AnyPayload) -> None:
    gate = a_gate(BOB, above=0)

    assert Reason.AGREEMENT_NEEDED in reasons(gate.propose(payload).requirement)


@pytest.mark.parametrize(("contacts", "above"), [((), ABOVE), ((BOB,), None)])
def test_without_a_contact_or_a_sum_nobody_is_asked(
    contacts: tuple[Passkey, ...], above: int | None
) -> None:
    gate = a_gate(*contacts, above=above)
    action = gate.propose(send(101)).action_id
    gate.prove(action, SYNCED)

    assert gate.action(action).authorized_at is not None


def test_any_contact_is_enough() -> None:
    for contact in (BOB, CAROL):
        gate = a_gate(BOB, CAROL)
        assert gate.agree(proved(gate, send(101)), contact).answer is Answer.ALLOW


def test_an_agreement_is_no_proof_of_the_owners() -> None:
    """Prevents: a contact as the owner's second root, and as the floor."""
    gate = a_gate(BOB)
    action = proved(gate, send(101, to="0x" + "9" * 40))
    said = gate.agree(action, BOB)
    shown = gate.action(action).shown[-1]

    assert said.answer is Answer.HOLD
    assert Reason.SECOND_ROOT_NEEDED in reasons(said.requirement)
    assert said.facts is not None
    assert said.facts.shown_factors == (Factor.PASSKEY,)
    assert said.facts.shown_roots == ("phone",)
    assert (shown.root, shown.bound_at, shown.bound_entry) == (
        "contact:con_bob",
        BOB.bound_at,
        BOB.entry,
    )
    offers = frozenset(Factor)
    bare = replace(gate.action(action), shown=())
    assert not reaches_floor(gate.account, bare, shown, offers=offers)


def test_a_session_alone_is_not_enough_above_the_sum() -> None:
    """Prevents: a stolen device whose small budget a contact is asked to agree to."""
    gate = a_gate(BOB, above=0)
    signed = gate.give_session(a_session(started_at=NOON))
    said = gate.propose(send(1), session=signed)

    assert {one.code for one in leaves(said.requirement)} >= {
        Reason.PROOF_NEEDED,
        Reason.AGREEMENT_NEEDED,
    }


def test_an_agreement_stays_good_while_the_rest_waits() -> None:
    gate = a_gate(BOB)
    action = proved(gate, send(101, to="0x" + "9" * 40))
    gate.agree(action, BOB)
    gate.wait(DAY)

    assert gate.spend(action).answer is Answer.ALLOW


# --- Who is asked, and when ---


def test_a_contact_is_asked_when_the_owner_has_proved_and_not_before() -> None:
    """Prevents: strangers who have somebody's friends sign what they propose."""
    gate = a_gate(BOB)
    action = gate.propose(send(101)).action_id

    assert gate.agree(action, BOB).fault is ProofFault.AGREEMENT_NOT_NEEDED
    assert gate.action(action).challenges == ()


@pytest.mark.parametrize("payload", [list_address(OLD_ADDRESS), FREEZE, remove_contact()])
def test_a_contact_agrees_to_nothing_but_what_leaves(payload: AnyPayload) -> None:
    gate = a_gate(BOB, CAROL)
    action = gate.propose(payload).action_id
    if payload is not FREEZE:
        gate.prove(action, ROAMING)

    assert gate.agree(action, BOB).fault is ProofFault.AGREEMENT_NOT_NEEDED


@pytest.mark.parametrize(("contacts", "above"), [((), ABOVE), ((BOB,), None)])
def test_who_is_not_needed_is_not_asked(contacts: tuple[Passkey, ...], above: int | None) -> None:
    gate = a_gate(*contacts, above=above)
    action = proved(gate, send(101, to="0x" + "9" * 40))

    assert gate.agree(action, BOB).fault is ProofFault.AGREEMENT_NOT_NEEDED


@pytest.mark.parametrize(
    ("changes", "fault"),
    [
        ({"source": "con_nobody"}, ProofFault.AUTHENTICATOR_GONE),
        ({"source": ROAMING.authenticator_id}, ProofFault.AUTHENTICATOR_GONE),
        ({"against": SYNCED.public_key}, ProofFault.AUTHENTICATOR_GONE),
        ({"challenge_id": ChallengeId("chl_other")}, ProofFault.CHALLENGE_GONE),
        ({"challenge_id": None}, ProofFault.CHALLENGE_GONE),
    ],
)
def test_nobody_else_agrees_in_a_contacts_place(changes: dict[str, Any], fault: ProofFault) -> None:
    gate = a_gate(BOB)
    action = proved(gate, send(101))

    assert gate.agree(action, BOB, **changes).fault is fault
    assert gate.action(action).authorized_at is None


def test_a_contacts_passkey_proves_nothing_of_the_owners() -> None:
    """Prevents: a friend who signs in, freezes, or removes what guards the owner."""
    gate = a_gate(BOB)
    action = gate.propose(remove_contact()).action_id

    said = gate.prove(action, BOB)
    assert said.fault is ProofFault.AUTHENTICATOR_GONE


def test_the_same_contact_agrees_once() -> None:
    gate = a_gate(BOB)
    action = proved(gate, send(101, to="0x" + "9" * 40))
    gate.agree(action, BOB)

    assert gate.agree(action, BOB).fault is ProofFault.ALREADY_SHOWN


def test_who_left_has_agreed_to_nothing() -> None:
    gate = a_gate(BOB, CAROL)
    action = proved(gate, send(101, to="0x" + "9" * 40))
    gate.agree(action, BOB)
    gate.account = replace(gate.account, contacts=(CAROL,))
    gate.wait(DAY)

    assert gate.spend(action).requirement == ASKED


def test_whom_a_repudiated_key_added_agrees_to_nothing() -> None:
    """Prevents: a thief's friend, who outlives the thief's key."""
    gate = a_gate(replace(BOB, by=(7,)))
    action = proved(gate, send(101))
    gate.agree(action, BOB)
    assert contact_facts(gate.account, gate.action(action))["agreed"]

    gate.account = replace(gate.account, doubts=((7, 7),))

    assert not contact_facts(gate.account, gate.action(action))["agreed"]
    assert gate.agree(action, BOB).fault is ProofFault.AGREEMENT_NOT_NEEDED


def test_what_a_contact_used_is_remembered() -> None:
    gate = a_gate(BOB, CAROL)
    gate.agree(proved(gate, send(101)), BOB)
    (bob, carol) = gate.account.contacts

    assert (bob.sign_count, carol) == (1, CAROL)
    assert bob.used_on > 0
    assert [one.sign_count for one in gate.account.authenticators if isinstance(one, Passkey)] == [
        0,
        0,
    ]


def test_a_contacts_question_stands_beside_the_owners() -> None:
    gate = a_gate(BOB)
    action = proved(gate, send(101, to="0x" + "9" * 40))
    gate.ask(action, SYNCED)
    gate.ask(action, ROAMING)
    for _ in range(3):
        gate.agree(action, BOB, challenge_id=None)

    asked = [one.factor for one in gate.action(action).challenges]
    assert asked == [Factor.PASSKEY] * 2 + [Factor.TRUSTED_CONTACT] * 2


def test_of_too_many_questions_the_oldest_code_goes() -> None:
    """A passkey was asked for and removed, codes were, and a contact is."""
    gate = a_gate(BOB)
    action = proved(gate, send(101, to="0x" + "9" * 40))
    gate.ask(action, SYNCED)
    asked = gate.action(action).challenges[0]
    kinds = (Factor.PASSKEY, Factor.PASSKEY, Factor.EMAIL_CODE, Factor.SMS_CODE)
    full = tuple(
        replace(
            asked,
            challenge_id=ChallengeId(f"chl_{n}"),
            factor=factor,
            code_mac="" if factor is Factor.PASSKEY else "mac",
        )
        for n, factor in enumerate(kinds)
    )
    gate.account = replace(gate.account, actions=(replace(gate.action(action), challenges=full),))
    gate.agree(action, BOB, challenge_id=None)

    left_over = [one.factor for one in gate.action(action).challenges]
    assert left_over == [kinds[0], kinds[1], kinds[3], Factor.TRUSTED_CONTACT]
    assert len(left_over) == CHALLENGES_PER_ACTION_MOST


# --- The link ---


def test_the_link_is_told_once_the_owner_has_proved() -> None:
    gate = a_gate(BOB)
    action = gate.propose(send(101)).action_id
    assert agreement_path(gate.action(action), ASKED) == ""

    gate.prove(action, SYNCED)
    opened = gate.action(action)
    told = tell_open(opened, ASKED)

    assert told.agreement == f"/agree/{ALICE}/{agreement_token(opened)}"
    assert action not in told.agreement
    assert tell_open(opened, NOTHING).agreement == ""
    other = Prove(code=Reason.PROOF_NEEDED, level=Level.KNOWLEDGE)
    assert agreement_path(opened, other) == ""


def test_each_action_has_a_link_of_its_own() -> None:
    gate = a_gate(BOB)
    one, other = proved(gate, send(101)), proved(gate, send(102))

    assert agreement_token(gate.action(one)) != agreement_token(gate.action(other))


def test_an_agreement_has_no_name_among_proofs() -> None:
    gate = a_gate(BOB)
    gate.prove(gate.propose(send(101)).action_id, SYNCED)
    told = evaluated(gate.book[-1][1]).context

    assert told.obligations is not None
    assert (getattr(told.obligations, "acr"), getattr(told.obligations, "enrolled")) == ("", ())  # noqa: B009 - of one kind
    assert told.step_up is None


# --- Adding ---


def test_the_first_contact_counts_at_once() -> None:
    gate = a_gate()
    action = gate.propose(*add_contact()).action_id
    said = gate.prove(action, SYNCED)
    (bob,) = gate.account.contacts

    assert said.answer is Answer.ALLOW
    assert (bob.name, bob.bound_at, bob.member_id) == ("Bob", NOON, "mem_bob")
    assert bob.by == (SYNCED.entry,)
    assert bob.entry == gate.account.chain.entries - 1
    assert gate.prove(gate.propose(send(101)).action_id, SYNCED).requirement == ASKED


def test_a_session_alone_adds_nobody() -> None:
    """Prevents: a stolen session that makes its thief's friend the one who must agree."""
    gate = a_gate()
    signed = gate.give_session(a_session(started_at=NOON))
    said = gate.propose(*add_contact(), session=signed)

    assert (said.answer, reasons(said.requirement)) == (Answer.CHALLENGE, (Reason.PROOF_NEEDED,))


def test_one_more_contact_waits_as_long_as_one_less() -> None:
    """Prevents: a thief who has the owner add a friend of the thief's, who then agrees."""
    gate = a_gate(BOB)
    action = proved(gate, *add_contact("Carol", first=False))
    assert gate.action(action).until == NOON + CONTACT_WAIT

    gate.wait(CONTACT_WAIT - INSTANT)
    gate.settle()
    assert names(gate.account) == ["Bob"]
    gate.wait(INSTANT)
    gate.settle()
    assert names(gate.account) == ["Bob", "Carol"]


def test_nobody_is_a_first_contact_beside_another() -> None:
    """Prevents: two firsts, proposed together."""
    gate = a_gate()
    bob, carol = gate.propose(*add_contact()), gate.propose(*add_contact("Carol"))
    gate.prove(bob.action_id, SYNCED)
    refused = gate.prove(carol.action_id, SYNCED)

    assert (refused.answer, reasons(refused.requirement)) == (Answer.DENY, (Reason.NOT_TIGHTER,))
    assert names(gate.account) == ["Bob"]


def test_a_first_contact_tightens_and_another_loosens() -> None:
    assert class_of(add_contact()[0]) is ActionClass.TIGHTENING
    assert class_of(add_contact(first=False)[0]) is ActionClass.LOOSENING


def test_there_are_two_contacts_at_most() -> None:
    gate = a_gate(BOB, CAROL)
    refused = gate.propose(*add_contact("Dan", first=False))

    assert Reason.TOO_MANY in reasons(refused.requirement)


@pytest.mark.parametrize("name", ["Bob", "Alice"])
def test_no_passkey_is_two_people(name: str) -> None:
    """Prevents: an owner's key as the contact, and a contact's key as the owner's."""
    gate = a_gate(BOB, above=None)
    made = BOB if name == "Bob" else replace(SYNCED, authenticator_id="con_alice", name=name)
    payload = replace(add_contact(first=False)[0], name=name, credential=credential_of(made))
    secret = encode(replace(made, authenticator_id="con_new")).decode()
    refused = gate.propose(payload, secret)
    assert Reason.ALREADY_BOUND in reasons(refused.requirement)

    again = replace(BOB, authenticator_id="aut_new", member_id=SYNCED.member_id)
    _, key = bind(again)
    refused = gate.propose(bind(again)[0], key)
    assert Reason.ALREADY_BOUND in reasons(refused.requirement)


@pytest.mark.parametrize(
    "secret",
    [
        encode(PASSWORD).decode(),
        encode(a_passkey("con_other")).decode(),
        encode(replace(BOB, authenticator_id=SYNCED.authenticator_id)).decode(),
    ],
)
def test_a_contact_is_the_one_who_was_signed(secret: str) -> None:
    gate = a_gate()
    with pytest.raises(InvariantError, match="a contact has the passkey that was signed"):
        gate.propose(add_contact()[0], secret)


def test_what_joins_is_a_passkey() -> None:
    gate = a_gate()
    action = gate.action(gate.propose(*add_contact()).action_id)
    with pytest.raises(InvariantError, match="has a passkey"):
        who_joins(
            gate.account, replace(action, secret=encode(APP).decode()), several=False, now=NOON
        )

    (event,) = who_joins(gate.account, action, several=False, now=NOON)
    assert isinstance(event, ContactJoined)


# --- Removing, and raising the sum ---


@PROFILES
def test_a_contact_is_left_out_after_a_week_whatever_they_say(policy: Policy) -> None:
    """A contact who cannot be reached, or wants something for it, holds nothing up for longer."""
    gate = a_gate(BOB, policy=policy)
    action = proved(gate, remove_contact())
    assert gate.action(action).until == NOON + CONTACT_WAIT

    gate.wait(CONTACT_WAIT)
    gate.settle()
    assert names(gate.account) == []
    assert gate.prove(gate.propose(send(101)).action_id, SYNCED).answer is Answer.ALLOW


def test_a_removal_can_be_vetoed() -> None:
    gate = a_gate(BOB)
    action = proved(gate, remove_contact())
    gate.veto(action, EMAIL)
    gate.wait(2 * CONTACT_WAIT)
    gate.settle()

    assert names(gate.account) == ["Bob"]


def test_nobody_who_is_not_there_is_removed() -> None:
    gate = a_gate(BOB)
    assert Reason.TARGET_GONE in reasons(gate.propose(remove_contact("Carol")).requirement)
    with pytest.raises(NotFoundError, match="no such trusted contact"):
        change("trusted_contact.remove", {"contact_id": "con_x"}, gate.account, fresh="")

    made = change("trusted_contact.remove", {"contact_id": "con_bob"}, gate.account, fresh="")
    assert made == (remove_contact(), "")


def test_what_is_newer_than_a_contact_removes_none() -> None:
    """Prevents: a thief's new passkey, and the contact it cannot talk to (law 3)."""
    thiefs = a_passkey("aut_thief", bound_at=NOON - DAY)
    gate = a_gate(BOB)
    gate.account = replace(gate.account, authenticators=(*gate.account.authenticators, thiefs))
    action = gate.propose(remove_contact()).action_id

    assert Reason.NEWCOMER in reasons(gate.prove(action, thiefs).requirement)


@pytest.mark.parametrize(
    ("before", "asked", "waits"),
    [
        (ABOVE, higher(ABOVE + 1), 7),
        (ABOVE, higher(None), 7),
        (ABOVE, higher(ABOVE, day=5), 2),
        (None, higher(None, day=5), 2),
        (ABOVE, higher(ABOVE - 1, day=5), 2),
    ],
)
def test_a_higher_sum_without_agreement_waits_a_week(
    before: int | None, asked: LimitRaise, waits: int
) -> None:
    gate = a_gate(BOB, above=before)
    action = proved(gate, asked)

    assert gate.action(action).until == NOON + waits * DAY
    gate.wait(waits * DAY)
    gate.settle()
    assert gate.account.limits.agreement_cents == asked.agreement_cents


def test_without_a_contact_the_sum_is_raised_like_any_other() -> None:
    gate = a_gate()

    assert gate.action(proved(gate, higher(None))).until == NOON + 2 * DAY


def test_a_lower_sum_acts_at_once() -> None:
    gate = a_gate(BOB)
    signed = gate.give_session(a_session(started_at=NOON))

    assert gate.propose(lower(50_00), session=signed).answer is Answer.ALLOW
    assert gate.account.limits.agreement_cents == 50_00
    refused = gate.propose(lower(60_00), session=gate.signs(gate.account.sessions[0]))
    assert Reason.NOT_TIGHTER in reasons(refused.requirement)


# --- Twice within one wait ---


def test_a_second_removal_neither_shortens_nor_doubles_the_first() -> None:
    gate = a_gate(BOB)
    first = proved(gate, remove_contact())
    gate.wait(DAY)
    second = proved(gate, remove_contact())
    assert gate.action(first).until == NOON + CONTACT_WAIT
    assert gate.action(second).until == NOON + DAY + CONTACT_WAIT

    gate.wait_until(NOON + CONTACT_WAIT)
    gate.settle()
    assert names(gate.account) == []
    gate.wait(DAY)
    gate.settle()
    assert not gate.is_open(second)


def test_a_removal_that_waits_does_not_reach_who_joins_meanwhile() -> None:
    gate = a_gate(BOB)
    proved(gate, remove_contact())
    gate.wait(DAY)
    proved(gate, *add_contact("Carol", first=False))
    gate.wait_until(NOON + CONTACT_WAIT)
    gate.settle()
    assert names(gate.account) == []
    gate.wait(DAY)
    gate.settle()

    assert names(gate.account) == ["Carol"]


def test_a_raise_beside_a_removal_has_a_week_of_its_own() -> None:
    gate = a_gate(BOB)
    proved(gate, remove_contact())
    gate.wait(6 * DAY)
    raised = proved(gate, higher(None))

    assert gate.action(raised).until == NOON + 6 * DAY + CONTACT_WAIT


def test_a_lower_sum_does_not_end_what_waits_and_is_asked_meanwhile() -> None:
    gate = a_gate(BOB)
    proved(gate, higher(ABOVE * 2))
    gate.propose(lower(0), session=gate.give_session(a_session(started_at=NOON)))

    assert gate.prove(gate.propose(send(1)).action_id, SYNCED).requirement == ASKED


def test_a_contact_who_comes_again_is_another_one() -> None:
    """Prevents: an old removal that takes away who was asked back."""
    gate = a_gate(BOB)
    proved(gate, remove_contact())
    gate.wait(HOUR)
    late = proved(gate, remove_contact())
    gate.wait(CONTACT_WAIT - HOUR)
    gate.settle()
    back = replace(BOB, authenticator_id="con_again")
    proved(gate, add_contact()[0], encode(back).decode())
    gate.wait(HOUR)
    gate.settle()

    assert [one.authenticator_id for one in gate.account.contacts] == ["con_again"]
    assert not gate.is_open(late)


# --- Room, and what is small ---


def test_adding_a_contact_is_not_urgent() -> None:
    """It fills the account for good, so it finds room like anything else that lasts."""
    gate = a_gate()
    assert not urgent(gate.action(gate.propose(*add_contact()).action_id))


def test_a_contact_is_counted_at_its_longest() -> None:
    used = replace(BOB, used_on=99_999, sign_count=2**32 - 1, backed_up=True)
    fresh, worn = a_gate(BOB).account, a_gate(used).account

    assert bytes_that_last(fresh) == bytes_that_last(worn)


def test_an_invitation_stands_for_its_time_and_for_a_contact() -> None:
    def offered(factor: Factor) -> Account:
        one = Candidate(
            candidate_id=ChallengeId("cnd_1"),
            factor=factor,
            secret=CHALLENGE,
            expires_at=NOON,
            name="Bob",
        )
        return replace(a_gate().account, candidates=(one,))

    invited = offered(Factor.TRUSTED_CONTACT)
    found = invitation(invited, "cnd_1", now=NOON - INSTANT)
    assert found is not None
    assert found.name == "Bob"
    assert invitation(invited, "cnd_1", now=NOON) is None
    assert invitation(invited, "cnd_2", now=NOON - INSTANT) is None
    assert invitation(offered(Factor.PASSKEY), "cnd_1", now=NOON - INSTANT) is None


def test_a_contact_is_a_root_and_a_user_of_its_own() -> None:
    assert contact_root(BOB) == "contact:con_bob"
    assert contact_handle("cnd_1") != contact_handle("cnd_2")
    assert contact_of(a_gate(BOB).account, "con_carol") is None


def test_only_a_removal_takes_somebody_away() -> None:
    gate = a_gate(BOB)
    action = gate.action(gate.propose(send(1)).action_id)

    assert [one.contact_id for one in who_leaves(action, now=NOON)] == [""]


def test_a_question_to_a_contact_lasts_as_long_as_any() -> None:
    gate = a_gate(BOB)
    action = proved(gate, send(101))
    gate.agree(action, BOB, challenge_id=None)
    issued = [
        event
        for _, decided, _ in gate.book
        for event in decided.answer.events
        if isinstance(event, ChallengeIssued)
    ]

    assert issued[-1].challenge.factor is Factor.TRUSTED_CONTACT
    assert issued[-1].challenge.expires_at == NOON + timedelta(minutes=10)


def test_a_proposal_of_a_contact_is_of_its_account() -> None:
    payload, secret = add_contact()
    gate = a_gate()
    foreign = replace(payload, account="acc_" + "b" * 26)
    with pytest.raises(InvariantError):
        gate.run(
            Propose(
                action_id=action_id(gate.account.account_id, gate.draw()),
                payload=foreign,
                veto_key="A" * 43,
                secret=secret,
            )
        )
    assert isinstance(payload, TrustedContactAdd)


# --- Undone ---


@pytest.mark.parametrize("then", [None, 30_00, 900_00])
def test_a_raise_that_is_undone_asks_for_agreement_again_as_before(then: int | None) -> None:
    """And for no less than what was lowered since."""
    raised = Limits(
        agreement_cents=then, agreement_before=ABOVE, before=(None, None), raised_at=NOON, by=(7,)
    )

    assert undone(raised).agreement_cents == min(ABOVE, then or ABOVE)


@pytest.mark.parametrize(
    ("limits", "kept"),
    [
        (Limits(agreement_cents=5), 5),
        (Limits(agreement_cents=5, agreement_before=3, raised_at=NOON - 31 * DAY), 5),
        (Limits(agreement_cents=5, agreement_before=3, raised_at=NOON, by=(99,)), 3),
        (Limits(agreement_cents=2, agreement_before=3, raised_at=NOON, by=(99,)), 2),
        (Limits(agreement_cents=None, agreement_before=3, raised_at=NOON, by=(99,)), 3),
    ],
)
def test_a_raise_keeps_what_a_raise_before_it_kept_while_that_can_be_undone(
    limits: Limits, kept: int | None
) -> None:
    assert agreement_kept(replace(a_gate(BOB).account, limits=limits), now=NOON) == kept
