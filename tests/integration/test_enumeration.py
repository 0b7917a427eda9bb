"""Nobody learns from an answer, nor from the work behind it, what an account has (O-06).

The work is counted and not timed: an argon2 hash takes 20 ms and everything else far less than one.
"""

import re
from typing import Any

import httpx
import pytest
from argon2.low_level import verify_secret
from support.browser import Web
from support.service import PASSWORD, Customer, Service

from twinlock.client import ProblemError
from twinlock.domain import ids
from twinlock.proofs import passwords

WRONG = "not the password"
NOBODY = ids.account_id(b"nobody's account")


@pytest.fixture
def hashed(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Return the parameters of each password hash that is computed from now on."""
    done: list[str] = []

    def counting(encoded: bytes, *more: Any) -> bool:  # noqa: ANN401 - as the library has them
        done.append(encoded.decode().rsplit("$", 2)[0])
        return verify_secret(encoded, *more)

    monkeypatch.setattr(passwords, "verify_secret", counting)
    return done


async def customers(service: Service) -> dict[str, Customer]:
    """Return customers of all kinds, each with an open freeze to answer for."""
    made = {name: Customer(service, name) for name in ("both", "app", "key", "nothing")}
    for customer in made.values():
        await customer.open("email", "desktop")
    await made["both"].bind_password()
    await made["both"].bind_totp()
    await made["app"].bind_totp()
    await made["key"].bind_passkey()
    return made


async def refusal(customer: Customer, factor: str, secret: str) -> dict[str, Any]:
    """Answer wrongly over the API, and return all that is told of it."""
    service = customer.service
    action = (await customer.propose("freeze.set")).action_id
    answer = await service.http.post(
        f"/v1/actions/{action}/assertions",
        json={"factor": factor, "secret": secret},
        headers={"Idempotency-Key": service.key()},
    )
    told = {name.lower(): value for name, value in answer.headers.items()}
    told.pop("date", "")
    return {"status": answer.status_code, "headers": told, "body": answer.json()}


@pytest.mark.requirement("O-06", "P-03")
@pytest.mark.parametrize(
    ("factor", "secret", "fault", "hashes"),
    [
        ("password", WRONG, "password_wrong", 1),
        ("password", "", "password_wrong", 1),
        ("password", "x" * 256, "password_wrong", 1),
        ("totp", "000000", "code_wrong", 0),
        ("totp", "no code", "malformed", 0),
        ("recovery_code", "aaaa-" * 5 + "aaaa", "code_wrong", 0),
        ("recovery_code", "", "code_wrong", 0),
    ],
)
async def test_a_wrong_answer_is_told_alike_whatever_is_bound(
    service: Service, hashed: list[str], factor: str, secret: str, fault: str, hashes: int
) -> None:
    told, work = [], []
    for customer in (await customers(service)).values():
        hashed.clear()
        told.append(await refusal(customer, factor, secret))
        work.append(list(hashed))

    assert told[1:] == told[:1] * 3
    assert (told[0]["status"], told[0]["body"]["fault"]) == (422, fault)
    assert work == [["$argon2id$v=19$m=19456,t=2,p=1"] * hashes] * 4


@pytest.mark.requirement("O-06")
async def test_while_nothing_is_read_all_accounts_answer_alike_and_no_hash_is_made(
    service: Service, hashed: list[str]
) -> None:
    made = await customers(service)
    for customer in made.values():
        for _ in range(5):
            await refusal(customer, "password", WRONG)
    hashed.clear()
    told = [await refusal(customer, "password", WRONG) for customer in made.values()]
    told.append(await refusal(made["both"], "password", PASSWORD))

    assert told[1:] == told[:1] * 4
    assert (told[0]["status"], told[0]["body"]["fault"]) == (422, "throttled")
    assert hashed == []


@pytest.mark.requirement("O-06")
async def test_opening_an_account_tells_nothing_of_other_accounts(service: Service) -> None:
    """Prevents: addresses tried at the sign-up until one is taken."""
    answers = []
    for address in ("alice@example.com", "alice@example.com", "nobody@example.com"):
        body = {"channels": [{"kind": "email", "address": address}]}
        answers.append(
            await service.http.post(
                "/v1/accounts", json=body, headers={"Idempotency-Key": service.key()}
            )
        )

    assert {answer.status_code for answer in answers} == {201}
    assert len({frozenset(answer.json()) for answer in answers}) == 1
    assert len({answer.json()["account_id"] for answer in answers}) == 3
    assert len({len(answer.content) for answer in answers}) == 1


def without_nonces(page: httpx.Response) -> str:
    return re.sub(r"act_\w+|acc_\w+|[a-z2-7]{26}|nonce-[\w-]+", "…", page.text)


@pytest.mark.requirement("O-06")
async def test_a_page_of_no_account_is_that_of_no_action(web: Web, alice: Customer) -> None:
    account = ids.parse_account_id(alice.account_id)
    pages = [
        await web.get(f"/confirm/{ids.action_id(named, b'never proposed..')}")
        for named in (account, NOBODY)
    ]

    assert [page.status_code for page in pages] == [404, 404]
    assert without_nonces(pages[0]) == without_nonces(pages[1])
    assert "<code>action_not_found</code>" in pages[1].text


@pytest.mark.requirement("O-06")
async def test_an_answer_about_no_account_is_that_about_no_action(
    web: Web, alice: Customer
) -> None:
    account = ids.parse_account_id(alice.account_id)
    answers = []
    for named in (account, NOBODY):
        action = ids.action_id(named, b"never proposed..")
        for way, fields in (
            ("proof", {"factor": "password", "secret": WRONG}),
            ("code", {"factor": "email_code"}),
        ):
            answers.append(await web.form(f"/confirm/{action}/{way}", **fields))

    assert {answer.status_code for answer in answers} == {404}
    assert len({without_nonces(answer) for answer in answers}) == 1


@pytest.mark.requirement("O-06")
async def test_on_the_page_a_wrong_password_costs_and_says_the_same_where_there_is_none(
    web: Web, hashed: list[str]
) -> None:
    told = []
    for customer in (await customers(web.service)).values():
        action = (await customer.propose("freeze.set")).action_id
        hashed.clear()
        page = await web.form(f"/confirm/{action}/proof", factor="password", secret=WRONG)
        told.append((page.status_code, "<code>password_wrong</code>" in page.text, len(hashed)))

    assert told == [(422, True, 1)] * 4


async def test_a_platform_is_told_which_accounts_it_does_not_have(service: Service) -> None:
    with pytest.raises(ProblemError) as unknown:
        await service.client.account(NOBODY)
    assert (unknown.value.status, unknown.value.code) == (404, "account_not_found")
