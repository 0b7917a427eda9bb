"""Messages that were handed on long ago, put back into the outbox, do not go out again."""

from collections.abc import Iterator
from datetime import datetime, timedelta

import msgspec
import pytest
from structlog.testing import capture_logs
from support.postgres import TestDatabase
from support.service import Customer, Service
from support.stores import BEGINNING, account_of, new_customer

from twinlock.adapters.letters import InTime
from twinlock.bootstrap.world import World
from twinlock.domain.bounds import NOTICE_LIFETIME
from twinlock.domain.errors import ClockUntrustedError
from twinlock.domain.notices import Notice, NoticeKind
from twinlock.ports import Outgoing

# What a backup of the database may hold of the outbox, which is empty within a second.
BACKUP = """
CREATE TABLE twinlock.backup (subject text, serial text, box bytea);
CREATE FUNCTION twinlock.keep() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER AS $$ BEGIN
  INSERT INTO twinlock.backup VALUES (NEW.subject, NEW.serial, NEW.box); RETURN NULL;
END $$;
CREATE TRIGGER keep AFTER INSERT ON twinlock.outbox FOR EACH ROW EXECUTE FUNCTION twinlock.keep()
"""
PUT_BACK = "INSERT INTO outbox (subject, serial, box) SELECT subject, serial, box FROM backup"


def letters(world: World) -> Iterator[dict[str, object]]:
    for one in world.settings.outbox_dir.iterdir():
        yield msgspec.json.decode(one.read_bytes())


async def test_old_messages_that_are_put_back_do_not_go_out_again(
    service: Service, world: World, database: TestDatabase, alice: Customer
) -> None:
    """Prevents: a customer who is told today of what was over weeks ago, by our own hand."""
    await service.deliver()
    async with database.owner() as owner:
        await owner.execute(BACKUP)
    await alice.add_destination()
    await service.deliver()
    before = len(list(letters(world)))
    kept = await database.value("SELECT count(*) FROM backup")
    assert kept
    service.clock.forward(days=40)

    with capture_logs() as logged:
        await database.execute(PUT_BACK)
        await service.deliver()

    assert len(list(letters(world))) == before
    told = [one for one in logged if one["event"] == "notice_outdated"]
    assert len(told) == kept
    assert alice.account_id not in str(told)


class FixedClock:
    """A clock that stands, or that nobody can trust. Implements ``ports.Clock``."""

    def __init__(self, at: datetime | None) -> None:
        self.at = at

    def now(self, *, database_at: datetime | None) -> datetime:
        if self.at is None:
            raise ClockUntrustedError("the clock jumped")
        return self.at


OUTGOING = Outgoing(
    outbox_id=1,
    account=account_of(new_customer(), now=BEGINNING),
    notice=Notice(kind=NoticeKind.DONE, what="freeze.set", at=BEGINNING, channels=()),
)


async def test_a_message_that_waited_for_a_week_is_sent_and_an_older_one_is_counted() -> None:
    got: list[Outgoing] = []

    async def send(outgoing: Outgoing) -> None:
        got.append(outgoing)

    clock = FixedClock(BEGINNING + NOTICE_LIFETIME)
    in_time = InTime(send, clock=clock)
    await in_time.send(OUTGOING)
    assert (got, in_time.outdated) == ([OUTGOING], 0)

    clock.at = BEGINNING + NOTICE_LIFETIME + timedelta(milliseconds=1)
    await in_time.send(OUTGOING)
    assert (len(got), in_time.outdated) == (1, 1)


async def test_a_message_waits_while_nobody_can_say_how_old_it_is() -> None:
    async def send(_outgoing: Outgoing) -> None:
        raise AssertionError("it was sent")

    in_time = InTime(send, clock=FixedClock(None))
    with pytest.raises(ClockUntrustedError):
        await in_time.send(OUTGOING)
    assert in_time.outdated == 0
