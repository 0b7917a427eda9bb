"""A check of sums: many small ones are one large one, whichever ways they take (law 6)."""

from datetime import datetime, time, timedelta

from twinlock.domain.catalogue import ActionType
from twinlock.domain.reasons import Reason
from twinlock.range.asked import SumBinds
from twinlock.range.cases import case, exits_of, given_for, make_room
from twinlock.range.customer import NotPlayableError
from twinlock.range.places import NETWORKS, OLD
from twinlock.range.playing import play
from twinlock.range.replay import Replay
from twinlock.range.stage import Stage
from twinlock.range.tally import Tally
from twinlock.range.words import Outcome, Person

APART = timedelta(minutes=2)  # Between two attempts, so that neither codes nor rates run out.
NARROW = 1_000  # Whole US dollars that leave a narrow account in a day (law 5).
PART = 6, 10  # One attempt's part of the limit: one fits below it, and no two do.


async def sum_binds(replay: Replay, check: SumBinds, tally: Tally) -> None:
    """Let the owner set a limit, and then send as often and by as many ways as the check names.

    Raises:
        NotPlayableError: the limit has no meaning here, or none was set.
    """
    if check.per not in ("day", "destination"):
        raise NotPlayableError(f"per {check.per!r}: a sum is of a day or of a destination")
    if check.limit is not None:
        await _tried(replay, check, check.limit, tally)
    elif not await _tried(replay, check, "large", tally):  # A narrow account sends no such sum.
        await _tried(replay, check, NARROW, tally)
    if not tally.sent and not tally.wrong:
        tally.missing.append("nothing was allowed at all, so no sum was tried")
    elif not tally.bound and not tally.wrong:
        tally.missing.append("the limit refused nothing, so no sum above it was tried")


async def _tried(replay: Replay, check: SumBinds, wanted: int | str, tally: Tally) -> bool:
    """Try sums against the limit ``wanted``; say whether anything was allowed at all."""
    stage = await replay.fresh(old=OLD.values())
    await _set_limit(stage, wanted, per=check.per)
    limit = _cents(stage, wanted)
    sent: dict[str, int] = {}
    paths, part = exits_of(check.exits), limit * PART[0] // PART[1]
    for path in paths:
        for _ in range(1 if check.per == "day" and len(paths) > 1 else 2):
            await stage.venue.set_forward(stage.venue.now + APART)
            cents = await _send(stage, path, part, tally)
            whole = "" if check.per == "day" else NETWORKS.get(path, path)
            sent[whole] = sent.get(whole, 0) + cents
            if sent[whole] > limit and cents:
                tally.wrong.append(f"{path} brought it to {sent[whole]} cents of {limit}")
    tally.sent = tally.sent or any(sent.values())
    return tally.sent


def _cents(stage: Stage, word: int | str) -> int:
    return stage.whole_cents(word)


async def _set_limit(stage: Stage, wanted: int | str, *, per: str) -> None:
    """Set the limit at the beginning of a day, so that all attempts are of that day."""
    tomorrow = stage.venue.now.date() + timedelta(days=1)
    await stage.venue.set_forward(datetime.combine(tomorrow, time(), stage.venue.now.tzinfo))
    given = {"to": wanted, "per": per}
    proofs = [one.value for one in stage.customer.best(ActionType.LIMIT_LOWER)]
    heard = await play(stage, case(ActionType.LIMIT_LOWER, proofs, by=Person.ALICE, given=given))
    if heard.outcome is not Outcome.ALLOW:
        raise NotPlayableError(f"no limit was set: that was answered {heard.outcome.value}")


async def _send(stage: Stage, path: str, cents: int, tally: Tally) -> int:
    """Try to send by ``path``; return how many US cents left."""
    given = {**given_for(path, stage), "amount": cents // 100}
    proofs = [one.value for one in stage.customer.best()]
    heard = await play(stage, case(path, proofs, by=Person.ALICE, given=given))
    await make_room(stage, heard)
    tally.bound = tally.bound or Reason.OWN_LIMIT in heard.codes
    return cents if tally.tried(heard) and heard.outcome is Outcome.ALLOW else 0
