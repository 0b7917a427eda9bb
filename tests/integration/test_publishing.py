"""Spends and evidence under a quorum of witnesses that are down, slow, behind, or liars."""

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import suppress
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import cast

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from structlog.testing import capture_logs
from structlog.typing import EventDict
from support.growing_log import GrowingLog
from support.postgres import TestDatabase
from support.put_back import keep, put_back
from support.service import Customer, Service
from support.witnessed import (
    STRANGER,
    ActedWitness,
    Town,
    keys_of,
    ready_to_spend,
    settled,
    town,
    until,
)
from support.witnesses import Said, whole

from twinlock.adapters import private_files, witness_calls
from twinlock.adapters.keyring.ring import Role
from twinlock.adapters.keyring.signing import KeyringSigner
from twinlock.adapters.witnesses import WitnessPolicyWrongError
from twinlock.bootstrap.anchoring import adopt_log
from twinlock.bootstrap.keys import key_rotation
from twinlock.bootstrap.rulebook import rule_book
from twinlock.bootstrap.serving import open_api
from twinlock.bootstrap.trust import trust_of
from twinlock.bootstrap.world import World, prepare
from twinlock.client import ProblemError
from twinlock.domain.answers import Answered
from twinlock.domain.canonical import encode
from twinlock.domain.errors import BundleRefusedError, LogDamagedError, NotWitnessedError
from twinlock.domain.log.checkpoint import Checkpoint, parse_checkpoint
from twinlock.domain.log.note import SignedNote, parse_note
from twinlock.domain.log.submission import parse_submission
from twinlock.ports.log import (
    Head,
    WitnessAnswer,
    WitnessCalls,
)
from twinlock.proofs.bundles import verify_bundle
from twinlock.proofs.notes import (
    cosign,
    sign_checkpoint,
    verify_checkpoint,
    verify_inclusion_in_checkpoint,
)
from twinlock.services import publishing
from twinlock.services.publishing import Publishing

SECOND = timedelta(seconds=1)


@pytest.fixture
async def three(world: World, database: TestDatabase, tmp_path: Path) -> AsyncIterator[Town]:
    """Three honest witnesses, of which two make a quorum."""
    async with town(world, database, tmp_path, witnesses=3) as found:
        found.require(2)
        yield found


@pytest.fixture
def _impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody waits long for a quorum that will not come."""
    monkeypatch.setattr(publishing, "WAIT_SECONDS", 0.3)
    monkeypatch.setattr(publishing, "BACKOFF_SECONDS", 0.02)
    monkeypatch.setattr(publishing, "BACKOFF_MOST_SECONDS", 0.05)


async def evidence_verifies(service: Service, town: Town, action_id: str) -> set[str]:
    """Return who cosigned the evidence, once it holds under the installation's own trust file."""
    trust = trust_of(town.world.settings, town.world.keyring, book=rule_book())
    bundle = await service.client.evidence(action_id)
    assert verify_bundle(encode(bundle), trust=trust).spent
    note = parse_note(bundle.checkpoint.encode())
    return set(verify_checkpoint(note, trust.log_policy, origin=bundle.origin).cosigned_at)


async def problem(of: object) -> tuple[int, str]:
    with pytest.raises(ProblemError) as told:
        await of  # type: ignore[misc] # one call of the client
    return told.value.status, told.value.code


def saying_so(told: list[EventDict], event: str) -> Callable[[], Awaitable[bool]]:
    async def said() -> bool:
        return any(one["event"] == event for one in told)

    return said


async def spent_in_the_end(service: Service, action_id: str) -> Answered:
    """Repeat a spend until a quorum of witnesses is back."""
    answers: list[Answered] = []

    async def answered() -> bool:
        with suppress(ProblemError):
            answers.append(await service.client.spend(action_id, spend_id="spend-0001"))
        return bool(answers)

    await until(answered)
    return answers[0]


async def metrics(service: Service) -> str:
    return (await service.http.get("/metrics")).text


# --- As it should be ---


async def test_a_spend_is_answered_once_a_quorum_has_cosigned_its_entry(three: Town) -> None:
    async with three.serving() as service:
        _, action_id = await ready_to_spend(service)
        spent = await service.client.spend(action_id, spend_id="spend-0001")
        index = spent.index or 0

        assert spent.authorization.count(".") == 2
        heads = [
            parse_checkpoint(known.note.text).size
            for one in three.witnesses
            for log in one.ledger.logs()
            if (known := one.ledger.known(log)) is not None
        ]
        assert sum(size > index for size in heads) >= 2
        assert len(await evidence_verifies(service, three, action_id)) >= 2


async def test_checkpoint_and_proofs_bear_the_cosignatures(three: Town) -> None:
    async with three.serving() as service:
        _, action_id = await ready_to_spend(service)
        spent = await service.client.spend(action_id, spend_id="spend-0001")
        trust = trust_of(three.world.settings, three.world.keyring, book=rule_book())
        origin = three.world.settings.log_origin

        note = parse_note(await service.client.checkpoint())
        assert verify_checkpoint(note, trust.log_policy, origin=origin).fresh_at is not None
        proof = (await service.http.get(f"/proof/{spent.index}")).content
        leaf = (await service.client.evidence(action_id)).decision.leaf
        verify_inclusion_in_checkpoint(leaf.encode(), proof, trust.log_policy, origin=origin)


async def test_the_trust_file_names_the_witnesses_and_what_it_takes(three: Town) -> None:
    trust = trust_of(three.world.settings, three.world.keyring, book=rule_book())

    assert [one.key for one in trust.log_policy.witnesses] == [one.key for one in three.witnesses]
    assert trust.log_policy.groups[0].threshold == 2
    assert trust.log_policy.quorum == "all-of-them"


async def test_evidence_without_the_quorum_is_refused_by_a_verifier(three: Town) -> None:
    async with three.serving() as service:
        _, action_id = await ready_to_spend(service)
        await service.client.spend(action_id, spend_id="spend-0001")
        bundle = await service.client.evidence(action_id)
        note = parse_note(bundle.checkpoint.encode())
        bare = SignedNote(text=note.text, signatures=note.signatures[:2])
        stripped = encode(bundle).replace(encode(bundle.checkpoint), encode(bare.encode().decode()))
        trust = trust_of(three.world.settings, three.world.keyring, book=rule_book())

        with pytest.raises(BundleRefusedError) as refused:
            verify_bundle(stripped, trust=trust)
    assert refused.value.fault == "quorum_missing"


async def test_one_round_covers_whoever_came_before_it(three: Town) -> None:
    three.require(3)
    async with three.serving() as service:
        customers = [await settled(service, name) for name in ("alice", "bob", "carol", "dave")]
        actions = [(await one.withdraw("1")).action_id for one in customers[-2:]]
        for one in customers[:2]:
            await one.sign_in()
            actions.append((await one.withdraw("1")).action_id)
        await service.client.spend(actions[0], spend_id="spend-0000")
        hold, slow = asyncio.Event(), three.witnesses[0]

        async def when_told(line: bytes, body: bytes) -> bytes:
            await hold.wait()
            return await slow.honestly(line, body)

        slow.acts = when_told
        before, size = len(slow.heard), (await service.api.store.head()).size
        spends = [
            asyncio.create_task(service.client.spend(action_id, spend_id=f"spend-{number:04}"))
            for number, action_id in enumerate(actions[1:])
        ]

        async def all_are_committed() -> bool:
            return (await service.api.store.head()).size == size + len(spends)

        await until(all_are_committed)
        hold.set()
        answers = await asyncio.gather(*spends)

        assert all(answer.authorization for answer in answers)
        assert len(slow.heard) - before <= 2


async def test_a_head_that_grows_without_anybody_waiting_is_cosigned_all_the_same(
    three: Town,
) -> None:
    async with three.serving() as service:
        await Customer(service, "alice").open("email")
        size = (await service.api.store.head()).size

        async def shown() -> bool:
            note = parse_note(await service.client.checkpoint())
            return parse_checkpoint(note.text).size >= size

        await until(shown)


async def test_an_idle_log_is_cosigned_anew(three: Town) -> None:
    async with three.serving() as service:
        _, action_id = await ready_to_spend(service)
        await service.client.spend(action_id, spend_id="spend-0001")
        trust = trust_of(three.world.settings, three.world.keyring, book=rule_book())
        first = await fresh_at(service, trust.log_policy)
        three.clock.forward(minutes=5)

        async def anew() -> bool:
            return await fresh_at(service, trust.log_policy) != first

        await until(anew)
        assert await fresh_at(service, trust.log_policy) == first + timedelta(minutes=5)


async def test_a_new_key_of_the_log_signs_what_is_published_without_a_new_start(
    three: Town,
) -> None:
    """Prevents: heads that nobody trusts after a rotation, until somebody starts us anew."""
    async with three.serving() as service:
        _, action_id = await ready_to_spend(service)
        await service.client.spend(action_id, spend_id="spend-0001")
        (old,) = keys_of(three.world)
        async with key_rotation(three.world, clock=three.clock) as rotation:
            await rotation.announce(Role.LOG)
            began = three.world.keyring.current(Role.LOG).record
        _, new = keys_of(await prepare(three.world.settings))
        for one in three.witnesses:
            one.ledger.add_log((old, new), beginning=None)
        three.clock.forward(minutes=1)
        async with key_rotation(await prepare(three.world.settings), clock=three.clock) as rotation:
            await rotation.activate(Role.LOG, at_once=True)
            three.clock.forward(minutes=2)
            await rotation.retire(Role.LOG, began.key_id, at_once=True)

        async def by_the_new_one() -> bool:
            three.clock.forward(minutes=5)
            note = parse_note(await service.client.checkpoint())
            ours = {one.key_id for one in note.signatures if one.name == new.name}
            return ours == {new.key_id}

        await until(by_the_new_one)
        _, action_id = await ready_to_spend(service, "bob")
        assert (await service.client.spend(action_id, spend_id="spend-0002")).authorization
        after = replace(three, world=await prepare(three.world.settings))
        assert len(await evidence_verifies(service, after, action_id)) >= 2


async def test_an_idle_log_bears_both_signatures_as_soon_as_a_key_is_used(three: Town) -> None:
    """Prevents: a day on which only those who hold the old key can read an idle log's head."""
    async with three.serving() as service:
        await ready_to_spend(service)
        (old,) = keys_of(three.world)
        async with key_rotation(three.world, clock=three.clock) as rotation:
            await rotation.announce(Role.LOG)
        _, new = keys_of(await prepare(three.world.settings))
        for one in three.witnesses:
            one.ledger.add_log((old, new), beginning=None)
        three.clock.forward(minutes=1)
        async with key_rotation(await prepare(three.world.settings), clock=three.clock) as rotation:
            await rotation.activate(Role.LOG, at_once=True)
        size = (await service.api.store.head()).size

        async def by_both() -> bool:
            note = parse_note(await service.client.checkpoint())
            ours = {one.key_id for one in note.signatures if one.name == new.name}
            return ours == {old.key_id, new.key_id}

        await until(by_both)
        # The clock stands, and so does the log: neither age nor an entry was the reason.
        assert (await service.api.store.head()).size == size
        assert (await service.api.store.head()).size == (
            parse_checkpoint(parse_note(await service.client.checkpoint()).text).size
        )


@pytest.mark.usefixtures("_impatient")
async def test_a_start_knows_how_far_the_witnesses_were(three: Town) -> None:
    async with three.serving() as service:
        _, action_id = await ready_to_spend(service)
        await service.client.spend(action_id, spend_id="spend-0001")
        size = (await service.api.store.head()).size
        note = parse_note(await service.client.checkpoint())
    for one in three.witnesses:
        one.acts = unavailable

    async with three.serving() as service:
        told = await metrics(service)
    assert f"twinlock_cosigned_size {size}.0" in told
    assert_told_of_cosigners(told, note, three, size)


async def test_a_start_knows_which_witness_was_behind(three: Town) -> None:
    three.witnesses[2].url = "http://127.0.0.1:1"
    three.require(2)
    async with three.serving() as service:
        _, action_id = await ready_to_spend(service)
        await service.client.spend(action_id, spend_id="spend-0001")
        size = (await service.api.store.head()).size
    for one in three.witnesses:
        one.acts = unavailable

    async with three.serving() as service:
        told = await metrics(service)
    assert f'twinlock_witness_size{{witness="w1"}} {size}.0' in told
    assert f'twinlock_witness_size{{witness="w3"}} {size}.0' not in told


async def fresh_at(service: Service, policy: object) -> datetime:
    note = parse_note(await service.client.checkpoint())
    origin = service.settings.log_origin
    found = verify_checkpoint(note, policy, origin=origin).fresh_at  # type: ignore[arg-type] # a TrustPolicy
    assert found is not None
    return found


async def test_the_metrics_say_how_far_and_how_long_ago(three: Town) -> None:
    async with three.serving() as service:
        _, action_id = await ready_to_spend(service)
        await service.client.spend(action_id, spend_id="spend-0001")
        size = (await service.api.store.head()).size
        note = parse_note(await service.client.checkpoint())
        three.clock.forward(seconds=7)
        told = await metrics(service)

    assert f"twinlock_cosigned_size {size}.0" in told
    assert "twinlock_cosigned_age_seconds 7.0" in told
    # Two of three are enough: which two answered first differs from run to run.
    assert_told_of_cosigners(told, note, three, size)


def assert_told_of_cosigners(told: str, note: SignedNote, three: Town, size: int) -> None:
    cosigned = {one.name for one in note.signatures} & {one.name for one in three.witnesses}
    assert len(cosigned) >= 2
    for name in cosigned:
        assert f'twinlock_witness_size{{witness="{name}"}} {size}.0' in told


# --- Witnesses that are down, slow or behind ---


@pytest.mark.requirement("O-35")
async def test_one_witness_down_delays_nobody(three: Town) -> None:
    three.witnesses[2].url = "http://127.0.0.1:1"
    three.require(2)
    async with three.serving() as service:
        _, action_id = await ready_to_spend(service)
        begun = time.monotonic()
        spent = await service.client.spend(action_id, spend_id="spend-0001")

        assert spent.authorization
        assert time.monotonic() - begun < publishing.WAIT_SECONDS / 2
        assert await evidence_verifies(service, three, action_id) == {"w1", "w2"}
        assert 'failures_total{fault="unreachable",witness="w3"}' in await metrics(service)


async def test_a_slow_witness_delays_nobody_and_catches_up(three: Town) -> None:
    lagging, hold = three.witnesses[0], asyncio.Event()

    async def when_told(line: bytes, body: bytes) -> bytes:
        await hold.wait()
        return await lagging.honestly(line, body)

    lagging.acts = when_told
    async with three.serving() as service:
        _, action_id = await ready_to_spend(service)
        begun = time.monotonic()
        await service.client.spend(action_id, spend_id="spend-0001")
        assert time.monotonic() - begun < publishing.WAIT_SECONDS / 2
        hold.set()

        async def by_all() -> bool:
            three.clock.forward(minutes=2)
            return await evidence_verifies(service, three, action_id) == {"w1", "w2", "w3"}

        await until(by_all)


async def test_a_witness_of_which_we_remember_another_size_says_so_once(three: Town) -> None:
    async with three.serving() as service:
        await ready_to_spend(service, "alice")
        size = (await service.api.store.head()).size
    for one in three.witnesses:
        one.heard.clear()
        one.bodies.clear()
    async with three.serving() as service:
        _, action_id = await ready_to_spend(service, "bob")
        await service.client.spend(action_id, spend_id="spend-0001")

    for one in three.witnesses:
        submitted = [parse_submission(body).old_size for body in one.bodies if body]
        assert submitted.count(0) == 1
        first = submitted.index(0)  # What the process before sent last may be heard late.
        assert 0 < submitted[first + 1] <= size


@pytest.mark.usefixtures("_impatient")
async def test_a_cosignature_that_waited_long_for_the_others_is_asked_for_again(
    three: Town,
) -> None:
    """Prevents: a quorum that is as old as its oldest line, and that no signer takes."""
    first, second = three.witnesses[:2]
    three.require(2, asked=[first, second])
    async with three.serving() as service:
        await ready_to_spend(service)
        second.acts = unavailable
        await Customer(service, "bob").open("email")
        size = (await service.api.store.head()).size

        async def first_has_it() -> bool:
            return f'witness_size{{witness="w1"}} {size}.0' in await metrics(service)

        async def shown() -> bool:
            note = parse_note(await service.client.checkpoint())
            return parse_checkpoint(note.text).size == size

        await until(first_has_it)
        three.clock.forward(minutes=5)
        second.acts = None
        await until(shown)
        trust = trust_of(three.world.settings, three.world.keyring, book=rule_book())
        assert await fresh_at(service, trust.log_policy) == three.clock.at


@pytest.mark.requirement("O-35")
@pytest.mark.usefixtures("_impatient")
async def test_witnesses_down_lose_nothing_and_open_nothing(three: Town) -> None:
    """The repeat with the same spend id is answered with the same spend, once it is witnessed."""
    async with three.serving() as service:
        alice, action_id = await ready_to_spend(service)
        for one in three.witnesses:
            one.acts = unavailable

        spend = service.client.spend
        assert await problem(spend(action_id, spend_id="spend-0001")) == (503, "not_witnessed")
        index = (await service.api.store.head()).size - 1
        assert await problem(spend(action_id, spend_id="spend-0001")) == (503, "not_witnessed")
        assert await problem(spend(action_id, spend_id="spend-0002")) == (409, "already_spent")
        evidence = service.client.evidence(action_id)
        assert await problem(evidence) == (503, "not_witnessed")
        assert (await service.http.get(f"/proof/{index}")).json()["code"] == "not_witnessed"

        looked = await service.client.action(action_id)
        assert (looked.state, looked.authorization) == ("spent", "")
        assert (await service.client.account(alice.account_id))["account_id"] == alice.account_id
        assert (await service.http.get("/health/ready")).status_code == 200
        assert (await service.http.get("/checkpoint")).status_code == 200
        assert (await service.api.store.head()).size == index + 1

        for one in three.witnesses:
            one.acts = None
        spent = await spent_in_the_end(service, action_id)
        assert spent.index == index
        assert await spend(action_id, spend_id="spend-0001") == spent
        assert (await service.api.store.head()).size == index + 1


@pytest.mark.usefixtures("_impatient")
async def test_once_one_waited_in_vain_no_further_spend_is_committed(three: Town) -> None:
    """Prevents: withdrawals that are over, with authorizations that ran out unseen."""
    async with three.serving() as service:
        alice, first = await ready_to_spend(service)
        second = (await alice.withdraw()).action_id
        for one in three.witnesses:
            one.acts = unavailable
        spend = service.client.spend
        assert await problem(spend(first, spend_id="spend-0001")) == (503, "not_witnessed")
        size = (await service.api.store.head()).size
        assert await problem(spend(second, spend_id="spend-0002")) == (503, "not_witnessed")
        assert (await service.client.action(second)).state == "authorized"
        assert (await service.api.store.head()).size == size

        for one in three.witnesses:
            one.acts = None
        await spent_in_the_end(service, first)

        async def paid() -> bool:
            with suppress(ProblemError):
                return bool((await spend(second, spend_id="spend-0002")).authorization)
            return False

        await until(paid)


async def unavailable(_: bytes, __: bytes) -> bytes:
    return whole(503, b"witness_clock\n")


@pytest.mark.usefixtures("_impatient")
async def test_before_any_quorum_there_is_no_checkpoint_to_show(three: Town) -> None:
    for one in three.witnesses:
        one.acts = unavailable
    async with three.serving() as service:
        answer = await service.http.get("/checkpoint")
        assert (answer.status_code, answer.json()["code"]) == (503, "not_witnessed")
        assert answer.headers["retry-after"] == "1"
        assert "twinlock_cosigned_age" not in await metrics(service)
        assert await problem(service.client.evidence("act_x")) != (503, "not_witnessed")


@pytest.mark.usefixtures("_impatient")
async def test_evidence_from_beyond_the_log_is_refused_at_once(three: Town) -> None:
    async with three.serving() as service:
        _, action_id = await ready_to_spend(service)
        await service.client.spend(action_id, spend_id="spend-0001")
        size = (await service.api.store.head()).size
        beyond = service.client.evidence(action_id, consistent_from=size + 1)
        assert await problem(beyond) == (400, "log_proof_refused")
        assert (await service.client.evidence(action_id, consistent_from=size)).consistency == ""


# --- Witnesses that lie ---

Lie = Callable[[ActedWitness, World], Said]


def constantly(answer: bytes) -> Lie:
    async def said(_: bytes, __: bytes) -> bytes:
        return answer

    return lambda _, __: said


def cosigning(
    change: Callable[[ActedWitness, Checkpoint, datetime], tuple[Checkpoint, datetime]],
    *,
    as_stranger: bool = False,
) -> Lie:
    """Cosign something else than was asked, or at another time, or with another key."""

    def lie(witness: ActedWitness, _: World) -> Said:
        async def said(line: bytes, body: bytes) -> bytes:
            if not line.startswith(b"POST"):
                return await witness.honestly(line, body)
            assert witness.at is not None
            head = parse_checkpoint(parse_submission(body).note.text)
            other, at = change(witness, head, witness.at())
            secret = STRANGER if as_stranger else witness.secret
            signed = cosign(other.to_text(), name=witness.name, key=secret, at=at)
            if as_stranger:  # Under the witness's own key id.
                signed = replace(signed, key_id=witness.key.key_id)
            return whole(200, f"{signed}\n".encode())

        return said

    return lie


def breaking(_: ActedWitness, __: World) -> Said:
    async def said(_: bytes, __: bytes) -> bytes:
        return whole(200, b"\xff\xfe\n")

    return said


def dripping(_: ActedWitness, __: World) -> Said:
    async def said(_: bytes, __: bytes) -> bytes:
        return b"HTTP/1.1 200 OK\r\nContent-Length: 500\r\n\r\n\xe2"

    return said


def telling_another_size_each_time(_: ActedWitness, __: World) -> Said:
    sizes = iter(range(1, 1_000))

    async def said(_: bytes, __: bytes) -> bytes:
        return whole(409, b"%d\n" % (next(sizes) % 2))

    return said


def claiming(size: int, shows: bytes = b"garbage") -> Lie:
    async def said(line: bytes, _: bytes) -> bytes:
        if line.startswith(b"POST"):
            return whole(409, b"%d\n" % size)
        return whole(200, shows)

    return lambda _, __: said


def refusing_what_it_shows(witness: ActedWitness, _: World) -> Said:
    async def said(line: bytes, body: bytes) -> bytes:
        if line.startswith(b"POST"):
            return whole(422, b"")
        return await witness.honestly(line, body)

    return said


def showing_another_log(_: ActedWitness, world: World) -> Said:
    """Show a larger log that we signed indeed, under another name."""
    secret = Ed25519PrivateKey.from_private_bytes(world.keyring.current(Role.LOG).secret)
    other = Checkpoint(origin="log.example/b", size=10**6, root=bytes(32))
    note = sign_checkpoint(other, key=secret).encode()
    return claiming(10**6, shows=note)(None, world)  # type: ignore[arg-type] # it needs no witness


LIES: dict[str, tuple[Lie, str]] = {
    "garbage": (constantly(whole(200, b"yes, of course\n")), "malformed"),
    "not even text": (breaking, "malformed"),
    "nothing": (constantly(whole(200, b"")), "malformed"),
    "a body without an end": (
        constantly(
            b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n8000\r\n" + b"x" * 32_768
        ),
        "too_large",
    ),
    "a body that drips": (dripping, "slow"),
    "no HTTP": (constantly(b"hello\r\n\r\n"), "unreachable"),
    "somewhere else": (
        constantly(
            b"HTTP/1.1 302 Go\r\nLocation: http://127.0.0.1:1/\r\nContent-Length: 0\r\n\r\n"
        ),
        "status_302",
    ),
    "another key": (cosigning(lambda _, head, at: (head, at), as_stranger=True), "note_untrusted"),
    "another root": (
        cosigning(lambda _, head, at: (replace(head, root=bytes(32)), at)),
        "note_untrusted",
    ),
    "an older size": (
        cosigning(lambda _, head, at: (replace(head, size=head.size - 1), at)),
        "note_untrusted",
    ),
    "an old time": (cosigning(lambda _, head, at: (head, at - 90 * SECOND)), "cosignature_undated"),
    "a time to come": (
        cosigning(lambda _, head, at: (head, at + 90 * SECOND)),
        "cosignature_undated",
    ),
    "a refusal": (constantly(whole(422, b"")), "status_422"),
    "a refusal, showing our own log": (refusing_what_it_shows, "status_422"),
    "not to know us": (constantly(whole(404, b"")), "status_404"),
    "that it broke": (constantly(whole(500, b"")), "status_500"),
    "a size that is none": (constantly(whole(409, b"many\n")), "malformed"),
    "another size each time": (telling_another_size_each_time, "contradicts_itself"),
    "a larger log": (claiming(10**17), "claims_a_larger_log"),
    "a larger log of ours, elsewhere": (showing_another_log, "claims_a_larger_log"),
}


@pytest.mark.parametrize(("lie", "fault"), LIES.values(), ids=LIES)
async def test_a_lying_witness_spoils_nothing_for_the_others_and_is_counted(
    three: Town, monkeypatch: pytest.MonkeyPatch, lie: Lie, fault: str
) -> None:
    monkeypatch.setattr(witness_calls, "CALL_SECONDS", 0.5)
    liar = three.witnesses[0]
    async with three.serving() as service:
        _, action_id = await ready_to_spend(service)
        liar.acts = lie(liar, three.world)
        begun = time.monotonic()
        spent = await service.client.spend(action_id, spend_id="spend-0001")

        assert spent.authorization
        assert time.monotonic() - begun < publishing.WAIT_SECONDS
        assert await evidence_verifies(service, three, action_id) == {"w2", "w3"}
        counted = f'failures_total{{fault="{fault}",witness="w1"}}'

        async def is_counted() -> bool:
            three.clock.forward(seconds=100)  # It is asked again, of an idle log.
            return counted in await metrics(service)

        await until(is_counted)
        assert (await service.http.get("/health/ready")).status_code == 200


@pytest.mark.usefixtures("_impatient")
@pytest.mark.parametrize("lie", ["garbage", "another root", "an old time", "a larger log"])
async def test_no_lie_stands_for_a_cosignature_that_is_missing(three: Town, lie: str) -> None:
    liar = three.witnesses[0]
    three.require(2, asked=three.witnesses[:2])
    async with three.serving() as service:
        _, action_id = await ready_to_spend(service)
        liar.acts = LIES[lie][0](liar, three.world)
        spend = service.client.spend(action_id, spend_id="spend-0001")

        assert await problem(spend) == (503, "not_witnessed")

        liar.acts = None
        assert (await spent_in_the_end(service, action_id)).authorization


class Breaking:
    """The calls of a process, of which one witness's break in a way that nobody foresaw."""

    def __init__(self, calls: WitnessCalls, name: str) -> None:
        self._calls = calls
        self._name = name

    async def submit(self, witness: str, submission: bytes) -> WitnessAnswer:
        if witness == self._name:
            raise ZeroDivisionError
        return await self._calls.submit(witness, submission)

    async def shown(self, witness: str, origin: str) -> WitnessAnswer:
        return await self._calls.shown(witness, origin)


async def test_what_breaks_on_our_side_over_one_witness_is_counted_and_goes_on(
    three: Town,
) -> None:
    async with three.serving() as service:
        _, action_id = await ready_to_spend(service)
        heads = cast("Publishing", service.api.use.spends._published)  # noqa: SLF001 - a fault put in
        heads._calls = Breaking(heads._calls, "w1")  # noqa: SLF001 - a fault put in
        assert (await service.client.spend(action_id, spend_id="spend-0001")).authorization

        async def is_counted() -> bool:
            three.clock.forward(seconds=100)  # It is asked again, of an idle log.
            return 'fault="broke",witness="w1"' in await metrics(service)

        await until(is_counted)


# --- A log that was rolled back, or forked ---


async def cosigned_and_put_back(three: Town) -> None:
    """Let witnesses cosign a log whose database, anchor and all, is then put back."""
    async with three.serving() as service:
        await Customer(service, "alice").open("email")
        await service.client.checkpoint()
        await keep(three.database)
        _, action_id = await ready_to_spend(service, "bob")
        await service.client.spend(action_id, spend_id="spend-0001")
    await put_back(three.database)
    (three.world.settings.data_dir / "log-anchor.json").unlink()


async def test_a_process_does_not_start_on_a_log_that_lost_what_was_cosigned(three: Town) -> None:
    await cosigned_and_put_back(three)
    await adopt_log(three.world)

    with pytest.raises(LogDamagedError, match="shorter than what was signed and cosigned"):
        async with open_api(three.world, book=rule_book(), clock=three.clock):
            pass


async def distrusted(service: Service) -> None:
    """Return once this process decides nothing more."""

    async def unready() -> bool:
        return (await service.http.get("/health/ready")).status_code != 200

    await until(unready)
    assert await problem(Customer(service, "mallory").open("email")) == (503, "log_damaged")
    for path in ("/checkpoint", "/proof/0"):
        assert (await service.http.get(path)).json()["code"] == "log_damaged"


@pytest.mark.requirement("O-34")
async def test_a_log_rolled_back_on_a_new_machine_is_found_by_what_a_witness_shows(
    three: Town,
) -> None:
    await cosigned_and_put_back(three)
    (three.world.settings.data_dir / "cosigned-checkpoint").unlink()
    await adopt_log(three.world)
    for one in three.witnesses[1:]:
        one.acts = unavailable  # One is enough, since we signed what it shows.

    async with three.serving() as service:
        await distrusted(service)


async def test_a_quorum_is_believed_though_it_shows_nothing(three: Town) -> None:
    await cosigned_and_put_back(three)
    (three.world.settings.data_dir / "cosigned-checkpoint").unlink()
    await adopt_log(three.world)
    for one in three.witnesses[:2]:
        one.acts = claiming(10**6)(one, three.world)
    three.witnesses[2].acts = unavailable

    async with three.serving() as service:
        await distrusted(service)


async def test_a_log_that_went_another_way_is_refused_by_witnesses_and_stops(three: Town) -> None:
    await cosigned_and_put_back(three)
    size = three.witnesses[0].ledger.known(next(three.witnesses[0].ledger.logs()))
    assert size is not None
    (three.world.settings.data_dir / "cosigned-checkpoint").unlink()
    await adopt_log(three.world)
    alone = replace(three.world, settings=replace(three.world.settings, witness_policy=None))
    asking, three.world = three.world, alone
    async with three.serving() as service:
        while (await service.api.store.head()).size <= size.checkpoint.size:
            await Customer(service, "carol").open("email")
    three.world = asking

    async with three.serving() as service:
        await distrusted(service)
    # The witnesses have the proof of it: two heads that the log signed.
    kept = list(three.directory.glob("w*/logs/*/refused/unproved-*"))
    assert kept


# --- Restarts, and several processes ---


@pytest.mark.usefixtures("_impatient")
async def test_evidence_after_a_restart_bears_what_was_cosigned_before(three: Town) -> None:
    async with three.serving() as service:
        _, action_id = await ready_to_spend(service)
        spent = await service.client.spend(action_id, spend_id="spend-0001")
    for one in three.witnesses:
        one.acts = unavailable

    async with three.serving() as service:
        assert len(await evidence_verifies(service, three, action_id)) >= 2
        assert await service.client.spend(action_id, spend_id="spend-0001") == spent


@pytest.mark.usefixtures("_impatient")
@pytest.mark.parametrize("kept", ["garbage", "of another log", "of other witnesses"])
async def test_a_kept_checkpoint_that_shows_nothing_is_asked_for_again(
    three: Town, kept: str
) -> None:
    path = three.world.settings.data_dir / "cosigned-checkpoint"
    async with three.serving() as service:
        _, action_id = await ready_to_spend(service)
        await service.client.spend(action_id, spend_id="spend-0001")
    if kept == "of other witnesses":
        three.require(1, asked=three.witnesses[2:])
        note = parse_note(path.read_bytes())
        private_files.write(
            path, SignedNote(text=note.text, signatures=note.signatures[:1]).encode()
        )
    else:
        note = GrowingLog().grow(3).note()
        private_files.write(path, b"garbage" if kept == "garbage" else note.encode())
    for one in three.witnesses:
        one.acts = unavailable

    with capture_logs() as told:
        async with three.serving() as service:
            assert await problem(service.client.evidence(action_id)) == (503, "not_witnessed")
            for one in three.witnesses:
                one.acts = None

            async def shown() -> bool:
                return (await service.http.get("/checkpoint")).status_code == 200

            await until(shown)
            assert await evidence_verifies(service, three, action_id)
    assert [one for one in told if one["event"] == "kept_checkpoint_ignored"]


async def test_what_was_cosigned_of_another_history_stops_the_start(three: Town) -> None:
    async with three.serving() as service:
        await Customer(service, "alice").open("email")
    signer = KeyringSigner(three.world.keyring, log_origin=three.world.settings.log_origin)
    forged = signer.checkpoint(Head(size=1, root=bytes(32)))
    private_files.write(three.world.settings.data_dir / "cosigned-checkpoint", forged)

    with pytest.raises(LogDamagedError, match="not the one that was cosigned"):
        async with open_api(three.world, book=rule_book(), clock=three.clock):
            pass


async def test_a_checkpoint_that_cannot_be_kept_is_told_and_shown_all_the_same(
    three: Town,
) -> None:
    path = three.world.settings.data_dir / "cosigned-checkpoint"
    async with three.serving() as service:
        _, action_id = await ready_to_spend(service)
        path.unlink(missing_ok=True)
        path.mkdir()
        with capture_logs() as told:
            assert (await service.client.spend(action_id, spend_id="spend-0001")).authorization
            await until(saying_so(told, "cosigned_checkpoint_not_kept"))


async def test_several_processes_publish_one_log(three: Town) -> None:
    async with three.serving() as one, three.serving() as other:
        alice, bob = await settled(one, "alice"), await settled(other, "bob")
        await alice.sign_in()
        first, second = (await alice.withdraw()).action_id, (await bob.withdraw()).action_id
        customers = [(one, first), (other, second)]
        answers = await asyncio.gather(
            *(
                service.client.spend(action_id, spend_id=f"spend-{number}-0001")
                for number, (service, action_id) in enumerate(customers)
            )
        )
        assert all(answer.authorization for answer in answers)
        for service in (one, other):
            for action_id in (first, second):
                assert len(await evidence_verifies(service, three, action_id)) >= 2


async def test_a_neighbour_that_was_faster_is_no_roll_back(three: Town) -> None:
    """The head at hand is old news to a witness: ours asks for the newest one instead."""
    three.require(3)
    async with three.serving() as one, three.serving() as other:
        alice = await settled(one, "alice")
        await alice.sign_in()
        action_id = (await alice.withdraw()).action_id
        await one.client.spend(action_id, spend_id="spend-0001")
        again = (await alice.withdraw()).action_id
        hold, held, slow = asyncio.Event(), asyncio.Event(), three.witnesses[0]

        async def first_when_told(line: bytes, body: bytes) -> bytes:
            if not held.is_set():
                held.set()
                await hold.wait()
            return await slow.honestly(line, body)

        slow.acts = first_when_told
        spend = asyncio.create_task(one.client.spend(again, spend_id="spend-0002"))
        await held.wait()
        await Customer(other, "bob").open("email")
        size = (await other.api.store.head()).size
        await other.api.use.logbook.proof(size - 1)
        hold.set()

        assert (await spend).authorization
        assert (await one.http.get("/health/ready")).status_code == 200


@pytest.mark.usefixtures("_impatient")
async def test_a_head_that_cannot_be_read_makes_publishing_wait_and_go_on(three: Town) -> None:
    async with three.serving() as service:
        _, action_id = await ready_to_spend(service)
        heads = service.api.use.spends._published  # noqa: SLF001 - asked as a spend asks
        size = (await service.api.store.head()).size
        await three.database.execute("CREATE TABLE public.kept AS SELECT mac FROM head")
        await three.database.execute("UPDATE head SET mac = '\\x00'")
        with capture_logs() as told:
            with pytest.raises(NotWitnessedError):
                await heads.covering(size + 1)
            await until(saying_so(told, "publishing_failed"))
        await three.database.execute("UPDATE head SET mac = (SELECT mac FROM public.kept)")
        assert (await spent_in_the_end(service, action_id)).authorization


async def test_a_wrong_policy_stops_the_start(three: Town) -> None:
    (three.directory / "witnesses.policy").write_text("quorum w9\n", "utf-8")

    with pytest.raises(WitnessPolicyWrongError):
        async with open_api(three.world, book=rule_book(), clock=three.clock):
            pass
