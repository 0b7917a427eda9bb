"""What is narrow: one place that proves and reads every notice."""

from datetime import timedelta

from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace
from support.cast import NOON
from support.worlds import APP, DESKTOP, DESKTOP_KEY, EMAIL, PASSWORD, ROAMING, SAVED, SMS, SYNCED
from support.worlds import an_account as opened

from twinlock.domain.account import Account
from twinlock.domain.authenticators.model import Authenticator, root
from twinlock.domain.channels import Channel
from twinlock.domain.ids import ChannelId
from twinlock.domain.newcomers import in_place_of
from twinlock.domain.policy.facts import DestinationState
from twinlock.domain.policy.narrow import is_narrow

KEYS = (APP, SYNCED, DESKTOP_KEY, ROAMING)
CHANNELS = (EMAIL, SMS, DESKTOP)
sets_of_keys = st.sets(st.sampled_from(range(len(KEYS)))).map(
    lambda some: tuple(KEYS[one] for one in sorted(some))
)
sets_of_channels = st.sets(st.sampled_from(range(len(CHANNELS)))).map(
    lambda some: tuple(CHANNELS[one] for one in sorted(some))
)
destinations = st.sampled_from(DestinationState)


def an_account(keys: tuple[Authenticator, ...], channels: tuple[Channel, ...]) -> Account:
    return opened(PASSWORD, *keys, channels=channels)


def narrow(
    account: Account, *shown: Authenticator, to: DestinationState = DestinationState.NEW
) -> bool:
    roots = tuple(sorted({root(one, now=NOON) or "" for one in shown} - {""}))
    return is_narrow(account, roots, to, whole=account, floor=account.floor, now=NOON)


@given(keys=sets_of_keys, channels=sets_of_channels, to=destinations, more=st.data())
def test_one_more_channel_that_is_old_makes_no_account_narrow(
    keys: tuple[Authenticator, ...],
    channels: tuple[Channel, ...],
    to: DestinationState,
    more: st.DataObject,
) -> None:
    one = more.draw(st.sampled_from(CHANNELS))
    shown = more.draw(st.sampled_from(((), *((key,) for key in keys))))
    before = narrow(an_account(keys, channels), *shown, to=to)
    with_one = tuple(each for each in CHANNELS if each in channels or each is one)

    after = narrow(an_account(keys, with_one), *shown, to=to)

    # The first one that takes codes makes codes count where there is nothing stronger.
    assert before or not after or (not keys and not any(each.takes_codes for each in channels))


@given(keys=sets_of_keys, channels=sets_of_channels, to=destinations)
def test_one_more_root_that_is_shown_makes_no_account_narrow(
    keys: tuple[Authenticator, ...], channels: tuple[Channel, ...], to: DestinationState
) -> None:
    account = an_account(keys, channels)

    for one in keys:
        assert narrow(account, to=to) or not narrow(account, one, to=to)
        for other in keys:
            assert narrow(account, one, to=to) or not narrow(account, one, other, to=to)


@given(keys=sets_of_keys, channels=sets_of_channels, old=st.sampled_from(CHANNELS))
def test_a_channel_in_the_place_of_an_older_one_makes_no_account_less_narrow(
    keys: tuple[Authenticator, ...], channels: tuple[Channel, ...], old: Channel
) -> None:
    """Prevents: a thief's program in the place of the owner's number, so that all may leave."""
    account = an_account(keys, tuple(dict.fromkeys((*channels, old))))
    for new in CHANNELS:
        own = replace(new, channel_id="chn_new", address="new", bound_at=NOON - timedelta(hours=1))
        left = tuple(one for one in account.channels if one is not old)
        made = in_place_of(account, old, own, now=NOON)
        after = replace(account, channels=(*left, made))
        for to in DestinationState:
            for shown in ((), *((key,) for key in keys)):
                assert not narrow(account, *shown, to=to) or narrow(after, *shown, to=to)


def test_a_computer_that_proves_and_reads_every_notice_is_one_place() -> None:
    """Prevents: malware in it that lists an address, and deletes the mail that tells of it."""
    assert narrow(an_account((DESKTOP_KEY,), (EMAIL, DESKTOP)))
    assert not narrow(an_account((DESKTOP_KEY,), (EMAIL, DESKTOP, SMS)))
    assert narrow(an_account((), (EMAIL, DESKTOP)))  # By the password and a code by e-mail.
    assert narrow(an_account((SAVED,), (EMAIL, DESKTOP)))  # Saved codes are for other days.
    assert not narrow(an_account((), (EMAIL, DESKTOP, SMS)))


def test_of_two_places_that_prove_the_one_that_is_shown_counts() -> None:
    account = an_account((SYNCED, DESKTOP_KEY), (EMAIL, DESKTOP))

    assert narrow(account)
    assert narrow(account, DESKTOP_KEY)
    assert not narrow(account, SYNCED)
    assert not narrow(account, SYNCED, DESKTOP_KEY)


def test_a_security_key_is_heard_of_everywhere() -> None:
    for one in CHANNELS:
        assert not narrow(an_account((ROAMING,), (one,)))
    assert narrow(an_account((ROAMING,), ()))


def test_a_new_channel_where_there_was_none_makes_no_account_wide() -> None:
    """Prevents: two stolen keys of an owner whom nobody tells, and a channel that is the thief's.

    A roaming thief found it: he put in a mailbox of his own, and took all two days later.
    """
    account = an_account((ROAMING, DESKTOP_KEY), ())
    young = replace(EMAIL, bound_at=NOON - timedelta(days=29))
    old = replace(EMAIL, bound_at=NOON - timedelta(days=30))

    assert narrow(account, ROAMING, DESKTOP_KEY)
    assert narrow(replace(account, channels=(young,)), ROAMING, DESKTOP_KEY)
    assert not narrow(replace(account, channels=(old,)), ROAMING, DESKTOP_KEY)


def test_two_roots_suffice_where_the_owner_moved_to_a_new_mailbox() -> None:
    account = an_account((ROAMING, DESKTOP_KEY), (EMAIL,))
    moved = replace(EMAIL, bound_at=NOON - timedelta(days=1), replaced=EMAIL)

    assert not narrow(replace(account, channels=(moved,)), ROAMING, DESKTOP_KEY)


def test_a_key_that_a_mailbox_has_just_bound_lies_where_the_mailbox_is_read() -> None:
    """Prevents: malware in the computer that binds a key of its own, which counts as the phone's.

    Found by the prover. What is 30 days old counts as itself.
    """
    own = replace(ROAMING, bound_at=NOON - timedelta(days=2), born_of="phone")
    old = replace(own, bound_at=NOON - timedelta(days=30))
    beside = replace(own, born_of="")

    assert narrow(an_account((own,), (EMAIL, DESKTOP)), own)
    assert not narrow(an_account((old,), (EMAIL, DESKTOP)), old)
    assert not narrow(an_account((beside,), (EMAIL, DESKTOP)), beside)


def test_a_number_in_the_place_of_the_mailbox_makes_no_computer_less() -> None:
    """Prevents: malware in it that puts in a number of its own, and takes all a day later."""
    account = an_account((), (EMAIL, DESKTOP))
    young = replace(SMS, channel_id=ChannelId("chn_new"), bound_at=NOON - timedelta(hours=1))
    made = in_place_of(account, EMAIL, young, now=NOON)

    assert narrow(account)
    assert narrow(replace(account, channels=(made, DESKTOP)))


def test_an_app_that_codes_bound_makes_no_computer_less() -> None:
    """Prevents: malware in it that binds an app of its own, and takes all a day later."""
    made = replace(APP, bound_at=NOON - timedelta(days=29), born_of="phone")

    assert narrow(an_account((made,), (EMAIL, DESKTOP)), made)
    assert not narrow(an_account((APP,), (EMAIL, DESKTOP)), APP)
