"""The password is suspended, and so a thief's key would be kept instead of removed.

Mallory bound a passkey by one relayed code of Alice's app. Alice suspends her leaked password
first, as she should, or Mallory does with a mailbox; then Alice says "this was not me". Nothing
that is left begins a session alone, and the key would only be suspended, with a floor that Alice
cannot reach. She is stopped by law 3: the app reaches the floor of what is left, and sets another
password.
"""

import pytest
from support.cast import DAY
from support.gates import Gate, Source
from support.worlds import (
    APP,
    DESKTOP,
    EMAIL,
    PASSWORD,
    a_passkey,
    an_account,
    bind,
    repudiate,
    suspend,
)

from twinlock.domain.assurance import Level


@pytest.mark.parametrize("by", [APP, EMAIL])
@pytest.mark.parametrize("before", [True, False])
def test_her_key_is_removed_and_the_floor_is_the_owners(by: Source, before: bool) -> None:
    gate = Gate.of(an_account(PASSWORD, APP, channels=(EMAIL, DESKTOP)))
    report = suspend(PASSWORD)
    if before:
        gate.prove(gate.propose(report).action_id, by)
    gate.prove(gate.propose(*bind(a_passkey("aut_thief"))).action_id, APP)
    gate.wait(2 * DAY)
    gate.settle()
    thiefs = gate.account.authenticator("aut_thief")
    assert thiefs is not None
    if not before:
        gate.prove(gate.propose(report).action_id, by)
    gate.prove(gate.propose(repudiate(thiefs)).action_id, APP)

    assert gate.account.authenticator("aut_thief") is None
    assert gate.account.floor is Level.POSSESSION
