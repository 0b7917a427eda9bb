"""What the laws promise for any facts whatever; one section a law."""

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace
from support.cast import DAY, HOUR, INSTANT, NOON
from support.facts import EXITS, PROOFS_OF, cents, facts, fulfil, requirements
from support.policies import LAX, STRICT, policies
from support.worlds import rules_of

from twinlock.domain.actions import BUILT
from twinlock.domain.assurance import Factor, Level, level_shown
from twinlock.domain.bounds import BUDGET_CENTS_MOST, WEAK_LOCK_DAYS
from twinlock.domain.catalogue import ALARMS, CLASS_OF, SCOPES, ActionClass, ActionType
from twinlock.domain.decisions import Rules, judge_facts
from twinlock.domain.key_laws import by_api_key, within_budget
from twinlock.domain.laws import LAWS, Law, setting_up
from twinlock.domain.policy.facts import (
    ApiKeyState,
    DestinationState,
    Facts,
    SessionState,
    Within,
)
from twinlock.domain.policy.version import Policy
from twinlock.domain.reasons import EXPLANATIONS, Reason
from twinlock.domain.requirements import (
    NOTHING,
    STRENGTH,
    Answer,
    Never,
    Requirement,
    answer,
    leaves,
    reasons,
)
from twinlock.services.proving.checking import Reply

RULES = rules_of()
ONLY_LAWS = replace(RULES, statutes=())
LISTED = (DestinationState.USABLE, DestinationState.LAPSED)
STAFF = {kind for kind, cls in CLASS_OF.items() if cls is ActionClass.STAFF}
PICTURES = ("document_image", "face_video", "personal_data", "liveness", "selfie")


def missing(found: Facts, rules: Rules = RULES) -> Requirement:
    return judge_facts(found, rules=rules)


def allowed(found: Facts, rules: Rules = RULES) -> bool:
    return missing(found, rules) == NOTHING


def strength(found: Facts, rules: Rules = RULES) -> int:
    return STRENGTH[answer(missing(found, rules))]


# --- Law 7: a halt ---


@given(facts(platform_halted=False))
def test_under_a_halt_no_exit_is_allowed_and_nothing_is_easier(found: Facts) -> None:
    halted = replace(found, platform_halted=True)

    assert strength(halted) >= strength(found)
    if found.action_class is ActionClass.EXIT:
        assert answer(missing(halted, ONLY_LAWS)) is Answer.DENY
        assert Reason.PLATFORM_HALTED in reasons(missing(halted))


@given(facts(platform_halted=False))
def test_a_halt_stops_exits_and_erasures_and_nothing_else(found: Facts) -> None:
    stopped = found.action_class is ActionClass.EXIT or found.action == ActionType.ACCOUNT_ERASE

    same = missing(replace(found, platform_halted=True)) == missing(found)

    assert same is not stopped


# --- Above any policy: a policy only adds ---


@given(facts(), requirements)
def test_one_more_rule_never_allows_more(found: Facts, more: Requirement) -> None:
    def rule(_: Facts) -> Requirement:
        return more

    stricter = replace(RULES, statutes=(*RULES.statutes, rule))

    assert strength(found, stricter) >= strength(found)


@given(facts(), st.sets(st.sampled_from(LAWS)))
def test_one_law_less_never_forbids_more(found: Facts, gone: set[Law]) -> None:
    weaker = replace(RULES, laws=tuple(law for law in LAWS if law not in gone))

    assert strength(found, weaker) <= strength(found)


@given(facts(), policies())
def test_no_profile_allows_what_the_laws_forbid(found: Facts, policy: Policy) -> None:
    assert strength(found, rules_of(policy)) >= strength(found, ONLY_LAWS)


@given(facts())
def test_the_strict_profile_allows_nothing_that_the_default_forbids(found: Facts) -> None:
    assert not allowed(found, rules_of(STRICT)) or allowed(found)


# --- The central promise: what is listed is what is needed ---


@given(facts(), policies(), st.data())
def test_doing_exactly_what_is_listed_allows_the_action_in_the_end(
    found: Facts, policy: Policy, data: st.DataObject
) -> None:
    """Or what is listed lies later, or is listed as what nothing lifts: from the start or then."""
    rules = rules_of(policy)
    for _ in range(6):
        wanted = missing(found, rules)
        if wanted == NOTHING:
            return
        after = fulfil(wanted, found, lambda count: data.draw(st.integers(0, count - 1)))
        if after is None:
            assert answer(wanted) is Answer.DENY
            return
        found = after
    pytest.fail(f"still missing: {missing(found, rules)}")


# --- Law 1: unknown is no ---


@given(facts(action="unknown"), policies())
def test_an_unknown_action_is_refused_whatever_else_holds(found: Facts, policy: Policy) -> None:
    assert Reason.ACTION_UNKNOWN in reasons(missing(found, rules_of(policy)))
    assert answer(missing(found)) is Answer.DENY


@given(facts())
def test_a_known_action_that_cannot_be_decided_yet_is_refused(found: Facts) -> None:
    refused = missing(replace(found, built=False))

    assert answer(refused) is Answer.DENY
    assert {Reason.ACTION_NOT_BUILT, Reason.ACTION_UNKNOWN} & set(reasons(refused))


@given(facts(action=ActionType.API_KEY_CREATE), st.text().filter(lambda text: text not in SCOPES))
def test_an_unknown_scope_is_refused(found: Facts, scope: str) -> None:
    strange = replace(found, scopes=(*found.scopes, scope))

    assert Reason.ACTION_UNKNOWN in reasons(missing(strange))


@given(facts(), cents, cents)
def test_a_higher_value_never_allows_more(found: Facts, one: int, two: int) -> None:
    """The platform's figure stands in ``value_cents`` alone, so its word can only add."""
    low, high = sorted((one, two))

    assert not allowed(replace(found, value_cents=high)) or allowed(replace(found, value_cents=low))


# --- Law 2: a proof counts for one action only ---


@given(facts(session=SessionState.UNSIGNED), policies())
def test_a_session_that_is_only_named_is_refused(found: Facts, policy: Policy) -> None:
    assert answer(missing(found, rules_of(policy))) is Answer.DENY


# --- Law 3: the floor never sinks ---


@pytest.mark.requirement("O-18", "O-19", "P-10")
@given(facts(), policies())
def test_nothing_but_tightening_is_allowed_below_the_floor(found: Facts, policy: Policy) -> None:
    """And of that only a freeze and a report outside a session."""
    alarms = found.action in ALARMS
    if allowed(found, rules_of(policy)) and not alarms and not setting_up(found):
        at_the_floor = found.shown_level >= max(found.floor, Level.KNOWLEDGE)
        signed = found.session is SessionState.FULL
        tightens = signed and found.action_class is ActionClass.TIGHTENING
        assert at_the_floor or tightens or within_budget(found) or by_api_key(found)


@given(facts(action=ActionType.WITHDRAWAL_CRYPTO), policies())
def test_an_api_key_alone_proves_what_was_signed_for_it_and_nothing_else(
    found: Facts, policy: Policy
) -> None:
    key = found.api_key
    if key is None or not allowed(found, rules_of(policy)):
        return
    own = found.shown_level >= max(found.floor, Level.KNOWLEDGE)
    if own or within_budget(found):
        return
    assert (key.state, key.ip, key.destination) == (ApiKeyState.LIVE, Within.INSIDE, Within.INSIDE)
    assert "withdraw" in key.scopes
    assert key.level >= max(found.floor, Level.KNOWLEDGE)
    assert found.value_cents <= key.left_cents
    assert found.destination is DestinationState.USABLE


@given(facts(shown_factors=(Factor.API_KEY,), shown_level=Level.NONE, shown_roots=()), policies())
def test_an_api_key_alone_does_nothing_but_withdraw(found: Facts, policy: Policy) -> None:
    by_session = found.session is SessionState.FULL
    if allowed(found, rules_of(policy)) and not by_session and not setting_up(found):
        assert found.action == ActionType.WITHDRAWAL_CRYPTO
        assert by_api_key(found)


@given(facts(action=ActionType.WITHDRAWAL_CRYPTO), policies())
def test_an_api_key_opens_nothing_that_its_own_proofs_would_not(
    found: Facts, policy: Policy
) -> None:
    """What a key is let do, whoever made it could do: shown for this very payload."""
    key = found.api_key
    if key is None or not by_api_key(found) or not allowed(found, rules_of(policy)):
        return
    themselves = replace(
        found,
        api_key=None,
        shown_factors=tuple(sorted({*found.shown_factors, *PROOFS_OF[key.level]})),
        shown_level=max(found.shown_level, key.level),
    )

    assert allowed(themselves, rules_of(policy))


@given(facts())
def test_only_a_usable_destination_has_a_budget_and_only_for_a_signed_session(
    found: Facts,
) -> None:
    if within_budget(found):
        assert found.action_class is ActionClass.EXIT
        assert found.session is SessionState.FULL
        assert found.destination is DestinationState.USABLE
        assert found.value_cents <= found.budget_left_cents
        assert found.value_cents <= BUDGET_CENTS_MOST


@given(facts(), st.sampled_from(Factor))
def test_one_more_proof_never_asks_for_more_proof(found: Facts, more: Factor) -> None:
    factors = {*found.shown_factors, more}
    level = level_shown(factors, floor=found.floor)
    # A first proof by more than a password or a session comes with a root; one more may share it.
    first = ("phone",) if more not in (Factor.PASSWORD, Factor.SESSION) else ()
    roots = found.shown_roots or first
    shown = replace(
        found,
        shown_factors=tuple(sorted(factors)),
        shown_level=level,
        shown_roots=roots,
        roots_enrolled=max(found.roots_enrolled, len(roots)),
        proved_at=found.proved_at or (NOON if level >= max(found.floor, 1) else None),
    )

    assert strength(shown) <= strength(found)


@pytest.mark.requirement("O-18")
@given(facts(action=ActionType.AUTHENTICATOR_REMOVE))
def test_for_thirty_days_a_newcomer_removes_nothing_older(found: Facts) -> None:
    if not allowed(found) or found.target_bound_at is None or found.shown_oldest_at is None:
        return
    ripe = found.now - found.shown_oldest_at >= 30 * DAY

    assert ripe or found.shown_oldest_at <= found.target_bound_at + HOUR
    assert found.shown_level >= found.target_level


@given(facts(action=ActionType.API_KEY_CREATE), policies())
def test_a_key_that_may_withdraw_names_addresses_and_destinations(
    found: Facts, policy: Policy
) -> None:
    if allowed(found, rules_of(policy)) and "withdraw" in found.scopes:
        assert found.ip_list > 0
        assert found.key_destinations > 0
        assert found.key_daily_cents > 0


# --- Law 4: two roots ---


@pytest.mark.requirement("P-09")
@given(facts())
def test_an_exit_has_two_roots_behind_it_and_silence_is_one(found: Facts) -> None:
    lax = rules_of(LAX)
    if found.action_class is not ActionClass.EXIT or not allowed(found, lax):
        return
    silent = found.proved_at is not None and found.now - found.proved_at >= DAY

    assert found.destination in LISTED or len(found.shown_roots) > 1 or silent


# --- Law 5: tightening is instant, loosening waits ---


@given(facts())
def test_whatever_loosens_has_waited_a_day_from_its_proof(found: Facts) -> None:
    lax = rules_of(LAX)
    loosens = found.action_class is ActionClass.LOOSENING and not setting_up(found)
    if loosens and allowed(found, lax):
        assert found.proved_at is not None
        assert found.now - found.proved_at >= DAY


@given(facts(), policies())
def test_a_wait_that_was_told_is_never_shortened_by_any_profile(
    found: Facts, policy: Policy
) -> None:
    if allowed(found, rules_of(policy)):
        assert found.promised_until is None or found.promised_until <= found.now
        spared = len(found.shown_roots) > 1
        assert spared or found.offered_until is None or found.offered_until <= found.now


lock_days = st.sampled_from([1, WEAK_LOCK_DAYS, WEAK_LOCK_DAYS + 1, 30])
TIGHTENING = [kind for kind in sorted(BUILT) if CLASS_OF[kind] is ActionClass.TIGHTENING]


@given(facts(promised_until=None), st.sampled_from(TIGHTENING), lock_days, policies())
def test_tightening_is_instant(found: Facts, action: str, days: int, policy: Policy) -> None:
    """A freeze or a report with any proof, the rest at the floor or in a session.

    Only a copied session, and a second weak freeze in a month, are turned away; and a session sets
    no quorum, adds no contact, and locks for no longer than a freeze would.
    """
    asked = replace(
        found,
        action=action,
        action_class=ActionClass.TIGHTENING,
        built=True,
        too_many=False,
        way_in_left=True,
        api_key=None,  # None is read for what tightens.
        target_bound_at=None,
        target_gone=False,
        channel_left=True,
        channel_confirmed=True,
        destination=DestinationState.NONE,
        scopes=(),
        budget_cents=0,
        offered_until=None,
        unheard_until=None,  # Nothing of it waits, so no word of a wait is lost.
        loosens_agreement=False,
        asked_lock_days=days if action == ActionType.LOCK_TIGHTEN else 0,
    )
    wanted = missing(asked, rules_of(policy))
    turned_away = {Reason.PROOF_NOT_BOUND, Reason.FREEZE_TOO_SOON}

    at_the_floor = found.shown_level >= max(found.floor, Level.KNOWLEDGE)
    proved_only = action in (ActionType.QUORUM_TIGHTEN, ActionType.TRUSTED_CONTACT_ADD) or (
        action == ActionType.LOCK_TIGHTEN and asked.asked_lock_days > WEAK_LOCK_DAYS
    )
    in_session = found.session is SessionState.FULL and not proved_only
    enough = at_the_floor or in_session
    by_people = set(found.shown_factors) - {Factor.API_KEY}  # A bot's key sounds no alarm.
    if by_people if action in ALARMS else enough:
        assert set(reasons(wanted)) <= turned_away
    else:
        assert {Reason.PROOF_NEEDED, Reason.NOTHING_BOUND} & set(reasons(wanted))


@given(facts(action=ActionType.FREEZE_SET), policies())
def test_a_freeze_below_the_floor_is_set_once_in_thirty_days(found: Facts, policy: Policy) -> None:
    if allowed(found, rules_of(policy)) and found.weak_freeze_at is not None:
        strong = found.shown_level >= found.floor
        assert strong or found.now - found.weak_freeze_at >= 30 * DAY


# --- Law 6: a hold covers every exit ---


@given(facts(), st.sampled_from(EXITS), policies())
def test_a_hold_covers_every_exit_those_that_cannot_be_decided_yet_included(
    found: Facts, exit_: str, policy: Policy
) -> None:
    built_tomorrow = replace(found, action=exit_, action_class=ActionClass.EXIT, built=True)
    held = replace(built_tomorrow, held_until=NOON + INSTANT)

    assert not allowed(held, rules_of(policy))


@given(facts(), st.sampled_from([*EXITS, *CLASS_OF]), policies())
def test_a_freeze_stops_whatever_leaves_or_loosens(
    found: Facts, action: str, policy: Policy
) -> None:
    cls = CLASS_OF[action]
    frozen = replace(
        found, action=action, action_class=cls, built=True, frozen_until=NOON + INSTANT
    )
    stops = cls in (ActionClass.EXIT, ActionClass.LOOSENING)

    if stops and action != ActionType.FREEZE_LIFT:
        assert not allowed(frozen, rules_of(policy))


@given(facts(action=ActionType.FREEZE_LIFT))
def test_no_freeze_is_lifted_by_what_was_asked_before_it_was_set(found: Facts) -> None:
    set_later = replace(found, frozen_until=NOON + DAY, frozen_at=found.proposed_at + INSTANT)

    assert answer(missing(set_later)) is Answer.DENY


# --- Law 7: nobody alone ---


@given(facts(), policies(), st.sampled_from(sorted(STAFF)))
def test_no_proof_does_what_takes_staff(found: Facts, policy: Policy, action: str) -> None:
    """Until two drawn people can be asked, nobody is enough."""
    asked = replace(found, action=action, action_class=ActionClass.STAFF, built=action in BUILT)

    assert answer(missing(asked, rules_of(policy))) is Answer.DENY


# --- Law 8: a picture opens no door ---


@pytest.mark.requirement("N-B22", "O-11")
@given(st.text(max_size=20) | st.sampled_from(PICTURES))
def test_nothing_but_possession_and_knowledge_is_taken_as_a_proof(shown: str) -> None:
    try:
        reply = msgspec.convert({"factor": shown}, Reply)
    except msgspec.ValidationError:
        assert shown not in set(Factor)
    else:
        assert reply.factor in set(Factor)
        assert shown not in PICTURES


# --- Law 10: every no has a reason, an end and a way on ---


@given(facts(), policies())
def test_every_no_has_a_reason_that_is_explained(found: Facts, policy: Policy) -> None:
    wanted = missing(found, rules_of(policy))

    assert wanted == NOTHING or reasons(wanted)
    assert set(reasons(wanted)) <= set(EXPLANATIONS)


@given(facts(), policies())
def test_no_end_that_is_told_lies_in_the_past(found: Facts, policy: Policy) -> None:
    for leaf in leaves(missing(found, rules_of(policy))):
        until = getattr(leaf, "until", None)
        assert until is None or until > found.now


@given(facts(), policies())
def test_what_nothing_lifts_is_refused_and_not_asked_for(found: Facts, policy: Policy) -> None:
    wanted = missing(found, rules_of(policy))

    if any(isinstance(leaf, Never) for leaf in leaves(wanted)):
        assert answer(wanted) is Answer.DENY
