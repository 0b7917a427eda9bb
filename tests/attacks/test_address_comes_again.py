"""An address of the thief's that is bound a second time, so that the owner's is forgotten.

Mallory relayed two consents: one bound a passkey, the other put her address in the place of
Alice's. With the passkey alone she then moves on, binds the first address again beside it, and
gives up what stands in between: Alice's address stood behind that. She is stopped by law 3: what
comes back is the first that is not there already, and so Alice's.
"""

from collections.abc import Callable

import pytest
from msgspec.structs import replace
from support.cast import DAY, NOON
from support.gates import Gate
from support.worlds import (
    EMAIL,
    PASSWORD,
    SYNCED,
    a_passkey,
    an_account,
    bind,
    repudiate,
)

from twinlock.domain.authenticators.model import Authenticator
from twinlock.domain.channels import Channel
from twinlock.domain.ids import ChannelId


def mail(name: str, *, again: bool = False) -> Channel:
    channel_id = ChannelId(f"chn_again_{name}" if again else f"chn_{name}")
    return replace(EMAIL, channel_id=channel_id, address=f"{name}@example.net", bound_at=NOON)


def later(gate: Gate) -> None:
    gate.wait(2 * DAY)
    gate.settle()


def change(gate: Gate, old: str, new: Channel | None, by: Authenticator) -> None:
    gate.change_contact(gate.account.channel(f"chn_{old}"), new, by)
    later(gate)


def not_me(gate: Gate, one: Authenticator | Channel | None, by: Authenticator) -> None:
    assert one is not None
    action = gate.propose(repudiate(one)).action_id
    assert gate.is_open(action)
    gate.prove(action, by)


def hers() -> tuple[Gate, Authenticator]:
    gate = Gate.of(an_account(PASSWORD, SYNCED, channels=(EMAIL,)))
    gate.prove(gate.propose(*bind(a_passkey("aut_thief"))).action_id, SYNCED)
    later(gate)
    thiefs = gate.account.authenticator("aut_thief")
    assert thiefs is not None
    return gate, thiefs


def removes(gate: Gate, thiefs: Authenticator) -> None:
    change(gate, "two", None, thiefs)


def repudiates(gate: Gate, thiefs: Authenticator) -> None:
    not_me(gate, gate.account.channel("chn_two"), thiefs)


@pytest.mark.parametrize("replaces", [True, False])
@pytest.mark.parametrize("gives_up", [removes, repudiates])
def test_the_owners_comes_back(
    gives_up: Callable[[Gate, Authenticator], None],
    replaces: bool,
) -> None:
    gate, thiefs = hers()
    if replaces:
        change(gate, "email", mail("one"), SYNCED)
    else:
        change(gate, "", mail("one"), thiefs)
        change(gate, "email", None, SYNCED)
    change(gate, "one", mail("two"), thiefs)
    change(gate, "", mail("one", again=True), thiefs)
    gives_up(gate, thiefs)
    not_me(gate, thiefs, SYNCED)

    assert gate.account.channels == (EMAIL,)


def test_no_address_comes_back_twice() -> None:
    """Alice bound her own anew, and both hers and the old one stand behind Mallory's."""
    gate, thiefs = hers()
    change(gate, "", mail("one"), thiefs)
    change(gate, "email", None, SYNCED)
    change(gate, "", replace(EMAIL, channel_id=ChannelId("chn_anew")), SYNCED)
    change(gate, "anew", mail("two"), thiefs)
    not_me(gate, thiefs, SYNCED)

    assert [one.address for one in gate.account.channels] == [EMAIL.address]
