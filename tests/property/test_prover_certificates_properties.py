"""Whatever the claim: a certificate is made exactly where it is true, and a false one has none."""

import json
from collections.abc import Sequence
from itertools import combinations

from hypothesis import assume, given
from hypothesis import strategies as st
from support.other_provers import follows

from twinlock.domain.canonical import encode
from twinlock.domain.prover.certificate import Question, accepted, digest_of
from twinlock.domain.prover.check import check
from twinlock.domain.prover.closure import Rule, attacks, minimal_sets
from twinlock.domain.prover.covering import ClaimFalseError, certify, claim_of, question_of

ALL, FACTS = 5, 6  # Atoms 0 to 4 are capabilities, 5 to 10 follow; 5 and 6 are the goals.
ATOMS = [f"atom_{at}" for at in range(ALL + FACTS)]
GOALS = [ALL, ALL + 1]
POLICY = b"p" * 32
some_rules = st.lists(
    st.tuples(
        st.builds(
            Rule,
            head=st.integers(ALL, ALL + FACTS - 1),
            body=st.lists(st.integers(0, ALL + FACTS - 1), min_size=1, max_size=3).map(tuple),
        ),
        st.integers(0, 0b1111),
    ),
    max_size=14,
)
some_k = st.integers(1, 4)
some_states = st.integers(0, 0b1111)
masks = st.integers(0, 2 ** (ALL + FACTS) - 1).map("{:x}".format)
some_sets = st.lists(
    st.one_of(
        st.tuples(masks, masks, masks),
        # Of all capabilities and states: whatever the rules, most of a proof.
        st.tuples(st.just("1f"), masks, st.just("f")),
    ),
    max_size=6,
)
Rules = list[tuple[Rule, int]]


def asked(rules: Rules, *, k: int, states: int) -> Question:
    claim = claim_of(k=k, goals=GOALS, capabilities=range(ALL), states=states)
    return question_of(ATOMS, [rule for rule, _ in rules], [mask for _, mask in rules], [claim])


def is_true(rules: Rules, *, k: int, states: int) -> bool:
    """Return whether trying every set in every state finds none that reaches a goal."""
    return not any(
        follows([rule for rule, mask in rules if mask >> state & 1], few, goal)
        for state in range(4)
        if states >> state & 1
        for few in combinations(range(ALL), min(k - 1, ALL))
        for goal in GOALS
    )


def proves(question: Question, proof: Sequence[Sequence[str]]) -> bool:
    """Return whether the checker takes these sets for a proof of the one claim."""
    try:
        check(json.loads(encode(question)), {"question": digest_of(question), "proofs": [proof]})
    except ValueError:
        return False
    return True


@given(some_rules, some_k, some_states)
def test_a_certificate_is_made_for_what_is_true_and_accepted(
    rules: Rules, k: int, states: int
) -> None:
    question = asked(rules, k=k, states=states)
    try:
        certificate = certify(question, policy=POLICY)
    except ClaimFalseError as false:
        stand = [rule for rule, mask in rules if mask >> false.state & 1]
        assert not is_true(rules, k=k, states=states)
        assert states >> false.state & 1  # noqa: PT017 - as above
        assert any(follows(stand, false.atoms, goal) for goal in GOALS)  # noqa: PT017 - as above
        assert len(false.atoms) < k  # noqa: PT017 - as above
    else:
        assert is_true(rules, k=k, states=states)
        assert accepted(encode(certificate), question, policy=POLICY) == certificate


@given(some_rules, st.integers(2, 4), some_states, some_sets, st.data())
def test_no_sets_whatever_prove_what_is_false(
    rules: Rules, k: int, states: int, sets: list[tuple[str, str, str]], data: st.DataObject
) -> None:
    few = data.draw(st.sets(st.integers(0, ALL - 1), min_size=1, max_size=k - 1))
    where = 1 << data.draw(st.integers(0, 3))
    goal, middle = data.draw(st.permutations(range(ALL, ALL + FACTS)))[:2]
    attack = [(Rule(head=middle, body=tuple(few)), where), (Rule(head=goal, body=(middle,)), where)]
    claim = claim_of(k=k, goals=[goal], capabilities=range(ALL), states=states | where)
    every = rules + attack
    question = question_of(ATOMS, [one for one, _ in every], [mask for _, mask in every], [claim])

    assert not proves(question, sets)


@given(some_rules, some_rules, st.integers(2, 3), some_states)
def test_the_proof_of_fewer_rules_proves_nothing_false_of_more(
    rules: Rules, more: Rules, k: int, states: int
) -> None:
    """Prevents: the certificate of yesterday's rules, with today's digest written into it."""
    assume(is_true(rules, k=k, states=states))
    sets = certify(asked(rules, k=k, states=states), policy=POLICY).proofs[0]
    true = is_true(rules + more, k=k, states=states)

    assert true or not proves(asked(rules + more, k=k, states=states), sets)


@given(some_rules, st.integers(2, 3), some_states, st.data())
def test_a_set_less_or_an_atom_less_proves_it_only_where_enough_is_left(
    rules: Rules, k: int, states: int, data: st.DataObject
) -> None:
    assume(states and is_true(rules, k=k, states=states))
    question = asked(rules, k=k, states=states)
    sets = [list(one) for one in certify(question, policy=POLICY).proofs[0]]
    at, part = data.draw(st.integers(0, len(sets) - 1)), data.draw(st.integers(0, 2))
    edited = int(sets[at][part], 16)
    assume(edited)
    less = edited & ~(1 << data.draw(st.sampled_from(bits(edited))))
    sets[at][part] = f"{less:x}"

    assert proves(question, sets) is all_of_it_holds(rules, sets, k=k, states=states)


def bits(mask: int) -> list[int]:
    return [bit for bit in range(mask.bit_length()) if mask >> bit & 1]


def all_of_it_holds(rules: Rules, sets: list[list[str]], *, k: int, states: int) -> bool:
    """Return, state by state and by sets of numbers, whether ``sets`` are a proof."""
    read = [[set(bits(int(part, 16))) for part in one] for one in sets]
    for caps, closed, where in read:
        stand = [rule for rule, mask in rules if where & set(bits(mask))]
        leads_out = any(closed.issuperset(r.body) and r.head not in closed for r in stand)
        if not caps <= closed or closed & set(GOALS) or leads_out:
            return False
    return all(
        any(state in where and caps.issuperset(few) for caps, _, where in read)
        for state in bits(states)
        for few in combinations(range(ALL), min(k - 1, ALL))
    )


@given(some_rules, some_k)
def test_a_state_is_safe_to_k_exactly_where_its_least_attack_is_as_large(
    rules: Rules, k: int
) -> None:
    every, masks_of = [rule for rule, _ in rules], [mask for _, mask in rules]
    found = attacks(every, GOALS, range(ALL), k - 1, states=masks_of)
    falls = 0
    for goal in GOALS:
        for one in found[goal]:
            falls |= one.states
            assert all(len(bits(least)) < k for least in minimal_sets([one]))
    for state in range(4):
        assert is_true(rules, k=k, states=1 << state) is not bool(falls >> state & 1)
