"""What begins and ends like a known address is refused, and both are shown in full."""

import pytest
from support.browser import Web
from support.service import ADDRESS, Customer, Service

from twinlock.client import ProblemError
from twinlock.domain.answers import Answered
from twinlock.domain.requirements import Answer

LIKE = ADDRESS[:6] + "0" * 32 + ADDRESS[-4:]
TRON = "TJRabPrwbZy45sbavfcjinPJC18kjpRTv8"


async def send_to(alice: Customer, address: str) -> Answered:
    return await alice.propose("withdrawal.crypto", alice.withdrawal() | {"address": address})


async def test_both_are_shown_in_full_to_the_platform_and_to_the_customer(
    service: Service, web: Web
) -> None:
    alice = Customer(service, "alice")
    await alice.set_up()
    await alice.add_destination()
    refused = await send_to(alice, LIKE)

    assert refused.answer is Answer.DENY
    assert "look_alike" in [why.code for why in refused.why]
    assert refused.resembles == (ADDRESS,)
    looked = await service.client.action(refused.action_id)
    assert looked.resembles == (ADDRESS,)
    assert (looked.payload or {})["address"] == LIKE
    page = (await web.get(f"/confirm/{refused.action_id}")).text
    assert (f">{ADDRESS}<" in page, f">{LIKE}<" in page) == (True, True)
    assert "The address you know" in page


async def test_an_imported_one_is_known_and_one_that_waits_too(service: Service) -> None:
    alice = Customer(service, "alice")
    await alice.set_up(destinations=[{"network": "ethereum", "address": ADDRESS}])

    refused = await alice.propose("destination.add", {"network": "ethereum", "address": LIKE})
    assert (refused.answer, refused.resembles) == (Answer.DENY, (ADDRESS,))
    fine = await send_to(alice, ADDRESS)
    assert "look_alike" not in [why.code for why in fine.why]
    assert fine.resembles == ()


@pytest.mark.parametrize(
    ("address", "code"),
    [
        pytest.param(ADDRESS[:-1] + "\u200b", "address_characters", id="invisible"),
        pytest.param("0x" + "aB" * 20, "address_checksum", id="capitals that do not fit"),
        pytest.param(TRON, "address_of_another_network", id="of another network"),
        pytest.param("0x" + "0" * 40, "address_nobodys", id="nobody's"),
        pytest.param(ADDRESS[:-1], "address_refused", id="too short"),
    ],
)
@pytest.mark.parametrize("kind", ["withdrawal.crypto", "destination.add", "destination.remove"])
async def test_what_is_wrong_with_an_address_is_told_by_its_code(
    service: Service, kind: str, address: str, code: str
) -> None:
    alice = Customer(service, "alice")
    await alice.set_up()
    draft = {"network": "ethereum", "address": address}
    if kind == "withdrawal.crypto":
        draft = alice.withdrawal() | {"address": address}
    with pytest.raises(ProblemError) as refused:
        await alice.propose(kind, draft)

    assert (refused.value.status, refused.value.code) == (422, code)
    assert address not in str(refused.value)


async def test_what_was_paid_without_being_listed_is_known_as_well(service: Service) -> None:
    alice = Customer(service, "alice")
    await alice.set_up()
    paid = await send_to(alice, ADDRESS)
    await alice.with_passkey(paid.action_id)
    service.clock.forward(hours=24)
    spent = await service.client.spend(paid.action_id, spend_id="spend-0001")
    assert spent.state == "spent"

    refused = await send_to(alice, LIKE)
    assert (refused.answer, refused.resembles) == (Answer.DENY, (ADDRESS,))
