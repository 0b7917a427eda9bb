"""The use cases of officers, on a chain in memory."""

from datetime import UTC, datetime

import pytest
from support.officers import (
    ADA,
    BEN,
    CLEO,
    DORA,
    EVE,
    FOUNDING,
    HALT,
    LOG,
    Board,
    MemoryActs,
    Officer,
)
from support.stores import ENTROPY

from twinlock.domain.bounds import OFFICERS_AGREEMENT_LIFETIME, OFFICERS_WAIT, STATEMENT_LIFETIME
from twinlock.domain.officers.keys import OfficersWrongError
from twinlock.domain.officers.platform import NotHaltedError, OfficersMissingError
from twinlock.domain.officers.statements import Act, Change, Resume, StatementRefusedError
from twinlock.proofs.officers import sign
from twinlock.services.officers import Officers, Standing, Told


class BoardsClock:
    """The board's time. Implements ``ports.Clock``."""

    def __init__(self, board: Board) -> None:
        self._board = board

    def now(self, *, database_at: datetime | None = None) -> datetime:
        """Return it."""
        return self._board.now


class Scene:
    """The use cases, and officers who use them."""

    def __init__(self, *officers: Officer) -> None:
        self.board = Board(*officers)
        acts, clock = MemoryActs(self.board), BoardsClock(self.board)
        self.use = Officers(acts, clock=clock, entropy=ENTROPY, log_origin=LOG)

    async def does(self, officer: Officer, act: Act) -> Standing:
        statement = self.use.statement(act, officer=officer.key)
        return await self.use.act(sign(statement, officer.private.sign))


@pytest.fixture
def scene() -> Scene:
    return Scene(ADA, BEN, CLEO)


async def test_officers_are_appointed_once() -> None:
    scene = Scene()
    keys = (ADA.key, BEN.key, CLEO.key)

    standing = await scene.use.appoint(keys, policy=FOUNDING)

    assert standing.officers == tuple(sorted(keys))
    assert (standing.done, standing.halt, standing.log) == (True, None, LOG)
    with pytest.raises(OfficersWrongError, match="officers already"):
        await scene.use.appoint((DORA.key, EVE.key, ADA.key), policy=FOUNDING)


async def test_each_statement_has_its_own_nonce_and_lasts_ten_minutes(scene: Scene) -> None:
    one, two = (scene.use.statement(HALT, officer=ADA.key) for _ in range(2))

    assert one.nonce != two.nonce
    assert one.until - one.at == STATEMENT_LIFETIME.total_seconds() * 1000
    assert (one.log, one.officer) == (LOG, ADA.key)


async def test_a_halt_is_told_with_its_reason_and_its_place(scene: Scene) -> None:
    standing = await scene.does(BEN, HALT)

    assert (standing.halt, standing.because, standing.done) == (1, "case-7", True)
    assert standing.halted_at is not None
    assert standing.agreed == ()
    at = scene.board.leaves[1].at
    assert standing.acts[1] == Told(number=1, index=2, at=at, officer=BEN.key, act=HALT)
    assert (standing.acts[0].officer, standing.acts[0].act) == ("", None)


async def test_a_resume_is_done_when_a_second_officer_agreed(scene: Scene) -> None:
    await scene.does(BEN, HALT)

    first = await scene.does(ADA, await scene.use.resume())
    second = await scene.does(CLEO, await scene.use.resume())

    assert (first.done, first.agreed, first.halt) == (False, (ADA.key,), 1)
    assert (second.done, second.agreed, second.halt, second.because) == (True, (), None, "")


async def test_a_change_is_done_when_a_second_officer_agreed(scene: Scene) -> None:
    change = await scene.use.change(add=DORA.key, remove=CLEO.key[:8])
    assert change == Change(since=0, add=DORA.key, remove=CLEO.key)

    first = await scene.does(ADA, change)
    other = await scene.does(BEN, await scene.use.change(add=EVE.key, remove=""))
    scene.board.now += OFFICERS_WAIT
    done = await scene.does(BEN, change)

    assert (first.done, first.agreed) == (False, (ADA.key,))
    agreed_at = datetime.fromtimestamp(scene.board.leaves[1].at / 1000, tz=UTC)
    assert (first.change_at, done.change_at) == (agreed_at + OFFICERS_WAIT, None)
    assert (other.done, other.agreed) == (False, (BEN.key,))
    assert (done.done, done.since) == (True, 3)
    assert set(done.officers) == {ADA.key, BEN.key, DORA.key}


async def test_a_word_that_is_over_is_told_as_no_agreement(scene: Scene) -> None:
    """Prevents: an officer who is told that two agreed, and that the day for it is long past."""
    change = await scene.use.change(add=DORA.key, remove="")
    await scene.does(ADA, change)
    scene.board.now += OFFICERS_AGREEMENT_LIFETIME
    alone = await scene.does(BEN, change)

    agreed_at = datetime.fromtimestamp(scene.board.leaves[-1].at / 1000, tz=UTC)
    assert (alone.done, alone.agreed) == (False, (BEN.key,))
    assert alone.change_at == agreed_at + OFFICERS_WAIT


async def test_there_is_nothing_to_resume_where_nothing_is_halted(scene: Scene) -> None:
    with pytest.raises(NotHaltedError):
        await scene.use.resume()
    with pytest.raises(NotHaltedError):
        await scene.does(ADA, Resume(halt=0))


async def test_without_officers_nobody_changes_them() -> None:
    with pytest.raises(OfficersMissingError):
        await Scene().use.change(add=DORA.key, remove="")


async def test_whoever_is_unknown_cannot_go(scene: Scene) -> None:
    with pytest.raises(OfficersWrongError):
        await scene.use.change(add="", remove=DORA.key)


async def test_what_another_signed_is_refused_before_anything_is_read(scene: Scene) -> None:
    statement = scene.use.statement(HALT, officer=ADA.key)

    with pytest.raises(StatementRefusedError):
        await scene.use.act(sign(statement, EVE.private.sign))
    assert (await scene.use.standing()).halt is None


async def test_nothing_stands_where_nobody_was_appointed() -> None:
    standing = await Scene().use.standing()

    assert (standing.officers, standing.acts, standing.done) == ((), (), True)
