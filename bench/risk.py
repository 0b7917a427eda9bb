"""What a score costs, and how many honest sign-ins it meets among made-up ones.

usage: python -m bench.risk [--rounds N] [--customers N] [--each N] [--seed N]

Times are medians of rounds in which every part is timed in turn, in microseconds and as a multiple
of an Ed25519 verification of the same run. The shares are of *synthetic* sign-ins
(twinlock.range.sign_ins), scored as the gate does it, with device keys: they say how the score does
by those rules, and nothing of the world.
"""

import argparse
import asyncio
import statistics
import time
from collections import defaultdict
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from random import Random

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from msgspec.structs import replace

from twinlock.adapters.sign_ins.counting import CountedSignIns
from twinlock.adapters.sign_ins.reading import Reader
from twinlock.domain.canonical import tagged_mac
from twinlock.domain.ids import AccountId
from twinlock.domain.risk.counters import LEVELS, Counters, count, steps
from twinlock.domain.risk.scoring import HIGH, RAISED, Noticed, risk_of
from twinlock.domain.risk.visits import NODE_LETTERS, History, Visit, joined, remember
from twinlock.ports.sign_ins import Visitor
from twinlock.range.sign_ins import sign_ins
from twinlock.services.risk import Attempt

TIMES = 300  # Of each part in one round.
KNOWN_AFTER = 5  # Sign-ins, from which on an account's history is one.
BEGINS = datetime(2026, 1, 5, 9, tzinfo=UTC)
AGENT = "Mozilla/5.0 (X11; Linux x86_64; rv:{}.0) Gecko/20100101 Firefox/{}.0"
ACCOUNT = AccountId("acc_bench")


class Names:
    """Names nodes by a key of its own, as the keyring does."""

    def name(self, *parts: bytes) -> bytes:
        """Return 8 bytes."""
        return tagged_mac(b"k" * 32, "bench-node", *parts)[:8]


def visitor(number: int) -> Visitor:
    """Return one of many visitors."""
    agent = AGENT.format(100 + number % 40, 100 + number % 40)
    return Visitor(ip=f"8.{number % 200}.{number % 7}.{number % 250}", user_agent=agent, rtt_ms=40)


def parts() -> dict[str, Callable[[], object]]:
    """Return what is timed, by name."""
    reader = Reader()
    counted = CountedSignIns(reader, Names(), seconds=time.monotonic)
    history = History()
    for number in range(3_000):
        counted.learn(reader.read(visitor(number)).visit)
    asyncio.run(counted.renew())
    for day in range(12):
        visit = reader.read(visitor(day % 5)).visit
        history = remember(history, visit, at=BEGINS + timedelta(days=day))
    now = BEGINS + timedelta(days=13)
    noticed = counted.notice(visitor(3), account=ACCOUNT)
    key = Ed25519PrivateKey.generate()
    signature, public = key.sign(b"x" * 64), key.public_key()

    def whole() -> int:
        found = counted.notice(visitor(3), account=ACCOUNT)
        return risk_of(found, history, new_device=False, failures=0, now=now)

    return {
        "an Ed25519 verification": lambda: public.verify(signature, b"x" * 64),
        "the score": lambda: risk_of(noticed, history, new_device=False, failures=0, now=now),
        "reading the visitor": lambda: reader.read(visitor(3)),
        "reading, counts and score": whole,
        "learning it": lambda: remember(history, noticed.visit, at=now),
    }


def timed(rounds: int) -> None:
    """Time every part, and print a line for each."""
    works = parts()
    taken: dict[str, list[float]] = {name: [] for name in works}
    for _ in range(rounds):
        for name, work in works.items():
            begun = time.perf_counter()
            for _ in range(TIMES):
                work()
            taken[name].append((time.perf_counter() - begun) / TIMES * 1e6)
    medians = {name: statistics.median(times) for name, times in taken.items()}
    verification = medians["an Ed25519 verification"]
    for name, median in medians.items():
        print(f"{name:<27}{median:8.1f} µs{median / verification:8.2f} verifications")


class Synthetic:
    """Accounts that sign in as the range's customers do, scored as the gate scores them."""

    def __init__(self) -> None:
        self.trees: tuple[tuple[dict[str, int], dict[str, int]], ...] = (({}, {}), ({}, {}))
        self.histories: dict[str, History] = defaultdict(History)
        self.devices: dict[str, set[tuple[str, ...]]] = defaultdict(set)
        self.turns: dict[str, int] = defaultdict(int)
        self.scores: dict[str, list[int]] = defaultdict(list)

    def take(self, one: Attempt, thief: Attempt) -> None:
        """Score an honest sign-in and a thief's to the same account, and learn the honest one."""
        turn = self.turns[one.user] = self.turns[one.user] + 1
        now = BEGINS + timedelta(days=turn)
        device = one.ua[:3]
        known, history = self.devices[one.user], self.histories[one.user]
        noticed = self.noticed(one)
        if turn > KNOWN_AFTER:
            new = device not in known
            honest = risk_of(noticed, history, new_device=new, failures=0, now=now)
            self.scores["honest"].append(honest)
            self.scores["honest, new device" if new else "honest, known device"].append(honest)
            taken = self.noticed(thief)
            self.scores["thief, any device"].append(
                risk_of(taken, history, new_device=True, failures=0, now=now)
            )
            near = self.noticed(thief._replace(ip=one.ip, ua=one.ua))
            self.scores["thief, owner's address and agent"].append(
                risk_of(near, history, new_device=True, failures=0, now=now)
            )
        known.add(device)
        self.histories[one.user] = remember(history, noticed.visit, at=now)
        for text, tree in zip((noticed.visit.ip, noticed.visit.ua), self.trees, strict=True):
            count(_nodes(text), *tree)

    def noticed(self, one: Attempt) -> Noticed:
        """Return what is to be seen of a sign-in."""
        visit = Visit(ip=joined(*one.ip), ua=joined(*one.ua))
        ip, ua = (
            steps(_nodes(text), Counters(*tree))
            for text, tree in zip((visit.ip, visit.ua), self.trees, strict=True)
        )
        return Noticed(visit=replace(visit), ip=ip, ua=ua)


def _nodes(text: str) -> tuple[str, ...]:
    return tuple(text[:end] for end in range(NODE_LETTERS, LEVELS * NODE_LETTERS + 1, NODE_LETTERS))


def shares(customers: int, each: int, seed: int) -> None:
    """Print how many made-up sign-ins reach our thresholds."""
    found, random = Synthetic(), Random(seed)  # noqa: S311 - made-up thieves, the same each time
    earlier: list[Attempt] = []
    for one in sign_ins(customers=customers, each=each, seed=seed):
        thief = random.choice(earlier) if earlier else one
        found.take(one, thief)
        earlier.append(one)
    print(f"\nsynthetic: {customers} customers, {each} sign-ins each, seed {seed}")
    for who, scores in sorted(found.scores.items()):
        raised = sum(score >= RAISED for score in scores) / len(scores)
        high = sum(score >= HIGH for score in scores) / len(scores)
        print(f"{who:<34}{len(scores):8} raised or high {raised:7.2%}   high {high:7.2%}")


def main() -> None:
    """Print the times, then the shares."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0] if __doc__ else None)
    parser.add_argument("--rounds", type=int, default=21)
    parser.add_argument("--customers", type=int, default=1_000)
    parser.add_argument("--each", type=int, default=20)
    parser.add_argument("--seed", type=int, default=1)
    asked = parser.parse_args()
    timed(asked.rounds)
    shares(asked.customers, asked.each, asked.seed)


if __name__ == "__main__":
    main()
