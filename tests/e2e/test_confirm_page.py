from urllib.parse import urlsplit

import msgspec
import pytest
from playwright.async_api import Browser
from support.browser import BrowserCustomer, Visitor, letters, veto_links, visiting
from support.service import ADDRESS, Customer, Service

from twinlock.domain.answers import Answered
from twinlock.domain.canonical import b64url, from_b64url
from twinlock.domain.ids import AccountId
from twinlock.proofs import intents

pytestmark = pytest.mark.asyncio(loop_scope="module")
NEW = "0x1234567890abcdef1234567890abcdef12345678"
PASSKEY = "Confirm with a passkey"
SMALL_PHONE = {"width": 360, "height": 740}
# Older browsers know the ceremony and not its JSON.
WITHOUT_JSON = """
delete PublicKeyCredential.parseRequestOptionsFromJSON;
delete PublicKeyCredential.prototype.toJSON;
"""


async def a_withdrawal(alice: Customer, amount: str = "50.5", *, to: str = NEW) -> Answered:
    return await alice.propose("withdrawal.crypto", {**alice.withdrawal(amount), "address": to})


async def bob_with_an_app(service: Service) -> Customer:
    """Bob has a password and an authenticator app, and no passkey."""
    bob = Customer(service, "bob")
    await bob.open("email", "desktop")
    await bob.bind_password()
    await bob.bind_totp()
    service.clock.forward(minutes=1)  # A code that was used to bind counts no second time.
    return bob


# --- Signing ---


@pytest.mark.requirement("P-06", "P-07")
async def test_what_is_shown_is_what_is_signed(alice: BrowserCustomer, visitor: Visitor) -> None:
    await alice.add_destination()
    visitor.errors.clear()
    asked: list[str] = []
    visitor.page.on("request", lambda request: asked.append(request.url))
    proposed = await a_withdrawal(alice, "1234.5", to=ADDRESS)

    await visitor.open(f"/confirm/{proposed.action_id}")
    address = await visitor.page.locator("code.address").text_content()
    in_one_piece = await visitor.page.locator(".whole code").text_content()
    amount = await visitor.page.locator("dd .amount").first.text_content()
    exact = await visitor.page.locator("details pre").text_content()
    await alice.press_passkey()

    assert "Confirmed" in await visitor.text()
    assert (await alice.client.action(proposed.action_id)).state == "authorized"
    bundle = await alice.client.evidence(proposed.action_id)
    signed = bundle.decision.openings["payload"].value
    payload = msgspec.json.decode(signed)
    assert exact == signed
    assert address == in_one_piece == payload["address"] == ADDRESS
    assert (amount, payload["amount_minor"]) == ("1234.5", "1234500000")
    evidence = msgspec.json.decode(bundle.proofs[0].evidence)
    client_data = msgspec.json.decode(from_b64url(evidence["client_data"]))
    challenge = intents.challenge(from_b64url(evidence["nonce"]), signed.encode())
    assert client_data["challenge"] == b64url(challenge)
    assert client_data["origin"] == visitor.origin
    assert {urlsplit(url).netloc for url in asked} == {urlsplit(visitor.origin).netloc}
    assert visitor.errors == []


async def test_an_address_that_is_copied_is_the_address(
    alice: BrowserCustomer, visitor: Visitor
) -> None:
    proposed = await a_withdrawal(alice)
    await visitor.open(f"/confirm/{proposed.action_id}")

    copied = await visitor.page.evaluate(
        """() => {
          getSelection().selectAllChildren(document.querySelector("code.address"));
          return getSelection().toString();
        }"""
    )

    assert copied == NEW


async def test_without_verification_nothing_is_signed_and_the_page_says_so(
    alice: BrowserCustomer, visitor: Visitor
) -> None:
    proposed = await a_withdrawal(alice)
    before = await alice.client.action(proposed.action_id)
    await visitor.set_verified(verified=False)

    await visitor.open(f"/confirm/{proposed.action_id}")
    await visitor.page.get_by_role("button", name=PASSKEY).click()
    await visitor.page.get_by_role("status").filter(has_text="Nothing was signed").wait_for()

    assert await alice.client.action(proposed.action_id) == before
    await visitor.set_verified(verified=True)
    await alice.press_passkey()
    assert "Confirmed, and waiting" in await visitor.text()


async def test_a_new_destination_waits_and_the_page_says_until_when(
    alice: BrowserCustomer, visitor: Visitor
) -> None:
    proposed = await a_withdrawal(alice)
    await visitor.open(f"/confirm/{proposed.action_id}")
    assert "New: nothing was ever sent there with your proof" in await visitor.text()
    assert "(24 hours)" in await visitor.text()

    held = await alice.with_passkey(proposed.action_id)

    assert held.until is not None
    assert "Confirmed, and waiting" in await visitor.text()
    shown = await visitor.page.locator(".lead time").get_attribute("datetime")
    assert shown == held.until.strftime("%Y-%m-%dT%H:%M:%SZ")


async def test_a_browser_without_the_json_methods_signs_too(
    alice: BrowserCustomer, visitor: Visitor
) -> None:
    proposed = await a_withdrawal(alice)
    await visitor.page.add_init_script(WITHOUT_JSON)

    held = await alice.with_passkey(proposed.action_id)

    assert held.until is not None
    assert await visitor.page.evaluate("typeof PublicKeyCredential.prototype.toJSON") == "undefined"


async def test_the_keyboard_is_enough(alice: BrowserCustomer, visitor: Visitor) -> None:
    proposed = await a_withdrawal(alice)
    await visitor.open(f"/confirm/{proposed.action_id}")
    button = visitor.page.get_by_role("button", name=PASSKEY)
    for _ in range(5):
        await visitor.page.keyboard.press("Tab")
        if await button.evaluate("one => one === document.activeElement"):
            break

    assert await button.evaluate("one => one.matches(':focus-visible')")
    async with visitor.page.expect_navigation():
        await visitor.page.keyboard.press("Enter")
    assert "Confirmed, and waiting" in await visitor.text()


async def test_a_sign_in_on_the_page_gives_the_platform_its_session(
    alice: BrowserCustomer, visitor: Visitor
) -> None:
    started = await alice.propose("session.start", {"device": alice.device.jwk()})

    answer = await alice.with_passkey(started.action_id)

    assert "Done" in await visitor.text()
    assert answer.session_id.startswith("ses_")


async def test_a_second_key_spares_the_wait(service: Service, visitor: Visitor) -> None:
    alice = BrowserCustomer(service, "alice", visitor)
    await alice.open("email", "desktop")
    await alice.bind_password()
    await alice.bind_passkey()
    phone = visitor.authenticator
    await visitor.set_present(phone, present=False)
    roaming = await visitor.add_authenticator(transport="usb")
    await alice.bind_passkey()
    await alice.sign_in()
    await alice.add_destination()
    above_the_limit = "150000"
    proposed = await a_withdrawal(alice, above_the_limit, to=ADDRESS)

    await visitor.set_present(phone, present=True)
    await visitor.set_present(roaming, present=False)
    await alice.with_passkey(proposed.action_id)
    assert "Do not want to wait?" in await visitor.text()
    await visitor.set_present(phone, present=False)
    await visitor.set_present(roaming, present=True)
    await alice.press_passkey()

    assert "Confirmed" in await visitor.text()
    assert (await alice.client.action(proposed.action_id)).state == "authorized"


# --- Two tabs, and what happened meanwhile ---


async def test_a_second_tab_ends_where_the_first_one_did(
    alice: BrowserCustomer, visitor: Visitor
) -> None:
    proposed = await a_withdrawal(alice)
    await visitor.open(f"/confirm/{proposed.action_id}")
    other = await visitor.second_tab()
    await other.open(f"/confirm/{proposed.action_id}")
    await alice.press_passkey()

    async with other.page.expect_navigation():
        await other.page.get_by_role("button", name=PASSKEY).click()

    assert await other.text() == await visitor.text()
    assert "Confirmed, and waiting" in await other.text()


async def test_a_link_from_a_notice_stops_it_in_every_tab(
    alice: BrowserCustomer, visitor: Visitor, service: Service
) -> None:
    proposed = await a_withdrawal(alice)
    other = await visitor.second_tab()
    await other.open(f"/confirm/{proposed.action_id}")
    await alice.with_passkey(proposed.action_id)
    link, *_ = await veto_links(service, proposed.action_id)

    await visitor.open(link)
    assert (await alice.client.action(proposed.action_id)).state == "open"
    await visitor.page.get_by_role("button", name="This was not me").click()
    await visitor.page.wait_for_url("**/confirm/*")
    assert "Somebody entitled to said no" in await visitor.text()
    assert (await alice.client.action(proposed.action_id)).state == "vetoed"

    async with other.page.expect_navigation():
        await other.page.get_by_role("button", name=PASSKEY).click()
    assert "Stopped" in await other.text()
    assert await visitor.open(link) == 200
    assert "Stopped" in await visitor.text()


# --- Without script, in a frame, from elsewhere ---


async def test_an_app_code_works_without_script(service: Service, browser: Browser) -> None:
    bob = await bob_with_an_app(service)
    started = await bob.propose("session.start", {"device": bob.device.jwk()})
    assert bob.app is not None
    async with visiting(browser, service.settings.origin, java_script_enabled=False) as visitor:
        await visitor.open(f"/confirm/{started.action_id}")
        await visitor.page.get_by_label("Code from your authenticator app").fill("000 000")
        await visitor.page.get_by_role("button", name="Confirm").click()
        assert "That code is not the right one" in await visitor.text()

        code = bob.app.code(service.clock.at)
        await visitor.page.get_by_label("Code from your authenticator app").fill(code)
        await visitor.page.get_by_role("button", name="Confirm").click()
        assert "Shown already: authenticator app. One more is needed." in await visitor.text()
        await visitor.page.get_by_label("Your password").fill("correct horse battery staple")
        await visitor.page.get_by_role("button", name="Confirm").click()

        assert "Done" in await visitor.text()
    assert (await service.client.action(started.action_id)).state == "done"


async def test_without_script_the_page_says_what_a_passkey_needs(
    alice: BrowserCustomer, browser: Browser
) -> None:
    proposed = await a_withdrawal(alice)
    async with visiting(browser, alice.visitor.origin, java_script_enabled=False) as visitor:
        await visitor.open(f"/confirm/{proposed.action_id}")

        assert "A passkey needs JavaScript" in await visitor.text()
        assert await visitor.page.get_by_role("button", name=PASSKEY).count() == 0


@pytest.mark.requirement("P-07")
async def test_no_other_site_frames_the_page(alice: BrowserCustomer, visitor: Visitor) -> None:
    proposed = await a_withdrawal(alice)
    elsewhere = visitor.origin.replace("localhost", "127.0.0.1")
    await visitor.page.goto(f"{elsewhere}/health/live")
    visitor.errors.clear()

    await visitor.page.evaluate(
        """(url) => new Promise((done) => {
          const frame = document.createElement("iframe");
          frame.src = url;
          frame.addEventListener("load", done);
          document.body.append(frame);
        })""",
        f"{visitor.origin}/confirm/{proposed.action_id}",
    )

    assert any("frame-ancestors" in said for said in visitor.errors)
    assert not any("/confirm/" in frame.url for frame in visitor.page.frames)


async def test_no_other_site_answers_through_a_visitors_browser(
    service: Service, visitor: Visitor
) -> None:
    bob = await bob_with_an_app(service)
    started = await bob.propose("session.start", {"device": bob.device.jwk()})
    assert bob.app is not None
    elsewhere = visitor.origin.replace("localhost", "127.0.0.1")
    await visitor.page.goto(f"{elsewhere}/health/live")

    async with visitor.page.expect_navigation():
        await visitor.page.evaluate(
            """([action, secret]) => {
              const form = document.createElement("form");
              const page = "p".repeat(26);
              Object.assign(form, { method: "post", action });
              for (const [name, value] of Object.entries({ page, factor: "totp", secret })) {
                form.append(Object.assign(document.createElement("input"), { name, value }));
              }
              document.body.append(form);
              form.submit();
            }""",
            [
                f"{visitor.origin}/confirm/{started.action_id}/proof",
                bob.app.code(service.clock.at),
            ],
        )

    assert "foreign_origin" in await visitor.text()
    assert (await service.client.action(started.action_id)).state == "open"


# --- For everybody ---


async def test_every_state_is_accessible_and_fits_a_small_phone(
    alice: BrowserCustomer, service: Service, browser: Browser
) -> None:
    waiting = await a_withdrawal(alice, "1234567.891")
    await alice.with_passkey(waiting.action_id)
    link, *_ = await veto_links(service, waiting.action_id)
    asked = await a_withdrawal(alice, "0.000001")
    freeze = await alice.propose("freeze.set")
    bob = await bob_with_an_app(service)
    started = await bob.propose("session.start", {"device": bob.device.jwk()})
    paths = (
        f"/confirm/{asked.action_id}",
        f"/confirm/{waiting.action_id}",
        f"/confirm/{freeze.action_id}",
        link,
        "/confirm/nonsense",
    )
    for scheme in ("light", "dark"):
        async with visiting(
            browser, service.settings.origin, color_scheme=scheme, viewport=SMALL_PHONE
        ) as visitor:
            for path in paths:
                await visitor.open(path)
                details = visitor.page.locator("details")
                if await details.count():
                    await details.evaluate("one => { one.open = true; }")
                assert (await visitor.faults(), await visitor.overflow()) == ([], 0)
            await visitor.open(f"/confirm/{started.action_id}")
            await visitor.page.get_by_label("Code from your authenticator app").fill("000000")
            await visitor.page.get_by_role("button", name="Confirm").click()
            assert (await visitor.faults(), await visitor.overflow()) == ([], 0)
            assert (await visitor.page.title()).startswith("Not accepted.")


# --- Freezing by a link ---


async def test_a_notice_s_link_freezes_by_one_button_on_a_phone_without_script(
    alice: BrowserCustomer, browser: Browser, service: Service
) -> None:
    await alice.add_destination()
    await service.deliver()
    own = [one for one in letters(service) if one.account_id == alice.account_id and one.freeze]
    link = own[-1].freeze.removeprefix(service.settings.origin)

    async with visiting(
        browser, service.settings.origin, viewport=SMALL_PHONE, java_script_enabled=False
    ) as phone:
        await phone.open(link)
        assert "Freeze the whole account?" in await phone.text()
        assert not (await service.client.account(alice.account_id)).get("frozen_until")
        await phone.page.get_by_role("button", name="Freeze everything now").click()
        await phone.page.wait_for_url("**/confirm/*")
        assert "Freeze" in await phone.text()

    account = await service.api.store.account(AccountId(alice.account_id))
    assert account.freeze.until is not None
