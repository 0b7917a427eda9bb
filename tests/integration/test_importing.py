"""Customers of an older system move in: what they can do on the first day, and what they cannot."""

import asyncio
from collections.abc import Mapping, Sequence
from typing import Any, cast

import pytest
from support.imports import (
    ADDRESS,
    BCRYPT,
    OLD_PASSWORD,
    SEED,
    SOURCE,
    a_row,
    an_old_passkey,
    base32,
    importing_into,
    lines,
    named,
)
from support.postgres import TestDatabase
from support.service import Customer, Service

from twinlock.client import ProblemError
from twinlock.domain.answers import Answered
from twinlock.domain.authenticators.model import Password
from twinlock.domain.canonical import b64url
from twinlock.domain.errors import AccountUnknownError, TwinlockError, UnavailableError
from twinlock.domain.ids import AccountId
from twinlock.domain.importing.faults import RowFault
from twinlock.ports import Committed, Store, Work
from twinlock.ports.importing import Arrivals
from twinlock.proofs import totp
from twinlock.range.authenticator import SoftwareAuthenticator
from twinlock.services.importing.admitting import Outcome


async def taken(
    service: Service,
    *rows: dict[str, Any],
    dry: bool = False,
    resumed: bool = False,
    source: str = SOURCE,
) -> list[Outcome]:
    importing = importing_into(service, source)
    return await importing.take(lines(*rows), dry=dry, resumed=resumed)


async def moved_in(service: Service, **more: object) -> Customer:
    """Import alice, and return her as she acts over the API."""
    (outcome,) = await taken(service, a_row("alice", **more))
    assert outcome.fault is None
    alice = Customer(service, "alice")
    alice.account_id = outcome.account_id
    return alice


async def verifier(service: Service, alice: Customer) -> str:
    account = await service.api.store.account(AccountId(alice.account_id))
    (bound,) = (one for one in account.authenticators if isinstance(one, Password))
    return bound.verifier


async def test_an_older_password_signs_in_and_is_our_own_hash_from_then_on(
    service: Service,
) -> None:
    alice = await moved_in(service, totp=[{"seed": base32(SEED)}])
    before = await service.api.store.account(AccountId(alice.account_id))
    assert await verifier(service, alice) == BCRYPT
    service.clock.forward(minutes=5)
    started = await alice.start()

    with pytest.raises(ProblemError) as wrong:
        await alice.with_secret(started.action_id, "password", OLD_PASSWORD + "x")
    assert wrong.value.fault == "password_wrong"
    assert await verifier(service, alice) == BCRYPT
    await alice.with_secret(started.action_id, "password", OLD_PASSWORD)
    assert (await verifier(service, alice)).startswith("$argon2id$")
    code = totp.hotp(SEED, totp.step_at(service.clock.at))
    signed_in = await alice.with_secret(started.action_id, "totp", code)
    assert (signed_in.state, signed_in.answer.value) == ("done", "allow")

    after = await service.api.store.account(AccountId(alice.account_id))
    then, now = before.authenticators[0], after.authenticators[0]
    assert (then.bound_at, then.entry, then.authenticator_id) == (
        now.bound_at,
        now.entry,
        now.authenticator_id,
    )
    again = await alice.start()
    await alice.with_secret(again.action_id, "password", OLD_PASSWORD)


async def test_what_was_imported_is_told_as_that(service: Service) -> None:
    alice = await moved_in(
        service,
        totp=[{"seed": base32(SEED)}],
        phones=["+1 555 0100"],
        destinations=[{"network": "ethereum", "address": ADDRESS, "label": "old"}],
    )
    seen = await service.client.account(alice.account_id)
    (listed,) = await service.client.destinations(alice.account_id)

    assert seen["imported_from"] == SOURCE
    assert seen["enrolling_until"] is None
    assert [one["imported"] for one in seen["authenticators"]] == [True, True]
    assert [one["imported"] for one in seen["channels"]] == [True, True]
    assert (seen["floor"], listed["added_by"], listed["proved_by"]) == ("possession", "", [])
    assert listed["usable_at"] is None


async def test_nobody_is_written_to_because_he_was_moved_in(service: Service) -> None:
    await moved_in(service, destinations=[{"network": "ethereum", "address": ADDRESS}])

    assert await service.waiting_letters() == 0


async def test_nothing_is_bound_without_a_proof_because_the_account_is_new(
    service: Service,
) -> None:
    alice = await moved_in(service)
    asked = await alice.bind_totp()

    assert (asked.answer.value, asked.state) == ("hold", "open")
    assert "proof_needed" in [why.code.value for why in asked.why]


async def test_a_code_of_before_the_import_is_not_good_after_it(service: Service) -> None:
    """Prevents: a code that the older system was just shown, shown here once more."""
    alice = await moved_in(service, totp=[{"seed": base32(SEED)}])
    started = await alice.start()
    code = totp.hotp(SEED, totp.step_at(service.clock.at))

    with pytest.raises(ProblemError) as replayed:
        await alice.with_secret(started.action_id, "totp", code)
    assert replayed.value.fault == "code_replayed"


async def with_an_old_passkey(service: Service) -> tuple[Customer, SoftwareAuthenticator]:
    """Import alice with nothing but a passkey of an older site; return her, and her new one."""
    old = SoftwareAuthenticator(b"the old one".ljust(32), synced=True)
    key = an_old_passkey(old, service.settings.rp_id) | {"backup_eligible": True, "backed_up": True}
    alice = await moved_in(service, passkeys=[key])
    own, alice.passkey = alice.passkey, old
    return alice, own


async def bind_successor(alice: Customer, own: SoftwareAuthenticator) -> Answered:
    """Bind ``own`` with the passkey that alice has."""
    offered = await alice.client.offer(alice.account_id, "passkey")
    draft = {
        "authenticator": "passkey",
        "candidate_id": offered["candidate_id"],
        "response": own.create(alice.ceremony(offered["challenge"])),
    }
    bound = await alice.propose("authenticator.bind", draft)
    return await alice.with_passkey(bound.action_id)


async def test_an_old_passkey_opens_a_session_that_looks_and_consents_to_nothing(
    service: Service,
) -> None:
    alice, _ = await with_an_old_passkey(service)
    looked = await alice.sign_in()
    exits = await alice.propose("withdrawal.crypto", alice.withdrawal())
    with pytest.raises(ProblemError) as refused:
        await alice.with_passkey(exits.action_id)

    assert (looked.answer.value, bool(looked.session_id)) == ("read_only", True)
    assert "successor_needed" in [why.code.value for why in exits.why]
    assert refused.value.fault == "imported"


async def test_an_old_passkey_binds_its_successor_which_waits_for_three_days(
    service: Service,
) -> None:
    alice, own = await with_an_old_passkey(service)
    waits = await bind_successor(alice, own)
    assert waits.answer.value == "hold"
    assert "successor_waits" in [why.code.value for why in waits.why]

    alice.passkey = own
    service.clock.forward(hours=71)
    with pytest.raises(ProblemError):
        await alice.sign_in()
    service.clock.forward(hours=1)
    assert (await alice.sign_in()).answer.value == "allow"


async def test_an_old_passkey_is_not_asked_for_once_there_is_a_successor(service: Service) -> None:
    alice, own = await with_an_old_passkey(service)
    old = alice.passkey
    await bind_successor(alice, own)
    service.clock.forward(hours=72)
    started = await alice.start()
    asked = await alice.client.ask(started.action_id, {"factor": "passkey"})
    options = asked["options"]
    reply = {
        "factor": "passkey",
        "challenge_id": asked["challenge_id"],
        "response": old.get(alice.ceremony(options["challenge"])),
    }

    assert [one["id"] for one in options["allowCredentials"]] == [b64url(own.credential_id)]
    with pytest.raises(ProblemError) as late:
        await alice.client.prove(started.action_id, reply)
    assert late.value.fault == "imported"


async def test_a_row_is_taken_once_whoever_brings_it(service: Service) -> None:
    row = a_row("alice")
    (first,) = await taken(service, row)
    (again,) = await taken(service, row)
    (resumed,) = await taken(service, row, resumed=True)
    (other,) = await taken(service, row, resumed=True, source="o" * 43)

    assert (first.fault, first.account_id) == (None, named(service, "alice"))
    assert again.fault is RowFault.ACCOUNT_EXISTS
    assert (resumed.fault, resumed.done_before) == (None, True)
    assert other.fault is RowFault.ACCOUNT_EXISTS


async def test_an_account_that_does_not_open_is_there_and_keeps_nobody_out(
    service: Service, database: TestDatabase
) -> None:
    await taken(service, a_row("alice"))
    async with database.owner() as owner:
        await owner.execute("UPDATE twinlock.stream SET box = '\\x00' WHERE kind = 'account'")
    both = await taken(service, a_row("alice"), a_row("bob"), resumed=True)

    assert [one.fault for one in both] == [RowFault.ACCOUNT_EXISTS, None]


async def test_two_imports_at_once_make_one_account_each(
    service: Service, database: TestDatabase
) -> None:
    rows = [a_row(f"customer-{number}") for number in range(40)]
    both = await asyncio.gather(taken(service, *rows), taken(service, *rows[::-1]))

    faults = [one.fault for outcomes in both for one in outcomes]
    assert faults.count(None) == len(rows)
    assert faults.count(RowFault.ACCOUNT_EXISTS) == len(rows)
    assert await database.value("SELECT count(*) FROM stream WHERE kind = 'account'") == len(rows)


async def test_two_that_go_on_with_one_file_at_once_refuse_nothing(service: Service) -> None:
    rows = [a_row(f"customer-{number}") for number in range(40)]
    both = await asyncio.gather(*(taken(service, *rows, resumed=True) for _ in range(2)))

    outcomes = [one for each in both for one in each]
    assert {one.fault for one in outcomes} == {None}
    assert sum(one.done_before for one in outcomes) == len(rows)
    assert {one.account_id for one in both[0]} == {one.account_id for one in both[1]}


async def test_a_dry_run_finds_what_the_run_finds_and_writes_nothing(
    service: Service, database: TestDatabase
) -> None:
    await taken(service, a_row("there"))
    long = [{"network": "ethereum", "address": f"0x1{n:038x}1"} for n in range(100)]
    keys = [SoftwareAuthenticator(bytes([n]).ljust(32)) for n in range(7)]
    passkeys = [
        an_old_passkey(key, service.settings.rp_id)
        | {"credential_id": b64url(key.credential_id * 12), "name": "n" * 64}
        for key in keys
    ]
    wide = {"destinations": long, "passkeys": passkeys, "phones": ["+15550100"]}
    rows = [
        a_row("good", totp=[{"seed": base32(SEED)}]),
        a_row("there"),
        a_row("good"),
        a_row("twice", totp=[{"seed": base32(SEED)}]),
        a_row("lost", emails=[]),
        a_row("wide", **wide),
    ]
    before = await database.value("SELECT size FROM head")
    dry = await taken(service, *rows, dry=True)
    assert await database.value("SELECT size FROM head") == before
    real = await taken(service, *rows)

    assert [one.fault for one in dry] == [one.fault for one in real]
    assert [one.fault for one in real] == [
        None,
        RowFault.ACCOUNT_EXISTS,
        RowFault.REFERENCE_TWICE,
        RowFault.TOTP_TWICE,
        RowFault.CHANNEL_MISSING,
        RowFault.ACCOUNT_TOO_LARGE,
    ]


async def test_whoever_was_erased_is_not_moved_in_again(
    service: Service, database: TestDatabase
) -> None:
    """The mark of an erasure is all that is left of an account, and its name is given to nobody."""
    mark = "INSERT INTO erased VALUES ($1, 0, 1, $2, $3)"
    await database.execute(mark, named(service, "alice"), bytes(32), bytes(40))
    (looked,) = await taken(service, a_row("alice"))
    importing = importing_into(service)
    importing._arrivals = Blind()  # noqa: SLF001 - as if it were erased at this very moment
    (raced,) = await importing.take(lines(a_row("alice")), dry=False, resumed=False)

    assert looked.fault is raced.fault is RowFault.ACCOUNT_ERASED


class Blind:
    """Somebody who sees nothing of what is there. Implements ``Arrivals``."""

    async def standing(self, named: Sequence[AccountId]) -> Mapping[AccountId, str | None]:
        """Return nothing."""
        return {}


async def test_who_opens_the_account_meanwhile_is_found_under_the_lock(service: Service) -> None:
    await taken(service, a_row("alice"))
    importing = importing_into(service)
    importing._arrivals = Blind()  # noqa: SLF001 - a fault put in
    (raced,) = await importing.take(lines(a_row("alice")), dry=False, resumed=True)

    assert raced.fault is RowFault.ACCOUNT_EXISTS


class Unsteady:
    """A store that says nothing of so many answers; every second was committed, or none."""

    def __init__(
        self, store: Store, *, silent: int, error: type[TwinlockError], commits: bool = True
    ) -> None:
        self._store, self._silent, self._error = store, silent, error
        self._commits = commits

    async def run(self, work: Work) -> Committed:
        """Run ``work``, or not, and say nothing of it."""
        if not self._silent:
            return await self._store.run(work)
        self._silent -= 1
        if self._commits and self._silent % 2:
            await self._store.run(work)
        raise self._error("nobody knows")


async def test_what_a_busy_store_says_nothing_of_is_asked_again_and_taken_once(
    service: Service, database: TestDatabase
) -> None:
    importing = importing_into(service)
    unsteady = Unsteady(service.api.store, silent=30, error=UnavailableError)
    importing._store = cast("Store", unsteady)  # noqa: SLF001 - a store in its worst hour
    rows = lines(*(a_row(f"customer-{number}") for number in range(1, 21)))
    outcomes = await importing.take(rows, dry=False, resumed=False)

    assert [(one.line, one.fault) for one in outcomes] == [(number, None) for number, _ in rows]
    assert await database.value("SELECT size FROM head") == len(rows)


class SlowToSee:
    """Somebody who sees nothing the first times. Implements ``Arrivals``."""

    def __init__(self, arrivals: Arrivals, *, blind: int) -> None:
        self._arrivals, self._blind = arrivals, blind

    async def standing(self, named: Sequence[AccountId]) -> Mapping[AccountId, str | None]:
        """Return nothing so many times, and then what there is."""
        self._blind -= 1
        return {} if self._blind >= 0 else await self._arrivals.standing(named)


async def test_a_resumed_run_takes_as_done_what_the_first_one_commits_beside_it(
    service: Service,
) -> None:
    """An operator whose terminal went away goes on with a file that the first run still reads."""
    rows = [a_row("alice"), a_row("bob")]
    first = await taken(service, *rows)
    importing = importing_into(service)
    late = SlowToSee(importing._arrivals, blind=1)  # noqa: SLF001 - it looks before they commit
    importing._arrivals = late  # noqa: SLF001 - the same
    second = await importing.take(lines(*rows), dry=False, resumed=True)

    assert [one.fault for one in second] == [None, None]
    assert [one.done_before for one in (*first, *second)] == [False, False, True, True]


async def test_what_is_committed_when_it_is_asked_again_was_taken_by_this_run(
    service: Service,
) -> None:
    """The answer came late: the commit was not there when it was looked for."""
    importing = importing_into(service)
    unsteady = Unsteady(service.api.store, silent=2, error=UnavailableError)
    importing._store = cast("Store", unsteady)  # noqa: SLF001 - a store in its worst hour
    late = SlowToSee(importing._arrivals, blind=2)  # noqa: SLF001 - the same
    importing._arrivals = late  # noqa: SLF001 - the same
    rows = lines(a_row("alice"), a_row("bob"))
    outcomes = await importing.take(rows, dry=False, resumed=False)

    assert [(one.fault, one.done_before) for one in outcomes] == [(None, False)] * 2


@pytest.mark.parametrize("error", [UnavailableError, AccountUnknownError])
async def test_a_store_that_never_answers_ends_the_import(
    service: Service, error: type[TwinlockError]
) -> None:
    importing = importing_into(service)
    dead = Unsteady(service.api.store, silent=10**6, error=error, commits=False)
    importing._store = cast("Store", dead)  # noqa: SLF001 - a fault put in

    with pytest.raises(error):
        await importing.take(lines(a_row("alice")), dry=False, resumed=False)
