"""Exits: every way in which value leaves, and what a customer signs for each.

The list is closed (law 6): a payload says how much of which asset leaves, to whom, and what the
most is that leaves beside it.
"""

from twinlock.domain.catalogue import ActionType, Payload
from twinlock.domain.money import AmountError, minor_units


class WithdrawalCrypto(Payload, frozen=True, kw_only=True, tag=ActionType.WITHDRAWAL_CRYPTO.value):
    """Send ``amount_minor`` of an asset to an address; amounts are decimal strings of minor units.

    ``contract`` and ``decimals`` are those of the policy version. ``max_fee_minor`` bounds what
    the signer may pay on top, in minor units of the network's own coin.
    """

    asset: str
    network: str
    contract: str
    decimals: int
    address: str
    memo: str
    amount_minor: str
    max_fee_minor: str

    def __post_init__(self) -> None:
        minor_units(self.max_fee_minor)
        if minor_units(self.amount_minor) == 0:
            raise AmountError("an amount is more than zero")
