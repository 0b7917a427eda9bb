"""The whole service sends notices: by mail and by webhook, beside each other, and notes it."""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import cast

import pytest
from prometheus_client import generate_latest
from support.mail_server import MailServer, mail_server
from support.postgres import TestDatabase
from support.receivers import Receiver, receiving, status
from support.service import ADDRESS, Customer, Service, serving
from support.until import asked_until, until

from twinlock.adapters.settings import load as load_settings
from twinlock.bootstrap.keys import make_keyring
from twinlock.bootstrap.webhooks import open_webhooks
from twinlock.bootstrap.world import World, prepare
from twinlock.domain.account import Account
from twinlock.domain.deliveries import Outcome
from twinlock.domain.ids import AccountId


@dataclass
class Scene:
    """A service with a mail server, and a provider that carries SMS."""

    service: Service
    world: World
    mailer: MailServer
    provider: Receiver

    async def customer(self, *channels: str) -> Customer:
        made = Customer(self.service, "alice")
        await made.set_up(*channels)
        return made

    async def account(self, customer: Customer) -> Account:
        return await self.service.api.store.account(AccountId(customer.account_id))

    async def outcomes(self, customer: Customer) -> dict[str, Outcome]:
        """Return what the account knows of word of its only change that waits."""
        account = await self.account(customer)
        kinds = {one.channel_id: one.kind.value for one in account.channels}
        return {
            kinds[channel]: told.outcome
            for action in account.actions
            for channel, told in action.told.items()
        }


@pytest.fixture
async def scene(database: TestDatabase, tmp_path: Path) -> AsyncIterator[Scene]:
    async with mail_server() as mailer, receiving() as provider:
        settings = load_settings(
            {
                "TWINLOCK_DATABASE_URL": database.app_dsn,
                "TWINLOCK_DATA_DIR": str(tmp_path / "data"),
                "TWINLOCK_KEYRING_DIR": str(tmp_path / "keys" / "ring"),
                "TWINLOCK_SMTP_SERVER": mailer.server,
                "TWINLOCK_SMTP_TLS": "plain-loopback",
                "TWINLOCK_MAIL_FROM": "Example <no-reply@confirm.example>",
                "TWINLOCK_WEBHOOK_PLAIN_LOOPBACK": "yes",
            },
            as_root=False,
        )
        make_keyring(settings)
        world = await prepare(settings)
        async with open_webhooks(world) as webhooks:
            await webhooks.add(provider.url(), patterns=("notice.sms",))

        async def waiting() -> int:
            return cast("int", await database.value("SELECT count(*) FROM outbox"))

        async with serving(world, waiting_letters=waiting) as service:
            yield Scene(service, world, mailer, provider)


def about(mailer: MailServer, words: str) -> int:
    return sum(words in str(one.message["Subject"]) for one in mailer.mails)


@pytest.mark.requirement("O-04")
async def test_word_of_a_change_that_waits_goes_to_every_channel_and_the_account_knows(
    scene: Scene,
) -> None:
    alice = await scene.customer("email", "sms")
    await alice.add_destination()
    await until(lambda: about(scene.mailer, "Waiting: adding an address") == 1)
    await until(lambda: any(one.value["data"]["kind"] == "waiting" for one in scene.provider.got))
    told = await asked_until(lambda: scene.outcomes(alice), lambda found: len(found) == 2)

    assert told == {"email": Outcome.HANDED, "sms": Outcome.HANDED}
    assert not scene.world.settings.outbox_dir.exists()


async def test_a_provider_that_is_away_keeps_no_mail_waiting(scene: Scene) -> None:
    scene.provider.otherwise = status(503)
    alice = await scene.customer("email", "sms")
    await alice.add_destination()
    await until(lambda: about(scene.mailer, "Waiting: adding an address") == 1)
    told = await asked_until(lambda: scene.outcomes(alice), bool)

    assert told == {"email": Outcome.HANDED}


async def test_a_channel_that_nobody_carries_is_told_as_failed(scene: Scene) -> None:
    alice = await scene.customer("email", "desktop")
    added = await alice.propose(
        "destination.add", {"network": "ethereum", "address": ADDRESS, "label": "mine"}
    )
    await alice.with_passkey(added.action_id)
    told = await asked_until(lambda: scene.outcomes(alice), lambda found: len(found) == 2)
    text = generate_latest(scene.service.api.metrics.registry).decode()

    assert told == {"email": Outcome.HANDED, "desktop": Outcome.FAILED}
    assert 'twinlock_notice_attempts_total{carrier="none",result="no_carrier"}' in text
    assert 'twinlock_notice_attempts_total{carrier="mail",result="handed"}' in text


async def test_an_address_that_the_server_refuses_is_told_as_failed(scene: Scene) -> None:
    alice = await scene.customer("email", "sms")
    await until(lambda: len(scene.mailer.mails) > 0)
    scene.mailer.says["RCPT"] = ["550 nobody here"] * 5
    await alice.add_destination()
    told = await asked_until(lambda: scene.outcomes(alice), lambda found: len(found) == 2)

    assert told == {"email": Outcome.FAILED, "sms": Outcome.HANDED}
