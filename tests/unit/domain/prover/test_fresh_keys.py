"""Whether a passkey that a thief has just bound serves him at once, by the rules themselves."""

from datetime import timedelta

import pytest

from twinlock.bootstrap.proving import rules_of as deciding
from twinlock.domain.bounds import NEWCOMER_PERIOD
from twinlock.domain.prover import enrolment
from twinlock.domain.prover.capabilities import Assumptions
from twinlock.domain.prover.model import Deriver
from twinlock.range.profiles import BASELINE, DEFAULT, rules_of


@pytest.mark.parametrize(
    ("profile", "ages"),
    [(BASELINE, timedelta(0)), (DEFAULT, NEWCOMER_PERIOD)],
)
def test_a_thiefs_passkey_ages_only_where_the_rules_ask_for_age(
    profile: str, ages: timedelta
) -> None:
    deriver = Deriver(deciding(rules_of(profile)), assumed=Assumptions())

    state, *_ = enrolment.bases()
    binds = [one for one in deriver.derive(state) if one.head == "at:start+key"]

    waits = {one.delay for one in binds}
    assert waits
    assert all(one >= ages // timedelta(minutes=1) for one in waits)
    assert ages or min(waits) == 0
