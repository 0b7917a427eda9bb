"""Turns of a carrier: what is not taken waits, and nothing is lost, doubled or held up."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from datetime import timedelta
from typing import cast

import pytest
from msgspec.structs import replace
from support.mail_server import MailServer, mail_server
from support.mails import OUR_HOST, settings_for
from support.postgres import TestDatabase
from support.stores import (
    ENTROPY,
    Customer,
    FixedPolicies,
    SteerableClock,
    freezing,
    new_action,
    open_store,
    opened,
    withdrawal,
)

from twinlock.adapters.keyring.ring import Keyring
from twinlock.adapters.keyring.signing import KeyringSigner
from twinlock.adapters.mail.sending import SmtpMail
from twinlock.adapters.sql.deliveries import SqlDeliveries
from twinlock.adapters.sql.outbox import Outbox
from twinlock.adapters.sql.store import SqlStore
from twinlock.domain.account import Account
from twinlock.domain.bounds import NOTICE_LIFETIME
from twinlock.domain.channels import ChannelKind
from twinlock.domain.deliveries import Fate, Fault
from twinlock.domain.errors import SealBrokenError
from twinlock.domain.letters import Letter
from twinlock.domain.notices import NoticeKind
from twinlock.domain.parcels import CarrierName, Claimed, Owed, Slip, slips
from twinlock.ports import Outgoing
from twinlock.ports.notices import Carrier, DeliveryShelf
from twinlock.services.notices.reporting import NoticeUnknownError, Reporting
from twinlock.services.notices.sending import TURN_SECONDS, Post, Sending
from twinlock.services.notices.telling import Telling

CHANNEL = "alice@example.com"
MANY = 6


@dataclass
class Scripted:
    """A carrier that answers as a test says, then takes everything."""

    fates: list[Fate] = field(default_factory=list)
    lanes: int = 2
    took: list[Letter] = field(default_factory=list)
    hangs: asyncio.Event | None = None

    async def send(self, letter: Letter) -> Fate:
        if self.hangs is not None:
            await self.hangs.wait()
        fate = self.fates.pop(0) if self.fates else Fate()
        if fate.fault is None:
            self.took.append(letter)
        return fate


@dataclass
class Told:
    """What operators are told."""

    tries: list[Fault | None] = field(default_factory=list)
    given_up: list[Fault] = field(default_factory=list)
    defects: list[str] = field(default_factory=list)

    def tried(self, carrier: CarrierName, name: str, fate: Fate) -> None:
        assert (carrier, name[:4]) == (CarrierName.MAIL, "ntc_")
        self.tries.append(fate.fault)

    def gave_up(self, carrier: CarrierName, name: str, fault: Fault, *, defect: str = "") -> None:
        assert (carrier, name[:4]) == (CarrierName.MAIL, "ntc_")
        self.given_up.append(fault)
        self.defects.append(defect)


@dataclass
class Scene:
    """A customer with notices that were dealt out, and the sending of one process."""

    store: SqlStore
    clock: SteerableClock
    database: TestDatabase
    shelf: SqlDeliveries
    customer: Customer
    told: Told = field(default_factory=Told)
    seconds: float = 0.0

    def sending(self, carrier: Carrier, *, shelf: SqlDeliveries | None = None) -> Sending:
        return Sending(
            Post(name=CarrierName.MAIL, carrier=carrier),
            shelf=shelf or self.shelf,
            telling=Telling(self.store, origin="https://confirm.example"),
            report=self.told,
            entropy=ENTROPY,
            clock=self.clock,
            seconds=lambda: self.seconds,
        )

    async def waiting(self) -> int:
        found = await self.database.value("SELECT count(*) FROM delivery WHERE state = 'waiting'")
        return cast("int", found)

    async def dead(self) -> list[str]:
        return [one.fault for one in await self.shelf.listed(most=99)]


@pytest.fixture
async def scene(store: SqlStore, clock: SteerableClock, database: TestDatabase) -> Scene:
    customer = await opened(store, clock)
    await database.execute("DELETE FROM outbox")
    for _ in range(MANY):
        await store.run(withdrawal(customer, new_action(customer)))

    async def send(outgoing: Outgoing) -> tuple[Slip, ...]:
        return tuple([_to_mail(one) for one in by_mail(outgoing)])

    await Outbox(store).deliver(send, most=99)
    return Scene(store, clock, database, SqlDeliveries(store, entropy=ENTROPY), customer)


def owner_of(claimed: Claimed) -> Account:
    assert claimed.account is not None
    return claimed.account


def by_mail(outgoing: Outgoing) -> tuple[Slip, ...]:
    carriers = dict.fromkeys(ChannelKind, CarrierName.MAIL)
    return slips(outgoing.account, outgoing.notice, serial=outgoing.serial, carriers=carriers)


def _to_mail(slip: Slip) -> Slip:
    """Address the customer's channel by mail."""
    channel = replace(slip.parcel.channel, kind=ChannelKind.EMAIL, address=CHANNEL)
    return replace(slip, parcel=replace(slip.parcel, channel=channel))


async def test_what_is_due_is_sent_in_order_and_once(scene: Scene) -> None:
    carrier = Scripted()
    sending = scene.sending(carrier)

    assert await sending.turn() == MANY
    assert await sending.turn() == 0
    assert [one.kind.value for one in carrier.took] == ["left"] * MANY
    assert [one.at for one in carrier.took] == sorted(one.at for one in carrier.took)
    assert len({one.name for one in carrier.took}) == MANY
    assert await scene.waiting() == 0


async def test_a_message_that_is_not_taken_waits_and_holds_nobody_up(scene: Scene) -> None:
    carrier = Scripted([Fate(Fault.PUT_OFF, status=450)])
    sending = scene.sending(carrier)
    await sending.turn()

    assert len(carrier.took) == MANY - 1
    assert await scene.waiting() == 1
    assert await sending.turn() == 0
    scene.clock.at += timedelta(seconds=10)
    assert await sending.turn() == 1
    assert len({one.name for one in carrier.took}) == MANY


async def test_a_final_no_is_kept_as_dead_and_told(scene: Scene) -> None:
    carrier = Scripted([Fate(Fault.REFUSED, final=True, status=550)])
    await scene.sending(carrier).turn()

    assert await scene.dead() == ["refused"]
    assert scene.told.given_up == [Fault.REFUSED]
    assert len(carrier.took) == MANY - 1


@pytest.mark.requirement("O-35")
async def test_a_carrier_that_is_away_for_a_day_costs_no_message_anything(scene: Scene) -> None:
    """SMTP is down for a day: nothing is lost, and all leaves in the minute it is back."""
    away = Fate(Fault.UNREACHABLE, carrier=True)
    carrier = Scripted([away] * 10_000)
    sending = scene.sending(carrier)
    hours = 24
    asked = 0
    for _ in range(hours * 60):
        scene.seconds += 60
        scene.clock.at += timedelta(minutes=1)
        asked += await sending.turn()
    carrier.fates.clear()
    for _ in range(4):
        scene.seconds += 73
        await sending.turn()

    assert asked <= hours * 60 + MANY
    assert len({one.name for one in carrier.took}) == len(carrier.took) == MANY
    assert (await scene.waiting(), await scene.dead()) == (0, [])


async def test_a_carrier_that_is_away_is_asked_with_one_message_and_rests(scene: Scene) -> None:
    carrier = Scripted([Fate(Fault.UNREACHABLE, carrier=True)] * 2, lanes=1)
    sending = scene.sending(carrier)
    first = await sending.turn()
    resting = await sending.turn()
    scene.seconds += 2
    second = await sending.turn()
    scene.seconds += 3
    third, fourth = await sending.turn(), await sending.turn()

    assert (first, resting, second, third, fourth) == (MANY, 0, 1, 1, MANY - 1)
    assert len(scene.told.tries) == 2 + MANY


async def test_what_is_too_old_is_dead_and_not_sent(scene: Scene) -> None:
    scene.clock.at += NOTICE_LIFETIME + timedelta(days=1)
    carrier = Scripted()
    await scene.sending(carrier).turn()

    assert carrier.took == []
    assert await scene.dead() == ["outdated"] * MANY


async def test_a_code_that_is_too_old_is_of_no_use_to_anybody(scene: Scene) -> None:
    await scene.database.execute("DELETE FROM delivery")
    await scene.store.run(withdrawal(scene.customer, new_action(scene.customer)))

    async def send(outgoing: Outgoing) -> tuple[Slip, ...]:
        code = replace(outgoing.notice, kind=NoticeKind.CODE, code="123456")
        return by_mail(replace(outgoing, notice=code))

    await Outbox(scene.store).deliver(send, most=9)
    scene.clock.at += timedelta(hours=1)
    carrier = Scripted()
    await scene.sending(carrier).turn()

    assert scene.told.given_up == [Fault.OUTDATED]
    assert (carrier.took, await scene.dead(), await scene.waiting()) == ([], [], 0)


async def test_no_attempt_is_begun_after_a_turn_is_over(scene: Scene) -> None:
    """Prevents: a message that is still being sent when another process may claim it."""
    carrier = Scripted(lanes=1)

    class Slow(Scripted):
        async def send(self, letter: Letter) -> Fate:
            scene.seconds += TURN_SECONDS
            return await carrier.send(letter)

    assert await scene.sending(Slow(lanes=1)).turn() == MANY
    assert len(carrier.took) == 1
    assert await scene.waiting() == MANY - 1
    assert await scene.sending(carrier).turn() == MANY - 1


async def test_a_message_that_cannot_be_made_is_dead_and_the_next_goes_out(scene: Scene) -> None:
    """Prevents: one message that nobody can write, behind which its channel hears nothing."""

    class Picky(Scripted):
        async def send(self, letter: Letter) -> Fate:
            if not self.took:
                self.took.append(letter)
                "\ud800".encode()
            return await super().send(letter)

    carrier = Picky(lanes=1)
    await scene.sending(carrier).turn()

    assert await scene.dead() == ["broken"]
    assert (scene.told.given_up, scene.told.defects) == ([Fault.BROKEN], ["UnicodeEncodeError"])
    assert len({one.name for one in carrier.took}) == MANY
    assert await scene.waiting() == 0


async def test_what_tells_of_something_that_does_not_open_is_dead(scene: Scene) -> None:
    """Prevents: whoever edits one row, and keeps a carrier at it for ever."""
    await scene.database.execute(
        "UPDATE stream SET box = 'x' WHERE kind = 'account' AND subject = $1",
        scene.customer.account_id,
    )
    carrier = Scripted()
    await scene.sending(carrier).turn()

    assert await scene.dead() == ["broken"] * MANY
    assert scene.told.defects == ["InvariantError"] * MANY
    assert carrier.took == []


async def test_what_tells_of_a_closed_action_that_does_not_open_is_dead(scene: Scene) -> None:
    await scene.database.execute("DELETE FROM delivery")
    await scene.store.run(freezing(scene.customer, new_action(scene.customer)))

    async def send(outgoing: Outgoing) -> tuple[Slip, ...]:
        return tuple([_to_mail(one) for one in by_mail(outgoing)])

    await Outbox(scene.store).deliver(send, most=9)
    dealt = await scene.waiting()
    await scene.database.execute("UPDATE stream SET box = 'x' WHERE kind = 'action'")
    carrier = Scripted()
    await scene.sending(carrier).turn()

    assert dealt > 0
    assert (await scene.dead(), carrier.took) == (["broken"] * dealt, [])


async def test_a_carrier_that_breaks_gives_the_rest_back(scene: Scene) -> None:
    class Broken(Scripted):
        async def send(self, letter: Letter) -> Fate:
            raise EOFError

    with pytest.raises(EOFError):
        await scene.sending(Broken()).turn()
    carrier = Scripted()
    assert await scene.sending(carrier).turn() == 0  # The one in hand waits for its claim.
    await scene.database.execute("UPDATE delivery SET claimed_until = NULL")
    await scene.sending(carrier).turn()
    assert len(carrier.took) == MANY


async def test_of_whoever_was_erased_nothing_is_sent(scene: Scene) -> None:
    carrier = Scripted()
    sending = scene.sending(carrier)
    async with scene.database.owner() as owner:
        await owner.execute(
            "DELETE FROM twinlock.stream WHERE kind = 'account' AND subject = $1",
            scene.customer.account_id,
        )
    await sending.turn()

    assert (carrier.took, scene.told.tries) == ([], [])


# --- On a real mail server ---


@pytest.fixture
async def mailer() -> AsyncIterator[MailServer]:
    async with mail_server() as running:
        yield running


async def test_two_processes_send_each_notice_once(
    scene: Scene, mailer: MailServer, database: TestDatabase, keyring: Keyring
) -> None:
    """Prevents: two processes that deliver one notice."""
    async with open_store(database.app_dsn, keyring, scene.clock) as second:
        mails = [SmtpMail(settings_for(mailer), host=OUR_HOST) for _ in range(2)]
        shelves = (scene.shelf, SqlDeliveries(second, entropy=ENTROPY))
        sendings = [
            scene.sending(mail, shelf=shelf) for mail, shelf in zip(mails, shelves, strict=True)
        ]
        for _ in range(3):
            await asyncio.gather(*(one.turn() for one in sendings))
        for mail in mails:
            await mail.close()

    ids = [one.message["Message-ID"] for one in mailer.mails]
    assert len(ids) == len(set(ids)) == MANY
    assert {one.to for one in mailer.mails} == {(CHANNEL,)}


async def test_who_is_killed_between_sending_and_noting_leaves_the_same_message(
    scene: Scene, mailer: MailServer
) -> None:
    """At least once, and known as one: the second has the same Message-ID and the same bytes."""

    class Killed(SqlDeliveries):
        async def handed(self, *_: object, **__: object) -> None:
            raise ConnectionResetError

    mail = SmtpMail(settings_for(mailer), host=OUR_HOST)
    with pytest.raises(ConnectionResetError):
        await scene.sending(mail, shelf=Killed(scene.store, entropy=ENTROPY)).turn()
    sent = len(mailer.mails)
    await scene.database.execute("UPDATE delivery SET claimed_until = NULL")
    await scene.sending(mail).turn()
    await mail.close()

    assert sent == 1
    assert len(mailer.mails) == MANY + 1
    assert len({one.message["Message-ID"] for one in mailer.mails}) == MANY
    assert len({one.data for one in mailer.mails}) == MANY


# --- What is told, and what becomes of whom nobody knows any more ---


async def test_of_what_nobody_knows_there_is_no_link(scene: Scene) -> None:
    (claimed, *_) = await scene.shelf.claim(CarrierName.MAIL, now=scene.clock.now(), most=1)
    telling = Telling(scene.store, origin="https://confirm.example")
    named = claimed.parcel.notice.action_id
    unknown = named[:-4] + "aaaa"
    freezes = []
    for about in (named, unknown, ""):
        notice = replace(claimed.parcel.notice, action_id=about)
        parcel = replace(claimed.parcel, notice=notice)
        letter = await telling.letter(owner_of(claimed), parcel, name="ntc_1")
        freezes.append(bool(letter.freeze))
        assert letter.link == ""

    assert freezes == [True, False, False]


async def test_a_notice_as_each_channel_gets_it(scene: Scene) -> None:
    (claimed, *_) = await scene.shelf.claim(CarrierName.MAIL, now=scene.clock.now(), most=1)
    telling = Telling(scene.store, origin="https://confirm.example")
    account = owner_of(claimed)
    outgoing = Outgoing(outbox_id=7, account=account, notice=claimed.parcel.notice)
    letters = await telling.letters(outgoing)

    assert [one.name for one in letters] == [f"000000000007-{claimed.lane}"]


async def test_of_whoever_was_erased_nothing_is_noted(scene: Scene, keyring: Keyring) -> None:
    await scene.database.execute(
        "UPDATE delivery SET owes = true, state = 'handed', ended_at = clock_timestamp()"
    )
    async with scene.database.owner() as owner:
        await owner.execute(
            "DELETE FROM twinlock.stream WHERE kind = 'account' AND subject = $1",
            scene.customer.account_id,
        )
    signer = KeyringSigner(keyring, log_origin="log.example/twinlock")
    reporting = Reporting(scene.store, policies=FixedPolicies(scene.clock, signer))

    assert await reporting.settle(scene.shelf) == MANY
    assert await reporting.settle(scene.shelf) == 0


@dataclass
class Owing:
    """A shelf of messages whose end is to be noted. A port's double."""

    owes: tuple[Owed, ...]
    was_paid: list[Owed] = field(default_factory=list)

    async def owed(self, *, most: int) -> tuple[Owed, ...]:
        return self.owes[:most]

    async def paid(self, owed: Owed) -> None:
        self.was_paid.append(owed)


async def test_beside_an_account_that_does_not_open_others_are_noted(
    scene: Scene, keyring: Keyring
) -> None:
    await scene.database.execute(
        "UPDATE delivery SET owes = true, state = 'dead', ended_at = clock_timestamp()"
    )
    (one, *_) = await scene.shelf.owed(most=1)
    mallory = await opened(scene.store, scene.clock)
    async with scene.database.owner() as owner:
        await owner.execute(
            "UPDATE twinlock.stream SET box = '\\x00' WHERE kind = 'account' AND subject = $1",
            mallory.account_id,
        )
    shelf = Owing((replace(one, account_id=mallory.account_id), one))
    signer = KeyringSigner(keyring, log_origin="log.example/twinlock")
    reporting = Reporting(scene.store, policies=FixedPolicies(scene.clock, signer))

    with pytest.raises(SealBrokenError):
        await reporting.settle(cast("DeliveryShelf", shelf))
    assert shelf.was_paid == [one]


async def test_word_of_what_does_not_wait_is_noted_of_the_message_alone(
    scene: Scene, keyring: Keyring
) -> None:
    """What has left already waits for nobody; and of a name that nobody gave nothing is taken."""
    await scene.database.execute(
        "UPDATE delivery SET carrier = 'sms', state = 'handed', ended_at = clock_timestamp()"
    )
    signer = KeyringSigner(keyring, log_origin="log.example/twinlock")
    reporting = Reporting(scene.store, policies=FixedPolicies(scene.clock, signer))
    names = [row["name"] for row in await scene.database.fetch("SELECT name FROM delivery")]

    for name in names:
        await reporting.tell(scene.shelf, name, arrived=True)
    with pytest.raises(NoticeUnknownError):
        await reporting.tell(scene.shelf, "ntc_of_nobody", arrived=True)
    assert await scene.database.value("SELECT count(*) FROM delivery") == 0
