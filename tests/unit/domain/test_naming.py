"""A destination has one name in its account, whichever keys there are to name it with."""

from msgspec.structs import replace
from support.cast import NOON
from support.worlds import an_account

from twinlock.domain.account import Account, OpenAction
from twinlock.domain.actions import FreezeSet
from twinlock.domain.ids import DestinationId, action_id
from twinlock.domain.naming import name_of

NEW, OLD, OLDER = DestinationId("dst_new"), DestinationId("dst_old"), DestinationId("dst_older")
NAMES = (NEW, OLD, OLDER)


def listing(*names: DestinationId) -> Account:
    return replace(an_account(), destinations=dict.fromkeys(names, 3))


def proposing(account: Account, name: DestinationId) -> Account:
    action = OpenAction(
        action_id=action_id(account.account_id, bytes(16)),
        member_id=account.member_id,
        payload=FreezeSet(account=account.account_id),
        digest="",
        proposed_at=NOON,
        lapses_at=NOON,
        veto_key="",
        secret=name,
    )
    return replace(account, actions=(action,))


def test_a_destination_that_nobody_knows_has_the_first_name() -> None:
    assert name_of(an_account(), NAMES) == NEW
    assert name_of(listing(DestinationId("dst_other")), NAMES) == NEW


def test_a_destination_that_is_listed_or_was_keeps_its_name() -> None:
    for name in NAMES:
        assert name_of(listing(name), NAMES) == name


def test_a_destination_that_is_being_proposed_keeps_its_name() -> None:
    assert name_of(proposing(an_account(), OLD), NAMES) == OLD


def test_what_is_listed_outweighs_what_is_proposed() -> None:
    assert name_of(proposing(listing(OLDER), OLD), NAMES) == OLDER
    assert name_of(proposing(listing(OLD), NEW), NAMES) == OLD
