"""Channels, resets, suspensions and repudiations over HTTP, down to the link in a notice."""

from typing import cast

import httpx
import pytest
from msgspec.structs import replace
from support.browser import Web, letters, veto_links
from support.cast import ALICE
from support.service import PASSWORD, Customer, Service
from support.worlds import EMAIL, SYNCED, an_account
from support.worlds import PASSWORD as PASSWORD_HELD

from twinlock.client import ProblemError
from twinlock.domain.account import Account
from twinlock.domain.actions import ContactRepudiate, PasswordReset
from twinlock.domain.ids import ActionId, ChannelId
from twinlock.domain.letters import Letter
from twinlock.domain.requirements import Answer
from twinlock.ports import Committed, Idempotency, Store, Work
from twinlock.services.vetoes import No, Vetoes
from twinlock.web.standing_words import tell_standing

NEW_MAIL = "Alice@NEW.example.com"


async def told(service: Service, action_id: str, kind: str) -> list[Letter]:
    await service.deliver()
    about = (one for one in letters(service) if one.action_id == action_id)
    return [one for one in about if one.kind.value == kind]


def fields_of(link: str) -> dict[str, str]:
    asked = httpx.URL(link).params
    return {"channel_id": asked["c"], "token": asked["t"]}


async def confirm_new_channel(alice: Customer, action_id: str) -> Answer:
    asked = await alice.client.ask(action_id, {"factor": "channel_code"})
    (letter,) = await told(alice.service, action_id, "code")
    assert letter.address == "Alice@new.example.com"
    reply = {
        "factor": "channel_code",
        "challenge_id": asked["challenge_id"],
        "secret": letter.code,
    }
    return (await alice.client.prove(action_id, reply)).answer


async def replaced_mail(alice: Customer) -> str:
    """Replace Alice's e-mail address, and let it take effect; return the action."""
    draft = {"channel_id": alice.channels["email"], "kind": "email", "address": NEW_MAIL}
    proposed = await alice.propose("contact.change", draft)
    assert (await alice.with_passkey(proposed.action_id)).answer is Answer.HOLD
    assert await confirm_new_channel(alice, proposed.action_id) is Answer.HOLD
    alice.service.clock.forward(hours=48)
    await alice.propose("freeze.set")  # Whoever asks for anything settles what is due.
    return proposed.action_id


@pytest.mark.requirement("N-B08", "N-B20")
async def test_a_replaced_address_hears_of_it_and_brings_itself_back(
    web: Web, alice: Customer
) -> None:
    action = await replaced_mail(alice)
    done = await told(web.service, action, "done")
    old, *_ = [one for one in done if one.channel_id == alice.channels["email"]]
    assert {one.channel for one in done} == {"email", "desktop"}
    assert (old.veto, bool(old.undo), old.address) == ("", True, "alice@example.com")
    link = old.link.removeprefix(web.service.settings.origin)
    opened = await web.get(link)
    assert (opened.status_code, "This was not me: undo it" in opened.text) == (200, True)
    seen = await web.service.client.account(alice.account_id)
    assert alice.channels["email"] not in {one["channel_id"] for one in seen["channels"]}

    undone = await web.form(f"/veto/{action}", **fields_of(link))

    assert (undone.status_code, undone.headers["location"]) == (303, f"/confirm/{action}")
    seen = await web.service.client.account(alice.account_id)
    assert {one["channel_id"] for one in seen["channels"]} == set(alice.channels.values())
    assert [one["because"] for one in seen["holds"]][-1] == "contact.repudiate"
    assert "This was undone since" in (await web.get(f"/confirm/{action}")).text
    late = await web.get(link)
    assert "This link may not undo it" in late.text
    again = await web.form(f"/veto/{action}", **fields_of(link))
    assert (again.status_code, "target_gone" in again.text) == (200, True)


async def test_what_is_removed_again_is_undone_by_the_link_of_its_notice(
    web: Web, alice: Customer
) -> None:
    """Prevents: a thief's address that removes itself before its owner reads the old mailbox."""
    action = await replaced_mail(alice)
    link = next(one.link for one in await told(web.service, action, "done") if one.undo)
    seen = await alice.client.account(alice.account_id)
    (new,) = [one for one in seen["channels"] if one["channel_id"] not in alice.channels.values()]
    gone = await alice.propose("contact.change", {"channel_id": new["channel_id"]})
    assert (await alice.with_passkey(gone.action_id)).answer is Answer.HOLD
    web.service.clock.forward(hours=48)
    await alice.propose("freeze.set")
    seen = await alice.client.account(alice.account_id)
    assert {one["channel_id"] for one in seen["channels"]} == set(alice.channels.values())
    opened = await web.get(link.removeprefix(web.service.settings.origin))
    assert "This was not me: undo it" in opened.text

    undone = await web.form(f"/veto/{action}", **fields_of(link))

    assert undone.status_code == 303
    seen = await alice.client.account(alice.account_id)
    assert [one["because"] for one in seen["holds"]][-1] == "contact.repudiate"
    again = await web.form(f"/veto/{action}", **fields_of(link))
    assert "target_gone" in again.text


@pytest.mark.parametrize(
    ("draft", "code"),
    [
        ({}, "malformed"),
        ({"kind": "email"}, "malformed"),
        ({"address": "alice@example.org"}, "malformed"),
        ({"kind": "pigeon", "address": "alice@example.org"}, "malformed"),
        ({"kind": "email", "address": "no address"}, "channel_address_refused"),
        ({"kind": "sms", "address": "5550100"}, "channel_address_refused"),
        ({"channel_id": "chn_of_nobody"}, "target_not_found"),
        ({"kind": "email", "address": "a@example.org", "more": 1}, "malformed"),
    ],
)
async def test_a_change_of_another_form_is_refused(
    alice: Customer, draft: dict[str, object], code: str
) -> None:
    with pytest.raises(ProblemError) as refused:
        await alice.propose("contact.change", draft)

    assert refused.value.code == code


async def test_the_pages_tell_what_a_change_of_channel_does(web: Web, alice: Customer) -> None:
    draft = {"channel_id": alice.channels["desktop"], "kind": "email", "address": NEW_MAIL}
    proposed = await alice.propose("contact.change", draft)
    before = await web.get(f"/confirm/{proposed.action_id}")
    for said in (
        "Replace a notice channel",
        "alice-desktop",
        "Alice@new.example.com",
        "No notice channel is left that does not live on your phone",
    ):
        assert said in before.text
    assert "the new channel" not in before.text
    await alice.with_passkey(proposed.action_id)
    after = await web.get(f"/confirm/{proposed.action_id}")

    assert "the new channel" in after.text
    sent = await web.form(f"/confirm/{proposed.action_id}/code", factor="channel_code")
    assert sent.status_code == 303
    (letter,) = await told(web.service, proposed.action_id, "code")
    page = (await web.get(f"/confirm/{proposed.action_id}")).text
    challenge = page.partition('name="challenge_id" value="')[2].partition('"')[0]
    typed = {"factor": "channel_code", "challenge_id": challenge, "secret": letter.code}
    proved = await web.form(f"/confirm/{proposed.action_id}/proof", **typed)
    assert proved.status_code == 303
    stands = await web.service.client.action(proposed.action_id)
    assert [why.code.value for why in stands.why] == ["loosening_waits", "wait_told"]
    assert all(one.narrows for one in await told(web.service, proposed.action_id, "waiting"))


@pytest.mark.requirement("O-08", "O-10")
async def test_a_forgotten_password_is_reset_by_the_passkey_after_a_day(
    web: Web, alice: Customer
) -> None:
    new = "a new and much longer one"
    proposed = await alice.propose("password.reset", {"password": new})
    assert "password" not in str(proposed.payload or {}).replace("password.reset", "")
    with pytest.raises(ProblemError) as refused:
        await alice.client.ask(proposed.action_id, {"factor": "email_code"})
    assert refused.value.fault == "below_floor"
    await alice.with_passkey(proposed.action_id)
    assert "Reset the forgotten password" in (await web.get(f"/confirm/{proposed.action_id}")).text
    assert len(await veto_links(web.service, proposed.action_id)) == 2
    web.service.clock.forward(hours=24)
    started = await alice.start()
    answer = await alice.with_secret(started.action_id, "password", new)

    assert answer.answer is Answer.CHALLENGE
    with pytest.raises(ProblemError) as wrong:
        await alice.with_secret((await alice.start()).action_id, "password", PASSWORD)
    assert wrong.value.fault == "password_wrong"
    links = await veto_links(web.service, proposed.action_id)
    assert len(links) == 4  # Both channels were told twice: before it, and when it was done.


async def test_the_length_of_a_reset_password_does_not_tell_what_is_bound(alice: Customer) -> None:
    """Alice has a passkey, beside which she may choose eight characters: signed in, not here."""
    with pytest.raises(ProblemError) as refused:
        await alice.propose("password.reset", {"password": "eleven long"})

    assert (refused.value.code, refused.value.fault) == ("password_refused", "too_short")


@pytest.mark.requirement("N-B21")
async def test_what_is_lost_is_suspended_with_a_password_and_answers_nothing(
    web: Web, alice: Customer
) -> None:
    seen = await alice.client.account(alice.account_id)
    (key,) = [one for one in seen["authenticators"] if one["factor"] == "passkey"]
    lost = {"authenticator_id": key["authenticator_id"]}
    proposed = await alice.propose("authenticator.suspend", lost)
    assert "Suspend an authenticator" in (await web.get(f"/confirm/{proposed.action_id}")).text
    said = await alice.with_secret(proposed.action_id, "password", PASSWORD)
    seen = await alice.client.account(alice.account_id)
    (key,) = [one for one in seen["authenticators"] if one["factor"] == "passkey"]

    assert said.answer is Answer.ALLOW
    assert key["suspended_until"] is not None
    assert seen["floor"] == "phishing_resistant"
    with pytest.raises(ProblemError) as refused:
        await alice.withdraw()
    assert refused.value.fault == "suspended"
    with pytest.raises(ProblemError) as nobody:
        await alice.propose("authenticator.suspend", {"authenticator_id": "aut_nobody"})
    assert nobody.value.code == "target_not_found"


async def test_a_device_says_that_it_was_not_it_and_a_foreign_link_says_nothing(
    alice: Customer,
) -> None:
    await alice.bind_totp()
    changed = await alice.propose("password.change", {"password": "something else entirely"})
    await alice.with_passkey(changed.action_id)
    for no in ({"channel_id": alice.channels["email"], "token": "A" * 43}, {}):
        with pytest.raises(ProblemError) as refused:
            await alice.client.veto(changed.action_id, no)
        assert refused.value.code in ("proof_refused", "malformed")
    stands = await alice.client.action(changed.action_id)
    signed = alice.signed(stands.digest, purpose="veto", name=changed.action_id)
    said = await alice.client.veto(changed.action_id, {"session": signed})
    assert (said.answer, said.type) == (Answer.DENY, "authenticator.repudiate")
    assert [why.code.value for why in said.why] == ["not_entitled"]  # Of one sitting with it.


async def test_a_no_that_meets_what_has_just_taken_effect_undoes_it(alice: Customer) -> None:
    """Prevents: a veto that is lost because the wait ended while it was on its way."""
    api = alice.service.api
    bound = await alice.propose("password.reset", {"password": "a new and longer one"})
    await alice.with_passkey(bound.action_id)
    (link, *_) = await veto_links(alice.service, bound.action_id)
    alice.service.clock.forward(hours=24)

    class Late:
        """The store itself, in which somebody else settles what is due before each command."""

        def __getattr__(self, name: str) -> object:
            return getattr(api.store, name)

        async def run(self, work: Work) -> Committed:
            await alice.client.end_sessions(alice.account_id)
            return await api.store.run(work)

    late = Vetoes(cast("Store", Late()), policies=api.use.vetoes._policies)  # noqa: SLF001 - its own
    said = await late.veto(
        ActionId(bound.action_id),
        No(channel_id=fields_of(link)["channel_id"], token=fields_of(link)["token"]),
        actor="a page",
        idempotency=Idempotency(key="late-no-1", digest=bytes(32)),
    )

    assert said is not None
    assert (said.type, said.answer) == ("authenticator.repudiate", Answer.ALLOW)


async def test_what_bound_nothing_has_nothing_to_undo(web: Web, alice: Customer) -> None:
    frozen = await alice.propose("freeze.set")
    await alice.with_passkey(frozen.action_id)
    with pytest.raises(ProblemError) as over:
        await alice.client.veto(
            frozen.action_id, {"channel_id": alice.channels["email"], "token": "A" * 43}
        )

    assert over.value.code == "action_closed"
    assert "It took effect" in (await web.get(f"/veto/{frozen.action_id}?c=chn_x&t=x")).text


@pytest.mark.parametrize("account", [True, False], ids=["open", "over"])
def test_a_channel_that_is_not_yours_is_named_on_its_page(account: bool) -> None:
    new = replace(EMAIL, channel_id=ChannelId("chn_new"), address="m@example.net", replaced=EMAIL)
    held = an_account(PASSWORD_HELD, channels=(new,)) if account else None
    told = tell_standing(ContactRepudiate(account=ALICE, channel_id=new.channel_id), held)

    assert "m@example.net" in [line.text for line in told.lines] or not account
    assert told.lines[-1].text == new.channel_id


@pytest.mark.parametrize(
    ("held", "lines"), [(an_account(PASSWORD_HELD), 1), (an_account(SYNCED), 2), (None, 1)]
)
def test_who_resets_sees_whether_there_was_a_password(held: Account | None, lines: int) -> None:
    told = tell_standing(PasswordReset(account=ALICE, verifier="digest"), held)

    assert len(told.lines) == lines
