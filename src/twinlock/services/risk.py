"""Measuring scores on sign-ins that happened: both models, against thieves that are made up.

Each sign-in is scored on what came before it. Thieves are drawn from what others showed: *naive*
has any address and any agent, *vpn* an address in the owner's country, *targeted* the owner's agent
too; *very targeted* are the takeovers that the file names. What is measured is the ratio alone: a
file knows nothing of device keys or wrong answers.

Always true (tests/unit/services/test_risk.py): memory is bounded. Of too many users half are let
go, by a hash of their names, so that those left are a fair sample; of too many values those that
were seen least often, half of them at once, so that time is bounded as well.

Source: Wiefling et al., "What's in Score for Website Users", 2021 (the kinds of thieves).
"""

from array import array
from collections.abc import Hashable, Iterator, Mapping
from enum import StrEnum
from hashlib import blake2b
from random import Random
from typing import Any, NamedTuple, TypeVar

import msgspec

from twinlock.domain.errors import present
from twinlock.domain.risk import freeman
from twinlock.domain.risk.back_off import COUNTRY, Feature, ip_ratio, ua_ratio
from twinlock.domain.risk.counters import LEVELS, UNKNOWN, Counters, count, steps
from twinlock.domain.risk.measures import area, middle_count, share_from, threshold
from twinlock.domain.risk.scoring import HIGH, RAISED
from twinlock.domain.risk.visits import (
    IP_KEPT,
    NODE_LETTERS,
    UA_KEPT,
    joined,
    levels_of,
    path_of,
    remember_path,
)

T = TypeVar("T")
USERS_MOST = 50_000  # Of whom scores are kept: 3 KB each.
NODES_MOST = 2_000_000  # Values that are counted, of all features together: 100 bytes each.
OWN_MOST = 3_000_000  # Values that users have shown themselves, of all users: 150 bytes each.
FIRST = (12, 39)  # Sign-ins of a user, as the published medians count.
SCORED_MOST = max(FIRST) - 1
TAKEOVERS_MOST = 100  # Of one user that are scored.
ATTACKS_MOST = 11  # Of each kind on one user: one beside each of the first scored sign-ins.
RATES = (0.999, 0.995, 0.99, 0.98)  # Of attacks that are caught.
DRAWN_FROM = 2_000  # Sign-ins from which thieves take theirs …
DRAWN_PER_COUNTRY = 100  # … and addresses of one country.
COUNTRIES_MOST = 500
PER_NAT = 10  # Points of a score.


class Thief(StrEnum):
    """What a thief knows of the owner."""

    NAIVE = "naive"
    VPN = "vpn"
    TARGETED = "targeted"
    VERY_TARGETED = "very_targeted"


class Model(StrEnum):
    """What makes a score."""

    BACK_OFF = "back_off"
    FREEMAN = "freeman"


class Attempt(NamedTuple):
    """One successful sign-in of a file, with its values coarse to fine.

    ``versions`` are browser and system with their versions, as Freeman's model takes them.
    """

    user: str
    ip: tuple[str, ...]  # country, ASN, /24 or /48, address
    ua: tuple[str, ...]  # device type, system, browser, string
    versions: tuple[str, str] = ("", "")
    takeover: bool = False


class AtRate(msgspec.Struct, frozen=True, kw_only=True):
    """What catching ``rate`` of all attacks costs the honest.

    ``step_up`` is the share of their sign-ins that are asked for more; ``medians`` how often that
    happens to the user in the middle, in the first so many sign-ins.
    """

    rate: float
    threshold: float
    step_up: float
    medians: dict[str, float | None]


class Against(msgspec.Struct, frozen=True, kw_only=True):
    """How a model does against one kind of thief."""

    attacks: int
    area: float | None
    rates: tuple[AtRate, ...]


class Measured(msgspec.Struct, frozen=True, kw_only=True):
    """What was measured; ``raised`` and ``high`` are shares at our thresholds, by the ratio alone.

    ``sampled`` is the share of users whose scores were kept; ``forgotten`` how often values that
    were seen least often were let go.
    """

    sign_ins: int
    scored: int
    users: int
    sampled: float
    forgotten: int
    raised: dict[str, float | None]
    high: dict[str, float | None]
    models: dict[Model, dict[Thief, Against]]


HONEST = "honest"


class _User:
    """One user: what was shown so far, and the scores."""

    __slots__ = ("attacks", "honest", "ip", "last", "seen", "sign_ins", "ua")

    def __init__(self) -> None:
        self.sign_ins = 0
        self.ip = self.ua = ""
        self.seen: dict[tuple[int, Hashable], int] = {}
        self.last: Attempt | None = None
        self.honest = {model: array("f") for model in Model}
        self.attacks: dict[tuple[Model, Thief], array[float]] = {}


class Measuring:
    """Takes sign-ins in the order in which they happened."""

    def __init__(
        self,
        *,
        seed: int = 0,
        users_most: int = USERS_MOST,
        nodes_most: int = NODES_MOST,
        own_most: int = OWN_MOST,
    ) -> None:
        self._random = Random(seed)  # noqa: S311 - it draws made-up thieves, the same each time
        self._users_most = users_most
        self._nodes_most = nodes_most
        self._own_most = own_most
        self._own = 0
        self._users: dict[bytes, _User] = {}
        self._halvings = 0
        self._sign_ins = 0
        self._forgotten = 0
        self._trees: tuple[tuple[dict[str, int], dict[str, int]], ...] = (({}, {}), ({}, {}))
        self._tallies: tuple[dict[Hashable, int], ...] = tuple({} for _ in range(7))
        self._any: list[Attempt] = []
        self._of_country: dict[str, list[tuple[str, ...]]] = {}
        self._drawn: dict[str, int] = {}

    def take(self, one: Attempt) -> None:
        """Score a sign-in on what came before it, and learn it; a takeover is only scored."""
        user = self._user(one.user)
        if user is not None and user.sign_ins:
            self._score(user, one)
        if one.takeover:
            return
        self._learn(one)
        if user is not None:
            self._remember(user, one)

    def _user(self, name: str) -> _User | None:
        """Return the user, if this one is in the sample."""
        key = blake2b(name.encode("utf-8", "surrogatepass"), digest_size=8).digest()
        if not self._kept(key):
            return None
        user = self._users.setdefault(key, _User())
        while len(self._users) > self._users_most:
            self._halvings += 1
            self._users = {one: had for one, had in self._users.items() if self._kept(one)}
            self._own = sum(len(had.seen) for had in self._users.values())
        return user if key in self._users else None

    def _kept(self, key: bytes) -> bool:
        return not int.from_bytes(key, "big") & ((1 << self._halvings) - 1)

    def _score(self, user: _User, one: Attempt) -> None:
        if one.takeover:
            if len(user.attacks.get((Model.BACK_OFF, Thief.VERY_TARGETED), ())) < TAKEOVERS_MOST:
                self._attack(user, Thief.VERY_TARGETED, one)
            return
        if len(user.honest[Model.BACK_OFF]) >= SCORED_MOST:
            return
        for model, score in self._scores(user, one).items():
            user.honest[model].append(score)
        if len(user.honest[Model.BACK_OFF]) <= ATTACKS_MOST:
            for thief, drawn in self._thieves(user):
                self._attack(user, thief, drawn)

    def _attack(self, user: _User, thief: Thief, one: Attempt) -> None:
        for model, score in self._scores(user, one).items():
            user.attacks.setdefault((model, thief), array("f")).append(score)

    def _thieves(self, user: _User) -> Iterator[tuple[Thief, Attempt]]:
        anybody, other = self._random.choice(self._any), self._random.choice(self._any)
        yield Thief.NAIVE, anybody._replace(ua=other.ua, versions=other.versions)
        last = present(user.last, "whoever is scored has signed in")
        near = self._random.choice(self._of_country.get(last.ip[COUNTRY]) or [anybody.ip])
        yield Thief.VPN, other._replace(ip=near)
        yield Thief.TARGETED, last._replace(ip=near)

    # --- The two models ---

    def _scores(self, user: _User, one: Attempt) -> Mapping[Model, float]:
        features = (joined(*one.ip), joined(*one.ua))
        ip, ua = (
            Feature(path_of(text), steps(_nodes(text), Counters(*tree)))
            for text, tree in zip(features, self._trees, strict=True)
        )
        ratio = ip_ratio(ip, levels_of(user.ip)) + ua_ratio(ua, levels_of(user.ua))
        return {Model.BACK_OFF: ratio, Model.FREEMAN: self._freeman(user, one)}

    def _freeman(self, user: _User, one: Attempt) -> float:
        values = _values(one)
        own = [{value: user.seen.get((at, value), 0)} for at, value in enumerate(values)]
        sizes = freeman.Sizes(
            sign_ins=self._sign_ins,
            users=len(self._users) << self._halvings,
            own=user.sign_ins,
        )
        parts = (slice(0, 3), freeman.IP_WEIGHTS), (slice(3, 7), freeman.UA_WEIGHTS)
        features = [
            (values[part], freeman.Tallies(self._tallies[part], own[part]), weights)
            for part, weights in parts
        ]
        return freeman.score(features, sizes)

    # --- Learning ---

    def _learn(self, one: Attempt) -> None:
        self._sign_ins += 1
        for text, tree in zip((joined(*one.ip), joined(*one.ua)), self._trees, strict=True):
            count(_nodes(text), *tree)
        for value, tally in zip(_values(one), self._tallies, strict=True):
            tally[value] = tally.get(value, 0) + 1
        _draw(self._any, one, self._sign_ins, DRAWN_FROM, self._random)
        country = one.ip[COUNTRY]
        known = self._of_country.get(country)
        if known is None and len(self._of_country) < COUNTRIES_MOST:
            known = self._of_country[country] = []
        if known is not None:
            times = self._drawn[country] = self._drawn.get(country, 0) + 1
            _draw(known, one.ip, times, DRAWN_PER_COUNTRY, self._random)
        self._bound()

    def _bound(self) -> None:
        counted: list[dict[Any, int]] = [*(tree[0] for tree in self._trees), *self._tallies]
        if sum(map(len, counted)) <= self._nodes_most:
            return
        self._forgotten += 1
        _forget(counted, self._nodes_most)
        for counts, children in self._trees:
            for node in children.keys() - counts.keys():
                del children[node]

    def _remember(self, user: _User, one: Attempt) -> None:
        """Learn what a user has shown; of too many values of all users some are let go."""
        before = len(user.seen)
        _remember(user, one)
        self._own += len(user.seen) - before
        if self._own > self._own_most:
            self._forgotten += 1
            self._own = _forget([each.seen for each in self._users.values()], self._own_most)

    # --- What it comes to ---

    def measured(self) -> Measured:
        """Return what was measured so far."""
        every = list(self._users.values())
        honest = {
            model: sorted(score for user in every for score in user.honest[model])
            for model in Model
        }
        attacks = {
            (model, thief): sorted(
                score for user in every for score in user.attacks.get((model, thief), ())
            )
            for model in Model
            for thief in Thief
        }
        ours = {HONEST: honest[Model.BACK_OFF]} | {
            thief.value: attacks[Model.BACK_OFF, thief] for thief in Thief
        }
        return Measured(
            sign_ins=self._sign_ins,
            scored=len(honest[Model.BACK_OFF]),
            users=len(every) << self._halvings,
            sampled=1 / (1 << self._halvings),
            forgotten=self._forgotten,
            raised={who: share_from(some, RAISED / PER_NAT) for who, some in ours.items()},
            high={who: share_from(some, HIGH / PER_NAT) for who, some in ours.items()},
            models={
                model: {
                    thief: _against(every, model, attacks[model, thief], honest[model])
                    for thief in Thief
                }
                for model in Model
            },
        )


def _against(
    users: list[_User], model: Model, attacks: list[float], honest: list[float]
) -> Against:
    rates = []
    for rate in RATES if attacks and honest else ():
        limit = threshold(attacks, rate)
        own = [user.honest[model] for user in users]
        medians = {str(most): middle_count(own, limit, sign_ins=most) for most in FIRST}
        rates.append(
            AtRate(
                rate=rate,
                threshold=limit,
                step_up=share_from(honest, limit) or 0.0,
                medians=medians,
            )
        )
    return Against(attacks=len(attacks), area=area(attacks, honest), rates=tuple(rates))


def _nodes(text: str) -> tuple[str, ...]:
    """Return the names of a path's nodes among all: longer ones than an account keeps."""
    ends = range(NODE_LETTERS, len(text) + 1, NODE_LETTERS)
    nodes = [text[:end] for end in ends]
    return (*nodes, *(UNKNOWN,) * (LEVELS - len(nodes)))


def _values(one: Attempt) -> tuple[Hashable, ...]:
    """Return what Freeman's model counts, fine to coarse: hashes, since texts are long."""
    country, asn, _, address = one.ip
    device, _, _, text = one.ua
    return tuple(map(hash, (address, asn, country, text, *one.versions, device)))


def _remember(user: _User, one: Attempt) -> None:
    user.sign_ins += 1
    user.last = one
    user.ip = remember_path(user.ip, path_of(joined(*one.ip)), IP_KEPT)
    user.ua = remember_path(user.ua, path_of(joined(*one.ua)), UA_KEPT)
    for place, value in enumerate(_values(one)):
        user.seen[place, value] = user.seen.get((place, value), 0) + 1


def _forget(counted: list[dict[Any, int]], most: int) -> int:
    """Let the values that were seen least often go, until half of ``most`` are left, or fewer.

    Returns how many are. Prevents: a file whose values were all seen twice, of which none would go,
    and all would be looked through again with each row.
    """
    least, left = 1, most
    while left > most // 2:
        for each in counted:
            often = {value: times for value, times in each.items() if times > least}
            each.clear()
            each.update(often)
        least *= 2
        left = sum(map(len, counted))
    return left


def _draw(kept: list[T], one: T, times: int, most: int, random: Random) -> None:
    """Keep ``one`` among ``most``, each of so many with the same chance (Vitter, algorithm R)."""
    if len(kept) < most:
        kept.append(one)
        return
    place = random.randrange(times)
    if place < most:
        kept[place] = one
