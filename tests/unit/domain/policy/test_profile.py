import pytest
from msgspec.structs import replace
from support.cast import DAY, HOUR
from support.worlds import CONTRACT

from twinlock.domain.actions import BUILT, CLASS_OF, ActionClass
from twinlock.domain.canonical import from_b64url
from twinlock.domain.laws import LEAST_WAIT
from twinlock.domain.money import Asset, UnknownAssetError
from twinlock.domain.policy.profile import ASSETS, DEFAULT, make_policy, policy_bytes, policy_digest

POLICY = make_policy(version=1, profile=DEFAULT, assets=ASSETS)


def test_the_numbers_of_the_default_profile_are_those_that_were_decided() -> None:
    assert {kind: length / HOUR for kind, length in DEFAULT.waits.items()} == {
        "authenticator.bind": 24,
        "authenticator.remove": 72,
        "authenticator.reactivate": 24,
        "contact.change": 48,
        "password.reset": 24,
        "destination.add": 24,
        "api_key.create": 24,
        "freeze.lift": 24,
    }
    assert {kind: length / HOUR for kind, length in DEFAULT.holds.items()} == {
        "authenticator.bind": 24,
        "authenticator.remove": 72,
        "authenticator.reactivate": 24,
        "authenticator.repudiate": 72,
        "contact.change": 48,
        "contact.repudiate": 72,
        "password.change": 24,
        "password.reset": 24,
        "api_key.create": 24,
    }
    assert DEFAULT.new_device_hold == DEFAULT.new_destination_wait == DAY
    assert DEFAULT.narrow_destination_wait == 7 * DAY
    assert DEFAULT.destination_lapse == 30 * DAY
    assert DEFAULT.narrow_daily_cents == 1_000_00


def test_every_loosening_that_can_be_decided_has_a_wait_no_shorter_than_the_laws() -> None:
    loosening = {kind for kind in BUILT if CLASS_OF[kind] is ActionClass.LOOSENING}

    assert loosening <= set(DEFAULT.waits)
    assert min(DEFAULT.waits.values()) >= LEAST_WAIT


@pytest.mark.parametrize(("symbol", "network"), [(one.symbol, one.network) for one in ASSETS])
def test_an_asset_is_found_by_symbol_and_network(symbol: str, network: str) -> None:
    found = POLICY.asset(symbol, network)

    assert (found.symbol, found.network) == (symbol, network)


@pytest.mark.parametrize(
    ("symbol", "network"), [("USDT", "bitcoin"), ("usdt", "ethereum"), ("", ""), ("BTC", "tron")]
)
def test_an_asset_the_policy_does_not_name_is_unknown(symbol: str, network: str) -> None:
    with pytest.raises(UnknownAssetError):
        POLICY.asset(symbol, network)


def test_every_network_has_a_coin_of_its_own_to_pay_fees_in() -> None:
    coins = {one.network for one in ASSETS if not one.contract}

    assert coins == {one.network for one in ASSETS}


def test_a_policys_digest_binds_version_numbers_and_assets() -> None:
    other = Asset(symbol="USDT", network="ethereum", decimals=18, contract=CONTRACT, evm=True)
    digests = {
        POLICY.name.digest,
        make_policy(version=2, profile=DEFAULT, assets=ASSETS).name.digest,
        make_policy(
            version=1, profile=replace(DEFAULT, daily_limit_cents=1), assets=ASSETS
        ).name.digest,
        make_policy(version=1, profile=DEFAULT, assets=(*ASSETS[:2], other)).name.digest,
    }

    assert len(digests) == 4
    assert all(len(from_b64url(one)) == 32 for one in digests)


def test_a_policys_digest_is_that_of_its_bytes() -> None:
    data = policy_bytes(version=1, profile=DEFAULT, assets=ASSETS)

    assert policy_digest(data) == POLICY.name.digest
    assert policy_digest(data + b" ") != POLICY.name.digest
