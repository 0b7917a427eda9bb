"""A rule tells customers what is true, and asks for what they can show."""

import pytest
from support.cast import LONG_AGO, NOON
from support.policies import DEFAULT, STRICT, permits, policy_of, with_rules

from twinlock.domain.actions import BUILT
from twinlock.domain.assurance import PROOFS, Factor, Level
from twinlock.domain.catalogue import CLASS_OF, ActionClass
from twinlock.domain.laws import LAWS
from twinlock.domain.policy.annotations import PolicyFault, PolicyRefusedError
from twinlock.domain.policy.facts import Facts
from twinlock.domain.policy.fitting import FITS
from twinlock.domain.policy.version import Policy
from twinlock.domain.reasons import EXPLANATIONS, Reason
from twinlock.domain.requirements import NOTHING, all_of

EXITS = 'action in Action::"exits"'
LIST = 'action == Action::"destination.add"'
KEY = 'action == Action::"api_key.create"'
ERASE = 'action == Action::"account.erase"'
TIGHTENING = sorted(kind for kind in BUILT if CLASS_OF[kind] is ActionClass.TIGHTENING)
PEOPLES = "passkey,totp,password"


def deny(reason: str, *, scope: str = EXITS, when: str, more: str = "") -> str:
    return (
        f'@id("a.rule") @outcome("deny") @reason("{reason}") {more} '
        f"forbid (principal, {scope}, resource) when {{ {when} }};"
    )


def hold(reason: str, *, scope: str = EXITS, when: str = "true", or_roots: bool = False) -> str:
    roots = '@or_roots("2")' if or_roots else ""
    instead = " || context.roots_shown >= 2" if or_roots else ""
    return (
        f'@id("a.rule") @outcome("hold") @reason("{reason}") @hold_seconds("60") {roots} '
        f"forbid (principal, {scope}, resource) when {{ {when} }} "
        f"unless {{ context.held_seconds >= 60{instead} }};"
    )


def ask(reason: str, wants: str, unless: str, *, scope: str = EXITS) -> str:
    return (
        f'@id("a.rule") @outcome("challenge") @reason("{reason}") {wants} '
        f"forbid (principal, {scope}, resource) unless {{ {unless} }};"
    )


def refused(text: str) -> PolicyRefusedError:
    with pytest.raises(PolicyRefusedError) as error:
        policy_of(text)
    return error.value


LARGE = "context.day_cents + context.value_cents > 5000000"
NEW = 'context.destination == "new"'


@pytest.mark.parametrize(
    "rule",
    [
        deny("limit_exceeded", when=LARGE),
        deny(
            "limit_exceeded", when=LARGE.replace(" + context.value_cents", ""), more='@ends("day")'
        ),
        deny("loosening_waits", scope=LIST, when="context.narrow"),
        deny("proof_needed", when="context.narrow"),
        deny("sim_changed", when=NEW),
        deny("account_frozen", when=NEW),
        deny("above_platform_limit", when="context.narrow"),
        deny("above_platform_limit", scope=LIST, when="context.value_cents > 5"),
        deny("budget_too_high", when="context.budget_cents > 5"),
        deny("budget_too_high", scope=LIST, when="context.narrow"),
        deny("destination_not_listed", when=NEW),
        deny("api_key_ip_list", scope=KEY, when="context.narrow"),
        deny("retention", scope=ERASE, when="context.since_last_exit_seconds < 60"),
        deny("platform_waits", when="context.narrow"),
        deny("not_permitted", when="context.day_cents > 5000000", more='@ends("day")'),
        deny(
            "not_permitted",
            scope=ERASE,
            when="context.since_last_exit_seconds < 60",
            more='@retained_seconds("60")',
        ),
        hold("sim_changed", when=NEW),
        hold("limit_exceeded", when=LARGE),
        hold("limit_exceeded", when="context.value_cents > 5000000", or_roots=True),
        hold("limit_exceeded", when="context.narrow", or_roots=True),
        hold("destination_new"),
        hold("destination_new", scope=LIST, when=NEW),
        hold("destination_new", when=NEW, or_roots=True),
        hold("loosening_waits"),
        hold("narrow_destination"),
        hold("platform_rule"),
        hold("not_permitted"),
        ask("limit_exceeded", '@roots("2")', "context.roots_shown >= 2"),
        ask("second_root_needed", '@proof("floor")', "context.proved"),
        ask("phishing_resistant_needed", '@factors("totp")', 'context.factors.contains("totp")'),
        ask("password_needed", '@factors("totp")', 'context.factors.contains("totp")'),
        ask("narrow_limit", '@roots("2")', "context.roots_shown >= 2"),
    ],
)
def test_a_reason_that_would_not_be_true_is_refused(rule: str) -> None:
    """Prevents: "tomorrow, or after the wait" for what is refused for good (law 10)."""
    error = refused(with_rules(rule))

    assert error.fault is PolicyFault.REASON
    assert error.rule == "a.rule"


def test_the_refusal_says_where_the_reason_would_be_true() -> None:
    elsewhere = refused(with_rules(deny("above_platform_limit", scope=LIST, when=NEW)))
    blind = refused(with_rules(hold("limit_exceeded", when="context.narrow", or_roots=True)))
    laws = refused(with_rules(deny("account_frozen", when=NEW)))

    assert "above_platform_limit would not be true of destination.add" in str(elsewhere)
    assert "is for a rule that reads day_cents or destination_day_cents" in str(blind)
    assert laws.says == (
        'account_frozen is for the laws to give: see "Which reason fits" in docs/policy.md'
    )


@pytest.mark.parametrize(
    "rule",
    [
        deny("above_platform_limit", when=LARGE),
        deny("platform_rule", when="context.narrow"),
        deny("not_permitted", scope=LIST, when="context.narrow"),
        hold("limit_exceeded", when=LARGE, or_roots=True),
        hold("platform_waits", when="context.value_cents > 5000000"),
        hold("platform_waits", when="context.value_cents > 5000000", or_roots=True),
        ask("second_root_needed", '@roots("2")', "context.roots_shown >= 2"),
        ask("proof_needed", '@factors("totp")', 'context.factors.contains("totp")'),
        ask(
            "password_needed",
            '@factors("password")',
            'context.factors.contains("password")',
            scope=KEY,
        ),
    ],
)
def test_a_reason_that_is_true_is_taken(rule: str) -> None:
    (taken,) = policy_of(with_rules(rule)).statutes.rules

    assert taken.demand.reason in FITS


def test_every_profile_that_we_ship_says_only_what_is_true() -> None:
    told = {rule.demand.reason for one in (DEFAULT, STRICT) for rule in one.statutes.rules}

    assert told <= FITS.keys() <= EXPLANATIONS.keys()


def test_the_sentence_of_a_platforms_limit_names_no_way_that_is_none() -> None:
    """Neither a wait nor a second root nor the next day lifts a refusal by the platform's limit."""
    told = " ".join(EXPLANATIONS[Reason.ABOVE_PLATFORM_LIMIT])

    assert not {"omorrow", "second", "wait", "Wait"} & set(told.replace(".", " ").split())
    assert "smaller sum" in told


# --- What may be shown ---


def offering(action: str, factors: str, text: str = "") -> str:
    """Return the default permits, where ``action`` may be proved by ``factors`` only."""
    text = text or "\n".join(permits())
    name = f'"{action}.permit"'
    assert name in text
    return text.replace(name, f'{name}) @offers("{factors}"', 1)


@pytest.mark.parametrize("action", TIGHTENING)
@pytest.mark.parametrize("gone", ["passkey", "totp", "password"])
def test_what_tightens_is_offered_to_whoever_has_one_thing_bound(action: str, gone: str) -> None:
    """Prevents: an account with a password and an app that cannot freeze, in all of a policy."""
    kept = ",".join(sorted({"passkey", "totp", "password"} - {gone}))
    error = refused(offering(action, kept))

    assert error.fault is PolicyFault.TIGHTENING_OFFERS
    assert error.rule == f"{action}.permit"
    assert gone in str(error)


def test_everything_that_is_left_out_is_named() -> None:
    error = refused(offering("freeze.set", "passkey,password"))
    assert "leaves out email_code, recovery_code, sms_code, totp, and" in str(error)


@pytest.mark.parametrize("action", TIGHTENING)
@pytest.mark.parametrize("code", ["email_code", "sms_code", "recovery_code"])
def test_what_signs_in_tightens(action: str, code: str) -> None:
    signing_in = offering("session.start", f"{PEOPLES},{code}")
    everything = ",".join(sorted(PROOFS - {code}))
    refusal = refused(offering(action, everything, signing_in))
    assert (refusal.fault, refusal.rule) == (PolicyFault.TIGHTENING_OFFERS, f"{action}.permit")

    taken = policy_of(offering(action, f"{PEOPLES},{code}", signing_in))
    assert Factor(code) in taken.statutes.offers(action)


def test_codes_may_be_left_out_where_they_sign_nobody_in() -> None:
    text = offering("session.start", PEOPLES)
    for action in TIGHTENING:
        text = offering(action, PEOPLES, text)
    without = "\n".join(one for one in permits() if "session.start" not in one)

    assert policy_of(text).statutes.offers("freeze.set") >= {Factor.PASSKEY, Factor.TOTP}
    assert policy_of(offering("freeze.set", PEOPLES, without)).statutes.rules == ()


@pytest.mark.parametrize("policy", [DEFAULT, STRICT])
@pytest.mark.parametrize("factor", [Factor.PASSWORD, Factor.TOTP, Factor.PASSKEY])
def test_any_one_thing_freezes_under_every_profile_that_we_ship(
    policy: Policy, factor: Factor
) -> None:
    asked = Facts(
        now=NOON,
        action="freeze.set",
        action_class=ActionClass.TIGHTENING,
        built=True,
        opened_at=LONG_AGO,
        proposed_at=NOON,
        proved_at=None,
        shown_roots=(),
        roots_enrolled=1,
        narrow=False,
        has_channel=True,
        floor=Level.PHISHING_RESISTANT,
        shown_factors=(factor,),
        shown_level=Level.KNOWLEDGE,
    )

    assert factor in policy.statutes.offers("freeze.set")
    assert all_of(*(law(asked) for law in (*LAWS, policy.statutes.law))) == NOTHING


def test_a_rule_asks_for_nothing_that_its_actions_do_not_offer() -> None:
    rule = ask("proof_needed", '@factors("totp")', 'context.factors.contains("totp")')
    error = refused(f"{offering('withdrawal.crypto', 'passkey')}\n{rule}")

    assert (error.fault, error.rule) == (PolicyFault.NOT_OFFERED, "a.rule")
    after_another = deny("platform_rule", when="context.narrow") + rule.replace("a.rule", "b.rule")
    error = refused(f"{offering('withdrawal.crypto', 'passkey')}\n{after_another}")
    assert (error.fault, error.rule) == (PolicyFault.NOT_OFFERED, "b.rule")
    assert policy_of(f"{offering('withdrawal.crypto', 'passkey,totp')}\n{rule}").statutes.rules
