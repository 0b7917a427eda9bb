"""Words: every step of every attack has them, and they name what it takes and what it silences."""

import pytest
from support.proved import NAMES, proved

from twinlock.domain.exits import EXITS
from twinlock.domain.money import KNOWN_CENTS_MOST
from twinlock.domain.prover.capabilities import Capability, Mean
from twinlock.domain.prover.derived import Derived
from twinlock.domain.prover.moves import Gain
from twinlock.domain.prover.words import (
    exits_in_words,
    joined,
    length,
    path_of,
    says,
    sentence,
    since,
    sum_in_words,
)

# What stands in a body and is said by nothing: where a thief stands, and what is no thing to show.
UNSAID = ("at:", "capability ", Gain.NOBODY_ASKED)


@pytest.mark.parametrize("profile", NAMES)
def test_every_rule_that_somebody_follows_says_what_it_takes_and_silences(profile: str) -> None:
    system, _ = proved(profile)
    for one in system.origins:
        if not one.action:
            continue
        told = sentence(one)
        named = [atom for atom in one.body if not atom.startswith(UNSAID)]

        for atom in named:
            silent = atom.startswith("mute_")
            assert WORDS[atom] in (told.split("told of it")[0] if silent else told)
        assert ("at once" in told) == (one.delay == 0)
        assert ("holds every exit" in told) == (one.freeze > 0)


WORDS: dict[str, str] = {
    Mean.PASSWORD: "the password",
    Mean.READ_EMAIL: "by e-mail",
    Mean.READ_SMS: "by SMS",
    Mean.TOTP: "of the app",
    Mean.PHONE_KEY: "the phone's passkey",
    Mean.BUILT_IN_KEY: "the built-in passkey",
    Mean.ROAMING_KEY: "the security key",
    Mean.SAVED_CODE: "a saved code",
    Mean.COOKIE: "cookie",
    Mean.DEVICE: "signed-in device",
    Mean.TRADE_KEY: "the API key that trades",
    Mean.WITHDRAW_KEY: "the API key that withdraws",
    Mean.CONTACT: "the trusted contact",
    Mean.PAST_GATE: "authorizations of his own making",
    Mean.MUTE_EMAIL: "e-mail",
    Mean.MUTE_SMS: "SMS",
    Mean.MUTE_DESKTOP: "the program",
    Gain.LISTING: "he listed",
    Gain.PLANTED: "planted",
    Gain.SESSION: "his own session",
    Gain.API_KEY: "his own API key",
    Gain.KEY: "his own passkey",
}


@pytest.mark.parametrize("profile", NAMES)
def test_every_path_ends_with_money_that_leaves(profile: str) -> None:
    system, found = proved(profile)
    for some in found.values():
        for attack in some:
            path = path_of(system, attack)

            assert path[-1].minute == attack.minutes
            assert path[-1].action in EXITS or path[-1].says.startswith("has the wallet sign")
            assert [one.minute for one in path] == sorted(one.minute for one in path)


def test_a_step_in_words() -> None:
    listed = Derived(
        head="listing",
        body=frozenset({"at:start", Mean.ROAMING_KEY, Mean.MUTE_EMAIL, Mean.MUTE_SMS}),
        delay=24 * 60,
        action="destination.add",
    )
    bound = Derived(
        head="at:start+key",
        body=frozenset({"at:start", Mean.PHONE_KEY}),
        delay=31 * 24 * 60,
        action="authenticator.bind",
    )
    signs_in = Derived(head="session", body=frozenset(), freeze=90, action="session.start")

    assert sentence(listed) == (
        "has an address of his own listed by the security key, after 1 day in which e-mail and SMS"
        " told of it, unread"
    )
    assert sentence(bound) == (
        "binds a passkey of his own by the phone's passkey, after 31 days; it is old by then"
    )
    assert sentence(signs_in) == (
        "signs in on a device of his own, at once; that holds every exit for 90 minutes"
    )


def test_lengths_lists_sums_and_exits_in_words() -> None:
    assert [length(one) for one in (0, 59, 60, 120, 1440, 2880, 1500)] == [
        "0 minutes",
        "59 minutes",
        "1 hour",
        "2 hours",
        "1 day",
        "2 days",
        "25 hours",
    ]
    assert [since(one) for one in (0, 1440)] == ["at once", "1 day"]
    assert joined(["a"]) == "a"
    assert joined(["a", "b", "c"]) == "a, b and c"
    assert sum_in_words(KNOWN_CENTS_MOST) == "any sum"
    assert sum_in_words(100_000) == "US$1,000 a day"
    assert exits_in_words(sorted(EXITS)) == "every exit"
    assert exits_in_words(["gift.send", "card.pay"]) == "card.pay, gift.send"


def test_every_capability_is_said() -> None:
    assert all(says(one) for one in Capability)
