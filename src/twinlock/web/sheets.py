"""What a page says of one action: values for the templates, made from how the action stands.

The words come from the payload and from ``domain.reasons``; the times from the gate's own answer.
Of the account nothing is told but what concerns this action: whoever holds the link reads it.
"""

from collections.abc import Mapping
from datetime import MAXYEAR, datetime, timedelta
from enum import StrEnum
from types import MappingProxyType

import msgspec

from twinlock.domain.account import ActionState
from twinlock.domain.actions import AnyPayload, SessionStart, payload_bytes, type_of
from twinlock.domain.answers import ended_as, explain_reasons
from twinlock.domain.assurance import Factor
from twinlock.domain.bounds import MAX_VALUE_CENTS
from twinlock.domain.concluding import facts_of
from twinlock.domain.entries import ClosedAction
from twinlock.domain.events import ActionRefused
from twinlock.domain.exits import Exit
from twinlock.domain.listed import Destination
from twinlock.domain.people import agreement_path, who_agrees
from twinlock.domain.policy.facts import DestinationState, Facts
from twinlock.domain.policy.version import Policy
from twinlock.domain.proving import SENT
from twinlock.domain.reasons import Reason
from twinlock.domain.requirements import (
    Answer,
    Leaf,
    Never,
    WaitUntil,
    answer,
    leaves,
    silence_until,
    waits_until,
)
from twinlock.domain.waits import lapses_at
from twinlock.services.looking import Standing
from twinlock.web.lines import Form, Line, Told
from twinlock.web.payloads import Known, tell_payload
from twinlock.web.preview import Preview, preview
from twinlock.web.words import dollars


class Status(StrEnum):
    """Where an action stands, from the customer's side."""

    ASK = "ask"  # a proof is missing
    WAIT = "wait"  # proved; a wait runs
    READY = "ready"  # nothing stops it any more; it was not settled yet
    AUTHORIZED = "authorized"
    AGREE = "agree"  # proved; somebody else must agree
    BLOCKED = "blocked"  # open, and nothing that may be shown now lifts what stands against it
    SPENT = "spent"
    DONE = "done"
    REFUSED = "refused"
    VETOED = "vetoed"
    LAPSED = "lapsed"


class Because(msgspec.Struct, frozen=True, kw_only=True):
    """One reason: its code, its sentences, and its own end (UTC) where that is known."""

    code: str
    sentence: str
    ends: str
    way_on: str
    until: datetime | None = None


class Field(msgspec.Struct, frozen=True, kw_only=True):
    """One way to prove. ``challenge_id`` names a code that was sent and is waited for."""

    factor: Factor
    challenge_id: str = ""


class Sheet(msgspec.Struct, frozen=True, kw_only=True):
    """All that a page says of one action. Instants are UTC.

    ``until`` is the end of its waits, ``shortcut`` says that another proof spares them; ``by`` is
    when it lapses. ``then_until`` and ``then_asks`` tell what would follow the proof that is asked
    for: a wait, one more proof, or a choice of the two. ``instead`` are ways where the usual one is
    lost. ``agreement`` is the path of the page for another member or a trusted contact, who must
    agree: ``by_member`` says which; ``then_agrees``: one must after the proof.
    ``offers_duress``: what it binds may be for duress.
    """

    action_id: str
    kind: str
    status: Status
    told: Told
    exact: str
    digest: str
    worth_knowing: tuple[Line, ...] = ()
    fields: tuple[Field, ...] = ()
    instead: tuple[Field, ...] = ()
    together: bool = False
    because: tuple[Because, ...] = ()
    until: datetime | None = None
    shortcut: bool = False
    by: datetime | None = None
    then_until: datetime | None = None
    then_asks: bool = False
    wait: timedelta | None = None
    hold: timedelta | None = None
    shown: tuple[Factor, ...] = ()
    announced: bool = False
    guesses_from: datetime | None = None
    guesses_never: bool = False
    ended_at: datetime | None = None
    agreement: str = ""
    then_agrees: bool = False
    offers_duress: bool = False
    by_member: bool = False


_PLACES: Mapping[DestinationState, tuple[str, bool]] = MappingProxyType(
    {
        DestinationState.NEW: ("New: nothing was ever sent there with your proof", True),
        DestinationState.UNPROVED: ("Listed in an older system, never signed by you", True),
        DestinationState.WAITING: ("New: you listed it, and its wait still runs", True),
        DestinationState.REMOVED: ("You removed it from your list: it counts as new", True),
        DestinationState.LAPSED: ("Known, but not used for a long time", True),
        DestinationState.USABLE: ("Known: on your list, and signed by you", False),
    }
)
# The same to somebody else, who is asked to agree.
_THEIR_PLACES: Mapping[DestinationState, tuple[str, bool]] = MappingProxyType(
    {
        DestinationState.NEW: ("New: nothing was ever sent there with their proof", True),
        DestinationState.UNPROVED: ("Listed in an older system, never signed by them", True),
        DestinationState.WAITING: ("New: they listed it, and its wait still runs", True),
        DestinationState.REMOVED: ("They removed it from their list: it counts as new", True),
        DestinationState.LAPSED: ("Known, but not used for a long time", True),
        DestinationState.USABLE: ("Known: on their list, and signed by them", False),
    }
)


def sheet_of(
    found: Standing | ClosedAction, *, policy: Policy, listed: tuple[Destination, ...] = ()
) -> Sheet:
    """Return what to say of an action; ``listed`` are destinations that its payload may name."""
    if isinstance(found, ClosedAction):
        return _closed(found, Known(policy=policy, listed=listed))
    known = Known(policy=policy, account=found.state.account, listed=listed)
    return _open(found, known)


def with_resembled(sheet: Sheet, known: tuple[str, ...]) -> Sheet:
    """Return ``sheet`` with each address that the one asked for resembles, in full beside it."""
    lines = tuple(
        Line(label="The address you know", text=one, form=Form.ADDRESS, heed=True) for one in known
    )
    return msgspec.structs.replace(sheet, worth_knowing=(*sheet.worth_knowing, *lines))


def _closed(closed: ClosedAction, known: Known) -> Sheet:
    ended, action = closed.ended, closed.action
    codes = ended.reasons if isinstance(ended, ActionRefused) else ()
    return Sheet(
        action_id=action.action_id,
        kind=type_of(action.payload),
        status=Status(ended_as(ended)),
        told=tell_payload(action.payload, known),
        exact=_exact(action.payload),
        digest=action.digest,
        because=because_of(codes),
        ended_at=ended.at,
    )


def _open(standing: Standing, known: Known) -> Sheet:
    action, now = standing.action, standing.now
    tried = preview(standing)
    status = _status(standing, tried)
    until = silence_until(tried.missing)
    then = silence_until(tried.then) or waits_until(tried.then)
    end = until if status is Status.WAIT else then
    facts = facts_of(standing.state, action, rules=standing.rules, now=now)
    return Sheet(
        action_id=action.action_id,
        kind=type_of(action.payload),
        status=status,
        told=tell_payload(action.payload, known),
        worth_knowing=worth_knowing(action.payload, facts),
        exact=_exact(action.payload),
        digest=action.digest,
        fields=_fields(standing, tried) if status in (Status.ASK, Status.WAIT) else (),
        instead=_instead(tried) if status is Status.ASK else (),
        together=tried.together,
        because=_because(_telling(status, tried)),
        until=until,
        shortcut=status is Status.WAIT and bool(tried.offers),
        by=lapses_at(action),
        then_until=then,
        then_asks=tried.then_asks,
        wait=None if end is None else end - now,
        hold=tried.hold,
        shown=tuple(dict.fromkeys(facts.shown_factors)),
        announced=facts.has_channel,
        agreement=agreement_path(action, tried.missing),
        then_agrees=tried.then_agrees,
        by_member=Factor.MEMBER in (who_agrees(tried.missing), who_agrees(tried.then)),
        guesses_from=None if _for_ever(tried.guesses_from) else tried.guesses_from,
        guesses_never=_for_ever(tried.guesses_from),
    )


def _for_ever(until: datetime | None) -> bool:
    return until is not None and until.year == MAXYEAR


def _status(standing: Standing, tried: Preview) -> Status:
    """Return where an open action stands; what is due shows as it will be decided."""
    said = answer(tried.missing)
    if lapses_at(standing.action) <= standing.now:
        return Status.LAPSED
    if said is Answer.ALLOW:
        authorized = standing.action.state is ActionState.AUTHORIZED
        return Status.AUTHORIZED if authorized else Status.READY
    if said is not Answer.DENY and silence_until(tried.missing) is not None:
        return Status.WAIT
    if tried.offers:
        return Status.ASK
    agree = agreement_path(standing.action, tried.missing) and said is not Answer.DENY
    return Status.AGREE if agree else Status.BLOCKED


def _telling(status: Status, tried: Preview) -> tuple[Leaf, ...]:
    """Return the demands that a page gives the reasons of.

    Before the proof those are what would follow it; what asks for the proof itself needs no telling
    on the page that takes it.
    """
    if status in (Status.READY, Status.AUTHORIZED, Status.LAPSED):
        return ()
    missing = tuple(leaves(tried.missing))
    if status in (Status.BLOCKED, Status.AGREE):
        final = tuple(leaf for leaf in missing if isinstance(leaf, Never))
        return final or missing
    waiting = tried.missing if status is Status.WAIT else tried.then
    told = tuple(leaf for leaf in leaves(waiting) if isinstance(leaf, WaitUntil | Never))
    own = tuple(leaf for leaf in told if leaf.code is not Reason.WAIT_TOLD)
    return own or told  # That a wait was announced explains one only where nothing else does.


def _because(demands: tuple[Leaf, ...]) -> tuple[Because, ...]:
    ends: dict[Reason, datetime | None] = {}
    for leaf in demands:
        until = leaf.until if isinstance(leaf, WaitUntil | Never) else None
        before = ends.get(leaf.code)
        ends[leaf.code] = until if before is None or until is None else max(before, until)
    return tuple(
        msgspec.structs.replace(one, until=ends[Reason(one.code)])
        for one in because_of(tuple(ends))
    )


def because_of(codes: tuple[Reason, ...]) -> tuple[Because, ...]:
    """Return reasons in words, without ends of their own."""
    return tuple(
        Because(code=why.code.value, sentence=why.sentence, ends=why.ends, way_on=why.way_on)
        for why in explain_reasons(codes)
    )


def _fields(standing: Standing, tried: Preview) -> tuple[Field, ...]:
    now = standing.now
    live = {
        one.factor: one.challenge_id
        for one in standing.action.challenges
        if one.factor in SENT and one.expires_at > now
    }
    return tuple(Field(factor=one, challenge_id=live.get(one, "")) for one in tried.offers)


def _instead(tried: Preview) -> tuple[Field, ...]:
    return tuple(Field(factor=one) for one in tried.instead if one not in tried.offers)


def worth_knowing(payload: AnyPayload, facts: Facts, *, own: bool = True) -> tuple[Line, ...]:
    """Return what we know of a payload beyond its fields. None of it is signed.

    ``own`` says that its owner reads it, and nobody else.
    """
    if isinstance(payload, Exit):
        place, heed = (_PLACES if own else _THEIR_PLACES)[facts.destination]
        unknown = facts.value_cents >= MAX_VALUE_CENTS
        worth = "Not known: it counts as the highest" if unknown else dollars(facts.value_cents)
        return (
            Line(label="Destination", text=place, heed=heed),
            Line(label="Worth about, with the fee", text=worth),
        )
    if isinstance(payload, SessionStart):
        text = "New: it has not signed in before" if facts.new_device else "Known"
        return (Line(label="Device", text=text, heed=facts.new_device),)
    return ()


def _exact(payload: AnyPayload) -> str:
    return payload_bytes(payload).decode("utf-8")
