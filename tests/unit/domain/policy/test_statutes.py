"""Each statute of the profiles that we ship, on both sides of each of its numbers."""

import dataclasses
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from msgspec.structs import replace
from support.cast import DAY, HOUR, INSTANT, LONG_AGO, NOON
from support.policies import DEFAULT, STRICT, approvals_built, policy_of, with_rules

from twinlock.domain.actions import BUILT
from twinlock.domain.assurance import BESIDE, Factor, Level
from twinlock.domain.bounds import MAX_VALUE_CENTS
from twinlock.domain.catalogue import CLASS_OF, ActionClass
from twinlock.domain.laws import LEAST_WAIT
from twinlock.domain.policy.facts import DestinationState, Facts, SessionState
from twinlock.domain.policy.statute import Statute
from twinlock.domain.policy.statutes import Statutes
from twinlock.domain.policy.terms import (
    Context,
    OutOfLongError,
    Term,
)
from twinlock.domain.policy.version import Policy
from twinlock.domain.policy.vocabulary import VOCABULARY
from twinlock.domain.reasons import Reason
from twinlock.domain.requirements import (
    NOTHING,
    Approvals,
    Never,
    Prove,
    Requirement,
    WaitUntil,
    all_of,
    any_of,
    reasons,
)

TOP = Level.PHISHING_RESISTANT
SECOND = Prove(code=Reason.SECOND_ROOT_NEEDED, level=TOP, roots=2)
MIDNIGHT = NOON.replace(hour=0) + DAY
LIMIT, NARROW, BUDGET = 100_000_00, 1_000_00, 500_00
PROOF = Prove(code=Reason.PROOF_NEEDED, level=TOP)


def the(action: str, **changes: Any) -> Facts:  # noqa: ANN401 - any of the fields
    """Return the facts of an account with a passkey, shown just now, for a known action."""
    found = Facts(
        now=NOON,
        action=action,
        action_class=CLASS_OF.get(action),
        built=True,
        opened_at=LONG_AGO,
        proposed_at=NOON,
        proved_at=NOON,
        floor=TOP,
        shown_level=TOP,
        shown_factors=(Factor.PASSKEY,),
        shown_roots=("phone",),
        roots_enrolled=1,
        narrow=False,
        has_channel=True,
        destination=DestinationState.USABLE,
    )
    return replace(found, **changes)


def missing(facts: Facts, policy: Policy = DEFAULT) -> Requirement:
    return policy.statutes.law(facts)


SEND, LIST = "withdrawal.crypto", "destination.add"
SENDS_TO_SOMEBODY = (
    SEND,
    "withdrawal.fiat",
    "transfer.internal",
    "transfer.subaccount",
    "p2p.release",
    "gift.send",
    "platform.exit",
)


# --- Changes wait ---


@pytest.mark.parametrize(
    ("action", "default", "strict"),
    [
        ("authenticator.bind", DAY, 3 * DAY),
        ("authenticator.reactivate", DAY, 3 * DAY),
        ("authenticator.remove", 3 * DAY, 7 * DAY),
        ("contact.change", 2 * DAY, 3 * DAY),
        ("password.reset", DAY, 3 * DAY),
        ("destination.add", DAY, 7 * DAY),
        ("api_key.create", DAY, 3 * DAY),
        ("freeze.lift", DAY, 3 * DAY),
        ("account.erase", 30 * DAY, 60 * DAY),
    ],
)
def test_a_change_waits_as_long_as_its_profile_says(
    action: str, default: timedelta, strict: timedelta
) -> None:
    asked = the(action, action_class=ActionClass.LOOSENING, scopes=("withdraw",), ip_list=1)
    for policy, length in ((DEFAULT, default), (STRICT, strict)):
        early = replace(asked, proved_at=NOON - length + INSTANT)
        ripe = replace(asked, proved_at=NOON - length)

        until = NOON + INSTANT
        assert missing(early, policy) == WaitUntil(code=Reason.LOOSENING_WAITS, until=until)
        assert missing(ripe, policy) == NOTHING


def test_every_loosening_that_can_be_decided_waits_no_shorter_than_the_laws_say() -> None:
    loosening = {kind for kind in BUILT if CLASS_OF[kind] is ActionClass.LOOSENING}

    for policy in (DEFAULT, STRICT):
        assert all(policy.statutes.waits(kind) >= LEAST_WAIT for kind in loosening)


@pytest.mark.parametrize(
    ("action", "default", "strict"),
    [
        ("session.start", 24, 48),
        ("authenticator.bind", 24, 72),
        ("authenticator.reactivate", 24, 72),
        ("authenticator.remove", 72, 168),
        ("authenticator.repudiate", 72, 168),
        ("authenticator.suspend", None, None),
        ("contact.change", 48, 72),
        ("contact.repudiate", 72, 168),
        ("password.change", 24, 48),
        ("password.reset", 24, 72),
        ("api_key.create", 24, 48),
        ("withdrawal.crypto", None, None),
        ("limit.raise", None, None),
        ("lock.loosen", 24, 48),
    ],
)
def test_a_change_holds_the_exits_as_long_as_its_profile_says(
    action: str, default: int | None, strict: int | None
) -> None:
    for policy, hours in ((DEFAULT, default), (STRICT, strict)):
        held = policy.statutes.exits_held(action)
        assert held == (None if hours is None else hours * HOUR)


def test_an_unused_destination_lapses_after_as_long_as_its_profile_says() -> None:
    assert DEFAULT.statutes.lapse == 30 * DAY
    assert STRICT.statutes.lapse == 14 * DAY


def test_only_a_sign_in_is_held_for_its_score() -> None:
    held = DEFAULT.statutes.scores_held("session.start")

    assert held == (timedelta(days=1), timedelta(days=3))
    assert DEFAULT.statutes.scores_held("freeze.set") == (timedelta(0), timedelta(0))
    assert DEFAULT.statutes.scores_held("gift.send") == (timedelta(0), timedelta(0))


def test_what_no_rule_holds_waits_not_at_all() -> None:
    assert DEFAULT.statutes.waits("freeze.set") == timedelta(0)
    assert DEFAULT.statutes.waits("recovery.open") == timedelta(0)


def test_only_what_the_rules_of_an_action_read_is_looked_up_and_once() -> None:
    facts = the("freeze.lift")
    context = DEFAULT.statutes.context(facts)

    assert context.keys() == set(DEFAULT.statutes.reads("freeze.lift"))
    assert context.keys() < VOCABULARY.keys()
    assert DEFAULT.statutes.context(facts) is context
    assert DEFAULT.statutes.context(the("freeze.lift", narrow=True)) is not context


@pytest.mark.parametrize("policy", [DEFAULT, STRICT])
def test_whatever_can_be_decided_is_permitted_and_nothing_else(policy: Policy) -> None:
    assert set(policy.statutes.permits) == set(BUILT)
    assert missing(the("recovery.open"), policy) == Never(code=Reason.NOT_PERMITTED)
    assert missing(the("unknown"), policy) == Never(code=Reason.NOT_PERMITTED)
    assert policy.statutes.offers("recovery.open") == frozenset()


@pytest.mark.requirement("O-12")
def test_the_strict_profile_never_asks_for_a_code() -> None:
    codes = {Factor.SMS_CODE, Factor.EMAIL_CODE}

    assert all(not codes & STRICT.statutes.offers(kind) for kind in BUILT)
    assert all(codes <= DEFAULT.statutes.offers(kind) for kind in BUILT)


@pytest.mark.parametrize("policy", [DEFAULT, STRICT])
def test_no_policy_takes_the_code_of_a_new_channel_away(policy: Policy) -> None:
    """Nothing else confirms a channel, and it proves nothing."""
    assert all(policy.statutes.offers(kind) >= BESIDE for kind in BUILT)


@pytest.mark.requirement("O-03")
@pytest.mark.parametrize("action", sorted(BUILT))
def test_the_strict_profile_takes_a_passkey_for_everything_but_tightening(action: str) -> None:
    typed = the(
        action,
        floor=Level.POSSESSION,
        shown_level=Level.POSSESSION,
        shown_factors=(Factor.TOTP,),
        proved_at=NOON - 90 * DAY,
    )
    needs = Prove(
        code=Reason.PHISHING_RESISTANT_NEEDED, level=Level.POSSESSION, factors=(Factor.PASSKEY,)
    )
    tightens = CLASS_OF[action] is ActionClass.TIGHTENING

    assert missing(typed, STRICT) == (NOTHING if tightens else needs)
    assert missing(replace(typed, shown_factors=(Factor.PASSKEY,)), STRICT) == NOTHING


def test_while_setting_up_only_binding_does_not_wait() -> None:
    assert missing(the("authenticator.bind", enrolling=True)) == NOTHING
    assert missing(the(LIST, enrolling=True)) != NOTHING


# --- Erasing ---


@pytest.mark.parametrize("policy", [DEFAULT, STRICT])
def test_records_are_kept_five_years_after_the_last_exit(policy: Policy) -> None:
    kept = 1_827 * DAY
    asked = the("account.erase", proved_at=NOON - 90 * DAY)
    early = replace(asked, last_exit_at=NOON - kept + INSTANT)

    assert missing(early, policy) == Never(code=Reason.RETENTION, until=NOON + INSTANT)
    assert missing(replace(asked, last_exit_at=NOON - kept), policy) == NOTHING
    assert missing(asked, policy) == NOTHING, "nothing ever left"
    long_since = NOON.replace(year=1) - NOON.utcoffset()  # type: ignore[operator] # it is UTC
    assert missing(replace(asked, last_exit_at=long_since), policy) == NOTHING
    assert missing(replace(asked, last_exit_at=NOON + DAY), policy) != NOTHING


@pytest.mark.parametrize(("policy", "days"), [(DEFAULT, 60), (STRICT, 90)])
def test_where_nobody_off_the_phone_is_told_an_erasure_waits_longer(
    policy: Policy, days: int
) -> None:
    asked = the("account.erase", narrow=True)
    early = replace(asked, proved_at=NOON - days * DAY + INSTANT)

    until = NOON + INSTANT
    assert missing(early, policy) == WaitUntil(code=Reason.LOOSENING_WAITS, until=until)
    assert missing(replace(asked, proved_at=NOON - days * DAY), policy) == NOTHING


# --- Destinations ---


@pytest.mark.parametrize(
    ("state", "code"),
    [
        (DestinationState.NEW, Reason.DESTINATION_NEW),
        (DestinationState.WAITING, Reason.DESTINATION_NEW),
        (DestinationState.UNPROVED, Reason.DESTINATION_UNPROVED),
        (DestinationState.REMOVED, Reason.DESTINATION_REMOVED),
        (DestinationState.NONE, Reason.DESTINATION_NEW),
    ],
)
def test_an_exit_to_what_is_not_proved_and_aged_waits(
    state: DestinationState, code: Reason
) -> None:
    asked = the(SEND, destination=state)
    early = replace(asked, proved_at=NOON - DAY + INSTANT)
    ripe = replace(asked, proved_at=NOON - DAY)

    assert missing(early) == WaitUntil(code=code, until=NOON + INSTANT)
    assert missing(ripe) == NOTHING


@pytest.mark.parametrize("policy", [DEFAULT, STRICT])
@pytest.mark.parametrize("action", SENDS_TO_SOMEBODY)
@pytest.mark.parametrize(
    ("state", "refused"),
    [
        (DestinationState.NONE, True),
        (DestinationState.NEW, True),
        (DestinationState.REMOVED, True),
        (DestinationState.UNPROVED, False),
        (DestinationState.WAITING, True),
        (DestinationState.USABLE, False),
        (DestinationState.LAPSED, False),
    ],
)
def test_where_the_owner_wants_a_list_what_is_not_on_it_is_refused(
    state: DestinationState, refused: bool, action: str, policy: Policy
) -> None:
    """Also by a way out of which only the platform knows what it does, and before it is listed."""
    asked = the(action, destination=state, destinations_required=True)

    assert (Reason.DESTINATION_NOT_LISTED in reasons(missing(asked, policy))) is refused
    assert Reason.DESTINATION_NOT_LISTED not in reasons(
        missing(replace(asked, action=LIST, action_class=ActionClass.LOOSENING), policy)
    )


@pytest.mark.parametrize(
    ("budget", "policy", "refused"),
    [
        (BUDGET, DEFAULT, False),
        (BUDGET + 1, DEFAULT, True),
        (0, STRICT, False),
        (1, STRICT, True),
    ],
)
def test_a_budget_is_small(budget: int, policy: Policy, refused: bool) -> None:
    asked = the(LIST, budget_cents=budget)

    assert (Reason.BUDGET_TOO_HIGH in reasons(missing(asked, policy))) is refused


@pytest.mark.requirement("O-20")
def test_what_leaves_without_a_proof_is_small_whatever_budget_was_signed() -> None:
    """Prevents: a large budget of an earlier policy version, spent under this one."""
    on_the_session = the(SEND, proved_at=None, destination_day_cents=BUDGET - 1)

    assert missing(replace(on_the_session, value_cents=1)) == NOTHING
    assert missing(replace(on_the_session, value_cents=2)) == PROOF
    assert missing(the(SEND, value_cents=BUDGET + 1)) == NOTHING


# --- Narrow accounts ---


def narrow(**changes: Any) -> Facts:  # noqa: ANN401 - any of the fields
    return the(SEND, **{"narrow": True} | changes)


@pytest.mark.parametrize(
    ("changes", "wanted"),
    [
        ({"value_cents": NARROW}, NOTHING),
        ({"value_cents": NARROW - 1, "day_cents": 1}, NOTHING),
        (
            {"value_cents": NARROW, "day_cents": 1},
            Never(code=Reason.NARROW_LIMIT, until=MIDNIGHT),
        ),
        (
            {"value_cents": 1, "day_cents": NARROW},
            Never(code=Reason.NARROW_LIMIT, until=MIDNIGHT),
        ),
        ({"value_cents": NARROW + 1}, Never(code=Reason.NARROW_LIMIT)),
        (
            {"value_cents": NARROW + 1, "roots_enrolled": 2},
            Prove(code=Reason.NARROW_LIMIT, level=TOP, roots=2),
        ),
        (
            {"value_cents": NARROW + 1, "roots_enrolled": 2, "has_channel": False},
            Never(code=Reason.NARROW_LIMIT),
        ),
    ],
)
def test_a_narrow_account_sends_a_small_sum_a_day(
    changes: dict[str, Any], wanted: Requirement
) -> None:
    """No end is told that would not be one: tomorrow does not help what is too much for any day."""
    assert missing(narrow(**changes)) == wanted


def test_a_narrow_account_waits_seven_days_for_a_new_destination() -> None:
    asked = narrow(destination=DestinationState.NEW)
    early = replace(asked, proved_at=NOON - 7 * DAY + INSTANT)
    ripe = replace(asked, proved_at=NOON - 7 * DAY)
    listing = replace(early, action=LIST, action_class=ActionClass.LOOSENING)

    assert missing(early) == WaitUntil(code=Reason.NARROW_DESTINATION, until=NOON + INSTANT)
    assert missing(ripe) == NOTHING
    assert missing(listing) == missing(early)


def test_a_narrow_account_does_the_rest_like_any_other() -> None:
    asked = the("session.start", narrow=True)

    assert missing(asked) == NOTHING


# --- The daily limit ---


@pytest.mark.requirement("O-20")
@pytest.mark.parametrize(
    ("changes", "wanted"),
    [
        ({"value_cents": LIMIT}, NOTHING),
        ({"value_cents": 1, "day_cents": LIMIT - 1}, NOTHING),
        (
            {"value_cents": 1, "day_cents": LIMIT},
            WaitUntil(code=Reason.LIMIT_EXCEEDED, until=NOON + DAY),
        ),
        (
            {"value_cents": LIMIT + 1, "roots_enrolled": 2},
            any_of(SECOND, WaitUntil(code=Reason.LIMIT_EXCEEDED, until=NOON + DAY)),
        ),
        ({"value_cents": LIMIT + 1, "shown_roots": ("phone", "roaming:a")}, NOTHING),
        ({"value_cents": LIMIT + 1, "proved_at": NOON - DAY}, NOTHING),
        (
            {"value_cents": LIMIT + 1, "proved_at": NOON - DAY, "roots_enrolled": 2},
            NOTHING,
        ),
        (
            {"value_cents": LIMIT + 1, "proved_at": None, "session": SessionState.FULL},
            all_of(PROOF, WaitUntil(code=Reason.LIMIT_EXCEEDED, until=NOON + DAY)),
        ),
        (
            {"value_cents": MAX_VALUE_CENTS},
            WaitUntil(code=Reason.VALUE_UNKNOWN, until=NOON + DAY),
        ),
    ],
)
def test_above_the_days_limit_a_second_root_or_a_wait_stands_behind_an_exit(
    changes: dict[str, Any], wanted: Requirement
) -> None:
    assert missing(the(SEND, **changes)) == wanted


def test_no_limit_speaks_of_what_does_not_leave() -> None:
    asked = the("session.start", day_cents=MAX_VALUE_CENTS)

    assert missing(asked) == NOTHING


@pytest.mark.parametrize("destination", DestinationState)
def test_nothing_leaves_a_narrow_account_under_the_strict_profile(
    destination: DestinationState,
) -> None:
    asked = the(SEND, narrow=True, destination=destination, proved_at=NOON - 30 * DAY)

    assert missing(asked, STRICT) == Never(code=Reason.NARROW_LIMIT)


# --- What a policy of one's own can ask for ---

with approvals_built():
    REVIEWED = policy_of(
        with_rules(
            '@id("large") @outcome("review") @reason("platform_rule") @quorum("2") '
            'forbid (principal, action in Action::"exits", resource) '
            "when { context.value_cents > 100 } unless { context.approvals >= 2 };"
        )
    )


def test_people_can_be_asked_to_agree() -> None:
    asked = the(SEND, value_cents=101)

    assert missing(asked, REVIEWED) == Approvals(code=Reason.PLATFORM_RULE, count=2)
    assert missing(replace(asked, approvals=2), REVIEWED) == NOTHING


def test_facts_out_of_range_are_an_error_and_an_error_is_a_no() -> None:
    assert missing(the(SEND, roots_enrolled=10**6)) == Never(code=Reason.ENGINE_ERROR)


def test_a_number_that_leaves_64_bits_after_all_is_a_no() -> None:
    """No policy that can is taken; this is for whoever makes one without the loader."""
    (rule,) = REVIEWED.statutes.rules

    def overflow(_: object) -> bool:
        raise OutOfLongError

    broken = Statutes(
        b"", REVIEWED.statutes.permits, (dataclasses.replace(rule, when=_running(rule, overflow)),)
    )

    assert broken.law(the(SEND)) == Never(code=Reason.ENGINE_ERROR)


def _running(rule: Statute, run: Callable[[Context], bool]) -> Term:
    return dataclasses.replace(rule.when, run=run)
