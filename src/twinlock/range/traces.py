"""What a step leaves behind: holds on the account, letters on every old channel, vetoes in them."""

from collections.abc import Iterable
from datetime import datetime
from typing import NamedTuple

from twinlock.domain.notices import NoticeKind
from twinlock.range.mailbox import Letter
from twinlock.range.stage import Heard, Stage
from twinlock.range.words import Outcome, Trace

LASTING = (Outcome.ALLOW, Outcome.READ_ONLY, Outcome.HOLD, Outcome.REVIEW)
WHY_NOT = {
    Trace.CUSTOMER_VIEW: "customers have no page of their own log yet",
    Trace.SEALED_ENTRY: "disclosures are not built",
    Trace.POLICY_RAISED: "raised policies are not built",
    Trace.KEY_PAUSED: "API keys are revoked or stopped, and never paused by themselves",
    Trace.LOOKS_THE_SAME: "a story has one account, and this is about two that are compared",
    Trace.ALARM_CANARY: "canary customers are not built",
    Trace.ALARM_AUDIT: "twinlock audit raises it, on a database, not here",
}


class Missing(NamedTuple):
    """Traces that should be there and are not, and those nobody can look for yet."""

    wrong: tuple[str, ...]
    not_playable: tuple[str, ...]


async def missing(
    stage: Stage, heard: Heard, leaves: Iterable[Trace], always: Iterable[Trace]
) -> Missing:
    """Return what ``heard`` should have left and did not."""
    wrong, unplayable = [], []
    lasting = heard.outcome in LASTING
    unheard = not stage.customer.channels
    for trace in (*(leaves if lasting else ()), *always):
        if trace in WHY_NOT:
            unplayable.append(f"{trace.value}: {WHY_NOT[trace]}")
        elif unheard and trace in (Trace.VETO_OPEN, Trace.NOTICE_OLD_CHANNELS):
            unplayable.append(f"{trace.value}: the account has no channel to look at")
        elif not await _is_there(stage, heard, trace):
            wrong.append(f"{trace.value} is missing")
    return Missing(tuple(wrong), tuple(unplayable))


async def _is_there(stage: Stage, heard: Heard, trace: Trace) -> bool:
    if trace is Trace.EXITS_HELD:
        if await held_until(stage) is None and heard.until is not None:
            stage.owed.add(heard.action_id)  # It begins when the wait is over.
            return True
        return await held_until(stage) is not None
    stops = trace is Trace.VETO_OPEN
    channels = set(stage.customer.channels.values())

    def all_told(letters: tuple[Letter, ...]) -> bool:
        told = {
            one.channel_id
            for one in letters
            if one.action_id == heard.action_id
            and one.kind is not NoticeKind.CODE
            and (one.veto or not stops)
        }
        return channels <= told

    account_id = stage.customer.account_id
    return await stage.venue.mailbox.wait_for(account_id, all_told)


async def held_until(stage: Stage) -> datetime | None:
    """Return until when nothing may leave the account, or None."""
    seen = await stage.venue.client.account(stage.customer.account_id)
    ends = [datetime.fromisoformat(one["ends_at"]) for one in seen["holds"]]
    return max((end for end in ends if end > stage.venue.now), default=None)
