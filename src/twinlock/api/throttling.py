"""Rates: a token bucket per caller, in this process.

They bound what one runaway caller can cost its neighbours. What guards accounts against guessing
is the gate's own throttle, which stands in the account and holds over all processes.
"""

from collections import OrderedDict
from collections.abc import Callable

from twinlock.domain.errors import TwinlockError

KEY_RATE = 5_000.0  # Requests a second for one platform key: more than one process can serve.
KEY_BURST = 10_000.0
ACCOUNT_RATE = 2.0  # Requests a second that act on one account: no person is faster for long.
ACCOUNT_BURST = 120.0
BUCKETS_MOST = 100_000  # Callers that are remembered; the longest idle is forgotten, full again.


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
