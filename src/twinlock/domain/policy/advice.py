"""Advice: what a policy may say, and an officer seldom means.

Nothing here refuses a policy. ``twinlock policy check`` prints it.
"""

from collections.abc import Iterable, Iterator, Mapping
from datetime import timedelta
from itertools import chain
from typing import Any

import msgspec

from twinlock.domain.actions import BUILT
from twinlock.domain.api_keys import SIGNS
from twinlock.domain.assurance import PROOFS, Factor, Level, level_shown
from twinlock.domain.bounds import MAX_VALUE_CENTS
from twinlock.domain.catalogue import CLASS_OF, ActionClass, ActionType
from twinlock.domain.exits import EXITS
from twinlock.domain.laws import LEAST_WAIT
from twinlock.domain.policy.annotations import PolicyRefusedError, Refuse, Wait
from twinlock.domain.policy.facts import DestinationState, SessionState
from twinlock.domain.policy.minima import in_hours, minimum, two_lengths
from twinlock.domain.policy.statute import Statute, outcomes
from twinlock.domain.policy.statutes import Statutes
from twinlock.domain.policy.terms import Box, Choice, Shape, Span, flags
from twinlock.domain.policy.varying import box_of, classes_of, only, told
from twinlock.domain.policy.vocabulary import whole_box
from twinlock.domain.proving import CODES
from twinlock.domain.reasons import Reason


class Advice(msgspec.Struct, frozen=True, kw_only=True):
    """One thing to look at again; ``code`` is stable, ``about`` names a rule or an action.

    ``line`` is that on which the rule begins, 0 where it is none or no text is at hand.
    """

    code: str
    about: str
    says: str
    line: int = 0


class Beside(msgspec.Struct, frozen=True, kw_only=True):
    """The ids of the rules that differ from another policy's."""

    added: tuple[str, ...]
    changed: tuple[str, ...]
    missing: tuple[str, ...]


def advice(statutes: Statutes, *, usual: Statutes) -> tuple[Advice, ...]:
    """Return what to look at again; ``usual`` are the statutes of the profile ``default``."""
    found = chain(
        _unpermitted(statutes),
        _permitted_in_vain(statutes),
        _nobody_proves(statutes),
        *(_one_rule(rule) for rule in statutes.rules),
        *(_numbers(rule) for rule in statutes.rules),
        *(_unknown_is_refused(rule) for rule in statutes.rules),
        _missing(statutes, usual),
        _ways_round(statutes),
        _setting_up(statutes),
        _reset_in_vain(statutes),
    )
    return tuple(dict.fromkeys(found))


def beside(statutes: Statutes, usual: Statutes) -> Beside:
    """Return how the rules of ``statutes`` differ from those of ``usual``, permits included."""
    ours, theirs = _texts(statutes), _texts(usual)
    both = sorted(ours.keys() & theirs.keys())
    return Beside(
        added=tuple(sorted(ours.keys() - theirs.keys())),
        changed=tuple(name for name in both if ours[name] != theirs[name]),
        missing=tuple(sorted(theirs.keys() - ours.keys())),
    )


def _texts(statutes: Statutes) -> Mapping[str, Any]:
    found: Mapping[str, Any] = msgspec.json.decode(statutes.text)["staticPolicies"]
    return found


def _unpermitted(statutes: Statutes) -> Iterator[Advice]:
    for action in sorted(BUILT - statutes.permits.keys()):
        says = "no permit names it, so it is refused for everybody"
        yield Advice(code="permit_missing", about=action, says=says)


def _permitted_in_vain(statutes: Statutes) -> Iterator[Advice]:
    for action in sorted(statutes.permits.keys() - BUILT):
        says = "this version cannot decide it, so it is refused though it is permitted"
        yield Advice(code="permit_not_built", about=action, says=says)


# --- Actions that nobody could prove ---


def _nobody_proves(statutes: Statutes) -> Iterator[Advice]:
    """Give the permits whose factors reach the floor of no account there is, all shown together."""
    for action in sorted(statutes.permits.keys() & BUILT):
        offered = statutes.offers(action)
        if not any(_proves(action, offered, floor=floor) for floor in _floors(action)):
            shown = ", ".join(sorted(offered & PROOFS))
            says = f"it offers {shown}, by which no account can prove it: no answer is ever enough"
            yield Advice(code="nobody_proves", about=statutes.permits[action].rule_id, says=says)


def _floors(action: str) -> Iterator[Level]:
    """Give the floors of the accounts that can do ``action`` at all.

    Where nothing but a password is bound, nothing leaves and no way out is opened (law 4).
    """
    opens = CLASS_OF[action] is ActionClass.EXIT or action == ActionType.DESTINATION_ADD
    least = Level.KNOWLEDGE if opens else Level.NONE
    return (floor for floor in Level if floor > least)


def _proves(action: str, offered: frozenset[Factor], *, floor: Level) -> bool:
    """Say whether ``offered``, all shown, prove ``action`` on some account of this floor."""
    if action in SIGNS and Factor.API_KEY in offered:
        return True
    if action == ActionType.PASSWORD_RESET and floor is Level.OUT_OF_BAND:
        return not offered.isdisjoint(CODES)
    # A saved code counts beside a password only, which is enough where nothing else is bound.
    level = level_shown(offered - {Factor.RECOVERY_CODE}, floor=floor)
    # Beside an app whatever gives access takes the password.
    gives = classes_of(action) == {ActionClass.ACCESS} and level is Level.POSSESSION
    return level >= floor and (not gives or Factor.PASSWORD in offered)


def _one_rule(rule: Statute) -> Iterator[Advice]:
    try:
        can_be = {action: outcomes(rule, box_of(action)) for action in _named(rule)}
    except PolicyRefusedError:  # It reads more facts than can be looked through.
        return
    if all(found == {False} for found in can_be.values()):
        says = f"it can never match {_spoken(can_be)}"
        since = _since(rule, can_be)
        says = f"{says}, for which {since}" if since else says
        yield Advice(code="never_matches", about=rule.rule_id, says=says)
    always = [action for action, found in can_be.items() if found == {True}]
    if always and isinstance(rule.demand, Refuse):
        says = f"it refuses {_decided(always)} for everybody"
        yield Advice(code="refuses_always", about=rule.rule_id, says=says)


def _numbers(rule: Statute) -> Iterator[Advice]:
    """Give what is wrong with the lengths and sums of ``rule``."""
    try:
        least, lengths = minimum(rule), two_lengths(rule)
    except PolicyRefusedError:
        return
    if least is not None and least.below:
        left = "counts only where those are shown" if least.two_roots else "does nothing"
        own = f"it waits {in_hours(rule.demand.length)}; " if isinstance(rule.demand, Wait) else ""
        says = f"{own}the laws ask for {least.says} anyway, so it {left}"
        yield Advice(code="below_law", about=rule.rule_id, says=says)
    if lengths is not None:
        after, ends = map(in_hours, lengths)
        says = f"it tells {after}, and its condition ends after {ends}: write one length in both"
        yield Advice(code="told_longer", about=rule.rule_id, says=says)


def _unknown_is_refused(rule: Statute) -> Iterator[Advice]:
    """Give a refusal above a sum that refuses what nobody has a price for, and has no word on it.

    A narrow account is refused so by intent: nobody hears there of a wait, so none is offered.
    """
    reads, action = rule.when.facts, ActionType.WITHDRAWAL_CRYPTO
    sums = "value_cents" in reads and "value_unknown" not in reads and action in rule.actions
    if not sums or not isinstance(rule.demand, Refuse) or rule.demand.reason is Reason.NARROW_LIMIT:
        return
    box = box_of(action)
    try:
        some = False in outcomes(rule, box)
        highest = outcomes(rule, {**box, "value_cents": only(MAX_VALUE_CENTS)})
    except PolicyRefusedError:
        return
    if some and True in highest:
        says = (
            "what has no price counts as the highest sum, so it is refused as too much: write "
            "context.value_unknown into an unless, and let another rule hold that"
        )
        yield Advice(code="unknown_is_refused", about=rule.rule_id, says=says)


def _named(rule: Statute) -> tuple[str, ...]:
    """Return the actions of ``rule`` that this version decides; of a rule about others, those."""
    return tuple(sorted(rule.actions & BUILT or rule.actions))


def _decided(actions: Iterable[str]) -> str:
    return _spoken(action for action in actions if action in BUILT) or "what is not built"


def _spoken(actions: Iterable[str]) -> str:
    """Return ``actions`` as people say them: all exits in two words."""
    named = sorted(actions)
    if EXITS.issubset(named):
        named = ["every exit", *(one for one in named if one not in EXITS)]
    return ", ".join(named)


def _since(rule: Statute, actions: Iterable[str]) -> str:
    """Return which of the facts in ``rule`` are alike, and bounded, for all of ``actions``."""
    boxes, whole = [box_of(action) for action in actions], whole_box()
    alike = (
        (name, boxes[0][name])
        for name in sorted(rule.when.facts)
        if all(box[name] == boxes[0][name] for box in boxes) and boxes[0][name] != whole[name]
    )
    return ", ".join(f"{name} is {told(shape, whole[name])}" for name, shape in alike)


def notes(statutes: Statutes) -> tuple[Advice, ...]:
    """Return what is worth knowing of rules that speak of several actions, and match few of them.

    What a rule leaves out by its own word on the class is meant, and not told.
    """
    return tuple(chain.from_iterable(map(_matches_some, statutes.rules)))


def _matches_some(rule: Statute) -> Iterator[Advice]:
    named = _named(rule)
    try:
        can = [action for action in named if True in outcomes(rule, box_of(action))]
        meant = [
            one for one in named if one in can or True in flags(rule.when.over(_class_of(one)))
        ]
    except PolicyRefusedError:
        return
    if can and can != meant:
        never = [action for action in meant if action not in can]
        since = _since(rule, never)
        says = f"it can match {_spoken(can)} only"
        says = f"{says}; for all others {since}" if since else says
        yield Advice(code="matches_some", about=rule.rule_id, says=says)


def _class_of(action: str) -> Box:
    return {**whole_box(), "class": Choice(classes_of(action))}


def _missing(statutes: Statutes, usual: Statutes) -> Iterator[Advice]:
    theirs = {rule.rule_id for rule in usual.rules}
    gone = sorted(theirs - {rule.rule_id for rule in statutes.rules})
    if gone:
        says = (
            f"default has these rules, and this policy has none of their names: {', '.join(gone)}"
        )
        yield Advice(code="rules_missing", about="default", says=says)


def _setting_up(statutes: Statutes) -> Iterator[Advice]:
    """Give the rules that stop whoever opens an account, and has nothing yet to show."""
    action = ActionType.AUTHENTICATOR_BIND
    first: Box = {
        **box_of(action),
        "enrolling": only(True),  # noqa: FBT003 - the value of a fact
        "proved": only(False),  # noqa: FBT003 - the value of a fact
        "held_seconds": only(0),
        "factors": only(frozenset()),
        "device_bound": only(False),  # noqa: FBT003 - the value of a fact
        "session": only(SessionState.NONE.value),
        "roots_shown": only(0),
        "roots_enrolled": only(0),
    }
    for rule in statutes.of(action):
        if flags(rule.when.over(first)) == {True}:
            says = "no account can be set up: it stops the first bind too, unless context.enrolling"
            yield Advice(code="nobody_sets_up", about=rule.rule_id, says=says)


def _reset_in_vain(statutes: Statutes) -> Iterator[Advice]:
    """Give a permit to reset passwords by codes of one kind: where both are bound, both are due."""
    action = ActionType.PASSWORD_RESET
    codes = frozenset({Factor.EMAIL_CODE, Factor.SMS_CODE})
    offered = statutes.offers(action) & codes
    if action in statutes.permits and len(offered) == 1:
        (left_out,) = codes - offered
        says = f"it offers {min(offered)} and not {left_out}: with both kinds bound nobody resets"
        yield Advice(code="reset_in_vain", about=statutes.permits[action].rule_id, says=says)


# --- Ways round a wait ---


def _ways_round(statutes: Statutes) -> Iterator[Advice]:
    """Give what gets money to a new destination sooner than the wait for new ones says."""
    exits = sorted(EXITS & statutes.permits.keys())
    found: dict[tuple[str, str, str], list[str]] = {}
    for action, narrow in ((one, narrow) for one in exits for narrow in (False, True)):
        for way in _sooner(statutes, action, narrow=narrow):
            found.setdefault(way, []).append(action)
    for (code, about, says), actions in found.items():
        named = _spoken(set(actions))
        yield Advice(code=code, about=about or named, says=says.format(exits=named))


def _sooner(statutes: Statutes, action: str, *, narrow: bool) -> Iterator[tuple[str, str, str]]:
    """Give what is sooner than ``action``: a code, what it is about if not that, and a sentence."""
    wait = _least_wait(statutes, action, narrow=narrow, destination=DestinationState.NEW)
    listing = _least_wait(statutes, ActionType.DESTINATION_ADD, narrow=narrow)
    if ActionType.DESTINATION_ADD in statutes.permits and listing < wait:
        says = f"it waits {in_hours(listing)}, and {{exits}} to a new destination {in_hours(wait)}"
        yield "listing_is_sooner", ActionType.DESTINATION_ADD.value, says
    for state in (DestinationState.UNPROVED, DestinationState.REMOVED):
        other = _least_wait(statutes, action, narrow=narrow, destination=state)
        if other < wait:
            sooner, later = in_hours(other), in_hours(wait)
            says = f"to what is {state} it waits {sooner}, to what is new {later}"
            yield "state_is_sooner", "", says


def _least_wait(
    statutes: Statutes, action: str, *, narrow: bool, destination: DestinationState | None = None
) -> timedelta:
    """Return how long ``action`` waits whatever else is so, the laws' own wait included."""
    where: dict[str, Shape] = {
        "held_seconds": Span(0, 0),
        "narrow": Choice(frozenset({narrow})),
        "enrolling": Choice(frozenset({False})),
    }
    if destination is not None:
        where["destination"] = Choice(frozenset({destination.value}))
    box: Box = {**whole_box(), **where}
    lengths = (
        rule.demand.length
        for rule in statutes.of(action)
        if isinstance(rule.demand, Wait)
        and not rule.demand.or_roots
        and flags(rule.when.over(box)) == {True}
    )
    return max((LEAST_WAIT, *lengths))
