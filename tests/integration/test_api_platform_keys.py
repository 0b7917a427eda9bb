"""Platform keys against those who can write to the database, and when the MAC key is rotated."""

from datetime import timedelta

import pytest
from support.postgres import TestDatabase
from support.service import Service
from support.stores import ENTROPY
from typer.testing import CliRunner

from twinlock.adapters.keyring import ring as keyrings
from twinlock.adapters.keyring.ring import Role
from twinlock.adapters.keyring.signing import KeyringIndex, KeyringMac
from twinlock.adapters.sql import platform_keys
from twinlock.adapters.system import SystemClock
from twinlock.bootstrap.rulebook import rule_book
from twinlock.bootstrap.serving import open_api
from twinlock.bootstrap.world import prepare
from twinlock.cli.main import app
from twinlock.domain.actions import Place
from twinlock.domain.errors import PlatformKeyUnknownError
from twinlock.domain.ids import AccountId, PlatformKeyId
from twinlock.services.platform_keys import NetworkRangeError, Scope, key_id_of

OPENING = {"channels": [{"kind": "email", "address": "alice@example.com"}]}


async def opens(service: Service, key: str) -> int:
    headers = {"Authorization": f"Bearer {key}", "Idempotency-Key": service.key()}
    return (await service.http.post("/v1/accounts", json=OPENING, headers=headers)).status_code


@pytest.fixture(autouse=True)
def _forget_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(platform_keys, "KEY_CACHE_SECONDS", 0.0)


@pytest.mark.parametrize(
    "edit",
    [
        pytest.param("scopes = '{accounts,read}'", id="wider"),
        pytest.param("scopes = '{accounts}', networks = '{read,127.0.0.0/8}'", id="moved over"),
        pytest.param("networks = '{0.0.0.0/0}'", id="from anywhere"),
        pytest.param("expires_at = expires_at + interval '1 day'", id="longer"),
        pytest.param("created_at = created_at - interval '1 day'", id="earlier"),
    ],
)
async def test_a_platform_key_that_somebody_widened_opens_nothing(
    service: Service, database: TestDatabase, edit: str
) -> None:
    key = await service.platform_key(Scope.READ)
    assert await opens(service, key) == 403
    await database.execute(
        f"UPDATE platform_key SET {edit} WHERE id = $1",  # noqa: S608 - words of ours
        key.split("_")[1],
    )
    assert await opens(service, key) == 401


async def test_a_key_with_anothers_mac_opens_nothing(
    service: Service, database: TestDatabase
) -> None:
    wide, narrow = await service.platform_key(), await service.platform_key(Scope.READ)
    await database.execute(
        "UPDATE platform_key k SET mac = w.mac, scopes = w.scopes FROM platform_key w"
        " WHERE k.id = $1 AND w.id = $2",
        narrow.split("_")[1],
        wide.split("_")[1],
    )
    assert await opens(service, wide) == 201
    assert await opens(service, narrow) == 401


async def test_a_key_that_was_revoked_stays_so_whatever_its_row_says(
    service: Service, database: TestDatabase
) -> None:
    key = await service.platform_key()
    assert await opens(service, key) == 201
    await service.api.use.keys.revoke(PlatformKeyId(key.split("_")[1]))
    assert await opens(service, key) == 401


async def test_a_key_is_named_by_its_middle_part_or_by_all_of_it(service: Service) -> None:
    key = await service.platform_key()
    middle = key.split("_")[1]

    assert {key_id_of(one) for one in (key, middle, f"tlk_{middle}")} == {middle}
    for nonsense in ("", "nobodys", key[:-1], f"{key}a", middle.upper(), f"xyz_{middle}"):
        with pytest.raises(PlatformKeyUnknownError):
            key_id_of(nonsense)


async def test_a_listed_key_says_whether_it_is_in_force(service: Service) -> None:
    first = await service.platform_key(Scope.READ)
    service.clock.forward(days=399)
    second = await service.platform_key(Scope.READ)
    service.clock.forward(days=1)
    await service.api.use.keys.revoke(key_id_of(second))
    third = await service.platform_key(Scope.READ)

    listed = {one.key_id: one.state for one in await service.api.use.keys.listed()}

    ids = [key_id_of(key) for key in (first, second, third)]
    assert [listed[one] for one in ids] == ["expired", "revoked", "in force"]


async def test_a_platform_key_outlives_the_key_of_its_mac(service: Service) -> None:
    old = await service.platform_key()
    directory = service.settings.keyring_dir
    later = SystemClock().now() + timedelta(days=1)
    after = keyrings.add(directory, Role.PLATFORM, entropy=ENTROPY, now=later)
    assert KeyringMac(after).of(b"x") != KeyringMac(service.keyring).of(b"x")

    world = await prepare(service.settings)
    async with open_api(world, book=rule_book(), clock=service.clock) as api:
        new = await api.use.keys.create(
            scopes=(Scope.READ,), networks=("::1/128",), lifetime=timedelta(days=1)
        )
        for key, address in ((old, "127.0.0.1"), (new, "::1")):
            assert await api.use.keys.check(key, address=address, scope=Scope.READ)


def test_a_destination_may_still_go_by_its_name_when_a_younger_index_key_comes(
    service: Service,
) -> None:
    place = Place(account=AccountId("acc_" + "a" * 26), network="tron", address="T", memo="")
    later = SystemClock().now() + timedelta(days=1)
    after = keyrings.add(service.settings.keyring_dir, Role.INDEX, entropy=ENTROPY, now=later)

    named = KeyringIndex(service.keyring).names(place)[0]
    assert KeyringIndex(after).names(place)[1:] == (named,)
    assert KeyringIndex(after).names(place)[0] != named


@pytest.mark.parametrize("network", ["foo", "10.0.0.1/8", "10.0.0.0/33", ""])
async def test_a_range_that_is_none_is_an_error_of_the_caller(
    service: Service, network: str
) -> None:
    with pytest.raises(NetworkRangeError, match="is not a range of addresses") as told:
        await service.platform_key(networks=(network,))
    meant = "the range is 10.0.0.0/8" in str(told.value)
    assert meant == (network == "10.0.0.1/8")


def test_the_command_says_so_too(service: Service, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TWINLOCK_DATABASE_URL", service.settings.database_url or "")
    monkeypatch.setenv("TWINLOCK_DATA_DIR", str(service.settings.data_dir))
    monkeypatch.setenv("TWINLOCK_KEYRING_DIR", str(service.settings.keyring_dir))

    told = CliRunner().invoke(app, ["platform-key", "create", "--network", "foo"])

    assert isinstance(told.exception, NetworkRangeError)
