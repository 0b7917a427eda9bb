"""Rows taken over as accounts: each once, each whole, in transactions that many of them share.

An account's name follows from its row's reference, so that the account itself is the mark of its
row: whoever is stopped at any point goes on by reading the file again.

Always true (tests/integration/test_importing.py): a row is one account or none; a row that is
refused leaves nothing; a dry run finds what the run would find, and writes nothing.
"""

import asyncio
from collections.abc import Sequence
from datetime import datetime

import msgspec
from msgspec.structs import replace

from twinlock.domain.account import Account, State
from twinlock.domain.actions import Place
from twinlock.domain.commands import OpenAccount
from twinlock.domain.decisions import Decided, Rules
from twinlock.domain.erasure import AccountErasedError
from twinlock.domain.errors import DocumentTooLargeError, TwinlockError
from twinlock.domain.gate import decide
from twinlock.domain.ids import AccountId
from twinlock.domain.importing.faults import AccountExistsError, RowFault
from twinlock.domain.listed import Destination
from twinlock.ports import Clock, Entropy, Policies, Store, Work
from twinlock.ports.importing import Arrivals
from twinlock.ports.keys import BlindIndex
from twinlock.ports.ruled import by_rules
from twinlock.proofs.importing import Arrival
from twinlock.services.importing.checking import Check, Checked, Lines
from twinlock.services.importing.seen import Seen

ACTOR = "import"
TRIES = 5  # A busy database turns some of a group away; one that is down turns away all, at once.
UNAVAILABLE = 503  # The status of what is worth asking again.


class Outcome(msgspec.Struct, frozen=True, kw_only=True):
    """What became of one row. ``done_before``: an earlier run of the same file took it over."""

    line: int
    reference: str = ""
    account_id: str = ""
    done_before: bool = False
    fault: RowFault | None = None
    column: str = ""


class _Ready(msgspec.Struct, frozen=True, kw_only=True):
    """A row that was checked, on its own and beside the rows before it."""

    line: int
    reference: str
    account: Account
    listed: tuple[Destination, ...]


class Importing:
    """The use case of moving in, for one file whose digest is ``source``.

    ``check`` reads and checks lines, here or in another process.
    """

    def __init__(  # noqa: PLR0913 - each is one thing asked of the world
        self,
        store: Store,
        arrivals: Arrivals,
        *,
        check: Check,
        entropy: Entropy,
        clock: Clock,
        policies: Policies,
        blind: BlindIndex,
        source: str,
    ) -> None:
        self._store = store
        self._arrivals = arrivals
        self._check = check
        self._clock = clock
        self._policies = policies
        self._blind = blind
        self._source = source
        self._seen = Seen(key=entropy.draw(16))
        self._turn = asyncio.Lock()

    async def take(self, lines: Lines, *, dry: bool, resumed: bool) -> list[Outcome]:
        """Take the rows in ``lines`` over; return what became of each.

        Several may be under way at once: who asked first is checked first, so that of two rows
        with one seed the later is refused. ``dry`` writes nothing. ``resumed`` takes what this file
        brought before as done.

        Raises:
            UnavailableError: the database does not answer, or the process that checks lines is
                gone. What was committed is found again.
        """
        async with self._turn:
            now = self._clock.now(database_at=None)
            every = [self._ready(one, now) for one in await self._check(lines, now)]
        outcomes = [one for one in every if isinstance(one, Outcome)]
        ready = [one for one in every if isinstance(one, _Ready)]
        there = await self._arrivals.standing([one.account.account_id for one in ready])
        new = [one for one in ready if one.account.account_id not in there]
        outcomes += (
            self._met(one, there[one.account.account_id], resumed=resumed)
            for one in ready
            if one.account.account_id in there
        )
        if dry:
            outcomes += map(self._tried, new)
        else:
            outcomes += await self._open_all(new, resumed=resumed)
        return sorted(outcomes, key=lambda one: one.line)

    def _ready(self, one: Checked, now: datetime) -> _Ready | Outcome:
        """Hold a row to the rows before it; what is one person's is remembered all the same."""
        made = one.arrival
        if made is None:
            return Outcome(
                line=one.line, reference=one.reference, fault=one.fault, column=one.column
            )
        known = [self._seen.add(fault, value) for fault, value in made.unique]
        twice = [fault for (fault, _), seen in zip(made.unique, known, strict=True) if seen]
        if twice:
            column = "reference" if twice[0] is RowFault.REFERENCE_TWICE else ""
            return Outcome(line=one.line, reference=one.reference, fault=twice[0], column=column)
        listed = self._listed(made, made.account.account_id, now=now)
        return _Ready(line=one.line, reference=one.reference, account=made.account, listed=listed)

    def _listed(self, made: Arrival, named: AccountId, *, now: datetime) -> tuple[Destination, ...]:
        return tuple(
            Destination(
                destination_id=self._blind.names(
                    Place(
                        account=named,
                        network=where.network,
                        address=where.address,
                        memo=where.memo,
                    )
                )[0],
                account_id=named,
                version=1,
                network=where.network,
                address=where.address,
                memo=where.memo,
                label=label,
                added_at=now,
                imported=True,
            )
            for where, label in zip(made.listed, made.labels, strict=True)
        )

    def _met(self, one: _Ready, source: str | None, *, resumed: bool) -> Outcome:
        """Return what is told of a row whose account is there, or was."""
        if source is None:
            return _not_new(one, RowFault.ACCOUNT_ERASED)
        if resumed and source == self._source:
            return _taken(one, before=True)
        return _not_new(one, RowFault.ACCOUNT_EXISTS)

    def _tried(self, one: _Ready) -> Outcome:
        """Decide as the run would, and keep nothing."""
        try:
            now = self._clock.now(database_at=None)
            _opened(State(account=one.account), one, rules=self._policies.rules(), now=now)
        except DocumentTooLargeError:
            return _too_large(one)
        return _taken(one)

    async def _open_all(self, new: Sequence[_Ready], *, resumed: bool) -> list[Outcome]:
        """Open all of ``new``, some of them again where the store could not say what became of it.

        What was committed all the same is found by its name, and by the file that it came from.
        """
        outcomes: list[Outcome] = []
        tries = TRIES
        while True:
            again = tries < TRIES
            opening = (self._open(one, resumed=resumed, again=again) for one in new)
            every = await asyncio.gather(*opening, return_exceptions=True)
            failed = [error for error in every if isinstance(error, BaseException)]
            outcomes += (one for one in every if not isinstance(one, BaseException))
            if not failed:
                return outcomes
            tries -= 1
            if not tries or not all(map(_passes, failed)):
                raise failed[0]
            told = {one.line for one in outcomes}
            left = [one for one in new if one.line not in told]
            there = await self._arrivals.standing([one.account.account_id for one in left])
            mine = [one for one in left if there.get(one.account.account_id) == self._source]
            outcomes += map(_taken, mine)
            new = [one for one in left if one not in mine]

    async def _open(self, one: _Ready, *, resumed: bool, again: bool) -> Outcome:
        named = one.account.account_id
        marks = self._marks(one.account)
        try:
            await by_rules(
                self._policies,
                lambda rules: self._store.run(
                    Work(
                        account_id=named,
                        decide=lambda state, now: _opened(state, one, rules=rules, now=now),
                        actor=ACTOR,
                        policy=rules.policy.name,
                        opens=one.account,
                        marks=marks,
                    )
                ),
            )
        except DocumentTooLargeError:
            return _too_large(one)
        except AccountErasedError:
            return _not_new(one, RowFault.ACCOUNT_ERASED)
        except AccountExistsError:  # Somebody imports it at this moment; or we did just now.
            source = (await self._arrivals.standing([named])).get(named, "")
            if again and source == self._source:
                return _taken(one)
            return self._met(one, source, resumed=resumed)
        return _taken(one)

    def _marks(self, account: Account) -> tuple[bytes, ...]:
        """Return under which names its keys are found: all keys', and each integrator's."""
        if not account.api_keys:
            return ()
        named = {"", *(key.integrator for key in account.api_keys)}
        return tuple(self._blind.marks(one)[0] for one in sorted(named))


def _taken(one: _Ready, *, before: bool = False) -> Outcome:
    return Outcome(
        line=one.line,
        reference=one.reference,
        account_id=one.account.account_id,
        done_before=before,
    )


def _too_large(one: _Ready) -> Outcome:
    return Outcome(line=one.line, reference=one.reference, fault=RowFault.ACCOUNT_TOO_LARGE)


def _not_new(one: _Ready, fault: RowFault) -> Outcome:
    return Outcome(line=one.line, reference=one.reference, fault=fault, column="reference")


def _passes(error: BaseException) -> bool:
    """Say whether it may be gone when the same is asked again."""
    return isinstance(error, TwinlockError) and error.status == UNAVAILABLE


def _opened(state: State, one: _Ready, *, rules: Rules, now: datetime) -> Decided:
    listed = tuple(replace(each, added_at=now) for each in one.listed)
    return decide(state, OpenAccount(account=one.account, listed=listed), rules=rules, now=now)
