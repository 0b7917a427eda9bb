"""A leaked password on an account that has nothing else, and so binds a key with it.

Mallory has the password of an account that nobody is told of, or only a program on a desktop. The
key that she binds with it would be a root, and her own silence the second. She is stopped by law 4:
what a password alone bound is no root for 30 days, and then may still be vetoed. She leaves behind
the binding, in the log and wherever the owner is told.
"""

import pytest
from msgspec.structs import replace
from support.cast import DAY, HOUR, MALLORYS_ADDRESS, NOON
from support.gates import Gate
from support.worlds import (
    DESKTOP,
    EMAIL,
    PASSWORD,
    SMS,
    SYNCED,
    a_passkey,
    an_account,
    bind,
    list_address,
    make_key,
    repudiate,
    saved_codes,
    send,
)

from twinlock.domain.actions import AnyPayload
from twinlock.domain.assurance import KNOWN
from twinlock.domain.authenticators.model import (
    Authenticator,
    Passkey,
    SuspensionKind,
    suspension,
)
from twinlock.domain.bounds import NEWCOMER_PERIOD
from twinlock.domain.channels import Channel
from twinlock.domain.ids import ChannelId
from twinlock.domain.reasons import Reason
from twinlock.domain.requirements import Answer, Never, leaves, reasons

THIEFS = a_passkey("aut_thief")
WITHDRAWS = make_key(
    "withdraw", ip_list=("203.0.113.7",), destinations=("dst_" + "a" * 26,), daily_cents=1_00
)
OWN = replace(a_passkey("aut_own", bound_at=NOON - 10 * DAY), entry=70)


def missing(gate: Gate, payload: AnyPayload, by: Authenticator) -> set[str]:
    """Return what misses when ``by`` is shown for ``payload``."""
    asked = gate.propose(payload)
    if gate.is_open(asked.action_id):
        asked = gate.prove(asked.action_id, by)
    return set(reasons(asked.requirement))


def bound(gate: Gate, new: Authenticator, by: Authenticator) -> Authenticator:
    gate.prove(gate.propose(*bind(new)).action_id, by)
    gate.wait(DAY + HOUR)
    gate.settle()
    return next(
        one for one in gate.account.authenticators if one.authenticator_id == new.authenticator_id
    )


@pytest.mark.parametrize("channels", [(), (DESKTOP,)])
@pytest.mark.parametrize("young", [False, True])
def test_what_a_password_alone_bound_moves_nothing_for_30_days(
    channels: tuple[Channel, ...], young: bool
) -> None:
    gate = Gate.of(an_account(PASSWORD, *([OWN] if young else []), channels=channels))
    if young:  # It is older than the owner's passkey, and says "this was not me".
        gate.prove(gate.propose(repudiate(OWN)).action_id, PASSWORD)
    key = bound(gate, THIEFS, PASSWORD)
    another = bound(gate, a_passkey("aut_another"), key)

    for one in (key, another):
        assert Reason.ROOT_MISSING in missing(gate, list_address(MALLORYS_ADDRESS), one)
        assert Reason.ROOT_MISSING in missing(gate, send(90), one)
        assert Reason.ROOT_MISSING in missing(gate, WITHDRAWS, one)
    assert Reason.ROOT_MISSING not in missing(gate, make_key("read"), key)
    gate.wait(28 * DAY)
    gate.settle()
    assert Reason.ROOT_MISSING in missing(gate, send(90), another)
    gate.wait(3 * DAY)
    gate.settle()
    assert Reason.ROOT_MISSING not in missing(gate, send(90), key)


@pytest.mark.parametrize("channels", [(), (DESKTOP,)])
@pytest.mark.parametrize("young", [False, True])
def test_a_code_to_an_address_that_a_password_alone_added_is_no_root_either(
    channels: tuple[Channel, ...], young: bool
) -> None:
    gate = Gate.of(an_account(PASSWORD, *([OWN] if young else []), channels=channels))
    if young:
        gate.prove(gate.propose(repudiate(OWN)).action_id, PASSWORD)
    own = replace(EMAIL, channel_id=ChannelId("chn_thief"), address="mallory@example.net")
    gate.change_contact(None, own, PASSWORD)
    gate.wait(2 * DAY + HOUR)
    gate.settle()
    address = gate.account.channel("chn_thief")
    assert address is not None
    until = address.bound_at + NEWCOMER_PERIOD

    refused = gate.propose(list_address(MALLORYS_ADDRESS))
    assert Never(code=Reason.ROOT_MISSING, until=until) in leaves(refused.requirement)
    gate.prove(gate.propose(*bind(THIEFS)).action_id, PASSWORD, address)
    gate.wait(DAY + HOUR)
    gate.settle()
    key = gate.account.authenticator("aut_thief")
    assert isinstance(key, Passkey)
    assert key.born_of == KNOWN
    assert Reason.ROOT_MISSING in missing(gate, send(90), key)


@pytest.mark.parametrize(
    "others",
    [
        (),
        (saved_codes(),),
        (
            replace(
                a_passkey("aut_lost"), suspension=suspension(NOON - DAY, SuspensionKind.FOR_GOOD)
            ),
        ),
    ],
)
def test_what_has_no_root_yet_is_told_at_once_and_until_when(
    others: tuple[Authenticator, ...],
) -> None:
    """Law 10: the owner does not tap to hear of it; saved codes and what is lost prove nothing."""
    key = replace(OWN, bound_at=NOON - DAY, born_of=KNOWN)
    gate = Gate.of(an_account(PASSWORD, key, *others, channels=(DESKTOP,)))
    refused = gate.propose(send(90))

    assert refused.answer is Answer.DENY
    assert Never(code=Reason.ROOT_MISSING, until=key.bound_at + NEWCOMER_PERIOD) in leaves(
        refused.requirement
    )


def test_what_a_code_bound_beside_the_password_is_a_root_as_before() -> None:
    """The owner's twin: who has an address for codes pays as soon as the waits are over."""
    gate = Gate.of(an_account(PASSWORD, channels=(EMAIL, SMS, DESKTOP)))
    gate.prove(gate.propose(*bind(SYNCED)).action_id, PASSWORD, EMAIL)
    gate.wait(DAY + HOUR)
    gate.settle()
    asked = gate.propose(send(90))
    held = gate.prove(asked.action_id, SYNCED)

    assert held.answer is Answer.HOLD
    gate.wait(DAY)
    assert gate.spend(asked.action_id).answer is Answer.ALLOW
