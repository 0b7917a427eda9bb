from datetime import UTC, datetime, timedelta

import pytest
from msgspec.structs import replace
from support.cast import NOON
from support.worlds import APP, DESKTOP_KEY, PASSWORD, ROAMING, SAVED, SYNCED, saved_codes

from twinlock.domain.assurance import Factor, Placement
from twinlock.domain.authenticators.model import (
    Authenticator,
    credential_of,
    device_bound,
    factor_of,
    placement_of,
    root,
    same,
    used,
    used_day,
)
from twinlock.domain.canonical import decode


@pytest.mark.parametrize(
    ("authenticator", "factor", "name"),
    [
        (PASSWORD, Factor.PASSWORD, None),
        (APP, Factor.TOTP, "phone"),
        (SYNCED, Factor.PASSKEY, "phone"),
        (SAVED, Factor.RECOVERY_CODE, "phone"),
        (ROAMING, Factor.PASSKEY, "roaming:aut_roaming"),
        (DESKTOP_KEY, Factor.PASSKEY, "desktop:aut_desktop"),
    ],
)
def test_what_an_authenticator_is_shown_as_and_which_root_stands_behind_it(
    authenticator: Authenticator, factor: Factor, name: str | None
) -> None:
    assert factor_of(authenticator) is factor
    assert root(authenticator, now=NOON) == name


@pytest.mark.parametrize(
    ("authenticator", "young", "old"),
    [
        (replace(PASSWORD, born_of="phone", bound_at=NOON), None, None),
        (replace(ROAMING, bound_at=NOON), "roaming:aut_roaming", "roaming:aut_roaming"),
        (replace(ROAMING, born_of="phone", bound_at=NOON), "phone", "roaming:aut_roaming"),
    ],
    ids=["a password", "born of nothing", "born of the phone"],
)
def test_for_30_days_a_newcomer_counts_as_the_root_that_proved_it(
    authenticator: Authenticator, young: str | None, old: str | None
) -> None:
    grown = NOON + timedelta(days=30)

    assert root(authenticator, now=grown - timedelta(seconds=1)) == young
    assert root(authenticator, now=grown) == old


@pytest.mark.requirement("P-09")
@pytest.mark.parametrize(
    ("backup_eligible", "transports", "placement"),
    [
        (True, ("usb",), Placement.PHONE),
        (False, ("usb", "hybrid"), Placement.PHONE),
        (False, ("internal", "nfc"), Placement.PHONE),
        (False, ("usb",), Placement.ROAMING),
        (False, ("nfc", "ble"), Placement.ROAMING),
        (False, ("ble",), Placement.PHONE),
        (False, (), Placement.PHONE),
    ],
)
def test_a_passkey_lives_on_the_phone_unless_it_can_live_nowhere_but_on_a_key(
    backup_eligible: bool, transports: tuple[str, ...], placement: Placement
) -> None:
    found = placement_of(backup_eligible=backup_eligible, transports=transports)

    assert found is placement


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (PASSWORD, PASSWORD),
        (APP, replace(APP, last_step=7)),
        (SYNCED, replace(SYNCED, sign_count=9, backed_up=True)),
        (SAVED, replace(SAVED, left=(SAVED.left[0], SAVED.left[2]))),
    ],
)
def test_what_is_remembered_of_an_accepted_answer(
    before: Authenticator, after: Authenticator
) -> None:
    code, day = SAVED.left[1], (NOON - datetime(1970, 1, 1, tzinfo=UTC)).days
    seen = used(before, at=NOON, totp_step=7, sign_count=9, backed_up=True, used_code=code)

    assert seen == replace(after, used_on=day)
    assert (used_day(before), used_day(seen)) == (None, NOON.date())


@pytest.mark.requirement("N-B04", "N-B23")
@pytest.mark.parametrize(
    ("authenticator", "bound"),
    [(ROAMING, True), (SYNCED, False), (APP, False), (PASSWORD, False), (SAVED, False)],
)
def test_only_a_key_that_may_not_be_backed_up_is_bound_to_its_device(
    authenticator: Authenticator, bound: bool
) -> None:
    assert device_bound(authenticator) is bound


@pytest.mark.parametrize(
    ("one", "other", "are_same"),
    [
        (SAVED, replace(SAVED, left=SAVED.left[2:]), True),
        (SAVED, saved_codes("aut_another"), False),
        (SAVED, PASSWORD, False),
    ],
)
def test_two_sets_of_codes_are_the_same_while_they_share_one(
    one: Authenticator, other: Authenticator, are_same: bool
) -> None:
    assert same(one, other) is are_same


def test_what_is_signed_of_a_new_passkey_names_its_key() -> None:
    assert decode(credential_of(SYNCED).encode()) == {
        "backup_eligible": True,
        "credential_id": SYNCED.credential_id,
        "public_key": SYNCED.public_key,
    }
