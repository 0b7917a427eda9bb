"""S13: dust from an address that looks like one the owner pays, and the owner copies it.

Mallory has nothing of Alice's. She makes an address that begins and ends like the one Alice pays,
sends dust from it, and waits until Alice copies it from the history. Alice signs with her own
passkey, so no proof is missing. She is stopped by what the account remembers of each address that
was listed or paid: what begins and ends alike, and is another, is nowhere to send to. She leaves
behind a refusal that shows both addresses in full.
"""

from typing import Any

import pytest
from support.ranges import answers, attack, step

ACCOUNT: dict[str, Any] = {
    "authenticators": ["password", "passkey"],
    "channels": ["email", "sms", "desktop"],
    "destinations": {
        "list": "optional",
        "entries": [{"name": "good_addr", "signed": True, "age": "40d", "last_used": "10d"}],
    },
    "value_usd": 50000000,
}


def to(name: str, first: int, last: int, *, amount: str = "small") -> dict[str, Any]:
    like = {"resembles": "good_addr", "same_first": first, "same_last": last}
    return {"amount": amount, "destination": name, **like}


POISONED = (
    step(
        "withdrawal.crypto",
        **{"with": {"asset": "USDT", "amount": "50", "destination": "good_addr"}},
        proof=["passkey"],
    ),
    step(
        "event.dust",
        by="mallory",
        at="3m",
        **{
            "with": {
                "from": "lookalike_addr",
                "resembles": "good_addr",
                "same_first": 4,
                "same_last": 4,
            }
        },
    ),
    step(
        "withdrawal.crypto",
        at="9m",
        proof=["passkey"],
        **{"with": to("lookalike_addr", 4, 4, amount="49999950")},
    ),
)


async def test_the_copied_address_is_nowhere_to_send_to() -> None:
    found = await attack(*POISONED, account=ACCOUNT, capabilities=["CHAIN_DUST"])

    assert [one.answer for one in found.steps] == ["allow", "done", "deny"]
    assert "look_alike" in found.steps[2].codes


@pytest.mark.parametrize(
    ("do", "first", "last", "said"),
    [
        ("withdrawal.crypto", 4, 4, {"deny"}),
        ("destination.add", 6, 5, {"deny"}),
        ("withdrawal.crypto", 3, 4, {"hold", "challenge"}),
        ("withdrawal.crypto", 4, 3, {"hold", "challenge"}),
    ],
)
async def test_four_and_four_are_blocked_and_three_are_not(
    do: str, first: int, last: int, said: set[str]
) -> None:
    asked = to("lookalike_addr", first, last)
    if do == "destination.add":
        del asked["amount"]
    [answer] = await answers(step(do, proof=["passkey"], **{"with": asked}), account=ACCOUNT)

    assert answer in said


async def test_an_address_that_is_really_new_waits_as_any_and_no_more() -> None:
    new = {"destination": "new_addr"}
    said = await answers(
        step("destination.add", id="b1", proof=["passkey"], **{"with": new}),
        step(
            "withdrawal.crypto",
            at="wait:b1",
            proof=["passkey"],
            **{"with": new | {"amount": "small"}},
        ),
        account=ACCOUNT,
    )

    assert said == ["hold", "allow"]


@pytest.mark.parametrize("profile", ["baseline-2024", "typical-2026"])
async def test_by_the_rules_of_others_the_owner_signs_it_away(profile: str) -> None:
    found = await attack(*POISONED, account=ACCOUNT, capabilities=["CHAIN_DUST"], profile=profile)

    assert found.steps[2].answer == "allow"
