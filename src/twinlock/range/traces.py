"""What a step leaves behind: holds on the account, letters on every old channel, vetoes in them."""

from collections.abc import Iterable
from datetime import datetime
from typing import NamedTuple

from twinlock.domain.catalogue import WITHDRAW_SCOPE
from twinlock.domain.channels import ChannelKind
from twinlock.domain.notices import NoticeKind
from twinlock.range.mailbox import Letter
from twinlock.range.stage import Heard, Stage
from twinlock.range.words import Outcome, Trace

LASTING = (Outcome.ALLOW, Outcome.READ_ONLY, Outcome.HOLD, Outcome.REVIEW)
WHY_NOT = {
    Trace.CUSTOMER_VIEW: "customers have no page of their own log yet",
    Trace.SEALED_ENTRY: "disclosures are not built",
    Trace.POLICY_RAISED: "raised policies are not built",
    Trace.ALARM_CANARY: "canary customers are not built",
    Trace.ALARM_AUDIT: "twinlock audit raises it, on a database, not here",
}


class Missing(NamedTuple):
    """Traces that should be there and are not, and those nobody can look for yet."""

    wrong: tuple[str, ...]
    not_playable: tuple[str, ...]


async def missing(
    stage: Stage, heard: Heard, leaves: Iterable[Trace], always: Iterable[Trace], *, key: str = ""
) -> Missing:
    """Return what ``heard`` should have left and did not; ``key`` is the API key of the step."""
    wrong: list[str] = []
    unplayable: list[str] = []
    lasting = heard.outcome in LASTING
    unheard = not stage.customer.channels
    for trace in (*(leaves if lasting else ()), *always):
        if trace is Trace.LOOKS_THE_SAME:  # It is compared when the list is over.
            continue
        if trace is Trace.EXITS_HELD and heard.outcome is Outcome.READ_ONLY and trace in leaves:
            continue  # Who may only look starts no hold.
        if trace is Trace.KEY_PAUSED and not stage.keys:
            unplayable.append(f"{trace.value}: the account has no API key")
        elif trace is Trace.KEY_PAUSED:
            wrong += await _at_work(stage, key)
        elif trace in WHY_NOT:
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
    by_mail = stage.customer.channels.get(ChannelKind.EMAIL)
    if by_mail is not None and stage.venue.weather.no_mail_since is not None:
        if not stops and not await stage.venue.letters.told(heard.action_id):
            return False
        channels.discard(by_mail)  # Its word comes when the server is back.
        if stops and not channels:
            return False

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


async def _at_work(stage: Stage, named: str) -> tuple[str, ...]:
    """Say which keys may still do something: the one that is named, or any of them.

    A key rests when it is gone or stopped, when the account is frozen, and while what it is for is
    held: of a key that only withdraws, every exit.
    """
    seen = await stage.venue.client.account(stage.customer.account_id)
    frozen = seen["frozen_until"]
    if frozen and datetime.fromisoformat(frozen) > stage.venue.now:
        return ()
    alive = {one["public_key"] for one in seen["api_keys"] if not one["stopped"]}
    held = await held_until(stage) is not None
    at_work = [
        one.name
        for one in stage.keys
        if named in ("", one.name)
        and one.public_key in alive
        and not (held and set(one.scopes) == {WITHDRAW_SCOPE})
    ]
    return tuple(f"{Trace.KEY_PAUSED.value} is missing: {one} works" for one in at_work)


async def held_until(stage: Stage) -> datetime | None:
    """Return until when nothing may leave the account, or None."""
    seen = await stage.venue.client.account(stage.customer.account_id)
    ends = [datetime.fromisoformat(one["ends_at"]) for one in seen["holds"]]
    return max((end for end in ends if end > stage.venue.now), default=None)
