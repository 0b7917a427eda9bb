"""Receivers that take RS256 alone: told by a real RSA key, read by the field's own library."""

from datetime import timedelta
from functools import partial
from typing import Any

import msgspec
import pytest
from joserfc import jws
from joserfc.errors import InvalidKeyIdError
from joserfc.jwk import KeySet
from support.service import Customer, Service
from support.stores import ENTROPY
from support.told import RISC, Hearer, hearer
from support.until import asked_until

from twinlock.adapters.keyring import ring as keyrings
from twinlock.adapters.keyring.ring import Role
from twinlock.adapters.system import SystemClock
from twinlock.adapters.transmitting.receivers import ReceiverFile
from twinlock.bootstrap.transmitting import listed_receivers
from twinlock.domain.canonical import decode, from_b64url
from twinlock.domain.transmitting.streams import SignalKeyMissingError, TokenAlgorithm

FROZEN = RISC + "account-disabled"


@pytest.fixture
async def alice(service: Service) -> Customer:
    alice = Customer(service, "alice")
    await alice.set_up()
    return alice


async def freeze(alice: Customer) -> None:
    proposed = await alice.propose("freeze.set")
    assert (await alice.with_passkey(proposed.action_id)).state == "done"


async def published(service: Service) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = (await service.http.get("/v1/ssf/jwks.json")).json()["keys"]
    return found


async def published_rsa(service: Service, count: int) -> list[dict[str, Any]]:
    """Return the RSA keys that are published, once there are so many."""

    async def found() -> list[dict[str, Any]]:
        return [one for one in await published(service) if one["kty"] == "RSA"]

    return await asked_until(found, lambda keys: len(keys) == count)


async def with_rsa(service: Service) -> str:
    """Let the keyring have an RSA key that signs; return its name."""
    keyrings.add(
        service.settings.keyring_dir, Role.SIGNALS_RSA, entropy=ENTROPY, now=SystemClock().now()
    )
    return str((await published_rsa(service, 1))[0]["kid"])


async def read(service: Service, token: str) -> tuple[Any, Any]:
    """Return what a token says, and its header, by the published keys and RS256 alone."""
    keys = KeySet.import_key_set({"keys": await published(service)})
    found = jws.deserialize_compact(token, keys, algorithms=["RS256"])
    return msgspec.json.decode(found.payload), found.headers()


async def told(service: Service, alice: Customer, hearing: Hearer) -> str:
    """Return the token that says that Alice froze her account."""
    stream = await hearing.make(FROZEN)
    await hearing.hear_of(stream, alice.account_id)
    await freeze(alice)
    (token,) = (await hearing.waits(stream, 1)).values()
    return token


async def test_each_receiver_is_told_by_its_algorithm_under_published_keys(
    service: Service, alice: Customer
) -> None:
    kid = await with_rsa(service)
    plain, strict = hearer(service), hearer(service, "strict", algorithm=TokenAlgorithm.RS256)
    other = await plain.make(FROZEN)
    await plain.hear_of(other, alice.account_id)

    token = await told(service, alice, strict)

    claims, header = await read(service, token)
    assert header == {"alg": "RS256", "kid": kid, "typ": "secevent+jwt"}
    assert claims["sub_id"] == {"format": "opaque", "id": alice.account_id}
    assert (await strict.verified(token)).event == FROZEN
    (beside,) = (await plain.waits(other, 1)).values()
    assert (await plain.verified(beside)).event == FROZEN
    assert decode(from_b64url(beside.partition(".")[0]))["alg"] == "EdDSA"
    by_kind = {one["kty"]: one for one in await published(service)}
    assert (by_kind["OKP"]["alg"], by_kind["OKP"]["use"]) == ("EdDSA", "sig")
    public = by_kind["RSA"]
    assert sorted(public) == ["alg", "e", "kid", "kty", "n", "use"]
    assert (public["alg"], public["use"], public["e"]) == ("RS256", "sig", "AQAB")
    assert int.from_bytes(from_b64url(public["n"]), "big").bit_length() == 3_072


async def test_what_waits_over_a_rotation_is_signed_by_the_key_of_its_day(
    service: Service, alice: Customer
) -> None:
    first = await with_rsa(service)
    broker = hearer(service, algorithm=TokenAlgorithm.RS256)
    directory = service.settings.keyring_dir
    stream = await broker.make()
    await broker.ask("POST", "verify", {"stream_id": stream})
    (before,) = (await broker.waits(stream, 1)).values()

    keyrings.announce(directory, Role.SIGNALS_RSA, entropy=ENTROPY, now=SystemClock().now())
    kids = {one["kid"] for one in await published_rsa(service, 2)}
    (still,) = (await broker.waits(stream, 1)).values()
    assert still == before
    keyrings.activate(directory, Role.SIGNALS_RSA, now=SystemClock().now())
    (after,) = (
        await asked_until(
            partial(broker.waits, stream, 1), lambda sets: before not in sets.values()
        )
    ).values()
    claims, header = await read(service, after)
    assert header["kid"] in kids - {first}
    assert claims == (await read(service, before))[0]

    keyrings.retire(directory, Role.SIGNALS_RSA, first, now=SystemClock().now())
    await published_rsa(service, 1)
    assert (await read(service, after))[0] == claims
    with pytest.raises(InvalidKeyIdError, match=first):
        await read(service, before)


async def test_a_poll_gives_no_more_of_them_than_a_processor_signs_at_once(
    service: Service,
) -> None:
    await with_rsa(service)
    broker = hearer(service, algorithm=TokenAlgorithm.RS256)
    stream = await broker.make()
    for _ in range(11):
        answer = await broker.ask("POST", "verify", {"stream_id": stream})
        assert answer.status_code == 204
        service.clock.at += timedelta(minutes=1)

    first = await broker.poll(stream)
    assert (len(first["sets"]), first["moreAvailable"]) == (10, True)
    last = await broker.poll(stream, ack=list(first["sets"]))
    assert (len(last["sets"]), last["moreAvailable"]) == (1, False)


async def test_without_a_key_no_such_receiver_is_added_and_none_is_told_otherwise(
    service: Service,
) -> None:
    with pytest.raises(SignalKeyMissingError, match="twinlock keys rotate signals-rsa"):
        hearer(service, algorithm=TokenAlgorithm.RS256)
    assert listed_receivers(service.settings) == ()

    broker = hearer(service)
    file = ReceiverFile(service.settings.data_dir)
    stream = await broker.make()
    await broker.ask("POST", "verify", {"stream_id": stream})
    before = await broker.waits(stream, 1)
    file.add(msgspec.structs.replace(file.remove("broker"), algorithm=TokenAlgorithm.RS256))

    answer = await broker.ask("POST", f"poll/{stream}", {"ack": list(before)})

    assert (answer.status_code, answer.json()["code"]) == (503, "signal_key_missing")
    await with_rsa(service)
    (token,) = (await broker.waits(stream, 1)).values()
    assert (await read(service, token))[0]["jti"] in before
