"""Long random attacks on the World: a thief with few capabilities, and an honest owner beside him.

The prover says that fewer than k capabilities steal nothing, or next to nothing. Here nothing is
proved: a thief does what comes to mind, tens of thousands of times, and what left is counted. The
same attacker with more capabilities, or under weaker rules, does steal: else he would show nothing.

Always true (tests/unit/range/test_roaming.py): the same seed is the same attack; what a thief had
leave is counted by the sums of his payloads, not by the gate's own word.

Source: docs/range.md, docs/proof.md.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from datetime import date, timedelta
from itertools import chain, combinations, islice
from random import Random
from typing import TypeVar

import msgspec
from msgspec.structs import replace

from twinlock.bootstrap.rulebook import RuleBook
from twinlock.domain.account import Account, Device
from twinlock.domain.actions import Place
from twinlock.domain.assurance import Placement, level_shown
from twinlock.domain.authenticators.model import Passkey, factor_of
from twinlock.domain.bounds import PROVED_WITHIN, SMALL_SUM_CENTS
from twinlock.domain.channels import ChannelKind
from twinlock.domain.ids import AuthenticatorId, MemberId
from twinlock.domain.limits import Limits
from twinlock.domain.listed import Destination
from twinlock.domain.policy.facts import DestinationState
from twinlock.domain.policy.narrow import is_narrow
from twinlock.domain.prover import enrolment
from twinlock.domain.prover.capabilities import (
    TABLE,
    Assumptions,
    Capability,
    Mean,
    counted,
    means_of,
)
from twinlock.domain.prover.enrolment import LOCKS, NOW, OLD, OWNER, PASSWORD, SESSION, Enrolment
from twinlock.domain.prover.system import variants
from twinlock.domain.proving import CODES
from twinlock.range.roaming_ground import Ground, Left, Said, Speaker, named_so, seeded
from twinlock.range.roaming_owner import Owner
from twinlock.range.roaming_thief import Thief, mean_of, reads
from twinlock.range.roaming_wishes import ADDRESSES

MOVES_OF_A_LIFE = 250  # Commands of a thief; then the account is made anew.
NUMBERS_MOST = 10 * MOVES_OF_A_LIFE  # Moves that begin; some come to nothing.
SMALL_FROM = timedelta(days=7)  # Law 5: from then on a small sum a day may leave a narrow account.
OWN_ADDRESS = "0x" + "1" * 40
BUDGET = 500_00  # US cents a day to the owner's own address, on the session key alone.
AGREES_ABOVE = 500_00  # US cents a day, where there is a trusted contact.
# Of so many lives thieves hold what reaches the floor, what gives something, or anything.
LIVES = (70, 20, 10)
T = TypeVar("T")


class Setting(msgspec.Struct, frozen=True, kw_only=True):
    """One life before it is lived: the state of the account, what the thief holds, the seed."""

    number: int
    state: Enrolment
    capabilities: tuple[Capability, ...]
    seed: str


class Theft(msgspec.Struct, frozen=True, kw_only=True):
    """What a thief had leave, and how long after his first move."""

    life: int
    state: str
    narrow: bool
    capabilities: tuple[Capability, ...]
    action: str
    cents: int
    seconds: int
    beyond: bool  # what the theorem allows


class Lived(msgspec.Struct, frozen=True, kw_only=True):
    """One life: the commands of its thief, what he stole, and how it went for its owner.

    ``numbers`` are those of the moves that he made, ``trace`` is all that was decided, ``broken``
    tells of our own mistakes.
    """

    moves: int
    numbers: tuple[int, ...]
    trace: tuple[Said, ...]
    thefts: tuple[Theft, ...]
    vetoed: int
    in_vain: int
    refused: Counter[str]
    broken: tuple[str, ...]


class Roamed(msgspec.Struct, frozen=True, kw_only=True):
    """All lives of one attack."""

    profile: str
    seed: int
    k: int
    moves: int
    lives: int
    vetoed: int
    in_vain: int
    refused: dict[str, int]
    broken: tuple[str, ...]
    thefts: tuple[Theft, ...]

    @property
    def beyond(self) -> tuple[Theft, ...]:
        """Return what the theorem does not allow."""
        return tuple(one for one in self.thefts if one.beyond)


# --- Which lives ---


def settings(seed: int, *, k: int) -> Iterator[Setting]:
    """Give lives without end: every set of authenticators and channels once, and again.

    Mostly the thief holds what reaches the floor of the account, or gives something at all.
    """
    random = seeded(f"{seed} settings")
    every = tuple(combinations([one for one in TABLE if counted(one)], k))
    for number, base in enumerate(_in_turn(tuple(enrolment.bases()), random)):
        state = random.choice(variants(replace(base, lock=random.choice(LOCKS))))
        reach = [some for some in every if reaches(state, given(some))]
        mighty = [some for some in every if given(some)]
        held = random.choices((reach or mighty, mighty, every), LIVES)[0]
        yield Setting(
            number=number,
            state=state,
            capabilities=random.choice(held),
            seed=f"{seed} life {number}",
        )


def _in_turn(some: tuple[T, ...], random: Random) -> Iterator[T]:
    """Give all of ``some`` in an order drawn at random, and again in another one."""
    while True:
        yield from random.sample(some, len(some))


def given(some: Iterable[Capability]) -> frozenset[Mean]:
    """Return what ``some`` give together."""
    assumed = Assumptions()
    return frozenset(chain.from_iterable(means_of(one, assumed=assumed) for one in some))


def reaches(state: Enrolment, means: frozenset[Mean]) -> bool:
    """Say whether ``means`` show as much as the account of ``state`` asks of its owner."""
    account = account_of(state, means=means)
    shown = {factor_of(one) for one in account.authenticators if mean_of(one) in means}
    kinds = reads(means)
    shown |= {
        of for of, kind in CODES.items() for one in account.channels if one.kind is kind in kinds
    }
    return level_shown(shown, floor=account.floor) >= account.floor


def account_of(state: Enrolment, *, means: frozenset[Mean]) -> Account:
    """Return the account of ``state``: where somebody's contact was turned, it has a contact."""
    account = replace(
        enrolment.account_of(state),
        authenticators=(PASSWORD, *state.authenticators),
        api_keys=state.keys,
        lock=state.lock,
        devices=(Device(thumbprint=SESSION.thumbprint, since=OLD, seen_at=NOW),),
    )
    if Mean.CONTACT not in means:
        return account
    friend = Passkey(
        authenticator_id=AuthenticatorId("con_friend"),
        member_id=MemberId("mem_friend"),
        bound_at=OLD,
        entry=11,
        name="a friend",
        credential_id="credential of a friend",
        public_key="key of a friend",
        backup_eligible=False,
        placement=Placement.ROAMING,
    )
    return replace(account, contacts=(friend,), limits=Limits(agreement_cents=AGREES_ABOVE))


def own_place() -> Destination:
    """Return where the owner pays to, now and then: listed long ago, with a budget."""
    used = NOW - timedelta(days=5)
    return _listed(OWN_ADDRESS, usable_at=OLD, used_at=used, budget_cents=BUDGET)


def _listed(address: str, **more: object) -> Destination:
    place = Place(account=OWNER, network="ethereum", address=address, memo="")
    return Destination(
        destination_id=named_so(place),
        account_id=OWNER,
        version=1,
        network=place.network,
        address=address,
        memo="",
        added_at=OLD,
        **more,  # type: ignore[arg-type] # the fields that differ
    )


# --- Living ---


async def live(
    book: RuleBook,
    setting: Setting,
    *,
    most: int = MOVES_OF_A_LIFE,
    numbers: Iterable[int] = range(NUMBERS_MOST),
) -> Lived:
    """Live one life: the thief's moves of these ``numbers``, until he gave ``most`` commands."""
    means = given(setting.capabilities)
    account, own = account_of(setting.state, means=means), own_place()
    planted = (_listed(ADDRESSES[0], imported=True),) if setting.state.planted else ()
    ground = Ground(book, account, own, *planted, seed=setting.seed, begins=NOW)
    device = SESSION.thumbprint
    owner = Owner(ground, seed=setting.seed, muted=muted(means), device=device, pays=own)
    thief = Thief(ground, seed=setting.seed, means=means, wait=owner.live_until)
    made = []
    for number in numbers:
        over = ground.now >= NOW + PROVED_WITHIN or ground.account.erased_at is not None
        if over or ground.given[Speaker.THIEF] >= most:
            break
        await owner.live_until(ground.now)
        await thief.move(number)
        made.append(number)
    stolen = [one for one in ground.left if one.action.action_id in thief.asked]
    narrow = is_narrow(
        account, (), DestinationState.NEW, whole=account, floor=account.floor, now=NOW
    )
    return Lived(
        moves=ground.given[Speaker.THIEF],
        numbers=tuple(made),
        trace=tuple(ground.trace),
        thefts=tuple(thefts(setting, stolen, narrow=narrow)),
        vetoed=owner.vetoed,
        in_vain=owner.in_vain,
        refused=ground.refused,
        broken=tuple(ground.broken),
    )


def muted(means: Iterable[Mean]) -> frozenset[ChannelKind]:
    """Return the kinds of channels on which the owner hears nothing."""
    kinds = {
        Mean.MUTE_EMAIL: ChannelKind.EMAIL,
        Mean.MUTE_SMS: ChannelKind.SMS,
        Mean.MUTE_DESKTOP: ChannelKind.DESKTOP,
    }
    return frozenset(kinds[one] for one in means if one in kinds)


def thefts(setting: Setting, stolen: Iterable[Left], *, narrow: bool) -> Iterator[Theft]:
    """Give what of ``stolen`` the theorem speaks of, and whether it allows it."""
    days: Counter[date] = Counter()
    for one in stolen:
        after = one.at - NOW
        if after >= PROVED_WITHIN:
            continue
        days[one.at.date()] += one.cents
        small = narrow and after >= SMALL_FROM and days[one.at.date()] <= SMALL_SUM_CENTS
        yield Theft(
            life=setting.number,
            state=setting.state.name,
            narrow=narrow,
            capabilities=setting.capabilities,
            action=str(one.action.payload.__struct_config__.tag),
            cents=one.cents,
            seconds=int(after.total_seconds()),
            beyond=not small,
        )


async def roam(
    book: RuleBook,
    *,
    seed: int,
    moves: int,
    k: int = 1,
    told: Callable[[int], None] = lambda _: None,
) -> Roamed:
    """Live lives until thieves with ``k`` capabilities made so many ``moves``."""
    lived: list[Lived] = []
    done = 0
    for setting in settings(seed, k=k):
        if done >= moves:
            break
        lived.append(await live(book, setting))
        done += lived[-1].moves
        told(done)
    return Roamed(
        profile=book.policy.profile,
        seed=seed,
        k=k,
        moves=done,
        lives=len(lived),
        vetoed=sum(one.vetoed for one in lived),
        in_vain=sum(one.in_vain for one in lived),
        refused=dict(sum((one.refused for one in lived), Counter())),
        broken=tuple(broken for one in lived for broken in one.broken),
        thefts=tuple(theft for one in lived for theft in one.thefts),
    )


async def shrunk(book: RuleBook, setting: Setting) -> Lived:
    """Return the same life with so few moves that none can be left out, and it still steals.

    What it steals is beyond what is allowed, if the whole life does that.
    """
    best = await live(book, setting)
    kept, size = best.numbers, len(best.numbers) // 2
    while size:
        start = 0
        while start < len(kept):
            fewer = kept[:start] + kept[start + size :]
            lived = await live(book, setting, numbers=fewer)
            if any(one.beyond for one in lived.thefts):
                kept, best = fewer, lived
            else:
                start += size
        size //= 2
    return best


def setting_of(seed: int, *, k: int, life: int) -> Setting:
    """Return the setting of one life of an attack."""
    return next(islice(settings(seed, k=k), life, None))
