"""How long one decision takes alone: from facts to the answer, by part, and by both engines.

usage: python -m bench.decision [--rounds N]

Each round times every part in turn, so that the machine's state weighs on all of them alike; the
median of the rounds is told, in microseconds and as a multiple of an Ed25519 signature of the same
run. The facts are those of the commonest yes with effect: a withdrawal to a listed destination.
"""

import argparse
import statistics
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from twinlock.bootstrap.rulebook import RuleBook, rule_book
from twinlock.domain.assurance import Factor, Level
from twinlock.domain.catalogue import ActionClass, ActionType
from twinlock.domain.decisions import Rules, authorize_facts
from twinlock.domain.policy.facts import DestinationState, Facts, SessionState
from twinlock.domain.policy.vocabulary import context_of
from twinlock.domain.requirements import NOTHING

TIMES = 500  # Of each part in one round.
NOW = datetime(2026, 1, 15, 12, tzinfo=UTC)
FACTS = Facts(
    now=NOW,
    action=ActionType.WITHDRAWAL_CRYPTO,
    action_class=ActionClass.EXIT,
    built=True,
    opened_at=NOW - timedelta(days=400),
    proposed_at=NOW - timedelta(minutes=1),
    proved_at=NOW,
    floor=Level.PHISHING_RESISTANT,
    shown_level=Level.PHISHING_RESISTANT,
    shown_factors=(Factor.PASSKEY, Factor.SESSION),
    shown_roots=("phone",),
    roots_enrolled=1,
    session=SessionState.FULL,
    narrow=False,
    has_channel=True,
    destination=DestinationState.USABLE,
    value_cents=50_00,
)


def _each(work: Callable[[], object]) -> float:
    begun = time.perf_counter()
    for _ in range(TIMES):
        work()
    return (time.perf_counter() - begun) / TIMES * 1e6


def parts(book: RuleBook) -> dict[str, Callable[[], object]]:
    """Return what is timed, by name."""
    rules = _rules(book)
    key, statutes = Ed25519PrivateKey.generate(), book.policy.statutes
    context = context_of(FACTS)
    return {
        "an Ed25519 signature": lambda: key.sign(b"x" * 64),
        "facts to context": lambda: context_of(FACTS),
        "the laws": lambda: [law(FACTS) for law in book.laws],
        "the statutes, compiled": lambda: statutes.matching(FACTS.action, context),
        "the statutes, by Cedar": lambda: book.confirm(FACTS),
        "facts to answer": lambda: authorize_facts(FACTS, rules=rules),
    }


def main() -> None:
    """Time every part, and print a line for each."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0] if __doc__ else None)
    parser.add_argument("--rounds", type=int, default=21)
    rounds = parser.parse_args().rounds
    book = rule_book()
    if authorize_facts(FACTS, rules=_rules(book)) != NOTHING:
        raise SystemExit("these facts are no yes: the measurement would be of something else")
    works = parts(book)
    taken: dict[str, list[float]] = {name: [] for name in works}
    for _ in range(rounds):
        for name, work in works.items():
            taken[name].append(_each(work))
    medians = {name: statistics.median(times) for name, times in taken.items()}
    signature = medians["an Ed25519 signature"]
    for name, median in medians.items():
        print(f"{name:<26}{median:8.1f} µs{median / signature:8.2f} signatures")


def _rules(book: RuleBook) -> Rules:
    return Rules(laws=book.laws, statutes=book.statutes, policy=book.policy, confirm=book.confirm)


if __name__ == "__main__":
    main()
