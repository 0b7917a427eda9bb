"""What a policy version lets thieves do more than another: the prover's answer, for officers."""

import os
from collections.abc import Iterable

from twinlock.bootstrap.proving import Prover, rules_of
from twinlock.bootstrap.rulebook import RuleBook
from twinlock.domain.decisions import agreed
from twinlock.domain.laws import LAWS
from twinlock.domain.officers.growth import NamedAttack
from twinlock.domain.policy.kept import read_as_now, read_kept
from twinlock.domain.policy.version import Policy, header_of, policy_digest
from twinlock.domain.prover.growth import Growth
from twinlock.domain.prover.growth import growth as growth_between
from twinlock.domain.prover.sums import sums_of
from twinlock.domain.prover.words import exits_in_words, since, sum_in_words


def growth(in_force: bytes, proposed: bytes) -> tuple[NamedAttack, ...]:
    """Return the attacks by the version ``proposed`` that no attack by ``in_force`` dominates.

    Both are texts of policy versions; what is in force may be an older release's, and is read with
    the facts of this one.

    Raises:
        PolicyRefusedError: this release cannot decide by one of them.
    """
    if in_force == proposed:
        return ()
    one, other = read_as_now(in_force), _read(proposed)
    return tuple(
        NamedAttack(
            state=each.example,
            goal=f"{exits_in_words(each.exits)}, {sum_in_words(each.cents)}",
            capabilities=each.capabilities,
            minutes=each.minutes,
        )
        for each in _compared(one, other, jobs=1)[0]  # In a thread, where nothing may be forked.
    )


def attacks_between(one: Policy, other: Policy) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Return the minimal attacks that only ``other`` opens, and those that only ``one`` did."""
    if one.name.digest == other.name.digest:
        return (), ()
    new, gone = _compared(one, other, jobs=os.cpu_count() or 1)
    return _told(new), _told(gone)


def _told(some: Iterable[Growth]) -> tuple[str, ...]:
    return tuple(
        f"{' + '.join(one.capabilities)}: {since(one.minutes)}, by {exits_in_words(one.exits)},"
        f" {sum_in_words(one.cents)}, in {one.states} states, as in {one.example}"
        for one in some
    )


def _compared(
    one: Policy, other: Policy, *, jobs: int
) -> tuple[tuple[Growth, ...], tuple[Growth, ...]]:
    prover, books = Prover(jobs=jobs), (_book(one), _book(other))
    every = {cents for book in books for cents in sums_of(rules_of(book))}
    sums = tuple(sorted(every, reverse=True))
    before, after = (prover.sheets(book, sums=sums) for book in books)
    return growth_between(before, after), growth_between(after, before)


def _read(text: bytes) -> Policy:
    return read_kept(text, digest=policy_digest(header_of(text)))


def _book(policy: Policy) -> RuleBook:
    return RuleBook(laws=LAWS, statutes=policy.statutes.laws(), policy=policy, confirm=agreed)
