"""An officer's halt at the signer: heard past whoever runs the platform, and ended by two."""

from datetime import timedelta

import pytest
from msgspec.structs import replace
from support.bundles import ORIGIN
from support.officers import ADA, BEN, CLEO, EVE, HALT, Officer
from support.wallets import DictState, Wallet, settings

from twinlock.domain.bounds import AGREEMENT_LIFETIME, STATEMENT_LIFETIME
from twinlock.domain.canonical import encode
from twinlock.domain.errors import MalformedError, SignerRefusedError, TwinlockError
from twinlock.domain.officers.platform import NotHaltedError
from twinlock.domain.officers.statements import (
    AnyAct,
    Resume,
    Signed,
    StatementRefusedError,
    Suspend,
)
from twinlock.signer import SignerFault, hear_officer

SECOND = timedelta(seconds=1)
NAMED = frozenset({ADA.key, BEN.key, CLEO.key})
RESUME = Resume(halt=7)


@pytest.fixture
def wallet() -> Wallet:
    wallet = Wallet()
    wallet.settings = settings(officers=NAMED)
    return wallet


def signs(wallet: Wallet, officer: Officer, act: AnyAct, *, log: str = ORIGIN) -> Signed:
    wallet.house.wait(SECOND)
    return officer.signs(act, at=wallet.now, log=log)


def hears(wallet: Wallet, signed: Signed) -> bool:
    return hear_officer(
        encode(signed), settings=wallet.settings, state=wallet.state, now=wallet.now
    )


def told(wallet: Wallet, officer: Officer, act: AnyAct) -> bool:
    return hears(wallet, signs(wallet, officer, act))


def refused(wallet: Wallet, officer: Officer, act: AnyAct) -> TwinlockError:
    with pytest.raises(TwinlockError) as caught:
        told(wallet, officer, act)
    return caught.value


def clears(wallet: Wallet) -> bool:
    """Say whether a payment is cleared; nothing but a halt may be in its way."""
    number = wallet.house.log.size
    bundle = wallet.bundle(wallet.pay(spend_id=f"payout-{number}"))
    try:
        return bool(wallet.check(bundle))
    except SignerRefusedError as refusal:
        return refusal.fault != SignerFault.HALTED


def test_under_a_halt_nothing_is_cleared_until_two_resume(wallet: Wallet) -> None:
    assert clears(wallet)
    assert told(wallet, ADA, HALT)
    assert not clears(wallet)
    assert told(wallet, BEN, RESUME)
    assert not clears(wallet)

    assert told(wallet, BEN, RESUME)
    assert not told(wallet, ADA, RESUME)
    assert clears(wallet)


def test_the_refusal_says_why_it_was_halted(wallet: Wallet) -> None:
    bundle = wallet.bundle(wallet.pay())
    told(wallet, ADA, HALT)

    with pytest.raises(SignerRefusedError, match="two have not resumed it: case-7"):
        wallet.check(bundle)


def test_one_officer_twice_resumes_nothing(wallet: Wallet) -> None:
    told(wallet, ADA, HALT)

    assert told(wallet, BEN, RESUME)
    assert told(wallet, BEN, RESUME)


def test_two_who_name_different_halts_agree_to_nothing(wallet: Wallet) -> None:
    told(wallet, ADA, HALT)
    told(wallet, BEN, RESUME)

    assert told(wallet, CLEO, Resume(halt=8))
    assert not told(wallet, CLEO, RESUME)


@pytest.mark.parametrize(("late", "halted"), [(-SECOND, False), (timedelta(0), True)])
def test_an_agreement_counts_for_an_hour(wallet: Wallet, late: timedelta, *, halted: bool) -> None:
    told(wallet, ADA, HALT)
    told(wallet, BEN, RESUME)
    wallet.house.wait(AGREEMENT_LIFETIME - SECOND + late)

    assert told(wallet, CLEO, RESUME) is halted


def test_who_is_named_no_more_has_agreed_to_nothing(wallet: Wallet) -> None:
    """Prevents: a stolen key that agreed just before it was taken off, and one officer's word."""
    told(wallet, CLEO, HALT)
    told(wallet, ADA, RESUME)
    wallet.settings = settings(officers=NAMED - {ADA.key})

    assert told(wallet, BEN, RESUME)
    assert not told(wallet, CLEO, RESUME)


def test_one_more_halt_voids_what_was_agreed_to(wallet: Wallet) -> None:
    told(wallet, ADA, HALT)
    told(wallet, BEN, RESUME)
    told(wallet, ADA, HALT)

    assert told(wallet, CLEO, RESUME)


def test_what_was_signed_before_the_halt_ends_none(wallet: Wallet) -> None:
    """Prevents: the words that ended an earlier halt, kept by whoever runs the platform."""
    kept = [signs(wallet, one, RESUME) for one in (BEN, CLEO)]
    told(wallet, ADA, HALT)

    for one in kept:
        with pytest.raises(StatementRefusedError, match="before the halt"):
            hears(wallet, one)


def test_an_older_halt_that_comes_late_makes_no_word_for_its_end_older(wallet: Wallet) -> None:
    late = signs(wallet, CLEO, HALT)
    between = signs(wallet, BEN, RESUME)
    told(wallet, ADA, HALT)
    hears(wallet, late)

    with pytest.raises(StatementRefusedError, match="before the halt"):
        hears(wallet, between)


def test_what_was_said_is_heard_once(wallet: Wallet) -> None:
    """Prevents: a halt that was ended, brought back by whoever kept it."""
    halt = signs(wallet, ADA, HALT)
    hears(wallet, halt)
    told(wallet, BEN, RESUME)
    told(wallet, CLEO, RESUME)

    with pytest.raises(StatementRefusedError, match="used before"):
        hears(wallet, halt)
    wallet.house.wait(STATEMENT_LIFETIME)
    with pytest.raises(StatementRefusedError, match="over"):
        hears(wallet, halt)
    told(wallet, ADA, HALT)
    assert b"case-7" in wallet.state.kept["officers"]
    assert halt.said.nonce.encode() not in wallet.state.kept["officers"]


def test_nobody_else_halts_or_resumes(wallet: Wallet) -> None:
    assert isinstance(refused(wallet, EVE, HALT), StatementRefusedError)
    assert isinstance(refused(wallet, ADA, RESUME), NotHaltedError)
    suspends = Suspend(account=wallet.alice, because="case-7")
    assert "nothing else" in str(refused(wallet, ADA, suspends))
    with pytest.raises(StatementRefusedError, match="another log"):
        hears(wallet, signs(wallet, ADA, HALT, log="other.example/log"))
    forged = signs(wallet, EVE, HALT)
    with pytest.raises(StatementRefusedError, match="signature"):
        hears(wallet, replace(forged, said=replace(forged.said, officer=ADA.key)))
    with pytest.raises(MalformedError):
        hear_officer(b"{}", settings=wallet.settings, state=wallet.state, now=wallet.now)
    assert clears(wallet)


def test_where_no_officers_are_named_or_no_log_is_known_nobody_is_heard(wallet: Wallet) -> None:
    wallet.settings = settings()
    assert "name no officers" in str(refused(wallet, ADA, HALT))

    wallet.settings, wallet.state = settings(officers=NAMED), DictState()
    found = refused(wallet, ADA, HALT)
    assert isinstance(found, SignerRefusedError)
    assert found.fault == SignerFault.HEAD_UNKNOWN
