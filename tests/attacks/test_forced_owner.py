"""A robber beside the owner: everything is proved, freshly, by the right person and device.

Mallory stands in Alice's room with a weapon, knows what an exchange is, and has her do as told. He
has her hands, telephone and eyes, and wants what lies on the account before he leaves.

He is stopped by: the passkey that she names for duress and gives as willingly as the other. Nothing
leaves for three days from that tap on, whichever way out he tries and whichever key he asks for
next; the end that he reads is the end. What he cannot know is whether chance picked her.

Left behind: an alarm at the security desk (tests/integration/test_duress_http.py), and the entries.
"""

import pytest
from support.ranges import PASSKEY_ACCOUNT, a_story, played, step

from twinlock.range.results import PartResult
from twinlock.range.story import Story

WAYS_OUT: tuple[tuple[str, dict[str, str]], ...] = (
    ("withdrawal.crypto", {"destination": "old_addr"}),
    ("transfer.internal", {"counterparty": "mallory_acc"}),
    ("gift.send", {"counterparty": "mallory_acc"}),
    ("card.pay", {}),
)
DRAWERS, FIRST = ["passkey@duress"], ["passkey"]


def forced(do: str, proof: list[str], at: str = "0m", **given: object) -> dict[str, object]:
    asked = {"amount": "small", **given}
    return step(do, by="mallory", at=at, proof=proof, **{"with": asked})


@pytest.fixture(scope="module")
def story() -> Story:
    robbery = [
        forced("withdrawal.crypto", DRAWERS, destination="old_addr", amount="large"),
        *(
            forced(do, FIRST, at=f"{number}m", **given)
            for number, (do, given) in enumerate(WAYS_OUT, start=1)
        ),
        forced("withdrawal.crypto", FIRST, at="71h", destination="old_addr"),
        forced("withdrawal.crypto", FIRST, at="72h", destination="old_addr"),
    ]
    twin = {
        "text": "Alice signs with the passkey that she uses every day, and nobody forces her.",
        "steps": [
            step("withdrawal.crypto", proof=FIRST, **{"with": {"destination": "old_addr"}}),
            step(
                "withdrawal.crypto",
                id="x2",
                at="1m",
                proof=FIRST,
                **{"with": {"destination": "old_addr", "amount": "small"}},
            ),
        ],
    }
    return a_story(*robbery, account=PASSKEY_ACCOUNT, benign_twin=twin)


async def parts(story: Story) -> tuple[PartResult, PartResult]:
    result = await played(story)
    return result.attack, result.twin


async def test_the_robber_leaves_with_nothing_and_was_not_lied_to(story: Story) -> None:
    attack, twin = await parts(story)
    *robbed, after = attack.steps

    assert [one.answer for one in robbed] == ["hold"] * len(robbed)
    assert all("exits_held" in one.codes for one in robbed)
    assert sum(one.taken_cents for one in robbed) == 0
    assert after.answer == "allow"
    assert [one.answer for one in twin.steps] == ["allow", "allow"]
