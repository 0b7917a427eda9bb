"""The whole service sends notices: by mail and by webhook, beside each other, and notes it."""

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import cast

import httpx
import pytest
from prometheus_client import generate_latest
from standardwebhooks import Webhook
from support.mail_server import MailServer, mail_server
from support.postgres import TestDatabase
from support.receivers import Receiver, receiving, status
from support.service import ADDRESS, Customer, Service, serving
from support.until import asked_until, until

from twinlock.adapters.settings import load as load_settings
from twinlock.api.throttling import PAGE_BURST, REFUSED_BURST
from twinlock.bootstrap.keys import make_keyring
from twinlock.bootstrap.webhooks import open_webhooks
from twinlock.bootstrap.world import World, prepare
from twinlock.domain.account import Account
from twinlock.domain.deliveries import Outcome
from twinlock.domain.ids import AccountId
from twinlock.domain.wording import VERSION


@dataclass
class Scene:
    """A service with a mail server, and a provider that carries SMS."""

    service: Service
    world: World
    mailer: MailServer
    provider: Receiver
    webhook_id: str
    secret: str

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

    async def says(
        self, message: str, outcome: str, *, secret: str = "", at: float = 0.0
    ) -> httpx.Response:
        """Tell what became of a message, as the provider would."""
        body = json.dumps({"message_id": message, "outcome": outcome})
        when = self.service.clock.at + timedelta(seconds=at)
        headers = {
            "webhook-id": "cb_1",
            "webhook-timestamp": str(int(when.timestamp())),
            "webhook-signature": Webhook(secret or self.secret).sign("cb_1", when, body),
            "content-type": "application/json",
            "authorization": "",
        }
        path = f"/v1/notices/outcomes/{self.webhook_id}"
        return await self.service.http.post(path, content=body, headers=headers)


@asynccontextmanager
async def a_scene(
    database: TestDatabase,
    tmp_path: Path,
    *,
    sms_by: str = "",
    desktop: bool = False,
    reports: bool = False,
) -> AsyncIterator[Scene]:
    """Serve with a mail server and a provider of SMS, or with ``sms_by`` in its place."""
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
            shown = await webhooks.add(
                sms_by or provider.url(), patterns=("notice.sms",), reports=reports
            )
            if desktop:
                await webhooks.add(provider.url(), patterns=("notice.desktop",))

        async def waiting() -> int:
            return cast("int", await database.value("SELECT count(*) FROM outbox"))

        async with serving(world, waiting_letters=waiting) as service:
            yield Scene(service, world, mailer, provider, shown.webhook_id, shown.secret)


@pytest.fixture
async def scene(database: TestDatabase, tmp_path: Path) -> AsyncIterator[Scene]:
    async with a_scene(database, tmp_path) as made:
        yield made


def about(mailer: MailServer, words: str) -> int:
    return sum(words in str(one.message["Subject"]) for one in mailer.mails)


@pytest.mark.requirement("O-04")
@pytest.mark.requirement("N-B20")
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


async def test_an_sms_provider_that_is_away_keeps_no_program_waiting(
    database: TestDatabase, tmp_path: Path
) -> None:
    """Prevents: a day without SMS, in which the channel off the phone hears nothing either."""
    async with receiving() as gone:
        nowhere = gone.url()
    async with a_scene(database, tmp_path, sms_by=nowhere, desktop=True) as scene:
        alice = await scene.customer("sms", "desktop")
        added = await alice.propose(
            "destination.add", {"network": "ethereum", "address": ADDRESS, "label": "mine"}
        )
        await alice.with_passkey(added.action_id)
        told = await asked_until(lambda: scene.outcomes(alice), bool)

    assert told == {"desktop": Outcome.HANDED}


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


# --- What a provider says later ---


async def sms_of(scene: Scene, alice: Customer) -> str:
    """List an address; return the name of the SMS that tells that it waits."""
    await alice.add_destination()

    def waiting() -> list[str]:
        told = (one for one in scene.provider.got if one.value["data"]["kind"] == "waiting")
        return [one.message_id for one in told]

    await until(lambda: bool(waiting()))
    await asked_until(lambda: scene.outcomes(alice), lambda found: len(found) == 2)
    return waiting()[0]


async def test_a_provider_confirms_and_says_so_again_without_effect(scene: Scene) -> None:
    alice = await scene.customer("email", "sms")
    message = await sms_of(scene, alice)
    said = await scene.says(message, "delivered")
    outcomes = await scene.outcomes(alice)
    entries = (await scene.account(alice)).chain.entries
    again = await scene.says(message, "delivered")
    late = await scene.says(message, "failed")

    assert said.status_code == 204
    assert outcomes == {"email": Outcome.HANDED, "sms": Outcome.CONFIRMED}
    assert (again.status_code, late.status_code) == (404, 404)
    assert again.json()["code"] == "notice_not_found"
    assert (await scene.account(alice)).chain.entries == entries
    assert await scene.outcomes(alice) == outcomes


async def test_of_a_provider_that_reports_word_is_awaited_until_it_does(
    database: TestDatabase, tmp_path: Path
) -> None:
    async with a_scene(database, tmp_path, reports=True) as scene:
        alice = await scene.customer("email", "sms")
        message = await sms_of(scene, alice)
        silent = await scene.outcomes(alice)
        await scene.says(message, "delivered")
        heard = await scene.outcomes(alice)

    assert silent == {"email": Outcome.HANDED, "sms": Outcome.AWAITED}
    assert heard["sms"] is Outcome.CONFIRMED


async def test_a_provider_says_that_it_failed(scene: Scene) -> None:
    alice = await scene.customer("email", "sms")
    message = await sms_of(scene, alice)

    assert (await scene.says(message, "failed")).status_code == 204
    told = await asked_until(
        lambda: scene.outcomes(alice), lambda found: found["sms"] is Outcome.FAILED
    )
    assert told["email"] is Outcome.HANDED


@pytest.mark.parametrize(
    ("secret", "at", "status_code"),
    [
        ("whsec_" + "A" * 43 + "=", 0.0, 401),
        ("", -301.0, 401),  # It was signed too long ago: a copy of an older one.
        ("", 302.0, 401),
        ("", -290.0, 204),
    ],
)
async def test_what_the_provider_did_not_sign_just_now_confirms_nothing(
    scene: Scene, secret: str, at: float, status_code: int
) -> None:
    """Prevents: a thief who confirms the notices that he keeps from their owner."""
    alice = await scene.customer("email", "sms")
    message = await sms_of(scene, alice)
    said = await scene.says(message, "delivered", secret=secret, at=at)

    assert said.status_code == status_code
    confirmed = (await scene.outcomes(alice))["sms"] is Outcome.CONFIRMED
    assert confirmed is (status_code == 204)


async def test_malformed_words_of_a_provider_are_refused(scene: Scene) -> None:
    path = f"/v1/notices/outcomes/{scene.webhook_id}"
    bare = await scene.service.http.post(path, json={"message_id": "x", "outcome": "delivered"})
    nobody = await scene.service.http.post(
        "/v1/notices/outcomes/wh_x", json={"message_id": "x", "outcome": "delivered"}
    )
    strange = await scene.service.http.post(path, json={"message_id": "x", "outcome": "maybe"})
    unknown = await scene.says("ntc_" + "a" * 26, "delivered")
    broken = await scene.says("ntc_\0", "delivered")
    codes = [one.status_code for one in (bare, nobody, strange, unknown, broken)]

    assert codes == [401, 401, 400, 404, 404]


async def test_another_kind_s_provider_confirms_nothing(scene: Scene) -> None:
    """Prevents: whoever carries messages to programs, who vouches for an SMS."""
    alice = await scene.customer("email", "sms")
    message = await sms_of(scene, alice)
    async with open_webhooks(scene.world) as webhooks:
        other = await webhooks.add(scene.provider.url(), patterns=("notice.desktop", "*"))
    scene.webhook_id = other.webhook_id

    said = await scene.says(message, "delivered", secret=other.secret)

    assert (said.status_code, said.json()["code"]) == (404, "notice_not_found")


async def test_a_provider_tells_of_every_message_and_a_stranger_of_few(scene: Scene) -> None:
    """Prevents: word that an SMS failed, lost because a thousand arrived in the same minute."""
    said = [await scene.says("ntc_" + "a" * 26, "failed") for _ in range(int(PAGE_BURST) + 20)]
    forged = "whsec_" + "A" * 43 + "="
    strange = [
        await scene.says("ntc_" + "a" * 26, "failed", secret=forged)
        for _ in range(int(REFUSED_BURST) + 2)
    ]
    after = await scene.says("ntc_" + "a" * 26, "failed")

    assert {one.status_code for one in said} == {404}
    assert [one.status_code for one in strange[-2:]] == [429, 429]
    assert strange[0].status_code == 401
    assert after.status_code == 429  # From where the stranger asks nobody is heard.


# --- Looking them up ---


async def test_the_newest_notices_can_be_looked_up_without_link_and_code(scene: Scene) -> None:
    """Prevents: a platform's key that is worth a veto, a freeze or a code."""
    alice = await scene.customer("email", "sms")
    await alice.add_destination()
    await until(lambda: about(scene.mailer, "Waiting: adding an address") == 1)
    told = await alice.client.notices(alice.account_id)
    text = json.dumps(told)

    assert told[0]["subject"] == "Waiting: adding an address for withdrawals"
    assert told[0]["words"] == VERSION
    assert "/veto/" not in text
    assert "/freeze/" not in text
    assert [one["at"] for one in told] == sorted((one["at"] for one in told), reverse=True)
