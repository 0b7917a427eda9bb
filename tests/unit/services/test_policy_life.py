"""The use cases of policy versions, on a chain in memory and with a prover that is a few lines."""

from datetime import datetime

import pytest
from msgspec.structs import replace
from support.growths import growth_by_rules
from support.officers import ADA, BEN, CLEO, FOUNDING, HALT, LOG, Board, MemoryActs, Officer
from support.policies import DEFAULT, LAX, STRICT, policy_of, with_rules
from support.stores import ENTROPY

from twinlock.bootstrap.rulebook import book_of_text
from twinlock.domain.bounds import POLICY_WAIT, STATEMENT_LIFETIME
from twinlock.domain.errors import LogDamagedError, MalformedError
from twinlock.domain.officers.growth import NamedAttack, growth_digest
from twinlock.domain.officers.platform import OfficersMissingError, appointed
from twinlock.domain.officers.statements import (
    AcceptGrowth,
    Activate,
    Approve,
    PolicyAct,
    Propose,
    StatementRefusedError,
    Withdraw,
)
from twinlock.domain.officers.versions import PolicyNotReadyError, ProposalUnknownError, Versions
from twinlock.domain.policy.annotations import PolicyRefusedError
from twinlock.domain.policy.version import Policy
from twinlock.domain.reasons import Reason
from twinlock.domain.requirements import reasons
from twinlock.proofs.officers import sign
from twinlock.range.memory_store import MemoryPolicyTexts
from twinlock.services.officers import Officers
from twinlock.services.policy_life import (
    GrowthDiffersError,
    Life,
    PolicyLife,
    TextMissingError,
)

OTHER_RELEASES = policy_of(with_rules(), version=2)


class OfBoard:
    """The board's time. Implements ``ports.Clock``."""

    def __init__(self, board: Board) -> None:
        self._board = board

    def now(self, *, database_at: datetime | None = None) -> datetime:
        """Return it."""
        return self._board.now


class EditedTexts(MemoryPolicyTexts):
    """Policies of which somebody edited one."""

    edited = ""

    async def read(self, digest: str) -> bytes | None:
        """Return the bytes, unless they were edited."""
        if digest == self.edited:
            raise LogDamagedError("a policy is not the one that its digest names")
        return await super().read(digest)


class Stage:
    """Officers and their policies."""

    def __init__(self, *, policy: str = DEFAULT.name.digest) -> None:
        self.board = Board()
        if policy:
            keys = (ADA.key, BEN.key, CLEO.key)
            self.board.take(appointed(keys, policy=policy, at=self.board.now))
        self.texts = EditedTexts()
        self.proved = 0  # How often the prover was asked.
        self.use = PolicyLife(
            MemoryActs(self.board),
            texts=self.texts,
            check=book_of_text,
            growth=self._prove,
            served=self._served,
            clock=OfBoard(self.board),
            entropy=ENTROPY,
            log_origin=LOG,
        )

    def _prove(self, in_force: bytes, proposed: bytes) -> tuple[NamedAttack, ...]:
        self.proved += 1
        return growth_by_rules(in_force, proposed)

    async def _served(self) -> bytes:
        return DEFAULT.text

    async def proposes(self, officer: Officer, policy: Policy) -> Life:
        act = (await self.use.draft(policy.text)).act
        return await self.use.propose(officer.signs(act, at=self.board.now), policy.text)

    async def does(self, officer: Officer, act: PolicyAct) -> Life:
        statement = self.use.statement(act, officer=officer.key)
        return await self.use.act(sign(statement, officer.private.sign))


@pytest.fixture
async def stage() -> Stage:
    found = Stage()
    await found.texts.keep(DEFAULT.text)
    return found


async def test_a_stricter_version_comes_by_two_and_a_day(stage: Stage) -> None:
    proposed = await stage.proposes(ADA, STRICT)
    (one,) = proposed.proposals
    assert (one.digest, one.profile, one.by, one.growth) == (
        STRICT.name.digest,
        "strict",
        ADA.key,
        growth_digest(growth_by_rules(DEFAULT.text, STRICT.text)),
    )
    assert (proposed.done, one.agreed, one.accepted) == (False, (ADA.key,), ())
    assert await stage.texts.read(STRICT.name.digest) == STRICT.text
    assert stage.proved == 1, "it was shown and proposed"


async def test_what_grows_is_named_and_takes_three(stage: Stage) -> None:
    drafted = await stage.use.draft(LAX.text)
    assert drafted.act.growth == growth_digest(growth_by_rules(DEFAULT.text, LAX.text))
    assert drafted.attacks == tuple(sorted(drafted.attacks))
    await stage.proposes(ADA, LAX)
    number, one = await stage.use.named(LAX.name.digest[:22])
    assert await stage.use.attacks(one.digest) == drafted.attacks
    await stage.does(BEN, Approve(digest=one.digest, proposal=number))
    activation = Activate(digest=one.digest, growth=one.growth, proposal=number)
    with pytest.raises(PolicyNotReadyError) as refused:
        await stage.does(CLEO, activation)
    assert reasons(refused.value.missing) == (Reason.POLICY_GROWS,)

    accepts = AcceptGrowth(digest=one.digest, growth=one.growth, proposal=number)
    accepted = await stage.does(CLEO, accepts)
    assert accepted.proposals[0].accepted == (CLEO.key,)
    stage.board.now += POLICY_WAIT
    life = await stage.does(ADA, activation)

    assert (life.done, life.policy, life.proposals) == (True, LAX.name.digest, ())
    first, second = life.versions
    assert (first.digest, first.by, first.act, first.growth) == (DEFAULT.name.digest, (), 0, "")
    assert (first.profile, first.until) == ("default", second.since)
    assert (second.act, second.index, second.until) == (4, 8, None)
    assert second.by == (ADA.key, BEN.key, CLEO.key, ADA.key)
    assert second.growth == one.growth
    assert await stage.use.life() == life


async def test_whoever_signs_another_growth_is_refused(stage: Stage) -> None:
    """Prevents: a version that is shown as harmless to who approves of it."""
    harmless = Propose(digest=LAX.name.digest, follows=DEFAULT.name.digest)
    signed = ADA.signs(harmless, at=stage.board.now)

    with pytest.raises(GrowthDiffersError, match="signed none"):
        await stage.use.propose(signed, LAX.text)
    assert stage.board.platform.acts == 1
    assert await stage.texts.read(LAX.name.digest) is None


async def test_what_grew_since_it_was_proposed_is_not_activated(stage: Stage) -> None:
    """A proposal of another process, by a prover that saw less."""
    await stage.texts.keep(LAX.text)
    number = stage.board.propose(ADA, LAX.name.digest)
    with pytest.raises(GrowthDiffersError):
        await stage.does(BEN, stage.board.approval(number))
    stage.board.does(BEN, stage.board.approval(number))
    stage.board.now += POLICY_WAIT

    with pytest.raises(GrowthDiffersError):
        await stage.does(CLEO, stage.board.activation(number))
    assert stage.board.platform.versions.policy == DEFAULT.name.digest


async def test_words_about_what_nobody_proposed_so_are_refused_before_the_prover_is_asked(
    stage: Stage,
) -> None:
    await stage.proposes(ADA, LAX)
    number, one = await stage.use.named(LAX.name.digest)
    asked = stage.proved

    for act in (
        Approve(digest=one.digest, proposal=number + 1),
        Approve(digest=STRICT.name.digest, proposal=number),
        AcceptGrowth(digest=one.digest, growth="A" * 43, proposal=number),
    ):
        with pytest.raises(ProposalUnknownError):
            await stage.does(BEN, act)
    assert stage.proved == asked


async def test_an_activation_before_its_time_asks_no_prover(stage: Stage) -> None:
    await stage.texts.keep(STRICT.text)
    number = stage.board.propose(ADA, STRICT.name.digest)
    stage.board.does(BEN, stage.board.approval(number))

    with pytest.raises(PolicyNotReadyError):
        await stage.does(CLEO, stage.board.activation(number))
    assert stage.proved == 0


async def test_a_proposal_is_of_the_file_that_comes_with_it(stage: Stage) -> None:
    signed = ADA.signs((await stage.use.draft(LAX.text)).act, at=stage.board.now)

    with pytest.raises(MalformedError, match="another version"):
        await stage.use.propose(signed, STRICT.text)
    with pytest.raises(MalformedError, match="no version is proposed"):
        await stage.use.propose(ADA.signs(HALT, at=stage.board.now), STRICT.text)
    with pytest.raises(PolicyRefusedError):
        await stage.use.draft(b"{}")


async def test_what_this_release_cannot_decide_by_is_not_proposed(stage: Stage) -> None:
    with pytest.raises(PolicyRefusedError, match="another release"):
        await stage.use.draft(OTHER_RELEASES.text)


async def test_each_word_comes_by_its_own_way(stage: Stage) -> None:
    propose = (await stage.use.draft(STRICT.text)).act
    for act in (propose, HALT):
        with pytest.raises(MalformedError, match="no proposal"):
            await stage.use.act(ADA.signs(act, at=stage.board.now))
    officers = Officers(
        MemoryActs(stage.board), clock=OfBoard(stage.board), entropy=ENTROPY, log_origin=LOG
    )
    with pytest.raises(MalformedError, match="about a policy"):
        await officers.act(ADA.signs(propose, at=stage.board.now))
    assert (await officers.standing()).policy == DEFAULT.name.digest


async def test_a_word_is_signed_for_here_and_now(stage: Stage) -> None:
    said = stage.use.statement(Withdraw(proposal=1), officer=ADA.key)

    assert (said.officer, said.log) == (ADA.key, LOG)
    assert said.until - said.at == STATEMENT_LIFETIME.total_seconds() * 1000
    with pytest.raises(StatementRefusedError):
        await stage.use.act(sign(said, BEN.private.sign))


async def test_a_no_is_done_at_once(stage: Stage) -> None:
    await stage.proposes(ADA, LAX)
    number, _ = await stage.use.named(LAX.name.digest)

    life = await stage.does(BEN, Withdraw(proposal=number))

    assert (life.done, life.proposals, life.policy) == (True, (), DEFAULT.name.digest)


async def test_a_proposal_is_named_by_how_its_digest_begins(stage: Stage) -> None:
    await stage.proposes(ADA, LAX)

    for start in ("", "-", STRICT.name.digest, LAX.name.digest[:21]):
        with pytest.raises(ProposalUnknownError):
            await stage.use.named(start)
    with pytest.raises(ProposalUnknownError):
        await stage.use.named("", least=1)
    assert (await stage.use.named(LAX.name.digest[:3], least=1))[1].digest == LAX.name.digest


async def test_nothing_is_proposed_where_nobody_was_appointed() -> None:
    stage = Stage(policy="")

    with pytest.raises(OfficersMissingError):
        await stage.use.draft(LAX.text)
    assert (await stage.use.life()).versions == ()


async def test_without_the_text_in_force_nothing_is_compared(stage: Stage) -> None:
    unknown = Stage(policy=FOUNDING)

    with pytest.raises(TextMissingError, match=FOUNDING):
        await unknown.use.draft(LAX.text)
    (one,) = (await unknown.use.life()).versions
    assert (one.digest, one.profile) == (FOUNDING, "")
    stage.texts.edited = DEFAULT.name.digest
    (one,) = (await stage.use.life()).versions
    assert (one.digest, one.profile) == (DEFAULT.name.digest, "")


async def test_where_officers_activated_none_what_is_served_is_compared_with(stage: Stage) -> None:
    stage.board.platform = replace(stage.board.platform, versions=Versions())

    drafted = await stage.use.draft(LAX.text)

    assert drafted.act.follows == ""
    assert drafted.attacks
