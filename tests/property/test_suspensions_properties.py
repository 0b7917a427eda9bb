"""Laws 5 and 7 over random orders of what officers say about an account."""

from datetime import datetime, timedelta
from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st
from support.gates import Gate
from support.officers import ADA, BEN, CLEO, DORA, EVE, Officer
from support.suspending import Desk
from support.worlds import DESKTOP, PASSWORD, ROAMING, an_account

from twinlock.domain.bounds import AGREEMENT_LIFETIME, SUSPENSION_EVERY, SUSPENSION_LENGTH
from twinlock.domain.errors import TwinlockError

officers = st.sampled_from((ADA, BEN, CLEO, DORA, EVE))
words = st.sampled_from(("suspend", "release", "again"))
waits = st.sampled_from(
    (
        timedelta(0),
        timedelta(minutes=5),
        AGREEMENT_LIFETIME,
        SUSPENSION_LENGTH,
        timedelta(days=30),
        SUSPENSION_EVERY,
    )
)
lives = st.lists(st.tuples(officers, words, waits), max_size=25)


def desk() -> Desk:
    return Desk(Gate.of(an_account(PASSWORD, ROAMING, channels=(DESKTOP,))))


def speak(at: Desk, by: Officer, word: str) -> None:
    """Let ``by`` say something, new or once more; most of it is refused."""
    try:
        if word == "again" and at.words:
            at.hears(at.words[-1])
        else:
            at.does(by, at.releasing if word == "release" else at.suspending)
    except TwinlockError:
        return


@given(lives)
def test_an_account_is_suspended_for_14_days_in_90_at_most(
    said: list[tuple[Officer, str, timedelta]],
) -> None:
    at = desk()
    spans: dict[int, tuple[datetime, datetime]] = {}
    for by, word, wait in said:
        at.gate.wait(wait)
        speak(at, by, word)
        one = at.gate.account.suspension
        if one.set_at:
            begins = datetime.fromtimestamp(one.set_at / 1000, tz=at.gate.now.tzinfo)
            ends = datetime.fromtimestamp(one.ends_at / 1000, tz=at.gate.now.tzinfo)
            spans[one.set_at] = begins, ends
    begun = [begins for begins, _ in spans.values()]
    assert all(ends - begins <= SUSPENSION_LENGTH for begins, ends in spans.values())
    pairs = pairwise(begun)
    assert all(later - earlier >= SUSPENSION_EVERY for earlier, later in pairs)


@given(st.lists(st.tuples(words, waits), max_size=15), officers, officers)
def test_neither_one_officer_nor_whoever_set_it_with_another_releases(
    said: list[tuple[str, timedelta]], setter: Officer, other: Officer
) -> None:
    at = desk()
    at.does(ADA if setter is EVE else setter, at.suspending)
    ends = at.gate.account.suspension.ends_at
    for number, (word, wait) in enumerate(said):
        at.gate.wait(min(wait, timedelta(minutes=5)))
        speak(at, setter if number % 2 else other, word)

    assert at.gate.account.suspension.ends_at == ends
    assert at.is_suspended()


@given(lives)
def test_what_is_released_was_so_by_two_who_did_not_set_it(
    said: list[tuple[Officer, str, timedelta]],
) -> None:
    at = desk()
    for by, word, wait in said:
        at.gate.wait(wait)
        before, stood = at.gate.account.suspension, at.is_suspended()
        speak(at, by, word)
        if not stood or at.is_suspended():
            continue
        agreed = {*before.agreed, at.words[-1].said.officer}
        assert len(agreed - {before.by}) >= 2
