"""By which policy version a process decides: the one that the platform's chain says is in force.

Once officers are appointed, their acts alone say which version decides. A file that nobody
activated is refused, whatever the settings name, and the version in force goes on. Its text comes
from the database, is held against its digest, and is compiled by both engines; where that fails,
this process decides nothing, and nor does it while the head is not one that we wrote: also what is
only looked at, orders above all, is not answered by the version before.

Always true (tests/integration/test_policy_life_store.py): after an activation each decision is made
by the new version, without a restart; no edited file, table or old database brings in another one.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable

import structlog

from twinlock.adapters.keys_at_work import KeysAtWork
from twinlock.adapters.setting_table import PROFILES
from twinlock.adapters.sql import queries
from twinlock.adapters.sql.connections import Database
from twinlock.adapters.sql.policies import SqlPolicyTexts
from twinlock.adapters.sql.store import SqlStore
from twinlock.adapters.sql.watch import Watch
from twinlock.bootstrap.rulebook import RuleBook, book_of_text, rule_book
from twinlock.bootstrap.world import World
from twinlock.domain.errors import LogDamagedError, TwinlockError, UnavailableError
from twinlock.domain.officers.standing import (
    PolicyNotActivatedError,
    PolicyNotLoadedError,
    Standing,
    read_standing,
)
from twinlock.domain.policy.annotations import PolicyRefusedError
from twinlock.domain.policy.version import profile_of
from twinlock.ports import PolicyTexts

LOOK_SECONDS = 1.0  # Between two looks at the head, for what is answered without a decision.
BLIND_SECONDS = 10.0  # So long nobody could look, and nothing is decided, nor looked at.
AGAIN_SECONDS = 5.0  # Until what could not be loaded is tried again: a try takes 0.2 s of CPU.
_log = structlog.get_logger(__name__)


async def _nobody() -> str:
    return ""


class Ruling:
    """The book that this process decides by now. ``refused`` is what it was told to, and does not.

    ``look`` reads the digest in force from a head that is ours, "" where officers activated none.
    ``seconds`` counts the pause before what failed is tried again.
    """

    def __init__(
        self,
        book: RuleBook,
        *,
        texts: PolicyTexts,
        look: Callable[[], Awaitable[str]] = _nobody,
        refused: PolicyNotActivatedError | None = None,
        seconds: Callable[[], float] = time.monotonic,
    ) -> None:
        self.book = book
        self.refused = refused
        self._texts = texts
        self._look = look
        self._seconds = seconds
        self._loading = asyncio.Lock()
        self._looked = seconds()
        self._failed: tuple[str, float, TwinlockError] | None = None

    async def follow(self) -> None:
        """Look once which version is in force, and decide by it from now on.

        Nobody else says which: a batch reads the head before its MAC is checked. Prevents: whoever
        writes into that row, and has any text that he put into the database loaded.

        Raises:
            PolicyNotLoadedError: it cannot be read here.
            LogDamagedError, UnavailableError: the head is not one that we wrote, or not to be read.
        """
        async with self._loading:  # Of two activations the later one is loaded last.
            try:
                digest = await self._look()
            except (LogDamagedError, UnavailableError) as error:
                is_blind = self._seconds() - self._looked >= BLIND_SECONDS
                if is_blind or isinstance(error, LogDamagedError):
                    self._failed = "", self._seconds(), error
                raise
            self._looked = self._seconds()
            if digest and self.book.policy.name.digest != digest:
                await self._load(digest)
            self._failed = None

    async def _load(self, digest: str) -> None:
        if self._failed is not None and self._failed[0] == digest:
            _, since, error = self._failed
            if self._seconds() - since < AGAIN_SECONDS:
                raise PolicyNotLoadedError(str(error))
        try:
            self.book = await read_book(self._texts, digest)
        except Exception as error:  # Whatever it is: what decides here until now is not in force.
            said = isinstance(error, TwinlockError)
            why = str(error) if said else f"the policy {digest} is in force: {type(error).__name__}"
            _log.error("policy_not_loaded", digest=digest, says=why)
            self._failed = digest, self._seconds(), PolicyNotLoadedError(why)
            raise PolicyNotLoadedError(why) from error
        _log.warning("policy_loaded", digest=digest, profile=self.book.policy.profile)

    def check(self) -> None:
        """Return unless nothing can be decided here: what kept us from it last is raised again.

        Raises:
            PolicyNotLoadedError, LogDamagedError, UnavailableError: as ``follow``.
        """
        if self._failed is not None:
            error = self._failed[2]
            raise type(error)(str(error))

    def in_force(self) -> RuleBook:
        """Return the book to decide by, or to look by. Raises as ``check``."""
        self.check()
        return self.book


async def read_book(texts: PolicyTexts, digest: str) -> RuleBook:
    """Return the laws with the version ``digest``, as the database keeps it.

    Raises:
        PolicyNotLoadedError: it is not there, was edited, or this release cannot decide by it.
    """
    try:
        text = await texts.read(digest)
        if text is None:
            raise PolicyNotLoadedError(f"the policy {digest} is in force, and is not kept here")
        return await asyncio.to_thread(book_of_text, text)
    except (LogDamagedError, PolicyRefusedError) as error:
        raise PolicyNotLoadedError(f"the policy {digest} is in force: {error}") from error


async def ruling_of(kept: SqlStore, *, given: RuleBook | None, profile: str) -> Ruling:
    """Return by what a process decides that was given a book, or the name of a profile.

    Raises:
        PolicyRefusedError: before there are officers: the profile cannot be decided by.
        PolicyNotLoadedError: the version in force cannot be.
        PolicyNotActivatedError: officers activated none yet, and this is not what was served.
    """
    standing, texts = await kept.standing(), SqlPolicyTexts(kept.database)

    async def look() -> str:
        return (await kept.standing()).policy

    if not standing.acts:
        return Ruling(given or rule_book(profile), texts=texts, look=look)
    book, refused = await _ruled(standing, texts, given=given, profile=profile)
    return Ruling(book, texts=texts, look=look, refused=refused)


async def keep_ruling(ruling: Ruling, kept: SqlStore) -> None:
    """Keep what a command decides by, before it decides anything.

    Raises:
        PolicyDiffersError: officers activated nothing, and a service decides by another policy.
    """
    texts = SqlPolicyTexts(kept.database)
    if not (await kept.standing()).policy:
        await texts.check_served(ruling.book.policy.name.digest)
    await texts.keep(ruling.book.policy.text)


async def _ruled(
    standing: Standing, texts: SqlPolicyTexts, *, given: RuleBook | None, profile: str
) -> tuple[RuleBook, PolicyNotActivatedError | None]:
    """Return what officers say; where they activated none yet, what was served until now.

    And why that is not what the settings name, where it is not.
    """
    digest = standing.policy or await texts.served()
    try:
        own = given or rule_book(profile)
    except PolicyRefusedError as error:
        if digest is None:
            raise
        says = f"TWINLOCK_PROFILE names what cannot be decided by ({error}); {digest} goes on"
        return await read_book(texts, digest), PolicyNotActivatedError(says)
    named = own.policy.name.digest
    if digest is None or digest == named:
        return own, None
    if not standing.policy and await _is_same(own, texts, digest, profile):
        return own, None
    says = f"officers have not activated the policy {named} of TWINLOCK_PROFILE; {digest} goes on"
    refused = PolicyNotActivatedError(says)
    try:
        return await read_book(texts, digest), refused
    except PolicyNotLoadedError as error:
        if standing.policy:
            raise
        raise refused from error


async def _is_same(own: RuleBook, texts: SqlPolicyTexts, served: str, profile: str) -> bool:
    """Say whether this is the shipped profile that was served, as another release has it.

    Officers who were appointed by a release without policies in the chain have activated none.
    """
    text = await texts.read(served)
    if profile not in PROFILES or text is None:
        return False
    return profile_of(text) == own.policy.profile


async def book_in_force(world: World) -> RuleBook:
    """Return the book in force, for a command that looks and decides nothing.

    Raises:
        PolicyRefusedError, PolicyNotLoadedError: as ``ruling_of``.
        LogDamagedError: the head is not one that we wrote.
    """
    sealer = KeysAtWork.of(world.keyring, world.settings).sealer
    async with Database.open(world.dsn) as database:
        row = await database.read(lambda db: db.fetchrow(queries.READ_HEAD))
        Watch(sealer).frontier_of(row)
        digest = read_standing(row["platform"]).policy
        if not digest:
            return rule_book(world.settings.profile)
        return await read_book(SqlPolicyTexts(database), digest)


async def officers_rule(world: World) -> bool:
    """Say whether officers have activated a policy version."""
    sealer = KeysAtWork.of(world.keyring, world.settings).sealer
    async with Database.open(world.dsn) as database:
        row = await database.read(lambda db: db.fetchrow(queries.READ_HEAD))
    Watch(sealer).frontier_of(row)
    return bool(read_standing(row["platform"]).policy)
