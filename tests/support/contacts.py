"""An owner of many proofs, above whose sum of a day a trusted contact agrees."""

from msgspec.structs import replace
from support.cast import ALICE, NOON, OLD_ADDRESS
from support.gates import Gate
from support.policies import DEFAULT
from support.worlds import (
    APP,
    DESKTOP,
    EMAIL,
    PASSWORD,
    ROAMING,
    SMS,
    SYNCED,
    a_destination,
    an_account,
)

from twinlock.domain.actions import LimitLower, LimitRaise
from twinlock.domain.authenticators.model import Passkey
from twinlock.domain.limits import Limits
from twinlock.domain.policy.version import Policy


def agreeing(
    *contacts: Passkey, above: int | None, policy: Policy = DEFAULT, **changes: object
) -> Gate:
    """Return an account whose ``contacts`` agree to what leaves ``above`` so many cents a day."""
    bound = an_account(PASSWORD, SYNCED, ROAMING, APP, channels=(EMAIL, SMS, DESKTOP))
    account = replace(bound, contacts=contacts, limits=Limits(agreement_cents=above), **changes)
    return Gate.of(account, a_destination(OLD_ADDRESS, used_at=NOON), policy=policy)


def higher(agreed: int | None, *, day: int | None = None) -> LimitRaise:
    """Return the change by which less is agreed to."""
    return LimitRaise(account=ALICE, day_cents=day, destination_cents=None, agreement_cents=agreed)


def lower(agreed: int | None) -> LimitLower:
    """Return the change by which more is agreed to."""
    return LimitLower(account=ALICE, day_cents=None, destination_cents=None, agreement_cents=agreed)
