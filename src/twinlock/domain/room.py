"""Room: what gives way in a full account, and what always finds some.

An account is one document of bounded size, and strangers can make proposals. So what nobody proved
gives way to what comes later, and freezing and signing in find room however full it is.

What lasts (authenticators, lists, actions that wait) takes DOCUMENT_ROOM at most, counted with its
counters at their longest. The rest is kept for what is never turned away: PASSING_BYTES_MOST for
what signing in and time add, and URGENT_BYTES_MOST for each urgent action. Where less lasts, more
of those stand at once; where more comes to last, they give way to it.

Always true (tests/property/test_gate_properties.py): no number of proposals and questions keeps the
owner from freezing or signing in.
"""

from collections.abc import Mapping
from datetime import datetime
from itertools import takewhile
from types import MappingProxyType
from typing import Any, assert_never

from msgspec.structs import replace

from twinlock.domain.account import Account, ActionState, ApiKey, OpenAction
from twinlock.domain.actions import (
    QuorumTighten,
    SessionStart,
    TrustedContactAdd,
    class_of,
    payload_bytes,
)
from twinlock.domain.authenticators.model import (
    Authenticator,
    Passkey,
    Password,
    RecoveryCodes,
    Suspension,
    SuspensionKind,
    Totp,
)
from twinlock.domain.bounds import (
    DOCUMENT_BYTES_MOST,
    DOCUMENT_ROOM,
    LOCK_DAYS_MOST,
    LOOSE_ACTIONS_MOST,
    MAX_VALUE_CENTS,
    OPEN_ACTIONS_MOST,
    PASSING_BYTES_MOST,
    URGENT_ACTIONS_LEAST,
    URGENT_BYTES_MOST,
    URGENT_PAYLOAD_BYTES_MOST,
)
from twinlock.domain.canonical import size_of
from twinlock.domain.catalogue import WITHDRAW_SCOPE, ActionClass
from twinlock.domain.commands import (
    Ask,
    Command,
    EndSession,
    Erase,
    FreezeByLink,
    ImportDestination,
    LiftLegalHold,
    Offer,
    OfficerSpeaks,
    OpenAccount,
    Propose,
    Prove,
    ReceiveSignal,
    RecordExport,
    RecordTrading,
    ReportFlood,
    ReportNotice,
    ReportSimChange,
    Repudiate,
    RevokeIntegrator,
    SetLegalHold,
    Spend,
    Veto,
    WarnOfLapse,
)
from twinlock.domain.deliveries import DELIVERIES_LONGEST
from twinlock.domain.disputes import NO_DISPUTES
from twinlock.domain.duress import SEAL_LETTERS, may_name
from twinlock.domain.errors import DocumentTooLargeError
from twinlock.domain.floods import Rings
from twinlock.domain.forgetting import versions_of
from twinlock.domain.freezes import Freeze
from twinlock.domain.limits import Limits, SentTo, Spent
from twinlock.domain.listing import Former
from twinlock.domain.locks import Lock
from twinlock.domain.members import takes_several
from twinlock.domain.quorums import ANYONE, Quorum
from twinlock.domain.risk.visits import History
from twinlock.domain.signals import Signals
from twinlock.domain.suspensions import NO_SUSPENSION
from twinlock.domain.throttle import Throttle

_COUNTED = 2**32 - 1  # WebAuthn 3, 6.1: a sign count has 32 bits; entries and steps have no more.
_DAYS = 99_999  # From 1970: five digits, as until the year 2243.
_VERSIONS = 999_999  # Of one destination: 270 withdrawals a day for ten years.
_LONGEST = Suspension(at_ms=9_999_999_999_999, kind=SuspensionKind.FOR_GOOD)  # Until 2286.
_HIGHEST = Quorum(two_cents=MAX_VALUE_CENTS, three_cents=MAX_VALUE_CENTS)
_PASSED: Mapping[str, Any] = MappingProxyType(  # What passes, as if it had; the lock is longest.
    {
        "paid": {},
        "destinations": {},
        "enrolling_until": None,
        "devices": (),
        "sessions": (),
        "holds": (),
        "freeze": Freeze(),
        "throttle": Throttle(),
        "known_throttle": Throttle(),
        "candidates": (),
        "codes_sent": (),
        "flood_told_at": 0,
        "key_told_at": 0,
        "attempt_told_at": 0,
        "rings": Rings(),
        "undercut_at": 0,
        "fell_at": 0,
        "shed_at": 0,
        "picked_at": 0,
        "lock": Lock(days=LOCK_DAYS_MOST),
        "sim_changed_at": None,
        "signals": Signals(),
        "spent": Spent(),
        "unlisted": Spent(),
        "sent_to": SentTo(),
        "last_exit_at": 0,
        "legal_holds": {},
        "erased_at": None,
        "doubts": (),
        "history": History(),
        "disputes": NO_DISPUTES,
        "suspension": NO_SUSPENSION,
    }
)
_FULL = "this account is full: finish or remove something first"
VERIFIER_LETTERS = 97  # Of our argon2id; those of older systems are mostly shorter.
_HASH_LETTERS = 43  # 32 bytes, base64url


def urgent(action: OpenAction) -> bool:
    """Say whether the owner must always be able to ask for this: to tighten, and to sign in."""
    if isinstance(action.payload, SessionStart):
        return True
    if isinstance(action.payload, TrustedContactAdd | QuorumTighten):  # They act on others' word.
        return False
    if class_of(action.payload) is not ActionClass.TIGHTENING:
        return False
    return len(payload_bytes(action.payload)) <= URGENT_PAYLOAD_BYTES_MOST


def gives_way(account: Account, *, now: datetime) -> OpenAction | None:
    """Return the open action that a new proposal pushes out, or None while there is room.

    What waits on a proof that stands stays. Of the rest one goes of a device that never signed in,
    then the one that shows least, then one whose customer is not being asked just now, then one
    that tightens nothing; the oldest first. Of several members whoever has proved most gives way.
    Prevents: proposals of a stranger, or of whoever shows a leaked password with each, after which
    the owner can neither sign in nor freeze.
    """
    actions = account.actions
    loose = [
        one
        for one in actions
        if one.state is ActionState.OPEN and (not _waits(account, one) or urgent(one))
    ]
    if len(actions) < OPEN_ACTIONS_MOST and len(loose) < LOOSE_ACTIONS_MOST:
        return None
    return min(
        loose,
        key=lambda one: (*_turn(account, one), *_worth(account, one, now=now)),
        default=None,
    )


def _waits(account: Account, one: OpenAction) -> bool:
    """Prevents: what a dead key proved, in the place of all that its owner wants for a week."""
    if takes_several(account) and one.until is None and one.offered_until is None:
        return False  # So much one member does alone: it takes nobody's place.
    return _proved(account, one)


def _standing(account: Account, one: OpenAction) -> int:
    return sum(account.stands(shown) for shown in one.shown)


def crowded_out(account: Account, own: str, *, now: datetime) -> tuple[OpenAction, ...]:
    """Return the urgent actions but ``own`` that ``account`` has no room for, the least first.

    Each counts by what it takes, with all that was shown for it. Prevents: a few sign-ins of
    strangers, each with every question, that leave no bytes for the owner's freeze; and two that
    were proved in many ways, for an officer's word.

    Raises:
        DocumentTooLargeError: ``own`` has grown beyond its place, and there is no other.
    """
    takes: dict[str, int] = {one.action_id: _taken(one) for one in account.actions if urgent(one)}
    if sum(takes.values()) <= URGENT_ACTIONS_LEAST * URGENT_BYTES_MOST:
        return ()
    left = DOCUMENT_BYTES_MOST - PASSING_BYTES_MOST - bytes_that_last(account)
    left = max(left, URGENT_ACTIONS_LEAST * URGENT_BYTES_MOST)
    mine = takes.pop(own, 0)
    others = [one for one in account.actions if one.action_id in takes]
    others.sort(key=lambda one: (*_turn(account, one), *_worth(account, one, now=now)))
    gone: list[OpenAction] = []
    for one in others:
        if min(mine, URGENT_BYTES_MOST) + sum(takes.values()) <= left:
            break
        gone.append(one)
        del takes[one.action_id]
    if mine + sum(takes.values()) > left:
        raise DocumentTooLargeError(_FULL)
    return tuple(gone)


def _taken(one: OpenAction) -> int:
    return max(size_of(one) + 1, URGENT_BYTES_MOST)  # With the comma behind it.


def outgrown(account: Account, own: str, *, now: datetime) -> tuple[OpenAction, ...]:
    """Return the loose actions but ``own`` without which ``account`` has room, the least first.

    Loose is what waits on no proof, whatever it shows; none goes that need not, and what a session
    signed only for what one signed. Prevents: three long proposals of a stranger's, or of a leaked
    password's, after which the owner can ask for nothing else.

    Raises:
        DocumentTooLargeError: without all of them it has none.
    """
    if _fits(account):
        return ()
    loose = [
        one
        for one in account.actions
        if one.state is ActionState.OPEN and not _waits(account, one) and not urgent(one)
    ]
    signed = [one.action_id for one in loose if _signed_in(account, one)]
    others = [one for one in loose if one.action_id != own]
    proved = {one.action_id for one in account.actions if account.members and _proved(account, one)}
    if own not in proved:  # What one of several members proved pushes out whatever is loose.
        more = proved if own in signed else {*proved, *signed}
        others = [one for one in others if one.action_id not in more]
    others.sort(
        key=lambda one: (
            *_turn(account, one),
            one.action_id in signed,
            *_worth(account, one, now=now),
        )
    )
    if not _fits(account, *others):
        raise DocumentTooLargeError(_FULL)
    for one in reversed(others):  # What is worth most stays first.
        fewer = [each for each in others if each is not one]
        others = fewer if _fits(account, *fewer) else others
    return tuple(others)


def _fits(account: Account, *without: OpenAction) -> bool:
    left = tuple(one for one in account.actions if one not in without)
    return bytes_that_last(replace(account, actions=left)) <= DOCUMENT_ROOM


def _signed_in(account: Account, one: OpenAction) -> bool:
    """Say whether a session signed ``one`` that may do more than look."""
    named = (account.session(shown.source) for shown in one.shown)
    return any(session is not None and not session.read_only for session in named)


def fills_bytes(account: Account, action: OpenAction) -> bool:
    """Say whether one of several members asks for more than half of what actions may fill.

    Their first always finds what room there is, and so does what was told that it waits. Prevents:
    four small withdrawals of one member's, as long as they can be, after which there is no room for
    the agreements of the others, to remove that member above all.
    """
    if not account.members or urgent(action) or _admitted(action):
        return False
    own = [one for one in account.actions if one.member_id == action.member_id and one != action]
    earlier = takewhile(lambda one: one.action_id != action.action_id, account.actions)
    first = {one.action_id for one in earlier}
    before = [
        one
        for one in own
        if _proved(account, one) and (_admitted(one) or one.action_id in first) and not urgent(one)
    ]
    room = DOCUMENT_ROOM - bytes_that_last(replace(account, actions=()))
    filled = sum(size_of(_told(one)) for one in (*before, action))
    return bool(before) and filled > room // 2


def _admitted(one: OpenAction) -> bool:
    waits = one.until is not None or one.offered_until is not None
    return waits or one.state is ActionState.AUTHORIZED


def _turn(account: Account, one: OpenAction) -> tuple[bool, int]:
    """Return what goes first where several members ask: what nobody proved, then of whom most is.

    Prevents: one member whose proposals, one after the other, push out what the others have proved
    and have not agreed to yet, their removal of that member above all.
    """
    if not account.members or not _proved(account, one):
        return False, 0
    own = (each for each in account.actions if each.member_id == one.member_id)
    return True, -sum(_proved(account, each) and not _waits(account, each) for each in own)


def _proved(account: Account, one: OpenAction) -> bool:
    return one.proved_at is not None and _standing(account, one) > 0


def _worth(
    account: Account, one: OpenAction, *, now: datetime
) -> tuple[bool, int, bool, bool, datetime]:
    asked = any(challenge.expires_at > now for challenge in one.challenges)
    tightens = class_of(one.payload) is ActionClass.TIGHTENING
    known = account.from_known_device(one)
    return known, _standing(account, one), asked, tightens, one.proposed_at


def grows(account: Account, command: Command) -> bool:
    """Say whether ``command`` may fill the account, other than to tighten or to sign in."""
    match command:
        case Propose(action_id=named) | Ask(action_id=named) | Prove(action_id=named):
            left = (one for one in account.actions if one.action_id == named)
            return any(not urgent(one) for one in left)
        case Offer() | OpenAccount() | ImportDestination():
            return True
        case (
            FreezeByLink()
            | Veto()
            | Repudiate()
            | Spend()
            | Erase()
            | EndSession()
            | ReportSimChange()
            | ReportFlood()
        ):
            return False
        case ReportNotice() | ReceiveSignal():
            return False
        case SetLegalHold() | LiftLegalHold() | RecordExport() | OfficerSpeaks():
            return False
        case RecordTrading() | RevokeIntegrator() | WarnOfLapse():
            return False
        case _:
            assert_never(command)


def check_room(account: Account) -> None:
    """Check that ``account`` leaves room for what is urgent, which is not counted.

    Raises:
        DocumentTooLargeError: something must be finished or removed first.
    """
    if bytes_that_last(account) > DOCUMENT_ROOM:
        raise DocumentTooLargeError(_FULL)


def bytes_that_last(account: Account) -> int:
    """Return the bytes of what neither passes nor is urgent, with its counters at their longest.

    Prevents: an account that is full at its listing, and too full after a thousand withdrawals.
    """
    lasting = replace(
        account,
        chain=replace(account.chain, entries=_COUNTED, last_leaf="-" * _HASH_LETTERS),
        actions=tuple(_told(one) for one in account.actions if not urgent(one)),
        authenticators=tuple(_counted(one) for one in account.authenticators),
        contacts=tuple(map(_contact, account.contacts)),
        api_keys=tuple(_used(one) for one in account.api_keys),
        former=_removed(account),
        limits=_widest(account.limits),
        quorum=_HIGHEST if account.members else ANYONE,
        **_PASSED,
    )
    return size_of(lasting)


def _removed(account: Account) -> Former:
    """Return what is kept when all that is listed is removed: that finds room always."""
    known = tuple((one, _VERSIONS) for one in versions_of(account))
    return replace(account.former, removed=known, forgotten=_VERSIONS) if known else account.former


def _widest(limits: Limits) -> Limits:
    """Return ``limits`` as long as lowering can make them: that finds room always."""
    most = MAX_VALUE_CENTS
    return replace(limits, day_cents=most, destination_cents=most, agreement_cents=most)


def _told(one: OpenAction) -> OpenAction:
    """Return ``one`` as long as it becomes when it was proved and each channel told of its wait."""
    one = replace(one, seal="-" * SEAL_LETTERS) if may_name(one.payload) else one
    waits = one.until is not None or one.offered_until is not None
    changes = waits and class_of(one.payload) is not ActionClass.EXIT
    return replace(one, told=DELIVERIES_LONGEST, lengthened=True) if changes else one


def _used(key: ApiKey) -> ApiKey:
    """Return ``key`` as long as it can become: stopped, and with the longest sum of a day."""
    spends = WITHDRAW_SCOPE in key.scopes
    spent = (_DAYS, key.daily_cents) if spends else key.spent
    return replace(
        key, stopped=True, spent=spent, used_on=_DAYS, declared_at=_COUNTED, lapse_told=_COUNTED
    )


def _contact(one: Passkey) -> Passkey:
    """Return a contact's passkey as long as it can become: nobody suspends it."""
    return replace(one, used_on=_DAYS, sign_count=_COUNTED, backed_up=True)


def _counted(one: Authenticator) -> Authenticator:
    """Return ``one`` as long as it can become without a proposal that is counted."""
    seen = replace(one, used_on=_DAYS, suspension=_LONGEST)
    match seen:
        case Passkey():
            return replace(seen, sign_count=_COUNTED, backed_up=True)
        case Totp():
            return replace(seen, last_step=_COUNTED)
        case Password(verifier=verifier):
            # Prevents: an account that is too full to keep our hash in an older system's place.
            return replace(seen, verifier=verifier.ljust(VERIFIER_LETTERS, "-"))
        case RecoveryCodes():
            return seen
        case _:
            assert_never(seen)
