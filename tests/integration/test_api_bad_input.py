"""Every bad input gets a clear error with a stable code, loses nothing and opens nothing."""

from typing import Any

import httpx
import pytest
from support.service import ADDRESS, Customer, Service

from twinlock.client import ProblemError
from twinlock.services.platform_keys import PlatformKeyRefusedError, Scope

SOMEBODY = "acc_" + "a" * 26
NO_ACTION = "act_" + "a" * 26 + "_" + "b" * 26
JSON = {"Content-Type": "application/json", "Idempotency-Key": "bad-input-1"}


@pytest.mark.parametrize(
    ("change", "code", "status"),
    [
        pytest.param({"asset": "DOGE"}, "asset_unknown", 422, id="an unknown asset"),
        pytest.param({"network": "solana"}, "asset_unknown", 422, id="an unknown network"),
        pytest.param({"amount": "-1"}, "amount_refused", 422, id="a negative amount"),
        pytest.param({"amount": "0"}, "amount_refused", 422, id="nothing"),
        pytest.param({"amount": "0.0000001"}, "amount_refused", 422, id="a fraction too fine"),
        pytest.param({"amount": "1e3"}, "amount_refused", 422, id="scientific notation"),
        pytest.param({"amount": "٣"}, "amount_refused", 422, id="digits of another script"),
        pytest.param({"amount": "1" * 78}, "amount_refused", 422, id="more than 2^256 - 1"),
        pytest.param({"amount": 10}, "malformed", 400, id="a number for an amount"),
        pytest.param({"max_fee": "-1"}, "amount_refused", 422, id="a negative fee"),
        pytest.param({"address": "0x12"}, "address_refused", 422, id="an address too short"),
        pytest.param(
            {"address": ADDRESS + "\u200b"}, "address_characters", 422, id="an unseen sign"
        ),
        pytest.param({"memo": " x"}, "memo_refused", 422, id="a memo with a space in front"),
        pytest.param({"extra": "1"}, "malformed", 400, id="an unknown field"),
    ],
)
async def test_a_withdrawal_that_means_nothing_is_refused(
    service: Service, change: dict[str, Any], code: str, status: int
) -> None:
    alice = Customer(service, "alice")
    await alice.set_up()

    with pytest.raises(ProblemError) as refused:
        await alice.propose("withdrawal.crypto", {**alice.withdrawal(), **change})
    assert (refused.value.code, refused.value.status) == (code, status)
    assert (await service.client.account(alice.account_id))["actions"] == []


@pytest.mark.parametrize(
    ("body", "code"),
    [
        pytest.param(b"", "malformed", id="nothing"),
        pytest.param(b"{", "malformed", id="half an object"),
        pytest.param(b'{"type":"a.b","type":"a.c"}', "malformed", id="a doubled key"),
        pytest.param(b'{"x":NaN}', "malformed", id="not a number"),
        pytest.param(b'{"x":1.5}', "malformed", id="a float"),
        pytest.param(b'{"x":99999999999999999999}', "malformed", id="an integer beyond 2^53"),
        pytest.param(b"[" * 5_000, "malformed", id="brackets to drown in"),
        pytest.param(b"\xff\xfe", "malformed", id="bytes that are not UTF-8"),
        pytest.param(b"[]", "malformed", id="a list"),
    ],
)
async def test_a_body_that_is_not_strict_json_is_refused(
    service: Service, body: bytes, code: str
) -> None:
    answer = await service.http.post("/v1/actions", content=body, headers=JSON)
    assert (answer.status_code, answer.json()["code"]) == (400, code)
    assert answer.headers["content-type"] == "application/problem+json"


@pytest.mark.parametrize(
    ("body", "status", "code"),
    [
        pytest.param(b'{"x":1}', 400, "malformed", id="a body that is not of its form"),
        pytest.param(
            b'{"account_id":"%b","type":"freeze.set","payload":{}}' % SOMEBODY.encode(),
            401,
            "platform_key_refused",
            id="a body of its form",
        ),
    ],
)
async def test_a_body_is_read_before_the_key(
    service: Service, body: bytes, status: int, code: str
) -> None:
    answer = await service.http.post(
        "/v1/actions", content=body, headers={**JSON, "Authorization": ""}
    )
    assert (answer.status_code, answer.json()["code"]) == (status, code)


@pytest.mark.parametrize(
    ("path", "body", "words"),
    [
        (
            "/v1/actions",
            {"account_id": SOMEBODY, "type": "foo"},
            "of two words with a point between, as withdrawal.crypto",
        ),
        (
            "/v1/authorizations/act_1/spend",
            {"spend_id": "payout 0001", "fee_minor": "0"},
            "of letters, digits and _ . : - alone",
        ),
        (
            "/v1/authorizations/act_1/spend",
            {"spend_id": "payout-0001", "fee_minor": "1.5"},
            "that is a whole number of 78 digits at most, as 0 or 2100",
        ),
        (
            "/v1/actions",
            {"account_id": SOMEBODY, "type": "freeze.set\n"},
            "of two words with a point between, as withdrawal.crypto",
        ),
        (
            "/v1/authorizations/act_1/spend",
            {"spend_id": "payout-0001\n"},
            "of letters, digits and _ . : - alone",
        ),
        (
            "/v1/authorizations/act_1/spend",
            {"spend_id": "payout-0001", "fee_minor": "0\n"},
            "that is a whole number of 78 digits at most, as 0 or 2100",
        ),
    ],
)
async def test_the_form_of_a_text_is_told_in_words(
    service: Service, path: str, body: dict[str, object], words: str
) -> None:
    """Prevents: a regular expression of another language in the face of who mistyped a word."""
    key = await service.platform_key()
    headers = {"Authorization": f"Bearer {key}", "Idempotency-Key": "words-0001"}

    answer = await service.http.post(path, json=body, headers=headers)

    assert (answer.status_code, answer.json()["code"]) == (400, "malformed")
    assert words in answer.json()["detail"]
    assert "regex" not in answer.json()["detail"]


@pytest.mark.parametrize("half", ["\\ud800", "\\uDC00", "\\udfff\\ud800"])
async def test_half_a_character_is_refused_on_every_path(service: Service, half: str) -> None:
    alice = Customer(service, "alice")
    await alice.set_up()
    action = (await alice.propose("freeze.set")).action_id
    of_account, of_action = f"/v1/accounts/{alice.account_id}", f"/v1/actions/{action}"
    bodies = {
        "/v1/accounts": '{"channels":[{"kind":"email","address":"a@%s"}]}',
        f"{of_account}/candidates": '{"factor":"%s"}',
        f"{of_account}/sessions/end": '{"session_id":"%s"}',
        "/v1/actions": '{"account_id":"%s","type":"freeze.set"}',
        "/v1/payloads": '{"account_id":"acc_1","type":"freeze.set","payload":{"%s":1}}',
        f"{of_action}/challenges": '{"factor":"passkey","channel_id":"%s"}',
        f"{of_action}/assertions": '{"factor":"password","secret":"%s"}',
        f"{of_action}/veto": '{"channel_id":"c","token":"%s"}',
        f"/v1/authorizations/{action}/spend": '{"spend_id":"%s"}',
    }
    for path, body in bodies.items():
        answer = await service.http.post(path, content=(body % half).encode(), headers=JSON)
        assert (answer.status_code, answer.json()["code"]) == (400, "malformed"), path
        assert answer.headers["content-type"] == "application/problem+json"


async def test_a_signature_from_beyond_the_calendar_is_no_signature(service: Service) -> None:
    alice = Customer(service, "alice")
    await alice.set_up()
    session = {**alice.signed("A" * 43, purpose="proposal", name="x"), "signed_at": 2**53 - 1}

    refused = await alice.propose("withdrawal.crypto", alice.withdrawal(), session=session)

    assert "proof_not_bound" in [why.code for why in refused.why]


@pytest.mark.parametrize(
    "address",
    [
        "alice@example.com\r\nBcc: mallory@example.com",
        "alice@example.com\n",
        "alice\x00@example.com",
        "alice\u200b@example.com",
        "alice @example.com",
        "é" * 128,
    ],
    ids=["a header", "a line feed", "a NUL", "an unseen sign", "a space", "256 bytes"],
)
async def test_an_address_that_no_message_should_go_to_opens_no_account(
    service: Service, address: str
) -> None:
    opening = {"channels": [{"kind": "email", "address": address}]}
    with pytest.raises(ProblemError) as refused:
        await service.client.open_account(opening, key="bad-address-1")
    assert (refused.value.code, refused.value.status) == ("channel_address_refused", 422)
    assert (await service.api.store.head()).size == 0


async def test_one_address_is_one_channel_from_the_first_day(service: Service) -> None:
    """Prevents: an owner who gets each message twice."""
    named = ["+1 202 555 0100", "+12025550100"]
    opening = {"channels": [{"kind": "sms", "address": one} for one in named]}
    with pytest.raises(ProblemError) as refused:
        await service.client.open_account(opening, key="one-address-twice")

    assert (refused.value.code, refused.value.status) == ("channel_address_refused", 422)
    assert (await service.api.store.head()).size == 0


async def test_an_address_as_long_as_any_is_taken_and_a_longer_one_is_not(
    service: Service,
) -> None:
    longest = f"{'a' * 64}@{'b' * 63}.{'c' * 63}.{'d' * 57}.com"
    taken = {"channels": [{"kind": "email", "address": longest}]}
    await service.client.open_account(taken, key="long-address-1")
    too_long = {"channels": [{"kind": "email", "address": longest.replace("d.com", "dd.com")}]}
    with pytest.raises(ProblemError) as refused:
        await service.client.open_account(too_long, key="long-address-2")
    assert (refused.value.code, refused.value.status) == ("malformed", 400)


async def test_a_body_over_the_limit_is_refused(service: Service) -> None:
    answer = await service.http.post("/v1/actions", content=b" " * 40_000, headers=JSON)
    assert (answer.status_code, answer.json()["code"]) == (413, "body_too_large")


@pytest.mark.parametrize("key", ["", "short", "x" * 129, "with\u00e9accent-1"])
async def test_what_acts_needs_an_idempotency_key(service: Service, key: str) -> None:
    headers = {b"Content-Type": b"application/json", b"Idempotency-Key": key.encode("latin-1")}
    body = b'{"account_id":"%s","type":"freeze.set"}' % SOMEBODY.encode()
    answer = await service.http.post("/v1/actions", content=body, headers=headers)
    assert (answer.status_code, answer.json()["code"]) == (400, "malformed")


@pytest.mark.parametrize(
    ("account_id", "code", "status"),
    [(SOMEBODY, "account_not_found", 404), ("acc_1", "malformed", 400), ("é", "malformed", 400)],
)
async def test_an_account_that_is_none_is_refused(
    service: Service, account_id: str, code: str, status: int
) -> None:
    with pytest.raises(ProblemError) as refused:
        await service.client.propose(
            {"account_id": account_id, "type": "freeze.set"}, key="nobody-1"
        )
    assert (refused.value.code, refused.value.status) == (code, status)


@pytest.mark.parametrize(
    ("action_id", "code", "status"),
    [(NO_ACTION, "account_not_found", 404), ("act_1", "malformed", 400)],
)
async def test_an_action_that_is_none_is_refused_on_every_path(
    service: Service, action_id: str, code: str, status: int
) -> None:
    client = service.client
    for call in (
        client.action(action_id),
        client.ask(action_id, {"factor": "passkey"}),
        client.prove(action_id, {"factor": "password", "secret": "x"}),
        client.veto(action_id, {}),
        client.spend(action_id, spend_id="nothing-1"),
        client.evidence(action_id),
    ):
        with pytest.raises(ProblemError) as refused:
            await call
        assert (refused.value.code, refused.value.status) == (code, status)


async def test_an_action_of_this_account_that_never_was_is_not_found(service: Service) -> None:
    alice = Customer(service, "alice")
    await alice.set_up()
    action_id = f"act_{alice.account_id.removeprefix('acc_')}_{'b' * 26}"
    client = service.client
    for call in (
        client.action(action_id),
        client.ask(action_id, {"factor": "passkey"}),
        client.prove(action_id, {"factor": "password", "secret": "x"}),
        client.veto(action_id, {}),
        client.spend(action_id, spend_id="nothing-1"),
        client.evidence(action_id),
    ):
        with pytest.raises(ProblemError) as refused:
            await call
        assert refused.value.code == "action_not_found"


@pytest.mark.parametrize(
    "kind", ["unknown.exit", "recovery.open", "staff.review", "staff.disclose"]
)
async def test_an_action_that_cannot_be_decided_is_refused_with_a_reason(
    service: Service, kind: str
) -> None:
    alice = Customer(service, "alice")
    await alice.set_up()
    refused = await alice.propose(kind, {"amount": "1", "nested": {"any": ["thing"]}})
    code = "action_unknown" if kind == "unknown.exit" else "action_not_built"
    assert (refused.answer, refused.state) == ("deny", "refused")
    assert code in [why.code for why in refused.why]


async def test_somebody_who_is_no_member_of_the_account_is_refused(service: Service) -> None:
    alice = Customer(service, "alice")
    await alice.set_up()
    asked = {"account_id": alice.account_id, "type": "freeze.set"}
    [member] = (await service.client.account(alice.account_id))["member_ids"]

    async def propose(member_id: str) -> httpx.Response:
        body = {**asked, "member_id": member_id}
        headers = {"Idempotency-Key": f"of-member-{member_id}"}
        return await service.http.post("/v1/actions", json=body, headers=headers)

    known, unknown = await propose(member), await propose("mem_nobody")

    assert known.status_code == 201
    assert (unknown.status_code, unknown.json()["code"]) == (404, "member_unknown")


@pytest.mark.parametrize(
    ("kind", "payload", "code"),
    [
        pytest.param("authenticator.bind", {"authenticator": "face"}, "malformed", id="a face"),
        pytest.param(
            "authenticator.bind",
            {"authenticator": "totp", "code": "1"},
            "proof_refused",
            id="no offer",
        ),
        pytest.param(
            "authenticator.bind", {"authenticator": "passkey"}, "proof_refused", id="no ceremony"
        ),
        pytest.param(
            "authenticator.bind",
            {"authenticator": "password", "password": "long enough"},
            "malformed",
            id="a second password",
        ),
        pytest.param(
            "authenticator.remove",
            {"authenticator_id": "aut_x"},
            "target_not_found",
            id="nobody",
        ),
        pytest.param("password.change", {"password": "short"}, "password_refused", id="too short"),
        pytest.param(
            "destination.add",
            {"network": "moon", "address": ADDRESS},
            "network_unknown",
            id="moon",
        ),
        pytest.param("api_key.revoke", {"api_key_id": "key_x"}, "target_not_found", id="no key"),
        pytest.param(
            "api_key.create",
            {"public_key": "A" * 42 + "E", "scopes": ["everything"]},
            "api_key_refused",
            id="an unknown scope",
        ),
        pytest.param(
            "api_key.create",
            {"public_key": "A" * 42 + "E", "scopes": ["read"], "ip_list": ["1.2.3.4/8"]},
            "api_key_refused",
            id="a network with host bits",
        ),
        pytest.param(
            "api_key.create",
            {
                "public_key": "A" * 42 + "E",
                "scopes": ["withdraw"],
                "ip_list": ["203.0.113.7"],
                "destinations": [{"network": "ethereum", "address": ADDRESS}],
            },
            "target_not_found",
            id="a destination that is not listed",
        ),
        pytest.param(
            "api_key.create",
            {"public_key": "A" * 42 + "E", "scopes": ["read"], "ip_list": ["0.0.0.0/0"]},
            "api_key_refused",
            id="an IP list of everybody",
        ),
        pytest.param("session.start", {"device": {"kty": "EC"}}, "proof_refused", id="half a key"),
        pytest.param("freeze.set", {"why": "x"}, "malformed", id="a freeze with a field"),
    ],
)
async def test_a_change_that_means_nothing_is_refused(
    service: Service, kind: str, payload: dict[str, Any], code: str
) -> None:
    alice = Customer(service, "alice")
    await alice.set_up()
    with pytest.raises(ProblemError) as refused:
        await alice.propose(kind, payload)
    assert refused.value.code == code


async def test_a_password_without_one_cannot_be_changed(service: Service) -> None:
    alice = Customer(service, "alice")
    await alice.open("email")
    with pytest.raises(ProblemError) as refused:
        await alice.propose("password.change", {"password": "long enough"})
    assert refused.value.code == "target_not_found"


async def test_only_what_needs_an_offer_is_offered(service: Service) -> None:
    alice = Customer(service, "alice")
    await alice.open("email")
    with pytest.raises(ProblemError) as refused:
        await service.client.offer(alice.account_id, "sms_code")
    assert refused.value.code == "factor_not_offered"


async def test_a_secret_payload_cannot_be_previewed(service: Service) -> None:
    alice = Customer(service, "alice")
    await alice.set_up()
    with pytest.raises(ProblemError) as refused:
        await service.client.preview(
            {
                "account_id": alice.account_id,
                "type": "password.change",
                "payload": {"password": "x"},
            }
        )
    assert refused.value.code == "malformed"


@pytest.mark.parametrize(
    "authorization",
    ["", "Basic abc", "Bearer", "Bearer tlk_x", f"Bearer tlk_{'a' * 26}_{'b' * 52}"],
)
async def test_without_a_good_platform_key_nothing_is_told(
    service: Service, authorization: str
) -> None:
    answer = await service.http.get(
        f"/v1/accounts/{SOMEBODY}", headers={"Authorization": authorization}
    )
    assert (answer.status_code, answer.json()["code"]) == (401, "platform_key_refused")
    assert answer.headers["www-authenticate"].startswith("Bearer")


async def test_a_platform_key_does_what_its_scopes_say_from_where_they_say(
    service: Service,
) -> None:
    reader = await service.platform_key(Scope.READ)
    elsewhere = await service.platform_key(networks=("203.0.113.0/24",))

    answer = await service.http.post(
        "/v1/accounts", json={}, headers={**JSON, "Authorization": f"Bearer {reader}"}
    )
    assert (answer.status_code, answer.json()["code"]) == (403, "scope_missing")
    answer = await service.http.get(
        f"/v1/accounts/{SOMEBODY}", headers={"Authorization": f"Bearer {elsewhere}"}
    )
    assert answer.status_code == 401


@pytest.mark.requirement("O-28", "O-31")
async def test_a_platform_key_ends_with_its_time_and_by_revocation(service: Service) -> None:
    key = await service.platform_key()
    headers = {"Authorization": f"Bearer {key}"}
    path = f"/v1/accounts/{SOMEBODY}"
    assert (await service.http.get(path, headers=headers)).status_code == 404

    key_id = key.split("_")[1]
    await service.api.use.keys.revoke(key_id)  # type: ignore[arg-type] # as an operator types it
    service.clock.forward(seconds=2)
    fresh = await service.platform_key()
    assert (await service.http.get(path, headers=headers)).status_code == 401
    service.clock.forward(days=401)
    headers = {"Authorization": f"Bearer {fresh}"}
    assert (await service.http.get(path, headers=headers)).status_code == 401


async def test_a_platform_key_from_nowhere_is_refused(service: Service) -> None:
    key = await service.platform_key(networks=("0.0.0.0/0",))
    with pytest.raises(PlatformKeyRefusedError):
        await service.api.use.keys.check(key, address="nowhere", scope=Scope.READ)


@pytest.mark.parametrize(
    ("network", "address"),
    [
        ("192.0.2.0/24", "192.0.2.7"),
        ("192.0.2.0/24", "::ffff:192.0.2.7"),  # On a socket that listens on IPv6.
        ("2001:db8::/32", "2001:db8::7"),
    ],
)
async def test_a_platform_key_is_good_from_its_network_however_that_is_written(
    service: Service, network: str, address: str
) -> None:
    keys = service.api.use.keys
    key = await service.platform_key(networks=(network,))

    assert await keys.check(key, address=address, scope=Scope.READ) == key.split("_")[1]
    for other in ("198.51.100.7", "::ffff:198.51.100.7", "2001:db9::7"):
        with pytest.raises(PlatformKeyRefusedError):
            await keys.check(key, address=other, scope=Scope.READ)


async def test_unknown_paths_and_methods_are_told_as_problems(service: Service) -> None:
    missing = await service.http.get("/v2/nothing")
    assert (missing.status_code, missing.json()["code"]) == (404, "not_found")
    wrong = await service.http.put("/v1/actions")
    assert (wrong.status_code, wrong.json()["code"]) == (405, "method_not_allowed")


@pytest.mark.parametrize(
    ("path", "code", "status"),
    [
        ("/tile/0/000", "tile_not_found", 404),
        ("/tile/0/000.p/255", "tile_not_found", 404),
        ("/tile/00/000", "malformed", 400),
        ("/tile/0/x001", "malformed", 400),
        ("/proof/100000", "tile_not_found", 404),
        ("/proof/%2B1", "malformed", 400),
        ("/proof/01", "malformed", 400),
        ("/proof/-1", "malformed", 400),
        ("/proof/\u0661", "malformed", 400),
    ],
)
async def test_a_tile_that_no_signed_size_implies_is_not_served(
    service: Service, path: str, code: str, status: int
) -> None:
    await Customer(service, "alice").open("email")
    answer = await service.http.get(path)
    assert (answer.status_code, answer.json()["code"]) == (status, code)
