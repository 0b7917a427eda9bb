"""What happens beside the gate: vetoes, pages asked for another method, events of the world.

Events outside our power happen in the file and leave nothing here to do: they are ``done``.
Events that need something Twinlock does not have yet are not playable.
"""

from collections.abc import Awaitable, Callable
from dataclasses import replace
from typing import Any, TypeAlias

import msgspec

from twinlock.client import ProblemError
from twinlock.domain.answers import Answered
from twinlock.domain.catalogue import ActionType
from twinlock.range.acts import TOLD, live_session
from twinlock.range.customer import CODE_CHANNELS, LiveSession, NotHeldError, NotPlayableError
from twinlock.range.device import SoftwareDevice
from twinlock.range.mailbox import Letter
from twinlock.range.places import NETWORK
from twinlock.range.playing import heard_of, play
from twinlock.range.profiles import BASELINE, TYPICAL
from twinlock.range.refusals import refusal
from twinlock.range.stage import UNASKED, Heard, Stage
from twinlock.range.story import Step
from twinlock.range.trading import NO_RIGHT, ungated
from twinlock.range.weather import Dependency
from twinlock.range.words import (
    MAKES,
    THIEVES,
    UNGATED,
    Capability,
    Mark,
    Outcome,
    Person,
    Proof,
)

# Things that thieves and chains do outside our power; what they gain shows in later steps.
OUTSIDE = frozenset(
    {
        "event.legal_request",
        "event.dust",
        "event.code_leaked",
        "event.continue_as",
    }
)
# What changes what happens; of other events all words only tell.
_UNDERSTOOD = {
    "event.veto": frozenset({"of", "channel"}),
    "event.other_method": frozenset({"asked", "wanted"}),
    "event.call_owner": frozenset({"verifiable"}),
    "event.dependency": frozenset({"which", "state"}),
}
NO_VETO = "no_letter_carries_a_veto"
WEAKER = (BASELINE, TYPICAL)  # By these rules much is done at once, and nobody is asked.
READS = {Proof.EMAIL_CODE: Capability.EMAIL_FULL, Proof.SMS_CODE: Capability.SMS_RECEIVE}
_MADE_BY = {proof: held for held, proof in MAKES.items()}


async def happen(stage: Stage, step: Step) -> Heard:
    """Let the event of ``step`` happen, and return what came of it.

    Raises:
        NotPlayableError: it needs something that is not built.
    """
    strange = set(step.given) - _UNDERSTOOD.get(step.do, frozenset(step.given)) - TOLD
    if strange:
        raise NotPlayableError(f"{step.do} with {min(strange)!r}: not understood here")
    if step.do in OUTSIDE:
        return Heard(outcome=Outcome.DONE)
    if step.do in UNGATED:
        return await ungated(stage, step)
    if step.do in _EVENTS:
        return await _EVENTS[step.do](stage, step)
    raise NotPlayableError(f"{step.do}: {_WHY_NOT.get(step.do.partition('.')[0], _NO_PLACE)}")


_NO_PLACE = "there is nothing here that it could happen to"
_WHY_NOT = {
    "tamper": "the range acts over the API only; tests/integration edit rows",
}


async def _veto(stage: Stage, step: Step) -> Heard:
    of = stage.heard.get(str(step.given.get("of", "")))
    if of is None or not of.action_id or of.outcome is Outcome.DENY:
        raise NotPlayableError("event.veto: what it objects to never came to be")
    names = [one.action_id for one in of.each if one.outcome is not Outcome.DENY]
    read = (CODE_CHANNELS[one.proof] for one in step.showings if one.proof in CODE_CHANNELS)
    channel = step.given.get("channel") or next(read, None)
    if channel is None:
        session = await _session_of(stage, step)
        if isinstance(session, Heard):
            return session
        said = [await _no_by_session(stage, session, one) for one in names]
    else:
        said = [await _no_by_letter(stage, str(channel), one) for one in names]
    return next((one for one in said if one.refused), said[0])


async def _no_by_session(stage: Stage, session: LiveSession, action_id: str) -> Heard:
    standing = await stage.venue.client.action(action_id)
    signed = stage.customer.signed(session, standing.digest, purpose="veto", name=action_id)
    return await say_no(stage, action_id, {"session": signed})


async def _no_by_letter(stage: Stage, channel: str, action_id: str) -> Heard:
    letter = await veto_letter(stage, action_id, channel)
    if letter is None and stage.policy.profile in WEAKER:
        return Heard(outcome=Outcome.DENY, codes=(NO_VETO,))
    if letter is None:
        raise NotPlayableError(f"event.veto: no letter on {channel} carries a veto")
    no = {"channel_id": letter.channel_id, "token": letter.veto or letter.undo}
    return await say_no(stage, action_id, no)


async def _session_of(stage: Stage, step: Step) -> LiveSession | Heard:
    """Return the session in which ``step`` says no; or the answer of whoever gets none.

    A cookie names a session, and has not its device's key. A thief who has not signed in does so,
    with what the step shows.
    """
    marks = [one.mark for one in step.showings if one.proof is Proof.SESSION]
    if any(one not in (None, Mark.NEW, Mark.COPIED) for one in marks):
        raise NotPlayableError(f"event.veto with {step.proof[0]}: not understood here")
    if Mark.COPIED in marks:
        owners = await live_session(stage, Person.ALICE)
        return replace(owners, device=SoftwareDevice(stage.venue.draw()))
    if marks or step.by not in THIEVES or step.by in stage.sessions:
        try:
            return await live_session(stage, step.by)
        except NotHeldError:
            return Heard(outcome=Outcome.DENY, codes=(NO_RIGHT,))
    if not step.showings:
        raise NotPlayableError(f"event.veto: {step.by.value} has nothing to say it with")
    given = {"from": "new_device"}
    entered = msgspec.structs.replace(step, do=ActionType.SESSION_START, given=given)
    answered = await play(stage, entered)
    return stage.sessions.get(step.by, answered)


async def say_no(stage: Stage, action_id: str, no: dict[str, Any]) -> Heard:
    """Object to an action, and return what that was answered."""
    try:
        return heard_of(await stage.venue.client.veto(action_id, no))
    except ProblemError as problem:
        return Heard(outcome=Outcome.DENY, codes=(refusal(problem),))


async def veto_letter(stage: Stage, action_id: str, channel: str) -> Letter | None:
    """Return the newest letter on a channel that can stop or undo this action, or None."""
    account_id = stage.customer.account_id

    def fitting(letters: tuple[Letter, ...]) -> list[Letter]:
        return [
            one
            for one in letters
            if (one.veto or one.undo) and (one.action_id, one.channel) == (action_id, channel)
        ]

    await stage.venue.mailbox.wait_for(account_id, lambda letters: bool(fitting(letters)))
    found = fitting(stage.venue.mailbox.letters(account_id))
    return found[-1] if found else None


async def _other_method(stage: Stage, step: Step) -> Heard:
    """Ask the page of a fresh action for another method than the one it asks for.

    No effect: the question is refused, and the action stands as it did. Where it is put, a thief
    who can read the code answers it.
    """
    client, wanted = stage.venue.client, Proof(step.given["wanted"])
    address = stage.places.address(f"asked_on_another_page_{step.id}")
    page = await stage.customer.propose(
        ActionType.DESTINATION_ADD, {"network": NETWORK, "address": address}
    )
    try:
        await stage.customer.ask(page.action_id, str(step.given["asked"]))
    except ProblemError as problem:
        why = f"event.other_method: the page does not ask: {refusal(problem)}"
        raise NotPlayableError(why) from problem
    before = await client.action(page.action_id)
    try:
        asked = await stage.customer.ask(page.action_id, wanted)
    except ProblemError as problem:
        code = refusal(problem)
        after = await client.action(page.action_id)
        changed = after.answer is not before.answer
        outcome = Outcome(after.answer.value) if changed else Outcome.NO_EFFECT
        return Heard(
            outcome=outcome,
            codes=(code,),
            sentence=UNASKED.get(problem.fault, problem.detail),
        )
    return await _answered_by_thief(stage, page, wanted, asked)


async def _answered_by_thief(
    stage: Stage, page: Answered, wanted: Proof, asked: dict[str, Any]
) -> Heard:
    """Return what the thief gets out of a question that should not have been put."""
    if wanted not in READS:
        return await _typed_by_thief(stage, page, wanted)
    if READS[wanted] not in stage.held:
        return Heard(outcome=Outcome.CHALLENGE, codes=("asked",), action_id=page.action_id)
    stage.customer.taps += 1
    reply = await stage.customer.code_reply(page.action_id, wanted, asked)
    return heard_of(await stage.venue.client.prove(page.action_id, reply))


async def _typed_by_thief(stage: Stage, page: Answered, wanted: Proof) -> Heard:
    """Return what the thief gets by a method that no question is needed for: he shows what he has.

    No effect: what he has is nothing, or changes nothing of what the action is told.
    """
    before = heard_of(await stage.venue.client.action(page.action_id))
    if _MADE_BY.get(wanted) not in stage.held:
        return Heard(outcome=Outcome.NO_EFFECT, codes=before.codes)
    try:
        now = heard_of(await stage.customer.show(page.action_id, wanted))
    except ProblemError as problem:
        return Heard(outcome=Outcome.NO_EFFECT, codes=(refusal(problem),))
    unchanged = (now.outcome, now.codes) == (before.outcome, before.codes)
    return Heard(outcome=Outcome.NO_EFFECT, codes=now.codes) if unchanged else now


async def _mailbox_taken(stage: Stage, _: Step) -> Heard:
    """Let the thief read the mailbox from here on."""
    stage.held |= {Capability.EMAIL_FULL}
    return Heard(outcome=Outcome.DONE)


async def _mail_flood(stage: Stage, step: Step) -> Heard:
    """Bury the owner's messages; the platform's mail servers see it, and say so."""
    if step.given.get("channel", "email") != "email":
        raise NotPlayableError("event.mail_flood: it is of mail, and of no other channel")
    await stage.venue.client.report_flood(stage.customer.account_id)
    return Heard(outcome=Outcome.DONE)


async def _call_owner(_: Stage, step: Step) -> Heard:
    if step.given.get("verifiable"):
        raise NotPlayableError("event.call_owner: calls that can be verified are not built")
    return Heard(outcome=Outcome.DONE)


_ALIASES = {
    **dict.fromkeys(("store", "postgres", "postgresql", "log"), Dependency.DATABASE.value),
    **dict.fromkeys(("time", "time_source"), Dependency.CLOCK.value),
    **dict.fromkeys(("price_list", "price_feed"), Dependency.PRICES.value),
}

_MAIL_SERVERS = frozenset({"mail", "mail_server", "smtp", "email"})


async def _mail_server(stage: Stage, state: str) -> Heard:
    """Let no mail arrive from here on, or all that waited."""
    if state == "slow":
        raise NotPlayableError("event.dependency: a mail server is never slow here")
    venue = stage.venue
    venue.weather.no_mail_since = venue.now if state == "down" else None
    if state == "up":
        await venue.letters.bring()
    return Heard(outcome=Outcome.DONE)


async def _dependency(stage: Stage, step: Step) -> Heard:
    """Slow down what decisions lean on, from here on; or take it away from the next spend.

    Each in turn are those that decisions lean on: a mail server that is down denies nothing.
    """
    said, state = str(step.given["which"]), str(step.given["state"])
    which, named = _ALIASES.get(said, said), {one.value for one in Dependency}
    if which != "each_in_turn" and which not in named and which not in _MAIL_SERVERS:
        raise NotPlayableError(f"event.dependency: {which!r} is not one that the range can turn")
    if state not in ("up", "down", "slow"):
        raise NotPlayableError(f"event.dependency: {state!r} is not a state")
    if which in _MAIL_SERVERS:
        return await _mail_server(stage, state)
    stage.outage = tuple(Dependency) if which == "each_in_turn" else (Dependency(which),)
    stage.outage_state = state
    stage.venue.weather.let_decide()
    if state == "slow":
        if Dependency.DATABASE not in stage.outage:
            raise NotPlayableError(f"event.dependency: {which} is never slow here")
        stage.venue.weather.slow.add(Dependency.DATABASE)
    return Heard(outcome=Outcome.DONE)


_Event: TypeAlias = Callable[[Stage, Step], Awaitable[Heard]]
_EVENTS: dict[str, _Event] = {
    "event.veto": _veto,
    "event.other_method": _other_method,
    "event.call_owner": _call_owner,
    "event.mailbox_taken": _mailbox_taken,
    "event.mail_flood": _mail_flood,
    "event.dependency": _dependency,
}
