"""New passwords over the API: what is refused, with which words, and that nothing is kept of it."""

import pytest
from support.service import Customer, Service

from twinlock.client import ProblemError

ENOUGH = "7 good 1"  # 8 characters
PLENTY = "seven good ones"  # 15


async def refused(alice: Customer, kind: str, password: str) -> tuple[int, str, str]:
    draft = {"password": password}
    if kind == "authenticator.bind":
        draft["authenticator"] = "password"
    with pytest.raises(ProblemError) as told:
        await alice.propose(kind, draft)
    assert password not in str(told.value)
    return told.value.status, told.value.code, told.value.fault


@pytest.mark.requirement("O-02")
async def test_a_password_alone_has_15_characters_and_beside_a_passkey_8(service: Service) -> None:
    alice = Customer(service, "alice")
    await alice.open("email")

    assert await refused(alice, "authenticator.bind", PLENTY[:-1]) == (
        422,
        "password_refused",
        "too_short",
    )
    await alice.bind_passkey()
    assert (await alice.bind_password(ENOUGH)).state == "done"
    assert (await refused(alice, "password.change", ENOUGH[:-1]))[2] == "too_short"


@pytest.mark.requirement("O-02")
async def test_15_characters_are_enough_where_nothing_else_is_bound(service: Service) -> None:
    alice = Customer(service, "alice")
    await alice.open("email")

    assert (await alice.bind_password(PLENTY)).state == "done"
    assert (await refused(alice, "password.change", PLENTY[:-1]))[2] == "too_short"


@pytest.mark.requirement("O-02")
async def test_saved_codes_beside_it_make_no_password_shorter(service: Service) -> None:
    """Prevents: a password that is all that somebody shows, and has eight characters."""
    alice = Customer(service, "alice")
    await alice.open("email")
    offered = await alice.client.offer(alice.account_id, "recovery_code")
    draft = {"candidate_id": offered["candidate_id"], "code": offered["codes"][0]}
    bound = await alice.propose("authenticator.bind", {"authenticator": "recovery_code", **draft})

    assert bound.state == "done"
    assert (await refused(alice, "authenticator.bind", PLENTY[:-1]))[2] == "too_short"


@pytest.mark.requirement("O-02")
@pytest.mark.parametrize(
    ("first_guess", "rule"),
    [
        ("Password123", "common"),
        ("alice-1985-alice", "named"),
        ("Twinlock 2026", "named"),
        ("localhost1234", "named"),
        ("abcdefghijklmnop", "predictable"),
        ("line\nend of it", "unreadable"),
    ],
)
async def test_a_first_guess_is_refused_with_its_rule(
    service: Service, first_guess: str, rule: str
) -> None:
    alice = Customer(service, "alice")
    await alice.set_up()

    told = await refused(alice, "password.change", first_guess)
    assert told == (422, "password_refused", rule)
    assert (await service.client.account(alice.account_id))["actions"] == []


async def test_a_password_whose_removal_is_due_is_not_changed(alice: Customer) -> None:
    """Prevents: our own code called wrong, until some other command has settled the account."""
    await alice.sign_in()
    gone = await alice.propose("authenticator.remove", {"authenticator_id": await named(alice)})
    await alice.with_passkey(gone.action_id)
    alice.service.clock.forward(days=3, minutes=1)
    told = await alice.propose("password.change", {"password": PLENTY})

    assert told.state == "refused"
    assert "target_gone" in [one.code for one in told.why]


async def named(alice: Customer) -> str:
    held = (await alice.client.account(alice.account_id))["authenticators"]
    return next(str(one["authenticator_id"]) for one in held if one["factor"] == "password")
