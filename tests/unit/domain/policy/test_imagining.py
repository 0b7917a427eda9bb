"""Facts that were imagined, and contexts that no account can be in."""

from datetime import timedelta
from typing import Any

import pytest

from twinlock.domain.assurance import Factor, Level
from twinlock.domain.bounds import MAX_VALUE_CENTS
from twinlock.domain.catalogue import ActionClass
from twinlock.domain.key_laws import by_api_key
from twinlock.domain.laws import LAWS
from twinlock.domain.policy.facts import DestinationState, Facts
from twinlock.domain.policy.imagining import NOW, NOW_MS, imagine
from twinlock.domain.policy.vocabulary import HELD_SECONDS_MOST
from twinlock.domain.requirements import NOTHING

EXIT = "withdrawal.crypto"


def imagined(action: str = EXIT, **wanted: Any) -> Facts:  # noqa: ANN401 - any value of a fact
    found = imagine(action, wanted)
    assert found is not None
    return found


def test_what_is_left_open_is_mild() -> None:
    proved = imagined(proved=True, roots_shown=1)

    assert [law.__name__ for law in LAWS if law(proved) != NOTHING] == []
    assert proved.floor is Level.PHISHING_RESISTANT
    assert proved.destination is DestinationState.USABLE


@pytest.mark.parametrize(
    "wanted",
    [
        {"held_seconds": 1},
        {"proved": False, "held_seconds": 1},
        {"has_channel": False, "narrow": False},
        {"destination_day_cents": 2, "day_cents": 1},
        {"roots_enrolled": 1, "roots_shown": 2},
        {"value_unknown": True, "value_cents": 5},
        {"value_unknown": False, "value_cents": MAX_VALUE_CENTS},
        {"factors": frozenset({"session"}), "session": "none"},
        {"factors": frozenset({"passkey"}), "session": "full"},
        {"factors": frozenset({"passkey"}), "api_key": "possession"},
        {"factors": frozenset({"api_key"}), "api_key": "none"},
        {"factors": frozenset({"passkey"}), "proved": False},
        {"factors": frozenset(), "proved": True},
        {"factors": frozenset({"password"}), "roots_shown": 1},
        {"factors": frozenset({"password"}), "device_bound": True},
        {"class": "loosening"},
    ],
)
def test_no_account_is_so(wanted: dict[str, Any]) -> None:
    assert imagine(EXIT, wanted) is None


def test_each_proof_reaches_a_floor_of_its_own() -> None:
    shown = {
        name: imagined(proved=True, factors=frozenset({name})) for name in ("password", "totp")
    }

    assert shown["password"].floor is Level.KNOWLEDGE
    assert shown["totp"].floor is Level.POSSESSION
    assert imagined(factors=frozenset({"totp"}), proved=False).floor is Level.PHISHING_RESISTANT


def test_proofs_follow_from_what_is_asked_of_them() -> None:
    assert imagined().shown_factors == ()
    assert imagined(proved=True).shown_factors == (Factor.PASSWORD,)
    assert imagined(roots_shown=1).shown_factors == (Factor.TOTP,)
    assert imagined(proved=True, roots_shown=2).shown_factors == (Factor.PASSKEY,)
    assert imagined(proved=True, device_bound=True).shown_factors == (Factor.PASSKEY,)
    assert imagined(session="full").shown_factors == (Factor.SESSION,)
    assert len(imagined(proved=True, roots_shown=5).shown_roots) == 5


def test_an_api_key_stands_for_its_level_or_reaches_too_far() -> None:
    good = imagined(api_key="possession", proved=True)

    assert by_api_key(good)
    assert good.shown_factors == (Factor.API_KEY,)
    assert not by_api_key(imagined(api_key="beyond"))


def test_instants_and_sums_are_as_they_were_wanted() -> None:
    hour = 3_600

    assert imagined(opened_at=NOW_MS - 1_000).opened_at == NOW - timedelta(seconds=1)
    assert imagined(since_last_exit_seconds=hour).last_exit_at == NOW - timedelta(seconds=hour)
    assert imagined(since_last_exit_seconds=HELD_SECONDS_MOST).last_exit_at is None
    assert imagined(day_cents=5).last_exit_at == NOW - timedelta(seconds=hour)
    assert imagined(destination_day_cents=5).day_cents == 5
    assert imagined(value_unknown=True).value_cents == MAX_VALUE_CENTS
    assert imagined(within_announced=True, value_cents=7, day_cents=3).announced_cents == 10
    assert imagined(within_announced=True).announced_cents == 1
    assert imagined(has_channel=False).narrow


def test_what_has_two_classes_is_of_either() -> None:
    withdraws = imagined("api_key.create", **{"class": "loosening"})

    assert withdraws.scopes == ("withdraw",)
    assert (withdraws.ip_list, withdraws.key_destinations) == (1, 1)
    assert imagined("api_key.create", **{"class": "access"}).scopes == ("read",)
    assert imagined("api_key.create", scopes=frozenset()).scopes == ()
    looser = imagined("trusted_contact.add", **{"class": "loosening"})
    assert looser.action_class is ActionClass.LOOSENING
    assert imagined("trusted_contact.add").action_class is ActionClass.TIGHTENING
