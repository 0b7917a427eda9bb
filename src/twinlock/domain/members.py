"""Members: several people on one account, each with authenticators of their own.

An action is one member's, who proposes and proves it; what it takes beyond that the others agree
to. Their authenticators stand in one list with the first member's, and each says whose it is.
Whatever is decided about one member's action is decided on that member's own: ``seen_by`` leaves
the rest out. An account of one person is seen as it is.

Always true (tests/property/test_members_properties.py): fewer members than the account has set move
nothing and weaken nothing, whatever they propose, prove, repudiate and remove, in whatever order.

Source: docs/people.md, docs/adr/0018-what-takes-several-members.md.
"""

import unicodedata
from collections.abc import Iterator
from datetime import datetime, timedelta

import msgspec
from msgspec.structs import replace

from twinlock.domain.account import Account, OpenAction, Shown, State
from twinlock.domain.actions import (
    AnyPayload,
    FreezeSet,
    LockTighten,
    MemberAdd,
    MemberRemove,
    QuorumLoosen,
    QuorumTighten,
    class_of,
    type_of,
)
from twinlock.domain.assurance import KNOWN, Factor, Placement, root_of
from twinlock.domain.authenticators.faults import ProofFault
from twinlock.domain.authenticators.model import Authenticator, Passkey, root
from twinlock.domain.bounds import (
    MEMBER_ACTIONS_MOST,
    MEMBERS_AGREE_WITHIN,
    MEMBERS_MOST,
    UNPROVED_ACTION_LIFETIME,
)
from twinlock.domain.canonical import b64url, from_b64url, tagged_mac
from twinlock.domain.catalogue import ActionClass
from twinlock.domain.errors import InvariantError, MalformedError
from twinlock.domain.events import Event, MemberJoined, MemberLeft, QuorumSet, SessionEnded
from twinlock.domain.ids import MemberId
from twinlock.domain.member_laws import HOLD_UP, members_needed
from twinlock.domain.newcomers import behind, is_newcomer, rests, stood_on
from twinlock.domain.policy.facts import Facts
from twinlock.domain.quorums import Member, Quorum, is_quorum
from twinlock.domain.waits import effective_at, lapses_at

FIRST_MEMBER = "The first member"  # Who opened the account; nobody has given them a name.

# --- Whose is what ---


def member_ids(account: Account) -> tuple[MemberId, ...]:
    """Return the members of ``account``, the first one first."""
    return (account.member_id, *(one.member_id for one in account.members))


def bit_of(account: Account, member_id: MemberId) -> int:
    """Return the bit of one of several members (``Throttle.whose``); 0 where there is but one."""
    return 1 << member_ids(account).index(member_id) if account.members else 0


def of_member(account: Account, member_id: MemberId) -> Account:
    """Return ``account`` as what one member does is decided on: without what is the others' own."""
    if not account.members:
        return account
    first = Member(member_id=account.member_id, name="", joined_at=account.opened_at)
    return replace(
        account,
        member_id=member_id,
        members=(first, *account.members),
        authenticators=tuple(one for one in account.authenticators if one.member_id == member_id),
        sessions=tuple(one for one in account.sessions if one.member_id == member_id),
    )


def seen_by(state: State, action: OpenAction) -> State:
    """Return ``state`` as ``action``, which is one member's, is decided on."""
    if not state.account.members:
        return state
    return replace(state, account=of_member(state.account, action.member_id))


def check_name(account: Account, name: str, *, now: datetime) -> None:
    """Return where nobody of ``account`` is called ``name``, whatever its case and spaces.

    Nor may anybody who is about to become a member be called so. Who was, and whom nobody admitted
    in time, is not, though nothing was decided in the account since.

    Prevents: somebody who is invited under another member's name, by which the others then take
    what one asks for or agrees to for the other's.

    Raises:
        MalformedError: somebody is.
    """
    coming = (one.payload for one in account.actions if effective_at(one) or now < lapses_at(one))
    taken = [one.name for one in (*account.members, *coming) if isinstance(one, Member | MemberAdd)]
    if _folded(name) in map(_folded, (FIRST_MEMBER, *taken)):
        raise MalformedError("somebody of this account is called so: invite them by another name")


def _folded(name: str) -> str:
    return " ".join(unicodedata.normalize("NFKC", name).casefold().split())


def is_own(account: Account, target: str, member_id: MemberId) -> bool:
    """Say whether ``member_id`` may speak of ``target``: of no other member's authenticator.

    Prevents: one member who says "not me" of each key that another one adds, by their session.
    """
    bound = account.authenticator(target)
    return bound is None or not account.members or bound.member_id == member_id


def since(account: Account, member_id: str) -> datetime | None:
    """Return since when somebody is a member, or None where they are none."""
    first = account.opened_at if member_id == account.member_id else None
    every = (one.joined_at for one in account.members if one.member_id == member_id)
    return next(every, first)


def takes_several(account: Account) -> bool:
    """Say whether there is anything that one member alone does not do."""
    return bool(account.members) and account.quorum.most > 1


def lifetime_of(account: Account) -> timedelta:
    """Return how long a proposal lives until it is proved, and agreed to where several must."""
    return MEMBERS_AGREE_WITHIN if account.members else UNPROVED_ACTION_LIFETIME


# --- What the facts say ---


def with_members(
    facts: Facts, account: Account, action: OpenAction, *, own_at: datetime | None
) -> Facts:
    """Return ``facts`` with what several members make of them.

    ``account`` is all of it, and ``own_at`` since when who asks has reached the floor without an
    API key. Where several must agree nothing counts as proved before they have: every wait begins
    then.
    """
    others = sorted(agreed(account, action).values())
    known = replace(
        facts,
        quorum=account.quorum,
        members=len(account.members) + 1,
        members_behind=len(others) + (own_at is not None),
        asked_members=_asked(action.payload).most,
        members_fit=_fit(account, action.payload),
    )
    if isinstance(action.payload, FreezeSet) and own_at is not None and takes_several(account):
        known = replace(known, weak_freeze_at=account.freeze.weak.get(root_name(action.member_id)))
    needed = members_needed(known)
    if needed <= 1:
        return known
    if own_at is None or len(others) < needed - 1:
        return replace(known, proved_at=None)
    return replace(known, proved_at=max(own_at, others[needed - 2]))


_ABOUT_MEMBERS = MemberAdd | MemberRemove | QuorumTighten | QuorumLoosen


def concerns_members(account: Account, payload: AnyPayload) -> bool:
    """Say whether the facts of ``payload`` depend on who the members are."""
    return bool(account.members) or isinstance(payload, _ABOUT_MEMBERS)


def _asked(payload: AnyPayload) -> Quorum:
    if isinstance(payload, QuorumTighten | QuorumLoosen):
        return Quorum(two_cents=payload.two_cents, three_cents=payload.three_cents)
    return Quorum()


def _fit(account: Account, payload: AnyPayload) -> bool:
    """Say whether as many as must agree are left after ``payload``, and somebody is."""
    count, quorum = len(account.members) + 1, account.quorum
    if isinstance(payload, MemberRemove):
        count -= 1
    elif isinstance(payload, QuorumTighten | QuorumLoosen):
        quorum = _asked(payload)
        if not is_quorum(quorum):
            return False
    return count >= max(quorum.most, 1)


def agreed(account: Account, action: OpenAction) -> dict[MemberId, datetime]:
    """Return which other members agree to ``action``, each once, and since when.

    What rests on something repudiated agrees to nothing. Prevents: a thief's friend, whom the
    thief's own key made a member, after that key was repudiated.
    """
    found: dict[MemberId, datetime] = {}
    for shown in action.shown:
        bound = _agrees(account, action, shown)
        if bound is not None and account.stands(shown):
            found.setdefault(bound.member_id, shown.at)
    return found


def _agreeing(account: Account, action: OpenAction) -> tuple[Passkey, ...]:
    """Return the keys of other members by which they agree to ``action``."""
    standing = (one for one in action.shown if account.stands(one))
    every = (_agrees(account, action, one) for one in standing)
    return tuple(one for one in every if one is not None)


def _agrees(account: Account, action: OpenAction, shown: Shown) -> Passkey | None:
    if shown.factor is not Factor.MEMBER:
        return None
    bound = account.authenticator(shown.source)
    if not isinstance(bound, Passkey) or bound.member_id == action.member_id:
        return None
    member = bound.member_id in member_ids(account)
    return bound if member and not rests(bound, account.doubts) else None


# --- Asking the others ---


def may_agree(account: Account, action: OpenAction, *, now: datetime) -> Iterator[Passkey]:
    """Give the passkeys of other members who have not agreed to ``action``."""
    done = agreed(account, action)
    for one in account.authenticators:
        if not isinstance(one, Passkey) or one.rp_id or one.suspended(now):
            continue
        others = one.member_id in member_ids(account) and one.member_id != action.member_id
        if others and one.member_id not in done and not rests(one, account.doubts):
            yield one


def asking_fault(account: Account, action: OpenAction) -> ProofFault | None:
    """Return why no other member is asked about ``action``, or None.

    Who asks proves first. Prevents: strangers who have members sign what they propose, until they
    sign without reading.
    """
    payload = action.payload
    classes = (ActionClass.EXIT, ActionClass.LOOSENING)
    kinds = class_of(payload) in classes or type_of(payload) in HOLD_UP
    asked = isinstance(payload, FreezeSet | LockTighten) or kinds
    several = max(account.quorum.most, _asked(payload).most) > 1
    if not account.members or not asked or not several or action.proved_at is None:
        return ProofFault.AGREEMENT_NOT_NEEDED
    return None


def judge_member(
    account: Account, action: OpenAction, source: str, public_key: str
) -> Passkey | ProofFault:
    """Return the passkey with which another member agrees, or why it does not count.

    One member agrees once, with whichever of their keys.
    """
    bound = account.authenticator(source)
    if not isinstance(bound, Passkey) or bound.public_key != public_key or bound.rp_id:
        return ProofFault.AUTHENTICATOR_GONE
    if bound.member_id == action.member_id or bound.member_id not in member_ids(account):
        return ProofFault.WRONG_CREDENTIAL
    if bound.member_id in agreed(account, action):
        return ProofFault.ALREADY_SHOWN
    return bound


def agreement(bound: Passkey, *, at: datetime) -> Shown:
    """Return what it shows that the member whose key ``bound`` is agrees."""
    return Shown(
        source=bound.authenticator_id,
        factor=Factor.MEMBER,
        root=root_name(bound.member_id),
        bound_at=bound.bound_at,
        at=at,
        entry=0,
        bound_entry=bound.entry,
    )


def root_name(member_id: str) -> str:
    """Return the root behind a member's agreement: a person, whatever the key lives in."""
    return root_of(Factor.MEMBER, Placement.NOWHERE, name=member_id) or ""


def agreed_by(action: OpenAction) -> tuple[str, ...]:
    """Return which other members signed ``action``, in that order."""
    signed = (one.root for one in action.shown if one.factor is Factor.MEMBER and one.root)
    return tuple(dict.fromkeys(one.partition(":")[2] for one in signed))


def member_token(action: OpenAction) -> str:
    """Return the secret part of the link by which other members see ``action``.

    It has 32 bytes, in base64url. It is another than a trusted contact's, and leads to no page of
    who asks.
    """
    key = from_b64url(action.veto_key, size=32)
    return b64url(tagged_mac(key, "agree-member/v1", action.action_id.encode()))


# --- Who may say no ---


def objects_in_vain(account: Account, payload: AnyPayload, member_id: MemberId | None) -> bool:
    """Say whether a no to ``payload`` is not heard: that of who would be removed by a quorum.

    Of a notice's link nobody knows who opens it (None), so it says nothing here either: the other
    members say no from a device of their own. Prevents: one member who cannot be removed, and with
    vetoes, freezes and holds stops all that the others do, for ever (law 5).
    """
    if not isinstance(payload, MemberRemove) or not takes_several(account):
        return False
    return member_id is None or member_id == payload.member_id


# --- What takes effect ---


def joins(state: State, action: OpenAction, facts: Facts, _: str) -> tuple[Event, ...]:
    """Make the person in ``action`` a member.

    Where several agreed who are independent, it rests on no single one's proof, and falls with
    none. Else the new key counts for 30 days as the root that alone proved it, as whatever is
    bound. Prevents: a computer taken whole, and a member of the thief's own, by whose key the
    account is narrow no more.
    """
    payload, account = action.payload, state.account
    made: Authenticator = msgspec.json.decode(action.secret, type=Authenticator)
    if not isinstance(payload, MemberAdd) or not isinstance(made, Passkey):
        raise InvariantError("a member has a passkey")
    several = members_needed(facts) > 1 and _independent(account, action, facts)
    also = (one.entry for one in _agreeing(account, action))
    passkey = replace(
        made,
        bound_at=facts.now,
        entry=account.chain.entries,
        born_of="" if several else _born_of(facts),
        by=() if several else tuple(sorted({*stood_on(account, action), *also})),
        behind=() if several else behind(account, action, now=facts.now),
    )
    member = Member(member_id=made.member_id, name=payload.name, joined_at=facts.now)
    return (MemberJoined(at=facts.now, member=member, passkey=passkey),)


def _independent(account: Account, action: OpenAction, facts: Facts) -> bool:
    """Say whether more than one person, or one root, is known to stand behind ``action``.

    A member whose key one root made of late is not: whoever took that root may be both. Prevents: a
    thief's first member, by whose agreement the second one's key is a root at once.
    """
    agreeing = _agreeing(account, action)
    own = (account.authenticator(one.source) for one in action.shown if account.stands(one))
    keys = [*agreeing, *(one for one in own if isinstance(one, Passkey))]
    known = (one for one in keys if not one.born_of or not is_newcomer(one.bound_at, now=facts.now))
    roots = {*facts.shown_roots, *(root(one, now=facts.now) for one in agreeing)}
    return len({one.member_id for one in known}) > 1 or len(roots) > 1


def _born_of(facts: Facts) -> str:
    """Return the root that alone stands behind a new member; none where there are two."""
    if len(facts.shown_roots) > 1:
        return ""
    return next(iter(facts.shown_roots), KNOWN)


def leaves_for_good(state: State, action: OpenAction, facts: Facts, _: str) -> tuple[Event, ...]:
    """Have somebody be no member any more, and signed out everywhere."""
    payload = action.payload
    named = MemberId(payload.member_id if isinstance(payload, MemberRemove) else "")
    ended = (one.session_id for one in state.account.sessions if one.member_id == named)
    return (
        *(SessionEnded(at=facts.now, session_id=one) for one in ended),
        MemberLeft(at=facts.now, member_id=named),
    )


def sets_quorum(_: State, action: OpenAction, facts: Facts, _fresh: str) -> tuple[Event, ...]:
    """Have so many members agree from now on. No repudiation undoes what a quorum agreed to."""
    return (QuorumSet(at=facts.now, quorum=_asked(action.payload)),)


def fills(account: Account, action: OpenAction) -> bool:
    """Say whether ``action``'s member has as much open as one of several may.

    Prevents: one member whose small withdrawals take every place, so that nothing can be asked for
    that takes the others.
    """
    if not account.members or class_of(action.payload) is ActionClass.TIGHTENING:
        return False
    others = (one for one in account.actions if one.action_id != action.action_id)
    own = (one for one in others if one.member_id == action.member_id and one.proved_at is not None)
    return sum(1 for _ in own) >= MEMBER_ACTIONS_MOST


def is_full(account: Account) -> bool:
    """Say whether there is no room for one more member."""
    return len(member_ids(account)) >= MEMBERS_MOST
