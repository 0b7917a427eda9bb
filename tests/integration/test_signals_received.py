"""Signals as they arrive: pushed over HTTP, decided by the account, and counted once."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import asyncpg
import httpx
import pytest
from support.commands import run
from support.erasing import ask_to_be_erased, erase_due
from support.installations import environment_of
from support.postgres import TestDatabase
from support.service import Customer, Service
from support.transmitters import (
    ISSUER,
    RECOVERY,
    SESSION_REVOKED,
    VERIFICATION,
    Transmitter,
    email,
    mail_stream,
    public,
    signed,
)

from twinlock.adapters.settings import load as load_settings
from twinlock.bootstrap.keys import make_keyring
from twinlock.bootstrap.signals import NOBODY, add_stream, listed_streams, remove_stream
from twinlock.bootstrap.world import World
from twinlock.domain.account import Account
from twinlock.domain.errors import KeysStaleError, SealBrokenError, UnavailableError
from twinlock.domain.ids import AccountId

ALICE = email("alice@example.com")
OTHER_EVENT = "https://schemas.openid.net/secevent/risc/event-type/account-purged"


@pytest.fixture
async def mail(service: Service) -> AsyncIterator[Transmitter]:
    add_stream(service.settings, mail_stream(daily_most=5))
    yield Transmitter(service.clock.at)
    if listed_streams(service.settings):
        remove_stream(service.settings, "mail")


async def push(service: Service, token: str, **headers: str) -> httpx.Response:
    kind = {"content-type": "application/secevent+jwt"} | headers
    return await service.http.post("/v1/signals/mail", content=token, headers=kind)


async def account_of(customer: Customer) -> Account:
    account, _ = await customer.service.api.use.accounts.look(AccountId(customer.account_id))
    return account


def refused(answer: httpx.Response, err: str, status: int = 400) -> None:
    assert (answer.status_code, answer.json()["err"]) == (status, err)
    assert answer.json()["description"]
    assert answer.headers["cache-control"] == "no-store"


# --- What counts ---


async def test_word_of_a_recovery_takes_the_mailboxs_voice_and_holds_the_exits(
    service: Service, mail: Transmitter, alice: Customer
) -> None:
    answer = await push(service, mail.token(ALICE))

    assert (answer.status_code, answer.content) == (202, b"")
    account = await account_of(alice)
    (muted,) = account.signals.muted
    assert account.channel(muted).address == "alice@example.com"  # type: ignore[union-attr] # it is there
    assert [one.because for one in account.holds][-1] == "signal"


async def test_a_mailbox_is_the_same_in_whatever_capitals_a_provider_writes_it(
    service: Service, mail: Transmitter, alice: Customer
) -> None:
    assert (await push(service, mail.token(email("ALICE@Example.com")))).status_code == 202
    assert (await account_of(alice)).signals.muted


async def test_the_other_channels_are_told(
    service: Service, mail: Transmitter, alice: Customer
) -> None:
    await push(service, mail.token(ALICE))
    await service.deliver()

    letters = [one.read_text() for one in service.settings.outbox_dir.iterdir()]
    told = [one for one in letters if '"signalled"' in one]
    assert len(told) == 1
    assert '"desktop"' in told[0]


async def test_a_token_that_comes_again_changes_nothing(
    service: Service, mail: Transmitter, alice: Customer
) -> None:
    token = mail.token(ALICE)
    await push(service, token)
    before = await account_of(alice)
    service.clock.forward(minutes=5)

    assert (await push(service, token)).status_code == 202
    assert await account_of(alice) == before


async def test_of_one_token_pushed_by_ten_at_once_one_counts(
    service: Service, mail: Transmitter, alice: Customer
) -> None:
    add_more = mail_stream(stream_id="more", daily_most=100)
    add_stream(service.settings, add_more)
    entries = (await account_of(alice)).chain.entries
    token = mail.token(ALICE)
    answers = await asyncio.gather(
        *(service.api.use.signals.receive(add_more, token) for _ in range(10))
    )

    assert all(one.accounts == 1 for one in answers)
    assert (await account_of(alice)).chain.entries == entries + 1
    remove_stream(service.settings, "more")


async def test_another_event_under_a_name_that_was_used_is_refused(
    service: Service, mail: Transmitter, alice: Customer
) -> None:
    claims = mail.claims(ALICE)
    await push(service, signed(claims))

    refused(await push(service, signed(claims | {"events": {OTHER_EVENT: {}}})), "invalid_request")


async def test_no_request_of_a_platforms_bears_the_name_of_a_signal(
    service: Service, database: TestDatabase, mail: Transmitter, alice: Customer
) -> None:
    """Prevents: whoever has a platform key and knows a token's name, and uses it up before."""
    await push(service, mail.token(ALICE))
    kept = await database.fetch("SELECT key FROM idempotency WHERE key LIKE 'signal%'")

    for row in kept:
        answer = await service.http.post(
            f"/v1/accounts/{alice.account_id}/floods",
            json={},
            headers={"idempotency-key": row["key"]},
        )
        assert (answer.status_code, answer.json()["code"]) == (400, "malformed")
    assert len(kept) == 1


async def test_an_account_may_be_named_by_its_own_id(
    service: Service, mail: Transmitter, alice: Customer
) -> None:
    subject = {"format": "opaque", "id": alice.account_id}
    assert (await account_of(alice)).sessions
    await push(service, mail.token(subject, SESSION_REVOKED))

    assert (await account_of(alice)).sessions == ()


async def test_who_is_not_known_here_is_taken_and_nothing_comes_of_it(
    service: Service, mail: Transmitter
) -> None:
    nobody = {"format": "opaque", "id": f"acc_{'a' * 26}"}
    heard = service.api.use.signals.receive

    assert (await heard(mail_stream(), mail.token(email("x@example.com")))).accounts == 0
    assert (await heard(mail_stream(), mail.token(nobody))).accounts == 0
    assert (await push(service, mail.token(ALICE, "https://example.com/event"))).status_code == 202


async def test_a_kind_that_the_operator_did_not_name_is_passed_over(
    service: Service, mail: Transmitter, alice: Customer
) -> None:
    stream = mail_stream(events=("recovery-activated",))
    heard = await service.api.use.signals.receive(stream, mail.token(ALICE, OTHER_EVENT))

    assert (heard.kind, heard.accounts) == (None, 0)


@pytest.mark.parametrize(("state", "told"), [("hello", "hello"), (7, "")])
async def test_a_verification_tells_its_state(
    service: Service, mail: Transmitter, state: object, told: str
) -> None:
    token = mail.token({"format": "opaque", "id": "stream"}, VERIFICATION, about={"state": state})
    heard = await service.api.use.signals.receive(mail_stream(), token)

    assert (heard.state, heard.kind) == (told, None)


# --- Where an address leads ---


async def test_an_address_that_was_changed_leads_nowhere_and_the_new_one_does(
    service: Service, mail: Transmitter, database: TestDatabase, alice: Customer
) -> None:
    assert await names(database) == 1
    index = service.api.use.signals._index  # noqa: SLF001 - what the use case asks
    assert await index.accounts("alice@example.com") == (alice.account_id,)
    assert await index.accounts("Alice@example.com") == (alice.account_id,)
    assert await index.accounts("alice@example.org") == ()
    assert await NOBODY.accounts("alice@example.com") == ()
    assert not await NOBODY.take("mail", service.clock.at.date(), most=1)
    await NOBODY.give_back("mail", service.clock.at.date())


async def test_with_the_account_its_names_go(
    service: Service, world: World, database: TestDatabase, alice: Customer
) -> None:
    await ask_to_be_erased(alice)
    service.clock.forward(days=30)
    (outcome,) = await erase_due(service, world, database)

    assert outcome.reasons == ()
    assert await names(database) == 0


async def names(database: TestDatabase) -> int:
    connection = await asyncpg.connect(database.owner_dsn)
    try:
        count: int = await connection.fetchval("SELECT count(*) FROM twinlock.contact")
        return count
    finally:
        await connection.close()


# --- What does not count ---


@pytest.mark.parametrize(
    ("changes", "err"),
    [
        ({"iss": "https://evil.example/"}, "invalid_issuer"),
        ({"aud": "https://other.example"}, "invalid_audience"),
        ({"events": {RECOVERY: {}, OTHER_EVENT: {}}}, "invalid_request"),
        ({"sub_id": {"format": "complex"}}, "invalid_request"),
    ],
)
async def test_a_wrong_token_is_refused_by_the_standards_code(
    service: Service, mail: Transmitter, alice: Customer, changes: dict[str, Any], err: str
) -> None:
    before = await account_of(alice)
    refused(await push(service, signed(mail.claims(ALICE) | changes)), err)

    assert await account_of(alice) == before


async def test_a_signature_of_somebody_else_is_refused(
    service: Service, mail: Transmitter, alice: Customer
) -> None:
    remove_stream(service.settings, "mail")
    add_stream(service.settings, mail_stream(keys=public("rsa")))

    refused(await push(service, signed(mail.claims(ALICE), key="ec")), "invalid_key")


@pytest.mark.parametrize("body", ["", "x", "a.b.c", "\u00e4.b.c", "e30.e30.", "." * 17_000])
async def test_bytes_that_are_no_token_are_refused(
    service: Service, mail: Transmitter, body: str
) -> None:
    refused(await push(service, body), "invalid_request")


async def test_another_kind_of_body_is_refused(service: Service, mail: Transmitter) -> None:
    sent = {"content-type": "application/json"}

    refused(await push(service, mail.token(ALICE), **sent), "invalid_request")


async def test_a_stream_that_is_not_there_takes_nothing(service: Service) -> None:
    refused(await push(service, "x"), "access_denied", status=404)


def agree_on_a_token(service: Service, directory: Path) -> Path:
    """Have the stream ask for a bearer token; return the file that holds it."""
    shared = directory / "bearer"
    shared.write_text("a shared secret\n")
    shared.chmod(0o600)
    remove_stream(service.settings, "mail")
    add_stream(service.settings, mail_stream(token_file=str(shared)))
    return shared


async def test_a_transmitter_shows_the_token_that_was_agreed(
    service: Service, mail: Transmitter, alice: Customer, tmp_path: Path
) -> None:
    agree_on_a_token(service, tmp_path)
    token = mail.token(ALICE)

    without = await push(service, token, Authorization="")
    refused(without, "authentication_failed", status=401)
    assert without.headers["www-authenticate"] == "Bearer"  # RFC 9110, 15.5.2
    wrong = await push(service, token, Authorization="Bearer another secret")
    refused(wrong, "authentication_failed", status=401)
    assert wrong.headers["www-authenticate"] == 'Bearer error="invalid_token"'  # RFC 6750, 3.1
    right = {"Authorization": "Bearer a shared secret"}
    assert (await push(service, token, **right)).status_code == 202


async def test_a_stream_says_so_much_a_day_and_no_more(
    service: Service, mail: Transmitter, alice: Customer
) -> None:
    for _ in range(5):
        assert (await push(service, mail.token(ALICE))).status_code == 202
    entries = (await account_of(alice)).chain.entries
    too_many = await push(service, mail.token(ALICE))
    refused(too_many, "access_denied", status=429)
    assert too_many.headers["retry-after"] == "3600"
    assert (await account_of(alice)).chain.entries == entries
    service.clock.forward(days=1)
    mail.now = service.clock.at
    assert (await push(service, mail.token(ALICE))).status_code == 202


async def test_a_token_that_comes_again_uses_up_nothing_of_the_day(
    service: Service, mail: Transmitter, alice: Customer
) -> None:
    token = mail.token(ALICE)
    for _ in range(10):
        assert (await push(service, token)).status_code == 202
    assert (await push(service, mail.token(ALICE))).status_code == 202


FULL = """
CREATE FUNCTION full_disk() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RAISE disk_full; END';
CREATE TRIGGER full_disk BEFORE INSERT ON leaf FOR EACH ROW EXECUTE FUNCTION full_disk()
"""


async def test_what_is_not_decided_uses_up_nothing_of_the_day(
    service: Service, mail: Transmitter, alice: Customer, database: TestDatabase
) -> None:
    """Prevents: an hour in which nothing is decided, and a transmitter that asks each second."""
    assert (await push(service, mail.token(ALICE))).status_code == 202
    await database.execute(FULL)
    token = mail.token(ALICE)
    for _ in range(6):
        assert (await push(service, token)).status_code == 503
    await database.execute("DROP TRIGGER full_disk ON leaf")

    for _ in range(4):
        assert (await push(service, mail.token(ALICE))).status_code == 202
    refused(await push(service, mail.token(ALICE)), "access_denied", status=429)


async def test_while_nothing_can_be_decided_the_transmitter_is_told_to_come_again(
    service: Service, mail: Transmitter, alice: Customer
) -> None:
    token = mail.token(ALICE)
    service.clock.fault = KeysStaleError("no keys")
    assert (await push(service, token)).status_code == 503
    service.clock.fault = None
    assert (await push(service, token)).status_code == 202
    assert (await account_of(alice)).signals.muted


async def test_a_flood_from_one_address_is_slowed(service: Service, mail: Transmitter) -> None:
    statuses = {(await push(service, "x")).status_code for _ in range(1_001)}

    assert statuses == {400, 429}


@pytest.mark.parametrize("broken", ["no token", "open to others", "no list"])
async def test_while_our_own_files_are_at_fault_nothing_is_lost_and_nothing_told_of_them(
    service: Service, mail: Transmitter, alice: Customer, tmp_path: Path, broken: str
) -> None:
    """An answer of 400 would have the transmitter take its signal for wrong, and drop it."""
    shared = agree_on_a_token(service, tmp_path)
    listed = service.settings.data_dir / "signal-streams.json"
    whole = listed.read_bytes()
    match broken:
        case "no token":
            shared.unlink()
        case "open to others":
            shared.chmod(0o666)
        case _:
            listed.write_bytes(b"[")
    answer = await push(service, mail.token(ALICE))
    listed.write_bytes(whole)

    assert (answer.status_code, answer.json()["code"]) == (503, "signal_streams_unreadable")
    assert str(tmp_path) not in answer.text
    assert "bearer" not in answer.text


class _Index:
    """Says whom an address leads to, as a test wants it. A port's double."""

    def __init__(self, *accounts: str) -> None:
        self._accounts = tuple(map(AccountId, accounts))

    async def accounts(self, _: str) -> tuple[AccountId, ...]:
        return self._accounts

    async def take(self, *_: object, **__: object) -> bool:
        return True

    async def give_back(self, *_: object) -> None:
        raise UnavailableError("the database is down")


async def test_an_account_that_cannot_be_opened_hides_no_signal_from_its_neighbour(
    service: Service, mail: Transmitter, alice: Customer, database: TestDatabase
) -> None:
    """Prevents: Mallory's account with Alice's address, before hers, and broken on purpose."""
    mallory = Customer(service, "mallory")
    await mallory.open()
    owner = await asyncpg.connect(database.owner_dsn)
    broken = "UPDATE twinlock.stream SET box = '\\x00' WHERE id = $1 AND kind = 'account'"
    await owner.execute(broken, mallory.account_id)
    await owner.close()
    use = service.api.use.signals
    use._index = _Index(mallory.account_id, alice.account_id)  # noqa: SLF001 - a port

    with pytest.raises(SealBrokenError):
        await use.receive(mail_stream(), mail.token(ALICE))
    assert (await account_of(alice)).signals.muted


# --- The commands ---


async def test_an_operator_adds_lists_and_removes(database: TestDatabase, tmp_path: Path) -> None:
    variables = environment_of(tmp_path, DATABASE_URL=database.app_dsn)
    make_keyring(load_settings(variables))
    keys = tmp_path / "jwks.json"
    keys.write_text(public())
    named = ["signals", "receive"]
    asked = ["--issuer", ISSUER, "--audience", "us", "--jwks", str(keys)]

    added = await run(variables, *named, "add", "mail", *asked, "--json")
    assert (added.code, '"issuer"' in added.out) == (0, True), added
    again = await run(variables, *named, "add", "mail", *asked)
    assert (again.code, again.err.rstrip()[-23:]) == (2, "[signal_stream_refused]")
    listed = await run(variables, *named, "list")
    assert ISSUER in listed.out
    assert (await run(variables, *named, "remove", "mail")).code == 0
    gone = await run(variables, *named, "remove", "mail", "--json")
    assert gone.err.rstrip().endswith("[signal_stream_not_found]")
    http = ["--issuer", ISSUER, "--audience", "us", "--jwks", "http://10.0.0.1/keys"]
    private = await run(variables, *named, "add", "mail", *http)
    assert private.err.rstrip().endswith("[webhook_url_refused]")
