"""Receivers of signals as an operator meets them: the commands."""

from datetime import timedelta
from pathlib import Path

import msgspec
import pytest
from support.commands import Ended, run
from support.installations import environment_of
from support.keyrings import age, the_file
from support.postgres import TestDatabase
from support.service import Service
from support.told import hearer

from twinlock.adapters.settings import load as load_settings
from twinlock.bootstrap.keys import make_keyring
from twinlock.bootstrap.transmitting import listed_receivers, listed_streams, remove_receiver
from twinlock.bootstrap.world import World
from twinlock.domain.keys import Role
from twinlock.domain.transmitting.streams import ReceiverUnknownError

Variables = dict[str, str]
AUDIENCE = "https://broker.example/signals"


@pytest.fixture
def variables(database: TestDatabase, tmp_path: Path) -> Variables:
    made = environment_of(tmp_path, DATABASE_URL=database.app_dsn)
    make_keyring(load_settings(made))
    return made


async def send(variables: Variables, *words: str) -> Ended:
    return await run(variables, "signals", "send", *words)


async def test_a_receiver_from_its_first_word_to_its_last(variables: Variables) -> None:
    origin = "https://broker.example"
    words = ("broker", "--audience", AUDIENCE, "--push-to", origin, "--json")
    added = await send(variables, "add", *words)
    assert added.code == 0, added
    shown = msgspec.json.decode(added.out)
    assert shown["token"].startswith("ssft_")
    assert shown["token"] not in added.err

    listed = await send(variables, "list")
    assert AUDIENCE in listed.out
    assert f"is pushed to {origin}" in listed.out
    assert listed.out.endswith("; EdDSA\n")
    assert shown["token"] not in listed.out
    assert (await send(variables, "streams")).out == "no stream was made yet\n"
    removed = await send(variables, "remove", "broker")
    assert "0 of its streams are forgotten" in removed.out
    assert (await send(variables, "list")).out == "nobody is told by signals yet\n"


async def test_what_cannot_be_is_refused_in_one_line(variables: Variables) -> None:
    for words, code in (
        (("add", "Broker", "--audience", AUDIENCE), "signal_receiver_refused"),
        (("add", "b", "--audience", AUDIENCE, "--events", "opt-in"), "signal_receiver_refused"),
        (
            ("add", "b", "--audience", AUDIENCE, "--push-to", "https://10.0.0.1"),
            "webhook_url_refused",
        ),
        (("remove", "nobody"), "signal_receiver_not_found"),
    ):
        told = await send(variables, *words)
        assert (told.code, told.out) == (2, ""), told
        assert told.err.rstrip().endswith(f"[{code}]"), told
    assert "polls" not in (await send(variables, "list")).out


async def test_a_receiver_of_rs256_is_added_once_there_is_a_key_for_it(
    variables: Variables,
) -> None:
    words = ("add", "broker", "--audience", AUDIENCE, "--algorithm", "RS256")
    keyring = Path(variables["TWINLOCK_KEYRING_DIR"])

    async def refused(code: str, *command: str) -> str:
        told = await run(variables, *command)
        assert (told.code, told.out) == (2, ""), told
        assert told.err.rstrip().endswith(f"[{code}]"), told
        return told.err

    missing = await refused("signal_key_missing", "signals", "send", *words)
    assert "`twinlock keys rotate signals-rsa`" in missing
    rotated = await run(variables, "keys", "rotate", "signals-rsa")
    assert rotated.code == 0, rotated
    assert "/v1/ssf/jwks.json" in rotated.err
    await refused("signal_key_missing", "signals", "send", *words)
    await refused("rotation_refused", "keys", "activate", "signals-rsa")
    age(keyring, Role.SIGNALS_RSA, by=timedelta(seconds=31))
    assert (await run(variables, "keys", "activate", "signals-rsa")).code == 0
    added = await send(variables, *words, "--json")
    assert msgspec.json.decode(added.out)["algorithm"] == "RS256"

    assert (await send(variables, "list")).out.endswith("; RS256\n")
    assert (await send(variables, "add", "b", "--audience", "x", "--algorithm", "none")).code == 2
    kept = (await run(variables, "keys", "list")).out
    (line,) = [one for one in kept.splitlines() if one.startswith("signals-rsa ")]
    assert "current" in line
    secret = msgspec.json.decode(the_file(keyring, Role.SIGNALS_RSA).read_bytes())["key"]
    assert secret[:40] not in kept + rotated.out + rotated.err
    key_id = line.split()[1]
    await refused("rotation_refused", "keys", "retire", "signals-rsa", key_id, "--at-once")


async def test_a_removed_receivers_streams_are_forgotten(service: Service, world: World) -> None:
    broker, other = hearer(service), hearer(service, "other")
    mine, theirs = await broker.make(), await other.make()
    assert {one.stream.stream_id for one in await listed_streams(world)} == {mine, theirs}

    assert await remove_receiver(world, "broker") == 1

    assert [one.stream.stream_id for one in await listed_streams(world)] == [theirs]
    assert (await broker.ask("GET", "stream")).status_code == 401
    assert [one.name for one in listed_receivers(world.settings)] == ["other"]
    with pytest.raises(ReceiverUnknownError):
        await remove_receiver(world, "broker")
