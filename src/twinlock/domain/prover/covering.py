"""Finds the few closed sets that prove a claim in many states: what a certificate is made of.

Greedy: the capabilities that lack a set in most states get one. It begins with as many of those
states as let them reach no goal by the rules of all together, then takes in every further
capability and every further state that leaves it safe.

Always true (tests/property/test_prover_certificates_properties.py):

* the checker accepts whatever is made here;
* something is made for exactly the claims that are true.
"""

from collections.abc import Iterable, Sequence
from itertools import combinations
from typing import NoReturn

from twinlock.domain.errors import TwinlockError, invariant
from twinlock.domain.prover.certificate import Certificate, Claim, Question, Sets, digest_of
from twinlock.domain.prover.rules import Rule


class ClaimFalseError(TwinlockError):
    """Fewer than k capabilities reach a goal, so there is no certificate: see the attacks.

    ``claim`` is the number of the claim, ``state`` of the state, ``atoms`` the capabilities.
    """

    code = "claim_false"
    status = 422

    def __init__(self, *, claim: int, state: int, atoms: tuple[int, ...]) -> None:
        super().__init__(f"claim {claim} is false in state {state}: atoms {atoms} reach a goal")
        self.claim, self.state, self.atoms = claim, state, atoms


def claim_of(*, k: int, goals: Sequence[int], capabilities: Sequence[int], states: int) -> Claim:
    """Return the claim that in none of ``states``, a mask, fewer than ``k`` reach a goal."""
    invariant(k > 0 and states >= 0, "a claim is about fewer than one or more, in some states")
    invariant(bool(goals), "a claim without a goal would always be true")
    return Claim(k=k, goals=tuple(goals), capabilities=tuple(capabilities), states=f"{states:x}")


def question_of(
    atoms: Sequence[str], rules: Sequence[Rule], states: Sequence[int], claims: Iterable[Claim]
) -> Question:
    """Return what is to be proved: rules without their times, each with the states it stands in."""
    # Any library writes such names alike: a checker elsewhere finds the same digest.
    invariant(all(name.isascii() and name.isprintable() for name in atoms), "an atom's name is odd")
    where: dict[tuple[int, tuple[int, ...]], int] = {}
    for rule, mask in zip(rules, states, strict=True):
        key = (rule.head, tuple(sorted(set(rule.body))))
        where[key] = where.get(key, 0) | mask
    heads: dict[tuple[tuple[int, ...], int], list[int]] = {}
    for (head, body), mask in where.items():
        heads.setdefault((body, mask), []).append(head)
    timeless = tuple((body, tuple(some), _runs(mask)) for (body, mask), some in heads.items())
    return Question(atoms=tuple(atoms), rules=timeless, claims=tuple(claims))


def certify(question: Question, *, policy: bytes) -> Certificate:
    """Return the certificate of every claim of ``question``, for the policy of this digest.

    Raises:
        ClaimFalseError: a claim is false.
    """
    rules = [(_mask(body), _mask(heads), _of_runs(runs)) for body, heads, runs in question.rules]
    proofs = tuple(
        _Cover(rules, claim, number).sets() for number, claim in enumerate(question.claims)
    )
    return Certificate(policy=policy.hex(), question=digest_of(question), proofs=proofs)


class _Cover:
    """The sets of one claim: each (k − 1) capabilities that lack one, with the states they do."""

    def __init__(self, rules: list[tuple[int, int, int]], claim: Claim, number: int) -> None:
        self.rules, self.number = rules, number
        self.goals = _mask(claim.goals)
        self.capabilities = [1 << atom for atom in claim.capabilities]
        size = min(claim.k - 1, len(self.capabilities))
        states = int(claim.states, 16)
        chosen = map(sum, combinations(self.capabilities, size)) if states else ()
        self.missing = dict.fromkeys(chosen, states)

    def sets(self) -> Sets:
        found = []
        while self.missing:
            few = max(self.missing, key=lambda one: self.missing[one].bit_count())
            states = self.widened(few, 0, self.missing[few])
            if not states:
                self.refute(few)
            caps = self.grown(few, states)
            helped = 0
            for one, lacking in self.missing.items():
                helped |= lacking if one & ~caps == 0 else 0
            states = self.widened(caps, states, helped & ~states)
            closed = self.closed(self.together(states), caps)
            found.append((f"{caps:x}", f"{closed:x}", f"{states:x}"))
            for one in [one for one in self.missing if one & ~caps == 0]:
                self.missing[one] &= ~states
                if not self.missing[one]:
                    del self.missing[one]
        return tuple(found)

    def together(self, states: int) -> list[tuple[int, int]]:
        """Return the rules that stand in any of ``states``."""
        return [(body, heads) for body, heads, where in self.rules if where & states]

    def closed(self, rules: list[tuple[int, int]], atoms: int) -> int:
        """Return what follows from ``atoms``; it may end where a goal does."""
        while not atoms & self.goals:
            before, rest = atoms, []
            for rule in rules:
                body, heads = rule
                if body & atoms == body:
                    atoms |= heads
                elif heads & ~atoms:
                    rest.append(rule)
            if atoms == before:
                break
            rules = rest
        return atoms

    def widened(self, caps: int, states: int, more: int) -> int:
        """Return ``states`` with as many of ``more`` as leave ``caps`` safe, in halves."""
        numbers = [number for number in range(more.bit_length()) if more >> number & 1]
        parts = [numbers] if numbers else []
        while parts:
            part = parts.pop()
            wider = states | _mask(part)
            if not self.closed(self.together(wider), caps) & self.goals:
                states = wider
            elif len(part) > 1:
                half = len(part) // 2
                parts += [part[half:], part[:half]]
        return states

    def grown(self, caps: int, states: int) -> int:
        """Return ``caps`` with every further capability that leaves it safe, most lacking first."""
        rules = self.together(states)
        closed = self.closed(rules, caps)
        lacking = dict.fromkeys(self.capabilities, 0)
        for one, where in self.missing.items():
            weight = (where & states).bit_count()
            for capability in self.capabilities:
                lacking[capability] += weight if capability & one else 0
        for capability in sorted(self.capabilities, key=lambda one: -lacking[one]):
            wider = closed if closed & capability else self.closed(rules, closed | capability)
            if not wider & self.goals:
                caps, closed = caps | capability, wider
        return caps

    def refute(self, few: int) -> NoReturn:
        """Say in which state, of those that lack a set, ``few`` reach a goal: in each of them."""
        state = self.missing[few].bit_length() - 1
        atoms = tuple(atom for atom in range(few.bit_length()) if few >> atom & 1)
        raise ClaimFalseError(claim=self.number, state=state, atoms=atoms)


def _mask(atoms: Iterable[int]) -> int:
    mask = 0
    for atom in atoms:
        mask |= 1 << atom
    return mask


def _runs(mask: int) -> str:
    """Return the bits of ``mask``, lowest first, each run as its first bit and its length."""
    found, first = [], 0
    while mask:
        skipped = (mask & -mask).bit_length() - 1
        count = (~(mask >> skipped) & (mask >> skipped) + 1).bit_length() - 1
        first += skipped
        found.append(f"{first}+{count}")
        first += count
        mask >>= skipped + count
    return " ".join(found)


def _of_runs(runs: str) -> int:
    mask = 0
    for first, _, count in (run.partition("+") for run in runs.split()):
        mask |= (1 << int(count)) - 1 << int(first)
    return mask
