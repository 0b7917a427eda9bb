"""What a permit may say beside its action: only what means something of that one."""

import re
from datetime import timedelta

import pytest
from support.policies import DEFAULT, policy_of, with_rules

from twinlock.adapters.policies import shipped
from twinlock.domain.actions import BUILT
from twinlock.domain.catalogue import CLASS_OF, REPUDIATIONS, ActionClass
from twinlock.domain.policy.annotations import RISK_HELD, PolicyFault, PolicyRefusedError

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


@pytest.mark.parametrize("action", sorted(BUILT - {"destination.add"}))
def test_only_a_listing_lapses_without_use(action: str) -> None:
    """Prevents: two lengths of which the rule that is first by name counts, and nobody is told."""
    text = with_annotation(action, '@lapses_seconds("60")')

    assert fault_of(text, action=action) is PolicyFault.ANNOTATION


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
