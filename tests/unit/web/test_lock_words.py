"""A lock in words: how long all waits, whom two keys spare, and where they are needed."""

import pytest
from support.cast import ALICE

from twinlock.domain.actions import LockLoosen, LockTighten
from twinlock.web.own_words import tell_own


@pytest.mark.parametrize("form", [LockTighten, LockLoosen])
@pytest.mark.parametrize(
    ("two_keys", "both_keys", "spared", "beside"),
    [
        (False, False, "Nobody", False),
        (True, False, "Two independent", False),
        (False, True, "Nobody", True),
        (True, True, "Nobody", True),
    ],
)
def test_a_lock_says_what_keys_mean_for_it(
    form: type[LockTighten | LockLoosen], two_keys: bool, both_keys: bool, spared: str, beside: bool
) -> None:
    told = tell_own(form(account=ALICE, days=7, two_keys=two_keys, both_keys=both_keys), None)
    lines = {line.label: line.text for line in told.lines}

    assert lines["Who is spared the wait"].startswith(spared)
    assert ("What is needed beside it" in lines) is beside
