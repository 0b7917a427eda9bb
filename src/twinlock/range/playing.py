"""Plays one step at the gate: proposes, shows what the file lists, spends a yes.

Always true (tests/unit/range/test_playing.py):

* a yes to an exit counts only when it was spent: then the value has left;
* a proof that is refused is a no, unless the question itself was refused as below the floor: then
  the action stands as it did, and asks for a better one;
* nothing is shown that the file does not list, and what it marks and cannot be shown is noted.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from twinlock.client import ProblemError
from twinlock.domain.account import ActionState
from twinlock.domain.answers import Answered, Why
from twinlock.domain.authenticators.faults import ProofFault
from twinlock.domain.catalogue import CLASS_OF, ActionClass, ActionType
from twinlock.domain.reasons import Reason
from twinlock.domain.requirements import NOTHING, STRENGTH, Answer, Prove, answer, leaves
from twinlock.range.acts import Act, acts_of
from twinlock.range.customer import (
    Belongings,
    Customer,
    LiveSession,
    NotHeldError,
    NotPlayableError,
)
from twinlock.range.duress import show_picked
from twinlock.range.key_use import show_key
from twinlock.range.orders import placed, refused_before
from twinlock.range.refusals import MALFORMED, refusal
from twinlock.range.setting_up import neighbour
from twinlock.range.stage import UNASKED, Heard, Stage
from twinlock.range.story import Step
from twinlock.range.words import Mark, Outcome, Person, Proof, Showing

# What no version takes as a proof (law 8): it is shown all the same, and refused.
PICTURES = frozenset({Proof.PERSONAL_DATA, Proof.DOCUMENT_IMAGE, Proof.FACE_VIDEO})
# What would be a proof, and is not built: nobody can show it yet.
NOT_BUILT = frozenset(
    {
        Proof.STAFF_KEY,
        Proof.CHIP_LIVE,
        Proof.WALLET,
    }
)
NOTHING_OF_THE_KIND = "nothing of the kind came to be"  # What is noted of a proof nobody holds.
_WEAKEST_FIRST = tuple(Outcome)
CHANGES_FACTORS = (
    ActionType.AUTHENTICATOR_BIND,
    ActionType.AUTHENTICATOR_REMOVE,
    ActionType.AUTHENTICATOR_REACTIVATE,
    ActionType.CONTACT_CHANGE,
    ActionType.PASSWORD_CHANGE,
    ActionType.PASSWORD_RESET,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Put:
    """An action that was put to the gate with its proofs; ``refusal`` is of the last one shown."""

    answered: Answered
    refusal: Heard | None
    notes: tuple[str, ...]


async def play(stage: Stage, step: Step) -> Heard:
    """Play what ``step`` does and return what it was answered; of several answers, the mildest.

    Raises:
        NotPlayableError: it has a word that cannot be played yet.
        ProblemError: the service failed, and no weather explains it.
    """
    heard = [await _play_one(stage, step, act) for act in await acts_of(stage, step)]
    if step.do == ActionType.SESSION_START and step.by not in stage.sessions:
        stage.turned_away.add(step.by)
    return together(heard)


def together(heard: Sequence[Heard]) -> Heard:
    """Return the mildest of several answers, with the others beside it and all that was taken."""
    mildest, *others = sorted(heard, key=lambda one: _WEAKEST_FIRST.index(one.outcome))
    taken = sum(one.taken_cents for one in heard)
    return replace(mildest, taken_cents=taken, beside=tuple(others))


async def _play_one(stage: Stage, step: Step, act: Act) -> Heard:
    refused = (
        await refused_before(stage, step, act) if act.kind == ActionType.TRADE_UNUSUAL else None
    )
    if refused is not None:
        return refused
    try:
        put = await put_forward(stage, step, act)
    except ProblemError as problem:
        if problem.status == MALFORMED:
            raise NotPlayableError(f"the API has no form for it: {problem.detail}") from problem
        return _no(problem)
    if put.refusal is not None and put.refusal.outcome is Outcome.DENY:
        return replace(put.refusal, notes=put.notes)
    heard = replace(await _concluded(stage, step, act, put.answered), notes=put.notes)
    if put.refusal is not None:
        return _below_the_floor(heard, put.refusal)
    return _unproved(heard) if CLASS_OF.get(act.kind) is ActionClass.LOOSENING else heard


async def put_forward(stage: Stage, step: Step, act: Act) -> Put:
    """Propose ``act``, and show what the step lists until it is decided.

    Raises:
        ProblemError: the proposal was refused, or the service failed.
        NotPlayableError: it has a proof that cannot be shown yet.
    """
    own = act.device if step.by is Person.ALICE else None  # Only she holds her device's key.
    answered = await stage.customer.propose(
        act.kind,
        act.payload,
        session=act.session,
        copied=act.copied,
        device=own,
        stale=None if act.stale is None else (act.stale, stage.elsewhere()),
    )
    refused: Heard | None = None
    notes: list[str] = []
    for showing in step.showings:
        if showing.proof is Proof.SESSION:
            continue
        if answered.state != ActionState.OPEN:  # What is left over need not be shown.
            notes += [f"{showing} not shown: decided before"] if showing.mark else []
            continue
        try:
            answered, refused = await _shown(stage, step, answered, showing), None
        except ProblemError as problem:
            if problem.fault == ProofFault.CODES_LIMITED:  # Then there is none to show.
                notes.append(f"{showing} not shown: as many codes were sent as may be")
                continue
            refused = await _refusal(stage, answered, problem)
            answered = await stage.venue.client.action(answered.action_id)
        except NotHeldError:
            notes.append(f"{showing}: {NOTHING_OF_THE_KIND}")
    if refused is None and _only_the_channel_is_missing(answered):
        try:
            answered = await stage.customer.confirm_channel(answered.action_id)
        except NotHeldError:
            notes.append("the new channel: no code arrives while the mail server is down")
    if answered.answer is Answer.HOLD:
        await stage.venue.letters.told(answered.action_id)
    return Put(answered=answered, refusal=refused, notes=tuple(notes))


def _only_the_channel_is_missing(answered: Answered) -> bool:
    """Say whether whoever adds a channel, and reads it, has nothing else to show."""
    asked = {
        leaf.code for leaf in leaves(answered.requirement or NOTHING) if isinstance(leaf, Prove)
    }
    return asked == {Reason.CHANNEL_UNCONFIRMED}


def _no(problem: ProblemError, *, action_id: str = "") -> Heard:
    """Return the refusal of a call as an answer; what is no refusal of ours is none."""
    return Heard(
        outcome=Outcome.DENY,
        codes=(refusal(problem),),
        sentence=problem.detail,
        action_id=action_id,
    )


def _below_the_floor(heard: Heard, refusal: Heard) -> Heard:
    """Return what a thief hears whose method was not even asked for."""
    codes = tuple(dict.fromkeys((*refusal.codes, *heard.codes)))
    return _unproved(replace(heard, codes=codes, sentence=refusal.sentence))


def _unproved(heard: Heard) -> Heard:
    """Return what an action is told that was not proved yet: it asks for a proof, and no more.

    A wait begins with the proof, so none was told (docs/adr/0004-a-wait-begins-with-the-proof.md).
    """
    if heard.outcome is Outcome.HOLD and Reason.PROOF_NEEDED in heard.codes:
        return replace(heard, outcome=Outcome.CHALLENGE, until=None)
    return heard


async def _refusal(stage: Stage, answered: Answered, problem: ProblemError) -> Heard:
    """Return what a refused proof means: no; or, where it is not asked for, what still is."""
    if problem.fault not in UNASKED:
        return _no(problem, action_id=answered.action_id)
    standing = heard_of(await stage.venue.client.action(answered.action_id))
    return replace(standing, codes=(problem.fault,), sentence=UNASKED[problem.fault])


# --- Showing ---


async def _shown(stage: Stage, step: Step, answered: Answered, showing: Showing) -> Answered:
    if showing.proof in NOT_BUILT:
        raise NotPlayableError(f"{showing}: cannot be shown yet")
    if showing.proof is Proof.API_KEY:
        return await show_key(stage, step, answered, showing)
    if showing.proof in PICTURES:
        stage.customer.taps += 1
        reply = {"factor": showing.proof.value, "secret": "a picture, however good"}
        return await stage.venue.client.prove(answered.action_id, reply)
    match showing.mark:
        case None:
            return await stage.customer.show(answered.action_id, showing.proof)
        case Mark.NEW:
            made = _made(stage, showing)
            return await stage.customer.show(answered.action_id, showing.proof, made=made)
        case Mark.OTHER_ACTION | Mark.SPENT | Mark.COPIED:
            return await _replayed(stage, answered, showing, by=stage.customer)
        case Mark.OTHER_ACCOUNT:
            return await _replayed(stage, answered, showing, by=await neighbour(stage))
        case Mark.DURESS if stage.by_chance:
            return await show_picked(stage.customer, answered.action_id, showing.proof)
        case Mark.DURESS:
            given = _for_duress(stage, showing)
            return await stage.customer.show(answered.action_id, showing.proof, made=given)


def _for_duress(stage: Stage, showing: Showing) -> Belongings:
    """Return what the owner has for it. Raises NotPlayableError: nothing can be of the kind."""
    if showing.proof not in stage.customer.forced:
        raise NotPlayableError(f"{showing}: nothing of the kind can be for duress")
    return stage.customer.forced[showing.proof]


def _made(stage: Stage, showing: Showing) -> Belongings:
    """Return what was bound or changed in this list. Raises NotHeldError: nothing was."""
    if showing.proof not in stage.bound:
        raise NotHeldError(f"{showing}: nothing of the kind was bound or changed")
    return stage.bound[showing.proof]


async def _replayed(
    stage: Stage, answered: Answered, showing: Showing, *, by: Customer
) -> Answered:
    """Show what was made for another action, of this account or of another one."""
    if showing.proof is Proof.RECOVERY_CODE:
        return await _code_again(stage, answered, showing, by=by)
    if showing.proof is Proof.PASSWORD:
        raise NotPlayableError(f"{showing}: a password is the same for every action")
    other = await by.propose(ActionType.WITHDRAWAL_CRYPTO, stage.elsewhere())
    reply = await by.reply(other.action_id, showing.proof)
    if showing.mark is Mark.SPENT or showing.proof is Proof.TOTP:
        await stage.venue.client.prove(other.action_id, reply)
    if "challenge_id" in reply:
        asked = await stage.customer.ask(answered.action_id, reply["factor"])
        reply = {**reply, "challenge_id": asked["challenge_id"]}
    return await stage.venue.client.prove(answered.action_id, reply)


async def _code_again(
    stage: Stage, answered: Answered, showing: Showing, *, by: Customer
) -> Answered:
    """Show a saved code of another account, or one that was used: to sign in, where it is read."""
    if showing.mark not in (Mark.SPENT, Mark.OTHER_ACCOUNT):
        raise NotPlayableError(f"{showing}: a saved code is the same for every action")
    if showing.mark is Mark.OTHER_ACCOUNT:
        reply = await by.reply(answered.action_id, Proof.RECOVERY_CODE)
        return await stage.venue.client.prove(answered.action_id, reply)
    if not by.own.spent:
        seat = {"device": by.device.jwk()}
        other = await by.propose(ActionType.SESSION_START, seat, device=by.device)
        await by.show(other.action_id, Proof.PASSWORD)
        await by.show(other.action_id, Proof.RECOVERY_CODE)
    by.taps += 1
    reply = {"factor": Proof.RECOVERY_CODE.value, "secret": by.own.spent}
    return await stage.venue.client.prove(answered.action_id, reply)


# --- Concluding ---


async def _concluded(stage: Stage, step: Step, act: Act, answered: Answered) -> Heard:
    if answered.session_id and act.device is not None:
        _remember_session(stage, step, act, answered)
    if act.kind in CHANGES_FACTORS and answered.answer is Answer.ALLOW:
        stage.sessions.pop(Person.ALICE, None)  # Hers is over; she signs in again.
    if act.key is not None and answered.answer in (Answer.ALLOW, Answer.HOLD):
        stage.keys.append(act.key)
    if act.makes is not None and answered.answer in (Answer.ALLOW, Answer.HOLD):
        _remember_bound(stage, act, answered)
    if CLASS_OF.get(act.kind) is ActionClass.EXIT and answered.authorization:
        heard = await spend(stage, answered.action_id, value_cents=act.value_cents)
        trades = act.kind == ActionType.TRADE_UNUSUAL
        return await placed(stage, step, act, heard) if trades else heard
    return replace(heard_of(answered), value_cents=act.value_cents)


def heard_of(answered: Answered, *, taken_cents: int = 0) -> Heard:
    """Return an answer of the service as it is heard."""
    outcome, why = Outcome(answered.answer.value), _strongest_first(answered)
    return Heard(
        outcome=outcome,
        codes=tuple(one.code.value for one in why),
        sentence=why[0].sentence if why else "",
        until=answered.until if outcome is Outcome.HOLD else None,
        action_id=answered.action_id,
        taken_cents=taken_cents,
    )


def _strongest_first(answered: Answered) -> tuple[Why, ...]:
    """Return the reasons: first those that nothing lifts, then waits, then proofs.

    Of equal ones laws stand before statutes, as the requirement has them.
    """
    missing = sorted(
        leaves(answered.requirement or NOTHING), key=lambda leaf: -STRENGTH[answer(leaf)]
    )
    ranks = {leaf.code: rank for rank, leaf in reversed([*enumerate(missing)])}
    return tuple(sorted(answered.why, key=lambda why: ranks.get(why.code, len(ranks))))


async def spend(stage: Stage, action_id: str, *, value_cents: int) -> Heard:
    """Spend an exit; only then its value has left."""
    try:
        spent = await stage.venue.client.spend(action_id, spend_id=stage.next_spend_id())
    except ProblemError as problem:
        return _no(problem, action_id=action_id)
    taken = stage.take(value_cents) if spent.state == "spent" else 0
    return replace(heard_of(spent, taken_cents=taken), value_cents=value_cents)


def _remember_session(stage: Stage, step: Step, act: Act, answered: Answered) -> None:
    if act.device is None or answered.answer not in (Answer.ALLOW, Answer.READ_ONLY):
        return
    stage.sessions[step.by] = LiveSession(
        session_id=answered.session_id, device=act.device, began_at=stage.venue.now
    )


def _remember_bound(stage: Stage, act: Act, answered: Answered) -> None:
    """Keep what was bound, or will be when its wait is over and nobody objected."""
    if act.makes is None:
        return
    proof, made = act.makes
    stage.bound[proof] = made
    if proof is Proof.PASSWORD and answered.answer is Answer.ALLOW:
        stage.customer.own.password = made.password
