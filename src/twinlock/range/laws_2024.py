"""The rules of 2024, as an exchange had them when its customers were robbed: weaker on purpose.

They are laws like ours, from facts to what is still missing, decided by the same gate; only the
demands differ. import-linter bars whatever serves from this package, so that no setting reaches
them (``make check``).

Each rule stands with the exchanges' pages it follows. Where pages differ, the one of the exchange
that the stories of June 2024 tell of was taken; ``docs/range.md`` has the list.
"""

from datetime import timedelta

from twinlock.bootstrap import RuleBook
from twinlock.domain.account import Account, OpenAction
from twinlock.domain.actions import ActionClass, ActionType
from twinlock.domain.assurance import Level
from twinlock.domain.bounds import MAX_VALUE_CENTS
from twinlock.domain.laws import (
    Law,
    a_freeze_stops,
    nothing_beyond_its_room,
    the_last_way_in_stays,
    unknown_is_no,
)
from twinlock.domain.policy.facts import DestinationState, Facts, SessionState
from twinlock.domain.policy.profile import ASSETS, Profile, make_policy
from twinlock.domain.reasons import Reason
from twinlock.domain.requirements import NOTHING, Never, Prove, Requirement, WaitUntil

_H = timedelta(hours=1)
_FOREVER = timedelta(days=36_500)
_LISTED = (DestinationState.USABLE, DestinationState.LAPSED, DestinationState.UNPROVED)

BASELINE_2024 = Profile(
    name="baseline-2024",
    waits={},  # OKX-05, OKX-06: the lock on new addresses was opt-in, and off at once.
    holds={},  # OKX-01: a changed password held nothing unless a new device signed in afterwards.
    new_device_hold=24 * _H,  # OKX-01; S04 tells that it held, on the chain only.
    new_destination_wait=timedelta(0),  # BTS-01, OKX-05: none unless the customer opted in.
    narrow_destination_wait=timedelta(0),
    destination_lapse=_FOREVER,  # OKX-07: entries lapse only since 2024-07-04; "permanent" stays.
    narrow_daily_cents=MAX_VALUE_CENTS,
    daily_limit_cents=MAX_VALUE_CENTS,
    over_limit_wait=timedelta(0),
    budget_most_cents=MAX_VALUE_CENTS,  # BYB-02, OKX-07: nothing is asked at all, whatever the sum.
    sms_codes=True,
)


def any_proof_will_do(facts: Facts) -> Requirement:
    """No floor: one proof of any kind is enough, and a session counts wherever it was copied to.

    Source: S02 (a code by SMS stood in for the bound app when an address was listed, a withdrawal
    made or a setting changed) and S10 (the cookie alone); KR-06, CB-06 (a weaker factor outranks a
    stronger one).
    """
    if _verification_free(facts) or facts.shown_factors:
        return NOTHING
    if facts.session is not SessionState.NONE or _setting_up(facts):
        return NOTHING
    return Prove(code=Reason.PROOF_NEEDED, level=Level.KNOWLEDGE)


def _setting_up(facts: Facts) -> bool:
    return facts.enrolling and facts.action == ActionType.AUTHENTICATOR_BIND


def _verification_free(facts: Facts) -> bool:
    """Say whether this leaves to a listed address, which nobody checks again.

    Source: BYB-02, OKX-07 (an address saved as verified needs neither code nor app); S07.
    """
    return facts.action_class is ActionClass.EXIT and facts.destination in _LISTED


def new_devices_hold_withdrawals(facts: Facts) -> Requirement:
    """A new device stops withdrawals for a day, but not those to listed addresses.

    Source: OKX-01 and S04 (the stop held) beside S02 (withdrawn minutes after signing in, to an
    address that was just listed); KR-02 (saved addresses are not affected).
    """
    if facts.action != ActionType.WITHDRAWAL_CRYPTO or _verification_free(facts):
        return NOTHING
    if facts.held_until is None or facts.held_until <= facts.now:
        return NOTHING
    return WaitUntil(code=Reason.EXITS_HELD, until=facts.held_until)


def the_list_is_kept(facts: Facts) -> Requirement:
    """Where the owner wants a list, an address that is not on it is refused.

    Source: OKX-06, CB-01, GEM-02 (lists existed, and were kept).
    """
    if facts.action_class is not ActionClass.EXIT or not facts.destinations_required:
        return NOTHING
    return NOTHING if facts.destination in _LISTED else Never(code=Reason.DESTINATION_NOT_LISTED)


def setting_up_comes_first(facts: Facts) -> Requirement:
    """Nothing leaves an account that nobody has signed in to yet."""
    if facts.action_class is ActionClass.EXIT and facts.enrolling:
        return Never(code=Reason.ENROLMENT_OPEN)
    return NOTHING


def codes_always_help(_account: Account, _action: OpenAction) -> bool:
    """Codes by e-mail and SMS are asked for whatever else is bound.

    Source: S02; OKX-05 (what switched the lock off were the two weakest factors).
    """
    return True


# What has nothing to do with thieves stays: what is not built cannot be done, a freeze is a freeze
# (CB-07), and an account has so much room.
LAWS_2024: tuple[Law, ...] = (
    unknown_is_no,
    any_proof_will_do,
    a_freeze_stops,
    setting_up_comes_first,
    nothing_beyond_its_room,
    the_last_way_in_stays,
)
STATUTES_2024: tuple[Law, ...] = (new_devices_hold_withdrawals, the_list_is_kept)


def rule_book_2024(*, version: int = 1) -> RuleBook:
    """Return the rules of 2024 as a policy of its own."""
    policy = make_policy(version=version, profile=BASELINE_2024, assets=ASSETS)
    return RuleBook(laws=LAWS_2024, statutes=STATUTES_2024, policy=policy, codes=codes_always_help)
