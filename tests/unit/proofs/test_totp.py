from datetime import UTC, datetime, timedelta, timezone
from urllib.parse import parse_qs, urlsplit

import pyotp
import pytest
from hypothesis import given
from hypothesis import strategies as st

from twinlock.domain.authenticators.faults import ProofFault, ProofRefusedError
from twinlock.domain.errors import InvariantError
from twinlock.proofs import totp
from twinlock.range.device import TotpApp

SEED = bytes(range(20))
NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)
NOW_STEP = totp.step_at(NOON)

seeds = st.binary(min_size=20, max_size=64)
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
instants = st.integers(0, 2**33).map(lambda seconds: EPOCH + timedelta(seconds=seconds))


def fault_of(code: str, *, now: datetime = NOON, last_step: int = 0) -> ProofFault:
    with pytest.raises(ProofRefusedError) as refused:
        totp.verify(SEED, code, now=now, last_step=last_step)
    return refused.value.fault


@given(seeds, instants)
def test_an_app_of_another_make_shows_the_code_we_accept(seed: bytes, now: datetime) -> None:
    app = TotpApp(totp.provisioning_uri(seed, issuer="Example", account="alice@example.com"))

    assert totp.verify(seed, app.code(now), now=now, last_step=-1) in range(
        totp.step_at(now), totp.step_at(now) + 2
    )
    assert app.code(now) == totp.hotp(seed, totp.step_at(now))


@pytest.mark.requirement("O-11")
@pytest.mark.parametrize(
    ("seconds", "accepted"),
    [
        pytest.param(-31, False, id="more than a step early"),
        pytest.param(-30, True, id="a step early, to the second"),
        pytest.param(0, True, id="as its step begins"),
        pytest.param(29, True, id="as its step ends"),
        pytest.param(59, True, id="a step late, to the second"),
        pytest.param(60, False, id="more than a step late"),
    ],
)
def test_a_code_is_good_in_its_own_step_and_the_two_beside_it(seconds: int, accepted: bool) -> None:
    code, now = totp.hotp(SEED, NOW_STEP), NOON + timedelta(seconds=seconds)

    if accepted:
        assert totp.verify(SEED, code, now=now, last_step=0) == NOW_STEP
    else:
        assert fault_of(code, now=now) is ProofFault.CODE_WRONG


@pytest.mark.requirement("N-B02", "P-01")
@pytest.mark.parametrize("step", [NOW_STEP - 1, NOW_STEP, NOW_STEP + 1])
def test_a_code_is_refused_the_second_time(step: int) -> None:
    code = totp.hotp(SEED, step)
    accepted = totp.verify(SEED, code, now=NOON, last_step=0)

    assert accepted == step
    assert fault_of(code, last_step=accepted) is ProofFault.CODE_REPLAYED
    assert totp.verify(SEED, code, now=NOON, last_step=accepted - 1) == step


@pytest.mark.requirement("N-B02")
def test_after_a_later_code_an_earlier_one_is_refused() -> None:
    later = totp.verify(SEED, totp.hotp(SEED, NOW_STEP + 1), now=NOON, last_step=0)

    assert fault_of(totp.hotp(SEED, NOW_STEP), last_step=later) is ProofFault.CODE_REPLAYED


@pytest.mark.requirement("N-B02")
@given(st.lists(st.tuples(st.integers(0, 100), st.integers(-2, 2)), max_size=12))
def test_no_order_of_tries_has_a_step_accepted_twice(tries: list[tuple[int, int]]) -> None:
    now, last_step, accepted = NOON, 0, []
    for seconds, drift in tries:
        now += timedelta(seconds=seconds)
        code = totp.hotp(SEED, totp.step_at(now) + drift)
        try:
            last_step = totp.verify(SEED, code, now=now, last_step=last_step)
        except ProofRefusedError:
            continue
        accepted.append(last_step)

    assert accepted == sorted(set(accepted))


def test_when_two_steps_share_a_code_the_later_one_is_spent() -> None:
    shared = 1_340_014  # Found by search: one pair of neighbours in a million shares its code.
    assert totp.hotp(SEED, shared) == totp.hotp(SEED, shared + 1)
    now = datetime.fromtimestamp((shared + 1) * totp.STEP_SECONDS, UTC)
    code = totp.hotp(SEED, shared)

    assert totp.verify(SEED, code, now=now, last_step=0) == shared + 1
    assert totp.verify(SEED, code, now=now, last_step=shared) == shared + 1
    assert fault_of(code, now=now, last_step=shared + 1) is ProofFault.CODE_REPLAYED


def test_in_the_first_step_of_all_there_is_no_step_before() -> None:
    assert totp.verify(SEED, totp.hotp(SEED, 1), now=EPOCH, last_step=0) == 1


@pytest.mark.parametrize(
    "code",
    ["", "12345", "1234567", "12345a", " 12345", "12 345", "-12345", "１２３４５６", "12345²"],
    ids=[
        "empty",
        "five digits",
        "seven digits",
        "a letter",
        "a space before",
        "a space within",
        "a sign",
        "full-width digits",
        "a superscript",
    ],
)
def test_what_is_not_six_plain_digits_is_malformed(code: str) -> None:
    assert fault_of(code) is ProofFault.MALFORMED


def test_another_seed_gives_another_code() -> None:
    assert fault_of(totp.hotp(SEED[::-1], NOW_STEP)) is ProofFault.CODE_WRONG


def test_a_seed_of_20_bytes_is_the_shortest_that_we_show_and_10_that_we_take() -> None:
    assert len(totp.hotp(bytes(10), 0)) == 6
    with pytest.raises(InvariantError, match="at least 10 bytes"):
        totp.hotp(bytes(9), 0)
    with pytest.raises(InvariantError, match="at least 20 bytes"):
        totp.provisioning_uri(bytes(19), issuer="Example", account="alice")


@pytest.mark.parametrize(
    "now",
    [NOON.replace(tzinfo=None), NOON.astimezone(timezone(timedelta(hours=1)))],
    ids=["without a zone", "an hour east"],
)
def test_time_is_utc_only(now: datetime) -> None:
    with pytest.raises(InvariantError, match="UTC"):
        totp.step_at(now)


def test_the_uri_names_issuer_account_and_every_parameter() -> None:
    uri = totp.provisioning_uri(SEED, issuer="Example Exchange", account="alice+1@example.com")

    assert urlsplit(uri).path == "/Example%20Exchange:alice%2B1%40example.com"
    assert parse_qs(urlsplit(uri).query) == {
        "secret": ["AAAQEAYEAUDAOCAJBIFQYDIOB4IBCEQT"],
        "issuer": ["Example Exchange"],
        "algorithm": ["SHA1"],
        "digits": ["6"],
        "period": ["30"],
    }
    assert "issuer=Example%20Exchange&" in uri  # A plus is no space to every app.
    parsed = pyotp.parse_uri(uri)
    assert (parsed.issuer, parsed.name) == ("Example Exchange", "alice+1@example.com")


def test_no_name_in_the_uri_adds_a_part_to_its_path() -> None:
    uri = totp.provisioning_uri(SEED, issuer="A/B", account="a/b")

    assert urlsplit(uri).path == "/A%2FB:a%2Fb"


@pytest.mark.parametrize(
    ("seed", "secret"),
    [
        (bytes(21), "A" * 34),
        (bytes(19) + b"\x17", "A" * 31 + "X"),
    ],
)
def test_the_seed_is_written_without_padding_and_whole(seed: bytes, secret: str) -> None:
    uri = totp.provisioning_uri(seed, issuer="Example", account="alice")

    assert parse_qs(urlsplit(uri).query)["secret"] == [secret]


@pytest.mark.parametrize(("issuer", "account"), [("a:b", "c"), ("a", "b:c")])
def test_a_colon_in_a_name_would_move_the_border_and_is_refused(issuer: str, account: str) -> None:
    with pytest.raises(InvariantError, match="colon"):
        totp.provisioning_uri(SEED, issuer=issuer, account=account)


def test_the_app_scans_codes_of_its_own_kind_only() -> None:
    with pytest.raises(InvariantError, match="kind totp"):
        TotpApp("otpauth://hotp/Example:alice?secret=AAAQEAYEAUDAOCAJBIFQYDIOB4IBCEQT&counter=0")


@pytest.mark.requirement("O-06")
@pytest.mark.parametrize(
    ("typed", "fault"),
    [
        pytest.param(totp.hotp(bytes(20), totp.step_at(NOON)), ProofFault.CODE_WRONG, id="right"),
        pytest.param("000000", ProofFault.CODE_WRONG, id="wrong"),
        pytest.param("no code", ProofFault.MALFORMED, id="no code"),
        pytest.param("１２３４５６", ProofFault.MALFORMED, id="wide digits"),
    ],
)
def test_where_no_app_is_bound_every_code_is_wrong(typed: str, fault: ProofFault) -> None:
    """Also the one that the seed of nobody gives."""
    with pytest.raises(ProofRefusedError) as refused:
        totp.burn(typed, now=NOON)
    assert refused.value.fault is fault
