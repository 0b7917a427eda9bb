"""Rates: token buckets, in this process, by who asks and for what.

They bound what one runaway caller can cost its neighbours. What guards accounts against guessing
is the gate's own throttle, which stands in the account and holds over all processes.

Always true (tests/integration/test_rates.py), because a no must never be a weapon (law 5):

* what anybody can ask for without a key is counted by address, so that a stranger spends nothing
  of an account that he only names;
* a veto, and a proposal that only tightens, are counted apart: whatever else is asked about an
  account stops neither;
* an action has a reserve of its own: an answer to it is read however its account is flooded.
"""

from collections import OrderedDict
from collections.abc import Callable

from twinlock.domain.actions import CLASS_OF, ActionClass
from twinlock.domain.errors import TwinlockError
from twinlock.domain.ids import AccountId, ActionId, account_of

KEY_RATE = 5_000.0  # Requests a second for one platform key: more than one process can serve.
KEY_BURST = 10_000.0
ACCOUNT_RATE = 2.0  # Requests a second that act on one account: no person is faster for long.
ACCOUNT_BURST = 120.0
RESERVE_RATE = 0.2  # Answers a second to one action whose account is flooded.
RESERVE_BURST = 20.0  # A passkey takes two requests, a code three; people mistype.
STOP_RATE = 20.0  # Vetoes of one action, tightening of one account: cheap, and no guess is gained.
STOP_BURST = 600.0
PAGE_RATE = 10.0  # Requests a second for pages from one address: an office, or a mobile carrier.
PAGE_BURST = 300.0
LOG_RATE = 50.0  # Tiles and proofs a second to one address: a monitor that reads all of the log.
LOG_BURST = 2_000.0
REFUSED_RATE = 1.0  # Refused platform keys a second from one address: 256 bits are not guessed.
REFUSED_BURST = 100.0
BUCKETS_MOST = 100_000  # Callers that are remembered; the longest idle is forgotten, full again.
_TIGHTENING = frozenset(name for name, cls in CLASS_OF.items() if cls is ActionClass.TIGHTENING)


class RateLimitedError(TwinlockError):
    """Too many requests in too short a time."""

    code = "rate_limited"
    status = 429


class Buckets:
    """Token buckets by name. ``seconds`` reads a monotonic clock."""

    def __init__(self, *, rate: float, burst: float, seconds: Callable[[], float]) -> None:
        self._rate = rate
        self._burst = burst
        self._seconds = seconds
        self._buckets: OrderedDict[str, tuple[float, float]] = OrderedDict()

    def take(self, name: str) -> None:
        """Take one token of ``name``. Raises RateLimitedError."""
        now = self._seconds()
        tokens, at = self._buckets.pop(name, (self._burst, now))
        tokens = min(self._burst, tokens + (now - at) * self._rate)
        self._buckets[name] = (tokens - 1 if tokens >= 1 else tokens, now)
        if len(self._buckets) > BUCKETS_MOST:
            self._buckets.popitem(last=False)
        if tokens < 1:
            raise RateLimitedError("slow down")


class Answers:
    """Buckets of who answers on one path: an account's, and a reserve of each of its actions."""

    def __init__(self, seconds: Callable[[], float]) -> None:
        self.accounts = Buckets(rate=ACCOUNT_RATE, burst=ACCOUNT_BURST, seconds=seconds)
        self.reserves = Buckets(rate=RESERVE_RATE, burst=RESERVE_BURST, seconds=seconds)

    def take(self, action_id: str) -> ActionId:
        """Return a well-formed action id that may be answered now.

        An id that somebody made up has a reserve too, of which no action is short.

        Raises:
            MalformedError, RateLimitedError: as they say.
        """
        try:
            self.accounts.take(account_of(action_id))
        except RateLimitedError:
            self.reserves.take(action_id)
        return ActionId(action_id)


class Rates:
    """Every bucket of one process."""

    def __init__(self, seconds: Callable[[], float]) -> None:
        def buckets(rate: float, burst: float) -> Buckets:
            return Buckets(rate=rate, burst=burst, seconds=seconds)

        self.keys = buckets(KEY_RATE, KEY_BURST)
        self.refused = buckets(REFUSED_RATE, REFUSED_BURST)
        self.log = buckets(LOG_RATE, LOG_BURST)
        self.pages = buckets(PAGE_RATE, PAGE_BURST)
        self.page_vetoes = buckets(PAGE_RATE, PAGE_BURST)
        self.stops = buckets(STOP_RATE, STOP_BURST)
        self.answers = Answers(seconds)
        self.page_answers = Answers(seconds)

    def proposal(self, named: AccountId, kind: str) -> None:
        """Count a proposal, or whatever else is asked of an account. Raises RateLimitedError."""
        buckets = self.stops if kind in _TIGHTENING else self.answers.accounts
        buckets.take(named)
