"""A wallet's signer for replays: the one that wallets import, with a memory of one replay."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Self

from twinlock.domain.trust import Trust
from twinlock.signer import Cleared, SignerSettings, Transaction, adopt_head, check_spend
from twinlock.signer.memory import Memory

SESSION_BUDGET_CENTS = 500_00  # As the default profile lets leave on the session alone.
UNASSERTED_DAILY_CENTS = 10_000_00
KEY_AGE_LEAST = timedelta(days=1)


class MemoryState:
    """A signer's memory that lasts as long as a replay. Fulfils ``signer.SignerState``."""

    def __init__(self) -> None:
        self._pages: dict[str, bytes] = {}

    @contextmanager
    def open(self) -> "Iterator[MemoryState]":
        """Hold the pages; what was put stays only when the block ends well."""
        before = dict(self._pages)
        try:
            yield self
        except BaseException:
            self._pages = before
            raise

    def get(self, name: str) -> bytes | None:
        """Return a page, or None."""
        return self._pages.get(name)

    def put(self, name: str, value: bytes) -> None:
        """Put a page."""
        self._pages[name] = value


@dataclass(slots=True, kw_only=True)
class Wallet:
    """A wallet with its signer."""

    settings: SignerSettings
    state: MemoryState = field(default_factory=MemoryState)

    @classmethod
    def that_saw(cls, note: bytes, *, at: datetime, trust: Trust, policy: str) -> Self:
        """Return a wallet that adopted the head in ``note`` at ``at``, under a policy's digest."""
        settings = SignerSettings(
            trust=trust,
            policies=frozenset({policy}),
            session_budget_cents=SESSION_BUDGET_CENTS,
            unasserted_daily_cents=UNASSERTED_DAILY_CENTS,
            key_age_least=KEY_AGE_LEAST,
        )
        wallet = cls(settings=settings)
        adopt_head(note, settings=settings, state=wallet.state, now=at)
        return wallet

    @property
    def size(self) -> int:
        """Return the size of the newest log that the signer has seen."""
        with self.state.open() as pages:
            heads = Memory(pages).heads()
        return 0 if heads is None else heads.last.size

    def sign(self, bundle: bytes, transaction: Transaction, *, now: datetime) -> Cleared:
        """Return the clearance to sign. Raises SignerRefusedError."""
        return check_spend(bundle, transaction, settings=self.settings, state=self.state, now=now)
