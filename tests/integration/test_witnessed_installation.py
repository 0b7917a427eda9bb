"""The whole of it as programs: a service, three witnesses, a signer, an auditor, and restarts."""

import os
import signal
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from support.commands import Ended, free_port, run, serve
from support.postgres import TestDatabase
from support.service import ADDRESS, PRICES, SteerableClock, serving
from support.witnessed import keys_of, settled
from support.witnesses import RealWitness, running

from twinlock.bootstrap.prices import make_price_key, sign_price_list, trust_price_key
from twinlock.bootstrap.world import World
from twinlock.client import Client, ProblemError
from twinlock.domain.bundle import Bundle
from twinlock.domain.canonical import encode, from_b64url
from twinlock.domain.log.merkle import split_hashes
from twinlock.domain.log.note import parse_note
from twinlock.domain.log.text import to_base64
from twinlock.domain.log.tiles import EntryBundle, decode_entries, tiles_of
from twinlock.signer import (
    FileState,
    SignerRefusedError,
    SignerSettings,
    Transaction,
    adopt_head,
    check_spend,
    read_trust,
)

TESTS = Path(__file__).parents[1]


@dataclass
class House:
    """An installation with a customer whose destination has aged, and its witnesses."""

    environment: dict[str, str]
    witnesses: list[RealWitness]
    world: World
    actions: list[str]
    account_id: str
    key: str

    @asynccontextmanager
    async def serving(self) -> AsyncIterator[Client]:
        """Run ``twinlock serve``."""
        async with serve(self.environment, port=free_port()) as running_service:
            client = Client.connect(running_service.url, self.key)
            try:
                yield client
            finally:
                await client.close()
                assert (await running_service.end())[0] == 0


@pytest.fixture
async def house(world: World, database: TestDatabase, tmp_path: Path) -> AsyncIterator[House]:
    """Let a day pass in this process, before the programs start."""
    witnesses = [RealWitness(tmp_path / f"w{n}", f"witness{n}.example") for n in (1, 2, 3)]
    for one in witnesses:
        one.watch(*keys_of(world))
    policy = tmp_path / "witnesses.policy"
    lines = [f"witness w{n} {one.key} {one.url}" for n, one in enumerate(witnesses, start=1)]
    lines += ["group two 2 w1 w2 w3", "quorum two"]
    policy.write_text("".join(f"{line}\n" for line in lines), "utf-8")
    clock = SteerableClock()
    clock.forward(hours=-24)

    async def none_waiting() -> int:
        return 0

    async with serving(world, waiting_letters=none_waiting, clock=clock) as service:
        alice = await settled(service, "alice")
        clock.at = datetime.now(UTC).replace(microsecond=0)
        await alice.sign_in()
        actions = [(await alice.withdraw("10")).action_id for _ in range(3)]
        key = await service.platform_key()
    environment = {
        "TWINLOCK_DATABASE_URL": database.app_dsn,
        "TWINLOCK_DATA_DIR": str(world.settings.data_dir),
        "TWINLOCK_KEYRING_DIR": str(world.settings.keyring_dir),
        "TWINLOCK_WITNESS_POLICY": str(policy),
    }
    environment["TWINLOCK_PRICE_FILE"] = str(list_prices(world, tmp_path))
    settings = replace(world.settings, witness_policy=policy)
    async with running(*witnesses):
        yield House(
            environment=environment,
            witnesses=witnesses,
            world=replace(world, settings=settings),
            actions=actions,
            account_id=alice.account_id,
            key=key,
        )


def list_prices(world: World, directory: Path) -> Path:
    """Sign prices of this moment; without any, every value counts as the highest."""
    key = make_price_key(directory / "prices.key")
    trust_price_key(world.settings, str(key))
    sign_price_list(
        encode({"cents": PRICES}), key_file=directory / "prices.key", out=directory / "prices.jws"
    )
    return directory / "prices.jws"


def transaction(house: House) -> Transaction:
    return Transaction(
        account=house.account_id,
        asset="USDT",
        network="ethereum",
        contract="0xdac17f958d2ee523a2206206994597c13d831ec7",
        address=ADDRESS,
        memo="",
        amount_minor=10_000_000,
        fee_minor=0,
        value_cents=1_000,
    )


class Outside:
    """Those who believe the trust file and nothing else: a wallet's signer, and an auditor."""

    def __init__(self, house: House, directory: Path, trust: str) -> None:
        self._house = house
        self._directory = directory
        (directory / "trust.json").write_text(trust, "utf-8")
        trusted = read_trust(trust.encode())
        self._state = FileState(directory / "signer")
        self._settings = SignerSettings(
            trust=trusted,
            policies=frozenset(trusted.policies),
            session_budget_cents=500_00,
            unasserted_daily_cents=1_000_00,
            key_age_least=timedelta(days=7),
            witnessed=True,
        )
        self.size = 0

    def adopt(self, note: bytes) -> None:
        found = adopt_head(note, settings=self._settings, state=self._state, now=now())
        self.size = found.size

    def clear(self, bundle: Bundle | bytes) -> str:
        """Return the spend that the signer clears."""
        data = bundle if isinstance(bundle, bytes) else encode(bundle)
        paid = transaction(self._house)
        cleared = check_spend(data, paid, settings=self._settings, state=self._state, now=now())
        self.size = cleared.head.size
        return cleared.spend_id

    async def verify(self, bundle: Bundle | bytes) -> Ended:
        data = bundle if isinstance(bundle, bytes) else encode(bundle)
        (self._directory / "bundle.json").write_bytes(data)
        files = (f"{self._directory}/bundle.json", "--trust", f"{self._directory}/trust.json")
        return await run({}, "verify", *files)


async def test_from_a_spend_to_the_signers_clearance_over_restarts_of_everything(
    house: House, tmp_path: Path
) -> None:
    told = await run(house.environment, "keys", "trust")
    outside = Outside(house, tmp_path, told.out)
    first, second, third = house.actions

    async with house.serving() as client:
        await house.witnesses[2].end(signal.SIGKILL)  # One is down, and two are enough.
        outside.adopt(await client.checkpoint())
        await client.spend(first, spend_id="spend-0001")
        bundle = await client.evidence(first, consistent_from=outside.size)
        assert outside.clear(bundle) == "spend-0001"

        await house.witnesses[1].end(signal.SIGKILL)  # One is not.
        with pytest.raises(ProblemError) as waits:
            await client.spend(second, spend_id="spend-0002")
        assert (waits.value.status, waits.value.code) == (503, "not_witnessed")
        assert (await client.action(second)).state == "spent"

    # Everything ends, and begins again: what was cosigned is shown, what was not still waits.
    await house.witnesses[0].end(signal.SIGKILL)
    async with house.serving() as client:
        verified = await outside.verify(await client.evidence(first))
        assert (verified.code, "w1, w2" in verified.out) == (0, True), verified.out
        with pytest.raises(ProblemError):
            await client.spend(second, spend_id="spend-0002")
        for one in house.witnesses:
            await one.start()
        await client.spend(second, spend_id="spend-0002")
        bundle = await client.evidence(second, consistent_from=outside.size)
        assert outside.clear(bundle) == "spend-0002"

        # Without the witnesses' lines neither signer nor auditor takes it.
        await client.spend(third, spend_id="spend-0003")
        stripped = without_cosignatures(await client.evidence(third, consistent_from=outside.size))
        with pytest.raises(SignerRefusedError) as refused:
            outside.clear(stripped)
        assert refused.value.fault == "quorum_missing"
        assert (await outside.verify(stripped)).code == 1


def without_cosignatures(bundle: Bundle) -> bytes:
    note = parse_note(bundle.checkpoint.encode())
    alone = replace(note, signatures=note.signatures[:1]).encode().decode()
    return encode(bundle).replace(encode(bundle.checkpoint), encode(alone))


def now() -> datetime:
    return datetime.now(UTC)


def trusted_size(note: bytes, house: House) -> int:
    """Return the size of a checkpoint that our log signed."""
    head = parse_note(note)
    assert head.signatures[0].name == house.world.settings.log_origin
    return int(head.text.split(b"\n")[1])


async def test_a_cosigned_log_is_accepted_by_a_verifier_written_elsewhere(
    house: House, tmp_path: Path
) -> None:
    """A mirror of the running service: its checkpoint with a cosignature, tiles and proofs."""
    async with house.serving() as client:
        await client.spend(house.actions[0], spend_id="spend-0001")
        old = await client.checkpoint()
        spent = await client.spend(house.actions[1], spend_id="spend-0002")
        size = trusted_size(old, house)
        bundle = await client.evidence(house.actions[1], consistent_from=size)
        mirror = tmp_path / "mirror"
        await fetch(client, mirror, index=spent.index or 0)
    (mirror / "claims" / "old-checkpoint").write_bytes(old)
    (mirror / "claims" / "consistency").write_text(in_lines(bundle.consistency), "ascii")
    checkpoint = (mirror / "checkpoint").read_bytes()
    names = {line.name for note in (old, checkpoint) for line in parse_note(note).signatures}
    both = [
        one
        for one in house.witnesses
        if one.name in names
        and all(f"\u2014 {one.name} ".encode() in note for note in (old, checkpoint))
    ]

    said = [foreign_verdict(mirror, house, one) for one in both]

    assert both
    assert said == [(0, f"accepted {trusted_size(checkpoint, house)}\n")] * len(both)
    stranger = RealWitness(tmp_path / "stranger", both[0].name)
    assert foreign_verdict(mirror, house, stranger)[0] == 1


async def fetch(client: Client, mirror: Path, *, index: int) -> None:
    """Write what an auditor would fetch, and the claim of one entry."""

    async def write(path: str, data: bytes) -> None:
        where = mirror / path
        where.parent.mkdir(parents=True, exist_ok=True)
        where.write_bytes(data)

    async def get(path: str) -> bytes:
        answer = await client._http.get(f"/{path}")  # noqa: SLF001 - the public part of it
        assert answer.status_code == 200
        return answer.content

    proof = await get(f"proof/{index}")
    note = proof.partition(b"\n\n")[2]
    size = int(note.split(b"\n")[1])
    await write("checkpoint", note)
    for tile in tiles_of(size):
        await write(tile.path, await get(tile.path))
    entries = EntryBundle(index=0, width=size)
    data = await get(entries.path)
    await write(entries.path, data)
    await write(f"claims/{index}.tlog-proof", proof)
    await write(f"claims/{index}.entry", decode_entries(data, width=size)[index])


def in_lines(hashes: str) -> str:
    return "".join(f"{to_base64(one)}\n" for one in split_hashes(from_b64url(hashes)))


def foreign_verdict(mirror: Path, house: House, witness: RealWitness) -> tuple[int, str]:
    [log] = keys_of(house.world)
    done = subprocess.run(  # noqa: S603 - the verifier, on a directory made here
        [
            sys.executable,
            "-m",
            "support.foreign_verifiers.aics",
            mirror,
            str(log),
            str(witness.key),
        ],
        env={
            "PATH": os.environ["PATH"],
            "PYTHONPATH": f"{TESTS}{os.pathsep}{Path(sys.prefix) / 'foreign'}",
            "PYTHONDONTWRITEBYTECODE": "1",
        },
        capture_output=True,
        text=True,
        check=False,
    )
    return done.returncode, done.stdout + done.stderr
