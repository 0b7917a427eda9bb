"""A wallet with its signer, beside the house that asks it to pay."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from support.bundles import PAYEE, TRUST, House, a_withdrawal, phone
from support.cast import DAY
from support.forgeries import Forger
from support.worlds import CONTRACT, rules_of

from twinlock.domain.canonical import encode
from twinlock.domain.ids import AccountId, ActionId
from twinlock.range.authenticator import SoftwareAuthenticator
from twinlock.signer import (
    Cleared,
    SignerSettings,
    Transaction,
    adopt_head,
    check_spend,
    follow_head,
)
from twinlock.signer.memory import Memory

BUDGET = 100_00  # cents
DAILY_SUM = 150_00
KEY_AGE = 2 * DAY


class DictPages:
    """Pages over what is kept; they change ``changed``, which may be the same dictionary."""

    def __init__(self, kept: dict[str, bytes], changed: dict[str, bytes] | None = None) -> None:
        self._kept = kept
        self.changed = {} if changed is None else changed

    def get(self, name: str) -> bytes | None:
        return self.changed.get(name, self._kept.get(name))

    def put(self, name: str, value: bytes) -> None:
        self.changed[name] = value


@dataclass
class DictState:
    """The signer's memory in a dictionary, which changes as a whole or not at all."""

    kept: dict[str, bytes] = field(default_factory=dict)

    @contextmanager
    def open(self) -> Iterator[DictPages]:
        pages = DictPages(self.kept)
        yield pages
        self.kept |= pages.changed

    def pages(self) -> DictPages:
        """Return the pages as nobody holds them: what is put is there at once."""
        return DictPages(self.kept, self.kept)


def settings(**changes: object) -> SignerSettings:
    values: dict[str, object] = {
        "trust": TRUST,
        "policies": frozenset({rules_of().policy.name.digest}),
        "session_budget_cents": BUDGET,
        "unasserted_daily_cents": DAILY_SUM,
        "key_age_least": KEY_AGE,
    }
    return SignerSettings(**(values | changes))  # type: ignore[arg-type]  # a test's own words


@dataclass
class Wallet:
    """Alice's phone is bound; the signer adopted a head, and the key has aged since."""

    settings: SignerSettings = field(default_factory=settings)
    house: House = field(default_factory=House)
    state: DictState = field(default_factory=DictState)
    phone: SoftwareAuthenticator = field(default_factory=phone)
    alice: AccountId = field(init=False)

    def __post_init__(self) -> None:
        self.alice = self.house.open_account(self.phone)
        self.adopt()
        self.house.wait(self.settings.key_age_least)

    @property
    def now(self) -> datetime:
        return self.house.now

    @property
    def head_size(self) -> int:
        """The size of the head that the signer saw last."""
        heads = Memory(DictPages(self.state.kept)).heads()
        return 0 if heads is None else heads.last.size

    def adopt(self) -> None:
        adopt_head(self.house.note(), settings=self.settings, state=self.state, now=self.now)

    def follow(self) -> None:
        follow_head(
            self.house.note(),
            self.house.growth(self.head_size),
            settings=self.settings,
            state=self.state,
            now=self.now,
        )

    def pay(self, *, dollars: int = 50, spend_id: str = "payout-1") -> ActionId:
        """Let Alice's phone consent to a payment, and spend it."""
        payload = a_withdrawal(self.alice, dollars=dollars)
        return self.house.pay(payload, self.phone, spend_id=spend_id)

    def forger(self, action: ActionId) -> Forger:
        """Return the payment's bundle in a forger's hands; it leads from the signer's head."""
        return Forger(self.house, action, consistent_from=self.head_size)

    def bundle(self, action: ActionId) -> bytes:
        return encode(self.house.bundle(action, consistent_from=self.head_size))

    def check(
        self,
        bundle: bytes,
        transaction: Transaction | None = None,
        *,
        later: timedelta = timedelta(0),
    ) -> Cleared:
        return check_spend(
            bundle,
            self.transaction() if transaction is None else transaction,
            settings=self.settings,
            state=self.state,
            now=self.now + later,
        )

    def transaction(self, **changes: object) -> Transaction:
        """Return the transaction of ``pay()``, worth twice the session budget."""
        values: dict[str, object] = {
            "account": self.alice,
            "asset": "USDT",
            "network": "ethereum",
            "contract": CONTRACT,
            "address": PAYEE,
            "memo": "",
            "amount_minor": 50 * 10**6,
            "fee_minor": 5,
            "value_cents": 2 * BUDGET,
        }
        return Transaction(**(values | changes))  # type: ignore[arg-type]  # a test's own words
