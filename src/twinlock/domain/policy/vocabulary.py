"""The words in which statutes speak: every fact that one may read, its range and its source.

*Facts carry a source* (law 1): what relaxes comes from our own record or the customer's signature.
The platform's word stands inside ``value_cents`` and ``risk``, where it can only add, and inside
``api_key``: only the platform sees from where a key is used, and an address lifts nothing that no
key signed.

Ranges are part of what a policy means, so they are part of its digest. Facts outside them are
refused: no policy was checked for them.

Always true (tests/unit/domain/policy/test_vocabulary.py): both engines are given the same values,
and the schema that Cedar checks against is written from this table.
"""

from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from functools import cache
from types import MappingProxyType
from typing import Any, NamedTuple

from twinlock.domain.assurance import PROOFS, Level
from twinlock.domain.bounds import MAX_VALUE_CENTS, RISK_MOST
from twinlock.domain.canonical import encode
from twinlock.domain.catalogue import CLASS_OF, SCOPES, ActionClass, ActionType
from twinlock.domain.errors import invariant
from twinlock.domain.key_laws import by_api_key
from twinlock.domain.policy.conditions import (
    Known,
)
from twinlock.domain.policy.facts import DestinationState, Facts, SessionState
from twinlock.domain.policy.terms import (
    Between,
    Box,
    Choice,
    Context,
    Kind,
    Shape,
    Span,
    Value,
)

EXITS = "exits"  # The group of all exits, in the scope of a statute.
HELD_SECONDS_MOST = 10**10  # Three hundred years; a wait has passed long before.
COUNT_MOST = 1_000  # Of things that an account holds few of.
LAST_INSTANT = 253_402_300_799_999  # The last millisecond that has four digits of year.
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MILLISECOND = timedelta(milliseconds=1)


class Source(StrEnum):
    """Whose word a fact is."""

    RECORD = "our own record"
    SIGNED = "what the customer signed"
    VERIFIED = "what we verified of the proofs for this payload"
    HIGHER = "the higher of the signed price list and the platform's figure"
    CLOCK = "our clock"
    ADDS = "the platform's word, which can only add, held against our own record"
    OTHERS = "the signed word of another party, which can only add"
    CUSTOMERS = "our own record of what other customers did, which can only add"


class Fact(NamedTuple):
    """A fact that statutes may read. ``most`` bounds a number, which is never negative."""

    kind: Kind
    source: Source
    says: str
    of: Callable[[Facts], Value]
    most: int = 0
    words: frozenset[str] = frozenset()


def _flag(source: Source, says: str, of: Callable[[Facts], bool]) -> Fact:
    return Fact(Kind.FLAG, source, says, of)


def _cents(source: Source, says: str, of: Callable[[Facts], int]) -> Fact:
    return Fact(Kind.WHOLE, source, says, of, most=MAX_VALUE_CENTS)


def _count(source: Source, says: str, of: Callable[[Facts], int]) -> Fact:
    return Fact(Kind.WHOLE, source, says, of, most=COUNT_MOST)


def _word(source: Source, says: str, words: type[StrEnum], of: Callable[[Facts], str]) -> Fact:
    return Fact(Kind.WORD, source, says, of, words=frozenset(map(str, words)))


def _words(
    source: Source, says: str, words: frozenset[str], of: Callable[[Facts], frozenset[str]]
) -> Fact:
    return Fact(Kind.WORDS, source, says, of, words=words)


def _instant(source: Source, says: str, of: Callable[[Facts], datetime]) -> Fact:
    return Fact(
        Kind.INSTANT, source, says, lambda facts: milliseconds(of(facts)), most=LAST_INSTANT
    )


def milliseconds(instant: datetime) -> int:
    """Return ``instant`` as whole milliseconds since 1970, as Cedar counts."""
    return (instant - _EPOCH) // _MILLISECOND


def _held_seconds(facts: Facts) -> int:
    return 0 if facts.proved_at is None else _seconds(facts.now - facts.proved_at)


def _within_announced(facts: Facts) -> bool:
    if facts.action_class is not ActionClass.EXIT or not facts.announced_cents:
        return False
    return facts.day_cents + facts.value_cents <= facts.announced_cents


def _since_last_exit(facts: Facts) -> int:
    """An account that nothing ever left counts as one whose last exit was longest ago."""
    if facts.last_exit_at is None:
        return HELD_SECONDS_MOST
    return _seconds(facts.now - facts.last_exit_at)


def _seconds(length: timedelta) -> int:
    """Return the whole seconds of ``length`` within their range; what lies ahead has none."""
    return max(0, min(length // timedelta(seconds=1), HELD_SECONDS_MOST))


def _class(facts: Facts) -> str:
    return "unknown" if facts.action_class is None else facts.action_class.value


def _stands_for(facts: Facts) -> str:
    if facts.api_key is None:
        return "none"
    return facts.api_key.level.name.lower() if by_api_key(facts) else BEYOND


BEYOND = "beyond"
_STANDS_FOR = frozenset({BEYOND, *(level.name.lower() for level in Level)})
_CLASSES = frozenset({*map(str, ActionClass), "unknown"})
_FACTORS = frozenset(map(str, PROOFS))

VOCABULARY: Mapping[str, Fact] = MappingProxyType(
    {
        # The action
        "class": Fact(
            Kind.WORD,
            Source.SIGNED,
            "What the action does: an API key that may withdraw is a loosening, another is access.",
            _class,
            words=_CLASSES,
        ),
        "now": _instant(Source.CLOCK, "The time of the decision.", lambda facts: facts.now),
        "opened_at": _instant(
            Source.RECORD, "When the account was opened.", lambda facts: facts.opened_at
        ),
        # Proofs for this payload
        "proved": _flag(
            Source.VERIFIED,
            "Proofs for exactly this payload reach the account's floor, and still stand.",
            lambda facts: facts.proved_at is not None,
        ),
        "held_seconds": Fact(
            Kind.WHOLE,
            Source.RECORD,
            "For how many whole seconds it has been proved, announced and not vetoed.",
            _held_seconds,
            most=HELD_SECONDS_MOST,
        ),
        "factors": _words(
            Source.VERIFIED,
            "The factors shown for this payload.",
            _FACTORS,
            lambda facts: frozenset(facts.shown_factors),
        ),
        "device_bound": _flag(
            Source.VERIFIED,
            "One of those proofs is of a passkey that cannot leave its device.",
            lambda facts: facts.shown_device_bound,
        ),
        "roots_shown": _count(
            Source.VERIFIED,
            "How many independent roots the proofs for this payload have.",
            lambda facts: len(facts.shown_roots),
        ),
        "roots_enrolled": _count(
            Source.RECORD,
            "How many independent roots the account's authenticators have.",
            lambda facts: facts.roots_enrolled,
        ),
        "approvals": _count(
            Source.VERIFIED,
            "How many drawn members of staff agreed to exactly this payload.",
            lambda facts: facts.approvals,
        ),
        "session": _word(
            Source.VERIFIED,
            "The session behind the proposal.",
            SessionState,
            lambda facts: facts.session.value,
        ),
        "api_key": Fact(
            Kind.WORD,
            Source.VERIFIED,
            "The level that an API key stands for: that of the proofs which made it. "
            "beyond: it signed what it may not; none: no such key signed.",
            _stands_for,
            words=_STANDS_FOR,
        ),
        # The account
        "enrolling": _flag(
            Source.RECORD,
            "The account is still being set up.",
            lambda facts: facts.enrolling,
        ),
        "narrow": _flag(
            Source.RECORD,
            "No notice channel lies outside what proves, or a new one: nobody may stop a theft.",
            lambda facts: facts.narrow,
        ),
        "has_channel": _flag(
            Source.RECORD, "There is a notice channel.", lambda facts: facts.has_channel
        ),
        "signalled": _flag(
            Source.OTHERS,
            "A mail provider or another party warned of this account within the last days.",
            lambda facts: facts.signalled,
        ),
        "day_cents": _cents(
            Source.RECORD,
            "What left the account today (UTC) before this action, by all exits.",
            lambda facts: facts.day_cents,
        ),
        "within_announced": _flag(
            Source.RECORD,
            "The day stays within what the owner raised a limit to, announced and unopposed.",
            _within_announced,
        ),
        "since_last_exit_seconds": Fact(
            Kind.WHOLE,
            Source.RECORD,
            "For how many whole seconds nothing has left the account; the highest where nothing "
            "ever did.",
            _since_last_exit,
            most=HELD_SECONDS_MOST,
        ),
        # The destination
        "destination": _word(
            Source.RECORD,
            "What we know of where the value would go.",
            DestinationState,
            lambda facts: facts.destination.value,
        ),
        "destinations_required": _flag(
            Source.RECORD,
            "The owner wants money to leave to listed destinations only.",
            lambda facts: facts.destinations_required,
        ),
        "wanted_elsewhere": _count(
            Source.CUSTOMERS,
            "At how many other accounts it was listed or paid in the last 30 days; 20 at most.",
            lambda facts: facts.wanted_elsewhere,
        ),
        "look_alike": _flag(
            Source.RECORD,
            "It begins and ends like an address that the owner has listed or paid, and is another.",
            lambda facts: facts.look_alike,
        ),
        "destination_day_cents": _cents(
            Source.RECORD,
            "What left to this place today (UTC) before this action, whatever the memo; if it is "
            "not listed, to all that is not, where that is more.",
            lambda facts: facts.destination_day_cents,
        ),
        # The payload
        "value_cents": _cents(
            Source.HIGHER,
            "Amount and highest fee in US cents; the highest number where that is not known.",
            lambda facts: facts.value_cents,
        ),
        "value_unknown": _flag(
            Source.HIGHER,
            "Nobody vouches for a price, so the value counts as the highest.",
            lambda facts: facts.value_cents == MAX_VALUE_CENTS,
        ),
        "budget_cents": _cents(
            Source.SIGNED,
            "The sum per day that may leave to a new destination on the session key alone.",
            lambda facts: facts.budget_cents,
        ),
        "new_device": _flag(
            Source.RECORD,
            "The device that signs in has not signed in before.",
            lambda facts: facts.new_device,
        ),
        "risk": Fact(
            Kind.WHOLE,
            Source.ADDS,
            "How unlike the account's own a sign-in is: this one, or that of the session behind "
            "this action. From 60 it is raised, from 85 high; as it rises no rule stops matching.",
            lambda facts: facts.risk,
            most=RISK_MOST,
        ),
        "scopes": _words(
            Source.SIGNED,
            "What an API key may do.",
            SCOPES,
            lambda facts: frozenset(facts.scopes),
        ),
        "ip_list": _count(
            Source.SIGNED, "To how many networks an API key is bound.", lambda facts: facts.ip_list
        ),
        "key_destinations": _count(
            Source.SIGNED,
            "To how many destinations an API key may withdraw.",
            lambda facts: facts.key_destinations,
        ),
    }
)

KNOWN: Mapping[str, Known] = MappingProxyType(
    {name: Known(kind=fact.kind, words=fact.words) for name, fact in VOCABULARY.items()}
)


class OutOfRangeError(ArithmeticError):
    """A fact lies outside the range for which policies are checked."""


def context_of(facts: Facts, only: Iterable[str] = tuple(VOCABULARY)) -> Context:
    """Return what statutes read of ``facts``; instants are milliseconds since 1970.

    ``only`` names the facts that are wanted: nobody pays for those that no rule reads.

    Raises:
        OutOfRangeError: a fact outside its range.
    """
    context: dict[str, Value] = {}
    for name in only:
        fact = VOCABULARY[name]
        value = context[name] = fact.of(facts)
        if fact.most and (not isinstance(value, int) or not 0 <= value <= fact.most):
            raise OutOfRangeError(f"{name} is out of range")
    return context


@cache
def whole_box() -> Box:
    """Return the box of all facts whatever."""
    return MappingProxyType({name: shape_of(fact) for name, fact in VOCABULARY.items()})


def shape_of(fact: Fact) -> Shape:
    """Return all that ``fact`` can be."""
    match fact.kind:
        case Kind.FLAG:
            return Choice(frozenset({True, False}))
        case Kind.WORD:
            return Choice(fact.words)
        case Kind.WORDS:
            return Between(frozenset(), fact.words)
        case _:
            invariant(fact.most > 0, "a number has a range")
            return Span(0, fact.most)


# --- Cedar ---

_TYPES = MappingProxyType({kind: kind.value for kind in Kind})


def for_cedar(context: Context, only: Iterable[str] = tuple(VOCABULARY)) -> dict[str, Any]:
    """Return the facts ``only`` of ``context`` in the form that Cedar's engine reads."""
    told: dict[str, Any] = {name: context[name] for name in only}
    for name in _WRITERS.keys() & told.keys():
        told[name] = _WRITERS[name](told[name])
    return told


def _written(instant: int) -> str:
    """Return an instant with three decimals and Z: the form of datetime.isoformat is refused."""
    at = _EPOCH + instant * _MILLISECOND
    return f"{at:%Y-%m-%dT%H:%M:%S}.{instant % 1000:03}Z"


def schema_text(only: Iterable[str] = tuple(VOCABULARY)) -> str:
    """Return the schema of statutes as Cedar reads it: the actions of this version, and its facts.

    ``only`` names the facts that it declares. Comments say what each fact is, in which range and by
    whose word.
    """
    facts = ",\n".join(_declared(name, VOCABULARY[name]) for name in only)
    applies = "appliesTo { principal: Account, resource: Account, context: Facts }"
    actions = "\n".join(
        f'action "{kind}" {_groups(kind)}{applies};' for kind in sorted(map(str, ActionType))
    )
    return (
        "// What statutes may read, and the actions they speak of. Written by `make docs`.\n\n"
        f"type Facts = {{\n{facts}\n}};\n\nentity Account;\n\n"
        f"// All exits: the closed list of ways in which value leaves.\n"
        f'action "{EXITS}";\n\n{actions}\n'
    )


_WRITERS: Mapping[str, Callable[[Any], Any]] = MappingProxyType(
    {name: sorted for name, fact in VOCABULARY.items() if fact.kind is Kind.WORDS}
    | {name: _written for name, fact in VOCABULARY.items() if fact.kind is Kind.INSTANT}
)


def _declared(name: str, fact: Fact) -> str:
    bounds = f" 0 to {fact.most}." if fact.most and fact.kind is Kind.WHOLE else ""
    words = f" One of: {', '.join(sorted(fact.words))}." if fact.kind is Kind.WORD else ""
    words = f" Of: {', '.join(sorted(fact.words))}." if fact.kind is Kind.WORDS else words
    says = f"  // {fact.says}{bounds}{words}\n  // By {fact.source}.\n"
    return f"{says}  {name}: {_TYPES[fact.kind]}"


def _groups(kind: str) -> str:
    return f'in ["{EXITS}"] ' if CLASS_OF[kind] is ActionClass.EXIT else ""


def ranges_bytes() -> bytes:
    """Return the canonical bytes of every range and every list of words."""
    return encode(
        {
            name: {
                "kind": fact.kind.value,
                "most": fact.most,
                "words": sorted(fact.words),
            }
            for name, fact in VOCABULARY.items()
        }
    )
