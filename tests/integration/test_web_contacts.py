"""Trusted contacts, whole: invited, added, asked by a link, and removed; over API and pages."""

from dataclasses import dataclass

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
from twinlock.domain.canonical import b64url
from twinlock.domain.ids import parse_account_id
from twinlock.domain.people import agreement_token
from twinlock.proofs.bundles import verify_bundle
from twinlock.range.authenticator import SoftwareAuthenticator
from twinlock.web.words import not_before

NOWHERE = "acc_" + "a" * 26
NEW = "0x1234567890abcdef1234567890abcdef12345678"


@dataclass
class Friend:
    """Another person, with a passkey of their own, who comes by links only."""

    web: Web
    alice: Customer
    passkey: SoftwareAuthenticator

    async def take_up(self, candidate_id: str, *, challenge: str) -> httpx.Response:
        response = self.passkey.create(self.alice.ceremony(challenge))
        path = f"/invited/{self.alice.account_id}/{candidate_id}"
        return await self.web.json(f"{path}/passkey", {"response": response})

    async def agree(self, path: str) -> httpx.Response:
        asked = (await self.web.json(f"{path}/challenge", {"factor": "passkey"})).json()
        response = self.passkey.get(self.alice.ceremony(asked["options"]["challenge"]))
        signed = {"challenge_id": asked["challenge_id"], "response": response}
        return await self.web.json(f"{path}/assertion", signed)


@pytest.fixture
def bob(web: Web, alice: Customer) -> Friend:
    seed = b"bob/the friend".ljust(32, b".")
    return Friend(web, alice, SoftwareAuthenticator(seed))


async def invite(alice: Customer, name: str = "Bob") -> dict[str, str]:
    return await alice.client.offer(alice.account_id, "trusted_contact", name=name)


async def open_of(alice: Customer, kind: str) -> str:
    seen = await alice.client.account(alice.account_id)
    (found,) = (one["action_id"] for one in seen["actions"] if one["type"] == kind)
    return str(found)


async def with_contact(alice: Customer, friend: Friend, *, above_cents: int = 100_00) -> None:
    """Have Bob agree to what leaves above so much a day."""
    offered = await invite(alice)
    taken = await friend.take_up(offered["candidate_id"], challenge=offered["challenge"])
    assert taken.json() == {"taken": True}
    added = await alice.with_passkey(await open_of(alice, "trusted_contact.add"))
    assert added.answer == "allow"
    lowered = await alice.propose("limit.lower", {"agreement_cents": above_cents})
    assert (await alice.with_passkey(lowered.action_id)).answer == "allow"
    await alice.add_destination()


async def asks_bob(alice: Customer, amount: str = "101") -> Answered:
    said = await alice.withdraw(amount)
    assert [why.code for why in said.why] == ["agreement_needed"]
    return said


async def test_a_friend_agrees_by_a_link_and_money_leaves(
    web: Web, alice: Customer, bob: Friend
) -> None:
    await with_contact(alice, bob)
    asked = await asks_bob(alice)
    path = asked.agreement
    looked = await alice.client.action(asked.action_id)
    assert (looked.agreement, looked.state) == (path, "open")
    mine = (await web.get(f"/confirm/{asked.action_id}")).text
    assert f"{web.origin}{path}" in mine
    assert "A trusted contact of yours agrees" in mine

    page = (await web.get(path)).text
    assert ADDRESS in page
    assert "Call them first" in page
    assert asked.action_id not in page
    taken = await bob.agree(path)
    assert (taken.status_code, taken.json()) == (200, {"taken": True})

    after = await alice.client.action(asked.action_id)
    assert (after.answer, after.agreement) == ("allow", "")
    assert "You agreed" in (await web.get(path)).text
    await alice.client.spend(asked.action_id, spend_id="spend-0001", fee_minor="5")
    gone = await web.get(path)
    assert (gone.status_code, "action_not_found" in gone.text) == (404, True)


async def test_a_friend_sees_nothing_but_what_is_agreed_to(
    web: Web, alice: Customer, bob: Friend
) -> None:
    """Prevents: a contact who learns from the page what else the owner has and does."""
    await with_contact(alice, bob)
    asked = await asks_bob(alice)
    page = (await web.get(asked.agreement)).text
    told = await bob.agree(asked.agreement)

    seen = await alice.client.account(alice.account_id)
    held = [one["authenticator_id"] for one in seen["authenticators"]]
    for private in (*held, *alice.channels.values(), "alice@example.com", "Confirm with a passkey"):
        assert private not in page
    assert set(told.json()) == {"taken"}


async def test_an_invitation_tells_what_a_contact_does_and_is_taken_up_once(
    web: Web, alice: Customer, bob: Friend
) -> None:
    offered = await invite(alice, name="Bob <b>")
    path = f"/invited/{alice.account_id}/{offered['candidate_id']}"
    page = await web.get(path)
    assert page.status_code == 200
    assert "You can start nothing" in page.text
    assert "<b>" not in page.text
    assert "excludeCredentials&#34;:[]" in page.text
    assert b64url(alice.passkey.credential_id) not in page.text
    assert "publickey-credentials-create=(self)" in page.headers["permissions-policy"]

    await bob.take_up(offered["candidate_id"], challenge=offered["challenge"])

    again = await bob.take_up(offered["candidate_id"], challenge=offered["challenge"])
    assert (again.status_code, again.json()["code"]) == (404, "action_not_found")
    assert (await web.get(path)).status_code == 404


async def test_a_name_hides_turns_and_covers_nothing_on_any_page(
    web: Web, alice: Customer, bob: Friend
) -> None:
    """Prevents: a friend of a thief's whose name looks just like Bob's, or turns the exact text."""
    named = "Bob\u3164\u202e" + 6 * "\u0336"
    offered = await invite(alice, name=named)
    invited = await web.get(f"/invited/{alice.account_id}/{offered['candidate_id']}")
    await bob.take_up(offered["candidate_id"], challenge=offered["challenge"])
    confirm = await web.get(f"/confirm/{await open_of(alice, 'trusted_contact.add')}")

    for page in (invited.text.partition("data-creates")[0], confirm.text):
        assert "Bob⟨U+3164⟩⟨U+202E⟩" in page
        assert not set("\u3164\u202e") & set(page)
        assert 5 * "\u0336" not in page


async def test_an_invitation_is_over_after_a_week(web: Web, alice: Customer) -> None:
    offered = await invite(alice)
    assert int(offered["expires_in_seconds"]) == 7 * 24 * 3600
    assert offered["user_id"] != (await alice.client.offer(alice.account_id, "passkey"))["user_id"]
    path = f"/invited/{alice.account_id}/{offered['candidate_id']}"
    web.service.clock.forward(days=7, seconds=-1)
    assert (await web.get(path)).status_code == 200
    web.service.clock.forward(seconds=1)
    assert (await web.get(path)).status_code == 404


@pytest.mark.parametrize(
    ("factor", "name"),
    [
        ("trusted_contact", ""),
        ("trusted_contact", " \u00a0\u2003"),  # Nobody sees it, on whatever page.
        ("member", " "),
        ("passkey", "Bob"),
        ("passkey", " "),
        ("trusted_contact", "B" * 65),
    ],
)
async def test_an_invitation_and_nothing_else_is_for_somebody(
    alice: Customer, factor: str, name: str
) -> None:
    with pytest.raises(ProblemError) as refused:
        await alice.client.offer(alice.account_id, factor, name=name)
    assert (refused.value.status, refused.value.code) == (400, "malformed")


async def test_the_owners_own_passkey_is_nobody_else(web: Web, alice: Customer) -> None:
    """Prevents: an owner who is talked into being the contact too."""
    offered = await invite(alice)
    alices = Friend(web, alice, alice.passkey)

    refused = await alices.take_up(offered["candidate_id"], challenge=offered["challenge"])

    assert (refused.status_code, refused.json()["fault"]) == (422, "wrong_credential")


async def test_a_third_contact_finds_no_place(web: Web, alice: Customer, bob: Friend) -> None:
    await with_contact(alice, bob)
    for number, taken in ((1, True), (2, False)):
        friend = Friend(web, alice, SoftwareAuthenticator(bytes([number]) * 32))
        offered = await invite(alice, name=f"Friend {number}")
        said = await friend.take_up(offered["candidate_id"], challenge=offered["challenge"])
        assert said.json() == {"taken": taken}
        if taken:
            await alice.with_passkey(await open_of(alice, "trusted_contact.add"))
            web.service.clock.forward(days=7)
            await alice.sign_in()
    seen = await alice.client.account(alice.account_id)
    assert [one["name"] for one in seen["trusted_contacts"]] == ["Bob", "Friend 1"]


async def test_who_is_no_contact_cannot_agree(web: Web, alice: Customer, bob: Friend) -> None:
    await with_contact(alice, bob)
    asked = await asks_bob(alice)
    mallory = Friend(web, alice, SoftwareAuthenticator(b"m" * 32))
    mallory.passkey.create(alice.ceremony("c" * 43))

    for nobody in (mallory, Friend(web, alice, alice.passkey)):
        refused = await nobody.agree(asked.agreement)
        assert (refused.status_code, refused.json()["fault"]) == (422, "authenticator_gone")
    assert (await alice.client.action(asked.action_id)).state == "open"


async def test_no_link_leads_anywhere_else(
    service: Service, web: Web, alice: Customer, bob: Friend
) -> None:
    await with_contact(alice, bob)
    asked = await asks_bob(alice)
    token = asked.agreement.rpartition("/")[2]
    small = await alice.propose("withdrawal.crypto", alice.withdrawal("1"))
    other = "A" * len(token)
    for path in (
        f"/agree/{alice.account_id}/{other}",
        f"/agree/{NOWHERE}/{token}",
        f"/invited/{alice.account_id}/cnd_nothing",
        f"/invited/{NOWHERE}/cnd_nothing",
    ):
        gone = await web.get(path)
        assert gone.status_code == 404, path
    for path in (f"/agree/x/{token}", "/invited/x/cnd_1"):
        assert (await web.get(path)).status_code == 400, path
    assert small.agreement == ""
    store = service.api.store
    early = (await store.account(parse_account_id(alice.account_id))).action(small.action_id)
    too_early = await web.get(f"/agree/{alice.account_id}/{agreement_token(early)}")
    assert too_early.status_code == 404
    for verb in ("challenge", "assertion"):
        body: dict[str, object] = {"factor": "passkey"}
        if verb == "assertion":
            body = {"challenge_id": "", "response": {}}
        unheard = await web.json(f"/agree/{alice.account_id}/{other}/{verb}", body)
        assert (unheard.status_code, unheard.json()["code"]) == (404, "action_not_found")
    foreign = await web.http.post(
        f"{asked.agreement}/challenge",
        json={"factor": "passkey"},
        headers={"Origin": "https://elsewhere.example"},
    )
    assert foreign.status_code == 403


async def test_a_contact_is_removed_after_a_week_and_the_owner_is_told(
    service: Service, web: Web, alice: Customer, bob: Friend
) -> None:
    await with_contact(alice, bob)
    (contact,) = (await alice.client.account(alice.account_id))["trusted_contacts"]
    assert set(contact) == {"contact_id", "member_id", "name", "since"}
    removal = await alice.propose("trusted_contact.remove", {"contact_id": contact["contact_id"]})
    page = (await web.get(f"/confirm/{removal.action_id}")).text
    assert "Bob" in page
    waits = await alice.with_passkey(removal.action_id)
    assert (waits.answer, {why.code for why in waits.why}) == (
        "hold",
        {"contact_stays", "loosening_waits"},
    )
    await service.deliver()
    told = [one for one in letters(service) if one.action_id == removal.action_id]
    assert {one.channel_id for one in told} == set(alice.channels.values())

    service.clock.forward(days=7)
    assert (await alice.withdraw("101")).answer == "allow"
    ended = await web.get(f"/confirm/{removal.action_id}")
    assert contact["contact_id"] in ended.text


async def test_a_wait_that_runs_already_is_told_by_its_end(
    service: Service, web: Web, alice: Customer, bob: Friend
) -> None:
    """Prevents: a page that says that the wait begins when the friend agrees."""
    await with_contact(alice, bob)
    proposed = await alice.propose("withdrawal.crypto", alice.withdrawal("101", address=NEW))
    until = (await alice.with_passkey(proposed.action_id)).until
    assert until is not None
    service.clock.forward(hours=10)

    page = (await web.get(f"/confirm/{proposed.action_id}")).text

    assert f"It waits until\n    {not_before(until)}" in page
    assert "from then on" not in page


async def test_a_friend_is_not_told_that_what_moves_is_theirs(
    web: Web, alice: Customer, bob: Friend
) -> None:
    await with_contact(alice, bob)
    sold = {"counterparty": "c1", "order": "o1", "received": "200 EUR"}
    for kind, where, theirs in (
        ("transfer.subaccount", {"subaccount": "s1"}, ("To their sub-account", "Their main acc")),
        ("p2p.release", sold, ("They got", "Have them look at their bank account")),
        ("trade.unusual", {"pair": "XRP/USDT", "side": "buy", "price": "1"}, ("They buy XRP.",)),
    ):
        draft = {"asset": "USDT", "amount": "200", **where}
        asked = await alice.with_passkey((await alice.propose(kind, draft)).action_id)
        page = (await web.get(asked.agreement)).text
        mine = (await web.get(f"/confirm/{asked.action_id}")).text
        for words in theirs:
            assert (words in page, words in mine) == (True, False), words


async def test_what_is_above_the_sum_says_before_the_proof_that_somebody_agrees(
    web: Web, alice: Customer, bob: Friend
) -> None:
    await with_contact(alice, bob)
    proposed = await alice.propose("withdrawal.crypto", alice.withdrawal("101"))
    page = (await web.get(f"/confirm/{proposed.action_id}")).text

    assert "A trusted contact of yours agrees to it." in page
    assert "You show one more thing" not in page
    assert "/agree/" not in page


async def test_the_account_tells_of_its_contacts_and_its_sum(alice: Customer, bob: Friend) -> None:
    await with_contact(alice, bob)
    seen = await alice.client.account(alice.account_id)

    assert seen["limits"]["agreement_cents"] == 100_00
    assert [one["name"] for one in seen["trusted_contacts"]] == ["Bob"]
    assert all(one["name"] != "Bob" for one in seen["authenticators"])
    raised = await alice.propose("limit.raise", {"agreement_cents": None})
    assert (await alice.with_passkey(raised.action_id)).answer == "hold"


async def test_what_a_contact_agreed_to_is_evidence_of_the_owners_consent_alone(
    service: Service, web: Web, alice: Customer, bob: Friend, database: TestDatabase
) -> None:
    """Prevents: a contact's signature that a signer takes for the owner's."""
    await with_contact(alice, bob)
    asked = await asks_bob(alice)
    await bob.agree(asked.agreement)
    await service.client.spend(asked.action_id, spend_id="spend-0001", fee_minor="5")

    bundle = await service.client.evidence(asked.action_id)
    verify_bundle(bundle, trust=trust_of(service.settings, service.keyring, book=rule_book()))
    assert [one.factor for one in bundle.proofs] == ["passkey"]
    assert "trusted_contact" in bundle.decision.openings["proofs"].value
    await audit(database, service.keyring)


async def test_a_contact_is_in_the_owners_export(
    service: Service, alice: Customer, bob: Friend
) -> None:
    await with_contact(alice, bob)
    told = await service.client.export(alice.account_id)

    assert '"name":"Bob"' in msgspec.json.encode(told).decode()
