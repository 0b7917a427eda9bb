"""Checks as a file asks for them: demands that walk a table, each with a closed set of parameters.

Always true (tests/unit/range/test_asked.py): a check that is walked can be. Its parameters are of
their form, and it names something to look at; where they are not, or say more than is known here,
it is not playable. Checks that nothing here can make yet take any parameters: nobody knows which
they will need.

Source: docs/range.md, "Checks".
"""

from enum import StrEnum
from typing import Annotated, Literal, TypeAlias, cast, get_args

import msgspec
from msgspec import Meta

from twinlock.domain.catalogue import CLASS_OF, ActionClass, ActionType
from twinlock.range.given import MISFORMED, Name, Word
from twinlock.range.words import (
    UNKNOWN_EXIT,
    CheckName,
    Person,
    Proof,
    parse_length,
    parse_showing,
)

# All that stories name: what a platform registers has a name in each installation only.
EXITS = tuple(
    kind
    for kind, cls in CLASS_OF.items()
    if cls is ActionClass.EXIT and kind != ActionType.PLATFORM_EXIT
)
SOME = Meta(min_length=1, max_length=64)
Proofs = Annotated[tuple[str, ...], SOME]
Exits = Literal["all"] | Annotated[tuple[str, ...], SOME]
Paths = Annotated[tuple[str, ...], SOME]
Names = Annotated[tuple[Name, ...], SOME]


class Shown(StrEnum):
    """What a list shows of an entry."""

    WHO = "who"
    WHEN = "when"
    PROOF = "proof"
    DEVICE_KEY = "device_key"


class _Open(msgspec.Struct, frozen=True, kw_only=True, tag_field="name"):
    """A check of any parameters."""

    @property
    def name(self) -> CheckName:
        """Return the name by which files ask for it."""
        return CheckName(cast("str", self.__struct_config__.tag))


class _Closed(_Open, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A check of exactly these parameters; ``unread`` names those of a file that are none."""

    unread: tuple[Word, ...] = ()


class SameFloor(_Closed, frozen=True, kw_only=True, tag=CheckName.SAME_FLOOR_ON_ALL_PATHS.value):
    """No set of proofs in ``refuse`` ever comes through on ``paths``."""

    paths: Word | Paths
    refuse: Annotated[tuple[Proofs, ...], SOME]
    floor_from: Proof | None = None

    def __post_init__(self) -> None:
        for proofs in self.refuse:
            _check_proofs(proofs)
        for one in self.paths if isinstance(self.paths, tuple) else ():
            if one not in CLASS_OF and one != UNKNOWN_EXIT:
                raise ValueError(f"paths: {one!r} is not an action")


class EveryExitHeld(_Closed, frozen=True, kw_only=True, tag=CheckName.EVERY_EXIT_HELD.value):
    """After each action of ``after``, each exit is held."""

    after: Annotated[tuple[str, ...], SOME]
    exits: Exits = "all"

    def __post_init__(self) -> None:
        for one in self.after:
            if one not in CLASS_OF:
                raise ValueError(f"after: {one!r} is not an action")
        _check_exits(self.exits)


class NoValueLeaves(_Closed, frozen=True, kw_only=True, tag=CheckName.NO_VALUE_LEAVES.value):
    """After the attack nothing leaves by ``exits``, ``within`` a length of it or until a hold ends.

    ``proofs`` are what is shown; without them, what the thief's capabilities make.
    """

    exits: Exits = "all"
    until: Word | None = None
    within: str | None = None
    by: Person = Person.MALLORY
    proofs: Proofs | None = None
    destination: Word = "attacker_addr"

    def __post_init__(self) -> None:
        _check_exits(self.exits)
        _check_proofs(self.proofs or ())
        if self.within is None:
            return
        parse_length(self.within)
        if self.until is not None:
            raise ValueError("until and within: only one of them can be the end")


class NoticeBeforeEffect(
    _Closed, frozen=True, kw_only=True, tag=CheckName.NOTICE_BEFORE_EFFECT.value
):
    """Whatever steps ``of`` the attack were told, every channel heard of; absent: every one."""

    of: Names
    channels: Names | Literal["all"] = "all"
    offers: Word | Names = "veto"


class EntryProvable(_Closed, frozen=True, kw_only=True, tag=CheckName.ENTRY_PROVABLE.value):
    """What the list shows of an entry can be checked; or: imported entries count as unproved."""

    of: Word
    imported: Word | None = None
    shows: Annotated[tuple[Shown, ...], Meta(max_length=len(Shown))] = ()
    verifier: Word | None = None

    def __post_init__(self) -> None:
        if (self.imported is None) is not bool(self.shows):
            raise ValueError("entry_provable asks what an entry shows, or how imported ones count")


class ExactlyOnce(_Closed, frozen=True, kw_only=True, tag=CheckName.EXACTLY_ONCE.value):
    """The withdrawal of step ``of`` is spent and signed once, tried ``parallel`` times at once."""

    of: Name
    parallel: Annotated[int, Meta(ge=2)] = 100


class NoReach(_Open, frozen=True, kw_only=True, tag=CheckName.NO_REACH.value):
    """These capabilities reach no target."""


class RebuiltFromLog(_Open, frozen=True, kw_only=True, tag=CheckName.REBUILT_FROM_LOG.value):
    """State is rebuilt from the log, and edits are found."""


class RecordComplete(_Open, frozen=True, kw_only=True, tag=CheckName.RECORD_COMPLETE.value):
    """A customer's record of disclosures is complete."""


class ScreenNames(_Open, frozen=True, kw_only=True, tag=CheckName.SCREEN_NAMES.value):
    """A page names what it must."""


class NotOffered(_Open, frozen=True, kw_only=True, tag=CheckName.NOT_OFFERED.value):
    """Something is never offered."""


class SumBinds(_Closed, frozen=True, kw_only=True, tag=CheckName.SUM_BINDS.value):
    """By whatever ``exits``, no more leaves ``per`` day or destination than the owner's ``limit``.

    Each attempt is for six tenths of the limit, with the owner's best proofs, to old places.
    """

    exits: Exits = "all"
    limit: int | Word | None = None
    per: Word = "day"

    def __post_init__(self) -> None:
        _check_exits(self.exits)


class Misformed(_Open, frozen=True, kw_only=True, tag=MISFORMED):
    """A check whose parameters are not of the form that is known here; ``why`` says which."""

    asked: CheckName
    why: str

    @property
    def name(self) -> CheckName:
        """Return the name by which the file asks for it."""
        return self.asked


Check: TypeAlias = (
    SameFloor
    | EveryExitHeld
    | NoValueLeaves
    | NoticeBeforeEffect
    | EntryProvable
    | ExactlyOnce
    | NoReach
    | RebuiltFromLog
    | RecordComplete
    | ScreenNames
    | NotOffered
    | SumBinds
    | Misformed
)


_CLOSED: dict[str, type[_Closed]] = {
    str(one.__struct_config__.tag): one for one in get_args(Check) if issubclass(one, _Closed)
}


def as_read(check: object) -> object:
    """Return a check of a file as it is converted: what is none of its parameters is kept apart.

    Prevents: a file of which nothing is played, because one check says more than is known here, or
    says it in another way.
    """
    if not isinstance(check, dict) or not isinstance(check.get("name"), str):
        return check
    form = _CLOSED.get(check["name"])
    if form is None:
        return check
    known = {"name", *form.__struct_fields__} - {"unread"}
    unread = [str(word) for word in check if word not in known]
    read = {word: check[word] for word in check if word in known} | {"unread": unread}
    try:
        msgspec.convert(read, form)
    except (msgspec.ValidationError, OverflowError) as error:
        return {"name": MISFORMED, "asked": check["name"], "why": str(error)}
    return read


def steps_of(check: Check) -> tuple[str, ...]:
    """Return the ids of the steps that a check looks at."""
    match check:
        case NoticeBeforeEffect():
            return check.of
        case ExactlyOnce():
            return (check.of,)
        case _:
            return ()


def _check_proofs(proofs: tuple[str, ...]) -> None:
    for one in proofs:
        parse_showing(one)


def _check_exits(exits: str | tuple[str, ...]) -> None:
    if isinstance(exits, str):
        return
    for one in exits:
        if one not in EXITS and one != UNKNOWN_EXIT:
            raise ValueError(f"exits: {one!r} is not an exit")
