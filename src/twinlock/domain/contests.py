"""A no: it kills one proposal, and said twice from one root it opens a contest (law 5).

A contest lets nothing through that a no would have stopped: the change stands still, and lapses
when nobody decides. It only takes from the second no what the first one had: that the other side
has to begin again. A proof of the action by a root that neither side has used decides for it; a no
from any other side than the one that objected decides against it.
"""

from datetime import datetime, timedelta
from enum import StrEnum
from math import ceil

from msgspec.structs import replace

from twinlock.domain.account import Account, OpenAction, Shown, State
from twinlock.domain.actions import AccountErase
from twinlock.domain.ages import oldest_of_the_strongest
from twinlock.domain.assurance import BESIDE, KNOWN, PHONE, Factor
from twinlock.domain.authenticators.model import root
from twinlock.domain.bounds import (
    CONTEST_LENGTH,
    ERASURE_LIFETIME,
    OPEN_ACTION_LIFETIME,
)
from twinlock.domain.commands import Veto
from twinlock.domain.concluding import VETO_ENTRY, decision_of, vetoed
from twinlock.domain.contested import change_of, decides
from twinlock.domain.decisions import Decision
from twinlock.domain.disputes import (
    Contest,
    instant,
    may_hold,
    meets,
    objected_before,
    silenced,
)
from twinlock.domain.errors import present
from twinlock.domain.events import ActionVetoed, ContestDecided, ContestOpened, Event
from twinlock.domain.ids import MemberId
from twinlock.domain.members import agreed, objects_in_vain, root_name
from twinlock.domain.newcomers import is_newcomer, is_older
from twinlock.domain.reasons import Reason
from twinlock.domain.requirements import Never, WaitUntil
from twinlock.domain.vetoes import entitled


class Meaning(StrEnum):
    """What a no does."""

    UNHEARD = "unheard"  # whoever says it may not
    KILLS = "kills"
    OPENS = "opens"  # a contest
    STANDS = "stands"  # the contest that this side opened stands


def meaning_of(account: Account, action: OpenAction, veto: Veto, *, now: datetime) -> Meaning:
    """Return what ``veto`` would do to ``action``, without doing it."""
    roots = roots_of(account, veto, now=now)
    if entitled(account, action, veto, now=now) is None:
        return Meaning.UNHEARD
    objects = _member(account, veto)
    if objects_in_vain(account, action.payload, objects):
        return Meaning.UNHEARD
    if silenced(account.disputes, roots, now=now):
        return Meaning.UNHEARD
    contest = account.disputes.contest
    if contest is not None:
        own = contest.action_id == action.action_id and meets(roots, contest.objected)
        return Meaning.STANDS if own else Meaning.KILLS
    if not _again(account, action, veto, roots, now=now):
        return Meaning.KILLS
    # Another member has spoken already, on neither side of the first no.
    return Meaning.UNHEARD if agreed(account, action).keys() - {objects} else Meaning.OPENS


def _member(account: Account, veto: Veto) -> MemberId | None:
    """Return which member says no, or None of a link: whoever reads the channel may."""
    session = None if veto.session is None else account.session(veto.session.session_id)
    return None if session is None else session.member_id


def say_no(state: State, command: Veto, *, now: datetime) -> Decision:
    """Answer a veto: it kills what it names, or opens a contest about it."""
    account, action = state.account, state.account.action(command.action_id)
    who = entitled(account, action, command, now=now)
    roots, contest = roots_of(account, command, now=now), account.disputes.contest
    meaning = meaning_of(account, action, command, now=now)
    if who is None or meaning is Meaning.UNHEARD:
        return decision_of(action, Never(code=Reason.NOT_ENTITLED))
    if meaning is Meaning.STANDS:
        return _still(action, present(contest, "it stands"))
    if meaning is Meaning.OPENS:
        return _opened(account, action, roots, now=now)
    return _killed(action, who, roots, now=now)


def _killed(
    action: OpenAction, who: tuple[str, str | None], roots: tuple[str, ...], *, now: datetime
) -> Decision:
    """Return the end of ``action``; it is remembered where somebody had proved it.

    Prevents: a stranger's proposals, vetoed one after the other until the one that counts is
    forgotten.
    """
    decision = vetoed(action, by=who[0], root=who[1], now=now)
    change = change_of(action.payload)
    if action.proved_at is None or not change:
        return decision
    ended = ActionVetoed(
        at=now, action_id=action.action_id, by=who[0], root=who[1], change=change, roots=roots
    )
    return replace(decision, events=(ended,))


def _still(action: OpenAction, contest: Contest) -> Decision:
    waits = WaitUntil(code=Reason.CONTESTED, until=instant(contest.ends_at))
    return decision_of(action, waits)


def _again(
    account: Account, action: OpenAction, veto: Veto, roots: tuple[str, ...], *, now: datetime
) -> bool:
    """Say whether this no is a second one that opens a contest.

    Not where nobody's proof stands behind the action, nor where what asked is new and what objects
    is older: against a newcomer each no kills. Prevents: a thief's new key on a par with its owner.
    """
    change = change_of(action.payload)
    if action.proved_at is None or not change:
        return False
    if not objected_before(account.disputes, change=change, roots=roots, now=now):
        return False
    asked_at = oldest_of_the_strongest(account, _people(account, action))
    objects_at = _bound_at(account, veto)
    if asked_at is None or objects_at is None:
        return False
    return not (is_newcomer(asked_at, now=now) and is_older(objects_at, asked_at))


def _opened(
    account: Account, action: OpenAction, roots: tuple[str, ...], *, now: datetime
) -> Decision:
    asked = {one.root or KNOWN for one in _people(account, action)}
    if account.members:
        asked.add(root_name(action.member_id))
    contest = Contest(
        action_id=action.action_id,
        change=change_of(action.payload),
        asked=tuple(sorted(asked)),
        objected=roots,
        opened_at=ceil(now.timestamp()),
        ends_at=ceil((now + CONTEST_LENGTH).timestamp()),
        holds=may_hold(account.disputes, roots, now=now),
    )
    opened = ContestOpened(at=now, action_id=action.action_id, contest=contest)
    waits = WaitUntil(code=Reason.CONTESTED, until=instant(contest.ends_at))
    return replace(decision_of(action, waits, events=(opened,)), kind=VETO_ENTRY)


def _people(account: Account, action: OpenAction) -> list[Shown]:
    """Return the proofs that stand and are somebody's: no session, and no API key."""
    nobody = BESIDE | {Factor.SESSION, Factor.API_KEY}
    return [one for one in action.shown if one.factor not in nobody and account.stands(one)]


# --- Who objects ---


def roots_of(account: Account, veto: Veto, *, now: datetime) -> tuple[str, ...]:
    """Return the roots behind a no: a channel's, or those that began the session that says it.

    What began it may be gone by now, or no more than a password: then it counts as the phone, as
    everything of which we do not know better. Prevents: one thief's two ways to say no, as two.
    """
    if veto.channel_id is not None:
        channel = account.channel(veto.channel_id)
        return () if channel is None else (channel.root,)
    session = None if veto.session is None else account.session(veto.session.session_id)
    if session is None:
        return ()
    if account.members:  # A person is one, whatever number of keys they sign in with.
        return (root_name(session.member_id),)
    found = {
        *(root(one, now=now) for one in account.authenticators if one.entry in session.by),
        *(one.root for one in account.channels if one.entry in session.by),
    }
    return tuple(sorted(named for named in found if named is not None)) or (PHONE,)


def _bound_at(account: Account, veto: Veto) -> datetime | None:
    if veto.channel_id is not None:
        channel = account.channel(veto.channel_id)
        return None if channel is None else channel.bound_at
    session = None if veto.session is None else account.session(veto.session.session_id)
    return None if session is None else session.bound_at


# --- Who decides ---


def verdict(
    account: Account, action: OpenAction, shown: Shown, *, now: datetime
) -> tuple[Event, ...]:
    """Return that ``shown`` decides the contest about ``action``, or nothing."""
    contest = account.disputes.contest
    if contest is None or contest.action_id != action.action_id:
        return ()
    if shown.root is None or not decides(account, contest, shown):
        return ()
    last = max(now, action.until or now, action.offered_until or now)
    lapses_at = last + _lifetime(action)
    return (
        ContestDecided(at=now, action_id=action.action_id, root=shown.root, lapses_at=lapses_at),
    )


def _lifetime(action: OpenAction) -> timedelta:
    erasing = isinstance(action.payload, AccountErase)
    return ERASURE_LIFETIME if erasing else OPEN_ACTION_LIFETIME
