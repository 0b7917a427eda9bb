"""A trusted contact at a browser of their own: invited, asked, and agreeing on their device."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio
from playwright.async_api import Browser
from support.browser import BrowserCustomer, Visitor, visiting
from support.service import ADDRESS, Service

from twinlock.domain.answers import Answered

pytestmark = pytest.mark.asyncio(loop_scope="module")
TAKE_UP, AGREE = "Make a passkey and take it up", "I have read it, and I agree"
PHONE = {"width": 360, "height": 740}
ABOVE_CENTS = 100_00
# Older browsers know the ceremonies and not their JSON.
WITHOUT_JSON = """
delete PublicKeyCredential.parseCreationOptionsFromJSON;
delete PublicKeyCredential.parseRequestOptionsFromJSON;
delete PublicKeyCredential.prototype.toJSON;
"""


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
    offered = await alice.client.offer(alice.account_id, "trusted_contact", name=name)
    return f"/invited/{alice.account_id}/{offered['candidate_id']}"


async def joined(alice: BrowserCustomer, bob: Visitor) -> None:
    """Let Bob take the invitation up, and Alice confirm that it is his."""
    await bob.open(await invited(alice))
    await press(bob, TAKE_UP, "Tell them")
    seen = await alice.client.account(alice.account_id)
    (added,) = (one for one in seen["actions"] if one["type"] == "trusted_contact.add")
    assert (await alice.with_passkey(added["action_id"])).answer == "allow"
    lowered = await alice.propose("limit.lower", {"agreement_cents": ABOVE_CENTS})
    await alice.with_passkey(lowered.action_id)


async def asks_bob(alice: BrowserCustomer) -> Answered:
    await alice.add_destination()
    asked = await alice.propose("withdrawal.crypto", alice.withdrawal("101"))
    answered = await alice.with_passkey(asked.action_id)
    assert [why.code for why in answered.why] == ["agreement_needed"]
    return answered


async def looks_well(visitor: Visitor, path: str, picture: Path) -> None:
    """Check a page in both colours: accessible, no wider than the window; and take its picture."""
    for scheme in ("light", "dark"):
        await visitor.page.emulate_media(color_scheme=scheme)
        await visitor.open(path)
        assert (await visitor.faults(), await visitor.overflow()) == ([], 0)
        file = picture.with_name(f"{picture.name}-{scheme}.png")
        await visitor.page.screenshot(path=file, full_page=True)


@pytest.mark.parametrize("older", [False, True], ids=["browser", "older browser"])
async def test_a_friend_takes_it_up_agrees_and_the_money_leaves(
    alice: BrowserCustomer, bob: Visitor, *, older: bool
) -> None:
    if older:
        await bob.page.add_init_script(WITHOUT_JSON)
    await joined(alice, bob)
    asked = await asks_bob(alice)
    link = await alice.visitor.page.locator("main").inner_text()
    assert asked.agreement in link

    await bob.open(asked.agreement)
    assert await bob.page.locator("code.address").text_content() == ADDRESS
    shown = await bob.text()
    assert "Call them first" in shown
    assert "on their list, and signed by them" in shown
    async with bob.page.expect_navigation():
        await bob.page.get_by_role("button", name=AGREE).click()

    assert "You agreed" in await bob.text()
    assert (await alice.client.action(asked.action_id)).state == "authorized"
    assert bob.errors == []


async def test_on_the_owners_own_device_nobody_agrees(
    alice: BrowserCustomer, bob: Visitor, visitor: Visitor
) -> None:
    """Prevents: a thief with the owner's telephone, who is the friend too."""
    await joined(alice, bob)
    asked = await asks_bob(alice)

    await visitor.open(asked.agreement)
    await press(visitor, AGREE, "Nothing was signed")

    assert (await alice.client.action(asked.action_id)).state == "open"


async def test_without_verification_nobody_joins_and_the_page_says_so(
    alice: BrowserCustomer, bob: Visitor
) -> None:
    path = await invited(alice)
    await bob.set_verified(verified=False)
    await bob.open(path)
    await press(bob, TAKE_UP, "Nothing was made")

    assert (await alice.client.account(alice.account_id))["actions"] == []
    await bob.set_verified(verified=True)
    await press(bob, TAKE_UP, "Tell them")


async def test_the_pages_look_well_on_a_telephone_and_on_a_desk(
    alice: BrowserCustomer, browser: Browser, bob: Visitor, tmp_path: Path
) -> None:
    long_name = "Wolfeschlegelsteinhausenbergerdorffwelchevoralternwaren"
    waits = await invited(alice, long_name)
    await looks_well(bob, waits, tmp_path / "invited-phone")
    await joined(alice, bob)
    asked = await asks_bob(alice)
    await looks_well(bob, asked.agreement, tmp_path / "agree-phone")
    async with visiting(browser, bob.origin, java_script_enabled=False) as plain:
        await plain.open(asked.agreement)
        assert "A passkey needs JavaScript" in await plain.text()
    async with visiting(browser, bob.origin) as desk:
        for name, path in (("invited", waits), ("agree", asked.agreement)):
            await looks_well(desk, path, tmp_path / f"{name}-desk")
