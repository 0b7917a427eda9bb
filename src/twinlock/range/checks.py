"""Checks: demands that walk a table instead of listing steps.

Always true (tests/unit/range/test_checks.py): a check counts only the cases that it really tried;
what it could not look at is named, and makes it not playable rather than passed, and so does having
looked at nothing.
"""

import itertools
from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Any, assert_never

from twinlock.domain.actions import BUILT
from twinlock.domain.catalogue import CLASS_OF, ActionClass, ActionType
from twinlock.range.acts import owners_session
from twinlock.range.asked import (
    Check,
    EntryProvable,
    EveryExitHeld,
    ExactlyOnce,
    Misformed,
    NoReach,
    NoticeBeforeEffect,
    NotOffered,
    NoValueLeaves,
    RebuiltFromLog,
    RecordComplete,
    SameFloor,
    ScreenNames,
    SumBinds,
)
from twinlock.range.cases import case, exits_of, given_for, make_room, old_for
from twinlock.range.customer import NotPlayableError
from twinlock.range.evidence_checks import entry_provable, exactly_once, notice_before_effect
from twinlock.range.places import OLD
from twinlock.range.playing import NOTHING_OF_THE_KIND, play
from twinlock.range.refusals import FAILURES
from twinlock.range.replay import Replay
from twinlock.range.results import CheckResult, Status
from twinlock.range.stage import Heard, Stage
from twinlock.range.steps import play_steps
from twinlock.range.sum_checks import sum_binds
from twinlock.range.tally import Tally
from twinlock.range.traces import held_until
from twinlock.range.words import (
    MAKES,
    UNKNOWN_EXIT,
    Capability,
    CheckName,
    Mark,
    Outcome,
    Person,
    Proof,
    parse_length,
)

APART = timedelta(minutes=1)
BETWEEN = timedelta(minutes=61)  # Between two cases, so that neither codes nor rates run out.
COPIED = f"{Proof.SESSION.value}@{Mark.COPIED.value}"
_WHY_NOT = {
    CheckName.NO_REACH: "the prover is not built",
    CheckName.REBUILT_FROM_LOG: "twinlock audit does it, on a database, not here",
    CheckName.RECORD_COMPLETE: "disclosures are not built",
    CheckName.SCREEN_NAMES: "pages are looked at in a browser (tests/e2e), not here",
    CheckName.NOT_OFFERED: "there is no deposit history from which to offer anything",
}


async def run_check(replay: Replay, check: Check) -> CheckResult:
    """Return what ``check`` found, on accounts of its own."""
    tally = Tally()
    unread = getattr(check, "unread", ())
    tally.missing += [f"{check.name.value} with {word!r}: not understood here" for word in unread]
    try:
        await _walk(replay, check, tally)
    except NotPlayableError as why:
        tally.missing.append(str(why))
    except FAILURES as failure:
        tally.failed.append(f"the service failed: {failure}")
    return tally.result(check.name.value, judged=replay.judged)


async def _walk(replay: Replay, check: Check, tally: Tally) -> None:
    match check:
        case SameFloor():
            await _same_floor(replay, check, tally)
        case EveryExitHeld():
            await _every_exit_held(replay, check, tally)
        case NoValueLeaves():
            await _no_value_leaves(replay, check, tally)
        case NoticeBeforeEffect():
            await notice_before_effect(replay, check, tally)
        case EntryProvable():
            await entry_provable(replay, check, tally)
        case ExactlyOnce():
            await exactly_once(replay, check, tally)
        case SumBinds():
            await sum_binds(replay, check, tally)
        case NoReach() | RebuiltFromLog() | RecordComplete() | ScreenNames() | NotOffered():
            tally.missing.append(_WHY_NOT[check.name])
        case Misformed():
            tally.missing.append(check.why)
        case _:
            assert_never(check)


# --- The same floor on all paths ---

# An account is played with one member.
_OF_MEMBERS = (ActionType.MEMBER_ADD, ActionType.MEMBER_REMOVE, ActionType.QUORUM_LOOSEN)


async def _same_floor(replay: Replay, check: SameFloor, tally: Tally) -> None:
    """Try every set of proofs below the floor on every path; none may ever come through.

    Of a path that one of them opens the others are not tried.
    """
    named = check.paths if isinstance(check.paths, tuple) else ()
    if not named and check.paths != "all_but_tightening":
        raise NotPlayableError(f"paths {check.paths!r}: not understood here")
    replay.shown = frozenset(itertools.chain.from_iterable(check.refuse))
    first = await replay.fresh(old=OLD.values())
    nowhere = {ActionType.API_KEY_WIDEN, *_OF_MEMBERS}  # Of no key, no contact and no member.
    nowhere |= set() if first.spec.contacts else {ActionType.TRUSTED_CONTACT_REMOVE}
    paths = named or (
        *(
            kind
            for kind, cls in CLASS_OF.items()
            if cls is not ActionClass.TIGHTENING and kind not in nowhere
        ),
        UNKNOWN_EXIT,
    )
    if check.floor_from is not None and check.floor_from not in first.customer.best():
        raise NotPlayableError(f"the floor of this account is not of {check.floor_from.value}")
    stage: Stage | None = first
    listed = frozenset(OLD.values())
    for path in paths:
        for proofs in check.refuse:
            if stage is None or not old_for(path) <= listed:
                listed = old_for(path)
                stage = await replay.fresh(old=listed)
            await stage.venue.set_forward(stage.venue.now + BETWEEN)
            try:
                through = await _came_through(stage, path, proofs, tally)
            except NotPlayableError as why:
                tally.missing.append(f"{path} with {', '.join(proofs)}: {why}")
                continue
            if through:  # The path is open; what that changed must not stand in the next one's way.
                tally.wrong.append(through)
                stage = None
                break


async def _came_through(stage: Stage, path: str, proofs: tuple[str, ...], tally: Tally) -> str:
    """Say how ``proofs`` were enough for ``path``, at once or after any wait; else nothing."""
    step = case(path, proofs, by=Person.MALLORY, given=given_for(path, stage))
    heard = await play(stage, step)
    said = f"{path} with {', '.join(proofs)}"
    if len([one for one in heard.notes if NOTHING_OF_THE_KIND in one]) == len(proofs):
        raise NotPlayableError("nobody holds any of them")
    tally.tried(heard)
    if heard.outcome is Outcome.ALLOW:
        return f"{said} was allowed"
    if heard.outcome is Outcome.HOLD and await _is_told(stage, heard):
        return f"{said} would be allowed after its wait"
    return ""


async def _is_told(stage: Stage, heard: Heard) -> bool:
    """Say whether a wait of this action runs: without its proof none begins."""
    seen = await stage.venue.client.account(stage.customer.account_id)
    return any(one["action_id"] == heard.action_id and one["until"] for one in seen["actions"])


# --- Holds cover every exit ---


async def _every_exit_held(replay: Replay, check: EveryExitHeld, tally: Tally) -> None:
    """After each thing that starts a hold, try each exit with the owner's best proofs."""
    for event in check.after:
        if event not in BUILT:
            tally.missing.append(f"after {event}: it is refused until it is built")
            continue
        stage = await replay.fresh(old=OLD.values())
        heard = await _start_hold(stage, event)
        if heard is None:
            tally.missing.append(f"after {event}: this account has no proof for it")
            continue
        for path in exits_of(check.exits):
            now = await _try_exit(stage, path, stage.customer.best())
            await make_room(stage, now)
            if tally.tried(now) and now.outcome not in (Outcome.HOLD, Outcome.DENY):
                tally.wrong.append(f"{path} after {event} was answered {now.outcome.value}")


async def _start_hold(stage: Stage, event: str) -> Heard | None:
    """Do what starts a hold, with the owner's best proofs, and wait until it took effect."""
    proofs = [one.value for one in stage.customer.best(event)]
    given = given_for(event, stage)
    if event == ActionType.AUTHENTICATOR_BIND:
        given = {"authenticator": Proof.HARDWARE_KEY.value}
    if event == ActionType.AUTHENTICATOR_REMOVE and len(stage.spec.authenticators) == 1:
        return None
    if event == ActionType.LOCK_LOOSEN:  # Only what is locked can be loosened.
        tighten = case(ActionType.LOCK_TIGHTEN, proofs, by=Person.ALICE, given={"to": "1d"})
        await play(stage, tighten)
    heard = await play(stage, case(event, proofs, by=Person.ALICE, given=given))
    if heard.until is not None:
        await stage.venue.set_forward(heard.until)
        await stage.customer.propose(ActionType.WITHDRAWAL_CRYPTO, stage.elsewhere())  # It settles.
        _take_over(stage, event, given)
        if event == ActionType.CONTACT_CHANGE:
            await stage.customer.take_over_channels()
        await owners_session(stage)
    return heard if heard.outcome in (Outcome.ALLOW, Outcome.HOLD) else None


def _take_over(stage: Stage, event: str, given: dict[str, Any]) -> None:
    """Let the owner have what was bound, and have no more what was removed."""
    own = stage.customer.own
    for made in stage.bound.values():
        own.keys.update(made.keys)
        own.password = made.password or own.password
    if event == ActionType.AUTHENTICATOR_REMOVE:
        gone = Proof(given["authenticator"])
        own.keys.pop(gone, None)
        own.app = None if gone is Proof.TOTP else own.app


async def _try_exit(stage: Stage, path: str, proofs: Iterable[Proof]) -> Heard:
    given = given_for(path, stage)
    words = [one.value for one in proofs]
    return await play(stage, case(path, words, by=Person.ALICE, given=given))


# --- No value leaves ---


async def _no_value_leaves(replay: Replay, check: NoValueLeaves, tally: Tally) -> None:
    """Play the attack, then try every exit with all that its people can show, until the end."""
    if check.until not in (None, "hold_end"):
        raise NotPlayableError(f"until {check.until!r}: not understood here")
    replay.shown = frozenset(check.proofs or ())
    stage = await replay.fresh(replay.steps, old=OLD.values())
    for step in await play_steps(stage, replay.steps, judged=False):
        if step.taken_cents:
            tally.wrong.append(f"{step.id} took {step.taken_cents} cents")
        if step.status is Status.FAILED:
            tally.failed += step.notes
        elif step.answer is None and not step.stopped:
            tally.missing.append(f"{step.id}: {'; '.join(step.notes)}")
    proofs = _proofs_of(check, stage)
    exits, instants = exits_of(check.exits), await _instants(stage, check)
    for at, (number, path) in itertools.product(instants, enumerate(exits)):
        await stage.venue.set_forward(_spread(at, number, len(exits), instants))
        given = {**given_for(path, stage), "destination": check.destination}
        if path == ActionType.TRADE_UNUSUAL:  # Where she trades anyhow shows nothing.
            given["pair"] = "thin"
        heard = await play(stage, case(path, proofs, by=check.by, given=given))
        await make_room(stage, heard)
        if tally.tried(heard) and heard.outcome is Outcome.ALLOW:
            tally.wrong.append(f"{path} was allowed at {stage.since}")


def _proofs_of(check: NoValueLeaves, stage: Stage) -> tuple[str, ...]:
    if check.proofs is not None:
        return check.proofs
    made = dict.fromkeys(proof.value for held, proof in MAKES.items() if held in stage.held)
    # A cookie beside something better would only have all of it refused.
    return tuple(made) or ((COPIED,) if Capability.SESSION_COOKIE in stage.held else ())


def _spread(at: datetime, number: int, exits: int, instants: tuple[datetime, ...]) -> datetime:
    """Return when an exit is tried around ``at``: a minute apart, so that no rate runs out.

    None is tried after the last instant, at which a hold ends.
    """
    if at == instants[0]:
        return min(at + number * APART, instants[-1])
    return at - (exits - 1 - number) * APART


async def _instants(stage: Stage, check: NoValueLeaves) -> tuple[datetime, ...]:
    """Return the first, the middle and the last instant at which an exit is tried."""
    first = stage.venue.now
    if check.within is not None:
        last = stage.start + parse_length(check.within)
    else:
        last = (await held_until(stage) or first) - timedelta(seconds=1)
    last = max(first, last)
    return tuple(sorted({first, first + (last - first) / 2, last}))
