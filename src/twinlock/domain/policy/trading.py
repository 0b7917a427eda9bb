"""What counts as an unusual trade: the numbers of a policy, from the permit of ``trade.unusual``.

A policy that names no liquid pair has none: each is thin (law 1).
"""

from datetime import timedelta

import msgspec

from twinlock.domain.api_keys import LONGEST, KeyLapses

FAR_BP = 500  # Basis points; order books of liquid pairs move less in a minute.
TIMES_BUSIEST = 3  # A busy day is twice a usual one; three times the busiest hour is another life.
ORDERS_AN_HOUR = 100  # Nobody types more. S10 placed 300 in an hour.
NOTIONAL_AN_HOUR_CENTS = 100_000_00  # What may leave in a day without a second root.
LIQUID_MOST = 500  # Pairs; the largest platforms have as many that are liquid.
FAR_BP_MOST = 2_000  # Further is what the attack looks like.


class TradingRules(msgspec.Struct, frozen=True, kw_only=True):
    """When a trade is unusual: an exit that the gate decides.

    ``times_busiest`` is by how much an hour may outdo the account's busiest of the last 30 days;
    the floors are what any account may do. ``far_anywhere``: far from the middle is unusual in
    liquid pairs, too. ``exempt_after`` is how long a key's band waits before it exempts.
    """

    liquid: frozenset[str] = frozenset()
    far_bp: int = FAR_BP
    far_anywhere: bool = False
    times_busiest: int = TIMES_BUSIEST
    orders_an_hour: int = ORDERS_AN_HOUR
    notional_an_hour_cents: int = NOTIONAL_AN_HOUR_CENTS
    lapses: KeyLapses = LONGEST
    exempt_after: timedelta = timedelta(hours=24)
