"""Attacks in plain words: what a thief does, with what, and after how long.

Always true (tests/unit/domain/prover/test_prover_words.py): every step of every attack has
words, and they name every proof that it takes and every channel that it silences.
"""

from collections.abc import Mapping, Sequence
from types import MappingProxyType

import msgspec

from twinlock.domain.bounds import NEWCOMER_PERIOD
from twinlock.domain.catalogue import ActionType
from twinlock.domain.exits import EXITS
from twinlock.domain.money import KNOWN_CENTS_MOST
from twinlock.domain.prover.capabilities import TABLE, Capability, Mean
from twinlock.domain.prover.closure import Attack
from twinlock.domain.prover.derived import Derived
from twinlock.domain.prover.model import MINUTE
from twinlock.domain.prover.moves import Gain
from twinlock.domain.prover.system import SIGNER, System

_DAY, _HOUR = 24 * 60, 60


class Done(msgspec.Struct, frozen=True, kw_only=True):
    """One step of an attack: from ``minute`` on it is done. ``says`` is a sentence."""

    minute: int
    action: str
    says: str


_DOES: Mapping[str, str] = MappingProxyType(
    {
        ActionType.SESSION_START: "signs in on a device of his own",
        ActionType.PASSWORD_RESET: "sets a password of his own",
        ActionType.DESTINATION_ADD: "has an address of his own listed",
        ActionType.API_KEY_CREATE: "makes an API key that withdraws to it",
        ActionType.AUTHENTICATOR_BIND: "binds a passkey of his own",
        ActionType.TRUSTED_CONTACT_REMOVE: "has the trusted contact removed",
        ActionType.CONTACT_CHANGE: "puts in a notice channel of his own",
        SIGNER: "has the wallet sign what no gate decided",
    }
)
_WITH: Mapping[str, str] = MappingProxyType(
    {
        Mean.PASSWORD: "the password",
        Mean.READ_EMAIL: "a code by e-mail",
        Mean.READ_SMS: "a code by SMS",
        Mean.TOTP: "a code of the app",
        Mean.PHONE_KEY: "the phone's passkey",
        Mean.BUILT_IN_KEY: "the built-in passkey",
        Mean.ROAMING_KEY: "the security key",
        Mean.SAVED_CODE: "a saved code",
        Mean.COOKIE: "the copied cookie",
        Mean.DEVICE: "the customer's own signed-in device",
        Mean.TRADE_KEY: "the API key that trades",
        Mean.WITHDRAW_KEY: "the API key that withdraws",
        Mean.CONTACT: "the agreement of the trusted contact",
        Mean.PAST_GATE: "authorizations of his own making",
        Gain.LISTING: "the address that he listed",
        Gain.PLANTED: "the address that was planted",
        Gain.SESSION: "his own session",
        Gain.API_KEY: "his own API key",
        Gain.KEY: "his own passkey",
    }
)
_AGES = (ActionType.AUTHENTICATOR_BIND, ActionType.CONTACT_CHANGE)
_OLD = NEWCOMER_PERIOD // MINUTE
_SILENT: Mapping[str, str] = MappingProxyType(
    {Mean.MUTE_EMAIL: "e-mail", Mean.MUTE_SMS: "SMS", Mean.MUTE_DESKTOP: "the program"}
)


def path_of(system: System, attack: Attack) -> tuple[Done, ...]:
    """Return the steps of ``attack`` that somebody takes, in their order."""
    origins = ((step.minute, system.origins[step.rule]) for step in attack.path)
    return tuple(
        Done(minute=minute, action=one.action, says=sentence(one))
        for minute, one in origins
        if one.action
    )


def sentence(one: Derived) -> str:
    """Return what is done by a rule, with what, and what it waits for."""
    shows, silent = _named(_WITH, one), _named(_SILENT, one)
    does = "sends the money out" if one.action in EXITS else _DOES[one.action]
    by = f" by {joined(shows)}" if shows else ""
    waits = f", after {length(one.delay)}" if one.delay else ", at once"
    told = f" in which {joined(silent)} told of it, unread" if silent else ""
    old = "; it is old by then" if one.action in _AGES and one.delay >= _OLD else ""
    held = f"; that holds every exit for {length(one.freeze)}" if one.freeze else ""
    return f"{does}{by}{waits}{told}{old}{held}"


def _named(words: Mapping[str, str], one: Derived) -> list[str]:
    return [said for atom, said in words.items() if atom in one.body]


def length(minutes: int) -> str:
    """Return a length of time in its largest whole unit."""
    for size, unit in ((_DAY, "day"), (_HOUR, "hour")):
        if minutes >= size and minutes % size == 0:
            count = minutes // size
            return f"{count} {unit}{'' if count == 1 else 's'}"
    return f"{minutes} minutes"


def since(minutes: int) -> str:
    """Return after how long something is so."""
    return length(minutes) if minutes else "at once"


def sum_in_words(cents: int) -> str:
    """Return how much leaves a day, in words."""
    return "any sum" if cents >= KNOWN_CENTS_MOST else f"US${cents // 100:,} a day"


def exits_in_words(some: Sequence[str]) -> str:
    """Return by which exits."""
    return "every exit" if EXITS.issubset(some) else ", ".join(sorted(some))


def joined(some: list[str]) -> str:
    """Return words as a list in a sentence."""
    *first, last = some
    return f"{', '.join(first)} and {last}" if first else last


def says(capability: Capability) -> str:
    """Return what a capability is."""
    return TABLE[capability].says
