"""Platform keys: kept, remembered for a second at most, and dead when they are revoked."""

import asyncio
from collections.abc import AsyncIterator
from datetime import timedelta

import pytest
from msgspec.structs import replace
from support.postgres import TestDatabase, both_versions
from support.stores import BEGINNING, ENTROPY, SteerableClock, open_store

from twinlock.adapters.keyring.ring import Keyring
from twinlock.adapters.sql import platform_keys
from twinlock.adapters.sql.platform_keys import (
    KEY_CACHE_SECONDS,
    NONCES_KEPT,
    SqlPlatformKeys,
)
from twinlock.adapters.sql.store import SqlStore
from twinlock.domain import ids
from twinlock.domain.bounds import MESSAGE_CLOCK_TOLERANCE, MESSAGE_LIFETIME_MOST
from twinlock.domain.errors import PlatformKeyUnknownError
from twinlock.domain.ids import PlatformKeyId
from twinlock.domain.message_signatures import SignatureFault, SignatureRefusedError
from twinlock.ports.keys import (
    PlatformKey,
)

LATER = BEGINNING + timedelta(hours=1)
EVEN_LATER = BEGINNING + timedelta(hours=2)


def a_key() -> PlatformKey:
    return PlatformKey(
        key_id=PlatformKeyId(ids.tail(ENTROPY.draw(16))),
        mac=ENTROPY.draw(40),
        scopes=("propose", "spend"),
        networks=("10.0.0.0/8", "::1/128"),
        created_at=BEGINNING,
        expires_at=BEGINNING + timedelta(days=365),
        signed_by=ENTROPY.draw(32),
    )


@pytest.fixture
def keys(store: SqlStore) -> SqlPlatformKeys:
    return SqlPlatformKeys(store)


@pytest.fixture
async def elsewhere(
    database: TestDatabase, keyring: Keyring, clock: SteerableClock
) -> AsyncIterator[SqlPlatformKeys]:
    """The same keys, in another process."""
    async with open_store(database.app_dsn, keyring, clock) as other:
        yield SqlPlatformKeys(other)


def forget_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(platform_keys, "KEY_CACHE_SECONDS", 0.0)


def never_forget(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(platform_keys, "KEY_CACHE_SECONDS", 3600.0)


def test_nothing_is_remembered_for_longer_than_a_second() -> None:
    assert KEY_CACHE_SECONDS <= 1.0


@both_versions
async def test_a_key_is_read_as_it_was_added(keys: SqlPlatformKeys) -> None:
    key = a_key()

    await keys.add(key)

    assert await keys.read(key.key_id) == key
    assert await keys.read(a_key().key_id) is None


async def test_a_key_that_does_not_exist_yet_is_found_as_soon_as_it_does(
    keys: SqlPlatformKeys, elsewhere: SqlPlatformKeys
) -> None:
    key = a_key()
    assert await keys.read(key.key_id) is None

    await elsewhere.add(key)

    assert await keys.read(key.key_id) == key


async def test_a_key_that_was_just_read_is_not_read_again(
    keys: SqlPlatformKeys, elsewhere: SqlPlatformKeys, monkeypatch: pytest.MonkeyPatch
) -> None:
    never_forget(monkeypatch)
    key = a_key()
    await keys.add(key)
    await keys.read(key.key_id)

    await elsewhere.revoke(key.key_id, at=LATER)

    assert await keys.read(key.key_id) == key


@pytest.mark.requirement("O-28")
async def test_a_key_that_another_process_revoked_is_dead_once_it_is_read_again(
    keys: SqlPlatformKeys, elsewhere: SqlPlatformKeys, monkeypatch: pytest.MonkeyPatch
) -> None:
    forget_at_once(monkeypatch)
    key = a_key()
    await keys.add(key)
    await keys.read(key.key_id)

    await elsewhere.revoke(key.key_id, at=LATER)

    assert await keys.read(key.key_id) == replace(key, revoked_at=LATER)


@pytest.mark.requirement("O-28")
async def test_a_key_that_this_process_revokes_is_dead_at_once(
    keys: SqlPlatformKeys, monkeypatch: pytest.MonkeyPatch
) -> None:
    never_forget(monkeypatch)
    key = a_key()
    await keys.add(key)
    await keys.read(key.key_id)

    await keys.revoke(key.key_id, at=LATER)

    assert await keys.read(key.key_id) == replace(key, revoked_at=LATER)


async def test_a_key_that_is_revoked_twice_keeps_the_first_time(keys: SqlPlatformKeys) -> None:
    key = a_key()
    await keys.add(key)

    await keys.revoke(key.key_id, at=LATER)
    await keys.revoke(key.key_id, at=EVEN_LATER)

    assert await keys.read(key.key_id) == replace(key, revoked_at=LATER)


async def test_keys_are_listed_the_youngest_first_and_no_more_than_asked_for(
    keys: SqlPlatformKeys, elsewhere: SqlPlatformKeys
) -> None:
    ages = (1, 3, 2)
    made = [replace(a_key(), created_at=BEGINNING - timedelta(days=age)) for age in ages]
    for key in made:
        await keys.add(key)
    await elsewhere.revoke(made[2].key_id, at=LATER)

    youngest, revoked, oldest = made[0], replace(made[2], revoked_at=LATER), made[1]
    assert await keys.youngest(most=3) == (youngest, revoked, oldest)
    assert await keys.youngest(most=1) == (youngest,)


async def test_revoking_tells_since_when(keys: SqlPlatformKeys) -> None:
    key = a_key()
    await keys.add(key)

    assert await keys.revoke(key.key_id, at=LATER) == LATER
    assert await keys.revoke(key.key_id, at=EVEN_LATER) == LATER


async def test_a_key_that_does_not_exist_is_not_silently_revoked(keys: SqlPlatformKeys) -> None:
    with pytest.raises(PlatformKeyUnknownError):
        await keys.revoke(a_key().key_id, at=LATER)


async def test_the_memory_is_bounded_and_forgets_what_was_read_first(
    keys: SqlPlatformKeys, elsewhere: SqlPlatformKeys, monkeypatch: pytest.MonkeyPatch
) -> None:
    never_forget(monkeypatch)
    monkeypatch.setattr(platform_keys, "KEY_CACHE_MOST", 2)
    three = [a_key() for _ in range(3)]
    for key in three:
        await keys.add(key)
        await keys.read(key.key_id)
        await elsewhere.revoke(key.key_id, at=LATER)

    youngest_first = [await keys.read(key.key_id) for key in reversed(three)]

    remembered = [one is not None and one.revoked_at is None for one in youngest_first]
    assert remembered == [True, True, False]


# --- Nonces of signed requests ---


@both_versions
async def test_of_many_processes_that_are_given_a_nonce_one_takes_it(
    keys: SqlPlatformKeys, elsewhere: SqlPlatformKeys
) -> None:
    key_id = a_key().key_id
    tries = await asyncio.gather(
        *(
            one.use_nonce(key_id, "a-nonce-of-alice", until=LATER)
            for _ in range(8)
            for one in (keys, elsewhere)
        ),
        return_exceptions=True,
    )

    refused = [one for one in tries if isinstance(one, SignatureRefusedError)]
    assert tries.count(None) == 1
    assert {one.fault for one in refused} == {SignatureFault.REPLAYED}
    assert len(refused) == 15
    await keys.use_nonce(a_key().key_id, "a-nonce-of-alice", until=LATER)  # Another key's.


async def test_nonces_that_expired_long_ago_are_forgotten_and_no_others(
    keys: SqlPlatformKeys, database: TestDatabase, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(platform_keys, "FORGET_NONCES_EVERY", 3)
    key_id = a_key().key_id
    long_ago = LATER - NONCES_KEPT
    await keys.use_nonce(key_id, "long-ago", until=long_ago - timedelta(seconds=1))
    await keys.use_nonce(key_id, "just-now", until=long_ago)
    assert await database.value("SELECT count(*) FROM message_nonce") == 2

    await keys.use_nonce(key_id, "now", until=LATER)

    left = await database.fetch("SELECT nonce FROM message_nonce ORDER BY nonce")
    assert [row["nonce"] for row in left] == ["just-now", "now"]


def test_a_nonce_is_kept_for_longer_than_anybody_can_repeat_it() -> None:
    longest = MESSAGE_LIFETIME_MOST + MESSAGE_CLOCK_TOLERANCE
    assert longest + MESSAGE_CLOCK_TOLERANCE < NONCES_KEPT
