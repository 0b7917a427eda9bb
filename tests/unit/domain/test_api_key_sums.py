"""What a key is when it is made, and what one use takes of its sum: by itself, to the cent."""

import pytest
from msgspec.structs import replace
from support.cast import DAY, MEMBER, NOON
from support.worlds import (
    PASSWORD,
    SMS,
    SYNCED,
    a_destination,
    a_session,
    an_account,
    make_key,
    send,
)

from twinlock.domain.account import Account, ApiKey, OpenAction, Shown, State
from twinlock.domain.actions import AnyPayload
from twinlock.domain.api_keys import (
    by_keys_alone,
    charge_of,
    charged,
    ended_with,
    key_shown,
    key_use,
    level_of_key,
    made,
    refusal_to_tell,
    spent_on,
    stopped,
    stopped_with,
    taken,
)
from twinlock.domain.assurance import Factor, Level
from twinlock.domain.bounds import FLOOD_TOLD_EVERY, MAX_VALUE_CENTS, SIM_CHANGE_PERIOD
from twinlock.domain.errors import InvariantError
from twinlock.domain.events import ActionAuthorized, ActionSpent, AuthenticatorSuspended
from twinlock.domain.ids import ActionId, ApiKeyId, AuthenticatorId
from twinlock.domain.policy.facts import ApiKeyState, Within
from twinlock.domain.replay import apply

ONE, TWO = ApiKeyId("key_1"), ApiKeyId("key_2")
NINTH = "key_9"
TODAY = 20_468  # 2026-01-15, counted from 1970
SUM = 100_00
KNOWN = a_destination()


def a_key(named: ApiKeyId = ONE, **changes: object) -> ApiKey:
    key = ApiKey(
        api_key_id=named,
        public_key="K" * 43,
        scopes=("withdraw",),
        ip_list=(),
        destinations=(KNOWN.destination_id,),
        daily_cents=SUM,
        created_at=NOON - DAY,
        by=(SYNCED.entry,),
        proved_by=(Factor.PASSKEY,),
    )
    return replace(key, **changes)


def proof(factor: Factor = Factor.API_KEY, source: str = ONE, **changes: object) -> Shown:
    shown = Shown(source=source, factor=factor, root=None, bound_at=NOON, at=NOON, entry=7)
    return replace(shown, **changes)


def an_action(
    *shown: Shown, payload: AnyPayload | None = None, named: str = "act_1", **changes: object
) -> OpenAction:
    action = OpenAction(
        action_id=ActionId(named),
        member_id=MEMBER,
        payload=payload or send(),
        digest="",
        proposed_at=NOON,
        lapses_at=NOON + DAY,
        veto_key="",
        shown=shown,
    )
    return replace(action, **changes)


def with_keys(*keys: ApiKey, actions: tuple[OpenAction, ...] = ()) -> Account:
    return replace(an_account(), api_keys=keys, actions=actions)


# --- What it is made of ---


def test_a_key_knows_the_entry_that_made_it_and_what_proved_it() -> None:
    account = an_account(PASSWORD, channels=(SMS,))
    account = replace(account, chain=replace(account.chain, entries=41))
    shown = (
        proof(Factor.PASSWORD, PASSWORD.authenticator_id, bound_at=PASSWORD.bound_at),
        proof(Factor.SMS_CODE, SMS.channel_id, at=NOON + DAY),
        proof(Factor.SMS_CODE, SMS.channel_id, at=NOON),
        proof(Factor.SMS_CODE, "chn_gone", at=NOON - DAY),
        proof(Factor.TOTP, "aut_gone"),
    )
    key = made(account, an_action(*shown, payload=make_key(), secret=NINTH), at=NOON, by=(3,))

    assert (key.api_key_id, key.entry, key.by) == ("key_9", 41, (3,))
    assert key.proved_by == (Factor.PASSWORD, Factor.SMS_CODE)
    assert key.sms_at == NOON
    assert not key.stopped


def test_a_proof_of_a_key_that_is_gone_is_of_no_key_and_the_next_one_counts() -> None:
    account = with_keys(a_key(TWO))

    assert key_shown(account, (proof(source=ONE),)) is None
    found = key_shown(account, (proof(Factor.PASSWORD), proof(source=TWO)))
    assert found is not None
    assert (found[0].key.api_key_id, found[1].source) == (TWO, TWO)


# --- Its sum ---


@pytest.mark.parametrize(
    ("daily", "spent", "charge", "told"),
    [
        pytest.param(SUM, (0, 0), None, (SUM, SUM), id="unused"),
        pytest.param(SUM, (TODAY, 30_00), None, (SUM, 70_00), id="used today"),
        pytest.param(SUM, (TODAY - 1, 30_00), None, (SUM, SUM), id="used yesterday"),
        pytest.param(SUM, (TODAY, 30_00), (ONE, TODAY, 20_00), (SUM, 90_00), id="its own"),
        pytest.param(SUM, (TODAY, 30_00), (TWO, TODAY, 20_00), (SUM, 70_00), id="of another key"),
        pytest.param(SUM, (TODAY, 30_00), (ONE, TODAY - 1, 20_00), (SUM, 70_00), id="yesterday's"),
        pytest.param(SUM, (TODAY, SUM), None, (SUM, 0), id="used up"),
        pytest.param(SUM, (TODAY, SUM + 1), None, (SUM, 0), id="beyond it, by weaker laws"),
        pytest.param(
            MAX_VALUE_CENTS + 1,
            (0, 0),
            None,
            (MAX_VALUE_CENTS, MAX_VALUE_CENTS),
            id="no more than any value",
        ),
    ],
)
def test_what_its_sum_leaves(
    daily: int,
    spent: tuple[int, int],
    charge: tuple[ApiKeyId, int, int] | None,
    told: tuple[int, int],
) -> None:
    account = with_keys(a_key(daily_cents=daily, spent=spent))
    state = State(account=account, destination_id=KNOWN.destination_id, destination=KNOWN)
    action = an_action(charge=charge)

    use = key_use(state, action, (proof(ip=Within.INSIDE),), now=NOON)

    assert use is not None
    assert (use.daily_cents, use.left_cents) == told
    assert (use.state, use.ip) == (ApiKeyState.LIVE, Within.INSIDE)


def test_an_action_takes_the_difference_and_never_gives_back() -> None:
    account = with_keys(a_key(spent=(TODAY, 30_00)), a_key(TWO, spent=(TODAY, 5_00)))
    own = an_action(charge=(ONE, TODAY, 20_00))

    def after(named: ApiKeyId, cents: int) -> list[tuple[int, int]]:
        return [key.spent for key in charged(account, own, named, cents, at=NOON)]

    assert after(ONE, 25_00) == [(TODAY, 35_00), (TODAY, 5_00)]
    assert after(ONE, 15_00) == [(TODAY, 30_00), (TODAY, 5_00)]
    assert after(TWO, 25_00) == [(TODAY, 30_00), (TODAY, 30_00)]
    assert charge_of(own, ONE, 15_00, at=NOON) == (ONE, TODAY, 20_00)
    assert charge_of(own, ONE, 25_00, at=NOON + DAY) == (ONE, TODAY + 1, 25_00)
    assert (taken(own, ONE, at=NOON), taken(own, TWO, at=NOON)) == (20_00, 0)
    assert spent_on(account.api_keys[0], NOON + DAY) == 0


def test_what_happened_is_charged_to_the_key_that_it_names_and_to_none_else() -> None:
    account = with_keys(a_key(), a_key(TWO), actions=(an_action(proof(source=ONE)),))
    yes = ActionAuthorized(at=NOON, action_id=ActionId("act_1"), value_cents=10_00, api_key_id=TWO)
    authorized = apply(State(account=account), yes)
    spent = ActionSpent(
        at=NOON + DAY,
        action_id=ActionId("act_1"),
        spend_id="s",
        fee_minor="0",
        value_cents=12_00,
        api_key_id=TWO,
    )

    after = apply(authorized, spent)
    none = apply(authorized, replace(spent, api_key_id=None))

    assert authorized.account.actions[0].charge == (TWO, TODAY, 10_00)
    assert [key.spent for key in after.account.api_keys] == [(0, 0), (TODAY + 1, 12_00)]
    assert [key.spent for key in none.account.api_keys] == [(0, 0), (TODAY, 10_00)]


def test_a_yes_that_no_key_carries_keeps_what_a_key_was_charged_before() -> None:
    """Prevents: a second yes of the owner's in between, after which the sum is taken twice."""
    own = an_action(charge=(ONE, TODAY, 10_00))
    account = with_keys(a_key(spent=(TODAY, 10_00)), actions=(own,))
    yes = ActionAuthorized(at=NOON, action_id=own.action_id, value_cents=10_00)

    after = apply(State(account=account), yes).account

    assert after.actions[0].charge == own.charge
    assert after.api_keys[0].spent == (TODAY, 10_00)


# --- What it is worth ---


def test_a_report_stops_by_the_entry_of_what_it_is_about() -> None:
    keys = (a_key(by=(3, 4)), a_key(TWO, by=(4,)))

    assert [key.stopped for key in stopped_with(keys, 3)] == [True, False]
    assert [key.stopped for key in stopped_with(stopped_with(keys, 3), 5)] == [True, False]


@pytest.mark.parametrize(
    ("proved_by", "shown_after", "level"),
    [
        pytest.param((Factor.PASSWORD, Factor.SMS_CODE), -1, Level.NONE, id="before"),
        pytest.param((Factor.PASSWORD, Factor.SMS_CODE), 0, Level.OUT_OF_BAND, id="a week after"),
        pytest.param(
            (Factor.EMAIL_CODE, Factor.PASSWORD, Factor.SMS_CODE),
            -1,
            Level.OUT_OF_BAND,
            id="beside another code",
        ),
    ],
)
def test_a_key_is_worth_nothing_once_the_number_that_made_it_was_swapped(
    proved_by: tuple[Factor, ...], shown_after: int, level: Level
) -> None:
    key = a_key(proved_by=proved_by, sms_at=NOON + SIM_CHANGE_PERIOD + shown_after * DAY)
    account = replace(an_account(PASSWORD, channels=(SMS,)), sim_changed_at=NOON)

    assert level_of_key(account, key) is level
    assert stopped(account, key) is (level is Level.NONE)
    assert level_of_key(account, replace(key, stopped=True)) is Level.NONE


# --- What it alone proves ---


def test_what_a_key_alone_proves_ends_with_it() -> None:
    own = proof(Factor.PASSWORD, PASSWORD.authenticator_id, bound_at=PASSWORD.bound_at)
    actions = (
        an_action(proof(source=ONE), named="act_key"),
        an_action(proof(source=ONE), own, named="act_both"),
        an_action(proof(source=TWO), named="act_other"),
        an_action(proof(source=ONE), proof(Factor.TOTP, "aut_gone"), named="act_fallen"),
        an_action(proof(source=ONE), proof(Factor.SESSION, "ses_alice"), named="act_session"),
        an_action(named="act_nothing"),
    )
    account = with_keys(a_key(), a_key(TWO), actions=actions)
    account = replace(account, sessions=(a_session(),))

    assert [by_keys_alone(account, one) for one in actions] == [
        True,
        False,
        True,
        True,
        True,
        False,
    ]
    ended = [one.action_id for one in ended_with(account, [ONE])]
    assert ended == ["act_key", "act_fallen", "act_session"]
    assert ended_with(account, []) == ()


def test_its_owner_is_told_of_a_refused_use_once_a_day() -> None:
    told = replace(an_account(), key_told_at=int(NOON.timestamp()))

    assert refusal_to_tell(an_account(), now=NOON)
    assert not refusal_to_tell(told, now=NOON + FLOOD_TOLD_EVERY - DAY / 24)
    assert refusal_to_tell(told, now=NOON + FLOOD_TOLD_EVERY)


def test_what_is_not_bound_is_not_suspended() -> None:
    """Prevents: a forged report, replayed as if it had stopped something."""
    gone = AuthenticatorSuspended(
        at=NOON, authenticator_id=AuthenticatorId("aut_gone"), until=NOON, for_good=True
    )

    with pytest.raises(InvariantError, match="only what is bound"):
        apply(State(account=with_keys(a_key())), gone)
