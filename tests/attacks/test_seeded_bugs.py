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
from twinlock.domain.account import Account
from twinlock.domain.assurance import PHONE, Factor, Level, Placement, level_shown, root_of
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
from twinlock.domain.own_laws import a_contact_agrees, a_contact_stays_a_while, a_lock_delays
from twinlock.domain.policy import leaving, narrow
from twinlock.domain.policy.facts import DestinationState, Facts
from twinlock.domain.prover.growth import Sheet, growth
from twinlock.domain.requirements import NOTHING, Requirement
from twinlock.range import laws_2024, laws_2026

pytestmark = pytest.mark.timeout(400)  # Seconds where nothing else runs.

LAX = "lax"  # The laws, with nothing but permits beside them.
HELD = "held"  # default, where a new password holds every exit for a fortnight.
GIFTS = "gifts"  # default, where no gift leaves narrow accounts that have a channel.
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


def forgets(law: Law, when: Callable[[Facts], bool] = lambda _: True) -> Change:
    """Return what makes ``law`` ask for nothing where ``when`` is true."""

    def weaker(facts: Facts) -> Requirement:
        return NOTHING if when(facts) else law(facts)

    def change(by: Rules) -> Rules:
        assert law in by.laws
        return replace(by, laws=tuple(weaker if one is law else one for one in by.laws))

    return change


def both(one: Change, other: Change) -> Change:
    return lambda by: other(one(by))


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
    account: Account,
    roots: tuple[str, ...],
    destination: DestinationState,
    **more: Any,  # noqa: ANN401 - as above
) -> bool:
    """Say whether all is read on the phone, whatever proves: the computer is forgotten."""
    if account.channels and len(roots) > 1:
        return False
    told = narrow._silent(account, destination, now=more["now"])  # noqa: SLF001 - the one part that stays
    return not any(PHONE not in read for read in told)


LEVEL_SHOWN, ROOT_OF, STATE_OF = level_shown, root_of, leaving.state_of
CHAIN_HELD = laws_2026.changes_hold_the_chain
BY_KEY = laws_2024.a_key_does_what_it_may
GATHER, KEY_LAWS = "twinlock.domain.policy.gather", "twinlock.domain.key_laws"
# A rule of one exit, that shows in no state but narrow ones.
NO_GIFTS = """
@id("gift.send.narrow") @outcome("deny") @reason("narrow_limit")
forbid (principal, action == Action::"gift.send", resource)
when { context.narrow && context.has_channel };
"""
BUGS = (
    # Statutes of ``default``
    Bug(
        name="narrow accounts list addresses as fast as others",
        of="default",
        change=dropped("narrow.destination.add.waits"),
        adds="password 768, sms_receive 48, phone_malware 24, pc_malware 24, "
        "passkey_provider 24, hw_key 24, notice_provider 48",
    ),
    Bug(
        name="narrow accounts pay new addresses as fast as others",
        of="default",
        change=dropped("narrow.exits.new_destination_waits"),
        adds="password 768, sms_receive 48, phone_malware 24, pc_malware 24, "
        "passkey_provider 24, hw_key 24, notice_provider 48",
    ),
    Bug(
        name="narrow accounts need no second root",
        of="default",
        change=dropped("narrow.exits.second_root"),
        adds="phone_malware 168, pc_malware 168, passkey_provider 168, hw_key 168",
    ),
    Bug(
        name="narrow accounts with one root send any sum",
        of="default",
        change=dropped("narrow.exits.too_much"),
        adds="password 912, sms_receive 192, phone_malware 168, pc_malware 168, "
        "passkey_provider 168, hw_key 168, notice_provider 192",
    ),
    Bug(
        name="narrow accounts send a hundred times as much",
        of="default",
        change=changed("100000", "10000000", rule="narrow.exits.too_much"),
        adds="password 912, sms_receive 192, phone_malware 168, pc_malware 168, "
        "passkey_provider 168, hw_key 168, notice_provider 192",
    ),
    Bug(
        name="narrow accounts wait three days",
        of="default",
        change=changed("604800", "259200", rule="narrow.destination.add.waits"),
        adds="password 816, sms_receive 96, phone_malware 72, pc_malware 72, "
        "passkey_provider 72, hw_key 72, notice_provider 96",
    ),
    Bug(
        name="a narrow account's second root is asked for where there is no channel",
        of="default",
        change=changed(
            "context.has_channel", "!context.has_channel", rule="narrow.exits.second_root"
        ),
        adds="phone_malware 168, pc_malware 168, passkey_provider 168, hw_key 168",
    ),
    Bug(
        name="nobody waits for a new address",
        of="default",
        change=dropped("exits.new_destination_waits"),
        adds="phone_malware+hw_key 0, passkey_provider+hw_key 0",
    ),
    Bug(
        name="an address of an older system is as good as any",
        of="default",
        change=dropped("exits.unproved_destination_waits"),
        adds="phone_malware+hw_key 0, passkey_provider+hw_key 0",
    ),
    Bug(
        name="no sum is too large for one root",
        of="default",
        change=dropped("exits.daily_limit"),
        adds="sms_receive 768, phone_malware 744, pc_malware 744, passkey_provider 768, "
        "hw_key 768, notice_provider 768",
    ),
    Bug(
        name="one exit that had a rule of its own has none",
        of=GIFTS,
        change=lambda by: by_text(shipped("default"), by),
        adds="sms_receive 192, phone_malware 168, pc_malware 168, notice_provider 192",
    ),
    # Statutes of ``strict``
    Bug(
        name="narrow accounts are like others",
        of="strict",
        change=dropped("narrow.exits.none", "strict"),
        adds="phone_malware 168, pc_malware 168, passkey_provider 168, hw_key 168",
    ),
    Bug(
        name="a listed address counts after the law's day",
        of="strict",
        change=dropped("destination.add.waits", "strict"),
        adds="email_full+hw_key 24, sms_receive+hw_key 24, phone_malware+pc_malware 24, "
        "phone_malware+hw_key 24, pc_malware+hw_key 24, hw_key+mail_bomb 24, "
        "hw_key+notice_provider 24",
    ),
    Bug(
        name="new addresses wait for the law's day",
        of="strict",
        change=dropped("exits.new_destination_waits", "strict"),
        adds="email_full+hw_key 24, sms_receive+hw_key 24, phone_malware+pc_malware 24, "
        "phone_malware+hw_key 0, pc_malware+hw_key 24, passkey_provider+hw_key 0, "
        "hw_key+mail_bomb 24, hw_key+notice_provider 24",
    ),
    Bug(
        name="planted addresses wait for the law's day",
        of="strict",
        change=dropped("exits.unproved_destination_waits", "strict"),
        adds="email_full+hw_key 24, sms_receive+hw_key 24, phone_malware+pc_malware 24, "
        "phone_malware+hw_key 0, pc_malware+hw_key 24, passkey_provider+hw_key 0, "
        "hw_key+mail_bomb 24, hw_key+notice_provider 24",
    ),
    Bug(
        name="whatever is bound changes what protects",
        of="strict",
        change=dropped("any.phishing_resistant", "strict"),
        adds="phone_malware 792",
    ),
    Bug(
        name="a new passkey counts after the law's day",
        of="strict",
        change=dropped("authenticator.bind.waits", "strict"),
        adds="phone_malware 744, pc_malware 744",
    ),
    # What the reference rules have
    Bug(
        name="P2P is forgotten by the hold",
        of="typical-2026",
        change=forgets(CHAIN_HELD, of(ActionType.P2P_RELEASE)),
        adds=(
            "password 0, email_full 0, sms_receive 0, phone_malware 0, pc_malware 0,"
            " recovery_code 0, notice_provider 0"
        ),
    ),
    Bug(
        name="an API key that trades withdraws",
        of="typical-2026",
        change=forgets(BY_KEY),
        adds="api_key_trade 0, api_key_withdraw 0",
    ),
    Bug(
        name="an old API key goes anywhere",
        of="baseline-2024",
        change=forgets(BY_KEY),
        adds="api_key_trade 0, api_key_withdraw 0",
    ),
    # Laws, with nothing but permits beside them
    Bug(
        name="one root is enough",
        of=LAX,
        change=forgets(two_roots),
        adds="password 744, totp_relay 0, totp_seed 0, phone_malware 0, pc_malware 0, "
        "passkey_provider 0, hw_key 0",
    ),
    Bug(
        name="one root is enough to convert (C2C forgotten)",
        of=LAX,
        change=forgets(two_roots, of(ActionType.CONVERT_EXECUTE)),
        adds="password 744, totp_relay 0, totp_seed 0, phone_malware 0, pc_malware 0, "
        "passkey_provider 0, hw_key 0",
    ),
    Bug(
        name="a planted address stands for a root",
        of=LAX,
        change=forgets(two_roots, lambda facts: facts.destination is DestinationState.UNPROVED),
        adds="totp_relay 0, totp_seed 0, phone_malware 0, pc_malware 0, passkey_provider 0, "
        "hw_key 0",
    ),
    Bug(
        name="loosening waits for an hour",
        of=LAX,
        patch=("twinlock.domain.laws.LEAST_WAIT", timedelta(hours=1)),
        adds="password 722, email_full 25, sms_receive 25, totp_relay 1, totp_seed 1, "
        "phone_malware 1, pc_malware 1, passkey_provider 1, hw_key 1, "
        "notice_provider 25",
    ),
    Bug(
        name="listing waits for nothing",
        of=LAX,
        change=forgets(loosening_waits, of(ActionType.DESTINATION_ADD)),
        adds="password 744, totp_relay 0, totp_seed 0, phone_malware 0, pc_malware 0, "
        "passkey_provider 0, hw_key 0",
    ),
    Bug(
        name="a new password waits for nothing",
        of=LAX,
        change=forgets(loosening_waits, of(ActionType.PASSWORD_RESET)),
        adds="sms_receive 24, notice_provider 24",
    ),
    Bug(
        name="a new passkey waits for nothing",
        of=LAX,
        change=forgets(loosening_waits, of(ActionType.AUTHENTICATOR_BIND)),
        adds="password 744, phone_malware 24, pc_malware 744",
    ),
    Bug(
        name="a password sends money out (downgrade)",
        of=LAX,
        change=forgets(the_floor_never_sinks, leaves_by(Level.KNOWLEDGE)),
        adds="password 24, phone_malware 24, pc_malware 24",
    ),
    Bug(
        name="listing is proved by nothing",
        of=LAX,
        change=forgets(the_floor_never_sinks, of(ActionType.DESTINATION_ADD)),
        adds="pc_malware 24",
    ),
    Bug(
        name="any proof binds a passkey",
        of=LAX,
        change=forgets(
            the_floor_never_sinks,
            lambda facts: (
                facts.action == ActionType.AUTHENTICATOR_BIND
                and facts.shown_level >= Level.KNOWLEDGE
            ),
        ),
        adds="password 768, phone_malware 768, pc_malware 768",
    ),
    Bug(
        name="a password is a root",
        of=LAX,
        change=forgets(a_password_is_no_root),
        adds="password 24, phone_malware 24, pc_malware 24",
    ),
    Bug(
        name="the owner's lock is forgotten",
        of=LAX,
        change=forgets(a_lock_delays),
        adds="phone_malware 24",
    ),
    Bug(
        name="two keys spare any lock",
        of="default",
        change=forgets(a_lock_delays, lambda facts: len(facts.shown_roots) > 1),
        adds="phone_malware 888",
    ),
    Bug(
        name="a lock covers what loosens, and no exit",
        of="default",
        change=forgets(a_lock_delays, lambda facts: facts.action_class is ActionClass.EXIT),
        adds="phone_malware 168",
    ),
    Bug(
        name="a lock covers exits, and nothing that loosens",
        of="default",
        change=forgets(a_lock_delays, lambda facts: facts.action_class is ActionClass.LOOSENING),
        adds="phone_malware 744",
    ),
    Bug(
        name="no contact is asked",
        of="default",
        change=forgets(a_contact_agrees),
        adds="sms_receive+hw_key 24, phone_malware+hw_key 24, hw_key+notice_provider 24",
    ),
    Bug(
        name="a contact is gone at once",
        of=LAX,
        change=both(
            forgets(a_contact_stays_a_while),
            forgets(loosening_waits, of(ActionType.TRUSTED_CONTACT_REMOVE)),
        ),
        adds="phone_malware 24",
    ),
    Bug(
        name="one exit is forgotten by the hold (C2C)",
        of=HELD,
        change=forgets(a_hold_covers_every_exit, of(ActionType.CONVERT_EXECUTE)),
        adds="sms_receive 192, notice_provider 192",
    ),
    # What the gate takes for a fact
    Bug(
        name="API keys have no scope, list or sum",
        of=LAX,
        patch=(f"{KEY_LAWS}._beyond_the_key", lambda *_: NOTHING),
        adds="api_key_trade 24, api_key_withdraw 24",
    ),
    Bug(
        name="codes are asked for, and count, whatever is bound",
        of=LAX,
        change=lambda by: replace(by, codes=lambda *_: True),
        patch=("twinlock.domain.proving.level_shown", codes_count_for_all),
        adds="email_full 768, sms_receive 24, phone_malware 768, pc_malware 768, "
        "notice_provider 24",
    ),
    Bug(
        name="an app on the phone is a root of its own",
        of=LAX,
        patch=("twinlock.domain.authenticators.model.root_of", apps_are_roots),
        adds="phone_malware 0",
    ),
    Bug(
        name="what an older system listed was signed",
        of=LAX,
        patch=("twinlock.domain.policy.leaving.state_of", unsigned_is_listed),
        adds="totp_relay 0, totp_seed 0, phone_malware 0, pc_malware 0, passkey_provider 0, "
        "hw_key 0",
    ),
    Bug(
        name="saved codes prove everything",
        of=LAX,
        patch=("twinlock.domain.proving.recovery_helps", lambda *_: True),
        adds="phone_malware+hw_key 0, hw_key+recovery_code 0",
    ),
    Bug(
        name="only the phone makes an account narrow",
        of="default",
        patch=(f"{GATHER}.is_narrow", phone_alone),
        adds="phone_malware 768, pc_malware 24",
    ),
    Bug(
        name="a passkey that is built in lives in the phone",
        of="default",
        patch=("twinlock.domain.policy.narrow.built_in", lambda _: False),
        adds="phone_malware 768, pc_malware 24",
    ),
    Bug(
        name="no account is narrow",
        of="strict",
        patch=(f"{GATHER}.is_narrow", lambda *_, **__: False),
        adds="phone_malware 168, pc_malware 168, passkey_provider 168, hw_key 168",
    ),
)


@cache
def right(name: str) -> tuple[Rules, Sheet]:
    """Return rules without a bug, and what is proved of them."""
    if name == LAX:
        by = by_text("\n".join(permits()), rules("default"))
    elif name == HELD:
        by = changed("86400", "1209600", rule="password.reset.permit")(rules("default"))
    elif name == GIFTS:
        by = by_text(shipped("default") + NO_GIFTS, rules("default"))
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
