"""A second member at a browser of their own: invited, joined, and agreeing on their device."""

from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path

import pytest
import pytest_asyncio
from playwright.async_api import Browser
from support.browser import BrowserCustomer, Visitor, visiting
from support.service import ADDRESS, Service

from twinlock.domain.answers import Answered
from twinlock.domain.bounds import MEMBER_WAIT

pytestmark = pytest.mark.asyncio(loop_scope="module")
TAKE_UP, AGREE = "Make a passkey and take it up", "I have read it, and I agree"
PHONE = {"width": 360, "height": 740}
TWO_ABOVE = 100_00
LONG_NAME = "Wolfeschlegelsteinhausenbergerdorffwelchevoralternwaren"


@pytest_asyncio.fixture(loop_scope="module")
async def bob(browser: Browser, service: Service) -> AsyncIterator[Visitor]:
    """Bob, at a browser of his own, on a small telephone."""
    async with visiting(browser, service.settings.origin, viewport=PHONE) as one:
        yield one


async def press(visitor: Visitor, name: str, says: str) -> None:
    await visitor.page.get_by_role("button", name=name).click()
    await visitor.page.get_by_role("status").filter(has_text=says).wait_for()


async def invited(alice: BrowserCustomer, name: str = "Bob") -> str:
    """Invite somebody; return the path of the link."""
    offered = await alice.client.offer(alice.account_id, "member", name=name)
    return f"/invited/{alice.account_id}/{offered['candidate_id']}"


async def passes(alice: BrowserCustomer, length: timedelta) -> None:
    alice.service.clock.forward(seconds=length.total_seconds())
    await alice.sign_in()


async def joined(alice: BrowserCustomer, bob: Visitor, name: str = "Bob") -> None:
    """Let Bob take the invitation up, Alice confirm that it is his, and the week pass."""
    await bob.open(await invited(alice, name))
    await press(bob, TAKE_UP, "Tell them")
    seen = await alice.client.account(alice.account_id)
    (added,) = (one for one in seen["actions"] if one["type"] == "member.add")
    assert (await alice.with_passkey(added["action_id"])).answer == "hold"
    await passes(alice, MEMBER_WAIT)
    seen = await alice.client.account(alice.account_id)
    assert [one["name"] for one in seen["members"]] == ["", name]


async def agrees(bob: Visitor, asked: Answered) -> None:
    await bob.open(asked.agreement)
    await press(bob, AGREE, "You agreed")


async def a_quorum(alice: BrowserCustomer, bob: Visitor) -> None:
    """Have two of the two agree to more than a sum, and Alice's destination listed."""
    asked = await alice.propose("quorum.tighten", {"two_cents": TWO_ABOVE, "three_cents": None})
    await agrees(bob, await alice.with_passkey(asked.action_id))
    where = {"network": "ethereum", "address": ADDRESS, "budget_cents": 0}
    listed = await alice.propose("destination.add", where)
    await agrees(bob, await alice.with_passkey(listed.action_id))
    await passes(alice, timedelta(days=1))


async def asks_bob(alice: BrowserCustomer, amount: str = "101") -> Answered:
    asked = await alice.propose("withdrawal.crypto", alice.withdrawal(amount))
    answered = await alice.with_passkey(asked.action_id)
    assert [why.code for why in answered.why] == ["members_needed"]
    return answered


async def looks_well(visitor: Visitor, path: str, picture: Path) -> None:
    """Check a page in both colours: accessible, no wider than the window; and take its picture."""
    for scheme in ("light", "dark"):
        await visitor.page.emulate_media(color_scheme=scheme)
        await visitor.open(path)
        assert (await visitor.faults(), await visitor.overflow()) == ([], 0)
        file = picture.with_name(f"{picture.name}-{scheme}.png")
        await visitor.page.screenshot(path=file, full_page=True)


async def test_a_colleague_joins_agrees_and_the_money_leaves(
    alice: BrowserCustomer, bob: Visitor
) -> None:
    await joined(alice, bob)
    await a_quorum(alice, bob)
    asked = await asks_bob(alice)
    assert asked.agreement in await alice.visitor.text()
    assert "Another member of this account agrees" in await alice.visitor.text()

    await bob.open(asked.agreement)
    assert await bob.page.locator("code.address").text_content() == ADDRESS
    shown = await bob.text()
    assert "2 of you must agree" in shown
    assert "Asked for by The first member" in shown
    assert "Agreed so far Nobody else" in shown
    assert "Call who asks first" in shown
    assert "2 of you have agreed, who asks among them, by" in shown
    assert "or it does not happen" in shown
    assert "Freeze the account at the platform" in shown
    await agrees(bob, asked)

    assert (await alice.client.action(asked.action_id)).state == "authorized"
    await bob.open(asked.agreement)
    assert "Enough of you agreed" in await bob.text()
    assert "Agreed so far Bob" in await bob.text()
    assert bob.errors == []


async def test_on_the_device_of_who_asks_nobody_agrees(
    alice: BrowserCustomer, bob: Visitor, visitor: Visitor
) -> None:
    """Prevents: a thief with one member's telephone, who is the second one too."""
    await joined(alice, bob)
    await a_quorum(alice, bob)
    asked = await asks_bob(alice)

    await visitor.open(asked.agreement)
    await press(visitor, AGREE, "Nothing was signed")

    assert (await alice.client.action(asked.action_id)).state == "open"


async def test_what_is_asked_of_a_member_is_told_by_name_and_by_when(
    alice: BrowserCustomer, bob: Visitor
) -> None:
    await joined(alice, bob)
    await a_quorum(alice, bob)
    loosens = await alice.propose("quorum.loosen", {"two_cents": None, "three_cents": None})
    said = await alice.with_passkey(loosens.action_id)
    assert "It waits from then on: 7 days" in await alice.visitor.text()
    await bob.open(said.agreement)

    shown = await bob.text()
    assert "Have fewer members agree" in shown
    assert "It waits 7 days at least" in shown


async def test_the_pages_look_well_on_a_telephone_and_on_a_desk(
    alice: BrowserCustomer, browser: Browser, bob: Visitor, tmp_path: Path
) -> None:
    waits = await invited(alice, LONG_NAME)
    await bob.open(waits)
    assert "confirm it within 1 hour," in await bob.text()
    await looks_well(bob, waits, tmp_path / "invited-phone")
    await joined(alice, bob, LONG_NAME)
    await a_quorum(alice, bob)
    asked = await asks_bob(alice)
    pages = [("agree", asked.agreement), ("mine", f"/confirm/{asked.action_id}")]
    removal = await alice.propose("quorum.loosen", {"two_cents": None, "three_cents": None})
    said = await alice.with_passkey(removal.action_id)
    pages += [("change", said.agreement), ("mine-change", f"/confirm/{said.action_id}")]
    for name, path in pages:
        await looks_well(bob, path, tmp_path / f"{name}-phone")
    async with visiting(browser, bob.origin, java_script_enabled=False) as plain:
        for path in (await invited(alice, "Carol"), asked.agreement):
            await plain.open(path)
            assert "A passkey needs JavaScript" in await plain.text()
            assert not await plain.page.get_by_role("button").count()
    async with visiting(browser, bob.origin) as desk:
        for name, path in pages:
            await looks_well(desk, path, tmp_path / f"{name}-desk")
