"""Sign-ins over the API: the platform tells from where, and that word only ever adds."""

import json

import pytest
from support.service import Customer, Service

from twinlock.client import ProblemError
from twinlock.domain.ids import AccountId
from twinlock.domain.risk.scoring import HIGH
from twinlock.domain.risk.visits import History, joined
from twinlock.domain.signing_in import UNUSUAL
from twinlock.range.device import SoftwareDevice

FIREFOX = "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0"
CHROME = (
    "Mozilla/5.0 (Linux; Android 10; K) AppleWebKit/537.36 (KHTML, like Gecko) "
    "Chrome/120.0.0.0 Mobile Safari/537.36"
)
HOME = {"ip": "8.8.8.8", "user_agent": FIREFOX, "rtt_ms": 40}
ELSEWHERE = {"ip": "200.160.2.3", "user_agent": CHROME, "rtt_ms": 900}
PHONE = SoftwareDevice(b"phone".ljust(32, b"."))


async def at_home(service: Service, *, days: int = 6) -> Customer:
    """Set Alice up, and have her sign in from home once a day."""
    alice = Customer(service, "alice")
    await alice.set_up()
    for _ in range(days):
        service.clock.forward(days=1)
        await alice.sign_in(visitor=HOME)
    return alice


async def holds(alice: Customer) -> list[str]:
    seen = await alice.client.account(alice.account_id)
    return [one["because"] for one in seen["holds"]]


async def why_not(alice: Customer) -> set[str]:
    return {str(one.code) for one in (await alice.withdraw()).why}


async def history_of(alice: Customer) -> History:
    return (await alice.service.api.store.account(AccountId(alice.account_id))).history


async def test_sign_ins_from_home_hold_nothing(service: Service) -> None:
    alice = await at_home(service)

    assert await holds(alice) == []
    assert (await history_of(alice)).ip.count("G") == 4  # Six times, at each level.


@pytest.mark.parametrize(
    "visitor",
    [
        pytest.param(ELSEWHERE, id="from elsewhere"),
        pytest.param({}, id="told nothing"),
        pytest.param({"ip": "10.0.0.1", "user_agent": "\x1b[31m"}, id="private, control letters"),
        pytest.param({"ip": "'; DROP TABLE", "user_agent": "a" * 8_192}, id="no address, huge"),
        pytest.param({"ip": "::ffff:200.160.2.3", "user_agent": CHROME}, id="mapped"),
        pytest.param(None, id="silence"),
    ],
)
async def test_an_unusual_sign_in_holds_every_exit_and_says_so(
    service: Service, visitor: object
) -> None:
    alice = await at_home(service)
    answer = await alice.sign_in(visitor=visitor)

    assert answer.answer == "allow"
    assert await holds(alice) == [UNUSUAL]
    assert "sign_in_unusual" in await why_not(alice)


async def test_the_platforms_word_cannot_take_away_the_hold_of_a_new_device(
    service: Service,
) -> None:
    alice = await at_home(service)
    alice.device = PHONE
    await alice.sign_in(visitor=HOME)

    assert "session.start" in await holds(alice)
    assert "exits_held" in await why_not(alice)


async def test_a_sign_in_below_the_floor_holds_and_teaches_nothing(service: Service) -> None:
    alice = await at_home(service)
    before = await history_of(alice)
    action = (await alice.start(PHONE, visitor=ELSEWHERE)).action_id
    answer = await alice.with_secret(action, "password", "correct horse battery staple")

    assert answer.answer == "challenge"
    assert await holds(alice) == []
    assert await history_of(alice) == before


async def test_a_visitor_is_told_of_with_a_sign_in_only(service: Service) -> None:
    alice = await at_home(service, days=0)

    with pytest.raises(ProblemError, match="malformed") as refused:
        await alice.propose("freeze.set", visitor=HOME)
    assert refused.value.status == 400


@pytest.mark.parametrize(
    "visitor",
    [
        {"ip": 1},
        {"ip": "8" * 257},
        {"user_agent": "a" * 8_193},
        {"rtt_ms": -1},
        {"rtt_ms": "fast"},
        {"rtt_ms": 1e99},
        {"country": "DE"},
        [],
        "8.8.8.8",
    ],
)
async def test_a_visitor_of_another_form_is_refused(service: Service, visitor: object) -> None:
    alice = await at_home(service, days=0)

    with pytest.raises(ProblemError) as refused:
        await alice.start(visitor=visitor)
    assert refused.value.status == 400


async def test_a_question_about_a_sign_in_keeps_and_counts_nothing(service: Service) -> None:
    alice = await at_home(service, days=1)
    before = await history_of(alice)
    await alice.start(visitor=ELSEWHERE)

    assert await history_of(alice) == before


async def test_what_was_seen_is_counted_for_all(service: Service) -> None:
    alice = await at_home(service, days=3)
    sign_ins = service.api.use.proving._sign_ins  # noqa: SLF001 - what stands beside the requests
    await sign_ins.renew()  # type: ignore[attr-defined] # the adapter's own
    bob = Customer(service, "bob")
    await bob.set_up()
    usual = (await bob.start(visitor=HOME)).action_id
    account = await service.api.store.account(AccountId(bob.account_id))

    assert account.action(usual).visit is not None
    assert account.action(usual).visit.ip == joined("US", "-", "8.8.8.0/24", "8.8.8.8")  # type: ignore[union-attr] # as above
    assert (await history_of(alice)).at


async def test_a_score_is_told_in_what_is_exported(service: Service) -> None:
    alice = await at_home(service, days=2)
    await alice.sign_in(visitor=ELSEWHERE)
    named = AccountId(alice.account_id)
    told = await service.api.use.exporting.export(named, actor="an operator")
    exported = json.loads(b"".join([one async for one in told]))

    assert exported["account"]["history"]["at"]
    assert exported["account"]["sessions"][0]["risk"] >= HIGH
