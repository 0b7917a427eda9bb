"""The rules of 2024, as an exchange had them when its customers were robbed: weaker on purpose.

They are laws like ours, from facts to what is still missing, decided by the same gate; only the
demands differ. import-linter bars whatever serves from this package, so that no setting reaches
them (``make check``).

Each rule stands with the exchanges' pages it follows. Where pages differ, the one of the exchange
that the stories of June 2024 tell of was taken; ``docs/range.md`` has the list.
"""

from importlib import resources

from twinlock.bootstrap.rulebook import RuleBook, weaker_book
from twinlock.domain.account import Account, OpenAction
from twinlock.domain.assurance import Level
from twinlock.domain.catalogue import WITHDRAW_SCOPE, ActionClass, ActionType
from twinlock.domain.laws import (
    Law,
    a_freeze_stops,
    nothing_beyond_its_room,
    the_last_way_in_stays,
    unknown_is_no,
    what_is_named_is_there,
)
from twinlock.domain.policy.facts import (
    ApiKeyState,
    DestinationState,
    Facts,
    SessionState,
    Within,
)
from twinlock.domain.reasons import Reason
from twinlock.domain.requirements import (
    NOTHING,
    Never,
    Prove,
    Requirement,
    WaitUntil,
    all_of,
)

NAME = "baseline-2024"
_LISTED = (DestinationState.USABLE, DestinationState.LAPSED, DestinationState.UNPROVED)


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
    """A new device stops withdrawals for a day, but not those to listed addresses or by API key.

    A key has no device. Source: S01 (by a key made minutes after signing in, all was gone); OKX-01
    and S04 (the stop held) beside S02 (withdrawn minutes after signing in, to an address that was
    just listed); KR-02 (saved addresses are not affected).
    """
    if facts.action != ActionType.WITHDRAWAL_CRYPTO or _verification_free(facts):
        return NOTHING
    if facts.api_key is not None:  # What it may do is told by another law.
        return NOTHING
    if facts.held_until is None or facts.held_until <= facts.now:
        return NOTHING
    return WaitUntil(code=Reason.EXITS_HELD, until=facts.held_until)


def a_key_does_what_it_may(facts: Facts) -> Requirement:
    """An API key withdraws if it was made to; where it names networks or addresses, there only.

    Source: S01 (with neither it withdrew from anywhere to anywhere), OKX-08 (a list of networks is
    the customer's choice), KR-08 (addresses that are saved).
    """
    key = facts.api_key
    if key is None:
        return NOTHING
    outside = Within.OUTSIDE
    return all_of(
        NOTHING if WITHDRAW_SCOPE in key.scopes else Never(code=Reason.API_KEY_SCOPE),
        NOTHING if key.ip is not outside else Never(code=Reason.API_KEY_IP),
        NOTHING if key.destination is not outside else Never(code=Reason.API_KEY_DESTINATION),
        NOTHING if key.state is ApiKeyState.LIVE else Never(code=Reason.API_KEY_STOPPED),
    )


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
# (CB-07), an account has so much room, and what is not there is not changed.
LAWS_2024: tuple[Law, ...] = (
    unknown_is_no,
    any_proof_will_do,
    a_freeze_stops,
    setting_up_comes_first,
    nothing_beyond_its_room,
    the_last_way_in_stays,
    what_is_named_is_there,
    new_devices_hold_withdrawals,
    a_key_does_what_it_may,
)


def rule_book_2024() -> RuleBook:
    """Return the rules of 2024 as a policy of its own."""
    text = resources.files("twinlock.range").joinpath("rules", f"{NAME}.cedar").read_text("utf-8")
    return weaker_book(LAWS_2024, text, profile=NAME, codes=codes_always_help)
