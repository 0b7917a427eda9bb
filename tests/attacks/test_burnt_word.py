"""One relayed code, and an owner whose "this was not me" by the notice's link comes first.

Mallory binds a key by a code of the app, and the owner suspends the password that she phished, or
she changes it with her key. The link shows no proof: were her key only suspended for it, it would
be back in three days, and what was said once is not said again. She is stopped by law 3: an app
sets another password, so nothing of hers is kept as a way in. She leaves behind the binding.
"""

import pytest
from msgspec.structs import replace
from support.cast import DAY, HOUR, NOON
from support.gates import Gate
from support.worlds import (
    APP,
    DESKTOP,
    EMAIL,
    PASSWORD,
    SYNCED,
    a_passkey,
    a_session,
    an_account,
    bind,
    change_password,
    remove,
    repudiate,
    reset_password,
    suspend,
)

from twinlock.domain.assurance import Placement
from twinlock.domain.authenticators.model import Password, SuspensionKind, suspension
from twinlock.domain.requirements import Answer


def bound(*owned: object, by: tuple[object, ...]) -> Gate:
    gate = Gate.of(an_account(*owned, channels=(EMAIL, DESKTOP)))  # type: ignore[arg-type] # authenticators
    gate.prove(gate.propose(*bind(a_passkey("aut_thief"))).action_id, *by)  # type: ignore[arg-type] # sources
    gate.wait(2 * DAY)
    gate.settle()
    return gate


def not_me(gate: Gate, how: str) -> None:
    key = gate.account.authenticator("aut_thief")
    assert key is not None
    if how == "link":
        gate.repudiate("act_x", target="aut_thief", channel=EMAIL)
    elif how == "session":
        own = gate.give_session(a_session(started_at=gate.now))
        gate.repudiate("act_x", target="aut_thief", session=own)
    else:
        gate.prove(gate.propose(repudiate(key)).action_id, EMAIL if how == "code" else APP)


@pytest.mark.parametrize("how", ["link", "session", "code", "app"])
@pytest.mark.parametrize("changed", [False, True])
def test_an_owner_with_an_app_is_back_whatever_says_it_was_not_him(how: str, changed: bool) -> None:
    gate = bound(PASSWORD, APP, by=(APP,))
    key = gate.account.authenticator("aut_thief")
    assert key is not None
    if changed:
        gate.prove(gate.propose(*change_password("thief's")).action_id, PASSWORD, key)
    else:
        gate.prove(gate.propose(suspend(PASSWORD)).action_id, APP)
    gate.wait(2 * HOUR)
    not_me(gate, how)

    assert gate.account.authenticator("aut_thief") is None
    asked = gate.propose(*reset_password("owner's"))
    gate.prove(asked.action_id, APP)
    gate.wait(2 * DAY)
    gate.settle()
    new = next(one for one in gate.account.authenticators if isinstance(one, Password))
    assert new.verifier == "owner's"
    gate.wait(4 * DAY)
    assert gate.sign_in(new, APP).answer is Answer.ALLOW


@pytest.mark.parametrize("first", ["suspend", "link"])
def test_an_owner_with_a_password_and_codes_is_back_in_either_order(first: str) -> None:
    gate = bound(PASSWORD, by=(PASSWORD, EMAIL))
    for what in ("suspend", "link") if first == "suspend" else ("link", "suspend"):
        if what == "suspend":
            gate.prove(gate.propose(suspend(PASSWORD)).action_id, EMAIL)
        else:
            not_me(gate, "link")

    assert gate.account.authenticator("aut_thief") is None
    gate.wait(4 * DAY)
    gate.settle()
    assert gate.sign_in(PASSWORD, EMAIL).answer is Answer.ALLOW


def test_a_password_that_is_suspended_for_good_is_no_way_in() -> None:
    """Then what is undone is suspended, so that not everything is gone at once."""
    lost = replace(PASSWORD, suspension=suspension(NOON - HOUR, SuspensionKind.FOR_GOOD))
    young = replace(a_passkey("aut_thief", bound_at=NOON - DAY), entry=70)
    gate = Gate.of(an_account(lost, young, channels=(EMAIL, DESKTOP)))
    not_me(gate, "link")

    kept = gate.account.authenticator("aut_thief")
    assert kept is not None
    assert kept.suspended(gate.now)


def moved_to_a_key() -> Gate:
    """Return an owner without a password, who moved from a phone to a security key."""
    gate = Gate.of(an_account(SYNCED, APP, channels=(EMAIL, DESKTOP)))
    new = a_passkey("aut_thief", placement=Placement.ROAMING)
    gate.prove(gate.propose(*bind(new)).action_id, SYNCED)
    gate.wait(2 * DAY)
    gate.settle()
    gate.prove(gate.propose(remove(SYNCED)).action_id, SYNCED)
    gate.wait(4 * DAY)
    gate.settle()
    return gate


@pytest.mark.parametrize("how", ["link", "code"])
def test_an_app_that_may_be_wiped_is_no_way_in(how: str) -> None:
    """The owner's twin: his app lies on a phone that is gone."""
    gate = moved_to_a_key()
    not_me(gate, how)
    gate.wait(4 * DAY)
    gate.settle()

    kept = gate.account.authenticator("aut_thief")
    assert kept is not None
    assert gate.sign_in(kept).answer is Answer.ALLOW


def test_an_app_that_says_so_itself_is_a_way_in() -> None:
    gate = moved_to_a_key()
    not_me(gate, "app")

    assert gate.account.authenticator("aut_thief") is None
