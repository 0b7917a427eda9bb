"""The roaming thief, the owner beside him, and how what was stolen is counted."""

from datetime import timedelta
from itertools import islice

import pytest
from msgspec.structs import replace
from typer.testing import CliRunner

from twinlock.cli.main import app
from twinlock.domain.account import OpenAction
from twinlock.domain.actions import BUILT, payload_bytes, payload_digest
from twinlock.domain.bounds import PROVED_WITHIN, SMALL_SUM_CENTS
from twinlock.domain.catalogue import ActionType
from twinlock.domain.channels import ChannelKind
from twinlock.domain.ids import action_id
from twinlock.domain.prover.capabilities import TABLE, Capability, counted
from twinlock.domain.prover.enrolment import CHANNELS, NOW, OWNER, ROAMING_KEY, SESSION, Enrolment
from twinlock.domain.prover.moves import leaving
from twinlock.range.profiles import BASELINE, DEFAULT, rules_of
from twinlock.range.roaming import (
    SMALL_FROM,
    Setting,
    Theft,
    account_of,
    given,
    live,
    muted,
    own_place,
    reaches,
    roam,
    setting_of,
    settings,
    shrunk,
    thefts,
)
from twinlock.range.roaming_ground import Ground, Left, seeded
from twinlock.range.roaming_owner import Owner
from twinlock.range.roaming_thief import reads
from twinlock.range.roaming_wishes import WISHES, Wishes

STATE = Enrolment(authenticators=(ROAMING_KEY,), channels=CHANNELS)
SECOND = timedelta(seconds=1)
ETHER = next(one for one in rules_of(DEFAULT).policy.assets if one.symbol == "ETH")


def a_ground(state: Enrolment = STATE, profile: str = DEFAULT) -> Ground:
    account = account_of(state, means=frozenset())
    return Ground(rules_of(profile), account, own_place(), seed="a test", begins=NOW)


def an_owner(ground: Ground, *silent: ChannelKind) -> Owner:
    return Owner(
        ground,
        seed="a test",
        muted=frozenset(silent),
        device=SESSION.thumbprint,
        pays=own_place(),
    )


def wishes(ground: Ground, seed: str) -> Wishes:
    account, assets = ground.account, ground.book.policy.assets
    return Wishes(seeded(seed), account, member=account.member_id, assets=assets)


# --- What is asked for ---


def test_every_action_that_is_built_is_asked_for() -> None:
    assert set(WISHES) == BUILT


@pytest.mark.parametrize("kind", sorted(WISHES))
async def test_whatever_is_asked_for_can_be_proposed(kind: str) -> None:
    ground = a_ground()

    for number in range(8):
        payload, secret = wishes(ground, f"{kind} {number}").one(kind)
        await ground.propose(payload, secret)

    assert len(ground.trace) == 8
    assert ground.broken == []


# --- Which lives ---


def test_every_set_of_authenticators_and_channels_is_lived_in() -> None:
    found = list(islice(settings(1, k=1), 128))

    assert len({(one.state.authenticators[:4], one.state.channels) for one in found}) >= 128
    assert {one.state.lock.days for one in found} == {0, 7}


def test_every_capability_that_is_counted_is_held_by_somebody() -> None:
    found = list(islice(settings(1, k=1), 2_000))

    held = {name for one in found for name in one.capabilities}
    assert held == {one for one in TABLE if counted(one)}


def test_a_life_is_found_again_by_its_number() -> None:
    assert setting_of(3, k=2, life=5) == list(islice(settings(3, k=2), 6))[-1]


def test_what_reaches_the_floor_is_what_shows_as_much() -> None:
    assert reaches(STATE, given([Capability.HW_KEY]))
    assert not reaches(STATE, given([Capability.PHONE_MALWARE]))


def test_whoever_buries_mail_does_not_read_it() -> None:
    means = given([Capability.MAIL_BOMB])

    assert muted(means) == {ChannelKind.EMAIL}
    assert reads(means) == frozenset()


async def test_the_same_seed_is_the_same_attack() -> None:
    book = rules_of(DEFAULT)

    assert await roam(book, seed=9, moves=300) == await roam(book, seed=9, moves=300)


# --- The owner ---


async def listed_by_a_thief(ground: Ground) -> str:
    payload, secret = wishes(ground, "a listing").one(ActionType.DESTINATION_ADD)
    action = await ground.propose(replace(payload, budget_cents=0), secret)
    await ground.show(action, ROAMING_KEY)
    return action


async def test_what_waits_and_is_not_hers_is_vetoed_within_a_day() -> None:
    ground = a_ground()
    owner = an_owner(ground)
    action = await listed_by_a_thief(ground)
    assert ground.find(action) is not None

    await owner.live_until(ground.now + timedelta(days=1))

    assert ground.find(action) is None
    assert owner.vetoed == 1
    assert set(ground.account.destinations) == {own_place().destination_id}


async def test_an_owner_who_hears_nothing_stops_nothing() -> None:
    ground = a_ground()
    owner = an_owner(ground, *ChannelKind)
    await listed_by_a_thief(ground)

    await owner.live_until(ground.now + timedelta(days=8))
    await ground.settle()

    assert owner.vetoed == 0
    assert len(ground.account.destinations) > 1


async def test_she_pays_to_her_own_address_now_and_then() -> None:
    ground = a_ground()
    owner = an_owner(ground)

    await owner.live_until(ground.now + timedelta(days=30))

    assert ground.left
    assert ground.broken == []


# --- What was stolen ---


def left(*, after: timedelta, cents: int) -> Left:
    payload = leaving(ETHER)
    action = OpenAction(
        action_id=action_id(OWNER, bytes(16)),
        member_id=account_of(STATE, means=frozenset()).member_id,
        payload=payload,
        digest=payload_digest(payload_bytes(payload)),
        proposed_at=NOW,
        lapses_at=NOW,
        veto_key="",
    )
    return Left(action=action, at=NOW + after, cents=cents)


def counted_as(*some: Left, narrow: bool) -> list[Theft]:
    setting = Setting(number=0, state=STATE, capabilities=(Capability.HW_KEY,), seed="")
    return list(thefts(setting, some, narrow=narrow))


@pytest.mark.parametrize(
    ("narrow", "after", "cents", "beyond"),
    [
        pytest.param(True, SMALL_FROM, SMALL_SUM_CENTS, False, id="a small sum after a week"),
        pytest.param(True, SMALL_FROM, SMALL_SUM_CENTS + 1, True, id="a cent more"),
        pytest.param(True, SMALL_FROM - SECOND, 1, True, id="a second earlier"),
        pytest.param(False, SMALL_FROM, 1, True, id="from an account that is not narrow"),
    ],
)
def test_what_the_theorem_allows_is_no_finding(
    *, narrow: bool, after: timedelta, cents: int, beyond: bool
) -> None:
    assert [one.beyond for one in counted_as(left(after=after, cents=cents), narrow=narrow)] == [
        beyond
    ]


def test_the_sum_of_a_day_is_what_counts() -> None:
    half = SMALL_SUM_CENTS // 2 + 1
    day = [left(after=SMALL_FROM, cents=half), left(after=SMALL_FROM + SECOND, cents=half)]

    assert [one.beyond for one in counted_as(*day, narrow=True)] == [False, True]


def test_the_theorem_speaks_of_a_month() -> None:
    assert counted_as(left(after=PROVED_WITHIN, cents=1), narrow=False) == []


async def test_what_left_is_counted_by_its_payload() -> None:
    ground = a_ground(profile=BASELINE)
    payload = replace(leaving(ETHER), amount_minor=str(25 * 10 ** (ETHER.decimals - 1)))
    action = await ground.propose(payload, claimed_cents=10**6)
    await ground.show(action, ROAMING_KEY)

    assert await ground.spend(action)
    assert [one.cents for one in ground.left] == [250]


async def test_a_theft_is_told_by_the_moves_that_it_takes() -> None:
    book = rules_of(BASELINE)
    setting = setting_of(1, k=1, life=0)

    whole, few = await live(book, setting), await shrunk(book, setting)

    assert any(one.beyond for one in few.thefts)
    assert len(few.trace) < len(whole.trace)


# --- The command ---


def test_an_attack_that_steals_nothing_exits_with_0() -> None:
    result = CliRunner().invoke(app, ["range", "attack", "--moves", "200", "--json"])

    assert result.exit_code == 0
    assert '"beyond"' not in result.stdout
    assert '"profile":"default"' in result.stdout


def test_an_attack_that_steals_exits_with_1_and_tells_how() -> None:
    result = CliRunner().invoke(
        app, ["range", "attack", "--moves", "200", "--profile", BASELINE, "--seed", "1"]
    )

    assert result.exit_code == 1
    assert "thefts beyond it" in result.stdout
    assert "thief: spend: allow" in result.stdout
