"""What is remembered of a no: who said it against what, and the contest that a second one opened.

A veto kills one proposal. Said a second time from the same root against the same change it opens a
*contest* instead: the change stands still until a root that neither side has used decides.

Always true (tests/unit/domain/test_disputes.py): one contest stands at a time; a root is silent no
longer than ``SILENCE``; what is remembered has a bound.
"""

from datetime import UTC, datetime

import msgspec

from twinlock.domain.bounds import (
    CONTEST_HOLDS_EVERY,
    NO_REMEMBERED_FOR,
    OBJECTIONS_MOST,
    SILENCE,
    SILENT_ROOTS_MOST,
)
from twinlock.domain.ids import ActionId

CHANGE_LETTERS = 22  # 132 bits of a hash, base64url: enough that nobody finds two changes alike.


class Objection(msgspec.Struct, frozen=True, array_like=True):
    """A veto of something that was proved: of which change, from which roots, in POSIX seconds."""

    change: str
    roots: tuple[str, ...]
    at: int


class Contest(msgspec.Struct, frozen=True, array_like=True):
    """Two sides of one account disagree about an open action, until ``ends_at`` at the latest.

    ``asked`` are the roots that proved it, ``objected`` those that vetoed it. Both instants are
    POSIX seconds. ``holds``: exits are held meanwhile.
    """

    action_id: ActionId
    change: str
    asked: tuple[str, ...]
    objected: tuple[str, ...]
    opened_at: int
    ends_at: int
    holds: bool


class Disputes(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """All of an account's. ``held``: by kind of root, when a contest of its last held exits.

    ``silent``: by root, until when its vetoes are not heard. In POSIX seconds.
    """

    objections: tuple[Objection, ...] = ()
    contest: Contest | None = None
    held: dict[str, int] = msgspec.field(default_factory=dict)
    silent: dict[str, int] = msgspec.field(default_factory=dict)


NO_DISPUTES = Disputes()


def instant(seconds: int) -> datetime:
    """Return the instant that so many POSIX seconds name."""
    return datetime.fromtimestamp(seconds, tz=UTC)


def kind_of(root: str) -> str:
    """Return the kind of ``root``: keys of a kind share one."""
    return root.partition(":")[0]


def meets(some: tuple[str, ...], others: tuple[str, ...]) -> bool:
    """Say whether a root of ``some`` is one of ``others``, or may be.

    A desktop's program and a desktop's key may be on one machine: what has no name of its own
    stands for every root of its kind.
    """
    return any(
        one == other or (kind_of(one) == kind_of(other) and ":" not in min(one, other, key=len))
        for one in some
        for other in others
    )


def objected_before(
    disputes: Disputes, *, change: str, roots: tuple[str, ...], now: datetime
) -> bool:
    """Say whether one of ``roots`` vetoed ``change`` before, and not too long ago."""
    since = now - NO_REMEMBERED_FOR
    return any(
        one.change == change and meets(one.roots, roots) and instant(one.at) > since
        for one in disputes.objections
    )


def with_objection(
    disputes: Disputes, *, change: str, roots: tuple[str, ...], at: datetime
) -> Disputes:
    """Return ``disputes`` with one more veto; what is too old goes, and of too many the oldest."""
    since = at - NO_REMEMBERED_FOR
    live = (one for one in disputes.objections if instant(one.at) > since)
    new = Objection(change, roots, int(at.timestamp()))
    return msgspec.structs.replace(disputes, objections=(*live, new)[-OBJECTIONS_MOST:])


def may_hold(disputes: Disputes, roots: tuple[str, ...], *, now: datetime) -> bool:
    """Say whether a contest that ``roots`` open holds exits: none of their kind did so lately."""
    kinds = {kind_of(root) for root in roots}
    return not any(
        instant(at) + CONTEST_HOLDS_EVERY > now
        for kind, at in disputes.held.items()
        if kind in kinds
    )


def opened(disputes: Disputes, contest: Contest) -> Disputes:
    """Return ``disputes`` with ``contest`` open; kinds of roots bound the names that are kept."""
    held = disputes.held
    if contest.holds:
        held = held | {kind_of(root): contest.opened_at for root in contest.objected}
    return msgspec.structs.replace(disputes, contest=contest, held=held)


def upheld(disputes: Disputes, *, at: datetime) -> Disputes:
    """Return ``disputes`` after its contest was decided for the change.

    The roots that objected are silent for a while, so that what was decided takes effect.
    """
    contest = disputes.contest
    if contest is None:
        return disputes
    now = int(at.timestamp())
    until = int((at + SILENCE).timestamp())
    live = {root: end for root, end in disputes.silent.items() if end > now}
    live |= dict.fromkeys(contest.objected, until)
    newest = sorted(live.items(), key=lambda one: one[1])[-SILENT_ROOTS_MOST:]
    return msgspec.structs.replace(
        over(disputes, contest.action_id, settled=True), silent=dict(newest)
    )


def over(disputes: Disputes, action_id: ActionId, *, settled: bool) -> Disputes:
    """Return ``disputes`` when ``action_id`` is over; ``settled``: by somebody's word.

    What was settled is forgotten, so that the next no kills again; what merely ran out is not.
    """
    contest = disputes.contest
    if contest is None or contest.action_id != action_id:
        return disputes
    left = disputes.objections
    if settled:
        left = tuple(one for one in left if one.change != contest.change)
    return msgspec.structs.replace(disputes, contest=None, objections=left)


def silenced(disputes: Disputes, roots: tuple[str, ...], *, now: datetime) -> bool:
    """Say whether a no from ``roots`` is not heard: the whole of them lost a contest lately."""
    lost = tuple(root for root, end in disputes.silent.items() if instant(end) > now)
    return bool(roots) and all(meets((root,), lost) for root in roots)


def exits_held_until(disputes: Disputes, *, now: datetime) -> datetime | None:
    """Return until when the contest that stands holds every exit, or None."""
    contest = disputes.contest
    if contest is None or not contest.holds or instant(contest.ends_at) <= now:
        return None
    return instant(contest.ends_at)
