"""Checks: demands that walk a table instead of listing steps.

Always true (tests/unit/range/test_checks.py): a check says how many cases it looked at; what it
could not look at is named, and makes it not playable rather than passed.
"""

from collections.abc import Awaitable, Callable, Iterable
from datetime import datetime, timedelta
from typing import Any, TypeAlias

from twinlock.client import ProblemError
from twinlock.domain.actions import BUILT, CLASS_OF, ActionClass, ActionType
from twinlock.range.customer import NotPlayableError
from twinlock.range.evidence_checks import entry_provable, exactly_once, notice_before_effect
from twinlock.range.playing import play
from twinlock.range.replay import Replay
from twinlock.range.results import CheckResult
from twinlock.range.stage import Heard, Stage
from twinlock.range.steps import play_steps
from twinlock.range.story import Check, Step
from twinlock.range.traces import held_until
from twinlock.range.words import (
    UNKNOWN_EXIT,
    Capability,
    CheckName,
    Outcome,
    Person,
    Proof,
    parse_length,
)

BETWEEN = timedelta(minutes=61)  # Between two cases, so that neither codes nor rates run out.
EXITS = tuple(kind for kind, cls in CLASS_OF.items() if cls is ActionClass.EXIT)
HELD_BY = {
    Capability.PASSWORD: Proof.PASSWORD,
    Capability.EMAIL_FULL: Proof.EMAIL_CODE,
    Capability.SMS_RECEIVE: Proof.SMS_CODE,
}
_WHY_NOT = {
    CheckName.NO_REACH: "the prover is not built",
    CheckName.REBUILT_FROM_LOG: "the audit that rebuilds state from events is not built",
    CheckName.RECORD_COMPLETE: "disclosures are not built",
    CheckName.SCREEN_NAMES: "pages are looked at in a browser (tests/e2e), not here",
    CheckName.NOT_OFFERED: "there is no deposit history from which to offer anything",
    CheckName.SUM_BINDS: "limits of the owner's own are not built",
}


async def run_check(replay: Replay, check: Check) -> CheckResult:
    """Return what ``check`` found, on accounts of its own."""
    name = check.name.value
    if check.name in _WHY_NOT:
        return CheckResult(name=name, not_playable=(_WHY_NOT[check.name],))
    try:
        return await _CHECKS[check.name](replay, check)
    except NotPlayableError as why:
        return CheckResult(name=name, not_playable=(str(why),))
    except ProblemError as problem:
        return CheckResult(name=name, wrong=(f"the service failed: {problem}",))


# --- The same floor on all paths ---


async def _same_floor_on_all_paths(replay: Replay, check: Check) -> CheckResult:
    """Try every set of proofs below the floor on every path; none may ever come through."""
    if check.given.get("paths") != "all_but_tightening":
        raise NotPlayableError(f"paths {check.given.get('paths')!r}: not understood here")
    paths = [kind for kind, cls in CLASS_OF.items() if cls is not ActionClass.TIGHTENING]
    sets = [tuple(str(word) for word in one) for one in check.given.get("refuse", [])]
    wrong: list[str] = []
    missing: list[str] = []
    stage = await replay.fresh(old_addr=True)
    for path in (*paths, UNKNOWN_EXIT):
        for proofs in sets:
            await stage.venue.set_forward(stage.venue.now + BETWEEN)
            try:
                through = await _came_through(stage, path, proofs)
            except NotPlayableError as why:
                missing.append(f"{path} with {', '.join(proofs)}: {why}")
                continue
            if through:  # What it changed must not stand in the way of the next.
                wrong += through
                stage = await replay.fresh(old_addr=True)
    return CheckResult(
        name=check.name.value,
        looked_at=(len(paths) + 1) * len(sets) - len(missing),
        wrong=tuple(wrong),
        not_playable=tuple(missing),
    )


async def _came_through(stage: Stage, path: str, proofs: tuple[str, ...]) -> list[str]:
    """Say whether ``proofs`` were enough for ``path``, at once or after any wait that was told."""
    step = _step(path, proofs, by=Person.MALLORY, given=_given(path, stage))
    heard = await play(stage, step)
    said = f"{path} with {', '.join(proofs)}"
    if heard.outcome is Outcome.ALLOW:
        return [f"{said} was allowed"]
    if heard.outcome is Outcome.HOLD and await _is_told(stage, heard):
        return [f"{said} would be allowed after its wait"]
    return []


async def _is_told(stage: Stage, heard: Heard) -> bool:
    """Say whether a wait of this action runs: without its proof none begins."""
    seen = await stage.venue.client.account(stage.customer.account_id)
    return any(one["action_id"] == heard.action_id and one["until"] for one in seen["actions"])


def _given(path: str, stage: Stage) -> dict[str, Any]:
    """Return parameters with which only the floor stands in the way, as far as there are any."""
    bound = (one.value for one in stage.spec.authenticators if one is not Proof.PASSWORD)
    target = next(bound, Proof.PASSWORD.value)
    known: dict[str, dict[str, Any]] = {
        ActionType.WITHDRAWAL_CRYPTO: {"amount": "small", "destination": "old_addr"},
        ActionType.DESTINATION_ADD: {"destination": "listed_by_a_thief"},
        ActionType.SESSION_START: {"from": "new_device"},
        ActionType.AUTHENTICATOR_BIND: {"authenticator": Proof.PASSKEY.value},
        ActionType.AUTHENTICATOR_REMOVE: {"authenticator": target},
        ActionType.API_KEY_CREATE: {
            "scopes": ["withdraw"],
            "ip_list": ["203.0.113.7"],
            "destinations": ["old_addr"],
        },
    }
    return known.get(path, {} if path in BUILT else {"amount": "small"})


def _step(
    do: str, proofs: Iterable[str], *, by: Person, given: dict[str, Any] | None = None
) -> Step:
    return Step(
        id="check",
        at="0m",
        by=by,
        do=do,
        expect=tuple(Outcome),
        given=given or {},
        proof=tuple(proofs),
    )


# --- Holds cover every exit ---


async def _every_exit_held(replay: Replay, check: Check) -> CheckResult:
    """After each thing that starts a hold, try each exit with the owner's best proofs."""
    after = [str(one) for one in check.given.get("after", [])]
    missing = tuple(
        f"after {one}: it is refused until it is built" for one in after if one not in BUILT
    )
    wrong: list[str] = []
    looked = 0
    for event in (one for one in after if one in BUILT):
        stage = await replay.fresh(old_addr=True)
        heard = await _start_hold(stage, event)
        if heard is None:
            missing += (f"after {event}: this account has no proof for it",)
            continue
        for path in _exits(check):
            looked += 1
            now = await _try_exit(stage, path, stage.customer.best())
            if now.outcome not in (Outcome.HOLD, Outcome.DENY):
                wrong.append(f"{path} after {event} was answered {now.outcome.value}")
    return CheckResult(
        name=check.name.value, looked_at=looked, wrong=tuple(wrong), not_playable=missing
    )


async def _start_hold(stage: Stage, event: str) -> Heard | None:
    """Do what starts a hold, with the owner's best proofs, and wait until it took effect."""
    signing_in = event == ActionType.SESSION_START
    proofs = [one.value for one in stage.customer.best(signing_in=signing_in)]
    given = _given(event, stage)
    if event == ActionType.AUTHENTICATOR_BIND:
        given = {"authenticator": Proof.HARDWARE_KEY.value}
    if event == ActionType.AUTHENTICATOR_REMOVE and len(stage.spec.authenticators) == 1:
        return None
    heard = await play(stage, _step(event, proofs, by=Person.ALICE, given=given))
    if heard.until is not None:
        await stage.venue.set_forward(heard.until)
        _take_over(stage, event, given)
        await stage.customer.sign_in()  # Whoever signs in settles what is due.
    return heard if heard.outcome in (Outcome.ALLOW, Outcome.HOLD) else None


def _take_over(stage: Stage, event: str, given: dict[str, Any]) -> None:
    """Let the owner have what was bound, and have no more what was removed."""
    own = stage.customer.own
    for made in stage.bound.values():
        own.keys.update(made.keys)
    if event == ActionType.AUTHENTICATOR_REMOVE:
        gone = Proof(given["authenticator"])
        own.keys.pop(gone, None)
        own.app = None if gone is Proof.TOTP else own.app


async def _try_exit(stage: Stage, path: str, proofs: Iterable[Proof]) -> Heard:
    given = _given(path, stage)
    words = [one.value for one in proofs]
    return await play(stage, _step(path, words, by=Person.ALICE, given=given))


def _exits(check: Check) -> tuple[str, ...]:
    named = check.given.get("exits", "all")
    return EXITS if named == "all" else tuple(str(one) for one in named)


# --- No value leaves ---


async def _no_value_leaves(replay: Replay, check: Check) -> CheckResult:
    """Play the attack, then try every exit with all that its people can show, until the end."""
    story = replay.story
    stage = await replay.fresh(story.steps, old_addr=True)
    played = await play_steps(stage, story.steps, judged=False)
    wrong = [f"{step.id} took {step.taken_cents} cents" for step in played if step.taken_cents]
    by = Person(str(check.given.get("by", Person.MALLORY.value)))
    proofs = _proofs_of(check, stage)
    looked = 0
    for at in await _instants(stage, check):
        await stage.venue.set_forward(at)
        for path in _exits(check):
            looked += 1
            destination = str(check.given.get("destination", "attacker_addr"))
            given = {**_given(path, stage), "destination": destination}
            heard = await play(stage, _step(path, proofs, by=by, given=given))
            if heard.outcome is Outcome.ALLOW:
                wrong.append(f"{path} was allowed at {stage.since}")
    return CheckResult(name=check.name.value, looked_at=looked, wrong=tuple(wrong))


def _proofs_of(check: Check, stage: Stage) -> tuple[str, ...]:
    named = check.given.get("proofs")
    if named is not None:
        return tuple(str(one) for one in named)
    return tuple(proof.value for held, proof in HELD_BY.items() if held in stage.held)


async def _instants(stage: Stage, check: Check) -> tuple[datetime, ...]:
    """Return the first, the middle and the last instant at which an exit is tried."""
    first = stage.venue.now
    if "within" in check.given:
        last = stage.start + parse_length(str(check.given["within"]))
    else:
        last = (await held_until(stage) or first) - timedelta(seconds=1)
    last = max(first, last)
    return first, first + (last - first) / 2, last


_Check: TypeAlias = Callable[[Replay, Check], Awaitable[CheckResult]]
_CHECKS: dict[CheckName, _Check] = {
    CheckName.SAME_FLOOR_ON_ALL_PATHS: _same_floor_on_all_paths,
    CheckName.EVERY_EXIT_HELD: _every_exit_held,
    CheckName.NO_VALUE_LEAVES: _no_value_leaves,
    CheckName.NOTICE_BEFORE_EFFECT: notice_before_effect,
    CheckName.ENTRY_PROVABLE: entry_provable,
    CheckName.EXACTLY_ONCE: exactly_once,
}
