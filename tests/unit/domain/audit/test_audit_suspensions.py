"""What officers said of one account is decided once more, from their signed words."""

from collections.abc import Sequence
from datetime import datetime, timedelta

import pytest
from msgspec.structs import replace
from support.gates import Gate
from support.officers import ADA, BEN, CLEO, DORA, EVE, LOG, NO_OFFICERS, Officer
from support.suspending import Desk
from support.worlds import DESKTOP, FREEZE, ROAMING, an_account

from twinlock.domain.account import Account
from twinlock.domain.audit.parts import PlatformActs
from twinlock.domain.audit.suspensions import OfficersWords, unsaid
from twinlock.domain.canonical import b64url
from twinlock.domain.decisions import Decision
from twinlock.domain.events import Event
from twinlock.domain.officers.statements import read_signed
from twinlock.domain.outside_events import AccountReleased, AccountSuspended, OfficersEvent
from twinlock.proofs.officers import checked


def words(*officers: Officer, log: str = LOG) -> OfficersWords:
    keys = tuple(one.key for one in officers)
    return OfficersWords(PlatformActs(officers=((4, keys, {}),)), log, checked)


ALL = words(ADA, BEN, CLEO, DORA)


@pytest.fixture
def desk() -> Desk:
    """An account that was suspended by one, and released by two others."""
    desk = Desk(Gate.of(an_account(ROAMING, channels=(DESKTOP,))))
    desk.does(ADA, desk.suspending)
    desk.does(BEN, desk.releasing)
    desk.gate.wait(timedelta(minutes=10))
    desk.does(CLEO, desk.releasing)
    return desk


def acts(desk: Desk) -> list[tuple[Account, Decision, datetime]]:
    """Return what officers did, with the account as it stood before."""
    return [
        (before.account, one, at)
        for before, decided, at in desk.gate.book
        for one in decided.decisions
        if any(isinstance(event, OfficersEvent) for event in one.events)
    ]


def why(
    account: Account | None,
    decision: Decision,
    by: OfficersWords = ALL,
    *,
    events: Sequence[Event] | None = None,
    index: int = 9,
) -> str:
    told = decision.events if events is None else events
    return unsaid(account, told, decision.payload.decode(), index=index, words=by)


def test_what_officers_said_is_what_was_done(desk: Desk) -> None:
    assert len(acts(desk)) == 3
    assert [why(before, one) for before, one, _ in acts(desk)] == ["", "", ""]


def test_what_no_officer_speaks_of_is_not_looked_at() -> None:
    gate = Gate()
    proposed = gate.propose(FREEZE)

    assert unsaid(None, proposed.events, "", index=9, words=NO_OFFICERS) == ""


@pytest.mark.parametrize(
    ("by", "index"),
    [
        pytest.param(words(BEN, CLEO, EVE), 9, id="who suspended is none"),
        pytest.param(ALL, 4, id="who counts only behind it"),
        pytest.param(NO_OFFICERS, 9, id="where there are none"),
        pytest.param(words(ADA, BEN, CLEO, log="another.example/log"), 9, id="to another log"),
    ],
)
def test_whoever_did_not_count_then_suspends_nobody(
    desk: Desk, by: OfficersWords, index: int
) -> None:
    before, suspends, _ = acts(desk)[0]

    assert why(before, suspends, by, index=index) != ""


def test_whoever_was_put_out_meanwhile_did_not_release(desk: Desk) -> None:
    """Prevents: one officer's release beside the agreement of a key that counts no more."""
    before, releases, _ = acts(desk)[2]

    assert why(before, releases, words(ADA, CLEO, DORA)) == "that is not what was said"


def test_a_forged_signature_says_nothing(desk: Desk) -> None:
    before, suspends, _ = acts(desk)[0]
    signed = read_signed(suspends.payload)
    forged = replace(signed, sig=b64url(b"x" * 64))
    payload = suspends.payload.replace(signed.sig.encode(), forged.sig.encode())

    assert "signature" in why(before, replace(suspends, payload=payload))


def test_a_word_about_another_account_says_nothing(desk: Desk) -> None:
    before, suspends, _ = acts(desk)[0]

    assert "another account" in why(replace(before, account_id="acc_b"), suspends)


def test_a_word_of_an_hour_ago_says_nothing(desk: Desk) -> None:
    before, suspends, at = acts(desk)[0]
    late = [replace(one, at=at + timedelta(hours=1)) for one in suspends.events]

    assert "over" in why(before, suspends, events=late)


def test_another_outcome_than_was_said_is_found(desk: Desk) -> None:
    before, agrees, at = acts(desk)[1]
    released = (AccountReleased(at=at, officer=BEN.key),)
    assert why(before, agrees, events=released) == "that is not what was said"

    before, suspends, _ = acts(desk)[0]
    event = suspends.events[0]
    assert isinstance(event, AccountSuspended)
    longer = replace(event.suspension, ends_at=event.suspension.ends_at + 1)
    altered = (replace(event, suspension=longer),)
    assert why(before, suspends, events=altered) == "that is not what was said"


def test_without_the_account_or_the_word_nothing_is_believed(desk: Desk) -> None:
    before, suspends, _ = acts(desk)[0]

    assert why(None, suspends) != ""
    assert why(before, replace(suspends, payload=b"null")) != ""


def test_officers_count_from_the_leaf_behind_the_one_that_names_them() -> None:
    came = {"c": "b"}
    found = PlatformActs(officers=((2, ("a", "b"), {}), (7, ("a", "c"), came)))

    assert [found.officers_at(index) for index in (0, 2, 3, 7, 8)] == [
        ((), {}),
        ((), {}),
        (("a", "b"), {}),
        (("a", "b"), {}),
        (("a", "c"), came),
    ]


def test_whoever_suspended_releases_by_no_later_key_either(desk: Desk) -> None:
    before, agrees, _ = acts(desk)[1]
    keys = tuple(one.key for one in (BEN, CLEO, DORA))
    came = PlatformActs(officers=((4, keys, {BEN.key: ADA.key}),))

    assert "two others" in why(before, agrees, OfficersWords(came, LOG, checked))
