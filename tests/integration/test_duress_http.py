"""Duress over HTTP: one customer is forced, another is picked by chance, and nobody can tell.

Both live the same life at the same times, over the API and on the pages. Whatever a robber could
read is compared byte for byte, but for names, places in the log and what is random; those are
compared in length. Only the security desk's endpoint knows.
"""

import json
import re
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any, cast

import httpx
import msgspec
import pytest
from support.browser import Web, letters
from support.hooks import Hooks, hooks_on, until
from support.postgres import TestDatabase
from support.receivers import Receiver, receiving
from support.service import Customer, Service
from support.store_audit import audit

from twinlock.adapters.settings import load as load_settings
from twinlock.adapters.sql.store import SqlStore
from twinlock.bootstrap.keys import make_keyring
from twinlock.bootstrap.world import World, prepare
from twinlock.client import ProblemError
from twinlock.domain.bounds import PICKED_HOLD
from twinlock.domain.canonical import tagged_hash
from twinlock.range.authenticator import SoftwareAuthenticator

SELDOM, ALWAYS = 99_999, 1
DESK = "http://127.0.0.1:9/desk"  # where nobody listens
OUTCOMES = 2  # Of one exit: that a proof is missing, and that it is held.
ABOVE_BUDGET = "700"
RANDOM = (
    (re.compile(r"\b(acc|act|aut|chl|chn|dst|mem|msg|ntc|ses|can)_[a-z2-7_]{26,}"), "name"),
    # A signature by ECDSA is 70 to 72 bytes, as it happens.
    (re.compile(r'(signature\\?": ?\\?")[A-Za-z0-9_-]+'), "one"),
    (re.compile(r"\b[A-Za-z0-9_-]{22,}\b"), "random"),
    (re.compile(r'("(?:index|entry|bound_entry)": ?)\d+'), "one"),
    (re.compile(r"\b(?:alice|carol)\b"), "person"),
    (re.compile(r"\btest-key-\d+\b"), "key"),
    (re.compile(r"0{6,}\d+(?=-)"), "row"),
    (re.compile(r'(?<="looks": ")[^"]+'), "tags"),
    (re.compile(r"\+1555\d+"), "number"),
)


@pytest.fixture
async def world(database: TestDatabase, tmp_path: Path) -> World:
    """An installation in which one proof in very many picks its account."""
    settings = load_settings(
        {
            "TWINLOCK_DATABASE_URL": database.app_dsn,
            "TWINLOCK_DATA_DIR": str(tmp_path / "data"),
            "TWINLOCK_KEYRING_DIR": str(tmp_path / "keys" / "ring"),
            "TWINLOCK_PICKED_ONE_IN": str(SELDOM),
            "TWINLOCK_WEBHOOK_PLAIN_LOOPBACK": "yes",
        },
        as_root=False,
    )
    make_keyring(settings)
    return await prepare(settings)


class Forced(Customer):
    """A customer with a second passkey, which may be for duress."""

    def __init__(self, service: Service, name: str) -> None:
        super().__init__(service, name)
        self.second = SoftwareAuthenticator(self._seed("second"))

    def withdrawal(self, amount: str = "10", **more: str) -> dict[str, Any]:
        """Send to a place of one's own, which nobody else sends to."""
        address = "0x" + tagged_hash("place/v1", self.name.encode())[:20].hex()
        return super().withdrawal(amount, **{"address": address, **more})

    async def bind_second(self, web: Web, *, forced: bool) -> httpx.Response:
        """Bind it, say on our page what it is for, and let its wait pass."""
        offered = await self.client.offer(self.account_id, "passkey")
        response = self.second.create(self.ceremony(offered["challenge"]))
        asked = {"authenticator": "passkey", "candidate_id": offered["candidate_id"]}
        bound = await self.propose("authenticator.bind", {**asked, "response": response})
        return await self.sign(web, bound.action_id, self.passkey, forced=forced)

    async def sign(
        self, web: Web, action_id: str, key: SoftwareAuthenticator, *, forced: bool = False
    ) -> httpx.Response:
        """Sign on the page as its script does."""
        asked = (await web.json(f"/confirm/{action_id}/challenge", {"factor": "passkey"})).json()
        response = key.get(self.ceremony(asked["options"]["challenge"]))
        signed = {"challenge_id": asked["challenge_id"], "response": response, "forced": forced}
        return await web.json(f"/confirm/{action_id}/assertion", signed)


@pytest.fixture
async def pair(service: Service, web: Web) -> tuple[Forced, Forced]:
    """Alice, who named her second passkey for duress, and Carol, who has one just so."""
    alice, carol = Forced(service, "alice"), Forced(service, "carol")
    desk = await hooks_of(service).use.add(DESK, patterns=("alarm.duress",))
    for one in (alice, carol):
        await one.set_up()
    for one in (alice, carol):
        where = {"network": "ethereum", "address": one.withdrawal()["address"]}
        await one.with_passkey((await one.propose("destination.add", where)).action_id)
        taken = await one.bind_second(web, forced=one is alice)
        assert taken.status_code == 200, taken.text
    await hooks_of(service).use.remove(desk.webhook_id)
    await service.deliver()  # Or what is not handed on by then is outdated, as it happens.
    service.clock.forward(days=31)
    for one in (alice, carol):
        await one.sign_in()
    return alice, carol


def masked(text: str) -> str:
    """Return ``text`` with every name and random thing as so many dashes, or as one."""
    text = text.replace("</span><wbr><span>", "")  # Within an address, so that it can be read.
    for pattern, kind in RANDOM:
        if kind == "one":
            text = pattern.sub(r"\1-", text)
        else:
            text = pattern.sub(lambda found: "-" * len(found[0]), text)
    return text


def same(first: httpx.Response, second: httpx.Response) -> None:
    assert first.status_code == second.status_code
    assert masked(first.text) == masked(second.text)
    kept = [
        {name: masked(value) for name, value in one.headers.items() if name != "content-length"}
        for one in (first, second)
    ]
    assert kept[0] == kept[1]


def by_whoever_acted_first(entry: dict[str, Any]) -> tuple[bool, int]:
    """Put last that messages were handed on, which is noted a moment later, as it happens."""
    reports = all(event["event"] == "notice.reported/1" for event in entry["events"])
    return reports, entry["number"]


async def told(web: Web, service: Service, one: Forced, action_id: str) -> list[str]:
    """Return all that somebody beside ``one`` can have shown to them."""
    await service.deliver()
    exported = await one.client.export(one.account_id)
    for names in ("repeats", "closed_actions"):  # Else in the order of random names.
        exported[names].sort(key=lambda each: masked(json.dumps(each)))
    exported["entries"].sort(key=by_whoever_acted_first)
    for place, entry in enumerate(exported["entries"]):
        entry["number"] = place
    seen = [
        json.dumps(await one.client.account(one.account_id)),
        (await web.get(f"/confirm/{action_id}")).text,
        json.dumps(exported),
    ]
    raw = await service.http.get(f"/v1/actions/{action_id}")
    await service.deliver()  # Word of the export, too.
    mine = [letter for letter in letters(service) if letter.account_id == one.account_id]
    assert mine
    sent = sorted((msgspec.json.encode(letter).decode() for letter in mine), key=masked)
    return [*seen, raw.text, *sent]


async def robbed(web: Web, service: Service, pair: tuple[Forced, Forced]) -> list[str]:
    """Have Alice forced and Carol picked by chance, each on her second passkey; return actions."""
    proving, actions, answers = service.api.use.proving, [], []
    for one in pair:
        asked = await one.propose("withdrawal.crypto", one.withdrawal(ABOVE_BUDGET))
        proving.picked_one_in = SELDOM if one is pair[0] else ALWAYS
        answers.append(await one.sign(web, asked.action_id, one.second))
        proving.picked_one_in = SELDOM
        actions.append(asked.action_id)
    same(*answers)
    return actions


async def test_nothing_that_is_shown_tells_a_forced_owner_from_a_picked_one(
    web: Web, service: Service, pair: tuple[Forced, Forced]
) -> None:
    actions = await robbed(web, service, pair)
    theirs = [
        await told(web, service, one, action) for one, action in zip(pair, actions, strict=True)
    ]
    for hers, others in zip(*theirs, strict=True):
        assert masked(hers) == masked(others)

    seen = await service.client.account(pair[0].account_id)
    ends = [one["ends_at"] for one in seen["holds"] if one["because"] == "picked"]
    held = await service.client.action(actions[0])
    assert held.answer == "hold"
    assert held.until is not None
    assert held.until == service.clock.at + PICKED_HOLD
    assert len(ends) == 1


async def test_the_end_that_was_shown_is_the_end(
    web: Web, service: Service, pair: tuple[Forced, Forced]
) -> None:
    actions = await robbed(web, service, pair)
    service.clock.forward(hours=72, seconds=-1)
    for number, action in enumerate(actions):
        early = await service.client.spend(action, spend_id=f"too-early-{number}", fee_minor="5")
        assert early.answer == "hold"
    service.clock.forward(seconds=1)
    for number, action in enumerate(actions):
        spent = await service.client.spend(action, spend_id=f"in-time-{number}", fee_minor="5")
        assert spent.state == "spent"


async def test_the_state_is_the_log_after_all_of_it(
    web: Web, service: Service, pair: tuple[Forced, Forced], database: TestDatabase
) -> None:
    await robbed(web, service, pair)
    await audit(database, service.keyring)


# --- Who is told ---


@pytest.fixture
async def receiver() -> AsyncIterator[Receiver]:
    async with receiving() as running:
        yield running


def hooks_of(service: Service) -> Hooks:
    return hooks_on(cast("SqlStore", service.api.store), cast("Any", service.clock))


async def test_the_desk_is_told_of_the_one_and_the_platform_the_same_of_both(
    web: Web, service: Service, pair: tuple[Forced, Forced], receiver: Receiver
) -> None:
    hooks = hooks_of(service)
    await hooks.add(receiver, "alarm.duress", path="/desk")
    await hooks.add(receiver, "*", path="/platform")
    actions = await robbed(web, service, pair)
    names = [one.account_id for one in pair]

    def outcomes(account: str) -> list[str]:
        told = [one.body.decode() for one in receiver.got if "/platform" in one.line]
        return [one for one in told if account in one]

    await until(lambda: all(len(outcomes(one)) == OUTCOMES for one in names))
    await until(lambda: any("/desk" in one.line for one in receiver.got))
    await hooks.deliver()

    rung = [one.value for one in receiver.got if "/desk" in one.line]
    assert [one["type"] for one in rung] == ["alarm.duress"]
    assert rung[0]["data"]["account_id"] == pair[0].account_id
    assert rung[0]["data"]["action_id"] == actions[0]
    hers, others = map(outcomes, names)
    assert [masked(one) for one in hers] == [masked(one) for one in others]
    assert "duress" not in "".join((*hers, *others))


# --- Naming ---


async def test_the_page_offers_it_for_what_may_be_for_duress_and_nothing_else(
    web: Web, service: Service, pair: tuple[Forced, Forced]
) -> None:
    alice = pair[0]
    await hooks_of(service).use.add(DESK, patterns=("alarm.duress",))
    binding = await alice.bind_totp()
    listing = await alice.propose("freeze.lift")

    assert 'name="forced"' in (await web.get(f"/confirm/{binding.action_id}")).text
    assert 'name="forced"' not in (await web.get(f"/confirm/{listing.action_id}")).text
    refused = await alice.sign(web, listing.action_id, alice.passkey, forced=True)
    assert (refused.status_code, refused.json()["code"]) == (409, "duress_not_offered")

    service.api.use.proving.picked_one_in = 0
    assert 'name="forced"' not in (await web.get(f"/confirm/{binding.action_id}")).text
    refused = await alice.sign(web, binding.action_id, alice.passkey, forced=True)
    assert (refused.status_code, refused.json()["code"]) == (409, "duress_not_offered")


async def test_nothing_is_named_where_nobody_would_hear_of_it(
    web: Web, service: Service, pair: tuple[Forced, Forced], database: TestDatabase
) -> None:
    """Prevents: an owner who relies on an alarm that rings nowhere."""
    alice, hooks = pair[0], hooks_of(service)
    await hooks.use.add(DESK, patterns=("*",))
    binding = await alice.bind_totp()
    assert 'name="forced"' not in (await web.get(f"/confirm/{binding.action_id}")).text
    refused = await alice.sign(web, binding.action_id, alice.passkey, forced=True)
    assert (refused.status_code, refused.json()["code"]) == (409, "duress_not_offered")

    desk = await hooks.use.add(DESK, patterns=("alarm.duress",))
    assert 'name="forced"' in (await web.get(f"/confirm/{binding.action_id}")).text
    gone = "UPDATE webhook SET disabled = 'gone' WHERE id = $1"
    await database.execute(gone, desk.webhook_id)
    assert 'name="forced"' not in (await web.get(f"/confirm/{binding.action_id}")).text


async def test_a_form_says_it_as_the_script_does(web: Web, service: Service) -> None:
    """Of an account that has no passkey: the form names what it binds, with a code of the app."""
    await hooks_of(service).use.add(DESK, patterns=("alarm.duress",))
    dave = Forced(service, "david")
    await dave.open("email", "desktop")
    await dave.bind_password()
    await dave.bind_totp()
    assert dave.app is not None
    started = await dave.start()
    service.clock.forward(seconds=60)
    await dave.with_secret(started.action_id, "totp", dave.app.code(service.clock.at))
    service.clock.forward(days=31)
    offered = await dave.client.offer(dave.account_id, "passkey")
    response = dave.second.create(dave.ceremony(offered["challenge"]))
    asked = {"authenticator": "passkey", "candidate_id": offered["candidate_id"]}
    bound = await dave.propose("authenticator.bind", {**asked, "response": response})
    path = f"/confirm/{bound.action_id}/proof"
    code = dave.app.code(service.clock.at)
    wrong = await web.form(path, factor="totp", secret=code, forced="maybe")
    assert wrong.status_code == 400
    await web.form(path, factor="totp", secret=code, forced="yes")

    account = await service.api.store.account(cast("Any", dave.account_id))
    assert account.action(cast("Any", bound.action_id)).seal.endswith("2")


async def test_the_platform_cannot_say_it_in_the_owners_place(
    service: Service, pair: tuple[Forced, Forced]
) -> None:
    alice = pair[0]
    binding = await alice.bind_totp()
    asked = await alice.client.ask(binding.action_id, {"factor": "passkey"})
    response = alice.passkey.get(alice.ceremony(asked["options"]["challenge"]))
    reply = {"factor": "passkey", "challenge_id": asked["challenge_id"], "response": response}
    with pytest.raises(ProblemError) as refused:
        await alice.client.prove(binding.action_id, {**reply, "forced": True})
    assert refused.value.status == 400
