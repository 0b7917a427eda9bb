"""Ways in: whose key stays, suspended, when it was the last one by which somebody gets in."""

from msgspec.structs import replace
from support.cast import DAY, MEMBER, NOON
from support.companies import BOB, BOBS, BOBS_OTHER, CAROL, CAROLS, company
from support.worlds import APP, PASSWORD, SAVED, SYNCED, an_account

from twinlock.domain.account import Account
from twinlock.domain.assurance import Level
from twinlock.domain.authenticators.model import Authenticator, SuspensionKind, suspension
from twinlock.domain.events import AuthenticatorRemoved, AuthenticatorSuspended
from twinlock.domain.newcomers import undo
from twinlock.domain.ways_in import who_gets_in

ENTRY = 5
YOUNG = replace(BOBS, bound_at=NOON - 3 * DAY, entry=ENTRY)


def with_only(account: Account, *authenticators: Authenticator) -> Account:
    return replace(account, authenticators=authenticators)


def undone(account: Account, *, level: Level = Level.OUT_OF_BAND) -> dict[str, str]:
    """Return what becomes of each authenticator when what ENTRY bound is undone."""
    events = undo(account, ENTRY, since=NOON - 3 * DAY, level=level, now=NOON)
    named = (e for e in events if isinstance(e, AuthenticatorRemoved | AuthenticatorSuspended))
    return {one.authenticator_id: type(one).__name__ for one in named}


def test_of_one_person_a_password_is_a_way_in() -> None:
    account = an_account(PASSWORD, SYNCED)

    assert who_gets_in(account, ENTRY, (PASSWORD,), apps=None) == {MEMBER}
    assert who_gets_in(account, ENTRY, (APP,), apps=frozenset()) == frozenset()
    assert who_gets_in(account, ENTRY, (APP,), apps=None) == {MEMBER}
    assert who_gets_in(account, ENTRY, (SAVED,), apps=None) == frozenset()


def test_what_is_suspended_for_good_is_no_way_in() -> None:
    gone = replace(SYNCED, suspension=suspension(NOON, SuspensionKind.FOR_GOOD))
    resting = replace(SYNCED, suspension=suspension(NOON, SuspensionKind.A_WHILE))

    assert who_gets_in(an_account(), ENTRY, (gone,), apps=None) == frozenset()
    assert who_gets_in(an_account(), ENTRY, (resting,), apps=None) == {MEMBER}


def test_of_several_members_each_gets_in_by_a_passkey_of_their_own() -> None:
    """Prevents: a member without a key, because another one has one, or by a password."""
    account = with_only(company(), PASSWORD, SYNCED, YOUNG, CAROLS)

    assert BOB.member_id not in who_gets_in(account, ENTRY, (PASSWORD, SYNCED, CAROLS), apps=None)
    assert BOB.member_id in who_gets_in(account, ENTRY, (BOBS_OTHER,), apps=None)
    mine = with_only(company(), PASSWORD, replace(SYNCED, entry=ENTRY), CAROLS)
    assert MEMBER not in who_gets_in(mine, ENTRY, (PASSWORD, CAROLS), apps=None)


def test_a_members_only_key_is_suspended_and_not_taken_away() -> None:
    account = with_only(company(), PASSWORD, SYNCED, YOUNG, CAROLS)

    assert undone(account) == {YOUNG.authenticator_id: "AuthenticatorSuspended"}


def test_of_two_keys_of_a_member_the_newcomer_is_taken_away() -> None:
    account = with_only(company(), PASSWORD, SYNCED, YOUNG, BOBS_OTHER, CAROLS)

    assert undone(account) == {YOUNG.authenticator_id: "AuthenticatorRemoved"}


# --- Who is a member by what is undone ---


def with_a_friend(*keys: Authenticator) -> Account:
    """Return an account in which what ENTRY bound made Bob a member."""
    joined = replace(BOB, joined_at=FRIENDS.bound_at)
    account = with_only(company(), PASSWORD, CAROLS, *keys)
    return replace(account, members=(joined, CAROL))


THIEFS = replace(SYNCED, bound_at=NOON - 3 * DAY, entry=ENTRY)
FRIENDS = replace(BOBS, bound_at=NOON - 2 * DAY, entry=6, by=(ENTRY,))
NEXT = replace(BOBS_OTHER, bound_at=NOON - DAY, entry=7, by=(6,), behind=((ENTRY, ENTRY),))
REMOVED, SUSPENDED = AuthenticatorRemoved.__name__, AuthenticatorSuspended.__name__


def test_of_whom_a_repudiated_key_made_a_member_nothing_stays() -> None:
    assert undone(with_a_friend(THIEFS, FRIENDS, NEXT)) == {
        THIEFS.authenticator_id: SUSPENDED,
        FRIENDS.authenticator_id: REMOVED,
        NEXT.authenticator_id: REMOVED,
    }


def test_nor_where_the_key_they_joined_with_is_gone() -> None:
    """Prevents: a thief's friend who binds another key, and removes the first."""
    assert undone(with_a_friend(THIEFS, NEXT)) == {
        THIEFS.authenticator_id: SUSPENDED,
        NEXT.authenticator_id: REMOVED,
    }


def test_nor_where_the_key_that_made_them_a_member_is_gone() -> None:
    assert undone(with_a_friend(SYNCED, FRIENDS)) == {FRIENDS.authenticator_id: REMOVED}
    assert undone(with_a_friend(SYNCED, NEXT)) == {NEXT.authenticator_id: REMOVED}


def test_what_a_removed_key_of_ones_own_proved_stays_suspended() -> None:
    """Prevents: a mailbox that says "not me" of a key which its member has replaced since."""
    later = replace(BOBS_OTHER, bound_at=NOON - DAY, entry=6, by=(ENTRY,))

    assert undone(with_only(company(), PASSWORD, SYNCED, later, CAROLS)) == {
        later.authenticator_id: SUSPENDED
    }
