"""The box by which an owner says, in a real browser, what the new authenticator is for."""

from typing import cast

import pytest
from support.browser import BrowserCustomer, Visitor
from support.service import Service

from twinlock.domain.duress import names
from twinlock.domain.ids import AccountId, ActionId

pytestmark = pytest.mark.asyncio(loop_scope="module")
BOX = "input[aria-describedby=passkey-forced]"


async def a_desk() -> bool:
    return True


async def test_what_is_ticked_reaches_us_and_no_page_tells_it_again(
    alice: BrowserCustomer, visitor: Visitor, service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(service.api.use.proving, "picked_one_in", 99_999)
    monkeypatch.setattr(service.api.use.proving, "has_desk", a_desk)
    binding = await alice.bind_totp()
    path = f"/confirm/{binding.action_id}"
    visitor.errors.clear()
    await visitor.open(path)
    assert await visitor.faults() == []
    assert not await visitor.page.locator(BOX).is_checked()

    await visitor.page.locator(BOX).check()
    await alice.press_passkey()

    account = await service.api.store.account(cast("AccountId", alice.account_id))
    assert names(account.action(cast("ActionId", binding.action_id)).seal)
    await visitor.open(path)
    assert "forces" not in await visitor.text()
    assert visitor.errors == []
