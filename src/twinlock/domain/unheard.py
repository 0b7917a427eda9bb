"""A wait of which no word was heard: it is lengthened, once, at most to double (law 5).

Word arrived when a carrier took it (SMTP 250 of the recipient's server, a provider's 2xx) or when
somebody confirmed it, and it did not come back. A carrier that says as a rule what became of a
message, and is silent, did not deliver it; nor did one that is away. It is known not to have
arrived when one channel reported a failure, or such a silence, and none that counts took it. Of
what nobody reported nothing is known: it counts as told with its place in the outbox, as before.

Word that arrives in a flood is not heard either (``floods``), on whatever channel: a flood that
went on when the change was proved, or came while it waits.

Only what arrives outside the root that proves counts, where there is such a channel, and none that
is a newcomer beside older ones, nor while somebody else may read it (``signals``). Prevents: a
thief's phone that confirms the word of what the phone itself proved; his own channel, to which the
word of his next change comes; and a mailbox that its provider said was taken over.
"""

from datetime import datetime

from twinlock.domain.account import Account, OpenAction
from twinlock.domain.actions import class_of
from twinlock.domain.catalogue import ActionClass
from twinlock.domain.channels import Channel
from twinlock.domain.deliveries import Outcome
from twinlock.domain.disputes import instant, meets
from twinlock.domain.newcomers import came_lately

_ARRIVED = (Outcome.HANDED, Outcome.CONFIRMED)
_LOST = (Outcome.FAILED, Outcome.AWAITED)


def unheard_until(
    account: Account, action: OpenAction, *, roots: int, now: datetime
) -> datetime | None:
    """Return the end of the longer wait of ``action``, or None where none is due.

    It follows from the wait that was told and not from who looks when. While fewer than two
    ``roots`` are shown that is the one which a second root would spare. Prevents: a lock of a month
    that two keys spare, and that ends for one key though no word of it arrived.
    """
    if action.until is None or action.proved_at is None or action.lengthened:
        return None
    silent = action.offered_until if roots < 2 else None  # noqa: PLR2004 - two roots, as in law 4
    ends = max(action.until, silent or action.until)
    if now < ends or class_of(action.payload) is ActionClass.EXIT:
        return None
    drowned = account.rings.since_flooded(action.proved_at)
    if not drowned and not _known_unheard(account, action, now=now):
        return None
    return ends + (ends - action.proved_at)


def _known_unheard(account: Account, action: OpenAction, *, now: datetime) -> bool:
    """Say whether some word came back, and none arrived where it counts.

    Prevents: one more proof after which a failure is none of a channel that counts.
    """
    counting = {one.channel_id for one in _counting(account, action, now=now)}
    lost = any(one.outcome in _LOST for one in action.told.values())
    return lost and not any(
        one.outcome in _ARRIVED and not account.signals.mutes(named, instant(one.at))
        for named, one in action.told.items()
        if named in counting
    )


def _counting(account: Account, action: OpenAction, *, now: datetime) -> list[Channel]:
    """Return the channels outside the roots that prove, or all where there is none outside.

    Of newcomers only where none is older.
    """
    older = [one for one in account.channels if not came_lately(account, one, now=now)]
    every = older or list(account.channels)
    proving = tuple(one.root for one in action.shown if one.root and account.stands(one))
    outside = [one for one in every if not meets((one.root,), proving)]
    return outside or every
