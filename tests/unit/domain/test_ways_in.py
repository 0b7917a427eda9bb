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
from twinlock.domain.ways_in import made_members, who_gets_in

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

    assert who_gets_in(account, (PASSWORD,), apps=None) == {MEMBER}
    assert who_gets_in(account, (APP,), apps=frozenset()) == frozenset()
    assert who_gets_in(account, (APP,), apps=None) == {MEMBER}
    assert who_gets_in(account, (SAVED,), apps=None) == frozenset()


def test_what_is_suspended_for_good_is_no_way_in() -> None:
    gone = replace(SYNCED, suspension=suspension(NOON, SuspensionKind.FOR_GOOD))
    resting = replace(SYNCED, suspension=suspension(NOON, SuspensionKind.A_WHILE))

    assert who_gets_in(an_account(), (gone,), apps=None) == frozenset()
    assert who_gets_in(an_account(), (resting,), apps=None) == {MEMBER}


def test_of_several_members_each_gets_in_by_a_passkey_of_their_own() -> None:
    """Prevents: a member without a key, because another one has one, or by a password."""
    account = company()

    assert who_gets_in(account, (PASSWORD, APP, CAROLS), apps=None) == {CAROL.member_id}


def test_a_members_only_key_is_suspended_and_not_taken_away() -> None:
    account = with_only(company(), PASSWORD, SYNCED, YOUNG, CAROLS)

    assert undone(account) == {YOUNG.authenticator_id: "AuthenticatorSuspended"}


def test_of_two_keys_of_a_member_the_newcomer_is_taken_away() -> None:
    account = with_only(company(), PASSWORD, SYNCED, YOUNG, BOBS_OTHER, CAROLS)

    assert undone(account) == {YOUNG.authenticator_id: "AuthenticatorRemoved"}


def test_of_whom_a_repudiated_key_made_a_member_nothing_stays() -> None:
    """Prevents: a thief's friend, whose key comes back when a suspension lapses."""
    thiefs = replace(SYNCED, bound_at=NOON - 3 * DAY, entry=ENTRY)
    friends = replace(BOBS, bound_at=NOON - DAY, entry=6, by=(ENTRY,))
    joined = replace(BOB, joined_at=friends.bound_at)
    account = with_only(company(), PASSWORD, thiefs, friends, CAROLS)
    account = replace(account, members=(joined, CAROL))

    assert made_members(account, frozenset({6})) == {BOB.member_id}
    assert made_members(account, frozenset({ENTRY})) == frozenset()
    assert undone(account) == {
        thiefs.authenticator_id: "AuthenticatorSuspended",
        friends.authenticator_id: "AuthenticatorRemoved",
    }


def test_a_member_who_joined_long_before_keeps_a_key_that_stands_on_a_repudiated_one() -> None:
    """It was bound later than they joined: nobody made them a member by it."""
    later = replace(BOBS, bound_at=NOON - DAY, entry=6, by=(ENTRY,))
    account = with_only(company(), PASSWORD, SYNCED, replace(YOUNG, authenticator_id="aut_x"))
    account = with_only(account, *account.authenticators, later)

    assert undone(account) == {
        "aut_x": "AuthenticatorSuspended",
        later.authenticator_id: "AuthenticatorSuspended",
    }
