"""Which of several proofs speaks for all, and how old it is."""

from datetime import datetime

import pytest
from msgspec.structs import replace
from support.cast import DAY, LONG_AGO, NOON
from support.worlds import a_session, an_account

from twinlock.domain.account import Shown
from twinlock.domain.ages import age_of, oldest_of_the_strongest, oldest_shown
from twinlock.domain.assurance import Factor, Level

ACCOUNT = an_account(sessions=[replace(a_session("ses_1"), bound_at=NOON - 9 * DAY)])


def shown(factor: Factor, days: int, source: str = "aut_one") -> Shown:
    at = NOON - days * DAY
    return Shown(
        source=source, factor=factor, root=None, bound_at=at, bound_entry=1, at=NOON, entry=2
    )


PASSWORD, APP, CODE = Factor.PASSWORD, Factor.TOTP, Factor.RECOVERY_CODE


def test_a_session_is_as_old_as_what_began_it() -> None:
    assert age_of(ACCOUNT, shown(Factor.SESSION, 1, "ses_1")) == NOON - 9 * DAY
    assert age_of(ACCOUNT, shown(Factor.SESSION, 1, "ses_gone")) == NOON - 1 * DAY
    assert age_of(ACCOUNT, shown(APP, 1, "ses_1")) == NOON - 1 * DAY


@pytest.mark.parametrize(
    ("proofs", "days"),
    [
        pytest.param((), None, id="nothing"),
        pytest.param(((PASSWORD, 90), (APP, 5)), 5, id="the stronger one"),
        pytest.param(((APP, 5), (APP, 7)), 7, id="the older of two alike"),
        pytest.param(((APP, 5), (CODE, 90)), 5, id="a saved code alone"),
        pytest.param(((CODE, 90), (APP, 5), (PASSWORD, 95)), 90, id="with the password beside it"),
        pytest.param(((CODE, 90), (APP, 5), (PASSWORD, 50)), 50, id="no older than the password"),
        pytest.param(((PASSWORD, 3), (APP, 5), (CODE, 90)), 5, id="a new password beside it"),
        pytest.param(((CODE, 90),), 90, id="nothing but a saved code"),
    ],
)
def test_the_oldest_of_the_strongest_speaks(
    proofs: tuple[tuple[Factor, int], ...], days: int | None
) -> None:
    expected = None if days is None else NOON - days * DAY
    every = [shown(factor, age) for factor, age in proofs]

    assert oldest_of_the_strongest(ACCOUNT, iter(every)) == expected


@pytest.mark.parametrize(
    ("level", "found"),
    [
        (Level.KNOWLEDGE, LONG_AGO),
        (Level.POSSESSION, NOON - 5 * DAY),
        (Level.PHISHING_RESISTANT, None),
    ],
)
def test_the_oldest_of_a_level_or_more(level: Level, found: datetime | None) -> None:
    every = [replace(shown(PASSWORD, 1), bound_at=LONG_AGO), shown(APP, 5), shown(CODE, 90)]

    assert oldest_shown(ACCOUNT, iter(every[:2]), level) == found


def test_a_saved_code_without_the_password_is_of_no_level() -> None:
    every = [shown(CODE, 90), shown(APP, 5)]

    assert oldest_shown(ACCOUNT, every, Level.KNOWLEDGE) == NOON - 5 * DAY
    assert oldest_shown(ACCOUNT, every, Level.NONE) == NOON - 90 * DAY
    beside = [*every, shown(PASSWORD, 99)]
    assert oldest_shown(ACCOUNT, beside, Level.POSSESSION) == NOON - 90 * DAY
