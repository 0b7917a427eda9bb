"""Every way in which a policy is refused: one bad rule for each."""

import json
import re
from pathlib import Path

import pytest
from support.policies import (
    DEFAULT,
    approvals_built,
    permits,
    policy_of,
    rules_in,
    with_rules,
)

from twinlock.adapters import cedar
from twinlock.adapters.policies import shipped
from twinlock.domain.canonical import encode
from twinlock.domain.policy import statutes as statutes_module
from twinlock.domain.policy.annotations import PolicyFault, PolicyRefusedError
from twinlock.domain.policy.statutes import RULES_MOST, TEXT_BYTES_MOST, read_statutes
from twinlock.domain.policy.version import Policy

EXITS = 'forbid (principal, action in Action::"exits", resource)'
HOLD = '@outcome("hold") @reason("platform_waits") @hold_seconds("60")'
DENY = '@outcome("deny") @reason("platform_rule")'
CHALLENGE = '@outcome("challenge") @reason("proof_needed")'
REVIEW = '@outcome("review") @reason("platform_rule")'
HELD = "unless { context.held_seconds >= 60 }"
BY_MAIL = 'context.factors.contains("email_code")'
AGE = "context.now.durationSince(context.opened_at)"
BIG = 9223372036854775807


def refusal(*rules: str) -> PolicyRefusedError:
    with pytest.raises(PolicyRefusedError) as refused:
        policy_of(with_rules(*rules))
    return refused.value


def fault_of(*rules: str) -> PolicyFault:
    return refusal(*rules).fault


def rule(annotations: str, rest: str, *, name: str = "a.rule") -> str:
    return f'@id("{name}") {annotations} {rest};'


OF_NO_RULE = {
    PolicyFault.ID_MISSING,
    PolicyFault.TEMPLATE,
    PolicyFault.TOO_LARGE,
    PolicyFault.UNREADABLE,
}
GOOD = rule(HOLD, f"{EXITS} {HELD}")


def test_a_good_rule_is_taken() -> None:
    assert len(policy_of(with_rules(GOOD)).statutes.rules) == 1


@pytest.mark.parametrize(
    ("bad", "fault"),
    [
        # The text
        pytest.param("forbid (", PolicyFault.UNREADABLE, id="text that does not parse"),
        pytest.param("\0", PolicyFault.UNREADABLE, id="a zero byte"),
        pytest.param(
            rule(DENY, f"{EXITS} when {{ context.day_cents > {BIG}0 }}"),
            PolicyFault.UNREADABLE,
            id="a literal beyond 64 bits",
        ),
        pytest.param(
            rule(DENY, f"{EXITS} when {{ context.shoe_size > 1 }}"),
            PolicyFault.INVALID,
            id="an unknown fact",
        ),
        pytest.param(
            rule(DENY, f'{EXITS} when {{ context.day_cents > "1" }}'),
            PolicyFault.INVALID,
            id="a word where a number belongs",
        ),
        pytest.param(
            rule(DENY, 'forbid (principal, action == Action::"steal", resource)'),
            PolicyFault.INVALID,
            id="an unknown action",
        ),
        pytest.param(
            rule(
                DENY,
                f'{EXITS} when {{ {AGE} < duration("1.5h") }}',
            ),
            PolicyFault.INVALID,
            id="a duration that is none",
        ),
        # Ids
        pytest.param(f"{DENY} {EXITS};", PolicyFault.ID_MISSING, id="no id"),
        pytest.param(f'@id("") {DENY} {EXITS};', PolicyFault.ID_MISSING, id="an empty id"),
        pytest.param(f"@id {DENY} {EXITS};", PolicyFault.ID_MISSING, id="an id without a value"),
        pytest.param(f"{GOOD}\n{GOOD}", PolicyFault.ID_TWICE, id="one id twice"),
        pytest.param(
            rule(DENY, EXITS, name="Not An Id"), PolicyFault.ANNOTATION, id="an id of another form"
        ),
        # Scopes
        pytest.param(
            rule(DENY, 'forbid (principal == Account::"mallory", action, resource)'),
            PolicyFault.SCOPE,
            id="a rule for one account",
        ),
        pytest.param(
            rule(DENY, "forbid (principal is Account, action, resource)"),
            PolicyFault.SCOPE,
            id="a rule for a type",
        ),
        pytest.param(
            rule(DENY, 'forbid (principal, action, resource == Account::"a")'),
            PolicyFault.SCOPE,
            id="a rule for one resource",
        ),
        pytest.param(
            rule(
                DENY,
                'forbid (principal, action in [Action::"withdrawal.crypto"], resource)',
            ),
            PolicyFault.SCOPE,
            id="a list of actions",
        ),
        pytest.param(
            rule(DENY, 'forbid (principal, action in Action::"withdrawal.crypto", resource)'),
            PolicyFault.SCOPE,
            id="an action that is no group",
        ),
        # Permits
        pytest.param(
            '@id("p") permit (principal, action == Action::"limit.raise", resource) when { true };',
            PolicyFault.PERMIT_CONDITIONAL,
            id="a conditional permit",
        ),
        pytest.param(
            '@id("p") permit (principal, action, resource);',
            PolicyFault.SCOPE,
            id="a permit for anything",
        ),
        pytest.param(
            '@id("p") permit (principal, action in Action::"exits", resource);',
            PolicyFault.SCOPE,
            id="a permit for a group",
        ),
        pytest.param(
            '@id("p") permit (principal, action == Action::"freeze.set", resource);',
            PolicyFault.PERMIT_TWICE,
            id="a second permit",
        ),
        pytest.param(
            '@id("p") permit (principal == ?principal, action, resource);',
            PolicyFault.TEMPLATE,
            id="a template",
        ),
        # Annotations
        pytest.param(
            rule(f'{HOLD} @holdseconds("60")', f"{EXITS} {HELD}"),
            PolicyFault.ANNOTATION,
            id="an annotation that nobody knows",
        ),
        pytest.param(
            rule(f'{DENY} @hold_seconds("60")', EXITS),
            PolicyFault.ANNOTATION,
            id="an annotation of another outcome",
        ),
        pytest.param(
            rule(f'{HOLD} @offers("passkey")', f"{EXITS} {HELD}"),
            PolicyFault.ANNOTATION,
            id="an annotation of a permit",
        ),
        pytest.param(
            rule('@outcome("deny")', 'permit (principal, action == Action::"gift.send", resource)'),
            PolicyFault.ANNOTATION,
            id="an outcome on a permit",
        ),
        pytest.param(
            rule('@reason("platform_rule")', EXITS), PolicyFault.ANNOTATION, id="no outcome"
        ),
        pytest.param(
            rule('@outcome("allow") @reason("limit_exceeded")', EXITS),
            PolicyFault.ANNOTATION,
            id="an outcome that is none",
        ),
        pytest.param(rule('@outcome("deny")', EXITS), PolicyFault.ANNOTATION, id="no reason"),
        pytest.param(
            rule('@outcome("deny") @reason("because")', EXITS),
            PolicyFault.ANNOTATION,
            id="a reason that no customer is told",
        ),
        pytest.param(
            rule('@outcome("hold") @reason("limit_exceeded")', f"{EXITS} {HELD}"),
            PolicyFault.ANNOTATION,
            id="a hold without a length",
        ),
        *(
            pytest.param(
                rule(HOLD.replace("60", length), f"{EXITS} {HELD}"),
                PolicyFault.ANNOTATION,
                id=f"a hold of {length or 'nothing'}",
            )
            for length in ("0", "-60", "060", "6e1", "60 ", "1d", "", str(367 * 86_400), "9" * 30)
        ),
        pytest.param(
            rule(f'{HOLD} @or_roots("1")', f"{EXITS} {HELD}"),
            PolicyFault.ANNOTATION,
            id="one root instead of a wait",
        ),
        pytest.param(
            rule(f'{CHALLENGE} @roots("3")', f"{EXITS} unless {{ context.roots_shown >= 3 }}"),
            PolicyFault.ANNOTATION,
            id="three roots",
        ),
        pytest.param(
            rule(CHALLENGE, f"{EXITS} unless {{ context.proved }}"),
            PolicyFault.ANNOTATION,
            id="a challenge for nothing",
        ),
        pytest.param(
            rule(f'{CHALLENGE} @proof("any")', f"{EXITS} unless {{ context.proved }}"),
            PolicyFault.ANNOTATION,
            id="a proof that is none",
        ),
        *(
            pytest.param(
                rule(f'{CHALLENGE} @factors("{named}")', f"{EXITS} unless {{ context.proved }}"),
                PolicyFault.ANNOTATION,
                id=f"factors {named or 'without a name'}",
            )
            for named in (
                "passkye",
                "passkey,",
                "passkey,passkey",
                "session",
                "api_key",
                "channel_code",
                "email_code",
                "sms_code",
                "recovery_code,password",
                " ",
                "",
            )
        ),
        pytest.param(
            rule(f'{REVIEW} @quorum("2")', f"{EXITS} unless {{ context.approvals >= 2 }}"),
            PolicyFault.NOT_BUILT,
            id="a review that nobody can give",
        ),
        pytest.param(
            rule(f'{DENY} @ends("never")', EXITS), PolicyFault.ANNOTATION, id="an end that is none"
        ),
        pytest.param(
            rule(f'{DENY} @ends("day") @retained_seconds("60")', EXITS),
            PolicyFault.ANNOTATION,
            id="two ends",
        ),
        pytest.param(
            rule(f'{DENY} @retained_seconds("948672001")', EXITS),
            PolicyFault.ANNOTATION,
            id="records kept for longer than any law says",
        ),
        pytest.param(
            rule(
                f'{DENY} @retained_seconds("60")',
                f"{EXITS} unless {{ context.since_last_exit_seconds >= 61 }}",
            ),
            PolicyFault.NOT_LIFTED,
            id="records kept for longer than it says",
        ),
        pytest.param(
            rule(f'{DENY} @source("http://x/\\n")', EXITS),
            PolicyFault.ANNOTATION,
            id="a strange source",
        ),
        # Conditions
        pytest.param(
            rule(DENY, f'{EXITS} when {{ context.factors.contains("passkye") }}'),
            PolicyFault.CONDITION,
            id="a factor that is misspelled",
        ),
        pytest.param(
            rule(DENY, f'{EXITS} when {{ context.factors.containsAny(["totp", "topt"]) }}'),
            PolicyFault.CONDITION,
            id="one of several that is misspelled",
        ),
        pytest.param(
            rule(DENY, f'{EXITS} when {{ context.destination == "old" }}'),
            PolicyFault.CONDITION,
            id="a state that is none",
        ),
        pytest.param(
            rule(DENY, f'{EXITS} when {{ ["new", "old"].contains(context.destination) }}'),
            PolicyFault.CONDITION,
            id="a state that is none in a list",
        ),
        pytest.param(
            rule(DENY, f'{EXITS} when {{ "a" == "b" }}'),
            PolicyFault.CONDITION,
            id="two words and no fact",
        ),
        pytest.param(
            rule(DENY, f"{EXITS} when {{ if context.narrow then true else false }}"),
            PolicyFault.CONDITION,
            id="an if",
        ),
        pytest.param(
            rule(DENY, f'{EXITS} when {{ context.destination like "n*" }}'),
            PolicyFault.CONDITION,
            id="a pattern",
        ),
        pytest.param(
            rule(DENY, f"{EXITS} when {{ context has narrow }}"),
            PolicyFault.CONDITION,
            id="a fact that may be absent",
        ),
        pytest.param(
            rule(DENY, f"{EXITS} when {{ principal == resource }}"),
            PolicyFault.CONDITION,
            id="an entity",
        ),
        pytest.param(
            rule(DENY, f'{EXITS} when {{ context.now < datetime("2026-01-01") }}'),
            PolicyFault.CONDITION,
            id="a date",
        ),
        pytest.param(
            rule(DENY, f"{EXITS} when {{ {' && '.join(['context.narrow'] * 70)} }}"),
            PolicyFault.CONDITION,
            id="seventy conditions in one",
        ),
        # Numbers that leave 64 bits
        pytest.param(
            rule(DENY, f"{EXITS} when {{ context.day_cents + {BIG} > 0 }}"),
            PolicyFault.OVERFLOW,
            id="a sum that overflows",
        ),
        pytest.param(
            rule(DENY, f"{EXITS} when {{ context.day_cents * context.value_cents > 1 }}"),
            PolicyFault.OVERFLOW,
            id="a product that overflows",
        ),
        pytest.param(
            rule(DENY, f"{EXITS} when {{ -(context.day_cents * -9223372036) - {BIG} > 1 }}"),
            PolicyFault.OVERFLOW,
            id="a difference that overflows",
        ),
        # What would lift it does not
        pytest.param(rule(HOLD, EXITS), PolicyFault.NOT_LIFTED, id="a hold that never ends"),
        pytest.param(
            rule(HOLD, f"{EXITS} unless {{ context.held_seconds > 60 }}"),
            PolicyFault.NOT_LIFTED,
            id="a hold that ends a second late",
        ),
        pytest.param(
            rule(f'{HOLD} @or_roots("2")', f"{EXITS} {HELD}"),
            PolicyFault.NOT_LIFTED,
            id="a second root that does not help",
        ),
        pytest.param(
            rule(
                f'{CHALLENGE} @factors("passkey")',
                f'{EXITS} unless {{ context.factors.contains("totp") }}',
            ),
            PolicyFault.NOT_LIFTED,
            id="another factor than the one that is asked for",
        ),
        pytest.param(
            rule(f'{CHALLENGE} @roots("2")', f"{EXITS} unless {{ context.roots_enrolled >= 2 }}"),
            PolicyFault.NOT_LIFTED,
            id="roots that are enrolled and not shown",
        ),
        pytest.param(
            rule(f'{DENY} @ends("day")', f"{EXITS} when {{ context.value_cents > 5 }}"),
            PolicyFault.NOT_LIFTED,
            id="a day that lifts nothing",
        ),
        # Law 5
        pytest.param(
            rule(DENY, 'forbid (principal, action == Action::"freeze.set", resource)'),
            PolicyFault.TIGHTENING,
            id="no freeze",
        ),
        pytest.param(
            rule(HOLD, f"forbid (principal, action, resource) {HELD}"),
            PolicyFault.TIGHTENING,
            id="a wait for anything, a freeze too",
        ),
        # Sizes
        pytest.param(
            "\n".join(rule(HOLD, f"{EXITS} {HELD}", name=f"r{n}") for n in range(RULES_MOST + 1)),
            PolicyFault.TOO_LARGE,
            id="too many rules",
        ),
        pytest.param("/" * (TEXT_BYTES_MOST + 1), PolicyFault.TOO_LARGE, id="too long a text"),
    ],
)
def test_a_policy_is_refused(bad: str, fault: PolicyFault) -> None:
    refused = refusal(bad)

    assert refused.fault is fault
    assert bool(refused.rule) is (fault not in OF_NO_RULE)
    assert not refused.rule or f'@id("{refused.rule}")' in bad


def test_a_policy_may_be_as_large_as_is_said() -> None:
    kept = permits()
    rules = [rule(HOLD, f"{EXITS} {HELD}", name=f"r{n}") for n in range(RULES_MOST - len(kept))]
    with pytest.raises(PolicyRefusedError) as refused:
        read_statutes(b" " * TEXT_BYTES_MOST)

    assert len(policy_of("\n".join([*kept, *rules])).statutes.rules) == len(rules)
    assert refused.value.fault is PolicyFault.UNREADABLE


@pytest.mark.parametrize(
    ("annotations", "rest", "fault"),
    [
        (REVIEW, "unless { context.approvals >= 2 }", PolicyFault.ANNOTATION),
        (f'{REVIEW} @quorum("6")', "unless { context.approvals >= 6 }", PolicyFault.ANNOTATION),
        (f'{REVIEW} @quorum("2")', "when { context.approvals < 3 }", PolicyFault.NOT_LIFTED),
    ],
    ids=["by nobody", "by a crowd", "a third approval"],
)
def test_a_review_is_checked_like_all_else_once_somebody_can_give_one(
    annotations: str, rest: str, fault: PolicyFault
) -> None:
    with approvals_built():
        refused = refusal(rule(annotations, f"{EXITS} {rest}"))

    assert refused.fault is fault
    if fault is PolicyFault.NOT_LIFTED:
        assert refused.says == (
            "it can still match with 2 approvals: write context.approvals >= 2 into an unless"
        )


@pytest.mark.parametrize(
    "condition",
    [
        "context.value_cents < -5",
        "context.value_cents > 99999999999999",
        "context.value_cents >= 0",
        "context.value_cents == 1000000000001",
        "context.narrow && context.value_cents > 1000000000000",
        "context.narrow || context.roots_shown != 1001",
        "1 < 2",
        "context.day_cents + context.value_cents > 2000000000000",
    ],
)
@pytest.mark.parametrize("clause", ["when", "unless"])
def test_a_comparison_that_comes_out_the_same_for_all_facts_is_refused(
    condition: str, clause: str
) -> None:
    """Prevents: a limit that looks like one, in dollars where cents are counted, and is none."""
    bad = rule(DENY, f"{EXITS} {clause} {{ {condition} }}")

    assert fault_of(bad) is PolicyFault.OUT_OF_RANGE


@pytest.mark.parametrize(
    ("condition", "facts"),
    [
        ("context.value_cents + context.day_cents > 2000000000000", "day_cents, value_cents"),
        ("1 < 2", "no fact"),
    ],
)
def test_a_comparison_that_is_none_is_told_by_its_facts(condition: str, facts: str) -> None:
    refused = refusal(rule(DENY, f"{EXITS} when {{ {condition} }}"))

    assert refused.says == f"a comparison of {facts} is the same for every value in range"
    assert refused.rule == "a.rule"


@pytest.mark.parametrize(
    "condition",
    [
        "context.value_cents > 0",
        "context.value_cents >= 1000000000000",
        "context.day_cents + context.value_cents > 1999999999999",
        "context.narrow == true",
    ],
)
def test_a_comparison_at_the_end_of_a_range_is_taken(condition: str) -> None:
    assert policy_of(with_rules(rule(DENY, f"{EXITS} when {{ {condition} }}"))).statutes.rules


def test_a_rule_that_compares_too_many_numbers_is_refused() -> None:
    names = ("day_cents", "value_cents", "budget_cents", "destination_day_cents", "ip_list")
    compared = " && ".join(f"context.{name} != {step}" for name in names for step in range(1, 5))

    assert fault_of(rule(HOLD, f"{EXITS} when {{ {compared} }} {HELD}")) is PolicyFault.TOO_LARGE


@pytest.mark.parametrize(
    ("scope", "first"),
    [
        ("action", "api_key.narrow"),
        ('action == Action::"freeze.set"', "freeze.set"),
    ],
)
def test_what_stops_a_tightening_is_told_by_its_name(scope: str, first: str) -> None:
    bad = rule(DENY, f"forbid (principal, {scope}, resource) when {{ {BY_MAIL} }}")
    refused = refusal(bad)

    assert str(refused) == (
        f"tightening: a.rule: whatever tightens is instant, and it speaks of {first}: name other "
        'actions, write context.class == "tightening" into an unless, or use @offers'
    )
    written = bad.replace(";", ' unless { context.class == "tightening" };')
    assert policy_of(with_rules(written)).statutes.rules


@pytest.mark.parametrize("gone", ["freeze.set", "destination.remove", "api_key.revoke"])
def test_a_policy_without_a_permit_to_tighten_is_refused(gone: str) -> None:
    kept = [one for one in permits() if f'Action::"{gone}"' not in one]

    with pytest.raises(PolicyRefusedError, match=f"tightening: .*{gone} is not"):
        policy_of("\n".join(kept))


def test_an_empty_policy_is_refused() -> None:
    with pytest.raises(PolicyRefusedError, match="tightening"):
        policy_of("")


WAITED = "after 60 seconds: write context.held_seconds >= 60 into an unless"
TOO_MUCH = (
    "on the next day: what is too much by itself takes a rule without @ends "
    '(docs/policy.md, "A daily limit")'
)
A_DAY = '@outcome("deny") @reason("platform_rule") @ends("day")'
TWO_ROOTS = '@outcome("challenge") @reason("second_root_needed") @roots("2")'


@pytest.mark.parametrize(
    ("annotations", "rest", "says"),
    [
        (HOLD, "", WAITED),
        (HOLD, f'when {{ {AGE} < duration("3d") }}', WAITED),
        (
            f'{HOLD} @or_roots("2")',
            "unless { context.held_seconds >= 60 }",
            "with 2 roots shown: write context.roots_shown >= 2 into an unless",
        ),
        (f'{HOLD} @or_roots("2")', "unless { context.roots_shown >= 2 }", WAITED),
        (
            f'{CHALLENGE} @proof("floor")',
            "",
            "with these proofs shown: write context.proved into an unless",
        ),
        (
            f'{CHALLENGE} @factors("passkey,totp")',
            "",
            (
                "with these proofs shown: write "
                'context.factors.containsAll(["passkey", "totp"]) into an unless'
            ),
        ),
        (
            TWO_ROOTS,
            'unless { context.factors.contains("passkey") }',
            "with these proofs shown: write context.roots_shown >= 2 into an unless",
        ),
        (
            f'{TWO_ROOTS} @factors("passkey")',
            "",
            (
                "with these proofs shown: write context.roots_shown >= 2 && "
                'context.factors.containsAll(["passkey"]) into an unless'
            ),
        ),
        (A_DAY, "when { context.value_cents > 5 }", TOO_MUCH),
        (A_DAY, "when { context.destination_day_cents + context.day_cents < 5 }", TOO_MUCH),
        (A_DAY, "when { context.day_cents + context.value_cents > 5000000 }", TOO_MUCH),
    ],
)
def test_a_rule_that_is_not_lifted_by_what_it_asks_for_says_by_what(
    annotations: str, rest: str, says: str
) -> None:
    refused = refusal(rule(annotations, f"{EXITS} {rest}"))

    assert str(refused) == f"not_lifted: a.rule: it can still match {says}"


@pytest.mark.parametrize(
    "annotations",
    [
        HOLD,
        f'{HOLD} @or_roots("2")',
        f'{CHALLENGE} @proof("floor")',
        f'{CHALLENGE} @factors("passkey,totp")',
        TWO_ROOTS,
        f'{TWO_ROOTS} @factors("passkey")',
        f'{REVIEW} @quorum("2")',
    ],
)
def test_a_rule_that_is_written_as_it_is_told_is_taken(annotations: str) -> None:
    """As often as something is told: a wait that two roots may spare is lifted in two ways."""
    rest = f"{EXITS} when {{ context.narrow }}"
    with approvals_built():
        for _ in range(1 + ("or_roots" in annotations)):
            said = refusal(rule(annotations, rest)).says.partition(": write ")[2]
            rest = f"{rest} unless {{ {said.removesuffix(' into an unless')} }}"
        taken = policy_of(with_rules(rule(annotations, rest)))

    assert [one.rule_id for one in taken.statutes.rules] == ["a.rule"]


def test_the_daily_limit_of_the_documentation_is_taken() -> None:
    """It is two rules: either alone, without what bounds it, is refused or untrue."""
    page = (Path(__file__).parents[4] / "docs" / "policy.md").read_text(encoding="utf-8")
    section = page.partition("### A daily limit")[2].partition("###")[0]
    (example,) = re.findall(r"```cedar\n(.*?)```", section, flags=re.DOTALL)
    unbounded = example.replace("context.value_cents <= 5000000 && ", "")

    taken = policy_of(with_rules(example)).statutes.rules
    assert [one.rule_id for one in taken] == ["mine.day", "mine.sum"]
    assert refusal(unbounded).says == f"it can still match {TOO_MUCH}"


@pytest.mark.parametrize(
    ("annotations", "rest"),
    [
        (HOLD, "unless { context.held_seconds == 60 }"),
        (f'{CHALLENGE} @proof("floor")', "unless { context.roots_shown >= 1 }"),
        (f'{HOLD} @or_roots("2")', f"{HELD} unless {{ context.roots_shown == 2 }}"),
    ],
)
def test_a_rule_that_more_than_it_asks_for_does_not_lift_is_refused(
    annotations: str, rest: str
) -> None:
    """Prevents: who waits an hour instead of a minute, and is then held for good."""
    assert fault_of(rule(annotations, f"{EXITS} {rest}")) is PolicyFault.NOT_LIFTED


@pytest.mark.parametrize(
    ("annotations", "rest"),
    [
        (
            '@outcome("challenge") @reason("second_root_needed") @roots("2") @factors("passkey")',
            'unless { context.roots_shown >= 2 && context.factors.contains("passkey") }',
        ),
        (f'{REVIEW} @quorum("2")', "unless { context.approvals >= 2 }"),
        (
            '@outcome("deny") @reason("above_platform_limit") @ends("day")',
            "when { context.destination_day_cents > 500 }",
        ),
    ],
)
def test_a_rule_that_all_it_asks_for_lifts_is_taken(annotations: str, rest: str) -> None:
    with approvals_built():
        policy = policy_of(with_rules(rule(annotations, f"{EXITS} {rest}")))

    assert [one.rule_id for one in policy.statutes.rules] == ["a.rule"]


def test_what_is_retained_ends_when_it_is_told_to() -> None:
    erase = 'forbid (principal, action == Action::"account.erase", resource)'
    retained = '@outcome("deny") @reason("retention") @retained_seconds("60")'
    says = "context.since_last_exit_seconds <"
    refused = refusal(rule(retained, f"{erase} when {{ {says} 61 }}"))

    assert refused.says == (
        "it can still match 60 seconds after the last exit: "
        "write context.since_last_exit_seconds >= 60 into an unless"
    )
    assert policy_of(with_rules(rule(retained, f"{erase} when {{ {says} 60 }}"))).statutes.rules


def test_cedars_own_refusal_names_the_rule() -> None:
    bad = rule(DENY, f"{EXITS} when {{ context.shoe_size > 1 }}", name="shoes")

    with pytest.raises(PolicyRefusedError, match=r"invalid: shoes, line \d+: .*shoe_size"):
        policy_of(with_rules(bad))


# --- Cedar's JSON, as somebody else could have written it ---


def raw(**changes: object) -> bytes:
    whole = json.loads(DEFAULT.statutes.text)
    return encode(whole | changes)


def one_rule(**changes: object) -> bytes:
    whole = json.loads(DEFAULT.statutes.text)
    rules = whole["staticPolicies"]
    rules["exits.budget_is_small"] |= changes
    return encode(whole)


@pytest.mark.parametrize(
    "text",
    [
        b"",
        b"{}",
        b"[]",
        b"\xff",
        b"null",
        DEFAULT.statutes.text + b" ",
        b'{"staticPolicies": {}}',
        raw(more=1),
        raw(staticPolicies=[]),
        one_rule(effect=1),
        one_rule(surprise=True),
        one_rule(conditions=[{"kind": "when"}]),
        b"[" * 100_000,
    ],
)
def test_what_is_not_cedars_canonical_json_is_refused(text: bytes) -> None:
    with pytest.raises(PolicyRefusedError, match="unreadable"):
        read_statutes(text)


_NOW = {".": {"left": {"Var": "context"}, "attr": "now"}}
_TOO_LONG = {
    "<": {
        "left": {"durationSince": [_NOW, _NOW]},
        "right": {"duration": [{"Value": "999999999999999d"}]},
    }
}


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        (one_rule(conditions=[{"kind": "when", "body": _TOO_LONG}]), PolicyFault.OVERFLOW),
        (raw(templates={"t": {}}), PolicyFault.TEMPLATE),
        (raw(templateLinks=[{}]), PolicyFault.TEMPLATE),
        (one_rule(annotations={"id": "another"}), PolicyFault.ID_MISSING),
        (one_rule(annotations={}), PolicyFault.ID_MISSING),
        (
            one_rule(conditions=[{"kind": "whenever", "body": {"Value": True}}]),
            PolicyFault.CONDITION,
        ),
        (one_rule(conditions=[{"kind": "when", "body": {"Value": 1}}]), PolicyFault.CONDITION),
        (
            one_rule(principal={"op": "==", "entity": {"type": "Account", "id": "a"}}),
            PolicyFault.SCOPE,
        ),
        (
            one_rule(action={"op": "in", "entity": {"type": "Group", "id": "exits"}}),
            PolicyFault.SCOPE,
        ),
        (one_rule(action={"op": "=="}), PolicyFault.SCOPE),
        (
            one_rule(action={"op": "All", "entity": {"type": "Action", "id": "exits"}}),
            PolicyFault.SCOPE,
        ),
        (b" " * (TEXT_BYTES_MOST + 1), PolicyFault.TOO_LARGE),
    ],
)
def test_what_cedar_would_not_have_written_is_refused(text: bytes, fault: PolicyFault) -> None:
    with pytest.raises(PolicyRefusedError) as refused:
        read_statutes(text)

    assert refused.value.fault is fault
    whole = fault in (PolicyFault.TEMPLATE, PolicyFault.TOO_LARGE)
    assert refused.value.rule == ("" if whole else "exits.budget_is_small")


def test_a_rule_without_a_condition_matches_always() -> None:
    policy = policy_of(with_rules(rule(DENY, EXITS)))

    assert policy.statutes.rules[0].when.run({}) is True


def test_every_annotation_that_we_ship_is_read() -> None:
    text = shipped("default") + shipped("strict")

    assert len(rules_in(text)) == text.count("@id(")
    assert {"@hold_seconds", "@or_roots", "@factors", "@roots", "@proof", "@ends"} <= {
        word.partition("(")[0] for word in text.split() if word.startswith("@")
    }


def test_a_policy_is_read_from_its_own_text() -> None:
    again = Policy(DEFAULT.draft)

    assert again.name == DEFAULT.name
    assert again.text == DEFAULT.text
    assert cedar.read_policy(shipped("default")) == DEFAULT.draft.statutes
    assert statutes_module.read_statutes(again.statutes.text).permits == DEFAULT.statutes.permits
