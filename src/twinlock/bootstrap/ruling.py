"""By which policy version a process decides: the one that the platform's chain says is in force.

Once officers are appointed, their acts alone say which version decides. A file that nobody
activated is refused, whatever the settings name, and the version in force goes on. Its text comes
from the database, is held against its digest, and is compiled by both engines; where that fails,
this process decides nothing.

Always true (tests/integration/test_policy_life_store.py): after an activation each decision is made
by the new version, without a restart; no edited file, table or old database brings in another one.
"""

import asyncio
import time
from collections.abc import Callable

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
from twinlock.domain.errors import LogDamagedError
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
AGAIN_SECONDS = 5.0  # Until what could not be loaded is tried again: a try takes 0.2 s of CPU.
_log = structlog.get_logger(__name__)


class Ruling:
    """The book that this process decides by now. ``refused`` is what it was told to, and does not.

    ``seconds`` counts the pause before what failed is tried again.
    """

    def __init__(
        self,
        book: RuleBook,
        *,
        texts: PolicyTexts,
        refused: PolicyNotActivatedError | None = None,
        seconds: Callable[[], float] = time.monotonic,
    ) -> None:
        self.book = book
        self.refused = refused
        self._texts = texts
        self._seconds = seconds
        self._loading = asyncio.Lock()
        self._failed: tuple[str, float, PolicyNotLoadedError] | None = None

    async def load(self, digest: str) -> None:
        """Decide by the version ``digest`` from now on. Raises PolicyNotLoadedError."""
        async with self._loading:
            if self.book.policy.name.digest == digest:
                self._failed = None
                return
            if self._failed is not None and self._failed[0] == digest:
                _, since, error = self._failed
                if self._seconds() - since < AGAIN_SECONDS:
                    raise PolicyNotLoadedError(str(error))
            try:
                self.book = await read_book(self._texts, digest)
            except PolicyNotLoadedError as error:
                self._failed = digest, self._seconds(), error
                _log.error("policy_not_loaded", digest=digest, says=str(error))
                raise
            self._failed = None
            _log.warning("policy_loaded", digest=digest, profile=self.book.policy.profile)

    async def follow(self, kept: SqlStore) -> None:
        """Look once which version is in force, and decide by it. Raises as ``load``."""
        digest = (await kept.standing()).policy
        if digest:
            await self.load(digest)

    def check(self) -> None:
        """Return unless the version in force could not be loaded. Raises PolicyNotLoadedError."""
        if self._failed is not None:
            raise PolicyNotLoadedError(str(self._failed[2]))


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
    if not standing.acts:
        return Ruling(given or rule_book(profile), texts=texts)
    return await _ruled(standing, texts, given=given, profile=profile)


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
) -> Ruling:
    """Return what officers say; where they activated none yet, what was served until now."""
    digest = standing.policy or await texts.served()
    try:
        own = given or rule_book(profile)
    except PolicyRefusedError as error:
        if digest is None:
            raise
        says = f"TWINLOCK_PROFILE names what cannot be decided by ({error}); {digest} goes on"
        return Ruling(
            await read_book(texts, digest), texts=texts, refused=PolicyNotActivatedError(says)
        )
    named = own.policy.name.digest
    if digest is None or digest == named:
        return Ruling(own, texts=texts)
    if not standing.policy and await _is_same(own, texts, digest, profile):
        return Ruling(own, texts=texts)
    says = f"officers have not activated the policy {named} of TWINLOCK_PROFILE; {digest} goes on"
    refused = PolicyNotActivatedError(says)
    try:
        return Ruling(await read_book(texts, digest), texts=texts, refused=refused)
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
