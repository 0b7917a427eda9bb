"""One replay: a fresh account at its first step, and what happens around it from then on.

It binds the symbols of a file (``old_addr``, ``small``, ``all``) to values, and keeps what steps
need of each other: sessions that began, things that were bound, waits that were told.
"""

import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from decimal import ROUND_UP, Decimal
from typing import Any

from twinlock.domain.authenticators.faults import ProofFault
from twinlock.domain.catalogue import CLASS_OF, ActionClass, ActionType
from twinlock.domain.money import Asset
from twinlock.domain.policy.version import Policy
from twinlock.domain.reasons import Reason
from twinlock.range.api_keys import SoftwareKey
from twinlock.range.customer import Belongings, Customer, LiveSession, NotPlayableError
from twinlock.range.limits import limit_of
from twinlock.range.places import CHAINS, NETWORK, Places
from twinlock.range.signing import Wallet
from twinlock.range.story import AccountSpec, Step
from twinlock.range.venue import Venue
from twinlock.range.weather import CENTS, Dependency
from twinlock.range.words import Capability, Outcome, Person, Proof

BUDGET_CENTS = 200_00  # What "small" means as a budget: below what any profile offers.
TINY_CENTS = 1_00
SMALL_CENTS = 50_00
MEDIUM_CENTS = 5_000_00
LARGE_CENTS = 50_000_00
HOUSE_CENTS = 500_000_00
ASSET = "USDT"
MAX_FEE = CHAINS[NETWORK].max_fee  # ETH
MAX_FEE_CENTS = 30_00  # What it is worth, as on every chain; it is part of what leaves.
UNASKED: Mapping[str, str] = {  # What is told of a method that nobody asks for.
    ProofFault.BELOW_FLOOR: (
        "This method is weaker than the best authenticator bound, so nobody asks for it."
    ),
    ProofFault.NOT_OFFERED: "Nobody proves this action by this method, so nobody asks for it.",
    ProofFault.AGREEMENT_NOT_NEEDED: "Nobody else needs to agree to this, so nobody is asked to.",
}
REFUSED = frozenset({Outcome.DENY, Outcome.CHALLENGE})
_NUMBER = re.compile(r"-?[0-9]{1,30}(\.[0-9]{1,30})?")  # Plain, so that no exponent grows it.


@dataclass(frozen=True, slots=True, kw_only=True)
class Heard:
    """What a step was answered.

    ``until`` is the end of the wait it was told (UTC); ``value_cents`` is what it would send.
    ``beside`` are the answers to what else the step asked for: one action for each pair it trades.
    """

    outcome: Outcome
    codes: tuple[str, ...] = ()
    sentence: str = ""
    until: datetime | None = None
    action_id: str = ""
    value_cents: int = 0
    taken_cents: int = 0
    notes: tuple[str, ...] = ()
    beside: tuple["Heard", ...] = ()

    @property
    def each(self) -> "tuple[Heard, ...]":
        """Return every answer, this one first."""
        return (self, *self.beside)

    @property
    def refused(self) -> bool:
        """Say whether nothing came of it: a thief who was challenged has shown all he has."""
        return self.outcome in REFUSED


@dataclass(slots=True, kw_only=True)
class Stage:
    """One replay. ``start`` is the instant of its first step; ``left_cents`` is what can be lost.

    ``due_at`` is when the latest step was due; ``held`` is what the thief holds; ``keys`` are API
    keys, with those that were only asked for; ``owed`` are actions whose hold begins when their
    wait is over; ``silent_taps`` are those of signing in where a file only says that somebody has a
    session; ``outage`` is what is slow, or turned off at the next spend. ``by_chance``: what is
    marked as under duress is shown by somebody whom chance picked; ``others`` are the accounts of
    other customers who act in this file; ``turned_away`` wanted to sign in, and could not.
    """

    venue: Venue
    spec: AccountSpec
    customer: Customer
    places: Places
    start: datetime
    left_cents: int
    opening: dict[str, Any]
    wallet: Wallet
    asked: dict[str, Step] = field(default_factory=dict)
    heard: dict[str, Heard] = field(default_factory=dict)
    waits: dict[str, datetime] = field(default_factory=dict)
    due_at: datetime | None = None
    unplayable: set[str] = field(default_factory=set)
    owed: set[str] = field(default_factory=set)
    sessions: dict[Person, LiveSession] = field(default_factory=dict)
    bound: dict[Proof, Belongings] = field(default_factory=dict)
    keys: list[SoftwareKey] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    neighbour: Customer | None = None
    held: frozenset[Capability] = frozenset()
    silent_taps: int = 0
    outage: tuple[Dependency, ...] = ()
    outage_state: str = "up"
    by_chance: bool = False
    others: dict[Person, "Stage"] = field(default_factory=dict)
    turned_away: set[Person] = field(default_factory=set)
    spends: int = 0

    @property
    def policy(self) -> Policy:
        """Return the policy version that this venue decides by."""
        return self.venue.book.policy

    @property
    def since(self) -> timedelta:
        """Return the time since the first step."""
        return self.venue.now - self.start

    async def set_forward(self, after: timedelta) -> None:
        """Let time pass until ``after`` the first step."""
        await self.venue.set_forward(self.start + after)

    async def account(self) -> dict[str, Any]:
        """Return the account as it stands now, with what is due: nobody has to end a wait.

        Looking settles nothing, and asking for something does.
        """
        client, named = self.venue.client, self.customer.account_id
        seen = await client.account(named)
        if any(map(self._is_due, seen["actions"])):
            await self.customer.propose(ActionType.WITHDRAWAL_CRYPTO, self.elsewhere())
            seen = await client.account(named)
        return seen

    def _is_due(self, action: dict[str, Any]) -> bool:
        exit_ = CLASS_OF.get(action["type"]) is ActionClass.EXIT
        until = action["until"]
        return not exit_ and bool(until) and datetime.fromisoformat(until) <= self.venue.now

    def elsewhere(self) -> dict[str, Any]:
        """Return a withdrawal that nobody in the file asks for: only to be asked about."""
        return {
            "asset": ASSET,
            "network": NETWORK,
            "address": self.places.address("old_addr", network=NETWORK),
            "amount": "1",
            "max_fee": MAX_FEE,
        }

    def next_spend_id(self) -> str:
        """Return a spend id that this account has not used."""
        self.spends += 1
        return f"range-spend-{self.spends:04d}"

    def take(self, cents: int) -> int:
        """Take ``cents`` out of what is left, and return how much of it there was."""
        taken = min(cents, self.left_cents)
        self.left_cents -= taken
        return taken

    def cents(self, word: object) -> int:
        """Return what an amount word means in US cents.

        Raises:
            NotPlayableError: it is neither a word that is known nor a number.
        """
        known = {
            "tiny": TINY_CENTS,
            "small": SMALL_CENTS,
            "medium": MEDIUM_CENTS,
            "large": LARGE_CENTS,
            "all": self.spec.value_usd * 100,
            "half": self.spec.value_usd * 50,
            "rest": self.left_cents,
            "remaining": self.left_cents,
            "within_budget": BUDGET_CENTS - MAX_FEE_CENTS,
            "above_budget": BUDGET_CENTS + 1,
            "within_limit": limit_of(self.policy.statutes, Reason.LIMIT_EXCEEDED) - MAX_FEE_CENTS,
            "above_limit": limit_of(self.policy.statutes, Reason.LIMIT_EXCEEDED) + 1,
            "house_price": HOUSE_CENTS,
        }
        if str(word) in known:
            return known[str(word)]
        raise NotPlayableError(f"the amount {word!r} has no meaning here")

    def whole_cents(self, word: object) -> int:
        """Return what an amount word, or a number of whole US dollars, means in US cents.

        Raises:
            NotPlayableError: it is neither.
        """
        text = str(word)
        number = text.isdecimal() and len(text) <= len(str(10**9))
        return int(text) * 100 if number else self.cents(word)

    def amount(self, word: object, asset: Asset) -> tuple[str, int]:
        """Return an amount in whole units of ``asset`` as a decimal string, and its US cents.

        Raises:
            NotPlayableError: the amount has no meaning here, or the asset no price.
        """
        if asset.symbol not in CENTS:
            raise NotPlayableError(f"the asset {asset.symbol!r} has no price here")
        price = Decimal(CENTS[asset.symbol])
        unit = Decimal(1).scaleb(-asset.decimals)
        if _NUMBER.fullmatch(str(word)):
            units = Decimal(str(word))
        else:
            units = (self.cents(word) / price).quantize(unit, rounding=ROUND_UP)
        cents = int((units * price).to_integral_value(rounding=ROUND_UP))
        return f"{units:f}", cents

    def asset(self, symbol: str, *, networks: Collection[str] = CHAINS) -> Asset:
        """Return an asset by its symbol, on the first of ``networks`` that it is sent on.

        Raises:
            NotPlayableError: it is not in this policy version, or travels elsewhere only.
        """
        listed = [one for one in self.policy.assets if one.symbol == symbol]
        if not listed:
            raise NotPlayableError(f"the asset {symbol!r} is not in this policy version")
        sent_on = {one.network: one for one in listed}
        for network in networks:
            if network in sent_on:
                return sent_on[network]
        here = ", ".join(networks)
        raise NotPlayableError(
            f"{symbol} is sent on {listed[0].network}; places here are on {here}"
        )
