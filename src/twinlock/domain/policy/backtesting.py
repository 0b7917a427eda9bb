"""Backtesting: past decisions, decided again on the facts that were stored with them.

Each is decided by the policy that decided it then, and by one that is proposed; the laws are those
of this version in both. Facts are taken as they stand, so what a customer would have done otherwise
under other rules is not told.

Always true (tests/unit/domain/policy/test_backtesting.py): every decision is replayed, or counted
under the reason why it could not be; none is replayed on facts that have another form than this
version's, since a fact that is missing would count as what it is by default.
"""

from collections import Counter, defaultdict
from collections.abc import Mapping
from enum import StrEnum
from types import MappingProxyType
from typing import Any, NamedTuple, TypeAlias

import msgspec

from twinlock.domain.catalogue import CLASS_OF, UNKNOWN_TYPE
from twinlock.domain.errors import InvariantError
from twinlock.domain.laws import Law
from twinlock.domain.policy.annotations import Demand
from twinlock.domain.policy.facts import ApiKeyUse, Facts
from twinlock.domain.policy.pairing import Pair
from twinlock.domain.policy.spread import Spread, spread
from twinlock.domain.policy.statutes import Statutes, required
from twinlock.domain.policy.terms import OutOfLongError
from twinlock.domain.policy.vocabulary import OutOfRangeError
from twinlock.domain.policy.weighing import Change, answered, changes, longer_by, weigh
from twinlock.domain.reasons import Reason
from twinlock.domain.requirements import (
    NOTHING,
    AllOf,
    Answer,
    Never,
    Requirement,
)

EXAMPLES_MOST = 5  # Leaves named for each thing that is counted.
NO_FACTS = b"{}"  # Of a decision that looked at none, and of one whose account was erased.


class Snapshot(NamedTuple):
    """One entry of the log: its place, the public leaf, and the facts, in canonical bytes."""

    place: int
    leaf: bytes
    facts: bytes


class ReplayFault(StrEnum):
    """Why a decision cannot be replayed."""

    FACT_MISSING = "snapshot_fact_missing"
    FACT_UNKNOWN = "snapshot_fact_unknown"
    UNREADABLE = "snapshot_unreadable"
    ACTION_UNKNOWN = "snapshot_action_unknown"
    POLICY_MISSING = "snapshot_policy_missing"
    POLICY_OLDER = "snapshot_policy_older"


class NotReplayedError(Exception):
    """This decision cannot be replayed, for ``fault``; ``names`` say of what it speaks."""

    def __init__(self, fault: ReplayFault, *names: str) -> None:
        super().__init__(fault.value)
        self.fault = fault
        self.names = names


class Leaf(msgspec.Struct, frozen=True):
    """What a replay reads of a leaf: when (ms since 1970), what was answered, by which policy."""

    at: int
    dec: Answer
    pol: str


# --- Reading, strictly: a field of the facts that has a default must stand there all the same ---


def _strict(kind: type[msgspec.Struct], types: Mapping[str, Any]) -> Any:  # noqa: ANN401 - a type made here
    fields = [
        (one.encode_name, types.get(one.name, one.type)) for one in msgspec.structs.fields(kind)
    ]
    return msgspec.defstruct(
        f"Stored{kind.__name__}",
        fields,
        bases=(kind,),
        frozen=True,
        kw_only=True,
        forbid_unknown_fields=True,
    )


_KEY = _strict(ApiKeyUse, {})
_FACTS: msgspec.json.Decoder[Facts] = msgspec.json.Decoder(_strict(Facts, {"api_key": _KEY | None}))
_LEAF = msgspec.json.Decoder(Leaf)
_NAMES = MappingProxyType(
    {
        "": frozenset(one.encode_name for one in msgspec.structs.fields(Facts)),
        "api_key": frozenset(one.encode_name for one in msgspec.structs.fields(ApiKeyUse)),
    }
)


def read_leaf(data: bytes) -> Leaf:
    """Return what a replay reads of a leaf. Raises NotReplayedError."""
    try:
        return _LEAF.decode(data)
    except (msgspec.MsgspecError, UnicodeError, RecursionError):
        raise NotReplayedError(ReplayFault.UNREADABLE, "leaf") from None


def read_facts(data: bytes) -> Facts:
    """Return stored facts, exactly those that this version stores. Raises NotReplayedError."""
    try:
        facts = _FACTS.decode(data)
    except (msgspec.MsgspecError, UnicodeError, RecursionError, InvariantError):
        raise _why(data) from None
    if facts.action not in CLASS_OF and facts.action != UNKNOWN_TYPE:
        raise NotReplayedError(ReplayFault.ACTION_UNKNOWN, facts.action[:64])
    return facts


def _why(data: bytes) -> NotReplayedError:
    """Say by name which facts are missing, or are none of this version's."""
    try:
        found = msgspec.json.decode(data, type=dict[str, Any])
    except (msgspec.MsgspecError, UnicodeError, RecursionError):
        return NotReplayedError(ReplayFault.UNREADABLE, "facts")
    parts = {"": found}
    if isinstance(found.get("api_key"), dict):
        parts["api_key"] = found["api_key"]
    missing, unknown = set[str](), set[str]()
    for part, said in parts.items():
        missing |= {f"{part}.{name}".lstrip(".") for name in _NAMES[part] - said.keys()}
        unknown |= {f"{part}.{name}".lstrip(".")[:64] for name in said.keys() - _NAMES[part]}
    if missing:
        return NotReplayedError(ReplayFault.FACT_MISSING, *sorted(missing))
    if unknown:
        return NotReplayedError(ReplayFault.FACT_UNKNOWN, *sorted(unknown))
    return NotReplayedError(ReplayFault.UNREADABLE, "facts")


# --- What is told in the end ---


class Counted(msgspec.Struct, frozen=True, kw_only=True):
    """How often something was so, and the leaves of a few of them."""

    count: int
    leaves: tuple[int, ...]


class Outcome(msgspec.Struct, frozen=True, kw_only=True):
    """How many answers about one action changed in one way; ``wait`` by how much they wait."""

    action: str
    change: Change
    count: int
    leaves: tuple[int, ...]
    wait: Spread | None


class Unreplayed(msgspec.Struct, frozen=True, kw_only=True):
    """Decisions that could not be replayed for one reason, and what it names, counted."""

    code: ReplayFault
    count: int
    leaves: tuple[int, ...]
    names: dict[str, int]


class Backtest(msgspec.Struct, frozen=True, kw_only=True):
    """What a proposed policy would have answered.

    ``decisions`` is what was looked at: ``without_facts`` there was nothing to replay, ``replayed``
    were, and the others are ``not_replayed``. Of the replayed ``changed`` would have been answered
    otherwise. ``asked`` were questions, put though nothing was missing; ``refused_beside`` a no
    that neither laws nor statutes said: a fee too high, or the second engine's. ``differ`` were
    answered otherwise than the replay by the same policy says: "then, now" and how many.
    """

    decisions: int
    without_facts: int
    replayed: int
    changed: int
    by_action: dict[str, int]
    outcomes: tuple[Outcome, ...]
    not_replayed: tuple[Unreplayed, ...]
    asked: int
    refused_beside: int
    differ: dict[str, Counted]

    @property
    def whole(self) -> bool:
        """Whether everything was replayed, and answered by the same policy as it was then."""
        return not self.not_replayed and not self.differ


class _Found:
    """What was found so often."""

    def __init__(self) -> None:
        self.count = 0
        self.leaves: list[int] = []
        self.seconds: Counter[int] = Counter()
        self.names: Counter[str] = Counter()

    def note(self, index: int) -> None:
        self.count += 1
        if len(self.leaves) < EXAMPLES_MOST:
            self.leaves.append(index)


# --- Replaying ---


class Replay:
    """Replays decisions one by one. ``policies`` are those that decided, by their digests."""

    def __init__(
        self,
        proposed: Statutes,
        *,
        laws: tuple[Law, ...],
        policies: Mapping[str, Statutes | ReplayFault],
    ) -> None:
        self._proposed, self._laws, self._policies = proposed, laws, policies
        self._pairs: dict[str, Pair] = {}
        self._decisions = self._without = self._replayed = self._asked = self._beside = 0
        self._changed: Counter[str] = Counter()
        self._by_action: Counter[str] = Counter()
        self._outcomes: defaultdict[tuple[str, Change], _Found] = defaultdict(_Found)
        self._faults: defaultdict[ReplayFault, _Found] = defaultdict(_Found)
        self._differ: defaultdict[tuple[Answer, Answer], _Found] = defaultdict(_Found)

    def take(self, one: Snapshot) -> str | None:
        """Replay one decision, or count why it could not be.

        The digest of a policy that is not among ``policies`` is returned, and nothing counted.
        """
        if one.facts == NO_FACTS:
            self._decisions += 1
            self._without += 1
            return None
        try:
            leaf = read_leaf(one.leaf)
            decided = self._policies.get(leaf.pol)
            if decided is None:
                return leaf.pol
            self._replay(one, leaf, decided)
        except NotReplayedError as error:
            found = self._faults[error.fault]
            found.note(one.place)
            found.names.update(error.names)
        self._decisions += 1
        return None

    def _replay(self, one: Snapshot, leaf: Leaf, decided: Statutes | ReplayFault) -> None:
        facts = read_facts(one.facts)
        if isinstance(decided, ReplayFault):
            raise NotReplayedError(decided, leaf.pol[:64])
        pair = self._pair(leaf.pol, decided)
        try:
            by_laws = [found for law in self._laws if (found := law(facts)) is not NOTHING]
            before, after = _asked(pair, facts)
        except (TypeError, OverflowError):  # Of an instant without an offset, or of the year 9999.
            raise NotReplayedError(ReplayFault.UNREADABLE, "facts") from None
        self._replayed += 1
        self._by_action[facts.action] += 1
        self._check(one.place, then=leaf.dec, now=answered((*by_laws, *before)))
        if before is not after:
            # Without ``all_of``, which looks for doubles: they weigh nothing.
            first, second = (AllOf(parts=(*by_laws, *own)) for own in (before, after))
            self._compare(one.place, facts, first, second)

    def _pair(self, digest: str, decided: Statutes) -> Pair:
        found = self._pairs.get(digest)
        if found is None:
            found = self._pairs[digest] = Pair(decided, self._proposed)
        return found

    def _check(self, index: int, *, then: Answer, now: Answer) -> None:
        if then is now or (then is Answer.READ_ONLY and now is Answer.CHALLENGE):
            return
        if now is Answer.ALLOW and then is Answer.CHALLENGE:
            self._asked += 1
        elif now is Answer.ALLOW and then is Answer.DENY:
            self._beside += 1
        else:
            self._differ[then, now].note(index)

    def _compare(self, index: int, facts: Facts, before: Requirement, after: Requirement) -> None:
        first, second = weigh(before), weigh(after)
        found = changes(first, second)
        if not found:
            return
        self._changed[facts.action] += 1
        longer = longer_by(first, second, now=facts.now)
        for change in found:
            noted = self._outcomes[facts.action, change]
            noted.note(index)
            if longer is not None and change in _WAITS:
                noted.seconds[abs(int(longer.total_seconds()))] += 1

    def report(self) -> Backtest:
        """Return what was found so far."""
        return Backtest(
            decisions=self._decisions,
            without_facts=self._without,
            replayed=self._replayed,
            changed=self._changed.total(),
            by_action=dict(sorted(self._by_action.items())),
            outcomes=tuple(
                Outcome(
                    action=action,
                    change=change,
                    count=found.count,
                    leaves=tuple(found.leaves),
                    wait=spread(found.seconds),
                )
                for (action, change), found in sorted(self._outcomes.items(), key=_place)
            ),
            not_replayed=tuple(
                Unreplayed(
                    code=code,
                    count=found.count,
                    leaves=tuple(found.leaves),
                    names=dict(sorted(found.names.items())),
                )
                for code, found in sorted(self._faults.items())
            ),
            asked=self._asked,
            refused_beside=self._beside,
            differ={
                f"{then}, {now}": Counted(count=found.count, leaves=tuple(found.leaves))
                for (then, now), found in sorted(self._differ.items())
            },
        )


_Asked: TypeAlias = list[Requirement]
_REFUSED: Mapping[Reason, _Asked] = MappingProxyType(
    {code: [Never(code=code)] for code in (Reason.NOT_PERMITTED, Reason.ENGINE_ERROR)}
)


def _asked(pair: Pair, facts: Facts) -> tuple[_Asked, _Asked]:
    """Return what both sides ask for beside the laws; one and the same list where that is alike."""
    try:
        matched = pair.about(facts.action).matched(facts)
    except (OutOfLongError, OutOfRangeError):
        refused = _REFUSED[Reason.ENGINE_ERROR]
        return refused, refused
    common = [required(demand, facts) for demand in matched.common]
    before = _of_side(pair.first, matched.first, common, facts)
    permitted = [facts.action in side.permits for side in (pair.first, pair.second)]
    if matched.first == matched.second and permitted[0] is permitted[1]:
        return before, before
    return before, _of_side(pair.second, matched.second, common, facts)


def _of_side(side: Statutes, own: list[Demand], common: _Asked, facts: Facts) -> _Asked:
    if facts.action not in side.permits:
        return _REFUSED[Reason.NOT_PERMITTED]
    return [*common, *[required(demand, facts) for demand in own]] if own else common


_WAITS = frozenset({Change.HELD, Change.LONGER, Change.SHORTER, Change.NOT_HELD})
_ORDER = {change: place for place, change in enumerate(Change)}


def _place(one: tuple[tuple[str, Change], _Found]) -> tuple[str, int]:
    (action, change), _ = one
    return action, _ORDER[change]
