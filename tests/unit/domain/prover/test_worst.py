"""Policies whose hole shows only in what no probe varies: the prover says of none that it holds."""

from collections.abc import Callable
from datetime import timedelta
from functools import partial
from typing import Any

import pytest
from msgspec.structs import replace
from support.policies import policy_of
from support.proved import ASSUMED, FEW, rules, sheet_by

from twinlock.adapters.policies import shipped
from twinlock.domain.assurance import Factor
from twinlock.domain.bounds import MAX_VALUE_CENTS, SMALL_SUM_CENTS
from twinlock.domain.decisions import Rules, judge_facts
from twinlock.domain.policy.facts import DestinationState, Facts, SessionState
from twinlock.domain.policy.vocabulary import KNOWN
from twinlock.domain.prover import moves
from twinlock.domain.prover.capabilities import Capability
from twinlock.domain.prover.enrolment import BUILT_IN_KEY, NOW, account_of
from twinlock.domain.prover.model import Deriver
from twinlock.domain.prover.probing import facts, proposed, taken, with_shown
from twinlock.domain.prover.sums import sums_of
from twinlock.domain.prover.theorem import verdicts
from twinlock.domain.prover.worst import OPEN_FACTS, Worst
from twinlock.domain.reasons import Reason
from twinlock.domain.requirements import NOTHING, Never

NARROW = FEW[5]  # A computer's key, and whatever is told is read there.
LARGE = 50 * SMALL_SUM_CENTS
DEFAULT = shipped("default")
TOO_MUCH = "when { context.narrow && context.value_cents > 100000 }"
HEAD = '@id("narrow.exits.too_much") @outcome("deny") @reason("narrow_limit")'
ASKS = '@id("narrow.exits.too_much") @outcome("challenge") @reason("proof_needed") '

Edit = Callable[[str], str]


def too_much(when: str, *, head: str = HEAD) -> Edit:
    """Return the edit that has the rule about large sums of narrow accounts say this instead."""

    def edit(text: str) -> str:
        assert TOO_MUCH in text
        return text.replace(TOO_MUCH, f"when {{ context.narrow && {when} }}").replace(HEAD, head)

    return edit


def without(rule: str, text: str) -> str:
    start = text.index(f'@id("{rule}")')
    return text[:start] + text[text.index(";", text.index("forbid", start)) + 1 :]


def by_place(text: str) -> str:
    one = "context.value_cents <= 100000 &&\n       context.day_cents"
    assert one in text
    return text.replace(one, one.replace("day_cents", "destination_day_cents"))


LARGE_SUMS = "context.value_cents > 100000"
# What an officer may well write, and what the gate then decides on in an account of one device.
HOLES: dict[str, tuple[Edit, dict[str, Any]]] = {
    "by several exits a day": (
        partial(without, "narrow.exits.not_today"),
        {"value_cents": SMALL_SUM_CENTS, "day_cents": LARGE, "destination_day_cents": LARGE},
    ),
    "by several addresses a day": (
        by_place,
        {"value_cents": SMALL_SUM_CENTS, "day_cents": LARGE},
    ),
    "after the first exit of the day": (
        too_much(f"{LARGE_SUMS} && context.day_cents == 0"),
        {"day_cents": 1},
    ),
    "soon after another exit": (
        too_much(f"{LARGE_SUMS} && context.since_last_exit_seconds > 3600"),
        {"last_exit_at": NOW},
    ),
    "by a sum that is compared with no number of the rule": (
        too_much("context.value_cents * 2 > 15000000"),
        {},
    ),
    "where the owner wants listed addresses only": (
        too_much(f"{LARGE_SUMS} && !context.destinations_required"),
        {"destinations_required": True},
    ),
    "from an old account": (
        too_much(
            f'{LARGE_SUMS} && context.now.durationSince(context.opened_at) < duration("500d")'
        ),
        {"opened_at": NOW - timedelta(days=501)},
    ),
    "by asking again an hour later": (
        too_much(f"{LARGE_SUMS} && context.held_seconds < 3600"),
        {"proved_at": NOW - timedelta(hours=2)},
    ),
    "by a limit that was raised": (
        too_much(f"{LARGE_SUMS} && !context.within_announced"),
        {"announced_cents": LARGE},
    ),
    "in a session": (
        too_much(f'{LARGE_SUMS} && context.session != "full"'),
        {"session": SessionState.FULL},
    ),
    "by something without a price": (
        too_much(f"{LARGE_SUMS} && !context.value_unknown"),
        {"value_cents": MAX_VALUE_CENTS, "proved_at": NOW - timedelta(days=2)},
    ),
    "to an address that was not used for long": (
        too_much(f'{LARGE_SUMS} && context.destination != "lapsed"'),
        {"destination": DestinationState.LAPSED},
    ),
    "with a password beside": (
        too_much(
            f"{LARGE_SUMS} &&"
            ' !(context.proved && context.factors.containsAll(["passkey", "password"]))',
            head=ASKS + '@factors("passkey,password")',
        ),
        {"shown_factors": (Factor.PASSKEY, Factor.PASSWORD)},
    ),
    "with a password beside, where it is refused otherwise": (
        too_much(f'{LARGE_SUMS} && !context.factors.contains("password")'),
        {"shown_factors": (Factor.PASSKEY, Factor.PASSWORD)},
    ),
    "with a key that can leave its device": (
        too_much(f"{LARGE_SUMS} && context.device_bound"),
        {"shown_device_bound": False},
    ),
}


def by(edit: Edit) -> Rules:
    policy = policy_of(edit(DEFAULT))
    return replace(rules("default"), policy=policy, statutes=policy.statutes.laws())


def decided_on(rules_: Rules) -> Facts:
    """Return the facts of an exit to the thief's address, proved by the computer's key alone."""
    account = moves.with_tools(account_of(NARROW))
    there = replace(moves.LISTED, usable_at=NOW, used_at=NOW)
    coin = next(one for one in rules_.policy.assets if one.network == "ethereum")
    probe = proposed(account, moves.leaving(coin), destination=there, now=NOW)
    shown = taken(probe, BUILT_IN_KEY, rules=rules_, now=NOW)
    assert shown is not None
    after = with_shown(probe, (shown,), rules=rules_, now=NOW)
    return replace(facts(after, rules=rules_, now=NOW), value_cents=LARGE)


def least_thefts(rules_: Rules) -> int:
    system, found = sheet_by(Deriver(rules_, assumed=ASSUMED), (NARROW,))
    return min(one.k for one in verdicts(system, found, k=2))


def test_by_the_policy_as_it_is_one_theft_takes_no_more_than_a_small_sum() -> None:
    found = decided_on(rules("default"))

    assert found.narrow
    assert judge_facts(found, rules=rules("default")) != NOTHING
    assert least_thefts(rules("default")) > 1


@pytest.mark.parametrize("name", HOLES)
def test_what_the_gate_lets_out_is_never_proved_to_stay(name: str) -> None:
    edit, how = HOLES[name]
    holed = by(edit)
    found = decided_on(holed)

    assert judge_facts(replace(found, **how), rules=holed) == NOTHING
    assert least_thefts(holed) == 1


def test_what_is_asked_for_by_name_is_shown_beside_two_roots() -> None:
    """Both of the owner's keys, and the password of the phone that has one of them."""
    rule = """
@id("exits.word_and_roots") @outcome("challenge") @reason("proof_needed") @roots("2")
@factors("password")
forbid (principal, action in Action::"exits", resource)
unless { context.proved && context.roots_shown >= 2 && context.factors.contains("password") };
"""
    system, found = sheet_by(Deriver(by(lambda text: text + rule), assumed=ASSUMED), (FEW[7],))
    sets = {system.held(one) for some in found.values() for one in some}

    assert (Capability.PHONE_MALWARE, Capability.HW_KEY) in sets


# --- What it takes for open, and what not ---


def test_what_no_permit_speaks_of_is_refused() -> None:
    policy = rules("default").policy
    found = replace(decided_on(rules("default")), action="nothing.known")

    missing = Worst(policy.statutes, sums=(LARGE,)).law(found)

    assert missing == Never(code=Reason.NOT_PERMITTED)


def test_a_wait_that_a_raised_limit_would_spare_takes_no_less_time_than_the_raise() -> None:
    """So it counts as it is; one that takes longer than the raise is as if it were not there."""
    usual = rules("default")
    found = replace(decided_on(usual), value_cents=100 * LARGE)
    longer = by(lambda text: text.replace('"86400") @or_roots', '"259200") @or_roots'))

    for rules_, counts in ((usual, True), (longer, False)):
        worst = Worst(rules_.policy.statutes, sums=sums_of(rules_))
        named = {rule.rule_id for one in worst.matching(found) for rule in one}

        assert ("exits.daily_limit" in named) is counts


def test_a_thief_may_have_his_key_do_less_than_the_prover_asks_for() -> None:
    rule = """
@id("api_key.create.trades") @outcome("deny") @reason("platform_rule")
forbid (principal, action == Action::"api_key.create", resource)
when { context.scopes.contains("trade") };
"""
    policy = by(lambda text: text + rule).policy
    probe = proposed(
        account_of(NARROW), moves.MAKE_KEY, secret=moves.OWN_API_KEY.api_key_id, now=NOW
    )
    found = facts(probe, rules=rules("default"), now=NOW)
    worst = Worst(policy.statutes, sums=(LARGE,))

    assert "trade" in found.scopes
    assert policy.statutes.matching(found.action, policy.statutes.context(found))
    named = {one.rule_id for some in worst.matching(found) for one in some}
    assert "api_key.create.trades" not in named


# What a probe finds by the gate, and what it takes for the mildest that it can be.
GATHERED = """
api_key approvals budget_cents class day_cents destination enrolling factors has_channel
held_seconds narrow proved risk roots_enrolled roots_shown scopes session signalled value_cents
value_unknown wanted_elsewhere within_announced
"""


def test_of_every_fact_it_is_known_whether_a_probe_knows_it() -> None:
    """A new fact of the vocabulary is thought about here, before a statute reads it."""
    assert set(GATHERED.split()).isdisjoint(OPEN_FACTS)
    assert set(GATHERED.split()) | OPEN_FACTS == set(KNOWN)
