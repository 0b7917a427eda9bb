"""Each role's key is rotated over a real store: what goes on, what is refused, what is kept."""

from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from support.installations import environment_of
from support.postgres import TestDatabase
from support.store_audit import audit
from support.stores import (
    Customer,
    SteerableClock,
    idempotency,
    make_keyring,
    new_action,
    open_store,
    opened,
    spending,
    touching,
    withdrawal,
)

from twinlock.adapters import private_files
from twinlock.adapters.boxes import Sealer
from twinlock.adapters.keyring import ring as keyrings
from twinlock.adapters.keyring.ring import Keyring, Role
from twinlock.adapters.keyring.signing import KeyringIndex
from twinlock.adapters.keys_at_work import KeysAtWork
from twinlock.adapters.prices import make_key
from twinlock.adapters.settings import load as load_settings
from twinlock.adapters.sql.installation import InstallationError
from twinlock.adapters.sql.platform_keys import SqlPlatformKeys
from twinlock.adapters.sql.rewrap import Rewrap
from twinlock.adapters.sql.store import SqlStore
from twinlock.adapters.system import SystemClock, SystemEntropy
from twinlock.bootstrap.keys import key_rotation, rewrap_keys
from twinlock.bootstrap.prices import sign_price_list
from twinlock.bootstrap.rulebook import rule_book
from twinlock.bootstrap.trust import trust_of
from twinlock.bootstrap.world import World, prepare
from twinlock.domain.authorization import SPEND_TYPE
from twinlock.domain.canonical import decode, from_b64url
from twinlock.domain.errors import (
    FileBusyError,
    JwsRefusedError,
    KeyringOutdatedError,
    SettingsWrongError,
    UnavailableError,
)
from twinlock.domain.ids import ActionId
from twinlock.domain.keys import (
    REQUIRED,
    KeyNeededError,
    KeyRecord,
    KeyState,
    RotationRefusedError,
)
from twinlock.domain.log.note import parse_vkey
from twinlock.domain.trust import Trust
from twinlock.proofs import jws
from twinlock.services.platform_keys import Keys, Scope, key_id_of
from twinlock.services.spending import Spending

ENTROPY = SystemEntropy()
MONTH = timedelta(days=30)
NONE = dict.fromkeys(("subjects", "idempotency", "heads", "erased", "unowned", "broken"), 0)


@dataclass
class House:
    """One installation, and how its keys are changed."""

    world: World
    clock: SteerableClock
    database: TestDatabase

    @property
    def directory(self) -> Path:
        return self.world.settings.keyring_dir

    def ring(self) -> Keyring:
        return keyrings.load(self.directory)

    def trust(self, *, with_retired: bool = False) -> Trust:
        settings, ring = self.world.settings, self.ring()
        return trust_of(settings, ring, book=rule_book(), with_retired=with_retired)

    def store(self) -> AbstractAsyncContextManager[SqlStore]:
        return open_store(self.database.app_dsn, self.ring(), self.clock)

    async def announce(self, role: Role) -> KeyRecord:
        async with key_rotation(await self.again(), clock=self.clock) as rotation:
            return await rotation.announce(role)

    async def activate(self, role: Role) -> KeyRecord:
        async with key_rotation(await self.again(), clock=self.clock) as rotation:
            return await rotation.activate(role)

    async def rotate(self, role: Role) -> tuple[KeyRecord, KeyRecord]:
        """Announce and activate a key, and let the old one be old; return both."""
        old = self.ring().current(role).record
        await self.announce(role)
        self.clock.advance(MONTH)
        new = await self.activate(role)
        self.clock.advance(MONTH)
        return old, new

    async def retire(self, key: KeyRecord, *, at_once: bool = False) -> KeyRecord:
        async with key_rotation(await self.again(), clock=self.clock) as rotation:
            return await rotation.retire(key.role, key.key_id, at_once=at_once)

    async def rewrap(self) -> dict[str, int]:
        return (await rewrap_keys(await self.again(), lambda _: None))._asdict()

    async def again(self) -> World:
        """Return the world as a process that starts now sees it."""
        return await prepare(self.world.settings)


@pytest.fixture
async def house(database: TestDatabase, clock: SteerableClock, tmp_path: Path) -> House:
    there = {"DATABASE_URL": database.app_dsn, "OWNER_URL": database.owner_dsn}
    settings = load_settings(
        environment_of(tmp_path, **there, PRICE_FILE=str(tmp_path / "prices.jws"))
    )
    (tmp_path / "keys").mkdir(mode=0o700)
    make_keyring(settings.keyring_dir)
    world = await prepare(settings)
    async with key_rotation(world, clock=clock):
        pass  # The log gets its first anchor.
    return House(world=world, clock=clock, database=database)


async def spent(house: House, *, spend_id: str = "spend-00001") -> tuple[Customer, ActionId]:
    """Let a new customer spend a withdrawal; return him and the action."""
    async with house.store() as store:
        alice = await opened(store, house.clock, blind=KeyringIndex(house.ring()))
        action = new_action(alice)
        await store.run(withdrawal(alice, action, key=idempotency(f"key-{action[-8:]}")))
        answer = await spending(store, house.ring(), house.clock).spend(
            action, Spending(spend_id=spend_id), actor="platform:tests"
        )
        assert answer.authorization
    return alice, action


# --- Every role ---


@pytest.mark.parametrize("role", REQUIRED)
async def test_a_role_goes_from_one_key_to_the_next(house: House, role: Role) -> None:
    before = house.ring().fingerprint()

    old, new = await house.rotate(role)
    with pytest.raises(RotationRefusedError):
        await house.activate(role)
    if role is Role.SEAL:
        await house.rewrap()
    gone = await house.retire(old)

    assert gone.retired_at is not None
    assert house.ring().current(role).key_id == new.key_id != old.key_id
    assert house.ring().fingerprint() == before
    async with key_rotation(await house.again(), clock=house.clock) as rotation:
        states = {one.key.key_id: one.state for one in rotation.listed() if one.key.role is role}
    assert states == {old.key_id: KeyState.RETIRED, new.key_id: KeyState.CURRENT}


async def test_another_installations_keyring_is_refused_after_rotations_too(
    house: House, tmp_path: Path
) -> None:
    for role in REQUIRED:
        old, _ = await house.rotate(role)
        if role is Role.SEAL:
            await house.rewrap()
        await house.retire(old)
    aside = house.directory.rename(tmp_path / "aside")
    make_keyring(house.directory)
    with pytest.raises(InstallationError):
        await house.again()

    for path in house.directory.iterdir():
        path.unlink()
    house.directory.rmdir()
    aside.rename(house.directory)
    assert (await house.again()).keyring.fingerprint() == house.ring().fingerprint()


@pytest.mark.parametrize("role", REQUIRED)
async def test_a_key_that_was_retired_is_retired_again(house: House, role: Role) -> None:
    """A command was killed before it destroyed what the token holds; the next one does."""
    old, _ = await house.rotate(role)
    if role is Role.SEAL:
        await house.rewrap()
    gone = await house.retire(old)

    assert await house.retire(old) == gone


# --- SEAL ---


async def test_a_seal_key_is_kept_until_everything_is_wrapped_anew(house: House) -> None:
    alice, action = await spent(house)
    old, _ = await house.rotate(Role.SEAL)
    bob, _ = await spent(house)

    with pytest.raises(KeyNeededError, match="1 subjects' keys, 1 idempotency keys"):
        await house.retire(old)
    assert await house.rewrap() == {
        "subjects": 1,
        "idempotency": 1,
        "heads": 0,
        "erased": 0,
        "unowned": 0,
        "broken": 0,
    }
    assert await house.rewrap() == {
        "subjects": 0,
        "idempotency": 0,
        "heads": 0,
        "erased": 0,
        "unowned": 0,
        "broken": 0,
    }
    await house.retire(old)

    await audit(house.database, house.ring())
    async with house.store() as store:
        for customer in (alice, bob):
            await store.run(touching(customer, with_destination=True))
        again = await store.run(
            withdrawal(alice, new_action(alice), key=idempotency(f"key-{action[-8:]}"))
        )
        assert again.repeated == action


async def test_no_key_changes_while_all_is_wrapped_anew(house: House) -> None:
    """Prevents: customers' keys under one that was retired, by a run that was stopped meanwhile."""
    await spent(house)
    await house.rotate(Role.SEAL)
    busy: list[bool] = []

    def told(_: int) -> None:
        try:
            with private_files.locked(
                house.directory.with_name(f".{house.directory.name}.lock"), patience_seconds=0
            ):
                busy.append(False)
        except FileBusyError:
            busy.append(True)

    await rewrap_keys(await house.again(), told)

    assert set(busy) == {True}


async def test_what_is_wrapped_anew_is_by_the_keys_of_that_moment(house: House) -> None:
    await spent(house)
    await house.announce(Role.SEAL)
    started = await house.again()  # A command that was started, and waited.
    house.clock.advance(MONTH)
    new = await house.activate(Role.SEAL)

    assert (await rewrap_keys(started, lambda _: None)).subjects == 1
    wrapped = await house.database.value("SELECT wrapped FROM subject_key")
    assert isinstance(wrapped, bytes)
    assert wrapped[:8].hex() == new.key_id


async def test_the_head_of_a_log_that_stands_still_is_sealed_anew(house: House) -> None:
    await spent(house)
    old, new = await house.rotate(Role.SEAL)

    assert (await house.rewrap())["heads"] == 1

    mac = await house.database.value("SELECT mac FROM head")
    assert isinstance(mac, bytes)
    assert mac[:8].hex() == new.key_id
    await house.retire(old)
    assert len((await house.again()).keyring.keys(Role.SEAL)) == 1


async def test_an_older_copy_of_the_keyring_is_refused_at_the_start(
    house: House, tmp_path: Path
) -> None:
    await spent(house)
    kept = {path.name: path.read_bytes() for path in house.directory.iterdir()}
    await house.rotate(Role.SEAL)
    await house.rewrap()
    for path in house.directory.iterdir():
        if path.name not in kept:
            path.unlink()

    with pytest.raises(KeyringOutdatedError, match="put the latest copy"):
        await house.again()


async def test_an_empty_log_has_no_seal_to_wrap(house: House) -> None:
    old, _ = await house.rotate(Role.SEAL)

    assert await house.rewrap() == {
        "subjects": 0,
        "idempotency": 0,
        "heads": 0,
        "erased": 0,
        "unowned": 0,
        "broken": 0,
    }
    assert (await house.retire(old)).retired_at is not None


async def test_who_is_not_the_owner_wraps_nothing(house: House) -> None:
    await spent(house)
    await house.rotate(Role.SEAL)
    settings = house.world.settings
    for url, why in (
        (None, "is not set"),
        (settings.database_url, "not that of the tables' owner"),
    ):
        world = await prepare(load_settings(_urls(house, url)))
        with pytest.raises(SettingsWrongError, match=why):
            await rewrap_keys(world, lambda _: None)


def _urls(house: House, owner: str | None) -> dict[str, str]:
    settings = house.world.settings
    return {
        "TWINLOCK_DATA_DIR": str(settings.data_dir),
        "TWINLOCK_KEYRING_DIR": str(settings.keyring_dir),
        "TWINLOCK_DATABASE_URL": settings.database_url or "",
        **({} if owner is None else {"TWINLOCK_OWNER_URL": owner}),
    }


# --- LOG ---


async def test_the_log_names_its_next_key_in_a_leaf_before_it_signs(house: House) -> None:
    await spent(house)
    new = await house.announce(Role.LOG)
    house.clock.advance(MONTH)
    await house.activate(Role.LOG)

    async with house.store() as store:
        head = await store.checked_head()
        leaves = await store.leaves(start=0, count=head.size)
    told = [leaf for leaf in map(decode, leaves) if leaf["t"] == "log.key"]
    vkeys = {str(log.key) for log in house.trust().log_policy.logs}
    assert len(told) == 1
    assert told[0]["key"] in vkeys
    async with key_rotation(await house.again(), clock=house.clock) as rotation:
        assert rotation.vkey(new) == told[0]["key"]
    assert parse_vkey(told[0]["key"]).public_key == house.ring().current(Role.LOG).public
    assert new.key_id == house.ring().current(Role.LOG).key_id
    await audit(house.database, house.ring())


async def test_a_key_of_the_log_that_was_announced_and_not_told_is_told_before_it_signs(
    house: House,
) -> None:
    """A command was killed after it made the key, and before it wrote the leaf."""
    house.clock.advance(MONTH)
    keyrings.announce(house.directory, Role.LOG, entropy=ENTROPY, now=house.clock.at)
    house.clock.advance(MONTH)
    await house.activate(Role.LOG)

    async with house.store() as store:
        assert (await store.head()).size == 1


async def test_a_log_goes_on_after_its_key_was_named(house: House) -> None:
    async with house.store() as store:
        alice = await opened(store, house.clock)
        await house.announce(Role.LOG)
        await store.run(touching(alice))
        assert (await store.checked_head()).size == 3


# --- AUTHORIZATION ---


def verify(token: str, trust: Trust) -> bytes:
    keys = {
        kid: Ed25519PublicKey.from_public_bytes(from_b64url(key))
        for kid, key in trust.authorization_keys.items()
    }
    return jws.verify(token, keys=keys, typ=SPEND_TYPE)


async def test_a_spend_that_is_told_again_bears_the_key_that_signs_now(house: House) -> None:
    _, action = await spent(house)

    async def told() -> str:
        async with house.store() as store:
            spends = spending(store, house.ring(), house.clock)
            answer = await spends.spend(
                action, Spending(spend_id="spend-00001"), actor="platform:tests"
            )
            return str(answer.authorization)

    before, first_trust = await told(), house.trust()
    await house.announce(Role.AUTHORIZATION)
    assert await told() == before
    handed_over = house.trust()
    house.clock.advance(MONTH)
    await house.activate(Role.AUTHORIZATION)
    after = await told()

    assert verify(after, handed_over) == verify(before, handed_over) == verify(before, first_trust)
    with pytest.raises(JwsRefusedError):  # Who was not told is not believed to have been.
        verify(after, first_trust)
    house.clock.advance(MONTH)
    old = house.ring().keys(Role.AUTHORIZATION)[-1].record
    await house.retire(old)
    assert await told() == after
    with pytest.raises(JwsRefusedError):
        verify(before, house.trust())
    assert verify(before, house.trust(with_retired=True)) == verify(after, house.trust())


# --- PLATFORM ---


async def test_a_platform_key_keeps_the_key_of_its_mac(house: House) -> None:
    async with house.store() as store:
        at_work = KeysAtWork.of(house.ring(), house.world.settings)
        keys = Keys(SqlPlatformKeys(store), mac=at_work.mac, entropy=ENTROPY, clock=house.clock)
        one, other = [
            await keys.create(
                scopes=(Scope.READ,), networks=("::/0",), lifetime=timedelta(days=days)
            )
            for days in (90, 400)
        ]
        old, _ = await house.rotate(Role.PLATFORM)
        await at_work.look()
        await keys.create(scopes=(Scope.READ,), networks=("::/0",), lifetime=MONTH)
        with pytest.raises(KeyNeededError, match="2 platform keys in force"):
            await house.retire(old)
        await keys.revoke(key_id_of(other))
        with pytest.raises(KeyNeededError, match="1 platform keys in force"):
            await house.retire(old)
        assert await keys.check(one, address="::1", scope=Scope.READ)
        house.clock.advance(MONTH)
        assert (await house.retire(old)).retired_at is not None


# --- PRICES ---


async def test_a_price_key_is_kept_while_the_list_in_force_is_signed_by_it(
    house: House, tmp_path: Path
) -> None:
    key_file, out = tmp_path / "feed.pem", house.world.settings.price_file
    assert out is not None
    feed = make_key(key_file, entropy=ENTROPY)
    now = SystemClock().now()
    keyrings.trust_prices(house.directory, feed.public, now=now)
    keyrings.trust_prices(house.directory, bytes(32), now=now + timedelta(seconds=1))
    key, other = (one.record for one in reversed(house.ring().keys(Role.PRICES)))
    assert key.key_id == feed.key_id
    await house.retire(other)
    sign_price_list(b'{"cents": {"USDT": 100}}', key_file=key_file, out=out)

    with pytest.raises(KeyNeededError, match="1 price list in force"):
        await house.retire(key)
    out.write_text("not a list")
    out.unlink()
    await house.retire(key)
    assert house.ring().keys(Role.PRICES) == ()


async def test_a_price_key_that_leaked_is_distrusted_at_once(house: House, tmp_path: Path) -> None:
    key_file, out = tmp_path / "feed.pem", house.world.settings.price_file
    assert out is not None
    feed = make_key(key_file, entropy=ENTROPY)
    keyrings.trust_prices(house.directory, feed.public, now=SystemClock().now())
    sign_price_list(b'{"cents": {"USDT": 100}}', key_file=key_file, out=out)
    (key,) = house.ring().keys(Role.PRICES)
    prices = KeysAtWork.of(house.ring(), house.world.settings).price_file(out)
    assert prices.prices() is not None

    await house.retire(key.record, at_once=True)
    prices.take(house.ring())
    assert prices.prices() is None
    assert prices.signed_by() is None


# --- Rewrapping, in all weathers ---


class KilledError(BaseException):
    """What ends a run in the middle, as a kill would."""


async def test_a_run_that_was_broken_off_goes_on_with_the_rest(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    for _ in range(5):
        await spent(house)
    old, _ = await house.rotate(Role.SEAL)
    monkeypatch.setattr("twinlock.adapters.sql.rewrap.PAGE_ROWS", 2)

    def killed(done: int) -> None:
        if done >= 3:
            raise KilledError

    with pytest.raises(KilledError):
        await rewrap_keys(await house.again(), killed)
    await audit(house.database, house.ring())
    told: list[int] = []
    done = await rewrap_keys(await house.again(), told.append)

    assert done.subjects == 1
    assert done.idempotency == 5
    assert told[-1] == 7
    await house.retire(old)
    await audit(house.database, house.ring())


async def test_what_is_not_ours_is_left_counted_and_keeps_its_key(house: House) -> None:
    alice, _ = await spent(house)
    bob, _ = await spent(house)
    old, _ = await house.rotate(Role.SEAL)
    for table, column, which in (
        ("subject_key", "wrapped", f"subject = '{alice.account_id}'"),
        ("idempotency", "mac", f"scope = '{alice.account_id}'"),
    ):
        flipped = f"set_byte({column}, 30, get_byte({column}, 30) # 1)"
        await house.database.execute(f"UPDATE {table} SET {column} = {flipped} WHERE {which}")  # noqa: S608 - our own names

    assert await house.rewrap() == {
        "subjects": 1,
        "idempotency": 1,
        "heads": 1,
        "erased": 0,
        "unowned": 0,
        "broken": 2,
    }

    with pytest.raises(KeyNeededError, match="1 subjects' keys, 1 idempotency keys"):
        await house.retire(old)
    async with house.store() as store:
        await store.run(touching(bob))


async def test_a_database_that_is_down_is_told(house: House) -> None:
    gone = house.database.owner_dsn.replace(house.database.name, "no_such_database")
    with pytest.raises(UnavailableError):
        await Rewrap(gone, sealer=Sealer(house.ring()), entropy=ENTROPY, told=lambda _: None).run()
    async with house.database.owner() as operator, operator.transaction():
        await operator.execute("LOCK TABLE subject_key")
        with pytest.raises(UnavailableError):
            await house.rewrap()
