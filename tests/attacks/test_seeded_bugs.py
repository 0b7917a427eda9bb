"""Bugs that are put into policies, laws and facts, each of which adds attacks that can be named.

A bug is caught when the whole antichain of attacks grows: a new set of capabilities, or an old one
made faster, in some state (facts: the smallest number alone misses many). Named are the smallest
sets of thefts that are new, and the hour from which each takes something.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from functools import cache
from typing import Any

import pytest
from msgspec.structs import replace
from support.policies import permits, policy_of, rules_in
from support.proved import least, rules, sheet_of

from twinlock.adapters.policies import shipped
from twinlock.domain import api_keys, proving
from twinlock.domain.account import Account
from twinlock.domain.assurance import PHONE, Factor, Level, Placement
from twinlock.domain.authenticators import model
from twinlock.domain.catalogue import ActionClass, ActionType
from twinlock.domain.decisions import Rules
from twinlock.domain.laws import (
    Law,
    a_hold_covers_every_exit,
    a_password_is_no_root,
    loosening_waits,
    the_floor_never_sinks,
    two_roots,
)
from twinlock.domain.own_laws import a_lock_delays
from twinlock.domain.policy import leaving, narrow
from twinlock.domain.policy.facts import DestinationState, Facts
from twinlock.domain.prover.growth import Sheet, growth
from twinlock.domain.requirements import NOTHING, Requirement
from twinlock.range import laws_2024, laws_2026

LAX, HELD = "lax", "held"  # Laws with permits alone; default, where a new password holds exits long.
SHIPPED = ("default", "strict")
Change = Callable[[Rules], Rules]


@dataclass(frozen=True, kw_only=True)
class Bug:
    """Something that is wrong in rules that are right otherwise, and what it adds."""

    name: str
    of: str
    change: Change = lambda by: by
    patch: tuple[str, Any] | None = None
    adds: str


# --- What can go wrong ---


def by_text(text: str, by: Rules) -> Rules:
    policy = policy_of(text)
    return replace(by, policy=policy, statutes=policy.statutes.laws())


def dropped(rule: str, profile: str = "default") -> Change:
    """Return what leaves one statute out of a profile."""
    text = shipped(profile)
    (found,) = (one for one in rules_in(text) if one.startswith(f'@id("{rule}")'))
    return lambda by: by_text(text.replace(found, ""), by)


def changed(old: str, new: str, *, rule: str, profile: str = "default") -> Change:
    """Return what changes one statute of a profile."""
    text = shipped(profile)
    (found,) = (one for one in rules_in(text) if one.startswith(f'@id("{rule}")'))
    assert old in found
    return lambda by: by_text(text.replace(found, found.replace(old, new)), by)


def both(one: Change, other: Change) -> Change:
    return lambda by: other(one(by))


def forgets(law: Law, when: Callable[[Facts], bool] = lambda _: True) -> Change:
    """Return what makes ``law`` ask for nothing where ``when`` is true."""

    def weaker(facts: Facts) -> Requirement:
        return NOTHING if when(facts) else law(facts)

    def change(by: Rules) -> Rules:
        assert law in by.laws
        return replace(by, laws=tuple(weaker if one is law else one for one in by.laws))

    return change


def of(*actions: ActionType) -> Callable[[Facts], bool]:
    return lambda facts: facts.action in actions


def leaves_by(least_shown: Level) -> Callable[[Facts], bool]:
    exits = ActionClass.EXIT
    return lambda facts: facts.action_class is exits and facts.shown_level >= least_shown


def codes_count_for_all(factors: Any, *, floor: Level) -> Level:  # noqa: ANN401 - as it is patched
    code = {Factor.EMAIL_CODE, Factor.SMS_CODE} & set(factors)
    return floor if code else LEVEL_SHOWN(factors, floor=floor)


def apps_are_roots(factor: Factor, placement: Placement, *, name: str) -> str | None:
    return "app" if factor is Factor.TOTP else ROOT_OF(factor, placement, name=name)


def unsigned_is_listed(*some: Any, **more: Any) -> DestinationState:  # noqa: ANN401 - as above
    found = STATE_OF(*some, **more)
    return DestinationState.USABLE if found is DestinationState.UNPROVED else found


def phone_alone(
    account: Account, roots: tuple[str, ...], destination: DestinationState, **more: Any  # noqa: ANN401 - as above
) -> bool:
    """Say whether all is read on the phone, whatever proves: the computer is forgotten."""
    if account.channels and len(roots) > 1:
        return False
    told = narrow._silent(account, destination, now=more["now"])  # noqa: SLF001 - the one part that stays
    return not any(PHONE not in read for read in told)


LEVEL_SHOWN, ROOT_OF, STATE_OF = proving.level_shown, model.root_of, leaving.state_of
CHAIN_HELD = laws_2026.changes_hold_the_chain
BY_KEY = laws_2024.a_key_does_what_it_may
GATHER, KEY_LAWS = "twinlock.domain.policy.gather", "twinlock.domain.key_laws"
SLOW, TOO_SLOW = '("100000")', '("100000")'
BUGS = (
    # Statutes of ``default``
    Bug(name="narrow accounts list addresses as fast as others", of="default",
        change=dropped("narrow.destination.add.waits"), adds=""),
    Bug(name="narrow accounts pay new addresses as fast as others", of="default",
        change=dropped("narrow.exits.new_destination_waits"), adds=""),
    Bug(name="narrow accounts need no second root", of="default",
        change=dropped("narrow.exits.second_root"), adds=""),
    Bug(name="narrow accounts with one root send any sum", of="default",
        change=dropped("narrow.exits.too_much"), adds=""),
    Bug(name="narrow accounts send a hundred times as much", of="default",
        change=changed("100000", "10000000", rule="narrow.exits.too_much"), adds=""),
    Bug(name="narrow accounts wait three days", of="default",
        change=changed("604800", "259200", rule="narrow.destination.add.waits"), adds=""),
    Bug(name="a narrow account's second root is asked for where there is no channel", of="default",
        change=changed("context.has_channel", "!context.has_channel", rule="narrow.exits.second_root"), adds=""),
    Bug(name="nobody waits for a new address", of="default",
        change=dropped("exits.new_destination_waits"), adds=""),
    Bug(name="an address of an older system is as good as any", of="default",
        change=dropped("exits.unproved_destination_waits"), adds=""),
    Bug(name="no sum is too large for one root", of="default",
        change=dropped("exits.daily_limit"), adds=""),
    Bug(name="one exit is forgotten by the wait for new addresses", of="default",
        change=changed("resource)\nwhen {", 'resource)\nwhen { context.action != "convert.execute" &&', rule="exits.new_destination_waits"), adds=""),
    # Statutes of ``strict``
    Bug(name="narrow accounts are like others", of="strict",
        change=dropped("narrow.exits.none", "strict"), adds=""),
    Bug(name="a listed address counts after the law's day", of="strict",
        change=dropped("destination.add.waits", "strict"), adds=""),
    Bug(name="new addresses wait for the law's day", of="strict",
        change=dropped("exits.new_destination_waits", "strict"), adds=""),
    Bug(name="planted addresses wait for the law's day", of="strict",
        change=dropped("exits.unproved_destination_waits", "strict"), adds=""),
    Bug(name="whatever is bound changes what protects", of="strict",
        change=dropped("any.phishing_resistant", "strict"), adds=""),
    Bug(name="a new passkey counts after the law's day", of="strict",
        change=dropped("authenticator.bind.waits", "strict"), adds=""),
    # What the reference rules have
    Bug(name="P2P is forgotten by the hold", of="typical-2026",
        change=forgets(CHAIN_HELD, of(ActionType.P2P_RELEASE)), adds=""),
    Bug(name="an API key that trades withdraws", of="typical-2026", change=forgets(BY_KEY), adds=""),
    Bug(name="an old API key goes anywhere", of="baseline-2024", change=forgets(BY_KEY), adds=""),
    # Laws, with nothing but permits beside them
    Bug(name="one root is enough", of=LAX, change=forgets(two_roots), adds=""),
    Bug(name="one root is enough to convert (C2C forgotten)", of=LAX,
        change=forgets(two_roots, of(ActionType.CONVERT_EXECUTE)), adds=""),
    Bug(name="a planted address stands for a root", of=LAX,
        change=forgets(two_roots, lambda facts: facts.destination is DestinationState.UNPROVED), adds=""),
    Bug(name="loosening waits for an hour", of=LAX,
        patch=("twinlock.domain.laws.LEAST_WAIT", timedelta(hours=1)), adds=""),
    Bug(name="listing waits for nothing", of=LAX,
        change=forgets(loosening_waits, of(ActionType.DESTINATION_ADD)), adds=""),
    Bug(name="a new password waits for nothing", of=LAX,
        change=forgets(loosening_waits, of(ActionType.PASSWORD_RESET)), adds=""),
    Bug(name="a new passkey waits for nothing", of=LAX,
        change=forgets(loosening_waits, of(ActionType.AUTHENTICATOR_BIND)), adds=""),
    Bug(name="a password sends money out (downgrade)", of=LAX,
        change=forgets(the_floor_never_sinks, leaves_by(Level.KNOWLEDGE)), adds=""),
    Bug(name="listing is proved by nothing", of=LAX,
        change=forgets(the_floor_never_sinks, of(ActionType.DESTINATION_ADD)), adds=""),
    Bug(name="any proof binds a passkey", of=LAX,
        change=forgets(
            the_floor_never_sinks,
            lambda facts: facts.action == ActionType.AUTHENTICATOR_BIND
            and facts.shown_level >= Level.KNOWLEDGE,
        ), adds=""),
    Bug(name="a password is a root", of=LAX, change=forgets(a_password_is_no_root), adds=""),
    Bug(name="the owner's lock is forgotten", of=LAX, change=forgets(a_lock_delays), adds=""),
    Bug(name="two keys spare any lock", of="default",
        change=forgets(a_lock_delays, lambda facts: len(facts.shown_roots) > 1), adds=""),
    Bug(name="a lock covers what loosens, and no exit", of="default",
        change=forgets(a_lock_delays, lambda facts: facts.action_class is ActionClass.EXIT), adds=""),
    Bug(name="a lock covers exits, and nothing that loosens", of="default",
        change=forgets(a_lock_delays, lambda facts: facts.action_class is ActionClass.LOOSENING), adds=""),
    Bug(name="one exit is forgotten by the hold (C2C)", of=HELD,
        change=forgets(a_hold_covers_every_exit, of(ActionType.CONVERT_EXECUTE)), adds=""),
    # What the gate takes for a fact
    Bug(name="API keys have no scope, list or sum", of=LAX,
        patch=(f"{KEY_LAWS}._beyond_the_key", lambda *_: NOTHING), adds=""),
    Bug(name="codes are asked for, and count, whatever is bound", of=LAX,
        change=lambda by: replace(by, codes=lambda *_: True),
        patch=("twinlock.domain.proving.level_shown", codes_count_for_all), adds=""),
    Bug(name="an app on the phone is a root of its own", of=LAX,
        patch=("twinlock.domain.authenticators.model.root_of", apps_are_roots), adds=""),
    Bug(name="what an older system listed was signed", of=LAX,
        patch=("twinlock.domain.policy.leaving.state_of", unsigned_is_listed), adds=""),
    Bug(name="saved codes prove everything", of=LAX,
        patch=("twinlock.domain.proving.recovery_helps", lambda *_: True), adds=""),
    Bug(name="only the phone makes an account narrow", of="default",
        patch=(f"{GATHER}.is_narrow", phone_alone), adds=""),
    Bug(name="no account is narrow", of="strict",
        patch=(f"{GATHER}.is_narrow", lambda *_, **__: False), adds=""),
)


@cache
def right(name: str) -> tuple[Rules, Sheet]:
    """Return rules without a bug, and what is proved of them."""
    if name == LAX:
        by = by_text("\n".join(permits()), rules("default"))
    elif name == HELD:
        by = changed("86400", "1209600", rule="password.reset.permit")(rules("default"))
    else:
        by = rules(name)
    return by, sheet_of(by)


@pytest.mark.parametrize("bug", BUGS, ids=lambda bug: f"{bug.of}: {bug.name}")
def test_a_seeded_bug_adds_the_attacks_that_are_known_of_it(
    bug: Bug, monkeypatch: pytest.MonkeyPatch
) -> None:
    by, before = right(bug.of)
    if bug.patch is not None:
        monkeypatch.setattr(*bug.patch)
    after = sheet_of(bug.change(by), sums=before[0].sums)

    assert least(growth([before], [after])) == bug.adds
