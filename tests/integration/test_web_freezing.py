"""The link that freezes: opening it does nothing, a button acts, and it is good once a month."""

import asyncio

import httpx
import pytest
from support.browser import Web, letters
from support.service import Customer
from support.stores import BEGINNING

from twinlock.domain.bounds import NOTICE_LIFETIME, WEAK_FREEZE_LENGTH
from twinlock.domain.letters import Letter


async def link_of(alice: Customer, channel: str = "email", kind: str = "waiting") -> str:
    """List an address, and return the path of the link that its notice to ``channel`` holds."""
    await alice.add_destination()
    await alice.service.deliver()
    named = alice.channels[channel]
    told: list[Letter] = [
        one for one in letters(alice.service) if (one.channel_id, one.kind.value) == (named, kind)
    ]
    return told[-1].freeze.removeprefix(alice.service.settings.origin)


def split(link: str) -> tuple[str, dict[str, str]]:
    url = httpx.URL(link)
    return url.path, {"channel_id": url.params["c"], "token": url.params["t"]}


async def frozen_until(alice: Customer) -> str:
    seen = await alice.client.account(alice.account_id)
    return str(seen.get("frozen_until") or "")


async def test_opening_it_does_nothing_and_the_button_freezes(web: Web, alice: Customer) -> None:
    """Prevents: a mail scanner that opens every link, and freezes every account."""
    link = await link_of(alice)
    before = (await alice.service.api.store.head()).size
    opened = await web.get(link)
    await web.get(link)
    head = await web.http.head(link)
    path, fields = split(link)

    assert opened.status_code == 200
    assert (head.status_code, head.content) == (200, b"")
    assert "Freeze everything now" in opened.text
    assert "3 days" in opened.text
    assert opened.headers["cache-control"] == "no-store"
    assert "script-src" in opened.headers["content-security-policy"]
    assert (await alice.service.api.store.head()).size == before
    assert await frozen_until(alice) == ""

    said = await web.form(path, **fields)

    assert said.status_code == 303
    account = await alice.service.api.store.account(alice.account_id)  # type: ignore[arg-type] # an account's id
    assert account.freeze.until is not None
    assert account.freeze.until <= alice.service.clock.at + WEAK_FREEZE_LENGTH
    assert account.freeze.weak.keys() == {"mailbox"}
    page = await web.get(said.headers["location"])
    assert page.status_code == 200
    again = await web.get(link)
    assert "It is frozen already" in again.text


async def test_a_double_click_freezes_once(web: Web, alice: Customer) -> None:
    path, fields = split(await link_of(alice))
    fields["page"] = "a" * 26
    first = await web.form(path, **fields)
    second = await web.form(path, **fields)

    assert first.headers["location"] == second.headers["location"]


async def test_a_month_must_pass_or_the_next_page_asks_for_more(web: Web, alice: Customer) -> None:
    path, fields = split(await link_of(alice))
    await web.form(path, **fields)
    alice.service.clock.forward(hours=80)
    said = await web.form(path, **fields)
    again = await web.form(path, **fields)
    page = await web.get(said.headers["location"])
    fields["page"] = "a" * 26
    last = [(await web.form(path, **fields)).headers["location"] for _ in range(2)]

    assert said.status_code == 303
    assert "Confirm with a passkey" in page.text
    assert {again.headers["location"], *last} == {said.headers["location"]}


async def test_two_taps_at_once_name_the_one_freeze_and_name_it_again(
    web: Web, alice: Customer
) -> None:
    """Prevents: a tap whose link, opened once more, leads to an action that never was."""
    path, fields = split(await link_of(alice))
    await web.form(path, **fields)
    alice.service.clock.forward(hours=80)
    pages = [{**fields, "page": letter * 26} for letter in "abc"]

    first = await asyncio.gather(*(web.form(path, **one) for one in pages))
    again = [await web.form(path, **one) for one in pages]

    assert len({said.headers["location"] for said in (*first, *again)}) == 1


@pytest.mark.parametrize(
    "forged",
    [
        {"token": "A" * 43},
        {"token": ""},
        {"channel_id": "chn_" + "a" * 26},
    ],
)
async def test_a_link_that_we_did_not_send_freezes_nothing(
    web: Web, alice: Customer, forged: dict[str, str]
) -> None:
    link = await link_of(alice)
    path, fields = split(link)
    query = {"c": fields["channel_id"], "t": fields["token"]}
    query |= {{"token": "t", "channel_id": "c"}[name]: value for name, value in forged.items()}
    asked = await web.http.get(path, params=query)
    said = await web.form(path, **fields | forged)

    assert asked.status_code in (404, 422)
    assert said.status_code in (404, 422)
    assert await frozen_until(alice) == ""


async def test_the_secret_of_another_link_freezes_nothing(web: Web, alice: Customer) -> None:
    """Prevents: a veto link that is worth a freeze, and one channel's link that is another's."""
    mail = await link_of(alice)
    desktop = [one for one in letters(alice.service) if one.freeze and one.channel == "desktop"][-1]
    path, fields = split(mail)
    other = split(desktop.freeze)[1]["token"]
    veto = [one for one in letters(alice.service) if one.veto and one.channel == "email"][-1].veto

    for token in (other, veto):
        assert (await web.form(path, **fields | {"token": token})).status_code in (404, 422)
    assert await frozen_until(alice) == ""


async def test_a_link_of_a_channel_that_was_removed_is_worth_nothing(
    web: Web, alice: Customer
) -> None:
    path, fields = split(await link_of(alice))
    gone = await alice.propose("contact.change", {"channel_id": alice.channels["email"]})
    await alice.with_passkey(gone.action_id)
    alice.service.clock.forward(hours=48)
    await alice.propose("freeze.set")
    said = await web.form(path, **fields)

    assert said.status_code == 404
    assert await frozen_until(alice) == ""


async def test_a_link_is_worth_nothing_a_week_after_what_it_told_of(
    web: Web, alice: Customer
) -> None:
    path, fields = split(await link_of(alice))
    await alice.propose("freeze.set")  # Whoever asks for anything settles what is due.
    alice.service.clock.forward(seconds=NOTICE_LIFETIME.total_seconds() + 60)
    said = await web.form(path, **fields)

    assert said.status_code == 404
    assert alice.service.clock.at > BEGINNING


async def test_a_page_elsewhere_cannot_freeze(web: Web, alice: Customer) -> None:
    path, fields = split(await link_of(alice))
    fields["page"] = "a" * 26
    said = await web.http.post(path, data=fields, headers={"Origin": "https://evil.example"})

    assert said.status_code == 403
    assert await frozen_until(alice) == ""


async def test_an_action_that_nobody_knows_has_no_link(web: Web, alice: Customer) -> None:
    path, fields = split(await link_of(alice))
    nobody = path[:-4] + "aaaa"

    assert (await web.form(nobody, **fields)).status_code in (404, 422)
