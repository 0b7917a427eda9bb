"""All states at once: every rule with the states that it stands in, and what is solved of it.

States that differ only in what an older system left there (saved codes, an address that nobody
signed, API keys) share their rules: without the thing, whoever would use it has nothing to use.

Always true (tests/unit/domain/prover/test_prover_system.py): in each state the attacks are
those of its own rules alone.

Source: docs/proof.md.
"""

from collections.abc import Iterable, Mapping
from itertools import product

import msgspec
from msgspec.structs import replace

from twinlock.domain.account import ApiKey
from twinlock.domain.prover import enrolment
from twinlock.domain.prover.capabilities import (
    TABLE,
    TOGETHER,
    Assumptions,
    Capability,
    Mean,
    means_of,
)
from twinlock.domain.prover.closure import Attack, Rule, attacks
from twinlock.domain.prover.derived import Derived, goal
from twinlock.domain.prover.enrolment import TRADE_KEY, WITHDRAW_KEY, Enrolment
from twinlock.domain.prover.model import MINUTE
from twinlock.domain.prover.moves import Gain

KEYS: tuple[tuple[ApiKey, ...], ...] = ((), (TRADE_KEY,), (TRADE_KEY, WITHDRAW_KEY))
SIGNER = "signer"  # In the place of an action: a wallet's signer, past the gate.
_OF_KEYS = {Mean.TRADE_KEY: TRADE_KEY, Mean.WITHDRAW_KEY: WITHDRAW_KEY}
_PASSKEYS = {
    enrolment.PHONE_KEY: Mean.PHONE_KEY,
    enrolment.BUILT_IN_KEY: Mean.BUILT_IN_KEY,
    enrolment.ROAMING_KEY: Mean.ROAMING_KEY,
}


class System(msgspec.Struct, frozen=True, kw_only=True):
    """Rules over ``atoms`` by their numbers; ``masks`` say in which of ``states`` each stands.

    ``origins`` is what each rule was made of. The capabilities that give anything come first among
    the atoms. ``exits`` names the exits that each one stands for.
    """

    states: tuple[Enrolment, ...]
    atoms: tuple[str, ...]
    rules: tuple[Rule, ...]
    masks: tuple[int, ...]
    origins: tuple[Derived, ...]
    capabilities: tuple[Capability, ...]
    exits: Mapping[str, tuple[str, ...]]
    sums: tuple[int, ...]

    def atom(self, name: str) -> int:
        """Return the number of an atom; one that no rule speaks of has none: -1."""
        return self.atoms.index(name) if name in self.atoms else -1

    def held(self, attack: Attack) -> tuple[Capability, ...]:
        """Return the capabilities of an attack, in the table's order."""
        return tuple(
            one for bit, one in enumerate(self.capabilities) if attack.capabilities >> bit & 1
        )


def variants(base: Enrolment) -> tuple[Enrolment, ...]:
    """Return ``base`` with and without each thing that an older system may have left there."""
    saved = (base.authenticators, (*base.authenticators, enrolment.SAVED))
    return tuple(
        replace(base, authenticators=bound, planted=planted, keys=keys)
        for bound, planted, keys in product(saved, (False, True), KEYS)
    )


def system_of(
    derived: Iterable[tuple[Enrolment, tuple[Derived, ...]]],
    *,
    exits: Mapping[str, tuple[str, ...]],
    sums: tuple[int, ...],
    assumed: Assumptions,
) -> System:
    """Return the rules of all states: those ``derived``, and what each capability gives."""
    states: list[Enrolment] = []
    stand: dict[Derived, int] = {}
    for base, found in derived:
        some = variants(base)
        mask = ((1 << len(some)) - 1) << len(states)
        states += some
        for one in (*found, *_past_the_gate(base, exits=exits, sums=sums, assumed=assumed)):
            stand[one] = stand.get(one, 0) | mask
    held = tuple(one for one, row in TABLE.items() if row.means or _shares(one))
    for one, where in _given(held, tuple(states), assumed=assumed):
        stand[one] = stand.get(one, 0) | where
    atoms = {_cap(one): number for number, one in enumerate(held)}
    rules = []
    for one in stand:
        body = tuple(sorted(atoms.setdefault(atom, len(atoms)) for atom in sorted(one.body)))
        head = atoms.setdefault(one.head, len(atoms))
        rules.append(
            Rule(head=head, body=body, delay=one.delay, freeze=one.freeze, gated=one.gated)
        )
    return System(
        states=tuple(states),
        atoms=tuple(atoms),
        rules=tuple(rules),
        masks=tuple(stand.values()),
        origins=tuple(stand),
        capabilities=held,
        exits=exits,
        sums=sums,
    )


def _shares(one: Capability) -> bool:
    return any(one in both for both, _, _ in TOGETHER)


def _given(
    held: Iterable[Capability], states: tuple[Enrolment, ...], *, assumed: Assumptions
) -> Iterable[tuple[Derived, int]]:
    """Give what each capability gives, with the states in which there is such a thing."""
    everywhere = (1 << len(states)) - 1
    there = {mean: _where(key in one.keys for one in states) for mean, key in _OF_KEYS.items()}
    there[Mean.SAVED_CODE] = _where(enrolment.SAVED in one.authenticators for one in states)
    for one in held:
        for mean in sorted(means_of(one, assumed=assumed)):
            row = Derived(head=mean.value, body=frozenset({_cap(one)}))
            yield row, there.get(mean, everywhere)
    for both, means, _ in TOGETHER:
        for mean in sorted(means):
            row = Derived(head=mean.value, body=frozenset(map(_cap, both)))
            yield row, there.get(mean, everywhere)
    yield Derived(head=Gain.PLANTED, body=frozenset()), _where(one.planted for one in states)


def _where(holds: Iterable[bool]) -> int:
    """Return the mask of the states for which ``holds`` is true."""
    return sum(1 << number for number, true in enumerate(holds) if true)


def _cap(one: Capability) -> str:
    return f"capability {one.value}"


def _past_the_gate(
    state: Enrolment,
    *,
    exits: Iterable[str],
    sums: Iterable[int],
    assumed: Assumptions,
) -> Iterable[Derived]:
    """Give what a signer clears of authorizations that no gate decided (law 9).

    It demands the assertion of a passkey that it has known for ``key_ages``: one of the owner's,
    or, after that time, one that was bound past the gate as well.
    """
    own = [mean for key, mean in _PASSKEYS.items() if key in state.authenticators]
    for head in (goal(action, cents) for action, cents in product(exits, sums)):
        for mean in own:
            yield Derived(head=head, body=frozenset({Mean.PAST_GATE, mean}), action=SIGNER)
        aged = assumed.key_ages // MINUTE
        yield Derived(head=head, body=frozenset({Mean.PAST_GATE}), delay=aged, action=SIGNER)


def solved(system: System, *, most: int | None = None) -> dict[str, tuple[Attack, ...]]:
    """Return every minimal attack on each goal, by the goal's atom."""
    goals = {
        name: system.atom(name)
        for name in (goal(action, cents) for action, cents in product(system.exits, system.sums))
    }
    there = {name: number for name, number in goals.items() if number >= 0}
    found = attacks(
        system.rules,
        list(there.values()),
        list(range(len(system.capabilities))),
        most,
        states=system.masks,
    )
    return {name: found[number] for name, number in there.items()}
