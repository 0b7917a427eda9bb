from datetime import datetime, timedelta

import pytest
from support.cast import INSTANT, NOON

from twinlock.domain.assurance import Factor, Level, floor_of
from twinlock.domain.bounds import (
    FAILURE_WAIT,
    FAILURE_WAIT_MOST,
    FAILURES_MOST,
    FREE_FAILURES,
)
from twinlock.domain.throttle import (
    Throttle,
    after_failure,
    can_be_guessed,
    closed_until,
    open_again,
    reopens,
    without,
)

CLOSED = Throttle(failures=FREE_FAILURES, until=NOON + FAILURE_WAIT)


@pytest.mark.requirement("P-04")
@pytest.mark.parametrize(
    ("failures", "wait"),
    [
        (1, None),
        (FREE_FAILURES - 1, None),
        (FREE_FAILURES, FAILURE_WAIT),
        (FREE_FAILURES + 1, 2 * FAILURE_WAIT),
        (FREE_FAILURES + 11, 2**11 * FAILURE_WAIT),
        (FREE_FAILURES + 12, FAILURE_WAIT_MOST),
        # Here the doubled length once had more days than any length of time can hold.
        (FREE_FAILURES + 42, FAILURE_WAIT_MOST),
        (FAILURES_MOST, FAILURE_WAIT_MOST),
        (FAILURES_MOST + 1, FAILURE_WAIT_MOST),
    ],
)
def test_the_wait_after_so_many_failures(failures: int, wait: timedelta | None) -> None:
    throttle = after_failure(Throttle(failures=failures - 1), now=NOON)

    assert throttle.failures == min(failures, FAILURES_MOST)
    assert throttle.until == (None if wait is None else NOON + wait)


@pytest.mark.parametrize(
    ("throttle", "now", "until"),
    [
        (Throttle(), NOON, None),
        (Throttle(failures=FREE_FAILURES - 1), NOON, None),
        (CLOSED, NOON + FAILURE_WAIT - INSTANT, NOON + FAILURE_WAIT),
        (CLOSED, NOON + FAILURE_WAIT, None),
        (Throttle(failures=FAILURES_MOST - 1, until=NOON), NOON, None),
        (Throttle(failures=FAILURES_MOST), NOON, datetime.max.replace(tzinfo=NOON.tzinfo)),
    ],
)
def test_guesses_are_refused_until_the_wait_is_over(
    throttle: Throttle, now: datetime, until: datetime | None
) -> None:
    assert closed_until(throttle, now=now) == until


@pytest.mark.parametrize("factor", Factor)
def test_a_key_of_the_customers_own_cannot_be_guessed(factor: Factor) -> None:
    assert can_be_guessed(factor) is (
        factor
        not in (
            Factor.PASSKEY,
            Factor.SESSION,
            Factor.API_KEY,
            Factor.TRUSTED_CONTACT,
            Factor.MEMBER,
        )
    )


def test_a_wrong_answer_ends_no_wait_that_was_set() -> None:
    throttle = after_failure(Throttle(failures=1, until=CLOSED.until), now=NOON)

    assert throttle == Throttle(failures=2, until=CLOSED.until)


PASSWORD, APP, PASSKEY = Factor.PASSWORD, Factor.TOTP, Factor.PASSKEY
MAIL, SAVED = Factor.EMAIL_CODE, Factor.RECOVERY_CODE


@pytest.mark.requirement("N-B10")
@pytest.mark.parametrize(
    ("shown", "beside", "bound", "opens"),
    [
        (PASSKEY, [], [PASSWORD, APP, PASSKEY], True),
        (PASSWORD, [PASSKEY], [PASSWORD, PASSKEY], False),
        (APP, [PASSWORD, PASSKEY], [PASSWORD, APP, PASSKEY], False),
        (APP, [PASSWORD], [PASSWORD, APP], True),
        (PASSWORD, [APP], [PASSWORD, APP], True),
        (APP, [], [PASSWORD, APP], False),
        (APP, [MAIL], [PASSWORD, APP], False),
        (PASSWORD, [], [PASSWORD, APP], False),
        (PASSWORD, [MAIL], [PASSWORD, APP], False),
        (SAVED, [PASSWORD], [PASSWORD, APP, SAVED], True),
        (SAVED, [APP], [PASSWORD, APP, SAVED], False),
        (APP, [], [APP], True),
        (MAIL, [], [APP], False),
        (MAIL, [PASSWORD], [PASSWORD], True),
        (PASSWORD, [MAIL], [PASSWORD], True),
        (MAIL, [Factor.SMS_CODE], [PASSWORD], False),
        (Factor.SESSION, [PASSWORD, APP], [PASSWORD, APP], False),
        (Factor.API_KEY, [PASSWORD, APP], [PASSWORD, APP], False),
        (Factor.CHANNEL_CODE, [PASSWORD, APP], [PASSWORD, APP], False),
    ],
)
def test_what_lets_guesses_be_read_again(
    shown: Factor, beside: list[Factor], bound: list[Factor], *, opens: bool
) -> None:
    """A passkey, or all that the account asks for; a thief of one thing lacks the password."""
    assert reopens(shown, beside, bound=bound, floor=floor_of(bound, has_channel=True)) is opens


def test_a_password_alone_lets_guesses_be_read_again_where_nothing_else_is_bound() -> None:
    assert reopens(PASSWORD, [], bound=[PASSWORD], floor=Level.KNOWLEDGE)


@pytest.mark.parametrize(
    ("guessed_at", "by", "left"),
    [(0, 0, 0), (0b001, 0b001, 0), (0b110, 0b010, 0b100), (0b110, 0b001, 0b110), (0b110, 0, 0)],
)
def test_of_several_members_each_opens_what_was_guessed_at_theirs(
    guessed_at: int, by: int, left: int
) -> None:
    counted = after_failure(CLOSED, now=NOON, whose=guessed_at)
    after = open_again(counted, whose=by)

    assert after == (Throttle(failures=6, until=counted.until, whose=left) if left else Throttle())


@pytest.mark.parametrize("failures", [0, FREE_FAILURES])
def test_whose_things_were_guessed_at_is_remembered_together(failures: int) -> None:
    once = after_failure(Throttle(failures=failures), now=NOON, whose=0b01)

    assert after_failure(once, now=NOON, whose=0b10).whose == 0b11


@pytest.mark.parametrize(
    ("number", "left"), [(0, 0b1101), (1, 0b1101), (2, 0b1111), (3, 0b1011), (4, 0b1011)]
)
def test_who_follows_a_member_that_left_comes_into_their_place(number: int, left: int) -> None:
    assert without(Throttle(whose=0b11011), number).whose == left
