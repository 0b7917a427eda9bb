"""Counting sign-ins: a copy that is renewed, bounds, and what happens while the table is away."""

from collections.abc import Callable, Sequence

import pytest
from support.cast import ALICE, BOB

from twinlock.adapters.sign_ins import counting
from twinlock.adapters.sign_ins.counting import (
    FAN_OUT_SECONDS,
    STALE_SECONDS,
    CountedSignIns,
)
from twinlock.adapters.sign_ins.reading import Reader
from twinlock.domain.canonical import tagged_hash
from twinlock.domain.errors import UnavailableError
from twinlock.domain.ids import AccountId
from twinlock.domain.risk.visits import Visit, VisitFault
from twinlock.ports.sign_ins import Counted, Visitor

GOOGLE = Visitor(ip="8.8.8.8", user_agent="Mozilla/5.0 (X11; Linux x86_64) Firefox/140.0")
QUAD9 = Visitor(ip="9.9.9.9", user_agent=GOOGLE.user_agent)


class Names:
    def name(self, *parts: bytes) -> bytes:
        return tagged_hash("test-node/v1", *parts)[:8]


class Table:
    """What the database does, in memory; and it can be away."""

    def __init__(self) -> None:
        self.rows: dict[bytes, Counted] = {}
        self.away = False
        self.forgot = 0

    async def add(self, counted: Sequence[Counted]) -> None:
        if self.away:
            raise UnavailableError("it does not answer")
        for one in counted:
            before = self.rows.get(one.node)
            times = one.times + (0 if before is None else before.times)
            self.rows[one.node] = one._replace(times=times)

    async def read(self, *, most: int) -> Sequence[Counted]:
        return sorted(self.rows.values(), key=lambda one: -one.times)[:most]

    async def forget(self) -> None:
        self.forgot += 1


class Seconds:
    def __init__(self) -> None:
        self.at = 0.0

    def __call__(self) -> float:
        return self.at


def opened(table: Table | None = None) -> tuple[CountedSignIns, Seconds]:
    seconds = Seconds()
    return CountedSignIns(Reader(), Names(), seconds=seconds, table=table), seconds


def visit_of(sign_ins: CountedSignIns, visitor: Visitor = GOOGLE) -> Visit:
    return sign_ins.notice(visitor, account=ALICE).visit


@pytest.mark.parametrize("table", [None, Table()])
async def test_what_was_seen_becomes_likelier(table: Table | None) -> None:
    sign_ins, _ = opened(table)
    await sign_ins.renew()
    before = sign_ins.notice(GOOGLE, account=ALICE)
    for _ in range(10):
        sign_ins.learn(before.visit)
    await sign_ins.renew()
    await sign_ins.renew()  # Nothing is counted twice.
    after = sign_ins.notice(GOOGLE, account=ALICE)
    other = sign_ins.notice(QUAD9, account=ALICE)

    assert after.ip == pytest.approx((10.5 / 11, 10.5 / 11, 10.5 / 11, 10.5 / 11))
    assert other.ip == pytest.approx((10.5 / 11, 10.5 / 11, 0.5 / 11, 0.5))
    assert after.ua == other.ua == after.ip


async def test_several_processes_count_together() -> None:
    table = Table()
    (one, _), (other, _) = opened(table), opened(table)
    one.learn(visit_of(one))
    await one.renew()
    await other.renew()

    assert other.notice(GOOGLE, account=BOB).ip == one.notice(GOOGLE, account=BOB).ip


async def test_while_the_table_is_away_the_copy_serves_and_then_says_that_it_is_old() -> None:
    table = Table()
    sign_ins, seconds = opened(table)
    sign_ins.learn(visit_of(sign_ins))
    await sign_ins.renew()
    table.away = True
    sign_ins.learn(visit_of(sign_ins))
    with pytest.raises(UnavailableError):
        await sign_ins.renew()

    seconds.at = STALE_SECONDS
    assert visit_of(sign_ins).faults == ()
    seconds.at += 1
    assert visit_of(sign_ins).faults == (VisitFault.COUNTS_DOWN,)

    table.away = False
    await sign_ins.renew()
    assert visit_of(sign_ins).faults == ()
    assert {one.times for one in table.rows.values()} == {2}  # What waited was not lost.


class Failing(Table):
    """One that is away, and takes its time: somebody signs in meanwhile."""

    def __init__(self, meanwhile: Callable[[], None]) -> None:
        super().__init__()
        self.away = True
        self._meanwhile = meanwhile

    async def add(self, counted: Sequence[Counted]) -> None:
        if self.away:
            self._meanwhile()
        await super().add(counted)


@pytest.mark.parametrize("most", [counting.WAITING_MOST, 2])
async def test_what_is_learnt_while_the_table_fails_waits_beside_the_rest(
    monkeypatch: pytest.MonkeyPatch, most: int
) -> None:
    """And no more waits than may, however often it fails."""
    monkeypatch.setattr(counting, "WAITING_MOST", most)
    visitors = iter((GOOGLE, QUAD9))
    table = Failing(lambda: sign_ins.learn(visit_of(sign_ins, next(visitors))))
    sign_ins, _ = opened(table)
    sign_ins.learn(visit_of(sign_ins))
    for _ in range(2):
        with pytest.raises(UnavailableError):
            await sign_ins.renew()
    table.away = False
    await sign_ins.renew()

    assert max(one.times for one in table.rows.values()) == 3
    assert len(table.rows) <= most


async def test_a_process_without_a_table_is_never_out_of_date() -> None:
    sign_ins, seconds = opened()
    await sign_ins.warm()
    seconds.at = 10 * STALE_SECONDS

    assert visit_of(sign_ins).faults == ()
    await sign_ins.forget()


async def test_the_table_is_told_to_forget() -> None:
    table = Table()
    sign_ins, _ = opened(table)
    await sign_ins.forget()

    assert table.forgot == 1


def test_accounts_at_one_address_are_counted_for_an_hour() -> None:
    sign_ins, seconds = opened()
    told = [sign_ins.notice(GOOGLE, account=AccountId(f"acc_{n % 40}")).fan_out for n in range(80)]
    assert told[39] == told[-1] == 40
    assert sign_ins.notice(QUAD9, account=ALICE).fan_out == 1

    seconds.at = FAN_OUT_SECONDS + 1
    assert sign_ins.notice(GOOGLE, account=ALICE).fan_out == 1


@pytest.mark.parametrize(
    "address",
    [
        pytest.param("2001:4860:4860:1::{:x}".format, id="one machine's addresses of IPv6"),
        pytest.param(lambda _: "192.88.99.1", id="an address of no country"),
    ],
)
def test_accounts_are_counted_however_the_address_is_chosen(address: Callable[[int], str]) -> None:
    """Prevents: one machine that tries a password on each account from an address of its own."""
    sign_ins, _ = opened()
    told = [
        sign_ins.notice(Visitor(ip=address(n + 1)), account=AccountId(f"acc_{n}")).fan_out
        for n in range(40)
    ]

    assert told == list(range(1, 41))


def test_neighbours_on_one_site_of_ipv6_are_several() -> None:
    sign_ins, _ = opened()
    told = [
        sign_ins.notice(Visitor(ip=f"2001:4860:4860:{n:x}::1"), account=AccountId(f"acc_{n}"))
        for n in range(40)
    ]

    assert {one.fan_out for one in told} == {1}


def test_an_address_that_is_not_known_is_nobodys_neighbour() -> None:
    sign_ins, _ = opened()

    assert sign_ins.notice(Visitor(ip="10.0.0.1"), account=ALICE).fan_out == 0


async def test_memory_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(counting, "WAITING_MOST", 20)
    monkeypatch.setattr(counting, "ADDRESSES_MOST", 5)
    monkeypatch.setattr(counting, "ACCOUNTS_MOST", 3)
    monkeypatch.setattr(counting, "NODES_MOST", 12)
    sign_ins, _ = opened()
    for n in range(50):
        found = sign_ins.notice(
            Visitor(ip=f"8.8.{n}.8", user_agent=GOOGLE.user_agent), account=AccountId(f"acc_{n}")
        )
        sign_ins.learn(found.visit)
    assert len(sign_ins._waiting) == 20  # noqa: SLF001 - what is bounded
    assert len(sign_ins._asked) <= 5  # noqa: SLF001 - what is bounded

    most = [sign_ins.notice(GOOGLE, account=AccountId(f"acc_{n}")).fan_out for n in range(9)]
    assert max(most) == 3

    await sign_ins.renew()
    assert len(sign_ins._kept) == 12  # noqa: SLF001 - what is bounded
