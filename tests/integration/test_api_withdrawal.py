from datetime import timedelta

import pytest
from support.service import ADDRESS, Customer, Service

from twinlock.client import ProblemError
from twinlock.domain.answers import Answered
from twinlock.domain.requirements import Answer


async def test_from_request_to_spent_authorization(service: Service) -> None:
    alice = Customer(service, "alice")
    await alice.set_up()
    await alice.add_destination()

    proposed = await alice.propose("withdrawal.crypto", alice.withdrawal("50.5"))
    assert (proposed.answer, [why.code for why in proposed.why]) == ("challenge", ["proof_needed"])

    authorized = await alice.with_passkey(proposed.action_id)
    assert (authorized.answer, authorized.state) == (Answer.ALLOW, "authorized")
    assert authorized.authorization.count(".") == 2

    spent = await service.client.spend(proposed.action_id, spend_id="spend-0001", fee_minor="100")
    assert (spent.answer, spent.state) == (Answer.ALLOW, "spent")
    again = await service.client.spend(proposed.action_id, spend_id="spend-0001", fee_minor="100")
    assert again == spent


async def test_a_second_spend_id_is_refused(service: Service) -> None:
    alice = Customer(service, "alice")
    await alice.set_up()
    await alice.add_destination()
    action = await alice.withdraw()
    await service.client.spend(action.action_id, spend_id="spend-0001")

    with pytest.raises(ProblemError) as refused:
        await service.client.spend(action.action_id, spend_id="spend-0002")
    assert (refused.value.code, refused.value.status) == ("already_spent", 409)


async def test_a_new_destination_waits_a_day_and_then_goes(service: Service) -> None:
    alice = Customer(service, "alice")
    await alice.set_up()

    held = await alice.withdraw()
    assert held.answer is Answer.HOLD
    assert held.until == service.clock.at + timedelta(hours=24)

    early = await service.client.spend(held.action_id, spend_id="too-early")
    assert early.answer is Answer.HOLD
    service.clock.forward(hours=24)
    spent = await service.client.spend(held.action_id, spend_id="in-time-1")
    assert spent.state == "spent"


async def test_a_small_sum_leaves_on_the_session_key_alone(service: Service) -> None:
    alice = Customer(service, "alice")
    await alice.set_up()
    await alice.add_destination(budget_cents=100_00)
    await alice.sign_in()

    answer = await _by_session(alice, "40")
    assert (answer.answer, answer.state) == (Answer.ALLOW, "authorized")
    second = await _by_session(alice, "61")
    assert (second.answer, second.why[0].code) == (Answer.CHALLENGE, "proof_needed")


async def test_a_copied_session_is_refused(service: Service) -> None:
    alice = Customer(service, "alice")
    await alice.set_up()
    await alice.add_destination(budget_cents=100_00)
    await alice.sign_in()

    copied = await alice.propose(
        "withdrawal.crypto", alice.withdrawal("1"), session={"session_id": alice.session_id}
    )
    assert (copied.answer, copied.state) == (Answer.DENY, "refused")
    assert "proof_not_bound" in [why.code for why in copied.why]


async def test_a_session_signature_serves_no_other_proposal(service: Service) -> None:
    alice = Customer(service, "alice")
    await alice.set_up()
    await alice.add_destination(budget_cents=100_00)
    await alice.sign_in()

    answer = await _by_session(alice, "1", signed_for="another-key")
    assert answer.answer is Answer.DENY


async def _by_session(alice: Customer, amount: str, *, signed_for: str = "") -> Answered:
    service = alice.service
    key = service.key()
    body = {
        "account_id": alice.account_id,
        "type": "withdrawal.crypto",
        "payload": alice.withdrawal(amount),
    }
    digest = (await service.client.preview(body))["digest"]
    session = alice.signed(digest, purpose="proposal", name=signed_for or key)
    return await service.client.propose({**body, "session": session}, key=key)


async def test_the_same_key_means_the_same_action(service: Service) -> None:
    alice = Customer(service, "alice")
    await alice.set_up()
    body = {
        "account_id": alice.account_id,
        "type": "withdrawal.crypto",
        "payload": alice.withdrawal(),
    }
    first = await service.client.propose(body, key="the-same-key")
    second = await service.client.propose(body, key="the-same-key")
    assert (first.action_id, first.answer) == (second.action_id, second.answer)

    other = {**body, "payload": alice.withdrawal("11")}
    with pytest.raises(ProblemError) as refused:
        await service.client.propose(other, key="the-same-key")
    assert (refused.value.code, refused.value.status) == ("idempotency_conflict", 409)


async def test_a_freeze_between_yes_and_spend_stops_it(service: Service) -> None:
    alice = Customer(service, "alice")
    await alice.set_up()
    await alice.add_destination()
    action = await alice.withdraw()
    assert action.state == "authorized"

    frozen = await alice.propose("freeze.set")
    await alice.with_passkey(frozen.action_id)
    stopped = await service.client.spend(action.action_id, spend_id="after-freeze")
    assert (stopped.answer, [why.code for why in stopped.why]) == ("deny", ["account_frozen"])


async def test_an_authorization_that_nobody_used_lapses(service: Service) -> None:
    alice = Customer(service, "alice")
    await alice.set_up()
    await alice.add_destination()
    action = await alice.withdraw()

    service.clock.forward(minutes=15)
    late = await service.client.spend(action.action_id, spend_id="too-late-1")
    assert (late.answer, late.state) == (Answer.DENY, "lapsed")
    with pytest.raises(ProblemError) as gone:
        await service.client.spend(action.action_id, spend_id="too-late-2")
    assert gone.value.code == "action_closed"


async def test_a_fee_above_the_signed_maximum_is_refused(service: Service) -> None:
    alice = Customer(service, "alice")
    await alice.set_up()
    await alice.add_destination()
    action = await alice.withdraw(max_fee="0.000000000000000100")

    dear = await service.client.spend(action.action_id, spend_id="dear-fee", fee_minor="101")
    assert (dear.answer, dear.why[0].code) == (Answer.DENY, "fee_too_high")
    fine = await service.client.spend(action.action_id, spend_id="fine-fee", fee_minor="100")
    assert fine.state == "spent"


async def test_only_an_exit_is_spent(service: Service) -> None:
    alice = Customer(service, "alice")
    await alice.set_up()
    added = await alice.propose("destination.add", {"network": "ethereum", "address": ADDRESS})
    await alice.with_passkey(added.action_id)

    with pytest.raises(ProblemError) as refused:
        await service.client.spend(added.action_id, spend_id="no-exit-1")
    assert refused.value.code == "not_spendable"


async def test_who_added_a_destination_can_be_shown(service: Service) -> None:
    alice = Customer(service, "alice")
    await alice.set_up(
        destinations=[{"network": "tron", "address": "TJRabPrwbZy45sbavfcjinPJC18kjpRTv8"}]
    )
    await alice.add_destination()
    await alice.withdraw()

    listed = {one["network"]: one for one in await service.client.destinations(alice.account_id)}
    assert listed["ethereum"]["proved_by"] == ["passkey"]
    assert listed["ethereum"]["added_by"].startswith("act_")
    assert (listed["tron"]["added_by"], listed["tron"]["usable_at"]) == ("", None)


async def test_a_looked_at_action_says_how_it_stands(service: Service) -> None:
    alice = Customer(service, "alice")
    await alice.set_up()
    held = await alice.withdraw()

    looked = await service.client.action(held.action_id)
    assert (looked.answer, looked.until, looked.state) == (Answer.HOLD, held.until, "open")
    assert looked.payload is not None
    assert looked.payload["address"] == ADDRESS
    service.clock.forward(hours=24)
    await service.client.spend(held.action_id, spend_id="spend-0001")
    assert (await service.client.action(held.action_id)).state == "spent"


@pytest.mark.requirement("O-35")
async def test_without_a_price_every_value_is_the_highest(service: Service) -> None:
    alice = Customer(service, "alice")
    await alice.set_up()
    await alice.add_destination()
    service.prices.known = False

    answer = await alice.withdraw("0.01")
    assert (answer.answer, answer.why[0].code) == (Answer.HOLD, "value_unknown")


async def test_a_destination_that_has_waited_is_listed_whatever_the_account_does_next(
    service: Service,
) -> None:
    alice = Customer(service, "alice")
    await alice.set_up()
    added = await alice.propose("destination.add", {"network": "ethereum", "address": ADDRESS})
    await alice.with_passkey(added.action_id)
    service.clock.forward(days=20)
    await alice.sign_in()

    listed = await service.client.destinations(alice.account_id)
    assert [one["added_by"] for one in listed] == [added.action_id]
    assert (await service.client.action(added.action_id)).state == "done"
    assert (await alice.withdraw()).answer is Answer.ALLOW
