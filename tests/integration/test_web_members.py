"""Members of a company, whole: invited, added, agreeing, and removed; over API and pages."""

import asyncio
from dataclasses import dataclass
from typing import Any

import httpx
import msgspec
import pytest
from support.browser import Web, letters
from support.postgres import TestDatabase
from support.service import ADDRESS, Customer, Service
from support.store_audit import audit

from twinlock.bootstrap.rulebook import rule_book
from twinlock.bootstrap.trust import trust_of
from twinlock.client import ProblemError
from twinlock.domain.answers import Answered
from twinlock.domain.ids import parse_account_id
from twinlock.domain.members import member_token
from twinlock.proofs.bundles import verify_bundle
from twinlock.range.authenticator import SoftwareAuthenticator

TWO_ABOVE = 100_00


@dataclass
class Colleague:
    """Another member of Alice's account, with a passkey of their own."""

    web: Web
    alice: Customer
    name: str
    passkey: SoftwareAuthenticator
    member_id: str = ""

    @classmethod
    def called(cls, name: str, web: Web, alice: Customer) -> "Colleague":
        seed = f"{name}/the colleague".encode().ljust(32, b".")
        return cls(web, alice, name, SoftwareAuthenticator(seed, synced=True))

    async def invited(self) -> tuple[str, dict[str, object]]:
        offered = await self.alice.client.offer(self.alice.account_id, "member", name=self.name)
        response = self.passkey.create(self.alice.ceremony(offered["challenge"]))
        return f"/invited/{self.alice.account_id}/{offered['candidate_id']}", response

    async def take_up(self) -> httpx.Response:
        path, response = await self.invited()
        assert "Become a member of an account?" in (await self.web.get(path)).text
        return await self.web.json(f"{path}/passkey", {"response": response})

    async def agree(self, path: str) -> httpx.Response:
        asked = (await self.web.json(f"{path}/challenge", {"factor": "passkey"})).json()
        response = self.passkey.get(self.alice.ceremony(asked["options"]["challenge"]))
        signed = {"challenge_id": asked["challenge_id"], "response": response}
        return await self.web.json(f"{path}/assertion", signed)

    async def prove(self, action_id: str, factor: str = "passkey") -> Answered:
        asked = await self.alice.client.ask(action_id, {"factor": factor})
        response = self.passkey.get(self.alice.ceremony(asked["options"]["challenge"]))
        challenge = asked["challenge_id"]
        reply = {"factor": factor, "challenge_id": challenge, "response": response}
        return await self.alice.client.prove(action_id, reply)

    async def withdraw(self, amount: str) -> Answered:
        asked = await self.alice.propose(
            "withdrawal.crypto", self.alice.withdrawal(amount), member_id=self.member_id
        )
        return await self.prove(asked.action_id)


async def open_of(alice: Customer, kind: str) -> str:
    seen = await alice.client.account(alice.account_id)
    (found,) = (one["action_id"] for one in seen["actions"] if one["type"] == kind)
    return str(found)


async def join(alice: Customer, one: Colleague, *others: Colleague) -> None:
    """Have somebody become a member, with the agreement of those who must."""
    assert (await one.take_up()).json() == {"taken": True}
    action = await open_of(alice, "member.add")
    said = await alice.with_passkey(action)
    for other in others:
        assert (await other.agree(said.agreement)).status_code == 200
    alice.service.clock.forward(days=7)
    await alice.sign_in()
    seen = await alice.client.account(alice.account_id)
    one.member_id = seen["member_ids"][-1]


@pytest.fixture
async def bob(web: Web, alice: Customer) -> Colleague:
    """Bob is a member, and two of the two agree to more than US$100 a day."""
    colleague = Colleague.called("Bob", web, alice)
    await join(alice, colleague)
    asked = await alice.propose("quorum.tighten", {"two_cents": TWO_ABOVE, "three_cents": None})
    said = await alice.with_passkey(asked.action_id)
    assert [why.code for why in said.why] == ["members_needed"]
    await colleague.agree(said.agreement)
    where = {"network": "ethereum", "address": ADDRESS, "budget_cents": 0}
    listed = await alice.propose("destination.add", where)
    await colleague.agree((await alice.with_passkey(listed.action_id)).agreement)
    alice.service.clock.forward(hours=24)
    await alice.sign_in()
    return colleague


@pytest.mark.requirement("O-23")
async def test_two_members_sign_and_money_leaves(web: Web, alice: Customer, bob: Colleague) -> None:
    asked = await alice.withdraw("101")
    assert [why.code for why in asked.why] == ["members_needed"]
    path = asked.agreement
    mine = (await web.get(f"/confirm/{asked.action_id}")).text
    assert f"{web.origin}{path}" in mine
    assert "Another member of this account agrees" in mine
    page = (await web.get(path)).text
    assert "Another member of your account asked for this" in page
    assert asked.action_id not in page

    taken = await bob.agree(path)
    assert (taken.status_code, taken.json()) == (200, {"taken": True})

    after = await alice.client.action(asked.action_id)
    assert (after.answer, after.agreement, after.agreed_by) == ("allow", "", (bob.member_id,))
    assert "Enough of you agreed" in (await web.get(path)).text
    await alice.client.spend(asked.action_id, spend_id="spend-0001", fee_minor="5")
    assert (await alice.client.action(asked.action_id)).agreed_by == (bob.member_id,)


async def test_a_name_with_a_comma_is_one_member_who_agreed(
    web: Web, alice: Customer, bob: Colleague
) -> None:
    """Prevents: one insider of whom the others' page says that two have agreed already."""
    carol = Colleague.called("Carol, Dan", web, alice)
    await join(alice, carol, bob)
    asked = await alice.withdraw("101")
    assert (await carol.agree(asked.agreement)).status_code == 200

    assert "<ul><li><bdi>Carol, Dan</bdi></li></ul>" in (await web.get(asked.agreement)).text


async def test_nobody_is_invited_by_the_name_of_a_member(
    web: Web, alice: Customer, bob: Colleague
) -> None:
    """Prevents: an insider's own second key, of whom the pages say that Bob has agreed."""
    for name in ("Bob", " bob", "The first member"):
        with pytest.raises(ProblemError) as refused:
            await alice.client.offer(alice.account_id, "member", name=name)
        assert (refused.value.status, refused.value.code) == (400, "malformed")

    carol, namesake = (Colleague.called("Carol", web, alice) for _ in range(2))
    namesake.passkey = SoftwareAuthenticator(b"another Carol".ljust(32, b"."))
    path, response = await namesake.invited()  # While nobody was called so.
    await carol.take_up()
    late = await web.json(f"{path}/passkey", {"response": response})
    assert late.status_code == 400


async def test_of_two_of_one_name_who_come_at_once_one_is_let_in(
    web: Web, alice: Customer, bob: Colleague
) -> None:
    """Prevents: two invitations of one name that are taken up in the same moment."""
    assert bob.member_id
    asked = []
    for seed in (b"one Carol", b"another Carol"):
        carol = Colleague(web, alice, "Carol", SoftwareAuthenticator(seed.ljust(32, b".")))
        path, response = await carol.invited()
        asked.append((f"{path}/passkey", {"response": response}))

    told = await asyncio.gather(*(web.json(*one) for one in asked))

    assert sorted(one.status_code for one in told) == [200, 400]


async def test_whom_nobody_admitted_in_time_is_invited_again_by_the_same_name(
    web: Web, alice: Customer, bob: Colleague
) -> None:
    """Prevents: an invitation that is taken up once too early, after which there is no other."""
    assert bob.member_id
    carol, again = (Colleague.called("Carol", web, alice) for _ in range(2))
    again.passkey = SoftwareAuthenticator(b"her other phone".ljust(32, b"."))
    await carol.take_up()
    with pytest.raises(ProblemError):
        await alice.client.offer(alice.account_id, "member", name="Carol")
    alice.service.clock.forward(hours=12)  # So long there is for several to agree.
    await join(alice, again, bob)

    assert again.member_id not in ("", bob.member_id)


async def test_a_friend_of_several_members_is_told_how_long_they_may_take(
    web: Web, alice: Customer, bob: Colleague
) -> None:
    assert bob.member_id
    offered = await alice.client.offer(alice.account_id, "trusted_contact", name="Carol")
    page = (await web.get(f"/invited/{alice.account_id}/{offered['candidate_id']}")).text

    assert "within 12 hours" in page
    assert "within an hour" not in page


async def test_one_member_is_enough_up_to_the_sum_whoever_it_is(
    alice: Customer, bob: Colleague
) -> None:
    assert (await bob.withdraw("60")).answer == "allow"
    again = await alice.withdraw("60")

    assert [why.code for why in again.why] == ["members_needed"]


async def test_nobody_signs_in_anothers_name(alice: Customer, bob: Colleague) -> None:
    alices = await alice.propose("withdrawal.crypto", alice.withdrawal("101"))
    with pytest.raises(ProblemError) as refused:
        await bob.prove(alices.action_id)
    assert refused.value.fault == "authenticator_gone"
    proved = await alice.with_passkey(alices.action_id)
    twice = Colleague(bob.web, alice, "Alice", alice.passkey)
    said = await twice.agree(proved.agreement)

    assert (said.status_code, said.json()["fault"]) == (422, "already_shown")
    with pytest.raises(ProblemError) as unknown:
        await alice.propose("freeze.set", member_id="mem_mallory")
    assert unknown.value.code == "member_unknown"


async def test_the_page_of_a_member_opens_when_who_asks_has_proved(
    service: Service, web: Web, alice: Customer, bob: Colleague
) -> None:
    early = await alice.propose("withdrawal.crypto", alice.withdrawal("101"))
    account = await service.api.store.account(parse_account_id(alice.account_id))
    path = f"/agree/{alice.account_id}/{member_token(account.action(early.action_id))}"

    assert (await web.get(path)).status_code == 404
    proved = await alice.with_passkey(early.action_id)
    assert proved.agreement == path
    assert (await bob.agree(path)).status_code == 200


async def test_a_member_signs_in_binds_a_key_and_agrees_over_the_api(
    alice: Customer, bob: Colleague
) -> None:
    offered = await alice.client.offer(alice.account_id, "passkey")
    other = SoftwareAuthenticator(b"b" * 32)
    response = other.create(alice.ceremony(offered["challenge"]))
    draft = {
        "authenticator": "passkey",
        "candidate_id": offered["candidate_id"],
        "response": response,
    }
    asked = await alice.propose("authenticator.bind", draft, member_id=bob.member_id)
    said = await bob.prove(asked.action_id)
    assert {why.code for why in said.why} >= {"members_needed"}
    agreed = await Colleague(bob.web, alice, "Alice", alice.passkey).prove(
        asked.action_id, "member"
    )
    assert (agreed.answer, agreed.agreed_by) == ("hold", (alices_id(await seen(alice)),))
    alice.service.clock.forward(days=2)
    await alice.sign_in()

    members = (await seen(alice))["members"]
    assert [(one["name"], len(one["authenticator_ids"])) for one in members] == [
        ("", 2),
        ("Bob", 2),
    ]


async def seen(alice: Customer) -> dict[str, Any]:
    return await alice.client.account(alice.account_id)


def alices_id(account: dict[str, Any]) -> str:
    return str(account["member_ids"][0])


async def test_everybody_is_told_and_a_member_leaves_after_a_week(
    service: Service, web: Web, alice: Customer, bob: Colleague
) -> None:
    carol = Colleague.called("Carol", web, alice)
    await join(alice, carol, bob)
    first = {"member_id": alices_id(await seen(alice))}
    usurping = await alice.propose("member.remove", first, member_id=bob.member_id)
    assert "The first member" in (await web.get(f"/confirm/{usurping.action_id}")).text
    removal = await alice.propose("member.remove", {"member_id": bob.member_id})
    assert "Bob" in (await web.get(f"/confirm/{removal.action_id}")).text
    said = await alice.with_passkey(removal.action_id)
    await carol.agree(said.agreement)
    await service.deliver()
    told = [one for one in letters(service) if one.action_id == removal.action_id]
    assert {one.channel_id for one in told} == set(alice.channels.values())

    service.clock.forward(days=7)
    await alice.sign_in()
    left = await seen(alice)
    assert left["member_ids"] == [alices_id(left), carol.member_id]
    assert bob.member_id in (await web.get(f"/confirm/{removal.action_id}")).text
    with pytest.raises(ProblemError) as gone:
        await bob.withdraw("10")
    assert gone.value.code == "member_unknown"


async def test_what_members_signed_is_evidence_and_stands_in_audit_and_export(
    service: Service, alice: Customer, bob: Colleague, database: TestDatabase
) -> None:
    proposed = await bob.withdraw("101")
    alices = Colleague(bob.web, alice, "Alice", alice.passkey)
    await alices.agree(proposed.agreement)
    await service.client.spend(proposed.action_id, spend_id="spend-0001", fee_minor="5")

    bundle = await service.client.evidence(proposed.action_id)
    verify_bundle(bundle, trust=trust_of(service.settings, service.keyring, book=rule_book()))
    assert [one.factor for one in bundle.proofs] == ["passkey"]
    assert '"member"' in bundle.decision.openings["proofs"].value
    await audit(database, service.keyring)
    told = msgspec.json.encode(await service.client.export(alice.account_id)).decode()
    assert f'"root":"member:{alices_id(await seen(alice))}"' in told
    assert '"name":"Bob"' in told


async def test_the_account_tells_of_its_members_and_their_quorum(
    alice: Customer, bob: Colleague
) -> None:
    account = await seen(alice)

    assert account["quorum"] == {"two_cents": TWO_ABOVE, "three_cents": None}
    assert account["member_ids"] == [alices_id(account), bob.member_id]
    with pytest.raises(ProblemError) as missing:
        await alice.propose("member.remove", {"member_id": "mem_x"})
    assert missing.value.code == "target_not_found"
    with pytest.raises(ProblemError) as nonsense:
        await alice.propose("quorum.loosen", {"two_cents": 2, "three_cents": 1})
    assert nonsense.value.code == "malformed"
    for kind, page in (
        ("quorum.loosen", "Have fewer members agree"),
        ("member.add", "Add a member"),
    ):
        if kind == "member.add":
            await Colleague.called("Dan", bob.web, alice).take_up()
            action = await open_of(alice, kind)
        else:
            action = (await alice.propose(kind, {"two_cents": None})).action_id
        assert page in (await bob.web.get(f"/confirm/{action}")).text


async def test_an_account_of_one_person_tells_of_one_member(alice: Customer) -> None:
    account = await seen(alice)

    assert account["quorum"] == {"two_cents": None, "three_cents": None}
    assert [one["name"] for one in account["members"]] == [""]
