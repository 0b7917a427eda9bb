"""What no trusted contact can do, and what no way around one is shorter than."""

from contextlib import suppress

from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace
from support.cast import DAY, NOON
from support.contacts import agreeing, higher, lower
from support.facts import facts
from support.gates import Gate
from support.worlds import (
    ROAMING,
    SYNCED,
    a_contact,
    add_contact,
    remove_contact,
    send,
)

from twinlock.domain.actions import AnyPayload
from twinlock.domain.bounds import CONTACT_WAIT
from twinlock.domain.catalogue import ActionClass
from twinlock.domain.errors import DocumentTooLargeError
from twinlock.domain.laws import LAWS
from twinlock.domain.own_laws import a_contact_agrees
from twinlock.domain.policy.facts import Facts
from twinlock.domain.requirements import NOTHING, Answer, all_of, answer

BOB = a_contact()
ABOVE = 100_00


def missing(found: Facts) -> bool:
    return all_of(*(law(found) for law in LAWS)) != NOTHING


@given(facts())
def test_with_an_agreement_nothing_leaves_that_would_not_without_a_contact(found: Facts) -> None:
    alone = replace(found, agreement_cents=None, agreed=False)
    agreed = replace(found, agreed=True)

    assert missing(agreed) or not missing(alone)


@given(facts())
def test_an_agreement_is_asked_for_above_the_sum_and_of_what_leaves_only(found: Facts) -> None:
    above = found.agreement_cents is not None and (
        found.day_cents + found.value_cents > found.agreement_cents
    )
    asked = a_contact_agrees(replace(found, agreed=False)) != NOTHING

    assert asked is (above and found.action_class is ActionClass.EXIT)
    assert answer(a_contact_agrees(found)) in (Answer.ALLOW, Answer.CHALLENGE)


asked_for = st.one_of(
    st.just((remove_contact(), "")),
    st.sampled_from([add_contact("Carol", first=False), add_contact("Dan", first=True)]),
    st.sampled_from([None, 0, ABOVE, 2 * ABOVE]).map(lambda most: (higher(most), "")),
    st.sampled_from([0, ABOVE // 2]).map(lambda most: (lower(most), "")),
)


def ask_for(gate: Gate, payload: AnyPayload, secret: str = "") -> None:
    """Ask for it with all that the owner has, as long as it is open; a full account takes none."""
    with suppress(DocumentTooLargeError):
        action = gate.propose(payload, secret).action_id
        for source in (SYNCED, ROAMING):
            if gate.is_open(action) and not gate.action(action).authorized_at:
                gate.prove(action, source)


moves = st.lists(st.tuples(asked_for, st.integers(0, 3)), max_size=6)


@given(moves)
def test_whatever_is_asked_for_and_how_often_nobody_gets_around_bob_within_a_week(
    plan: list[tuple[tuple[AnyPayload, str], int]],
) -> None:
    """Contacts and sums changed over and over, in any order, in one week."""
    gate = agreeing(BOB, above=ABOVE)
    for (payload, secret), days in plan:
        ask_for(gate, payload, secret)
        gate.wait(days * DAY)
        if gate.now >= NOON + CONTACT_WAIT:
            return
        gate.settle()
        ask_for(gate, send(101))
        assert gate.account.spent.cents == 0
        assert BOB.authenticator_id in {one.authenticator_id for one in gate.account.contacts}


@given(moves)
def test_a_week_after_the_last_removal_bob_is_gone_whatever_else_was_asked_for(
    plan: list[tuple[tuple[AnyPayload, str], int]],
) -> None:
    gate = agreeing(BOB, above=ABOVE)
    removal = gate.propose(remove_contact()).action_id
    gate.prove(removal, SYNCED)
    for (payload, secret), days in plan:
        ask_for(gate, payload, secret)
        gate.wait(days * DAY)
        gate.settle()
    gate.wait_until(NOON + CONTACT_WAIT)
    gate.settle()

    assert BOB.authenticator_id not in {one.authenticator_id for one in gate.account.contacts}
