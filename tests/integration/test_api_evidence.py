import json
from dataclasses import replace

import msgspec
import pytest
from support.postgres import TestDatabase
from support.service import Customer, Service, serving

from twinlock.bootstrap.rulebook import rule_book
from twinlock.bootstrap.trust import known_policies, trust_of
from twinlock.bootstrap.world import World
from twinlock.client import ProblemError
from twinlock.domain.canonical import b64url, encode, from_b64url
from twinlock.domain.entries import entry_key, entry_label
from twinlock.domain.errors import BundleRefusedError, ClockUntrustedError
from twinlock.domain.log.checkpoint import parse_checkpoint
from twinlock.domain.log.note import parse_note
from twinlock.domain.log.proof import parse_tlog_proof
from twinlock.domain.log.tiles import decode_entries
from twinlock.domain.policy.version import Policy
from twinlock.domain.requirements import Answer
from twinlock.proofs.bundles import verify_bundle
from twinlock.proofs.notes import verify_inclusion_in_checkpoint
from twinlock.range.authenticator import SoftwareAuthenticator


async def spent(service: Service) -> str:
    """Spend one honest withdrawal and return its action."""
    alice = Customer(service, "alice")
    await alice.set_up()
    await alice.add_destination()
    action = await alice.withdraw("50.5")
    await service.client.spend(action.action_id, spend_id="spend-0001", fee_minor="7")
    return action.action_id


async def test_the_evidence_of_a_spend_verifies_offline(service: Service) -> None:
    action_id = await spent(service)
    bundle = await service.client.evidence(action_id)
    trust = trust_of(service.settings, service.keyring, book=rule_book())
    verify_bundle(bundle, trust=trust)
    assert len(encode(bundle)) < 8_000


async def test_an_account_is_told_its_label_key_when_it_is_opened(service: Service) -> None:
    key = {"Idempotency-Key": service.key()}
    first = (await service.http.post("/v1/accounts", headers=key, json={})).json()
    again = (await service.http.post("/v1/accounts", headers=key, json={})).json()
    leaves = decode_entries((await service.http.get("/tile/entries/000.p/1")).content, width=1)

    label = entry_label(entry_key(from_b64url(first["label_key"], size=32), 0))
    assert json.loads(leaves[0])["lbl"] == b64url(label)
    assert again == first
    looked = await service.http.get(f"/v1/accounts/{first['account_id']}")
    assert first["label_key"] not in looked.text


async def test_the_evidence_shows_that_the_log_only_grew(service: Service) -> None:
    alice = Customer(service, "alice")
    await alice.set_up()
    old = parse_checkpoint(parse_note(await service.client.checkpoint()).text)
    action_id = await spent(service)
    trust = trust_of(service.settings, service.keyring, book=rule_book())

    bundle = await service.client.evidence(action_id, consistent_from=old.size)
    verified = verify_bundle(encode(bundle), trust=trust, known=old)
    assert verified.head.size > old.size
    assert verified.steps[2].says == f"it extends the head of {old.size} entries that was known"

    another = replace(old, root=bytes(32))
    with pytest.raises(BundleRefusedError, match="rewritten"):
        verify_bundle(encode(bundle), trust=trust, known=another)
    from_nowhere = await service.client.evidence(action_id)
    with pytest.raises(BundleRefusedError, match=rf"consistent_from={old.size}$"):
        verify_bundle(encode(from_nowhere), trust=trust, known=old)


async def test_the_head_that_is_known_needs_no_growth(service: Service) -> None:
    action_id = await spent(service)
    head = parse_checkpoint(parse_note(await service.client.checkpoint()).text)
    trust = trust_of(service.settings, service.keyring, book=rule_book())
    bundle = await service.client.evidence(action_id, consistent_from=head.size)

    assert bundle.consistency == ""
    assert verify_bundle(encode(bundle), trust=trust, known=head).spent


async def test_evidence_outlives_the_policy_that_decided(world: World) -> None:
    async def none() -> int:
        return 0

    old = rule_book()
    new = replace(old, policy=Policy(msgspec.structs.replace(old.policy.draft, version=2)))
    async with serving(world, waiting_letters=none, book=old) as service:
        action_id = await spent(service)
    async with serving(world, waiting_letters=none, book=new) as service:
        bundle = await service.client.evidence(action_id)
    earlier = await known_policies(world)
    trust = trust_of(world.settings, world.keyring, book=new, earlier=earlier)

    assert trust.policies == (new.policy.name.digest, old.policy.name.digest)
    assert verify_bundle(bundle, trust=trust).policy == old.policy.name


async def test_evidence_from_a_log_larger_than_ours_is_refused(service: Service) -> None:
    action_id = await spent(service)
    with pytest.raises(ProblemError) as refused:
        await service.client.evidence(action_id, consistent_from=10**9)
    assert refused.value.code == "log_proof_refused"


async def test_evidence_of_an_open_action_begins_with_its_first_proof(service: Service) -> None:
    """Prevents: "nothing was decided" of what was answered hold, with its place in the log."""
    alice = Customer(service, "alice")
    await alice.set_up()
    proposed = await alice.propose("withdrawal.crypto", alice.withdrawal())
    assert (proposed.answer, proposed.index is None) == ("hold", False)
    with pytest.raises(ProblemError) as refused:
        await service.client.evidence(proposed.action_id)
    assert refused.value.code == "no_evidence"
    assert refused.value.detail == "no proof of this action was accepted yet, and it is not over"
    await alice.with_passkey(proposed.action_id)
    assert (await service.client.evidence(proposed.action_id)).v == 1


async def test_the_evidence_of_a_wait_shows_what_was_missing(service: Service) -> None:
    alice = Customer(service, "alice")
    await alice.set_up()
    proposed = await alice.propose("withdrawal.crypto", alice.withdrawal())
    await alice.with_passkey(proposed.action_id)

    bundle = await service.client.evidence(proposed.action_id)

    shown = verify_bundle(
        bundle, trust=trust_of(service.settings, service.keyring, book=rule_book())
    )
    assert (shown.answer, shown.reasons) == (Answer.HOLD, ("destination_new",))
    assert shown.steps[5].says.endswith("what was missing: destination_new")


async def with_two_keys(service: Service) -> tuple[Customer, SoftwareAuthenticator]:
    """Return a customer whose two passkeys are of one root, and the second of them."""
    alice = Customer(service, "alice")
    await alice.open("email", "desktop")
    await alice.bind_password()
    await alice.bind_passkey()
    first = alice.passkey
    alice.passkey = second = SoftwareAuthenticator(b"alice/second".ljust(32, b"."), synced=True)
    await alice.bind_passkey()
    alice.passkey = first
    await alice.sign_in()
    service.clock.forward(days=40)
    return alice, second


@pytest.mark.parametrize(("listed", "state"), [(False, "open"), (True, "authorized")])
async def test_one_more_proof_that_changes_nothing_leaves_the_evidence_as_it_was(
    service: Service, *, listed: bool, state: str
) -> None:
    alice, second = await with_two_keys(service)
    if listed:
        await alice.add_destination()
    action = await alice.withdraw()
    before = await service.client.evidence(action.action_id)
    alice.passkey = second

    await alice.with_passkey(action.action_id)
    stands = await service.client.action(action.action_id)
    bundle = await service.client.evidence(action.action_id)

    shown = verify_bundle(
        bundle, trust=trust_of(service.settings, service.keyring, book=rule_book())
    )
    assert (action.state, stands.state) == (state, state)
    assert [one.evidence for one in bundle.proofs] == [one.evidence for one in before.proofs]
    assert len(shown.assertions) == 1


async def test_a_withdrawal_proved_by_a_code_has_no_signature_of_the_customer(
    service: Service,
) -> None:
    alice = Customer(service, "alice")
    await alice.open("email", "desktop")
    await alice.bind_password()
    await alice.bind_totp()
    assert alice.app is not None
    service.clock.forward(hours=2)
    action = await alice.propose("withdrawal.crypto", alice.withdrawal())
    await alice.with_secret(action.action_id, "totp", alice.app.code(service.clock.at))
    service.clock.forward(hours=24)
    await service.client.spend(action.action_id, spend_id="spend-0001")
    bundle = await service.client.evidence(action.action_id)
    assert bundle.proofs == ()


@pytest.mark.requirement("N-B12")
async def test_evidence_outlives_the_authenticator(service: Service) -> None:
    alice = Customer(service, "alice")
    await alice.set_up()
    await alice.add_destination()
    action = await alice.withdraw()
    await service.client.spend(action.action_id, spend_id="spend-0001")
    seen = await service.client.account(alice.account_id)
    passkey = next(one for one in seen["authenticators"] if one["factor"] == "passkey")
    removal = await alice.propose(
        "authenticator.remove", {"authenticator_id": passkey["authenticator_id"]}
    )
    await alice.with_passkey(removal.action_id)
    service.clock.forward(hours=72)
    await alice.propose("freeze.set")
    left = (await service.client.account(alice.account_id))["authenticators"]
    assert [one["factor"] for one in left] == ["password"]

    bundle = await service.client.evidence(action.action_id)
    assert [one.factor for one in bundle.proofs] == ["passkey"]
    verify_bundle(bundle, trust=trust_of(service.settings, service.keyring, book=rule_book()))


async def test_the_log_is_served_as_c2sp_tiles(service: Service) -> None:
    action_id = await spent(service)
    bundle = await service.client.evidence(action_id)
    head = parse_checkpoint(parse_note(await service.client.checkpoint()).text)
    hashes = await service.http.get(f"/tile/0/000.p/{head.size}")
    entries = await service.http.get(f"/tile/entries/000.p/{head.size}")
    assert len(hashes.content) == 32 * head.size
    assert hashes.headers["cache-control"].endswith("immutable")
    leaves = decode_entries(entries.content, width=head.size)
    assert leaves[bundle.decision.index] == bundle.decision.leaf.encode()

    proof = await service.http.get(f"/proof/{bundle.decision.index}")
    policy = trust_of(service.settings, service.keyring, book=rule_book()).log_policy
    verify_inclusion_in_checkpoint(
        leaves[bundle.decision.index],
        parse_tlog_proof(proof.content),
        policy,
        origin=service.settings.log_origin,
    )


LOG_PATHS = ("/proof/1", "/tile/0/000.p/{size}", "/tile/entries/000.p/{size}", "{evidence}")


@pytest.mark.parametrize(
    ("edit", "refused"),
    [
        pytest.param(
            "UPDATE leaf SET entry = 'x' WHERE leaf_index = {index}",
            ("entries", "evidence"),
            id="a leaf edited",
        ),
        pytest.param(
            "DELETE FROM leaf WHERE leaf_index = {index}", ("entries", "evidence"), id="a leaf gone"
        ),
        pytest.param("DELETE FROM leaf", ("entries", "evidence"), id="all leaves gone"),
        pytest.param(
            "UPDATE tile SET hashes = set_byte(hashes, 0, get_byte(hashes, 0) # 1)",
            ("proof", "tile/0", "entries", "evidence"),
            id="a bit of a tile",
        ),
        pytest.param(
            "UPDATE tile SET hashes = substr(hashes, 1, 32)",
            ("proof", "tile/0", "entries", "evidence"),
            id="a tile cut short",
        ),
        pytest.param(
            "DELETE FROM tile", ("proof", "tile/0", "entries", "evidence"), id="a tile gone"
        ),
        pytest.param("DELETE FROM event", ("evidence",), id="the events gone"),
        pytest.param(
            "UPDATE event SET leaf_index = leaf_index - 1", ("evidence",), id="events moved"
        ),
    ],
)
async def test_rows_that_somebody_edited_are_not_shown_as_the_log(
    service: Service, database: TestDatabase, edit: str, refused: tuple[str, ...]
) -> None:
    action_id = await spent(service)
    index = (await service.client.evidence(action_id)).decision.index
    size = (await service.api.store.head()).size
    await database.execute(edit.format(index=index))

    for path in LOG_PATHS:
        evidence = f"/v1/actions/{action_id}/evidence"
        told = await service.http.get(path.format(size=size, evidence=evidence))
        if any(part in path for part in refused):
            assert (told.status_code, told.json()["code"]) == (503, "log_damaged"), path
        else:
            assert told.status_code == 200, path


async def test_a_leaf_holds_no_personal_data(service: Service) -> None:
    action_id = await spent(service)
    head = parse_checkpoint(parse_note(await service.client.checkpoint()).text)
    entries = await service.http.get(f"/tile/entries/000.p/{head.size}")
    account = action_id.split("_")[1]
    for secret in (b"alice", account.encode(), b"abababab", action_id.encode()):
        assert secret not in entries.content


async def test_the_service_says_that_it_is_well(service: Service) -> None:
    assert (await service.http.get("/health/live")).json() == {
        "status": "live",
        "log_size": None,
        "notices": None,
    }
    ready = (await service.http.get("/health/ready")).json()
    assert (ready["status"], ready["notices"]) == ("ready", "files")
    service.clock.fault = ClockUntrustedError("the wall clock jumped")
    unready = await service.http.get("/health/ready")
    assert (unready.status_code, unready.json()["code"]) == (503, "clock_untrusted")
    service.clock.fault = None
    await spent(service)
    text = (await service.http.get("/metrics")).text
    assert 'twinlock_answers_total{answer="allow",type="withdrawal.crypto"} 2.0' in text


async def test_the_api_describes_itself(service: Service) -> None:
    schema = (await service.http.get("/openapi/openapi.json")).json()
    assert schema["openapi"].startswith("3.1")
    assert "/v1/authorizations/{action_id}/spend" in schema["paths"]
    assert schema["components"]["securitySchemes"]["platformKey"]["scheme"] == "bearer"
