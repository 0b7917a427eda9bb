"""Rates: token buckets, in this process, by who asks, for what and about whom.

They bound what one runaway caller can cost its neighbours. What guards accounts against guessing
is the gate's own throttle, which stands in the account and holds over all processes.

Always true (tests/integration/test_rates.py), because a no must never be a weapon (law 5):

* who asks spends their own share: what is asked about an account or an action is counted for each
  platform key apart, and without a key for each address, so that a stranger spends nothing of an
  account that he only names, or of an action whose link he holds;
* a veto, and a proposal that only tightens, are counted apart: whatever else the same caller asks
  about an account stops neither;
* an action has a reserve of its own: an answer to it is read however the same caller, or who
  shares their address, floods its account.
"""

from collections import OrderedDict
from collections.abc import Callable
from math import ceil

from twinlock.domain.catalogue import CLASS_OF, ActionClass
from twinlock.domain.errors import TwinlockError
from twinlock.domain.ids import AccountId, ActionId, account_of

KEY_RATE = 5_000.0  # Requests a second for one platform key: more than one process can serve.
KEY_BURST = 10_000.0
ACCOUNT_RATE = 2.0  # Requests a second by one caller about one account: no person is faster.
ACCOUNT_BURST = 120.0
RESERVE_RATE = 0.2  # Answers a second to one action whose account is flooded.
RESERVE_BURST = 20.0  # A passkey takes two requests, a code three; people mistype.
STOP_RATE = 20.0  # Vetoes of one action, tightening of one account: cheap, and no guess is gained.
STOP_BURST = 600.0
PAGE_RATE = 10.0  # Requests a second for pages from one address: an office, or a mobile carrier.
PAGE_BURST = 300.0
EXPORT_RATE = 1 / 60  # Exports a second by one key: people ask for their data, one by one.
EXPORT_BURST = 30.0
EXPORT_OF_ONE_RATE = 1 / 3600  # Exports a second of one account, by all keys: each is told to it.
EXPORT_OF_ONE_BURST = 3.0
SIGNAL_RATE = 20.0  # Signals a second from one address: a mail provider that tells of thousands.
SIGNAL_BURST = 1_000.0
LOG_RATE = 50.0  # Tiles and proofs a second to one address: a monitor that reads all of the log.
LOG_BURST = 2_000.0
REFUSED_RATE = 1.0  # Refused keys, or words on notices, a second from one address: nobody guesses.
REFUSED_BURST = 100.0
BUCKETS_MOST = 100_000  # Callers that are remembered; the longest idle is forgotten, full again.
_TIGHTENING = frozenset(name for name, cls in CLASS_OF.items() if cls is ActionClass.TIGHTENING)


class RateLimitedError(TwinlockError):
    """Too many requests in too short a time."""

    code = "rate_limited"
    status = 429

    def __init__(self, retry_after: float) -> None:
        super().__init__("slow down")
        self.retry_after = max(1, ceil(retry_after))


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
        tokens = self._left(name, now)
        self._buckets.pop(name, None)
        self._buckets[name] = (tokens - 1 if tokens >= 1 else tokens, now)
        if len(self._buckets) > BUCKETS_MOST:
            self._buckets.popitem(last=False)
        if tokens < 1:
            raise RateLimitedError((1 - tokens) / self._rate)

    def look(self, name: str) -> None:
        """Take nothing; say whether ``name`` has used up all. Raises RateLimitedError."""
        tokens = self._left(name, self._seconds())
        if tokens < 1:
            raise RateLimitedError((1 - tokens) / self._rate)

    def _left(self, name: str, now: float) -> float:
        tokens, at = self._buckets.get(name, (self._burst, now))
        return min(self._burst, tokens + (now - at) * self._rate)


def share(by: str, about: str) -> str:
    """Return the name of what ``by`` may ask about an account or an action.

    An id holds no space, whatever a proxy calls an address: no two pairs have one name.
    """
    return f"{by} {about}"


class Answers:
    """What one caller may ask about an account, and their reserve for each of its actions."""

    def __init__(self, seconds: Callable[[], float]) -> None:
        self.accounts = Buckets(rate=ACCOUNT_RATE, burst=ACCOUNT_BURST, seconds=seconds)
        self.reserves = Buckets(rate=RESERVE_RATE, burst=RESERVE_BURST, seconds=seconds)

    def take(self, action_id: str, *, by: str) -> ActionId:
        """Return a well-formed action id that ``by``, a key or an address, may answer now.

        An id that somebody made up has a reserve too, of which no action is short. Where both are
        used up, there is room again as soon as in one of them.

        Raises:
            MalformedError, RateLimitedError: as they say.
        """
        try:
            self.accounts.take(share(by, account_of(action_id)))
        except RateLimitedError as flooded:
            try:
                self.reserves.take(share(by, action_id))
            except RateLimitedError as spent:
                raise min(flooded, spent, key=_wait) from None
        return ActionId(action_id)


def _wait(error: RateLimitedError) -> int:
    return error.retry_after


class Rates:
    """Every bucket of one process."""

    def __init__(self, seconds: Callable[[], float]) -> None:
        def buckets(rate: float, burst: float) -> Buckets:
            return Buckets(rate=rate, burst=burst, seconds=seconds)

        self.keys = buckets(KEY_RATE, KEY_BURST)
        self.refused = buckets(REFUSED_RATE, REFUSED_BURST)
        self.log = buckets(LOG_RATE, LOG_BURST)
        self.signals = buckets(SIGNAL_RATE, SIGNAL_BURST)
        self.pages = buckets(PAGE_RATE, PAGE_BURST)
        self.veto_pages = buckets(PAGE_RATE, PAGE_BURST)
        self.page_vetoes = buckets(PAGE_RATE, PAGE_BURST)
        self.exports = buckets(EXPORT_RATE, EXPORT_BURST)
        self.exports_of_one = buckets(EXPORT_OF_ONE_RATE, EXPORT_OF_ONE_BURST)
        self.stops = buckets(STOP_RATE, STOP_BURST)
        self.answers = Answers(seconds)
        self.page_answers = Answers(seconds)

    def proposal(self, named: AccountId, kind: str, *, by: str) -> None:
        """Count a proposal, or whatever else is asked of an account. Raises RateLimitedError."""
        buckets = self.stops if kind in _TIGHTENING else self.answers.accounts
        buckets.take(share(by, named))
