"""What the events of open actions change: one part of ``replay.apply``."""

from datetime import datetime
from math import ceil
from typing import assert_never

from msgspec.structs import replace

from twinlock.domain.account import (
    ActionState,
    OpenAction,
    State,
)
from twinlock.domain.actions import AccountErase, place_of
from twinlock.domain.api_keys import (
    by_keys_alone,
    charge_of,
    charged,
    refusal_to_tell,
)
from twinlock.domain.assurance import Factor
from twinlock.domain.attempts import attempt_to_tell
from twinlock.domain.authenticators.model import (
    Authenticator,
    Passkey,
    factor_of,
    used,
)
from twinlock.domain.bounds import (
    CHALLENGES_PER_ACTION_MOST,
    CODES_PER_DAY_MOST,
)
from twinlock.domain.changing import with_account, with_action, with_destination
from twinlock.domain.disputes import instant, opened, over, upheld, with_objection
from twinlock.domain.duress import kept, may_name
from twinlock.domain.errors import invariant
from twinlock.domain.events import (
    ActionAuthorized,
    ActionEvent,
    ActionHeld,
    ActionLapsed,
    ActionProposed,
    ActionRefused,
    ActionSpent,
    ActionVetoed,
    ChallengeIssued,
    ClosingEvent,
    ContestDecided,
    ContestOpened,
    ProofAccepted,
    ProofRefused,
)
from twinlock.domain.exits import BOOKS
from twinlock.domain.ids import (
    ApiKeyId,
)
from twinlock.domain.likeness import with_paid
from twinlock.domain.members import bit_of
from twinlock.domain.policy.leaving import counted_at
from twinlock.domain.successors import is_foreign
from twinlock.domain.throttle import UNCOUNTED, after_failure, can_be_guessed, open_again, reopens
from twinlock.domain.waits import begins_told

# Whoever has the link of an agreement asks these. Prevents: one who asks, and asks again, until the
# question is gone that who asks is answering.
_OTHERS = (Factor.TRUSTED_CONTACT, Factor.MEMBER)


def close(state: State, event: ClosingEvent) -> State:
    """Return ``state`` without the action that ``event`` ends."""
    account, action = state.account, state.account.action(event.action_id)
    rest = tuple(one for one in account.actions if one.action_id != event.action_id)
    invariant(len(rest) == len(account.actions) - 1, "an action closes once")
    state = with_account(state, actions=rest)
    told = isinstance(event, ActionRefused) and by_keys_alone(account, action)
    if told and refusal_to_tell(account, now=event.at):
        state = with_account(state, key_told_at=int(event.at.timestamp()))
    if isinstance(event, ActionRefused) and attempt_to_tell(account, action, now=event.at):
        state = with_account(state, attempt_told_at=int(event.at.timestamp()))
    state = _settle_dispute(state, event)
    return _spend(state, action, event) if isinstance(event, ActionSpent) else state


def _settle_dispute(state: State, event: ClosingEvent) -> State:
    """End the contest about what is over, and remember a veto that may become one."""
    settled = not isinstance(event, ActionLapsed)
    disputes = over(state.account.disputes, event.action_id, settled=settled)
    if isinstance(event, ActionVetoed) and event.change:
        disputes = with_objection(disputes, change=event.change, roots=event.roots, at=event.at)
    return with_account(state, disputes=disputes)


def _spend(state: State, action: OpenAction, event: ActionSpent) -> State:
    """Note the spend, and count on its day what was counted on another day, or rose meanwhile.

    Prevents: authorized before midnight, spent after it on top of the new day's whole limit;
    authorized while the price is low; and authorized before its destination was listed.
    """
    at, to = event.at, state.destination
    place = place_of(action.payload)
    paid = state.account.paid
    if place is not None and place.network not in BOOKS:
        paid = with_paid(state.account, place.address)
    state = with_account(state, last_exit_at=ceil(at.timestamp()), paid=paid)
    state = _charge(state, action, event.api_key_id, event.value_cents, at=at)
    more = max(event.value_cents - action.counted_on(at), 0)
    if more:
        state = with_account(state, spent=state.account.spent.plus(more, at=at))
    state = _count_at(state, action, event)
    if event.destination_id is None:
        rose = max(event.value_cents - action.counted_for(None, at), 0)
        return with_account(state, unlisted=state.account.unlisted.plus(rose, at=at))
    if to is None or to.destination_id != event.destination_id:
        return state
    own = max(event.value_cents - action.counted_for(to.destination_id, at), 0)
    if not own:
        return state
    spent = to.spent.plus(own, at=at)
    return with_destination(state, replace(to, version=to.version + 1, spent=spent))


def _count_at(state: State, action: OpenAction, event: ActionAuthorized | ActionSpent) -> State:
    """Count what leaves at its place: what was listed there meanwhile, or by another memo, too.

    Prevents: an owner's limit twice on the day on which a wait ends, and once for each reference
    of one bank account.
    """
    if not event.place:
        return state
    own = event.value_cents - counted_at(action, event.place, event.at)
    if isinstance(event, ActionSpent):
        own = max(own, 0)  # What was authorized counts until the day is over.
    if not own:
        return state
    sums = state.account.sent_to.plus(event.place, own, at=event.at)
    return with_account(state, sent_to=sums)


def _charge(
    state: State, action: OpenAction, named: ApiKeyId | None, cents: int, *, at: datetime
) -> State:
    """Charge ``cents`` to the API key ``named`` that carries ``action``, if one does."""
    if named is None:
        return state
    keys = charged(state.account, action, named, cents, at=at)
    return with_account(state, api_keys=keys)


def apply_to_action(state: State, event: ActionEvent) -> State:
    """Return ``state`` with the open action of ``event`` as it is after it."""
    account = state.account
    match event:
        case ActionProposed(action=action, candidate_id=used_up):
            left = tuple(one for one in account.candidates if one.candidate_id != used_up)
            return with_account(state, actions=(*account.actions, action), candidates=left)
        case ActionHeld():
            return _hold(state, event)
        case ContestOpened() | ContestDecided():
            return _contest(state, event)
        case ChallengeIssued():
            return _ask(state, event)
        case ProofAccepted():
            return _accept(state, event)
        case ProofRefused(factor=factor):
            if not can_be_guessed(factor) or event.fault in UNCOUNTED:
                return state
            return _count(state, event)
        case ActionAuthorized():
            return _authorize(state, event)
        case _:
            assert_never(event)


def _count(state: State, event: ProofRefused) -> State:
    account, action = state.account, state.account.action(event.action_id)
    whose = bit_of(account, action.member_id)
    counted = after_failure(account.throttle_of(action), now=event.at, whose=whose)
    if account.from_known_device(action):
        return with_account(state, known_throttle=counted)
    return with_account(state, throttle=counted)


def _hold(state: State, event: ActionHeld) -> State:
    action = state.account.action(event.action_id)
    told = {"offered_until" if event.choice else "until": event.until}
    begins = begins_told(action) and not isinstance(action.payload, AccountErase)
    return with_action(
        state,
        event.action_id,
        state=ActionState.OPEN,
        lapses_at=event.lapses_at,
        # An erasure's is held against its proof's leaf (``erasure.check_proved``).
        proved_at=event.at if begins else action.proved_at or event.at,
        entry=state.account.chain.entries,
        lengthened=action.lengthened or event.lengthened,
        **told,
    )


def _contest(state: State, event: ContestOpened | ContestDecided) -> State:
    """Open or end a contest; a yes that is contested is no yes any more."""
    disputes = state.account.disputes
    if isinstance(event, ContestDecided):
        state = with_account(state, disputes=upheld(disputes, at=event.at))
        return with_action(state, event.action_id, lapses_at=event.lapses_at)
    state = with_account(state, disputes=opened(disputes, event.contest))
    return with_action(
        state,
        event.action_id,
        state=ActionState.OPEN,
        lapses_at=instant(event.contest.ends_at),
        entry=state.account.chain.entries,
    )


def _ask(state: State, event: ChallengeIssued) -> State:
    """Add the question, if its answer will name it: what is typed, but for a code, needs none.

    A passkey's stands beside the one before it, a code in the place of the one before it.
    Prevents: a stranger who asks, and asks another way, until the owner's question is gone; and
    until the document is full and no freeze fits in.
    """
    account, challenge = state.account, event.challenge
    asked = account.action(event.action_id).challenges
    live = [one for one in asked if one.expires_at > event.at]
    same = [one for one in live if one.factor is challenge.factor]
    signs = challenge.factor in (Factor.PASSKEY, Factor.TRUSTED_CONTACT, Factor.MEMBER)
    gone = same[:-1] if signs else same
    if challenge.code_mac:  # A code to the new channel follows those to the old ones.
        gone += [
            one
            for one in live
            if one.code_mac and Factor.CHANNEL_CODE in (one.factor, challenge.factor)
        ]
    kept = [one for one in live if one not in gone]
    if signs or challenge.code_mac:
        kept.append(challenge)
    # A contact's is one more, and so is a member's: theirs go first, then codes, the oldest first.
    crowd = max(len(kept) - CHALLENGES_PER_ACTION_MOST, 0)
    older = sorted(kept[:-1], key=lambda one: (one.factor not in _OTHERS, not one.code_mac))
    pushed = older[:crowd]
    kept = [one for one in kept if one not in pushed]
    invariant(len(kept) <= CHALLENGES_PER_ACTION_MOST, "no other factor's answer names a question")
    codes = account.codes_sent + ((ceil(event.at.timestamp()),) if challenge.code_mac else ())
    state = with_action(state, event.action_id, challenges=tuple(kept))
    return with_account(state, codes_sent=codes[-CODES_PER_DAY_MOST:])


def _accept(state: State, event: ProofAccepted) -> State:
    account, action = state.account, state.account.action(event.action_id)
    state = with_action(
        state,
        event.action_id,
        shown=(*action.shown, event.shown),
        challenges=tuple(
            one for one in action.challenges if one.challenge_id != event.challenge_id
        ),
        proved_at=action.proved_at or (event.at if event.proved else None),
        seal=kept(action.seal, event.seal) if may_name(action.payload) else "",
        wanted_elsewhere=max(action.wanted_elsewhere, event.wanted_elsewhere),
    )
    beside = [one.factor for one in action.shown if account.stands(one)]
    bound = [factor_of(one) for one in account.authenticators]
    own = not is_foreign(account.authenticator(event.shown.source))
    if own and reopens(event.shown.factor, beside, bound=bound, floor=account.floor):
        whose = bit_of(account, action.member_id)
        state = with_account(
            state,
            throttle=open_again(account.throttle, whose=whose),
            known_throttle=open_again(account.known_throttle, whose=whose),
        )
    if event.shown.factor is Factor.SESSION:
        sessions = (
            replace(one, seen_at=event.at) if one.session_id == event.shown.source else one
            for one in account.sessions
        )
        return with_account(state, sessions=tuple(sessions))
    seen = {"totp_step": event.totp_step, "sign_count": event.sign_count}
    every: tuple[Authenticator, ...] = (*account.authenticators, *account.contacts)
    after = tuple(
        used(one, at=event.at, **seen, backed_up=event.backed_up, used_code=event.used_code)
        if one.authenticator_id == event.shown.source
        else one
        for one in every
    )
    many = len(account.authenticators)
    contacts = tuple(one for one in after[many:] if isinstance(one, Passkey))
    return with_account(state, authenticators=after[:many], contacts=contacts)


def _authorize(state: State, event: ActionAuthorized) -> State:
    account, action = state.account, state.account.action(event.action_id)
    more = event.value_cents - action.counted_on(event.at)
    named = event.api_key_id
    state = _charge(state, action, named, event.value_cents, at=event.at)
    charge = action.charge
    if named is not None:
        charge = charge_of(action, named, event.value_cents, at=event.at)
    state = with_action(
        state,
        event.action_id,
        charge=charge,
        state=ActionState.AUTHORIZED,
        authorized_at=event.at,
        destination_id=event.destination_id,
        place=event.place,
        value_cents=event.value_cents,
        entry=account.chain.entries,
    )
    state = with_account(state, spent=account.spent.plus(more, at=event.at))
    state = _count_at(state, action, event)
    if event.destination_id is None:
        own = event.value_cents - action.counted_for(None, event.at)
        return with_account(state, unlisted=account.unlisted.plus(own, at=event.at))
    destination = state.destination
    if destination is None or destination.destination_id != event.destination_id:
        return state
    own = event.value_cents - action.counted_for(destination.destination_id, event.at)
    spent = destination.spent.plus(own, at=event.at)
    left = replace(destination, version=destination.version + 1, used_at=event.at, spent=spent)
    return with_destination(state, left)
