"""All states at once: in each, the attacks are those of its own rules alone."""

from support.proved import ASSUMED, FEW, STATES, deriver, proved

from twinlock.domain.prover.capabilities import Capability, Mean
from twinlock.domain.prover.closure import Attack, Rule, attacks, in_state
from twinlock.domain.prover.derived import Derived
from twinlock.domain.prover.enrolment import SAVED, TRADE_KEY, WITHDRAW_KEY
from twinlock.domain.prover.moves import Gain
from twinlock.domain.prover.system import SIGNER, System, solved, system_of, variants


def plain(some: tuple[Attack, ...]) -> set[tuple[int, int]]:
    return {(one.capabilities, one.minutes) for one in some}


def rules_in(system: System, state: int) -> list[Rule]:
    both = zip(system.rules, system.masks, strict=True)
    return [rule for rule, mask in both if mask >> state & 1]


def test_in_each_state_the_attacks_are_those_of_its_own_rules_alone() -> None:
    system, found = proved("default")
    caps = range(len(system.capabilities))
    for name, some in found.items():
        goal = system.atom(name)
        for state in range(0, len(system.states), 5):
            alone = attacks(rules_in(system, state), [goal], caps)[goal]

            assert plain(in_state(some, state)) == plain(alone)


def test_a_state_is_solved_as_it_is_among_others() -> None:
    made = deriver("typical-2026")
    system, found = proved("typical-2026")
    for number, state in enumerate(FEW):
        derived = [(state, made.derive(state))]
        alone = system_of(derived, exits=made.alike, sums=made.sums, assumed=ASSUMED)
        its_own = solved(alone)
        first = number * len(variants(state))

        assert system.states[first : first + len(alone.states)] == alone.states
        for name, some in found.items():
            for at in range(len(alone.states)):
                assert plain(in_state(its_own.get(name, ()), at)) == plain(
                    in_state(some, first + at)
                )


def test_what_an_older_system_left_helps_only_where_it_is() -> None:
    system, _ = proved("default")
    by_head = zip(system.origins, system.masks, strict=True)
    for one, mask in by_head:
        where = [state for at, state in enumerate(system.states) if mask >> at & 1]
        if one.head == Mean.TRADE_KEY:
            assert where == [state for state in system.states if TRADE_KEY in state.keys]
        elif one.head == Mean.WITHDRAW_KEY:
            assert where == [state for state in system.states if WITHDRAW_KEY in state.keys]
        elif one.head == Mean.SAVED_CODE:
            assert where == [one for one in system.states if SAVED in one.authenticators]
        elif one.head == Gain.PLANTED:
            assert where == [one for one in system.states if one.planted]


def test_every_state_stands_once() -> None:
    system, _ = proved("default")

    assert len(system.states) == len(STATES) * len(variants(FEW[0]))
    assert len({one.name for one in system.states}) == len(system.states)


def test_capabilities_come_first_among_the_atoms_and_are_named_by_an_attack() -> None:
    system, found = proved("default")
    names = [f"capability {one.value}" for one in system.capabilities]
    some = next(iter(found.values()))

    assert list(system.atoms[: len(names)]) == names
    assert system.atom("nothing of the kind") == -1
    for one in some:
        held = system.held(one)
        assert sum(1 << system.capabilities.index(each) for each in held) == one.capabilities


def test_past_the_gate_a_signer_wants_a_key_that_it_has_known() -> None:
    """Law 9: by the operator's own machines nothing leaves whoever has a passkey, for a week."""
    system, found = proved("default")
    deploy = 1 << system.capabilities.index(Capability.APP_DEPLOY)
    signed = [one for one in system.origins if one.action == SIGNER]
    assert {one.delay for one in signed if one.body == {Mean.PAST_GATE}} == {
        ASSUMED.key_ages.days * 24 * 60
    }
    for some in found.values():
        for one in some:
            if one.capabilities == deploy:
                assert one.minutes <= ASSUMED.key_ages.days * 24 * 60
    assert all(isinstance(one, Derived) for one in signed)


def test_fewer_capabilities_than_asked_are_all_that_is_sought() -> None:
    system, found = proved("typical-2026")
    single = solved(system, most=1)
    for name, some in found.items():
        small = {
            (one.capabilities, one.minutes) for one in some if one.capabilities.bit_count() < 2
        }

        assert plain(single[name]) == small
