"""A scenario as a value: one attack chain, its demands, and the honest twin who looks alike.

Always true (tests/unit/range/test_reader.py): a story that exists can be read aloud. Its words are
of the closed lists, its step ids are unique in their list, a step refers to earlier ones only, and
no step is dated before the one above it.

Source: docs/range.md, "The file".
"""

from collections.abc import Sequence
from datetime import timedelta
from itertools import pairwise
from typing import Annotated, Any

import msgspec
from msgspec import Meta
from msgspec.structs import force_setattr

from twinlock.range.asked import Check, steps_of
from twinlock.range.given import MISFORMED, Name, of_its_form
from twinlock.range.words import (
    DEEDS,
    Capability,
    Grade,
    Listing,
    Outcome,
    Person,
    Proof,
    Showing,
    Trace,
    When,
    parse_length,
    parse_showing,
    parse_when,
)

SCHEMA = 1
VETO = "event.veto"
ON_EVERY_LIST = ("old_addr", "old_bank")
OLD_AGE, OLD_USED = "400d", "5d"
VALUE_MOST = 10**11  # US$: no platform keeps so much; one lost US$1.5 billion at once.
STEPS_MOST = 200  # The longest chain that was ever told has twenty.
Text = Annotated[str, Meta(min_length=1, max_length=4_000)]
Words = Annotated[tuple[Name, ...], Meta(max_length=32)]


class _Part(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What every part of a file has in common: its strictness."""


class Happened(_Part, frozen=True, kw_only=True):
    """When and where it was, and what was lost."""

    when: Text | int  # A year alone is a number in YAML.
    where: tuple[Text, ...]
    text: Text


class Attested(_Part, frozen=True, kw_only=True):
    """How well it is attested, and what is not."""

    grade: Grade
    note: str


class Listed(_Part, frozen=True, kw_only=True):
    """One entry of the list of destinations, as it stands at the first step.

    ``age`` and ``last_used`` are lengths before it; ``signed`` says that the owner proved it. Of
    the two that stand on every list, what a file does not say is as it is there.
    """

    name: Name
    signed: bool = True
    age: str = OLD_AGE
    last_used: str = ""
    budget: str | int = ""

    def __post_init__(self) -> None:
        parse_length(self.age)
        if self.last_used not in ("", "never"):
            parse_length(self.last_used)
        sum_ = self.budget if isinstance(self.budget, int) else 0
        if self.budget not in ("", "small") and sum_ <= 0:
            raise ValueError(f"{self.budget!r} is not a budget: small, whole US dollars, or none")

    @property
    def aged(self) -> timedelta:
        """Return how long ago it was usable first."""
        return parse_length(self.age)

    @property
    def used(self) -> timedelta | None:
        """Return how long ago it was used last, or None where it never was."""
        known = self.name in ON_EVERY_LIST and parse_length(OLD_USED) < self.aged
        last = self.last_used or (OLD_USED if known else "never")
        return None if last == "never" else parse_length(last)


class Destinations(_Part, frozen=True, kw_only=True):
    """Whether there is a list, and what stands on it."""

    list: Listing = Listing.OPTIONAL
    entries: tuple[Listed, ...] = ()


class OwnedKey(msgspec.Struct, frozen=True, kw_only=True):
    """An API key of the owner's, as it stands at the first step.

    ``age`` and ``last_used`` are lengths before it; where a file does not say the latter, its owner
    keeps it alive. ``daily`` is an amount word, or whole US dollars; ``pairs`` are words of pairs;
    ``price_band`` is ``declared``, or basis points. What else a file says of a key is the
    platform's.
    """

    name: Name = "key"
    scopes: Annotated[tuple[Text, ...], Meta(max_length=8)] = ("read",)
    ip_list: Annotated[tuple[Text, ...], Meta(max_length=20)] = ()
    destinations: Annotated[tuple[Name, ...], Meta(max_length=20)] = ()
    daily: Text | int = "all"
    pairs: Text | tuple[Text, ...] = ()
    price_band: Text | int = 0
    age: str = ""
    last_used: str = ""

    def __post_init__(self) -> None:
        if self.age:
            parse_length(self.age)
        if self.last_used not in ("", "never"):
            parse_length(self.last_used)


CAREFUL = (Proof.PASSWORD, Proof.PASSKEY)
CAREFUL_CHANNELS = ("email", "sms", "desktop")


class AccountSpec(_Part, frozen=True, kw_only=True):
    """The account as it stands at the first step. ``value_usd`` is what there is to steal.

    Every account (``any``) of which a file says no more has what a careful owner has.
    """

    authenticators: tuple[Proof, ...] = ()
    channels: Words = ()
    shared_roots: tuple[Words, ...] = ()
    destinations: Destinations = Destinations()
    api_keys: tuple[dict[str, Any], ...] = ()
    lock: Any = None
    subaccounts: Any = None
    trusted_contacts: int | Words = 0
    enrolled_identity: Words | Name | bool = ()
    value_usd: Annotated[int, Meta(ge=0, le=VALUE_MOST)] = 1_000_000
    any: bool = False

    def __post_init__(self) -> None:
        try:
            _ = self.keys
        except msgspec.ValidationError as error:
            raise ValueError(f"account.api_keys: {error}") from None
        if self.any and not self.authenticators:
            force_setattr(self, "authenticators", CAREFUL)
            force_setattr(self, "channels", self.channels or CAREFUL_CHANNELS)

    @property
    def contacts(self) -> int:
        """Return how many trusted contacts there are, counted or named."""
        named = self.trusted_contacts
        return named if isinstance(named, int) else len(named)

    @property
    def keys(self) -> tuple[OwnedKey, ...]:
        """Return the API keys, as far as they are of Twinlock's."""
        return msgspec.convert(self.api_keys, tuple[OwnedKey, ...])

    @property
    def words_of_keys(self) -> tuple[str, ...]:
        """Return what the file says of API keys besides, sorted."""
        said = {str(word) for one in self.api_keys for word in one}
        return tuple(sorted(said - set(OwnedKey.__struct_fields__)))


class Step(_Part, frozen=True, kw_only=True):
    """One step: who does what, with which proofs, and which answers pass."""

    id: Name
    at: str
    by: Person
    do: str
    expect: Annotated[tuple[Outcome, ...], Meta(min_length=1)]
    given: dict[str, Any] = msgspec.field(name="with", default_factory=dict)
    proof: tuple[str, ...] = ()
    needs: tuple[Name, ...] = ()
    reported: Outcome | None = None
    leaves: tuple[Trace, ...] = ()
    always: tuple[Trace, ...] = ()

    def __post_init__(self) -> None:
        if self.do not in DEEDS:
            raise ValueError(f"step {self.id}: {self.do!r} is not an action or event")
        try:
            _ = (self.when, self.showings)
        except ValueError as error:
            raise ValueError(f"step {self.id}: {error}") from None
        force_setattr(self, "given", of_its_form(self.do, self.given))

    @property
    def misformed(self) -> str:
        """Return what is wrong with the form of its parameters; empty where nothing is."""
        return str(self.given.get(MISFORMED, ""))

    @property
    def when(self) -> When:
        """Return when this happens."""
        return parse_when(self.at)

    @property
    def showings(self) -> tuple[Showing, ...]:
        """Return the proofs that are shown."""
        return tuple(parse_showing(one) for one in self.proof)


def _check_chain(steps: Sequence[Step]) -> None:
    if len(steps) > STEPS_MOST:
        raise ValueError(f"a list has at most {STEPS_MOST} steps")
    _check_order([step for step in steps if not step.when.wait])
    seen: set[str] = set()
    for step in steps:
        if step.id in seen:
            raise ValueError(f"step {step.id} stands twice in one list")
        named = {*step.needs, *([step.when.wait] if step.when.wait else [])}
        named |= {step.given["of"]} if step.do == VETO and "of" in step.given else set()
        for missing in sorted(named - seen):
            raise ValueError(f"step {step.id} refers to {missing}, which is no earlier step")
        seen.add(step.id)


def _check_order(dated: Sequence[Step]) -> None:
    """Refuse a list whose dates go back. Where a wait lies between, the replay looks again."""
    for before, step in pairwise(dated):
        if step.when.after < before.when.after:
            raise ValueError(f"step {step.id} is dated before {before.id}, which stands above it")


def _check_asked(part: str, check: Check | None, steps: Sequence[Step]) -> None:
    """Refuse a check of steps that are not there."""
    if check is None:
        return
    known = {step.id for step in steps}
    for one in steps_of(check):
        if one not in known:
            raise ValueError(f"{part}: {check.name.value} of {one}, which is no step of its list")


class Demand(_Part, frozen=True, kw_only=True):
    """A ``must`` or ``must_not``, played on a fresh account."""

    id: Name
    text: Text
    account: AccountSpec
    steps: tuple[Step, ...] = ()
    check: Check | None = None

    def __post_init__(self) -> None:
        _check_chain(self.steps)
        if not self.steps and self.check is None:
            raise ValueError(f"{self.id} demands nothing: it has neither steps nor a check")


class Twin(_Part, frozen=True, kw_only=True):
    """The honest customer or member of staff who looks like the attack."""

    text: Text
    account: AccountSpec
    steps: tuple[Step, ...]
    check: Check | None = None

    def __post_init__(self) -> None:
        _check_chain(self.steps)


class Story(_Part, frozen=True, kw_only=True):
    """One file: one chain, its demands and its benign twin."""

    schema: int
    id: Name
    title: Text
    happened: Happened
    evidence: Attested
    sources: tuple[Text, ...]
    account: AccountSpec
    capabilities: tuple[Capability, ...]
    steps: tuple[Step, ...]
    benign_twin: Twin
    must: tuple[Demand, ...] = ()
    must_not: tuple[Demand, ...] = ()
    reported: str = ""

    def __post_init__(self) -> None:
        if self.schema != SCHEMA:
            raise ValueError(f"schema {self.schema} is not the one that is known here: {SCHEMA}")
        _check_chain(self.steps)
        ids = [one.id for one in (*self.must, *self.must_not)]
        for twice in sorted({one for one in ids if ids.count(one) > 1}):
            raise ValueError(f"{twice} stands twice among must and must_not")
        for part in (*self.must, *self.must_not):
            _check_asked(part.id, part.check, part.steps or self.steps)
        _check_asked("benign_twin", self.benign_twin.check, self.benign_twin.steps or self.steps)
