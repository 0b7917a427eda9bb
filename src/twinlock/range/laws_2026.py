"""The rules of 2026, as large exchanges publish them: better than in 2024, weaker than ours.

They are laws like ours, decided by the same gate; only the demands differ. What is usual now: an
app or a passkey for money and for lists, a stop of a day or two after a change, on the chain and in
P2P only, no stop that nobody can shorten, and a weaker way round most of them. import-linter bars
whatever serves from this package (``make check``).
"""

from importlib import resources

from twinlock.bootstrap.rulebook import RuleBook, weaker_book
from twinlock.domain.assurance import Level
from twinlock.domain.catalogue import ActionClass, ActionType
from twinlock.domain.laws import (
    Law,
    a_freeze_stops,
    a_proof_counts_once,
    nothing_beyond_its_room,
    nothing_is_bound_twice,
    the_last_way_in_stays,
    unknown_is_no,
    what_is_named_is_there,
)
from twinlock.domain.policy.facts import DestinationState, Facts
from twinlock.domain.reasons import Reason
from twinlock.domain.requirements import NOTHING, Prove, Requirement, WaitUntil
from twinlock.range.laws_2024 import (
    a_key_does_what_it_may,
    codes_always_help,
    setting_up_comes_first,
)

NAME = "typical-2026"
HELD = (ActionType.WITHDRAWAL_CRYPTO, ActionType.P2P_RELEASE)
_CAREFUL = (ActionType.SESSION_START, ActionType.DESTINATION_ADD, ActionType.API_KEY_CREATE)
_LISTED = (DestinationState.USABLE, DestinationState.UNPROVED)


def each_action_has_its_proof(facts: Facts) -> Requirement:
    """Money, lists, keys and signing in ask for the app or the passkey that is bound, if one is.

    Whatever changes an authenticator asks for any one factor: the way round. An API key stands for
    what made it, on its networks and to saved addresses (KR-08, OKX-08, BIN-03).
    Source: OKX-09 (all three are bound), KR-06, CB-06, OKX-04 (removed without its like).
    """
    if facts.enrolling and facts.action == ActionType.AUTHENTICATOR_BIND:
        return NOTHING
    if _verification_free(facts):
        return NOTHING
    careful = facts.action_class is ActionClass.EXIT or facts.action in _CAREFUL
    level = min(facts.floor, Level.POSSESSION) if careful else Level.KNOWLEDGE
    by_key = Level.NONE if facts.api_key is None else facts.api_key.level
    enough = max(facts.shown_level, by_key) >= level if careful else bool(facts.shown_factors)
    if enough and facts.shown_factors:
        return NOTHING
    return Prove(code=Reason.PROOF_NEEDED, level=max(level, Level.KNOWLEDGE))


def _verification_free(facts: Facts) -> bool:
    """Say whether this leaves to an address saved as verified, which a session may use.

    Source: BYB-02 (neither code nor app is asked for), OKX-07 (lapses after 30 days without use).
    """
    listed = facts.destination in _LISTED and facts.value_cents <= facts.budget_left_cents
    return facts.action_class is ActionClass.EXIT and listed


def changes_hold_the_chain(facts: Facts) -> Requirement:
    """After a change nothing leaves on the chain or by P2P; other exits stay open.

    Source: OKX-01 to OKX-04, BIN-01, BIN-02; OKX-02 and BYB-01 name more exits than most.
    """
    if facts.action not in HELD or facts.held_until is None or facts.held_until <= facts.now:
        return NOTHING
    return WaitUntil(code=Reason.EXITS_HELD, until=facts.held_until)


LAWS_2026: tuple[Law, ...] = (
    unknown_is_no,
    a_proof_counts_once,
    each_action_has_its_proof,
    changes_hold_the_chain,
    a_key_does_what_it_may,
    a_freeze_stops,
    setting_up_comes_first,
    nothing_beyond_its_room,
    nothing_is_bound_twice,
    the_last_way_in_stays,
    what_is_named_is_there,
)


def rule_book_2026() -> RuleBook:
    """Return the rules of 2026 as a policy of its own."""
    text = resources.files("twinlock.range").joinpath("rules", f"{NAME}.cedar").read_text("utf-8")
    return weaker_book(LAWS_2026, text, profile=NAME, codes=codes_always_help)
