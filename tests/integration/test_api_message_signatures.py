"""Signed requests and answers (RFC 9421): who holds a platform key alone gets nowhere."""

import asyncio
import json
from datetime import timedelta

import httpx
import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from msgspec.structs import replace
from support.postgres import TestDatabase
from support.service import Customer, Service
from support.signed import (
    OTHER,
    SIGNER,
    Caller,
    Change,
    changed,
    connected,
    public_of,
    signed_key,
    with_fields,
)

from twinlock.adapters.sql import platform_keys
from twinlock.client import AnswerUnverifiedError, Client, ProblemError, Signing
from twinlock.domain.message_signatures import (
    ACCEPT_SIGNATURE,
    RequestMessage,
    SignatureFault,
    SignatureRefusedError,
    content_digest,
)
from twinlock.services.platform_keys import Scope, key_id_of

OPENING = b'{"channels":[{"kind":"email","address":"alice@example.com"}]}'
REFUSED = "message_signature_refused"


@pytest.fixture
async def caller(service: Service) -> Caller:
    return Caller(service, await signed_key(service))


def opening(caller: Caller, key: str = "opening-0001") -> RequestMessage:
    return caller.message("/v1/accounts", OPENING, idempotency_key=key)


def fault_of(answer: httpx.Response) -> str:
    told = answer.json()
    assert (answer.status_code, told["code"]) == (401, REFUSED)
    assert answer.headers["accept-signature"] == ACCEPT_SIGNATURE
    assert "signature" not in answer.headers
    return str(told["fault"])


async def test_our_own_client_signs_and_believes_what_is_signed(service: Service) -> None:
    key = await signed_key(service)
    async with connected(service, key, pins=None) as client:
        opened = await client.open_account(json.loads(OPENING), key="opening-0001")
        account = await client.account(opened["account_id"])
        found = await client.propose(
            {"account_id": opened["account_id"], "type": "freeze.set"}, key="freeze-0001"
        )
        seen = await client.action(found.action_id)
        await client.end_sessions(opened["account_id"])
        with pytest.raises(ProblemError, match="account_not_found"):
            await client.account("acc_" + "a" * 26)
        assert await client.checkpoint()

    assert account["account_id"] == opened["account_id"]
    assert seen.action_id == found.action_id


@pytest.mark.requirement("O-25")
async def test_a_stolen_platform_key_alone_opens_nothing(service: Service, caller: Caller) -> None:
    plain = {"Authorization": f"Bearer {caller.key}", "Idempotency-Key": "opening-0001"}
    asked = await service.http.post("/v1/accounts", json=json.loads(OPENING), headers=plain)
    looked = await service.http.get(f"/v1/accounts/acc_{'a' * 26}", headers=plain)

    assert [fault_of(one) for one in (asked, looked)] == [SignatureFault.MISSING] * 2


async def test_somebody_elses_signature_opens_nothing(caller: Caller) -> None:
    caller.signer = OTHER
    assert fault_of(await caller.send(caller.signed(opening(caller)))) == SignatureFault.WRONG


@pytest.mark.requirement("O-25")
async def test_what_was_signed_is_done_and_its_answer_is_signed(caller: Caller) -> None:
    answer = await caller.send(caller.signed(opening(caller)))

    assert answer.status_code == 201
    assert answer.headers["content-digest"] == content_digest(answer.content)
    assert answer.headers["signature-input"].startswith(
        'twinlock=("@status" "content-digest" "signature";req "content-type");created='
    )


async def test_a_head_is_signed_as_one(caller: Caller) -> None:
    """Prevents: a signed GET that somebody on the way makes a HEAD of, and the other way round."""
    unknown = caller.message(f"/v1/accounts/acc_{'a' * 26}", method="HEAD")
    head = await caller.send(caller.signed(unknown))
    other = await caller.send(replace(caller.signed(unknown), method="GET"))

    assert (head.status_code, head.content, "signature" in head.headers) == (404, b"", True)
    assert fault_of(other) == SignatureFault.WRONG


def replace_field(name: str, value: str | None) -> Change:
    return lambda message: changed(message, name, value)


TAMPERED = [
    pytest.param(lambda m: replace(m, body=OPENING.replace(b"alice", b"mallo")), "digest_wrong"),
    pytest.param(lambda m: replace(m, body=OPENING + b" "), "digest_wrong"),
    pytest.param(lambda m: replace(m, path="/v1/accounts/"), "signature_wrong"),
    pytest.param(lambda m: replace(m, query="a=b"), "signature_wrong"),
    pytest.param(replace_field("host", "elsewhere"), "signature_wrong"),
    pytest.param(replace_field("idempotency-key", "opening-0002"), "signature_wrong"),
    pytest.param(replace_field("idempotency-key", None), "component_missing"),
    pytest.param(replace_field("content-digest", None), "component_missing"),
    pytest.param(replace_field("content-digest", content_digest(b"x")), "digest_wrong"),
    pytest.param(replace_field("content-digest", "sha-256=x"), "signature_malformed"),
    pytest.param(replace_field("content-digest", "md5=:AAAA:"), "signature_malformed"),
    pytest.param(replace_field("content-digest", "sha-256=:AAAA:"), "signature_malformed"),
    pytest.param(
        lambda m: with_fields(m, ("content-digest", content_digest(OPENING))),
        "signature_ambiguous",
    ),
    pytest.param(
        lambda m: with_fields(m, ("idempotency-key", "opening-0002")), "signature_ambiguous"
    ),
    pytest.param(lambda m: with_fields(m, ("authorization", "Bearer x")), "signature_ambiguous"),
    pytest.param(lambda m: with_fields(m, ("host", "elsewhere")), "signature_wrong"),
    pytest.param(replace_field("content-type", "application/json; charset=x"), "signature_wrong"),
    pytest.param(replace_field("signature", None), "signature_missing"),
    pytest.param(replace_field("signature-input", None), "signature_missing"),
    pytest.param(replace_field("signature", "twinlock=:AAAA:"), "signature_malformed"),
    pytest.param(replace_field("signature", "twinlock"), "signature_malformed"),
    pytest.param(replace_field("signature", ""), "signature_malformed"),
    pytest.param(replace_field("signature", "twinlock=\xff"), "signature_malformed"),
    pytest.param(lambda m: with_fields(m, ("signature", "other=:AAAA:")), "signature_ambiguous"),
    pytest.param(lambda m: with_fields(m, ("signature-input", "other=()")), "signature_ambiguous"),
]


@pytest.mark.requirement("O-25")
@pytest.mark.parametrize(("change", "fault"), TAMPERED)
async def test_whatever_is_changed_on_the_way_is_refused(
    service: Service, database: TestDatabase, caller: Caller, change: Change, fault: str
) -> None:
    answer = await caller.send(change(caller.signed(opening(caller))))

    assert fault_of(answer) == fault
    assert await database.value("SELECT count(*) FROM stream") == 0


@pytest.mark.requirement("O-25")
async def test_a_request_is_answered_once_whoever_sends_it_again(
    service: Service, database: TestDatabase, caller: Caller
) -> None:
    sent = caller.signed(opening(caller))
    answers = await asyncio.gather(*(caller.send(sent) for _ in range(12)))

    good = [one for one in answers if one.status_code == 201]
    assert len(good) == 1
    faults = [fault_of(one) for one in answers if one.status_code != 201]
    assert faults == [SignatureFault.REPLAYED] * 11
    assert await database.value("SELECT count(*) FROM message_nonce") == 1
    again = await caller.send(caller.signed(opening(caller)))  # Signed anew, under the same key.
    assert again.json()["account_id"] == good[0].json()["account_id"]


async def test_a_nonce_is_used_up_by_who_can_sign_and_nobody_else(caller: Caller) -> None:
    message = opening(caller)
    draft = caller.draft(message)
    good = caller.signed(message, draft)
    forged = changed(good, "signature", f"twinlock=:{'A' * 86}==:")

    assert fault_of(await caller.send(forged)) == SignatureFault.WRONG
    assert (await caller.send(good)).status_code == 201


async def test_another_platforms_nonce_is_its_own(service: Service, caller: Caller) -> None:
    other = Caller(service, await signed_key(service))
    for one in (caller, other):  # Both count from zero.
        assert (await one.send(one.signed(opening(one)))).status_code == 201


@pytest.mark.parametrize(
    ("late", "fault"),
    [
        pytest.param(timedelta(seconds=59), None, id="while it lasts"),
        pytest.param(timedelta(seconds=60), SignatureFault.EXPIRED, id="when it ends"),
        pytest.param(timedelta(seconds=-30), None, id="a clock that is ahead"),
        pytest.param(timedelta(seconds=-31), SignatureFault.NOT_YET, id="a clock far ahead"),
    ],
)
async def test_a_signature_lasts_a_minute(
    service: Service, caller: Caller, late: timedelta, fault: SignatureFault | None
) -> None:
    message = opening(caller)
    sent = caller.signed(message, caller.draft(message, now=service.clock.at - late))
    answer = await caller.send(sent)

    if fault is None:
        assert answer.status_code == 201
    else:
        assert fault_of(answer) == fault


async def test_a_key_signs_only_for_itself(service: Service, caller: Caller) -> None:
    other = Caller(service, await signed_key(service))
    message = opening(caller)
    draft = other.draft(message)

    assert fault_of(await caller.send(caller.signed(message, draft))) == SignatureFault.WRONG_KEY


async def test_a_key_that_is_unknown_is_told_nothing_of_signatures(caller: Caller) -> None:
    wrong = caller.key[:-1] + ("a" if caller.key[-1] != "a" else "b")
    unknown = Caller(caller.service, wrong)
    answer = await unknown.send(unknown.signed(opening(unknown)))

    assert answer.json()["code"] == "platform_key_refused"
    assert "accept-signature" not in answer.headers
    assert "signature" not in answer.headers


async def test_what_a_good_signature_may_not_do_is_refused_under_ours(service: Service) -> None:
    reader = Caller(service, await signed_key(service, Scope.READ))
    answer = await reader.send(reader.signed(opening(reader)))

    assert (answer.status_code, answer.json()["code"]) == (403, "scope_missing")
    assert answer.headers["content-digest"] == content_digest(answer.content)


async def test_a_key_that_signs_nothing_is_answered_as_ever(service: Service) -> None:
    headers = {
        "Idempotency-Key": "opening-0001",
        "Signature-Input": "nonsense",
        "Signature": "nonsense",
    }
    body = json.loads(OPENING)
    answer = await service.http.post("/v1/accounts", json=body, headers=headers)
    plain = await service.http.post(
        "/v1/accounts", json=body, headers={"Idempotency-Key": "opening-0002"}
    )

    for one in (answer, plain):
        assert one.status_code == 201
        assert not {"signature", "signature-input", "content-digest"} & one.headers.keys()


async def test_nobody_can_take_the_signing_key_of_a_platform_key_away(
    service: Service,
    database: TestDatabase,
    caller: Caller,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(platform_keys, "KEY_CACHE_SECONDS", 0.0)
    for value in ("NULL", "decode(repeat('ab', 32), 'hex')"):
        await database.execute(
            f"UPDATE platform_key SET signed_by = {value} WHERE id = $1",  # noqa: S608 - words of ours
            key_id_of(caller.key),
        )
        headers = {"Authorization": f"Bearer {caller.key}"}
        answer = await service.http.get(f"/v1/accounts/acc_{'a' * 26}", headers=headers)
        assert (answer.status_code, answer.json()["code"]) == (401, "platform_key_refused")


async def test_a_body_that_is_too_large_is_refused_before_its_signature_is_read(
    caller: Caller,
) -> None:
    large = caller.message("/v1/accounts", b" " * 40_000, idempotency_key="opening-0001")
    answer = await caller.send(caller.signed(large))

    assert (answer.status_code, answer.json()["code"]) == (413, "body_too_large")


async def test_refused_signatures_are_counted_by_where_they_come_from(caller: Caller) -> None:
    caller.signer = OTHER
    codes = [(await caller.send(caller.signed(opening(caller)))).json()["code"] for _ in range(102)]

    assert codes == [REFUSED] * 100 + ["rate_limited"] * 2


async def test_where_no_nonce_can_be_kept_nothing_is_done(
    database: TestDatabase, caller: Caller
) -> None:
    await database.execute("ALTER TABLE message_nonce RENAME TO message_nonce_gone")

    answer = await caller.send(caller.signed(opening(caller)))

    assert answer.status_code == 500
    assert "signature" not in answer.headers
    assert await database.value("SELECT count(*) FROM stream") == 0


# --- What comes back ---


@pytest.mark.requirement("O-25")
async def test_an_answer_is_believed_only_from_a_key_that_was_pinned(service: Service) -> None:
    key = await signed_key(service)
    pins = {name: public_of(OTHER) for name in service.api.answers.public_keys()}
    for wrong, why in ((pins, "its signature is wrong"), ({}, "which is not pinned")):
        async with connected(service, key, pins=wrong) as client:
            with pytest.raises(AnswerUnverifiedError, match=why):
                await client.open_account(json.loads(OPENING), key=service.key())


async def test_a_refusal_that_is_not_signed_is_not_believed(service: Service) -> None:
    key = await signed_key(service)
    async with connected(service, key, by=OTHER, pins=None) as client:
        with pytest.raises(AnswerUnverifiedError) as refused:
            await client.account("acc_" + "a" * 26)

    assert (refused.value.status, refused.value.says) == (401, REFUSED)


async def test_what_is_no_answer_of_ours_is_not_believed(service: Service) -> None:
    """A page of a proxy's own, and an answer to another request."""
    key = await signed_key(service)
    caller = Caller(service, key)
    good = await caller.send(caller.signed(opening(caller)))
    pages = {
        "a page": (502, {}, b"<html>Bad gateway</html>"),
        "another's answer": (good.status_code, dict(good.headers), good.content),
    }
    for status, headers, body in pages.values():

        def answer(
            _: httpx.Request,
            status: int = status,
            headers: dict[str, str] = headers,
            body: bytes = body,
        ) -> httpx.Response:
            return httpx.Response(status, headers=headers, content=body)

        signing = Signing(SIGNER, answered_by=service.api.answers.public_keys())
        async with httpx.AsyncClient(
            transport=httpx.MockTransport(answer),
            base_url="http://service",
            headers={"Authorization": f"Bearer {key}"},
            auth=signing,
        ) as http:
            with pytest.raises(AnswerUnverifiedError) as refused:
                await Client(http).account("acc_x")
        assert refused.value.status == status


def test_a_private_key_of_another_kind_signs_nothing() -> None:
    other = ec.generate_private_key(ec.SECP256R1())
    pem = other.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    with pytest.raises(TypeError):
        Signing.from_pem(pem, answered_by={})
    with pytest.raises(ValueError, match="PEM"):
        Signing.from_pem(b"nonsense", answered_by={})


async def test_where_the_request_is_not_at_hand_a_key_that_signs_is_refused(
    service: Service,
) -> None:
    with pytest.raises(SignatureRefusedError) as refused:
        await service.api.use.keys.check(
            await signed_key(service), address="127.0.0.1", scope=Scope.READ
        )

    assert refused.value.fault is SignatureFault.MISSING


async def test_the_keys_of_answers_are_published(service: Service) -> None:
    told = (await service.http.get("/.well-known/jwks.json", headers={"Authorization": ""})).json()
    (name,) = service.api.answers.public_keys()

    (key,) = told["keys"]
    assert (key["kid"], key["kty"], key["crv"], key["use"]) == (name, "OKP", "Ed25519", "sig")


async def test_an_answer_that_asks_for_a_proof_is_signed_as_any(service: Service) -> None:
    alice = Customer(service, "alice")
    await alice.set_up()
    async with connected(service, await signed_key(service), pins=None) as client:
        body = {
            "account_id": alice.account_id,
            "type": "withdrawal.crypto",
            "payload": alice.withdrawal(),
        }
        answer = await client.propose(body, key="withdraw-0001")

    assert (answer.answer, answer.state) == ("hold", "open")
