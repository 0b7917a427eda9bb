"""What a permit may say beside its action: only what means something of that one."""

import re
from datetime import timedelta

import pytest
from support.policies import DEFAULT, policy_of, with_rules

from twinlock.adapters.policies import shipped
from twinlock.domain.actions import BUILT
from twinlock.domain.api_keys import LONGEST
from twinlock.domain.bounds import REGISTERED_EXITS_MOST
from twinlock.domain.catalogue import CLASS_OF, REPUDIATIONS, ActionClass
from twinlock.domain.policy.annotations import (
    RISK_HELD,
    PolicyFault,
    PolicyRefusedError,
    key_lapses,
)
from twinlock.domain.policy.trading import TradingRules

TIGHTEN = {one for one, cls in CLASS_OF.items() if cls is ActionClass.TIGHTENING} - REPUDIATIONS


def with_annotation(action: str, annotation: str) -> str:
    """Return the default policy whose permit of ``action`` says one thing more."""
    name = f'@id("{action}.permit")'
    text = shipped("default")
    assert text.count(name) == 1
    return text.replace(name, f"{name} {annotation}")


def fault_of(text: str, *, action: str) -> PolicyFault:
    """Return why a policy is refused, by the permit of ``action``."""
    with pytest.raises(PolicyRefusedError) as refused:
        policy_of(text)
    assert refused.value.rule == f"{action}.permit"
    return refused.value.fault


@pytest.mark.parametrize(
    "action", sorted((TIGHTEN & BUILT) | {"withdrawal.crypto", "account.erase"})
)
def test_no_freeze_exit_or_erasure_holds_the_exits(action: str) -> None:
    """Prevents: a freeze that costs its owner a year, and a withdrawal that holds itself."""
    text = with_annotation(action, '@exits_held_seconds("31622400")')

    assert fault_of(text, action=action) is PolicyFault.ANNOTATION


@pytest.mark.parametrize("action", sorted(BUILT - {"destination.add", "api_key.create"}))
def test_only_a_listing_and_a_key_lapse_without_use(action: str) -> None:
    """Prevents: two lengths of which the rule that is first by name counts, and nobody is told."""
    text = with_annotation(action, '@lapses_seconds("60")')

    assert fault_of(text, action=action) is PolicyFault.ANNOTATION


@pytest.mark.parametrize("action", sorted(BUILT - {"api_key.create"}))
def test_only_a_key_lapses_unused(action: str) -> None:
    text = with_annotation(action, '@unused_seconds("60")')

    assert fault_of(text, action=action) is PolicyFault.ANNOTATION


def test_a_statute_shortens_the_life_of_keys_and_lengthens_none() -> None:
    short = with_annotation("api_key.create", '@lapses_seconds("60") @unused_seconds("120")')
    long = with_annotation(
        "api_key.create", '@lapses_seconds("31622400") @unused_seconds("31622400")'
    )

    lapses = policy_of(short).statutes.key_lapses
    assert (lapses.unbound.total_seconds(), lapses.unused.total_seconds()) == (60, 120)
    assert policy_of(long).statutes.key_lapses == LONGEST == DEFAULT.statutes.key_lapses
    assert key_lapses(None) == LONGEST


@pytest.mark.parametrize("action", ["destination.add", "freeze.lift"])
def test_what_loosens_may_hold_the_exits(action: str) -> None:
    policy = policy_of(with_annotation(action, '@exits_held_seconds("60")'))

    held = policy.statutes.exits_held(action)
    assert held is not None
    assert held.total_seconds() == 60


def test_the_lapse_is_the_listing_s_own() -> None:
    text = shipped("default").replace('@lapses_seconds("2592000")', '@lapses_seconds("60")')

    assert policy_of(text).statutes.lapse.total_seconds() == 60
    assert DEFAULT.statutes.lapse.days == 30


@pytest.mark.parametrize("action", sorted(BUILT - {"session.start"}))
@pytest.mark.parametrize("name", RISK_HELD)
def test_only_a_sign_in_is_held_for_its_score(action: str, name: str) -> None:
    assert fault_of(with_annotation(action, f'@{name}("60")'), action=action) is (
        PolicyFault.ANNOTATION
    )


@pytest.mark.parametrize(
    "said",
    [
        '@liquid("BTC USDT")',
        '@liquid("BTC/USDT,,")',
        '@far_bp("0")',
        '@far_bp("2001")',
        '@far_in("some_pair")',
        '@times_busiest("11")',
        '@orders_an_hour("0")',
        '@notional_an_hour_cents("-1")',
    ],
)
def test_what_is_unusual_is_said_in_pairs_and_in_numbers_that_bound_something(said: str) -> None:
    name = said.partition("(")[0]
    text = re.sub(rf'{name}\("[^"]*"\)', "", shipped("default"))
    named = '@id("trade.unusual.permit")'

    assert fault_of(text.replace(named, f"{named} {said}"), action="trade.unusual") is (
        PolicyFault.ANNOTATION
    )


@pytest.mark.parametrize("said", ["bills", "x.Bills", "x.bills,", "x.bills x.loans"])
def test_exits_of_a_platforms_own_are_named_by_their_registered_names(said: str) -> None:
    text = with_annotation("platform.exit", f'@speaks_of("{said}")')

    assert fault_of(text, action="platform.exit") is PolicyFault.ANNOTATION


def test_a_permit_speaks_of_the_exits_that_it_names_and_of_no_others() -> None:
    text = with_annotation("platform.exit", '@speaks_of("x.bills, x.loans")')
    most = ",".join(f"x.n{number}" for number in range(REGISTERED_EXITS_MOST))
    fits = with_annotation("platform.exit", f'@speaks_of("{most}")')
    more = with_annotation("platform.exit", f'@speaks_of("{most},x.more")')

    assert policy_of(text).statutes.speaks_of == {"x.bills", "x.loans"}
    assert DEFAULT.statutes.speaks_of == frozenset()
    assert len(policy_of(fits).statutes.speaks_of) == REGISTERED_EXITS_MOST
    assert fault_of(more, action="platform.exit") is PolicyFault.ANNOTATION


@pytest.mark.parametrize("action", sorted(BUILT - {"platform.exit"}))
def test_only_a_platforms_own_exits_are_spoken_of(action: str) -> None:
    assert fault_of(with_annotation(action, '@speaks_of("x.bills")'), action=action) is (
        PolicyFault.ANNOTATION
    )


def test_a_policy_that_permits_none_of_them_refuses_them() -> None:
    text = re.sub(r'@id\("platform.exit.permit"\)[^;]*;', "", shipped("default"))

    assert policy_of(text).statutes.speaks_of == frozenset()


@pytest.mark.parametrize("name", RISK_HELD)
def test_a_score_holds_for_two_weeks_at_most(name: str) -> None:
    """Law 5: what a score alone holds ends."""
    text = re.sub(rf'@{name}\("[0-9]+"\)', f'@{name}("SECONDS")', shipped("default"))
    longest = policy_of(text.replace("SECONDS", "1209600")).statutes

    assert timedelta(days=14) in longest.scores_held("session.start")
    longer = text.replace("SECONDS", "1209601")
    assert fault_of(longer, action="session.start") is PolicyFault.ANNOTATION


@pytest.mark.parametrize(
    "condition",
    [
        "when { context.risk < 60 }",
        "when { context.risk == 60 }",
        "when { context.new_device } unless { context.risk >= 60 }",
    ],
)
def test_no_rule_stops_matching_as_a_score_rises(condition: str) -> None:
    """Law 1: the platform's word only adds."""
    rule = (
        '@id("a.rule") @outcome("deny") @reason("platform_rule") '
        f'forbid (principal, action == Action::"session.start", resource) {condition};'
    )
    with pytest.raises(PolicyRefusedError) as refused:
        policy_of(with_rules(rule))

    assert refused.value.fault is PolicyFault.RELAXES


@pytest.mark.parametrize("action", sorted(BUILT - {"trade.unusual"}))
def test_only_unusual_trades_say_what_is_unusual(action: str) -> None:
    text = with_annotation(action, '@far_bp("100")')

    assert fault_of(text, action=action) is PolicyFault.ANNOTATION


def test_a_policy_that_says_nothing_of_trades_has_no_liquid_pair() -> None:
    words = "liquid|far_bp|times_busiest|orders_an_hour|notional_an_hour_cents"
    text = re.sub(rf'@({words})\("[^"]*"\)', "", shipped("default"))

    assert policy_of(text).statutes.trading == TradingRules()
